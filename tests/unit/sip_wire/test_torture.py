"""Every message of RFC 4475 and RFC 5118."""

from __future__ import annotations

import pytest

from tests.unit.sip_wire.torture import CASES, DATA, TortureCase
from transports.sip.wire.framing import Keepalive, StreamFramer
from transports.sip.wire.headers import NameAddr
from transports.sip.wire.message import (
    Message,
    Request,
    Response,
    SipSyntaxError,
    parse_message,
    respond_bytes,
    validate_request,
    validate_response,
)
from transports.sip.wire.names import canonical
from transports.sip.wire.uri import OtherUri, SipUri


def read(data: bytes) -> Message:
    message = parse_message(data)
    if isinstance(message, Request):
        validate_request(message)
    else:
        assert isinstance(message, Response)
        validate_response(message)
    return message


def lines(message: Message) -> list[tuple[str, str]]:
    return [line for line in message.headers if canonical(line[0]) != "Content-Length"]


def valid(name: str) -> Message:
    return read(CASES[name].data())


def request(name: str) -> Request:
    message = valid(name)
    assert isinstance(message, Request)
    return message


def test_no_file_is_left_out() -> None:
    files = {str(path.relative_to(DATA)) for folder in ("rfc4475", "rfc5118") for path in (DATA / folder).iterdir()}
    assert files == {case.file for case in CASES.values()}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_datagram(case: TortureCase) -> None:
    if case.valid:
        message = read(case.data())
        again = read(message.to_bytes())
        assert lines(again) == lines(message)
        assert again.start_line() == message.start_line()
        assert again.body == message.body
        return
    with pytest.raises(SipSyntaxError) as caught:
        read(case.data())
    error = caught.value
    assert case.names in error.reason
    if case.status is None:
        assert error.partial is None
        return
    assert error.status == case.status
    assert error.partial is not None
    answer = parse_message(respond_bytes(error.partial, error.status, error.reason, to_tag="t"))
    assert isinstance(answer, Response)
    assert answer.status == case.status
    assert answer.lines("Via") == error.partial.lines("Via")


@pytest.mark.parametrize("size", [1, 7, 100_000])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_stream(case: TortureCase, size: int) -> None:
    data = case.data()
    framer = StreamFramer()
    frames = [frame for at in range(0, len(data), size) for frame in framer.feed(data[at : at + size])]
    messages = [frame for frame in frames if isinstance(frame, bytes)]
    if case.stream == "two":
        assert [parse_message(item).start_line().split(" ")[0] for item in messages] == ["REGISTER", "INVITE"]
        assert Keepalive.PONG in frames or Keepalive.PING in frames
    elif case.stream == "wait":
        assert (messages, framer.error) == ([], None)
        assert framer.pending == len(data)
    elif isinstance(case.stream, int):
        assert messages == []
        assert framer.error is not None
        assert framer.error.status == case.stream
        assert "Content-Length" in framer.error.reason
        assert framer.error.partial is not None
    else:
        # Cut at the right place, so that the codec says of it what it says of the datagram.
        assert framer.error is None
        assert messages == [data]


def test_wsinv() -> None:
    message = request("wsinv")
    assert message.max_forwards == 68
    assert (message.cseq.number, message.cseq.method) == (9, "INVITE")
    assert message.to.tag == "1918181833n"
    assert message.from_.display_name == 'J Rosenberg \\"'
    assert message.from_.tag == "98asjd8"
    assert [(via.transport, via.sent_by, via.branch) for via in message.vias] == [
        ("UDP", "192.0.2.2", "390skdjuw"),
        ("TCP", "spindle.example.com", "z9hG4bK9ikj8"),
        ("UDP", "192.168.255.111", "z9hG4bK30239"),
    ]
    assert message.first("Subject") == ""
    assert message.first("newfangledheader") == "newfangled value continued newfangled value"
    assert message.first("UnknownHeaderWithUnusualValue") == ";;,,;;,;"
    assert isinstance(message.uri, SipUri)
    assert message.uri.has_param("unknownparam")
    (contact,) = message.contacts
    assert isinstance(contact, NameAddr)
    assert contact.display_name == 'Quoted string ""'
    assert contact.params == (("newparam", "newvalue"), ("secondparam", None), ("q", "0.33"))
    (route,) = message.routes
    assert str(route.uri) == "sip:services.example.com;lr;unknownwith=value;unknown-no-value"


def test_intmeth() -> None:
    message = request("intmeth")
    assert message.method == "!interesting-Method0123456789_*+`.%indeed'~"
    assert isinstance(message.uri, SipUri)
    assert message.uri.user == "1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*"
    assert message.uri.password == "&it+has=1,weird!*pas$wo~d_too.(doesn't-it)"
    assert message.to.display_name == "BEL:\x07 NUL:\x00 DEL:\x7f"
    assert message.from_.display_name == "token1~` token2'+_ token3*%!.-"
    assert message.from_.param("fromparam''~+*_!.-%") == "работающий"
    assert message.from_.tag == "_token~1'+`*%!-."
    assert message.call_id == "intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{"
    assert message.first("extensionHeader-!.%*+_`'~") == "\ufeff大停電"


