"""Verification of a whole log: every row, file and key against every other. What does not fit is found and named.

With the master keys also the sealed bodies, the wrapped keys and the digests of queue rows are opened and checked;
without them (an auditor's copy) the tree, the checkpoints, the files and the leaves are.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from attrs import field, frozen

from bridge.compliance.checkpoint import Checkpoint, VerifierKey, open_checkpoint
from bridge.compliance.errors import (
    CodecError,
    KeyDestroyedError,
    NoteError,
    ProofError,
    SealError,
    UnrecordableError,
)
from bridge.compliance.files import LogFiles
from bridge.compliance.keys import Keyring
from bridge.compliance.log import row_mac
from bridge.compliance.merkle import EMPTY_ROOT, Frontier
from bridge.compliance.opening import Opener, read_leaf
from bridge.compliance.record import DISPOSE, ERASE, INTAKES
from bridge.compliance.rows import LeafRow, LogReader, OutboxRow, SealedRow, StateRow, StoreDamagedError
from bridge.compliance.sealing import ROW
from bridge.compliance.verify_files import FileChecks

MAX_FINDINGS = 1000


@frozen
class Finding:
    """Something that does not fit.

    ``where`` is a table, or a file's name below the log's folder; ``seq`` the leaf, if it is about one; ``what`` says
    what is wrong, starting with the column or field where there is one.
    """

    where: str
    what: str
    seq: int | None = None

    def __str__(self) -> str:
        at = "" if self.seq is None else f" (leaf {self.seq})"
        return f"{self.where}{at}: {self.what}"


@frozen(kw_only=True)
class Report:
    """What a verification looked at, and what it found."""

    log_id: str
    size: int
    root: bytes
    findings: tuple[Finding, ...]
    opened: int = 0
    """Sealed records that were opened and held against their commitments."""
    unopened: int = 0
    """Sealed records that were not opened, for want of the keys."""
    destroyed: int = 0
    """Records whose content or key was destroyed on purpose; a leaf says so for each."""
    checkpoints: int = 0
    files: int = 0

    @property
    def ok(self) -> bool:
        """Whether nothing was found."""
        return not self.findings


@frozen
class Kept:
    """A checkpoint that was kept elsewhere: its name, for findings, and the signed note."""

    name: str
    note: str


@frozen
class _Destroyed:
    """What `dispose` and `erase` leaves say is gone: ranges of leaves, and keys."""

    ranges: list[tuple[int, int]] = field(factory=list)
    keks: set[int] = field(factory=set)
    by: set[int] = field(factory=set)

    def covers(self, seq: int) -> bool:
        return any(first <= seq <= last for first, last in self.ranges)

    def learn(self, fields: dict[str, Any]) -> None:
        if fields["event"] not in {DISPOSE, ERASE}:
            return
        self.by.add(fields["seq"])
        for pair in fields.get("leaves", []):
            if isinstance(pair, list) and len(pair) == 2 and all(isinstance(end, int) for end in pair):
                self.ranges.append((pair[0], pair[1]))
        self.keks.update(kek for kek in fields.get("keks", []) if isinstance(kek, int))


class _Verification:
    """One run over a log."""

    def __init__(
        self, reader: LogReader, files: LogFiles | None, keys: Sequence[VerifierKey], keyring: Keyring | None
    ) -> None:
        self.reader = reader
        self.keys = keys
        self.keyring = keyring
        self.files = files
        self.findings: list[Finding] = []
        self.tree = Frontier()
        self.roots: dict[int, bytes] = {0: EMPTY_ROOT}
        self.opened = self.unopened = self.destroyed_count = self.checkpoint_count = self.file_count = 0
        self._destroyed = _Destroyed()
        self._gone: list[tuple[str, int, str]] = []
        self._opener: Opener | None = None

    def find(self, where: str, what: str, seq: int | None = None) -> None:
        if len(self.findings) < MAX_FINDINGS:
            # A damaged text is quoted as it is, and may not be Unicode any more: a finding always is.
            self.findings.append(Finding(where, what.encode("utf-8", "backslashreplace").decode(), seq))

    def damaged(self, error: StoreDamagedError) -> None:
        self.find(error.table, error.detail, error.seq)

    def run(self, kept: Sequence[Kept]) -> StateRow:
        # First what is published, then what is committed: of a log that is being written the rows are the newer.
        file_checks = None if self.files is None else FileChecks(self.files, self.find)
        try:
            self.reader.refresh()
        except StoreDamagedError as error:
            self.damaged(error)
        for damage in self.reader.damage():
            self.damaged(damage)
        state = self._state()
        checkpoints = self._checkpoints(kept)
        self._keys()
        self._leaves(state, {checkpoint.size for _, checkpoint in checkpoints}, file_checks)
        self._compare_state(state)
        self._compare_checkpoints(checkpoints)
        self._settle_destroyed()
        self._queues()
        if file_checks is not None:
            self._published(file_checks)
        return state

    def _state(self) -> StateRow:
        try:
            return self.reader.state()
        except StoreDamagedError as error:
            self.damaged(error)
            return StateRow("", -1, b"")

    def _checkpoints(self, kept: Sequence[Kept]) -> list[tuple[str, Checkpoint]]:
        """Returns all checkpoints whose signature holds, with where they are from."""
        out: list[tuple[str, Checkpoint]] = []
        try:
            for row in self.reader.checkpoints():
                try:
                    checkpoint = open_checkpoint(row.note, self.keys)
                except NoteError as error:
                    self.find("checkpoint", f"note of size {row.size}: {error}")
                    continue
                if checkpoint.size != row.size or row.note.count("\n") != 5:
                    self.find("checkpoint", f"size: {row.size} where the note says {checkpoint.size}")
                    continue
                out.append(("checkpoint", checkpoint))
        except StoreDamagedError as error:
            self.damaged(error)
        self.checkpoint_count = len(out)
        for copy in kept:
            try:
                out.append((copy.name, open_checkpoint(copy.note, self.keys)))
            except NoteError as error:
                self.find(copy.name, str(error))
        return out

    def _keys(self) -> None:
        try:
            rows = self.reader.keks()
        except StoreDamagedError as error:
            self.damaged(error)
            rows = []
        if self.keyring is None:
            return
        try:
            log_id = self.reader.state().log_id
        except StoreDamagedError:
            return  # found before
        self._opener = Opener(log_id, self.keyring, rows)
        for row in rows:
            if row.wrapped is None:
                self._gone.append(
                    ("kek", row.id, f"wrapped: destroyed by leaf {row.destroyed_by}, which is no disposal")
                )
                continue
            if row.destroyed_by is not None:
                self.find(
                    "kek", f"destroyed_by: key {row.id} is there, and leaf {row.destroyed_by} is said to have ended it"
                )
            try:
                self._opener.secret(*row.slot)
            except SealError as error:
                self.find("kek", f"wrapped: {error}")

    def _leaves(self, state: StateRow, sizes: set[int], files: FileChecks | None) -> None:
        sealed = self._sealed_rows()
        current = next(sealed, None)
        try:
            for row in self.reader.leaves():
                if row.seq != self.tree.size:
                    self.find("leaf", f"seq: {row.seq} follows {self.tree.size - 1}: leaves are missing", row.seq)
                    break
                while current is not None and current.seq < row.seq:
                    current = next(sealed, None)
                mine = current if current is not None and current.seq == row.seq else None
                self._leaf(row, mine, state.log_id)
                self.tree.append(row.hash)
                if self.tree.size in sizes:
                    self.roots[self.tree.size] = self.tree.root()
                if files is not None:
                    files.leaf(row)
        except StoreDamagedError as error:
            self.damaged(error)
        except ProofError as error:
            self.find("leaf", f"hash: {error}", self.tree.size)
        for left in (current, *sealed):
            if left is not None and left.seq >= self.tree.size:
                self.find("body", "seq: there is no such leaf", left.seq)

    def _sealed_rows(self) -> Iterator[SealedRow]:
        try:
            yield from self.reader.sealed()
        except StoreDamagedError as error:
            self.damaged(error)

    def _leaf(self, row: LeafRow, sealed: SealedRow | None, log_id: str) -> None:
        if row.content is None:
            self._gone.append(("leaf", row.seq, "content: is missing, and no leaf says that it was disposed of"))
            if sealed is not None:
                self.find("body", "is still there, and its leaf was disposed of", row.seq)
            return
        try:
            fields = read_leaf(row, log_id)
            self._destroyed.learn(fields)
            if fields.get("parent_leaf", -1) >= row.seq:
                raise CodecError("parent_leaf: does not come before")
            if self._opener is not None:
                self._open(row, sealed, fields)
            elif "body_commit" in fields:
                self._present(row, sealed)
            elif sealed is not None:
                raise CodecError("body: there is one, and the leaf has no commitment to it")
        except (CodecError, SealError) as error:
            self.find("body" if isinstance(error, SealError) else "leaf", str(error), row.seq)

    def _open(self, row: LeafRow, sealed: SealedRow | None, fields: dict[str, Any]) -> None:
        assert self._opener is not None
        try:
            self._opener.open(row, sealed)
        except KeyDestroyedError as error:
            self._gone.append(("data_key", row.seq, str(error)))
            return
        if "body_commit" in fields:
            self.opened += 1

    def _present(self, row: LeafRow, sealed: SealedRow | None) -> None:
        if sealed is None or sealed.ciphertext is None or sealed.wrapped is None:
            self._gone.append(("body", row.seq, "the sealed part, or its key, is missing, and no leaf says why"))
        else:
            self.unopened += 1

    def _compare_state(self, state: StateRow) -> None:
        if state.size not in {self.tree.size, -1}:
            self.find("log_state", f"size: {state.size} where there are {self.tree.size} leaves")
        elif state.size >= 0 and state.frontier != self.tree.to_bytes():
            self.find("log_state", f"frontier: is not that of the {self.tree.size} leaves")
        if state.log_id and state.log_id not in {key.name for key in self.keys} and self.keys:
            self.find("log_state", f"log_id: {state.log_id!r} is not the log of the verifier key")

    def _compare_checkpoints(self, checkpoints: Iterable[tuple[str, Checkpoint]]) -> None:
        for where, checkpoint in checkpoints:
            if checkpoint.size > self.tree.size:
                self.find(
                    where,
                    f"checkpoint of {checkpoint.size} leaves, and the log has {self.tree.size}: its tail was cut off",
                )
            elif self.roots[checkpoint.size] != checkpoint.root:
                self.find(where, f"the root of the first {checkpoint.size} leaves is not the one that was signed")

    def _settle_destroyed(self) -> None:
        """What is gone must have been disposed of by a leaf, which may come long after."""
        for where, number, what in self._gone:
            covered = number in self._destroyed.keks if where == "kek" else self._destroyed.covers(number)
            if covered:
                self.destroyed_count += 1
            else:
                self.find(where, what, None if where == "kek" else number)

    def _queues(self) -> None:
        key: bytes | None = None
        if self._opener is not None:
            try:
                key = self._opener.secret(ROW)
            except SealError:
                key = None  # without rows there may be no such key yet; with rows their digests say so
        try:
            for row in self.reader.outbox():
                if self._opener is not None and (key is None or not _mac_fits(key, row.columns, row.mac)):
                    self.find("outbox", f"row {row.key}: was changed: its digest does not fit", row.seq)
                else:
                    self._outbox_leaf(row)
        except StoreDamagedError as error:
            self.damaged(error)

    def _outbox_leaf(self, row: OutboxRow) -> None:
        leaf = next(self.reader.leaves(row.seq, row.seq + 1), None)
        if leaf is None or leaf.msg_id != row.event or leaf.event not in INTAKES:
            self.find("outbox", f"row {row.key}: leaf {row.seq} does not hold message {row.event}", row.seq)

    def _published(self, checks: FileChecks) -> None:
        checks.finish(self.tree)
        self.file_count = checks.count
        checks.checkpoint(self.keys, self.reader, self.tree)


def _mac_fits(key: bytes, columns: tuple[object, ...], mac: bytes) -> bool:
    try:
        return row_mac(key, columns) == mac
    except UnrecordableError:  # not Unicode: nothing that we ever wrote
        return False


def verify_log(
    reader: LogReader,
    *,
    files: LogFiles | None,
    keys: Sequence[VerifierKey],
    keyring: Keyring | None = None,
    kept: Sequence[Kept] = (),
) -> Report:
    """Verifies a log from end to end.

    Args:
        reader: reads it; a log that is being written is verified as of this call.
        files: its published files; None where there are none to look at.
        keys: the public keys that its checkpoints may be signed with.
        keyring: the master keys; without them sealed parts are not opened.
        kept: checkpoints that were kept elsewhere: they show a tail that was cut off, or a history written anew.

    Returns:
        the report; findings are at most ``MAX_FINDINGS``.
    """
    run = _Verification(reader, files, keys, keyring)
    state = run.run(kept)
    return Report(
        log_id=state.log_id,
        size=run.tree.size,
        root=run.tree.root(),
        findings=tuple(run.findings),
        opened=run.opened,
        unopened=run.unopened,
        destroyed=run.destroyed_count,
        checkpoints=run.checkpoint_count,
        files=run.file_count,
    )
