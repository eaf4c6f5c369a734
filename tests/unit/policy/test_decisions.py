"""Decisions: effects, modes, ends, directions, conditions."""

from datetime import UTC, datetime
from typing import Any

import pytest

from bridge.policy.snapshot import Snapshot
from tests.unit.policy.builders import NOON, Directory, lexicon, load, party, rule, subject

_SECRET = lexicon("secret", 'words = ["falcon"]')
_HITS = 'lexicon = ["secret"]'


def _effect(snapshot: Snapshot, *names: str, **more: Any) -> tuple[str, str]:
    decision = snapshot.decide(subject(*names, **more))
    return decision.effect, decision.deciding


def test_what_no_rule_allows_is_forbidden() -> None:
    decision = load("").decide(subject())
    assert (decision.effect, decision.deciding, decision.matched, decision.deciders) == (
        "forbid",
        "default-deny",
        (),
        (),
    )
    assert decision.reason == "no rule of the policy allows this"


@pytest.mark.parametrize(
    ("effects", "expected"),
    [
        (["allow"], "allow"),
        (["allow", "redact"], "redact"),
        (["allow", "redact", "hold"], "hold"),
        (["allow", "redact", "hold", "forbid"], "forbid"),
        (["hold"], "hold"),
        (["forbid"], "forbid"),
        (["redact"], "forbid"),
        (["redact", "hold"], "hold"),
    ],
)
def test_the_strongest_effect_decides_whatever_the_order(effects: list[str], expected: str) -> None:
    rules = [rule(f"r-{effect}", effect, *([_HITS] if effect == "redact" else [])) for effect in effects]
    for ordered in (rules, rules[::-1]):
        decision = load(_SECRET + "".join(ordered)).decide(subject(text="the falcon"))
        assert decision.effect == expected
        assert decision.deciding == ("default-deny" if effects == ["redact"] else f"r-{expected}")
        assert sorted(decision.matched) == sorted(f"r-{effect}" for effect in effects)


def test_the_first_of_equal_rules_decides_and_gives_its_reason() -> None:
    snapshot = load(rule("one", "forbid", 'reason = "because"') + rule("two", "forbid"))
    decision = snapshot.decide(subject())
    assert (decision.deciding, decision.deciders, decision.reason) == ("one", ("one", "two"), "because")


def test_default_reasons_tell_nothing_of_the_rule() -> None:
    snapshot = load(_SECRET + rule("falcon-watch", "hold", _HITS) + rule("all", "allow"))
    reason = snapshot.decide(subject(text="falcon")).reason
    assert reason
    assert "falcon" not in reason


def test_modes() -> None:
    rules = rule("open", "allow") + rule("s", "forbid", 'mode = "shadow"') + rule("n", "forbid", 'mode = "notify"')
    rules += rule("o", "forbid", 'mode = "off"') + rule("a", "allow", "alert = true")
    decision = load(rules).decide(subject())
    assert (decision.effect, decision.matched) == ("allow", ("open", "a"))
    assert (decision.would_have, decision.would_effect) == (("s",), "forbid")
    assert decision.notify == ("n", "a")


def test_a_shadow_rule_that_allows_opens_nothing() -> None:
    decision = load(rule("s", "allow", 'mode = "shadow"')).decide(subject())
    assert (decision.effect, decision.would_effect, decision.would_have) == ("forbid", "allow", ("s",))


@pytest.mark.parametrize(
    ("term", "holds"),
    [
        ("any", True),
        ("network:aim", True),
        ("NETWORK:aim", None),
        ("network:AIM", True),
        ("network:icq", False),
        ("contact:aim/Boogy", True),
        ("contact:icq/boogy", False),
        ("domain:corp.example", False),
        ("person:zed@corp.example", True),
        ("person:alice@corp.example", False),
        ("group:sales", True),
        ("group:nested", True),
        ("group:ldap", True),
        ("group:told", True),
        ("group:none", False),
    ],
)
def test_terms(term: str, holds: bool | None) -> None:
    groups = '[groups]\nsales = ["contact:aim/boogy"]\nnested = ["group:sales"]\nldap = ["ldap:cn=x"]\n'
    groups += "told = []\nnone = []\n"
    directory = Directory(x=frozenset({"Zed@corp.example"}))
    text = groups + rule("r", "allow", f'to = ["{term}"]')
    if holds is None:
        with pytest.raises(ValueError, match="unknown term"):
            load(text, groups=directory)
        return
    recipient = party("aim/boogy", person="zed@corp.example", groups=frozenset({"told", "undeclared"}))
    effect, _ = _effect(load(text, groups=directory), recipient=recipient)
    assert (effect == "allow") is holds


