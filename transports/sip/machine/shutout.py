"""Finds the subscriptions of those who are shut out, some at a time: there may be very many of others."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from transports.sip.machine.dialogs import Subscription
from transports.sip.machine.timers import TimerQueue

LOOKED_AT = 5000
"""Subscriptions that are looked at in one go: a millisecond. The rest follows a millisecond later."""


class ShutOut:
    """Looks for subscriptions by their watchers. One look at all there are is for all who are shut out meanwhile.

    Args:
        queue: for the rest of a look.
        known: all subscriptions, by their ids.
        found: told of each one that is found, with the reason for which its watcher is shut out, and the time.
    """

    __slots__ = ("_found", "_ids", "_known", "_next", "_now_out", "_queue")

    def __init__(
        self, queue: TimerQueue, known: Mapping[str, Subscription], found: Callable[[Subscription, str, float], None]
    ) -> None:
        self._queue = queue
        self._known = known
        self._found = found
        self._next: dict[str, str] = {}
        """Whom the next look is for, each with a reason."""
        self._now_out: dict[str, str] = {}
        """Whom this one is for."""
        self._ids: list[str] = []
        """What is still to be looked at."""

    def add(self, watcher: str, reason: str, now: float) -> None:
        """Has the subscriptions found that a watcher has now: at once where there are few in all."""
        self._next[watcher] = reason
        if not self._ids:
            self._begin(now)

    def _begin(self, now: float) -> None:
        self._now_out, self._next = self._next, {}
        self._ids = list(self._known)
        self._look(now)

    def _look(self, now: float) -> None:
        for name in self._ids[-LOOKED_AT:]:
            subscription = self._known.get(name)
            reason = None if subscription is None else self._now_out.get(subscription.watcher)
            if subscription is not None and reason is not None:
                self._found(subscription, reason, now)
        del self._ids[-LOOKED_AT:]
        if self._ids:
            self._queue.after(now, 0.001, self._look)
        elif self._next:
            self._queue.after(now, 0.001, self._again)

    def _again(self, now: float) -> None:
        if not self._ids:  # else one who was shut out meanwhile has begun it
            self._begin(now)
