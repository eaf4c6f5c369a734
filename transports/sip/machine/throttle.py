"""Guessing is made slow: failures are counted per name, and after some that are free each costs a growing delay."""

from __future__ import annotations

from collections import OrderedDict


class Throttle:
    """Counts failures by a name (a source, or a user and a source) in a table of bounded size.

    Args:
        free: failures without a delay.
        first: seconds of the first delay; each further failure doubles it.
        longest: the greatest delay in seconds. After twice this time without a failure all is forgiven.
        entries: how many names are kept; beyond it the one that failed longest ago is forgotten.
    """

    __slots__ = ("_entries", "_first", "_free", "_longest", "_table")

    def __init__(self, free: int, first: float, longest: float, entries: int) -> None:
        self._free = free
        self._first = first
        self._longest = longest
        self._entries = entries
        self._table: OrderedDict[str, tuple[int, float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._table)

    def wait(self, name: str, now: float) -> float:
        """Returns the seconds for which ``name`` is not listened to; 0 where it may try."""
        entry = self._table.get(name)
        if entry is None:
            return 0.0
        return max(entry[1] - now, 0.0)

    def failed(self, name: str, now: float) -> None:
        """Counts a failure."""
        count, _, last = self._table.pop(name, (0, 0.0, now))
        count = 1 if now - last > 2 * self._longest else count + 1
        over = count - self._free
        delay = min(self._first * 2.0 ** min(over - 1, 30), self._longest) if over > 0 else 0.0
        self._table[name] = (count, now + delay, now)
        if len(self._table) > self._entries:
            self._table.popitem(last=False)

    def succeeded(self, name: str) -> None:
        """Forgives a name."""
        self._table.pop(name, None)
