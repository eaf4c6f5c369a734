"""Typed header values."""

# ruff: noqa: E501 - one case a line

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transports.sip.wire.errors import SipBuildError, SipSyntaxError
from transports.sip.wire.headers import (
    CSeq,
    NameAddr,
    Via,
    format_date,
    format_token_list,
    parse_auth,
    parse_contacts,
    parse_content_type,
    parse_cseq,
    parse_date,
    parse_event,
    parse_name_addr,
    parse_params,
    parse_via,
    split_commas,
)
from transports.sip.wire.uri import parse_uri


@pytest.mark.parametrize(
    ("text", "name", "uri", "params"),
    [
        ("sip:a@b", "", "sip:a@b", ()),
        ("sip:a@b;tag=1", "", "sip:a@b", (("tag", "1"),)),
        ("sip:a@b ; tag = 1", "", "sip:a@b", (("tag", "1"),)),
        ("<sip:a@b;tag=2>;tag=1", "", "sip:a@b;tag=2", (("tag", "1"),)),
        ("<sip:a@b>", "", "sip:a@b", ()),
        ("Alice <sip:a@b>;tag=x-1.2", "Alice", "sip:a@b", (("tag", "x-1.2"),)),
        ("A.  G. \t Bell <sip:a@b>", "A. G. Bell", "sip:a@b", ()),
        ("Jürgen <sip:a@b>", "Jürgen", "sip:a@b", ()),
        ('"<sip:evil@b>" <sip:a@b>;q=0.5;lr', "<sip:evil@b>", "sip:a@b", (("q", "0.5"), ("lr", None))),
        ('"a > b" <sip:a@b>;x=">"', "a > b", "sip:a@b", (("x", ">"),)),
        ('"q\\"uo\\\\te" <sip:a@b>', 'q"uo\\te', "sip:a@b", ()),
        ('""<sip:a@b>', "", "sip:a@b", ()),
        ('<sip:a@b>;+sip.instance="<urn:uuid:1>"', "", "sip:a@b", (("+sip.instance", "<urn:uuid:1>"),)),
        ("<tel:+123;ext=4>;tag=9", "", "tel:+123;ext=4", (("tag", "9"),)),
        ("<sip:a@b>;x=[::1];y=::1;z=a@b:5", "", "sip:a@b", (("x", "[::1]"), ("y", "::1"), ("z", "a@b:5"))),
    ],
)
def test_name_addr(text: str, name: str, uri: str, params: tuple[tuple[str, str | None], ...]) -> None:
    for _ in range(2):  # the second time from the table
        value = parse_name_addr(text)
        assert (value.display_name, str(value.uri), value.params) == (name, uri, params)
    assert parse_name_addr(str(value)) == value


@pytest.mark.parametrize(
    "text",
    [
        "", "<>", "<sip:a@b", "sip:a@b>", "a b", '"a" sip:a@b', '"a <sip:a@b>', "a, b <sip:a@b>", "a@b <sip:a@b>",
        "sip:x@y <sip:a@b>", "< sip:a@b>", "<sip:a@b> x", "<sip:a@b>;", "<sip:a@b>;;lr", "<sip:a@b>;a=", "<sip:a@b>;a b",
        "<sip:a@b>,<sip:c@d>", '"A" <sip:a@b>, "B" <sip:c@d>', "sip:a@b,sip:c@d", "sip:a@b?x=y", '<sip:a@b>;a="b',
        '<sip:a@b>;tag=1;tag=2', "<sip:a@b><sip:c@d>", "sip:a;b@c", '"a\\" <sip:a@b>',
    ],
)  # fmt: skip
def test_name_addr_refused(text: str) -> None:
    for _ in range(2):
        with pytest.raises(SipSyntaxError):
            parse_name_addr(text)


