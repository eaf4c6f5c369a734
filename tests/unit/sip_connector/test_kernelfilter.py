"""The filter on the socket: the kernel drops what is named, and that alone."""

import socket
import sys

import pytest

from transports.sip.kernelfilter import MOST_STEPS, block, source_of, steps

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="classic BPF on sockets is Linux's")


def bound(host: str) -> socket.socket:
    one = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
    one.bind((host, 0))
    one.settimeout(0.3)
    return one


def received(server: socket.socket) -> list[bytes]:
    found = []
    try:
        while True:
            found.append(server.recv(100))
    except TimeoutError:
        return found


@pytest.mark.parametrize(("host", "others"), [("127.0.0.1", ("127.0.0.2", "127.0.0.3")), ("::1", ("::1", "::1"))])
def test_what_is_named_is_dropped_and_nothing_else(host: str, others: tuple[str, str]) -> None:
    with bound(host) as server, bound(others[0]) as evil, bound(others[1]) as good, bound(others[0]) as neighbour:
        to = server.getsockname()

        def all_send() -> list[bytes]:
            for one, data in ((evil, b"evil"), (good, b"good"), (neighbour, b"neighbour")):
                one.sendto(data, to)
            return received(server)

        assert len(all_send()) == 3
        assert block(server, [evil.getsockname()[:2]])
        assert all_send() == [b"good", b"neighbour"]
        assert block(server, [good.getsockname()[:2], evil.getsockname()[:2]])
        assert all_send() == [b"neighbour"]
        assert block(server, [])
        assert len(all_send()) == 3


@pytest.mark.parametrize("v6", [False, True])
def test_the_longest_program_reaches_its_end(v6: bool) -> None:
    sources = [(f"2001:db8::{number:x}" if v6 else f"192.0.2.{number}", number + 1) for number in range(100)]
    program = steps(sources, v6=v6)
    assert len(program) == MOST_STEPS + 2
    for number, (_, equal, other, _) in enumerate(program):
        assert 0 <= equal <= 255
        assert 0 <= other <= 255
        assert number + 1 + max(equal, other) <= len(program) - 1 or number >= len(program) - 2


@pytest.mark.parametrize(
    ("key", "source"),
    [
        ("udp:192.0.2.1:5060", ("192.0.2.1", 5060)), ("udp:2001:db8::1:5060", ("2001:db8::1", 5060)),
        ("udp:fe80::1%lo:5060", ("fe80::1", 5060)), ("tcp:192.0.2.1:5060", None), ("192.0.2.1", None),
        ("2001:db8::/64", None), ("*", None), ("udp:name.test:5060", None),
    ],
)  # fmt: skip
def test_whose_a_name_is(key: str, source: tuple[str, int] | None) -> None:
    assert source_of(key) == source
