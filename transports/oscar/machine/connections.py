"""The connections of one sign-on: which there are, what each is for, and which one carries what the account does.

What comes on them is not read here: the session decides, and this keeps the book.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterator

from transports.oscar.machine.actions import Connect, Disconnect, Purpose
from transports.oscar.machine.config import SessionConfig
from transports.oscar.machine.connection import Connection, Outgoing
from transports.oscar.machine.setup import Setup
from transports.oscar.wire.flap import KEEPALIVE, SIGNOFF

MAX_SERVICES = 8
Action = Connect | Disconnect


class Connections:
    """The book of connections, and what their owner is to do about them.

    Args:
        config: the network's parameters.
        rng: for sequence numbers.

    Attributes:
        bos: the connection that carries what the account does; while it moves, still the old one.
        moving_to: the connection to the server to which it moves (01/12).
        setups: how far each new connection is, by id.
        actions: what the owner is to do, oldest first.
    """

    __slots__ = ("_by_id", "_config", "_farewells", "_next_id", "_rng", "_services", "actions", "bos", "moving_to",
                 "setups")  # fmt: skip

    def __init__(self, config: SessionConfig, rng: random.Random) -> None:
        self._config = config
        self._rng = rng
        self._by_id: dict[int, Connection] = {}
        self._services: dict[int, Connection] = {}
        self._farewells: list[tuple[int, bytes]] = []
        self._next_id = 0
        self.bos: Connection | None = None
        self.moving_to: Connection | None = None
        self.setups: dict[int, Setup] = {}
        self.actions: deque[Action] = deque()

    def get(self, conn_id: int) -> Connection | None:
        """The connection of an id, unless it is closed."""
        return self._by_id.get(conn_id)

    def __contains__(self, conn_id: int) -> bool:
        return conn_id in self._by_id

    def __iter__(self) -> Iterator[Connection]:
        return iter(list(self._by_id.values()))

    # -- opening

    def open(self, host: str, port: int, purpose: Purpose, now: float, cookie: bytes = b"") -> Connection:
        """Have a connection opened; `cookie` is shown to the server that it leads to."""
        self._next_id += 1
        conn = Connection(
            self._next_id,
            purpose,
            max_frame=self._config.max_frame,
            start_sequence=self._rng.randint(0, 0x7FFF),
            now=now,
        )
        conn.cookie = cookie
        self._by_id[conn.id] = conn
        self.actions.append(Connect(conn_id=conn.id, host=host, port=port, purpose=purpose))
        return conn

    def room_for_service(self) -> bool:
        """Whether one more connection to a service may be had."""
        return len(self._services) < MAX_SERVICES

    def open_service(self, group: int, host: str, port: int, cookie: bytes, now: float) -> None:
        """Have a connection opened that serves a further food group, in the place of the one that did."""
        before = self._services.get(group)
        if before is not None:
            self.close(before)
        conn = self.open(host, port, Purpose.SERVICE, now, cookie)
        conn.service = group
        self._services[group] = conn

    # -- closing

    def lost(self, conn: Connection) -> None:
        """A connection is gone, or is to go at once: nothing more is written on it."""
        self._by_id.pop(conn.id, None)
        self.setups.pop(conn.id, None)
        if self._services.get(conn.service) is conn:
            del self._services[conn.service]

    def hang_up(self, conn: Connection) -> None:
        """Have a connection closed of which nothing more is wanted; the book keeps it until `lost` or `close`."""
        self.actions.append(Disconnect(conn_id=conn.id))

    def close(self, conn: Connection) -> None:
        """Have a connection closed once what was written on it is sent."""
        if conn.id in self._by_id:
            if conn.out:
                self._farewells.append((conn.id, conn.take_output()))
            self.hang_up(conn)
            self.lost(conn)

    def close_all(self) -> list[Outgoing]:
        """Have all of them closed. Gives what waited for its turn."""
        waiting = [] if self.bos is None else self.bos.drain()
        self.bos = self.moving_to = None
        for conn in self:
            self.close(conn)
        return waiting

    def moved(self) -> list[Outgoing]:
        """The connection to which we move stands: it carries everything now. Gives what waited on the old one."""
        old, self.bos, self.moving_to = self.bos, self.moving_to, None
        if old is None:
            return []
        waiting = old.drain()
        self.close(old)
        return waiting

    # -- output and time

    def sign_off(self, now: float) -> None:
        """Say goodbye on each that stands."""
        for conn in self:
            if conn.standing:
                conn.send_frame(SIGNOFF, b"", now)

    def to_send(self) -> list[tuple[int, bytes]]:
        """What is to be written, by connection."""
        out, self._farewells = self._farewells, []
        out += [(conn.id, conn.take_output()) for conn in self._by_id.values() if conn.out]
        return out

    def next_deadline(self) -> float | None:
        """When `tick` has something to do."""
        times = [conn.wake() for conn in self._by_id.values()]
        times += [conn.last_sent + self._config.keepalive for conn in self._by_id.values() if conn.ready]
        return min((each for each in times if each is not None), default=None)

    def tick(self, now: float) -> None:
        """Send what may go now, and keep idle connections alive."""
        for conn in self:
            if conn.waiting:
                conn.flush(now)
            if conn.ready and conn.last_sent + self._config.keepalive <= now:
                conn.send_frame(KEEPALIVE, b"", now)