def test_two_quoted_names_are_two_addresses() -> None:
    """A reader that joins them takes the second address for the first one's."""
    line = '"Alice, CEO" <sip:alice@a>;tag=1, "Mallory" <sip:mallory@m>;tag=2'
    assert split_commas(line) == ['"Alice, CEO" <sip:alice@a>;tag=1', '"Mallory" <sip:mallory@m>;tag=2']
    first, second = parse_contacts(split_commas(line))
    assert isinstance(first, NameAddr)
    assert isinstance(second, NameAddr)
    assert (str(first.uri), str(second.uri)) == ("sip:alice@a", "sip:mallory@m")


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("", [""]),
        ("a", ["a"]),
        ("a ,\tb", ["a", "b"]),
        ("a,,b,", ["a", "", "b", ""]),
        ('"a,b",<c,d>,e', ['"a,b"', "<c,d>", "e"]),
        ('"\\",\\\\",b', ['"\\",\\\\"', "b"]),
    ],
)
def test_split_commas(text: str, pieces: list[str]) -> None:
    assert split_commas(text) == pieces


@pytest.mark.parametrize("text", ['a,"b', "a,<b", '",'])
def test_split_commas_refused(text: str) -> None:
    with pytest.raises(SipSyntaxError, match="unclosed"):
        split_commas(text)


def test_contacts() -> None:
    assert parse_contacts(["*"]) == ["*"]
    with pytest.raises(SipSyntaxError, match="alone"):
        parse_contacts(["*", "<sip:a@b>"])
    assert parse_name_addr("<sip:a@b>").with_params(("expires", "5")).param("expires") == "5"


@pytest.mark.parametrize(
    ("text", "transport", "sent_by", "branch", "rport", "received"),
    [
        ("SIP/2.0/UDP h:5060;branch=z9hG4bKa.b-c;rport", "UDP", "h:5060", "z9hG4bKa.b-c", True, None),
        ("SIP/2.0/tcp H;branch=z9hG4bK1", "TCP", "h", "z9hG4bK1", None, None),
        (
            "SIP / 2.0 / TLS   [2001:DB8::1] : 5061 ; branch = z9 ; rport = 7",
            "TLS",
            "[2001:db8::1]:5061",
            "z9",
            7,
            None,
        ),
        ("SIP/2.0/UDP h;received=[::1];rport", "UDP", "h", None, True, "::1"),
        (
            "SIP/2.0/WS df7jal23ls0d.invalid;branch=z9hG4bK56sdasks",
            "WS",
            "df7jal23ls0d.invalid",
            "z9hG4bK56sdasks",
            None,
            None,
        ),
        ("SIP/2.0/UDP h;rport;branch=z9;alias", "UDP", "h", "z9", True, None),
    ],
)
def test_via(text: str, transport: str, sent_by: str, branch: str | None, rport: object, received: str | None) -> None:
    for _ in range(2):
        via = parse_via(text)
        assert (via.transport, via.sent_by, via.branch, via.received) == (transport, sent_by, branch, received)
        assert via.rport is rport or via.rport == rport != 1
    assert parse_via(str(via)) == via


@pytest.mark.parametrize(
    "text",
    ["", "SIP/2.0", "SIP/2.0/UDP", "SIP/2.0/UDP ", "SIP/2.0/UDP a b", "SIP//UDP h", "SIP/2.0/UDP h;", "SIP/2.0/UDP h:x",
     "SIP/2.0/UDP ;branch=z", "SIP/2.0/U(DP h", "SIP/2.0/UDP h;branch=", "SIP/2.0/UDP ::1", "SIP/2.0/UDP h;branch=a;branch=b",
     "SIP/2.0/UDP h;branch=a;", "SIP/2.0/UDP h;branch=a;;rport"],
)  # fmt: skip
def test_via_refused(text: str) -> None:
    with pytest.raises(SipSyntaxError):
        parse_via(text)


def test_bad_rport() -> None:
    with pytest.raises(SipSyntaxError):
        _ = parse_via("SIP/2.0/UDP h;rport=abc").rport


@pytest.mark.parametrize(("text", "number"), [("1 MESSAGE", 1), ("0009   INVITE", 9), ("2147483647\tX", 2**31 - 1)])
def test_cseq(text: str, number: int) -> None:
    value = parse_cseq(text)
    assert value.number == number
    assert parse_cseq(str(value)) == value == CSeq(number, value.method)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        "MESSAGE",
        "-1 MESSAGE",
        "1 MES SAGE",
        "2147483648 MESSAGE",
        "1e3 MESSAGE",
        "\u0661 MESSAGE",
        "9" * 5000 + " X",
    ],
)
def test_cseq_refused(text: str) -> None:
    with pytest.raises(SipSyntaxError):
        parse_cseq(text)


