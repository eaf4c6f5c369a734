"""Messages: reading, changing, writing, answering, passing on."""

# ruff: noqa: E501 - one case a line

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transports.sip.wire.headers import parse_via
from transports.sip.wire.message import (
    Limits,
    Request,
    Response,
    SipBuildError,
    SipSyntaxError,
    add_received,
    forward_bytes,
    parse_message,
    reason_phrase,
    respond,
    respond_bytes,
    validate_request,
    validate_response,
)
from transports.sip.wire.names import COMPACT, KNOWN, canonical

HEADERS = (
    ("Via", "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1;rport"),
    ("Max-Forwards", "70"),
    ("From", '"Alice" <sip:alice@example.com>;tag=a1'),
    ("To", "<sip:bob@example.com>"),
    ("Call-ID", "c1@192.0.2.1"),
    ("CSeq", "7 MESSAGE"),
    ("Content-Type", "text/plain"),
    ("Content-Length", "5"),
)
START = "MESSAGE sip:bob@example.com SIP/2.0"


def raw(*headers: tuple[str, str], start: str = START, body: bytes = b"hello") -> bytes:
    return "\r\n".join([start, *(f"{name}: {value}" for name, value in headers), "", ""]).encode() + body


def edited(**changes: str | None) -> bytes:
    """The usual message with headers (underscores for hyphens) changed, added or, for None, left out."""
    wanted = {name.replace("_", "-"): value for name, value in changes.items()}
    headers = [(name, wanted.pop(name, value)) for name, value in HEADERS]
    headers += list(wanted.items())
    return raw(*((name, value) for name, value in headers if value is not None))


def request(data: bytes = raw(*HEADERS)) -> Request:
    message = parse_message(data)
    assert isinstance(message, Request)
    return message


def test_usual_message() -> None:
    message = request()
    validate_request(message)
    assert (message.method, message.uri_text, str(message.uri)) == (
        "MESSAGE",
        "sip:bob@example.com",
        "sip:bob@example.com",
    )
    assert message.headers == list(HEADERS)
    assert (message.top_via.branch, message.top_via.rport, message.top_via.sent_by) == (
        "z9hG4bK1",
        True,
        "192.0.2.1:5060",
    )
    assert (message.from_.display_name, message.from_.tag, message.to.tag) == ("Alice", "a1", None)
    assert (message.call_id, message.cseq.number, message.cseq.method) == ("c1@192.0.2.1", 7, "MESSAGE")
    assert (message.max_forwards, message.expires, message.event, message.date) == (70, None, None, None)
    assert message.content_type is not None
    assert (message.content_type.media_type, message.body) == ("text/plain", b"hello")
    assert (message.contacts, message.routes, message.require, message.accept) == ([], [], [], [])
    assert message.to_bytes() == raw(*HEADERS)


def test_typed_values_are_read_once() -> None:
    message = request()
    assert message.from_ is message.from_
    assert message.top_via is message.top_via
    assert message.vias is message.vias


@pytest.mark.parametrize("short", sorted(COMPACT.keys() - {"l"}))
def test_compact_forms(short: str) -> None:
    for spelling in (short, short.upper()):
        message = request(raw(*HEADERS, (spelling, "x")))
        assert message.lines(COMPACT[short])[-1] == "x"
        assert message.has(short)
        assert message.has(COMPACT[short].swapcase())


def test_names_without_case() -> None:
    for name in KNOWN:
        assert canonical(name.swapcase()) == name
    message = request(edited(X_Thing="1"))
    assert message.first("x-thing") == message.first("X-THING") == "1"


