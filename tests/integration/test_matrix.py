"""The whole daemon as an application service of a real Synapse, with a person there and a person on SIP."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from bridge.model.body import Message
from tests.integration.wire import Phone
from tests.kit.aim import link_states
from tests.kit.daemon import BridgeProcess, Person, until
from tests.kit.matrix import ALICE, MATRIX_DOMAIN, POLICY, SERVER, MatrixWorld, matrix_world, section, wait_state
from tests.kit.matrix_user import MatrixUser
from tests.kit.ports import free_port
from transports.sip.wire.message import Request

pytestmark = [pytest.mark.peer, pytest.mark.slow]

GHOST = f"@_sip_alice:{SERVER}"
CAROL = Person(user="carol", names={"matrix": (f"@_sip_carol:{SERVER}", "")})
WALL = (
    POLICY
    + """
[lexicons.falcon]
words = ["falcon"]
[[rule]]
id = "secret"
effect = "forbid"
lexicon = ["falcon"]
reason = "that is not to be spoken of"
[[rule]]
id = "stranger"
effect = "forbid"
from = ["contact:matrix/@mallory:hs.example"]
reason = "not with this person"
"""
)


@pytest.fixture(scope="module")
def world() -> Iterator[MatrixWorld]:
    with matrix_world([ALICE, CAROL], policy=WALL) as made:
        yield made


def is_message(request: Request) -> bool:
    return request.method == "MESSAGE"


def text_of(phone: Phone, seconds: float = 20.0) -> str:
    """The next text that is no typing notice."""
    while True:
        request = phone.incoming(is_message, seconds)
        kind = "" if request.content_type is None else request.content_type.media_type
        if kind == "text/plain":
            return request.body.decode()


def open_room(world: MatrixWorld, phone: Phone, bob: MatrixUser) -> str:
    """A room of alice and bob, opened from her side or there already."""
    for room in bob.rooms:
        if bob.members(room).get(GHOST) == "join" and bob.members(room).get(bob.user_id) == "join":
            return room
    assert phone.message(world.sip(bob), "opening").status == 202
    return bob.accept(GHOST)


def test_both_ways_with_every_kind_of_text(world: MatrixWorld) -> None:
    bob = world.bob
    with Phone(world.bridge, "alice", "tcp") as alice:
        assert alice.register().status == 200
        room = open_room(world, alice, bob)
        long = "Grüße 👩‍👩‍👧‍👦 " * 1_200
        for text in ("你好, ¿qué tal? 👩‍👩‍👧", "two\r\nlines", "a < b && c > d"):
            assert alice.message(world.sip(bob), text).status == 202
            bob.wait_text(room, text.replace("\r\n", "\n"), GHOST)
        before = len(bob.texts(room, GHOST))
        assert alice.message(world.sip(bob), long).status == 202
        bob.until(lambda: "".join(bob.texts(room, GHOST)[before:]) == long, "the long text")
        pieces = bob.texts(room, GHOST)[before:]
        assert len(pieces) > 1
        assert not any(piece.startswith("\u200d") or piece.endswith("\u200d") for piece in pieces)
        assert alice.message(world.sip(bob), "<b>bold</b> text", kind="text/html").status == 202
        content = bob.wait_text(room, "bold text")["content"]
        assert content["format"] == "org.matrix.custom.html"
        assert content["formatted_body"] == "<strong>bold</strong> text"
        assert alice.message(world.sip(bob), "/me waves").status == 202
        assert bob.wait_text(room, "waves")["content"]["msgtype"] == "m.emote"
        bob.text(room, "zurück 🎉")
        assert text_of(alice) == "zurück 🎉"
        bob.send(room, {"msgtype": "m.emote", "body": "nods"})
        assert text_of(alice) == "/me nods"
        html = {"format": "org.matrix.custom.html", "formatted_body": "<em>it</em>"}
        bob.send(room, {"msgtype": "m.text", "body": "x", **html})
        assert alice.incoming(is_message, 20.0).body in {b"it", b"<i>it</i>"}
        assert [m for m in bob.members(room).values() if m == "join"] == ["join", "join"]


def test_what_is_about_earlier_messages_is_told_and_on_record(world: MatrixWorld) -> None:
    bob = world.bob
    with Phone(world.bridge, "alice", "tcp") as alice:
        assert alice.register().status == 200
        room = open_room(world, alice, bob)
        event = bob.text(room, "helo")
        assert text_of(alice) == "helo"
        fresh = {"msgtype": "m.text", "body": "hello"}
        relation = {"rel_type": "m.replace", "event_id": event}
        bob.send(room, {**fresh, "body": "* hello", "m.new_content": fresh, "m.relates_to": relation})
        assert text_of(alice) == "[corrected] hello"
        bob.send(room, {"m.relates_to": {"rel_type": "m.annotation", "event_id": event, "key": "👍"}}, "m.reaction")
        assert text_of(alice) == "[reacted with 👍]"
        bob.ask("PUT", f"/rooms/{room}/redact/{event}/r1", {"reason": "typo"})
        assert text_of(alice) == "[took back an earlier message]"
        envelopes = [found.record.envelope for found in world.bridge.records()]
        texts = [envelope.body.text for envelope in envelopes if envelope and isinstance(envelope.body, Message)]
        assert "helo" in texts  # what was taken back is on record all the same


def test_files_and_encryption_are_told_as_what_they_are(world: MatrixWorld) -> None:
    bob = world.bob
    with Phone(world.bridge, "alice", "tcp") as alice:
        assert alice.register().status == 200
        room = open_room(world, alice, bob)
        info = {"mimetype": "image/png", "size": 1234}
        bob.send(room, {"msgtype": "m.image", "body": "cat.png", "url": "mxc://hs.example/abc", "info": info})
        assert text_of(alice) == "[an image: cat.png (image/png, 1234 bytes); files are not carried]"
        bob.until(lambda: any("Files are not carried" in text for text in bob.texts(room, GHOST)), "the notice")
        letters = world.bridge.status()["messages"]["dead_letters"]
        bob.send(room, {"algorithm": "m.megolm.v1.aes-sha2", "ciphertext": "A"}, "m.room.encrypted")
        bob.until(lambda: any("encrypted" in text for text in bob.texts(room, GHOST)), "the notice")
        until(lambda: world.bridge.status()["messages"]["dead_letters"] == letters + 1, 10.0, "the record")
        assert "cannot be handed on" in text_of(alice)
        # What alice writes next goes into another room, which is not encrypted, and the old one is left.
        assert alice.message(world.sip(bob), "in the open").status == 202
        fresh = bob.accept(GHOST)
        bob.wait_text(fresh, "in the open", GHOST)
        assert fresh != room
        until(lambda: bob.members(room).get(GHOST) == "leave", 10.0, "leaving the encrypted room")


def test_typing_presence_and_receipts(world: MatrixWorld) -> None:
    bob = world.bob
    with Phone(world.bridge, "alice", "tcp") as alice:
        assert alice.register().status == 200
        room = open_room(world, alice, bob)
        bob.type(room, on=True)
        assert b"<state>active</state>" in alice.incoming(is_message, 20.0).body
        bob.type(room, on=False)
        assert b"<state>idle</state>" in alice.incoming(is_message, 20.0).body
        composing = (
            '<?xml version="1.0"?><isComposing xmlns="urn:ietf:params:xml:ns:im-iscomposing"><state>active</state>'
            "<contenttype>text/plain</contenttype></isComposing>"
        )
        assert alice.message(world.sip(bob), composing, kind="application/im-iscomposing+xml").status in {200, 202}
        bob.until(lambda: GHOST in bob.typing.get(room, ()), "typing")
        bob.until(lambda: bob.presence.get(GHOST, {}).get("presence") == "online", "alice's presence")
        asked = (
            f"From: <sip:alice@corp.example>\r\nTo: <sip:{world.sip(bob)}>\r\nDateTime: 2026-11-27T12:00:00Z\r\n"
            "NS: imdn <urn:ietf:params:imdn>\r\nimdn.Message-ID: read-1\r\n"
            "imdn.Disposition-Notification: display\r\n\r\nContent-Type: text/plain\r\n\r\nread me"
        )
        assert alice.message(world.sip(bob), asked, kind="message/cpim").status == 202
        event = bob.wait_text(room, "read me", GHOST)
        bob.read(room, event["event_id"])
        receipt = alice.incoming(is_message, 20.0)
        assert b"displayed" in receipt.body
        assert b"read-1" in receipt.body
    bob.until(lambda: bob.presence.get(GHOST, {}).get("presence") == "offline", "alice's absence", 60.0)


def test_presence_is_seen_by_watchers(world: MatrixWorld) -> None:
    bob = world.bob
    with Phone(world.bridge, "alice", "tcp") as alice:
        assert alice.register().status == 200
        open_room(world, alice, bob)
        bob.show("online", "hier bin ich")
        headers = [("Event", "presence"), ("Contact", f"<{alice.contact}>"), ("Expires", "600")]
        assert alice.ask("SUBSCRIBE", f"sip:{world.sip(bob)}", headers).status == 200

        def shows(text: str) -> None:
            alice.incoming(lambda request: request.method == "NOTIFY" and text.encode() in request.body, 30.0)

        shows("hier bin ich")
        bob.show("unavailable", "weg")
        shows("weg")


def test_what_policy_refuses_is_told_in_the_room_and_on_record(world: MatrixWorld) -> None:
    bob = world.bob
    with Phone(world.bridge, "alice", "tcp") as alice:
        assert alice.register().status == 200
        room = open_room(world, alice, bob)
        bob.text(room, "about falcon")
        bob.until(lambda: any("was not delivered" in text for text in bob.texts(room, GHOST)), "the refusal")
        told = next(text for text in bob.texts(room, GHOST) if "was not delivered" in text)
        reference = told.rpartition("Reference: ")[2].rstrip("]")
        assert len(world.bridge.about(reference)) >= 2
    mallory = MatrixUser(world.synapse.url, "mallory").register()
    room = mallory.create(GHOST)
    until(lambda: mallory.members(room).get(GHOST) == "leave", 15.0, "the refusal of the invitation")


def test_invitations(world: MatrixWorld) -> None:
    """Of one person: accepted, without a word to anybody. Of several, and to names that are nobody's: declined."""
    dave = MatrixUser(world.synapse.url, "dave").register()
    erin = MatrixUser(world.synapse.url, "erin").register()
    with Phone(world.bridge, "carol", "tcp") as carol:
        assert carol.register().status == 200
        ghost = f"@_sip_carol:{SERVER}"
        room = dave.create(ghost, direct=False)
        dave.text(room, "hallo Carol")  # at once: she may not have joined yet
        until(lambda: dave.members(room).get(ghost) == "join", 15.0, "carol in the room")
        assert carol.text(20.0)[1] == "hallo Carol"
        assert carol.message(f"%40dave%3A{SERVER}@{MATRIX_DOMAIN}", "hallo Dave").status == 202
        dave.sync(0)
        dave.wait_text(room, "hallo Dave", ghost)
        several = dave.create(ghost, erin.user_id, direct=False, name="Projekt")
        until(lambda: dave.members(several).get(ghost) == "leave", 15.0, "carol out of the room of several")
        assert "cannot be handed on" in carol.text(20.0)[1]
        dave.ask("POST", f"/rooms/{room}/invite", {"user_id": erin.user_id})
        until(lambda: dave.members(room).get(ghost) == "leave", 15.0, "carol out of the room that has become one")
        nobody = dave.create(f"@_sip_nobody:{SERVER}")
        assert dave.members(nobody)[f"@_sip_nobody:{SERVER}"] in {"invite", "leave"}


