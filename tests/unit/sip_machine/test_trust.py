"""RFC 3325: whom a trusted peer says has sent a request, and that nobody else can say so."""

from typing import Any

import pytest

from tests.kit.sip import DOMAIN, SERVER, Client, make_endpoint
from transports.sip.machine.endpoint import Endpoint
from transports.sip.machine.events import MessageReceived, RequestRefused
from transports.sip.machine.flow import Flow
from transports.sip.machine.trunkconfig import Peer, Route, TrunkConfig
from transports.sip.wire.message import Response
from transports.sip.wire.native import SipMessage

TARGET = "sip:friend@aim.example.test"
TEXT = [("Content-Type", "text/plain")]
PBX = "192.0.2.50"


def make_peer(**changes: object) -> Peer:
    settings: dict[str, object] = {
        "name": "pbx", "host": PBX, "port": 5070, "transport": "udp", "domains": (DOMAIN,), "ping": 0.0
    }  # fmt: skip
    return Peer(**(settings | changes))  # type: ignore[arg-type]


def trunked(*peers: Peer, **more: object) -> Endpoint:
    return make_endpoint(trunks=TrunkConfig(peers=peers or (make_peer(),), **more))  # type: ignore[arg-type]


def caller(
    endpoint: Endpoint, user: str = "dora", *, host: str = PBX, port: int = 5070, transport: str = "udp"
) -> Client:
    """The peer, as it sends on what one of its users has sent."""
    return Client(endpoint, user, host=host, port=port, transport=transport)


def events(endpoint: Endpoint) -> list[object]:
    return list(iter(endpoint.next_event, None))


def outcome(client: Client, *headers: tuple[str, str], uri: str = TARGET, **fields: Any) -> str | int:
    """Sends a MESSAGE as it is: whose it was taken for, or the status that it was answered with."""
    got = client.deliver(client.request("MESSAGE", uri, [*TEXT, *headers], b"x", **fields), 1.0)
    taken = [event.native for event in events(client.endpoint) if isinstance(event, MessageReceived)]
    if taken:
        assert got == []
        assert isinstance(taken[0], SipMessage)
        return taken[0].aor
    (response,) = got
    assert isinstance(response, Response)
    return response.status


def asserted(value: str) -> tuple[str, str]:
    return "P-Asserted-Identity", value


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([], f"dora@{DOMAIN}"),
        ([asserted(f"<sip:erin@{DOMAIN}>")], f"erin@{DOMAIN}"),
        ([asserted(f'"Erin, of sales" <sip:erin@{DOMAIN};user=x>')], f"erin@{DOMAIN}"),
        ([asserted(f"sip:erin@{DOMAIN}")], f"erin@{DOMAIN}"),
        ([asserted(f"<sip:erin@{SERVER[0]}:5060>")], f"erin@{DOMAIN}"),  # an address of ours is the domain
        ([asserted(f"<sips:erin@{DOMAIN}>")], f"erin@{DOMAIN}"),
        ([asserted(f"<tel:+1-201-555.0123>, <sip:erin@{DOMAIN}>")], f"erin@{DOMAIN}"),
        ([asserted(f"<sip:erin@{DOMAIN}>"), asserted("<tel:+12015550123>")], f"erin@{DOMAIN}"),
        ([asserted("<tel:+1-201-555.0123>")], f"+12015550123@{DOMAIN}"),
        ([asserted(f"<tel:4711;phone-context={DOMAIN}>")], f"4711@{DOMAIN}"),
        ([asserted("<tel:4711;phone-context=evil.test>")], 403),
        ([asserted("<tel:4711>")], 400),
        ([asserted("<tel:+1234@evil>")], 400),
        ([asserted(f"<sip:erin@{DOMAIN}>, <sip:bob@{DOMAIN}>")], 400),  # 9.1: two of the same kind
        ([asserted(f"<sip:a@{DOMAIN}>, <tel:+1>, <tel:+2>")], 400),
        ([asserted("<sip:erin@elsewhere.test>")], 403),
        ([asserted(f"<sip:{DOMAIN}>")], 400),
        ([asserted("<mailto:erin@example.test>")], 400),
        ([asserted("<<>>")], 400),
        ([asserted("")], 400),
        ([("P-Preferred-Identity", f"<sip:bob@{DOMAIN}>")], f"dora@{DOMAIN}"),
    ],
)
def test_whom_a_peer_says_has_sent_it(headers: list[tuple[str, str]], expected: str | int) -> None:
    assert outcome(caller(trunked()), *headers) == expected


