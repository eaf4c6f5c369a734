"""Cutting streams."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transports.sip.wire.framing import KEEPALIVE_PING, KEEPALIVE_PONG, Frame, StreamFramer
from transports.sip.wire.message import Limits

VIA = b"Via: SIP/2.0/TCP h;branch=z9hG4bK1\r\n"


def message(body: bytes = b"", name: bytes = b"Content-Length: ") -> bytes:
    return b"MESSAGE sip:b@c SIP/2.0\r\n" + VIA + name + str(len(body)).encode() + b"\r\n\r\n" + body


def feed(framer: StreamFramer, data: bytes, size: int) -> list[Frame]:
    return [frame for at in range(0, len(data), size) for frame in framer.feed(data[at : at + size])]


@pytest.mark.parametrize(
    "name", [b"Content-Length:", b"content-length :  ", b"l: ", b"L\t:\r\n\t", b"Content-Length:\r\n ", b"l: 000"]
)
@pytest.mark.parametrize("size", [1, 2, 3, 50, 10_000])
def test_messages_however_cut(name: bytes, size: int) -> None:
    messages = [message(b"one", name), message(b"", name), message(b"\r\n\r\nMESSAGE", name)]
    framer = StreamFramer()
    assert feed(framer, b"".join(messages), size) == messages
    assert (framer.error, framer.pending) == (None, 0)


@given(st.lists(st.binary(max_size=40), max_size=5), st.lists(st.integers(1, 60), max_size=30))
def test_any_cuts(bodies: list[bytes], cuts: list[int]) -> None:
    messages = [message(body) for body in bodies]
    data, framer, frames = b"".join(messages), StreamFramer(), []
    for cut in cuts:
        frames += framer.feed(data[:cut])
        data = data[cut:]
    assert frames + framer.feed(data) == messages


def test_keepalives_between_messages() -> None:
    framer = StreamFramer()
    one = message(b"x")
    assert framer.feed(b"\r\n\r\n" + one + b"\r\n\r\n") == [KEEPALIVE_PING, one, KEEPALIVE_PING]
    assert framer.feed(b"\r\n" + one + b"\r\n") == [KEEPALIVE_PONG, one, KEEPALIVE_PONG]
    assert framer.feed(one) == [one]
    assert framer.error is None


def test_a_cut_ping_is_still_a_ping() -> None:
    framer = StreamFramer()
    assert framer.feed(b"\r\n") == [KEEPALIVE_PONG]
    assert framer.feed(b"\r\n") == [KEEPALIVE_PING]
    for part, frames in ((b"\r", []), (b"\n\r", []), (b"\n", [KEEPALIVE_PING])):
        assert framer.feed(part) == frames


@pytest.mark.parametrize(
    ("data", "status", "names"),
    [
        (b"MESSAGE sip:b@c SIP/2.0\r\n" + VIA + b"\r\n", 400, "missing"),
        (message(name=b"Content-Length: -"), 400, "number"),
        (message(name=b"Content-Length: +"), 400, "number"),
        (message(name=b"Content-Length: 0x"), 400, "number"),
        (message(name=b"Content-Length: 1 "), 400, "number"),
        (message(name=b"Content-Length: 99999999999"), 400, "number"),
        (message(name=b"l: 0\r\nContent-Length: "), 400, "more than one"),
        (message(name=b"Content-Length: 0, "), 400, "number"),
        (message(name=b"l: 300000\r\nX: "), 413, "body"),
        (b"MESSAGE sip:b@c SIP/2.0\r\n" + VIA + b"X: y\r\n" * 20_000, 513, "header section"),
        (b"x" * 70_000, 513, "header section"),
        (b"\rx", 400, "carriage return"),
    ],
)
@pytest.mark.parametrize("size", [1000, 200_000])
def test_errors_end_the_stream(data: bytes, status: int, names: str, size: int) -> None:
    framer = StreamFramer()
    good = message(b"fine")
    assert feed(framer, good + data + good, size) == [good]
    assert framer.error is not None
    assert (framer.error.status, names in framer.error.reason) == (status, True)
    assert framer.pending == 0
    assert framer.feed(good) == []
    assert (framer.error.partial is not None) == (b"Via" in data)
    if framer.error.partial is not None:
        assert framer.error.partial.top_via.branch == "z9hG4bK1"


def test_limits() -> None:
    framer = StreamFramer(Limits(body=3))
    assert framer.feed(message(b"abc")) == [message(b"abc")]
    framer.feed(message(b"abcd"))
    assert framer.error is not None


def test_holds_no_more_than_the_limits() -> None:
    framer = StreamFramer()
    framer.feed(b"MESSAGE sip:b@c SIP/2.0\r\nl: 262144\r\n\r\n")
    most = 0
    for _ in range(300):
        framer.feed(b"x" * 1000)
        most = max(most, framer.pending)
    assert most <= 262_144 + 1000 + 50


class CountingBytes(bytearray):
    """Counts how many octets are searched for the end of headers."""

    searched = 0

    def find(self, sub: object, start: object = 0, *rest: object) -> int:
        CountingBytes.searched += len(self) - int(start)  # type: ignore[call-overload]
        return super().find(sub, start, *rest)  # type: ignore[arg-type]


def test_one_octet_at_a_time_is_linear() -> None:
    framer = StreamFramer()
    framer._buffer = CountingBytes()
    CountingBytes.searched = 0
    data = b"X: " + b"y" * 20_000
    feed(framer, data, 1)
    assert CountingBytes.searched <= 5 * len(data)
