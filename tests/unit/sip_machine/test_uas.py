"""What becomes of requests: RFC 3261 8.2, RFC 3428, and what a bridge must not do."""

import zlib

import pytest

from tests.kit.sip import DOMAIN, SERVER, Client, make_endpoint
from transports.sip.machine.config import Limits
from transports.sip.machine.endpoint import Endpoint
from transports.sip.machine.events import MessageReceived, RequestRefused
from transports.sip.machine.flow import CloseFlow, Flow
from transports.sip.machine.uas import ALLOW
from transports.sip.wire.message import Request, Response
from transports.sip.wire.native import SipMessage, SipTyping
from transports.sip.wire.uri import SipUri, parse_uri

TARGET = "sip:friend@aim.example.test"
TEXT = [("Content-Type", "text/plain")]


def _only(got: list[Response | Request]) -> Response:
    assert len(got) == 1, got
    assert isinstance(got[0], Response)
    return got[0]


@pytest.fixture
def alice() -> Client:
    client = Client(make_endpoint(), "alice")
    assert client.register().status == 200
    _events(client.endpoint)
    return client


def _events(endpoint: Endpoint) -> list[object]:
    return list(iter(endpoint.next_event, None))


def _received(endpoint: Endpoint) -> list[MessageReceived]:
    return [event for event in _events(endpoint) if isinstance(event, MessageReceived)]


def test_a_message_is_answered_when_its_owner_says_so(alice: Client) -> None:
    data = alice.request("MESSAGE", TARGET, [*TEXT, ("Subject", "lunch"), ("x-own", "1")], "é".encode())
    assert alice.deliver(data, 1.0) == []
    (event,) = _received(alice.endpoint)
    assert event.native == SipMessage(
        aor=f"alice@{DOMAIN}", peer=TARGET, call_id="alice40000-MESSAGE3", cseq=3, content_type="text/plain",
        body="é".encode(), headers=(("Subject", "lunch"),), device="sip:alice@192.0.2.9:40000",
    )  # fmt: skip
    assert alice.deliver(data, 1.5) == []  # a retransmission while the commit is under way
    alice.endpoint.answer(event.tx, 202, now=2.0)
    response = _only(alice.take(2.0))
    assert response.status == 202
    assert not response.has("Contact")  # RFC 3428 section 7
    assert response.body == b""
    assert _only(alice.deliver(data, 2.5)).to_bytes() == response.to_bytes()
    assert _received(alice.endpoint) == []
    alice.endpoint.answer(event.tx, 500, now=3.0)
    assert alice.take(3.0) == []


@pytest.mark.parametrize("host", [SERVER[0], f"{SERVER[0]}:5060", "Example.Test", "example.test."])
def test_our_own_address_is_the_domain(alice: Client, host: str) -> None:
    """A phone that was told an address and no domain writes to ``sip:bob@192.0.2.1``."""
    assert alice.deliver(alice.request("MESSAGE", f"sip:bob@{host}", TEXT, b"x"), 1.0) == []
    (event,) = _received(alice.endpoint)
    peer = parse_uri(event.native.peer)
    assert isinstance(peer, SipUri)
    assert peer.aor == f"bob@{DOMAIN}"


def test_a_refusal_says_why(alice: Client) -> None:
    alice.deliver(alice.request("MESSAGE", TARGET, TEXT, b"x"), 1.0)
    (event,) = _received(alice.endpoint)
    alice.endpoint.answer(event.tx, 403, 'policy "wall"\r\nInjected: yes', now=1.0)
    response = _only(alice.take(1.0))
    assert response.reason == 'policy "wall" Injected: yes'
    assert response.first("Warning") == '399 example.test "policy \\"wall\\" Injected: yes"'
    assert not response.has("Injected")


def test_no_answer_after_64_t1(alice: Client) -> None:
    alice.deliver(alice.request("MESSAGE", TARGET, TEXT, b"x"), 1.0)
    (event,) = _received(alice.endpoint)
    alice.endpoint.handle_timer(34.0)
    alice.endpoint.answer(event.tx, 202, now=34.0)
    assert alice.take(34.0) == []
    assert alice.endpoint.counts["server"] == 0


