"""Messages and the server's word on them, contacts, typing, who is who, channels."""

from __future__ import annotations

from typing import Any

import pytest

from bridge.model.body import Stage
from tests.unit.irc.kit import FULL, Talk
from transports.irc.wire import native
from transports.irc.wire.native import Kind


def label(line: str) -> str:
    """The label of a line that was sent."""
    return line.partition("label=")[2].partition(" ")[0]


def test_word_by_echo_and_label() -> None:
    talk = Talk().up(caps=FULL)
    (line,) = talk.send("hi")
    assert line.endswith(" PRIVMSG bob :hi")
    talk.say(f"@label={label(line)};msgid=m1 :alice!a@h PRIVMSG bob :hi")
    result = talk.results["k"]
    assert (result.stage, result.remote_id, result.aliases) == (Stage.RELAYED, "m1", (label(line),))


def test_word_in_a_batch_with_an_away_text() -> None:
    talk = Talk().up(caps=FULL)
    (line,) = talk.send("hi")
    talk.say(
        f"@label={label(line)} :irc.test BATCH +1 :labeled-response",
        "@batch=1 :irc.test 301 alice bob :lunch",
        "@batch=1;msgid=m2 :alice!a@h PRIVMSG bob :hi",
        ":irc.test BATCH :-1",
    )
    assert talk.results["k"].stage is Stage.RELAYED
    assert talk.of(native.AwayReply) == [native.AwayReply(account="alice", nick="bob", text="lunch")]


def test_a_label_without_anything_to_say() -> None:
    talk = Talk().up(caps="CAP * LS :message-tags batch labeled-response")
    (line,) = talk.send("hi")
    talk.say(f"@label={label(line)} :irc.test ACK")
    assert talk.results["k"].stage is Stage.RELAYED


@pytest.mark.parametrize(
    ("code", "retryable"), [("401", False), ("477", False), ("531", False), ("439", True), ("716", False)]
)
@pytest.mark.parametrize("caps", [FULL, "CAP * LS :"])
def test_a_no_is_certain(caps: str, code: str, retryable: bool) -> None:
    talk = Talk().up(caps=caps)
    line = talk.send("hi")[0]
    tag = f"@label={label(line)} " if "label" in line else ""
    talk.say(f"{tag}:irc.test {code} alice bob :no")
    failure = talk.results["k"].failure
    assert failure is not None
    assert (failure.retryable, failure.certain) == (retryable, True)
    assert code in failure.reason


def test_without_echo_a_ping_is_behind_the_message() -> None:
    talk = Talk().up()
    first = talk.send("one", key=1)
    assert first[0] == "PRIVMSG bob :one"
    assert first[1].startswith("PING ")
    assert talk.send("two", "carol", key=2) == ["PRIVMSG carol :two"], "one PING at a time"
    talk.say(":irc.test 401 alice carol :no such nick")
    assert talk.results[2].stage is Stage.FAILED
    (again,) = [*talk.send("three", key=3)][:1]
    assert again == "PRIVMSG bob :three"
    sent = talk.say(f":irc.test PONG irc.test :{first[1][5:]}")
    assert talk.results[1].stage is Stage.RELAYED
    assert 3 not in talk.results
    talk.say(f":irc.test PONG irc.test :{sent[-1][5:]}")
    assert talk.results[3].stage is Stage.RELAYED


def test_an_echo_that_the_server_has_changed() -> None:
    talk = Talk().up(caps="CAP * LS :echo-message")
    talk.send("a long text", key=1)
    talk.send("another", key=2)
    talk.say(":alice!a@h PRIVMSG bob :another")
    assert set(talk.results) == {2}
    talk.say(":alice!a@h PRIVMSG bob :a long te")
    assert set(talk.results) == {1, 2}


def test_no_word_and_a_loss_are_unknown() -> None:
    talk = Talk(ack_timeout=30.0).up(caps=FULL)
    (line,) = talk.send("one", key=1)
    talk.wait(30.0)
    first = talk.results[1].failure
    assert first is not None
    assert (talk.results[1].stage, first.certain, first.retryable) == (Stage.UNKNOWN, False, False)
    talk.say(":alice!a@h PRIVMSG bob :one")
    assert talk.of(native.MessageRelayed) == [native.MessageRelayed(account="alice", to="bob", message_id=label(line))]
    talk.send("two", key=2)
    talk.lose()
    second = talk.results[2].failure
    assert second is not None
    assert (talk.results[2].stage, second.certain, second.retryable) == (Stage.UNKNOWN, False, True)


def test_a_refusal_after_the_word() -> None:
    talk = Talk().up()
    sent = talk.send("x")
    talk.say(f":irc.test PONG irc.test :{sent[1][5:]}", ":far.test 401 alice bob :no such nick")
    (failed,) = talk.of(native.MessageFailed)
    assert failed.message_id == talk.results["k"].remote_id