def test_esc01() -> None:
    message = request("esc01")
    assert isinstance(message.uri, SipUri)
    assert message.uri.user_decoded == "sips:user@example.com"
    assert message.uri.host == "example.net"
    assert message.to.uri.equivalent(NameAddr("", SipUri("example.com", user="user")).uri)
    assert isinstance(message.from_.uri, SipUri)
    assert message.from_.uri.user_decoded == "I have spaces"
    (contact,) = message.contacts
    assert isinstance(contact, NameAddr)
    assert isinstance(contact.uri, SipUri)
    assert contact.uri.user_decoded == "caller"
    assert contact.uri.has_param("lr")
    assert contact.uri.param("name") == "value%41"  # decoded once


def test_escnull() -> None:
    users = [c.uri.user_decoded for c in request("escnull").contacts if c != "*" and isinstance(c.uri, SipUri)]
    assert users == ["\x00", "\x00\x00"]


def test_esc02() -> None:
    message = request("esc02")
    assert message.method == "RE%47IST%45R"
    assert message.to.display_name == "%Z%45"
    assert len(message.contacts) == 2
    assert message.first("C%6Fntact") == "<sip:alias2@host2.example.com>"


def test_lwsdisp() -> None:
    assert request("lwsdisp").from_.display_name == "caller"


def test_longreq() -> None:
    message = request("longreq")
    assert len(message.vias) == 34
    assert message.vias[0].host == "sip33.example.com"
    assert (message.top_via.branch, message.vias[-1].received) == (None, "192.0.2.5")


def test_semiuri() -> None:
    uri = request("semiuri").uri
    assert isinstance(uri, SipUri)
    assert uri.user_decoded == "user;par=u@example.net"
    assert uri.params == ()
    assert len(request("semiuri").accept) == 6


def test_transports() -> None:
    assert [via.transport for via in request("transports").vias] == ["UDP", "SCTP", "TLS", "UNKNOWN", "TCP"]


def test_mpart01() -> None:
    message = request("mpart01")
    assert message.content_type is not None
    assert message.content_type.param("boundary") == "7a9cbec02ceef655"
    assert len(message.body) == 553
    assert b"\x00" in message.body


def test_reasons() -> None:
    unreason, noreason = valid("unreason"), valid("noreason")
    assert isinstance(unreason, Response)
    assert isinstance(noreason, Response)
    assert unreason.reason == "= 2**3 * 5**2 но сто девяносто девять - простое"
    assert (noreason.status, noreason.reason) == (100, "")


def test_baddate_is_never_taken_for_a_time() -> None:
    with pytest.raises(SipSyntaxError, match="Date"):
        _ = request("baddate").date


def test_badbranch() -> None:
    assert request("badbranch").top_via.branch == "z9hG4bK"


def test_unksm2() -> None:
    message = request("unksm2")
    assert message.to.uri == OtherUri("isbn", "isbn:2983792873")
    assert str(message.from_.uri) == "http://www.example.com"
    assert message.from_.tag == "3234233"


def test_bext01() -> None:
    message = request("bext01")
    assert message.require == ["nothingSupportsThis", "nothingSupportsThisEither"]
    assert message.proxy_require == ["noProxiesSupportThis", "norDoAnyProxiesSupportThis"]


def test_bcast_is_well_formed() -> None:
    message = parse_message(CASES["bcast"].data())
    assert [via.host for via in message.vias] == ["192.0.2.198", "255.255.255.255"]


@pytest.mark.parametrize(("name", "header", "uri"), [("cparam01", True, False), ("cparam02", False, True)])
def test_whose_parameter(name: str, header: bool, uri: bool) -> None:
    (contact,) = request(name).contacts
    assert isinstance(contact, NameAddr)
    assert isinstance(contact.uri, SipUri)
    assert (contact.has_param("unknownparam"), contact.uri.has_param("unknownparam")) == (header, uri)


def test_regescrt() -> None:
    (contact,) = request("regescrt").contacts
    assert isinstance(contact, NameAddr)
    assert isinstance(contact.uri, SipUri)
    assert contact.uri.headers == (("Route", "%3Csip:sip.example.com%3E"),)


def test_inv2543() -> None:
    message = request("inv2543")
    assert (message.top_via.branch, message.from_.tag, message.max_forwards) == (None, None, None)
    assert len(message.body) == 105


@pytest.mark.parametrize(
    ("name", "host", "port"),
    [
        ("ipv6-good", "[2001:db8::10]", None),
        ("port-ambiguous", "[2001:db8::10:5070]", None),
        ("port-unambiguous", "[2001:db8::10]", 5070),
        ("ipv6-bug-abnf-3-colons", "[2001:db8::192.0.2.1]", None),
        ("ipv6-correct-abnf-2-colons", "[2001:db8::192.0.2.1]", None),
    ],
)
def test_ipv6_hosts(name: str, host: str, port: int | None) -> None:
    uri = request(name).uri
    assert isinstance(uri, SipUri)
    assert (uri.host, uri.port) == (host, port)


@pytest.mark.parametrize("name", ["via-received-param-with-delim", "via-received-param-no-delim"])
def test_ipv6_received(name: str) -> None:
    assert request(name).top_via.received == "2001:db8::9:255"


def test_ipv6_vias() -> None:
    vias = request("mult-ip-in-header").vias
    assert [(via.host, via.port, via.received) for via in vias] == [
        ("[2001:db8::9:1]", 6050, None),
        ("192.0.2.1", None, None),
        ("[2001:db8::9:255]", None, "192.0.2.200"),
    ]
    mapped = request("ipv4-mapped-ipv6").vias
    assert [(via.host, via.port) for via in mapped] == [("[::ffff:192.0.2.10]", 19823), ("[::ffff:192.0.2.2]", None)]
