"""The TCP and TLS side of the SIP transport: connections with bounds on their number, their silence and their debts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final
from typing import Protocol as Interface

from twisted.internet.interfaces import IHalfCloseableProtocol, IHandshakeListener, IPushProducer, ITCPTransport
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.logger import Logger
from twisted.protocols.tls import TLSMemoryBIOProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

from transports.sip.machine.flow import Flow, HostPort, Target
from transports.sip.tls import peer_domains, proves

_log = Logger()

ANSWERS_LAST: Final = 10.0
"""Seconds for which a peer that has ended its side still gets answers."""
_LOOK_AGAIN = 0.05


class StreamOwner(Interface):
    """Who has the connections."""

    def stream_made(self, connection: Stream, source: str) -> bool:
        """A TCP connection is up. False: there are too many, and it is dropped."""

    def stream_opened(self, connection: Stream) -> None:
        """A connection can carry SIP: its ``flow`` is set."""

    def stream_received(self, connection: Stream, data: bytes) -> None:
        """A connection has read something."""

    def stream_owes(self, connection: Stream) -> bool:
        """Whether a request that came over the connection is still to be answered."""

    def stream_lost(self, connection: Stream) -> None:
        """A connection that was made is gone."""


@implementer(IHalfCloseableProtocol, IHandshakeListener, IPushProducer)
class Stream(Protocol):
    """One connection. What is written while the peer does not read is held up to a bound; then the peer is dropped."""

    def __init__(
        self,
        owner: StreamOwner,
        transport: str,
        flow_id: int,
        *,
        local: HostPort | None,
        target: Target | None,
        most: int,
        now: float,
    ) -> None:
        self._owner = owner
        self._kind = transport
        self._id = flow_id
        self._local = local
        self.target = target
        self._most = most
        self._held: list[bytes] = []
        self._held_size = 0
        self._paused = False
        self._made = False
        self.flow: Flow | None = None
        self.source = ""
        self.made_at = now
        self.heard_at = now
        self.unfinished: tuple[int, float] | None = None
        """The number of a message that had begun, and when that was seen."""
        self.closing = False
        """It was closed from our side: what is left is for the peer to read, and for TLS to say goodbye."""
        self.closing_since: float | None = None
        """When that was seen."""

    @property
    def _wire(self) -> Any:
        """The transport: TCP or TLS over it. Twisted has no interface that says all of what both can."""
        return self.transport

    @property
    def meets_itself(self) -> bool:
        """Whether a connection of ours to a port that nobody listens on has met itself (RFC 9293 3.5: both sides call).

        The system gives a port of its own range to who connects. If it is the very port that is called, TCP answers.
        """
        peer, host = self._wire.getPeer(), self._wire.getHost()
        return bool((peer.host, peer.port) == (host.host, host.port))

    def connectionMade(self) -> None:  # noqa: N802 - Twisted's name
        """TCP is up; for TLS the flow begins when the handshake is done and says who the peer is."""
        self.source = self._wire.getPeer().host
        self._made = self._owner.stream_made(self, self.source)
        if not self._made:
            self.abort()
        elif not isinstance(self._wire, TLSMemoryBIOProtocol):
            self._open(())

    def handshakeCompleted(self) -> None:  # noqa: N802 - Twisted's name
        """TLS is up."""
        if not self._made:
            return
        certificate = self._wire.getPeerCertificate()
        if self.target is not None and self.target.proves and not proves(certificate, self.target.proves):
            _log.warn(
                "{source} is not {name}: its certificate proves {proved}",
                source=self.source, name=self.target.proves, proved=", ".join(peer_domains(certificate)) or "nothing",
            )  # fmt: skip
            self.abort()
            return
        self._open(peer_domains(certificate))

    def _open(self, identities: tuple[str, ...]) -> None:
        wire = self._wire
        peer, host = wire.getPeer(), wire.getHost()
        local, first = self._local or (host.host, host.port), identities[0] if identities else None
        flow = Flow(self._kind, local, (peer.host, peer.port), self._id, first, identities)
        if ITCPTransport.providedBy(wire):
            wire.setTcpNoDelay(True)
        wire.registerProducer(self, True)
        self._connected(flow)

    def _connected(self, flow: Flow) -> None:
        """The connection is up, TLS included: here SIP can cross at once."""
        self.flow = flow
        self._owner.stream_opened(self)

    def begun(self) -> int | None:
        """Returns the number of the message in whose middle it is, where the endpoint does not know that itself."""
        return None

    def dataReceived(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        """Hands on what was read."""
        if self.flow is not None:
            self._owner.stream_received(self, data)

    # -- IHalfCloseableProtocol: the peer writes no more, and may still read ---

    def readConnectionLost(self) -> None:  # noqa: N802 - Twisted's name
        """The peer has ended its side (TCP alone): what it asked before is answered first (RFC 3261 18.2.2)."""
        self._end(ANSWERS_LAST)

    def writeConnectionLost(self) -> None:  # noqa: N802 - Twisted's name
        """We never end our side alone."""

    def _end(self, seconds: float) -> None:
        if not self._made:
            return
        if seconds > 0 and self._owner.stream_owes(self):
            self._wire.reactor.callLater(_LOOK_AGAIN, self._end, seconds - _LOOK_AGAIN)
            return
        self.close()

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: N802 - Twisted's name
        """The connection is gone, whatever the reason."""
        del reason
        self._held.clear()
        if self._made:
            self._made = False
            self._owner.stream_lost(self)

    def send(self, *messages: bytes) -> None:
        """Writes messages, in one piece."""
        if self.flow is not None:
            self._write(messages[0] if len(messages) == 1 else b"".join(messages))

    def _write(self, data: bytes) -> None:
        """Writes, or holds while the peer does not read; a peer that owes too much is dropped."""
        if not self._made:
            return
        if not self._paused:
            assert self.transport is not None
            self.transport.write(data)
            return
        self._held.append(data)
        self._held_size += len(data)
        if self._held_size > self._most:
            self.abort()

    def close(self) -> None:
        """Closes after what was written."""
        self.closing = True
        if self.transport is not None:
            self._wire.unregisterProducer()
            self._wire.loseConnection()

    def abort(self) -> None:
        """Drops the connection at once."""
        if self.transport is not None:
            self._wire.abortConnection()

    # -- IPushProducer: the transport's buffer is full, or has room again ---------------------------------------------

    def pauseProducing(self) -> None:  # noqa: N802 - Twisted's name
        """The peer does not read as fast as we write."""
        self._paused = True

    def resumeProducing(self) -> None:  # noqa: N802 - Twisted's name
        """There is room again."""
        self._paused = False
        if self._held and self.transport is not None:
            data = b"".join(self._held)
            self._held.clear()
            self._held_size = 0
            self.transport.write(data)

    def stopProducing(self) -> None:  # noqa: N802 - Twisted's name
        """The transport is closing."""
        self._held.clear()


class StreamFactory(Factory):
    """Makes connections for a listener, or for one target."""

    noisy = False

    def __init__(self, make: Callable[[], Stream]) -> None:
        self._make = make

    def buildProtocol(self, addr: object) -> Stream:  # noqa: N802 - Twisted's name
        """Returns a new connection's protocol."""
        del addr
        return self._make()
