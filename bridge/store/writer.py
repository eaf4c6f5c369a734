"""Writes batches to the log, one transaction each. Synchronous: its owner calls it from one thread at a time.

The daemon's writer sits behind ``GroupCommitJournal``; the command line uses one directly (``DirectJournal``). Several
processes may write to one log in turn: SQLite's write lock orders them, and each reads the state anew when another was
there in between.
"""

import os
import secrets
import sqlite3
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar

import orjson
import sqlalchemy
import structlog
from attrs import frozen

from bridge.compliance.errors import ComplianceError, UnrecordableError
from bridge.compliance.keys import Keyring
from bridge.compliance.log import Appender, Batch, LogState, Restorer, Segment, Staged
from bridge.compliance.record import INTAKES, RecordDraft, Recorded
from bridge.compliance.sealing import KekRow
from bridge.compliance.tiles import encode_bundle
from bridge.delivery.ports import CommitFailed, Entry, OutboxItem
from bridge.store import segments, statements
from bridge.store.database import BUSY_SECONDS, connect, sqlalchemy_over
from bridge.store.errors import StoreError
from bridge.store.migrate import migrate
from bridge.store.reader import SqliteLogReader

T = TypeVar("T")
Operation = Callable[[sqlalchemy.Connection], T]
_log = structlog.get_logger(__name__)


@frozen(kw_only=True)
class Submitted(Generic[T]):
    """An operation that is durable: what it returned, and the licences of the records that went with it."""

    result: T
    recorded: tuple[Recorded, ...] = ()


@frozen(kw_only=True)
class OperationFailed(CommitFailed):
    """An operation raised: nothing of it was kept. ``error`` is what it raised."""

    error: Exception


_UNSEEN = -1
_PAST_THE_LOCK = "the state of the log is not what it was: another process has written past the lock"
Result = tuple[Recorded, ...] | Submitted[Any] | CommitFailed


class Work:
    """One atomic piece of a batch: an entry, or an operation with the records that its result makes."""

    __slots__ = ("done", "entry", "operation", "records")

    def __init__(
        self,
        entry: Entry | None,
        operation: Operation[Any] | None,
        records: Callable[[Any], Sequence[RecordDraft]] | None,
        done: Callable[[Any], None],
    ) -> None:
        self.entry = entry
        self.operation = operation
        self.records = records
        self.done = done


def _failure(error: Exception) -> CommitFailed:
    return CommitFailed(reason=f"{type(error).__name__}: {error}")


