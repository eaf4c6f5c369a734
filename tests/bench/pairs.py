"""What the durable log costs a relayed MESSAGE: the same load with it and without it, turn about, in one run.

Three programs. ``LOGGED`` is the daemon. ``UNRECORDED`` is the daemon without the compliance log: it keeps the promise
of a 202 all the same, with the deliveries on disk (``tests.bench.unrecorded``). ``FORGETFUL`` keeps nothing
(``tests.bench.unlogged``): a relay that loses what it accepted, for comparison.

One daemon at a time, so that each has the machine to itself; a ratio is that of the medians, and each round's own ratio
is kept, for the reader to see how far they lie apart.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from statistics import median

from attrs import asdict, frozen

from tests.bench import relay

LOGGED = [sys.executable, "-m", "bridge"]
UNRECORDED = [sys.executable, "-m", "tests.bench.unrecorded"]
FORGETFUL = [sys.executable, "-m", "tests.bench.unlogged"]


@frozen(kw_only=True)
class Load:
    """One case: how many are in flight, how many messages a run has, how many pairs of runs there are."""

    window: int
    messages: int
    pairs: int


FULL = (
    Load(window=1, messages=3_000, pairs=3),
    Load(window=16, messages=8_000, pairs=3),
    Load(window=64, messages=15_000, pairs=5),
    Load(window=256, messages=15_000, pairs=3),
)
QUICK = tuple(Load(window=load.window, messages=1_500, pairs=3) for load in FULL)


@frozen(kw_only=True)
class Figures:
    """Medians of one case: messages per second, CPU microseconds of the daemon for each.

    ``on``: with the log; ``off``: without it, deliveries kept; ``bare``: nothing kept. ``ratio`` is the CPU with the
    log by that without it, ``bare_ratio`` by that of nothing kept.
    """

    window: int
    messages: int
    pairs: int
    per_second_on: float
    per_second_off: float
    per_second_bare: float
    cpu_us_on: float
    cpu_us_off: float
    cpu_us_bare: float
    ratio: float
    bare_ratio: float
    pair_ratios: tuple[float, ...]
    lost: int
    """Messages that did not arrive, of all runs."""
    refused: int

    def as_dict(self) -> dict[str, object]:
        return asdict(self)


def measure(load: Load, run: Callable[..., dict[str, float]] = relay.run) -> Figures:
    """Measures one case."""
    on: list[dict[str, float]] = []
    off: list[dict[str, float]] = []
    bare: list[dict[str, float]] = []
    order = [(on, LOGGED), (off, UNRECORDED), (bare, FORGETFUL)]
    for _ in range(load.pairs):
        for kept, command in order:
            kept.append(run(messages=load.messages, window=load.window, command=command))
        order.reverse()  # who begins changes, so that none always finds the machine warm
    every = [*on, *off, *bare]
    cost = _median(on, "cpu_us")
    return Figures(
        window=load.window,
        messages=load.messages,
        pairs=load.pairs,
        per_second_on=_median(on, "per_second"),
        per_second_off=_median(off, "per_second"),
        per_second_bare=_median(bare, "per_second"),
        cpu_us_on=cost,
        cpu_us_off=_median(off, "cpu_us"),
        cpu_us_bare=_median(bare, "cpu_us"),
        ratio=cost / _median(off, "cpu_us"),
        bare_ratio=cost / _median(bare, "cpu_us"),
        pair_ratios=tuple(round(a["cpu_us"] / b["cpu_us"], 3) for a, b in zip(on, off, strict=True)),
        lost=sum(max(0, load.messages - int(one["messages"])) for one in every),
        refused=sum(int(one["refused"]) for one in every),
    )


def _median(runs: Sequence[dict[str, float]], name: str) -> float:
    return median(one[name] for one in runs)
