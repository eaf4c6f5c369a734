"""XMPP's streams for a network: one for a component's whole domain, or one for each account.

The reactor is handed in; slixmpp runs on its loop. What stanzas mean is the machine's part; `Comeback` says when to try
again.
"""

from __future__ import annotations

import random
import secrets
from collections.abc import Callable, Hashable
from typing import Any, Protocol
from xml.etree.ElementTree import Element

from attrs import define, field, frozen, validators
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from bridge.model.capabilities import SendResult
from transports.common.machine.actions import SendDone
from transports.common.machine.comeback import Comeback, ComebackTimes
from transports.common.machine.results import failed, link_down
from transports.common.machine.turns import Rates, Turns
from transports.common.wire.native import Link, LinkState
from transports.xmpp.machine.config import StreamConfig
from transports.xmpp.machine.stream import StreamMachine
from transports.xmpp.slix import ClientStream, ComponentStream, Ticket
from transports.xmpp.wire.jid import bare, domain
from transports.xmpp.wire.native import Inbound, Outbound, OwnPresence
from transports.xmpp.wire.xml import MAX_STANZA

OnResult = Callable[[SendResult], None]
OnRecorded = Callable[[], None]
_DRAIN_LOOK = 0.05
_REFUSED_WAIT = 60.0
"""Seconds at least until a component whose secret is refused tries again: only people can put that right."""
_log = Logger()


class Sink(Protocol):
    """Where native values from the network go."""

    def deliver(self, native: Inbound, on_recorded: OnRecorded) -> None:
        """Take a value. `on_recorded` is to be called once it is safe, in the reactor's thread."""


@frozen(kw_only=True)
class TransportConfig:
    """A network's parameters. Times are seconds.

    Attributes:
        component: the component's domain; None: accounts are clients.
        host, port: of the server; None: what DNS says of an account's domain (RFC 6120 section 3.2).
        secret: the component's.
        tls: ``starttls``, ``direct`` or ``none``, of clients; context: with what certificates are checked.
        resource: what the bridge calls itself.
        signing_on: so many streams sign on at the same time at most: those that a slow server has not let in yet are
            not made slower by further ones.
        signon_timeout: until a stream stands; resume_within: for so long an interrupted stream is waited for, and with
            it the end of what was sent on it.
    """

    component: str | None
    host: str | None = None
    port: int | None = None
    secret: str = field(default="", repr=False)
    tls: str = "starttls"
    context: Any = None
    resource: str = "simplebridge"
    signons: Rates = field(factory=lambda: Rates(network=5.0))
    comeback: ComebackTimes = field(factory=ComebackTimes)
    signing_on: int = field(default=20, validator=validators.ge(1))
    signon_timeout: float = field(default=30.0, validator=validators.gt(0.0))
    resume_within: float = field(default=20.0, validator=validators.gt(0.0))
    ping_after: float = field(default=60.0, validator=validators.gt(0.0))
    ping_timeout: float = field(default=30.0, validator=validators.gt(0.0))
    carbons: bool = True
    max_stanza: int = field(default=MAX_STANZA, validator=validators.ge(10_000))


