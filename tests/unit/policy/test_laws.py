"""Laws of decisions, against a reference that reads the rules one by one, in the plainest way."""

import random
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.policy.explanation import explain
from bridge.policy.language import DAYS, Example, Group, Hours, Lexicon, Policy, Rule
from bridge.policy.snapshot import Snapshot
from bridge.policy.values import Decision, Effect, Subject
from tests.unit.policy.builders import around, party

_PEOPLE = ("alice@corp.example", "bob@corp.example", "carol@other.example")
_CONTACTS = ("aim/boogy", "icq/123")
_GROUPS = (
    Group(name="sales", entries=(), members=frozenset({"alice@corp.example", "aim/boogy"})),
    Group(name="all", entries=(), members=frozenset({*_PEOPLE})),
    Group(name="none", entries=(), members=frozenset()),
)
_LEXICONS = (Lexicon(name="w", words=("falcon",)), Lexicon(name="p", patterns=(r"\d{3}",)))
_TERMS = (
    "any", "network:aim", "network:icq", "domain:corp.example", "group:sales", "group:all", "group:none",
    "person:bob@corp.example", "contact:aim/boogy",
)  # fmt: skip
_EFFECTS: tuple[Effect, ...] = ("allow", "allow", "redact", "hold", "forbid")
_TEXTS = (None, "hello", "the falcon", "call 123", "falcon 123")
_RANK = {"allow": 0, "redact": 1, "hold": 2, "forbid": 3}

_sides = st.none() | st.lists(st.sampled_from(_TERMS), min_size=1, max_size=2, unique=True).map(tuple)
_hours = st.builds(
    Hours,
    days=st.frozensets(st.integers(0, 6), min_size=1),
    begin=st.sampled_from([0, 480, 1320]),
    end=st.sampled_from([360, 1080, 1440]),
    zone=st.sampled_from(["UTC", "Europe/Paris", "America/New_York"]),
)


