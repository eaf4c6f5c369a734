"""Fuzz: a session that is up, and a server that sends what it likes. No exception is documented, so none may come."""

from __future__ import annotations

import random

from transports.oscar.machine.config import SessionConfig
from transports.oscar.machine.session import OscarSession
from transports.oscar.wire.flap import FlapSequence

_HELLO = FlapSequence(1).frame(1, bytes.fromhex("00000001"))
SEEDS: list[bytes] = [
    _HELLO,
    _HELLO + FlapSequence(2).frame(2, bytes.fromhex("00170007000000000001") + b"\0\3key"),
    _HELLO + FlapSequence(2).frame(2, bytes.fromhex("00170003000000000002") + bytes.fromhex("0005000131000600023132")),
    _HELLO + FlapSequence(2).frame(4, bytes.fromhex("000800020005")),
]


def one(data: bytes) -> None:
    """The first byte says how the rest is shared among the connections that the session opens."""
    session = OscarSession("aima", "secret", SessionConfig(host="h", port=1), rng=random.Random(0))
    session.start(0.0)
    step = data[0] % 64 + 1 if data else 1
    for at in range(1, len(data), step):
        conn_id = 1 + (data[at] & 1)
        session.connected(conn_id, float(at))
        session.receive(conn_id, data[at : at + step], float(at))
        session.to_send()
        while session.next_action() is not None:
            continue
    session.receive(1, data, 1e4)
    session.handle_timer(1e5)
    session.stop(1e6)
    if session.next_deadline() is not None:
        raise AssertionError("a stopped session wants to be woken")
