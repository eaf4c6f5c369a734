"""The fixture of tests over real sockets."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_twisted

from tests.unit.sip_connector.running import (
    Running,
    pause,
    start,
)


@pytest_twisted.async_yield_fixture  # type: ignore[untyped-decorator]
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    """A transport that runs."""
    it = await start(tmp_path)
    yield it
    await it.transport.stop(drain=0.0)
    await pause(0.02)
