"""NOTIFY: when it may leave, how it is written, and what its answer means (RFC 6665 section 4.2.2, RFC 5057).

NOTIFYs of one subscription go out one at a time and no more often than the package has it, the last state winning; the
end of a subscription waits for nothing. Those of one moment go together: what a dialog always says is kept with it,
what they all show is written once, and over UDP they share their timers.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from math import ceil

from transports.sip.machine.clients import Failure, Outcome
from transports.sip.machine.config import EndpointConfig
from transports.sip.machine.contents import Contents
from transports.sip.machine.dialogs import Prefix, Subscription
from transports.sip.machine.documents import Document
from transports.sip.machine.flow import Flow, Target
from transports.sip.machine.gruu import is_gruu
from transports.sip.machine.health import LONGEST_RETRY_AFTER
from transports.sip.machine.layer import MAGIC, TransactionLayer
from transports.sip.machine.lists import Listing
from transports.sip.machine.names import Names
from transports.sip.machine.packages import PACKAGES
from transports.sip.machine.registrar import Binding, Registrar
from transports.sip.machine.routeset import routed
from transports.sip.machine.routing import Router, uri_transport, way_to
from transports.sip.machine.timers import TimerQueue
from transports.sip.machine.volley import Shot
from transports.sip.wire.errors import SipBuildError, SipSyntaxError
from transports.sip.wire.message import Response, retry_after

OVER = frozenset({404, 405, 410, 416, 480, 481, 482, 483, 484, 485, 489, 501, 604})
"""RFC 5057: what ends a subscription when a NOTIFY is answered so, unless it asks to be tried again (Retry-After)."""
_GONE = 481
FIRST_NOTIFY_AFTER = 0.01
"""The 200 goes first, and the owner has a moment to say what the first NOTIFY shows."""
_STEPS = 100
"""NOTIFYs are due at steps of 10 ms: what falls due in one goes together."""
SLICE = 400
"""So many are written before others have their turn: some milliseconds."""
_ACTIVE, _PENDING = b"active;expires=%d", b"pending;expires=%d"
_MAX_PREFIXES = 4096
"""Dialogs whose NOTIFYs have their beginning kept, some 500 octets each: those that were told something last."""


class Notifies:
    """Sends the NOTIFYs of an endpoint.

    Args:
        contents: says what they hold.
        known: all subscriptions, by their ids.
        drop: told of those that are over, and why.
    """

    def __init__(
        self,
        config: EndpointConfig,
        layer: TransactionLayer,
        queue: TimerQueue,
        router: Router,
        names: Names,
        registrar: Registrar,
        contents: Contents,
        known: Mapping[str, Subscription],
        drop: Callable[[Subscription, str, float], None],
    ) -> None:
        self._config = config
        self._layer = layer
        self._queue = queue
        self._router = router
        self._names = names
        self._registrar = registrar
        self._contents = contents
        self._known = known
        self._drop = drop
        usual = config.lifetimes.notify_interval
        self._intervals = {
            name: usual if package.interval is None else package.interval for name, package in PACKAGES.items()
        }
        self._steps: dict[int, list[Subscription]] = {}
        self._late: deque[tuple[int, Subscription]] = deque()
        self._prefixed: deque[Subscription] = deque()
        layer.on_shot(self._answered)

    # -- when ---------------------------------------------------------------------------------------------------------

    def plan(self, subscription: Subscription, now: float) -> None:
        """Has a NOTIFY sent as soon as it may be: after the one under way, and not before its time."""
        if subscription.busy:
            subscription.dirty = True
            return
        step = ceil(max(now + FIRST_NOTIFY_AFTER, subscription.next_at) * _STEPS - 1e-6)
        planned = subscription.planned
        if planned is not None and planned <= step:
            return  # it will show the last state
        subscription.planned = step
        group = self._steps.get(step)
        if group is None:
            group = self._steps[step] = []
            self._queue.after(now, max(step / _STEPS - now, 0.0), partial(self._due, step))
        group.append(subscription)

    def plan_all(self, subscriptions: Iterable[Subscription], now: float) -> None:
        """The same for many."""
        due = now + FIRST_NOTIFY_AFTER
        step = ceil(due * _STEPS - 1e-6)
        group = self._steps.get(step)
        for subscription in subscriptions:
            if group is None or subscription.busy or subscription.planned is not None or subscription.next_at > due:
                self.plan(subscription, now)
                group = self._steps.get(step)
            else:
                subscription.planned = step
                group.append(subscription)

    def _due(self, step: int, now: float) -> None:
        group = self._steps.pop(step, ())
        if self._late:
            self._late += [(step, subscription) for subscription in group]
            return
        self._fire([one for one in group[:SLICE] if one.planned == step], now)
        if len(group) > SLICE:
            self._late += [(step, subscription) for subscription in group[SLICE:]]
            self._queue.after(now, 0.001, self._rest)

    def _rest(self, now: float) -> None:
        taken = [self._late.popleft() for _ in range(min(SLICE, len(self._late)))]
        self._fire([one for step, one in taken if one.planned == step], now)
        if self._late:
            self._queue.after(now, 0.001, self._rest)

    def _fire(self, subscriptions: list[Subscription], now: float) -> None:
        shots: list[Shot] = []
        for subscription in subscriptions:
            subscription.planned = None
            if not subscription.busy and self._known.get(subscription.id) is subscription:
                shot = self._send(subscription, now)
                if shot is not None:
                    shots.append(shot)
        if shots:
            self._layer.volley(shots, now)

    # -- how ----------------------------------------------------------------------------------------------------------

    def _send(self, subscription: Subscription, now: float) -> Shot | None:
        """Writes a NOTIFY; it is sent here over a connection, and returned where it goes over UDP."""
        prefix = subscription.prefix
        way: Flow | Target
        transport = "UDP"
        if prefix is None:
            found = self._way(subscription)
            resolved = None if found is None else self._router.resolve(found)
            if resolved is None:
                self._drop(subscription, "the watcher cannot be reached", now)
                return None
            way, transport, sent_by = resolved
            prefix = self._prefix(subscription, way, transport, sent_by)
        else:
            way = prefix[3]
        subscription.local_cseq += 1
        try:
            tail = self._contents.tail(subscription, transport, now)
        except (SipBuildError, SipSyntaxError):
            self._drop(subscription, "its state cannot be written", now)
            return None
        number = b"%d" % subscription.local_cseq
        first, branch, more, _ = prefix
        branch += number
        data = b"%b%b%b%b NOTIFY\r\nSubscription-State: %b\r\n%b" % (
            first, branch, more, number, _state(subscription, now), tail
        )  # fmt: skip
        shows = subscription.shows
        subscription.busy = True
        subscription.dirty = isinstance(shows, Listing) and shows.waits and not subscription.over
        subscription.next_at = now + self._intervals[subscription.package]
        if isinstance(way, Flow) and not way.reliable:
            return branch, data, way, subscription
        self._layer.request("NOTIFY", branch.decode(), data, way, now, partial(self._answered, subscription))
        return None

    def _prefix(self, subscription: Subscription, way: Flow | Target, transport: str, sent_by: str) -> Prefix:
        """What comes before Via's branch, the branch without its number, what comes after it, and the way.

        The branch holds our tag, which is random and known to none but this watcher: nobody else can answer with it.
        """
        device = self._device(subscription)
        if device is None:
            target, routes, _ = routed(subscription.routes, subscription.uri)
        else:
            target, routes = device.request_uri, subscription.routes or device.path
        first = f"NOTIFY {target} SIP/2.0\r\nVia: SIP/2.0/{transport} {sent_by};rport;branch="
        branch = f"{MAGIC}{subscription.id}n"
        head = "".join(f"\r\nRoute: {route}" for route in routes)
        more = (
            f"\r\nMax-Forwards: 70{head}\r\n{subscription.dialog}\r\n"
            f"Contact: {self.contact(subscription.flow)}\r\nCSeq: "
        )
        prefix = first.encode(), branch.encode(), more.encode(), way
        if device is None and isinstance(way, Flow) and not way.reliable:
            subscription.prefix = prefix
            self._prefixed.append(subscription)
            if len(self._prefixed) > _MAX_PREFIXES:
                self._prefixed.popleft().prefix = None
        return prefix

    def contact(self, flow: Flow) -> str:
        """Returns our Contact in a dialog over a flow."""
        sent_by = self._router.sent_by(flow.transport, flow.remote[0], flow.local) or self._config.domain
        return f"<sip:{sent_by};transport={uri_transport(flow.transport)}>"

    def _device(self, subscription: Subscription) -> Binding | None:
        """Returns the device behind a Contact that is a GRUU of ours (RFC 5627 section 6.1); None for others."""
        uri = subscription.uri
        aor = self._names.aor(uri) if is_gruu(uri) else None
        return None if aor is None else self._registrar.device(uri, aor)

    def _way(self, subscription: Subscription) -> Flow | Target | None:
        device = self._device(subscription)
        if device is not None:
            return device.ways(self._layer.is_open)
        flow, uri = subscription.flow, subscription.uri
        if flow.reliable and not subscription.routes and not self._layer.is_open(flow):
            for binding in self._registrar.contacts(subscription.watcher):
                if binding.flow.reliable and binding.uri.equivalent(uri):
                    return binding.ways(self._layer.is_open)  # the client came back on another connection
        # The first of a route set is who has sent the SUBSCRIBE on to us, over this flow.
        return way_to(routed(subscription.routes, uri).next_hop, flow, self._layer.is_open)

    # -- answers ------------------------------------------------------------------------------------------------------

    def _answered(self, subscription: Subscription, outcome: Outcome | None, now: float) -> None:
        """Takes the outcome of a NOTIFY; None is a success."""
        subscription.busy = False
        if self._known.get(subscription.id) is not subscription:
            return
        if subscription.over and (subscription.fetch or not subscription.dirty):
            self._drop(subscription, subscription.over, now)
            return
        if outcome is not None and not self._goes_on(subscription, outcome, now):
            return
        if subscription.dirty:
            subscription.dirty = False
            self.plan(subscription, now)

    def _goes_on(self, subscription: Subscription, outcome: Outcome, now: float) -> bool:
        """Whether a subscription lives on after this outcome of a NOTIFY. One that asks to be tried again is."""
        if isinstance(outcome, Response) and outcome.status < 300:
            return True
        if isinstance(subscription.shows, Listing | Document):
            subscription.shows.repeat()  # what was not taken is not told by what comes after it
        if isinstance(outcome, Failure):
            if outcome is Failure.OVERLOAD:
                subscription.dirty = True
                return True
            self._drop(subscription, f"NOTIFY: {outcome.value}", now)
            return False
        after = retry_after(outcome, LONGEST_RETRY_AFTER)
        if outcome.status == _GONE or (outcome.status in OVER and after is None):
            self._drop(subscription, f"NOTIFY was answered {outcome.status}", now)
            return False
        if after is not None or outcome.status == 503:
            subscription.dirty = True
            subscription.next_at = max(subscription.next_at, now + (60.0 if after is None else after))
        return True


def _state(subscription: Subscription, now: float) -> bytes:
    """Subscription-State. That of a list says nothing of those in it (RFC 4662 section 4.5)."""
    if subscription.over:
        return b"terminated;reason=" + subscription.over.encode()
    shows = subscription.shows
    state = _ACTIVE if isinstance(shows, Listing) or shows.state == "active" else _PENDING
    left = int(subscription.expires_at - now + 0.5)
    return state % (max(0, left))
