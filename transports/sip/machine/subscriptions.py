"""The notifier of presence: dialogs that watchers open with SUBSCRIBE (RFC 6665, RFC 3856).

What a watcher sees is its owner's to say, per subscription: until `notify` was called there is nothing in it, and its
state is ``pending``. NOTIFYs of one subscription go out one at a time and no more than one in five seconds, the last
state winning; the end of a subscription waits for nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from transports.sip.machine.clients import Failure, Outcome
from transports.sip.machine.config import EndpointConfig
from transports.sip.machine.expiry import Expiries
from transports.sip.machine.flow import Flow, Target
from transports.sip.machine.layer import MAGIC, ServerTransaction, TransactionLayer
from transports.sip.machine.names import Names
from transports.sip.machine.ports import Entropy, StoredSubscription, SubscriptionStore
from transports.sip.machine.registrar import Registrar
from transports.sip.machine.routing import Router, uri_transport, way_to
from transports.sip.machine.timers import Timer, TimerQueue
from transports.sip.wire.errors import SipBuildError, SipSyntaxError
from transports.sip.wire.headers import NameAddr
from transports.sip.wire.message import Request, Response
from transports.sip.wire.native import SipPresence, SipWatch
from transports.sip.wire.uri import SipUri, parse_uri

PIDF = "application/pidf+xml"
PACKAGE = "presence"
OVER = frozenset({404, 405, 410, 416, 480, 481, 482, 483, 484, 485, 489, 501, 604})
"""RFC 5057: what ends a subscription when a NOTIFY is answered so."""
FIRST_NOTIFY_AFTER = 0.01
"""The 200 goes first, and the owner has a moment to say what the first NOTIFY shows."""
RESUMED_CSEQ = 10_000
"""Added to the last CSeq that was kept, so that after a restart it is ahead of what was really sent."""
WANTED = frozenset({PIDF, "application/*", "*/*"})


class Subscription:
    """One dialog with a watcher. ``id`` is our tag."""

    __slots__ = (
        "accept", "busy", "call_id", "contact", "dirty", "event", "expires_at", "fetch", "flow", "id", "local_cseq",
        "local_uri", "next_at", "over", "pidf", "remote_cseq", "remote_tag", "remote_uri", "routes", "state", "target",
        "timer", "uri_text", "watcher",
    )  # fmt: skip

    def __init__(self, subscription_id: str, watcher: str, target: str, flow: Flow, contact: SipUri) -> None:
        self.id = subscription_id
        self.watcher = watcher
        self.target = target
        self.flow = flow
        self.contact = contact
        self.uri_text = ""
        self.event = PACKAGE
        self.accept: tuple[str, ...] = ()
        self.call_id = ""
        self.local_uri = ""
        self.remote_uri = ""
        self.remote_tag = ""
        self.local_cseq = 0
        self.remote_cseq = 0
        self.routes: tuple[str, ...] = ()
        self.expires_at = 0.0
        self.fetch = False
        self.state = "pending"
        self.pidf: bytes | None = None
        self.over = ""
        """The reason of termination, once it is decided."""
        self.busy = False
        self.dirty = False
        self.timer: Timer | None = None
        self.next_at = 0.0

    def stored(self, epoch: float) -> StoredSubscription:
        """Returns what is kept of it."""
        return StoredSubscription(
            id=self.id, watcher=self.watcher, target=self.uri_text, event=self.event, accept=self.accept,
            call_id=self.call_id, local_uri=self.local_uri, remote_uri=self.remote_uri, remote_tag=self.remote_tag,
            local_cseq=self.local_cseq, remote_cseq=self.remote_cseq, contact=str(self.contact), routes=self.routes,
            transport=self.flow.transport, local=self.flow.local, source=self.flow.remote,
            expires_at=self.expires_at + epoch,
        )  # fmt: skip


class Notifier:
    """All subscriptions of an endpoint.

    Args:
        opened: told of a new, refreshed or resumed (second argument) subscription, and of a fetch.
        closed: told of one that is over, and why.
    """

    def __init__(
        self,
        config: EndpointConfig,
        layer: TransactionLayer,
        queue: TimerQueue,
        names: Names,
        router: Router,
        registrar: Registrar,
        store: SubscriptionStore,
        entropy: Entropy,
        epoch: float,
        opened: Callable[[SipWatch, bool], None],
        closed: Callable[[Subscription, str], None],
    ) -> None:
        self._config = config
        self._layer = layer
        self._queue = queue
        self._names = names
        self._router = router
        self._registrar = registrar
        self._store = store
        self._entropy = entropy
        self._epoch = epoch
        self._opened = opened
        self._closed = closed
        self._by_id: dict[str, Subscription] = {}
        self._by_target: dict[str, dict[str, Subscription]] = {}
        self._per_watcher: dict[str, int] = {}
        self._expiries: Expiries[str] = Expiries(queue, self._expire)

    def __len__(self) -> int:
        return len(self._by_id)

    def watchers(self) -> list[str]:
        """Returns who watches."""
        return list(self._per_watcher)

    def load(self, now: float) -> None:
        """Takes up the subscriptions that were kept; the owner is told of each, and says what to show."""
        for row in self._store.load():
            contact, uri = parse_uri(row.contact), parse_uri(row.target)
            expires_at = row.expires_at - self._epoch
            if expires_at <= now or not isinstance(contact, SipUri) or not isinstance(uri, SipUri):
                self._store.remove(row.id)
                continue
            flow = Flow(row.transport, row.local, row.source, -1)
            subscription = Subscription(row.id, row.watcher, self._names.target(uri), flow, contact)
            subscription.uri_text, subscription.event, subscription.accept = row.target, row.event, row.accept
            subscription.call_id, subscription.remote_tag = row.call_id, row.remote_tag
            subscription.local_uri, subscription.remote_uri = row.local_uri, row.remote_uri
            subscription.local_cseq = row.local_cseq + RESUMED_CSEQ
            subscription.remote_cseq, subscription.routes = row.remote_cseq, row.routes
            subscription.expires_at = expires_at
            self._insert(subscription, now)
            self._opened(self._watch(subscription, now), True)

    # -- SUBSCRIBE ----------------------------------------------------------------------------------------------------

    def subscribe(self, transaction: ServerTransaction, watcher: str, now: float) -> None:
        """Takes an authenticated SUBSCRIBE, new or in a dialog, and answers it."""
        request = transaction.request
        refusal = self._refusal(request)
        if refusal is not None:
            status, reason, headers = refusal
            self._layer.answer(transaction, status, reason, now, headers=headers)
            return
        lifetimes = self._config.lifetimes
        expires = lifetimes.subscription_default if request.expires is None else request.expires
        expires = min(expires, lifetimes.maximum)
        if request.to.tag is not None:
            self._refresh(transaction, watcher, expires, now)
        else:
            self._open(transaction, watcher, expires, now)

    def _refusal(self, request: Request) -> tuple[int, str | None, tuple[tuple[str, str], ...]] | None:
        event = request.event
        if event is None or event[0] != PACKAGE:
            return 489, None, (("Allow-Events", PACKAGE),)
        if request.has("Accept") and not any(kind.media_type in WANTED for kind in request.accept):
            return 406, None, (("Accept", PIDF),)
        expires = request.expires
        if expires is not None and 0 < expires < self._config.lifetimes.minimum:
            return 423, None, (("Min-Expires", str(self._config.lifetimes.minimum)),)
        contacts = request.contacts
        if len(contacts) != 1 or not isinstance(contacts[0], NameAddr) or not isinstance(contacts[0].uri, SipUri):
            return 400, "SUBSCRIBE needs one Contact with a SIP URI", ()
        if contacts[0].uri.headers:
            return 400, "Contact: headers are not allowed in a dialog's target", ()  # RFC 3261 19.1.1, table 1
        limit = self._config.limits.stored_text
        texts = [str(contacts[0]), *request.lines("Record-Route"), request.first("From") or "", request.uri_text]
        if any(len(text) > 2 * limit for text in texts) or len(texts) > 16:
            return 513, "Addresses are too long to be kept", ()
        return None

    def _refresh(self, transaction: ServerTransaction, watcher: str, expires: int, now: float) -> None:
        request = transaction.request
        subscription = self._by_id.get(request.to.tag or "")
        answer = self._layer.answer
        if (
            subscription is None
            or subscription.over
            or subscription.watcher != watcher
            or subscription.call_id != request.call_id
            or subscription.remote_tag != (request.from_.tag or "")
        ):
            answer(transaction, 481, None, now)
            return
        if request.cseq.number <= subscription.remote_cseq:
            answer(transaction, 500, "CSeq is not greater than the last", now)
            return
        self._renew(subscription, transaction, expires, now)
        self._accept(transaction, subscription, expires, now)
        self._store.put(subscription.stored(self._epoch))
        self._opened(self._watch(subscription, now), False)
        if expires == 0:
            self._end(subscription, "timeout", now)
        else:
            self._expiries.add(subscription.id, subscription.expires_at, now)
            subscription.next_at = 0.0  # a refresh is answered with a NOTIFY, whenever the last one was
            self._plan(subscription, now)

    def _renew(self, subscription: Subscription, transaction: ServerTransaction, expires: int, now: float) -> None:
        request = transaction.request
        subscription.remote_cseq = request.cseq.number
        subscription.flow = transaction.flow
        subscription.expires_at = now + expires
        contact = request.contacts[0]
        assert isinstance(contact, NameAddr)
        assert isinstance(contact.uri, SipUri)
        subscription.contact = contact.uri

    def _open(self, transaction: ServerTransaction, watcher: str, expires: int, now: float) -> None:
        limits = self._config.limits
        if (
            len(self._by_id) >= limits.subscriptions
            or self._per_watcher.get(watcher, 0) >= limits.subscriptions_per_watcher
        ):
            headers = (("Retry-After", str(limits.retry_after)),)
            self._layer.answer(transaction, 503, "Too many subscriptions", now, headers=headers)
            return
        request = transaction.request
        uri, contact = request.uri, request.contacts[0]
        assert isinstance(uri, SipUri)
        assert isinstance(contact, NameAddr)
        assert isinstance(contact.uri, SipUri)
        subscription = Subscription(
            self._entropy(8).hex(), watcher, self._names.target(uri), transaction.flow, contact.uri
        )
        subscription.uri_text = self._names.canonical(request)
        subscription.event = request.first("Event") or PACKAGE
        subscription.accept = tuple(str(kind) for kind in request.accept[:16])
        subscription.call_id = request.call_id
        subscription.local_uri = str(request.to.with_params())
        subscription.remote_uri = request.first("From") or ""
        subscription.remote_tag = request.from_.tag or ""
        subscription.routes = tuple(str(route) for route in request.record_routes)
        subscription.fetch = expires == 0
        self._renew(subscription, transaction, expires, now)
        self._insert(subscription, now)
        self._accept(transaction, subscription, expires, now)
        if not subscription.fetch:
            self._store.put(subscription.stored(self._epoch))
        self._opened(self._watch(subscription, now), False)
        if subscription.fetch:
            subscription.over = "timeout"
        self._plan(subscription, now)

    def _insert(self, subscription: Subscription, now: float) -> None:
        self._by_id[subscription.id] = subscription
        self._by_target.setdefault(subscription.target, {})[subscription.id] = subscription
        self._per_watcher[subscription.watcher] = self._per_watcher.get(subscription.watcher, 0) + 1
        if not subscription.fetch:
            self._expiries.add(subscription.id, subscription.expires_at, now)

    def _accept(self, transaction: ServerTransaction, subscription: Subscription, expires: int, now: float) -> None:
        headers = [("Expires", str(expires)), ("Contact", self._contact(subscription))]
        headers += [("Record-Route", line) for line in transaction.request.lines("Record-Route")]
        self._layer.answer(transaction, 200, None, now, headers=headers, to_tag=subscription.id)

    def _contact(self, subscription: Subscription) -> str:
        flow = subscription.flow
        sent_by = self._router.sent_by(flow.transport, flow.remote[0], flow.local) or self._config.domain
        return f"<sip:{sent_by};transport={uri_transport(flow.transport)}>"

    def _watch(self, subscription: Subscription, now: float) -> SipWatch:
        return SipWatch(
            aor=subscription.watcher,
            target=subscription.uri_text,
            id=subscription.id,
            expires=max(round(subscription.expires_at - now), 0),
            fetch=subscription.fetch,
        )

    # -- state --------------------------------------------------------------------------------------------------------

    def notify(self, presence: SipPresence, now: float) -> int:
        """Sets what subscriptions show. Returns how many were meant: one, a watcher's, or all of the target."""
        found = self._find(presence)
        for subscription in found:
            if presence.state == "terminated":
                subscription.pidf = presence.pidf
                self._end(subscription, presence.reason or "noresource", now)
            elif subscription.state != presence.state or subscription.pidf != presence.pidf or subscription.fetch:
                subscription.state = presence.state
                subscription.pidf = presence.pidf
                self._plan(subscription, now)
        return len(found)

    def shut_out(self, watcher: str, reason: str, now: float) -> None:
        """Ends all subscriptions of a watcher. The last NOTIFY shows nothing but the end."""
        for subscription in [one for one in self._by_id.values() if one.watcher == watcher]:
            subscription.pidf = None
            self._end(subscription, reason, now)

    def _find(self, presence: SipPresence) -> list[Subscription]:
        if presence.subscription is not None:
            one = self._by_id.get(presence.subscription)
            return [] if one is None or (one.over and not one.fetch) else [one]
        uri = parse_uri(presence.target)
        target = self._names.target(uri) if isinstance(uri, SipUri) else presence.target
        every: Iterable[Subscription] = list(self._by_target.get(target, {}).values())
        return [
            one
            for one in every
            if (presence.watcher is None or one.watcher == presence.watcher) and (not one.over or one.fetch)
        ]

    def _end(self, subscription: Subscription, reason: str, now: float) -> None:
        """Decides that a subscription is over: its last NOTIFY says so."""
        if subscription.over and not subscription.fetch:
            return
        subscription.over = reason
        subscription.next_at = 0.0
        self._store.remove(subscription.id)
        self._plan(subscription, now)

    def _expire(self, subscription_id: str, now: float) -> float | None:
        subscription = self._by_id.get(subscription_id)
        if subscription is None or subscription.over:
            return None
        if subscription.expires_at > now:
            return subscription.expires_at
        self._end(subscription, "timeout", now)
        return None

    def _drop(self, subscription: Subscription, reason: str) -> None:
        if self._by_id.pop(subscription.id, None) is None:
            return
        watchers = self._by_target[subscription.target]
        del watchers[subscription.id]
        if not watchers:
            del self._by_target[subscription.target]
        left = self._per_watcher[subscription.watcher] - 1
        if left:
            self._per_watcher[subscription.watcher] = left
        else:
            del self._per_watcher[subscription.watcher]
        if not subscription.fetch:
            self._store.remove(subscription.id)
        self._closed(subscription, reason)

    # -- NOTIFY -------------------------------------------------------------------------------------------------------

    def _plan(self, subscription: Subscription, now: float) -> None:
        """Has a NOTIFY sent as soon as it may be: after the one under way, and not before its time."""
        if subscription.busy:
            subscription.dirty = True
            return
        due = max(subscription.next_at, now + FIRST_NOTIFY_AFTER)
        timer = subscription.timer
        if timer is not None:
            if timer.deadline <= due:
                return  # it will show the last state
            self._queue.cancel(timer)
        subscription.timer = self._queue.after(now, due - now, partial(self._send, subscription))

    def _send(self, subscription: Subscription, now: float) -> None:
        subscription.timer = None
        if subscription.busy or subscription.id not in self._by_id:
            return
        way = self._way(subscription)
        resolved = None if way is None else self._router.resolve(way)
        if resolved is None:
            self._drop(subscription, "the watcher cannot be reached")
            return
        way, transport, sent_by = resolved
        subscription.local_cseq += 1
        branch = MAGIC + self._entropy(10).hex()
        try:
            data = self._build(subscription, transport, sent_by, branch, now)
        except (SipBuildError, SipSyntaxError):
            self._drop(subscription, "the watcher's address cannot be written")
            return
        subscription.busy = True
        subscription.dirty = False
        subscription.next_at = now + self._config.lifetimes.notify_interval
        self._layer.request("NOTIFY", branch, data, way, now, partial(self._answered, subscription))

    def _way(self, subscription: Subscription) -> Flow | Target | None:
        flow = subscription.flow
        if flow.reliable and not self._layer.is_open(flow):
            for binding in self._registrar.contacts(subscription.watcher):
                if binding.flow.reliable and binding.uri.equivalent(subscription.contact):
                    return binding.ways(self._layer.is_open)  # the client came back on another connection
        return way_to(subscription.contact, flow, self._layer.is_open)

    def _build(self, subscription: Subscription, transport: str, sent_by: str, branch: str, now: float) -> bytes:
        left = max(round(subscription.expires_at - now), 0)
        if subscription.over:
            state = f"terminated;reason={subscription.over}"
        else:
            state = f"{subscription.state};expires={left}"
        routes = "".join(f"Route: {route}\r\n" for route in subscription.routes)
        body = subscription.pidf or b""
        kind = f"Content-Type: {PIDF}\r\n" if body else ""
        head = (
            f"NOTIFY {subscription.contact} SIP/2.0\r\nVia: SIP/2.0/{transport} {sent_by};rport;branch={branch}\r\n"
            f"{routes}Max-Forwards: 70\r\nFrom: {subscription.local_uri};tag={subscription.id}\r\n"
            f"To: {subscription.remote_uri}\r\nCall-ID: {subscription.call_id}\r\n"
            f"CSeq: {subscription.local_cseq} NOTIFY\r\nContact: {self._contact(subscription)}\r\n"
            f"Event: {subscription.event}\r\nSubscription-State: {state}\r\n{kind}"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body

    def _answered(self, subscription: Subscription, outcome: Outcome, now: float) -> None:
        subscription.busy = False
        if subscription.id not in self._by_id:
            return
        if subscription.over and (subscription.fetch or not subscription.dirty):
            self._drop(subscription, subscription.over)
            return
        if isinstance(outcome, Failure):
            if outcome is Failure.OVERLOAD:
                subscription.dirty = True
            else:
                self._drop(subscription, f"NOTIFY: {outcome.value}")
                return
        elif outcome.status in OVER:
            self._drop(subscription, f"NOTIFY was answered {outcome.status}")
            return
        elif outcome.status == 503:
            subscription.dirty = True
            subscription.next_at = max(subscription.next_at, now + _retry_after(outcome))
        if subscription.dirty:
            subscription.dirty = False
            self._plan(subscription, now)


def _retry_after(response: Response) -> float:
    text = (response.first("Retry-After") or "").partition(";")[0].partition("(")[0].strip()
    return min(float(text), 3600.0) if text.isascii() and text.isdigit() and len(text) <= 10 else 60.0
