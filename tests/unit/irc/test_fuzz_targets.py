"""The fuzz targets run over their seeds and over drawn bytes."""

from __future__ import annotations

import random
from types import ModuleType

import pytest

from tests.fuzz import fuzz_irc_format, fuzz_irc_session, fuzz_irc_wire


@pytest.mark.parametrize(
    ("target", "times"),
    [(fuzz_irc_wire, 150), (fuzz_irc_format, 150), (fuzz_irc_session, 60)],
    ids=lambda each: getattr(each, "__name__", ""),
)
def test_target(target: ModuleType, times: int) -> None:
    rng = random.Random(5)
    for seed in target.SEEDS:
        target.one(seed)
        for _ in range(times):
            mutated = bytearray(seed)
            for _ in range(rng.randint(1, 4)):
                mutated[rng.randrange(len(mutated))] = rng.randrange(256)
            target.one(bytes(mutated[: rng.randint(0, len(mutated))]))
            target.one(bytes(mutated))
