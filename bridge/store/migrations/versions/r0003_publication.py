"""The table of what SIP devices have published of their presence (RFC 3903)."""

import sqlalchemy as sa
from alembic import op

revision = "r0003_publication"
down_revision = "r0002_identity"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Creates the table."""
    op.create_table(
        "publication",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.Float(), nullable=False),
        sa.Column("state", sa.LargeBinary(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_publication"),
    )
