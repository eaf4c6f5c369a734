"""Signing on, being refused, losing the nickname, coming back."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re

import pytest

from tests.unit.irc.kit import FULL, PLAIN, Talk
from transports.irc.machine.config import Auth, NickInUse
from transports.irc.wire import native


def test_without_sasl_the_password_is_pass() -> None:
    talk = Talk()
    assert talk.connect() == ["CAP LS 302"]
    assert talk.say(f":irc.test {PLAIN}") == [
        "CAP REQ :multi-prefix ", "PASS pw", "NICK alice", "USER alice 0 * simplebridge",
    ]  # fmt: skip
    assert talk.say(":irc.test CAP * ACK :multi-prefix") == ["CAP END"]
    talk.welcome()
    assert talk.states() == ["connecting", "up"]


def test_a_server_without_cap() -> None:
    talk = Talk(password="")
    talk.connect()
    assert talk.say(":irc.test 421 * CAP :Unknown command") == ["NICK alice", "USER alice 0 * simplebridge", "CAP END"]
    silent = Talk(cap_timeout=5.0)
    silent.connect()
    assert silent.wait(5.0)[:2] == ["PASS pw", "NICK alice"]


def test_capabilities_in_several_lines() -> None:
    talk = Talk()
    talk.connect()
    assert talk.say(":irc.test CAP * LS * :batch sasl=EXTERNAL") == []
    sent = talk.say(":irc.test CAP * LS :message-tags")
    assert sent[0] == "CAP REQ :message-tags batch "
    assert "PASS pw" in sent


def plain(mechanisms: str = "sasl=PLAIN,EXTERNAL") -> Talk:
    talk = Talk()
    talk.connect()
    sent = talk.say(f":irc.test CAP * LS :{mechanisms}")
    assert "PASS pw" not in sent
    assert talk.say(":irc.test CAP * ACK :sasl") == ["AUTHENTICATE PLAIN"]
    return talk


def test_sasl_plain() -> None:
    talk = plain()
    assert talk.say("AUTHENTICATE +") == ["AUTHENTICATE " + base64.b64encode(b"\0alice\0pw").decode()]
    assert talk.say(":irc.test 900 * a alice :You are now logged in", ":irc.test 903 * :ok") == ["CAP END"]
    talk.welcome()
    assert talk.states()[-1] == "up"


def test_sasl_refused() -> None:
    talk = plain("sasl")
    talk.say("AUTHENTICATE +")
    assert talk.say(":irc.test 904 * :SASL authentication failed")[-1].startswith("QUIT")
    state = talk.last_state()
    assert (state.state, state.code, state.retry_in) == (native.Link.AUTH_FAILED, 904, None)
    assert talk.wait(10_000) == []


def scram() -> tuple[Talk, str, str]:
    talk = Talk()
    talk.connect()
    talk.say(":irc.test CAP * LS :sasl=PLAIN,SCRAM-SHA-256")
    assert talk.say(":irc.test CAP * ACK :sasl") == ["AUTHENTICATE SCRAM-SHA-256"]
    (line,) = talk.say("AUTHENTICATE +")
    first = base64.b64decode(line.split()[1]).decode()
    nonce = first.partition("r=")[2] + "server"
    server_first = f"r={nonce},s={base64.b64encode(b'salt').decode()},i=4096"
    (line,) = talk.say("AUTHENTICATE " + base64.b64encode(server_first.encode()).decode())
    final = base64.b64decode(line.split()[1]).decode()
    salted = hashlib.pbkdf2_hmac("sha256", b"pw", b"salt", 4096)
    signed = f"{first[3:]},{server_first},{final.partition(',p=')[0]}".encode()
    key = hmac.new(salted, b"Server Key", hashlib.sha256).digest()
    signature = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return talk, final, signature


def test_sasl_scram() -> None:
    talk, _, signature = scram()
    assert talk.say("AUTHENTICATE " + base64.b64encode(f"v={signature}".encode()).decode()) == ["AUTHENTICATE +"]
    assert talk.say(":irc.test 903 * :ok") == ["CAP END"]


@pytest.mark.parametrize("proof", [None, "v=" + base64.b64encode(bytes(32)).decode()])
def test_a_server_that_proves_nothing_is_not_believed(proof: str | None) -> None:
    talk, _, _ = scram()
    if proof is not None:
        talk.say("AUTHENTICATE " + base64.b64encode(proof.encode()).decode())
    talk.say(":irc.test 903 * :ok")
    assert talk.states()[-1] == "auth-failed"
    assert "CAP END" not in talk.sent


@pytest.mark.parametrize("auth", [Auth.SASL, Auth.PLAIN, Auth.SCRAM, Auth.EXTERNAL])
def test_where_sasl_is_wanted_there_is_no_sign_on_without(auth: Auth) -> None:
    talk = Talk(auth=auth)
    talk.connect()
    talk.say(f":irc.test {PLAIN}")
    assert talk.states()[-1] == "transient"
    assert not any(line.startswith(("PASS", "NICK")) for line in talk.sent)


def test_external() -> None:
    talk = Talk(auth=Auth.EXTERNAL, password="")
    talk.connect()
    talk.say(":irc.test CAP * LS :sasl=EXTERNAL")
    assert talk.say(":irc.test CAP * ACK :sasl") == ["AUTHENTICATE EXTERNAL"]
    assert talk.say("AUTHENTICATE +") == ["AUTHENTICATE +"]


@pytest.mark.parametrize(
    ("answer", "state"),
    [("You are now identified for alice.", "up"), ("Invalid password for alice.", "auth-failed"), ("", "up")],
)
def test_nickserv(answer: str, state: str) -> None:
    talk = Talk(auth=Auth.NICKSERV)
    talk.connect()
    talk.say(f":irc.test {PLAIN}", ":irc.test CAP * ACK :multi-prefix")
    assert "PRIVMSG NickServ :IDENTIFY alice pw" in talk.welcome()
    talk.say(":mallory!m@m NOTICE alice :You are now identified for alice.")
    assert talk.states()[-1] == "connecting"
    if answer:
        talk.say(f":NickServ!s@services NOTICE alice :{answer}")
    else:
        talk.wait(10.0)
    assert talk.states()[-1] == state


@pytest.mark.parametrize(
    ("line", "state", "least"),
    [
        (":irc.test 464 * :Password incorrect", "auth-failed", None),
        (":irc.test 465 * :You are banned", "auth-failed", None),
        (":irc.test 432 * alice :Erroneous nickname", "auth-failed", None),
        ("ERROR :Access denied: Bad server password?", "auth-failed", None),
        ("ERROR :Closing Link: x (K-Lined)", "auth-failed", None),
        ("ERROR :Trying to reconnect too fast", "transient", 60.0),
        ("ERROR :Closing Link: x (Server shutting down)", "transient", 0.0),
    ],
)
def test_refusals_in_the_sign_on(line: str, state: str, least: float | None) -> None:
    talk = Talk()
    talk.connect()
    talk.say(line)
    told = talk.last_state()
    assert told.state.value == state
    assert (told.retry_in is None) if least is None else (told.retry_in is not None and told.retry_in >= least)


def test_a_name_in_use_another_and_ours_again() -> None:
    talk = Talk(ours=("alice_",), regain_interval=60.0, regain="REGAIN {nick} {password}")
    talk.connect()
    talk.say(f":irc.test {PLAIN}", ":irc.test CAP * ACK :multi-prefix")
    assert talk.say(":irc.test 433 * alice :in use") == ["NICK alice__"], "alice_ is another account of ours"
    nick = "alice__"
    sent = talk.welcome(nick=nick)
    assert "PRIVMSG NickServ :REGAIN alice pw" in sent
    assert talk.last_state().state is native.Link.UP
    assert nick in talk.last_state().reason
    assert talk.wait(2.0) == ["NICK alice"]
    talk.say(f":irc.test 433 {nick} alice :in use")
    assert talk.wait(4.0) == ["NICK alice"]
    talk.say(f":{nick}!a@h NICK :alice")
    assert talk.of(native.Renamed) == [native.Renamed(account="alice", nick="alice", wanted=True)]
    assert talk.session.nick == "alice"
    talk.wait(70.0)
    assert talk.sent.count("NICK alice") == 3, "once for the sign-on and twice to take it back"


def test_a_name_in_use_may_be_waited_for() -> None:
    talk = Talk(nick_in_use=NickInUse.WAIT)
    talk.connect()
    talk.say(f":irc.test {PLAIN}", ":irc.test CAP * ACK :multi-prefix", ":irc.test 433 * alice :in use")
    state = talk.last_state()
    assert state.state is native.Link.SIGNED_ON_ELSEWHERE
    assert state.retry_in is not None


def test_services_take_the_name_away() -> None:
    talk = Talk().up()
    talk.say(":alice!a@h NICK :Guest123")
    assert talk.of(native.Renamed) == [native.Renamed(account="alice", nick="Guest123", wanted=False)]
    assert talk.wait(60.0)[-1] == "NICK alice"


def test_a_name_that_the_server_writes_otherwise() -> None:
    talk = Talk(account="b[b")
    talk.connect()
    talk.say(f":irc.test {PLAIN}", ":irc.test CAP * ACK :multi-prefix")
    talk.welcome("CASEMAPPING=rfc1459", nick="b[b")
    assert talk.states()[-1] == "auth-failed"
    assert "b{b" in talk.last_state().reason


@pytest.mark.parametrize(
    ("reason", "state"), [("GHOST command used by x", "signed-on-elsewhere"), ("bad day", "transient")]
)
def test_kill(reason: str, state: str) -> None:
    talk = Talk(killed_wait=100.0).up()
    talk.say(f":oper!o@h KILL alice :{reason}", f"ERROR :Closing Link: alice (Killed (oper ({reason})))")
    told = talk.last_state()
    assert told.state.value == state
    assert told.retry_in is not None
    assert told.retry_in >= 100.0


def test_a_server_that_falls_silent() -> None:
    talk = Talk(keepalive=90.0, keepalive_timeout=60.0).up()
    assert talk.wait(90.0) == ["PING keepalive"]
    talk.say(":irc.test PONG irc.test :keepalive")
    assert talk.wait(60.0) == []
    assert talk.wait(30.0) == ["PING keepalive"]
    talk.wait(60.0)
    assert talk.states()[-1] == "transient"
    assert talk.closed[-1] == talk.conn


def test_a_loss_is_tried_again_and_nothing_is_sent_meanwhile() -> None:
    talk = Talk().up()
    talk.lose()
    told = talk.last_state()
    assert told.state is native.Link.TRANSIENT
    talk.send("x")
    failure = talk.results["k"].failure
    assert failure is not None
    assert (failure.reason, failure.retryable, failure.certain) == ("link-down", True, True)
    before = talk.conn
    assert told.retry_in is not None
    talk.wait(told.retry_in)
    assert talk.conn == before + 1


def test_ping_is_answered() -> None:
    assert Talk().up().say("PING :a b", "PING c") == ["PONG :a b", "PONG c"]


def test_stop_says_goodbye_once() -> None:
    talk = Talk().up()
    talk.session.stop(talk.now)
    talk.collect()
    assert talk.sent[-1] == "QUIT :signed off"
    assert talk.states()[-1] == "logged-out"
    talk.session.stop(talk.now)
    talk.collect()
    assert talk.states().count("logged-out") == 1


def test_capabilities_may_come_and_go() -> None:
    talk = Talk().up(caps=FULL)
    assert talk.say(":irc.test CAP alice NEW :setname") == ["CAP REQ :setname "]
    talk.say(":irc.test CAP alice ACK :setname", ":irc.test CAP alice DEL :labeled-response echo-message")
    (line, ping) = talk.send("x")
    assert line == "PRIVMSG bob :x"
    assert re.fullmatch(r"PING [0-9a-f]{8}-1", ping)
