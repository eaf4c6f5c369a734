"""Each test for each network that is able; what fails unseen (an exception that was only logged) fails the test."""

from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from typing import cast

import pytest
import pytest_twisted
from twisted.logger import ILogObserver, LogEvent, globalLogPublisher

from tests.conformance.rigs import RIGS, SHOWN_BY_TWIN, TWINS
from tests.kit.conformance.rig import Rig
from tests.kit.conformance.stage import Stage


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out what a rig says that it cannot: its reason stands in `Rig.cannot`, and test_rigs.py reads it.

    And of twins what one of them shows for both.
    """
    cannot = {name: set(make().cannot) for name, make in RIGS.items()}
    kept: list[pytest.Item] = []
    left_out: list[pytest.Item] = []
    for item in items:
        needed = {ability for mark in item.iter_markers("needs") for ability in mark.args}
        params = getattr(item, "callspec", None)
        name = "" if params is None else params.params.get("rig", "")
        shown = name in TWINS and item.path.stem in SHOWN_BY_TWIN
        (left_out if shown or needed & cannot.get(name, set()) else kept).append(item)
    items[:] = kept
    config.hook.pytest_deselected(items=left_out)


@pytest.fixture(scope="session", params=list(RIGS))
def rig(request: pytest.FixtureRequest) -> Iterator[Rig]:
    """A network with its server, for all tests of it; skipped where a server of others is not installed."""
    with ExitStack() as stack:
        made = stack.enter_context(RIGS[request.param]())
        for number in (0, 1):
            made.outsider(number).come()
        yield made


@pytest_twisted.async_yield_fixture  # type: ignore[untyped-decorator]
async def stage(rig: Rig) -> AsyncIterator[Stage]:
    """Our side of it, begun; nobody is signed on."""
    failures: list[str] = []

    def observe(event: LogEvent) -> None:
        if "log_failure" in event:
            failures.append(event["log_failure"].getTraceback())

    observer = cast("ILogObserver", observe)
    globalLogPublisher.addObserver(observer)
    made = Stage(rig)
    await made.start()
    yield made
    await made.stop()
    globalLogPublisher.removeObserver(observer)
    late = [sending for sending in made.sendings if len(sending.results) != 1]
    assert not late, f"each send ends exactly once: {late}"
    assert not failures, "\n".join(failures)
