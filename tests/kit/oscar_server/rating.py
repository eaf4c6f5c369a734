"""Rate classes as AOL kept them: a moving average for each class of a session, warnings, limits, the end.

The numbers are those that AOL's servers told their clients: five classes; class 3, in which messages count, has a
window of 20 and a limit of 4 seconds on average.
"""

from __future__ import annotations

from enum import Enum

from attrs import define, evolve, frozen

from transports.oscar.wire.rates import RateClass, RateMembers


class Status(Enum):
    """What a class is in."""

    CLEAR = "clear"
    ALERT = "alert"
    LIMITED = "limited"
    DISCONNECT = "disconnect"


@frozen(kw_only=True)
class Profile:
    """A set of classes, which SNAC counts towards which, and whether that is enforced."""

    name: str
    classes: tuple[RateClass, ...]
    members: tuple[RateMembers, ...]
    enforced: bool


def _rate(number: int, window: int, clear: int, alert: int, limit: int, disconnect: int, maximum: int) -> RateClass:
    return RateClass(
        id=number, window=window, clear=clear, alert=alert, limit=limit, disconnect=disconnect,
        current=maximum, maximum=maximum,
    )  # fmt: skip


_AOL_CLASSES = (
    _rate(1, 80, 2500, 2000, 1500, 800, 6000),
    _rate(2, 80, 3000, 2000, 1500, 1000, 6000),
    _rate(3, 20, 5100, 5000, 4000, 3000, 6000),
    _rate(4, 20, 5500, 5300, 4200, 3000, 8000),
    _rate(5, 10, 5500, 5300, 4200, 3000, 8000),
)
_HIGHEST_KIND = {
    0x01: 0x25, 0x02: 0x15, 0x03: 0x10, 0x04: 0x17, 0x09: 0x0B, 0x0B: 0x04, 0x13: 0x28, 0x15: 0x03, 0x17: 0x0C,
}  # fmt: skip
_OTHER_CLASS = {
    (0x02, 0x05): 3, (0x02, 0x09): 4, (0x02, 0x0B): 4, (0x03, 0x04): 2, (0x03, 0x05): 2, (0x04, 0x06): 3,
    (0x09, 0x05): 2, (0x09, 0x06): 2, (0x09, 0x07): 2, (0x09, 0x08): 2,
}  # fmt: skip


def _aol_members() -> tuple[RateMembers, ...]:
    lists: dict[int, list[tuple[int, int]]] = {rate.id: [] for rate in _AOL_CLASSES}
    for group, highest in _HIGHEST_KIND.items():
        for kind in range(1, highest + 1):
            lists[_OTHER_CLASS.get((group, kind), 1)].append((group, kind))
    return tuple(RateMembers(class_id=number, members=tuple(pairs)) for number, pairs in lists.items())


AOL = Profile(name="aol", classes=_AOL_CLASSES, members=_aol_members(), enforced=True)
# to be below zero is impossible, and nothing counts towards the class: a client has nothing to wait for
_FREE = _rate(1, 20, 0, 0, 0, 0, 6000)
WIDE = Profile(name="wide", classes=(_FREE,), members=(RateMembers(class_id=1, members=()),), enforced=False)
PROFILES = {profile.name: profile for profile in (AOL, WIDE)}


@define(eq=False)
class Meter:
    """One class of one session; levels are whole milliseconds, cut off as AOL's were."""

    rate: RateClass
    level: int
    last: float
    status: Status = Status.CLEAR
    subscribed: bool = False
    lowest: int = 0

    def judged(self, now: float) -> tuple[int, Status]:
        """The level and the status if a SNAC came now."""
        rate = self.rate
        elapsed = max(0, int((now - self.last) * 1000))
        level = min(rate.maximum, (self.level * (rate.window - 1) + elapsed) // rate.window)
        if level < rate.disconnect:
            return level, Status.DISCONNECT
        if self.status is Status.LIMITED:
            return level, Status.CLEAR if level >= rate.clear else Status.LIMITED
        if level < rate.limit:
            return level, Status.LIMITED
        return level, Status.ALERT if level < rate.alert else Status.CLEAR

    def told(self, now: float, *, extended: bool) -> RateClass:
        """The class as a client is told of it; `extended` from version 2 of food group 01 on."""
        elapsed = max(0, int((now - self.last) * 1000)) if extended else None
        dropping = int(self.status is Status.LIMITED) if extended else None
        return evolve(self.rate, current=self.level, elapsed=elapsed, dropping=dropping)


class Rating:
    """All classes of one session. Times are seconds."""

    def __init__(self, profile: Profile, now: float) -> None:
        self._enforced = profile.enforced
        self.meters = {
            rate.id: Meter(rate=rate, level=rate.maximum, last=now, lowest=rate.maximum) for rate in profile.classes
        }
        self._members = {pair: self.meters[each.class_id] for each in profile.members for pair in each.members}

    def count(self, group: int, kind: int, now: float) -> tuple[Meter | None, bool]:
        """A SNAC has come. Gives its class, if it has one and rates are enforced, and whether the status changed.

        A SNAC that is going to be dropped counts as well, as AOL had it: who does not stop is not let in again.
        """
        if not self._enforced:
            return None, False
        meter = self._members.get((group, kind))
        if meter is None:
            return None, False
        before = meter.status
        meter.level, meter.status = meter.judged(now)
        meter.last = now
        meter.lowest = min(meter.lowest, meter.level)
        return meter, meter.status is not before

    def recovered(self, now: float) -> list[Meter]:
        """The classes that have become clear by the passing of time alone."""
        changed = []
        for meter in self.meters.values():
            if meter.status not in {Status.LIMITED, Status.ALERT}:
                continue
            level, status = meter.judged(now)
            if status is Status.CLEAR:
                meter.level, meter.status, meter.last = level, status, now
                changed.append(meter)
        return changed

    def subscribe(self, class_ids: tuple[int, ...], *, wanted: bool) -> None:
        """01/08 and 01/09: which classes' changes are told."""
        for number in class_ids:
            meter = self.meters.get(number)
            if meter is not None:
                meter.subscribed = wanted
