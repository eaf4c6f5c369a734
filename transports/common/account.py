"""One account of a network: its session, its connections, and who waits for which result."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, Generic, Protocol, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IHandshakeListener, INegotiated, IPushProducer, ITCPTransport
from twisted.internet.protocol import Factory
from twisted.internet.protocol import Protocol as TwistedProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from bridge.model.capabilities import SendResult
from transports.common.machine.actions import Connect, SendDone
from transports.common.machine.session import Session

S = TypeVar("S", bound=Session)
_log = Logger()
_DONE = Failure(ConnectionDone())  # type: ignore[no-untyped-call]


class Owner(Protocol):
    """What an account asks of its network."""

    def now(self) -> float:
        """The time, seconds."""

    def endpoint(self, host: str, port: int, tls: bool | None = None) -> Any:
        """Where to connect to."""

    def deliver(self, account: Any, event: Any) -> None:
        """Takes what a session tells."""

    def schedule(self, account: Any) -> None:
        """Has an account woken when its session wants."""


class _Connections(Protocol):
    """What a connection tells its account."""

    def connected(self, wire: _Wire) -> None:
        """It stands."""

    def received(self, conn_id: int, data: bytes) -> None:
        """Bytes have come."""

    def lost(self, conn_id: int, reason: str) -> None:
        """It is gone."""


@implementer(IPushProducer, IHandshakeListener)
class _Wire(TwistedProtocol):
    """One connection of a session."""

    def __init__(self, owner: _Connections, conn_id: int) -> None:
        self.owner = owner
        self.conn_id = conn_id

    def connectionMade(self) -> None:  # noqa: N802 - Twisted's name
        """The connection stands."""
        transport = self.transport
        if ITCPTransport.providedBy(transport):
            transport.setTcpNoDelay(True)
            transport.setTcpKeepAlive(True)
        if not INegotiated.providedBy(transport):
            self._produce()
        self.owner.connected(self)

    def handshakeCompleted(self) -> None:  # noqa: N802 - Twisted's name
        """TLS stands. Before, writing waits for what is to be read: to read nothing then would be the end of both."""
        self._produce()

    def _produce(self) -> None:
        stream: Any = self.transport
        stream.registerProducer(self, True)

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


class Account(Generic[S]):
    """A session with its connections and the callbacks that wait for results.

    Attributes:
        results: who waits for the end of each send.
        deadline: when its network is to wake it.
        start_asked: somebody wants it signed on; else it is its session that tries again.
    """

    __slots__ = ("again", "connecting", "deadline", "owner", "pumping", "results", "session", "start_asked", "wires")

    def __init__(self, owner: Owner, session: S) -> None:
        self.owner = owner
        self.session = session
        self.wires: dict[int, _Wire] = {}
        self.connecting: dict[int, Deferred[Any]] = {}
        self.results: dict[Hashable, Callable[[SendResult], None]] = {}
        self.deadline: float | None = None
        self.start_asked = False
        self.pumping = False
        self.again = False

    def connected(self, wire: _Wire) -> None:
        """A connection stands."""
        self.wires[wire.conn_id] = wire
        self.session.connected(wire.conn_id, self.owner.now())
        self.pump()

    def received(self, conn_id: int, data: bytes) -> None:
        """Bytes have come."""
        self.session.receive(conn_id, data, self.owner.now())
        self.pump()

    def lost(self, conn_id: int, reason: str) -> None:
        """A connection is gone, or could not be had."""
        self.wires.pop(conn_id, None)
        self.session.connection_lost(conn_id, self.owner.now(), reason)
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
        self.owner.schedule(self)

    def _act(self) -> None:
        while True:
            self._write()
            action = self.session.next_action()
            if action is None:
                return
            if isinstance(action, Connect):
                self._connect(action)
            else:
                self._disconnect(action.conn_id)

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

    def _tell_one(self, event: Any) -> None:
        if isinstance(event, SendDone):
            on_result = self.results.pop(event.key, None)
            if on_result is not None:
                on_result(event.result)
        else:
            self.owner.deliver(self, event)

    def _connect(self, action: Connect) -> None:
        factory = Factory.forProtocol(lambda: _Wire(self, action.conn_id))
        attempt = self.owner.endpoint(action.host, action.port, action.tls).connect(factory)
        self.connecting[action.conn_id] = attempt

        def done(_: object) -> None:
            self.connecting.pop(action.conn_id, None)

        def failed_(failure: Failure) -> None:
            self.connecting.pop(action.conn_id, None)
            self.lost(action.conn_id, f"cannot connect: {failure.getErrorMessage()}")

        attempt.addCallbacks(done, failed_)

    def _disconnect(self, conn_id: int) -> None:
        wire = self.wires.pop(conn_id, None)
        if wire is not None:
            wire.close()
        attempt = self.connecting.get(conn_id)
        if attempt is not None:
            attempt.cancel()