def test_from_must_be_the_senders_own(alice: Client) -> None:
    for sender in (f"<sip:bob@{DOMAIN}>;tag=1", "<sip:alice@elsewhere.test>;tag=1", "<tel:+123>;tag=1"):
        response = _only(alice.deliver(alice.request("MESSAGE", TARGET, TEXT, b"x", from_=sender), 1.0))
        assert (response.status, response.reason) == (403, "From is not the address of the authenticated user")
    refused = [event for event in _events(alice.endpoint) if isinstance(event, RequestRefused)]
    assert [(event.status, event.authenticated, event.claimed_from) for event in refused] == [
        (403, f"alice@{DOMAIN}", f"sip:bob@{DOMAIN}"),
        (403, f"alice@{DOMAIN}", "sip:alice@elsewhere.test"),
        (403, f"alice@{DOMAIN}", "tel:+123"),
    ]


def test_nothing_is_relayed_to_strangers(alice: Client) -> None:
    for uri in ("sip:x@evil.test", "sip:x@203.0.113.9", "sip:x@test", f"sip:x@{DOMAIN}.evil.test"):
        response = _only(alice.deliver(alice.request("MESSAGE", uri, TEXT, b"x"), 1.0))
        assert (response.status, response.reason) == (403, "This bridge does not relay to other domains")
    assert _received(alice.endpoint) == []


def test_a_sips_target_is_not_translated(alice: Client) -> None:
    response = _only(alice.deliver(alice.request("MESSAGE", "sips:friend@aim.example.test", TEXT, b"x"), 1.0))
    assert response.status == 416


@pytest.mark.parametrize(
    ("method", "status"),
    [("INVITE", 405), ("REFER", 405), ("INFO", 405), ("UPDATE", 405), ("BYE", 405), ("FOO", 501), ("NOTIFY", 481)],
)
def test_methods_that_are_not_served(alice: Client, method: str, status: int) -> None:
    response = _only(alice.deliver(alice.request(method, TARGET), 1.0))
    assert response.status == status
    if status in {405, 501}:
        assert response.first("Allow") == ALLOW


@pytest.mark.parametrize("method", ["BYE", "INFO", "UPDATE", "INVITE", "MESSAGE"])
def test_requests_in_a_dialog_that_does_not_exist(alice: Client, method: str) -> None:
    response = _only(alice.deliver(alice.request(method, TARGET, to=f"<{TARGET}>;tag=gone"), 1.0))
    assert response.status == 481


def test_an_invite_has_one_answer_for_each_copy_and_no_more(alice: Client) -> None:
    """The answers of RFC 3261 17.2.1 until an ACK would go eleven to one to whoever a forged source names (8.2.7)."""
    data = alice.request("INVITE", TARGET, branch="z9hG4bKinvite")
    response = _only(alice.deliver(data, 1.0))
    assert response.status == 405
    for step in range(400):
        alice.endpoint.handle_timer(1.0 + step / 10)
        assert alice.take(1.0 + step / 10) == []
    assert _only(alice.deliver(data, 1.6)).to_bytes() == response.to_bytes()
    ack = data.replace(b"INVITE", b"ACK", 1).replace(b" INVITE\r\n", b" ACK\r\n")
    assert alice.deliver(ack, 1.7) == []
    assert alice.endpoint.counts["server"] == 0


def test_cancel(alice: Client) -> None:
    invite = alice.request("INVITE", TARGET, branch="z9hG4bKinvite")
    alice.deliver(invite, 1.0)
    cancel = invite.replace(b"INVITE", b"CANCEL", 1).replace(b" INVITE\r\n", b" CANCEL\r\n")
    assert _only(alice.deliver(cancel, 1.0)).status == 481  # it was answered, and is forgotten
    stray = alice.request("CANCEL", TARGET, branch="z9hG4bKnone")
    assert _only(alice.deliver(stray, 1.0)).status == 481


