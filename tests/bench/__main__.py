"""``python -m tests.bench``: what a relayed message costs, and its parts. Prints tables and writes JSON.

Ratios are taken within one run; absolute numbers are the machine's as much as ours.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from attrs import frozen
from rich.console import Console
from rich.table import Table

from tests.bench import (
    bench_policy,
    bench_presence,
    bench_record,
    bench_sip_codec,
    bench_sip_endpoint,
    machine,
    pairs,
)

console = Console(highlight=False)
if not console.is_terminal:
    console = Console(highlight=False, width=160)  # a file or another program reads: nothing is cut


@frozen(kw_only=True)
class Goal:
    """What a number should be."""

    what: str
    value: float
    goal: float
    at_least: bool

    @property
    def met(self) -> bool:
        return self.value >= self.goal if self.at_least else self.value <= self.goal

    def as_dict(self) -> dict[str, object]:
        goal = f"{'≥' if self.at_least else '≤'} {self.goal:g}"
        return {"what": self.what, "value": round(self.value, 2), "goal": goal, "met": self.met}


def _table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for index, column in enumerate(columns):
        table.add_column(column, justify="left" if index == 0 else "right")
    for row in rows:
        table.add_row(*(cell if isinstance(cell, str) else f"{cell:,.4g}" for cell in row))
    console.print(table)
    console.print()


def relayed(quick: bool) -> list[pairs.Figures]:
    """Measures the relay: with the log, without it, and with nothing kept at all."""
    found = []
    for load in pairs.QUICK if quick else pairs.FULL:
        with console.status(f"relay, {load.window} in flight: {load.pairs} rounds of {load.messages} messages"):
            found.append(pairs.measure(load))
    _table(
        "A relayed SIP MESSAGE over UDP, with the log; without it, deliveries kept; nothing kept (medians)",
        (
            "in flight", "per second", "without", "nothing", "CPU µs each", "without", "nothing",
            "ratio", "ratios of the rounds", "by nothing", "lost",
        ),
        [
            (
                str(f.window),
                f"{f.per_second_on:,.0f}",
                f"{f.per_second_off:,.0f}",
                f"{f.per_second_bare:,.0f}",
                f"{f.cpu_us_on:.1f}",
                f"{f.cpu_us_off:.1f}",
                f"{f.cpu_us_bare:.1f}",
                f"{f.ratio:.2f}",
                f"{min(f.pair_ratios):.2f} - {max(f.pair_ratios):.2f}",
                f"{f.bare_ratio:.2f}",
                str(f.lost),
            )
            for f in found
        ],
    )  # fmt: skip
    return found


def codec(quick: bool) -> dict[str, float]:
    """Measures the SIP codec beside sipmessage."""
    figures = bench_sip_codec.run(rounds=4 if quick else 15)
    _table(
        "Read a MESSAGE with all that its route needs, answer 202, pass it on: CPU µs",
        ("codec", "µs", "times ours"),
        [
            ("this one", figures["ours_us"], "1"),
            ("sipmessage", figures["sipmessage_us"], f"{figures['ratio']:.2f}"),
            ("this one, the sender's address noted in Via", figures["noting_us"], ""),
        ],
    )
    return figures


def recorded(quick: bool) -> dict[str, Any]:
    """Measures the record."""
    figures = bench_record.run(0.1 if quick else 1.0)
    names = [name for name, value in figures.items() if isinstance(value, Mapping)]
    _table(
        f"Durable records: group commit is {figures['group_commit_ratio']} times one commit for each",
        ("case", "records per second", "messages per second", "CPU µs each", "in a batch"),
        [
            (
                name.replace("_", " "),
                f"{figures[name]['records_per_second']:,}",
                f"{figures[name]['entries_per_second']:,}",
                str(figures[name].get("cpu_us_per_entry", "-")),
                str(figures[name]["entries_per_batch"]),
            )
            for name in names
        ],
    )
    return figures


def _plain(title: str, run: Callable[[], dict[str, float]]) -> dict[str, float]:
    figures = run()
    _table(title, ("", "µs"), list(figures.items()))
    return figures


def presence(quick: bool) -> dict[str, Any]:
    """Measures a person's thousand watchers, and a hundred thousand registrations."""
    fanout = _plain("A person's state told to 1,000 watchers: CPU µs for each", bench_presence.run_fanout)
    count = bench_presence.REGISTRATIONS // 20 if quick else bench_presence.REGISTRATIONS
    with console.status(f"{count} registrations with two subscriptions each"):
        many = bench_presence.run_many(count, alone=True)
    _table(
        "Registrations and subscriptions in one SIP endpoint",
        ("registrations", "subscriptions", "MiB", "longest step, ms", "which"),
        [
            (
                f"{many['registrations']:,}", f"{many['subscriptions']:,}", f"{many['filled_mib']:.0f}",
                f"{many['longest_stall_ms']:.1f}", str(many["stalled_by"]),
            )
        ],
    )  # fmt: skip
    return {"fanout": fanout, "many": many}


