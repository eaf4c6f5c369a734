"""The SIP transport on Twisted: owns the sockets, drives the endpoint, speaks native events with the bridge.

Feed, take events, send, arm one timer: all input of one wake-up goes through the endpoint before anything is sent, so
what belongs to one connection is written in one piece. Answers that a commit allows are written together as well.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from functools import partial

from attrs import evolve
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.task import deferLater
from twisted.logger import Logger

from bridge.model.body import Failure as SendFailure
from bridge.model.body import Stage
from bridge.model.capabilities import Capabilities, SendResult, Support
from transports.sip.connections import Connections
from transports.sip.dns import DnsClient
from transports.sip.kernelfilter import source_of
from transports.sip.machine.config import Listener, StoredList
from transports.sip.machine.documents import Surroundings
from transports.sip.machine.elsewhere import PresenceFetched, PresenceSeen
from transports.sip.machine.endpoint import Endpoint
from transports.sip.machine.events import (
    EndpointEvent,
    MessageReceived,
    PeerChanged,
    Published,
    RegistrationChanged,
    RequestRefused,
    SendFinished,
    SubscriptionClosed,
    SubscriptionOpened,
    TypingRanOut,
)
from transports.sip.machine.flow import Flow
from transports.sip.machine.locate import Answer, Question
from transports.sip.machine.peers import PeerState
from transports.sip.machine.ports import Accounts, Entropy, SubscriptionStore
from transports.sip.machine.watches import SubscriberEvent
from transports.sip.reactors import SipReactor
from transports.sip.seams import (
    NO_WATCHER,
    STATUS,
    Bindings,
    IntakeLike,
    Publications,
    SinkLike,
    SipTransportConfig,
    TimedBindings,
    TimedPublications,
    ignore,
)
from transports.sip.sockets import Sockets
from transports.sip.tls import ClientTls, ServerTls
from transports.sip.wire.native import SipMessage, SipNative, SipPresence, SipTyping, SipWatch
from transports.sip.writing import write

_log = Logger()
_MOST_LIMITS = 1024
"""Lengths of texts that capabilities are kept for: a contact's URI takes from the room for a text."""

CAPABILITIES = Capabilities(
    edits=Support.PARTIAL,
    retractions=Support.PARTIAL,
    reactions=Support.PARTIAL,
    text=Support.FULL,
    html=Support.PARTIAL,
    typing=Support.FULL,
    presence=Support.FULL,
    relayed_receipts=Support.FULL,
    delivered_receipts=Support.FULL,
    displayed_receipts=Support.FULL,
    max_text_bytes=600,
)
"""RFC 3428 section 8 leaves a MESSAGE over UDP 1300 bytes in all; `SipTransport.max_body` tells more of one person."""

_LOOK_AT_GATE = 0.25
"""Seconds between looks at who is shut out; nobody is let in again later than that."""