def test_folding_blanks_and_lists() -> None:
    data = (
        b"SUBSCRIBE sip:bob@example.com SIP/2.0\r\nv : SIP/2.0/UDP a;branch=z1\r\n ,\r\n\tSIP/2.0/TCP b;branch=z2\r\n"
        b"Via:SIP/2.0/TLS c\r\nf:\t<sip:a@b>;tag=1  \r\nt: <sip:b@c>\r\ni: 1\r\nCSEQ: 1\r\n  SUBSCRIBE\r\n"
        b"Accept: application/pidf+xml, text/plain;q=0.5\r\naccept:\r\nAccept: a/b\r\no: presence;id=2\r\n"
        b'm: "Doe, J" <sip:j@h>, <sip:k@h>;q=1\r\nSupported: a,b,\r\nExpires: 0600\r\n\r\n'
    )
    message = request(data)
    validate_request(message)
    assert [via.host for via in message.vias] == ["a", "b", "c"]
    assert message.top_via.branch == "z1"
    assert message.cseq.method == "SUBSCRIBE"
    assert [item.media_type for item in message.accept] == ["application/pidf+xml", "text/plain", "a/b"]
    assert message.event == ("presence", (("id", "2"),))
    assert len(message.contacts) == 2
    assert message.supported == ["a", "b"]
    assert message.expires == 600
    assert message.values("User-Agent") == []
    again = request(message.to_bytes())
    assert again.vias == message.vias
    assert again.headers[:-1] == message.headers


@pytest.mark.parametrize(
    ("data", "status", "names"),
    [
        (b"", 400, "empty line"),
        (b"\r\n\r\n", 400, ""),
        (raw(*HEADERS)[:-9], 400, "empty line"),
        (raw(*HEADERS, start="MESSAGE sip:bob@example.com"), 400, "request line"),
        (raw(*HEADERS, start="MESSAGE sip:bob@example.com HTTP/1.1"), 400, "version"),
        (raw(*HEADERS, start="MESSAGE sip:bob@example.com SIP/3.0"), 505, "version"),
        (raw(*HEADERS, start="MES SAGE sip:bob@example.com SIP/2.0"), 400, "request line"),
        (raw(*HEADERS, start="MESS@GE sip:bob@example.com SIP/2.0"), 400, "method"),
        (raw(*HEADERS, start="MESSAGE  SIP/2.0"), 400, "Request-URI"),
        (raw(*HEADERS, start=f"MESSAGE sip:{'b' * 3000} SIP/2.0"), 414, "Request-URI"),
        (raw(*HEADERS, start=f"MESSAGE sip:{'b' * 9000} SIP/2.0"), 414, "start line"),
        (raw(*HEADERS, ("Bad Name", "x")), 400, "Bad Name"),
        (raw(*HEADERS, ("X", "a\nSubject: b")), 400, "line end"),
        (raw(*HEADERS, ("X", "a\rb")), 400, "line end"),
        (raw(*HEADERS, ("X", "a\x00b")), 400, "NUL"),
        (raw(*HEADERS).replace(b"Alice", b"\xff"), 400, "UTF-8"),
        (raw(*HEADERS, *[("X", "1")] * 300), 513, "256 headers"),
        (raw(*HEADERS, ("X", "x" * 9000)), 513, "longer"),
        (raw(*HEADERS, *[("X", "x" * 8000)] * 9), 513, "header section"),
        (edited(Content_Length="6"), 400, "Content-Length"),
        (edited(Content_Length="-1"), 400, "Content-Length"),
        (edited(Content_Length="5 5"), 400, "Content-Length"),
        (edited(Content_Length="\u0665"), 400, "Content-Length"),
        (raw(*HEADERS, ("l", "5")), 400, "Content-Length"),
        (raw(*HEADERS[:-1], body=b"x" * (256 * 1024 + 1)), 413, "body"),
        (edited(Content_Length=str(10**9)), 413, "body"),
    ],
)
def test_unreadable(data: bytes, status: int, names: str) -> None:
    with pytest.raises(SipSyntaxError) as caught:
        parse_message(data)
    assert caught.value.status == status
    assert names in caught.value.reason
    if b"Via:" in data and b"@GE" not in data:
        assert caught.value.partial is not None
        answer = respond_bytes(caught.value.partial, status, caught.value.reason, to_tag="t")
        assert parse_message(answer).vias[0].branch == "z9hG4bK1"


