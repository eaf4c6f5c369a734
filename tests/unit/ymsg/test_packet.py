"""Packets: framing in any cut, keys that repeat, what servers get wrong."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transports.ymsg.wire.errors import YmsgSyntaxError
from transports.ymsg.wire.packet import MAX_BODY, Framer, Packet, decode_body, number, pairs_of, records

values = st.binary(max_size=40).filter(lambda value: b"\xc0\x80" not in value)
packets = st.builds(
    Packet,
    service=st.integers(0, 0xFFFF),
    status=st.integers(0, 0xFFFFFFFF),
    session=st.integers(0, 0xFFFFFFFF),
    version=st.integers(0, 0xFFFF),
    vendor=st.integers(0, 0xFFFF),
    pairs=st.lists(st.tuples(st.integers(0, 999_999_999), values), max_size=8).map(tuple),
)


@given(st.lists(packets, max_size=5), st.lists(st.integers(1, 50), min_size=1, max_size=20))
def test_a_stream_in_any_cut_gives_the_packets(sent: list[Packet], cuts: list[int]) -> None:
    stream = b"".join(packet.encode() for packet in sent)
    framer = Framer()
    got: list[Packet] = []
    at = turn = 0
    while at < len(stream):
        step = cuts[turn % len(cuts)]
        got += framer.feed(stream[at : at + step])
        at, turn = at + step, turn + 1
    assert got == sent


@given(st.binary(max_size=300))
def test_any_octets_are_packets_or_a_syntax_error(data: bytes) -> None:
    framer = Framer()
    with contextlib.suppress(YmsgSyntaxError):
        framer.feed(data)
    if framer.broken is not None:
        with pytest.raises(YmsgSyntaxError):
            framer.feed(b"")


def test_what_stands_before_a_broken_packet_is_given_first() -> None:
    framer = Framer()
    good = Packet(service=6)
    assert framer.feed(good.encode() + b"HTTP") == [good]
    assert framer.broken is not None
    assert "packet marker" in framer.broken.what
    assert framer.broken.where == 20


def test_a_body_over_the_limit_is_refused_before_it_has_come() -> None:
    head = Packet(service=6, pairs=pairs_of((14, "x" * 2000))).encode()[:20]
    with pytest.raises(YmsgSyntaxError, match="the limit is 1024"):
        Framer(max_body=1024).feed(head)


@pytest.mark.parametrize(
    ("body", "pairs", "skipped"),
    [
        (b"", (), 0),
        (b"1\xc0\x80a\xc0\x80", ((1, b"a"),), 0),
        (b"1\xc0\x80a", ((1, b"a"),), 0),
        (b"1\xc0\x80a\xc0\x807", ((1, b"a"),), 1),
        (b"59\xc0\x80a\xc0\x8059\xc0\x80b\xc0\x80", ((59, b"a"), (59, b"b")), 0),
        (b"x\xc0\x80a\xc0\x80-1\xc0\x80b\xc0\x80+5\xc0\x80c\xc0\x807\xc0\x80\xc0\x80", ((7, b""),), 3),
        (b"1234567890\xc0\x80a\xc0\x80", (), 1),
        (b"\xc0\x80", (), 1),
    ],
)
def test_bodies(body: bytes, pairs: object, skipped: int) -> None:
    assert decode_body(body) == (pairs, skipped)


def test_what_does_not_fit_is_refused() -> None:
    for pairs in (((14, b"x" * (MAX_BODY + 1)),), ((14, b"a\xc0\x80b"),)):
        with pytest.raises(YmsgSyntaxError):
            Packet(service=6, pairs=pairs).encode()
    with pytest.raises(YmsgSyntaxError, match="surrogate"):
        pairs_of((14, "\ud83d"))


def test_records_begin_where_a_key_comes_again() -> None:
    pairs = pairs_of((31, "6"), (4, "a"), (14, "1"), (31, "6"), (4, "b"), (97, "1"), (14, "2"))
    assert [record[4] for record in records(pairs, frozenset({31, 4, 14}))] == [b"a", b"b"]
    pairs = pairs_of((0, "me"), (7, "a"), (10, "0"), (7, "b"))
    assert records(pairs, frozenset({7})) == [{0: b"me", 7: b"a", 10: b"0"}, {7: b"b"}]
    assert records((), frozenset({7})) == []


@pytest.mark.parametrize(
    ("value", "read"),
    [(b"12", 12), (b" 7 ", 7), (b"-3", -3), (b"1479906238.25", 1479906238), (b"", None), (b"x", None), (None, None)],
)
def test_numbers(value: bytes | None, read: int | None) -> None:
    assert number(value) == read
    assert number(b"9" * 40) is None
