"""What one account sends: in its turn, in order, each ended exactly once. A time-out is never certain."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Hashable
from typing import Any

from bridge.model.capabilities import SendResult
from transports.common.machine.actions import SendDone
from transports.common.machine.results import failed, link_down, unknown
from transports.common.machine.turns import Budget

_TOO_MANY = "Too many messages wait for the network. It is tried again."
_TOO_LATE = "The message waited too long for its turn and was not sent."
_NO_LINK = "The connection to the network was lost before the message was sent."


class _Item:
    __slots__ = ("done", "expires", "key", "name", "value")

    def __init__(self, value: Any, key: Hashable, name: str, expires: float) -> None:
        self.value = value
        self.key = key
        self.name = name
        self.expires = expires
        self.done = False


class Outbox:
    """The sends of one account while it is signed on.

    Args:
        rate: how many values may be written in a second.
        max_waiting: how many may wait or be without an answer; more are refused, to be tried again.
        queue_timeout: a value without a deadline waits at most so many seconds.
        ack_timeout: after so many seconds without an answer, what became of a value is unknown.
        emit: takes each end.
    """

    __slots__ = (
        "_ack_timeout",
        "_budget",
        "_emit",
        "_expiries",
        "_flights",
        "_max",
        "_queue",
        "_queue_timeout",
        "_serial",
    )

    def __init__(
        self,
        *,
        rate: float,
        max_waiting: int,
        queue_timeout: float,
        ack_timeout: float,
        emit: Callable[[SendDone], None],
    ) -> None:
        self._budget = Budget(rate)
        self._max = max_waiting
        self._queue_timeout = queue_timeout
        self._ack_timeout = ack_timeout
        self._emit = emit
        self._queue: deque[_Item] = deque()
        self._flights: dict[str, _Item] = {}
        self._expiries: list[tuple[float, int, _Item]] = []
        self._serial = 0

    def __len__(self) -> int:
        return len(self._queue)

    def add(self, value: Any, key: Hashable, name: str, now: float, deadline: float | None = None) -> None:
        """Takes a value. `name` is what the network's answer will call it; one is under way at most once."""
        if name in self._flights or any(item.name == name for item in self._queue):
            text = "The message is being sent already."
            self._emit(SendDone(key=key, result=failed("under way already", retryable=True, user_text=text)))
        elif len(self._queue) + len(self._flights) >= self._max:
            reason = f"more than {self._max} wait"
            self._emit(SendDone(key=key, result=failed(reason, retryable=True, user_text=_TOO_MANY)))
        else:
            item = _Item(value, key, name, now + self._queue_timeout if deadline is None else deadline)
            self._queue.append(item)
            self._watch(item, item.expires)

    def _watch(self, item: _Item, until: float) -> None:
        item.expires = until
        self._serial += 1
        heapq.heappush(self._expiries, (until, self._serial, item))

    def next(self, now: float) -> Any | None:
        """Takes out the next value, if it is its turn: it is to be written now."""
        while self._queue and self._queue[0].done:
            self._queue.popleft()
        if not self._queue or self._budget.ready_at > now:
            return None
        item = self._queue.popleft()
        self._budget.take(now)
        self._flights[item.name] = item
        self._watch(item, now + self._ack_timeout)
        return item.value

    def answered(self, name: str, result: SendResult) -> bool:
        """The network has told what became of a value. Gives whether anybody waited for that."""
        item = self._flights.get(name)
        if item is not None:
            self._end(item, result)
        return item is not None

    def _end(self, item: _Item, result: SendResult) -> None:
        item.done = True
        self._flights.pop(item.name, None)
        self._emit(SendDone(key=item.key, result=result))

    def expire(self, now: float) -> None:
        """Ends what has waited too long, for its turn or for its answer."""
        while self._expiries and self._expiries[0][0] <= now:
            at, _, item = heapq.heappop(self._expiries)
            if item.done or item.expires != at:
                continue
            if item.name in self._flights:
                # it may be on its way still: sent again, it could be read twice where the network knows no keys
                self._end(item, unknown("no answer from the server", item.name, retryable=False))
            else:
                self._end(item, failed("expired in the queue", retryable=False, user_text=_TOO_LATE))

    def next_deadline(self) -> float | None:
        """When `next` or `expire` has something to do."""
        while self._expiries and (self._expiries[0][2].done or self._expiries[0][2].expires != self._expiries[0][0]):
            heapq.heappop(self._expiries)
        times = [self._expiries[0][0]] if self._expiries else []
        if any(not item.done for item in self._queue):
            times.append(self._budget.ready_at)
        return min(times, default=None)

    def lost(self) -> None:
        """The connection is gone: what was written is unknown, what waited certainly did not go."""
        for item in [*self._flights.values()]:
            self._end(item, unknown("the connection was lost before an answer came", item.name))
        waiting, self._queue = self._queue, deque()
        for item in waiting:
            if not item.done:
                self._end(item, link_down(_NO_LINK))
        self._expiries.clear()