def test_put_out_of_a_room_the_conversation_goes_on_in_another(world: MatrixWorld) -> None:
    bob = world.bob
    with Phone(world.bridge, "alice", "tcp") as alice:
        assert alice.register().status == 200
        old = open_room(world, alice, bob)
        room = bob.create(GHOST, preset="private_chat", room_version="11")  # in which bob alone has the power
        until(lambda: bob.members(old).get(GHOST) == "leave", 15.0, "alice in the room, and out of the old one")
        assert alice.message(world.sip(bob), "here?").status == 202
        bob.wait_text(room, "here?", GHOST)
        bob.ask("POST", f"/rooms/{room}/kick", {"user_id": GHOST, "reason": "enough"})
        assert "has put you out of the conversation: enough" in text_of(alice)
        assert alice.message(world.sip(bob), "once more").status == 202
        fresh = bob.accept(GHOST)
        bob.wait_text(fresh, "once more", GHOST)
        assert fresh != room


def test_the_bridge_starts_anew_and_the_room_is_the_same(world: MatrixWorld) -> None:
    bob = world.bob
    with Phone(world.bridge, "alice", "tcp") as alice:
        assert alice.register().status == 200
        room = open_room(world, alice, bob)
    world.bridge.kill9()
    bob.text(room, "while you were away")
    world.bridge.start()
    with Phone(world.bridge, "alice", "tcp") as alice:
        assert alice.register().status == 200
        assert text_of(alice, 60.0) == "while you were away"
        assert alice.message(world.sip(bob), "back again").status == 202
        bob.wait_text(room, "back again", GHOST)
        time.sleep(0.5)
        bob.sync(0)
        assert bob.texts(room, GHOST).count("back again") == 1


