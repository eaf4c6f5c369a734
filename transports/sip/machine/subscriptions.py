"""The notifier of presence: dialogs that watchers open with SUBSCRIBE (RFC 6665, RFC 3856).

What a watcher sees is its owner's to say, per subscription: until `notify` was called there is nothing in it, and its
state is ``pending``. NOTIFYs of one subscription go out one at a time and no more than one in five seconds, the last
state winning; the end of a subscription waits for nothing. A list (RFC 5367) is one dialog with many watches, each of
which is to the owner as a subscription of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from transports.sip.machine.admission import Refused, refusal, room, too_long
from transports.sip.machine.clients import Failure, Outcome
from transports.sip.machine.config import EndpointConfig
from transports.sip.machine.dialogs import Subscription, event_of, resumed
from transports.sip.machine.events import SubscriptionClosed
from transports.sip.machine.expiry import Expiries
from transports.sip.machine.flow import Flow, Target
from transports.sip.machine.gruu import is_gruu
from transports.sip.machine.layer import MAGIC, ServerTransaction, TransactionLayer
from transports.sip.machine.lists import Listing, Watched
from transports.sip.machine.names import Names
from transports.sip.machine.ports import Entropy, SubscriptionStore
from transports.sip.machine.registrar import Binding, Registrar
from transports.sip.machine.routeset import routed
from transports.sip.machine.routing import Router, uri_transport, way_to
from transports.sip.machine.timers import TimerQueue
from transports.sip.wire.errors import SipBuildError, SipSyntaxError
from transports.sip.wire.headers import NameAddr
from transports.sip.wire.message import Response
from transports.sip.wire.native import SipPresence, SipWatch
from transports.sip.wire.pidf import CONTENT_TYPE as PIDF
from transports.sip.wire.uri import SipUri, parse_uri

OVER = frozenset({404, 405, 410, 416, 480, 481, 482, 483, 484, 485, 489, 501, 604})
"""RFC 5057: what ends a subscription when a NOTIFY is answered so."""
FIRST_NOTIFY_AFTER = 0.01
"""The 200 goes first, and the owner has a moment to say what the first NOTIFY shows."""
LISTS = ("Require", "eventlist")
"""In what answers a SUBSCRIBE to a list, and in its NOTIFYs (RFC 4662 section 4)."""


class Notifier:
    """All subscriptions of an endpoint.

    Args:
        opened: told of a new, refreshed or resumed (second argument) watch, and of a fetch.
        closed: told of one that is over, and why; not of a fetch.
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
        closed: Callable[[SubscriptionClosed], None],
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
        self._by_target: dict[str, dict[str, Watched]] = {}
        self._per_watcher: dict[str, int] = {}
        self._size = 0
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
            shows: Watched | Listing = Watched(row.id, row.target, self._names.target(uri))
            if row.entries is not None:
                shows = Listing(row.id, row.target, self._names.watchable)
                shows.renew(row.entries)
            subscription = resumed(row, shows, contact, self._epoch)
            self._insert(subscription, now)
            self._tell(subscription, now, resumed=True)

    # -- SUBSCRIBE ----------------------------------------------------------------------------------------------------

    def subscribe(
        self, transaction: ServerTransaction, watcher: str, entries: tuple[str, ...] | None, now: float
    ) -> None:
        """Takes an authenticated SUBSCRIBE, new or in a dialog, and answers it.

        ``entries``: the list of resources in it (RFC 5367); None where there is none.
        """
        request = transaction.request
        refused = refusal(request, self._config, entries)
        if refused is not None:
            self._refuse(transaction, refused, now)
            return
        lifetimes = self._config.lifetimes
        expires = lifetimes.subscription_default if request.expires is None else request.expires
        expires = min(expires, lifetimes.maximum)
        if request.to.tag is not None:
            self._refresh(transaction, watcher, entries, expires, now)
        else:
            self._open(transaction, watcher, entries, expires, now)

    def _refuse(self, transaction: ServerTransaction, refused: Refused, now: float) -> None:
        status, reason, headers = refused
        self._layer.answer(transaction, status, reason, now, headers=headers)

    def _too_many(self, watcher: str, more: int) -> Refused | None:
        limits = self._config.limits
        mine = self._per_watcher.get(watcher, 0)
        if more > 0 and (self._size + more > limits.subscriptions or mine + more > limits.subscriptions_per_watcher):
            return 503, "Too many subscriptions", (("Retry-After", str(limits.retry_after)),)
        return None

    def _refresh(
        self, transaction: ServerTransaction, watcher: str, entries: tuple[str, ...] | None, expires: int, now: float
    ) -> None:
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
        refused = self._new_list(subscription, entries, transaction.flow)
        if refused is not None:
            self._refuse(transaction, refused, now)
            return
        self._renew(subscription, transaction, expires, now)
        self._accept(transaction, subscription, expires, now)
        if expires:
            self._relist(subscription, entries)
        elif subscription.listing is not None:
            subscription.listing.repeat()
        self._store.put(subscription.stored(self._epoch))
        self._tell(subscription, now)
        if expires == 0:
            self._end(subscription, "timeout", now)
        else:
            self._expiries.add(subscription.id, subscription.expires_at, now)
            subscription.next_at = 0.0  # a refresh is answered with a NOTIFY, whenever the last one was
            self._plan(subscription, now)

    def _new_list(self, subscription: Subscription, entries: tuple[str, ...] | None, flow: Flow) -> Refused | None:
        """Looks whether a SUBSCRIBE in a dialog may bring this list, and by this way."""
        listing = subscription.listing
        if listing is None:
            reason = "A subscription to one person does not become one to a list"
            return None if entries is None else (400, reason, ())
        texts = listing.texts if entries is None else entries
        refused = too_long(texts, self._config.limits, reliable=flow.reliable)
        return refused or self._too_many(subscription.watcher, max(1, len(texts)) - subscription.size)

    def _relist(self, subscription: Subscription, entries: tuple[str, ...] | None) -> None:
        """Takes the list of a refresh. Without one the list is what it was (RFC 5367 section 3.2)."""
        listing = subscription.listing
        if listing is None:
            return
        before = subscription.size
        begun, over = listing.renew(entries)
        self._count(subscription.watcher, subscription.size - before)
        for watched in over:
            self._leave(subscription, watched, "taken off the list")
        for watched in begun:
            self._by_target.setdefault(watched.target, {})[watched.id] = watched

    def _renew(self, subscription: Subscription, transaction: ServerTransaction, expires: int, now: float) -> None:
        request = transaction.request
        subscription.remote_cseq = request.cseq.number
        subscription.flow = transaction.flow
        subscription.expires_at = now + expires
        contact = request.contacts[0]
        assert isinstance(contact, NameAddr)
        assert isinstance(contact.uri, SipUri)
        subscription.contact = contact.uri

    def _open(
        self, transaction: ServerTransaction, watcher: str, entries: tuple[str, ...] | None, expires: int, now: float
    ) -> None:
        refused = self._too_many(watcher, max(1, len(entries or ())))
        refused = refused or too_long(entries or (), self._config.limits, reliable=transaction.flow.reliable)
        if refused is not None:
            self._refuse(transaction, refused, now)
            return
        request = transaction.request
        uri, contact = request.uri, request.contacts[0]
        assert isinstance(uri, SipUri)
        assert isinstance(contact, NameAddr)
        assert isinstance(contact.uri, SipUri)
        name = self._entropy(8).hex()
        if entries is None:
            uri_text = self._names.canonical(request)
            shows: Watched | Listing = Watched(name, uri_text, self._names.target(uri))
        else:
            uri_text = request.uri_text
            shows = Listing(name, uri_text, self._names.watchable)
            shows.renew(entries)
        subscription = Subscription(name, watcher, uri_text, shows, transaction.flow, contact.uri)
        subscription.event = event_of(request, listed=entries is not None, quirks=self._config.quirks)
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
        self._tell(subscription, now)
        if subscription.fetch:
            subscription.over = "timeout"
        self._plan(subscription, now)

    def _insert(self, subscription: Subscription, now: float) -> None:
        self._by_id[subscription.id] = subscription
        for watched in subscription.watched:
            self._by_target.setdefault(watched.target, {})[watched.id] = watched
        self._count(subscription.watcher, subscription.size)
        if not subscription.fetch:
            self._expiries.add(subscription.id, subscription.expires_at, now)

    def _count(self, watcher: str, more: int) -> None:
        self._size += more
        count = self._per_watcher.get(watcher, 0) + more
        if count:
            self._per_watcher[watcher] = count
        else:
            del self._per_watcher[watcher]

    def _accept(self, transaction: ServerTransaction, subscription: Subscription, expires: int, now: float) -> None:
        headers = [("Expires", str(expires)), ("Contact", self._contact(subscription))]
        headers += [("Record-Route", line) for line in transaction.request.lines("Record-Route")]
        if subscription.listing is not None:
            headers.append(LISTS)
        self._layer.answer(transaction, 200, None, now, headers=headers, to_tag=subscription.id)

    def _contact(self, subscription: Subscription) -> str:
        flow = subscription.flow
        sent_by = self._router.sent_by(flow.transport, flow.remote[0], flow.local) or self._config.domain
        return f"<sip:{sent_by};transport={uri_transport(flow.transport)}>"

    def _tell(self, subscription: Subscription, now: float, *, resumed: bool = False) -> None:
        """Tells the owner who is watched."""
        expires = max(round(subscription.expires_at - now), 0)
        for watched in tuple(subscription.watched):
            watch = SipWatch(
                aor=subscription.watcher, target=watched.uri_text, id=watched.id, expires=expires,
                fetch=subscription.fetch,
            )  # fmt: skip
            self._opened(watch, resumed)

    def _leave(self, subscription: Subscription, watched: Watched, reason: str) -> None:
        """A watch is over."""
        watchers = self._by_target[watched.target]
        del watchers[watched.id]
        if not watchers:
            del self._by_target[watched.target]
        if not subscription.fetch:
            self._closed(SubscriptionClosed(watched.id, subscription.watcher, watched.uri_text, reason))

    # -- state --------------------------------------------------------------------------------------------------------

    def notify(self, presence: SipPresence, now: float) -> int:
        """Sets what subscriptions show. Returns how many were meant: one, a watcher's, or all of the target."""
        found = self._find(presence)
        for subscription, watched in found:
            if subscription.listing is not None:
                self._show(subscription, subscription.listing, watched, presence, now)
            elif presence.state == "terminated":
                watched.pidf = presence.pidf
                self._end(subscription, presence.reason or "noresource", now)
            elif watched.state != presence.state or watched.pidf != presence.pidf or subscription.fetch:
                watched.state = presence.state
                watched.pidf = presence.pidf
                self._plan(subscription, now)
        return len(found)

    def _show(
        self, subscription: Subscription, listing: Listing, watched: Watched, presence: SipPresence, now: float
    ) -> None:
        """Sets what an entry of a list shows. The end of one is not the list's."""
        if listing.show(watched, presence):
            self._plan(subscription, now)
        if presence.state == "terminated":
            self._leave(subscription, watched, presence.reason or "noresource")

    def shut_out(self, watcher: str, reason: str, now: float) -> None:
        """Ends all subscriptions of a watcher. The last NOTIFY shows nothing but the end."""
        for subscription in [one for one in self._by_id.values() if one.watcher == watcher]:
            subscription.silence()
            self._end(subscription, reason, now)

    def _find(self, presence: SipPresence) -> list[tuple[Subscription, Watched]]:
        if presence.subscription is not None:
            owner = self._by_id.get(_owner(presence.subscription))
            one = None if owner is None else owner.find(presence.subscription)
            return [] if owner is None or one is None or (owner.over and not owner.fetch) else [(owner, one)]
        uri = parse_uri(presence.target)
        target = self._names.target(uri) if isinstance(uri, SipUri) else presence.target
        every = [(self._by_id[_owner(one.id)], one) for one in self._by_target.get(target, {}).values()]
        return [
            (owner, one)
            for owner, one in every
            if (presence.watcher is None or owner.watcher == presence.watcher) and (not owner.over or owner.fetch)
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
        self._expiries.discard(subscription.id)
        self._count(subscription.watcher, -subscription.size)
        if not subscription.fetch:
            self._store.remove(subscription.id)
        for watched in tuple(subscription.watched):
            self._leave(subscription, watched, reason)

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
        listing = subscription.listing
        subscription.dirty = listing is not None and listing.waits and not subscription.over
        subscription.next_at = now + self._config.lifetimes.notify_interval
        self._layer.request("NOTIFY", branch, data, way, now, partial(self._answered, subscription))

    def _device(self, subscription: Subscription) -> Binding | None:
        """Returns the device behind a Contact that is a GRUU of ours (RFC 5627 section 6.1); None for others."""
        contact = subscription.contact
        aor = self._names.aor(contact) if is_gruu(contact) else None
        return None if aor is None else self._registrar.device(contact, aor)

    def _way(self, subscription: Subscription) -> Flow | Target | None:
        device = self._device(subscription)
        if device is not None:
            return device.ways(self._layer.is_open)
        flow = subscription.flow
        if flow.reliable and not subscription.routes and not self._layer.is_open(flow):
            for binding in self._registrar.contacts(subscription.watcher):
                if binding.flow.reliable and binding.uri.equivalent(subscription.contact):
                    return binding.ways(self._layer.is_open)  # the client came back on another connection
        # The first of a route set is who has sent the SUBSCRIBE on to us, over this flow.
        return way_to(routed(subscription.routes, subscription.contact).next_hop, flow, self._layer.is_open)

    def _build(self, subscription: Subscription, transport: str, sent_by: str, branch: str, now: float) -> bytes:
        left = max(round(subscription.expires_at - now), 0)
        if subscription.over:
            state = f"terminated;reason={subscription.over}"
        else:
            state = f"{subscription.subscription_state};expires={left}"
        device = self._device(subscription)
        if device is None:
            target, path, _ = routed(subscription.routes, subscription.contact)
        else:
            target = device.request_uri
            path = (*(() if subscription.routes else device.path), *subscription.routes)
        routes = "".join(f"Route: {route}\r\n" for route in path)
        kind, body = self._content(subscription, transport)
        head = (
            f"NOTIFY {target} SIP/2.0\r\nVia: SIP/2.0/{transport} {sent_by};rport;branch={branch}\r\n"
            f"{routes}Max-Forwards: 70\r\nFrom: {subscription.local_uri};tag={subscription.id}\r\n"
            f"To: {subscription.remote_uri}\r\nCall-ID: {subscription.call_id}\r\n"
            f"CSeq: {subscription.local_cseq} NOTIFY\r\nContact: {self._contact(subscription)}\r\n"
            f"Event: {subscription.event}\r\nSubscription-State: {state}\r\n{kind}"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body

    def _content(self, subscription: Subscription, transport: str) -> tuple[str, bytes]:
        """Returns the headers that speak of a NOTIFY's body, and the body."""
        shows = subscription.shows
        if not isinstance(shows, Listing):
            return f"Content-Type: {PIDF}\r\n" if shows.pidf else "", shows.pidf or b""
        most = room(self._config.limits, reliable=transport != "UDP")
        boundary = self._entropy(16).hex()
        kind, body = shows.compose(
            subscription.version, most, self._config.domain, boundary, bare=subscription.for_linphone
        )
        require = "{}: {}\r\n".format(*LISTS)
        return require + (f"Content-Type: {kind}\r\n" if body else ""), body

    def _answered(self, subscription: Subscription, outcome: Outcome, now: float) -> None:
        subscription.busy = False
        if subscription.id not in self._by_id:
            return
        if subscription.over and (subscription.fetch or not subscription.dirty):
            self._drop(subscription, subscription.over)
            return
        if subscription.listing is not None and (isinstance(outcome, Failure) or outcome.status >= 300):
            subscription.listing.repeat()  # what was not taken is not told by what comes after it
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


def _owner(watch_id: str) -> str:
    """Returns the id of a watch's subscription: the same, or for an entry of a list what is before the dot."""
    return watch_id.partition(".")[0]


def _retry_after(response: Response) -> float:
    text = (response.first("Retry-After") or "").partition(";")[0].partition("(")[0].strip()
    return min(float(text), 3600.0) if text.isascii() and text.isdigit() and len(text) <= 10 else 60.0
