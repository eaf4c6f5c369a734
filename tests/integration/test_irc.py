"""SIP users and users of real IRC servers, through the whole daemon: messages, presence, faults."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from attrs import frozen

from tests.integration.test_sip_lists import publish
from tests.integration.wire import Phone
from tests.kit.aim import link_states
from tests.kit.daemon import BridgeProcess, Person, until
from tests.kit.irc.servers import PASSWORD, Inspircd, IrcServer, Ngircd
from tests.kit.irc.user import IrcUser, kill
from transports.sip.wire.message import Request

pytestmark = pytest.mark.peer
DOMAIN = "irc.corp.example"
POLICY = """
[policy]
version = "irc"
[[rule]]
id = "inside"
effect = "allow"
from = ["domain:{domain}"]
to = ["domain:{domain}"]
[[rule]]
id = "irc"
effect = "allow"
from = ["domain:{domain}"]
to = ["network:irc"]
direction = "both"
"""
SECONDS = 20.0
LONG = "".join(f"{number}: grüße, \u4e16\u754c \U0001f468\u200d\U0001f469\u200d\U0001f467; " for number in range(40))


@frozen(kw_only=True)
class World:
    """A server, somebody on it, and the bridge with alice signed on."""

    server: IrcServer
    bob: IrcUser
    bridge: BridgeProcess

    def state(self) -> str:
        """The state of alice's account."""
        return link_states(self.bridge).get("alicework", "")

    def wait_up(self) -> None:
        """Returns when alice is signed on."""
        until(lambda: self.state() == "up", SECONDS, "alice's link")


@contextmanager
def irc_world(server: IrcServer, *, more: str = "", password: str = PASSWORD, caps: str = "") -> Iterator[World]:
    section = f"""[networks.irc]
kind = "irc"
server = "{server.address}"
domain = "{DOMAIN}"
messages_per_second = 20.0
burst = 20
poll_interval = 0.5
killed_wait = 0.5
{more}
"""
    people = (Person(user="alice", names={"irc": ("alicework", password)}),)
    with (
        server,
        IrcUser(server.port, "bob", caps=caps) as bob,
        BridgeProcess(people, policy=POLICY, networks=section, more="[presence]\nnotify_interval = 0.2\n") as bridge,
    ):
        yield World(server=server, bob=bob, bridge=bridge)


SERVERS = {
    "ngircd": Ngircd,
    "inspircd": Inspircd,
}


@pytest.fixture(params=list(SERVERS), scope="module")
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    with irc_world(SERVERS[request.param]()) as made:
        made.wait_up()
        yield made


def test_messages_both_ways(world: World) -> None:
    with Phone(world.bridge, "alice") as phone:
        assert phone.register().status == 200
        before = len(world.bob.texts())
        assert phone.message(f"bob@{DOMAIN}", "héllo \U0001f600").status == 202
        world.bob.wait(lambda: len(world.bob.texts()) > before, "alice's message")
        assert world.bob.texts()[before] == ("alicework", "héllo \U0001f600")
        world.bob.message("alicework", "hé \U0001f680 \x02bold\x02")
        sender, text = phone.text()
        assert (sender.partition(";")[0], text) == (f"bob@{DOMAIN}", "hé \U0001f680 <b>bold</b>")
        world.bob.say_raw(b"PRIVMSG alicework :caf\xe9 \x80\r\n")
        assert phone.text()[1] == "café \u20ac"
        world.bob.message("alicework", "\x01ACTION waves\x01")
        assert phone.text()[1] == "/me waves"


def test_a_long_text_is_cut_between_graphemes(world: World) -> None:
    with Phone(world.bridge, "alice", "tcp") as phone:
        assert phone.register().status == 200
        before = len(world.bob.texts())
        assert phone.message(f"bob@{DOMAIN}", LONG).status == 202

        def whole() -> bool:
            # ngIRCd drops a blank at the end of a line
            return "".join(text for _, text in world.bob.texts()[before:]).replace(" ", "") == LONG.replace(" ", "")

        world.bob.wait(whole, "the whole text")
        pieces = [text for _, text in world.bob.texts()[before:]]
        assert len(pieces) > 3
        assert not any(piece.startswith("\u200d") or piece.endswith("\u200d") for piece in pieces)
        assert all(len(line) <= 510 for line in world.bob.raw if b"PRIVMSG" in line and not line.startswith(b"@"))


def test_nobody_there_is_a_failure_that_the_sender_is_told_of(world: World) -> None:
    with Phone(world.bridge, "alice") as phone:
        assert phone.register().status == 200
        assert phone.message(f"nobody@{DOMAIN}", "are you there?").status == 202
        sender, text = phone.text()
        assert sender.startswith("simplebridge@")
        assert "not on the network" in text
    outcomes = [found.record for found in world.bridge.records() if found.row.event == "outcome"]
    assert any("401 ERR_NOSUCHNICK" in str(fields) for fields in outcomes)


def notified(phone: Phone, part: bytes) -> Request:
    """The next NOTIFY whose body holds something; those before it are lost."""
    return phone.incoming(lambda request: request.method == "NOTIFY" and part in request.body, SECONDS)


