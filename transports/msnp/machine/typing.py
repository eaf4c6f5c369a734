"""Typing, both ways: MSNP says again and again that somebody types, and never that they stopped."""

from __future__ import annotations

from attrs import define

MAX_KEPT = 256


@define
class _Ours:
    again: float
    until: float


class Typing:
    """Who types to us, and to whom we type. Names are in normal form.

    Args:
        lasts: after so many seconds without another notice somebody has stopped.
        again: ours are repeated so often; most: and for no longer than this.
    """

    def __init__(self, lasts: float, again: float, most: float) -> None:
        self._lasts = lasts
        self._again = again
        self._most = most
        self._theirs: dict[str, float] = {}
        self._ours: dict[str, _Ours] = {}

    def heard(self, sender: str, now: float) -> bool:
        """Somebody types; gives whether that is news."""
        news = sender not in self._theirs
        if news and len(self._theirs) >= MAX_KEPT:
            return False
        self._theirs[sender] = now + self._lasts
        return news

    def wrote(self, sender: str) -> None:
        """Their message has come, which says enough."""
        self._theirs.pop(sender, None)

    def begin(self, to: str, now: float) -> bool:
        """We type; gives whether that is to be said now."""
        news = to not in self._ours
        if news and len(self._ours) >= MAX_KEPT:
            return True
        self._ours[to] = _Ours(self._ours[to].again if not news else now + self._again, now + self._most)
        return news

    def end(self, to: str) -> None:
        """We have stopped, or written."""
        self._ours.pop(to, None)

    def next_deadline(self) -> float | None:
        """When `tick` has something to do."""
        times = [*self._theirs.values(), *(each.again for each in self._ours.values())]
        return min(times, default=None)

    def tick(self, now: float) -> tuple[list[str], list[str]]:
        """Gives who has stopped, and to whom it is to be said once more that we type."""
        stopped = [who for who, until in self._theirs.items() if until <= now]
        for who in stopped:
            del self._theirs[who]
        say: list[str] = []
        for to, ours in list(self._ours.items()):
            if ours.again <= now:
                if ours.until <= now:
                    del self._ours[to]
                else:
                    ours.again = now + self._again
                    say.append(to)
        return stopped, say

    def clear(self) -> list[str]:
        """All is over; gives who was said to type."""
        theirs = list(self._theirs)
        self._theirs.clear()
        self._ours.clear()
        return theirs
