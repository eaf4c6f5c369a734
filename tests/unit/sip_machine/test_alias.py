"""Connection reuse: RFC 5923. Our own connections are used again; a peer's only where a certificate names the peer."""

import pytest

from tests.kit.sip import DOMAIN, SERVER, Client, make_endpoint
from transports.sip.machine.endpoint import Endpoint
from transports.sip.machine.flow import CloseFlow, ConnectTo, Flow, Target
from transports.sip.wire.message import Request
from transports.sip.wire.native import SipMessage

PEER = "proxy.example.net"


def ways(endpoint: Endpoint, key: str, now: float) -> list[Flow | Target]:
    """Sends a message to alice, whose Contact is at the peer; returns by which way."""
    native = SipMessage(
        aor=f"alice@{DOMAIN}", peer=f"sip:bob@{DOMAIN}", call_id="", cseq=0, content_type="text/plain", body=b"hi"
    )
    endpoint.send_message(native, key, now)
    found: list[Flow | Target] = []
    for output in endpoint.to_send(now):
        assert not isinstance(output, CloseFlow)
        found.append(output.target if isinstance(output, ConnectTo) else output[0])
    return found


def endpoint_with(contact: str) -> Endpoint:
    alice = Client(make_endpoint(), "alice")
    assert alice.ask("REGISTER", f"sip:{DOMAIN}", [("Contact", f"<{contact}>")]).status == 200
    return alice.endpoint


def options(host: str, more: str = "") -> bytes:
    lines = [
        ("Via", f"SIP/2.0/TLS {host}:5061;branch=z9hG4bKa{more}"), ("Max-Forwards", "70"),
        ("From", "<sip:x@x.test>;tag=1"), ("To", f"<sip:{DOMAIN}>"), ("Call-ID", "c"), ("CSeq", "1 OPTIONS"),
    ]  # fmt: skip
    return Request.build("OPTIONS", f"sip:{DOMAIN}", lines).to_bytes()


def connected(endpoint: Endpoint, transport: str, identity: str | None, data: bytes) -> Flow:
    flow = Flow(transport, SERVER, ("198.51.100.7", 33_333), 9, identity)
    endpoint.flow_opened(flow, 1.0)
    endpoint.receive(flow, data, 1.0)
    endpoint.to_send(1.0)
    return flow


def test_a_proven_peer_s_connection_is_used() -> None:
    endpoint = endpoint_with(f"sip:alice@{PEER};transport=tls")
    flow = connected(endpoint, "tls", PEER, options(PEER, ";alias"))
    assert ways(endpoint, "one", 2.0) == [flow]
    endpoint.flow_lost(flow, 3.0)
    assert ways(endpoint, "two", 4.0) == [Target("tls", PEER, 5061)]


@pytest.mark.parametrize(
    ("transport", "identity", "data"),
    [
        ("tls", PEER, options(PEER)),  # it does not offer it
        ("tls", None, options(PEER, ";alias")),  # it has no certificate
        ("tls", "evil.example.net", options(PEER, ";alias")),  # it has another's name in Via
        ("tcp", PEER, options(PEER, ";alias").replace(b"/TLS", b"/TCP")),  # nothing keeps it as it is
    ],
)
def test_a_mere_word_is_not_enough(transport: str, identity: str | None, data: bytes) -> None:
    endpoint = endpoint_with(f"sip:alice@{PEER};transport={transport}")
    connected(endpoint, transport, identity, data)
    assert ways(endpoint, "one", 2.0) == [Target(transport, PEER, 5060 if transport == "tcp" else 5061)]


def test_our_own_connection_is_used_again_and_its_peer_may_ask_on_it() -> None:
    endpoint = endpoint_with(f"sip:alice@{PEER};transport=tcp")
    target = Target("tcp", PEER, 5060)
    assert ways(endpoint, "one", 2.0) == [target]
    flow = Flow("tcp", SERVER, ("198.51.100.7", 5060), 9)
    endpoint.flow_opened(flow, 2.1, target)
    assert ways(endpoint, "two", 3.0) == [flow]
    endpoint.receive(flow, options(PEER).replace(b"/TLS", b"/TCP"), 3.1)
    ((back, answer),) = [(output[0], output[1]) for output in endpoint.to_send(3.1)]
    assert back is flow
    assert isinstance(answer, bytes)
    assert answer.startswith(b"SIP/2.0 200")
