"""XMPP through the whole daemon against Prosody, as a component and as client accounts; slixmpp on the other side."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from xml.etree.ElementTree import Element

import pytest

from bridge.identity.changes import BindName
from bridge.identity.secret import Secret
from tests.integration.wire import Phone
from tests.kit.daemon import BridgeProcess, Person, until
from tests.kit.xmpp_user import XmppUser
from tests.peers.prosody import COMPONENT, DOMAIN, PASSWORD, SECRET, Prosody

pytestmark = pytest.mark.peer

CLIENT = "{jabber:client}"
SIP_DOMAIN = "xmpp.corp.example"
ROMEO = f"romeo@{DOMAIN}"
TO_ROMEO = f"romeo%40{DOMAIN}@{SIP_DOMAIN}"
POLICY = """
[policy]
version = "test"
[[rule]]
id = "inside"
effect = "allow"
from = ["domain:{domain}"]
to = ["domain:{domain}"]
[[rule]]
id = "xmpp"
effect = "allow"
from = ["domain:{domain}"]
to = ["network:xmpp"]
direction = "both"
kinds = ["message", "presence", "typing", "receipt"]
[[rule]]
id = "wall"
effect = "forbid"
lexicon = ["falcon"]
[lexicons.falcon]
words = ["project falcon"]
"""
STRANGE = "Grüße, 世界 👩‍👩‍👧‍👦 <b>&amp; 'quoted' \"so\" \\20"
LONG = "Zeile für Zeile 🙂 " * 2000


def network(prosody: Prosody, mode: str) -> str:
    """The configuration of a mode."""
    if mode == "component":
        secret = prosody.folder / "secret"
        secret.write_text(SECRET, "utf-8")
        lines = f'component = "{COMPONENT}"\nsecret_file = "{secret}"'
        port = prosody.component_port
    else:
        lines, port = f'ca_file = "{prosody.certificate}"', prosody.client_port
    return f"""
[networks.xmpp]
kind = "xmpp"
mode = "{mode}"
server = "127.0.0.1:{port}"
domain = "{SIP_DOMAIN}"
ping_timeout = 2
ping_after = 3
{lines}
"""


def up(bridge: BridgeProcess) -> bool:
    return all(link["state"] == "up" for link in bridge.status()["links"]) and bool(bridge.status()["links"])


@pytest.fixture(scope="module")
def prosody() -> Iterator[Prosody]:
    with Prosody("romeo", "alice", "mercutio") as server:
        yield server


class World:
    """A bridge in a mode, alice on her phone, romeo on the server."""

    def __init__(self, bridge: BridgeProcess, mode: str, phone: Phone, romeo: XmppUser) -> None:
        self.bridge, self.mode, self.phone, self.romeo = bridge, mode, phone, romeo
        self.alice = f"alice@{COMPONENT}" if mode == "component" else f"alice@{DOMAIN}"

    def texts(self, wanted: str, seconds: float = 10.0) -> str:
        """The next texts at alice's phone, joined, until they hold what is wanted."""
        said = ""
        while wanted not in said:
            sender, text = self.phone.text(seconds)
            assert sender == TO_ROMEO or "simplebridge" in sender, sender
            said += text
        return said


@pytest.fixture(scope="module", params=["component", "client"])
def world(prosody: Prosody, request: pytest.FixtureRequest) -> Iterator[World]:
    mode = request.param
    person = Person(user="alice", names={} if mode == "component" else {"xmpp": (f"alice@{DOMAIN}", PASSWORD)})
    with BridgeProcess(people=[person], policy=POLICY, networks=network(prosody, mode)) as bridge:
        if mode == "component":
            name = f"alice@{COMPONENT}"
            bridge.change(BindName(address="alice@corp.example", network="xmpp", name=name))
        until(lambda: up(bridge), 15, "the link")
        with (
            Phone(bridge, "alice") as phone,
            XmppUser(f"{ROMEO}/balcony", PASSWORD, prosody.client_port, prosody.certificate) as romeo,
        ):
            assert phone.register().status == 200
            yield World(bridge, mode, phone, romeo)
        assert '"level":"error"' not in bridge.log.read_text("utf-8")


