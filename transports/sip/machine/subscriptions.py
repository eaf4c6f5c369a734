"""The notifier: dialogs that watchers open with SUBSCRIBE (RFC 6665), for each of the packages that are served.

What a watcher sees of a person (RFC 3856) is its owner's to say: until then it is ``pending``. A list (RFC 5367, RFC
4662) is one dialog of many watches, each a subscription to the owner. Other packages are the endpoint's: `documents`.
"""

from __future__ import annotations

from collections.abc import Callable

from transports.sip.machine.admission import Refused, refusal, too_long
from transports.sip.machine.config import EndpointConfig
from transports.sip.machine.contents import LISTS, Contents
from transports.sip.machine.dialogs import Plans, Subscription, accept_of, event_of, package_of, resumed, share
from transports.sip.machine.documents import Document, Documents, Surroundings, ended_by
from transports.sip.machine.events import SubscriptionClosed
from transports.sip.machine.expiry import Expiries
from transports.sip.machine.flow import Flow
from transports.sip.machine.keptlists import Change
from transports.sip.machine.layer import TransactionLayer
from transports.sip.machine.lists import Listing, Watched
from transports.sip.machine.names import Names
from transports.sip.machine.notifies import Notifies
from transports.sip.machine.observers import Observers
from transports.sip.machine.packages import MESSAGE_SUMMARY, PACKAGES, PRESENCE, REG, WINFO, Package, form_of
from transports.sip.machine.ports import Entropy, SubscriptionStore
from transports.sip.machine.quota import Quota
from transports.sip.machine.registrar import Registrar
from transports.sip.machine.routing import Router
from transports.sip.machine.serving import ServerTransaction
from transports.sip.machine.shown import Shape, same, shape_of
from transports.sip.machine.shutout import ShutOut
from transports.sip.machine.subscriptiontable import SubscriptionTable
from transports.sip.machine.timers import TimerQueue
from transports.sip.wire.headers import NameAddr
from transports.sip.wire.native import SipPresence, SipWatch
from transports.sip.wire.uri import SipUri, parse_uri

FETCH_WAIT = 8.0
"""Seconds that the answer to a fetch waits for another server."""