class XmppTransport:
    """A network of accounts that speak XMPP.

    Args:
        config: its parameters.
        reactor: Twisted's, on an asyncio loop.
        rng: the jitter.
        make: makes slixmpp's stream of an account; tests give another.

    All methods are to be called in the reactor's thread.
    """

    def __init__(
        self,
        config: TransportConfig,
        reactor: Any,
        *,
        rng: random.Random | None = None,
        make: Callable[[_Held], Any] | None = None,
    ) -> None:
        self.config = config
        self.reactor = reactor
        self.rng = rng or random.SystemRandom()
        self.make = make or _make_stream
        self.results: dict[Hashable, OnResult] = {}
        self._sink: Sink | None = None
        self._streams: dict[str, _Held] = {}
        self._turns: Turns[_Held] = Turns(config.signons)
        self._turn: Any = None
        self._signing: set[int] = set()

    # -- life

    async def start(self, sink: Sink) -> None:
        """Begin. Accounts are signed on by `sign_on`."""
        self._sink = sink

    async def stop(self, drain: float) -> None:
        """Sign everybody off. Waits up to `drain` seconds for answers to what is under way."""
        self._turns.clear()
        until = self.now() + drain
        while self.results and self.now() < until:
            pause: Deferred[None] = Deferred()
            self.reactor.callLater(_DRAIN_LOOK, pause.callback, None)
            await pause
        for held in list(self._streams.values()):
            held.end("signed off")
        self._streams.clear()
        if self._turn is not None and self._turn.active():
            self._turn.cancel()
        self._sink = None

    def now(self) -> float:
        """The reactor's time, seconds."""
        return float(self.reactor.seconds())

    # -- accounts

    def sign_on(self, account: str, credential: str, presence: OwnPresence) -> None:
        """Sign an account on, in its turn; what becomes of it comes as `LinkState`.

        For an account that is known: take the password, and sign on again if it is not signed on.
        """
        name = bare(account)
        component = self.config.component
        if component is not None and domain(name) != component:
            self.tell(name, Link.AUTH_FAILED, f"{name} is not an address of the component {component}")
            return
        key = name if component is None else component
        held = self._streams.get(key)
        if held is None:
            held = self._streams[key] = _Held(self, key)
        held.sign_on(name, credential, presence)

    def sign_off(self, account: str) -> None:
        """Sign an account off and forget it. Its unfinished sends end as unknown."""
        name = bare(account)
        if self.config.component is not None:
            shared = self._streams.get(self.config.component)
            if shared is None or not shared.sign_off(name):
                return
            name = self.config.component
        held = self._streams.pop(name, None)
        if held is not None:
            self._turns.discard(held)
            held.end("signed off")

    def send(self, native: Outbound, key: Hashable, deadline: float | None, on_result: OnResult) -> None:
        """Send a value for its account; `on_result` is called exactly once, maybe before this returns.

        Args:
            native: the value.
            key: identifies this send; one that is under way is not sent again.
            deadline: not used: what is sent goes at once or not at all.
            on_result: takes what became of it.
        """
        del deadline
        name = bare(native.account)
        held = self._streams.get(name if self.config.component is None else self.config.component)
        if held is None:
            on_result(link_down("That account is not signed on."))
        elif key in self.results:
            on_result(failed("a send of this key is under way", retryable=True, user_text="It is being sent already."))
        else:
            self.results[key] = on_result
            held.machine.send(native, key, self.now())
            held.pump()

    def counters(self) -> dict[str, int]:
        """For the metrics: how much is not confirmed, was refused, waits to sign on."""
        machines = [held.machine for held in self._streams.values()]
        return {
            "waiting": sum(machine.waiting() for machine in machines),
            "refused_stanzas": sum(machine.refused for machine in machines),
            "waiting_signons": len(self._turns),
        }

    # -- of streams

    def tell(self, account: str, state: Link, reason: str, retry_in: float | None = None) -> None:
        """Tells the state of an account."""
        self.hand(LinkState(account=account, state=state, reason=reason, retry_in=retry_in), lambda: None)

    def hand(self, event: Inbound, on_recorded: OnRecorded) -> None:
        """Hands an event to the sink. A fault of whoever listens must not stop the stream."""
        if self._sink is None:
            return
        try:
            self._sink.deliver(event, on_recorded)
        except Exception:  # noqa: BLE001 - see above
            _log.failure("{account}: the listener failed at {kind}", account=event.account, kind=type(event).__name__)

    def done(self, event: SendDone) -> None:
        """Hands the end of a send to who waits for it."""
        on_result = self.results.pop(event.key, None)
        if on_result is not None:
            on_result(event.result)

    def wants_turn(self, held: _Held) -> None:
        """A stream wants to sign on."""
        self._turns.add(f"{self.config.host or held.name}", held)
        self._go_on()

    def signing(self, held: _Held, *, on: bool) -> None:
        """A stream has begun to sign on, or that is over."""
        if on:
            self._signing.add(id(held))
        elif id(held) in self._signing:
            self._signing.discard(id(held))
            self._go_on()

    def _go_on(self) -> None:
        most = self.config.signing_on
        while len(self._signing) < most and (held := self._turns.next(self.now())) is not None:
            held.begin()
        at = self._turns.next_deadline()
        if len(self._signing) < most and at is not None and (self._turn is None or not self._turn.active()):
            self._turn = self.reactor.callLater(max(0.0, at - self.now()), self._go_on)


