"""The sockets where the SIP transport listens: a port per listener, over UDP, TCP, TLS or WebSocket."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort
from twisted.protocols.tls import TLSMemoryBIOFactory

from transports.sip.connections import Connections
from transports.sip.machine.config import Listener
from transports.sip.machine.flow import SECURED, Flow, HostPort
from transports.sip.reactors import SipReactor
from transports.sip.seams import SipTransportConfig
from transports.sip.streams import StreamFactory
from transports.sip.tls import ServerTls
from transports.sip.udp import UdpPort


class Sockets:
    """What listens for one transport.

    Args:
        config: the listeners, and how many connections may wait to be accepted.
        reactor: of Twisted.
        connections: takes the connections that come.
        datagram: called with (flow, datagram) for each datagram.
        drained: called after those that one wake-up has brought.
    """

    def __init__(
        self,
        config: SipTransportConfig,
        reactor: SipReactor,
        connections: Connections,
        *,
        datagram: Callable[[Flow, bytes], None],
        drained: Callable[[], None],
    ) -> None:
        self._config = config
        self._reactor = reactor
        self._connections = connections
        self._datagram = datagram
        self._drained = drained
        self._udp: dict[HostPort, UdpPort] = {}
        self._ports: list[IListeningPort] = []

    @property
    def dropped(self) -> int:
        """How many datagrams could not be sent."""
        return sum(port.dropped for port in self._udp.values())

    async def open(self, tls: ServerTls | None) -> tuple[Listener, ...]:
        """Opens all listeners, or none. Returns them with the ports that the system gave.

        Raises:
            OSError: an address cannot be bound, or a listener needs ``tls`` and there is none.
        """
        try:
            return tuple(self._opened(listener, tls) for listener in self._config.endpoint.listeners)
        except BaseException:
            await self.refuse()
            self.end()
            raise

    def _opened(self, listener: Listener, tls: ServerTls | None) -> Listener:
        try:
            return self._listen(listener, tls)
        except CannotListenError as error:
            cause: Exception = error.socketError
        except OSError as error:
            cause = error
        reason = getattr(cause, "strerror", None) or cause
        raise OSError(f"{listener.transport}:{listener.host}:{listener.port} cannot be opened: {reason}") from cause

    def _listen(self, listener: Listener, tls: ServerTls | None) -> Listener:
        if listener.transport == "udp":
            port = UdpPort(
                self._reactor, listener.host, listener.port, self._datagram, self._drained,
                shared=self._config.shared_port,
            )  # fmt: skip
            self._udp[port.local] = port
            return evolve(listener, port=port.local[1])
        here: list[HostPort] = []
        factory: StreamFactory | TLSMemoryBIOFactory = self._connections.accepting(listener.transport, lambda: here[0])
        if listener.transport in SECURED:
            if tls is None:
                raise OSError(f"{listener.transport}:{listener.host}:{listener.port} needs a certificate")
            factory = TLSMemoryBIOFactory(tls, False, factory)
        opened: Any = self._reactor.listenTCP(listener.port, factory, self._config.backlog, listener.host)  # type: ignore[arg-type]
        self._ports.append(opened)
        number: int = opened.getHost().port
        here.append((listener.host, number))
        return evolve(listener, port=number)

    def begin(self) -> None:
        """Reads what comes over UDP from here on."""
        for port in self._udp.values():
            port.start()

    async def refuse(self) -> None:
        """Takes no new connections; UDP goes on."""
        for port in self._ports:
            closing = port.stopListening()
            if isinstance(closing, Deferred):
                await closing
        self._ports.clear()

    def end(self) -> None:
        """Closes the UDP sockets."""
        for port in self._udp.values():
            port.stop()
        self._udp.clear()

    def send(self, flow: Flow, data: bytes) -> None:
        """Sends a datagram from the socket of a flow."""
        port = self._udp.get(flow.local)
        if port is not None:
            port.send(data, flow.remote)

    def block(self, sources: Collection[HostPort]) -> None:
        """Has the kernel throw away what these send over UDP; what it threw away before is let in again."""
        for port in self._udp.values():
            port.block(sources)
