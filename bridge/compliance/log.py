"""The log itself: drafts become leaves of the Merkle tree, and, once they are durable, licences to deliver.

Pure: a store asks for a batch, adds the drafts of each entry, writes the batch's rows in one transaction and, after the
commit and not before, lets the appender adopt it. A batch that was not committed is dropped and leaves no trace.
"""

import os
import time
from collections.abc import Callable, Iterable, Sequence
from hashlib import blake2b, sha256
from typing import Any

import orjson
from attrs import frozen

from bridge.compliance.codec import encode_body, encode_header
from bridge.compliance.errors import SealError, UnrecordableError
from bridge.compliance.keys import KEY_BYTES, Keyring
from bridge.compliance.leaf import (
    DecisionLeaves,
    OutcomeLeaves,
    Pseudonyms,
    canonical,
    check_free_fields,
    microseconds,
    plain_name,
)
from bridge.compliance.merkle import Frontier
from bridge.compliance.opening import Opener, attachment_plaintext, attachment_texts
from bridge.compliance.record import RecordDraft, Recorded, take_licence
from bridge.compliance.rows import LeafRow, SealedRow
from bridge.compliance.sealing import ALWAYS, BODY, PID, ROW, Entropy, Kek, KekRow, KeyCase, Sealer
from bridge.model.envelope import Envelope

_LICENCE = take_licence()
MAC_BYTES = 16
_RESERVED = frozenset({"msg_id", "parent_leaf", "period", "outcome", "retention_class", "body_commit", "header_commit"})

Staged = list[tuple[int, bytes, RecordDraft]]
"""The records of one entry in a batch: seq, leaf hash, draft."""


def period_of(now: float) -> str:
    """Returns the month that a time is in, UTC, such as ``2026-11``."""
    moment = time.gmtime(now)
    return f"{moment.tm_year:04d}-{moment.tm_mon:02d}"


def row_mac(key: bytes, columns: Sequence[object]) -> bytes:
    """Returns the keyed digest of a queue row.

    Raises:
        UnrecordableError: a column is not valid Unicode.
    """
    try:
        return blake2b(orjson.dumps(columns), key=key, digest_size=MAC_BYTES).digest()
    except TypeError as error:
        raise UnrecordableError(f"outbox: {error}") from error


@frozen
class Segment:
    """Leaves that follow each other and are about to be written, with what is sealed of them.

    Flat lists: ``bodies`` has seq and ciphertext in turn; ``data_keys`` seq, the id of the key-encryption key and the
    wrapped key. ``names`` has the ids of the messages, the same one in a row once.
    """

    first: int
    names: list[str]
    hashes: list[bytes]
    contents: list[bytes]
    bodies: list[Any]
    data_keys: list[Any]


@frozen
class LogState:
    """What a store keeps of the log beside its rows: enough to append."""

    size: int
    frontier: bytes
    keks: tuple[KekRow, ...]


class Appender:
    """Makes the leaves of one log.

    Args:
        log_id: the log's name; also the origin of its checkpoints.
        keyring: the master keys.
        entropy: returns as many random bytes as asked.
    """

    def __init__(self, log_id: str, keyring: Keyring, entropy: Callable[[int], bytes] = os.urandom) -> None:
        pool = Entropy(entropy)
        self.log_id = log_id
        self._keyring = keyring
        self.case = KeyCase(log_id, keyring, pool)
        self.sealer = Sealer(log_id, pool)
        self._frontier = Frontier()
        self._keks: dict[tuple[str, str, str], KekRow] = {}
        self._pseudonyms: Pseudonyms | None = None
        self.decisions = DecisionLeaves(log_id)
        self.outcomes = OutcomeLeaves(log_id)

    @property
    def size(self) -> int:
        """How many leaves the log has."""
        return self._frontier.size

    def load(self, state: LogState) -> None:
        """Takes the state as the store has it: at the start, and after another process has written.

        Raises:
            ProofError: size and frontier do not fit each other.
        """
        self._frontier = Frontier.from_bytes(state.size, state.frontier)
        self._keks = {row.slot: row for row in state.keks}

    def begin(self, now: float) -> "Batch":
        """Returns an empty batch on top of what is committed.

        Args:
            now: the time of day, seconds since the epoch.
        """
        return Batch(self, self._frontier.copy(), dict(self._keks), now)

    def adopt(self, batch: "Batch") -> None:
        """Takes over a batch that is durable now. From here on it gives out ``Recorded`` values.

        Raises:
            RuntimeError: it was made on top of another state.
        """
        if batch.base != self._frontier.size:
            raise RuntimeError(f"a batch upon {batch.base} leaves cannot be adopted by a log of {self._frontier.size}")
        self._frontier = batch.frontier
        self._keks = batch.keks
        batch.durable = True

    def pseudonyms(self, kek: Kek) -> Pseudonyms:
        """Returns the pseudonyms under a period's key, with their cache kept from batch to batch."""
        known = self._pseudonyms
        # By the key, not by the period: a batch that was rolled back took the key that it had made with it.
        if known is None or not known.made_with(kek.secret, kek.row.period):
            known = self._pseudonyms = Pseudonyms(kek.secret, kek.row.period)
        return known


