"""The session, by hand: sign-on, rooms, sends, pushes, limits, and a homeserver that fails."""

from __future__ import annotations

from typing import Any

import pytest

from bridge.model.body import Stage as Reached
from bridge.model.capabilities import LINK_DOWN
from bridge.model.capabilities import LinkState as Link
from tests.unit.matrix.kit import ALICE, BOB, CAROL, CONFIG, ROOM, Stage, event, member, text
from transports.matrix.machine.pushes import PREFIX
from transports.matrix.wire import native as wire

HELLO = wire.MessageSend(account=ALICE, to=BOB, txn_id="t-hello", body="hello")


def states(stage: Stage) -> list[Link]:
    return [one.state for one in stage.events if isinstance(one, wire.LinkState)]


def told(stage: Stage, kind: type[Any]) -> list[Any]:
    return [one for one in stage.events if isinstance(one, kind)]


# Sign-on


def test_a_ghost_is_made_and_signed_on() -> None:
    stage = Stage().up()
    assert states(stage) == [Link.CONNECTING, Link.UP]
    assert [call.request.body for call in stage.asked("/register")] == [
        {"type": "m.login.application_service", "username": "_sip_alice", "inhibit_login": True}
    ]
    assert len(stage.asked("/appservice/simplebridge-matrix/ping")) == 1


def test_a_name_outside_of_the_namespace_fails_and_nobody_is_asked() -> None:
    stage = Stage().up("@mallory:hs.example")
    assert states(stage)[-1] is Link.AUTH_FAILED
    assert not stage.asked("/register")


@pytest.mark.parametrize("code", ["M_EXCLUSIVE", "M_INVALID_USERNAME"])
def test_a_name_that_the_homeserver_refuses(code: str) -> None:
    stage = Stage()
    stage.rule("POST", "/register", (400, {"errcode": code, "error": "no"}))
    stage.up()
    assert states(stage)[-1] is Link.AUTH_FAILED
    stage.later(3600)
    assert len(stage.asked("/register")) == 1


def test_a_token_that_is_refused_is_tried_again() -> None:
    stage = Stage()
    stage.rule("GET", "/account/whoami", (401, {"errcode": "M_UNKNOWN_TOKEN"}))
    stage.up()
    assert states(stage) == [Link.AUTH_FAILED]
    stage.send(HELLO, "k")
    assert stage.results["k"].failure.reason == LINK_DOWN
    stage.rule("GET", "/account/whoami", (200, {"user_id": "@simplebridge:hs.example"}))
    stage.later(CONFIG.refused_wait + 1)
    assert states(stage)[-1] is Link.UP


def test_a_homeserver_that_is_away_comes_back() -> None:
    stage = Stage()
    stage.rule("GET", "/account/whoami", None)
    stage.session.start(stage.now)
    stage.session.sign_on(ALICE, stage.now)
    stage.run()
    for _ in range(2):  # the first try is made again at once: it may have been an old connection
        stage.session.failed(stage.calls[-1].id, "refused", stage.now, sent=False)
        stage.run()
    assert states(stage) == [Link.TRANSIENT]
    stage.rule("GET", "/account/whoami", (200, {}))
    stage.later(CONFIG.backoff_cap)
    assert states(stage)[-1] is Link.UP


def test_many_sign_on_in_turns() -> None:
    names = [f"@_sip_p{number}:hs.example" for number in range(100)]
    stage = Stage().up(*names)
    begun = len(stage.asked("/register"))
    assert begun <= CONFIG.sign_ons_per_second * 2
    stage.later(1.0)
    assert begun < len(stage.asked("/register")) <= begun + CONFIG.sign_ons_per_second + 1
    stage.later(20.0)
    assert states(stage).count(Link.UP) == 100


# Sending


