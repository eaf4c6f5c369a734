"""The way to a snapshot: read, check, compile, and hold the file to its own tests."""

from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path

import attrs

from bridge.policy.errors import PolicyError, Problem
from bridge.policy.language import Example
from bridge.policy.loader import Surroundings, parse_policy, read_file
from bridge.policy.snapshot import Snapshot
from bridge.policy.values import (
    Decision,
    GroupSource,
    Kind,
    NormalForm,
    Subject,
    default_normal_form,
    direction_between,
)

_ANY_TIME = datetime(2026, 1, 1, tzinfo=UTC)


def load_policy(
    path: Path | str,
    *,
    groups: GroupSource | None = None,
    networks: Collection[str] = (),
    domains: Collection[str] = (),
    normal_form: NormalForm = default_normal_form,
) -> Snapshot:
    """The policy file at ``path`` as a snapshot, its ``[[test]]`` tables passed.

    ``networks`` are the configured networks' ids, ``domains`` the company's SIP domains. Nothing outside is changed:
    who reloads keeps the old snapshot until this returns. Raises PolicyError with all that is wrong.
    """
    path = Path(path)
    around = Surroundings(
        networks=frozenset(networks), domains=frozenset(domains), groups=groups, normal_form=normal_form
    )
    return load_text(read_file(path, "policy"), file=str(path), base=path.parent, surroundings=around)


def load_text(text: str, *, file: str = "policy", base: Path | None = None, surroundings: Surroundings) -> Snapshot:
    """As ``load_policy``, from a text; ``words_file`` is looked up from ``base``."""
    policy = parse_policy(text, file=file, base=base or Path(), surroundings=surroundings)
    try:
        snapshot = Snapshot(policy, surroundings)
    except ValueError as error:
        problem = Problem(file=file, line=1, column=1, table="lexicons", key="patterns", message=str(error))
        raise PolicyError((problem,)) from error
    results = run_examples(snapshot)
    failures = [
        Problem(
            file=file,
            line=result.example.line,
            column=1,
            table=f"test {number}",
            key="rule" if result.effect_is_right else "expect",
            message=result.message,
        )
        for number, result in enumerate(results, 1)
        if not result.passed
    ]
    leaks = _leaky_marks(snapshot, file)
    if leaks:
        raise PolicyError((*failures, *leaks))
    if failures:
        raise ExamplesFailedError(tuple(failures), results)
    return snapshot


@attrs.frozen(kw_only=True)
class ExampleResult:
    """What became of one ``[[test]]``."""

    example: Example
    decision: Decision

    @property
    def effect_is_right(self) -> bool:
        """Whether the effect is the expected one."""
        return self.decision.effect == self.example.expect

    @property
    def passed(self) -> bool:
        """Whether the effect is right, and the named rule (if one is) among the rules that gave it."""
        return self.effect_is_right and self.example.rule in {None, self.decision.deciding, *self.decision.deciders}

    @property
    def message(self) -> str:
        """One line: what was expected and what came."""
        example, decision = self.example, self.decision
        by = f" by rule {example.rule!r}" if example.rule else ""
        return (
            f"{example.sender} to {example.recipient}: expected {example.expect}{by}, "
            f"got {decision.effect} by {decision.deciding!r}"
        )


class ExamplesFailedError(PolicyError):
    """A policy that is well written and does not do what its own ``[[test]]`` tables say. ``results`` has them all."""

    def __init__(self, problems: tuple[Problem, ...], results: tuple[ExampleResult, ...]) -> None:
        super().__init__(problems)
        self.results = results


def run_examples(snapshot: Snapshot) -> tuple[ExampleResult, ...]:
    """The ``[[test]]`` tables of the policy, each judged."""
    return tuple(
        ExampleResult(example=example, decision=snapshot.decide(subject_of(example, snapshot.surroundings)))
        for example in snapshot.policy.examples
    )


def subject_of(example: Example, around: Surroundings) -> Subject:
    """The subject that a ``[[test]]`` tells of. Direction and class follow from the parties if it leaves them out."""
    sender = attrs.evolve(around.party(example.sender), assurance=example.assurance)
    recipient = around.party(example.recipient)
    if example.sender_person is not None:
        sender = attrs.evolve(sender, person=example.sender_person)
    if example.recipient_person is not None:
        recipient = attrs.evolve(recipient, person=example.recipient_person)
    direction = example.direction or direction_between(sender, recipient, around.domains)
    return Subject(
        kind=example.kind,
        direction=direction,
        sender=sender,
        recipient=recipient,
        at=example.at or _ANY_TIME,
        text=example.text,
        content_type=example.content_type,
        size=example.size,
        conversation=example.conversation or ("internal" if direction == "internal" else "external"),
        user_agent=example.user_agent,
        file_name=example.file_name,
    )


def subject_between(
    around: Surroundings,
    sender: str,
    recipient: str,
    *,
    at: datetime,
    text: str | None = None,
    kind: Kind = "message",
) -> Subject:
    """A subject from what a person types: addresses or network/name, a text, a time.

    Direction and class follow from the parties. Raises ValueError for a party that is neither.
    """
    example = Example(sender=sender, recipient=recipient, expect="allow", text=text, at=at, kind=kind)
    return subject_of(example, around)


def _leaky_marks(snapshot: Snapshot, file: str) -> list[Problem]:
    """Marks that the lexicon whose finds they replace would find in turn."""
    return [
        Problem(
            file=file,
            line=rule.line,
            column=1,
            table=f"rule {rule.id!r}",
            key="mark",
            message=f"the mark {rule.mark!r} is itself found by the lexicon",
        )
        for rule in snapshot.policy.rules
        if rule.effect == "redact" and rule.lexicon is not None and snapshot.find(rule.mark, rule.lexicon)
    ]
