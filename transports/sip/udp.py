"""The UDP side of the SIP transport: one socket, drained per wake-up, written to directly."""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Callable, Iterable
from ipaddress import ip_address

from twisted.internet import error
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReadDescriptor, IWriteDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

from bridge.model.cache import TwoGenerationCache
from transports.sip.kernelfilter import block
from transports.sip.machine.flow import Flow, HostPort
from transports.sip.reactors import SipReactor

DRAIN = 64
"""Datagrams that are read per wake-up, so that other sockets get their turn."""
LARGEST = 65535
"""No datagram is larger, so none is ever read cut short."""
MAX_FLOWS = 16384
MAX_QUEUED = 4096
MAX_LOOKUPS = 64
"""Names that are looked up at once: a Contact may name a host whose name server never answers."""
SOCKET_BUFFER = 4 * 1024 * 1024


@implementer(IReadDescriptor, IWriteDescriptor)
class UdpPort:
    """One bound UDP socket.

    Args:
        reactor: reads and writes file descriptors, and resolves names.
        host: the address to bind to.
        port: 0 for any.
        received: called with (flow, datagram) for each datagram, up to `DRAIN` times per wake-up.
        drained: called after them.
        shared: SO_REUSEPORT, for several processes on one port.

    Raises:
        OSError: the address cannot be bound.
    """

    def __init__(
        self,
        reactor: SipReactor,
        host: str,
        port: int,
        received: Callable[[Flow, bytes], None],
        drained: Callable[[], None],
        *,
        shared: bool = False,
    ) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        try:
            if family == socket.AF_INET6:
                self._socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            if shared:
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SOCKET_BUFFER)
            self._socket.bind((host, port))
        except OSError:
            self._socket.close()
            raise
        self.local: HostPort = (host, self._socket.getsockname()[1])
        self._reactor = reactor
        self._received = received
        self._drained = drained
        self._buffer = memoryview(bytearray(LARGEST))
        self._flows: TwoGenerationCache[HostPort, Flow] = TwoGenerationCache(MAX_FLOWS)
        self._numeric: TwoGenerationCache[str, bool] = TwoGenerationCache(MAX_FLOWS)
        self._queue: deque[tuple[bytes, HostPort]] = deque()
        self._resolving: Deferred[None] | None = None
        self._lookups = 0
        self.dropped = 0
        """Datagrams that could not be sent: no route, too large, queue full, name not found."""

    def start(self) -> None:
        """Begins to read."""
        self._reactor.addReader(self)

    def block(self, sources: Iterable[tuple[str, int]]) -> None:
        """Has what these addresses and ports send thrown away before it takes room in the queue."""
        block(self._socket, sources)

    def stop(self) -> None:
        """Closes the socket."""
        self._reactor.removeReader(self)
        self._reactor.removeWriter(self)
        self._socket.close()

    # -- in -----------------------------------------------------------------------------------------------------------

    def fileno(self) -> int:
        """The socket's number; -1 when it is closed."""
        return self._socket.fileno()

    def logPrefix(self) -> str:  # noqa: N802 - Twisted's name
        """Names this descriptor in Twisted's log."""
        return "sip-udp"

    def doRead(self) -> None:  # noqa: N802 - Twisted's name
        """Reads what is there, up to `DRAIN` datagrams."""
        read, buffer, flows, received = self._socket.recvfrom_into, self._buffer, self._flows, self._received
        for _ in range(DRAIN):
            try:
                size, address = read(buffer)
            except BlockingIOError:
                break
            except OSError:  # an ICMP error of an earlier datagram; the next one is read the next time
                break
            remote: HostPort = address[:2]
            flow = flows.get(remote)
            if flow is None:
                flow = self._flow(remote)
            received(flow, bytes(buffer[:size]))
        self._drained()

    def _flow(self, remote: HostPort) -> Flow:
        flow = Flow("udp", self.local, remote)
        self._flows.put(remote, flow)
        return flow

    # -- out ----------------------------------------------------------------------------------------------------------

    def send(self, data: bytes, remote: HostPort) -> None:
        """Sends a datagram, now if the socket takes it; a host that is a name is resolved first."""
        if self._queue:
            self._enqueue(data, remote)
            return
        if self._flows.peek(remote) is None and not self._is_numeric(remote[0]):
            self._resolve(data, remote)
            return
        try:
            self._socket.sendto(data, remote)
        except BlockingIOError:
            self._enqueue(data, remote)
        except OSError:
            self.dropped += 1

    def _is_numeric(self, host: str) -> bool:
        """A name must not reach sendto: it would block on the resolver."""
        if self._numeric.get(host):
            return True
        try:
            ip_address(host)
        except ValueError:
            return False
        self._numeric.put(host, True)
        return True

    def _resolve(self, data: bytes, remote: HostPort) -> None:
        if self._lookups >= MAX_LOOKUPS:
            self.dropped += 1
            return
        self._lookups += 1

        def over(result: str | Failure) -> str | Failure:
            self._lookups -= 1
            return result

        def lost(failure: Failure) -> None:
            failure.trap(error.DNSLookupError, OSError)  # type: ignore[no-untyped-call]
            self.dropped += 1

        found: Deferred[str] = self._reactor.resolve(remote[0], (1, 3))
        sent = found.addBoth(over).addCallback(lambda address: self.send(data, (address, remote[1])))
        self._resolving = sent.addErrback(lost)

    def _enqueue(self, data: bytes, remote: HostPort) -> None:
        if len(self._queue) >= MAX_QUEUED:
            self.dropped += 1
            return
        self._queue.append((data, remote))
        self._reactor.addWriter(self)

    def doWrite(self) -> None:  # noqa: N802 - Twisted's name
        """Sends what waits."""
        queue = self._queue
        while queue:
            data, remote = queue[0]
            try:
                self._socket.sendto(data, remote)
            except BlockingIOError:
                return
            except OSError:
                self.dropped += 1
            queue.popleft()
        self._reactor.removeWriter(self)

    def connectionLost(self, reason: Failure) -> None:  # noqa: N802 - Twisted's name
        """The reactor has let go of the socket."""
        del reason
        self._socket.close()
