"""What goes out, in order and no faster than the network bears."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable

from attrs import define


class Pace:
    """So many a second, and so many at once (the virtual scheduling form of GCRA).

    Args:
        rate: a second.
        burst: at once, at least 1.
    """

    __slots__ = ("_gap", "_tolerance", "ready_at")

    def __init__(self, rate: float, burst: int) -> None:
        self._gap = 1.0 / rate
        self._tolerance = self._gap * (burst - 1)
        self.ready_at = -math.inf

    def may(self, now: float) -> bool:
        """Whether one may go."""
        return self.ready_at <= now

    def take(self, now: float) -> None:
        """One goes."""
        self.ready_at = max(self.ready_at, now - self._tolerance) + self._gap


@define(eq=False)
class Item:
    """Something that waits for its turn; one of its three ends is called, once.

    Attributes:
        write: it is its turn; takes the time.
        lost: the connection is gone.
        expired: its deadline has passed.
        deadline: after which it is not to go any more.
    """

    write: Callable[[float], None]
    lost: Callable[[], None]
    expired: Callable[[], None]
    deadline: float


class Outbox:
    """One account's queue.

    Args:
        pace: how fast it empties.
        limit: how many items it holds.
    """

    __slots__ = ("_limit", "_pace", "_waiting")

    def __init__(self, pace: Pace, limit: int) -> None:
        self._pace = pace
        self._limit = limit
        self._waiting: deque[Item] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def full(self) -> bool:
        """Whether nothing more may wait."""
        return len(self._waiting) >= self._limit

    def idle(self, now: float) -> bool:
        """Whether what came now would go at once."""
        return not self._waiting and self._pace.may(now)

    def submit(self, item: Item, now: float) -> None:
        """Send an item, now or in its turn."""
        self._waiting.append(item)
        self.flush(now)

    def flush(self, now: float) -> None:
        """Send what may go, and drop what is too late for it."""
        while self._waiting:
            item = self._waiting[0]
            if item.deadline <= now:
                self._waiting.popleft()
                item.expired()
            elif self._pace.may(now):
                self._waiting.popleft()
                self._pace.take(now)
                item.write(now)
            else:
                return

    def next_deadline(self) -> float | None:
        """When `flush` has something to do."""
        if not self._waiting:
            return None
        return min(self._pace.ready_at, self._waiting[0].deadline)

    def lose(self) -> None:
        """The connection is gone, and with it what waited."""
        waiting, self._waiting = self._waiting, deque()
        for item in waiting:
            item.lost()