def test_addresses_are_compared_without_case() -> None:
    snapshot = load(
        '[groups]\ng = ["Alice@Corp.Example"]\n'
        + rule("r", "allow", 'from = ["group:g"]', 'to = ["domain:CORP.example"]')
    )
    assert _effect(snapshot, "ALICE@corp.EXAMPLE", "bob@CORP.EXAMPLE")[0] == "allow"


_ALICE, _BOB, _BOOGY = "alice@corp.example", "bob@corp.example", "aim/boogy"


@pytest.mark.parametrize(
    ("line", "out", "back", "inside"),
    [
        ("", True, False, False),
        ('direction = "both"', True, True, False),
        ('direction = "outbound"', True, False, False),
        ('direction = "inbound"', False, True, False),
    ],
)
def test_direction_between_a_colleague_and_a_contact(line: str, out: bool, back: bool, inside: bool) -> None:
    snapshot = load(rule("r", "allow", f'from = ["person:{_ALICE}"]', 'to = ["network:aim"]', line))
    assert (_effect(snapshot, _ALICE, _BOOGY)[0] == "allow") is out
    assert (_effect(snapshot, _BOOGY, _ALICE)[0] == "allow") is back
    assert (_effect(snapshot, _ALICE, _BOB)[0] == "allow") is inside


def test_inbound_may_be_written_from_the_sender_s_side_too() -> None:
    snapshot = load(rule("r", "allow", 'from = ["network:aim"]', f'to = ["person:{_ALICE}"]', 'direction = "inbound"'))
    assert _effect(snapshot, _BOOGY, _ALICE)[0] == "allow"
    assert _effect(snapshot, _ALICE, _BOOGY)[0] == "forbid"


@pytest.mark.parametrize(
    ("line", "holds"), [("", True), ('direction = "both"', True), ('direction = "outbound"', False)]
)
def test_internal_messages_have_no_outward_direction(line: str, holds: bool) -> None:
    snapshot = load(rule("r", "allow", 'from = ["domain:corp.example"]', 'to = ["domain:corp.example"]', line))
    assert (_effect(snapshot, _ALICE, _BOB)[0] == "allow") is holds


def test_between_holds_both_ways_and_not_within_an_end() -> None:
    text = '[groups]\nr = ["carol@corp.example", "erin@corp.example"]\ns = ["alice@corp.example"]\n'
    snapshot = load(text + rule("open", "allow") + rule("wall", "forbid", 'between = ["group:r", "group:s"]'))
    assert _effect(snapshot, "carol@corp.example", _ALICE) == ("forbid", "wall")
    assert _effect(snapshot, _ALICE, "carol@corp.example") == ("forbid", "wall")
    assert _effect(snapshot, "carol@corp.example", "erin@corp.example") == ("allow", "open")
    same = load(text + rule("open", "allow") + rule("wall", "forbid", 'between = ["group:r", "group:r"]'))
    assert _effect(same, "carol@corp.example", "erin@corp.example") == ("forbid", "wall")


def test_a_wall_holds_behind_a_screen_name() -> None:
    text = '[groups]\nr = ["carol@corp.example"]\ns = ["alice@corp.example"]\n'
    snapshot = load(text + rule("open", "allow") + rule("wall", "forbid", 'between = ["group:r", "group:s"]'))
    carol = party("aim/carol99", person="carol@corp.example")
    assert _effect(snapshot, sender=carol, recipient=party(_ALICE)) == ("forbid", "wall")