@pytest.mark.parametrize(
    ("headers", "status", "header"),
    [
        ([("Require", "100rel, path")], 420, ("Unsupported", "100rel, path")),
        ([("Proxy-Require", "privacy")], 420, ("Unsupported", "privacy")),
        ([("Content-Type", "image/png")], 415, ("Accept", None)),
        ([("Content-Type", "text/plain"), ("Content-Encoding", "br")], 415, ("Accept-Encoding", "deflate, gzip")),
    ],
)
def test_what_is_not_understood_is_named(
    alice: Client, headers: list[tuple[str, str]], status: int, header: tuple[str, str | None]
) -> None:
    response = _only(alice.deliver(alice.request("MESSAGE", TARGET, headers, b"x"), 1.0))
    assert response.status == status
    value = response.first(header[0])
    assert value is not None
    assert header[1] is None or value == header[1]


def test_hops_and_loops(alice: Client) -> None:
    assert _only(alice.deliver(alice.request("MESSAGE", TARGET, TEXT, b"x", max_forwards="0"), 1.0)).status == 483
    assert _only(alice.deliver(alice.request("OPTIONS", f"sip:{DOMAIN}", max_forwards="0"), 1.0)).status == 200
    via = "SIP/2.0/UDP 192.0.2.9:40000;branch=z9hG4bKa;rport, SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKours"
    assert _only(alice.deliver(alice.request("MESSAGE", TARGET, TEXT, b"x", via=via), 1.0)).status == 482


def test_the_same_request_by_two_ways_is_taken_once(alice: Client) -> None:
    first = alice.request("MESSAGE", TARGET, TEXT, b"x", branch="z9hG4bKone")
    assert alice.deliver(first, 1.0) == []
    headers = [*TEXT, ("Proxy-Authorization", alice.credentials("MESSAGE", TARGET))]
    second = alice.request(
        "MESSAGE", TARGET, headers, b"x", authenticate=False, branch="z9hG4bKtwo",
        call_id="alice40000-MESSAGE3", cseq="3 MESSAGE",
    )  # fmt: skip
    assert _only(alice.deliver(second, 1.0)).status == 482
    assert len(_received(alice.endpoint)) == 1


def test_too_large_a_body(alice: Client) -> None:
    data = alice.request("MESSAGE", TARGET, TEXT, b"x" * 65537)
    assert _only(alice.deliver(data, 1.0)).status == 413


def test_typing(alice: Client) -> None:
    body = (
        b'<?xml version="1.0"?><isComposing xmlns="urn:ietf:params:xml:ns:im-iscomposing"><state>active</state>'
        b"<refresh>90</refresh></isComposing>"
    )
    kind = ("Content-Type", "application/im-iscomposing+xml")
    for headers, content in (([kind], body), ([kind, ("Content-Encoding", "deflate")], zlib.compress(body))):
        assert alice.deliver(alice.request("MESSAGE", TARGET, headers, content), 1.0) == []
        (event,) = _received(alice.endpoint)
        assert event.native == SipTyping(aor=f"alice@{DOMAIN}", peer=TARGET, state="active", refresh=90)
    bomb = zlib.compress(b"<" * 10_000_000, 9)
    packed = [kind, ("Content-Encoding", "deflate")]
    assert _only(alice.deliver(alice.request("MESSAGE", TARGET, packed, bomb), 1.0)).status == 413
    assert _only(alice.deliver(alice.request("MESSAGE", TARGET, packed, b"junk"), 1.0)).status == 400
    assert _only(alice.deliver(alice.request("MESSAGE", TARGET, [kind], b"<x/>"), 1.0)).status == 400


def test_options_is_the_same_for_everyone() -> None:
    client = Client(make_endpoint(), "stranger")
    answers = set()
    for uri in (f"sip:alice@{DOMAIN}", f"sip:nobody@{DOMAIN}", f"sip:{DOMAIN}"):
        response = _only(client.deliver(client.request("OPTIONS", uri, to="<sip:x@y.test>"), 1.0))
        assert response.status == 200
        answers.add(tuple((name, response.first(name)) for name in ("Allow", "Accept", "Supported", "Allow-Events")))
    assert len(answers) == 1
    assert _only(client.deliver(client.request("OPTIONS", "sip:elsewhere.test"), 1.0)).status == 403


