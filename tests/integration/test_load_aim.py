"""Thousands of messages both ways between a SIP user and a screen name: none lost, none twice, none out of order."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.kit.aim import AimWorld, aim_world
from tests.kit.daemon import BridgeProcess, until
from tests.peers.process import PeerMissing
from tests.peers.sipp import Sipp, credentials

MESSAGES = int(os.environ.get("SIMPLEBRIDGE_LOAD", "2000"))
"""How many each way; the whole count of the acceptance is 10000."""


@pytest.fixture(scope="module")
def world() -> Iterator[AimWorld]:
    with aim_world() as made:
        yield made


def sipp(scenario: str, bridge: BridgeProcess, row: list[str], **options: object) -> Sipp:
    try:
        return Sipp(scenario, host="127.0.0.1", port=bridge.port, rows=[row] if row else (), **options)  # type: ignore[arg-type]
    except PeerMissing as missing:
        if os.environ.get("SIMPLEBRIDGE_CI"):
            raise
        pytest.skip(str(missing))


@pytest.mark.peer
@pytest.mark.slow
def test_sipp_to_a_screen_name(world: AimWorld) -> None:
    bridge, boogyman = world.bridge, world.friend
    row = ["alice", bridge.domain, credentials("alice", "secret"), "theboogyman@aim.corp.example", "out"]
    with sipp("message_uac", bridge, row, calls=MESSAGES, rate=2000.0, limit=1) as uac:
        stats = uac.wait(MESSAGES / 20 + 60)
    assert (stats.successful, stats.failed) == (MESSAGES, 0)
    until(lambda: len(boogyman.messages()) >= MESSAGES, 60 + MESSAGES / 20, "the messages")
    assert [m["text"] for m in boogyman.messages()] == [f"out {n}" for n in range(1, MESSAGES + 1)]


@pytest.mark.peer
@pytest.mark.slow
def test_a_screen_name_to_sipp(world: AimWorld) -> None:
    bridge, boogyman = world.bridge, world.friend
    uas = sipp("message_uas", bridge, [])
    with uas:
        contact = ["alice", bridge.domain, credentials("alice", "secret"), str(uas.local_port)]
        with sipp("register_digest", bridge, contact, calls=1, limit=1) as registrar:
            assert registrar.wait(20).successful == 1
        for number in range(1, MESSAGES + 1):
            boogyman.post("alicework", f"in {number}")
        bodies = uas.wait_bodies(MESSAGES, 60 + MESSAGES / 20)
    assert bodies == [f"in {n}" for n in range(1, MESSAGES + 1)]
    until(lambda: bridge.status()["queues"]["waiting"] == 0, 30, "the end of the queue")
    outcomes = bridge.status()["messages"]
    assert outcomes.get("outcome_relayed", 0) + outcomes.get("outcome_delivered", 0) == 2 * MESSAGES
    assert not {name for name in outcomes if name.startswith("outcome_")} - {"outcome_relayed", "outcome_delivered"}
    assert bridge.audit("verify")["ok"]
