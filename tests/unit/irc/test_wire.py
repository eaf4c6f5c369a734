"""Lines, tags, names, ISUPPORT, CTCP, SASL: known values, and what is refused."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transports.irc.wire.ctcp import Ctcp
from transports.irc.wire.errors import IrcSyntaxError
from transports.irc.wire.framing import MAX_INCOMING, LineFramer
from transports.irc.wire.isupport import ISupport
from transports.irc.wire.message import Message, Source
from transports.irc.wire.names import CaseMapping, fault, normal
from transports.irc.wire.sasl import Collector, Plain, SaslError, ScramSha256, chunks


@pytest.mark.parametrize(
    ("line", "command", "params"),
    [
        (b"PING", "PING", ()),
        (b":irc.test 001 a :Welcome to it", "001", ("a", "Welcome to it")),
        (b":a!b@c  PRIVMSG   d   :", "PRIVMSG", ("d", "")),
        (b"privmsg #x ::)", "PRIVMSG", ("#x", ":)")),
        (b"MODE x +o y", "MODE", ("x", "+o", "y")),
        (b"@a=b :s CAP * LS :", "CAP", ("*", "LS", "")),
    ],
)
def test_lines(line: bytes, command: str, params: tuple[str, ...]) -> None:
    message = Message.parse(line)
    assert (message.command, message.params) == (command, params)


def test_tags_and_sources() -> None:
    message = Message.parse(
        b"@time=2026-01-01T00:00:00.000Z;+typing=active;x;e=\\:\\s\\\\\\r\\n\\q\\ :n!u@h.test TAGMSG b"
    )
    assert message.tags == {"time": "2026-01-01T00:00:00.000Z", "+typing": "active", "x": "", "e": "; \\\r\nq"}
    assert message.source == Source(name="n", user="u", host="h.test")
    assert not Source.parse("irc.test").is_user


def test_what_is_no_utf8_is_read_as_windows_1252() -> None:
    message = Message.parse(b":a!b@c PRIVMSG x :caf\xe9 \x80")
    assert message.legacy
    assert message.last == "café \u20ac"
    assert not Message.parse("PRIVMSG x :café".encode()).legacy


@pytest.mark.parametrize("line", [b"", b" ", b":only.source", b"@only=tags", b":a @!", b"P!NG x", b"X " + b"a " * 65])
def test_what_is_no_line(line: bytes) -> None:
    with pytest.raises(IrcSyntaxError):
        Message.parse(line)


@pytest.mark.parametrize(
    "message",
    [
        Message(command="PRIVMSG", params=("bob", "a\r\nQUIT")),
        Message(command="PRIVMSG", params=("bob\n", "a")),
        Message(command="PRIVMSG", params=("b ob", "a")),
        Message(command="PRIVMSG", params=("", "a")),
        Message(command="PRIVMSG", params=(":b", "a")),
        Message(command="PRIVMSG", params=("bob", "a\0")),
        Message(command="PRIVMSG", params=("bob", "a" * 500)),
        Message(command="X Y"),
        Message(command="X", tags={"a b": ""}),
        Message(command="X", tags={"a": "x" * 5000}),
    ],
)
def test_what_cannot_be_written(message: Message) -> None:
    with pytest.raises(IrcSyntaxError):
        message.encode()


_words = st.text(st.characters(blacklist_characters="\0\r\n :", blacklist_categories=["Cs"]), min_size=1, max_size=12)
_texts = st.text(st.characters(blacklist_characters="\0\r\n", blacklist_categories=["Cs"]), max_size=60)
_tags = st.dictionaries(
    st.text("abc+/.-", min_size=1, max_size=6),
    st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"]), max_size=12),
    max_size=4,
)


@given(_tags, st.lists(_words, max_size=3), _texts)
def test_what_is_written_reads_back(tags: dict[str, str], words: list[str], text: str) -> None:
    message = Message(command="PRIVMSG", params=(*words, text), tags=tags)
    data = message.encode()
    assert data.endswith(b"\r\n")
    assert data.count(b"\n") == 1
    read = Message.parse(data[:-2])
    assert (read.command, read.params, dict(read.tags)) == ("PRIVMSG", (*words, text), tags)


@given(st.lists(st.binary(max_size=40), max_size=6), st.integers(1, 7))
def test_a_stream_cut_anywhere_gives_the_same_lines(pieces: list[bytes], size: int) -> None:
    data = b"\r\n".join(pieces)
    whole = LineFramer().feed(data)
    framer, cut = LineFramer(), []
    for at in range(0, len(data), size):
        cut += framer.feed(data[at : at + size])
    assert cut == whole


def test_a_line_without_end_is_an_error() -> None:
    framer = LineFramer()
    with pytest.raises(IrcSyntaxError):
        framer.feed(b"a" * (MAX_INCOMING + 1))


@pytest.mark.parametrize(
    ("mapping", "a", "b", "same"),
    [
        ("ascii", "Bob", "bob", True),
        ("ascii", "b[b", "b{b", False),
        ("rfc1459", "B[]\\~", "b{}|^", True),
        ("strict-rfc1459", "B[]\\", "b{}|", True),
        ("strict-rfc1459", "b~", "b^", False),
        ("rfc8265", "B\u00c4R", "b\u00e4r", True),
        ("ascii", "B\u00c4R", "b\u00e4r", False),
        ("something-new", "b[b", "b{b", False),
    ],
)
def test_casemapping(mapping: str, a: str, b: str, same: bool) -> None:
    table = CaseMapping.of(mapping)
    assert (table.fold(a) == table.fold(b)) is same
    assert table.fold(table.fold(a)) == table.fold(a)


@given(st.text(max_size=20), st.sampled_from(list(CaseMapping)))
def test_canonical_is_normal(name: str, table: CaseMapping) -> None:
    """What a server folds a name to has one spelling everywhere: its own."""
    folded = table.fold(name)
    assert table is CaseMapping.PRECIS or not name.isascii() or normal(folded) == folded


@pytest.mark.parametrize("nick", ["bob", "b[]\\`_^{|}-1", "42XAAAAAB", "\u0431\u043e\u0431", "x" * 64])
def test_nicknames(nick: str) -> None:
    assert fault(nick) is None


@pytest.mark.parametrize("nick", ["", "-b", "b b", "#b", "b,c", "b!c", "b@c", "irc.test", "b\n", "+b", "~b", "x" * 65])
def test_what_is_no_nickname(nick: str) -> None:
    assert fault(nick) is not None


def test_isupport() -> None:
    told = ISupport()
    told.take(("CASEMAPPING=rfc1459", "MONITOR=30", "PREFIX=(qov)~@+", "X=a\\x20b", "CLIENTTAGDENY=*,-typing", "WATCH"))
    assert told.casemapping is CaseMapping.RFC1459
    assert (told.number("MONITOR", 1), told.number("WATCH", 7), told.number("NONE", 3)) == (30, 7, 3)
    assert (told.ranks, told.text("X")) == ("~@+", "a b")
    assert not told.denies_tag("typing")
    assert told.denies_tag("react")
    told.take(("-MONITOR",))
    assert "MONITOR" not in told


def test_ctcp() -> None:
    assert Ctcp.parse("\x01ACTION waves\x01") == Ctcp("ACTION", "waves")
    assert Ctcp.parse("\x01version") == Ctcp("VERSION")
    assert Ctcp.parse("plain") is None
    assert Ctcp("ACTION", "a\x01b").encode() == "\x01ACTION ab\x01"


def test_scram_as_rfc_7677_has_it() -> None:
    scram = ScramSha256("user", "pencil", "rOprNGfwEbeRWgbNEkqO")
    assert scram.respond(b"") == b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
    nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
    final = scram.respond(f"r={nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096".encode())
    assert final == f"c=biws,r={nonce},p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=".encode()
    assert not scram.finished()
    assert scram.respond(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=") == b""
    assert scram.finished()


@pytest.mark.parametrize(
    "challenge",
    [
        b"r=other,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
        b"r=abc,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
        b"r=abcd,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=1",
        b"r=abcd,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=999999999",
        b"r=abcd,s=!,i=4096",
        b"m=x,r=abcd,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
        b"\xff",
    ],
)
def test_a_scram_challenge_that_is_not_answered(challenge: bytes) -> None:
    scram = ScramSha256("user", "pencil", "abc")
    scram.respond(b"")
    with pytest.raises(SaslError):
        scram.respond(challenge)


def test_a_server_that_does_not_know_the_password() -> None:
    scram = ScramSha256("user", "pencil", "abc")
    scram.respond(b"")
    scram.respond(b"r=abcd,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096")
    with pytest.raises(SaslError):
        scram.respond(b"v=" + base64.b64encode(bytes(32)))
    assert not scram.finished()


@given(st.binary(max_size=2000))
def test_sasl_payloads_in_lines(payload: bytes) -> None:
    collector = Collector()
    parts = chunks(payload)
    assert all(len(part) <= 400 for part in parts)
    assert [collector.feed(part) for part in parts][-1] == payload


def test_plain() -> None:
    assert Plain("alice", "p\u00e4ss").respond(b"") == b"\0alice\0p\xc3\xa4ss"
    with pytest.raises(SaslError):
        Plain("alice", "a\0b")
