"""The SQL of the hot path. Multi-row inserts come in sizes that are powers of two, so that few statements are compiled.

One statement for many rows, and not ``executemany``: the driver gives up the interpreter lock at every step, and a busy
reactor then makes the writer wait at each row (measured: three times slower at 256 rows).
"""

from collections.abc import Sequence
from functools import cache
from typing import Any, Protocol

_MOST = 256


class Executes(Protocol):
    """A connection, or what keeps statements for one."""

    def execute(self, sql: str, values: Sequence[Any], /) -> object:
        """Runs or keeps a statement."""


class Insert:
    """An INSERT of many rows.

    Args:
        head: the statement up to and without ``VALUES``.
        width: how many columns.
    """

    __slots__ = ("_head", "width")

    def __init__(self, head: str, width: int) -> None:
        self._head = head
        self.width = width

    def run(self, connection: Executes, values: list[Any]) -> None:
        """Inserts rows, given column after column."""
        width, at = self.width, 0
        left = len(values) // width
        while left:
            rows = min(_MOST, 1 << (left.bit_length() - 1))
            end = at + rows * width
            connection.execute(_sql(self._head, width, rows), values[at:end])
            at = end
            left -= rows


@cache
def _sql(head: str, width: int, rows: int) -> str:
    row = f"({','.join('?' * width)})"
    return f"{head} VALUES {','.join([row] * rows)}"


LEAF = "INSERT INTO leaf (first, hashes, contents) VALUES (?, ?, ?)"
MENTION = "INSERT INTO mention (first, names) VALUES (?, ?)"
BODY = "INSERT INTO body (first, ciphertexts) VALUES (?, ?)"
DATA_KEY = "INSERT INTO data_key (first, keys) VALUES (?, ?)"
KEK = Insert("INSERT INTO kek (id, purpose, retention_class, period, master_id, wrapped)", 6)
OUTBOX = Insert(
    "INSERT INTO outbox (seq, key, event, lane, network, account, recipient, expires_at, held, mac)",
    10,
)
SETTLE = (
    "DELETE FROM outbox WHERE (seq, key) IN (SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') "
    "FROM json_each(?))"
)
STATE = "UPDATE log_state SET size = ?, frontier = ? WHERE id = 1 AND size = ?"
