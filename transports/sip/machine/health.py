"""Which servers are passed over, and for how long (RFC 3263 section 4.3, RFC 3261 section 21.5.4)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from math import inf
from typing import Literal, TypeAlias

from transports.sip.machine.flow import Target

State: TypeAlias = Literal["unknown", "up", "down"]
MOST = 4096
LONGEST_RETRY_AFTER = 3600.0


class Condition:
    """What is known of one target."""

    __slots__ = ("reason", "since", "state", "until")

    def __init__(self, now: float) -> None:
        self.state: State = "unknown"
        self.since = now
        self.until = 0.0
        """When it is tried again; infinity: when it answers a ping."""
        self.reason = ""


class Health:
    """The condition of targets; of as many as there is room for, the one that was heard of longest ago is forgotten.

    Args:
        hold_off: seconds for which one that did not answer is passed over, where no ping asks for it.
    """

    def __init__(self, hold_off: float) -> None:
        self._hold_off = hold_off
        self._conditions: OrderedDict[Target, Condition] = OrderedDict()
        self._pinged: set[Target] = set()

    def of(self, target: Target, now: float) -> Condition:
        """Returns what is known of a target."""
        return self._conditions.get(target) or Condition(now)

    def usable(self, target: Target, now: float) -> bool:
        """Whether a request may go there."""
        condition = self._conditions.get(target)
        return condition is None or condition.until <= now

    def answered(self, target: Target, now: float) -> bool:
        """It is there. Returns whether that is news."""
        condition = self._enter(target, now)
        before, condition.until = condition.state, 0.0
        self._change(condition, "up", "", now)
        return before != "up"

    def failed(self, target: Target, reason: str, now: float) -> bool:
        """It does not answer. Returns whether that is news."""
        condition = self._enter(target, now)
        before = condition.state
        condition.until = inf if target in self._pinged else now + self._hold_off
        self._change(condition, "down", reason, now)
        return before != "down"

    def busy(self, target: Target, seconds: float, now: float) -> None:
        """It asked to be left alone for a time (503 with Retry-After). That it is there is known all the same."""
        condition = self._enter(target, now)
        condition.until = now + seconds
        self._change(condition, "up", f"busy for {seconds:.0f} s", now)

    def ping(self, before: Iterable[Target], after: Iterable[Target], now: float) -> None:
        """Takes which targets of one server are asked all the time now, so that their answer is waited for."""
        left = set(before) - set(after)
        self._pinged -= left
        self._pinged |= set(after)
        for target in left:
            condition = self._conditions.get(target)
            if condition is not None and condition.until == inf:  # nobody asks for it any more
                condition.until = now + self._hold_off

    def _enter(self, target: Target, now: float) -> Condition:
        condition = self._conditions.get(target)
        if condition is None:
            condition = self._conditions[target] = Condition(now)
            if len(self._conditions) > MOST:
                self._conditions.popitem(last=False)
        self._conditions.move_to_end(target)
        return condition

    @staticmethod
    def _change(condition: Condition, state: State, reason: str, now: float) -> None:
        if condition.state != state:
            condition.state, condition.since = state, now
        condition.reason = reason
