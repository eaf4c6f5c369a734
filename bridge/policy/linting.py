"""What is probably not meant: rules without effect, contradictions, what nobody uses. A finding is never an error."""

from collections.abc import Iterator
from typing import Literal

import attrs

from bridge.policy.coverage import covering_pairs, covers, nested_groups
from bridge.policy.language import Policy, Rule

Code = Literal[
    "shadowed",
    "redundant",
    "contradictory",
    "unreachable",
    "nothing-allowed",
    "wide-open",
    "empty-group",
    "unused-group",
    "empty-lexicon",
    "unused-lexicon",
    "off",
    "untested",
]

_OVERRULES = {"forbid": {"hold", "redact", "allow"}, "hold": {"redact", "allow"}}


@attrs.frozen(kw_only=True, order=True)
class Finding:
    """One thing to look at: ``line`` of the file, a stable ``code``, what it is about and a message."""

    line: int
    code: Code
    subject: str
    message: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.code}: {self.subject}: {self.message}"


def lint(policy: Policy) -> tuple[Finding, ...]:
    """All findings, in the order of the file. Slow for many rules that name the same ends."""
    return tuple(sorted({*_pairs(policy), *_rules(policy), *_whole(policy), *_definitions(policy)}))


def _of_rule(rule: Rule, code: Code, message: str) -> Finding:
    return Finding(line=rule.line, code=code, subject=f"rule {rule.id!r}", message=message)


def _pairs(policy: Policy) -> Iterator[Finding]:
    nested = nested_groups(policy.groups)
    rules = [rule for rule in policy.rules if rule.mode == "enforce"]
    for wide, narrow in covering_pairs(rules, policy.groups):
        same = covers(narrow, wide, nested)
        if wide.effect == narrow.effect:
            if not same or wide.line < narrow.line:
                yield _of_rule(narrow, "redundant", f"adds nothing to rule {wide.id!r} (line {wide.line})")
        elif same and wide.line < narrow.line and "redact" not in {wide.effect, narrow.effect}:
            message = f"says {narrow.effect} of what rule {wide.id!r} (line {wide.line}) says {wide.effect} of"
            yield _of_rule(narrow, "contradictory", message)
        if narrow.effect in _OVERRULES.get(wide.effect, ()):
            message = f"never decides: rule {wide.id!r} (line {wide.line}) says {wide.effect} wherever it matches"
            yield _of_rule(narrow, "shadowed", message)


def _rules(policy: Policy) -> Iterator[Finding]:
    empty = {f"group:{group.name}" for group in policy.groups if not group.entries}
    for rule in policy.rules:
        reason = _unreachable(rule, empty)
        if reason:
            yield _of_rule(rule, "unreachable", reason)
        if rule.mode == "off":
            yield _of_rule(rule, "off", "is not looked at")
        if rule.effect == "allow" and rule.mode == "enforce" and _is_wide_open(rule):
            yield _of_rule(rule, "wide-open", "allows everything to everybody, in every direction")


def _unreachable(rule: Rule, empty_groups: set[str]) -> str | None:
    """Why no subject can match, or None."""
    first, second, _ = rule.ends
    for terms in (first, second):
        if set(terms) <= empty_groups:
            return f"names empty groups alone: {', '.join(terms)}"
    if rule.conversation == "internal" and rule.direction in {"outbound", "inbound"}:
        return f"an internal conversation has no {rule.direction} message"
    if rule.lexicon is not None and rule.kinds is not None and rule.kinds <= {"typing", "receipt"}:
        return "typing and receipts hold no text for a lexicon"
    if rule.larger_than is not None and rule.smaller_than is not None and rule.larger_than + 1 >= rule.smaller_than:
        return f"no size is larger than {rule.larger_than} and smaller than {rule.smaller_than}"
    return None


def _is_wide_open(rule: Rule) -> bool:
    bare = Rule(id=rule.id, effect="allow", reason=rule.reason, alert=rule.alert, line=rule.line)
    return attrs.evolve(rule, direction=None if rule.direction == "both" else rule.direction) == bare


def _whole(policy: Policy) -> Iterator[Finding]:
    if not any(rule.effect in {"allow", "hold"} and rule.mode == "enforce" for rule in policy.rules):
        yield Finding(line=0, code="nothing-allowed", subject="policy", message="no rule in force allows anything")
    if not policy.examples:
        yield Finding(line=0, code="untested", subject="policy", message="has no [[test]] tables")


def _definitions(policy: Policy) -> Iterator[Finding]:
    ends = [term for rule in policy.rules for side in rule.ends[:2] for term in side]
    nested = [entry for group in policy.groups for entry in group.entries]
    used = {term.removeprefix("group:") for term in (*ends, *nested) if term.startswith("group:")}
    for group in policy.groups:
        subject = f"group {group.name!r}"
        if not group.members:
            yield Finding(line=group.line, code="empty-group", subject=subject, message="has no members")
        if group.name not in used:
            yield Finding(line=group.line, code="unused-group", subject=subject, message="is in no rule and no group")
    named = {name for rule in policy.rules for name in rule.lexicon or ()}
    for lexicon in policy.lexicons:
        subject = f"lexicon {lexicon.name!r}"
        if not (lexicon.words or lexicon.patterns or lexicon.validators):
            yield Finding(line=lexicon.line, code="empty-lexicon", subject=subject, message="can find nothing")
        if lexicon.name not in named:
            yield Finding(line=lexicon.line, code="unused-lexicon", subject=subject, message="is in no rule")
