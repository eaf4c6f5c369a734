"""The table of requests to see somebody's presence, which stood among the small facts of ``meta``."""

from typing import Any

import orjson
import sqlalchemy as sa
from alembic import op

revision = "r0006_presence_request"
down_revision = "r0004_segments"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Creates the table and takes over the requests that were made."""
    made = op.create_table(
        "presence_request",
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("watcher", sa.Text(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("told", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("target", "watcher", name="pk_presence_request"),
        sqlite_with_rowid=False,
    )
    connection = op.get_bind()
    values = connection.execute(sa.text("SELECT value FROM meta WHERE key LIKE 'presence/%'")).scalars()
    rows: list[dict[str, Any]] = [orjson.loads(value) for value in values]
    if rows:
        connection.execute(sa.insert(made), rows)
    connection.execute(sa.text("DELETE FROM meta WHERE key LIKE 'presence/%'"))