class Notifier:
    """All subscriptions of an endpoint.

    Args:
        surroundings: what the owner knows besides.
        opened: told of a new, refreshed or resumed (second argument) watch of somebody's presence, and of a fetch.
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
        surroundings: Surroundings,
        entropy: Entropy,
        epoch: float,
        opened: Callable[[SipWatch, bool], None],
        closed: Callable[[SubscriptionClosed], None],
    ) -> None:
        self._config = config
        self._layer = layer
        self._names = names
        self._registrar = registrar
        self._store = store
        self._entropy = entropy
        self._epoch = epoch
        self._opened = opened
        self._closed = closed
        self._table = SubscriptionTable(names)
        self._by_id, self._by_target = self._table.by_id, self._table.by_target
        self._quota = Quota(config.limits)
        self._shut_out = ShutOut(queue, self._by_id, self._end_blind)
        self._expiries: Expiries[str] = Expiries(queue, self._expire, Plans(self._by_id))
        self._observers = Observers(self._table, self._plan)
        documents = Documents(self._observers.watchers, registrar.contacts, surroundings)
        self._notifies = Notifies(
            config, layer, queue, router, names, registrar, Contents(config, documents, entropy),
            self._by_id, self._drop,
        )  # fmt: skip

    def __len__(self) -> int:
        return len(self._by_id)

    def watchers(self) -> list[str]:
        """Returns who watches."""
        return self._quota.watchers()

    def load(self, now: float) -> None:
        """Takes up the subscriptions that were kept; the owner is told of each, and says what to show."""
        for row in self._store.load():
            contact, uri = parse_uri(row.contact), parse_uri(row.target)
            package = PACKAGES.get(package_of(row))
            expires_at = row.expires_at - self._epoch
            if (
                expires_at <= now or package is None or not isinstance(contact, SipUri) or not isinstance(uri, SipUri)
            ):  # fmt: skip
                self._store.remove(row.id)
                continue
            shows: Watched | Listing
            if row.entries is not None:
                shows = Listing(row.id, row.target, self._names.watchable)
                shows.renew(row.entries)
            else:
                shows = self._table.shown(package, row.id, row.target, self._names.target(uri))
            subscription = resumed(row, package.name, shows, self._epoch)
            share(subscription, self._registrar.contacts(subscription.watcher))
            self._insert(subscription, now)
            self._tell(subscription, now, resumed=True)

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
        assert request.event is not None
        package = PACKAGES[request.event[0]]
        lifetimes = self._config.lifetimes
        default = lifetimes.subscription_default if package.expires is None else package.expires
        expires = min(default if request.expires is None else request.expires, lifetimes.maximum)
        if request.to.tag is not None:
            self._refresh(transaction, watcher, entries, expires, now)
        elif package.own and not self._may(package, watcher, request.uri):
            reason = f"{package.name} is told to the person alone whom it is about"
            self._refuse(transaction, (403, reason, ()), now)
        else:
            self._open(transaction, package, watcher, entries, expires, now)

    def _may(self, package: Package, watcher: str, uri: object) -> bool:
        """RFC 3857 section 4.6, RFC 3680 section 4.6: who may see what is a person's own."""
        target = self._names.aor(uri)
        if target is None:
            return False
        return target == watcher or (package.name == REG and watcher in self._config.reg_watchers)

    def _refuse(self, transaction: ServerTransaction, refused: Refused, now: float) -> None:
        status, reason, headers = refused
        self._layer.answer(transaction, status, reason, now, headers=headers)

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
            or not subscription.is_dialog_of(request)
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
            self._relist(subscription, entries, now)
        elif isinstance(subscription.shows, Listing):
            subscription.shows.repeat()
        if isinstance(subscription.shows, Document):
            subscription.shows.repeat()
        self._store.put(subscription.stored(self._epoch))
        self._tell(subscription, now)
        if expires == 0:
            self._end(subscription, "timeout", now)
        else:
            self._expiries.add(subscription.id, subscription.expires_at, now)
            subscription.next_at = 0.0  # a refresh is answered with a NOTIFY, whenever the last one was
            self._notifies.plan(subscription, now)

    def _new_list(self, subscription: Subscription, entries: tuple[str, ...] | None, flow: Flow) -> Refused | None:
        """Looks whether a SUBSCRIBE in a dialog may bring this list, and by this way."""
        listing = subscription.listing
        if listing is None:
            reason = "A subscription to one person does not become one to a list"
            return None if entries is None else (400, reason, ())
        texts = listing.texts if entries is None else entries
        refused = too_long(texts, self._config.limits, reliable=flow.reliable)
        return refused or self._quota.refusal(subscription.watcher, max(1, len(texts)) - subscription.size)

    def _relist(self, subscription: Subscription, entries: tuple[str, ...] | None, now: float) -> None:
        """Takes the list of a refresh. Without one the list is what it was (RFC 5367 section 3.2)."""
        listing = subscription.listing
        if listing is None:
            return
        before = subscription.size
        begun, over = listing.renew(entries)
        self._quota.count(subscription.watcher, subscription.size - before)
        for watched in over:
            self._leave(subscription, watched, "taken off the list", now)
        for watched in begun:
            self._by_target[PRESENCE].add(watched.target, watched)

    def lists_changed(self, change: Callable[[str | None, str, tuple[str, ...]], Change], now: float) -> None:
        """Takes the news that the lists which are kept here are others; ``change`` says what becomes of each watch.

        Args:
            change: gets the address, the watcher and the entries of a list that is watched.
            now: the time.
        """
        for subscription in [one for one in self._by_id.values() if type(one.shows) is Listing and not one.over]:
            listing = subscription.listing
            assert listing is not None
            to_be = change(self._names.aor(parse_uri(listing.uri)), subscription.watcher, listing.texts)
            if isinstance(to_be, tuple):
                self._change_list(subscription, to_be, now)
            elif to_be is not None:
                if to_be == "rejected":
                    subscription.silence()
                self._end(subscription, to_be, now)

    def _change_list(self, subscription: Subscription, entries: tuple[str, ...], now: float) -> None:
        if self._new_list(subscription, entries, subscription.flow) is not None:
            self._end(subscription, "giveup", now)  # there is no room for so many: it may be asked for anew
            return
        self._relist(subscription, entries, now)
        self._store.put(subscription.stored(self._epoch))
        self._tell(subscription, now)
        self._notifies.plan(subscription, now)

    def _renew(self, subscription: Subscription, transaction: ServerTransaction, expires: int, now: float) -> None:
        request = transaction.request
        subscription.remote_cseq = request.cseq.number
        subscription.expires_at = now + expires
        contact = request.contacts[0]
        assert isinstance(contact, NameAddr)
        subscription.flow, subscription.contact = transaction.flow, str(contact.uri)
        subscription.prefix = None
        share(subscription, self._registrar.contacts(subscription.watcher))

    def _open(
        self,
        transaction: ServerTransaction,
        package: Package,
        watcher: str,
        entries: tuple[str, ...] | None,
        expires: int,
        now: float,
    ) -> None:
        refused = self._quota.refusal(watcher, max(1, len(entries or ())))
        refused = refused or too_long(entries or (), self._config.limits, reliable=transaction.flow.reliable)
        if refused is not None:
            self._refuse(transaction, refused, now)
            return
        request = transaction.request
        name = self._entropy(8).hex()
        shows: Watched | Listing
        if entries is None:
            assert isinstance(request.uri, SipUri)
            shows = self._table.shown(package, name, self._names.canonical(request), self._names.target(request.uri))
        else:
            shows = Listing(name, request.uri_text, self._names.watchable)
            shows.renew(entries)
        subscription = Subscription(name, watcher, package.name, shows, transaction.flow, "")
        event = event_of(request, listed=entries is not None, quirks=self._config.quirks)
        subscription.set_head(
            str(request.to.with_params()), request.first("From") or "", request.call_id, event,
            [str(route) for route in request.record_routes],
        )  # fmt: skip
        subscription.accept = accept_of(request)
        subscription.form = form_of(request, package, listed=entries is not None)
        subscription.fetch = expires == 0
        self._renew(subscription, transaction, expires, now)
        self._insert(subscription, now)
        self._accept(transaction, subscription, expires, now)
        if not subscription.fetch:
            self._store.put(subscription.stored(self._epoch))
        self._tell(subscription, now)
        if subscription.fetch:
            subscription.over = "timeout"
        self._notifies.plan(subscription, now)

    def _insert(self, subscription: Subscription, now: float) -> None:
        self._table.insert(subscription)
        self._quota.count(subscription.watcher, subscription.size)
        if not subscription.fetch:
            self._expiries.add(subscription.id, subscription.expires_at, now)

    def _accept(self, transaction: ServerTransaction, subscription: Subscription, expires: int, now: float) -> None:
        headers = [("Expires", str(expires)), ("Contact", self._notifies.contact(subscription.flow))]
        headers += [("Record-Route", line) for line in transaction.request.lines("Record-Route")]
        if subscription.listing is not None:
            headers.append(LISTS)
        self._layer.answer(transaction, 200, None, now, headers=headers, to_tag=subscription.id)

    def _tell(self, subscription: Subscription, now: float, *, resumed: bool = False) -> None:
        """Tells the owner whose presence is watched."""
        if subscription.package != PRESENCE:
            self._notifies.plan(subscription, now)
            return
        expires = max(round(subscription.expires_at - now), 0)
        for watched in tuple(subscription.watched):
            watch = SipWatch(
                aor=subscription.watcher, target=watched.uri_text, id=watched.id, expires=expires,
                fetch=subscription.fetch,
            )  # fmt: skip
            self._opened(watch, resumed)

    def _leave(self, subscription: Subscription, watched: Watched, reason: str, now: float) -> None:
        """A watch is over."""
        self._by_target[subscription.package].remove(watched.target, watched)
        if subscription.package != PRESENCE or subscription.fetch:
            return
        self._observers.watching_changed(subscription, watched, "terminated", ended_by(reason), now)
        self._closed(SubscriptionClosed(watched.id, subscription.watcher, watched.uri_text, reason))

    def notify(self, presence: SipPresence, now: float) -> int:
        """Sets what subscriptions show. Returns how many were meant: one, a watcher's, or all of the target."""
        found = self._table.find(presence)
        usual: list[Subscription] = []
        address: str | None = None
        shape: Shape | None = None
        for subscription, watched in found:
            if subscription.fetch:
                subscription.next_at = 0.0  # whatever it has waited for
            if watched.uri_text is not address:  # it is one text for nearly all who watch a person
                address = watched.uri_text
                shape = shape_of(presence.pidf, address)
            if (
                watched.state == "active" == presence.state
                and watched.hidden is presence.hidden
                and subscription.shows is watched
            ):  # what nearly all are: another state to the same watch
                if subscription.fetch or not same(watched.shape, shape):
                    watched.shape = shape
                    usual.append(subscription)
                continue
            before = watched.state, watched.hidden
            watched.hidden = presence.hidden
            if subscription.listing is not None:
                self._show(subscription, subscription.listing, watched, presence, now)
            elif presence.state == "terminated":
                watched.shape = shape
                self._end(subscription, presence.reason or "noresource", now)
            elif watched.state != presence.state or subscription.fetch or not same(watched.shape, shape):
                watched.state = presence.state
                watched.shape = shape
                self._notifies.plan(subscription, now)
            if before != (watched.state, watched.hidden) and not (before[1] and watched.hidden):
                told = subscription.local_cseq > 0 and before[0] == "pending"
                self._observers.watching_changed(subscription, watched, None, "approved" if told else "subscribe", now)
        self._notifies.plan_all(usual, now)
        return len(found)

    def hold(self, watch_id: str, now: float) -> bool:
        """Has the NOTIFY of a fetch wait for the state that its owner asks for elsewhere. Returns whether it is one.

        Section 4.2.1.2 of RFC 6665 has a NOTIFY come at once, for which its section 4.1.2.4 lets a subscriber wait
        64*T1; RFC 8048 section 6 has the answer of another server in it. What has not come by then is not waited for.
        """
        subscription = self._by_id.get(watch_id)
        if subscription is None or not subscription.fetch or subscription.busy:
            return False
        subscription.planned, subscription.next_at = None, now + FETCH_WAIT
        self._notifies.plan(subscription, now)
        return True

    def release(self, watch_id: str, now: float) -> None:
        """Has the NOTIFY of a fetch wait no longer."""
        subscription = self._by_id.get(watch_id)
        if subscription is not None and subscription.fetch:
            subscription.next_at = 0.0
            self._notifies.plan(subscription, now)

    def _plan(self, subscription: Subscription, now: float) -> None:
        self._notifies.plan(subscription, now)

    def _show(
        self, subscription: Subscription, listing: Listing, watched: Watched, presence: SipPresence, now: float
    ) -> None:
        """Sets what an entry of a list shows. The end of one is not the list's."""
        if listing.show(watched, presence):
            self._notifies.plan(subscription, now)
        if presence.state == "terminated":
            self._leave(subscription, watched, presence.reason or "noresource", now)

    def shut_out(self, watcher: str, reason: str, now: float) -> None:
        """Ends all subscriptions of a watcher, soon. The last NOTIFY shows nothing but the end."""
        if self._quota.has_any(watcher):
            self._shut_out.add(watcher, reason, now)

    def _end_blind(self, subscription: Subscription, reason: str, now: float) -> None:
        subscription.silence()
        self._end(subscription, reason, now)

    def _end(self, subscription: Subscription, reason: str, now: float) -> None:
        """Decides that a subscription is over: its last NOTIFY says so."""
        if subscription.over and not subscription.fetch:
            return
        subscription.over = reason
        subscription.next_at = 0.0
        self._store.remove(subscription.id)
        self._notifies.plan(subscription, now)

    def _expire(self, subscription_id: str, now: float) -> float | None:
        subscription = self._by_id.get(subscription_id)
        if subscription is None or subscription.over:
            return None
        if subscription.expires_at > now:
            return subscription.expires_at
        self._end(subscription, "timeout", now)
        return None

    def _drop(self, subscription: Subscription, reason: str, now: float) -> None:
        if subscription.id not in self._by_id:
            return
        self._expiries.discard(subscription.id)
        del self._by_id[subscription.id]
        self._quota.count(subscription.watcher, -subscription.size)
        if not subscription.fetch:
            self._store.remove(subscription.id)
        for watched in tuple(subscription.watched):
            self._leave(subscription, watched, reason, now)

    def registered(self, aor: str, now: float) -> None:
        """Takes the news that a person's registrations have changed (RFC 3680)."""
        self._observers.renewed(REG, aor, now)

    def summary_changed(self, aor: str, now: float) -> None:
        """Takes the news that other messages wait for a person than before (RFC 3842)."""
        self._observers.renewed(MESSAGE_SUMMARY, aor, now)

    def summary_watchers(self) -> list[str]:
        """Returns whose waiting messages are watched."""
        return list(self._by_target[MESSAGE_SUMMARY])

    def watchers_changed(self, aor: str, now: float) -> None:
        """Takes the news that others watch a person by other ways, or ask to (`Surroundings.watchers`)."""
        self._observers.renewed(WINFO, aor, now)
