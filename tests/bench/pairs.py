"""What the durable record costs a relayed MESSAGE: the same load with it and without it, turn about, in one run.

One daemon at a time, so that both have the machine to themselves; the ratio is that of the medians, and each pair's
own ratio is kept, for the reader to see how far they lie apart.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from statistics import median

from attrs import asdict, frozen

from tests.bench import relay

LOGGED = [sys.executable, "-m", "bridge"]
UNLOGGED = [sys.executable, "-m", "tests.bench.unlogged"]


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
    """Medians of one case, with the record and without: messages per second, CPU microseconds of the daemon for each.

    ``ratio`` is the CPU with the record by that without it.
    """

    window: int
    messages: int
    pairs: int
    per_second_on: float
    per_second_off: float
    cpu_us_on: float
    cpu_us_off: float
    ratio: float
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
    for number in range(load.pairs):
        # Who begins changes, so that neither always finds the machine warm.
        order = ((on, LOGGED), (off, UNLOGGED)) if number % 2 == 0 else ((off, UNLOGGED), (on, LOGGED))
        for kept, command in order:
            kept.append(run(messages=load.messages, window=load.window, command=command))
    both = [*on, *off]
    return Figures(
        window=load.window,
        messages=load.messages,
        pairs=load.pairs,
        per_second_on=_median(on, "per_second"),
        per_second_off=_median(off, "per_second"),
        cpu_us_on=_median(on, "cpu_us"),
        cpu_us_off=_median(off, "cpu_us"),
        ratio=_median(on, "cpu_us") / _median(off, "cpu_us"),
        pair_ratios=tuple(round(a["cpu_us"] / b["cpu_us"], 3) for a, b in zip(on, off, strict=True)),
        lost=sum(max(0, load.messages - int(one["messages"])) for one in both),
        refused=sum(int(one["refused"]) for one in both),
    )


def _median(runs: Sequence[dict[str, float]], name: str) -> float:
    return median(one[name] for one in runs)
