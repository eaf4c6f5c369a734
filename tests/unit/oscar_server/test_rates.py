"""Rates: AOL's average, its warnings and limits, and a server that has none."""

from __future__ import annotations

from tests.kit.oscar_server.network import Config
from tests.kit.oscar_server.rating import AOL, WIDE
from tests.unit.oscar_server.harness import Client, Server, message
from transports.oscar.wire import icbm, oservice
from transports.oscar.wire.common import SnacError
from transports.oscar.wire.snac import Body


def limited(*, silent: bool = False) -> tuple[Server, Client]:
    server = Server("alice", "bob", config=Config(rates=AOL, refuse_in_silence=silent))
    server.online("bob")
    return server, server.online("alice")


def changes(bodies: list[Body]) -> list[int]:
    return [body.code for body in bodies if isinstance(body, oservice.RateChange)]


def test_levels_are_what_real_servers_told() -> None:
    """After 01/17 and 01/06 without a pause a real server said 5850 for class 1, and full levels for the others."""
    client = Server("alice", config=Config(rates=AOL)).bos("alice")
    client.say(oservice.ClientVersions(((0x01, 1),)))
    (reply,) = client.say(oservice.RatesQuery())
    assert isinstance(reply, oservice.RatesReply)
    assert [rate.current for rate in reply.classes] == [5850, 6000, 6000, 8000, 8000]
    assert reply.encode()[:62].hex() == (
        "0005"
        "000100000050000009c4000007d0000005dc00000320000016da00001770"
        "00020000005000000bb8000007d0000005dc000003e80000177000001770"
    )
    classes = {pair: each.class_id for each in reply.members for pair in each.members}
    assert classes[4, 6] == 3
    assert classes[2, 5] == 3
    assert classes[2, 0x15] == 1
    assert classes[4, 0x14] == 1


def test_newer_clients_are_told_of_time_and_dropping() -> None:
    client = Server("alice", config=Config(rates=AOL)).bos("alice")
    client.say(oservice.ClientVersions(((0x01, 3),)))
    client.server.clock.pass_(2)
    (reply,) = client.say(oservice.RatesQuery())
    assert isinstance(reply, oservice.RatesReply)
    assert (reply.classes[1].elapsed, reply.classes[1].dropping) == (2000, 0)


def test_a_burst_is_warned_of_then_refused() -> None:
    server, alice = limited()
    told: list[int] = []
    fates: list[str] = []
    for _ in range(10):
        bodies = alice.send("bob")
        told += changes(bodies)
        fates += ["ack" if isinstance(body, icbm.HostAck) else "refused" for body in bodies[-1:]]
    # 6000 * (19/20)^n falls under 5000 with the 4th and under 4000 with the 8th message
    assert fates == ["ack"] * 7 + ["refused"] * 3
    assert told == [oservice.RATE_WARNING, oservice.RATE_LIMITED]
    assert server.network.counts["rate_refusals"] == 3
    assert server.network.counts["rate_warnings"] == 1
    assert server.network.counts["messages_relayed"] == 7


def test_the_refusal_names_the_request() -> None:
    _, alice = limited()
    for _ in range(8):
        alice.send("bob")
    (frame,) = alice.say_raw(message("bob"), 4711)
    assert (frame.group, frame.kind, frame.request_id, frame.data) == (4, 1, 4711, b"\0\2")


def test_some_servers_drop_in_silence() -> None:
    server, alice = limited(silent=True)
    for _ in range(8):
        alice.send("bob")
    assert alice.send("bob") == []
    assert server.network.counts["rate_refusals"] == 2


def test_who_does_not_stop_is_disconnected() -> None:
    server, alice = limited()
    closed = []
    for _ in range(14):
        alice.send("bob")
        closed.append(alice.closed)
    # 6000 * (19/20)^14 is under 3000
    assert closed == [False] * 13 + [True]
    assert server.network.counts["rate_disconnects"] == 1
    assert server.network.resident("alice") is None


def test_a_limit_ends_by_waiting_and_that_is_told() -> None:
    server, alice = limited()
    for _ in range(8):
        alice.send("bob")
    session = server.network.sessions["alice"]
    level = session.rating.meters[3].level
    wait = (5100 * 20 - level * 19) / 1000
    server.clock.pass_(wait - 0.5)
    server.network.tick()
    assert changes(alice.heard()) == []
    server.clock.pass_(0.6)
    server.network.tick()
    (told,) = alice.heard()
    assert isinstance(told, oservice.RateChange)
    assert told.code == oservice.RATE_CLEARED
    assert told.rate.current >= 5100
    assert told.rate.dropping == 0
    server.clock.pass_(6)
    assert isinstance(alice.send("bob")[0], icbm.HostAck)


def test_a_steady_pace_over_the_alert_level_is_never_told_of() -> None:
    server, alice = limited()
    for _ in range(200):
        server.clock.pass_(5.1)
        assert [type(body) for body in alice.send("bob")] == [icbm.HostAck]
    assert server.network.counts["rate_refusals"] == server.network.counts["rate_warnings"] == 0


def test_who_did_not_subscribe_is_told_nothing() -> None:
    server, alice = limited()
    alice.say(oservice.RatesForget((3,)))
    bodies = [body for _ in range(10) for body in alice.send("bob")]
    assert changes(bodies) == []
    assert server.network.counts["rate_refusals"] == 3


def test_wide_never_limits() -> None:
    server = Server("alice", "bob", config=Config(rates=WIDE))
    server.online("bob")
    alice = server.online("alice")
    for _ in range(500):
        assert [type(body) for body in alice.send("bob")] == [icbm.HostAck]
    reply = alice.one(oservice.RatesReply, alice.say(oservice.RatesQuery()))
    assert [each.members for each in reply.members] == [()]


def test_other_food_groups_are_refused_in_their_own_name() -> None:
    _, alice = limited()
    refused = None
    for _ in range(160):
        bodies = alice.say(icbm.ParametersQuery())
        refused = next((body for body in bodies if isinstance(body, SnacError)), None)
        if refused is not None:
            break
    assert refused == SnacError(group=4, code=2)
