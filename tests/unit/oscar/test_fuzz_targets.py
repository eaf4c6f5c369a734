"""The fuzz targets run over their seeds and over drawn bytes."""

from __future__ import annotations

import random

import pytest

from tests.fuzz import fuzz_oscar_conversation, fuzz_oscar_session, fuzz_oscar_text, fuzz_oscar_wire


@pytest.mark.parametrize(
    "target", [fuzz_oscar_wire, fuzz_oscar_text, fuzz_oscar_session], ids=lambda each: each.__name__
)
def test_target(target: object) -> None:
    one = getattr(target, "one")  # noqa: B009
    rng = random.Random(5)
    for seed in getattr(target, "SEEDS"):  # noqa: B009
        one(seed)
        for _ in range(150):
            mutated = bytearray(seed)
            for _ in range(rng.randint(1, 4)):
                mutated[rng.randrange(len(mutated))] = rng.randrange(256)
            one(bytes(mutated[: rng.randint(0, len(mutated))]))
            one(bytes(mutated))


def test_a_conversation() -> None:
    """Each of its inputs is a whole session: some of the seeds, and few changes, are enough here."""
    rng = random.Random(6)
    seeds = fuzz_oscar_conversation.SEEDS
    for seed in [*seeds[:-5:8], *seeds[-5:]]:
        fuzz_oscar_conversation.one(seed)
        mutated = bytearray(seed)
        for _ in range(4):
            mutated[rng.randrange(len(mutated))] = rng.randrange(256)
        fuzz_oscar_conversation.one(bytes(mutated))


def test_a_conversation_of_nothing() -> None:
    for data in (b"", b"\x08", b"\x00\x0d"):
        fuzz_oscar_conversation.one(data)