def test_a_homeserver_that_vanishes_and_comes_back(world: MatrixWorld) -> None:
    bob = world.bob
    with Phone(world.bridge, "alice", "tcp") as alice:
        assert alice.register().status == 200
        room = open_room(world, alice, bob)
        world.synapse.kill()
        assert alice.message(world.sip(bob), "into the void").status == 202
        wait_state(world.bridge, "transient")
        world.synapse.start()
        wait_state(world.bridge, "up", 90.0)
        bob.wait_text(room, "into the void", GHOST)
        assert bob.texts(room, GHOST).count("into the void") == 1
        bob.text(room, "good that you waited")
        while text_of(alice, 60.0) != "good that you waited":
            pass  # the bridge's own word that the message waits


def test_a_token_that_the_homeserver_does_not_know(world: MatrixWorld) -> None:
    """Where the registration is not the homeserver's, every account says so, and messages wait."""
    network = section(world.synapse.url, free_port())
    with BridgeProcess([ALICE], policy=POLICY, networks=network) as other, Phone(other, "alice") as alice:
        until(lambda: link_states(other) == {GHOST: "auth-failed"}, 30.0, "the refusal")
        assert alice.register().status == 200
        assert "refuses the token" in alice.text(20.0)[1]
        assert alice.message(world.sip(world.bob), "to be kept").status == 202
        assert other.status()["queues"]["waiting"] >= 1
