"""Reads records back: one message, one person, a span of time; and proofs of inclusion for others to check."""

from collections.abc import Iterator
from typing import Any

from attrs import evolve, frozen

from bridge.compliance.checkpoint import Checkpoint, Proof, VerifierKey, open_checkpoint
from bridge.compliance.errors import CodecError, KeyDestroyedError, ProofError, SealError
from bridge.compliance.files import LogFiles, TileReader
from bridge.compliance.leaf import microseconds, parse
from bridge.compliance.merkle import inclusion_proof, verify_inclusion
from bridge.compliance.opening import Opener, OpenRecord
from bridge.compliance.publisher import open_published
from bridge.compliance.rows import LeafRow, LogReader, SealedRow


@frozen(kw_only=True)
class Span:
    """What to read. ``None`` does not restrict; times are seconds since the epoch, ``until`` is not in it."""

    person: str | None = None
    since: float | None = None
    until: float | None = None


@frozen(kw_only=True)
class Found:
    """A record that was read: opened as far as it can be. ``problem`` says why not further, empty if all is well."""

    row: LeafRow
    sealed: SealedRow | None
    record: OpenRecord
    problem: str = ""


def read_records(reader: LogReader, opener: Opener, span: Span | None = None) -> Iterator[Found]:
    """Yields records in order of seq: all that a span asks for.

    A person's records are those in which one of their pseudonyms is, and every record about the same messages.

    Raises:
        StoreDamagedError: the log cannot be read on.
        SealError: a period's pseudonym key does not open.
    """
    wanted = span or Span()
    since = None if wanted.since is None else microseconds(wanted.since)
    until = None if wanted.until is None else microseconds(wanted.until)
    pids = _pids(opener, wanted.person)
    messages: set[str] = set()
    sealed = reader.sealed()
    current = next(sealed, None)
    for row in reader.leaves():
        while current is not None and current.seq < row.seq:
            current = next(sealed, None)
        if pids is not None and not _about(row, pids, messages):
            continue
        if (since is not None and row.t_intake < since) or (until is not None and row.t_intake >= until):
            continue
        yield _open(opener, row, current if current is not None and current.seq == row.seq else None)


def _pids(opener: Opener, person: str | None) -> frozenset[str] | None:
    if person is None:
        return None
    return frozenset(opener.pseudonyms(period).of_person(person) for period in opener.periods())


def _about(row: LeafRow, pids: frozenset[str], messages: set[str]) -> bool:
    if row.msg_id is not None and row.msg_id in messages:
        return True
    if row.content is None:
        return False
    fields = parse(row.content)
    outcomes = [outcome.get("pid") for outcome in fields.get("outcome", [])]
    if pids.isdisjoint([fields.get("sender_pid"), *fields.get("recipient_pids", []), *outcomes]):
        return False
    if row.msg_id is not None:
        messages.add(row.msg_id)
    return True


def _open(opener: Opener, row: LeafRow, sealed: SealedRow | None) -> Found:
    try:
        return Found(row=row, sealed=sealed, record=opener.open(row, sealed))
    except KeyDestroyedError as error:
        problem = f"gone: {error}"
    except (CodecError, SealError) as error:
        problem = f"damaged: {error}"
    try:
        fields: dict[str, Any] = {} if row.content is None else parse(row.content)
    except CodecError:
        fields = {}
    return Found(row=row, sealed=sealed, record=OpenRecord(seq=row.seq, hash=row.hash, fields=fields), problem=problem)


class Prover:
    """Makes proofs of inclusion under the published checkpoint.

    Args:
        files: the log's files.
        keys: the log's public keys.

    Raises:
        NoteError: nothing was published, or the checkpoint's signature does not hold.
        LogFilesError: the checkpoint cannot be read.
    """

    def __init__(self, files: LogFiles, keys: list[VerifierKey]) -> None:
        self.note = open_published(files)
        self.checkpoint: Checkpoint = open_checkpoint(self.note, keys)
        self._tiles = TileReader(files, self.checkpoint.size)

    def path(self, row: LeafRow) -> tuple[bytes, ...]:
        """Returns the audit path of a leaf, checked.

        Raises:
            ProofError: the leaf is newer than the checkpoint, or tiles do not lead to its root.
        """
        if row.seq >= self.checkpoint.size:
            raise ProofError(f"leaf {row.seq} is newer than the published checkpoint of {self.checkpoint.size} leaves")
        path = tuple(inclusion_proof(row.seq, self.checkpoint.size, self._tiles))
        verify_inclusion(row.hash, row.seq, self.checkpoint.size, path, self.checkpoint.root)
        return path

    def prove(self, row: LeafRow) -> Proof:
        """Returns a proof (tlog-proof). Its extra data is the leaf, unless it was disposed of. Raises ProofError."""
        proof = Proof(row.seq, self.path(row), self.note)
        return proof if row.content is None else evolve(proof, extra=row.content)


def prove_message(
    reader: LogReader, files: LogFiles, keys: list[VerifierKey], msg_id: str
) -> list[tuple[LeafRow, Proof]]:
    """Returns a proof for each leaf about a message.

    Raises:
        ProofError: there is no such message, a leaf is not published yet, or the files are damaged.
        NoteError: the published checkpoint is missing or not ours.
    """
    rows = reader.find(msg_id)
    if not rows:
        raise ProofError(f"there is no record of message {msg_id}")
    prover = Prover(files, keys)
    return [(row, prover.prove(row)) for row in rows]
