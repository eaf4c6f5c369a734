"""Other servers as they are: pings (RFC 3261 11), addresses that change, and answers to them (18.2.2, RFC 3263 5)."""

from __future__ import annotations

import pytest

from tests.kit.sip import DOMAIN, SERVER
from tests.unit.sip_machine.test_trust import PBX, TEXT, caller, make_peer
from tests.unit.sip_machine.test_upstream import World, to_dora, udp
from transports.sip.machine.events import MessageReceived, PeerChanged
from transports.sip.machine.flow import ConnectTo, Target
from transports.sip.machine.health import MOST, Health
from transports.sip.machine.locate import Answer, Srv
from transports.sip.machine.replies import MOST as MOST_REPLIES
from transports.sip.machine.serving import ServerTransaction
from transports.sip.machine.transactions import Machine
from transports.sip.wire.message import Request, Response, parse_message

# -- pings ------------------------------------------------------------------------------------------------------------


def _states(world: World, now: float) -> list[str]:
    assert world.endpoint.trunking is not None
    return [one.state for one in world.endpoint.trunking.states(now)]


def _changes(world: World) -> list[tuple[str, bool]]:
    return [(one.name, one.up) for one in iter(world.endpoint.next_event, None) if isinstance(one, PeerChanged)]


def test_a_peer_is_asked_missed_passed_over_and_found_again() -> None:
    world = World(make_peer(ping=30.0), make_peer(name="second", host="192.0.2.51"))
    ((flow, ping),) = world.out(0.0, "OPTIONS")
    assert udp(flow) == (PBX, 5070)
    assert _states(world, 0.0) == ["unknown", "unknown"]
    world.answer(flow, ping, 404, 0.1)  # whatever it answers, it is there
    assert _states(world, 0.1)[0] == "up"
    assert _changes(world) == [("pbx", True)]
    world.pass_time(0.1, 29.9)
    assert world.out(29.9, "OPTIONS") == []
    world.pass_time(29.9, 30.0)
    assert len(world.out(30.0, "OPTIONS")) == 1
    world.pass_time(30.0, 38.0)
    assert _states(world, 38.0)[0] == "down"
    assert _changes(world) == [("pbx", False)]
    world.out(38.0, "OPTIONS")
    world.send(now=39.0)
    ((flow, _),) = world.out(39.0)
    assert udp(flow)[0] == "192.0.2.51"
    # It is asked more often now, and used again with its first answer.
    world.pass_time(39.0, 60.0)
    pings = [one for one in world.out(60.0, "OPTIONS") if udp(one[0])[0] == PBX]
    assert pings
    world.answer(pings[-1][0], pings[-1][1], 200, 60.1)
    assert _states(world, 60.1)[0] == "up"
    assert _changes(world) == [("pbx", True)]
    world.send(to_dora(f"erin@{DOMAIN}"), key="again", now=60.2)
    assert PBX in [udp(flow)[0] for flow, _ in world.out(60.2)]


def test_all_servers_down_is_known_at_once() -> None:
    world = World(make_peer(ping=30.0, transport="tcp"))
    ((target, _),) = world.out(0.0, "OPTIONS")
    assert isinstance(target, Target)
    world.endpoint.connect_failed(target, 0.1)
    assert _states(world, 0.1) == ["down"]
    world.send(now=0.2)
    assert world.out(0.2) == []
    (result,) = world.results()
    assert result.failure is not None
    assert (result.failure.retryable, result.failure.certain) == (True, True)


def test_a_busy_peer_is_up_and_left_alone() -> None:
    world = World(make_peer(ping=30.0))
    ((flow, ping),) = world.out(0.0, "OPTIONS")
    world.answer(flow, ping, 503, 0.1, [("Retry-After", "20 (maintenance);duration=9")])
    assert _states(world, 0.1) == ["up"]
    for now, sent in ((10.0, 0), (20.2, 1)):
        world.send(key=str(now), now=now)
        assert len(world.out(now)) == sent


def test_a_peer_that_is_the_bridge_itself_is_none() -> None:
    world = World(make_peer(host=SERVER[0], port=5060, ping=30.0))
    assert world.out(0.0, "OPTIONS") == []
    assert _states(world, 0.0) == ["down"]


def test_what_is_pinged_no_more_is_not_waited_for() -> None:
    """A server that DNS does not name any more may be reached by another way, and has nobody who asks for it."""
    health = Health(30.0)
    one, other = Target("udp", PBX, 5060), Target("udp", PBX, 5061)
    health.ping((), (one, other), 0.0)
    assert health.failed(one, "silent", 0.0)
    assert not health.usable(one, 1e9)
    health.ping((one, other), (other,), 100.0)
    assert not health.usable(one, 129.0)
    assert health.usable(one, 130.0)


def test_conditions_are_bounded() -> None:
    health = Health(30.0)
    for port in range(1, 2 * MOST):
        health.failed(Target("udp", PBX, port), "silent", 0.0)
    assert health.usable(Target("udp", PBX, 1), 0.0)
    assert not health.usable(Target("udp", PBX, 2 * MOST - 1), 0.0)