def _optional(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(st.none(), st.none(), strategy)


@st.composite
def _rules(draw: st.DrawFn, name: str) -> Rule:
    between = draw(_optional(st.tuples(st.sampled_from(_TERMS), st.sampled_from(_TERMS))))
    effect = draw(st.sampled_from(_EFFECTS))
    lexicon = st.lists(st.sampled_from(["w", "p"]), min_size=1, unique=True).map(tuple)
    return Rule(
        id=name,
        effect=effect,
        mode=draw(st.sampled_from(["enforce", "enforce", "enforce", "shadow", "notify", "off"])),
        senders=None if between else draw(_sides),
        recipients=None if between else draw(_sides),
        between=between,
        direction=draw(_optional(st.sampled_from(["outbound", "inbound", "both"]))),
        kinds=draw(_optional(st.frozensets(st.sampled_from(["message", "typing"]), min_size=1))),
        conversation=draw(_optional(st.sampled_from(["internal", "external"]))),
        hours=draw(_optional(st.lists(_hours, min_size=1, max_size=2).map(tuple))),
        content_types=draw(_optional(st.just(("image/*",)))),
        larger_than=draw(_optional(st.just(10))),
        lexicon=draw(lexicon if effect == "redact" else _optional(lexicon)),
        alert=draw(st.booleans()),
    )


_policies = st.integers(0, 6).flatmap(lambda count: st.tuples(*(_rules(f"r{number}") for number in range(count))))
_parties = st.builds(
    party,
    st.sampled_from(_PEOPLE + _CONTACTS),
    groups=st.sampled_from([frozenset(), frozenset({"sales"}), frozenset({"unknown"})]),
    person=st.sampled_from([None, "bob@corp.example"]),
)
_subjects = st.builds(
    Subject,
    kind=st.sampled_from(["message", "typing"]),
    direction=st.sampled_from(["outbound", "inbound", "internal"]),
    sender=_parties,
    recipient=_parties,
    at=st.integers(1_790_000_000, 1_800_000_000).map(float),
    text=st.sampled_from(_TEXTS),
    content_type=st.sampled_from([None, "image/png", "text/plain"]),
    size=st.sampled_from([None, 5, 50]),
    conversation=st.sampled_from(["internal", "external"]),
)


def _snapshot(rules: tuple[Rule, ...], examples: tuple[Example, ...] = ()) -> Snapshot:
    policy = Policy(version="1", digest_clock="UTC", groups=_GROUPS, lexicons=_LEXICONS, rules=rules, examples=examples)
    return Snapshot(policy, around())


# The reference. It shares nothing with the product but the values.


def _is(term: str, end: Any) -> bool:
    kind, _, name = term.partition(":")
    in_group = any(
        group.name == name and (end.address in group.members or end.person in group.members or name in end.groups)
        for group in _GROUPS
    )
    truth: dict[str, bool] = {
        "any": True,
        "network": end.network == name,
        "domain": end.domain == name,
        "group": in_group,
        "person": name in {end.person, end.address},
        "contact": end.network is not None and end.address == name,
    }
    return truth[kind]


def _side(terms: tuple[str, ...] | None, end: Any) -> bool:
    return terms is None or any(_is(term, end) for term in terms)


def _ends_hold(rule: Rule, subject: Subject) -> bool:
    a, b = subject.sender, subject.recipient
    if rule.between is not None:
        first, second = ((term,) for term in rule.between)
        return (_side(first, a) and _side(second, b)) or (_side(first, b) and _side(second, a))
    if _side(rule.senders, a) and _side(rule.recipients, b):
        return True
    return rule.direction is not None and _side(rule.senders, b) and _side(rule.recipients, a)


def _in_hours(hours: Hours, at: float) -> bool:
    local = datetime.fromtimestamp(at, ZoneInfo(hours.zone))
    today = DAYS.index(local.strftime("%a").lower())
    now = local.hour * 60 + local.minute
    if hours.begin < hours.end:
        return today in hours.days and hours.begin <= now < hours.end
    return (today in hours.days and now >= hours.begin) or ((today + 6) % 7 in hours.days and now < hours.end)


def _holds(rule: Rule, subject: Subject) -> bool:
    text = subject.text or ""
    found = {"w": "falcon" in text, "p": "123" in text}
    return (
        _ends_hold(rule, subject)
        and (rule.direction in {None, "both"} or rule.direction == subject.direction)
        and (rule.kinds is None or subject.kind in rule.kinds)
        and (rule.conversation is None or rule.conversation == subject.conversation)
        and (rule.hours is None or any(_in_hours(hours, float(str(subject.at))) for hours in rule.hours))
        and (rule.content_types is None or subject.content_type == "image/png")
        and (rule.larger_than is None or subject.size == 50)
        and (rule.lexicon is None or any(found[name] for name in rule.lexicon))
    )


def _reference(rules: tuple[Rule, ...], subject: Subject) -> tuple[str, str, list[str], list[str], list[str]]:
    matched = [rule for rule in rules if rule.mode != "off" and _holds(rule, subject)]
    force = [rule for rule in matched if rule.mode == "enforce"]
    effect, deciding = "forbid", "default-deny"
    allowed = any(rule.effect == "allow" for rule in force)
    deciders = [rule for rule in force if rule.effect != "redact" or allowed]
    if deciders:
        effect = max((rule.effect for rule in deciders), key=_RANK.__getitem__)
        deciding = next(rule.id for rule in deciders if rule.effect == effect)
    return (
        effect,
        deciding,
        [rule.id for rule in force],
        [rule.id for rule in matched if rule.mode == "shadow"],
        [rule.id for rule in matched if rule.mode == "notify" or (rule.mode == "enforce" and rule.alert)],
    )


def _told(decision: Decision) -> tuple[str, str, list[str], list[str], list[str]]:
    return (
        decision.effect, decision.deciding, list(decision.matched), list(decision.would_have), list(decision.notify),
    )  # fmt: skip


@settings(max_examples=60)
@given(_policies, st.lists(_subjects, min_size=1, max_size=6))
def test_decisions_are_those_of_the_reference(rules: tuple[Rule, ...], subjects: list[Subject]) -> None:
    snapshot = _snapshot(rules)
    for one in subjects + subjects:  # a second time from the cache
        assert _told(snapshot.decide(one)) == _reference(rules, one)


@settings(max_examples=40)
@given(_policies, _subjects)
def test_explanations_agree_with_decisions(rules: tuple[Rule, ...], one: Subject) -> None:
    explanation = explain(_snapshot(rules), one)
    matched = tuple(v.rule for v in explanation.verdicts if v.matched and v.mode == "enforce")
    assert matched == explanation.decision.matched
    assert [v.matched for v in explanation.verdicts] == [_holds(rule, one) for rule in rules]


@settings(max_examples=40)
@given(_policies, _subjects, st.randoms(use_true_random=False))
def test_the_order_of_rules_does_not_change_the_effect(
    rules: tuple[Rule, ...], one: Subject, source: random.Random
) -> None:
    shuffled = tuple(source.sample(rules, len(rules)))
    before, after = _snapshot(rules).decide(one), _snapshot(shuffled).decide(one)
    assert (before.effect, before.would_effect, before.redacted_text) == (
        after.effect,
        after.would_effect,
        after.redacted_text,
    )
    assert set(before.matched) == set(after.matched)
    assert set(before.deciders) == set(after.deciders)


@settings(max_examples=40)
@given(_policies, _rules("extra"), _subjects)
def test_a_further_rule_moves_the_effect_one_way_only(rules: tuple[Rule, ...], extra: Rule, one: Subject) -> None:
    before, after = _snapshot(rules).decide(one), _snapshot((*rules, extra)).decide(one)
    if extra.mode != "enforce":
        assert after.effect == before.effect
    elif extra.effect == "forbid" or (extra.effect == "redact" and before.effect != "forbid"):
        assert _RANK[after.effect] >= _RANK[before.effect]
    elif extra.effect == "redact":
        assert after.effect == before.effect
    elif extra.effect == "hold":
        assert after.effect in {before.effect, "hold"}
    elif before.deciding != "default-deny":
        assert after.effect == before.effect or (before.effect, after.effect) == ("hold", "hold")


@settings(max_examples=30)
@given(_policies, _subjects)
def test_enforcing_what_is_in_shadow_gives_what_it_would_have_been(rules: tuple[Rule, ...], one: Subject) -> None:
    enforced = tuple(attrs.evolve(rule, mode="enforce") if rule.mode == "shadow" else rule for rule in rules)
    assert _snapshot(rules).decide(one).would_effect == _snapshot(enforced).decide(one).effect
