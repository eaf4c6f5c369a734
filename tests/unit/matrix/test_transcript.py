"""What a real Synapse has said, read; and what we say, as a real Synapse has taken it."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

import orjson
import pytest

from tests.unit.matrix.kit import ALICE, BOB, CONFIG, Stage, transcript
from transports.matrix.wire import native as wire
from transports.matrix.wire import requests
from transports.matrix.wire.answers import Refusal, direct_in, event_id_in, presence_in, read_answer, rooms_in, state_in
from transports.matrix.wire.events import decode_transaction, read_event

PUSHES = [one for one in transcript("homeserver") if "/transactions/" in one["path"]]
ASKED = transcript("service")
ROOM = next(one["answer"]["room_id"] for one in ASKED if one["path"].endswith("/createRoom"))


def test_every_push_is_read() -> None:
    kinds: set[str] = set()
    for push in PUSHES:
        transaction = decode_transaction(orjson.dumps(push["body"]))
        kinds |= {read_event(raw).type for raw in transaction.events}
        kinds |= {str(raw["type"]) for raw in transaction.ephemeral if isinstance(raw, dict)}
    assert {
        "m.room.message", "m.room.member", "m.room.redaction", "m.reaction", "m.room.encrypted", "m.room.encryption",
        "m.typing", "m.receipt", "m.presence",
    } <= kinds  # fmt: skip


def test_our_requests_are_those_that_were_taken() -> None:
    """Method, path, query and body are what the transcript holds."""
    made = [
        requests.whoami(),
        requests.ping("simplebridge-matrix", "p1"),
        requests.register("_sip_alice"),
        requests.joined_rooms(ALICE),
        requests.direct_rooms(ALICE),
        requests.set_direct_rooms(ALICE, {BOB: [ROOM]}),
        requests.display_name(ALICE, "Alice Ämter"),
        requests.show(wire.OwnPresence(account=ALICE, presence="online", status_msg="at my desk")),
        requests.show(wire.OwnPresence(account=ALICE, presence="offline")),
        requests.create_direct(ALICE, BOB),
        requests.state(ALICE, ROOM),
        requests.typing(ALICE, ROOM, 30_000),
        requests.presence_of(ALICE, BOB),
        requests.message(wire.MessageSend(account=ALICE, to=BOB, txn_id="t2", body="bold", html="<b>bold</b>"), ROOM),
    ]
    for request in made:
        query = {"user_id": request.user} if request.user else {}
        found = [
            one
            for one in ASKED
            if (one["method"], one["path"], one["query"], one["body"])
            == (request.method, request.path, query, request.body)
        ]
        assert found, request
        assert found[0]["status"] in {200, 400, 404}


def answer_to(path: str, number: int = 0) -> Any:
    found = [one for one in ASKED if path in unquote(one["path"])][number]
    return read_answer(found["status"], orjson.dumps(found["answer"]), None)


def test_its_answers_are_read() -> None:
    assert isinstance(answer_to("/register", 1), Refusal)
    assert answer_to("/register", 1).errcode == "M_USER_IN_USE"
    assert answer_to("/register", 2).errcode == "M_EXCLUSIVE"
    assert answer_to("/whoami", 1).token_unknown
    assert direct_in(answer_to("m.direct", 2)) == {BOB: [ROOM]}
    state = state_in(answer_to("/state"))
    assert state.members == {ALICE: "join", BOB: "invite"}
    assert not state.encrypted
    assert event_id_in(answer_to("/send/")) == event_id_in(answer_to("/send/", 1))  # the same transaction id
    seen = presence_in(answer_to(f"/presence/{BOB}"))
    assert seen is not None
    assert (seen.presence, seen.status_msg) == ("online", "hier")
    assert len(rooms_in(answer_to("/joined_rooms", 2))) == 4


@pytest.fixture(scope="module")
def played() -> Stage:
    """A session that was in the place of the recorded service: it has the room, and is told all that was pushed."""
    stage = Stage(config=CONFIG)
    stage.rule("GET", "/joined_rooms", (200, {"joined_rooms": [ROOM]}))
    stage.rule("GET", f"/user/{ALICE}/account_data/m.direct", (200, {BOB: [ROOM]}))
    stage.up(ALICE)
    stage.events.clear()
    for number, push in enumerate(PUSHES):
        held = push["body"]
        reply = stage.push(*held["events"], ephemeral=tuple(held["ephemeral"]), txn=push["path"].rpartition("/")[2])
        if stage.replies.get(reply) is None:
            for invited in [one for one in stage.events if isinstance(one, wire.Invited)]:
                stage.send(wire.Leave(account=invited.account, room=invited.room), f"leave {number} {invited.room}")
        assert stage.replies[reply].status == 200
    return stage


def test_the_conversation_is_told(played: Stage) -> None:
    said = [one for one in played.events if isinstance(one, wire.MessageReceived)]
    assert [one.body for one in said][:2] == ["hello 你好", "hello fixed"]
    assert said[1].replaces == said[0].event_id
    assert {one.msgtype for one in said} == {"m.text", "m.emote", "m.notice", "m.image"}
    picture = next(one for one in said if one.media is not None)
    assert picture.media == wire.Media(url="mxc://hs.example/abc", name="", media_type="image/png", size=1234)
    reply = said[-1]
    assert reply.reply_to
    assert reply.html is not None
    assert {(one.account, one.sender) for one in said} == {(ALICE, BOB)}


def test_all_else_is_told_too(played: Stage) -> None:
    kinds = [type(one).__name__ for one in played.events]
    assert kinds.count("TypingReceived") == 2
    assert "RedactionReceived" in kinds
    assert "ReactionReceived" in kinds
    unreadable = [one.kind for one in played.events if isinstance(one, wire.Unreadable) and one.account]
    assert unreadable == ["m.room.encrypted"]
    left = [one for one in played.events if isinstance(one, wire.RoomLeft)]
    assert [one.reason for one in left] == ["others were asked into the conversation"]
    invited = [one for one in played.events if isinstance(one, wire.Invited)]
    assert [(one.account, one.direct) for one in invited][:2] == [(ALICE, True), (ALICE, False)]
