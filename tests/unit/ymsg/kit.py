"""A server in a few lines, without I/O: it signs a session on, answers its questions, and says what a test tells it."""

from __future__ import annotations

import random
from typing import Any

from bridge.model.capabilities import SendResult
from transports.common.machine.actions import Connect, SendDone
from transports.common.wire.native import Link, LinkState
from transports.ymsg.machine.config import SessionConfig
from transports.ymsg.machine.session import Event, YmsgSession
from transports.ymsg.wire import codes, native
from transports.ymsg.wire.packet import Framer, Packet, pairs_of

CHALLENGE = "FRAWElCfTpeVBB.8WRzt1Q--"


class Net:
    """A session of ``me``, its server, and the time between them.

    Attributes:
        got: every packet that the server received.
        events: what the session told.
        echo: whether keep-alives are answered.
    """

    def __init__(self, *, password: str = "secret", echo: bool = True, **changes: Any) -> None:
        self.config = SessionConfig(host="login.test", port=5050, **changes)
        self.session = YmsgSession("Me", password, self.config, rng=random.Random(1))
        self.now = 1000.0
        self.events: list[Event] = []
        self.got: list[Packet] = []
        self.opened: list[Connect] = []
        self.closed: list[int] = []
        self.conn = 0
        self.echo = echo
        self.id = 0
        self.web: list[bytes] = []
        self._framer = Framer()

    def run(self) -> None:
        """Carry everything to and fro until nothing moves."""
        for _ in range(1000):
            if not self._step():
                while (event := self.session.next_event()) is not None:
                    self.events.append(event)
                return
        raise AssertionError("the session and its server never come to rest")

    def _step(self) -> bool:
        out = self.session.to_send()
        for conn_id, data in out:
            if conn_id != self.conn:
                self.web.append(data)
                continue
            for packet in self._framer.feed(data):
                self.got.append(packet)
                if packet.service == codes.KEEPALIVE and self.echo:
                    self.say(codes.KEEPALIVE, (1, "me"))
        action = self.session.next_action()
        if isinstance(action, Connect):
            self.opened.append(action)
            if action.port == self.config.port:
                self.conn = action.conn_id
                self._framer = Framer()
                self.session.connected(action.conn_id, self.now)
        elif action is not None:
            self.closed.append(action.conn_id)
        return bool(out) or action is not None

    def say(self, service: int, *pairs: tuple[int, str | bytes | int], status: int = codes.DONE) -> None:
        """The server sends a packet; nothing moves yet."""
        packet = Packet(service=service, status=status, session=self.id, pairs=pairs_of(*pairs))
        self.session.receive(self.conn, packet.encode(), self.now)

    def tell(self, service: int, *pairs: tuple[int, str | bytes | int], status: int = codes.DONE) -> None:
        """The server sends a packet, and what it leads to happens."""
        self.say(service, *pairs, status=status)
        self.run()

    def ask(self) -> None:
        """Start, up to the challenge."""
        self.session.start(self.now)
        self.run()
        self.tell(codes.HANDSHAKE)

    def challenge(self, *more: tuple[int, str]) -> None:
        """The challenge."""
        self.tell(codes.AUTH, (1, "me"), (94, CHALLENGE), *more)

    def up(self, buddies: str = "") -> Net:
        """Sign on."""
        self.ask()
        self.challenge()
        self.tell(codes.LIST, (87, buddies), (88, ""), (89, "me"), status=codes.OK)
        self.tell(codes.LOGON, (0, "me"), (1, "me"), (8, 0), status=codes.OK)
        assert self.state() is Link.UP
        self.events.clear()
        self.got.clear()
        return self

    def pass_time(self, seconds: float) -> None:
        """Let time pass, from deadline to deadline."""
        end = self.now + seconds
        for _ in range(10_000):
            deadline = self.session.next_deadline()
            if deadline is None or deadline > end:
                break
            self.now = max(self.now, deadline)
            self.session.handle_timer(self.now)
            self.run()
        else:
            raise AssertionError("the session wants to be woken without end")
        self.now = end

    def send(self, value: native.Outbound, key: str = "k", deadline: float | None = None) -> None:
        """Send a native value."""
        self.session.send(value, key, self.now, deadline)
        self.run()

    def drop(self) -> None:
        """The connection is lost."""
        self.session.connection_lost(self.conn, self.now, "gone")
        self.run()

    def record(self, event: Event) -> None:
        """An event is on record."""
        self.session.recorded(event, self.now)
        self.run()

    # -- what came of it

    @property
    def states(self) -> list[LinkState]:
        return [event for event in self.events if isinstance(event, LinkState)]

    def state(self) -> Link:
        return self.states[-1].state

    def results(self) -> dict[Any, SendResult]:
        return {event.key: event.result for event in self.events if isinstance(event, SendDone)}

    def told(self) -> list[Event]:
        """Events but results and states."""
        return [event for event in self.events if not isinstance(event, SendDone | LinkState)]

    def services(self) -> list[int]:
        return [packet.service for packet in self.got]

    def packet(self, service: int) -> Packet:
        """The only packet of a service that the server got."""
        (found,) = [packet for packet in self.got if packet.service == service]
        return found


def im(text: str = "hi", to: str = "bob", name: str = "m1") -> native.ImSend:
    return native.ImSend(account="me", to=to, text=text, id=name)
