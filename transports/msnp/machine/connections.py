"""The connections of a session: their ids, what is to be done to them, what is to be written."""

from __future__ import annotations

from collections import deque

from transports.msnp.machine.actions import Action, Connect, Disconnect, Fetch
from transports.msnp.machine.config import SessionConfig
from transports.msnp.wire.command import Command, CommandReader


class Connection:
    """One connection, to the notification server or to a switchboard."""

    __slots__ = ("_out", "_trid", "id", "reader", "standing")

    def __init__(self, conn_id: int) -> None:
        self.id = conn_id
        self.reader = CommandReader()
        self.standing = False
        self._out: list[bytes] = []
        self._trid = 0

    def next_trid(self) -> int:
        """The transaction id of the next command."""
        self._trid = self._trid % 0x7FFFFFFF + 1
        return self._trid

    def send(self, line: Command) -> None:
        """Has a command written. Raises `MsnpSyntaxError`."""
        self._out.append(line.encode())

    def taken(self) -> bytes:
        """What is to be written, once."""
        data = b"".join(self._out)
        self._out.clear()
        return data


class Connections:
    """All of a session's, and the actions that its owner is to take."""

    def __init__(self, config: SessionConfig) -> None:
        self._config = config
        self._open: dict[int, Connection] = {}
        self._closing: list[tuple[int, bytes]] = []
        self._next_id = 0
        self._next_fetch = 0
        self.actions: deque[Action] = deque()
        self.fetches: deque[Fetch] = deque()

    def __contains__(self, conn_id: int) -> bool:
        return conn_id in self._open

    def get(self, conn_id: int) -> Connection | None:
        """A connection that is ours still."""
        return self._open.get(conn_id)

    def open(self, host: str, port: int, *, named: bool) -> Connection:
        """Has a connection opened; `named`: the address is a server's word, which the configuration may correct."""
        if named:
            override = self._config.server_override
            found = override.get(f"{host}:{port}") or override.get("*")
            if found is not None:
                host, port = found
            elif self._config.same_host:
                host = self._config.host
        self._next_id += 1
        conn = self._open[self._next_id] = Connection(self._next_id)
        self.actions.append(Connect(conn_id=conn.id, host=host, port=port))
        return conn

    def close(self, conn: Connection) -> None:
        """Has a connection closed, once what was to be written is written."""
        if self._open.pop(conn.id, None) is not None:
            data = conn.taken()
            if data:
                self._closing.append((conn.id, data))
            self.actions.append(Disconnect(conn_id=conn.id))

    def lost(self, conn: Connection) -> None:
        """It is gone already."""
        self._open.pop(conn.id, None)

    def close_all(self) -> None:
        """Has all of them closed."""
        for conn in list(self._open.values()):
            self.close(conn)

    def fetch(self, url: str, headers: tuple[tuple[str, str], ...], body: bytes | None) -> int:
        """Has a web server asked; gives the id of the question."""
        self._next_fetch += 1
        self.fetches.append(Fetch(fetch_id=self._next_fetch, url=url, headers=headers, body=body))
        return self._next_fetch

    def to_send(self) -> list[tuple[int, bytes]]:
        """What is to be written, by connection."""
        out, self._closing = self._closing, []
        for conn in self._open.values():
            if conn.standing and (data := conn.taken()):
                out.append((conn.id, data))
        return out
