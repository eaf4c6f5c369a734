"""How much is done for those who have proved nothing, and for each person (requests a second, in buckets).

What is asked for without proving that one may have it (challenges, broken messages, answers to nothing, copies) is paid
from three buckets: that of the address and port, that of the address, and one of all. When one is empty, what it is of
is not even read for a while: an answer would go to whoever a forged source names. The first keeps one who floods from
shutting out all others behind the same NAT; the last keeps a flood from forged addresses from taking all the time.
Whoever has proved a password from an address and port pays from a bucket of their own, and from no other; and where
that is emptied under their address, by datagrams that somebody forges, what holds a nonce of ours is read all the same:
nonces are for one address, and who forges it does not see them.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from bridge.model.cache import TwoGenerationCache
from transports.sip.machine.config import Limits
from transports.sip.machine.flow import Flow

SHUT = 1.0
"""Seconds for which somebody is shut out the first time; each time within `MEMORY` is twice as long as the last."""
DOUBLINGS = 5
MEMORY = 60.0
_ALL = "*"
_ONE = 0.999
"""A token: times are rounded."""
_NONCE = re.compile(rb'nonce="([^"]{1,128})"')


class Buckets:
    """Token buckets by name, in a table of bounded size. Of each is kept the time at which it is full again.

    Args:
        rate: tokens a second; 0: nothing is counted.
        burst: tokens of a full bucket.
        most: names that are kept. Beyond it those not seen for longest begin anew, with a full one.
    """

    __slots__ = ("_burst", "_period", "_rate", "_table", "_turned")

    def __init__(self, rate: float, burst: float, most: int) -> None:
        self._rate = rate
        self._burst = max(burst, 1.0)
        self._period = self._burst / rate if rate > 0 else 0.0
        """After so many seconds a bucket of which nothing was taken is full, and need not be kept."""
        self._turned = float("-inf")
        self._table: TwoGenerationCache[str, float] = TwoGenerationCache(max(most, 2))

    def __len__(self) -> int:
        return len(self._table)

    def take(self, name: str, now: float) -> float:
        """Takes a token. Returns 0, or the seconds until there is one again: then none was taken."""
        if self._rate <= 0:
            return 0.0
        if now - self._turned > self._period:
            self._turned = now
            self._table.turn()
        full_at = max(self._table.get(name) or now, now)
        level = self._burst - (full_at - now) * self._rate
        if level >= _ONE:
            self._table.put(name, full_at + 1 / self._rate)
            return 0.0
        return (1 - level) / self._rate

    def give(self, name: str, tokens: float) -> None:
        """Gives tokens back to a name that is known."""
        full_at = self._table.get(name)
        if full_at is not None:
            self._table.put(name, full_at - tokens / self._rate)


class Guard:
    """Shuts out who asks for too much.

    Args:
        limits: rates and sizes.
        issued: whether a nonce is one that we made for an address.
    """

    __slots__ = (
        "_all",
        "_flows",
        "_issued",
        "_most",
        "_persons",
        "_proven",
        "_sources",
        "_strikes",
        "_told",
        "_vouched",
        "changed",
        "shut",
        "trusted",
        "turned_away",
    )

    def __init__(self, limits: Limits, issued: Callable[[str, str], bool]) -> None:
        self._issued = issued
        self._vouched = Buckets(limits.source_rate, limits.source_burst, limits.sources)
        self._most = limits.sources
        self._flows = Buckets(limits.flow_rate, limits.flow_burst, limits.sources)
        self._sources = Buckets(limits.source_rate, limits.source_burst, limits.sources)
        self._all = Buckets(limits.unproven_rate, limits.unproven_burst, 1)
        self._persons = Buckets(limits.person_rate, limits.person_burst, limits.sources)
        self._proven: TwoGenerationCache[str, bool] = TwoGenerationCache(max(limits.sources, 2))
        self._told: set[str] = set()
        self._strikes: dict[str, tuple[int, float]] = {}
        self.shut: dict[str, float] = {}
        """Until when, by address or flow. While nobody is shut out, this is all that a message costs here."""
        self.trusted: Callable[[Flow], bool] | None = None
        """Whether a flow is a trusted peer's: all who are behind it come from its address. Set by the owner."""
        self.changed = False
        """Whether somebody was shut out since this was set to False."""
        self.turned_away = 0
        """Datagrams and connections that were not looked at."""

    def __len__(self) -> int:
        kept = (self._flows, self._sources, self._vouched, self._persons, self._proven, self._strikes, self.shut)
        return sum(len(table) for table in kept)

    def proved(self, flow: Flow) -> None:
        """Somebody has proved by a flow who they are. A challenge went before, most often: it costs nothing."""
        key = flow.key
        if not self._proven.get(key):
            self._proven.put(key, True)
            self._sources.give(flow.prefix, 2.0)
        self._sources.give(key, 2.0)

    def person(self, aor: str, now: float) -> float:
        """Counts a request of a person. Returns 0, or the seconds until they may make one."""
        return self._persons.take(aor, now)

    def charge(self, flow: Flow, now: float) -> None:
        """Counts something that was done for a flow whose other end has not proved that it may have it."""
        if self.trusted is not None and self.trusted(flow):
            return
        buckets: tuple[tuple[Buckets, str], ...]
        if self._proven.get(flow.key):
            buckets = ((self._sources, flow.key),)
        else:
            buckets = ((self._flows, flow.key), (self._sources, flow.prefix), (self._all, _ALL))
        for bucket, name in buckets:
            wait = bucket.take(name, now)
            if wait > 0:
                self._shut_out(name, wait, now)
                return

    def _shut_out(self, name: str, wait: float, now: float) -> None:
        strikes, last = self._strikes.pop(name, (0, now))
        strikes = 1 if now - last > MEMORY else strikes + 1
        if len(self._strikes) >= self._most:
            del self._strikes[next(iter(self._strikes))]
        # All of them together do nothing wrong by that: for them there is no more of it each time.
        length = max(wait, SHUT * 2 ** min(strikes - 1, DOUBLINGS) if name != _ALL else SHUT)
        self._strikes[name] = (strikes, now + length)
        self.changed = True
        if len(self.shut) >= self._most:
            oldest = next(iter(self.shut))
            del self.shut[oldest]
            self._told.discard(oldest)
        self.shut[name] = now + length

    def expire(self, now: float) -> list[str]:
        """Lets in whose time is over. Returns who is still shut out, and has proved nothing."""
        for name in [name for name, until in self.shut.items() if until <= now]:
            del self.shut[name]
            self._told.discard(name)
        return [name for name in self.shut if not self._proven.get(name)]

    def admits(self, flow: Flow, data: bytes, now: float) -> bool:
        """Whether what comes by a flow is to be looked at."""
        if self.trusted is not None and self.trusted(flow):
            return True
        if self._proven.get(flow.key):
            if self._is_open(flow.key, now):
                return True
            vouched = not flow.reliable and self._is_vouched(flow, data, now)
            self.turned_away -= vouched
            return vouched
        return self._is_open(flow.key, now) and self._is_open(flow.prefix, now) and self._is_open(_ALL, now)

    def _is_vouched(self, flow: Flow, data: bytes, now: float) -> bool:
        found = _NONCE.search(data)
        if found is None or not self._issued(found[1].decode("latin-1"), flow.prefix):
            return False
        return self._vouched.take(flow.key, now) == 0

    def connected(self, prefix: str, now: float) -> bool:
        """Counts a connection that has come in. Returns False where it is to be dropped."""
        if self.shut and not (self._is_open(prefix, now) and self._is_open(_ALL, now)):
            return False
        wait = self._sources.take(prefix, now)
        if wait > 0:
            self._shut_out(prefix, wait, now)
            self.turned_away += 1
        return wait == 0

    def _is_open(self, name: str, now: float) -> bool:
        until = self.shut.get(name)
        if until is None:
            return True
        if until > now:
            self.turned_away += 1
            return False
        del self.shut[name]
        self._told.discard(name)
        return True

    def tell(self, flow: Flow) -> bool:
        """Whether one who is shut out is to be told so: once for each time, since their address may be forged."""
        name = flow.key if flow.key in self.shut else flow.prefix
        if name not in self.shut or name in self._told:
            return False
        self._told.add(name)
        return True