def test_a_room_is_made_once_and_used_again() -> None:
    stage = Stage().up()
    stage.send(HELLO, "1")
    stage.send(wire.MessageSend(account=ALICE, to=BOB, txn_id="t2", body="again", display_name="Alice"), "2")
    assert [stage.results[key].stage for key in ("1", "2")] == [Reached.RELAYED, Reached.RELAYED]
    assert stage.results["1"].remote_id is not None
    created = stage.asked("/createRoom")
    assert [call.request.body for call in created] == [
        {"preset": "trusted_private_chat", "is_direct": True, "invite": [BOB]}
    ]
    direct = [call for call in stage.asked("m.direct") if call.request.method == "PUT"]
    assert direct[-1].request.body == {BOB: [ROOM]}
    assert len(stage.asked("/displayname")) == 1


def test_few_rooms_are_made_at_a_time_and_what_has_a_room_does_not_wait_for_them() -> None:
    """A hundred at once, and Synapse answers ten of them in time."""
    stage = Stage().up()
    stage.send(HELLO, "known")
    stage.calls.clear()
    stage.rule("POST", "/createRoom", None)
    for number in range(10):
        text = wire.MessageSend(account=ALICE, to=f"@p{number}:hs.example", txn_id=f"n{number}", body="x")
        stage.send(text, f"new{number}")
    first = stage.asked("/createRoom")
    assert len(first) == CONFIG.max_making
    stage.send(wire.MessageSend(account=ALICE, to=BOB, txn_id="t2", body="again"), "again")
    assert stage.results["again"].stage is Reached.RELAYED
    stage.rule("POST", "/createRoom", lambda _: (200, {"room_id": f"!r{len(stage.calls)}:hs.example"}))
    for number, call in enumerate(first):
        stage.session.answered(call.id, 200, b'{"room_id": "!f%d:hs.example"}' % number, None, stage.now)
        stage.run()
    made = [stage.results[f"new{number}"].stage for number in range(10)]
    assert made == [Reached.RELAYED] * 10


def test_rooms_of_before_a_restart_are_asked_about_and_used() -> None:
    stage = Stage()
    stage.rule("GET", "/joined_rooms", (200, {"joined_rooms": [ROOM]}))
    stage.rule("GET", f"/user/{ALICE}/account_data/m.direct", (200, {BOB: [ROOM]}))
    stage.rule("GET", f"/rooms/{ROOM}/state", (200, [member(ALICE, "join", 1), member(BOB, "leave", 2)]))
    stage.up()
    stage.send(HELLO, "1")
    assert not stage.asked("/createRoom")
    assert [call.request.body for call in stage.asked("/invite")] == [{"user_id": BOB}]  # who had left
    assert stage.results["1"].stage is Reached.RELAYED


def test_a_room_that_is_gone_is_replaced_and_the_message_sent_once() -> None:
    stage = Stage().up()
    stage.send(HELLO, "1")
    stage.rule("PUT", f"/rooms/{ROOM}/send", (403, {"errcode": "M_FORBIDDEN", "error": "not in room"}))
    stage.rule("POST", "/createRoom", (200, {"room_id": "!second:hs.example"}))
    stage.send(wire.MessageSend(account=ALICE, to=BOB, txn_id="t2", body="again"), "2")
    assert stage.results["2"].stage is Reached.RELAYED
    assert "!second" in stage.calls[-1].request.path.replace("%21", "!")


def test_a_refusal_is_a_failure_that_says_why() -> None:
    stage = Stage()
    stage.rule("POST", "/createRoom", (403, {"errcode": "M_FORBIDDEN", "error": "Federation denied"}))
    stage.up()
    stage.send(HELLO, "1")
    failure = stage.results["1"].failure
    assert (failure.retryable, failure.certain) == (False, True)
    assert "Federation denied" in failure.reason


