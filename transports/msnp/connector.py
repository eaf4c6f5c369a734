"""The sockets of an MSN network: many accounts, one timer.

The reactor is handed in. Nothing here knows the protocol: sessions say where to connect and what to write.
"""

from __future__ import annotations

import heapq
import random
from collections import deque
from collections.abc import Callable, Hashable
from typing import Any, Protocol

from attrs import field, frozen, validators
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IDelayedCall, IPushProducer, ITCPTransport
from twisted.internet.protocol import Factory
from twisted.internet.protocol import Protocol as TwistedProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from bridge.model.capabilities import SendResult
from transports.msnp.http import WebClient
from transports.msnp.machine.actions import Connect, Disconnect, Fetch, Fetched, SendDone
from transports.msnp.machine.config import SessionConfig
from transports.msnp.machine.results import failed, link_down
from transports.msnp.machine.session import Event, MsnpSession
from transports.msnp.wire.native import Inbound, Outbound, OwnPresence
from transports.msnp.wire.text import normal

OnResult = Callable[[SendResult], None]
OnRecorded = Callable[[], None]
_log = Logger()
_DONE = Failure(ConnectionDone())  # type: ignore[no-untyped-call]


class Sink(Protocol):
    """Where native values from the network go."""

    def deliver(self, native: Inbound, on_recorded: OnRecorded) -> None:
        """Take a value. `on_recorded` is to be called once it is safe, in the reactor's thread."""


class TlsOptions(Protocol):
    """Makes the TLS parameters of a connection to a host: Twisted's `optionsForClientTLS` is one."""

    def __call__(self, hostname: str) -> Any:
        """An `IOpenSSLClientConnectionCreator`."""


@frozen(kw_only=True)
class TransportConfig:
    """A network's parameters.

    Attributes:
        session: of each session.
        signons_per_second: at most so many sign-ons begin in a second, so that a restart is no storm.
        tls: makes the TLS parameters of a connection by its host name; None: no TLS.
    """

    session: SessionConfig
    signons_per_second: float = field(default=5.0, validator=validators.gt(0.0))
    tls: TlsOptions | None = None


