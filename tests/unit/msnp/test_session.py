"""The session of one account, against a server played by hand: sign-on, losses, switchboards, lists."""

from __future__ import annotations

import pytest

from bridge.model.body import Stage
from tests.unit.msnp.kit import BOB, CAROL, ME, Play, mime
from transports.msnp.machine.actions import Connect
from transports.msnp.machine.session import Phase
from transports.msnp.wire import native
from transports.msnp.wire.native import Link


def text(said: str, *headers: str) -> bytes:
    return mime("text/plain; charset=UTF-8", said, *headers)


class TestSignOn:
    def test_all_the_way(self) -> None:
        play = Play()
        play.up(f"LST N={BOB} F=Bob C=guid 11 1")
        assert play.state is Link.UP
        assert play.last("USR").args == ("4", "TWN", "S", "t=1")
        (roster,) = play.of(native.Roster)
        assert roster.contacts == (native.Contact(passport=BOB, name="Bob", forward=True, allowed=True, reverse=True),)

    def test_a_list_that_ends_early_counts_as_complete_after_a_while(self) -> None:
        play = Play()
        play.start()
        play.connect()
        play.say("VER 1 MSNP12")
        play.say("CVR 2 1 1 1 u u")
        play.say("USR 3 TWN S ct=1")
        play.ticket()
        play.say(f"USR 4 OK {ME} 1 0")
        play.say("SYN 5 0 0 7 0")
        assert play.count("CHG") == 0
        play.wait(11.0)
        assert play.count("CHG") == 1

    @pytest.mark.parametrize(
        ("lines", "state"),
        [
            (["VER 1 0"], Link.AUTH_FAILED),
            (["VER 1 MSNP18"], Link.AUTH_FAILED),
            (["VER 1 MSNP12", "911 2"], Link.AUTH_FAILED),
            (["VER 1 MSNP12", "928 2"], Link.TRANSIENT),
            (["VER 1 MSNP12", "601 2"], Link.TRANSIENT),
            (["VER 1 MSNP12", "CVR 2 1 1 1 u u", "USR 3 SSO S x y"], Link.TRANSIENT),
            (["VER 1 MSNP12", "OUT SSD"], Link.TRANSIENT),
        ],
    )
    def test_what_a_refusal_means(self, lines: list[str], state: Link) -> None:
        play = Play()
        play.start()
        play.connect()
        for line in lines:
            play.say(line)
        assert play.state is state
        assert (play.session.attempt_at is not None) is (state is Link.TRANSIENT)

    def test_too_many_attempts_are_answered_with_a_long_pause(self) -> None:
        play = Play()
        play.start()
        play.connect()
        play.say("800 1")
        assert (play.of(native.LinkState)[-1].retry_in or 0.0) >= 900.0

    def test_a_wrong_password_is_for_people(self) -> None:
        play = Play()
        play.start()
        play.connect()
        play.say("VER 1 MSNP12")
        play.say("CVR 2 1 1 1 u u")
        play.say("USR 3 TWN S ct=1")
        play.answer(status=401, headers={"www-authenticate": "Passport1.4 da-status=failed"})
        assert play.state is Link.AUTH_FAILED
        play.wait(10_000.0)
        assert sum(isinstance(action, Connect) for action in play.actions) == 1

    @pytest.mark.parametrize("where", ["http://login.test/x", "ftp://login.test/x", "http://10.0.0.1/"])
    def test_a_password_is_not_told_to_a_server_in_the_clear(self, where: str) -> None:
        play = Play()
        play.start()
        play.connect()
        play.say("VER 1 MSNP12")
        play.say("CVR 2 1 1 1 u u")
        play.say("USR 3 TWN S ct=1")
        play.answer(status=302, headers={"location": where})
        assert len(play.fetches) == 1
        assert play.state is Link.TRANSIENT

    def test_sent_on_to_another_server_and_not_without_end(self) -> None:
        play = Play(max_redirects=2)
        play.start()
        for number in (1, 2):
            on = play.connect()
            play.say("VER 1 MSNP12", on=on)
            play.say(f"XFR 2 NS ns{number}.test:1863 0 x", on=on)
            assert play.closed(on)
        on = play.connect()
        assert Connect(conn_id=on, host="ns2.test", port=1863) in play.actions
        play.say("XFR 2 NS ns3.test:1863 0 x", on=on)
        assert play.state is Link.TRANSIENT

    def test_silence_ends_it_and_it_comes_back(self) -> None:
        play = Play()
        play.up()
        play.wait(46.0)
        assert play.count("PNG") == 1
        play.say("QNG 50")
        play.wait(46.0)
        assert play.state is Link.UP
        play.wait(31.0)
        assert Link.TRANSIENT in [event.state for event in play.of(native.LinkState)]
        play.wait(5.0)
        assert play.session.phase is Phase.SIGNING_ON

    def test_a_name_that_is_taken_is_left_in_peace(self) -> None:
        play = Play()
        play.up()
        play.say("OUT OTH")
        told = play.of(native.LinkState)[-1]
        assert told.state is Link.SIGNED_ON_ELSEWHERE
        assert (told.retry_in or 0.0) >= 300.0

    def test_a_challenge_is_answered(self) -> None:
        play = Play()
        play.up()
        play.say("CHL 0 22940274951814684551")
        assert play.last("QRY").args[1] == "PROD0090YUAUV{2B"
        assert play.last("QRY").payload == b"ffeb4c3cf93db6a4b708b246baade0d9"


