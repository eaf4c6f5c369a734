"""The seeds of every fuzz target of this codec hold, and so do a few thousand changes of them."""

from __future__ import annotations

import random
from types import ModuleType

import pytest

from tests.fuzz import (
    fuzz_sip_content,
    fuzz_sip_events,
    fuzz_sip_headers,
    fuzz_sip_lists,
    fuzz_sip_message,
    fuzz_sip_pidf,
    fuzz_sip_stream,
    fuzz_sip_uri,
)

TARGETS = [
    fuzz_sip_content,
    fuzz_sip_events,
    fuzz_sip_headers,
    fuzz_sip_lists,
    fuzz_sip_message,
    fuzz_sip_pidf,
    fuzz_sip_stream,
    fuzz_sip_uri,
]
PIECES = [
    b"\r\n",
    b";",
    b",",
    b'"',
    b"<",
    b">",
    b"=",
    b" ",
    b"\x00",
    b"%41",
    b":",
    b"@",
    b"\\",
    b"\xff",
    b"\xc3\xbc",
    b"\r",
    b"l: 1",
]


@pytest.mark.parametrize("target", TARGETS, ids=lambda module: module.__name__.rpartition("_")[2])
def test_seeds_and_changes(target: ModuleType) -> None:
    chance = random.Random(4475)
    for seed in target.SEEDS:
        target.one(seed)
    for _ in range(400):
        data = bytearray(chance.choice(target.SEEDS))
        for _ in range(chance.randint(1, 4)):
            at = chance.randint(0, len(data))
            if chance.random() < 0.6:
                data[at:at] = chance.choice(PIECES)
            else:
                del data[at : at + chance.randint(1, 12)]
        target.one(bytes(data))