@pytest.mark.parametrize(
    ("data", "status", "names"),
    [
        *((edited(**{name.replace("-", "_"): None}), 400, name) for name in ("Via", "From", "To", "Call-ID", "CSeq")),
        *((raw(*HEADERS, (n, v)), 400, f"more than one {n}") for n, v in HEADERS if n not in {"Via", "Content-Length"}),
        (edited(From='"A" <sip:a@b>;tag=1, "B" <sip:c@d>;tag=2'), 400, "From"),
        (edited(To="<sip:a@b>, <sip:c@d>"), 400, "To"),
        (edited(Via="SIP/2.0/UDP"), 400, "Via"),
        (edited(Via=""), 400, "Via"),
        (edited(Via="SIP/2.0/UDP h, "), 400, "Via"),
        (edited(Call_ID="a b"), 400, "Call-ID"),
        (edited(Call_ID=""), 400, "Call-ID"),
        (edited(CSeq="7 NOTIFY"), 400, "CSeq"),
        (edited(CSeq="4294967296 MESSAGE"), 400, "CSeq"),
        (edited(Max_Forwards="256"), 400, "Max-Forwards"),
        (edited(Max_Forwards="x"), 400, "Max-Forwards"),
        (edited(Expires="-1"), 400, "Expires"),
        (edited(Content_Type="text"), 400, "Content-Type"),
        (edited(Event="a b"), 400, "Event"),
        (edited(Contact="<sip:a@b>, *"), 400, "Contact"),
        (edited(Contact='"a <sip:a@b>, <sip:c@d>'), 400, "Contact"),
        (edited(Route="sip:a b"), 400, "Route"),
        (edited(Require="a b"), 400, "Require"),
        (raw(*HEADERS, start="MESSAGE tel:+1 SIP/2.0"), 416, "Request-URI"),
        (raw(*HEADERS, start="MESSAGE bob SIP/2.0"), 400, "Request-URI"),
        (raw(*HEADERS, start="MESSAGE sip:b?x=y SIP/2.0"), 400, "Request-URI"),
        (raw(*HEADERS, start="NEWTHING sip:b SIP/2.0"), 501, "CSeq"),
    ],
)
def test_invalid(data: bytes, status: int, names: str) -> None:
    with pytest.raises(SipSyntaxError) as caught:
        validate_request(request(data))
    assert caught.value.status == status
    assert names in caught.value.reason
    assert (caught.value.partial is None) == (names == "Via" and b"\r\nVia: S" not in data)


def test_ack_is_never_answered() -> None:
    for data in (
        raw(*HEADERS, start="ACK sip:b@c SIP/2.0"),
        raw(*HEADERS, ("Bad Name", ""), start="ACK sip:b@c SIP/2.0"),
    ):
        with pytest.raises(SipSyntaxError) as caught:
            validate_request(request(data))
        assert caught.value.partial is None


def test_excess_octets_are_dropped_and_a_missing_length_means_all() -> None:
    assert request(raw(*HEADERS, body=b"hello and more")).body == b"hello"
    assert request(edited(Content_Length=None)).body == b"hello"
    assert request(edited(Content_Length="0005")).body == b"hello"


def test_own_limits() -> None:
    limits = Limits(header_count=7, header_line=40, uri=10, body=4)
    with pytest.raises(SipSyntaxError, match="7 headers"):
        parse_message(raw(*HEADERS), limits)
    with pytest.raises(SipSyntaxError, match="body is larger"):
        parse_message(raw(*HEADERS), Limits(body=4))
    assert request(raw(*HEADERS)).body == b"hello"


@pytest.mark.parametrize("line", ["SIP/2.0 20 OK", "SIP/2.0 2000 OK", "SIP/2.0 999 X", "SIP/2.0 099 X", "SIP/3.0 200 OK", "SIP/2.0", "SIP/2.0 \u0662\u0660\u0660 OK"])  # fmt: skip
def test_bad_status_lines(line: str) -> None:
    with pytest.raises(SipSyntaxError) as caught:
        parse_message(raw(*HEADERS, start=line))
    assert caught.value.partial is None


def test_responses() -> None:
    message = parse_message(raw(*HEADERS, start="SIP/2.0 200"))
    assert isinstance(message, Response)
    validate_response(message)
    assert (message.status, message.reason) == (200, "")
    bad = parse_message(raw(*HEADERS, ("Retry-After", "9999999999999"), start="SIP/2.0 503 Busy"))
    assert isinstance(bad, Response)
    with pytest.raises(SipSyntaxError, match="Retry-After"):
        validate_response(bad)


