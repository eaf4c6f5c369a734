"""A session with a server that tests play by hand: commands in, commands out, and a time that they choose."""

from __future__ import annotations

import random
from collections.abc import Hashable
from typing import Any, TypeVar

from bridge.model.capabilities import SendResult
from transports.msnp.machine.actions import Connect, Disconnect, Fetch, Fetched, SendDone
from transports.msnp.machine.config import SessionConfig, Urls
from transports.msnp.machine.session import MsnpSession
from transports.msnp.wire import native
from transports.msnp.wire.command import Command, CommandReader

ME, BOB, CAROL = "alice@x.test", "bob@x.test", "carol@x.test"
LOGIN = "https://login.test/"
E = TypeVar("E")


def mime(kind: str, body: str, *headers: str) -> bytes:
    """The payload of MSG."""
    lines = ["MIME-Version: 1.0", f"Content-Type: {kind}", *headers, "", body]
    return "\r\n".join(lines).encode()


class Play:
    """The session, its server, and all that has happened."""

    def __init__(self, **changes: Any) -> None:
        changes.setdefault("urls", Urls(login=LOGIN))
        self.config = SessionConfig(host="ns.test", **changes)
        self.session = MsnpSession(ME, "secret", self.config, rng=random.Random(3))
        self.now = 100.0
        self.events: list[Any] = []
        self.actions: list[Any] = []
        self.fetches: list[Fetch] = []
        self.readers: dict[int, CommandReader] = {}
        self.said: list[tuple[int, Command]] = []
        self.results: dict[Hashable, SendResult] = {}

    def take(self) -> None:
        session = self.session
        while (action := session.next_action()) is not None:
            self._write()
            self.actions.append(action)
        while (event := session.next_event()) is not None:
            self.events.append(event)
            if isinstance(event, SendDone):
                assert event.key not in self.results, "an end comes once"
                self.results[event.key] = event.result
        self._write()
        while (fetch := session.next_fetch()) is not None:
            self.fetches.append(fetch)

    def _write(self) -> None:
        for conn_id, data in self.session.to_send():
            reader = self.readers.setdefault(conn_id, CommandReader(from_client=True))
            self.said += [(conn_id, line) for line in reader.feed(data)]

    def start(self) -> None:
        self.session.start(self.now)
        self.take()

    def connect(self) -> int:
        """The connection that was asked for last stands."""
        conn_id = next(action.conn_id for action in reversed(self.actions) if isinstance(action, Connect))
        self.session.connected(conn_id, self.now)
        self.take()
        return int(conn_id)

    def say(self, words: str, payload: bytes | None = None, *, on: int = 1) -> None:
        """The server says a line on a connection."""
        line = words if payload is None else f"{words} {len(payload)}"
        self.session.receive(on, line.encode() + b"\r\n" + (payload or b""), self.now)
        self.take()

    def last(self, name: str) -> Command:
        """What was said last under a name."""
        return next(line for _, line in reversed(self.said) if line.name == name)

    def count(self, name: str) -> int:
        return sum(line.name == name for _, line in self.said)

    def answer(self, **fields: Any) -> None:
        """The web server answers the last question."""
        self.session.fetched(self.fetches[-1].fetch_id, Fetched(**fields), self.now)
        self.take()

    def ticket(self) -> None:
        self.answer(status=200, headers={"authentication-info": "Passport1.4 da-status=success,from-PP='t=1'"})

    def up(self, *lines: str) -> None:
        """Signed on, with these lines of the list."""
        self.start()
        self.connect()
        self.say("VER 1 MSNP12")
        self.say("CVR 2 1 1 1 u u")
        self.say("USR 3 TWN S ct=1,id=2")
        self.ticket()
        self.say(f"USR 4 OK {ME} 1 0")
        self.say(f"SYN {self.last('SYN').trid} 0 0 {len(lines)} 0")
        for line in lines:
            self.say(line)
        self.say(f"CHG {self.last('CHG').trid} NLN 32")

    def wait(self, seconds: float) -> None:
        """Time passes, and the session is woken whenever it wants."""
        until = self.now + seconds
        rounds = 0
        while (due := self.session.next_deadline()) is not None and due <= until:
            self.now = max(self.now, due)
            self.session.handle_timer(self.now)
            self.take()
            rounds += 1
            assert rounds < 1000, "it wants to be woken without end"
        self.now = until

    def send(self, text: str, key: Hashable = "k", to: str = BOB) -> None:
        value = native.ImSend(account=ME, to=to, text=text, cookie=f"{abs(hash((key, text))):032x}"[:32])
        self.session.send(value, key, self.now)
        self.take()

    def board(self, contact: str = BOB, capabilities: int = 32) -> int:
        """The switchboard that was asked for is there, with the contact on it. Gives the connection."""
        self.say(f"XFR {self.last('XFR').trid} SB sb.test:1864 CKI key")
        on = self.connect()
        self.say(f"USR 1 OK {ME} Alice", on=on)
        self.say("CAL 2 RINGING 77", on=on)
        self.say(f"JOI {contact} Bob {capabilities}", on=on)
        return on

    def ring(self, *others: str, caller: str = BOB) -> int:
        """Somebody has called us, and we are there."""
        self.say(f"RNG 55 sb.test:1864 CKI key {caller} Bob")
        on = self.connect()
        for at, other in enumerate(others or (caller,), 1):
            self.say(f"IRO 1 {at} {len(others) or 1} {other} Name 0", on=on)
        self.say("ANS 1 OK", on=on)
        return on

    def of(self, kind: type[E]) -> list[E]:
        return [event for event in self.events if isinstance(event, kind)]

    def closed(self, conn_id: int) -> bool:
        return Disconnect(conn_id=conn_id) in self.actions

    @property
    def state(self) -> native.Link:
        return self.of(native.LinkState)[-1].state
