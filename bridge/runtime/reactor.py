"""The reactor is chosen and imported here, and nowhere else (docs/adr/0004-reactor.md).

uvloop under Twisted's AsyncioSelectorReactor: its stream and timer costs are the lowest that were measured, and
libraries that are written for asyncio run on the same loop.
"""

import asyncio
import socket
import sys
from typing import Any

import uvloop
from twisted.internet.asyncioreactor import AsyncioSelectorReactor
from twisted.internet.error import ConnectionLost
from twisted.internet.main import installReactor


class UvloopReactor(AsyncioSelectorReactor):
    """Twisted's reactor on uvloop, which notices every connection that a peer has reset.

    Where octets and a reset arrive together, uvloop has them read, once, and then watches the socket no more: without
    this nobody would be told that the connection is gone, and the next write would raise RuntimeError in its caller.
    """

    def _readOrWrite(self, selectable: Any, read: bool) -> None:  # noqa: N802 - Twisted's name and signature
        super()._readOrWrite(selectable, read)  # type: ignore[no-untyped-call]  # Twisted leaves it untyped
        wire = getattr(selectable, "socket", None)
        if not read or wire is None or wire.fileno() == -1:
            return
        error = wire.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            self._disconnectSelectable(selectable, ConnectionLost(f"errno {error}"), True)  # type: ignore[no-untyped-call]


def install() -> AsyncioSelectorReactor:
    """Installs the reactor of this process, once, and returns it.

    Raises:
        RuntimeError: another kind of reactor was installed before.
    """
    if "twisted.internet.reactor" not in sys.modules:
        loop = uvloop.new_event_loop()
        asyncio.set_event_loop(loop)
        installReactor(UvloopReactor(loop))  # type: ignore[no-untyped-call]  # Twisted leaves it untyped
    from twisted.internet import reactor

    if not isinstance(reactor, AsyncioSelectorReactor):
        raise RuntimeError(f"the reactor is a {type(reactor).__name__}, not the asyncio reactor")
    return reactor
