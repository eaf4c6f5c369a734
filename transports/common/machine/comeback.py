"""When an account that was lost comes back, and when it does not."""

from __future__ import annotations

import random

from attrs import Attribute, field, frozen, validators

from transports.common.machine.backoff import Backoff, Retreat


def _positive(_: object, attribute: Attribute[float], value: float) -> None:
    if not value > 0:
        raise ValueError(f"{attribute.name}: {value} is not positive")


@frozen(kw_only=True)
class ComebackTimes:
    """Times in seconds.

    Attributes:
        backoff_base, backoff_cap: the n-th attempt waits a random time up to min(cap, base * 2^n).
        stable_after: up for so long, the count of attempts begins anew.
        elsewhere_wait: after another client took the name, so long until we take it back; twice as long each further
            time, up to elsewhere_cap; at most elsewhere_times times, unless we had it for elsewhere_cap in between.
            0: never.
    """

    backoff_base: float = field(default=2.0, validator=_positive)
    backoff_cap: float = field(default=300.0, validator=_positive)
    stable_after: float = field(default=60.0, validator=_positive)
    elsewhere_wait: float = field(default=300.0, validator=validators.ge(0))
    elsewhere_cap: float = field(default=14_400.0, validator=_positive)
    elsewhere_times: int = field(default=5, validator=validators.ge(0))


class Comeback:
    """Decides when a session signs on again by itself. Its session tells it of each beginning and end.

    Args:
        times: how long it waits.
        rng: the jitter, so that many accounts that were lost together do not come back together.

    Attributes:
        attempt_at: when the next attempt is due; None when there will be none of itself.
    """

    __slots__ = ("_backoff", "_retreat", "_stable_after", "_up_since", "attempt_at")

    def __init__(self, times: ComebackTimes, rng: random.Random) -> None:
        self._backoff = Backoff(times.backoff_base, times.backoff_cap, rng)
        self._retreat = Retreat(times.elsewhere_wait, times.elsewhere_cap, times.elsewhere_times, rng)
        self._stable_after = times.stable_after
        self._up_since: float | None = None
        self.attempt_at: float | None = None

    def due(self, now: float) -> bool:
        """Whether it is time for the next attempt."""
        return self.attempt_at is not None and self.attempt_at <= now

    def reset(self) -> None:
        """People have decided anew: begin from the beginning."""
        self._backoff.reset()
        self._retreat.reset()

    def begun(self) -> None:
        """An attempt begins."""
        self.attempt_at = None

    def up(self, now: float) -> None:
        """The account is signed on."""
        self._up_since = now

    def ended(self, now: float) -> float:
        """The sign-on has ended, and nothing is tried again of itself. Gives for how many seconds it was up."""
        kept = 0.0 if self._up_since is None else now - self._up_since
        if kept >= self._stable_after:
            self._backoff.reset()
        self._up_since = self.attempt_at = None
        return kept

    def lost(self, now: float, at_least: float = 0.0) -> float:
        """The sign-on has ended for a reason that passes. Gives the seconds until the next attempt.

        `at_least`: the server wants to be left alone for so long.
        """
        self.ended(now)
        wait = self._backoff.next(at_least)
        self.attempt_at = now + wait
        return wait

    def elsewhere(self, now: float) -> float | None:
        """Another client has the name. Gives the seconds until it is taken back; None: it is left to the other."""
        pause = self._retreat.next(self.ended(now))
        if pause is not None:
            self.attempt_at = now + pause
        return pause
