"""Brings a database to the schema of this program, in one transaction, or says why it cannot."""

import sqlite3
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from bridge.store.database import sqlalchemy_over
from bridge.store.errors import SchemaNewerError, StoreError
from bridge.store.schema import APPLICATION_ID

_SCRIPTS = Path(__file__).parent / "migrations"


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    return config


def latest() -> str:
    """Returns the revision that this program works with."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    if head is None:
        raise StoreError("the program was installed without its migrations")
    return head


def revision_of(connection: Connection) -> str | None:
    """Returns the revision of a database, None for an empty one."""
    return MigrationContext.configure(connection).get_current_revision()


def migrate(raw: sqlite3.Connection) -> None:
    """Brings a database to the latest revision. Another process that does the same meanwhile is waited for.

    Raises:
        SchemaNewerError: it was written by a newer version of this program.
        StoreError: the database does not let itself be changed.
    """
    connection = sqlalchemy_over(raw)
    try:
        script = ScriptDirectory.from_config(_config())
        if revision_of(connection) == script.get_current_head():
            return
        raw.execute("BEGIN IMMEDIATE")
        try:
            _upgrade(connection, script)
            raw.execute(f"PRAGMA application_id={APPLICATION_ID}")
            raw.execute("COMMIT")
        except BaseException:
            if raw.in_transaction:
                raw.execute("ROLLBACK")
            raise
    except sqlite3.Error as error:
        raise StoreError(f"the schema cannot be brought up to date: {error}") from error
    finally:
        connection.close()


def _upgrade(connection: Connection, script: ScriptDirectory) -> None:
    found = revision_of(connection)
    known = {revision.revision for revision in script.walk_revisions()}
    if found is not None and found not in known:
        raise SchemaNewerError(
            f"the database has schema {found!r}, which this version does not know (it works with {latest()!r}); "
            "install the version that wrote it, or a later one"
        )
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
