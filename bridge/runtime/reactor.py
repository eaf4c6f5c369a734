"""The reactor is chosen and imported here, and nowhere else (docs/adr/0004-reactor.md).

uvloop under Twisted's AsyncioSelectorReactor: its stream and timer costs are the lowest that were measured, and
libraries that are written for asyncio run on the same loop.
"""

import asyncio
import sys
from typing import TYPE_CHECKING, cast

import uvloop
from twisted.internet import asyncioreactor

if TYPE_CHECKING:
    from twisted.internet.asyncioreactor import AsyncioSelectorReactor


def install() -> "AsyncioSelectorReactor":
    """Installs the reactor of this process, once, and returns it.

    Raises:
        RuntimeError: another kind of reactor was installed before.
    """
    if "twisted.internet.reactor" not in sys.modules:
        loop = uvloop.new_event_loop()
        asyncio.set_event_loop(loop)
        asyncioreactor.install(loop)  # type: ignore[no-untyped-call]  # Twisted leaves it untyped
    from twisted.internet import reactor

    if not isinstance(reactor, asyncioreactor.AsyncioSelectorReactor):
        raise RuntimeError(f"the reactor is a {type(reactor).__name__}, not the asyncio reactor")
    return cast("AsyncioSelectorReactor", reactor)
