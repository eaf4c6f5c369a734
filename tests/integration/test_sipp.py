"""SIPp registers by digest and exchanges numbered texts with itself through the daemon: none lost, twice, overtaken."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.integration.programs import STRICT, need
from tests.kit.daemon import BridgeProcess, Person, until
from tests.peers import Sipp, credentials

DOMAIN = "corp.example"
COUNT = int(os.environ.get("SIPP_MESSAGES", "2000" if os.environ.get(STRICT) else "500"))
RATE = 1000.0
pytestmark = [pytest.mark.peer, pytest.mark.slow]


@pytest.fixture
def bridge() -> Iterator[BridgeProcess]:
    need(("sipp", "sip-tester"))
    with BridgeProcess(people=[Person(user="alice"), Person(user="bob")]) as daemon:
        yield daemon
        log = daemon.log.read_text("utf-8")
        assert '"level":"error"' not in log, log


def receiver(bridge: BridgeProcess, stack: ExitStack, user: str, transport: str) -> Sipp:
    """A SIPp that takes texts, and is registered."""
    listening = stack.enter_context(Sipp("message_uas", host="127.0.0.1", port=bridge.port, transport=transport))
    row = (user, DOMAIN, credentials(user, "secret"), str(listening.local_port))
    with Sipp(
        "register_digest", host="127.0.0.1", port=bridge.port, transport=transport, rows=[row], calls=1
    ) as register:
        assert register.wait(10).successful == 1, register.errors()
    return listening


def sender(bridge: BridgeProcess, stack: ExitStack, user: str, to: str, transport: str) -> Sipp:
    """A SIPp that writes COUNT texts, one after the other."""
    row = (user, DOMAIN, credentials(user, "secret"), f"{to}@{DOMAIN}", f"from {user}")
    return stack.enter_context(
        Sipp(
            "message_uac",
            host="127.0.0.1",
            port=bridge.port,
            transport=transport,
            rows=[row],
            calls=COUNT,
            rate=RATE,
            limit=1,
        )
    )


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_numbered_texts_both_ways(bridge: BridgeProcess, transport: str) -> None:
    with ExitStack() as stack:
        pairs = (("alice", "bob"), ("bob", "alice"))
        receivers = {to: receiver(bridge, stack, to, transport) for _, to in pairs}
        senders = {user: sender(bridge, stack, user, to, transport) for user, to in pairs}
        for running in senders.values():
            stats = running.wait(120)
            assert (stats.successful, stats.failed) == (COUNT, 0), running.errors()
        for user, to in pairs:
            assert receivers[to].wait_bodies(COUNT, 60) == [f"from {user} {number + 1}" for number in range(COUNT)]
        until(lambda: bridge.status()["queues"]["waiting"] == 0, 20.0, "the end of the queue")
    messages = bridge.status()["messages"]
    assert messages["recorded"] == 2 * COUNT
    assert messages["duplicates"] == 0
    assert messages["outcome_delivered"] == 2 * COUNT
    assert bridge.audit("verify")["ok"]
