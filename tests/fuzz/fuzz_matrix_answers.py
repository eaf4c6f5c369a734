"""Fuzz: what a homeserver answers."""

from __future__ import annotations

import orjson

from tests.unit.matrix.kit import transcript
from transports.matrix.wire.answers import (
    Refusal,
    direct_in,
    event_id_in,
    presence_in,
    read_answer,
    room_id_in,
    rooms_in,
    state_in,
)

SEEDS: list[bytes] = [orjson.dumps(one["answer"]) for one in transcript("service")]


def one(data: bytes) -> None:
    """Read the bytes as the answer to each request, with each kind of status."""
    for status in (200, 400, 429, 502):
        answer = read_answer(status, data, "5")
        if isinstance(answer, Refusal):
            str(answer)
            continue
        for read in (direct_in, event_id_in, presence_in, room_id_in, rooms_in, state_in):
            read(answer)