@pytest.mark.parametrize(
    ("status", "code", "retryable", "certain"),
    [
        (413, "M_TOO_LARGE", False, True),
        (400, "M_BAD_JSON", False, True),
        (500, "M_UNKNOWN", True, False),
        (404, "M_UNRECOGNIZED", False, True),
        (403, "M_RESOURCE_LIMIT_EXCEEDED", True, True),
    ],
)
def test_error_codes_become_failures(status: int, code: str, retryable: bool, certain: bool) -> None:
    stage = Stage().up()
    stage.rule("PUT", f"/rooms/{ROOM}/send", (status, {"errcode": code, "error": "no"}))
    stage.send(HELLO, "1")
    failure = stage.results["1"].failure
    assert (failure.retryable, failure.certain) == (retryable, certain)


def test_a_limit_is_obeyed_with_the_same_transaction_id() -> None:
    stage = Stage().up()
    stage.rule("PUT", f"/rooms/{ROOM}/send", (429, {"errcode": "M_LIMIT_EXCEEDED", "retry_after_ms": 2500}))
    stage.send(HELLO, "1")
    assert "1" not in stage.results
    stage.later(2.0)
    assert len(stage.asked("/send/")) == 1
    stage.rule("PUT", f"/rooms/{ROOM}/send", (200, {"event_id": "$late"}))
    stage.later(1.0)
    first, second = stage.asked("/send/")
    assert first.request == second.request
    assert stage.results["1"].remote_id == "$late"


def test_a_server_that_vanishes_in_the_middle_of_a_message_leaves_it_in_doubt() -> None:
    stage = Stage().up()
    stage.rule("PUT", f"/rooms/{ROOM}/send", None)
    stage.send(HELLO, "1")
    for _ in range(2):
        stage.session.failed(stage.calls[-1].id, "connection lost", stage.now, sent=True)
        stage.run()
    failure = stage.results["1"].failure
    assert (failure.reason, failure.retryable, failure.certain) == (LINK_DOWN, True, False)
    assert states(stage)[-1] is Link.TRANSIENT
    stage.rule("PUT", f"/rooms/{ROOM}/send", (200, {"event_id": "$once"}))
    stage.later(CONFIG.backoff_cap)
    assert states(stage)[-1] is Link.UP
    stage.send(HELLO, "2")
    assert len({call.request.path for call in stage.asked("/send/")}) == 1


def test_a_room_that_was_made_without_a_word_is_found() -> None:
    stage = Stage().up()
    stage.rule("POST", "/createRoom", None)
    stage.send(HELLO, "1")
    stage.later(CONFIG.join_timeout + 1)
    assert stage.results["1"].failure.retryable
    stage.rule("GET", "/joined_rooms", (200, {"joined_rooms": [ROOM, "!empty:hs.example"]}))
    stage.rule("GET", f"/rooms/{ROOM}/state", (200, [member(ALICE, "join", 1), member(BOB, "invite", 2, ALICE)]))
    stage.rule("GET", "/rooms/!empty:hs.example/state", (200, [member(ALICE, "join", 1)]))
    stage.send(HELLO, "2")
    assert stage.results["2"].stage is Reached.RELAYED
    assert len(stage.asked("/createRoom")) == 1
    assert len(stage.asked("!empty:hs.example/leave")) == 1


def test_typing_and_receipts() -> None:
    stage = Stage().up()
    stage.send(wire.TypingSend(account=ALICE, to=BOB, typing=True), "nobody")
    assert stage.results["nobody"].failure is None
    assert not stage.asked("/typing/")
    stage.send(HELLO, "1")
    stage.send(wire.TypingSend(account=ALICE, to=BOB, typing=True), "t")
    assert stage.asked("/typing/")[0].request.body == {"typing": True, "timeout": 30_000}
    stage.send(wire.ReadSend(account=ALICE, to=BOB, room=ROOM, event_id="$theirs"), "r")
    assert stage.asked("/receipt/m.read/$theirs")
    mine = stage.results["1"].remote_id
    stage.push(ephemeral=({"type": "m.receipt", "room_id": ROOM, "content": {mine: {"m.read": {BOB: {"ts": 5}}}}},))
    assert [(one.event_id, one.sender, one.timestamp) for one in told(stage, wire.ReadReceived)] == [(mine, BOB, 5)]


