"""How fast we may go: servers punish who asks too often, and do not say beforehand what that is."""

from __future__ import annotations


class Bucket:
    """A token bucket.

    Args:
        rate: tokens that grow in a second.
        burst: the most that it holds.
    """

    __slots__ = ("_at", "_burst", "_level", "_rate")

    def __init__(self, rate: float, burst: float) -> None:
        self._rate = rate
        self._burst = float(burst)
        self._level = self._burst
        self._at: float | None = None

    def _grow(self, now: float) -> None:
        if self._at is not None:
            self._level = min(self._burst, self._level + max(0.0, now - self._at) * self._rate)
        self._at = now

    def take(self, now: float) -> bool:
        """Takes a token, where there is one."""
        self._grow(now)
        # what a sum of floats leaves out is not worth another round of the timer
        if self._level < 1.0 - 1e-6:
            return False
        self._level -= 1.0
        return True

    def ready_at(self, now: float) -> float:
        """From when on there is a token."""
        self._grow(now)
        return now + max(0.0, 1.0 - self._level) / self._rate

    def empty(self) -> None:
        """The server says that we are too fast: begin from nothing."""
        self._level = 0.0