@pytest.mark.parametrize(
    ("line", "more", "holds"),
    [
        ('kinds = ["message", "typing"]', {"kind": "typing"}, True),
        ('kinds = ["message"]', {"kind": "presence"}, False),
        ('conversation = "internal"', {}, False),
        ('conversation = "external"', {}, True),
        ('assurance = ["directory", "bound"]', {"sender": party(_ALICE, assurance="bound")}, True),
        ('assurance = ["directory"]', {}, False),
        ('content_types = ["image/*"]', {"content_type": "Image/PNG; name=x"}, True),
        ('content_types = ["image/*"]', {"content_type": "text/image/"}, False),
        ('content_types = ["image/*"]', {}, False),
        ('file_names = ["*.exe", "*.js"]', {"file_name": "Setup.EXE"}, True),
        ('file_names = ["*.exe"]', {"file_name": "setup.e\u200bxe"}, True),
        ('file_names = ["*.exe"]', {"file_name": "exe\u202etxt.exe"}, True),
        ('file_names = ["*.exe"]', {"file_name": "setup.exe.txt"}, False),
        ('file_names = ["a?.(b"]', {"file_name": "ax.(b"}, True),
        ('file_names = ["*.exe"]', {}, False),
        ('user_agents = ["linphone/4.*"]', {"user_agent": "Linphone/4.5.1"}, True),
        ('user_agents = ["linphone/4.*"]', {"user_agent": "Linphone/5.0"}, False),
        ("larger_than = 10", {"size": 11}, True),
        ("larger_than = 10", {"size": 10}, False),
        ("larger_than = 10", {}, False),
        ("smaller_than = 10", {"size": 9}, True),
        ("smaller_than = 10", {"size": 10}, False),
        (_HITS, {"text": "a FALCON!"}, True),
        (_HITS, {"text": "a falconer"}, False),
        (_HITS, {"text": None}, False),
    ],
)
def test_conditions(line: str, more: dict[str, Any], holds: bool) -> None:
    effect, _ = _effect(load(_SECRET + rule("r", "allow", line)), **more)
    assert (effect == "allow") is holds


def test_what_is_not_in_the_language_is_refused() -> None:
    snapshot = load(rule("r", "allow"))
    for name in ("kind", "direction", "conversation"):
        with pytest.raises(ValueError, match="'nonsense'"):
            snapshot.decide(subject(**{name: "nonsense"}))
    with pytest.raises(ValueError, match="'nonsense'"):
        snapshot.decide(subject(sender=party(_ALICE, assurance="nonsense")))


def test_the_time_may_be_a_datetime_but_not_a_naive_one() -> None:
    snapshot = load(rule("r", "allow", 'hours = { from = "11:00", to = "12:00" }'))
    assert _effect(snapshot, at=datetime.fromtimestamp(NOON, UTC))[0] == "allow"
    with pytest.raises(ValueError, match="without a zone"):
        snapshot.decide(subject(at=datetime(2026, 1, 1)))  # noqa: DTZ001
    for at in (float("nan"), float("inf"), -1.0, 1e18):
        with pytest.raises(ValueError, match=r"calendar|NaN"):
            snapshot.decide(subject(at=at))


def test_the_same_pair_at_another_time_is_judged_anew() -> None:
    snapshot = load(rule("r", "allow", 'hours = { from = "11:00", to = "12:00" }'))
    assert [_effect(snapshot, at=NOON + shift)[0] for shift in (0, 3540, 3599.9, 3600, 0)] == [
        "allow", "allow", "allow", "forbid", "allow",
    ]  # fmt: skip


def test_parties_that_differ_in_one_thing_do_not_share_a_decision() -> None:
    text = "[groups]\ng = []\n" + rule("a", "allow", 'from = ["group:g"]') + rule("b", "allow", 'assurance = ["bound"]')
    snapshot = load(text + rule("c", "allow", f'from = ["person:{_BOB}"]'))
    assert _effect(snapshot, sender=party(_ALICE))[0] == "forbid"
    assert _effect(snapshot, sender=party(_ALICE, groups=frozenset({"g"}))) == ("allow", "a")
    assert _effect(snapshot, sender=party(_ALICE, assurance="bound")) == ("allow", "b")
    assert _effect(snapshot, sender=party(_ALICE, person=_BOB)) == ("allow", "c")
    assert _effect(snapshot, sender=party(_ALICE))[0] == "forbid"


def test_many_names_cost_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    import bridge.policy.index
    import bridge.policy.snapshot

    monkeypatch.setattr(bridge.policy.snapshot, "DECISION_LIMIT", 64)
    monkeypatch.setattr(bridge.policy.index, "PARTY_LIMIT", 64)
    snapshot = load(rule("r", "allow", 'from = ["network:aim"]'))
    for number in range(1_000):
        assert _effect(snapshot, f"aim/name{number}", _ALICE)[0] == "allow"
    long = "aim/" + "x" * 100_000
    assert _effect(snapshot, long, _ALICE)[0] == "allow"
    assert len(snapshot._decisions) <= 64
    assert len(snapshot._index._parties) <= 64
    assert not any(
        len(key[0]) > 1_000 for half in (snapshot._decisions._young, snapshot._decisions._old) for key in half
    )
