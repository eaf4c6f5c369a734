"""Fuzz: what a homeserver pushes, or what others make it push, in a session that is up and has a room."""

from __future__ import annotations

import orjson

from tests.unit.matrix.kit import ALICE, BOB, ROOM, Stage, event, member, text, transcript
from transports.matrix.machine.pushes import PREFIX
from transports.matrix.wire import native as wire

SEEDS: list[bytes] = [
    *(orjson.dumps(one["body"]) for one in transcript("homeserver") if "/transactions/" in one["path"]),
    orjson.dumps({"events": [text("hello", 1), member(BOB, "join", 2), event("m.room.encrypted", {}, 3)]}),
    orjson.dumps({"events": [], "ephemeral": [{"type": "m.typing", "room_id": ROOM, "content": {"user_ids": [BOB]}}]}),
    orjson.dumps({"events": [{**member(ALICE, "invite", 4, BOB), "room_id": "!new:hs.example"}]}),
]


def one(data: bytes) -> None:
    """Push the bytes, accept whatever invites, and push them again: each push has its answer, and none breaks it."""
    stage = Stage().up()
    stage.send(wire.MessageSend(account=ALICE, to=BOB, txn_id="t", body="hello"), "first")
    for _ in range(2):
        number = stage.ask("PUT", f"{PREFIX}/transactions/x", data)
        for invited in [told for told in stage.events if isinstance(told, wire.Invited)]:
            stage.session.send(wire.Join(account=invited.account, room=invited.room), object(), stage.now)
        stage.run()
        stage.events.clear()
        stage.later(30.0)
        assert number in stage.replies