def test_changing() -> None:
    message = request()
    message.set("to", "<sip:carol@example.com>;tag=9")
    message.add("X-A", "1")
    message.prepend("Via", "SIP/2.0/TCP p;branch=z2")
    message.remove("content-type")
    assert message.to.tag == "9"
    assert [via.host for via in message.vias] == ["p", "192.0.2.1"]
    assert message.top_via.host == "p"
    assert message.content_type is None
    assert message.headers[0] == ("Via", "SIP/2.0/TCP p;branch=z2")
    again = request(message.to_bytes())
    assert again.to == message.to
    assert again.vias == message.vias
    message.set("New", "1")
    message.remove("absent")
    assert message.first("new") == "1"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X", "a\r\nEvil: 1"),
        ("X", "a\n"),
        ("X", "\rb"),
        ("X", "\x00"),
        ("X\r\nEvil", "1"),
        ("X:", "1"),
        ("", "1"),
        ("X Y", "1"),
        ("X", "\ud800"),
    ],
)
def test_header_injection(name: str, value: str) -> None:
    message = request()
    for change in (message.set, message.add, message.prepend):
        with pytest.raises(SipBuildError):
            change(name, value)
    for build in (
        lambda: Request.build("MESSAGE", "sip:a@b", [(name, value)]),
        lambda: Response.build(200, "OK", [(name, value)]),
        lambda: respond(message, 200, headers=[(name, value)]),
        lambda: respond_bytes(message, 200, headers=[(name, value)]),
        lambda: forward_bytes(message, "SIP/2.0/UDP h", headers=[(name, value)]),
    ):
        with pytest.raises(SipBuildError):
            build()
    assert message.to_bytes() == raw(*HEADERS)


def test_start_line_injection() -> None:
    message = request()
    for build in (
        lambda: Request.build("MES SAGE", "sip:a@b", []),
        lambda: Request.build("MESSAGE", "sip:a@b SIP/2.0\r\nX: y", []),
        lambda: Request.build("MESSAGE", "sip:a b", []),
        lambda: Request.build("MESSAGE", "", []),
        lambda: Response.build(200, "OK\r\nX: y", []),
        lambda: Response.build(99, "OK", []),
        lambda: respond_bytes(message, 200, "a\nb"),
        lambda: respond_bytes(message, 700),
        lambda: respond_bytes(message, 200, to_tag="a;b"),
        lambda: respond(message, 200, to_tag="a\r\nb"),
        lambda: forward_bytes(message, "SIP/2.0/UDP h\r\nX: y"),
        lambda: forward_bytes(message, "SIP/2.0/UDP h", uri="sip:x\r\n"),
        lambda: add_received(message, "1.2.3.4\r\nX: y", 1),
        lambda: add_received(message, "host;x=y", 1),
    ):
        with pytest.raises(SipBuildError):
            build()


def test_build() -> None:
    built = Request.build("MESSAGE", "sip:bob@example.com", HEADERS[:-1], b"hello")
    assert built.to_bytes() == raw(*HEADERS)
    twice = Request.build("MESSAGE", "sip:bob@example.com", [*HEADERS, ("Via", "SIP/2.0/UDP h")], b"hello!")
    assert [via.host for via in twice.vias] == ["192.0.2.1", "h"]
    assert request(twice.to_bytes()).body == b"hello!"
    response = Response.build(200, "Так", HEADERS[:-2])
    assert parse_message(response.to_bytes()).headers == [*HEADERS[:-2], ("Content-Length", "0")]


def test_respond_copies_what_the_rfc_says() -> None:
    data = raw(("Via", "SIP/2.0/UDP p;branch=z0"), *HEADERS[:-1], ("Timestamp", "54"), ("Subject", "s"))
    answer = respond(request(data), 202, to_tag="t9", headers=[("Server", "x")], body=b"b")
    assert (answer.status, answer.reason, answer.body) == (202, "Accepted", b"b")
    assert answer.lines("Via") == ["SIP/2.0/UDP p;branch=z0", HEADERS[0][1]]
    assert [answer.first(name) for name in ("From", "Call-ID", "CSeq")] == [HEADERS[2][1], HEADERS[4][1], HEADERS[5][1]]
    assert answer.to.tag == "t9"
    assert (answer.has("Timestamp"), answer.has("Subject"), answer.first("Server")) == (False, False, "x")
    assert respond(request(data), 100).first("Timestamp") == "54"
    assert respond(request(data), 100).to.tag is None


