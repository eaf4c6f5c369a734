"""All tests: the reactor that the daemon runs on, and a look at what each test leaves behind."""

import gc
import inspect
import os
from collections.abc import Generator, Iterator
from typing import cast

import pytest
from hypothesis import HealthCheck, settings

from bridge.runtime.reactor import install

reactor = install()  # before anything imports it, and before pytest-twisted would choose another loop

from twisted.logger import ILogObserver, LogEvent, globalLogPublisher  # noqa: E402

from tests.peers.process import PeerMissing  # noqa: E402

# How fast examples are made and run is the machine's, and no test's, to say: a loaded one must not fail any.
# CI judges a commit by the same examples each time; new ones are looked for where developers run the tests.
settings.register_profile(
    "bridge",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=bool(os.environ.get("SIMPLEBRIDGE_CI")),
)
settings.load_profile("bridge")


def pytest_collection_finish() -> None:
    """What is loaded by now stays: nobody has to look for garbage in it after each test."""
    gc.collect()
    gc.freeze()


def _uses_the_reactor(item: pytest.Item) -> bool:
    function = getattr(item, "obj", None)
    return inspect.iscoroutinefunction(inspect.unwrap(function)) if function is not None else False


class LeftBehindError(Exception):
    """A test has left delayed calls or failures behind."""


@pytest.fixture(autouse=True)
def nothing_is_left_behind(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fails a test that leaves a delayed call in the reactor, or a Deferred whose failure nobody has handled."""
    before = set(reactor.getDelayedCalls())
    failures: list[str] = []

    def observe(event: LogEvent) -> None:
        if str(event.get("log_namespace")).startswith("twisted.internet.defer") and "log_failure" in event:
            failures.append(event["log_failure"].getTraceback())

    observer = cast("ILogObserver", observe)
    globalLogPublisher.addObserver(observer)
    yield
    if _uses_the_reactor(request.node):
        gc.collect()  # a Deferred tells of its failure when it is thrown away
    globalLogPublisher.removeObserver(observer)
    left = [call for call in reactor.getDelayedCalls() if call not in before]
    told = [*map(str, left), *failures]
    for call in left:
        call.cancel()
    if told:
        raise LeftBehindError("\n".join(told))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test whose program of others is not installed is skipped, with the command that installs it.

    With $SIMPLEBRIDGE_CI nothing is skipped: what would be has failed, with its reason.
    """
    report = yield
    if call.excinfo is not None and call.excinfo.errisinstance(PeerMissing):
        report.outcome = "skipped"
        report.longrepr = (str(item.path), item.location[1] or 0, f"Skipped: {call.excinfo.value}")
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("SIMPLEBRIDGE_CI"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped, and nothing may be: {report.longrepr}"
    return report
