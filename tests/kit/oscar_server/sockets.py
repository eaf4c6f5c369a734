"""The sockets of the server, on a Twisted reactor."""

from __future__ import annotations

import secrets
from typing import Any

from twisted.internet.protocol import Factory, Protocol
from twisted.python.failure import Failure

from tests.kit.oscar_server import generic, icq_store, lists, locate, messages, presence
from tests.kit.oscar_server.connection import Connection
from tests.kit.oscar_server.network import Network

FOOD_GROUPS = (generic, icq_store, lists, locate, messages, presence)
"""The modules that fill `session.HANDLERS` by being there."""
_MOST_UNSENT = 32 * 1024 * 1024


class Line(Protocol):
    """A client's socket. It is the connection's pipe; a client that does not read is thrown out."""

    def __init__(self, network: Network) -> None:
        self.connection = Connection(network, self, first_sequence=secrets.randbelow(0x10000))
        self._network = network
        self._choked = False
        self._unsent = 0

    def connectionMade(self) -> None:  # noqa: N802 - Twisted's name
        """A client is there."""
        transport: Any = self.transport
        transport.setTcpNoDelay(True)
        transport.registerProducer(self, True)
        self._network.counts["connections"] += 1
        self.connection.opened()

    def dataReceived(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        """Bytes have come."""
        self.connection.received(data)

    def connectionLost(self, reason: Failure | None = None) -> None:  # noqa: N802 - Twisted's name
        """The client is gone."""
        self.connection.lost()

    # -- the pipe

    def write(self, data: bytes) -> None:
        """Send bytes."""
        if self._choked:
            self._unsent += len(data)
            if self._unsent > _MOST_UNSENT:
                self._network.counts["not_reading"] += 1
                self.abort()
                return
        if self.transport is not None:
            self.transport.write(data)

    def close(self) -> None:
        """Close when everything is sent."""
        transport: Any = self.transport
        if transport is not None:
            transport.unregisterProducer()
            transport.loseConnection()

    def abort(self) -> None:
        """Close at once."""
        transport: Any = self.transport
        if transport is not None:
            transport.abortConnection()

    # -- the socket's view of what we produce

    def pauseProducing(self) -> None:  # noqa: N802 - Twisted's name
        """The client reads too slowly: what is written from now on is counted."""
        self._choked = True

    def resumeProducing(self) -> None:  # noqa: N802 - Twisted's name
        """The client has read everything."""
        self._choked = False
        self._unsent = 0

    def stopProducing(self) -> None:  # noqa: N802 - Twisted's name
        """The client is gone."""


class Lines(Factory):
    """Makes a line for each client."""

    def __init__(self, network: Network) -> None:
        self.network = network

    def buildProtocol(self, addr: object) -> Line:  # noqa: N802 - Twisted's name
        """A line."""
        return Line(self.network)