@pytest.mark.parametrize(
    "to",
    ["<sip:bob@example.com>", "sip:bob@example.com", "<sip:b@c>;tag=own", '"a;tag=x" <sip:b@c;tag=y>', "x:;;,broken"],
)
def test_respond_bytes_is_respond(to: str) -> None:
    for data in (edited(To=to), raw(("Via", "SIP/2.0/TCP p"), *HEADERS).replace(b"<sip:bob@example.com>", to.encode())):
        message = request(data)
        for status in (100, 202, 404):
            for more in ((), (("Server", "x"), ("Allow", "MESSAGE"))):
                fast = respond_bytes(message, status, to_tag="tt", headers=more, body=b"xyz")
                assert fast == respond(message, status, to_tag="tt", headers=more, body=b"xyz").to_bytes()
        answer = parse_message(respond_bytes(message, 200, to_tag="tt"))
        if "broken" not in to:
            assert answer.to.tag == ("own" if "own" in to else "tt")
            assert answer.to.uri == message.to.uri


@pytest.mark.parametrize("name", ["From", "To", "Call-ID", "CSeq"])
def test_what_is_missing_is_not_made_up(name: str) -> None:
    message = request(edited(**{name.replace("-", "_"): None}))
    octets = respond_bytes(message, 400, to_tag="tt")
    assert octets == respond(message, 400, to_tag="tt").to_bytes()
    assert not parse_message(octets).has(name)
    assert b"None" not in octets


def test_reason_phrases() -> None:
    assert (reason_phrase(202), reason_phrase(299), reason_phrase(699)) == ("Accepted", "OK", "Failure")


@pytest.mark.parametrize(
    ("via", "host", "port", "noted"),
    [
        ("SIP/2.0/UDP 192.0.2.1:5060;branch=z1", "192.0.2.1", 5060, "SIP/2.0/UDP 192.0.2.1:5060;branch=z1"),
        ("SIP/2.0/UDP 192.0.2.1;branch=z1", "192.0.2.9", 4, "SIP/2.0/UDP 192.0.2.1;branch=z1;received=192.0.2.9"),
        ("SIP/2.0/UDP h;branch=z1;rport", "192.0.2.9", 4, "SIP/2.0/UDP h;branch=z1;rport=4;received=192.0.2.9"),
        ("SIP/2.0/UDP 192.0.2.9;rport ;branch=z1", "192.0.2.9", 4, "SIP/2.0/UDP 192.0.2.9;rport=4;branch=z1;received=192.0.2.9"),
        ("SIP/2.0/UDP [2001:db8:0::1];branch=z1", "2001:db8::1", 4, "SIP/2.0/UDP [2001:db8:0::1];branch=z1"),
        ("SIP/2.0/UDP h;rport;branch=z1", "[2001:db8::1]", 4, "SIP/2.0/UDP h;rport=4;branch=z1;received=2001:db8::1"),
        # What the sender claims of its own address would send the answer elsewhere.
        ("SIP/2.0/UDP h;received=6.6.6.6;rport=66;branch=z1", "192.0.2.9", 4, "SIP/2.0/UDP h;rport=4;branch=z1;received=192.0.2.9"),
        ("SIP/2.0/UDP h;received;branch=z1", "192.0.2.9", 4, "SIP/2.0/UDP h;branch=z1;received=192.0.2.9"),
        ("SIP/2.0/UDP h;rport=66;branch=z1", "192.0.2.9", 4, "SIP/2.0/UDP h;rport=4;branch=z1;received=192.0.2.9"),
        ("SIP/2.0/UDP 192.0.2.9;received=6.6.6.6;branch=z1", "192.0.2.9", 4, "SIP/2.0/UDP 192.0.2.9;branch=z1"),
        ('SIP/2.0/UDP h;x=";rport";branch=z1', "192.0.2.9", 4, 'SIP/2.0/UDP h;x=";rport";branch=z1;received=192.0.2.9'),
        ("SIP/2.0/UDP h;rport;branch=z1, SIP/2.0/UDP g;rport", "192.0.2.9", 4, "SIP/2.0/UDP h;rport=4;branch=z1;received=192.0.2.9, SIP/2.0/UDP g;rport"),
    ],
)  # fmt: skip
def test_received(via: str, host: str, port: int, noted: str) -> None:
    for message in (request(edited(Via=via)), request(edited(Via=via, X="1").replace(b"Via", b"v"))):
        _ = message.vias
        add_received(message, host, port)
        assert message.first("Via") == noted
        assert message.top_via == message.vias[0] == parse_via(noted.partition(", ")[0])
        assert parse_message(message.to_bytes()).vias == message.vias
        again = message.first("Via")
        if "rport" not in via or "rport=4" in noted:
            add_received(message, host, port)
            assert parse_via(str(message.top_via)).received == parse_via((again or "").partition(", ")[0]).received


