"""How long to wait before the next attempt."""

from __future__ import annotations

import random

LEAST_WAIT = 0.5
"""Seconds between two attempts at the very least."""


class Backoff:
    """Exponential backoff with full jitter, so that many accounts that were lost together do not come back together.

    Args:
        base: the ceiling of the first wait, seconds; it doubles with each attempt.
        cap: the highest ceiling.
        rng: the jitter.
    """

    __slots__ = ("_attempts", "_base", "_cap", "_rng")

    def __init__(self, base: float, cap: float, rng: random.Random) -> None:
        self._base = base
        self._cap = cap
        self._rng = rng
        self._attempts = 0

    def reset(self) -> None:
        """All is well: begin anew."""
        self._attempts = 0

    def next(self, at_least: float = 0.0) -> float:
        """The next wait, seconds. `at_least`: the server wants to be left alone for so long."""
        ceiling = min(self._cap, self._base * 2.0 ** min(self._attempts, 32))
        self._attempts += 1
        if at_least:
            return at_least * self._rng.uniform(1.0, 1.5)
        return self._rng.uniform(min(LEAST_WAIT, ceiling), ceiling)
