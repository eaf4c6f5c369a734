"""A connection, of which the first command tells what it is for."""

from __future__ import annotations

import asyncio

from tests.kit.msnp_server.network import Network
from transports.msnp.wire.command import Command, CommandReader, command
from transports.msnp.wire.errors import MsnpSyntaxError


class Role:
    """What a connection is for."""

    def __init__(self, network: Network, wire: Wire) -> None:
        self.network = network
        self.wire = wire

    def handle(self, line: Command) -> None:
        """A command has come."""
        raise NotImplementedError

    def lost(self) -> None:
        """The connection is gone."""

    def say(self, name: str, *args: object, payload: bytes | None = None) -> None:
        """Sends a command whose arguments are all given."""
        self.wire.send(Command(name, tuple(str(arg) for arg in args), payload))

    def error(self, number: int, line: Command) -> None:
        """Refuses a command."""
        self.wire.send(command(f"{number:03}", line.trid))


class Wire(asyncio.Protocol):
    """Bytes in, bytes out."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._reader = CommandReader(from_client=True)
        self._role: Role | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        if self._role is not None:
            self._role.lost()

    def data_received(self, data: bytes) -> None:
        try:
            for line in self._reader.feed(data):
                if self._transport is None or self._transport.is_closing():
                    return
                self._take(line)
        except MsnpSyntaxError:
            self.close()

    def _take(self, line: Command) -> None:
        from tests.kit.msnp_server.notification import Notification
        from tests.kit.msnp_server.switchboard import Switchboard

        if self._role is None:
            kind = {"VER": Notification, "USR": Switchboard, "ANS": Switchboard}.get(line.name)
            if kind is None:
                self.close()
                return
            self._role = kind(self._network, self)
        self._role.handle(line)

    def send(self, line: Command) -> None:
        """Writes a command."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(line.encode())

    def close(self) -> None:
        """Closes, once all is written."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Vanishes."""
        if self._transport is not None:
            self._transport.abort()
