"""Expiry of very many things at once: buckets of a second, one timer each, and no cost for a refresh."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from math import ceil
from typing import Generic, TypeVar

from transports.sip.machine.timers import TimerQueue

K = TypeVar("K", bound=Hashable)


class Expiries(Generic[K]):
    """Calls back about keys whose time has come.

    A refresh need not be told to it: the callback looks at the true deadline and returns it where it lies ahead, or
    None where the key is done with. Each key is looked at once per deadline, whatever was added.
    """

    __slots__ = ("_buckets", "_check", "_queue", "_when")

    def __init__(self, queue: TimerQueue, check: Callable[[K, float], float | None]) -> None:
        self._queue = queue
        self._check = check
        self._buckets: dict[int, set[K]] = {}
        self._when: dict[K, int] = {}

    def __len__(self) -> int:
        return len(self._when)

    def add(self, key: K, deadline: float, now: float) -> None:
        """Has ``key`` looked at when ``deadline`` has passed, within a second, unless it is to be sooner already."""
        second = ceil(deadline)
        planned = self._when.get(key)
        if planned is not None:
            if planned <= second:
                return
            self._buckets[planned].discard(key)
        self._when[key] = second
        bucket = self._buckets.get(second)
        if bucket is None:
            bucket = self._buckets[second] = set()
            self._queue.after(now, max(second - now, 0.0), lambda at: self._fire(second, at))
        bucket.add(key)

    def discard(self, key: K) -> None:
        """Forgets a key that is done with before its time: one who opens and closes all day leaves nothing behind."""
        planned = self._when.pop(key, None)
        bucket = None if planned is None else self._buckets.get(planned)
        if bucket is not None:
            bucket.discard(key)

    def _fire(self, second: int, now: float) -> None:
        for key in self._buckets.pop(second, ()):
            if self._when.pop(key, None) is None:
                continue  # what came before it in this second has ended it
            deadline = self._check(key, now)
            if deadline is not None:
                self.add(key, max(deadline, now + 0.001), now)
