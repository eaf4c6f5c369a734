"""Lines on their way out, at a pace that the server never has to punish (flood control, RFC 2813 section 5.8)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from attrs import define


class Bucket:
    """A token bucket: `burst` at once, then `rate` a second. What must go at once may leave it in debt.

    Args:
        rate: tokens a second.
        burst: the most tokens.
        now: the time, seconds.
    """

    __slots__ = ("_at", "_burst", "_rate", "_tokens")

    def __init__(self, rate: float, burst: int, now: float) -> None:
        self._rate = rate
        self._burst = float(burst)
        self._tokens = float(burst)
        self._at = now

    def tokens(self, now: float) -> float:
        """How many there are."""
        if now > self._at:
            self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
            self._at = now
        return self._tokens

    def take(self, now: float) -> None:
        """One is used, whether it is there or not; the debt has a floor, or a server's PINGs would silence us."""
        self._tokens = max(-self._burst, self.tokens(now) - 1.0)

    def ready_at(self) -> float:
        """From when on there is one."""
        return self._at + max(0.0, 1.0 - self._tokens) / self._rate


@define(eq=False)
class Item:
    """A line that waits. `on_sent` gets the time; `on_dropped` is told that it will not go."""

    data: bytes
    on_sent: Callable[[float], None] | None = None
    on_dropped: Callable[[bool], None] | None = None
    """Gets whether it has expired; otherwise the connection is gone."""
    deadline: float | None = None


_EPSILON = 1e-6


class Outbox:
    """What waits, in two orders: messages and what belongs to them, and behind them questions that can wait.

    Args:
        rate, burst: see `Bucket`.
        limit: how many lines may wait in each order.
    """

    __slots__ = ("_bucket", "_buffer", "_burst", "_items", "_later", "_limit", "_rate")

    def __init__(self, rate: float, burst: int, limit: int) -> None:
        self._rate = rate
        self._burst = burst
        self._limit = limit
        self._bucket = Bucket(rate, burst, 0.0)
        self._buffer: list[bytes] = []
        self._items: deque[Item] = deque()
        self._later: deque[Item] = deque()

    def begin(self, now: float) -> None:
        """A new connection: nothing is owed on it."""
        self._bucket = Bucket(self._rate, self._burst, now)
        self._buffer.clear()

    def refill(self, now: float) -> None:
        """The sign-on is over: servers do not count its lines."""
        self._bucket = Bucket(self._rate, self._burst, now)

    @property
    def waiting(self) -> int:
        """How many lines wait."""
        return len(self._items) + len(self._later)

    def send_now(self, data: bytes, now: float) -> None:
        """Sends what may not wait: answers to PING, the sign-on, QUIT."""
        self._bucket.take(now)
        self._buffer.append(data)

    def add(self, item: Item, now: float) -> bool:
        """Sends a line in its turn. False where too many wait."""
        if len(self._items) >= self._limit:
            return False
        self._items.append(item)
        self.flush(now)
        return True

    def add_later(self, data: bytes, now: float) -> bool:
        """Sends a line when nothing else waits. False where too many wait."""
        if len(self._later) >= self._limit:
            return False
        self._later.append(Item(data))
        self.flush(now)
        return True

    def may_go(self, now: float) -> bool:
        """Whether a line would go at once, with something to spare for a message."""
        return not self._items and self._bucket.tokens(now) >= 1.0 + min(1.0, self._burst / 2)

    def flush(self, now: float) -> None:
        """Moves out whatever may go now."""
        self._expire(now)
        while (self._items or self._later) and self._bucket.tokens(now) >= 1.0 - _EPSILON:
            item = (self._items or self._later).popleft()
            if item.deadline is not None and item.deadline <= now:
                self._drop(item, expired=True)
                continue
            self._bucket.take(now)
            self._buffer.append(item.data)
            if item.on_sent is not None:
                item.on_sent(now)

    def _expire(self, now: float) -> None:
        expired = [item for item in self._items if item.deadline is not None and item.deadline <= now]
        if expired:
            self._items = deque(item for item in self._items if item not in expired)
            for item in expired:
                self._drop(item, expired=True)

    def _drop(self, item: Item, *, expired: bool) -> None:
        if item.on_dropped is not None:
            item.on_dropped(expired)

    def take(self) -> bytes:
        """What is to be written now."""
        data = b"".join(self._buffer)
        self._buffer.clear()
        return data

    def next_deadline(self) -> float | None:
        """When there is something to do."""
        if not self._items and not self._later:
            return None
        times = [self._bucket.ready_at()]
        times += [item.deadline for item in self._items if item.deadline is not None]
        return min(times)

    def lost(self) -> None:
        """The connection is gone: what waited certainly did not go."""
        items, self._items = self._items, deque()
        self._later.clear()
        for item in items:
            self._drop(item, expired=False)