def _check_free(chosen: dict[str, Any], fields: dict[str, Any]) -> None:
    check_free_fields(chosen)
    taken = (fields.keys() | _RESERVED) & chosen.keys()
    if taken:
        raise UnrecordableError(f"leaf: {min(taken)} is written by the log itself")


class Restorer:
    """Makes the licence again for a record that is durable since an earlier run, checked against its leaf."""

    def __init__(self, log_id: str, keyring: Keyring, keks: Iterable[KekRow]) -> None:
        self._opener = Opener(log_id, keyring, keks)

    @property
    def row_key(self) -> bytes:
        """The key of the digests of queue rows. Raises SealError."""
        return self._opener.secret(ROW)[:KEY_BYTES]

    def restore(self, leaf: LeafRow, sealed: SealedRow | None) -> Recorded:
        """Returns the licence.

        Raises:
            CodecError: the record is not what its leaf says.
            SealError: it does not open.
        """
        record = self._opener.open(leaf, sealed)
        return Recorded(_LICENCE, record.seq, record.hash, record.fields["event"], leaf.msg_id or "", record.envelope)


class Batch:
    """Leaves that are about to be written in one transaction, in one ``Segment`` or several.

    ``contents`` are those that no segment has taken yet, ``weight`` is the size of what is sealed with them, and
    ``new_keks`` are the rows of the keys that were made.
    """

    __slots__ = (
        "_appender",
        "_bodies",
        "_body_keks",
        "_data_keys",
        "_hashes",
        "_ids",
        "_last",
        "_log_id",
        "_names",
        "_period",
        "_row_key",
        "_t",
        "base",
        "contents",
        "durable",
        "frontier",
        "keks",
        "new_keks",
        "weight",
    )

    def __init__(
        self, appender: Appender, frontier: Frontier, keks: dict[tuple[str, str, str], KekRow], now: float
    ) -> None:
        self._appender = appender
        self._log_id = appender.log_id
        self._period = period_of(now)
        self._t = microseconds(now)
        self._names: Pseudonyms | None = None
        self._row_key: bytes | None = None
        self._body_keks: dict[str, Kek] = {}
        self.base = frontier.size
        self.frontier = frontier
        self.keks = keks
        self.contents: list[bytes] = []
        self.weight = 0
        self._hashes: list[bytes] = []
        self._ids: list[str] = []
        self._last = ""
        self._bodies: list[Any] = []
        self._data_keys: list[Any] = []
        self.new_keks: list[KekRow] = []
        self.durable = False

    def _kek(self, slot: tuple[str, str, str]) -> Kek:
        row = self.keks.get(slot)
        if row is not None:
            return self._appender.case.open(row)
        row_id = 1 + max((known.id for known in self.keks.values()), default=0)
        kek = self._appender.case.create(row_id, slot)
        self.keks[slot] = kek.row
        self.new_keks.append(kek.row)
        return kek

    def _pids(self) -> Pseudonyms:
        if self._names is None:
            self._names = self._appender.pseudonyms(self._kek((PID, "", self._period)))
        return self._names

    def mac(self, columns: Sequence[object]) -> bytes:
        """Returns the keyed digest of a queue row. Raises UnrecordableError or SealError."""
        if self._row_key is None:
            self._row_key = self._kek((ROW, "", ALWAYS)).secret[:KEY_BYTES]
        return row_mac(self._row_key, columns)

    def add(self, drafts: Iterable[RecordDraft]) -> Staged:
        """Adds the records of one entry, all of them or none.

        Raises:
            UnrecordableError: one of them cannot be written down.
        """
        marks = len(self.contents), len(self._ids), len(self._bodies), len(self._data_keys), self.weight
        staged: Staged = []
        seq = self.frontier.size
        contents, ids, last = self.contents, self._ids, self._last
        parents: dict[str, int] = {}
        try:
            for draft in drafts:
                msg_id = draft.msg_id
                content = self._leaf(draft, seq, parents.get(msg_id))
                contents.append(content)
                staged.append((seq, sha256(b"\x00" + content).digest(), draft))
                if msg_id != last:
                    last = msg_id
                    if msg_id:
                        ids.append(msg_id)
                if msg_id:
                    parents[msg_id] = seq
                seq += 1
        except (UnrecordableError, SealError) as error:
            del contents[marks[0] :], ids[marks[1] :], self._bodies[marks[2] :], self._data_keys[marks[3] :]
            self.weight = marks[4]
            if isinstance(error, SealError):
                raise UnrecordableError(str(error)) from error
            raise
        self._last = last
        append, hashes = self.frontier.append, self._hashes
        for _, digest, _ in staged:
            append(digest)
            hashes.append(digest)
        return staged

    def take(self) -> Segment:
        """Returns what was added since the last call: it is to be written now, in this order."""
        first = self.frontier.size - len(self.contents)
        out = Segment(first, self._ids, self._hashes, self.contents, self._bodies, self._data_keys)
        self.contents, self._ids, self._hashes, self._bodies, self._data_keys = [], [], [], [], []
        self._last, self.weight = "", 0
        return out

    def _leaf(self, draft: RecordDraft, seq: int, parent: int | None) -> bytes:
        """Returns the leaf of a record."""
        if draft.parent is not None:
            parent = draft.parent
        envelope = draft.envelope
        if envelope is not None:
            return self._intake(draft, envelope, seq, parent)
        if draft.form is not None and parent is not None:
            return self._appender.decisions.leaf(draft.form, draft.fields, draft.msg_id, parent, seq, self._t)
        if len(draft.outcomes) == 1 and draft.payload is None and parent is not None and plain_name(draft.msg_id):
            names = self._names or self._pids()
            ((who, code, twice),) = draft.outcomes
            leaf = self._appender.outcomes.leaf
            return leaf(names.of(who), code, draft.msg_id, parent, names.period, seq, self._t, twice=twice)
        fields: dict[str, Any] = {"v": 1, "log_id": self._log_id, "seq": seq, "event": draft.event, "t_intake": self._t}
        if draft.msg_id:
            fields["msg_id"] = draft.msg_id
        if parent is not None:
            fields["parent_leaf"] = parent
        if draft.outcomes:
            self._outcomes(draft, fields)
        else:
            if draft.free:
                _check_free(draft.fields, fields)
            fields.update(draft.fields)
        if draft.payload is not None:
            self._seal(draft, seq, fields, b"", draft.payload, ())
        return canonical(fields)

    def _outcomes(self, draft: RecordDraft, fields: dict[str, Any]) -> None:
        names = self._pids()
        fields["period"] = names.period
        fields["outcome"] = [
            {"pid": names.of(who), "code": code, "maybe_duplicate": True}
            if twice
            else {"pid": names.of(who), "code": code}
            for who, code, twice in draft.outcomes
        ]

    def _intake(self, draft: RecordDraft, envelope: Envelope, seq: int, parent: int | None) -> bytes:
        names = self._names or self._pids()
        body = envelope.body
        moment = microseconds(envelope.received_at)
        fields: dict[str, Any] = {
            "v": 1,
            "log_id": self._log_id,
            "seq": seq,
            "event": draft.event,
            "t_intake": moment,
            "msg_id": draft.msg_id,
            "connector": envelope.origin.network,
            "network": envelope.conversation.network,
            "direction": envelope.direction._value_,
            "kind": body.kind,
            "period": names.period,
            "conv_id": names.of_conversation(envelope.conversation),
            "sender_pid": names.of(envelope.sender),
            "recipient_pids": list(map(names.of, envelope.recipients)),
            **draft.fields,
        }
        if envelope.claimed_at is not None:
            fields["t_source"] = microseconds(envelope.claimed_at)
        if parent is not None:
            fields["parent_leaf"] = parent
        attachments = attachment_texts(body)
        texts = tuple(map(attachment_plaintext, attachments)) if attachments else ()
        commits = self._seal(draft, seq, fields, encode_header(envelope), encode_body(body), texts)
        if attachments:
            scans = draft.scans or {}
            fields["attachments"] = [
                {
                    "commit": digest.hex(),
                    "size": attachment.size,
                    "mime": attachment.media_type,
                    "av": scans.get(attachment.sha256, "unscanned"),
                }
                for attachment, digest in zip(attachments, commits, strict=True)
            ]
        return canonical(fields)

    def _seal(
        self, draft: RecordDraft, seq: int, fields: dict[str, Any], header: bytes, body: bytes, texts: tuple[bytes, ...]
    ) -> tuple[bytes, ...]:
        kek = self._body_keks.get(draft.retention_class)
        if kek is None:
            kek = self._body_keks[draft.retention_class] = self._kek((BODY, draft.retention_class, self._period))
        sealed = self._appender.sealer.seal(kek, seq, draft.msg_id, header=header, body=body, attachments=texts)
        fields["retention_class"] = draft.retention_class
        fields["body_commit"] = sealed.body_commit.hex()
        if sealed.header_commit is not None:
            fields["header_commit"] = sealed.header_commit.hex()
        self._bodies += (seq, sealed.ciphertext)
        self._data_keys += (seq, sealed.kek_id, sealed.wrapped)
        self.weight += len(sealed.ciphertext)
        return sealed.attachment_commits

    def recorded(self, staged: Staged) -> tuple[Recorded, ...]:
        """Returns the licences for the records of one entry.

        Raises:
            RuntimeError: the batch is not durable.
        """
        if not self.durable:
            raise RuntimeError("nothing is recorded before its batch is durable")
        return tuple(
            Recorded(_LICENCE, seq, digest, draft.event, draft.msg_id, draft.envelope) for seq, digest, draft in staged
        )
