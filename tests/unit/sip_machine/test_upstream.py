"""Requests to other servers: which one, failover (RFC 3263 4.3), Retry-After, pings, loops, answers (18.2.2)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from attrs import evolve

from bridge.model.body import Stage
from bridge.model.capabilities import SendResult
from tests.kit.sip import DOMAIN, SERVER, Client, make_endpoint
from tests.unit.sip_machine.test_trust import PBX, TEXT, caller, make_peer
from transports.sip.machine.config import Listener
from transports.sip.machine.endpoint import Endpoint
from transports.sip.machine.events import MessageReceived, SendFinished
from transports.sip.machine.flow import ConnectTo, Flow, Target
from transports.sip.machine.locate import Answer, Srv
from transports.sip.machine.trunkconfig import Peer, Route, TrunkConfig
from transports.sip.wire.message import Request, Response, parse_message, respond_bytes
from transports.sip.wire.native import SipForm, SipMessage
from transports.sip.wire.uri import SipUri, parse_uri


def to_dora(aor: str = f"dora@{DOMAIN}", text: bytes = b"hello", **more: Any) -> SipMessage:
    made = SipMessage(
        aor=aor, peer="sip:friend@aim.example.test", call_id="", cseq=0, content_type="text/plain", body=text,
        display_name="A friend",
    )  # fmt: skip
    return evolve(made, **more)


class World:
    """An endpoint with trunks; what it sends to servers is looked at by hand."""

    def __init__(self, *peers: Peer, routes: tuple[Route, ...] = (), **more: Any) -> None:
        changes = {name: more.pop(name) for name in ("listeners", "max_udp_message") if name in more}
        trunks = TrunkConfig(peers=peers, routes=routes, **more)
        self.endpoint: Endpoint = make_endpoint(trunks=trunks, **changes)
        self.flows: dict[int, Flow] = {}
        self.answers: dict[tuple[str, str], Answer] = {}

    def send(self, message: SipMessage | None = None, key: str = "k", now: float = 0.0) -> None:
        self.endpoint.send_message(message or to_dora(), key, now)
        self.dns(now)

    def dns(self, now: float = 0.0) -> None:
        trunking = self.endpoint.trunking
        assert trunking is not None
        while questions := trunking.questions():
            for question in questions:
                trunking.answer(question, self.answers.get((question.kind, question.name), Answer()), now)

    def out(self, now: float = 0.0, method: str = "MESSAGE") -> list[tuple[Flow | Target, Request]]:
        """Where requests of a method were sent to, and the requests."""
        found: list[tuple[Flow | Target, Request]] = []
        for output in self.endpoint.to_send(now):
            where, data = (output.target, output.data) if isinstance(output, ConnectTo) else output
            assert isinstance(data, bytes)
            message = parse_message(data)
            if isinstance(message, Request) and message.method == method:
                assert isinstance(where, Flow | Target)
                found.append((where, message))
        return found

    def answer(
        self, flow: Flow | Target, request: Request, status: int, now: float, headers: Iterable[tuple[str, str]] = ()
    ) -> None:
        assert isinstance(flow, Flow)
        self.endpoint.receive(flow, respond_bytes(request, status, to_tag="x", headers=list(headers)), now)
        self.dns(now)

    def results(self) -> list[SendResult]:
        return [event.result for event in iter(self.endpoint.next_event, None) if isinstance(event, SendFinished)]

    def pass_time(self, start: float, end: float) -> None:
        now = start
        while (deadline := self.endpoint.next_deadline()) is not None and deadline <= end:
            now = max(now, deadline)
            self.endpoint.handle_timer(now)
            self.dns(now)


def udp(where: object) -> tuple[str, int]:
    assert isinstance(where, Flow)
    assert where.transport == "udp"
    return where.remote


def test_who_is_not_registered_here_is_reached_at_the_peer() -> None:
    world = World(make_peer())
    world.send()
    ((flow, request),) = world.out()
    assert udp(flow) == (PBX, 5070)
    assert request.uri_text == f"sip:dora@{DOMAIN}"
    assert request.first("P-Asserted-Identity") == '"A friend" <sip:friend@aim.example.test>'
    assert request.first("Max-Forwards") == "70"
    assert not request.has("Contact")  # RFC 3428 section 5
    assert not request.has("Route")
    world.answer(flow, request, 202, 0.1)
    assert [result.stage for result in world.results()] == [Stage.RELAYED]


def test_who_is_registered_here_is_reached_here_and_is_told_no_asserted_identity() -> None:
    """RFC 3325 section 5: it is told to trusted servers, and a phone is none."""
    world = World(make_peer())
    alice = Client(world.endpoint, "alice")
    assert alice.register().status == 200
    world.send(to_dora(f"alice@{DOMAIN}"))
    ((flow, request),) = world.out()
    assert udp(flow) == alice.flow.remote
    assert not request.has("P-Asserted-Identity")


def test_domains_that_nobody_serves_are_not_reached() -> None:
    world = World(make_peer())
    world.send(to_dora("zoe@elsewhere.test"))
    assert world.out() == []
    assert [result.stage for result in world.results()] == [Stage.FAILED]
    no_registrar = World(make_peer(registrar=False))
    no_registrar.send()
    assert no_registrar.out() == []


def _uri(text: str) -> SipUri:
    uri = parse_uri(text)
    assert isinstance(uri, SipUri)
    return uri


@pytest.mark.parametrize(
    ("route", "proxy", "where", "header", "asserted"),
    [
        (Route(domain="partner.test", peer="pbx"), None, (PBX, 5070), None, True),
        (Route(domain="partner.test", next_hop=_uri("sip:192.0.2.70:5080")), None, ("192.0.2.70", 5080), None, False),
        (
            Route(domain="partner.test", next_hop=_uri("sip:192.0.2.70;lr")), None,
            ("192.0.2.70", 5060), "<sip:192.0.2.70;lr>", False,
        ),
        (
            Route(domain="partner.test"), _uri("sip:192.0.2.80"),
            ("192.0.2.80", 5060), "<sip:192.0.2.80;lr>", False,
        ),
        (Route(domain="partner.test"), None, ("192.0.2.90", 5060), None, False),
    ],
)  # fmt: skip
def test_routes_by_domain(
    route: Route, proxy: SipUri | None, where: tuple[str, int], header: str | None, asserted: bool
) -> None:
    world = World(make_peer(), routes=(route,), outbound_proxy=proxy)
    world.answers["A", "partner.test"] = Answer(("192.0.2.90",), 60.0)
    world.send(to_dora("zoe@partner.test"))
    ((flow, request),) = world.out()
    assert udp(flow) == where
    assert request.uri_text == "sip:zoe@partner.test"
    assert request.first("Route") == header
    assert request.has("P-Asserted-Identity") is asserted


TWO = (make_peer(), make_peer(name="second", host="192.0.2.51"))


@pytest.mark.parametrize(("status", "headers"), [(503, []), (503, [("Retry-After", "120")])])
def test_503_goes_to_the_next_server(status: int, headers: list[tuple[str, str]]) -> None:
    world = World(*TWO)
    world.send()
    ((first, request),) = world.out()
    world.answer(first, request, status, 0.1, headers)
    ((second, again),) = world.out(0.1)
    assert udp(second) == ("192.0.2.51", 5070)
    # The same request, but for its branch (RFC 3263 4.3).
    assert (again.call_id, again.cseq, again.body) == (request.call_id, request.cseq, request.body)
    assert again.top_via.branch != request.top_via.branch
    world.answer(second, again, 200, 0.2)
    assert [result.stage for result in world.results()] == [Stage.DELIVERED]
    # Retry-After: the first is left alone for so long, and no longer.
    for now, expected in ((60.0, "192.0.2.51" if headers else PBX), (121.0, PBX)):
        world.send(to_dora(f"user{now}@{DOMAIN}"), key=f"at{now}", now=now)
        ((flow, _),) = world.out(now)
        assert udp(flow)[0] == expected


def test_other_answers_are_final() -> None:
    world = World(*TWO)
    for number, status in enumerate((404, 480, 500, 403, 408)):
        world.send(key=str(number))
        ((flow, request),) = world.out()
        world.answer(flow, request, status, 0.1)
        assert world.out() == []
        assert len(world.results()) == 1


def test_silence_goes_to_the_next_server_and_is_not_certain() -> None:
    world = World(*TWO)
    world.send()
    assert len(world.out()) == 1
    world.pass_time(0.0, 31.9)
    world.out(31.9)
    world.pass_time(31.9, 32.0)
    ((flow, request),) = [one for one in world.out(32.0) if udp(one[0])[0] == "192.0.2.51"]
    world.answer(flow, request, 404, 32.1)
    (result,) = world.results()
    assert result.failure is not None
    assert not result.failure.certain  # the first one may have taken it
    # It is passed over for a while.
    world.send(key="later", now=40.0)
    assert [udp(flow)[0] for flow, _ in world.out(40.0)] == ["192.0.2.51"]
    world.send(to_dora(f"erin@{DOMAIN}"), key="much later", now=63.0)
    assert PBX in {udp(flow)[0] for flow, _ in world.out(63.0)}


def test_no_connection_goes_to_the_next_server() -> None:
    world = World(make_peer(transport="tcp"), make_peer(name="second", host="192.0.2.51", transport="tcp"))
    world.send()
    ((where, _),) = world.out()
    assert where == Target("tcp", PBX, 5070)
    world.endpoint.connect_failed(where, 0.1)
    world.dns(0.1)
    ((where, _),) = world.out(0.1)
    assert where == Target("tcp", "192.0.2.51", 5070)
    world.endpoint.connect_failed(where, 0.2)
    (result,) = world.results()
    assert result.failure is not None
    assert (result.failure.reason, result.failure.retryable, result.failure.certain) == ("unreachable", True, True)


def test_servers_that_dns_names_are_tried_in_their_order() -> None:
    world = World(routes=(Route(domain="partner.test"),))
    world.answers = {
        ("SRV", "_sip._udp.partner.test"): Answer(
            (
                Srv(priority=2, weight=0, port=5062, target="b.test"),
                Srv(priority=1, weight=0, port=5061, target="a.test"),
            ),
            60.0,
        ),
        ("A", "a.test"): Answer(("192.0.2.61",), 60.0),
        ("A", "b.test"): Answer(("192.0.2.62",), 60.0),
    }
    world.send(to_dora("zoe@partner.test"))
    ((flow, request),) = world.out()
    assert udp(flow) == ("192.0.2.61", 5061)
    world.answer(flow, request, 503, 0.1)
    ((flow, _),) = world.out(0.1)
    assert udp(flow) == ("192.0.2.62", 5062)


def test_a_retry_is_the_same_request() -> None:
    first, second = World(make_peer()), World(make_peer())
    first.send()
    second.send()
    assert first.out()[0][1].to_bytes() == second.out()[0][1].to_bytes()


def test_a_long_message_does_not_go_by_datagram() -> None:
    """RFC 3261 18.1.1, RFC 3428 8: over TCP where the transport is ours to choose, else not at all."""
    world = World(make_peer(transport=""))
    world.send(to_dora(text=b"x" * 2000))
    ((where, _),) = world.out()
    assert where == Target("tcp", PBX, 5070)
    assert World(make_peer(transport="tcp")).endpoint.max_body(f"dora@{DOMAIN}") == 65536
    only = World(make_peer())
    assert only.endpoint.max_body(f"dora@{DOMAIN}") == 600
    only.send(to_dora(text=b"x" * 2000))
    assert only.out() == []
    (result,) = only.results()
    assert result.failure is not None
    assert (result.failure.reason, result.failure.retryable) == ("too-large", False)


def test_415_is_answered_with_plain_text_once() -> None:
    world = World(make_peer())
    world.send(
        to_dora(content_type="text/html", text=b"<b>x</b>", others=(SipForm("text/plain; charset=utf-8", b"x"),))
    )
    ((flow, request),) = world.out()
    world.answer(flow, request, 415, 0.1)
    ((flow, again),) = world.out(0.1)
    assert (again.body, again.call_id != request.call_id) == (b"x", True)
    world.answer(flow, again, 200, 0.2)
    assert [result.stage for result in world.results()] == [Stage.DELIVERED]


# -- loops ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "port", "listener"),
    [
        (SERVER[0], 5060, None),
        ("127.0.0.1", 5060, Listener(transport="udp", host="0.0.0.0", port=5060)),
        (
            "sip.example.test",
            5060,
            Listener(transport="udp", host="10.0.0.1", port=5060, advertised="sip.example.test"),
        ),
    ],
)
def test_nothing_is_sent_to_ourselves(host: str, port: int, listener: Listener | None) -> None:
    listeners: dict[str, Any] = {} if listener is None else {"listeners": (listener,)}
    world = World(make_peer(host=host, port=port), **listeners)
    world.answers["A", host] = Answer((host,), 60.0)
    world.send()
    assert world.out() == []
    assert [result.stage for result in world.results()] == [Stage.FAILED]


def test_a_request_of_ours_that_comes_back_is_a_loop() -> None:
    world = World(make_peer())
    world.send()
    ((_, request),) = world.out()
    pbx = caller(world.endpoint)
    (direct,) = pbx.deliver(request.to_bytes(), 0.1)  # as it was
    assert isinstance(direct, Response)
    assert direct.status == 482
    request.prepend("Via", f"SIP/2.0/UDP {PBX}:5070;branch=z9hG4bKproxy")
    (by_proxy,) = pbx.deliver(request.to_bytes(), 0.2)
    assert isinstance(by_proxy, Response)
    assert by_proxy.status == 482
    assert not [one for one in iter(world.endpoint.next_event, None) if isinstance(one, MessageReceived)]


def test_hops_that_are_used_up() -> None:
    pbx = caller(World(make_peer()).endpoint)
    (response,) = pbx.deliver(
        pbx.request("MESSAGE", "sip:friend@aim.example.test", TEXT, b"x", max_forwards="0"), 0.0
    )  # fmt: skip
    assert isinstance(response, Response)
    assert response.status == 483


def test_what_a_peer_sends_for_its_own_people_does_not_come_back_to_it() -> None:
    """A PBX that is a B2BUA takes its Via off, and no loop could be seen."""
    world = World(make_peer())
    pbx = caller(world.endpoint, "erin")
    (response,) = pbx.deliver(pbx.request("MESSAGE", f"sip:dora@{DOMAIN}", TEXT, b"x"), 0.0)
    assert isinstance(response, Response)
    assert response.status == 480
    both = caller(World(*TWO).endpoint, "erin", host="192.0.2.51")
    (response,) = both.deliver(both.request("MESSAGE", f"sip:dora@{DOMAIN}", TEXT, b"x"), 0.0)
    assert isinstance(response, Response)
    assert response.status == 480
    alice = Client(world.endpoint, "alice")
    assert alice.register().status == 200
    assert pbx.deliver(pbx.request("MESSAGE", f"sip:alice@{DOMAIN}", TEXT, b"x"), 0.0) == []  # she is here
