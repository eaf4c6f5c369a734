"""Fuzz: lines, tags, CTCP, ISUPPORT, SASL; what is read can be written, and reads back the same."""

from __future__ import annotations

from transports.irc.wire.ctcp import Ctcp
from transports.irc.wire.errors import IrcSyntaxError
from transports.irc.wire.framing import LineFramer
from transports.irc.wire.isupport import ISupport
from transports.irc.wire.message import Message
from transports.irc.wire.sasl import Collector, SaslError, ScramSha256

SEEDS: list[bytes] = [
    b":irc.test 001 alice :Welcome to it alice!a@h\r\n",
    b"@time=2026-11-28T00:00:00.000Z;msgid=a\\:b;+typing=active :bob!u@h PRIVMSG alice :\x01ACTION waves\x01\r\n",
    b":irc.test 005 alice CASEMAPPING=rfc1459 PREFIX=(ov)@+ MONITOR=30 X=\\x20 -Y :are supported\r\n",
    b"AUTHENTICATE cj1hYmNkLHM9VzIyWmFKMFNOWTdzb0VzVUVqYjZnUT09LGk9NDA5Ng==\r\n",
    b":bob!u@h PRIVMSG alice :caf\xe9 \x0304,1red\x03 \x02bold\x0f\r\n",
]


def one(data: bytes) -> None:
    """Cuts a stream into lines and reads each in every way."""
    try:
        lines = LineFramer().feed(data + b"\r\n")
    except IrcSyntaxError:
        return
    for line in lines:
        try:
            message = Message.parse(line)
        except IrcSyntaxError:
            continue
        Ctcp.parse(message.last)
        told = ISupport()
        told.take(message.params)
        _ = (told.casemapping.fold(message.last), told.number("MONITOR", 1), told.ranks)
        _sasl(message.param(0))
        try:
            again = message.encode()
        except IrcSyntaxError:
            continue
        read = Message.parse(again[:-2])
        assert (read.command, read.params, read.tags) == (message.command, message.params, message.tags), line


def _sasl(part: str) -> None:
    try:
        challenge = Collector().feed(part)
    except IrcSyntaxError:
        return
    scram = ScramSha256("user", "pencil", "abc")
    scram.respond(b"")
    for each in (challenge or b"", b"v=AAAA"):
        try:
            scram.respond(each)
        except SaslError:
            assert not scram.finished()
            return
