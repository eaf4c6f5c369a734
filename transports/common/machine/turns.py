"""Whose turn it is: budgets of a network and of each of its servers, and who waits for them."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

from attrs import field, frozen, validators

T = TypeVar("T", bound=Hashable)
MAX_SERVERS = 4096
"""Of so many servers the budget is remembered; beyond it, the one that was used the longest ago is forgotten."""


@frozen(kw_only=True)
class Rates:
    """How often something may be done, times a second; `math.inf`: as often as anybody wants.

    Attributes:
        network: on all servers of the network together.
        server: on each of them.
    """

    network: float = field(default=math.inf, validator=validators.gt(0.0))
    server: float = field(default=math.inf, validator=validators.gt(0.0))

    @property
    def unlimited(self) -> bool:
        """Whether nothing ever waits."""
        return math.isinf(self.network) and math.isinf(self.server)


class Budget:
    """So many times a second, with what was not used in the last second on top (the virtual scheduling form of GCRA).

    Args:
        rate: times a second.
    """

    __slots__ = ("_burst", "_gap", "ready_at")

    def __init__(self, rate: float) -> None:
        self._gap = 1.0 / rate
        self._burst = 0.0 if math.isinf(rate) else max(0.0, 1.0 - self._gap)
        self.ready_at = -math.inf

    def take(self, now: float) -> None:
        """It was done once."""
        self.ready_at = max(self.ready_at, now - self._burst) + self._gap


class Turns(Generic[T]):
    """Who waits for a turn. Those of one server keep their order; servers take turns, so that none holds up another.

    Args:
        rates: the budgets.
    """

    __slots__ = ("_budgets", "_network", "_queues", "_rate", "_where")

    def __init__(self, rates: Rates) -> None:
        self._network = Budget(rates.network)
        self._rate = rates.server
        self._budgets: OrderedDict[str, Budget] = OrderedDict()
        self._queues: OrderedDict[str, OrderedDict[T, None]] = OrderedDict()
        self._where: dict[T, str] = {}

    def __len__(self) -> int:
        return len(self._where)

    def __contains__(self, item: T) -> bool:
        return item in self._where

    def __iter__(self) -> Iterator[T]:
        return iter(list(self._where))

    def add(self, server: str, item: T) -> None:
        """Somebody waits for a turn on a server (``host:port``). Who waits already keeps their place."""
        if item not in self._where:
            self._where[item] = server
            self._queues.setdefault(server, OrderedDict())[item] = None

    def discard(self, item: T) -> None:
        """Somebody does not want a turn any more."""
        server = self._where.pop(item, None)
        if server is not None:
            queue = self._queues[server]
            del queue[item]
            if not queue:
                del self._queues[server]

    def clear(self) -> None:
        """Nobody wants a turn any more."""
        self._where.clear()
        self._queues.clear()

    def next(self, now: float) -> T | None:
        """Takes out whose turn it is, and counts it; None when it is nobody's yet."""
        if self._network.ready_at > now:
            return None
        for server, queue in self._queues.items():
            budget = self._budget(server)
            if budget.ready_at <= now:
                item = next(iter(queue))
                self.discard(item)
                if server in self._queues:
                    self._queues.move_to_end(server)
                self._network.take(now)
                budget.take(now)
                return item
        return None

    def next_deadline(self) -> float | None:
        """When it may be somebody's turn; None when nobody waits."""
        if not self._queues:
            return None
        return max(self._network.ready_at, min(self._budget(server).ready_at for server in self._queues))

    def _budget(self, server: str) -> Budget:
        budget = self._budgets.get(server)
        if budget is None:
            budget = self._budgets[server] = Budget(self._rate)
            if len(self._budgets) > MAX_SERVERS:
                self._budgets.popitem(last=False)
        else:
            self._budgets.move_to_end(server)
        return budget