def test_presence_is_told_again_for_as_long_as_a_room_is_shared() -> None:
    stage = Stage().up()
    own = wire.OwnPresence(account=ALICE, presence="online", status_msg="here")
    stage.send(own, "p")
    stage.send(own, "the same")
    assert len(stage.asked("/presence/")) == 1
    stage.later(60.0)
    assert len(stage.asked("/presence/")) == 1
    stage.send(HELLO, "1")
    stage.later(60.0)
    assert 3 <= len(stage.asked("/presence/")) - 1 <= 4
    stage.push(ephemeral=({"type": "m.presence", "sender": BOB, "content": {"presence": "unavailable"}},))
    assert [(one.account, one.user, one.presence) for one in told(stage, wire.PresenceReceived)] == [
        (ALICE, BOB, "unavailable")
    ]


# Pushes


def with_bob() -> Stage:
    stage = Stage().up()
    stage.send(HELLO, "first")
    stage.events.clear()
    return stage


def test_a_push_is_answered_once_it_is_on_record() -> None:
    stage = with_bob()
    stage.hold = True
    number = stage.push(text("one", 1), text("two", 2), txn="a")
    assert number not in stage.replies
    again = stage.push(text("one", 1), text("two", 2), txn="a")
    assert len(stage.events) == 2  # the same push, still on its way
    for ticket in stage.holding:
        stage.session.recorded(ticket, ok=True)
    stage.run()
    assert [stage.replies[one].status for one in (number, again)] == [200, 200]
    third = stage.push(text("one", 1), text("two", 2), txn="a")
    assert stage.replies[third].status == 200
    assert len(stage.events) == 2


def test_what_could_not_be_recorded_comes_again_and_only_that_is_told_again() -> None:
    stage = with_bob()
    stage.hold = True
    number = stage.push(text("one", 1), text("two", 2), txn="a")
    first, second = stage.holding
    stage.session.recorded(first, ok=True)
    stage.session.recorded(second, ok=False)
    stage.run()
    assert stage.replies[number].status == 503
    stage.hold = False
    again = stage.push(text("one", 1), text("two", 2), txn="a")
    assert stage.replies[again].status == 200
    assert [one.body for one in stage.events if isinstance(one, wire.MessageReceived)] == ["one", "two", "two"]


def test_a_transaction_id_that_is_used_anew_is_no_repetition() -> None:
    """A homeserver whose database was made anew counts from 1 again."""
    stage = with_bob()
    stage.push(text("one", 1), txn="1")
    stage.push(text("other", 2), txn="1")
    assert [one.body for one in told(stage, wire.MessageReceived)] == ["one", "other"]


@pytest.mark.parametrize(
    ("method", "path", "token", "status"),
    [
        ("PUT", "/transactions/1", None, 401),
        ("PUT", "/transactions/1", "", 403),
        ("PUT", "/transactions/1", "hs-secre", 403),
        ("PUT", "/transactions/1", "hs-secret\udcff", 403),
        ("GET", "/transactions/1", "hs-secret", 405),
        ("PUT", "/transactions/", "hs-secret", 404),
        ("GET", "/thirdparty/protocol/x", "hs-secret", 404),
        ("GET", f"/users/{ALICE}", "hs-secret", 200),
        ("GET", "/users/%40_sip_nobody%3Ahs.example", "hs-secret", 404),
        ("GET", "/rooms/%23x%3Ahs.example", "hs-secret", 404),
        ("POST", "/ping", "hs-secret", 200),
    ],
)
def test_questions_and_tokens(method: str, path: str, token: str | None, status: int) -> None:
    stage = Stage().up()
    number = stage.ask(method, PREFIX + path, b"{}", token=token)
    assert stage.replies[number].status == status
    assert path.startswith("/ping") or stage.replies[stage.ask(method, path, b"{}", token=token)].status == status


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"events": 1}', b"[" * 100_000])
def test_a_push_that_is_none(body: bytes) -> None:
    stage = Stage().up()
    assert stage.replies[stage.ask("PUT", f"{PREFIX}/transactions/x", body)].status == 400


