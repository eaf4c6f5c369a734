"""The tables of identity: accounts, bindings with two times, sealed network passwords."""

import sqlalchemy as sa
from alembic import op

revision = "r0002_identity"
down_revision = "r0001_record"
branch_labels = None
depends_on = None

_OPEN = "valid_to IS NULL AND recorded_to IS NULL"


def upgrade() -> None:
    """Creates the tables."""
    _versions()
    _people()
    _facts()
    op.create_table(
        "identity_credential",
        sa.Column("network", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("nonce", sa.LargeBinary(), nullable=False),
        sa.Column("ciphertext", sa.LargeBinary(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("network", "name", name="pk_identity_credential"),
        sqlite_with_rowid=False,
    )


def _versions() -> None:
    op.create_table(
        "identity_head",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("stamped_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_identity_head"),
        sa.CheckConstraint("id = 1", name="single"),
    )
    op.create_table(
        "identity_version",
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("stamped_at", sa.Float(), nullable=False),
        sa.Column("clock_at", sa.Float(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("version", name="pk_identity_version"),
    )


def _people() -> None:
    op.create_table(
        "identity_account",
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("realm", sa.Text(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("display_name", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("address", name="pk_identity_account"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "identity_ha1",
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("form", sa.Text(), nullable=False),
        sa.Column("algorithm", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("address", "form", "algorithm", name="pk_identity_ha1"),
        sa.ForeignKeyConstraint(
            ["address"], ["identity_account.address"], name="fk_identity_ha1_address", ondelete="CASCADE"
        ),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "identity_primary",
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("network", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("person", "network", name="pk_identity_primary"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "identity_group",
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("person", "name", name="pk_identity_group"),
        sqlite_with_rowid=False,
    )


def _facts() -> None:
    op.create_table(
        "identity_fact",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("network", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("shown", sa.Text(), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("valid_from", sa.Float(), nullable=False),
        sa.Column("valid_to", sa.Float()),
        sa.Column("recorded_from", sa.Integer(), nullable=False),
        sa.Column("recorded_to", sa.Integer()),
        sa.PrimaryKeyConstraint("id", name="pk_identity_fact"),
        sa.CheckConstraint("valid_to IS NULL OR valid_to > valid_from", name="valid_span"),
        sa.CheckConstraint("recorded_to IS NULL OR recorded_to > recorded_from", name="recorded_span"),
    )
    op.create_index(
        "uq_identity_fact_open",
        "identity_fact",
        ["network", "name"],
        unique=True,
        sqlite_where=sa.text(_OPEN),
        postgresql_where=sa.text(_OPEN),
    )
    op.create_index("ix_identity_fact_name", "identity_fact", ["name", "network"])
    op.create_index("ix_identity_fact_person", "identity_fact", ["person"])