def test_one_source_cannot_take_all_the_room() -> None:
    endpoint = make_endpoint(limits=Limits(server_transactions_per_source=3))
    client, other = Client(endpoint, "alice"), Client(endpoint, "bob", host="192.0.2.10")
    assert client.register().status == 200
    assert other.register().status == 200
    for _ in range(3):
        assert client.deliver(client.request("MESSAGE", TARGET, TEXT, b"x"), 1.0) == []
    response = _only(client.deliver(client.request("MESSAGE", TARGET, TEXT, b"x"), 1.0))
    assert response.status == 503
    assert response.first("Retry-After") == "5"
    assert other.deliver(other.request("MESSAGE", TARGET, TEXT, b"x"), 1.0) == []
    for event in _received(endpoint):
        endpoint.answer(event.tx, 202, now=1.0)
    client.take(1.0)
    assert client.deliver(client.request("MESSAGE", TARGET, TEXT, b"x"), 1.0) == []


def test_finished_transactions_are_bounded() -> None:
    endpoint = make_endpoint(limits=Limits(finished_transactions=10))
    client = Client(endpoint, "alice")
    for _ in range(50):
        client.deliver(client.request("OPTIONS", f"sip:{DOMAIN}"), 1.0)
    assert endpoint.counts["finished"] == 10
    for now in (33.5, 40.0, 80.0):
        endpoint.handle_timer(now)
    assert endpoint.counts["finished"] == 0
    assert endpoint.next_deadline() is None


def test_bad_messages_get_a_400_that_says_what_is_wrong() -> None:
    client = Client(make_endpoint(), "alice")
    good = client.request("MESSAGE", TARGET, TEXT, b"x")
    response = _only(client.deliver(good.replace(b"CSeq: 1 MESSAGE", b"CSeq: x MESSAGE"), 1.0))
    assert response.status == 400
    assert "CSeq" in response.reason
    assert _only(client.deliver(good.replace(b"SIP/2.0\r\n", b"SIP/3.0\r\n", 1), 1.0)).status == 505
    for junk in (b"", b"\r\n\r\n", b"\0", b"hello", b"SIP/2.0 200 OK\r\n\r\n", b"\xff" * 100):
        assert client.deliver(junk, 1.0) == []


def test_a_stream_that_is_broken_is_closed() -> None:
    endpoint = make_endpoint()
    client = Client(endpoint, "alice", transport="tcp")
    good = client.request("OPTIONS", f"sip:{DOMAIN}")
    endpoint.receive(client.flow, good + b"\r\n\r\n" + good.replace(b"Content-Length: 0\r\n", b""), 1.0)
    outputs = endpoint.to_send(1.0)
    assert [type(output) for output in outputs] == [tuple, tuple, tuple, CloseFlow]
    assert outputs[1] == (client.flow, b"\r\n")  # RFC 5626 3.5.1: the pong
    assert b"400 Content-Length is missing" in outputs[2][1]
    endpoint.receive(client.flow, good, 1.0)
    assert endpoint.to_send(1.0) == []


def test_answers_go_where_rfc_3581_sends_them() -> None:
    endpoint = make_endpoint()
    client = Client(endpoint, "alice")
    for via, port in (
        ("SIP/2.0/UDP 10.0.0.1:5070;branch=z9hG4bKx", 5070),
        ("SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKy", 5060),
    ):
        endpoint.receive(client.flow, client.request("OPTIONS", f"sip:{DOMAIN}", via=via), 1.0)
        ((flow, data),) = endpoint.to_send(1.0)
        assert isinstance(flow, Flow)
        assert flow.remote == ("192.0.2.9", port)
        assert b";received=192.0.2.9" in data


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_via_that_cannot_be_read_is_refused_to_where_the_request_came_from(transport: str) -> None:
    """RFC 4475 section 3.1.2.1 wants a 400."""
    client = Client(make_endpoint(), "alice", transport=transport)
    via = "SIP/2.0/UDP 192.0.2.15;;,;,,"
    response = _only(client.deliver(client.request("OPTIONS", f"sip:{DOMAIN}", via=via), 0.0))
    assert response.status == 400
    assert response.lines("Via") == [via]


def test_without_any_via_there_is_no_answer() -> None:
    client = Client(make_endpoint(), "alice")
    data = client.request("OPTIONS", f"sip:{DOMAIN}")
    lines = [line for line in data.split(b"\r\n") if not line.startswith(b"Via")]
    assert client.deliver(b"\r\n".join(lines), 0.0) == []
