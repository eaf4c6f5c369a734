"""Leaves, bodies and data keys by the segment: a row for each batch, not for each record."""

from collections.abc import Iterator, Sequence
from itertools import groupby, islice
from typing import Any

import sqlalchemy as sa
from alembic import op

from bridge.compliance.tiles import encode_bundle
from bridge.store.segments import names_of, pack_bodies, pack_keys

revision = "r0004_segments"
down_revision = "r0003_publication"
branch_labels = None
depends_on = None

_ROWS = 128


def upgrade() -> None:
    """Creates the tables of segments and takes over what is on record."""
    for table in ("leaf", "body", "data_key"):
        op.rename_table(table, f"{table}_rows")
    op.drop_index("ix_leaf_msg_id", "leaf_rows")
    _create("leaf", "hashes", "contents")
    _create("mention", "names")
    _create("body", "ciphertexts")
    _create("data_key", "keys")
    connection = op.get_bind()
    _leaves(connection)
    _sealed(connection)
    for table in ("leaf", "body", "data_key"):
        op.drop_table(f"{table}_rows")


def _create(table: str, *columns: str) -> None:
    op.create_table(
        table,
        sa.Column("first", sa.Integer(), autoincrement=False, nullable=False),
        *(sa.Column(column, sa.LargeBinary(), nullable=False) for column in columns),
        sa.PrimaryKeyConstraint("first", name=f"pk_{table}"),
    )


def _pages(connection: sa.Connection, query: str) -> Iterator[Sequence[Any]]:
    """Yields rows in groups: what stands in one segment at the most."""
    rows = iter(connection.execute(sa.text(query)))
    while page := list(islice(rows, _ROWS)):
        yield page


def _leaves(connection: sa.Connection) -> None:
    insert = sa.text("INSERT INTO leaf (first, hashes, contents) VALUES (:first, :hashes, :contents)")
    mention = sa.text("INSERT INTO mention (first, names) VALUES (:first, :names)")
    for page in _pages(connection, "SELECT seq, hash, content FROM leaf_rows ORDER BY seq"):
        # A log with a leaf missing is taken over as it is: verification goes on to say what is missing.
        for _, numbered in groupby(enumerate(page), lambda pair: pair[1][0] - pair[0]):
            rows = [row for _, row in numbered]
            contents = [row[2] for row in rows]
            values = {
                "first": rows[0][0],
                "hashes": b"".join(row[1] for row in rows),
                "contents": encode_bundle([content or b"" for content in contents]),
            }
            connection.execute(insert, values)
            if names := names_of(contents):
                connection.execute(mention, {"first": rows[0][0], "names": names})


def _sealed(connection: sa.Connection) -> None:
    insert = sa.text("INSERT INTO body (first, ciphertexts) VALUES (:first, :ciphertexts)")
    for page in _pages(connection, "SELECT seq, ciphertext FROM body_rows ORDER BY seq"):
        first = page[0][0]
        flat = [value for row in page for value in row]
        connection.execute(insert, {"first": first, "ciphertexts": pack_bodies(first, flat)})
    insert = sa.text("INSERT INTO data_key (first, keys) VALUES (:first, :keys)")
    for page in _pages(connection, "SELECT seq, kek_id, wrapped FROM data_key_rows ORDER BY seq"):
        first = page[0][0]
        flat = [value for row in page for value in row]
        connection.execute(insert, {"first": first, "keys": pack_keys(first, flat)})
