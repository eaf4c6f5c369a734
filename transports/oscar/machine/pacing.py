"""Our copy of the server's rate bookkeeping: when a SNAC may go without bringing a class to its threshold."""

from __future__ import annotations

import math

from transports.oscar.wire.oservice import RATE_CHANGED, RATE_CLEARED, RATE_LIMITED, RATE_WARNING
from transports.oscar.wire.rates import RateClass, RateMembers, next_level, wait_for_level

_SETTLED = 1.0
"""Seconds after which the server has surely counted our last SNAC, so that its level is the better one."""
_MARGIN_SHARE = 0.05
"""The margin is at most this part of the threshold."""


class _Class:
    __slots__ = ("last", "level", "limited", "rate")

    def __init__(self, rate: RateClass, now: float) -> None:
        self.rate = rate
        self.level = min(rate.current, rate.maximum)
        # the server tells the time of the last SNAC in several ways, and some wrongly: now is never too early
        self.last = now
        self.limited = bool(rate.dropping)


class RateTracker:
    """The levels of one connection's classes.

    Args:
        classes: as the server defined them (01/07).
        members: which SNACs count towards which.
        now: the time, seconds.
        margin: how far above the threshold to stay, milliseconds.
    """

    __slots__ = ("_classes", "_margin", "_members")

    def __init__(
        self, classes: tuple[RateClass, ...], members: tuple[RateMembers, ...], now: float, margin: float
    ) -> None:
        self._classes = {rate.id: _Class(rate, now) for rate in classes}
        self._members = {pair: each.class_id for each in members for pair in each.members}
        self._margin = margin

    def class_ids(self) -> tuple[int, ...]:
        """The ids of all classes."""
        return tuple(self._classes)

    def class_of(self, group: int, kind: int) -> int | None:
        """The class that a SNAC counts towards; None when it is free, also where nothing is known of its class."""
        class_id = self._members.get((group, kind))
        return class_id if class_id in self._classes else None

    def level(self, class_id: int) -> int:
        """The predicted level, milliseconds."""
        return self._classes[class_id].level

    def limited(self, class_id: int) -> bool:
        """Whether the server drops this class now."""
        return self._classes[class_id].limited

    def _floor(self, state: _Class) -> float:
        """The level that a send must leave: above the alert or, once limited, above the clear level."""
        rate = state.rate
        wanted = max(rate.clear, rate.alert) if state.limited else rate.alert
        # a class that allows much is not to be slowed down by a margin that is large beside its own threshold
        return min(wanted + min(self._margin, _MARGIN_SHARE * wanted), float(rate.maximum))

    def ready_at(self, class_id: int) -> float:
        """From when on one more SNAC of the class may go, seconds."""
        state = self._classes[class_id]
        return state.last + math.ceil(wait_for_level(state.rate, state.level, self._floor(state))) / 1000.0

    def expected(self, class_id: int, position: int, now: float) -> float:
        """In how many seconds the SNAC behind `position` others of its class should go."""
        state = self._classes[class_id]
        level, last = float(state.level), state.last
        floor = self._floor(state)
        at = now
        for _ in range(min(position + 1, 2 * max(state.rate.window, 1))):
            at = max(at, last + wait_for_level(state.rate, level, floor) / 1000.0)
            level = next_level(state.rate, level, (at - last) * 1000.0)
            last = at
        beyond = position + 1 - 2 * max(state.rate.window, 1)
        return at - now + max(0, beyond) * floor / 1000.0

    def sent(self, class_id: int, now: float) -> None:
        """One SNAC of the class went."""
        state = self._classes[class_id]
        elapsed = max(0.0, now - state.last) * 1000.0
        # servers count in whole milliseconds and cut off: so do we, or we should be the more hopeful
        state.level = int(next_level(state.rate, state.level, math.floor(elapsed)))
        state.last = now

    def change(self, code: int, rate: RateClass, now: float) -> None:
        """The server told of a class (01/0A)."""
        state = self._classes.get(rate.id)
        if state is None:
            if rate.id in self._members.values():  # one that no SNAC belongs to is not worth its memory
                self._classes[rate.id] = _Class(rate, now)
            return
        settled = now - state.last > _SETTLED
        state.rate = rate
        level = min(rate.current, rate.maximum)
        state.level = level if settled else min(level, state.level)
        if settled:
            state.last = now
        if code == RATE_LIMITED:
            state.limited = True
        elif code in {RATE_CLEARED, RATE_WARNING} or (code == RATE_CHANGED and level >= rate.clear):
            state.limited = False