@pytest.mark.parametrize(
    ("host", "port", "transport"),
    [(PBX, 5071, "udp"), ("192.0.2.51", 5070, "udp"), (PBX, 5070, "tcp"), ("192.0.2.51", 5070, "tcp")],
)
def test_what_others_assert_is_ignored(host: str, port: int, transport: str) -> None:
    """From another port, address or transport: they must prove who they are, and then are who they proved to be."""
    stranger = caller(trunked(), "alice", host=host, port=port, transport=transport)
    header = asserted(f"<sip:bob@{DOMAIN}>")
    assert outcome(stranger, header) == 407
    assert stranger.register().status == 200
    events(stranger.endpoint)
    assert outcome(stranger, header) == f"alice@{DOMAIN}"


def test_without_peers_nobody_is_believed() -> None:
    assert outcome(caller(make_endpoint()), asserted(f"<sip:bob@{DOMAIN}>")) == 407


def test_over_a_connection_via_names_the_port() -> None:
    endpoint = trunked(make_peer(transport="tcp"))
    connection = caller(endpoint, port=51_234, transport="tcp")
    assert outcome(connection) == 407
    assert outcome(connection, via=f"SIP/2.0/TCP {PBX}:5070;branch=z9hG4bK77") == f"dora@{DOMAIN}"
    anywhere = trunked(make_peer(transport="tcp", any_port=True))
    assert outcome(caller(anywhere, port=51_234, transport="tcp")) == f"dora@{DOMAIN}"


def test_a_peer_without_a_port_has_the_default_one() -> None:
    endpoint = trunked(make_peer(transport="", port=None))
    assert outcome(caller(endpoint, port=5060)) == f"dora@{DOMAIN}"
    assert outcome(caller(endpoint, port=5070)) == 407
    via = f"SIP/2.0/TCP {PBX};branch=z9hG4bK78"
    assert outcome(caller(endpoint, port=50_000, transport="tcp"), via=via) == f"dora@{DOMAIN}"


def test_ipv6_addresses_are_compared_as_addresses() -> None:
    endpoint = trunked(make_peer(host="2001:DB8:0::50"))
    assert outcome(caller(endpoint, host="2001:db8::50"), via="SIP/2.0/UDP [2001:db8::50]:5070;branch=z9hG4bK1") == (
        f"dora@{DOMAIN}"
    )


def by_certificate(endpoint: Endpoint, identities: tuple[str, ...], *, host: str = "192.0.2.99") -> Client:
    client = Client(endpoint, "dora", host=host, transport="tls", port=50_001)
    client.flow = Flow("tls", (SERVER[0], 5061), (host, 50_002), 50_002, None, identities)
    endpoint.flow_opened(client.flow, 0.0)
    return client


@pytest.mark.parametrize(
    ("identities", "expected"),
    [
        (("pbx.example.test",), f"dora@{DOMAIN}"),
        (("other.test", "pbx.example.test"), f"dora@{DOMAIN}"),
        (("example.test",), 407),
        (("sub.pbx.example.test",), 407),
        ((), 407),
    ],
)
def test_a_peer_by_certificate(identities: tuple[str, ...], expected: str | int) -> None:
    peer = make_peer(transport="tls", certificate="PBX.example.test", port=5061)
    endpoint = trunked(peer)
    assert outcome(by_certificate(endpoint, identities)) == expected
    # Its address proves nothing then.
    assert outcome(by_certificate(endpoint, (), host=PBX), via=f"SIP/2.0/TLS {PBX}:5061;branch=z9hG4bK5") == 407


def test_from_is_no_proof_where_the_configuration_says_so() -> None:
    endpoint = trunked(make_peer(asserted_only=True))
    assert outcome(caller(endpoint)) == 407
    assert outcome(caller(endpoint, "erin"), asserted(f"<sip:erin@{DOMAIN}>")) == f"erin@{DOMAIN}"