def test_the_pace_and_the_deadline() -> None:
    talk = Talk(messages_per_second=0.5, burst=2).up(caps=FULL)
    talk.wait(60.0)
    assert len(talk.send("1", key=1)) == 1
    assert len(talk.send("2", key=2)) == 1
    assert talk.send("3", key=3) == []
    assert talk.do(native.MessageSend(account="alice", to="bob", text="4"), 4, talk.now + 1.5) == []
    deadline = talk.session.next_deadline()
    assert deadline is not None
    assert deadline <= talk.now + 1.5
    talk.wait(1.5)
    failure = talk.results[4].failure
    assert failure is not None
    assert failure.reason == "expired in the queue"
    assert [line.rpartition(":")[2] for line in talk.wait(0.6)] == ["3"]
    talk.say("PING :a")
    assert talk.sent[-1] == "PONG a", "PING is answered whatever waits"


def test_names_have_one_spelling() -> None:
    talk = Talk().up("CASEMAPPING=rfc1459")
    assert talk.send("x", to="b[b") == []
    failure = talk.results["k"].failure
    assert failure is not None
    assert "b{b" in failure.user_text
    talk.say(":B[b!u@h PRIVMSG alice :hi")
    (message,) = talk.of(native.MessageReceived)
    assert (message.sender, message.shown) == ("b{b", "B[b")


@pytest.mark.parametrize("to", ["#channel", "a,b", "a b", "", "$$*", "bob!u@h"])
def test_what_is_no_nickname_is_not_written_to(to: str) -> None:
    talk = Talk().up()
    assert talk.send("x", to=to) == []
    assert talk.results["k"].stage is Stage.FAILED


@pytest.mark.parametrize("text", ["a\r\nQUIT :x", "a\nb", "a\0b", "x" * 600])
def test_what_is_no_line_is_not_sent(text: str) -> None:
    talk = Talk().up()
    assert talk.send(text) == []
    assert talk.results["k"].stage is Stage.FAILED


def test_messages_come_in() -> None:
    talk = Talk().up(caps=FULL)
    talk.say(
        "@time=2026-11-28T00:00:00.500Z;msgid=m;account=Bob :Bob!u@h PRIVMSG alice :hi",
        ":bob!u@h NOTICE alice :note",
        "@account=Bob :bob!u@h PRIVMSG alice :\x01ACTION waves\x01",
        ":irc.test NOTICE alice :of the server",
        ":NickServ!s@s NOTICE alice :of services",
    )
    texts = [(event.text, event.kind) for event in talk.of(native.MessageReceived)]
    assert texts == [("hi", Kind.MESSAGE), ("note", Kind.NOTICE), ("waves", Kind.ACTION)]
    first = talk.of(native.MessageReceived)[0]
    assert (first.message_id, first.timestamp, first.services_account) == ("m", 1795824000.5, "Bob")
    assert [event.text for event in talk.of(native.ServerNotice)] == ["of the server", "of services"]


def test_ctcp_is_answered_within_limits_and_dcc_not_at_all() -> None:
    talk = Talk().up()
    sent = talk.say(*[":bob!u@h PRIVMSG alice :\x01VERSION\x01"] * 10)
    assert sent == ["NOTICE bob :\x01VERSION simplebridge\x01"] * 3
    talk.say(":bob!u@h PRIVMSG alice :\x01DCC SEND x 1 2 3\x01", ":bob!u@h NOTICE alice :\x01VERSION y\x01")
    (declined,) = talk.of(native.RequestDeclined)
    assert (declined.sender, declined.command) == ("bob", "DCC")
    talk.wait(10.0)
    assert talk.say(":bob!u@h PRIVMSG alice :\x01PING 12\x01") == ["NOTICE bob :\x01PING 12\x01"]


def test_who_wears_a_name() -> None:
    talk = Talk(ours=("dave",)).up(caps=FULL)
    talk.say("@account=bob :bob!u@h PRIVMSG alice :1", "@account=bob :bob!u@other PRIVMSG alice :2")
    assert talk.of(native.PeerChanged) == []
    talk.say(":bob!u@h PRIVMSG alice :3")
    (changed,) = talk.of(native.PeerChanged)
    assert (changed.before, changed.after) == ("account bob", "u@h")
    talk.say(":dave!u@h PRIVMSG alice :4", ":dave!u@h TAGMSG alice")
    assert [event.impostor for event in talk.of(native.MessageReceived)] == [False, False, False, True]


