"""``simplebridge policy``: lint, test, explain, diff."""

import datetime as dt
from pathlib import Path
from typing import Any

import attrs
import click

from bridge.app.cli.common import Context, Wrong, common_options, found, print_table
from bridge.app.home import Home
from bridge.identity.snapshot import IdentitySnapshot
from bridge.policy.differences import difference
from bridge.policy.errors import Problem
from bridge.policy.explanation import Explanation
from bridge.policy.explanation import explain as explain_subject
from bridge.policy.linting import lint as lint_policy
from bridge.policy.loader import Surroundings
from bridge.policy.loading import ExamplesFailedError, load_policy, run_examples
from bridge.policy.snapshot import Snapshot
from bridge.policy.values import KINDS, Party, Subject, direction_between


@click.group()
def policy() -> None:
    """The policy: what it says, and why."""


@policy.command()
@common_options
def lint(context: Context) -> None:
    """Say what is probably not meant: shadowed, unreachable and contradictory rules, what nobody uses."""
    snapshot = context.home().policy()
    findings = lint_policy(snapshot.policy)
    file = context.config().policy.file

    def human() -> None:
        for finding in findings:
            click.echo(f"{file}:{finding.line or 1}: {finding.code}: {finding.subject}: {finding.message}")

    context.show([attrs.asdict(finding) for finding in findings], human)
    if findings:
        found(f"{len(findings)} findings")


@policy.command()
@common_options
def test(context: Context) -> None:
    """Run the policy's [[test]] tables."""
    failures: tuple[Problem, ...] = ()
    try:
        results = run_examples(context.home().policy())
    except ExamplesFailedError as e:  # which a daemon does not start with; here it is what was looked for
        results, failures = e.results, e.problems
    rows = [
        {
            "from": r.example.sender,
            "to": r.example.recipient,
            "line": r.example.line,
            "expect": r.example.expect,
            "got": r.decision.effect,
            "by": r.decision.deciding,
            "passed": r.passed,
        }
        for r in results
    ]

    def human() -> None:
        for failure in failures:
            click.echo(str(failure))
        click.echo(f"{len(results) - len(failures)} passed")

    context.show(rows, human)
    if failures:
        found(f"{len(failures)} of {len(results)} tests failed")


@policy.command()
@common_options
@click.option("--from", "sender", required=True, help="alice@corp.example, or network/name.")
@click.option("--to", "recipient", required=True, help="bob@corp.example, or network/name.")
@click.option("--text", help="What is written.")
@click.option("--at", help="When, such as 2026-11-23T12:00:00+01:00; now by default.")
@click.option("--kind", type=click.Choice(KINDS), default="message", show_default=True)
def explain(context: Context, sender: str, recipient: str, text: str | None, at: str | None, kind: str) -> None:
    """Say what the policy decides, and what each rule has to do with it."""
    home = context.home()
    snapshot = home.policy()
    people = home.people() if home.database.exists() else None
    ends = _party(snapshot, people, sender, "--from"), _party(snapshot, people, recipient, "--to")
    direction = direction_between(*ends, snapshot.surroundings.domains)
    subject = Subject(
        kind=kind,  # type: ignore[arg-type]  # click has checked the choice
        direction=direction,
        sender=ends[0],
        recipient=ends[1],
        at=_moment(at),
        text=text,
        content_type="text/plain" if text is not None else None,
        size=len(text.encode()) if text is not None else None,
        conversation="internal" if direction == "internal" else "external",
    )
    explanation = explain_subject(snapshot, subject)
    context.show(attrs.asdict(explanation), lambda: _print_explanation(explanation))


def _party(snapshot: Snapshot, people: IdentitySnapshot | None, text: str, option: str) -> Party:
    try:
        party = snapshot.surroundings.party(text)
    except ValueError as e:
        raise Wrong(f"{option}: {e}") from e
    if people is None or party.network is None:
        return party
    network, _, name = party.address.partition("/")
    bound = next(
        (b for b in people.bindings(network) if b.name == name),  # type: ignore[arg-type]
        None,
    )
    return party if bound is None else attrs.evolve(party, person=bound.person, assurance="bound")


def _moment(text: str | None) -> dt.datetime:
    if text is None:
        return dt.datetime.now(dt.UTC)
    try:
        moment = dt.datetime.fromisoformat(text)
        return moment if moment.tzinfo is not None else moment.astimezone()
    except (ValueError, OverflowError) as e:
        raise Wrong(f"--at: not a time such as 2026-11-23T12:00:00+01:00: {text!r}") from e


def _print_explanation(explanation: Explanation) -> None:
    decision = explanation.decision
    click.echo(f"{decision.effect} by {decision.deciding}: {decision.reason}")
    if decision.redacted_text is not None:
        click.echo(f"sent as: {decision.redacted_text}")
    for hit in explanation.hits:
        click.echo(f"lexicon {hit.lexicon}: {hit.term!r} at {hit.start}-{hit.end}")
    print_table(
        ("rule", "effect", "mode", "line", ""),
        [(v.rule, v.effect, v.mode, v.line, "; ".join(v.failed) or "matches") for v in explanation.verdicts],
    )


@policy.command()
@common_options
@click.argument("old", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.argument("new", type=click.Path(path_type=Path, exists=True, dir_okay=False), required=False)
def diff(context: Context, old: Path, new: Path | None) -> None:
    """Say what changes from the policy in OLD to that in NEW (by default the configured one)."""
    home = context.home()
    before = _load(home, old)
    after = home.policy() if new is None else _load(home, new)
    result = difference(before.policy, after.policy)

    def human() -> None:
        click.echo(f"{result.old_digest[:16]} -> {result.new_digest[:16]}")
        for change in result.changes:
            click.echo(f"{change.kind} {change.what} {change.name}")
            for key in change.keys:
                click.echo(f"    {key.key}: {_value(key.old)} -> {_value(key.new)}")

    context.show(attrs.asdict(result), human)


def _load(home: Home, path: Path) -> Snapshot:
    around: Surroundings = home.policy().surroundings
    return load_policy(
        path, networks=around.networks, domains=around.domains, normal_form=around.normal_form, groups=around.groups
    )


def _value(value: Any) -> str:
    return "-" if value is None else str(value)
