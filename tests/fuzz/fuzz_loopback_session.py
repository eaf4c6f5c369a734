"""Fuzz: a loopback session and a server that says what it likes. No exception is documented, so none may come."""

from __future__ import annotations

import random

from bridge.model.envelope import Unmappable
from bridge.model.ids import NetworkId
from mappings.loopback import LoopbackMapping
from transports.common.machine.actions import SendDone
from transports.loopback.machine.config import SessionConfig
from transports.loopback.machine.session import LoopbackSession
from transports.loopback.wire.lines import MAX_LINE
from transports.loopback.wire.native import MessageSend

SEEDS: list[bytes] = [
    b'\x05{"is":"welcome","name":"a"}\n',
    b'\xff{"is":"welcome"}\n{"is":"message","number":7,"from":"bob","text":"hi","id":"00","sent":1.5}\n',
    b'\x20{"is":"welcome"}\n{"is":"ack","id":"1"}\n{"is":"refused","id":"1","reason":"x"}\n{"is":"elsewhere"}\n',
    b'\x20{"is":"welcome"}\n{"is":"presence","name":"bob","show":"away","note":"\\ud800"}\n{"is":"typing","from":"b"}\n',
]
MAPPING = LoopbackMapping(network=NetworkId("sample"))


def one(data: bytes) -> None:
    """The first byte says in which pieces the rest comes."""
    session = LoopbackSession("alice", "secret", SessionConfig(host="h", port=1), rng=random.Random(0))
    session.start(0.0)
    session.connected(1, 0.0)
    step = data[0] + 1 if data else 1
    ends = 0
    for at in range(1, len(data), step):
        session.receive(1, data[at : at + step], float(at) / 1000)
        if at == 1:
            session.send(MessageSend(account="alice", to="bob", text="x", id="1"), "k", 0.0, None)
    session.handle_timer(1e5)
    session.stop(1e6)
    session.to_send()
    while (event := session.next_event()) is not None:
        if isinstance(event, SendDone):
            ends += 1
        elif isinstance(MAPPING.to_canonical(event), Unmappable):
            continue
        else:
            session.recorded(event, 1e6)
    if ends != (len(data) > 1):
        raise AssertionError(f"a send ended {ends} times")
    if session.next_deadline() is not None:
        raise AssertionError("a stopped session wants to be woken")
    if len(session._framer._rest) > MAX_LINE:
        raise AssertionError("a line without an end is kept")
