"""The fuzz targets run over their seeds and over drawn bytes."""

from __future__ import annotations

import random

import pytest

from tests.fuzz import fuzz_ymsg_session, fuzz_ymsg_text, fuzz_ymsg_wire


@pytest.mark.parametrize("target", [fuzz_ymsg_wire, fuzz_ymsg_text, fuzz_ymsg_session], ids=lambda each: each.__name__)
def test_target(target: object) -> None:
    one = getattr(target, "one")  # noqa: B009
    rng = random.Random(5)
    for seed in getattr(target, "SEEDS"):  # noqa: B009
        one(seed)
        for _ in range(40):
            mutated = bytearray(seed)
            for _ in range(rng.randint(1, 4)):
                mutated[rng.randrange(len(mutated))] = rng.randrange(256)
            one(bytes(mutated[: rng.randint(0, len(mutated))]))
            one(bytes(mutated))
