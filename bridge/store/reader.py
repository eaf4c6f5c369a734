"""Reads the log from SQLite, suspicious of everything: a damaged file gives typed errors, never wrong values."""

from collections.abc import Iterator
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

from bridge.compliance.rows import (
    CheckpointRow,
    LeafRow,
    OutboxRow,
    Run,
    SealedRow,
    StateRow,
    StoreDamagedError,
)
from bridge.compliance.sealing import KekRow
from bridge.store import segments
from bridge.store.database import IN_MEMORY, UNREADABLE, connect, connect_readonly
from bridge.store.migrate import REVISION, migrate
from bridge.store.schema import APPLICATION_ID

_PAGE_ROWS = 16
_KINDS: dict[str, type] = {"i": int, "t": str, "b": bytes, "f": float}
_NAMES = {int: "an integer", str: "a text", bytes: "a blob", float: "a number", type(None): "nothing"}
_MAX_REPORTS = 100


class SqliteLogReader:
    """Reads one consistent state of a log: what was committed when it was opened.

    Args:
        path: the database file; it may be a copy, on a medium that cannot be written to.

    Raises:
        StoreConfigError: there is no such file.
    """

    def __init__(self, path: Path) -> None:
        self._connection = connect_readonly(path)
        # A changed byte in a text may end its being UTF-8: it is then told apart, not refused halfway through.
        self._connection.text_factory = lambda data: data.decode("utf-8", "surrogateescape")
        try:
            self.refresh()
        except StoreDamagedError:
            self._connection.close()
            raise

    def refresh(self) -> None:
        """Goes on with what is committed now. Raises StoreDamagedError."""
        try:
            if self._connection.in_transaction:
                self._connection.execute("COMMIT").close()
            self._connection.execute("BEGIN").close()
            self._connection.execute("SELECT count(*) FROM sqlite_master").close()
        except UNREADABLE as error:
            raise StoreDamagedError("database", str(error)) from error

    def close(self) -> None:
        """Ends the reading."""
        self._connection.close()

    def __enter__(self) -> "SqliteLogReader":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _select(
        self, table: str, columns: str, kinds: str, tail: str = "", args: tuple[Any, ...] = ()
    ) -> Iterator[Any]:
        """Yields rows whose every column has the storage class that it should; ``kinds`` in capitals allow NULL."""
        wanted = tuple((_KINDS[kind.lower()], type(None)) if kind.isupper() else (_KINDS[kind],) for kind in kinds)
        right = frozenset(product(*wanted))
        last: object = None
        try:
            cursor = self._connection.execute(f"SELECT {columns} FROM {table} {tail}", args)  # noqa: S608 - constants of this module
            for row in cursor:
                if (*map(type, row),) not in right:
                    raise _wrong_kind(table, columns, row, wanted)
                last = row[0]
                yield row
        except UNREADABLE as error:
            where = "" if last is None else f" after row {last!r}"
            raise StoreDamagedError(table.split(" ", 1)[0], f"{error}{where}") from error

    def state(self) -> StateRow:
        """Returns the state of the log."""
        rows = list(self._select("log_state", "id, log_id, size, frontier", "itib"))
        if [row[0] for row in rows] != [1]:
            raise StoreDamagedError("log_state", f"id: {[row[0] for row in rows]} where the one row has 1")
        return StateRow(*rows[0][1:])

    def _segments(self, table: str, columns: str, start: int, end: int | None) -> Iterator[Any]:
        """Yields the rows that may hold something from ``start`` up to and without ``end``.

        In pieces, so that a caller may read other tables between two rows without a cursor held open.
        """
        limit = (1 << 62) if end is None else end
        kinds = "i" + "b" * columns.count(",")
        before = next(self._select(table, "first", "i", "WHERE first <= ? ORDER BY first DESC LIMIT 1", (start,)), None)
        low = start if before is None else before[0]
        tail = "WHERE first >= ? AND first < ? ORDER BY first LIMIT ?"
        most = 1  # who looks for one leaf does not read more; who reads on gets more at a time
        while True:
            rows = list(self._select(table, columns, kinds, tail, (low, limit, most)))
            yield from rows
            if len(rows) < most:
                return
            low = rows[-1][0] + 1
            most = min(2 * most, _PAGE_ROWS)

    def leaves(self, start: int = 0, end: int | None = None) -> Iterator[LeafRow]:
        """Yields leaves in order of seq."""
        for first, hashes, packed in self._segments("leaf", "first, hashes, contents", start, end):
            digests = segments.unpack_hashes(first, hashes)
            contents = segments.unpack_contents(first, packed, len(digests))
            stop = len(digests) if end is None else min(len(digests), end - first)
            for at in range(max(0, start - first), stop):
                yield segments.leaf_row(first + at, digests[at], contents[at])

    def runs(self, start: int, end: int) -> Iterator[Run]:
        """Yields all that is published of leaves, in order of seq: as many at a time as are stored together."""
        for first, hashes, packed in self._segments("leaf", "first, hashes, contents", start, end):
            run = Run(first, hashes, packed, segments.ends_of(first, packed, segments.count_of(first, hashes)))
            at, stop = max(0, start - first), min(len(run.ends), end - first)
            if at < stop:
                yield run.part(at, stop)

    def sealed(self, start: int = 0, end: int | None = None) -> Iterator[SealedRow]:
        """Yields what is sealed, in order of seq: bodies and data keys, merged."""
        limit = (1 << 62) if end is None else end
        body_rows = (
            row
            for first, packed in self._segments("body", "first, ciphertexts", start, end)
            for row in segments.unpack_bodies(first, packed)
            if start <= row[0] < limit
        )
        key_rows = (
            row
            for first, packed in self._segments("data_key", "first, keys", start, end)
            for row in segments.unpack_keys(first, packed)
            if start <= row[0] < limit
        )
        body, key = next(body_rows, None), next(key_rows, None)
        while body is not None or key is not None:
            if key is None or (body is not None and body[0] < key[0]):
                assert body is not None
                yield SealedRow(body[0], body[1], None, None)
                body = next(body_rows, None)
            elif body is None or key[0] < body[0]:
                yield SealedRow(key[0], None, key[1], key[2])
                key = next(key_rows, None)
            else:
                yield SealedRow(body[0], body[1], key[1], key[2])
                body, key = next(body_rows, None), next(key_rows, None)

    def find(self, msg_id: str) -> list[LeafRow]:
        """Returns the leaves about a message, in order of seq."""
        try:
            return segments.find(self._connection, msg_id)
        except UNREADABLE as error:
            raise StoreDamagedError("leaf", str(error)) from error

    def first_since(self, moment: int) -> int:
        """Returns the seq of the first leaf that is not older than ``moment``, microseconds since the epoch.

        Leaves stand in the order of time, but for steps of the clock.
        """
        low, high = 0, self.state().size
        while low < high:
            middle = (low + high) // 2
            # What was disposed of does not say any more when it came in.
            row = next((row for row in self.leaves(middle) if row.content is not None), None)
            if row is None or row.t_intake >= moment:
                high = middle
            else:
                low = middle + 1
        return low

    def last_of(self, events: tuple[str, ...], within: int) -> LeafRow | None:
        """Returns the last leaf of these kinds, if it is among the ``within`` last ones."""
        oldest = self.state().size - within
        tail = "WHERE first >= ? ORDER BY first DESC"
        for segment in self._select("leaf", "first, hashes, contents", "ibb", tail, (oldest,)):
            for row in reversed(list(segments.rows_of(*segment))):
                if row.event in events:
                    return row
        return None

    def keks(self) -> list[KekRow]:
        """Returns the key-encryption keys, by id."""
        columns = "id, purpose, retention_class, period, master_id, wrapped, destroyed_by"
        return [KekRow(*row) for row in self._select("kek", columns, "ittttBI", "ORDER BY id")]

    def checkpoints(self) -> Iterator[CheckpointRow]:
        """Yields the signed checkpoints, by size."""
        yield from map(CheckpointRow._make, self._select("checkpoint", "size, note", "it", "ORDER BY size"))

    def last_checkpoint(self) -> CheckpointRow | None:
        """Returns the newest signed checkpoint."""
        tail = "ORDER BY size DESC LIMIT 1"
        return next(map(CheckpointRow._make, self._select("checkpoint", "size, note", "it", tail)), None)

    def outbox(self) -> Iterator[OutboxRow]:
        """Yields deliveries that are not settled, oldest first."""
        return self._outbox("ORDER BY seq, key")

    def held(self) -> Iterator[OutboxRow]:
        """Yields deliveries that are held for a reviewer, oldest first."""
        return self._outbox("WHERE held <> 0 ORDER BY seq, key")

    def waiting(self, event: str) -> Iterator[OutboxRow]:
        """Yields the deliveries of one message that are not settled."""
        return self._outbox("WHERE event = ? ORDER BY seq, key", (event,))

    def _outbox(self, tail: str, args: tuple[Any, ...] = ()) -> Iterator[OutboxRow]:
        columns = "seq, key, event, lane, network, account, recipient, expires_at, held, mac"
        yield from map(OutboxRow._make, self._select("outbox", columns, "ittttttfib", tail, args))

    def damage(self) -> Iterator[StoreDamagedError]:
        """Yields what SQLite finds broken in its pages and indexes, and what of the schema is not ours."""
        try:
            for (line,) in self._connection.execute(f"PRAGMA integrity_check({_MAX_REPORTS})"):
                if line != "ok":
                    yield StoreDamagedError("database", str(line).strip())
        except UNREADABLE as error:
            yield StoreDamagedError("database", f"integrity check: {error}")
        yield from self._names()
        try:
            yield from self._header()
            yield from self._schema()
        except UNREADABLE as error:
            yield StoreDamagedError("schema", str(error))

    def _names(self) -> Iterator[StoreDamagedError]:
        """Holds what messages are found by against the leaves; what is wrong with the leaves is found elsewhere."""
        try:
            mentions = self._segments("mention", "first, names", 0, None)
            current = next(mentions, None)
            for first, hashes, packed in self._segments("leaf", "first, hashes, contents", 0, None):
                while current is not None and current[0] < first:
                    yield StoreDamagedError("mention", f"row {current[0]}: there is no such segment", current[0])
                    current = next(mentions, None)
                names = b""
                if current is not None and current[0] == first:
                    names = current[1]
                    current = next(mentions, None)
                contents = segments.unpack_contents(first, packed, len(segments.unpack_hashes(first, hashes)))
                if segments.names_of(contents) != names:
                    yield StoreDamagedError("mention", f"row {first}: names: are not those of its messages", first)
            if current is not None:
                yield StoreDamagedError("mention", f"row {current[0]}: there is no such segment", current[0])
        except StoreDamagedError as error:
            yield error

    def _header(self) -> Iterator[StoreDamagedError]:
        # What the file's header says and our own files always say alike.
        for pragma, wanted in (("application_id", APPLICATION_ID), ("user_version", 0), ("encoding", "UTF-8")):
            found = self._connection.execute(f"PRAGMA {pragma}").fetchone()[0]
            if found != wanted:
                yield StoreDamagedError("database", f"{pragma} is {found!r} where {wanted!r} belongs")

    def _schema(self) -> Iterator[StoreDamagedError]:
        query = "SELECT type, name, tbl_name, sql FROM sqlite_master"
        wanted = {row[1]: row for row in _reference_schema()}
        tables = {row[2] for row in wanted.values()}
        found = {row[1]: row for row in self._connection.execute(query) if row[2] in tables or row[1] in wanted}
        for name in sorted(found.keys() | wanted.keys()):
            if found.get(name) != wanted.get(name):
                yield StoreDamagedError("schema", f"the definition of {name!r} is not the one that this version makes")
        revisions = [row[0] for row in self._connection.execute("SELECT version_num FROM alembic_version")]
        if revisions != [REVISION]:
            yield StoreDamagedError("alembic_version", f"{revisions!r} where {REVISION!r} belongs")


def _wrong_kind(table: str, columns: str, row: Any, wanted: tuple[tuple[type, ...], ...]) -> StoreDamagedError:
    index = next(at for at, kind in enumerate(wanted) if type(row[at]) not in kind)
    name = columns.split(",")[index].strip().rpartition(".")[2]
    return StoreDamagedError(
        table.split(" ", 1)[0],
        f"row {row[0]!r}: {name} is {_NAMES[type(row[index])]} where {_NAMES[wanted[index][0]]} belongs",
        row[0] if isinstance(row[0], int) else None,
    )


@cache
def _reference_schema() -> tuple[tuple[str, str, str, str | None], ...]:
    """Returns what a new database of this version has in ``sqlite_master``."""
    connection = connect(IN_MEMORY)
    try:
        migrate(connection)
        return tuple(connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_master"))
    finally:
        connection.close()