class TestSending:
    def test_a_conversation_is_opened_and_used_again(self) -> None:
        play = Play()
        play.up()
        play.send("one", 1)
        play.send("two", 2)
        assert play.count("XFR") == 1
        on = play.board()
        first, second = [line for _, line in play.said if line.name == "MSG"]
        assert (first.payload or b"").endswith(b"one")
        assert (second.payload or b"").endswith(b"two")
        play.say(f"ACK {first.trid}", on=on)
        play.say(f"NAK {second.trid}", on=on)
        assert (play.results[1].stage, play.results[2].stage) == (Stage.RELAYED, Stage.FAILED)
        play.send("three", 3)
        assert play.count("XFR") == 1
        play.say(f"ACK {play.last('MSG').trid}", on=on)
        play.wait(241.0)
        assert play.count("OUT") == 1
        assert play.closed(on)

    def test_no_answer_is_unknown_and_a_late_one_is_told(self) -> None:
        play = Play()
        play.up()
        play.send("hm")
        on = play.board()
        trid = play.last("MSG").trid
        play.wait(31.0)
        failure = play.results["k"].failure
        assert play.results["k"].stage is Stage.UNKNOWN
        assert failure is not None
        assert (failure.certain, failure.retryable) == (False, False)
        play.say(f"ACK {trid}", on=on)
        assert [event.to for event in play.of(native.ImAck)] == [BOB]

    def test_a_lost_switchboard_leaves_what_was_sent_unknown_and_moves_what_waits(self) -> None:
        play = Play(messages_burst=1)
        play.up()
        play.send("sent", 1)
        play.send("waits", 2)
        on = play.board()
        play.session.connection_lost(on, play.now, "gone")
        play.take()
        assert play.results[1].stage is Stage.UNKNOWN
        assert 2 not in play.results
        assert play.count("XFR") == 2
        play.wait(1.0)
        on = play.board()
        play.wait(0.5)
        play.say(f"ACK {play.last('MSG').trid}", on=on)
        assert play.results[2].stage is Stage.RELAYED

    def test_who_is_not_there(self) -> None:
        play = Play()
        play.up()
        play.send("hello")
        play.say(f"XFR {play.last('XFR').trid} SB sb.test:1864 CKI key")
        on = play.connect()
        play.say(f"USR 1 OK {ME} A", on=on)
        play.say("217 2", on=on)
        failure = play.results["k"].failure
        assert failure is not None
        assert (failure.reason, failure.certain, failure.retryable) == ("offline", True, True)
        assert play.closed(on)

    def test_a_call_that_nobody_answers_ends(self) -> None:
        play = Play()
        play.up()
        play.send("hello")
        play.wait(41.0)
        assert play.results["k"].stage is Stage.FAILED
        assert len(play.session.boards) == 0

    def test_appearing_offline_nobody_is_written_to(self) -> None:
        play = Play()
        play.up()
        play.send("hello")
        play.say(f"913 {play.last('XFR').trid}")
        assert (play.results["k"].failure or pytest.fail("no failure")).reason.startswith("913")

    def test_a_long_text_goes_in_chunks_to_who_can_read_them(self) -> None:
        play = Play()
        play.up()
        play.send("é" * 3000)
        on = play.board(capabilities=32)
        pieces = [line for _, line in play.said if line.name == "MSG"]
        assert len(pieces) == 4
        assert all(len(line.payload or b"") <= 1664 for line in pieces)
        for line in pieces[:-1]:
            play.say(f"ACK {line.trid}", on=on)
        assert "k" not in play.results
        play.say(f"ACK {pieces[-1].trid}", on=on)
        assert play.results["k"].stage is Stage.RELAYED
        play.send("é" * 3000, "other", CAROL)
        play.board(CAROL, capabilities=0)
        assert play.results["other"].stage is Stage.FAILED

    def test_everything_ends_with_the_session(self) -> None:
        play = Play()
        play.up()
        play.send("sent", 1)
        play.board()
        play.send("waits", 2, CAROL)
        play.session.stop(play.now)
        play.take()
        assert play.results[1].stage is Stage.UNKNOWN
        assert (play.results[2].failure or pytest.fail("no failure")).reason == "link-down"
        assert play.session.next_deadline() is None
        play.send("after", 3)
        assert (play.results[3].failure or pytest.fail("no failure")).reason == "link-down"

    def test_asking_for_conversations_is_paced(self) -> None:
        play = Play()
        play.up()
        for number in range(12):
            play.send("hi", number, f"user{number}@x.test")
        assert play.count("XFR") == 8
        play.wait(2.1)
        assert play.count("XFR") == 9


