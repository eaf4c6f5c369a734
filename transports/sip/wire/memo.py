"""A bounded table of parsed values."""

from __future__ import annotations

from typing import Final, Generic, TypeVar

T = TypeVar("T")

MAX_ENTRIES: Final = 16_384
MAX_KEY: Final = 256  # characters; longer texts are parsed each time, so the table stays below some 10 MiB


class Memo(Generic[T]):
    """Text to value, for as long as there is room; a full table is emptied.

    Emptying costs one re-parse for each text in use and needs no bookkeeping on each hit, so a peer who sends ever new
    texts makes us parse, as without a table, and never makes the table grow. Hot code reads `table` directly.
    """

    __slots__ = ("limit", "table")

    def __init__(self, limit: int = MAX_ENTRIES) -> None:
        self.limit = limit
        self.table: dict[str, T] = {}

    def put(self, key: str, value: T) -> None:
        """Remember a value unless its key is too long to keep."""
        if len(key) > MAX_KEY:
            return
        if len(self.table) >= self.limit:
            self.table.clear()
        self.table[key] = value