@implementer(IPushProducer)
class _Wire(TwistedProtocol):
    """One connection of a session."""

    def __init__(self, owner: _Account, conn_id: int) -> None:
        self.owner = owner
        self.conn_id = conn_id

    def connectionMade(self) -> None:  # noqa: N802 - Twisted's name
        """The connection stands."""
        transport = self.transport
        if ITCPTransport.providedBy(transport):
            transport.setTcpNoDelay(True)
            transport.setTcpKeepAlive(True)
        stream: Any = transport
        stream.registerProducer(self, True)
        self.owner.connected(self)

    def pauseProducing(self) -> None:  # noqa: N802 - Twisted's name
        """The server does not take what we write: nothing more is read that would make us write more."""
        stream: Any = self.transport
        stream.pauseProducing()

    def resumeProducing(self) -> None:  # noqa: N802 - Twisted's name
        """What was written has gone."""
        stream: Any = self.transport
        stream.resumeProducing()

    def stopProducing(self) -> None:  # noqa: N802 - Twisted's name
        """The connection is gone: `connectionLost` tells."""

    def close(self) -> None:
        """Close once what was written is sent."""
        if self.transport is not None:
            stream: Any = self.transport
            stream.unregisterProducer()
            stream.loseConnection()

    def dataReceived(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        """Bytes have come."""
        self.owner.received(self.conn_id, data)

    def connectionLost(self, reason: Failure = _DONE) -> None:  # noqa: N802 - Twisted's name
        """The connection is gone."""
        self.owner.lost(self.conn_id, reason.getErrorMessage())


class _Account:
    """A session with its connections and the callbacks that wait for results."""

    __slots__ = ("again", "asking", "connecting", "deadline", "pumping", "results", "session", "transport", "wires")

    def __init__(self, transport: MsnpTransport, session: MsnpSession) -> None:
        self.transport = transport
        self.session = session
        self.wires: dict[int, _Wire] = {}
        self.connecting: dict[int, Deferred[Any]] = {}
        self.asking: dict[int, Callable[[], None]] = {}
        self.results: dict[Hashable, OnResult] = {}
        self.deadline: float | None = None
        self.pumping = False
        self.again = False

    def connected(self, wire: _Wire) -> None:
        """A connection stands."""
        self.wires[wire.conn_id] = wire
        self.session.connected(wire.conn_id, self.transport.now())
        self.pump()

    def received(self, conn_id: int, data: bytes) -> None:
        """Bytes have come."""
        self.session.receive(conn_id, data, self.transport.now())
        self.pump()

    def lost(self, conn_id: int, reason: str) -> None:
        """A connection is gone, or could not be had."""
        self.wires.pop(conn_id, None)
        self.session.connection_lost(conn_id, self.transport.now(), reason)
        self.pump()

    def pump(self) -> None:
        """Carry out what the session wants: write, connect, disconnect, tell, and be woken.

        What is told may call back (a send within a result, a recording at once): the outer call then goes round again,
        so that a long queue of events is no deep stack.
        """
        if self.pumping:
            self.again = True
            return
        self.pumping = True
        try:
            self.again = True
            while self.again:
                self.again = False
                self._act()
                self._tell()
                self._write()
        finally:
            self.pumping = False
        self.transport.schedule(self)

    def _act(self) -> None:
        while True:
            self._write()
            action = self.session.next_action()
            if action is None:
                return
            if isinstance(action, Connect):
                self._connect(action)
            elif isinstance(action, Disconnect):
                self._disconnect(action.conn_id)
            else:
                self._fetch(action)

    def _write(self) -> None:
        for conn_id, data in self.session.to_send():
            wire = self.wires.get(conn_id)
            if wire is not None and wire.transport is not None:
                wire.transport.write(data)

    def _tell(self) -> None:
        while (event := self.session.next_event()) is not None:
            try:
                self._tell_one(event)
            except Exception:  # noqa: BLE001 - a fault of whoever listens must not stop the session of the account
                kind = type(event).__name__
                _log.failure("{account}: the listener failed at {kind}", account=self.session.account, kind=kind)

    def _tell_one(self, event: Event) -> None:
        if isinstance(event, SendDone):
            on_result = self.results.pop(event.key, None)
            if on_result is not None:
                on_result(event.result)
        else:
            self.transport.deliver(self, event)

    def _connect(self, action: Connect) -> None:
        factory = Factory.forProtocol(lambda: _Wire(self, action.conn_id))
        attempt = self.transport.endpoint(action.host, action.port).connect(factory)
        self.connecting[action.conn_id] = attempt

        def done(_: object) -> None:
            self.connecting.pop(action.conn_id, None)

        def failed_(failure: Failure) -> None:
            self.connecting.pop(action.conn_id, None)
            self.lost(action.conn_id, f"cannot connect: {failure.getErrorMessage()}")

        attempt.addCallbacks(done, failed_)

    def _fetch(self, action: Fetch) -> None:
        answers: list[Fetched] = []

        def answered(answer: Fetched) -> None:
            answers.append(answer)
            self.asking.pop(action.fetch_id, None)
            self.session.fetched(action.fetch_id, answer, self.transport.now())
            self.pump()

        give_up = self.transport.web.fetch(action, answered)
        if not answers:
            self.asking[action.fetch_id] = give_up

    def give_up(self) -> None:
        """The account is forgotten: no answer of a web server is of interest any more."""
        for give_up in list(self.asking.values()):
            give_up()
        self.asking.clear()

    def _disconnect(self, conn_id: int) -> None:
        wire = self.wires.pop(conn_id, None)
        if wire is not None:
            wire.close()
        attempt = self.connecting.get(conn_id)
        if attempt is not None:
            attempt.cancel()


class MsnpTransport:
    """A network with many accounts.

    Args:
        config: its parameters.
        reactor: provides `IReactorTime` and `IReactorTCP` (and what `HostnameEndpoint` wants for name resolution).
        rng: for backoff, ids and sequence numbers.

    All methods are to be called in the reactor's thread.
    """

    def __init__(self, config: TransportConfig, reactor: Any, *, rng: random.Random | None = None) -> None:
        self._config = config
        self._reactor = reactor
        self._rng = rng or random.SystemRandom()
        self.web = WebClient(reactor, config.session.http_timeout)
        self._sink: Sink | None = None
        self._accounts: dict[str, _Account] = {}
        self._heap: list[tuple[float, int, _Account]] = []
        self._entry = 0
        self._timer: IDelayedCall | None = None
        self._timer_at = 0.0
        self._starting: deque[str] = deque()
        self._next_start = 0.0

    # -- life

    async def start(self, sink: Sink) -> None:
        """Begin. Accounts are signed on by `sign_on`."""
        self._sink = sink

    async def stop(self, drain: float) -> None:
        """Sign everybody off. Waits up to `drain` seconds for answers to messages that are under way."""
        self._starting.clear()
        if drain > 0 and any(account.results for account in self._accounts.values()):
            await self._drained(self.now() + drain)
        for account in list(self._accounts.values()):
            account.session.stop(self.now())
            account.pump()
            account.give_up()
        self._accounts.clear()
        self._heap.clear()
        self._cancel_timer()
        self._sink = None

    async def _drained(self, until: float) -> None:
        while self.now() < until and any(account.results for account in self._accounts.values()):
            pause: Deferred[None] = Deferred()
            self._reactor.callLater(min(0.05, max(0.0, until - self.now())), pause.callback, None)
            await pause

    def now(self) -> float:
        """The reactor's time, seconds."""
        return float(self._reactor.seconds())

    # -- accounts

    def sign_on(self, account: str, credential: str, presence: OwnPresence | None = None) -> None:
        """Sign an account on, in its turn; what becomes of it comes as `LinkState`.

        For an account that is known: take the password, and sign on again if it is not signed on.
        """
        name = normal(account)
        held = self._accounts.get(name)
        if held is None:
            session = MsnpSession(account, credential, self._config.session, rng=self._rng)
            held = self._accounts[name] = _Account(self, session)
        else:
            held.session.set_credential(credential)
        if presence is not None:
            held.session.set_presence(presence)
        if name not in self._starting:
            self._starting.append(name)
        self._start_due()

    def sign_off(self, account: str) -> None:
        """Sign an account off and forget it. Its unfinished sends end as failed or unknown."""
        held = self._accounts.pop(normal(account), None)
        if held is not None:
            held.session.stop(self.now())
            held.pump()
            held.give_up()
            held.deadline = None
            self._arm()

    def accounts(self) -> dict[str, str]:
        """Each account and the phase of its session."""
        return {name: held.session.phase.value for name, held in self._accounts.items()}

    def counters(self) -> dict[str, int]:
        """For the metrics: how much waits, was unknown, could not be read."""
        sessions = [held.session for held in self._accounts.values()]
        return {
            "waiting": sum(session.waiting() for session in sessions),
            "switchboards": sum(session.boards.open_boards() for session in sessions),
            "calls_not_taken": sum(session.boards.dropped_rings for session in sessions),
            "unknown_commands": sum(session.unknown_commands for session in sessions),
            "syntax_errors": sum(session.syntax_errors for session in sessions),
        }

    def send(self, native: Outbound, key: Hashable, deadline: float | None, on_result: OnResult) -> None:
        """Send a value for its account; `on_result` is called exactly once, maybe before this returns.

        Args:
            native: the value.
            key: identifies this send; one that is under way is not sent again.
            deadline: in seconds from now, after which a message that still waits is not sent any more; None: the
                configuration's `queue_timeout`.
            on_result: takes what became of it.
        """
        held = self._accounts.get(normal(native.account))
        if held is None:
            on_result(link_down("That account is not signed on."))
            return
        if key in held.results:
            on_result(failed("a send of this key is under way", retryable=True, user_text="It is being sent already."))
            return
        now = self.now()
        held.results[key] = on_result
        held.session.send(native, key, now, None if deadline is None else now + deadline)
        held.pump()

    def reads_chunks(self, contact: str) -> bool:
        """Whether a contact's client is known to put long messages together, by what any account of ours has seen."""
        return any(held.session.boards.reads_chunks(contact) for held in self._accounts.values())

    # -- of accounts

    def deliver(self, account: _Account, event: Inbound) -> None:
        """Hand an event to the sink; its recording goes back to the session."""
        if self._sink is None:
            return

        def on_recorded() -> None:
            account.session.recorded(event, self.now())
            account.pump()

        self._sink.deliver(event, on_recorded)

    def endpoint(self, host: str, port: int) -> Any:
        """Where a session connects to."""
        timeout = self._config.session.connect_timeout
        plain = HostnameEndpoint(self._reactor, host, port, timeout=timeout)
        if self._config.tls is None:
            return plain
        return wrapClientTLS(self._config.tls(host), plain)

    # -- time

    def schedule(self, account: _Account) -> None:
        """Have an account woken when its session wants."""
        deadline = account.session.next_deadline()
        if deadline == account.deadline:
            return
        account.deadline = deadline
        if deadline is not None:
            self._push(deadline, account)

    def _push(self, deadline: float, account: _Account) -> None:
        self._entry += 1
        heapq.heappush(self._heap, (deadline, self._entry, account))
        self._arm()

    def _start_due(self) -> None:
        """Begin the sign-ons whose turn it is."""
        now = self.now()
        while self._starting and self._next_start <= now:
            held = self._accounts.get(self._starting.popleft())
            if held is None:
                continue
            self._next_start = max(self._next_start, now - 1.0) + 1.0 / self._config.signons_per_second
            held.session.start(now)
            held.pump()
        self._arm()

    def _arm(self) -> None:
        """Let the one timer go off at the earliest deadline."""
        while self._heap and self._heap[0][0] != self._heap[0][2].deadline:
            heapq.heappop(self._heap)
        times = [self._heap[0][0]] if self._heap else []
        if self._starting:
            times.append(self._next_start)
        if not times:
            self._cancel_timer()
            return
        at = min(times)
        if self._timer is not None and self._timer.active():
            # an early call finds nothing to do and arms anew: cheaper than moving the timer for each message
            if self._timer_at <= at:
                return
            self._timer.cancel()
        self._timer_at = at
        self._timer = self._reactor.callLater(max(0.0, at - self.now()), self._fire)

    def _cancel_timer(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None

    def _fire(self) -> None:
        self._timer = None
        now = self.now()
        while self._heap and self._heap[0][0] <= now:
            deadline, _, account = heapq.heappop(self._heap)
            if account.deadline == deadline:
                account.deadline = None
                account.session.handle_timer(now)
                account.pump()
        self._start_due()
