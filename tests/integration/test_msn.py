"""A SIP user and a passport through the whole daemon: words, presence, typing, and everything that goes wrong."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from attrs import frozen

from tests.integration.wire import Phone
from tests.kit.aim import link_states
from tests.kit.daemon import BridgeProcess, Person, until
from tests.kit.msnp_server.process import MsnpServerProcess, MsnpUserProcess
from tests.kit.ports import free_port
from transports.sip.wire.iscomposing import IsComposing, build_iscomposing
from transports.sip.wire.message import Request

OURS, FRIEND = "alice.work@hotmail.example", "bob@hotmail.example"
FRIEND_URI = "bob%40hotmail.example@msn.corp.example"
ALICE = Person(user="alice", names={"msn": (OURS, "a")})
POLICY = """
[policy]
version = "msn"
[[rule]]
id = "msn"
effect = "allow"
from = ["domain:{domain}"]
to = ["network:msn"]
direction = "both"
[[rule]]
id = "inside"
effect = "allow"
from = ["domain:{domain}"]
to = ["domain:{domain}"]
"""
LONG = "".join(f"{number} zürich 👩‍👩‍👧 " for number in range(200))


@frozen(kw_only=True)
class World:
    """All who take part."""

    server: MsnpServerProcess
    friend: MsnpUserProcess
    bridge: BridgeProcess


def section(server: str, web: str, more: str = "") -> str:
    """``[networks.msn]`` of the bridge."""
    return (
        f'[networks.msn]\nkind = "msnp"\nserver = "{server}"\ndomain = "msn.corp.example"\n'
        f'nexus = "http://{web}/rdr/pprdr.asp"\n{more}\n'
    )


def state(bridge: BridgeProcess) -> str | None:
    """Where alice's link stands."""
    return link_states(bridge).get(OURS)


@contextmanager
def msn_world(more: str = "") -> Iterator[World]:
    """The server, a person on it, the bridge whose account is signed on."""
    with (
        MsnpServerProcess({OURS: "a", FRIEND: "f"}) as server,
        MsnpUserProcess(server, FRIEND, "f") as friend,
        BridgeProcess([ALICE], policy=POLICY, networks=section(server.address, server.web, more)) as bridge,
    ):
        friend.signed_on()
        until(lambda: state(bridge) == "up", 20.0, "the link")
        yield World(server=server, friend=friend, bridge=bridge)


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with msn_world() as made:
        yield made


def shown(request: Request, *parts: bytes) -> bool:
    """Whether a request is a NOTIFY that says something."""
    return request.method == "NOTIFY" and all(part in request.body for part in parts)


def outcomes(bridge: BridgeProcess) -> dict[str, int]:
    """How the messages ended."""
    return {name: count for name, count in bridge.status()["messages"].items() if name.startswith("outcome_")}


def test_words_both_ways(world: World) -> None:
    with Phone(world.bridge, "alice") as phone:
        assert phone.register().status == 200
        assert phone.message(FRIEND_URI, "grüße 👋🏽\nzweite Zeile").status == 202
        world.friend.event("message", text="grüße 👋🏽\nzweite Zeile")
        assert world.friend.messages()[-1]["from"] == OURS
        assert world.friend.send(OURS, "réponse 😀")["stage"] == "relayed"
        sender, text = phone.text(10)
        assert (sender, text) == (FRIEND_URI, "réponse 😀")
        assert phone.message(FRIEND_URI, LONG, kind="text/plain;charset=utf-8").status == 202

        def whole() -> bool:
            return "".join(m["text"] for m in world.friend.messages()).endswith(LONG)

        until(whole, 15.0, "the long text")
        until(lambda: world.bridge.status()["queues"]["waiting"] == 0, 10.0, "the end of the queue")
        assert set(outcomes(world.bridge)) <= {"outcome_relayed", "outcome_delivered"}
        assert world.bridge.audit("verify")["ok"]


def test_typing_both_ways(world: World) -> None:
    with Phone(world.bridge, "alice") as phone:
        assert phone.register().status == 200
        assert phone.message(FRIEND_URI, "the conversation is open").status == 202
        world.friend.event("message", text="the conversation is open")
        body = build_iscomposing(IsComposing(state="active")).decode()
        since = len(world.friend.events)
        assert phone.message(FRIEND_URI, body, kind="application/im-iscomposing+xml").status < 300
        world.friend.event("typing", since=since, typing=True)
        world.friend.do("typing", to=OURS)
        phone.incoming(lambda request: request.method == "MESSAGE" and b"<state>active" in request.body, 10.0)


