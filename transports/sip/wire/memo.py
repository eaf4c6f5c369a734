"""A bounded table of parsed values."""

from __future__ import annotations

from itertools import islice
from typing import Final, Generic, TypeVar

T = TypeVar("T")

MAX_ENTRIES: Final = 16_384
DROPPED: Final = 64
MAX_KEY: Final = 256  # characters; longer texts are parsed each time, so the table stays below some 10 MiB


class Memo(Generic[T]):
    """Text to value, for as long as there is room; of a full table the oldest go, some at a time.

    That costs one re-parse for each of them that is in use and needs no bookkeeping on each hit, so a peer who sends
    ever new texts makes us parse, as without a table, and never makes the table grow. To empty it at once would stop
    everything for as long as it takes to free all that is in it. Hot code reads `table` directly.
    """

    __slots__ = ("limit", "table")

    def __init__(self, limit: int = MAX_ENTRIES) -> None:
        self.limit = limit
        self.table: dict[str, T] = {}

    def put(self, key: str, value: T) -> None:
        """Remember a value unless its key is too long to keep."""
        if len(key) > MAX_KEY:
            return
        table = self.table
        if len(table) >= self.limit:
            for oldest in list(islice(table, min(DROPPED, self.limit))):
                del table[oldest]
        table[key] = value