class TestReceiving:
    def test_somebody_calls_and_writes(self) -> None:
        play = Play()
        play.up()
        on = play.ring()
        play.say(f"MSG {BOB} Bob%20B", text("hi é", "X-MMS-IM-Format: FN=Arial; EF=B; CO=ff; CS=0"), on=on)
        (message,) = play.of(native.ImReceived)
        assert (message.text, message.name) == ("hi é", "Bob B")
        assert message.look is not None
        assert (message.look.effects, message.look.colour) == (frozenset("B"), "ff0000")
        play.send("answer")
        assert play.count("XFR") == 0, "the open conversation is used"

    def test_their_call_takes_what_waits_for_ours(self) -> None:
        play = Play()
        play.up()
        play.send("waits")
        on = play.ring()
        play.say(f"ACK {play.last('MSG').trid}", on=on)
        assert play.results["k"].stage is Stage.RELAYED

    def test_typing_ends_by_itself(self) -> None:
        play = Play()
        play.up()
        on = play.ring()
        payload = mime("text/x-msmsgscontrol", "\r\n", f"TypingUser: {BOB}")
        play.say(f"MSG {BOB} Bob", payload, on=on)
        play.wait(5.0)
        play.say(f"MSG {BOB} Bob", payload, on=on)
        play.wait(5.0)
        assert [event.typing for event in play.of(native.TypingReceived)] == [True]
        play.wait(4.0)
        assert [event.typing for event in play.of(native.TypingReceived)] == [True, False]

    def test_ours_is_said_again_for_as_long_as_it_is_true(self) -> None:
        play = Play()
        play.up()
        play.ring()
        play.session.send(native.TypingSend(account=ME, to=BOB, typing=True), "t", play.now)
        play.wait(9.0)
        assert play.count("MSG") == 3
        play.session.send(native.TypingSend(account=ME, to=BOB, typing=False), "u", play.now)
        play.wait(20.0)
        assert play.count("MSG") == 3

    @pytest.mark.parametrize("way", ["joined", "invited"])
    def test_a_conversation_of_several_is_left_and_told(self, way: str) -> None:
        play = Play()
        play.up()
        if way == "invited":
            on = play.ring(BOB, CAROL)
        else:
            on = play.ring()
            play.say(f"JOI {CAROL} Carol 0", on=on)
        (left,) = play.of(native.RoomDeclined)
        assert (left.room, left.by, left.members) == ("55", BOB, (BOB, CAROL))
        assert play.closed(on)
        play.send("for bob alone")
        assert play.count("XFR") == 1

    def test_what_is_not_understood_is_told_as_it_came(self) -> None:
        play = Play()
        play.up()
        on = play.ring()
        for payload in (mime("application/x-unheard", "?"), text("x", "Message-ID: 1", "Chunk: 5")):
            play.say(f"MSG {BOB} Bob", payload, on=on)
        assert [event.sender for event in play.of(native.ImUnreadable)] == [BOB, BOB]

    def test_chunks_without_an_end_are_told_when_they_leave(self) -> None:
        play = Play()
        play.up()
        on = play.ring()
        play.say(f"MSG {BOB} Bob", text("half", "Message-ID: 1", "Chunks: 2"), on=on)
        play.say(f"BYE {BOB}", on=on)
        (lost,) = play.of(native.ImUnreadable)
        assert lost.raw.endswith(b"half")

    def test_files_are_declined_and_nudges_told(self) -> None:
        play = Play()
        play.up()
        on = play.ring()
        body = "Application-Name: File Transfer\r\nInvitation-Command: INVITE\r\nInvitation-Cookie: 7\r\n"
        play.say(f"MSG {BOB} Bob", mime("text/x-msmsgsinvite", body), on=on)
        assert b"Cancel-Code: REJECT" in (play.last("MSG").payload or b"")
        play.say(f"MSG {BOB} Bob", mime("text/x-msnmsgr-datacast", "ID: 1\r\n"), on=on)
        assert len(play.of(native.InvitationDeclined)) == 1
        assert [event.what for event in play.of(native.Nudged)] == ["nudge"]

    def test_calls_are_bounded(self) -> None:
        play = Play(max_boards=3)
        play.up()
        for number in range(10):
            play.say(f"RNG {number} sb.test:1864 CKI key user{number}@x.test U")
        assert len(play.session.boards) == 3
        assert play.session.boards.dropped_rings == 7


