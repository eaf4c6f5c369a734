"""The durable store of the message path: group commit with window 0.

A batch is whatever arrived while the last one was committed. Its rows are made in the reactor's thread; one writer
thread runs the transaction, and calls back once for each batch. Nothing is acknowledged, and no licence to deliver
exists, before the transaction is on disk.
"""

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import structlog
from attrs import frozen

from bridge.compliance.errors import CodecError, SealError
from bridge.compliance.log import Restorer, row_mac
from bridge.compliance.record import RecordDraft, Recorded
from bridge.compliance.rows import OutboxRow, SealedRow, StoreDamagedError
from bridge.delivery.ports import CommitFailed, Entry, OutboxItem, SeenKey
from bridge.model.ids import EventId, IdempotencyKey, NetworkId
from bridge.store.earlier import ended_in_order, read_seen
from bridge.store.errors import StoreError
from bridge.store.reader import SqliteLogReader
from bridge.store.writer import LogWriter, Operation, Result, Staging, Submitted, Work

T = TypeVar("T")
MAX_WAITING = 20_000
MAX_BATCH = 256
_log = structlog.get_logger(__name__)


@frozen(kw_only=True)
class Damage:
    """A row of the outbox that must not be delivered: its key and what is wrong. ``verify`` names it too."""

    key: str
    reason: str


@frozen(kw_only=True)
class JournalStats:
    """Numbers for metrics: since the start, but for ``waiting``, which is now."""

    batches: int
    entries: int
    failed: int
    largest_batch: int
    waiting: int
    last_commit_seconds: float