@pytest.mark.parametrize("means", ["monitor", "watch", "ison", "ngircd"])
@pytest.mark.slow
def test_presence_both_ways(means: str) -> None:
    server: IrcServer = Ngircd() if means == "ngircd" else Inspircd(means)
    with irc_world(server) as world, Phone(world.bridge, "alice") as phone:
        world.wait_up()
        assert phone.register().status == 200
        headers = [("Event", "presence"), ("Contact", f"<{phone.contact}>"), ("Expires", "600")]
        assert phone.ask("SUBSCRIBE", f"sip:bob@{DOMAIN}", headers).status == 200
        notified(phone, b"<basic>open</basic>")
        world.bob.say("AWAY :lunch, grüße")
        assert "lunch, grüße" in notified(phone, b"lunch").body.decode()
        world.bob.say("AWAY")
        notified(phone, b"<basic>open</basic>")
        world.bob.quit()
        notified(phone, b"<basic>closed</basic>")
        with IrcUser(world.server.port, "carol") as carol:
            publish(phone, "alice", "<rpid:busy/>")

            def away() -> list[str]:
                carol.say("WHOIS alicework")
                carol.sync()
                return carol.got(" 301 ")

            carol.wait(away, "alice's away text")
            assert carol.got(" 301 ")[-1].endswith(":Busy")


def test_typing_both_ways() -> None:
    with (
        irc_world(Inspircd(), caps="message-tags", more="") as world,
        Phone(world.bridge, "alice") as phone,
    ):
        world.wait_up()
        assert phone.register().status == 200
        world.bob.say("@+typing=active TAGMSG alicework")
        composing = phone.incoming(lambda request: b"isComposing" in request.body)
        assert b"<state>active</state>" in composing.body
        body = (
            '<?xml version="1.0"?><isComposing xmlns="urn:ietf:params:xml:ns:im-iscomposing">'
            "<state>active</state></isComposing>"
        )
        kind = "application/im-iscomposing+xml"
        assert phone.message(f"bob@{DOMAIN}", body, kind=kind).status in {200, 202}
        world.bob.wait(lambda: [line for line in world.bob.got("TAGMSG") if "+typing=active" in line], "typing")


def test_a_wrong_password_is_an_end_until_people_change_it() -> None:
    with irc_world(Ngircd(), password="wrong") as world:
        until(lambda: world.state() == "auth-failed", SECONDS, "the refusal")


@pytest.mark.parametrize("name", list(SERVERS))
def test_a_kill_is_recovered_from(name: str) -> None:
    with irc_world(SERVERS[name]()) as world:
        world.wait_up()
        kill(world.server.port, "alicework", "bad day")
        until(lambda: "ended by an operator: " in world.bridge.log_tail(), SECONDS, "word of the kill")
        until(lambda: world.state() == "up", SECONDS, "alice again")


def test_a_server_that_dies_and_comes_back() -> None:
    with irc_world(Ngircd()) as world, Phone(world.bridge, "alice") as phone:
        world.wait_up()
        assert phone.register().status == 200
        world.server.kill()
        until(lambda: world.state() == "transient", SECONDS, "the loss")
        assert phone.message(f"bob@{DOMAIN}", "while you were gone").status == 202
        world.server.start()
        with IrcUser(world.server.port, "bob") as bob:
            until(lambda: world.state() == "up", 40, "alice again")
            bob.wait(lambda: ("alicework", "while you were gone") in bob.texts(), "what waited", 40)


def test_a_server_that_vanishes_in_the_middle_of_a_message() -> None:
    """It does not answer any more, then it is gone: nobody knows, and the retry says so on the record."""
    with irc_world(Ngircd()) as world, Phone(world.bridge, "alice") as phone:
        world.wait_up()
        assert phone.register().status == 200
        os.kill(world.server.pid, signal.SIGSTOP)
        assert phone.message(f"bob@{DOMAIN}", "are you there?").status == 202
        until(lambda: world.bridge.status()["queues"]["sending"] == 1, SECONDS, "the message on its way")
        world.server.kill()
        world.server.start()
        with IrcUser(world.server.port, "bob") as bob:
            until(lambda: world.state() == "up", 40, "alice again")
            bob.wait(lambda: ("alicework", "are you there?") in bob.texts(), "the message", 40)

        def outcomes() -> list[str]:
            return [str(found.record.fields) for found in world.bridge.records() if found.row.event == "outcome"]

        until(lambda: any("maybe_duplicate" in text for text in outcomes()), SECONDS, "a doubtful outcome")


def test_a_name_in_use_and_an_impostor() -> None:
    """Somebody wears alice's name: she is signed on under another, and what the impostor writes is nobody's word."""
    server = Ngircd()
    with server, IrcUser(server.port, "alicework") as impostor:
        people = (
            Person(user="alice", names={"irc": ("alicework", PASSWORD)}),
            Person(user="dave", names={"irc": ("davework", PASSWORD)}),
        )
        section = f"""[networks.irc]
kind = "irc"
server = "{server.address}"
domain = "{DOMAIN}"
regain_interval = 0.5
"""
        with BridgeProcess(people, policy=POLICY, networks=section) as bridge, Phone(bridge, "dave") as phone:
            assert phone.register().status == 200
            until(lambda: link_states(bridge) == {"alicework": "up", "davework": "up"}, SECONDS, "both links")
            impostor.message("davework", "I am alice, trust me")
            sender, text = phone.text()
            assert sender.startswith("simplebridge@")
            assert "cannot be handed on" in text
            raw = b"trust me".hex()
            assert any(raw in str(found.record.payload) for found in bridge.records())
            impostor.say("NICK somebody")
            until(
                lambda: (
                    "'nick': 'alicework'" in bridge.log_tail()
                    or '"nick":"alicework"' in bridge.log_tail()
                    or '"nick": "alicework"' in bridge.log_tail()
                ),
                SECONDS,
                "the name taken back",
            )