def test_presence_both_ways(world: World) -> None:
    with Phone(world.bridge, "alice") as phone:
        assert phone.register().status == 200
        headers = [("Event", "presence"), ("Contact", f"<{phone.contact}>"), ("Expires", "600")]
        assert phone.ask("SUBSCRIBE", f"sip:{FRIEND_URI}", headers).status == 200
        world.friend.do("presence", status="LUN", text="à table")
        phone.incoming(lambda request: shown(request, b"meal", "à table".encode()), 10.0)
        world.friend.do("add", name=OURS)
        world.friend.event("presence", name=OURS, status="NLN")
        since = len(world.friend.events)
        document = (
            b'<?xml version="1.0"?><presence xmlns="urn:ietf:params:xml:ns:pidf"'
            b' xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model" xmlns:rpid="urn:ietf:params:xml:ns:pidf:rpid"'
            b' entity="sip:alice@corp.example"><tuple id="t"><status><basic>open</basic></status></tuple>'
            b'<dm:person id="p"><rpid:activities><rpid:on-the-phone/></rpid:activities></dm:person></presence>'
        )
        published = [("Event", "presence"), ("Content-Type", "application/pidf+xml"), ("Expires", "600")]
        assert phone.ask("PUBLISH", "sip:alice@corp.example", published, document).status == 200
        world.friend.event("presence", since=since, name=OURS, status="PHN")


def test_a_kick_is_left_in_peace_and_then_taken_back() -> None:
    with msn_world("elsewhere_wait = 1.0") as world:
        since = len(world.server.events)
        world.server.control("kick", name=OURS)
        until(lambda: state(world.bridge) == "signed-on-elsewhere", 10.0, "word of it")
        until(lambda: state(world.bridge) == "up", 20.0, "the name again")
        world.server.happened("online", OURS, since=since)


def test_a_wrong_password_is_not_tried_again() -> None:
    person = Person(user="alice", names={"msn": (OURS, "wrong")})
    with (
        MsnpServerProcess({OURS: "a"}) as server,
        BridgeProcess([person], policy=POLICY, networks=section(server.address, server.web)) as bridge,
    ):
        until(lambda: state(bridge) == "auth-failed", 20.0, "the refusal")
        assert server.control("stats")["online"] == []


@pytest.mark.slow
def test_a_server_that_is_dead_and_comes_back() -> None:
    port, web = free_port(), free_port()
    address, site = f"127.0.0.1:{port}", f"127.0.0.1:{web}"
    with BridgeProcess([ALICE], policy=POLICY, networks=section(address, site)) as bridge:
        until(lambda: state(bridge) == "transient", 20.0, "the failure")
        with Phone(bridge, "alice") as phone:
            assert phone.register().status == 200
            assert phone.message(FRIEND_URI, "kept until there is a network").status == 202
            # the message may be tried before the friend is there: that they are seen coming sends it on
            headers = [("Event", "presence"), ("Contact", f"<{phone.contact}>"), ("Expires", "600")]
            assert phone.ask("SUBSCRIBE", f"sip:{FRIEND_URI}", headers).status in {200, 202}
            with (
                MsnpServerProcess({OURS: "a", FRIEND: "f"}, listen=address, web=web) as server,
                MsnpUserProcess(server, FRIEND, "f") as friend,
            ):
                friend.signed_on()
                until(lambda: state(bridge) == "up", 40.0, "the link")
                friend.event("message", timeout=40.0, text="kept until there is a network")


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["vanish", "nak"])
def test_a_conversation_that_breaks_in_the_middle_of_a_message(fault: str) -> None:
    """A server that vanishes leaves the outcome open, and the message is sent again; so it is after a no."""
    with msn_world() as world, Phone(world.bridge, "alice") as phone:
        assert phone.register().status == 200
        world.server.control("fault", fault=fault)
        assert phone.message(FRIEND_URI, "half way").status == 202
        until(lambda: world.bridge.status()["queues"]["waiting"] == 1, 10.0, "the message that waits")
        world.server.control("fault", fault="none")
        world.friend.event("message", timeout=30.0, text="half way")
        until(lambda: world.bridge.status()["queues"]["waiting"] == 0, 20.0, "the end of the queue")
        assert world.bridge.audit("verify")["ok"]