class SipTransport:
    """SIP over UDP, TCP, TLS, WebSocket and secure WebSocket.

    Args:
        config: names, listeners, limits.
        reactor: of Twisted.
        accounts: who may sign on.
        secret: at least 16 bytes that stay the same over restarts; requests get their names from it.
        bindings: keeps registrations; None: they end with the process.
        subscriptions: keeps subscriptions; None likewise.
        publications: keeps publications; None likewise.
        surroundings: what the bridge knows of a person's watchers and waiting messages.
        on_seen: told of what subscriptions of ours show (`Endpoint.subscriber`).
        on_refused: told of requests that were refused before they reached the bridge, for the record.
        on_peer: told of trusted peers that do not answer any more, or again.
        entropy: random bytes.
        clock: seconds that never go back.
        wall: seconds since the epoch.
    """

    def __init__(
        self,
        config: SipTransportConfig,
        *,
        reactor: SipReactor,
        accounts: Accounts,
        secret: bytes,
        bindings: Bindings | None = None,
        subscriptions: SubscriptionStore | None = None,
        publications: Publications | None = None,
        surroundings: Surroundings | None = None,
        on_seen: Callable[[SubscriberEvent], None] | None = None,
        on_refused: Callable[[RequestRefused], None] | None = None,
        on_peer: Callable[[PeerChanged], None] | None = None,
        entropy: Entropy = os.urandom,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._config = config
        self._reactor = reactor
        self._accounts = accounts
        self._secret = secret
        self._bindings = bindings
        self._subscriptions = subscriptions
        self._publications = publications
        self._on_refused = on_refused
        self._on_peer = on_peer
        self._dns: DnsClient | None = None
        self._client_tls: ClientTls | None = None
        self._surroundings = surroundings
        self._on_seen = on_seen
        self._entropy = entropy
        self._clock = clock
        self._epoch = wall() - clock()
        self._tls: ServerTls | None = None
        self._wider: dict[int, Capabilities] = {}
        self._connections = Connections(
            reactor, config.limits, clock, pump=self._pump, flush_soon=self._flush_soon,
            client_tls=lambda: self._client_tls,
        )  # fmt: skip
        self._sockets = Sockets(config, reactor, self._connections, datagram=self._datagram, drained=self._pump)
        self._results: dict[str, list[Callable[[SendResult], None]]] = {}
        self._timer: IDelayedCall | None = None
        self._timer_at = 0.0
        self._gate: IDelayedCall | None = None
        self._flushing: IDelayedCall | None = None
        self._busy = False
        self._stopped = False
        self._sink: SinkLike | None = None
        self.endpoint: Endpoint | None = None
        self.listeners: tuple[Listener, ...] = ()
        """Where we listen, after `start`: with the ports that the system gave."""

    @property
    def capabilities(self) -> Capabilities:
        """What SIP users' clients take in general."""
        return CAPABILITIES

    def capabilities_of(self, user: str) -> Capabilities:
        """What the devices of one person take now: a long text goes whole where each has a connection."""
        limit = self.max_body(user)
        if limit == CAPABILITIES.max_text_bytes:
            return CAPABILITIES
        known = self._wider.get(limit)
        if known is None:
            if len(self._wider) >= _MOST_LIMITS:
                self._wider.clear()
            known = self._wider[limit] = evolve(CAPABILITIES, max_text_bytes=limit)
        return known

    @property
    def counts(self) -> dict[str, int]:
        """How much is kept and open, for metrics."""
        inner = {} if self.endpoint is None else self.endpoint.counts
        return {**inner, "connections": len(self._connections), "udp_dropped": self._sockets.dropped}

    def max_body(self, aor: str) -> int:
        """Returns the longest body that every contact of ``aor`` can be sent now, in bytes."""
        assert self.endpoint is not None
        return self.endpoint.max_body(aor)

    # -- start and stop -----------------------------------------------------------------------------------------------

    async def start(self, sink: SinkLike) -> None:
        """Opens the listeners.

        Raises:
            OSError: an address cannot be bound.
            TlsError: the certificate or key cannot be used.
        """
        self._sink = sink
        if self._config.tls is not None:
            self._tls = ServerTls(self._config.tls)
            if self._config.endpoint.trunks.on:
                self._client_tls = ClientTls(self._config.tls)
        self.listeners = await self._sockets.open(self._tls)
        bindings = None if self._bindings is None else TimedBindings(self._bindings, self._clock, self._flush_soon)
        published = self._publications
        kept = None if published is None else TimedPublications(published, self._clock, self._flush_soon)
        self.endpoint = Endpoint(
            evolve(self._config.endpoint, listeners=self.listeners),
            accounts=self._accounts,
            entropy=self._entropy,
            secret=self._secret,
            bindings=bindings,
            subscriptions=self._subscriptions,
            publications=kept,
            surroundings=self._surroundings,
            epoch=self._epoch,
        )
        if self.endpoint.trunking is not None:
            self._dns = DnsClient(self._reactor, self._config.dns_servers)
        self.endpoint.start(self._clock())
        self._sockets.begin()
        self._connections.begin(self.endpoint)
        self._pump()

    async def stop(self, *, drain: float) -> None:
        """Takes no new connections, gives what is under way ``drain`` seconds, then closes everything."""
        await self._sockets.refuse()
        end = self._clock() + drain
        while self._clock() < end and self.endpoint is not None:
            if not self.endpoint.counts["pending"] and not self.endpoint.counts["deliveries"]:
                break
            await deferLater(self._reactor, 0.05)
        if self.endpoint is not None:
            self.endpoint.close()
        self._pump()
        self._stopped = True
        if self._dns is not None:
            self._dns.stop()
        for call in (self._timer, self._flushing, self._gate):
            if call is not None and call.active():
                call.cancel()
        self._timer = self._flushing = self._gate = None
        self._sockets.end()
        self._connections.end()
        for key in list(self._results):
            unknown = SendFailure(reason="stopped", retryable=True, certain=False, user_text="The bridge was stopped")
            self._settle(key, SendResult(stage=Stage.UNKNOWN, failure=unknown))

    def reload_tls(self) -> None:
        """Reads the certificate and key again; connections that are up stay. Raises TlsError, and keeps the old."""
        if self._tls is not None:
            self._tls.reload()
        if self._client_tls is not None:
            self._client_tls.reload()

    def set_lists(self, lists: Mapping[str, StoredList]) -> None:
        """Puts other lists in force, and tells those who watch them."""
        assert self.endpoint is not None
        self.endpoint.set_lists(lists, self._clock())
        self._flush_soon()

    def sign_off(self, aor: str, *, for_good: bool) -> None:
        """Ends what a person's devices have here: ``for_good``, or until they sign on with their new password."""
        assert self.endpoint is not None
        self.endpoint.sign_off(aor, self._clock(), for_good=for_good)
        self._flush_soon()

    def peers(self) -> list[PeerState]:
        """Returns how the trusted peers are; ``since`` is in seconds from now, backwards."""
        if self.endpoint is None or self.endpoint.trunking is None:
            return []
        now = self._clock()
        return [evolve(one, since=max(now - one.since, 0.0)) for one in self.endpoint.trunking.states(now)]

    def watch_elsewhere(self, aor: str, by: str, *, wanted: bool) -> None:
        """Has the presence of somebody watched at another server, where that is configured, or no more.

        ``by``: in whose name alone; empty for people of the company.
        """
        if self.endpoint is None or self.endpoint.elsewhere is None:
            return
        (self.endpoint.elsewhere.want if wanted else self.endpoint.elsewhere.unwant)(aor, by, self._clock())
        self._flush_soon()

    def fetch_elsewhere(self, aor: str, by: str, watch: str, then: Callable[[], None]) -> bool:
        """Has somebody's presence asked for once at another server, where that is configured, for a fetch here.

        Args:
            aor: whose.
            by: in whose name; empty for people of the company.
            watch: the fetch; its NOTIFY waits for the state, for a while.
            then: called when the sink has what was found; it is taken back at once after that.
        """
        found = self.endpoint is not None and self.endpoint.fetch_elsewhere(aor, by, watch, then, self._clock())
        self._flush_soon()
        return found

    def watchers_changed(self, aor: str) -> None:
        """Tells that others watch a person than before, or ask to: their lists of watchers are told anew."""
        assert self.endpoint is not None
        self.endpoint.watchers_changed(aor, self._clock())
        self._flush_soon()

    def summary_changed(self, aor: str) -> None:
        """Tells that other messages wait for a person than before."""
        assert self.endpoint is not None
        self.endpoint.summary_changed(aor, self._clock())
        self._flush_soon()

    def summary_watchers(self) -> list[str]:
        """Returns whose waiting messages are watched."""
        assert self.endpoint is not None
        return self.endpoint.summary_watchers()

    def aors(self) -> set[str]:
        """Returns who has anything here: registrations, publications or subscriptions."""
        assert self.endpoint is not None
        return self.endpoint.aors()

    # -- the bridge's side --------------------------------------------------------------------------------------------

    def send(self, native: SipNative, *, key: str, deadline: float, on_result: Callable[[SendResult], None]) -> None:
        """Sends one native event to SIP users. ``deadline`` is of the reactor's clock.

        Raises:
            TypeError: a native event that only ever comes in.
        """
        endpoint = self.endpoint
        assert endpoint is not None, "start first"
        now = self._clock()
        if isinstance(native, SipPresence):
            meant = endpoint.notify(native, now)
            self._flush_soon()
            on_result(SendResult(stage=Stage.RELAYED) if meant else NO_WATCHER)
            return
        if not isinstance(native, SipMessage | SipTyping):
            raise TypeError(f"{type(native).__name__} cannot be sent")
        self._results.setdefault(key, []).append(on_result)
        until = now + max(deadline - self._reactor.seconds(), 0.0)
        if isinstance(native, SipMessage):
            endpoint.send_message(native, key, now, until)
        else:
            endpoint.send_typing(native, key, now, until)
        self._flush_soon()

    def _settle(self, key: str, result: SendResult) -> None:
        for on_result in self._results.pop(key, ()):
            on_result(result)

    def _recorded(self, tx: int, intake: IntakeLike) -> None:
        assert self.endpoint is not None
        refusal = intake.refusal
        if intake.accepted or refusal is None:
            self.endpoint.answer(tx, 202, now=self._clock())
        else:
            status = STATUS.get(refusal.code, 500)
            reason, headers = refusal.reason, []
            if refusal.reference:
                reason = f"{reason} (reference {refusal.reference})"
            if refusal.retry_after is not None:
                headers.append(("Retry-After", str(int(refusal.retry_after) + 1)))
            if status == 415:
                headers.append(("Accept", ", ".join(self._config.endpoint.message_types)))
            self.endpoint.answer(tx, status, None if status < 300 else reason, tuple(headers), now=self._clock())
        self._flush_soon()

    def _dispatch(self) -> None:
        endpoint, sink = self.endpoint, self._sink
        assert endpoint is not None
        assert sink is not None
        while (event := endpoint.next_event()) is not None:
            try:
                self._hand_on(event, sink)
            except Exception:  # noqa: BLE001 - a fault of one event must not stop the others, nor the sockets
                _log.failure("an event of the SIP endpoint could not be handed on")
                if isinstance(event, MessageReceived):
                    endpoint.answer(event.tx, 500, "The bridge could not take the message", now=self._clock())

    def _hand_on(self, event: EndpointEvent, sink: SinkLike) -> None:
        if isinstance(event, MessageReceived):
            sink.deliver(event.native, partial(self._recorded, event.tx))
        elif isinstance(event, SendFinished):
            self._settle(event.key, event.result)
        elif isinstance(event, RequestRefused):
            if self._on_refused is not None:
                self._on_refused(event)
        elif isinstance(event, PeerChanged):
            if self._on_peer is not None:
                self._on_peer(event)
        elif isinstance(event, RegistrationChanged | Published | SubscriptionOpened | TypingRanOut):
            sink.deliver(event.native, ignore)
        elif isinstance(event, SubscriptionClosed):
            sink.deliver(SipWatch(aor=event.watcher, target=event.target, id=event.id, expires=0), ignore)
        elif isinstance(event, PresenceSeen):
            sink.deliver(event.native, ignore)
        elif isinstance(event, PresenceFetched):
            event.then()
        else:
            self._seen(event)

    def _seen(self, event: SubscriberEvent) -> None:
        assert self.endpoint is not None
        elsewhere = self.endpoint.elsewhere
        if (elsewhere is None or not elsewhere.seen(event, self._clock())) and self._on_seen is not None:
            self._on_seen(event)

    # -- driving the endpoint -----------------------------------------------------------------------------------------

    def _datagram(self, flow: Flow, data: bytes) -> None:
        assert self.endpoint is not None
        try:
            self.endpoint.receive(flow, data, self._clock())
        except Exception:  # noqa: BLE001 - it would take the socket from the reactor, and everybody with it
            _log.failure("a datagram from {source} could not be served", source=flow.key)

    def _flush_soon(self) -> None:
        """Has what is to be sent go out with all else that this turn of the reactor brings."""
        if not self._busy and self._flushing is None and not self._stopped:
            self._flushing = self._reactor.callLater(0, self._flush)

    def _flush(self) -> None:
        self._flushing = None
        self._pump()

    def _pump(self) -> None:
        """Events out, bytes out, until there is nothing left; then one timer."""
        endpoint = self.endpoint
        if endpoint is None or self._busy or self._stopped:
            return
        self._busy = True
        try:
            while True:
                self._dispatch()
                if self._dns is not None and self._ask(self._dns):
                    continue  # an answer that was there at once has led to events
                outputs = endpoint.to_send(self._clock())
                if not outputs:
                    break
                write(outputs, self._connections, self._sockets)
        finally:
            self._busy = False
        if endpoint.guard.changed and self._gate is None:
            self._keep_out()
        self._arm()

    def _keep_out(self) -> None:
        """Has the kernel throw away what those send who are shut out now, and looks again before long."""
        self._gate = None
        if self.endpoint is None or self._stopped:
            return
        self.endpoint.guard.changed = False
        out = [source for name in self.endpoint.guard.expire(self._clock()) if (source := source_of(name)) is not None]
        self._sockets.block(out)
        if out:
            self._gate = self._reactor.callLater(_LOOK_AT_GATE, self._keep_out)

    def _ask(self, client: DnsClient) -> bool:
        """Has DNS asked what the endpoint wants to know. Returns whether that was anything."""
        assert self.endpoint is not None
        assert self.endpoint.trunking is not None
        questions = self.endpoint.trunking.questions()
        for question in questions:
            client.ask(question, self._known)
        return bool(questions)

    def _known(self, question: Question, answer: Answer) -> None:
        assert self.endpoint is not None
        assert self.endpoint.trunking is not None
        self.endpoint.trunking.answer(question, answer, self._clock())
        self._flush_soon()

    def _arm(self) -> None:
        assert self.endpoint is not None
        deadline = self.endpoint.next_deadline()
        if deadline is None:
            return
        timer = self._timer
        if timer is not None and timer.active():
            if self._timer_at <= deadline:
                return  # it fires early, finds nothing due, and is set anew
            timer.reset(max(deadline - self._clock(), 0.0))
        else:
            self._timer = self._reactor.callLater(max(deadline - self._clock(), 0.0), self._tick)
        self._timer_at = deadline

    def _tick(self) -> None:
        assert self.endpoint is not None
        self._timer = None
        try:
            self.endpoint.handle_timer(self._clock())
        except Exception:  # noqa: BLE001 - the timers after it must fire all the same
            _log.failure("a timer of the SIP endpoint failed")
        self._pump()
