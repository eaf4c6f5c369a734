"""Expiry of very many things at once: buckets of a second, one timer each, and no cost for a refresh."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable
from math import ceil
from typing import Generic, Protocol, TypeVar

from bridge.model.sharded import Sharded
from transports.sip.machine.timers import TimerQueue

K = TypeVar("K", bound=Hashable)


SLICE = 250
"""So many are looked at in one go: some milliseconds. What ran out in the same moment follows a millisecond later."""
_SWEEP_AT = 64


class Bucket(Generic[K]):
    """Keys that are to be looked at in one second. ``gone``: how many of them are here no more, or elsewhere."""

    __slots__ = ("gone", "keys", "second")

    def __init__(self, second: int) -> None:
        self.second = second
        self.keys: list[K] = []
        self.gone = 0


class Plans(Protocol[K]):
    """In which bucket each key is. A table does; an owner of the keys may keep it with what has them."""

    def get(self, key: K, /) -> Bucket[K] | None:
        """The bucket of a key, or None."""

    def pop(self, key: K, default: None, /) -> Bucket[K] | None:
        """Takes a key out and returns its bucket, or None."""

    def __setitem__(self, key: K, bucket: Bucket[K], /) -> None: ...


class Expiries(Generic[K]):
    """Calls back about keys whose time has come.

    A refresh need not be told to it: the callback looks at the true deadline and returns it where it lies ahead, or
    None where the key is done with. Each key is looked at once per deadline, whatever was added.

    Args:
        queue: for its timers.
        check: the callback.
        plans: where it is kept what each key waits for; None: in a table here.
    """

    __slots__ = ("_buckets", "_check", "_drained_at", "_late", "_queue", "_waits", "_when")

    def __init__(
        self, queue: TimerQueue, check: Callable[[K, float], float | None], plans: Plans[K] | None = None
    ) -> None:
        self._queue = queue
        self._check = check
        self._buckets: dict[int, Bucket[K]] = {}
        self._when: Plans[K] = Sharded() if plans is None else plans
        self._late: deque[Bucket[K]] = deque()
        self._drained_at: float | None = None
        self._waits = False

    def __len__(self) -> int:
        return sum(len(bucket.keys) - bucket.gone for bucket in (*self._buckets.values(), *self._late))

    def add(self, key: K, deadline: float, now: float) -> None:
        """Has ``key`` looked at when ``deadline`` has passed, within a second, unless it is to be sooner already."""
        second = ceil(deadline)
        planned = self._when.get(key)
        if planned is not None:
            if planned.second <= second:
                return
            self._leave(planned)
        bucket = self._buckets.get(second)
        if bucket is None:
            bucket = self._buckets[second] = Bucket(second)
            self._queue.after(now, max(second - now, 0.0), lambda at: self._fire(second, at))
        self._when[key] = bucket
        bucket.keys.append(key)

    def discard(self, key: K) -> None:
        """Forgets a key that is done with before its time: one who opens and closes all day leaves nothing behind."""
        planned = self._when.pop(key, None)
        if planned is not None:
            self._leave(planned)

    def _leave(self, bucket: Bucket[K]) -> None:
        """A key of a bucket is there no more. Those are swept out when they are the greater part."""
        bucket.gone += 1
        if bucket.gone > _SWEEP_AT and bucket.gone * 2 > len(bucket.keys):
            when = self._when
            bucket.keys = [key for key in dict.fromkeys(bucket.keys) if when.get(key) is bucket]
            bucket.gone = 0

    def _fire(self, second: int, now: float) -> None:
        self._late.append(self._buckets.pop(second))
        if now != self._drained_at:
            self._drain(now)
        elif self._late:
            self._wait(now)

    def _wait(self, now: float) -> None:
        if not self._waits:
            self._waits = True
            self._queue.after(now, 0.001, self._resume)

    def _resume(self, now: float) -> None:
        self._waits = False
        self._drain(now)

    def _drain(self, now: float) -> None:
        self._drained_at = now
        left = SLICE
        while left and self._late:
            bucket = self._late[0]
            if not bucket.keys:
                self._late.popleft()
                continue
            left -= 1
            key = bucket.keys.pop()
            if self._when.get(key) is not bucket:
                bucket.gone -= 1
                continue
            self._when.pop(key, None)
            deadline = self._check(key, now)
            if deadline is not None:
                self.add(key, max(deadline, now + 0.001), now)
        if self._late:
            self._wait(now)