class LogWriter:
    """The one who appends.

    Args:
        path: the database file, created if need be.
        keyring: the master keys.
        log_name: what the log's id starts with when this call creates the log, such as ``corp.example/simplebridge``.
        clock: the time of day, seconds since the epoch.
        entropy: returns as many random bytes as asked.
        busy_seconds: how long another process's transaction is waited for.
        connector: opens the database; tests put a failing one here.

    Raises:
        StoreError: the database cannot be opened or is not ours.
    """

    def __init__(
        self,
        path: Path,
        keyring: Keyring,
        *,
        log_name: str,
        clock: Callable[[], float] = time.time,
        entropy: Callable[[int], bytes] = os.urandom,
        busy_seconds: float = BUSY_SECONDS,
        connector: Callable[..., sqlite3.Connection] = connect,
    ) -> None:
        self._path = path
        self._keyring = keyring
        self._clock = clock
        self._busy_seconds = busy_seconds
        self._connector = connector
        self._connection: sqlite3.Connection | None = None
        self._core: sqlalchemy.Connection | None = None
        self._data_version = _UNSEEN
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = self._open()
        try:
            migrate(connection)
            self.log_id = _create_log(connection, log_name)
        except sqlite3.Error as error:
            raise StoreError(f"{path}: {error}") from error
        self.appender = Appender(self.log_id, keyring, entropy)

    def _open(self) -> sqlite3.Connection:
        connection = self._connection
        if connection is None:
            connection = self._connection = self._connector(self._path, busy_seconds=self._busy_seconds)
            self._core = sqlalchemy_over(connection)
            self._data_version = _UNSEEN
        return connection

    def reader(self) -> SqliteLogReader:
        """Returns a reader of what is committed now. Raises StoreConfigError or StoreDamagedError."""
        return SqliteLogReader(self._path)

    def restorer(self, reader: SqliteLogReader) -> Restorer:
        """Returns what makes licences again for the records that ``reader`` reads."""
        return Restorer(self.log_id, self._keyring, reader.keks())

    def close(self) -> None:
        """Closes the database; the next batch opens it again."""
        connection, self._connection = self._connection, None
        core, self._core = self._core, None
        if core is not None:
            core.close()
        if connection is not None:
            connection.close()

    def prepare(self, batch: Sequence[Work]) -> "Staging | None":
        """Makes the rows of a batch without the database, on top of what was last seen of it.

        So that hashing and sealing need not be done in the thread that writes, where each statement would have to wait
        for the interpreter's lock. None where rows cannot be made so: ``write`` makes them then. Not to be called while
        another batch is being written.
        """
        if self._data_version == _UNSEEN:
            return None
        staging = Staging(Script(), None, self.appender.begin(self._clock()))
        try:
            for work in batch:
                staging.take(work)
            staging.finish()
        except (_NeedsDatabaseError, ComplianceError, OverflowError, ValueError, TypeError):
            return None  # whatever it is, `write` meets it too, and says so
        return staging

    def write(self, batch: Sequence[Work], prepared: "Staging | None" = None) -> list[Result]:
        """Writes a batch; returns a result for each piece, in order. What failed has left no trace.

        ``prepared`` is what ``prepare`` made of this batch; it is left aside if another process has written since.
        """
        try:
            return self._transaction(batch, prepared)
        except (sqlite3.OperationalError, sqlite3.InternalError, StoreError, ComplianceError) as error:
            self._give_up(error)
            return [_failure(error)] * len(batch)
        except sqlite3.DatabaseError as error:
            if not isinstance(error, sqlite3.IntegrityError | sqlite3.DataError | sqlite3.ProgrammingError):
                self._give_up(error)  # the file itself is damaged
                return [_failure(error)] * len(batch)
            return self._divide(batch, error)
        except (sqlite3.InterfaceError, OverflowError, ValueError, TypeError) as error:
            return self._divide(batch, error)

    def _divide(self, batch: Sequence[Work], error: Exception) -> list[Result]:
        """Tries each half by itself, so that the one piece that cannot be written does not hurt the others."""
        if len(batch) == 1:
            return [CommitFailed(reason=f"invalid: {type(error).__name__}: {error}")]
        middle = len(batch) // 2
        return self.write(batch[:middle]) + self.write(batch[middle:])

    def _give_up(self, error: Exception) -> None:
        _log.error("record-store-failed", error=f"{type(error).__name__}: {error}", path=str(self._path))
        try:
            self.close()  # after an I/O error a fresh connection starts from what is really in the file
        except sqlite3.Error as failure:
            _log.error("record-store-close-failed", error=str(failure), path=str(self._path))

    def _transaction(self, works: Sequence[Work], prepared: "Staging | None") -> list[Result]:
        connection = self._open()
        connection.execute("BEGIN IMMEDIATE")
        try:
            if self._refresh(connection) or prepared is None:
                staging = Staging(connection, self._core, self.appender.begin(self._clock()))
                for work in works:
                    staging.take(work)
                staging.finish()
            else:
                staging = prepared
                staging.run(connection)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        self.appender.adopt(staging.batch)
        return staging.results()

    def _refresh(self, connection: sqlite3.Connection) -> bool:
        """Reads the state anew if another connection has written since: the command line may append beside us."""
        version = connection.execute("PRAGMA data_version").fetchone()[0]
        if version == self._data_version:
            return False
        row = connection.execute("SELECT log_id, size, frontier FROM log_state").fetchone()
        if row is None or row[0] != self.log_id:
            raise StoreError(f"{self._path}: the log in it is not {self.log_id!r} any more")
        self.appender.load(LogState(row[1], row[2], read_keks(connection)))
        self._data_version = version
        return True


def read_keks(connection: sqlite3.Connection) -> tuple[KekRow, ...]:
    """Returns the key-encryption keys."""
    columns = "id, purpose, retention_class, period, master_id, wrapped, destroyed_by"
    return tuple(KekRow(*row) for row in connection.execute(f"SELECT {columns} FROM kek ORDER BY id"))  # noqa: S608


def _create_log(connection: sqlite3.Connection, name: str) -> str:
    if not name or "+" in name or any(char.isspace() or not char.isprintable() for char in name):
        raise StoreError(f"not a name for a log: {name!r}")
    connection.execute("BEGIN IMMEDIATE")
    try:
        row = connection.execute("SELECT log_id FROM log_state").fetchone()
        log_id = f"{name}/{secrets.token_hex(4)}" if row is None else str(row[0])
        if row is None:
            connection.execute("INSERT INTO log_state (id, log_id, size, frontier) VALUES (1, ?, 0, x'')", (log_id,))
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return log_id


class _NeedsDatabaseError(Exception):
    """A batch cannot be prepared: something in it must be looked up, or is an operation."""


class Script:
    """Keeps statements instead of running them."""

    __slots__ = ("statements",)

    def __init__(self) -> None:
        self.statements: list[tuple[str, Sequence[Any]]] = []

    def execute(self, sql: str, values: Sequence[Any]) -> None:
        """Keeps a statement."""
        self.statements.append((sql, values))


