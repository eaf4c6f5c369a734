"""Presence of people who are at other servers: watched there as long as somebody here wants to know (RFC 3856).

Of people whom a trusted peer keeps there is one subscription each, in a name of the bridge's own (as a server of lists
has its own towards others, RFC 4662 section 7): the peer decides what the bridge sees, and the bridge's policy who sees
it here. People of other domains are watched in the name of each who watches them, and shown to nobody else.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from attrs import frozen

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
        emit: Callable[[PresenceSeen], None],
    ) -> None:
        self._upstream = upstream
        self._subscriber = subscriber
        self._queue = queue
        self._emit = emit
        self._open = frozenset(route.domain for route in trunks.routes if route.watch)
        self._places: dict[str, _Place] = {}
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

    def seen(self, event: SubscriberEvent, now: float) -> bool:
        """Takes an event of the subscriber. Returns whether it was for one of these."""
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
            place.later = self._queue.after(now, DENIED_AGAIN, partial(self._again, place))
        elif event.final:  # the end of a watch that was wanted again meanwhile
            self._waiting[place.key] = None
        else:
            place.later = self._queue.after(now, LINGER, partial(self._faded, place))
        self._go_on(now)
        return True

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
            watcher = place.by or next(hop.peer.watch_as for hop in hops if hop.peer is not None)
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


_PREFIX = "elsewhere "


def _key(target: str, by: str) -> str:
    return f"{_PREFIX}{target} {by}"