def goals(results: Mapping[str, Any]) -> list[Goal]:
    """Returns the goals of what was measured."""
    found: list[Goal] = []
    for figures in results.get("relay", ()):
        if figures["window"] == 64:
            found += [
                Goal(what="relayed per second, 64 in flight", value=figures["per_second_on"], goal=1e4, at_least=True),
                Goal(what="CPU with the log by without it", value=figures["ratio"], goal=1.3, at_least=False),
            ]
    if "codec" in results:
        found.append(Goal(what="codec by sipmessage", value=results["codec"]["ratio"], goal=6, at_least=True))
    if "presence" in results:
        figures = results["presence"]
        each = figures["fanout"]["a NOTIFY, UDP included"]
        found.append(Goal(what="CPU µs of a NOTIFY, 1,000 watchers, UDP included", value=each, goal=10, at_least=False))
        if not results.get("quick"):
            many = figures["many"]
            found += [
                Goal(what="MiB of 100,000 registrations", value=many["filled_mib"], goal=512, at_least=False),
                Goal(what="longest step, ms", value=many["longest_stall_ms"], goal=50, at_least=False),
            ]
    if "record" in results:
        ratio = results["record"]["group_commit_ratio"]
        found.append(Goal(what="group commit by one each, 256 in flight", value=ratio, goal=30, at_least=True))
    return found


PARTS: Mapping[str, Callable[[bool], Any]] = {
    "relay": lambda quick: [figures.as_dict() for figures in relayed(quick)],
    "codec": codec,
    "endpoint": lambda _: _plain("The SIP endpoint without sockets: CPU µs per message", bench_sip_endpoint.run),
    "record": recorded,
    "presence": presence,
    "policy": lambda _: _plain("A decision of the policy: CPU µs", bench_policy.run),
}


@click.command()
@click.option("--quick", is_flag=True, help="Shorter runs: good for a look, too short for a claim.")
@click.option("--only", multiple=True, type=click.Choice(list(PARTS)), help="Only this part.")
@click.option(
    "--json",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("bench-results.json"),
    show_default=True,
    help="Where the numbers go.",
)
def main(quick: bool, only: tuple[str, ...], file: Path) -> None:
    """Measure, print ratios, write JSON."""
    results: dict[str, Any] = {"machine": machine.facts(), "quick": quick}
    for name, value in results["machine"].items():
        console.print(f"{name}: {value}", markup=False)
    console.print()
    for name, part in PARTS.items():
        if not only or name in only:
            results[name] = part(quick)
            file.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", "utf-8")
    reached = [goal.as_dict() for goal in goals(results)]
    results["goals"] = reached
    _table(
        "Goals",
        ("", "measured", "goal", ""),
        [(str(g["what"]), str(g["value"]), str(g["goal"]), "met" if g["met"] else "missed") for g in reached],
    )
    file.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", "utf-8")
    console.print(f"written to {file}", markup=False)


if __name__ == "__main__":
    main()
