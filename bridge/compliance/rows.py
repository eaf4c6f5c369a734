"""The rows of the log as a store keeps them, and the port through which the log is read.

``bridge.store`` implements ``LogReader``; an export can be read through one too.
"""

from collections.abc import Iterator
from typing import NamedTuple, Protocol

from bridge.compliance.errors import ComplianceError
from bridge.compliance.merkle import HASH_BYTES
from bridge.compliance.sealing import KekRow


class StoreDamagedError(ComplianceError):
    """A table cannot be read: which, where, and what the database says."""

    def __init__(self, table: str, detail: str, seq: int | None = None) -> None:
        super().__init__(f"{table}: {detail}")
        self.table = table
        self.detail = detail
        self.seq = seq


class LeafRow(NamedTuple):
    """A leaf. ``content`` is None once it was disposed of."""

    seq: int
    event: str
    msg_id: str | None
    t_intake: int
    hash: bytes
    content: bytes | None


class SealedRow(NamedTuple):
    """What is sealed of a record. A part that is missing is None."""

    seq: int
    ciphertext: bytes | None
    kek_id: int | None
    wrapped: bytes | None


class StateRow(NamedTuple):
    """The log as of its last commit."""

    log_id: str
    size: int
    frontier: bytes


class CheckpointRow(NamedTuple):
    """A signed checkpoint."""

    size: int
    note: str


class OutboxRow(NamedTuple):
    """A delivery that is not settled, with its keyed digest."""

    seq: int
    key: str
    event: str
    lane: str
    network: str
    account: str
    recipient: str
    expires_at: float
    held: int
    mac: bytes

    @property
    def columns(self) -> tuple[object, ...]:
        """What the digest is over."""
        return tuple(self[:-1])


class Run(NamedTuple):
    """Leaves that follow each other, as they are published: their hashes, and an entry bundle of their contents.

    ``ends`` says where each of them ends in ``bundle``, so that a part of it can be taken; one that was disposed of is
    an empty entry.
    """

    first: int
    hashes: bytes
    bundle: bytes
    ends: list[int]

    def part(self, start: int, stop: int) -> "Run":
        """Returns the leaves from ``start`` up to and without ``stop``, counted from the first of this run."""
        if start == 0 and stop == len(self.ends):
            return self
        low = self.ends[start - 1] if start else 0
        ends = [end - low for end in self.ends[start:stop]]
        hashes = self.hashes[start * HASH_BYTES : stop * HASH_BYTES]
        return Run(self.first + start, hashes, self.bundle[low : low + (ends[-1] if ends else 0)], ends)


class LogReader(Protocol):
    """Reads one consistent state of a log. Every method may raise ``StoreDamagedError``, also while iterating."""

    def refresh(self) -> None:
        """Goes on with what is committed now."""

    def state(self) -> StateRow:
        """Returns the state of the log."""

    def leaves(self, start: int = 0, end: int | None = None) -> Iterator[LeafRow]:
        """Yields leaves in order of seq."""

    def runs(self, start: int, end: int) -> Iterator[Run]:
        """Yields all that is published of leaves, in order of seq: as many at a time as are stored together."""

    def sealed(self, start: int = 0, end: int | None = None) -> Iterator[SealedRow]:
        """Yields what is sealed, in order of seq; a row for each seq that has a ciphertext or a wrapped key."""

    def find(self, msg_id: str) -> list[LeafRow]:
        """Returns the leaves about a message, in order of seq."""

    def keks(self) -> list[KekRow]:
        """Returns the key-encryption keys, by id."""

    def checkpoints(self) -> Iterator[CheckpointRow]:
        """Yields the signed checkpoints, by size."""

    def outbox(self) -> Iterator[OutboxRow]:
        """Yields deliveries that are not settled, oldest first."""

    def damage(self) -> Iterator[StoreDamagedError]:
        """Yields what the store itself finds broken: pages, indexes, schema."""
