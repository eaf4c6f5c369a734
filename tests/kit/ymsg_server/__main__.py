"""``python -m tests.kit.ymsg_server``: the server on a socket of loopback; commands and answers are JSON lines.

A command has an ``id``, which its answer repeats, and ``do``: ``set`` (attributes of `network.Network`), ``kick NAME``,
``send NAME HEX`` (octets of any kind to somebody's connection), ``drop NAME``, ``online``, ``log``, ``lists NAME``.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from typing import Any

import click

from tests.kit.ymsg_server.network import Network, Session
from transports.ymsg.wire.errors import YmsgSyntaxError
from transports.ymsg.wire.names import normal
from transports.ymsg.wire.packet import Framer, Packet


class Connection(asyncio.Protocol):
    """One socket."""

    def __init__(self, network: Network, sockets: dict[int, asyncio.Transport]) -> None:
        self.network = network
        self.sockets = sockets
        self.framer = Framer()
        self.session: Session | None = None
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

        def write(packet: Packet) -> None:
            transport.write(packet.encode())

        self.session = self.network.opened(write, transport.close)
        self.sockets[id(self.session)] = transport

    def data_received(self, data: bytes) -> None:
        assert self.session is not None
        assert self.transport is not None
        try:
            packets = self.framer.feed(data)
        except YmsgSyntaxError:
            self.transport.close()
            return
        for packet in packets:
            if self.transport.is_closing():
                return
            self.network.receive(self.session, packet)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.session is not None:
            self.sockets.pop(id(self.session), None)
            self.network.closed(self.session)


def tell(event: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


def do(network: Network, sockets: dict[int, asyncio.Transport], command: dict[str, Any]) -> object:
    """Carries out a command."""
    what, name = command["do"], command.get("name", "")
    if what == "set":
        for key, value in command["values"].items():
            setattr(network, key, value)
        return True
    if what == "add":
        network.add(name, command["password"])
        return True
    if what == "online":
        return sorted(normal(s.account.name) for s in network.sessions if s.account is not None)
    if what == "log":
        return network.log
    if what == "lists":
        return network.accounts[normal(name)].groups
    if what == "strangers":
        return sum(session.strangers for session in network.sessions)
    session = network.session(name)
    if session is None:
        return False
    if what == "kick":
        network.kick(session)
    elif what == "send":
        sockets[id(session)].write(bytes.fromhex(command["octets"]))
    elif what == "drop":
        sockets[id(session)].abort()
    return True


async def serve(network: Network, host: str, port: int) -> None:
    loop = asyncio.get_running_loop()
    sockets: dict[int, asyncio.Transport] = {}
    server = await loop.create_server(lambda: Connection(network, sockets), host, port)
    tell({"listening": "{}:{}".format(*server.sockets[0].getsockname()[:2])})
    reader = asyncio.StreamReader(limit=1 << 22)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        command = json.loads(line)
        tell({"id": command["id"], "answer": do(network, sockets, command)})
    server.close()


@click.command()
@click.option("--listen", default="127.0.0.1:0")
@click.option("--account", multiple=True, help="NAME:PASSWORD")
@click.option("--end-with-input", is_flag=True, help="It always does; for who starts all servers alike.")
def main(listen: str, account: tuple[str, ...], *, end_with_input: bool) -> None:
    """Serves until its input ends."""
    del end_with_input
    network = Network(rng=random.Random(), clock=time.time)
    for each in account:
        name, _, password = each.partition(":")
        network.add(name, password)
    host, _, port = listen.rpartition(":")
    asyncio.run(serve(network, host, int(port)))


if __name__ == "__main__":
    main()