def test_pushes_wait_until_the_rooms_are_known() -> None:
    stage = Stage()
    stage.rule("GET", "/joined_rooms", None)
    stage.session.start(stage.now)
    stage.session.sign_on(ALICE, stage.now)
    stage.run()
    number = stage.push(text("early", 1))
    assert number not in stage.replies
    stage.later(CONFIG.push_wait + 1)
    assert stage.replies[number].status == 503


def test_malformed_events_are_told_and_do_not_stop_the_others() -> None:
    stage = with_bob()
    bad: list[Any] = [
        None, 5, {}, {"type": "m.room.message"}, event("m.room.message", {}, 1),
        event("m.room.message", {"msgtype": 5, "body": []}, 2), event("m.reaction", {"m.relates_to": 7}, 3),
        event("m.room.redaction", {}, 4), event("org.example.unheard", {}, 5),
        {**text("x", 6), "content": None}, {**text("x", 7), "sender": "bob"}, {**text("x", 8), "event_id": 9},
    ]  # fmt: skip
    number = stage.push(*bad, text("good", 100), ephemeral=(5, {}, {"type": "m.typing", "room_id": ROOM}))  # type: ignore[arg-type]
    assert stage.replies[number].status == 200
    assert len(told(stage, wire.Unreadable)) == len(bad)
    assert [one.body for one in told(stage, wire.MessageReceived)] == ["good"]


def test_what_we_did_ourselves_is_no_news() -> None:
    stage = with_bob()
    stage.push(text("hello", 1, sender=ALICE), member(ALICE, "join", 2))
    assert not stage.events


# Invitations and rooms of several


def invite(number: int = 50, room: str = ROOM, who: str = ALICE) -> Any:
    return {**member(who, "invite", number, BOB, is_direct=True), "room_id": room}


def test_an_invitation_is_accepted_and_its_push_answered_then() -> None:
    stage = Stage().up()
    stage.rule("GET", f"/rooms/{ROOM}/state", (200, [member(ALICE, "join", 1), member(BOB, "join", 2)]))
    number = stage.push(invite())
    assert number not in stage.replies
    assert told(stage, wire.Invited)[0].direct
    stage.send(wire.Join(account=ALICE, room=ROOM, sender=BOB), "join")
    assert stage.replies[number].status == 200
    stage.push(text("hi", 1))
    assert told(stage, wire.MessageReceived)[0].account == ALICE
    stage.send(HELLO, "1")
    assert not stage.asked("/createRoom")


def test_what_was_written_before_we_joined_is_read() -> None:
    stage = Stage().up()
    both = [member(ALICE, "join", 1), member(BOB, "join", 2)]
    stage.rule("GET", f"/rooms/{ROOM}/state", (200, both))
    recent = [member(ALICE, "join", 9), text("second", 8), text("first", 7), invite(6), text("earlier", 5)]
    stage.rule("GET", f"/rooms/{ROOM}/messages", (200, {"chunk": recent}))
    number = stage.push(invite(6))
    stage.send(wire.Join(account=ALICE, room=ROOM, sender=BOB), "join")
    assert stage.replies[number].status == 200
    assert [one.body for one in told(stage, wire.MessageReceived)] == ["earlier", "first", "second"]
    stage.push(text("second", 8), text("third", 10))
    assert [one.body for one in told(stage, wire.MessageReceived)][-1] == "third"
    assert len(told(stage, wire.MessageReceived)) == 4


