"""The UDP port where the socket or the resolver will not do at once."""

import socket
from collections.abc import Iterator
from typing import Any, cast

import pytest
from twisted.internet import defer, error

from transports.sip.machine.flow import Flow
from transports.sip.reactors import SipReactor
from transports.sip.udp import DRAIN, MAX_FLOWS, MAX_QUEUED, UdpPort

PEER = ("127.0.0.1", 9)


class Reactor:
    """Notes what a port asks of it."""

    def __init__(self) -> None:
        self.writers: set[object] = set()
        self.readers: set[object] = set()
        self.asked: list[tuple[str, defer.Deferred[str]]] = []

    def addReader(self, port: object) -> None:  # noqa: N802
        """Notes."""
        self.readers.add(port)

    def addWriter(self, port: object) -> None:  # noqa: N802
        """Notes."""
        self.writers.add(port)

    def removeReader(self, port: object) -> None:  # noqa: N802
        """Notes."""
        self.readers.discard(port)

    def removeWriter(self, port: object) -> None:  # noqa: N802
        """Notes."""
        self.writers.discard(port)

    def resolve(self, name: str, timeout: object) -> "defer.Deferred[str]":
        """Answers when the test says so."""
        del timeout
        answer: defer.Deferred[str] = defer.Deferred()
        self.asked.append((name, answer))
        return answer


class Socket:
    """Sends, or refuses to."""

    def __init__(self, inner: socket.socket) -> None:
        self.inner = inner
        self.trouble: OSError | None = None
        self.sent: list[tuple[bytes, object]] = []

    def sendto(self, data: bytes, remote: object) -> int:
        """Notes, or raises."""
        if self.trouble is not None:
            raise self.trouble
        self.sent.append((data, remote))
        return len(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


class Port:
    """A port with a reactor and a socket that are the test's."""

    def __init__(self) -> None:
        self.reactor = Reactor()
        self.got: list[tuple[Flow, bytes]] = []
        self.drained = 0
        self.port = UdpPort(
            cast("SipReactor", self.reactor),
            "127.0.0.1",
            0,
            self._receive,
            self._drain,
        )
        self.socket = Socket(self.port._socket)
        cast("Any", self.port)._socket = self.socket

    def _receive(self, flow: Flow, data: bytes) -> None:
        self.got.append((flow, data))

    def _drain(self) -> None:
        self.drained += 1


@pytest.fixture
def it() -> Iterator[Port]:
    made = Port()
    made.port.start()
    yield made
    made.port.stop()
    assert made.port.fileno() == -1


def test_what_the_socket_does_not_take_is_sent_later_and_in_order(it: Port) -> None:
    it.socket.trouble = BlockingIOError()
    it.port.send(b"1", PEER)
    it.socket.trouble = None
    it.port.send(b"2", PEER)
    assert it.socket.sent == []
    assert it.reactor.writers == {it.port}
    it.socket.trouble = BlockingIOError()
    it.port.doWrite()
    it.socket.trouble = None
    it.port.doWrite()
    assert [data for data, _ in it.socket.sent] == [b"1", b"2"]
    assert it.reactor.writers == set()
    it.port.send(b"3", PEER)
    assert it.socket.sent[-1] == (b"3", PEER)


def test_the_queue_is_bounded(it: Port) -> None:
    it.socket.trouble = BlockingIOError()
    for _ in range(MAX_QUEUED + 10):
        it.port.send(b"x", PEER)
    assert it.port.dropped == 10


def test_what_cannot_be_sent_is_counted(it: Port) -> None:
    it.socket.trouble = OSError("no route")
    it.port.send(b"1", PEER)
    assert it.port.dropped == 1
    it.socket.trouble = BlockingIOError()
    it.port.send(b"2", PEER)
    it.socket.trouble = OSError("no route")
    it.port.doWrite()
    assert it.port.dropped == 2
    assert it.reactor.writers == set()


def test_names_are_resolved_and_never_given_to_the_socket(it: Port) -> None:
    it.port.send(b"1", ("phone.test", 5060))
    it.port.send(b"2", ("gone.test", 5060))
    assert it.socket.sent == []
    (first, found), (second, lost) = it.reactor.asked
    assert (first, second) == ("phone.test", "gone.test")
    found.callback("192.0.2.7")
    lost.errback(error.DNSLookupError())
    assert it.socket.sent == [(b"1", ("192.0.2.7", 5060))]
    assert it.port.dropped == 1


def test_a_wake_up_reads_a_bounded_number_and_whole_datagrams(it: Port) -> None:
    peer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    peer.connect(it.port.local)
    for number in range(DRAIN + 5):
        peer.send(b"%d" % number)
    it.port.doRead()
    assert len(it.got) == DRAIN
    it.port.doRead()
    assert [int(data) for _, data in it.got] == list(range(DRAIN + 5))
    assert it.drained == 2
    assert len({id(flow) for flow, _ in it.got}) == 1
    peer.send(b"x" * 60_000)
    it.port.doRead()
    assert len(it.got[-1][1]) == 60_000
    peer.close()


def test_flows_of_many_peers_are_bounded(it: Port) -> None:
    for number in range(MAX_FLOWS + 10):
        it.port._flow(("192.0.2.1", number))
        it.port._is_numeric(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
    assert len(it.port._flows) <= MAX_FLOWS
    assert len(it.port._numeric) <= MAX_FLOWS
