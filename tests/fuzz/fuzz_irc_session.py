"""Fuzz: whatever a server says, a session neither raises, nor grows, nor loses a send, nor writes two lines for one."""

from __future__ import annotations

import random

from bridge.model.ids import NetworkId
from mappings.irc import IrcMapping
from transports.common.machine.actions import Connect, SendDone
from transports.irc.machine.config import SessionConfig
from transports.irc.machine.session import IrcSession
from transports.irc.wire import native

_SIGN_ON = (
    b":s CAP * LS :message-tags batch labeled-response echo-message account-tag away-notify extended-monitor\r\n"
    b":s CAP * ACK :message-tags batch labeled-response echo-message account-tag away-notify extended-monitor\r\n"
    b":s 001 alice :Welcome\r\n:s 005 alice CASEMAPPING=ascii MONITOR=5 CHANTYPES=# :are\r\n:s 422 alice :no\r\n"
)
SEEDS: list[bytes] = [
    b":s 730 alice :bob!u@h\r\n:s 302 alice :bob=-u@h\r\n:s 301 alice bob :lunch\r\n:s 731 alice :bob\r\n",
    b"@batch=1;label=x :s BATCH +1 :labeled-response\r\n@batch=1 :alice!a@h PRIVMSG bob :hi\r\n:s BATCH -1\r\n",
    (
        b":alice!a@h JOIN #room\r\n:s 353 alice = #room :@op +v\r\n:s 366 alice #room :End\r\n"
        b":op!o@h KICK #room alice :x\r\n"
    ),
    b":bob!u@h PRIVMSG alice :\x01VERSION\x01\r\n:bob!u@h NOTICE alice :x\r\n@+typing=active :bob!u@h TAGMSG alice\r\n",
    b":alice!a@h NICK :other\r\n:s 433 other alice :in use\r\n:oper KILL other :GHOST\r\nERROR :Closing Link\r\n",
    (
        b":s 401 alice bob :no\r\n:s 404 alice #room :no\r\n:s 263 alice PRIVMSG :try\r\nFAIL PRIVMSG X bob :no\r\n"
        b"PING :a b\r\n"
    ),
    (
        b":s CAP alice NEW :setname\r\n:s CAP alice DEL :echo-message\r\n:s 598 alice bob u h 1 :x\r\n"
        b":s 734 alice 5 bob :full\r\n"
    ),
]


def one(data: bytes) -> None:
    """Signs on and lets the server say the bytes, in pieces, with sends and time in between."""
    rng = random.Random(len(data))
    config = SessionConfig(host="s", port=6667, messages_per_second=10.0, burst=10)
    session = IrcSession("alice", "pw", config, rng=rng, is_ours=lambda name: name == "dave")
    mapping = IrcMapping(network=NetworkId("irc"))
    open_sends: set[int] = set()
    now, conn = 0.0, 0

    def collect() -> None:
        nonlocal conn
        for _, written in session.to_send():
            assert written.endswith(b"\r\n")
            for line in written[:-2].split(b"\r\n"):
                assert b"\r" not in line, line
                assert b"\n" not in line, line
                assert b"\0" not in line, line
        while (action := session.next_action()) is not None:
            conn = action.conn_id if isinstance(action, Connect) else conn
        while (event := session.next_event()) is not None:
            if isinstance(event, SendDone):
                open_sends.remove(event.key)  # type: ignore[arg-type]
            else:
                mapping.to_canonical(event)

    session.start(now)
    collect()
    session.connected(conn, now)
    session.receive(conn, _SIGN_ON, now)
    collect()
    values: list[native.Outbound] = [
        native.MessageSend(account="alice", to="bob", text="hi"),
        native.ContactAdd(account="alice", nick="bob"),
        native.ChannelJoin(account="alice", channel="#room"),
        native.TypingSend(account="alice", to="bob", state=native.Typing.ACTIVE),
        native.ChannelSend(account="alice", channel="#room", text="x"),
    ]
    size = max(1, len(data) // 6)
    for number, at in enumerate(range(0, max(1, len(data)), size)):
        open_sends.add(number)
        session.send(values[number % len(values)], number, now)
        collect()
        session.receive(conn, data[at : at + size], now)
        collect()
        now += rng.choice((0.0, 0.1, 2.0, 61.0))
        deadline = session.next_deadline()
        if deadline is not None and deadline <= now:
            session.handle_timer(now)
        collect()
    session.stop(now)
    collect()
    assert not open_sends, f"sends without an end: {open_sends}"