def has(path: str, **attributes: str) -> Callable[[Element], Any]:
    """Whether a stanza holds an element, and has attributes."""

    def look(stanza: Element) -> bool:
        if any(stanza.get(name.rstrip("_")) != value for name, value in attributes.items()):
            return False
        return not path or stanza.find(path) is not None

    return look


def test_messages_both_ways(world: World) -> None:
    """Non-ASCII, emoji and what XML would trip over, and a text that is longer than one message."""
    assert world.phone.message(TO_ROMEO, STRANGE, kind="text/plain; charset=utf-8").status == 202
    came = world.romeo.message(STRANGE)
    assert (came.get("from") or "").partition("/")[0] == world.alice
    assert came.get("type") == "chat"
    assert came.find("{http://jabber.org/protocol/chatstates}active") is not None
    world.romeo.send(f"<message to='{world.alice}' type='chat' id='m1'><body>{_escape(STRANGE)}</body></message>")
    assert world.texts(STRANGE) == STRANGE
    assert world.phone.message(TO_ROMEO, LONG, kind="text/plain; charset=utf-8").status == 202
    until(lambda: _joined(world.romeo, "Zeile") == LONG, 15, "all of the long text")


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _joined(user: XmppUser, word: str) -> str:
    texts = [stanza.findtext(f"{CLIENT}body") or "" for stanza in list(user.stanzas)]
    return "".join(text for text in texts if word in text)


def test_typing_both_ways(world: World) -> None:
    body = (
        "<?xml version='1.0' encoding='UTF-8'?><isComposing xmlns='urn:ietf:params:xml:ns:im-iscomposing'>"
        "<state>active</state></isComposing>"
    )
    world.phone.message(TO_ROMEO, body, kind="application/im-iscomposing+xml")
    world.romeo.find(has("{http://jabber.org/protocol/chatstates}composing"))
    world.romeo.send(
        f"<message to='{world.alice}' type='chat'><composing xmlns='http://jabber.org/protocol/chatstates'/></message>"
    )
    came = world.phone.incoming(lambda one: b"isComposing" in one.body, 10)
    assert b"active" in came.body


def test_what_policy_refuses_goes_back_with_a_reference(world: World) -> None:
    world.romeo.send(f"<message to='{world.alice}' type='chat' id='f1'><body>project falcon</body></message>")
    back = world.romeo.find(has("", type_="error", id_="f1"))
    assert back.find(f"{CLIENT}error/{{urn:ietf:params:xml:ns:xmpp-stanzas}}policy-violation") is not None
    text = back.findtext(f"{CLIENT}error/{{urn:ietf:params:xml:ns:xmpp-stanzas}}text") or ""
    reference = text.rpartition("Reference: ")[2]
    assert world.bridge.about(reference), text


def test_a_correction_is_told_as_one(world: World) -> None:
    world.romeo.send(f"<message to='{world.alice}' type='chat' id='c1'><body>lunch at noo</body></message>")
    world.texts("lunch at noo")
    world.romeo.send(
        f"<message to='{world.alice}' type='chat' id='c2'><body>lunch at noon</body>"
        "<replace xmlns='urn:xmpp:message-correct:0' id='c1'/></message>"
    )
    assert world.texts("noon") == "[corrected] lunch at noon"


def test_presence_both_ways(world: World) -> None:
    """Romeo asks to see alice and is answered by policy; she watches him, and he agrees."""
    romeo, phone = world.romeo, world.phone
    romeo.send(f"<presence to='{world.alice}' type='subscribe'/>")
    romeo.find(has("", type_="subscribed"), what="the answer to romeo")
    romeo.find(lambda one: one.tag == f"{CLIENT}presence" and (one.get("from") or "").startswith(world.alice + "/"))
    headers = [("Event", "presence"), ("Accept", "application/pidf+xml"), ("Contact", f"<{phone.contact}>"),
               ("Expires", "600")]  # fmt: skip
    assert phone.ask("SUBSCRIBE", f"sip:{TO_ROMEO}", headers).status in {200, 202}
    romeo.find(has("", type_="subscribe"), what="the wish to see romeo")
    romeo.send(f"<presence to='{world.alice}' type='subscribed'/>")
    romeo.send("<presence><show>dnd</show><status>Balkon 🌹</status><priority>5</priority></presence>")
    came = phone.incoming(lambda one: one.method == "NOTIFY" and "Balkon 🌹".encode() in one.body, 15)
    assert b"open" in came.body
    assert b"busy" in came.body
    romeo.send("<presence type='unavailable'/>")
    phone.incoming(lambda one: one.method == "NOTIFY" and b"closed" in one.body, 15)
    romeo.send("<presence/>")


