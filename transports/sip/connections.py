"""The connections of the SIP transport: how many there are and from where, what is dialled, and which are stuck.

What they read goes to the endpoint; what the endpoint sends before a connection that it asked for is up waits here.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, TCP4ClientEndpoint, TCP6ClientEndpoint, wrapClientTLS
from twisted.internet.interfaces import IDelayedCall, IStreamClientEndpoint
from twisted.internet.ssl import optionsForClientTLS
from twisted.logger import Logger
from twisted.python.failure import Failure

from transports.sip.machine.endpoint import Endpoint
from transports.sip.machine.flow import WEBSOCKETS, ConnectTo, HostPort, Target, prefix_of
from transports.sip.reactors import SipReactor
from transports.sip.seams import ConnectionLimits
from transports.sip.streams import Stream, StreamFactory
from transports.sip.tls import ClientTls
from transports.sip.websockets import WebSocketStream
from transports.sip.wire.websocket import WebSocketFramer

_log = Logger()

SWEEP = 15.0
"""Seconds between looks at connections that are silent or stuck."""


class Connections:
    """All connections of one transport; the owner of its streams.

    Args:
        reactor: of Twisted.
        limits: bounds on their number, their silence and their debts.
        clock: seconds that never go back.
        pump: has what an input has brought done and sent now.
        flush_soon: has it sent with all else that this turn of the reactor brings.
        client_tls: for connections to servers that are to prove a name.
    """

    def __init__(
        self,
        reactor: SipReactor,
        limits: ConnectionLimits,
        clock: Callable[[], float],
        *,
        pump: Callable[[], None],
        flush_soon: Callable[[], None],
        client_tls: Callable[[], ClientTls | None] = lambda: None,
    ) -> None:
        self._reactor = reactor
        self._limits = limits
        self._clock = clock
        self._pump = pump
        self._flush_soon = flush_soon
        self._client_tls = client_tls
        self._endpoint: Endpoint | None = None
        self._made: set[Stream] = set()
        self._open: dict[int, Stream] = {}
        self._sources: dict[str, int] = {}
        self._dialing: dict[Target, list[bytes]] = {}
        self._connecting: dict[Target, Deferred[Any]] = {}
        self._ids = count(1)
        self._sweeper: IDelayedCall | None = None

    def __len__(self) -> int:
        return len(self._made)

    def begin(self, endpoint: Endpoint) -> None:
        """Feeds this endpoint from here on, and looks for stuck connections."""
        self._endpoint = endpoint
        self._sweeper = self._reactor.callLater(SWEEP, self._sweep)

    def end(self) -> None:
        """Gives up what is dialled, and closes every connection after what was written to it."""
        if self._sweeper is not None and self._sweeper.active():
            self._sweeper.cancel()
        self._sweeper = None
        for connecting in list(self._connecting.values()):
            connecting.cancel()
        for connection in list(self._made):
            connection.close()

    def get(self, flow_id: int) -> Stream | None:
        """Returns the connection that carries a flow, or None where it is gone."""
        return self._open.get(flow_id)

    # -- accepting and dialling ---------------------------------------------------------------------------------------

    def accepting(self, transport: str, local: Callable[[], HostPort]) -> StreamFactory:
        """Returns what makes the connections of a listener; ``local`` is where it listens."""
        return StreamFactory(lambda: self._new(transport, local(), None))

    def _new(self, transport: str, local: HostPort | None, target: Target | None) -> Stream:
        most, now = self._limits.write_buffer, self._clock()
        if transport in WEBSOCKETS:
            framer = WebSocketFramer(origins=self._limits.origins)
            return WebSocketStream(
                self, transport, next(self._ids), local=local, target=target, most=most, now=now, framer=framer
            )
        return Stream(self, transport, next(self._ids), local=local, target=target, most=most, now=now)

    def connect(self, wanted: ConnectTo) -> None:
        """Opens the connection that the endpoint asks for; what is to be sent on it waits for it."""
        waiting = self._dialing.get(wanted.target)
        if waiting is not None:
            waiting.append(wanted.data)
            return
        target = wanted.target
        if len(self._dialing) >= self._limits.dials:
            self._reactor.callLater(0, self._too_many_dials, target)
            return
        self._dialing[target] = [wanted.data]
        factory = StreamFactory(lambda: self._new(target.transport, None, target))
        tls = self._client_tls()
        connecting = _client_endpoint(self._reactor, target, self._limits.connect, tls).connect(factory)
        self._connecting[target] = connecting.addErrback(self._dial_failed, target)

    def _too_many_dials(self, target: Target) -> None:
        assert self._endpoint is not None
        if target not in self._dialing:
            self._endpoint.connect_failed(target, self._clock())
            self._flush_soon()

    def _dial_failed(self, failure: Failure, target: Target) -> None:
        _log.debug("no connection to {target}: {reason}", target=target, reason=failure.getErrorMessage())
        self._dialled_in_vain(target)

    # -- what streams tell (StreamOwner) ------------------------------------------------------------------------------

    def stream_made(self, connection: Stream, source: str) -> bool:
        """Counts a connection. False: there are too many, in all or from its source, or it has met itself."""
        source = prefix_of(source)
        mine = self._sources.get(source, 0)
        full = len(self._made) >= self._limits.connections or mine >= self._limits.connections_per_source
        assert self._endpoint is not None
        if connection.target is not None:
            if full or connection.meets_itself:
                self._reactor.callLater(0, self._dialled_in_vain, connection.target)
                return False
        elif full or not self._endpoint.connection_made(source, self._clock()):
            return False
        self._made.add(connection)
        self._sources[source] = mine + 1
        return True

    def _dialled_in_vain(self, target: Target) -> None:
        """A connection that was made is not used: what waits for it fails, as it does where none can be made."""
        assert self._endpoint is not None
        self._connecting.pop(target, None)
        if self._dialing.pop(target, None) is not None:
            self._endpoint.connect_failed(target, self._clock())
            self._flush_soon()

    def stream_opened(self, connection: Stream) -> None:
        """A connection carries SIP now; what waited for it goes out."""
        flow = connection.flow
        assert self._endpoint is not None
        assert flow is not None
        self._open[flow.id] = connection
        self._endpoint.flow_opened(flow, self._clock(), connection.target)
        if connection.target is not None:
            self._connecting.pop(connection.target, None)
            waiting = self._dialing.pop(connection.target, [])
            if waiting:
                connection.send(*waiting)
        self._pump()

    def stream_received(self, connection: Stream, data: bytes) -> None:
        """Feeds what a connection has read."""
        assert self._endpoint is not None
        assert connection.flow is not None
        connection.heard_at = self._clock()
        self._endpoint.receive(connection.flow, data, connection.heard_at)
        self._pump()

    def stream_owes(self, connection: Stream) -> bool:
        """Whether something that came over a connection is still to be answered."""
        assert self._endpoint is not None
        return connection.flow is not None and self._endpoint.owes(connection.flow)

    def stream_lost(self, connection: Stream) -> None:
        """Forgets a connection."""
        self._made.discard(connection)
        source = prefix_of(connection.source)
        left = self._sources.get(source, 1) - 1
        if left:
            self._sources[source] = left
        else:
            self._sources.pop(source, None)
        flow, target = connection.flow, connection.target
        assert self._endpoint is not None
        if flow is not None:
            self._open.pop(flow.id, None)
            self._endpoint.flow_lost(flow, self._clock())
        elif target is not None and self._dialing.pop(target, None) is not None:
            self._connecting.pop(target, None)
            self._endpoint.connect_failed(target, self._clock())
        self._flush_soon()

    # -- those that are stuck -----------------------------------------------------------------------------------------

    def _sweep(self) -> None:
        self.drop_stuck()
        self._sweeper = self._reactor.callLater(SWEEP, self._sweep)

    def drop_stuck(self) -> None:
        """Drops connections that are silent for too long, or stuck in a handshake or in a message."""
        now = self._clock()
        for connection in list(self._made):
            if self._is_stuck(connection, now) or now - connection.heard_at > self._limits.idle:
                connection.abort()

    def _is_stuck(self, connection: Stream, now: float) -> bool:
        assert self._endpoint is not None
        if connection.closing:  # a peer that never answers the goodbye of TLS would stay for ever
            if connection.closing_since is None:
                connection.closing_since = now
            return now - connection.closing_since > self._limits.unfinished
        if connection.flow is None:
            return now - connection.made_at > self._limits.unfinished
        number, known = connection.begun(), connection.unfinished
        if number is None:
            number = self._endpoint.unfinished(connection.flow)
        if number is None:
            connection.unfinished = None
        elif known is None or known[0] != number:  # a busy connection is always in the middle of one
            connection.unfinished = (number, now)
        return known is not None and known[0] == number and now - known[1] > self._limits.unfinished


def _client_endpoint(
    reactor: SipReactor, target: Target, timeout: float, tls: ClientTls | None
) -> IStreamClientEndpoint:
    plain: IStreamClientEndpoint
    if ":" in target.host:
        plain = TCP6ClientEndpoint(reactor, target.host, target.port, timeout)  # type: ignore[no-untyped-call]
    elif target.host.replace(".", "").isdigit():
        plain = TCP4ClientEndpoint(reactor, target.host, target.port, timeout)
    else:
        plain = HostnameEndpoint(reactor, target.host.encode("idna"), target.port, timeout)
    if target.transport == "tls" and target.proves and tls is not None:
        return wrapClientTLS(tls.creator(target.proves), plain)
    if target.transport == "tls":
        # A peer whose certificate does not name it is not whom we mean to send this to.
        return wrapClientTLS(optionsForClientTLS(target.host), plain)
    return plain
