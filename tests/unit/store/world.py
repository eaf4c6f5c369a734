"""A store in a folder, with a log, its keys and its files, for tests."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bridge.compliance import record
from bridge.compliance.files import LogFiles
from bridge.compliance.keys import Keyring, open_signer
from bridge.compliance.publisher import Publisher
from bridge.compliance.tiles import encode_bundle
from bridge.compliance.verify import Kept, Report, verify_log
from bridge.delivery.ports import Entry, OutboxItem, Settlement
from bridge.model.ids import EventId, IdempotencyKey
from bridge.store import segments
from bridge.store.journal import DirectJournal, GroupCommitJournal
from bridge.store.publishing import publisher_of
from bridge.store.reader import SqliteLogReader
from bridge.store.writer import LogWriter
from tests.unit.compliance.samples import AIM, BOOGYMAN, NOW, message


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


class World:
    """One log and all that belongs to it, below ``folder``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "bridge.db"
        self.clock = Clock()
        self.keyring = Keyring.open(folder / "keys" / "master.key", create=True)
        self.writer = self.open_writer()
        self.signer = open_signer(folder / "keys" / "log.key", self.writer.log_id, create=True)
        self.files = LogFiles(folder / "log")
        self._publisher: Publisher | None = None

    def open_writer(self, **options: Any) -> LogWriter:
        return LogWriter(self.path, self.keyring, log_name="corp.example/test", clock=self.clock, **options)

    @property
    def direct(self) -> DirectJournal:
        return DirectJournal(self.writer)

    def publish(self) -> None:
        if self._publisher is None:
            self._publisher = publisher_of(self.path, self.folder / "log", self.signer)
        self._publisher.publish()

    def verify(self, kept: tuple[Kept, ...] = (), *, keys: bool = True) -> Report:
        with SqliteLogReader(self.path) as reader:
            return verify_log(
                reader,
                files=self.files,
                keys=[self.signer.verifier],
                keyring=self.keyring if keys else None,
                kept=kept,
            )

    def close(self) -> None:
        self.writer.close()


def sent(number: int, text: str = "lunch?", *, queue: bool = True) -> Entry:
    """An allowed message to a contact on AIM, waiting in the outbox."""
    envelope = message(number, text)
    item = OutboxItem(
        key=IdempotencyKey(f"{envelope.id}/0"),
        event=envelope.id,
        lane="aim/theboogyman",
        network=AIM,
        account="ouraccount",
        recipient="theboogyman",
        expires_at=NOW + 3600,
    )
    return Entry(
        records=(
            record.intake(envelope, identity_version=3),
            record.decision(
                envelope.id,
                effect="allow",
                deciding="sales-on-aim",
                matched=("sales-on-aim",),
                reason_code="rule",
                policy_digest="5e" * 32,
            ),
        ),
        enqueue=(item,) if queue else (),
    )


def settled(event: EventId, seq: int, code: str = "relayed", detail: str = "") -> Entry:
    """What became of a message whose intake is leaf ``seq``."""
    return Entry(
        records=(record.outcome(event, recipient=BOOGYMAN, code=code, detail=detail),),
        settle=(Settlement(seq=seq, key=IdempotencyKey(f"{event}/0")),),
    )


class Loop:
    """The reactor's part: runs, when asked to, what was called from the journal's thread."""

    def __init__(self) -> None:
        import queue

        self._calls: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()

    def call(self, function: Callable[[], None]) -> None:
        self._calls.put(function)

    def until(self, finished: Callable[[], bool]) -> None:
        while not finished():
            self._calls.get(timeout=20)()

    def drain(self) -> None:
        while not self._calls.empty():
            self._calls.get()()


def running(world: World, loop: Loop, **options: Any) -> GroupCommitJournal:
    journal = GroupCommitJournal(world.writer, loop.call, **options)
    journal.start()
    return journal


def change_leaf(
    connection: sqlite3.Connection, seq: int, *, content: bytes | None = None, digest: bytes | None = None
) -> None:
    """Changes what is stored of a leaf; ``content`` is empty once it was disposed of."""
    query = "SELECT first, hashes, contents FROM leaf WHERE first <= ? ORDER BY first DESC LIMIT 1"
    first, hashes, packed = connection.execute(query, (seq,)).fetchone()
    digests = segments.unpack_hashes(first, hashes)
    contents = segments.unpack_contents(first, packed, len(digests))
    if content is not None:
        contents[seq - first] = content or None
    if digest is not None:
        digests[seq - first] = digest
    connection.execute(
        "UPDATE leaf SET hashes = ?, contents = ? WHERE first = ?",
        (b"".join(digests), encode_bundle([one or b"" for one in contents]), first),
    )
    names = segments.names_of(contents)
    connection.execute("DELETE FROM mention WHERE first = ?", (first,))
    if names:
        connection.execute("INSERT INTO mention (first, names) VALUES (?, ?)", (first, names))


def change_body(connection: sqlite3.Connection, seq: int, ciphertext: bytes | None) -> None:
    """Changes a ciphertext, or takes it out."""
    query = "SELECT first, ciphertexts FROM body WHERE first <= ? ORDER BY first DESC LIMIT 1"
    first, packed = connection.execute(query, (seq,)).fetchone()
    bodies = dict(segments.unpack_bodies(first, packed))
    del bodies[seq]
    if ciphertext is not None:
        bodies[seq] = ciphertext
    flat = [value for pair in sorted(bodies.items()) for value in pair]
    connection.execute("UPDATE body SET ciphertexts = ? WHERE first = ?", (segments.pack_bodies(first, flat), first))


def drop_key(connection: sqlite3.Connection, seq: int) -> None:
    """Takes a data key out: the body is beyond recovery."""
    query = "SELECT first, keys FROM data_key WHERE first <= ? ORDER BY first DESC LIMIT 1"
    first, packed = connection.execute(query, (seq,)).fetchone()
    flat = [value for row in segments.unpack_keys(first, packed) if row[0] != seq for value in row]
    connection.execute("UPDATE data_key SET keys = ? WHERE first = ?", (segments.pack_keys(first, flat), first))
