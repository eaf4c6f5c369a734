"""Lint: what it finds, and that what it says of rules is true."""

from itertools import permutations
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.policy.coverage import covering_pairs, covers, nested_groups
from bridge.policy.language import Rule
from bridge.policy.linting import lint
from tests.unit.policy.builders import lexicon, load, rule
from tests.unit.policy.test_laws import _GROUPS, _rules, _snapshot, _subjects

_OPEN = rule("open", "allow", 'to = ["network:aim"]')


def _found(text: str) -> set[tuple[str, str]]:
    findings = lint(load(text).policy)
    return {(str(finding.code), finding.subject) for finding in findings if finding.code != "untested"}


@pytest.mark.parametrize(
    ("text", "code", "subject"),
    [
        (_OPEN + rule("no", "forbid"), "shadowed", "rule 'open'"),
        (_OPEN + rule("no", "hold", 'to = ["any"]', 'kinds = ["message", "presence", "typing", "receipt"]'), None, ""),
        (_OPEN + rule("x", "allow", 'to = ["contact:aim/bob"]'), "redundant", "rule 'x'"),
        (_OPEN + rule("x", "allow", 'to = ["network:aim"]', 'mode = "shadow"'), None, ""),
        (_OPEN + rule("x", "forbid", 'to = ["network:aim"]'), "contradictory", "rule 'x'"),
        (rule("a", "allow", 'to = ["network:aim"]', 'direction = "both"')
         + rule("b", "allow", 'from = ["network:aim"]', 'direction = "inbound"'), "redundant", "rule 'b'"),
        (rule("a", "allow", "larger_than = 5") + rule("b", "allow", "larger_than = 7"), "redundant", "rule 'b'"),
        (rule("a", "allow", "smaller_than = 7") + rule("b", "allow", "smaller_than = 5"), "redundant", "rule 'b'"),
        ("[groups]\ng = []\n" + rule("a", "allow", 'to = ["group:g"]'), "unreachable", "rule 'a'"),
        ("[groups]\ng = []\n" + rule("a", "allow", 'to = ["group:g"]'), "empty-group", "group 'g'"),
        ('[groups]\ng = ["a@b"]\n' + _OPEN, "unused-group", "group 'g'"),
        (lexicon("w", "words = ['x']") + _OPEN, "unused-lexicon", "lexicon 'w'"),
        (rule("a", "allow", 'conversation = "internal"', 'direction = "inbound"'), "unreachable", "rule 'a'"),
        (lexicon("w", "words = ['x']") + rule("a", "hold", 'lexicon = ["w"]', 'kinds = ["typing"]'),
         "unreachable", "rule 'a'"),
        (rule("a", "allow", "larger_than = 5", "smaller_than = 6"), "unreachable", "rule 'a'"),
        (rule("a", "allow", 'mode = "off"'), "off", "rule 'a'"),
        (rule("a", "forbid"), "nothing-allowed", "policy"),
        (rule("a", "allow", 'direction = "both"', 'reason = "x"'), "wide-open", "rule 'a'"),
        (rule("a", "allow", 'kinds = ["presence"]'), None, ""),
    ],
)  # fmt: skip
def test_findings(text: str, code: str | None, subject: str) -> None:
    found = _found(text)
    assert ((code, subject) in found) if code else not found


def test_a_sound_policy_has_no_findings() -> None:
    text = _OPEN + '[[test]]\nfrom = "a@corp.example"\nto = "aim/b"\nexpect = "allow"\n'
    assert lint(load(text).policy) == ()


def test_nested_groups_cover_their_parts() -> None:
    text = '[groups]\nin = ["a@b"]\nmid = ["group:in"]\nout = ["group:mid", "c@d"]\n'
    policy = load(text + rule("w", "allow", 'from = ["group:out"]') + rule("n", "allow", 'from = ["group:in"]')).policy
    nested = nested_groups(policy.groups)
    assert covers(policy.rules[0], policy.rules[1], nested)
    assert not covers(policy.rules[1], policy.rules[0], nested)
    assert "redundant: rule 'n': adds nothing to rule 'w' (line 7)" in str(lint(policy)[1])


@settings(max_examples=60)
@given(st.lists(_rules("r"), max_size=6))
def test_the_pairs_are_all_that_cover(rules: list[Rule]) -> None:
    named = [attrs.evolve(one, id=f"r{number}") for number, one in enumerate(rules)]
    nested = nested_groups(_GROUPS)
    slow = {(wide.id, narrow.id) for wide, narrow in permutations(named, 2) if covers(wide, narrow, nested)}
    assert {(wide.id, narrow.id) for wide, narrow in covering_pairs(named, _GROUPS)} == slow


@settings(max_examples=60)
@given(_rules("wide"), _rules("narrow"), st.lists(_subjects, min_size=5, max_size=20))
def test_a_covering_rule_matches_wherever_the_other_does(wide: Rule, narrow: Rule, subjects: list[Any]) -> None:
    if not covers(wide, narrow, nested_groups(_GROUPS)):
        return
    wide, narrow = (attrs.evolve(one, mode="enforce", effect="hold") for one in (wide, narrow))
    snapshot = _snapshot((wide, narrow))
    for one in subjects:
        matched = snapshot.decide(one).matched
        assert "wide" in matched or "narrow" not in matched