def test_forward() -> None:
    ours = "SIP/2.0/UDP us;branch=z9hG4bKo"
    fast = request()
    slow = request(edited(X_Other="1"))
    for message in (fast, slow):
        sent = request(forward_bytes(message, ours, uri="sip:carol@c", headers=[("Record-Route", "<sip:us;lr>")]))
        assert sent.start_line() == "MESSAGE sip:carol@c SIP/2.0"
        assert [via.host for via in sent.vias] == ["us", "192.0.2.1"]
        assert (sent.max_forwards, sent.first("Record-Route"), sent.body) == (69, "<sip:us;lr>", b"hello")
        validate_request(sent)
        assert not request(forward_bytes(message, ours, remove=["Content-Type", "f"])).has("From")
        assert message.max_forwards == 70
    add_received(fast, "192.0.2.9", 4)
    assert request(forward_bytes(fast, ours)).vias[1].received == "192.0.2.9"
    assert request(forward_bytes(request(edited(Max_Forwards=None)), ours)).max_forwards == 70
    first = raw(HEADERS[1], HEADERS[0], *HEADERS[2:])
    assert request(forward_bytes(request(first), ours)).max_forwards == 69
    with pytest.raises(SipSyntaxError) as caught:
        forward_bytes(request(edited(Max_Forwards="0")), ours)
    assert caught.value.status == 483


_TEXT = st.text(st.characters(exclude_characters="\r\n\x00", exclude_categories=["Cs"]), max_size=20).map(
    lambda t: t.strip(" \t")
)


@given(
    st.lists(st.tuples(st.sampled_from([*sorted(KNOWN - {"Content-Length"}), "X-New", "v", "tO"]), _TEXT), max_size=8),
    st.binary(max_size=50),
)
def test_what_is_built_reads_back(headers: list[tuple[str, str]], body: bytes) -> None:
    built = Request.build("MESSAGE", "sip:a@b", headers, body)
    again = request(built.to_bytes())
    assert again.headers == [*headers, ("Content-Length", str(len(body)))]
    assert again.body == body
    assert request(again.to_bytes()).headers == again.headers


@given(st.binary(max_size=300))
def test_any_octets_are_read_or_refused(data: bytes) -> None:
    for octets in (data, b"MESSAGE sip:a@b SIP/2.0\r\n" + data + b"\r\n\r\n", raw(*HEADERS) + data):
        status = 400
        try:
            message = parse_message(octets)
            if isinstance(message, Request):
                validate_request(message)
            else:
                validate_response(message)
        except SipSyntaxError as error:
            status = error.status
        assert status in {400, 413, 414, 416, 501, 505, 513}


def test_responses_as_nearly_all_are_written() -> None:
    for code in (100, 200, 699):
        message = parse_message(raw(*HEADERS, start=f"SIP/2.0 {code} Some  reason"))
        assert isinstance(message, Response)
        assert (message.status, message.reason, message.headers) == (code, "Some  reason", list(HEADERS))
        assert message.to_bytes() == raw(*HEADERS, start=f"SIP/2.0 {code} Some  reason")


def test_what_is_shown() -> None:
    message = request()
    assert "MESSAGE" in repr(message)
    assert "200" in repr(respond(message, 200))
    for value, word in (
        (message.uri, "bob"),
        (message.from_, "Alice"),
        (message.top_via, "z9hG4bK1"),
        (message.cseq, "7"),
    ):
        assert word in repr(value)
