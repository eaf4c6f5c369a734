"""The nexus and the login server, as little HTTP as they need."""

from __future__ import annotations

import asyncio
from urllib.parse import unquote

from tests.kit.msnp_server.network import Network
from transports.msnp.wire import passport

MAX_REQUEST = 65_536


class Web:
    """Answers one request on each connection."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self.address = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        try:
            head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10.0)).decode("latin-1")
            status, headers = self._answer(head)
            lines = [f"HTTP/1.1 {status}", *headers, "Content-Length: 0", "Connection: close", "", ""]
            writer.write("\r\n".join(lines).encode("latin-1"))
            await writer.drain()
        except (TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
            pass  # a client that asks nothing, or goes
        finally:
            writer.close()

    def _answer(self, head: str) -> tuple[str, list[str]]:
        first, *lines = head.split("\r\n")
        path = [*first.split(" "), "", ""][1]
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        if path == "/rdr/pprdr.asp":
            return "200 OK", [f"PassportURLs: DARealm=Passport.Net,DALogin=http://{self.address}/redirect"]
        if path == "/redirect":
            return "302 Found", [f"Location: http://{self.address}/login"]
        if path == "/login":
            return self._log_in(headers.get("authorization", ""))
        return "404 Not Found", []

    def _log_in(self, authorization: str) -> tuple[str, list[str]]:
        said = passport.fields(authorization)
        ticket = self._network.ticket(unquote(said.get("sign-in", "")), unquote(said.get("pwd", "")))
        if ticket is None:
            return "401 Unauthorized", ["WWW-Authenticate: Passport1.4 da-status=failed,cbtxt=Wrong"]
        return "200 OK", [f"Authentication-Info: Passport1.4 da-status=success,from-PP='{ticket}'"]
