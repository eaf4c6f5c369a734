"""``python -m tests.kit.msnp_server``: the server as a process; commands and events are JSON lines.

Commands, each with an ``id`` that its answer repeats: ``kick`` and ``drop`` (``name``), ``fault`` (``fault``: one of
`network.FAULTS`), ``account`` (``name``, ``password``), ``stats``. Events: ``listening``, ``online``, ``offline``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
from typing import Any

from tests.kit.msnp_server.connection import Wire
from tests.kit.msnp_server.network import FAULTS, Network
from tests.kit.msnp_server.web import Web

HOST = "127.0.0.1"


def write_line(value: dict[str, Any]) -> None:
    """Writes an event."""
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def obey(network: Network, command: dict[str, Any]) -> dict[str, Any]:
    """Carries a command out; gives the answer."""
    name, do = str(command.get("name", "")), command.get("do")
    user = network.user(name)
    if do == "account":
        network.add(name, str(command["password"]))
    elif do == "fault" and command.get("fault") in FAULTS:
        network.fault = str(command["fault"])
    elif do == "stats":
        online = [each.passport for each in network.users.values() if each.session is not None]
        return {"ok": True, "counts": network.counts, "online": online, "boards": len(network.boards)}
    elif do in {"kick", "drop"} and user is not None and user.session is not None:
        if do == "kick":
            user.session.kick()
        else:
            user.session.wire.abort()
    else:
        return {"ok": False, "error": f"cannot {do} {name}"}
    return {"ok": True}


async def run(options: argparse.Namespace) -> None:
    """Serves until SIGTERM, or the end of standard input."""
    loop = asyncio.get_running_loop()
    network = Network(lambda event, name: write_line({"event": event, "name": name}))
    for argument in options.account:
        name, _, password = argument.rpartition(":")
        network.add(name, password)
    web = Web(network)
    port = int(options.listen.rpartition(":")[2])
    server = await loop.create_server(lambda: Wire(network), HOST, port)
    http = await asyncio.start_server(web.serve, HOST, int(options.web), limit=65_536)
    network.address = f"{HOST}:{server.sockets[0].getsockname()[1]}"
    web.address = f"{HOST}:{http.sockets[0].getsockname()[1]}"
    ended = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    write_line({"event": "ready", "listening": network.address, "web": web.address})
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    commands = loop.create_task(_commands(reader, network, ended))
    await ended.wait()
    commands.cancel()
    server.close()
    http.close()


async def _commands(reader: asyncio.StreamReader, network: Network, ended: asyncio.Event) -> None:
    while line := await reader.readline():
        command = json.loads(line)
        write_line({**obey(network, command), "id": command.get("id")})
    ended.set()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.kit.msnp_server")
    parser.add_argument("--listen", default=f"{HOST}:0", metavar="HOST:PORT")
    parser.add_argument("--web", default="0", metavar="PORT")
    parser.add_argument("--account", action="append", default=[], metavar="PASSPORT:PASSWORD")
    parser.add_argument("--end-with-input", action="store_true", help="it always does")
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