class Staging:
    """A batch on its way into one transaction, in the order of its pieces.

    Args:
        connection: where its rows go, or a ``Script`` that keeps them.
        core: for operations; None where there are none.
        batch: the leaves.
    """

    def __init__(
        self, connection: sqlite3.Connection | Script, core: sqlalchemy.Connection | None, batch: Batch
    ) -> None:
        self._connection = connection
        self._core = core
        self.batch = batch
        self._outbox: list[Any] = []
        self._settle: list[tuple[int, str]] = []
        self._pieces: list[CommitFailed | Staged | tuple[Any, Staged]] = []
        self._keks_written = 0

    def take(self, work: Work) -> None:
        """Stages one piece; what is wrong with it alone becomes its result."""
        try:
            if work.entry is not None:
                self._pieces.append(self._entry(work.entry))
            else:
                self._pieces.append(self._operate(work))
        except UnrecordableError as error:
            self._pieces.append(CommitFailed(reason=f"invalid: {error}"))

    def _entry(self, entry: Entry) -> Staged:
        rows: list[Any] = []
        for item in entry.enqueue:
            rows += self._outbox_row(item, entry.records)
        staged = self.batch.add(entry.records)
        self._outbox += rows
        if self.batch.weight > segments.MOST_BYTES:
            self._flush()
        for settlement in entry.settle:
            self._settle.append((settlement.seq, settlement.key))
        return staged

    def _outbox_row(self, item: OutboxItem, records: Sequence[RecordDraft]) -> tuple[Any, ...]:
        seq = self._seq_of(item.event, records)
        columns = (
            seq,
            item.key,
            item.event,
            item.lane,
            item.network,
            item.account,
            item.recipient,
            float(item.expires_at),
            int(item.held),
        )
        return (*columns, self.batch.mac(columns))

    def _seq_of(self, event: str, records: Sequence[RecordDraft]) -> int:
        for at, draft in enumerate(records):
            if draft.msg_id == event and draft.envelope is not None:
                return self.batch.frontier.size + at
        if isinstance(self._connection, Script):
            raise _NeedsDatabaseError
        self._flush()
        for leaf in segments.find(self._connection, event):
            if leaf.event in INTAKES:
                return leaf.seq
        raise UnrecordableError(f"outbox: message {event} is not on record")

    def _operate(self, work: Work) -> CommitFailed | tuple[Any, Staged]:
        connection = self._connection
        if isinstance(connection, Script):
            raise _NeedsDatabaseError
        assert work.operation is not None
        assert self._core is not None
        self._flush()
        connection.execute("SAVEPOINT operation")
        try:
            result = work.operation(self._core)
            staged = self.batch.add(work.records(result)) if work.records is not None else []
        except Exception as error:
            if not connection.in_transaction:
                raise StoreError(f"an operation ended the transaction: {error}") from error
            connection.execute("ROLLBACK TO operation")
            connection.execute("RELEASE operation")
            return OperationFailed(reason=f"{type(error).__name__}: {error}", error=error)
        if not connection.in_transaction:
            raise StoreError("an operation ended the transaction that it was called in")
        connection.execute("RELEASE operation")
        return result, staged

    def _flush(self) -> None:
        batch, connection = self.batch, self._connection
        if batch.contents:
            self._segment(batch.take())
        if self._outbox:
            statements.OUTBOX.run(connection, self._outbox)
            self._outbox.clear()
        if len(batch.new_keks) > self._keks_written:
            rows = batch.new_keks[self._keks_written :]
            values = [
                value
                for row in rows
                for value in (row.id, row.purpose, row.retention_class, row.period, row.master_id, row.wrapped)
            ]
            statements.KEK.run(connection, values)
            self._keks_written = len(batch.new_keks)
        if self._settle:
            connection.execute(statements.SETTLE, (orjson.dumps(self._settle).decode(),))
            self._settle.clear()

    def _segment(self, segment: Segment) -> None:
        first, execute = segment.first, self._connection.execute
        execute(statements.LEAF, (first, b"".join(segment.hashes), encode_bundle(segment.contents)))
        if segment.names:
            execute(statements.MENTION, (first, segments.pack_names(segment.names)))
        if segment.bodies:
            execute(statements.BODY, (first, segments.pack_bodies(first, segment.bodies)))
        if segment.data_keys:
            execute(statements.DATA_KEY, (first, segments.pack_keys(first, segment.data_keys)))

    def finish(self) -> None:
        """Writes what is staged, and the state of the log."""
        self._flush()
        frontier = self.batch.frontier
        if frontier.size == self.batch.base:
            return
        done = self._connection.execute(statements.STATE, (frontier.size, frontier.to_bytes(), self.batch.base))
        if done is not None and done.rowcount != 1:
            raise StoreError(_PAST_THE_LOCK)

    def run(self, connection: sqlite3.Connection) -> None:
        """Runs the statements of a batch that was prepared. Raises sqlite3.Error or StoreError."""
        assert isinstance(self._connection, Script)
        for sql, values in self._connection.statements:
            if connection.execute(sql, values).rowcount != 1 and sql is statements.STATE:
                raise StoreError(_PAST_THE_LOCK)

    def results(self) -> list[Result]:
        """Returns a result for each piece, once the batch is durable."""
        out: list[Result] = []
        for piece in self._pieces:
            if isinstance(piece, CommitFailed):
                out.append(piece)
            elif isinstance(piece, tuple):
                out.append(Submitted(result=piece[0], recorded=self.batch.recorded(piece[1])))
            else:
                out.append(self.batch.recorded(piece))
        return out
