"""Why a subject gets its decision: every rule, and what it failed on. Slow and plain; not for the path of a message."""

from collections.abc import Collection

import attrs

from bridge.policy.clocks import holds
from bridge.policy.conditions import message_conditions
from bridge.policy.language import DAYS, Hours, Rule, clock
from bridge.policy.snapshot import Snapshot
from bridge.policy.values import Decision, Effect, Hit, Mode, Subject, seconds


@attrs.frozen(kw_only=True)
class Verdict:
    """One rule about one subject: ``failed`` names each condition that does not hold; none means that it matched."""

    rule: str
    effect: Effect
    mode: Mode
    line: int
    failed: tuple[str, ...]

    @property
    def matched(self) -> bool:
        """Whether every condition holds (a rule that is off matches too; it does nothing)."""
        return not self.failed


@attrs.frozen(kw_only=True)
class Explanation:
    """The decision, the groups of both ends, what the lexicons found, and a verdict for each rule of the file."""

    decision: Decision
    sender_groups: tuple[str, ...]
    recipient_groups: tuple[str, ...]
    hits: tuple[Hit, ...]
    verdicts: tuple[Verdict, ...]


def explain(snapshot: Snapshot, subject: Subject, preceding: str = "") -> Explanation:
    """Why ``subject`` gets its decision from ``snapshot``. Raises what ``Snapshot.decide`` raises."""
    decision = snapshot.decide(subject, preceding)
    hits = () if subject.text is None else snapshot.find(subject.text, preceding=preceding)
    looker = _Looker(snapshot, subject, frozenset(hit.lexicon for hit in hits))
    return Explanation(
        decision=decision,
        sender_groups=tuple(sorted(snapshot.membership.groups(subject.sender))),
        recipient_groups=tuple(sorted(snapshot.membership.groups(subject.recipient))),
        hits=hits,
        verdicts=tuple(
            Verdict(rule=rule.id, effect=rule.effect, mode=rule.mode, line=rule.line, failed=looker.failures(rule))
            for rule in snapshot.policy.rules
        ),
    )


class _Looker:
    """Judges one subject, rule by rule."""

    def __init__(self, snapshot: Snapshot, subject: Subject, found: frozenset[str]) -> None:
        self._subject = subject
        self._found = found
        self._at = seconds(subject.at)
        self._sender = snapshot.membership.terms(subject.sender)
        self._recipient = snapshot.membership.terms(subject.recipient)

    def failures(self, rule: Rule) -> tuple[str, ...]:
        return tuple(
            failure
            for failure in (
                self._ends(rule),
                self._direction(rule),
                _member("kinds", self._subject.kind, rule.kinds),
                _member(
                    "conversation",
                    self._subject.conversation,
                    None if rule.conversation is None else {rule.conversation},
                ),
                _member("assurance", self._subject.sender.assurance, rule.assurance),
                self._hours(rule),
                *self._message(rule),
                self._lexicon(rule),
            )
            if failure
        )

    def _ends(self, rule: Rule) -> str | None:
        first, second, turned = rule.ends
        if self._sender & set(first) and self._recipient & set(second):
            return None
        if turned and self._sender & set(second) and self._recipient & set(first):
            return None
        sender, recipient = self._subject.sender.address, self._subject.recipient.address
        if rule.between is not None:
            return f"between: {sender} and {recipient} are not {' and '.join(rule.between)}"
        if turned:
            return f"from, to: {sender} and {recipient} are not {', '.join(first)} and {', '.join(second)}"
        if not self._sender & set(first):
            return f"from: {sender} is not {', '.join(first)}"
        return f"to: {recipient} is not {', '.join(second)}"

    def _direction(self, rule: Rule) -> str | None:
        if rule.direction in {None, "both", self._subject.direction}:
            return None
        return f"direction: {self._subject.direction} is not {rule.direction}"

    def _hours(self, rule: Rule) -> str | None:
        if rule.hours is None or any(holds(hours, self._at // 60 * 60) for hours in rule.hours):
            return None
        return f"hours: the time is outside {' and '.join(map(describe_hours, rule.hours))}"

    def _message(self, rule: Rule) -> list[str]:
        return [f"{key}: does not hold" for key, condition in message_conditions(rule) if not condition(self._subject)]

    def _lexicon(self, rule: Rule) -> str | None:
        if rule.lexicon is None or self._found & set(rule.lexicon):
            return None
        nothing = "there is no text" if self._subject.text is None else "the text holds nothing of"
        return f"lexicon: {nothing} ({', '.join(rule.lexicon)})"


def _member(key: str, value: str, allowed: Collection[str] | None) -> str | None:
    if allowed is None or value in allowed:
        return None
    return f"{key}: {value} is not {', '.join(sorted(allowed))}"


def describe_hours(hours: Hours) -> str:
    """A stretch of hours, for people."""
    days = ",".join(DAYS[day] for day in sorted(hours.days))
    return f"{days} {clock(hours.begin)}-{clock(hours.end)} {hours.zone}"
