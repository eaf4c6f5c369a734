"""Presence of people who are at other servers: watched there as long as somebody here wants to know (RFC 3856).

Of people whom a trusted peer keeps there is one subscription each, in a name of the bridge's own (as a server of lists
has its own towards others, RFC 4662 section 7): the peer decides what the bridge sees, and the bridge's policy who sees
it here. People of other domains are watched in the name of each who watches them, and shown to nobody else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from attrs import frozen

from transports.sip.machine.ports import Entropy
from transports.sip.machine.spread import pause_for
from transports.sip.machine.subscriber import Subscriber
from transports.sip.machine.timers import Timer, TimerQueue
from transports.sip.machine.trunkconfig import TrunkConfig
from transports.sip.machine.upstream import Hop, Upstream, uri_of
from transports.sip.machine.watches import Denied, Shown, SubscriberEvent
from transports.sip.wire.native import SipSeen

MOST = 20_000
"""Watches at other servers; who is not among them is seen as far as they are known here."""
UNDER_WAY = 64
"""SUBSCRIBEs that wait for their first NOTIFY: a start with many watchers is no flood."""
LINGER = 30.0
"""Seconds for which the last state holds where a subscription is lost, and may be begun anew at once."""
DENIED_AGAIN = 3600.0
"""Seconds until one who was denied asks again, while somebody still watches: the other server may have new rules."""


@frozen
class PresenceSeen:
    """What another server shows of somebody."""

    native: SipSeen


@frozen
class PresenceFetched:
    """What was asked for once was told, if there is anything: ``then`` is for who waits for it to look now."""

    then: Callable[[], None]


class _Fetch:
    """Somebody who is asked about once, for all who wait for that here."""

    __slots__ = ("by", "pidf", "target", "waiting")

    def __init__(self, target: str, by: str) -> None:
        self.target = target
        self.by = by
        self.pidf: bytes | None = None
        self.waiting: list[Callable[[], None]] = []


class _Place:
    """Somebody who is watched elsewhere."""

    __slots__ = ("by", "key", "later", "shown", "target")

    def __init__(self, key: str, target: str, by: str) -> None:
        self.key = key
        self.target = target
        self.by = by
        self.shown = False
        self.later: Timer | None = None


class Elsewhere:
    """All who are watched at other servers.

    Args:
        emit: takes what is seen.
    """

    def __init__(
        self,
        trunks: TrunkConfig,
        upstream: Upstream,
        subscriber: Subscriber,
        queue: TimerQueue,
        entropy: Entropy,
        emit: Callable[[PresenceSeen | PresenceFetched], None],
    ) -> None:
        self._upstream = upstream
        self._subscriber = subscriber
        self._queue = queue
        self._entropy = entropy
        self._emit = emit
        self._open = frozenset(route.domain for route in trunks.routes if route.watch)
        self._places: dict[str, _Place] = {}
        self._fetches: dict[str, _Fetch] = {}
        self._waiting: dict[str, None] = {}
        self._asked: set[str] = set()
        self.left_out = 0
        """How often there was no room for one more."""

    def __len__(self) -> int:
        return len(self._places)

    def want(self, target: str, by: str, now: float) -> None:
        """Watches somebody, an address-of-record, where another server has them and that is configured.

        ``by``: who watches, an address-of-record; empty for people of the company, whom everybody's watch is for.
        """
        key = _key(target, by)
        if key in self._places or not self._ways(target, by):
            return
        if len(self._places) >= MOST:
            self.left_out += 1
            return
        self._places[key] = _Place(key, target, by)
        self._waiting[key] = None
        self._go_on(now)

    def unwant(self, target: str, by: str, now: float) -> None:
        """Ends it: nobody watches any more."""
        key = _key(target, by)
        place = self._places.pop(key, None)
        if place is None:
            return
        self._hide(place)
        self._settled(place)
        self._waiting.pop(key, None)
        self._subscriber.unwatch(key, now)
        self._go_on(now)

    def fetch(self, target: str, by: str, then: Callable[[], None], now: float) -> bool:
        """Asks for the state of somebody once, in a dialog of its own (RFC 8048 section 6), unless it is watched.

        What is found is told before ``then`` comes in a `PresenceFetched`, and taken back after it: it is of that
        moment. Those who ask for the same while it is under way get the same.

        Args:
            target: as for `want`.
            by: likewise.
            then: comes back once. Each is of a fetch here, which has a bound of its own.
            now: the time.

        Returns:
            Whether it is asked for. Not where it is watched, leads to no such server, or too much is under way.
        """
        hops = self._ways(target, by)
        if _key(target, by) in self._places or not hops:
            return False
        key = f"{_ONCE}{target} {by}"
        known = self._fetches.get(key)
        if known is None:
            if len(self._fetches) >= UNDER_WAY:
                self.left_out += 1
                return False
            known = self._fetches[key] = _Fetch(target, by)
            if not self._subscriber.fetch(key, by or _watch_as(hops), uri_of(target), now, hops=hops):
                del self._fetches[key]
                self.left_out += 1
                return False
        known.waiting.append(then)
        return True

    def seen(self, event: SubscriberEvent, now: float) -> bool:
        """Takes an event of the subscriber. Returns whether it was for one of these."""
        if event.key.startswith(_ONCE):
            self._fetched(event)
            return True
        if not event.key.startswith(_PREFIX):
            return False
        place = self._places.get(event.key)
        if place is None:
            return True
        self._settled(place)
        if isinstance(event, Shown):
            self._show(place, event.pidf if event.state == "active" else None)
        elif isinstance(event, Denied):
            self._hide(place)
            place.later = self._queue.after(now, pause_for(DENIED_AGAIN, self._entropy), partial(self._again, place))
        elif event.final:  # the end of a watch that was wanted again meanwhile
            self._waiting[place.key] = None
        else:
            place.later = self._queue.after(now, LINGER, partial(self._faded, place))
        self._go_on(now)
        return True

    def _fetched(self, event: SubscriberEvent) -> None:
        """Takes what came of a fetch: a NOTIFY, or its end."""
        fetch = self._fetches.get(event.key)
        if fetch is None:
            return
        if isinstance(event, Shown):
            fetch.pidf = event.pidf if event.state == "active" else None
            return
        del self._fetches[event.key]
        place = self._places.get(_key(fetch.target, fetch.by))
        news = fetch.pidf is not None and (place is None or not place.shown)
        if news:
            self._emit(PresenceSeen(SipSeen(aor=fetch.target, watcher=fetch.by, pidf=fetch.pidf)))
        for then in fetch.waiting:
            self._emit(PresenceFetched(then))
        if news and place is None:
            self._emit(PresenceSeen(SipSeen(aor=fetch.target, watcher=fetch.by, pidf=None)))
        elif news and place is not None:  # begun meanwhile: it holds until that says something else
            place.shown = True

    # -- inside -------------------------------------------------------------------------------------------------------

    def _ways(self, target: str, by: str) -> list[Hop]:
        hops = self._upstream.hops(target)
        if by:
            return hops if target.rpartition("@")[2] in self._open else []
        return [hop for hop in hops if hop.peer is not None and hop.peer.watch_as]

    def _go_on(self, now: float) -> None:
        while self._waiting and len(self._asked) < UNDER_WAY:
            key = next(iter(self._waiting))
            del self._waiting[key]
            place = self._places[key]
            hops = self._ways(place.target, place.by)
            watcher = place.by or _watch_as(hops)
            self._asked.add(key)
            if not self._subscriber.watch(key, watcher, uri_of(place.target), now, hops=hops):
                self._asked.discard(key)
                del self._places[key]
                self.left_out += 1

    def _settled(self, place: _Place) -> None:
        self._asked.discard(place.key)
        if place.later is not None:
            self._queue.cancel(place.later)
            place.later = None

    def _show(self, place: _Place, pidf: bytes | None) -> None:
        place.shown = pidf is not None
        self._emit(PresenceSeen(SipSeen(aor=place.target, watcher=place.by, pidf=pidf)))

    def _hide(self, place: _Place) -> None:
        if place.shown:
            self._show(place, None)

    def _faded(self, place: _Place, now: float) -> None:
        del now
        place.later = None
        self._hide(place)

    def _again(self, place: _Place, now: float) -> None:
        place.later = None
        self._waiting[place.key] = None
        self._go_on(now)


_PREFIX, _ONCE = "elsewhere ", "elsewhere-once "


def _watch_as(hops: Iterable[Hop]) -> str:
    """Returns in whose name the bridge watches people of the company at a peer."""
    return next(hop.peer.watch_as for hop in hops if hop.peer is not None)


def _key(target: str, by: str) -> str:
    return f"{_PREFIX}{target} {by}"
