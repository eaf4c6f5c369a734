"""The SIP endpoint, without I/O: bytes and time in, events and bytes out (in the manner of aioquic's connection).

The owner feeds it what its sockets read, takes events with `next_event`, gives answers and messages, sends what
`to_send` returns, and calls `handle_timer` at `next_deadline`. All times are seconds of one clock that never goes back.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from functools import partial

from bridge.model.body import Stage
from bridge.model.capabilities import SendResult
from transports.sip.machine.auth import Authenticator
from transports.sip.machine.challenged import Challenged
from transports.sip.machine.config import EndpointConfig, StoredList
from transports.sip.machine.documents import NothingKnown, Surroundings
from transports.sip.machine.elsewhere import Elsewhere
from transports.sip.machine.events import (
    EndpointEvent,
    Published,
    RegistrationChanged,
    SendFinished,
    SubscriptionOpened,
    TypingRanOut,
)
from transports.sip.machine.flow import CloseFlow, Flow, Output, Target, prefix_of
from transports.sip.machine.gruu import Gruus
from transports.sip.machine.guard import Guard
from transports.sip.machine.keptlists import KeptLists
from transports.sip.machine.layer import TransactionLayer
from transports.sip.machine.liveness import Liveness
from transports.sip.machine.lostflows import LostFlows
from transports.sip.machine.names import Names
from transports.sip.machine.pacing import Pacing
from transports.sip.machine.ports import (
    Accounts,
    BindingStore,
    Entropy,
    NoBindings,
    NoPublications,
    NoSubscriptions,
    PublicationStore,
    SubscriptionStore,
)
from transports.sip.machine.publications import Publications
from transports.sip.machine.registrar import Registrar
from transports.sip.machine.routing import Router
from transports.sip.machine.sender import Sender
from transports.sip.machine.serving import ServerTransaction
from transports.sip.machine.subscriber import Subscriber
from transports.sip.machine.subscriptions import Notifier
from transports.sip.machine.timers import TimerQueue
from transports.sip.machine.trunking import Trunking
from transports.sip.machine.typing import Heard, Told
from transports.sip.machine.uas import Uas
from transports.sip.wire.iscomposing import MIN_REFRESH, IsComposing, build_iscomposing
from transports.sip.wire.native import SipMessage, SipPresence, SipPublished, SipRegistration, SipTyping, SipWatch


class Endpoint:
    """Registrar, message gateway and presence notifier of one domain.

    Args:
        config: names, limits, timers.
        accounts: who may sign on.
        entropy: random bytes; nothing else in here is random.
        secret: derives the names of requests from idempotency keys: at least 16 bytes, the same after a restart.
        bindings: keeps registrations.
        subscriptions: keeps subscriptions.
        publications: keeps publications.
        surroundings: what the owner knows of a person's watchers and waiting messages.
        epoch: seconds since 1970 at this clock's 0; 0 where ``now`` is the time of day itself.
    """

    def __init__(
        self,
        config: EndpointConfig,
        *,
        accounts: Accounts,
        entropy: Entropy,
        secret: bytes,
        bindings: BindingStore | None = None,
        subscriptions: SubscriptionStore | None = None,
        publications: PublicationStore | None = None,
        surroundings: Surroundings | None = None,
        epoch: float = 0.0,
    ) -> None:
        self.config = config
        timers = config.timers
        self._events: deque[EndpointEvent] = deque()
        self._queue = TimerQueue((timers.t1, 2 * timers.t1, 4 * timers.t1, timers.t2, timers.timeout))
        process_secret = entropy(32)
        auth = Authenticator(config.auth, config.auth_realm, config.domain, accounts, entropy(32))
        self.guard = Guard(config.limits, auth.issued)
        self._layer = TransactionLayer(timers, config.limits, self._queue, process_secret, self._request, self.guard)
        self._past: list[Output] = []
        self._pacing = Pacing(self._queue, self._past.append, entropy, config.domain, config.quirks)
        names, router = Names(config), Router(config)
        self._liveness = Liveness(self._queue, config.lifetimes.flow_timer, self._close)
        self.registrar = Registrar(
            config, self._layer, self._queue, bindings or NoBindings(), Gruus(config.domain, secret, entropy),
            self._registered, self._liveness.watch, epoch,
        )  # fmt: skip
        self._notifier = Notifier(
            config, self._layer, self._queue, names, router, self.registrar, subscriptions or NoSubscriptions(),
            surroundings or NothingKnown(), entropy, epoch, self._watched, self._events.append,
        )  # fmt: skip
        self._publications = Publications(
            config, self._layer, self._queue, entropy, publications or NoPublications(),
            lambda aor: bool(self.registrar.contacts(aor)), epoch, self._published,
        )  # fmt: skip
        self._lost = LostFlows(config, self._layer, self._queue, router, self.registrar, entropy)
        self._heard = Heard(self._queue, self._ran_out)
        self._told = Told(self._queue, self._compose)
        self.trunking: Trunking | None = None
        """Other SIP servers, where there are any."""
        if config.trunks.on:
            self.trunking = Trunking(
                config, self._layer, self._queue, names, router, secret, entropy, self._events.append
            )  # fmt: skip
            self.guard.trusted = self.trunking.trust.knows
        upstream = None if self.trunking is None else self.trunking.upstream
        self._sender = Sender(
            config, self._layer, self._queue, router, self.registrar, self._lost, secret, self._sent, upstream
        )
        self._challenged = Challenged(self._queue, config.lifetimes.challenge, config.limits, self._events.append)
        self.subscriber = Subscriber(config, self._layer, self._queue, router, entropy, self._events.append, upstream)
        self.elsewhere: Elsewhere | None = None
        """Who is watched at other servers; feed it with the events of `subscriber`."""
        if upstream is not None:
            self.elsewhere = Elsewhere(
                config.trunks, upstream, self.subscriber, self._queue, entropy, self._events.append
            )
        self._lists = KeptLists(config.lists)
        self._uas = Uas(
            config,
            self._layer,
            names,
            router,
            auth,
            self._challenged,
            self.registrar,
            self._notifier,
            self._publications,
            self.subscriber,
            self._events.append,
            self.guard,
            self._heard,
            self._lists,
            self.trunking,
        )

    def start(self, now: float) -> None:
        """Loads what the stores kept. Call it once, before anything else."""
        self.registrar.load(now)
        self._publications.load(now)
        self._notifier.load(now)
        self._notifier.lists_changed(partial(self._lists.change, None), now)
        if self.trunking is not None:
            self.trunking.start(now)

    # -- the wire -----------------------------------------------------------------------------------------------------

    def flow_opened(self, flow: Flow, now: float, target: Target | None = None) -> None:
        """A connection is up; ``target`` is what a `ConnectTo` asked for, where it was that."""
        self._layer.flow_opened(flow, now, target)
        if self.trunking is not None and target is not None:
            self.trunking.replies.flow_opened(target)

    def flow_lost(self, flow: Flow, now: float) -> None:
        """A connection is gone."""
        self._pacing.lost(flow)
        self._liveness.lost(flow)
        self._layer.flow_lost(flow, now)
        self._lost.lost(flow, now)

    def connection_made(self, source: str, now: float) -> bool:
        """Somebody has connected to us. False: their address asks for too much, and the connection is to be dropped."""
        if self.trunking is not None and self.trunking.trust.has_address(source):
            return True
        return self.guard.connected(prefix_of(source), now)

    def connect_failed(self, target: Target, now: float) -> None:
        """What a `ConnectTo` asked for cannot be had."""
        self._layer.connect_failed(target, now)
        if self.trunking is not None:
            self.trunking.replies.connect_failed(target, now)

    def receive(self, flow: Flow, data: bytes, now: float) -> None:
        """Takes one datagram, or what a connection has read. Never raises for what a peer sent."""
        if self._liveness.watched:
            self._liveness.heard(flow, data, now)
        self._layer.receive(flow, data, now)
        self._pacing.received(flow, data, now)

    def to_send(self, now: float) -> list[Output]:
        """Returns what is to be sent, in order, and forgets it."""
        outputs = self._pacing.paced(self._layer.take(), now)
        if self._past:
            outputs = [*self._past, *outputs]
            self._past.clear()
        return outputs

    def next_event(self) -> EndpointEvent | None:
        """Returns the oldest event that was not taken yet, or None."""
        return self._events.popleft() if self._events else None

    def next_deadline(self) -> float | None:
        """Returns when to call `handle_timer`, or None."""
        return self._queue.next_deadline()

    def handle_timer(self, now: float) -> None:
        """Does what is due."""
        self._queue.fire(now)

    # -- the owner ----------------------------------------------------------------------------------------------------

    def answer(
        self,
        tx: int,
        status: int,
        reason: str | None = None,
        headers: tuple[tuple[str, str], ...] = (),
        *,
        now: float,
    ) -> None:
        """Answers a `MessageReceived`: 202 when it is on record, else why not."""
        self._uas.answer(tx, status, reason, headers, now)

    def send_message(self, message: SipMessage, key: str, now: float, deadline: float | None = None) -> None:
        """Sends a message to all contacts of ``message.aor``; `SendFinished` tells once what became of it."""
        self._told.wrote(message.aor, message.peer)
        self._sender.send(message, key, now, deadline)

    def send_typing(self, typing: SipTyping, key: str, now: float, deadline: float | None = None) -> None:
        """Sends an is-composing indication the same way; one that is no news is not sent (RFC 3994 section 3.2)."""
        if self._told.news(typing, key, now):
            self._compose(typing, key, now, deadline)
        else:
            self._sent(key, SendResult(stage=Stage.RELAYED), now)

    def _compose(self, typing: SipTyping, key: str, now: float, deadline: float | None = None) -> None:
        refresh = None if typing.refresh is None else max(typing.refresh, MIN_REFRESH)
        body = build_iscomposing(IsComposing(state=typing.state, content_type="text/plain", refresh=refresh))
        message = SipMessage(
            aor=typing.aor, peer=typing.peer, call_id="", cseq=0, body=body,
            content_type="application/im-iscomposing+xml", device=typing.device,
        )  # fmt: skip
        self._sender.send(message, key, now, deadline)

    def notify(self, presence: SipPresence, now: float) -> int:
        """Sets what subscriptions show. Returns how many were meant."""
        return self._notifier.notify(presence, now)

    def fetch_elsewhere(self, aor: str, by: str, watch: str, then: Callable[[], None], now: float) -> bool:
        """Asks for somebody's presence at another server, for a fetch here, whose NOTIFY waits. Returns whether.

        ``then`` comes back in a `PresenceFetched`, between the `PresenceSeen` of what was found and that of its end.
        """
        if self.elsewhere is None or not self._notifier.hold(watch, now):
            return False
        if self.elsewhere.fetch(aor, by, then, now):
            return True
        self._notifier.release(watch, now)
        return False

    def set_lists(self, lists: Mapping[str, StoredList], now: float) -> None:
        """Puts other lists in force (RFC 4662); who watches one that has changed is told all of it."""
        before = self._lists.replace(lists)
        self._notifier.lists_changed(partial(self._lists.change, before), now)

    def watchers_changed(self, aor: str, now: float) -> None:
        """Tells that ``surroundings`` has others watching a person than before (RFC 3857)."""
        self._notifier.watchers_changed(aor, now)

    def summary_changed(self, aor: str, now: float) -> None:
        """Tells that ``surroundings`` has other messages waiting for a person than before (RFC 3842)."""
        self._notifier.summary_changed(aor, now)

    def summary_watchers(self) -> list[str]:
        """Returns whose waiting messages are watched."""
        return self._notifier.summary_watchers()

    def sign_off(self, aor: str, now: float, *, for_good: bool) -> None:
        """Ends a person's registrations, publications and subscriptions.

        ``for_good``: they may not come back; otherwise (a new password) they may sign on anew at once (RFC 6665 4.1.3).
        """
        self.registrar.remove(aor, now)
        self._publications.remove(aor)
        self._notifier.shut_out(aor, "rejected" if for_good else "deactivated", now)

    def close(self) -> None:
        """Ends what waits for others: whoever was asked for credentials will not be listened to any more."""
        self._challenged.give_up_all()

    def aors(self) -> set[str]:
        """Returns who has anything here: registrations, publications or subscriptions."""
        return {*self.registrar.aors(), *self._publications.aors(), *self._notifier.watchers()}

    def max_body(self, aor: str) -> int:
        """Returns the longest MESSAGE body that every contact of ``aor`` can be sent now, in bytes."""
        return self._sender.max_body(aor)

    def owes(self, flow: Flow) -> bool:
        """Whether a request from where a flow leads is still to be answered."""
        return self._layer.owes(flow)

    def unfinished(self, flow: Flow) -> int | None:
        """Returns the number of the message in whose middle a connection is; None where it is between messages."""
        return self._layer.unfinished(flow)

    @property
    def counts(self) -> dict[str, int]:
        """How much is kept, for metrics."""
        return {
            **self._layer.counts,
            "bindings": len(self.registrar),
            "subscriptions": len(self._notifier),
            "publications": len(self._publications),
            "watching": len(self.subscriber),
            "elsewhere": 0 if self.elsewhere is None else len(self.elsewhere),
            "deliveries": len(self._sender),
            "pending": self._uas.pending,
            "challenged": len(self._challenged),
            "typing": len(self._heard) + len(self._told),
            "timers": len(self._queue),
            "guarded": len(self.guard),
            "turned_away": self.guard.turned_away,
            "bad_messages": self._layer.bad_messages,
            "absorbed": self._layer.absorbed,
        }

    # -- inside -------------------------------------------------------------------------------------------------------

    def _request(self, transaction: ServerTransaction, now: float) -> None:
        if transaction.request.method == "REGISTER":
            self._pacing.look(transaction)
        self._uas.handle(transaction, now)

    def _close(self, flow: Flow, reason: str) -> None:
        self._past.append(CloseFlow(flow, reason))

    def _registered(self, native: SipRegistration, now: float) -> None:
        self._events.append(RegistrationChanged(native))
        if not native.contacts:
            self._publications.signed_off(native.aor)
        self._notifier.registered(native.aor, now)
        self._sender.registered(native.aor, now)

    def _published(self, native: SipPublished) -> None:
        self._events.append(Published(native))

    def _watched(self, native: SipWatch, resumed: bool) -> None:
        self._events.append(SubscriptionOpened(native, resumed))

    def _ran_out(self, typing: SipTyping) -> None:
        self._events.append(TypingRanOut(typing))

    def _sent(self, key: str, result: SendResult, now: float) -> None:
        del now
        self._events.append(SendFinished(key, result))