def test_receipts_of_the_other_side(world: World) -> None:
    """XEP-0184 and XEP-0333 become notifications under alice's own name for the message."""
    body = (
        f"From: <sip:alice@corp.example>\r\nTo: <sip:{TO_ROMEO}>\r\nDateTime: 2026-11-27T12:00:00Z\r\n"
        "NS: imdn <urn:ietf:params:imdn>\r\nimdn.Message-ID: alices-name\r\n"
        "imdn.Disposition-Notification: positive-delivery, display\r\n\r\n"
        "Content-Type: text/plain; charset=utf-8\r\n\r\nread me"
    )
    accept = ("Accept", "text/plain, message/cpim, message/imdn+xml")
    headers = [("Contact", f"<{world.phone.contact}>"), accept]
    assert world.phone.ask("REGISTER", "sip:corp.example", headers).status == 200
    assert world.phone.message(TO_ROMEO, body, kind="message/cpim").status == 202
    came = world.romeo.message("read me")
    assert came.find("{urn:xmpp:receipts}request") is not None
    ref = came.get("id")
    back = came.get("from")
    world.romeo.send(f"<message to='{back}' id='r1'><received xmlns='urn:xmpp:receipts' id='{ref}'/></message>")
    told = world.phone.incoming(lambda one: b"alices-name" in one.body, 10)
    assert b"<delivered/>" in told.body
    world.romeo.send(f"<message to='{back}'><displayed xmlns='urn:xmpp:chat-markers:0' id='{ref}'/></message>")
    told = world.phone.incoming(lambda one: b"alices-name" in one.body, 10)
    assert b"<displayed/>" in told.body


def test_to_somebody_who_does_not_exist(world: World) -> None:
    """The server gives the message back; its sender is told."""
    assert world.phone.message(f"nobody%40{DOMAIN}@{SIP_DOMAIN}", "are you there?").status == 202
    while "are you there?" not in world.phone.text(10)[1]:
        pass


def test_the_server_vanishes_and_comes_back(world: World, prosody: Prosody) -> None:
    """Silent, then gone in the middle of a message: what is not confirmed is not lost, and the link comes back."""
    prosody.pause()
    try:
        assert world.phone.message(TO_ROMEO, "into the void").status == 202
        until(lambda: not up(world.bridge), 20, "the loss of the link")
    finally:
        prosody.go_on()
    until(lambda: up(world.bridge), 30, "the link again")
    until(lambda: world.bridge.status()["queues"]["waiting"] == 0, 30, "the outcome")
    world.romeo.message("into the void")
    outcomes = world.bridge.status()["messages"]
    assert outcomes.get("outcome_relayed", 0) > 0


def test_a_wrong_password(prosody: Prosody) -> None:
    person = Person(user="alice", names={"xmpp": (f"mercutio@{DOMAIN}", "wrong")})
    with BridgeProcess(people=[person], policy=POLICY, networks=network(prosody, "client")) as bridge:
        until(lambda: any(one["state"] == "auth-failed" for one in bridge.status()["links"]), 15, "the refusal")
        assert "not-authorized" in bridge.status()["links"][0]["reason"]
        name = BindName(
            address="alice@corp.example", network="xmpp", name=f"mercutio@{DOMAIN}", password=Secret(PASSWORD)
        )
        bridge.change(name)
        until(lambda: up(bridge), 15, "the link with the right password")
