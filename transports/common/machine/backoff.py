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


class Retreat:
    """How long to leave a name to the client that took it from us, and when to leave it for good.

    To sign on again is to throw the other client out, and it may do the same: so each pause is longer than the one
    before, and there is a last one.

    Args:
        first: the first pause, seconds; it doubles each time. 0: the name is left for good at once.
        cap: the longest pause.
        times: how often a name is taken back at most, until all has been well for `cap` seconds.
        rng: for the jitter: a quarter more at most, never less.
    """

    __slots__ = ("_cap", "_first", "_rng", "_taken", "_times")

    def __init__(self, first: float, cap: float, times: int, rng: random.Random) -> None:
        self._first = first
        self._cap = max(cap, first)
        self._times = times
        self._rng = rng
        self._taken = 0

    def reset(self) -> None:
        """People have decided anew: begin from the beginning."""
        self._taken = 0

    def next(self, kept: float) -> float | None:
        """The pause, seconds; None: no more. `kept`: for how long we had the name before it was taken."""
        if kept >= self._cap:
            self._taken = 0
        if not self._first or self._taken >= self._times:
            return None
        pause = min(self._cap, self._first * 2.0 ** min(self._taken, 32))
        self._taken += 1
        return pause * self._rng.uniform(1.0, 1.25)