def test_a_peer_with_a_name_is_known_by_the_addresses_that_dns_says() -> None:
    world = World(make_peer(host="pbx.test"))
    world.answers["A", "pbx.test"] = Answer(("192.0.2.52", "192.0.2.53"), 30.0)
    world.dns()
    pbx = caller(world.endpoint, host="192.0.2.53")
    assert pbx.deliver(pbx.request("MESSAGE", "sip:friend@aim.example.test", TEXT, b"x"), 0.0) == []
    world.answers["A", "pbx.test"] = Answer(("192.0.2.54",), 30.0)
    world.pass_time(0.0, 60.0)
    moved = caller(world.endpoint, host="192.0.2.54")
    assert moved.deliver(moved.request("MESSAGE", "sip:friend@aim.example.test", TEXT, b"x"), 60.0) == []
    (response,) = pbx.deliver(pbx.request("MESSAGE", "sip:friend@aim.example.test", TEXT, b"y"), 60.0)
    assert isinstance(response, Response)
    assert response.status == 407


# -- answers ----------------------------------------------------------------------------------------------------------


def _stranded(world: World, via: str, source: str = PBX) -> list[ConnectTo]:
    """A request over a connection that breaks before its answer is there."""
    pbx = caller(world.endpoint, host=source, port=51_000, transport="tcp")
    data = pbx.request("MESSAGE", "sip:friend@aim.example.test", TEXT, b"x", via=via)
    assert pbx.deliver(data, 0.0) == []
    (event,) = [one for one in iter(world.endpoint.next_event, None) if isinstance(one, MessageReceived)]
    world.endpoint.flow_lost(pbx.flow, 0.1)
    world.endpoint.answer(event.tx, 202, now=0.2)
    return [one for one in world.endpoint.to_send(0.2) if isinstance(one, ConnectTo)]


def test_an_answer_whose_connection_is_gone_goes_to_where_via_says() -> None:
    """RFC 3261 18.2.2: to the address that the request came from, at the port of sent-by."""
    (output,) = _stranded(World(make_peer(transport="tcp")), f"SIP/2.0/TCP {PBX}:5070;branch=z9hG4bK1")
    assert output.target == Target("tcp", PBX, 5070)
    response = parse_message(output.data)
    assert isinstance(response, Response)
    assert response.status == 202


def test_an_answer_to_a_name_without_a_port_is_looked_for() -> None:
    """RFC 3263 section 5: when that fails, SRV records of the name."""
    world = World(make_peer(transport="tcp", port=None))
    (output,) = _stranded(world, "SIP/2.0/TCP pbx.test;branch=z9hG4bK1")
    assert output.target == Target("tcp", PBX, 5060)
    world.answers = {
        ("SRV", "_sip._tcp.pbx.test"): Answer((Srv(priority=0, weight=0, port=5099, target="a.test"),), 60.0),
        ("A", "a.test"): Answer(("192.0.2.51",), 60.0),
    }
    world.endpoint.connect_failed(output.target, 0.3)
    world.dns(0.3)
    (again,) = [one for one in world.endpoint.to_send(0.3) if isinstance(one, ConnectTo)]
    assert (again.target, again.data) == (Target("tcp", "192.0.2.51", 5099), output.data)
    world.endpoint.connect_failed(again.target, 0.4)
    world.dns(0.4)
    assert world.endpoint.to_send(0.4) == []


@pytest.mark.parametrize(("user", "transport", "sent"), [(f"dora@{DOMAIN}", "tcp", 1), ("", "tcp", 0), ("x", "ws", 0)])
def test_strangers_do_not_make_us_connect(user: str, transport: str, sent: int) -> None:
    """Nor does anybody behind a WebSocket, who cannot be called."""
    world = World(make_peer())
    world.endpoint.to_send(0.0)
    transaction = _unanswered(world, 5070, transport)
    transaction.user = user
    assert world.endpoint.trunking is not None
    world.endpoint.trunking.replies.stranded(transaction)
    assert len([one for one in world.endpoint.to_send(0.0) if isinstance(one, ConnectTo)]) == sent
    assert len(world.endpoint.trunking.replies) == sent


def _unanswered(world: World, port: int, transport: str = "tcp") -> ServerTransaction:
    pbx = caller(world.endpoint, transport=transport)
    via = f"SIP/2.0/{transport.upper()} {PBX}:{port};branch=z9hG4bK1"
    request = parse_message(pbx.request("MESSAGE", "sip:friend@aim.example.test", TEXT, b"x", via=via))
    assert isinstance(request, Request)
    transaction = ServerTransaction(("z9hG4bK1", port), pbx.flow, request, Machine.SERVER, pbx.flow)
    transaction.last = b"SIP/2.0 202 Accepted"
    return transaction


def test_answers_that_wait_are_bounded() -> None:
    world = World(make_peer())
    assert world.endpoint.trunking is not None
    replies = world.endpoint.trunking.replies
    for port in range(1, MOST_REPLIES + 50):
        transaction = _unanswered(world, port)
        transaction.user = "x"
        replies.stranded(transaction)
        assert len(replies) <= MOST_REPLIES
    replies.flow_opened(Target("tcp", PBX, MOST_REPLIES + 40))
    assert len(replies) == MOST_REPLIES - 1
