"""Brings a database to the schema of this program, in one transaction, or says why it cannot.

Alembic is imported where a step is to be made, and only there: every command that writes looks here first, and nearly
always finds nothing to do.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bridge.store.database import sqlalchemy_over
from bridge.store.errors import SchemaNewerError, StoreError
from bridge.store.schema import APPLICATION_ID

if TYPE_CHECKING:
    from alembic.config import Config
    from sqlalchemy import Connection

REVISION: Final = "r0006_presence_request"
"""The revision that this program works with: the last of the steps in ``migrations/versions``."""
_SCRIPTS = Path(__file__).parent / "migrations"


def revision_of(raw: sqlite3.Connection) -> str | None:
    """Returns the revision of a database, None for an empty one.

    Raises:
        StoreError: it has several.
    """
    if raw.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").fetchone() is None:
        return None
    found = [str(row[0]) for row in raw.execute("SELECT version_num FROM alembic_version")]
    if len(found) > 1:
        raise StoreError(f"the database has several schemas at once: {', '.join(found)}")
    return found[0] if found else None


def migrate(raw: sqlite3.Connection) -> None:
    """Brings a database to the latest revision. Another process that does the same meanwhile is waited for.

    Raises:
        SchemaNewerError: it was written by a newer version of this program.
        StoreError: the database does not let itself be changed.
    """
    try:
        if revision_of(raw) != REVISION:
            _upgrade(raw)
    except sqlite3.Error as error:
        raise StoreError(f"the schema cannot be brought up to date: {error}") from error


def _upgrade(raw: sqlite3.Connection) -> None:
    connection = sqlalchemy_over(raw)
    connection.begin()  # for SQLAlchemy alone: Alembic commits whatever it has begun itself
    try:
        raw.execute("BEGIN IMMEDIATE")
        try:
            _run_steps(raw, connection)
            raw.execute(f"PRAGMA application_id={APPLICATION_ID}")
            raw.execute("COMMIT")
        except BaseException:
            if raw.in_transaction:
                raw.execute("ROLLBACK")
            raise
    finally:
        connection.close()  # not before the commit: it rolls back whatever is open


def _run_steps(raw: sqlite3.Connection, connection: Connection) -> None:
    from alembic import command
    from alembic.script import ScriptDirectory

    config = _config()
    script = ScriptDirectory.from_config(config)
    if script.get_current_head() != REVISION:
        raise StoreError("the program was installed without its migrations")
    found = revision_of(raw)
    if found is not None and found not in {revision.revision for revision in script.walk_revisions()}:
        raise SchemaNewerError(
            f"the database has schema {found!r}, which this version does not know (it works with {REVISION!r}); "
            "install the version that wrote it, or a later one"
        )
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _config() -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    return config