def test_a_message_that_comes_before_the_room_was_looked_at_is_told() -> None:
    stage = Stage().up()
    stage.rule("GET", f"/rooms/{ROOM}/state", None)
    stage.push(invite())
    stage.send(wire.Join(account=ALICE, room=ROOM, sender=BOB), "join")
    stage.push(text("quick", 1), text("stranger", 2, sender=CAROL))
    assert [one.body for one in told(stage, wire.MessageReceived)] == ["quick"]


def test_a_join_that_takes_too_long_does_not_keep_the_push() -> None:
    stage = Stage().up()
    stage.rule("POST", f"/rooms/{ROOM}/join", None)
    number = stage.push(invite())
    stage.send(wire.Join(account=ALICE, room=ROOM, sender=BOB), "join")
    stage.later(CONFIG.push_wait + 1)
    assert stage.replies[number].status == 200


def test_a_room_of_several_is_left_with_a_word() -> None:
    stage = Stage().up()
    everybody = [member(ALICE, "join", 1), member(BOB, "join", 2), member(CAROL, "invite", 3, BOB)]
    stage.rule("GET", f"/rooms/{ROOM}/state", (200, everybody))
    number = stage.push(invite())
    stage.send(wire.Join(account=ALICE, room=ROOM, sender=BOB), "join")
    assert stage.replies[number].status == 200
    assert told(stage, wire.RoomLeft)[0].ours
    assert stage.asked("/leave")
    assert stage.asked("/send/m.room.message")[0].request.body["msgtype"] == "m.notice"  # type: ignore[index]


def test_a_third_person_ends_it_and_the_next_message_opens_another_room() -> None:
    stage = with_bob()
    stage.push(member(CAROL, "invite", 9, BOB))
    assert told(stage, wire.RoomLeft)[0].ours
    assert stage.asked("/leave")
    stage.rule("POST", "/createRoom", (200, {"room_id": "!second:hs.example"}))
    stage.send(HELLO, "1")
    assert len(stage.asked("/createRoom")) == 2


def test_an_encrypted_room_is_told_of_once_and_not_written_into() -> None:
    stage = with_bob()
    secret = {"algorithm": "m.megolm.v1.aes-sha2", "ciphertext": "x"}
    stage.push(event("m.room.encrypted", secret, 1), event("m.room.encrypted", secret, 2))
    assert [one.account for one in told(stage, wire.Unreadable)] == [ALICE, ALICE]
    notices = [call for call in stage.asked("/send/") if (call.request.body or {})["msgtype"] == "m.notice"]
    assert len(notices) == 1
    stage.rule("POST", "/createRoom", (200, {"room_id": "!second:hs.example"}))
    stage.send(HELLO, "1")
    assert stage.asked("!second:hs.example/send/")
    assert stage.asked(f"{ROOM}/leave")


def test_being_put_out_is_told() -> None:
    stage = with_bob()
    stage.push(member(ALICE, "ban", 3, BOB, reason="spam"))
    left = told(stage, wire.RoomLeft)
    assert [(one.ours, one.reason) for one in left] == [(False, "has shut you out: spam")]


def test_one_room_for_each_pair() -> None:
    stage = with_bob()
    second = "!second:hs.example"
    both = [{**one, "room_id": second} for one in (member(ALICE, "join", 1), member(BOB, "join", 2))]
    stage.rule("GET", f"/rooms/{second}/state", (200, both))
    stage.push(invite(room=second))
    stage.send(wire.Join(account=ALICE, room=second, sender=BOB), "join")
    assert stage.asked(f"{ROOM}/leave")
    stage.send(HELLO, "1")
    assert stage.asked(f"{second}/send/")


def test_the_end_ends_everything() -> None:
    stage = Stage().up()
    stage.rule("PUT", f"/rooms/{ROOM}/send", None)
    stage.send(HELLO, "1")
    stage.session.stop(stage.now)
    stage.run()
    assert not stage.results["1"].failure.certain
    assert stage.session.next_cancelled() is not None
