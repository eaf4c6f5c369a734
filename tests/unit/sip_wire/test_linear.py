"""Hostile input costs linear work and bounded memory.

Work is counted, not timed: the calls that Python makes. What one call of a regular expression does is not counted; there
the inputs are so large that quadratic work (10**11 steps) would not end within a test run.
"""

# ruff: noqa: E501 - one case a line

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from types import FrameType

import pytest

from transports.sip.wire import headers, uri
from transports.sip.wire.auth import Credentials
from transports.sip.wire.errors import SipSyntaxError
from transports.sip.wire.framing import StreamFramer
from transports.sip.wire.memo import MAX_ENTRIES, MAX_KEY
from transports.sip.wire.message import Request, parse_message, respond_bytes, validate_request
from transports.sip.wire.pidf import parse_pidf

BIG = 400_000

Reader = Callable[[str], object]

READERS: dict[str, Reader] = {
    "uri": uri.parse_uri,
    "name-addr": headers.parse_name_addr,
    "via": headers.parse_via,
    "cseq": headers.parse_cseq,
    "media": headers.parse_content_type,
    "event": headers.parse_event,
    "params": headers.parse_params,
    "auth": headers.parse_auth,
    "commas": headers.split_commas,
    "date": headers.parse_date,
    "credentials": Credentials.parse,
}

# Prefix, what is repeated, suffix: so that something long almost fits, and fails at its end.
HOSTILE = [
    ("", "a", ""), ("", " ", "x"), ("sip:", "a", "@"), ("sip:", "a@", ""), ("sip:a", ":", "@b"), ("sip:a@b", ";a", "="),
    ("sip:a@b", ";a=b", ";;"), ("sip:a@b?", "a=b&", ""), ("sip:", "%41", "%4"), ("sip:a@", "b.", ".c"), ("sip:a@", "1.", ""),
    ("sip:a@[", ":", "]"), ("", '"', ""), ('"', "\\", ""), ('"', "\\\\", ""), ('"', '\\"', "x"), ("", "<", ""), ("", "<a>", "<"),
    ("", ",", '"'), ("", '"a",', '"'), ("<sip:a@b>", ";", ""), ("<sip:a@b>", ";a ", "="), ("<sip:a@b>;a=", " ", "x y"),
    ("<sip:a@b>", " ", "x"), ("<sip:a@b>;a=\"", "\\\\", ""), ("a", " a", " <"), ("SIP/2.0/UDP", " ", ""), ("SIP", " ", "/ 2.0"),
    ("SIP/2.0/UDP h", ";branch=z", ";"), ("SIP/2.0/UDP ", "a ", ""), ("", "/", ""), ("a/", "b", " c"), ("a/b;", "c=d;", ";"),
    ("Digest ", "a=b,", ",c"), ("Digest a=", " ", "x y"), ("Digest a=\"", "\\\"", ""), ("Digest ", "a", " b"), ("Digest ", " ", "="),
    ("1", "0", " X"), ("", "0", " MESSAGE"), ("1", " ", "X Y"), ("Sat, 13 Nov ", "2", ""),
]  # fmt: skip


@pytest.mark.parametrize("reader", READERS)
def test_large_hostile_values_end(reader: str) -> None:
    for prefix, unit, suffix in HOSTILE:
        text = prefix + unit * (BIG // len(unit)) + suffix
        reason = ""
        try:
            READERS[reader](text)
        except SipSyntaxError as error:
            reason = error.reason
        assert len(reason) < 400  # it quotes little of what was wrong


def calls(work: Callable[[], object]) -> int:
    count = 0

    def hook(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal count
        count += event in {"call", "c_call"}

    sys.setprofile(hook)
    try:
        work()
    except SipSyntaxError:
        pass
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("reader", READERS)
def test_calls_grow_no_faster_than_the_text(reader: str) -> None:
    for prefix, unit, suffix in HOSTILE:
        few, many = (calls(partial(READERS[reader], prefix + unit * n + suffix)) for n in (200, 1600))
        assert many <= 10 * few + 100, (prefix, unit, suffix)


def whole(line: bytes, count: int) -> bytes:
    head = b"MESSAGE sip:b@c SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\n"
    return head + b"Call-ID: 1\r\nCSeq: 1 MESSAGE\r\n" + line * count + b"\r\n"


@pytest.mark.parametrize(
    "line",
    [b"Via: SIP/2.0/UDP h;branch=z\r\n", b"X: 1\r\n", b" folded\r\n", b"Contact: <sip:a@b>, <sip:c@d>\r\n", b"Route: <sip:a;lr>\r\n",
     b"Require: a,b,c,d,e\r\n", b"no colon\r\n", b"From: <sip:a@b>\r\n", b"Subject: \xc3\xbc\r\n"],
)  # fmt: skip
def test_whole_messages(line: bytes) -> None:
    def work(count: int) -> None:
        message = parse_message(whole(line, count))
        assert isinstance(message, Request)
        validate_request(message)
        respond_bytes(message, 200, to_tag="t")

    assert calls(lambda: work(240)) <= 10 * calls(lambda: work(30)) + 200


def test_folding_of_one_header_over_many_lines() -> None:
    message = parse_message(whole(b"Subject: a\r\n" + b" b\r\n" * 2000, 1))
    assert message.first("Subject") == "a" + " b" * 2000


def test_a_stream_of_keepalives_and_of_small_messages() -> None:
    small = b"M sip:b SIP/2.0\r\nl:0\r\n\r\n"
    for unit in (b"\r\n\r\n", b"\r\n", small):
        few, many = (calls(partial(StreamFramer().feed, unit * n)) for n in (100, 1000))
        assert many <= 12 * few


def test_tables_do_not_grow_with_hostile_texts() -> None:
    for number in range(MAX_ENTRIES + 100):
        headers.parse_name_addr(f"<sip:{number}@example.com>")
        headers.parse_via(f"SIP/2.0/UDP h{number}.example.com;branch=z")
        headers.parse_content_type(f"text/x{number}")
    tables = (headers._ADDRESSES.table, headers._SENT_BY.table, headers._TYPES.table, uri._MEMO.table)
    for table in tables:
        assert 0 < len(table) <= MAX_ENTRIES
    long = "a" * (MAX_KEY + 1)
    for text in (f"<sip:{long}@b>", f"SIP/2.0/UDP {'h.' * 127}", f"text/{long}", f"sip:{long}@b"):
        for read in READERS.values():
            with suppress(SipSyntaxError):
                read(text)
    assert all(len(key) <= MAX_KEY for table in tables for key in table)


def test_xml_that_is_wide_or_deep() -> None:
    for unit in ("<a>", "<a/>", '<a b="c"/>', "<!-- x -->", "&amp;", "<tuple>", "<?x?>", "<a xmlns='b'>", "]]>"):
        with suppress(SipSyntaxError):
            parse_pidf(b"<presence entity='x'>" + unit.encode() * (60_000 // len(unit)))
