"""What the RFCs ask of who is reached by which way, each statement with its RFC and section: a table of checks.

What is told there in other words is tested elsewhere: `test_outbound`, `test_gruu`, `test_registrar`, `test_websocket`,
`test_trust`, `test_upstream`, `test_resolver`, and for certificates `tests/unit/sip_connector/test_tls.py`. Here is
what nothing else would miss.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest

from tests.kit.sip import DOMAIN, Client, make_endpoint
from tests.unit.sip_machine.test_gruu import SUPPORTED, gruus, write_to
from tests.unit.sip_machine.test_outbound import INSTANCE, flows, register, requests, send
from tests.unit.sip_machine.test_trust import caller, make_peer, outcome, trunked
from tests.unit.sip_machine.test_upstream import World, to_dora
from tests.unit.sip_machine.test_websocket import URI, Browser, _endpoint
from transports.sip.machine.flow import ConnectTo, Target
from transports.sip.machine.locate import Answer, Naptr, Question, Srv, Walk, wanted
from transports.sip.machine.trunkconfig import ResolverLimits
from transports.sip.wire.message import Request, Response
from transports.sip.wire.uri import SipUri, parse_uri

CHECKS: dict[str, Callable[[], None]] = {}
AOR = f"alice@{DOMAIN}"


def check(statement: str) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """Puts a check into the table under what the RFC says."""

    def put(body: Callable[[], None]) -> Callable[[], None]:
        assert statement not in CHECKS
        CHECKS[statement] = body
        return body

    return put


# -- RFC 7118: WebSocket ----------------------------------------------------------------------------------------------


@check("RFC 7118 5: an answer goes by the connection that the request came by, though Via names a host that is none")
def _websocket_answer() -> None:
    browser = Browser(_endpoint(), "alice")
    data = browser.request("OPTIONS", URI, via="SIP/2.0/WS df7jal23ls0d.invalid;branch=z9hG4bKx")
    (answer,) = browser.deliver(data, 1.0)
    assert isinstance(answer, Response)
    assert answer.status == 200
    assert (answer.top_via.transport, answer.top_via.host) == ("WS", "df7jal23ls0d.invalid")
    assert dict(answer.top_via.params)["received"] == browser.flow.remote[0]  # RFC 3261 18.2.1: it is not the address


@check("RFC 7118 5.2: a Via of WSS names WSS in all that goes over it, and never another transport")
def _websocket_via() -> None:
    browser = Browser(_endpoint(), "alice", "wss")
    assert browser.register().status == 200
    send(browser.endpoint, "k", 1.0)
    (request,) = browser.take(1.0)
    assert isinstance(request, Request)
    assert request.top_via.transport == "WSS"


# -- RFC 5626: outbound -----------------------------------------------------------------------------------------------


@check("RFC 5626 6: one flow is taken back by its reg-id, and the others of the device stay")
def _one_flow() -> None:
    endpoint = make_endpoint()
    first, _ = flows(endpoint)
    assert register(first, "1", now=5.0, expires=0).status == 200
    assert [one.reg_id for one in endpoint.registrar.contacts(AOR)] == ["2"]


@check("RFC 5626 6: a flow that registers again keeps its place, whatever its new Contact and Call-ID are")
def _same_flow() -> None:
    endpoint = make_endpoint()
    client = Client(endpoint, "alice", transport="tcp")
    register(client)
    contact = f'<sip:other@192.0.2.9:9>;+sip.instance="{INSTANCE}";reg-id=1'
    headers = [("Contact", contact), ("Supported", "path, outbound")]
    client.deliver(client.request("REGISTER", f"sip:{DOMAIN}", headers, call_id="another"), 2.0)
    (binding,) = endpoint.registrar.contacts(AOR)
    assert binding.contact == "sip:other@192.0.2.9:9"


@check("RFC 5626 7: a device with a flow is reached by the flow, not by what its Contact says")
def _by_flow() -> None:
    endpoint = make_endpoint()
    client = Client(endpoint, "alice", port=40_001, transport="tcp")
    client.register()  # for its challenge
    contact = f'<sip:alice@203.0.113.99:7>;+sip.instance="{INSTANCE}";reg-id=1'
    client.deliver(client.request("REGISTER", f"sip:{DOMAIN}", [("Contact", contact), ("Supported", "outbound")]), 2.0)
    list(endpoint.to_send(2.0))
    send(endpoint)
    assert {port for port, _ in requests(endpoint, 10.0)} == {40_001}


# -- RFC 5627: GRUU ---------------------------------------------------------------------------------------------------


@check("RFC 5627 3.1.1, 5.3: a public one is the same for all flows and registrations of a device")
def _public() -> None:
    endpoint = make_endpoint()
    first, second = Client(endpoint, "alice", port=1), Client(endpoint, "alice", port=2)
    assert gruus(first)[0] == gruus(second, now=2.0)[0] == gruus(first, now=3.0, call_id="another")[0]


@check("RFC 5627 5.2: only a Contact with an instance is given one, also among those of others")
def _contacts() -> None:
    endpoint = make_endpoint()
    plain, device = Client(endpoint, "alice", port=1), Client(endpoint, "alice", port=2)
    plain.register()
    gruus(device)
    response = plain.register(2.0, 3600, SUPPORTED)
    shown = {str(one.uri): one for one in response.contacts if not isinstance(one, str)}
    assert shown[device.contact].param("pub-gruu")
    assert shown[plain.contact].param("pub-gruu") is None


@check("RFC 5627 3.2: what is written to the gr of a device that is not registered is for nobody else's")
def _nobody_else() -> None:
    endpoint = make_endpoint()
    alice, bob = Client(endpoint, "alice"), Client(endpoint, "bob", port=41_000)
    gruus(alice)
    _, (message,) = write_to(bob, f"sip:alice@{DOMAIN};gr=urn:uuid:00000000-0000-1000-8000-000000000009")
    assert message.peer.endswith("000000000009")  # the bridge keeps it for that device (tests/unit/mappings)


# -- RFC 3327: Path ---------------------------------------------------------------------------------------------------


def _with_path(client: Client, *paths: str, now: float = 1.0) -> Response:
    headers = [("Contact", "<sip:alice@10.0.0.7>"), ("Supported", "path"), *(("Path", path) for path in paths)]
    return client.ask("REGISTER", f"sip:{DOMAIN}", headers, now=now)


@check("RFC 3327 5.3, 5.4: Path comes back as it came; its values are the Route of what goes there, in their order")
def _path_order() -> None:
    endpoint = make_endpoint()
    client = Client(endpoint, "alice")
    paths = ("<sip:near.test;lr;transport=tcp>, <sip:mid.test;lr>", "<sip:far.test;lr>")
    response = _with_path(client, *paths)
    assert [value for line in response.lines("Path") for value in line.split(", ")] == ", ".join(paths).split(", ")
    send(endpoint)
    (output,) = endpoint.to_send(10.0)
    assert isinstance(output, ConnectTo)
    assert output.target == Target("tcp", "near.test", 5060)
    routes = [line.partition(": ")[2] for line in output.data.decode().split("\r\n") if line.startswith("Route: ")]
    assert ", ".join(routes) == ", ".join(paths)
    assert output.data.startswith(b"MESSAGE sip:alice@10.0.0.7 SIP/2.0\r\n")


@check("RFC 3327 5.3: a registration without Path, after one with it, has none")
def _path_gone() -> None:
    endpoint = make_endpoint()
    client = Client(endpoint, "alice")
    _with_path(client, "<sip:near.test;lr>")
    assert not _with_path(client, now=2.0).has("Path")
    (binding,) = endpoint.registrar.contacts(AOR)
    assert binding.path == ()


# -- RFC 3325: asserted identity --------------------------------------------------------------------------------------


@check("RFC 3325 5, 9.1: P-Asserted-Identity is told to a trusted peer, and P-Preferred-Identity to nobody")
def _asserted() -> None:
    world = World(make_peer())
    world.send(to_dora())
    ((_, request),) = world.out()
    assert request.first("P-Asserted-Identity") == '"A friend" <sip:friend@aim.example.test>'
    assert not request.has("P-Preferred-Identity")


@check("RFC 3325 9.2: P-Preferred-Identity is a user's wish, and no proof of anybody, from whomever it comes")
def _preferred() -> None:
    wish = ("P-Preferred-Identity", f"<sip:bob@{DOMAIN}>")
    endpoint = trunked()
    assert outcome(caller(endpoint), wish) == f"dora@{DOMAIN}"  # From, which this peer vouches for
    assert outcome(Client(endpoint, "alice"), wish) == 407


# -- RFC 3263: where a server is --------------------------------------------------------------------------------------


def _walk(uri: str, answers: dict[tuple[str, str], Answer]) -> tuple[list[Target], list[Question]]:
    parsed = parse_uri(uri)
    assert isinstance(parsed, SipUri)
    want = wanted(parsed)
    assert want is not None
    asked: list[Question] = []

    def lookup(question: Question) -> Answer:
        asked.append(question)
        return answers.get((question.kind, question.name), Answer())

    return Walk(want, lookup, Random(1), ("A",), ResolverLimits()).targets(), asked


@check("RFC 3263 4.1, 4.2: an address, and a name with a port, are asked for nothing but their own addresses")
def _what_is_asked() -> None:
    assert _walk("sip:a@192.0.2.1", {})[1] == []
    assert [one.kind for one in _walk("sip:a@h.test:5070", {})[1]] == ["A"]
    assert "NAPTR" not in [one.kind for one in _walk("sip:a@h.test;transport=tcp", {})[1]]


@check("RFC 3263 4.1: for a sips URI no record counts that leads over a way without TLS")
def _sips() -> None:
    over_tcp = Naptr(order=1, preference=1, flags="s", service="SIP+D2T", replacement="x.test")
    answers = {
        ("NAPTR", "h.test"): Answer((over_tcp,)),
        ("SRV", "x.test"): Answer((Srv(priority=1, weight=1, port=5060, target="192.0.2.5"),)),
        ("SRV", "_sip._tcp.h.test"): Answer((Srv(priority=1, weight=1, port=5060, target="192.0.2.6"),)),
        ("A", "h.test"): Answer(("192.0.2.7",)),
    }  # fmt: skip
    targets, _ = _walk("sips:a@h.test", answers)
    assert targets == [Target("tls", "192.0.2.7", 5061, "h.test")]


@check("RFC 3263 4.2, RFC 5922 7.2: where SRV names another host, the certificate must prove the URI's domain")
def _whose_certificate() -> None:
    answers = {("SRV", "_sips._tcp.h.test"): Answer((Srv(priority=1, weight=1, port=5071, target="cloud.test"),)),
               ("A", "cloud.test"): Answer(("192.0.2.8",))}  # fmt: skip
    assert _walk("sips:a@h.test", answers)[0] == [Target("tls", "192.0.2.8", 5071, "h.test")]


# ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("statement", CHECKS)
def test_what_the_rfc_asks_for(statement: str) -> None:
    CHECKS[statement]()


def test_no_rfc_of_ways_is_left_out() -> None:
    named = " ".join(CHECKS)
    for number in ("7118", "5626", "5627", "3327", "5922", "3325", "3263"):
        assert f"RFC {number}" in named
