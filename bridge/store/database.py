"""The SQLite file: its URL, its connections and their settings."""

import os
import sqlite3
from pathlib import Path
from urllib.parse import quote, unquote

import sqlalchemy
from sqlalchemy import Connection, Engine, StaticPool

from bridge.store.errors import StoreConfigError
from bridge.store.schema import APPLICATION_ID

BUSY_SECONDS = 5.0
IN_MEMORY = Path(":memory:")
"""For what is read alone: a record in memory would not be durable."""
PAGE_BYTES = 8192
"""Rows of half a kilobyte: with pages of 4 KiB a batch writes twice as many frames."""
_WAL_PAGES = 2000
_SETTINGS = (
    f"page_size={PAGE_BYTES}",
    "journal_mode=WAL",
    "synchronous=FULL",
    "foreign_keys=ON",
    "secure_delete=ON",
    "cell_size_check=ON",
    f"wal_autocheckpoint={_WAL_PAGES}",
    "cache_size=-16384",
    "trusted_schema=OFF",
)


def path_of(url: str, base: Path | None = None) -> Path:
    """Returns the file that a store's URL names.

    Args:
        url: such as ``sqlite:///var/bridge.db``, or with four slashes for an absolute path.
        base: the folder that a relative path starts from.

    Raises:
        StoreConfigError: another kind of database, or no file.
    """
    scheme, separator, rest = url.partition("://")
    if not separator:
        raise StoreConfigError(f"store.url: {url!r} is not a URL; write sqlite:///path/to/bridge.db")
    if scheme in {"postgresql", "postgres", "postgresql+psycopg"}:
        raise StoreConfigError("store.url: PostgreSQL is not supported yet; write sqlite:///path/to/bridge.db")
    if scheme != "sqlite":
        raise StoreConfigError(f"store.url: {scheme!r} is not a kind of store; write sqlite:///path/to/bridge.db")
    if not rest.startswith("/") or "?" in rest or "#" in rest:
        raise StoreConfigError(f"store.url: {url!r}: write sqlite:/// and the path, without host or options")
    name = unquote(rest[1:])
    if not name or name == ":memory:" or "\x00" in name:
        raise StoreConfigError("store.url: a file is needed; a record in memory would not be durable")
    path = Path(name)
    return path if path.is_absolute() or base is None else base / path


def connect(path: Path, *, busy_seconds: float = BUSY_SECONDS) -> sqlite3.Connection:
    """Returns a connection that may write; the file is created if need be. It may be handed from thread to thread.

    Raises:
        StoreConfigError: the file cannot be opened, or is not a database of ours.
    """
    if path != IN_MEMORY:
        _make_private(path)
    try:
        connection = sqlite3.connect(
            path, timeout=busy_seconds, isolation_level=None, check_same_thread=False, cached_statements=256
        )
    except sqlite3.Error as error:
        raise StoreConfigError(f"{path}: {error}") from error
    try:
        _check_ours(connection, path)
        for setting in _SETTINGS:
            connection.execute(f"PRAGMA {setting}").close()
    except sqlite3.Error as error:
        connection.close()
        raise StoreConfigError(f"{path}: {error}") from error
    except StoreConfigError:
        connection.close()
        raise
    return connection


def _make_private(path: Path) -> None:
    """Makes the file where there is none, for its owner alone: SQLite would let the group and others read.

    Only a file that is not there yet may be opened and closed here: a close drops all locks that this process has on
    it (fcntl(2)), SQLite's too.

    Raises:
        StoreConfigError: it cannot be made.
    """
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        return
    except OSError as error:
        raise StoreConfigError(f"{path}: {error.strerror}") from error


def _check_ours(connection: sqlite3.Connection, path: Path) -> None:
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    found = connection.execute("PRAGMA application_id").fetchone()[0]
    if tables and found != APPLICATION_ID:
        raise StoreConfigError(f"{path}: a database of another program (application id {found:#x})")


UNREADABLE = (sqlite3.Error, OverflowError, UnicodeError)
"""What the driver raises over a damaged file; its own messages may quote bytes that are no text."""


def connect_readonly(path: Path, *, busy_seconds: float = BUSY_SECONDS) -> sqlite3.Connection:
    """Returns a connection that cannot write; the file may lie on a medium that cannot be written to.

    Raises:
        StoreConfigError: there is no such file, or it cannot be opened.
    """
    if not path.is_file():
        raise StoreConfigError(f"{path}: no such file")
    connection: sqlite3.Connection | None = None
    try:
        connection = _open_uri(path, "mode=ro", busy_seconds)
        try:
            connection.execute("SELECT count(*) FROM sqlite_master").close()
        except sqlite3.OperationalError:
            # A WAL database needs a shared-memory file beside it; where none can be made nobody writes either.
            if path.with_name(f"{path.name}-wal").exists():
                raise
            connection.close()
            connection = _open_uri(path, "mode=ro&immutable=1", busy_seconds)
        connection.execute("PRAGMA cell_size_check=ON").close()
        connection.execute("PRAGMA trusted_schema=OFF").close()
    except UNREADABLE as error:
        if connection is not None:
            connection.close()
        raise StoreConfigError(f"{path}: {error}") from error
    return connection


def _open_uri(path: Path, options: str, busy_seconds: float) -> sqlite3.Connection:
    return sqlite3.connect(
        f"file:{quote(str(path.absolute()))}?{options}",
        uri=True,
        timeout=busy_seconds,
        isolation_level=None,
        check_same_thread=False,
    )


def engine_over(connection: sqlite3.Connection) -> Engine:
    """Returns an SQLAlchemy engine over this one connection; it never begins, commits or rolls back by itself.

    Without ``pool_reset_on_return=None`` a connection object that is collected as garbage would roll back whatever
    transaction the raw connection is in at that moment.
    """
    return sqlalchemy.create_engine(
        "sqlite://",
        creator=lambda: connection,
        poolclass=StaticPool,
        isolation_level="AUTOCOMMIT",
        pool_reset_on_return=None,
    )


def sqlalchemy_over(connection: sqlite3.Connection) -> Connection:
    """Returns an SQLAlchemy connection over this one, in whatever transaction it is."""
    return engine_over(connection).connect()
