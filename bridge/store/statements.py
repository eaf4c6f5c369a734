"""The SQL of the hot path: multi-row inserts, in sizes that are powers of two, so that few statements are compiled.

One statement for many rows, and not ``executemany``: the driver gives up the interpreter lock at every step, and a busy
reactor then makes the writer wait at each row (measured: three times slower at 256 rows).
"""

import sqlite3
from functools import cache
from typing import Any

_MOST = 256


class Insert:
    """An INSERT of many rows.

    Args:
        head: the statement up to and without ``VALUES``.
        width: how many columns.
        tail: what follows the rows, such as an ON CONFLICT clause.
    """

    __slots__ = ("_head", "_tail", "width")

    def __init__(self, head: str, width: int, tail: str = "") -> None:
        self._head = head
        self.width = width
        self._tail = tail

    def run(self, connection: sqlite3.Connection, values: list[Any], *more: object) -> int:
        """Inserts rows, given column after column; returns how many were inserted or updated.

        ``more`` are the values that the tail takes.
        """
        width, at, done = self.width, 0, 0
        left = len(values) // width
        while left:
            rows = min(_MOST, 1 << (left.bit_length() - 1))
            end = at + rows * width
            cursor = connection.execute(_sql(self._head, width, rows, self._tail), (*values[at:end], *more))
            done += cursor.rowcount
            at = end
            left -= rows
        return done


@cache
def _sql(head: str, width: int, rows: int, tail: str) -> str:
    row = f"({','.join('?' * width)})"
    return f"{head} VALUES {','.join([row] * rows)} {tail}"


LEAF = Insert("INSERT INTO leaf (seq, event, msg_id, t_intake, hash, content)", 6)
BODY = Insert("INSERT INTO body (seq, ciphertext)", 2)
DATA_KEY = Insert("INSERT INTO data_key (seq, kek_id, wrapped)", 3)
KEK = Insert("INSERT INTO kek (id, purpose, retention_class, period, master_id, wrapped)", 6)
OUTBOX = Insert(
    "INSERT INTO outbox (key, event, seq, lane, network, account, recipient, expires_at, held, mac)",
    10,
)
# An expired row gives way to a new one; one that is still good does not, and then fewer rows are counted than given.
SEEN = Insert(
    "INSERT INTO seen (network, account, remote_id, event, expires_at, mac)",
    6,
    "ON CONFLICT (network, account, remote_id) DO UPDATE "
    "SET event = excluded.event, expires_at = excluded.expires_at, mac = excluded.mac WHERE seen.expires_at <= ?",
)
SETTLE = "DELETE FROM outbox WHERE key IN (SELECT value FROM json_each(?))"
STATE = "UPDATE log_state SET size = ?, frontier = ? WHERE id = 1 AND size = ?"
