"""A TCP proxy between a transport and a real server that fails as networks do: down, broken, silent, hostile."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from twisted.internet.defer import maybeDeferred
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.interfaces import IPullProducer
from twisted.internet.protocol import Factory, Protocol
from zope.interface import implementer

from tests.kit.ports import free_port

HOST = "127.0.0.1"


@implementer(IPullProducer)
class _Flood:
    """Writes pieces as fast as they are read, until they end or the connection does."""

    def __init__(self, transport: Any, pieces: Iterator[bytes]) -> None:
        self.transport = transport
        self.pieces = pieces

    def resumeProducing(self) -> None:  # noqa: N802 - Twisted's name
        piece = next(self.pieces, None)
        if piece is None:
            self.transport.unregisterProducer()
        else:
            self.transport.write(piece)

    def stopProducing(self) -> None:  # noqa: N802 - Twisted's name
        self.pieces = iter(())


class _Server(Protocol):
    """The real server's end."""

    def __init__(self, client: _Client) -> None:
        self.client = client

    def connectionMade(self) -> None:  # noqa: N802 - Twisted's name
        self.client.met(self)

    def dataReceived(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        self.client.down(data)

    def connectionLost(self, *_: object) -> None:  # noqa: N802 - Twisted's name
        self.client.server_lost()


class _Client(Protocol):
    """The transport's end."""

    def __init__(self, proxy: FaultProxy) -> None:
        self.proxy = proxy
        self.server: Any = None
        self.closed = False
        self.early: list[bytes] = []
        self.held: list[bytes] = []
        self.held_end = False

    def connectionMade(self) -> None:  # noqa: N802 - Twisted's name
        self.proxy.connections += 1
        self.proxy.clients.append(self)
        if self.proxy.instead is not None:
            self.say(self.proxy.instead())
            return
        factory = Factory.forProtocol(lambda: _Server(self))
        endpoint = HostnameEndpoint(self.proxy.reactor, *self.proxy.target)
        endpoint.connect(factory).addErrback(lambda _: self.abort())

    def say(self, pieces: Iterator[bytes]) -> None:
        stream: Any = self.transport
        if not self.closed and not stream.disconnecting:
            stream.registerProducer(_Flood(stream, pieces), False)

    def met(self, server: Any) -> None:
        self.server = server
        if self.closed:
            server.transport.abortConnection()
            return
        for data in self.early:
            server.transport.write(data)
        self.early.clear()

    def dataReceived(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        self.proxy.sent += len(data)
        if self.proxy.instead is not None or self.proxy.swallowing:
            return
        if self.server is None:
            self.early.append(data)
        else:
            self.server.transport.write(data)

    def down(self, data: bytes) -> None:
        stream: Any = self.transport
        if self.proxy.frozen:
            self.held.append(data)
        elif not self.closed:
            stream.write(data)

    def thaw(self) -> None:
        stream: Any = self.transport
        for data in self.held:
            stream.write(data)
        self.held.clear()
        if self.held_end:
            stream.loseConnection()

    def server_lost(self) -> None:
        stream: Any = self.transport
        if self.proxy.frozen:
            self.held_end = True
        elif not self.closed:
            stream.loseConnection()

    def connectionLost(self, *_: object) -> None:  # noqa: N802 - Twisted's name
        self.closed = True
        if self in self.proxy.clients:
            self.proxy.clients.remove(self)
        if self.server is not None:
            self.server.transport.loseConnection()

    def abort(self) -> None:
        stream: Any = self.transport
        stream.abortConnection()


class FaultProxy:
    """Stands between a transport and the server at `target`. All methods are to be called in the reactor's thread.

    Attributes:
        port: where it listens, on 127.0.0.1; the same all the time.
        connections: how many there have been.
        sent: how many bytes the transport has written.
        clients: the connections that stand.
        instead: while it is there, what a new connection is told in place of the server's words.
        swallowing: what the transport writes does not reach the server.
    """

    def __init__(self, reactor: Any, target: tuple[str, int]) -> None:
        self.reactor = reactor
        self.target = target
        self.port = free_port()
        self.connections = 0
        self.sent = 0
        self.clients: list[_Client] = []
        self.instead: Any = None
        self.swallowing = False
        self.frozen = False
        self._listening: Any = None

    def accept(self) -> None:
        """Connections are taken (again)."""
        if self._listening is None:
            factory = Factory.forProtocol(lambda: _Client(self))
            self._listening = self.reactor.listenTCP(self.port, factory, interface=HOST)

    async def refuse(self) -> None:
        """The server is down: new connections are refused. Those that stand stay."""
        listening, self._listening = self._listening, None
        if listening is not None:
            await maybeDeferred(listening.stopListening)

    def drop(self) -> None:
        """Every connection breaks, with what was held back."""
        for client in list(self.clients):
            client.held.clear()
            client.abort()

    def freeze(self) -> None:
        """What the server says is held back."""
        self.frozen = True

    def thaw(self) -> None:
        """What was held back is said, and what comes."""
        self.frozen = False
        for client in list(self.clients):
            client.thaw()

    def inject(self, pieces: Iterator[bytes]) -> None:
        """Says something on the newest connection, amid the server's words."""
        self.clients[-1].say(pieces)

    async def stop(self) -> None:
        """Ends."""
        self.drop()
        await self.refuse()
