"""``python -m tests.kit.loopback_server --listen HOST:PORT --account NAME:PASSWORD ..``

It tells JSON lines: ``{"listening": "HOST:PORT"}``, then ``{"event": "online" | "offline", "name": N}``. It takes
``{"do": "account", "name": N, "password": P}``, and ends with its input.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from typing import Any

from tests.kit.loopback_server.server import MAX_LINE, Server


def tell(line: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


async def main() -> None:
    made = argparse.ArgumentParser()
    made.add_argument("--listen", default="127.0.0.1:0")
    made.add_argument("--account", action="append", default=[])
    made.add_argument("--end-with-input", action="store_true")
    options = made.parse_args()
    host, _, port = options.listen.rpartition(":")
    accounts = dict(each.partition(":")[::2] for each in options.account)
    server = Server(accounts, lambda event, name: tell({"event": event, "name": name}))
    listening = await asyncio.start_server(server.met, host, int(port), limit=2 * MAX_LINE, backlog=1024)
    name = listening.sockets[0].getsockname()
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    tell({"listening": f"{name[0]}:{name[1]}"})
    while line := await reader.readline():
        command = json.loads(line)
        if command["do"] == "account":
            server.add(command["name"], command["password"])
        tell({"id": command.get("id"), "ok": command["do"] == "account"})


if __name__ == "__main__":
    asyncio.run(main())