@define(eq=False)
class _Held:
    """One stream: its machine, slixmpp's part of it while there is one, and when it comes back."""

    transport: XmppTransport
    name: str
    machine: StreamMachine = field(init=False)
    credential: str = field(init=False, default="")
    stream: Any = field(init=False, default=None)
    comeback: Comeback = field(init=False)
    _up: bool = field(init=False, default=False)
    _beginning: bool = field(init=False, default=False)
    _signon_until: float | None = field(init=False, default=None)
    _resume_until: float | None = field(init=False, default=None)
    _conflict: bool = field(init=False, default=False)
    _said: str = field(init=False, default="")
    _error: str = field(init=False, default="")
    """What the server said when it ended the stream."""
    _pumping: bool = field(init=False, default=False)
    _timer: Any = field(init=False, default=None)
    _timer_at: float = field(init=False, default=0.0)

    def __attrs_post_init__(self) -> None:
        config = self.transport.config
        self.machine = StreamMachine(
            StreamConfig(
                component=config.component is not None,
                domain=domain(self.name),
                resource=config.resource,
                ping_after=config.ping_after,
                ping_timeout=config.ping_timeout,
                carbons=config.carbons,
            ),
            lambda: secrets.token_hex(8),
        )
        self.comeback = Comeback(config.comeback, self.transport.rng)

    # -- accounts

    def sign_on(self, account: str, credential: str, presence: OwnPresence) -> None:
        """An account is to be on this stream."""
        known = account in self.machine.people
        self.machine.add(account, presence.place)
        changed = bool(credential) and credential != self.credential
        self.credential = credential
        if self._up:
            if not known and self.machine.config.component:
                self.machine.people[account].show(presence.place)
                self.transport.tell(account, Link.UP, "the component is connected")
            self.pump()
            return
        if self.comeback.attempt_at is not None and not changed and not self._conflict:
            self.transport.tell(account, Link.TRANSIENT, self._said, self.comeback.attempt_at - self.transport.now())
            return
        if self.stream is None or self.comeback.attempt_at is not None:
            self.comeback.reset()
            self.comeback.begun()
            self.transport.wants_turn(self)
        else:
            self.transport.tell(account, Link.CONNECTING, "signing on")

    def sign_off(self, account: str) -> bool:
        """An account leaves a component's stream. Returns whether it is the last, with which the stream is to end."""
        if list(self.machine.people) == [account]:
            return True
        if account in self.machine.people:
            self.machine.remove(account)
            self.pump()
            self.transport.tell(account, Link.LOGGED_OUT, "signed off")
        return False

    def end(self, reason: str) -> None:
        """Signs everybody on it off, without return."""
        accounts = list(self.machine.people)
        for account in accounts:
            self.machine.remove(account)
        self.pump()
        self._drop(forget=True)
        self.comeback.ended(self.transport.now())
        for account in accounts:
            self.transport.tell(account, Link.LOGGED_OUT, reason)
        if self._timer is not None and self._timer.active():
            self._timer.cancel()

    # -- life of the stream

    def begin(self) -> None:
        """It is its turn to sign on."""
        config = self.transport.config
        if self._up or not self.machine.people:
            return
        self.comeback.begun()
        self._conflict, self._error = False, ""
        self._tell_all(Link.CONNECTING, "signing on")
        if config.component is None and not self.credential:
            self._tell_all(Link.AUTH_FAILED, "there is no password")
            return
        self._signon_until = self.transport.now() + config.signon_timeout
        self.transport.signing(self, on=True)
        if self.stream is None:
            self.stream = self.transport.make(self)
        self.stream.connect(config.host, config.port)
        self._arm()

    def _drop(self, *, forget: bool) -> None:
        """Lets go of slixmpp's part; unless all is to be forgotten, one that can be resumed is kept."""
        self._up = False
        self._signed()
        if self.stream is not None and (forget or not self.stream.resumable):
            stream, self.stream = self.stream, None
            stream.part()
        if self.stream is None:
            self._resume_until = None
            self.machine.down()
        else:
            if self._resume_until is None:
                self._resume_until = self.transport.now() + self.transport.config.resume_within
            self.machine.interrupted()

    def _signed(self) -> None:
        """Signing on is over, one way or the other."""
        self._signon_until = None
        self.transport.signing(self, on=False)

    def _tell_all(self, state: Link, reason: str, retry_in: float | None = None) -> None:
        self._said = reason
        for account in list(self.machine.people):
            self.transport.tell(account, state, reason, retry_in)

    def stream_up(self, stream: Any) -> None:
        """slixmpp: it stands anew."""
        if stream is self.stream:
            self._resume_until = None
            self._signed()
            self.machine.up(self.transport.now())
            self.pump()

    def stream_resumed(self, stream: Any) -> None:
        """slixmpp: it goes on where it was."""
        if stream is self.stream:
            self._resume_until = None
            self._signed()
            self.machine.resumed(self.transport.now())
            self.pump()

    def stream_error(self, stream: Any, condition: str, text: str) -> None:
        """slixmpp: the server ends the stream. What follows is that it is lost."""
        if stream is self.stream:
            self._conflict = condition == "conflict"
            self._error = f"{condition}: {text}" if text else condition
            if condition == "not-authorized" and self.machine.config.component:
                self._lost("the server refuses the component's secret", _REFUSED_WAIT, forget=True)
            elif self._conflict:
                self._elsewhere()

    def stream_refused(self, stream: Any, condition: str) -> None:
        """slixmpp: the server does not let the account in."""
        if stream is self.stream:
            self._drop(forget=True)
            self.comeback.ended(self.transport.now())
            if condition == "temporary-auth-failure":
                self._lost(condition, _REFUSED_WAIT, forget=True)
            else:
                self._tell_all(Link.AUTH_FAILED, f"the server refused the password: {condition}")
            self.pump()

    def stream_lost(self, stream: Any, reason: str) -> None:
        """slixmpp: there is no connection any more."""
        if stream is self.stream:
            self._lost(self._error or reason)

    def _elsewhere(self) -> None:
        self._drop(forget=True)
        pause = self.comeback.elsewhere(self.transport.now())
        self._tell_all(Link.SIGNED_ON_ELSEWHERE, "another client has signed on with our resource", pause)
        self.pump()

    def _lost(self, reason: str, at_least: float = 0.0, *, forget: bool = False) -> None:
        self._drop(forget=forget)
        if not self.machine.people:
            return
        wait = self.comeback.lost(self.transport.now(), at_least)
        self._tell_all(Link.TRANSIENT, reason, wait)
        self.pump()

    # -- stanzas

    def stanza(self, stream: Any, element: Element, ticket: Ticket) -> bool:
        """slixmpp: a stanza has come."""
        if stream is not self.stream:
            return True
        taken = self.machine.receive(element, self.transport.now())
        self.pump(ticket)
        return taken

    def pump(self, ticket: Ticket | None = None) -> None:
        """Writes what is to be written, tells what is to be told, and is woken when there is more to do.

        Args:
            ticket: of the stanza that events come from: it counts as handled once they are on record.
        """
        self._write()
        while (event := self.machine.next_event()) is not None:
            if isinstance(event, SendDone):
                self.transport.done(event)
            else:
                self.transport.hand(event, self._recorded(ticket))
            self._write()
        if self.machine.ready and not self._up and self.stream is not None:
            self._up = True
            self.comeback.up(self.transport.now())
            self._tell_all(Link.UP, "signed on")
        self._arm()

    def _recorded(self, ticket: Ticket | None) -> OnRecorded:
        if ticket is None:
            return lambda: None
        ticket.hold()
        stream = self.stream

        def on_recorded() -> None:
            ticket.release()
            if stream is not None:
                stream.settle()

        return on_recorded

    def _write(self) -> None:
        for element in self.machine.to_send():
            if self.stream is not None:
                self.stream.write_stanza(element)

    # -- time

    def _arm(self) -> None:
        times = [self._signon_until, self._resume_until, self.comeback.attempt_at, self.machine.next_deadline()]
        at = min((each for each in times if each is not None), default=None)
        active = self._timer is not None and self._timer.active()
        if at is None or (active and self._timer_at <= at):
            return
        if active:
            self._timer.cancel()
        self._timer_at = at
        self._timer = self.transport.reactor.callLater(max(0.0, at - self.transport.now()), self._fire)

    def _fire(self) -> None:
        now = self.transport.now()
        if self._resume_until is not None and self._resume_until <= now:
            if self._signon_until is not None:
                self._lost("the stream could not be resumed in time", forget=True)
            else:
                self._drop(forget=True)  # the next attempt is on its way, and begins anew
        if self._signon_until is not None and self._signon_until <= now:
            self._lost("sign-on took too long", forget=True)
        self.machine.handle_timer(now)
        if self.machine.broken:
            reason, self.machine.broken = self.machine.broken, ""
            if self.stream is not None and self.stream.resumable:
                stream = self.stream
                stream.abort()  # tells that it is lost
            else:
                self._lost(reason, forget=True)
        if self.comeback.due(now):
            self.comeback.begun()
            self.transport.wants_turn(self)
        self.pump()


def _make_stream(held: _Held) -> Any:
    config = held.transport.config
    if config.component is not None:
        return ComponentStream(held.machine.config, config.secret, held, config.max_stanza)
    return ClientStream(
        held.name, held.credential, held.machine.config, held, config.max_stanza, config.context, config.tls
    )