def test_a_peer_speaks_for_its_domains_alone() -> None:
    partner = make_peer(name="partner", host="192.0.2.60", domains=("partner.test",), registrar=False)
    endpoint = trunked(make_peer(), partner)
    foreign = caller(endpoint, host="192.0.2.60")
    assert outcome(foreign) == 403  # From says that it is one of ours
    assert outcome(foreign, from_="<sip:zoe@partner.test>;tag=1") == "zoe@partner.test"
    assert outcome(caller(endpoint), from_="<sip:zoe@partner.test>;tag=1") == 403
    refused = RequestRefused
    endpoint = trunked()
    client = caller(endpoint)
    client.deliver(client.request("MESSAGE", TARGET, TEXT, b"x", from_="<sip:zoe@partner.test>;tag=1"), 1.0)
    (event,) = [event for event in events(endpoint) if isinstance(event, refused)]
    assert (event.status, event.reason) == (403, "pbx does not speak for partner.test")


def test_no_open_relay() -> None:
    """Neither from a peer nor to one: what is not served here is refused, whoever asks."""
    endpoint = trunked(routes=(Route(domain="partner.test"),))
    for uri in ("sip:x@evil.test", f"sip:x@{PBX}:5070", "sip:x@192.0.2.77"):
        assert outcome(caller(endpoint), uri=uri, branch=f"z9hG4bK{uri}") == 403
        assert outcome(caller(endpoint, "mallory", host="192.0.2.66"), uri=uri, branch=f"z9hG4bK{uri}") == 403
    # To a domain that is routed go authenticated users alone.
    assert outcome(caller(endpoint, "mallory", host="192.0.2.66"), uri="sip:x@partner.test") == 407


@pytest.mark.parametrize(
    ("privacy", "from_", "expected"),
    [
        ("id", '"Anonymous" <sip:anonymous@anonymous.invalid>;tag=1', 433),
        ("user;id", '"Anonymous" <sip:anonymous@anonymous.invalid>;tag=1', 433),
        ("none", '"Anonymous" <sip:anonymous@anonymous.invalid>;tag=1', f"dora@{DOMAIN}"),
        ("id", f"<sip:dora@{DOMAIN}>;tag=1", f"dora@{DOMAIN}"),  # nothing is hidden: From shows the same
        ("id", f"<sip:erin@{DOMAIN}>;tag=1", 433),
    ],
)
def test_who_wants_to_be_unknown_is_shown_to_nobody(privacy: str, from_: str, expected: str | int) -> None:
    """RFC 3325 7, RFC 5079: a recipient sees the sender, by a screen name if by nothing else."""
    headers = [asserted(f"<sip:dora@{DOMAIN}>"), ("Privacy", privacy)]
    assert outcome(caller(trunked()), *headers, from_=from_) == expected


@pytest.mark.parametrize("method", ["MESSAGE", "PUBLISH", "REGISTER"])
def test_what_only_looks_like_a_dialogs_proves_nothing_by_from(method: str) -> None:
    """A proxy lets in-dialog requests pass without a password; these have no dialog."""
    client = caller(trunked())
    uri = {"MESSAGE": TARGET, "PUBLISH": f"sip:dora@{DOMAIN}", "REGISTER": f"sip:{DOMAIN}"}[method]
    headers = [("Event", "presence")] if method == "PUBLISH" else []
    data = client.request(method, uri, headers, b"", to=f"<sip:dora@{DOMAIN}>;tag=stolen")
    (response,) = client.deliver(data, 1.0)
    assert isinstance(response, Response)
    assert response.status in {401, 407}


def test_a_user_of_the_peer_publishes_and_watches() -> None:
    endpoint = trunked()
    client = caller(endpoint)
    document = (
        b'<?xml version="1.0"?><presence xmlns="urn:ietf:params:xml:ns:pidf" entity="sip:dora@example.test">'
        b'<tuple id="t"><status><basic>open</basic></status></tuple></presence>'
    )
    kind = ("Content-Type", "application/pidf+xml")
    assert client.ask("PUBLISH", f"sip:dora@{DOMAIN}", [("Event", "presence"), kind], document).status == 200
    assert client.ask("PUBLISH", f"sip:alice@{DOMAIN}", [("Event", "presence"), kind], document).status == 403
    watch = [("Event", "presence"), ("Contact", "<sip:dora@10.0.0.7>"), ("Record-Route", f"<sip:{PBX}:5070;lr>")]
    answer = client.ask("SUBSCRIBE", TARGET, watch)
    assert answer.status == 200
    assert answer.first("Record-Route") == f"<sip:{PBX}:5070;lr>"