def test_who_changes_before_our_eyes_is_the_same() -> None:
    talk = Talk().up(caps=FULL)
    talk.say(":bob!u@h PRIVMSG alice :1", ":bob!u@h CHGHOST u new.host", ":bob!u@new.host ACCOUNT bob")
    talk.say("@account=bob :bob!u@new.host PRIVMSG alice :2")
    assert talk.of(native.PeerChanged) == []
    talk.say(":bob!u@new.host NICK :robert")
    assert talk.of(native.PeerRenamed) == [native.PeerRenamed(account="alice", before="bob", after="robert")]


def test_only_verified_users() -> None:
    talk = Talk(verified_only=True).up(caps=FULL)
    talk.say("@account=bob :bob!u@h PRIVMSG alice :1", "@account=mallory :bob!u@h PRIVMSG alice :2")
    assert [event.unverified for event in talk.of(native.MessageReceived)] == [False, True]
    assert talk.send("x", key=1) == ["WHOIS bob"]
    sent = talk.say(":irc.test 330 alice bob bob :is logged in as", ":irc.test 318 alice bob :End")
    assert sent[0].endswith("PRIVMSG bob :x")
    talk.send("y", key=2)
    talk.say(":irc.test 318 alice bob :End")
    failure = talk.results[2].failure
    assert failure is not None
    assert (failure.certain, "unverified" in failure.reason) == (True, True)
    talk.send("z", key=3)
    talk.say(":irc.test 401 alice bob :no")
    assert talk.results[3].stage is Stage.FAILED


def add(talk: Talk, nick: str = "bob") -> list[str]:
    return talk.do(native.ContactAdd(account="alice", nick=nick), f"add {nick}")


def presence(talk: Talk) -> list[tuple[str, bool, bool, str]]:
    return [(each.nick, each.online, each.away, each.away_text) for each in talk.of(native.ContactPresence)]


def test_monitor() -> None:
    talk = Talk().up("MONITOR=2", "CASEMAPPING=ascii", caps=FULL)
    assert add(talk) == ["MONITOR + bob"]
    assert talk.say(":irc.test 730 alice :Bob!u@h") == ["USERHOST bob"]
    talk.say(":irc.test 302 alice :Bob=+u@h", ":bob!u@h AWAY :lunch", ":bob!u@h AWAY", ":irc.test 731 alice :bob")
    assert presence(talk) == [
        ("bob", True, False, ""), ("bob", True, True, "lunch"), ("bob", True, False, ""), ("bob", False, False, ""),
    ]  # fmt: skip
    add(talk, "carol")
    assert add(talk, "dora") == [], "the server's list is full: it is asked"
    assert talk.wait(1.0) == ["ISON dora"]
    talk.say(":irc.test 303 alice :Dora")
    assert presence(talk)[-1] == ("dora", True, False, "")
    talk.lose()
    assert presence(talk)[-1] == ("dora", False, False, "")


def test_watch() -> None:
    talk = Talk().up("WATCH=64", "WATCHOPTS=A", "CASEMAPPING=ascii")
    assert add(talk) == ["WATCH A +bob"]
    talk.say(":irc.test 604 alice Bob u h 1 :is online", ":irc.test 598 alice Bob u h 1 :lunch")
    talk.say(":irc.test 599 alice Bob u h 1 :back", ":irc.test 601 alice Bob u h 1 :gone")
    assert [each[1:] for each in presence(talk)] == [
        (True, False, ""), (True, True, "lunch"), (True, False, ""), (False, False, ""),
    ]  # fmt: skip


def test_ison() -> None:
    talk = Talk(poll_interval=60.0).up()
    add(talk)
    assert talk.wait(1.0) == ["ISON bob"]
    assert talk.say(":irc.test 303 alice :Bob") == ["USERHOST bob"]
    assert talk.say(":irc.test 302 alice :Bob=-u@h") == ["WHOIS bob"]
    talk.say(":irc.test 301 alice Bob :lunch")
    assert presence(talk)[-1] == ("bob", True, True, "lunch")
    assert sorted(talk.wait(60.0)) == ["ISON bob", "USERHOST bob"]
    talk.say(":irc.test 303 alice :")
    assert presence(talk)[-1] == ("bob", False, False, "")
    talk.do(native.ContactRemove(account="alice", nick="bob"), "remove")
    assert talk.wait(120.0)[:1] in ([], ["PING keepalive"])


def test_typing() -> None:
    talk = Talk().up(caps=FULL)
    active = native.TypingSend(account="alice", to="bob", state=native.Typing.ACTIVE)
    assert talk.do(active, 1) == ["@+typing=active TAGMSG bob"]
    assert talk.do(active, 2) == [], "not twice within three seconds"
    talk.say("@+typing=active :bob!u@h TAGMSG alice", "@+typing=active :bob!u@h TAGMSG alice")
    talk.wait(6.0)
    assert [event.state.value for event in talk.of(native.TypingReceived)] == ["active", "done"]
    denied = Talk().up("CLIENTTAGDENY=*", "CASEMAPPING=ascii", caps=FULL)
    assert denied.do(active) == []
    assert Talk().up().do(active) == []