def test_content_type() -> None:
    value = parse_content_type('Multipart/Related ; Boundary="a b";type="x/y"')
    assert (value.media_type, value.param("boundary"), value.param("type")) == ("multipart/related", "a b", "x/y")
    assert parse_content_type(str(value)) == value
    for text in ("", "text", "text/", "/plain", "text/pl ain", "text/plain;", "text/a/b", "te,xt/a"):
        with pytest.raises(SipSyntaxError):
            parse_content_type(text)


def test_event() -> None:
    assert parse_event("Presence.WINFO;id=3") == ("presence.winfo", (("id", "3"),))
    with pytest.raises(SipSyntaxError):
        parse_event("pre sence")


def test_params() -> None:
    assert parse_params(";A=1;b") == (("a", "1"), ("b", None))
    for text in ("a=1", ";", ";a;;b", ";a=1;A=2", ';a="x"y', ";a=1,b"):
        with pytest.raises(SipSyntaxError):
            parse_params(text)


def test_auth() -> None:
    scheme, params = parse_auth('Digest  realm="a,\\"b", nonce=x ,qop=auth,uri="sip:a@b",nc=00000001')
    assert scheme == "digest"
    assert params == {"realm": 'a,"b', "nonce": "x", "qop": "auth", "uri": "sip:a@b", "nc": "00000001"}
    for text in ("", "Digest realm", 'Digest realm="x', "Digest a=1 b=2", "Digest a=1,a=2", "Di@gest a=1"):
        with pytest.raises(SipSyntaxError):
            parse_auth(text)


def test_date() -> None:
    moment = datetime(2010, 11, 13, 23, 29, tzinfo=UTC)
    assert parse_date("Sat, 13 Nov 2010 23:29:00 GMT") == moment
    assert format_date(moment.astimezone(timezone(timedelta(hours=2)))) == "Sat, 13 Nov 2010 23:29:00 GMT"
    for text in ("Sat, 13 Nov 2010 23:29:00 UTC", "Sat, 31 Feb 2010 23:29:00 GMT", "13 Nov 2010 23:29:00 GMT", ""):
        with pytest.raises(SipSyntaxError):
            parse_date(text)
    with pytest.raises(SipBuildError):
        format_date(datetime(2010, 1, 1))  # noqa: DTZ001


def test_token_list() -> None:
    assert format_token_list(["MESSAGE", "OPTIONS"]) == "MESSAGE, OPTIONS"
    with pytest.raises(SipBuildError):
        format_token_list(["a,b"])


@pytest.mark.parametrize("bad", ["\r\nX: y", "a\nb", "a\x00b"])
def test_nothing_that_ends_a_line_is_written(bad: str) -> None:
    uri = parse_uri("sip:a@b")
    for value in (
        NameAddr(bad, uri),
        NameAddr("", uri, (("tag", bad),)),
        NameAddr("", uri, ((bad, "x"),)),
        Via("UDP", "h", None, (("branch", bad),)),
    ):
        with pytest.raises(SipBuildError):
            str(value)


@given(
    st.text(st.characters(exclude_characters="\r\n\x00", exclude_categories=["Cs"]), max_size=30),
    st.text('ab;,<>"\\ ', max_size=8),
)
def test_display_names_survive(name: str, value: str) -> None:
    address = NameAddr(name, parse_uri("sip:a@b"), (("x", value),) if value else ())
    line = f"{address}, {address}"
    pieces = split_commas(line)
    assert [parse_name_addr(piece) for piece in pieces] == [address, address]


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    for parse in (
        parse_name_addr,
        parse_via,
        parse_cseq,
        parse_content_type,
        parse_event,
        parse_params,
        parse_auth,
        split_commas,
    ):
        reason = "none"
        try:
            parse(text)
        except SipSyntaxError as error:
            reason = error.reason
        assert reason
