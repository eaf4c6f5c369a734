"""A burst towards a server with AOL's own rate classes: paced, none lost, none refused, and the sender is told."""

from __future__ import annotations

import os
import re

from tests.integration.wire import Phone
from tests.kit.aim import aim_world
from tests.kit.daemon import until

BURST = int(os.environ.get("SIMPLEBRIDGE_BURST", "10"))
"""The acceptance's burst is 100; it takes some minutes, for AOL's classes let one message pass every few seconds."""
SECONDS_EACH = 5.0


def test_a_burst_is_paced_and_the_sender_told() -> None:
    with aim_world(rates="aol") as world, Phone(world.bridge, "alice") as phone:
        server, boogyman, bridge = world.server, world.friend, world.bridge
        assert phone.register().status == 200
        for number in range(BURST):
            assert phone.message("theboogyman@aim.corp.example", f"burst {number}").status == 202
        sender, notice = phone.text(30)
        assert sender == "simplebridge@corp.example"
        told = re.match(r"(\d+) of your messages to aim/theboogyman wait: ", notice)
        assert told is not None, notice
        assert 0 < int(told[1]) < BURST
        until(lambda: len(boogyman.messages()) >= BURST, 30 + BURST * SECONDS_EACH, "the burst")
        assert [m["text"] for m in boogyman.messages()] == [f"burst {number}" for number in range(BURST)]
        until(lambda: bridge.status()["queues"]["waiting"] == 0, 30, "the end of the queue")
        outcomes = {k: v for k, v in bridge.status()["messages"].items() if k.startswith("outcome_")}
        assert outcomes == {"outcome_relayed": BURST, "outcome_delivered": 1}
        assert server.count("rate_refusals") == 0
        assert server.count("rate_disconnects") == 0