def test_own_presence() -> None:
    talk = Talk()
    talk.session.set_presence(native.OwnPresence(account="alice", away_text="lunch"))
    talk.up()
    assert "AWAY :lunch" in talk.sent
    assert talk.do(native.OwnPresence(account="alice")) == ["AWAY"]
    long = native.OwnPresence(account="alice", away_text="\u00fc" * 300)
    (line,) = talk.do(long, "k2")
    assert len(line.encode()) <= 210


def test_channels() -> None:
    talk = Talk().up("CASEMAPPING=ascii", "CHANTYPES=#", "PREFIX=(ov)@+", "STATUSMSG=@")
    assert talk.do(native.ChannelJoin(account="alice", channel="#Room"), "join") == ["JOIN #room"]
    talk.say(
        ":alice!a@h JOIN #Room", ":irc.test 332 alice #room :a topic", ":irc.test 353 alice = #room :@Op +v alice",
        ":irc.test 366 alice #room :End", ":carol!c@h JOIN #room", ":carol!c@h PRIVMSG #room :hi",
        ":carol!c@h PRIVMSG @#room :ops", ":carol!c@h NICK :carla", ":op!o@h KICK #room carla :out",
        ":v!v@h QUIT :bye",
    )  # fmt: skip
    assert talk.results["join"].stage is Stage.RELAYED
    (members,) = talk.of(native.ChannelMembers)
    assert members.members == (("op", "@"), ("v", "+"), ("alice", ""))
    assert [(event.text, event.part_of) for event in talk.of(native.ChannelMessage)] == [("hi", ""), ("ops", "@")]
    changes = [(event.nick, event.change.value) for event in talk.of(native.ChannelMember)]
    assert changes == [("carol", "joined"), ("carol", "renamed"), ("carla", "kicked"), ("v", "quit")]
    sent = talk.do(native.ChannelSend(account="alice", channel="#room", text="x"), "say")
    assert sent[0] == "PRIVMSG #room :x"
    talk.say(":irc.test 404 alice #room :no")
    assert talk.results["say"].stage is Stage.FAILED
    assert talk.do(native.ChannelPart(account="alice", channel="#room"), "part") == ["PART :#room"]


@pytest.mark.parametrize(
    "value",
    [
        native.ChannelJoin(account="alice", channel="#a\r\nQUIT"),
        native.ChannelJoin(account="alice", channel="#a", key="b c"),
        native.ChannelJoin(account="alice", channel="#a", key="b\n"),
        native.ChannelJoin(account="alice", channel="alice"),
        native.ChannelPart(account="alice", channel="#a", reason="x\nQUIT"),
        native.ChannelSend(account="alice", channel="#a", text="x"),
    ],
)
def test_what_is_no_line_to_a_channel_ends_as_failed(value: native.Outbound) -> None:
    talk = Talk().up("CHANTYPES=#", "CASEMAPPING=ascii")
    assert talk.do(value) == []
    assert talk.results["k"].stage is Stage.FAILED


def test_an_answer_that_would_be_no_line_is_not_written() -> None:
    talk = Talk().up(caps=FULL)
    assert talk.octets(b"PING :a\0b\r\n") == ["PONG ab"]
    assert talk.octets(b"PING :" + b"x" * 600 + b"\r\n") == []
    assert talk.session.syntax_errors == 1
    assert talk.say("PING c") == ["PONG c"]


def test_nobody_puts_us_into_a_channel() -> None:
    talk = Talk().up()
    assert talk.say(":alice!a@h JOIN #trap")[0].startswith("PART #trap :")
    talk.say(":alice!a@h PART #trap", ":bob!u@h INVITE alice #room")
    assert talk.of(native.ChannelForced) == [native.ChannelForced(account="alice", channel="#trap")]
    assert talk.of(native.Invited) == [native.Invited(account="alice", sender="bob", channel="#room")]


def test_the_limit_of_a_text_counts_the_prefix_that_the_server_adds() -> None:
    talk = Talk(max_text_bytes=500).up()
    unknown = talk.session.text_limit(3)
    talk.say(":irc.test 302 alice :alice=+a@h")
    known = talk.session.text_limit(3)
    assert unknown < known
    prefix = len(":alice!a@h PRIVMSG bob :\r\n")
    assert known == 512 - prefix


def test_whatever_comes_nothing_breaks() -> None:
    odd: list[Any] = [b"\0" * 10 + b"\r\n", b":x\r\n", b"\xff\xfe\r\n", b"A" * 20_000]
    talk = Talk().up(caps=FULL)
    for data in odd:
        talk.octets(data)
    assert talk.states()[-1] == "transient"