class GroupCommitJournal:
    """The journal of a running daemon (``bridge.delivery.ports.Journal``).

    Args:
        writer: appends to the log; from ``start`` to ``close`` it belongs to the journal.
        call_from_thread: runs a function in the reactor's thread, in the order of the calls
            (``reactor.callFromThread``).
        max_waiting: entries beyond this many that are not answered yet fail at once.
        max_batch: the most entries in one transaction.
        timer: seconds, monotonic, for the length of commits.
    """

    def __init__(
        self,
        writer: LogWriter,
        call_from_thread: Callable[[Callable[[], None]], object],
        *,
        max_waiting: int = MAX_WAITING,
        max_batch: int = MAX_BATCH,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self._writer = writer
        self._call_from_thread = call_from_thread
        self._max_waiting = max_waiting
        self._max_batch = max_batch
        self._timer = timer
        self._queue: deque[Work] = deque()
        self._waiting = 0
        self._jobs: queue.SimpleQueue[tuple[list[Work], Staging | None] | None] = queue.SimpleQueue()
        self._called = False
        self._writing = False
        self._closing = False
        self._thread: threading.Thread | None = None
        self._batches = self._entries = self._failed = self._largest = 0
        self._last_seconds = 0.0
        self.damaged: tuple[Damage, ...] = ()

    @property
    def log_id(self) -> str:
        """The name of the log."""
        return self._writer.log_id

    def start(self) -> None:
        """Starts the writer thread."""
        if self._thread is not None:
            raise StoreError("the journal was started before")
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()
        self._turn()

    def commit(self, entry: Entry, done: Callable[[tuple[Recorded, ...] | CommitFailed], None]) -> None:
        """Makes an entry durable; see ``bridge.delivery.ports.Journal.commit``. Call it in the reactor's thread."""
        self._put(Work(entry, None, None, done))

    def submit(
        self,
        operation: Operation[T],
        done: Callable[[Submitted[T] | CommitFailed], None],
        *,
        records: Callable[[T], Sequence[RecordDraft]] | None = None,
    ) -> None:
        """Runs a small write in the same transactions, in order with the entries.

        Args:
            operation: gets an SQLAlchemy connection within a transaction that it must not end. It runs in the
                writer's thread, and runs again where a batch had to be divided: it keeps nothing outside the database.
            done: gets what the operation returned, or ``OperationFailed`` with what it raised, in the reactor's thread.
            records: makes the records that go with it, from its result: all or nothing.
        """
        self._put(Work(None, operation, records, done))

    def _put(self, work: Work) -> None:
        if self._closing or self._waiting >= self._max_waiting:
            reason = "closed: the store is shutting down" if self._closing else "overloaded: too many entries wait"
            # Not here and now: a caller may not be ready for its answer before this call returns.
            self._failed += 1
            self._call_from_thread(lambda: self._answer([work], [CommitFailed(reason=reason)], counted=False))
            return
        self._waiting += 1
        self._queue.append(work)
        if not self._writing and not self._called:
            # Not at once: what else has arrived by now goes with it.
            self._called = True
            self._call_from_thread(self._turn)

    def _turn(self) -> None:
        """Hands the next batch to the writer, if it has nothing to do."""
        self._called = False
        if self._queue and not self._writing and self._thread is not None:
            works = self._next_batch()
            self._writing = True
            self._jobs.put((works, self._writer.prepare(works)))

    def _next_batch(self) -> list[Work]:
        waiting = self._queue
        return [waiting.popleft() for _ in range(min(len(waiting), self._max_batch))]

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            self._commit_batch(*job)

    def _commit_batch(self, works: list[Work], prepared: Staging | None) -> None:
        started = self._timer()
        try:
            results = self._writer.write(works, prepared)
        except Exception as error:  # noqa: BLE001 - logged with its trace, and the batch fails
            # Nothing but a defect of ours gets here; the batch is not durable and nobody may believe that it is.
            _log.exception("journal-defect")
            self._writer.close()
            results = [CommitFailed(reason=f"{type(error).__name__}: {error}")] * len(works)
        self._last_seconds = self._timer() - started
        self._batches += 1
        self._entries += len(works)
        self._largest = max(self._largest, len(works))
        self._call_from_thread(lambda: self._written(works, results))

    def _written(self, works: Sequence[Work], results: Sequence[Result]) -> None:
        self._writing = False
        self._turn()  # first of all: the disk works while the answers are given
        self._answer(works, results, counted=True)

    def _answer(self, works: Sequence[Work], results: Sequence[Result], *, counted: bool) -> None:
        if counted:
            self._waiting -= len(works)
        for work, result in zip(works, results, strict=True):
            if counted and isinstance(result, CommitFailed):
                self._failed += 1
            try:
                work.done(result)
            except Exception:  # noqa: BLE001 - logged with its trace
                # One continuation's defect must not keep the others of its batch from their answers.
                _log.exception("journal-callback-failed")

    def close(self, *, drain: bool = True) -> None:
        """Ends the journal: what waits is written first, or fails if ``drain`` is false. Blocks until it is done.

        The last answers are handed to ``call_from_thread`` as all others are.
        """
        self._closing = True
        if not drain:
            dropped = list(self._queue)
            self._queue.clear()
            failed: list[Result] = [CommitFailed(reason="closed: the store is shutting down")] * len(dropped)
            self._call_from_thread(lambda: self._answer(dropped, failed, counted=True))
        if self._thread is not None:
            while self._queue:
                self._jobs.put((self._next_batch(), None))
            self._jobs.put(None)
            self._thread.join()
            self._thread = None
        self._writer.close()

    def stats(self) -> JournalStats:
        """Returns numbers for metrics."""
        return JournalStats(
            batches=self._batches,
            entries=self._entries,
            failed=self._failed,
            largest_batch=self._largest,
            waiting=self._waiting,
            last_commit_seconds=self._last_seconds,
        )

    def pending(self) -> Sequence[tuple[OutboxItem, Recorded]]:
        """Reads what was not settled before the process ended, oldest first, with the envelope unsealed again.

        A row that was changed, or whose message is not what the log says, is left out: it is in ``damaged``, and in
        the log of the service as an error.

        Raises:
            StoreDamagedError: the outbox cannot be read.
        """
        with self._writer.reader() as reader:
            pending, damaged = read_pending(reader, self._writer.restorer(reader))
        self.damaged = damaged
        for damage in damaged:
            _log.error("outbox-row-damaged", key=damage.key, reason=damage.reason)
        return pending

    @contextmanager
    def reading(self) -> Iterator[tuple[SqliteLogReader, Restorer]]:
        """Opens the log as it is committed now, with what makes licences of it again. In any thread.

        Raises:
            StoreConfigError, StoreDamagedError: it cannot be read.
        """
        with self._writer.reader() as reader:
            yield reader, self._writer.restorer(reader)

    def seen(self, since: dict[NetworkId, float], most: int) -> Sequence[SeenKey]:
        """Reads what duplicates are known by; see ``bridge.delivery.ports.Journal.seen``.

        Raises:
            StoreDamagedError: the log cannot be read.
        """
        with self.reading() as (reader, restorer):
            return read_seen(reader, restorer, since, most)

    def ended_in_order(self) -> bool:
        """Whether the process before this one said at its end that no delivery was in doubt.

        Raises:
            StoreDamagedError: the log cannot be read.
        """
        with self._writer.reader() as reader:
            return ended_in_order(reader)


def read_pending(
    reader: SqliteLogReader, restorer: Restorer
) -> tuple[list[tuple[OutboxItem, Recorded]], tuple[Damage, ...]]:
    """Returns the deliveries that are not settled, each with its licence, and the rows that may not be trusted.

    What is held for a reviewer is not among them; see ``bridge.store.holds``.
    """
    pending: list[tuple[OutboxItem, Recorded]] = []
    damaged: list[Damage] = []
    known: dict[int, Recorded] = {}  # one message to many recipients is opened once
    for row in reader.outbox():
        try:
            check_row(restorer, row)
            if row.held:
                continue
            recorded = known.get(row.seq) or restore(reader, restorer, row)
        except (CodecError, SealError, StoreDamagedError) as error:
            damaged.append(Damage(key=row.key, reason=str(error)))
            continue
        known = {row.seq: recorded}
        pending.append((item_of(row), recorded))
    return pending, tuple(damaged)


def check_row(restorer: Restorer, row: OutboxRow) -> None:
    """Raises CodecError where a row of the outbox is not what was written, SealError where that cannot be told."""
    if row_mac(restorer.row_key, row.columns) != row.mac:
        raise CodecError("the row was changed: its digest does not fit")


def restore(reader: SqliteLogReader, restorer: Restorer, row: OutboxRow) -> Recorded:
    """Returns the licence again for the message in a row that was checked.

    Raises:
        CodecError: the log does not hold this message there.
        SealError: it does not open.
        StoreDamagedError: it cannot be read.
    """
    leaf = next(reader.leaves(row.seq, row.seq + 1), None)
    if leaf is None:
        raise CodecError(f"leaf {row.seq} is missing")
    sealed: SealedRow | None = next(reader.sealed(row.seq, row.seq + 1), None)
    recorded = restorer.restore(leaf, sealed)
    if recorded.msg_id != row.event or recorded.envelope is None:
        raise CodecError(f"leaf {row.seq} does not hold message {row.event}")
    return recorded


def item_of(row: OutboxRow) -> OutboxItem:
    """Returns the delivery in a row."""
    return OutboxItem(
        key=IdempotencyKey(row.key),
        event=EventId(row.event),
        lane=row.lane,
        network=NetworkId(row.network),
        account=row.account,
        recipient=row.recipient,
        expires_at=row.expires_at,
        held=bool(row.held),
    )


class DirectJournal:
    """A journal for a short command: every call is a transaction of its own, and returns when it is durable.

    Args:
        writer: appends to the log, also while a daemon does.
    """

    def __init__(self, writer: LogWriter) -> None:
        self._writer = writer

    def commit(self, entry: Entry) -> tuple[Recorded, ...]:
        """Makes an entry durable. Raises StoreError."""
        result = self._one(Work(entry, None, None, lambda _: None))
        assert isinstance(result, tuple)
        return result

    def submit(
        self, operation: Operation[T], *, records: Callable[[T], Sequence[RecordDraft]] | None = None
    ) -> Submitted[T]:
        """Runs an operation with the records that it makes; raises what it raises, or StoreError."""
        result = self._one(Work(None, operation, records, lambda _: None))
        assert isinstance(result, Submitted)
        return result

    def _one(self, work: Work) -> Result:
        result = self._writer.write([work])[0]
        error = getattr(result, "error", None)
        if isinstance(error, Exception):
            raise error
        if isinstance(result, CommitFailed):
            raise StoreError(result.reason)
        return result

    def close(self) -> None:
        """Closes the database."""
        self._writer.close()