class TestLists:
    def test_who_has_us_is_told_once_and_answered(self) -> None:
        play = Play()
        play.up(f"LST N={BOB} F=Bob 8 1")
        assert [event.sender for event in play.of(native.AddedUs)] == [BOB]
        play.session.send(native.Allow(account=ME, passport=BOB, allowed=False), "no", play.now)
        play.take()
        assert play.last("ADC").args[1:] == ("BL", f"N={BOB}")
        play.say(f"ADC {play.last('ADC').trid} BL N={BOB}")
        assert play.results["no"].stage is Stage.RELAYED
        play.session.send(native.Allow(account=ME, passport=BOB, allowed=True), "yes", play.now)
        play.take()
        assert play.last("REM").args[1:] == ("BL", BOB)
        play.say(f"REM {play.last('REM').trid} BL {BOB}")
        play.say(f"ADC {play.last('ADC').trid} AL N={BOB}")
        assert play.results["yes"].stage is Stage.RELAYED
        assert len(play.of(native.AddedUs)) == 1

    def test_edits_are_refused_or_never_answered(self) -> None:
        play = Play()
        play.up()
        play.session.send(native.ContactAdd(account=ME, passport=BOB), 1, play.now)
        play.session.send(native.ContactAdd(account=ME, passport=CAROL), 2, play.now)
        play.take()
        play.say(f"208 {play.last('ADC').trid}")
        assert play.results[1].stage is Stage.FAILED
        assert [event.code for event in play.of(native.RosterEditFailed)] == [208]
        play.wait(31.0)
        assert play.results[2].stage is Stage.UNKNOWN

    def test_presence_is_told_once_and_ends_with_the_link(self) -> None:
        play = Play()
        play.up(f"LST N={BOB} F=Bob C=guid 3 1")
        play.say(f"ILN 6 BSY {BOB} Bob 32")
        play.say(f"NLN BSY {BOB} Bob 32")
        play.say(f"UBX {BOB}", b"<Data><PSM>words</PSM></Data>")
        assert [(event.status, event.message) for event in play.of(native.ContactPresence)] == [
            ("BSY", ""),
            ("BSY", "words"),
        ]
        play.session.connection_lost(1, play.now)
        play.take()
        assert play.of(native.ContactPresence)[-1].status == "FLN"

    def test_our_changes_are_paced_and_the_last_counts(self) -> None:
        play = Play()
        play.up()
        for number, status in enumerate(("BSY", "AWY", "PHN")):
            play.session.send(native.OwnPresence(account=ME, status=status), number, play.now)
        play.take()
        play.wait(2.0)
        shown = [line.args[1] for _, line in play.said if line.name == "CHG"]
        assert shown[0] == "NLN"
        assert shown[-1] == "PHN"
        assert len(shown) <= 3
