"""A session without sockets, and the server's side of it said by the test."""

from __future__ import annotations

import random
from typing import Any

from bridge.model.capabilities import SendResult
from transports.common.machine.actions import Connect, Disconnect, SendDone
from transports.irc.machine.config import SessionConfig
from transports.irc.machine.session import IrcSession
from transports.irc.wire import native

PLAIN = "CAP * LS :multi-prefix"
FULL = (
    "CAP * LS :message-tags server-time batch labeled-response echo-message account-tag account-notify away-notify "
    "extended-monitor chghost"
)


class Talk:
    """A session, the time, and what has come out of it."""

    def __init__(
        self, *, account: str = "alice", password: str = "pw", ours: tuple[str, ...] = (), **options: Any
    ) -> None:
        config = SessionConfig(host="irc.test", port=6667, **{"messages_per_second": 100.0, "burst": 100, **options})
        self.now = 100.0
        self.session = IrcSession(
            account, password, config, rng=random.Random(3), is_ours=lambda name: name in {*ours, account}
        )
        self.conn = 0
        self.sent: list[str] = []
        self.events: list[Any] = []
        self.results: dict[Any, SendResult] = {}
        self.closed: list[int] = []

    def collect(self) -> None:
        """Takes out everything that the session wants and tells."""
        while True:
            for _, data in self.session.to_send():
                self.sent += [line for line in data.decode().split("\r\n") if line]
            action = self.session.next_action()
            if action is None:
                break
            if isinstance(action, Connect):
                self.conn = action.conn_id
            elif isinstance(action, Disconnect):
                self.closed.append(action.conn_id)
        while (event := self.session.next_event()) is not None:
            if isinstance(event, SendDone):
                assert event.key not in self.results, "a send ends once"
                self.results[event.key] = event.result
            else:
                self.events.append(event)

    def say(self, *lines: str) -> list[str]:
        """The server says lines; returns what the session answers."""
        return self.octets("".join(f"{line}\r\n" for line in lines).encode())

    def octets(self, data: bytes) -> list[str]:
        """The server says octets."""
        before = len(self.sent)
        self.session.receive(self.conn, data, self.now)
        self.collect()
        return self.sent[before:]

    def connect(self) -> list[str]:
        """The connection stands."""
        before = len(self.sent)
        self.session.start(self.now)
        self.collect()
        self.session.connected(self.conn, self.now)
        self.collect()
        return self.sent[before:]

    def wait(self, seconds: float) -> list[str]:
        """Time passes."""
        before = len(self.sent)
        self.now += seconds
        self.session.handle_timer(self.now)
        self.collect()
        return self.sent[before:]

    def lose(self, reason: str = "gone") -> None:
        """The connection is lost."""
        self.session.connection_lost(self.conn, self.now, reason)
        self.collect()

    def welcome(self, *isupport: str, nick: str = "alice") -> list[str]:
        """The end of a sign-on."""
        tokens = " ".join(isupport) or "CASEMAPPING=ascii"
        return self.say(
            f":irc.test 001 {nick} :Welcome {nick}!alice@host.test",
            f":irc.test 005 {nick} {tokens} :are supported",
            f":irc.test 422 {nick} :no MOTD",
        )

    def up(self, *isupport: str, caps: str = PLAIN, nick: str = "alice") -> Talk:
        """Signs on with these capabilities."""
        self.connect()
        for line in self.say(f":irc.test {caps}"):
            if line.startswith("CAP REQ :"):
                self.say(f":irc.test CAP * ACK :{line.removeprefix('CAP REQ :')}")
        self.welcome(*isupport, nick=nick)
        self.events.clear()
        return self

    def send(self, text: str, to: str = "bob", key: Any = "k", **more: Any) -> list[str]:
        """Sends a message."""
        return self.do(native.MessageSend(account="alice", to=to, text=text, **more), key)

    def do(self, value: native.Outbound, key: Any = "k", deadline: float | None = None) -> list[str]:
        """Sends a native value; returns the lines that go at once."""
        before = len(self.sent)
        self.session.send(value, key, self.now, deadline)
        self.collect()
        return self.sent[before:]

    def states(self) -> list[str]:
        """The states that were told."""
        return [event.state.value for event in self.events if isinstance(event, native.LinkState)]

    def last_state(self) -> native.LinkState:
        """The last one."""
        found: native.LinkState = [event for event in self.events if isinstance(event, native.LinkState)][-1]
        return found

    def of(self, kind: type) -> list[Any]:
        """The events of a kind."""
        return [event for event in self.events if isinstance(event, kind)]
