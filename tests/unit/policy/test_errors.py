"""Every mistake in a policy is told, with file, line, column, table and key, and all of them at once."""

from pathlib import Path

import pytest

from bridge.policy.errors import PolicyError
from bridge.policy.loader import Surroundings
from bridge.policy.loading import load_policy, load_text
from tests.unit.policy.builders import HEAD, Directory, around, load, problems

_RULE = '[[rule]]\nid = "r"\neffect = "allow"\n'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a = ", "p:1:5: not TOML: Invalid value"),
        ('x = [1\n"', "p:2:1: not TOML: Unclosed array"),
        ("", "p:1:1: the table [policy] is missing"),
        ("[policy]\n", "p:1:1: policy: version is missing"),
        ("[policy]\nversion = 3\n", "p:2:1: policy: version: must be a string, not a whole number"),
        ('policy = "x"\n', "p:1:1: policy: must be a table, not a string"),
        (HEAD + 'digest_clock = "Mars"', "p:3:1: policy: digest_clock: unknown time zone 'Mars'"),
        (HEAD + 'digest_clock = "../etc/passwd"', "p:3:1: policy: digest_clock: unknown time zone"),
        (HEAD + "colour = 1", "p:3:1: policy: colour: unknown key (known: digest_clock, version)"),
        (HEAD + '"co\\nlour" = 1', "p:3:1: policy: 'co\\nlour': unknown key"),
        (HEAD + "[extra]", "p:3:1: extra: unknown key (known: groups, lexicons, policy, rule, test)"),
        (HEAD + '[groups]\ng = "alice@corp.example"', "p:4:1: groups: g: must be an array, not a string"),
        (HEAD + '[groups]\ng = ["a@b",\n "alice"]', "p:5:2: groups: g: 'alice' is neither an address"),
        (HEAD + '[groups]\ng = ["group:h"]', "p:4:6: groups: g: unknown group 'h' (known: g)"),
        (HEAD + '[groups]\ng = ["group:h"]\nh = ["group:g"]', "p:4:1: groups: g: group 'g' contains itself"),
        (HEAD + '[groups]\ng = ["ldap:cn=x"]', "p:4:6: groups: g: 'ldap:cn=x' needs a directory"),
        (HEAD + "[lexicons.l]", "p:3:1: lexicons.l: needs words, words_file, patterns or validators"),
        (HEAD + '[lexicons.l]\nwords = ["a", "\\u200b"]', "p:4:15: lexicons.l: words: '\\u200b' holds nothing"),
        (HEAD + f'[lexicons.l]\nwords = ["{"a" * 300}"]', "has 300 characters, the limit is 256"),
        (
            HEAD + "[lexicons.l]\npatterns = ['a', '(b']",
            "p:4:18: lexicons.l: patterns: pattern '(b' is refused: missing )",
        ),
        (HEAD + "[lexicons.l]\npatterns = ['(?=b)']", "is refused: invalid perl operator"),
        (HEAD + "[lexicons.l]\npatterns = ['b*']", "is refused: matches the empty text"),
        (HEAD + "[lexicons.l]\npatterns = ['(?:a{1,1000}){1,1000}']", "is refused: invalid repetition size"),
        (HEAD + "[lexicons.l]\npatterns = ['a.{1000}']", "is refused: "),
        (
            HEAD + "[lexicons.l]\npatterns = ['[ab]{900}']",
            "is refused: its repetitions make 895 steps, the limit is 600",
        ),
        (HEAD + '[lexicons.l]\nvalidators = ["visa"]', "p:4:15: lexicons.l: validators: unknown validator 'visa'"),
        (
            HEAD + '[lexicons.l]\nwords = ["a"]\nwhole_words = 1',
            "p:5:1: lexicons.l: whole_words: must be true or false",
        ),
        (HEAD + "rule = 3", "p:3:1: policy: rule: unknown key"),
        (HEAD + '[[rule]]\neffect = "allow"', "p:3:1: rule 1: id is missing"),
        (HEAD + '[[rule]]\nid = "r"', "p:3:1: rule 'r': effect is missing"),
        (HEAD + '[[rule]]\nid = "r"\neffect = "alow"', "p:5:1: rule 'r': effect: unknown value 'alow' (one of: allow,"),
        (HEAD + '[[rule]]\nid = "a b"\neffect = "allow"', "p:4:1: rule 'a b': id: is not a name"),
        (HEAD + '[[rule]]\nid = "default-deny"\neffect = "allow"', "p:4:1: rule 'default-deny': id: is not a name"),
        (HEAD + _RULE + _RULE, "p:7:1: rule 'r': id: is the id of the rule on line 3 already"),
        (
            HEAD + _RULE + 'mode = "on"',
            "p:6:1: rule 'r': mode: unknown value 'on' (one of: off, shadow, notify, enforce)",
        ),
        (HEAD + _RULE + 'from = ["group:g"]', "p:6:9: rule 'r': from: unknown group 'g' (none is defined)"),
        (
            HEAD + _RULE + 'to = ["any",\n\n "network:msn"]',
            "p:8:2: rule 'r': to: unknown network 'msn' (known: aim, icq)",
        ),
        (HEAD + _RULE + 'to = ["contact:msn/x"]', "p:6:7: rule 'r': to: unknown network 'msn' (known: aim, icq)"),
        (HEAD + _RULE + 'to = ["contact:aim"]', "p:6:7: rule 'r': to: contact 'aim' is not network/name"),
        (HEAD + _RULE + 'to = ["domain:a@b"]', "p:6:7: rule 'r': to: 'a@b' is not a domain"),
        (HEAD + _RULE + 'to = ["team:x"]', "p:6:7: rule 'r': to: unknown term 'team:x' (any, or one of network:,"),
        (HEAD + _RULE + 'to = ["person:"]', "p:6:7: rule 'r': to: term 'person:' names nothing"),
        (HEAD + _RULE + "to = []", "p:6:1: rule 'r': to: is empty; leave it out to set no restriction"),
        (HEAD + _RULE + 'to = ["any", "any"]', "p:6:14: rule 'r': to: 'any' is told twice"),
        (HEAD + _RULE + "to = [1]", "p:6:7: rule 'r': to: element 1 must be a string, not a whole number"),
        (HEAD + _RULE + 'between = ["any"]', "p:6:1: rule 'r': between: needs two ends, has 1"),
        (
            HEAD + _RULE + 'between = ["any", "network:aim"]\nto = ["any"]',
            "p:7:1: rule 'r': to: cannot stand beside between",
        ),
        (
            HEAD + _RULE + 'direction = "in"',
            "p:6:1: rule 'r': direction: unknown value 'in' (one of: outbound, inbound, both)",
        ),
        (HEAD + _RULE + 'kinds = ["massage"]', "p:6:10: rule 'r': kinds: unknown value 'massage' (one of: message,"),
        (HEAD + _RULE + 'conversation = "x"', "p:6:1: rule 'r': conversation: unknown value 'x'"),
        (HEAD + _RULE + 'assurance = ["x"]', "p:6:14: rule 'r': assurance: unknown value 'x'"),
        (HEAD + _RULE + 'hours = "always"', "p:6:1: rule 'r': hours: must be an array, not a string"),
        (HEAD + _RULE + 'hours = { days = "mon-fry" }', "p:6:11: rule 'r'.hours: days: 'mon-fry' is neither a day nor"),
        (HEAD + _RULE + 'hours = { from = "8:00" }', "p:6:11: rule 'r'.hours: from: '8:00' is not a time of day"),
        (HEAD + _RULE + 'hours = { to = "24:01" }', "p:6:11: rule 'r'.hours: to: '24:01' is not a time of day"),
        (
            HEAD + _RULE + 'hours = { from = "08:00", to = "08:00" }',
            "p:6:11: rule 'r'.hours: from: begins where it ends",
        ),
        (HEAD + _RULE + 'hours = { zone = "Mars" }', "p:6:11: rule 'r'.hours: zone: unknown time zone 'Mars'"),
        (
            HEAD + _RULE + 'hours = { day = "mon" }',
            "p:6:11: rule 'r'.hours: day: unknown key (known: days, from, to, zone)",
        ),
        (HEAD + _RULE + "hours = []", "p:6:1: rule 'r': hours: is empty"),
        (HEAD + _RULE + "larger_than = -1", "p:6:1: rule 'r': larger_than: must not be negative, is -1"),
        (
            HEAD + _RULE + "larger_than = true",
            "p:6:1: rule 'r': larger_than: must be a whole number, not true or false",
        ),
        (HEAD + _RULE + 'lexicon = ["l"]', "p:6:12: rule 'r': lexicon: unknown lexicon 'l' (none is defined)"),
        (HEAD + _RULE + 'mark = "x"', "p:6:1: rule 'r': mark: is for rules with the effect redact alone"),
        (HEAD + '[[rule]]\nid = "r"\neffect = "redact"', "p:5:1: rule 'r': effect: redact needs a lexicon"),
        (HEAD + "[[test]]", "p:3:1: test 1: from is missing"),
        (HEAD + '[[test]]\nfrom = "x"', "p:4:1: test 1: from: 'x' is neither an address"),
        (HEAD + '[[test]]\nexpect = "yes"', "p:4:1: test 1: expect: unknown value 'yes'"),
        (HEAD + '[[test]]\nrule = "r"', "p:4:1: test 1: rule: unknown rule 'r' (none is defined)"),
        (HEAD + '[[test]]\nat = "noon"', "p:4:1: test 1: at: 'noon' is not a time of ISO 8601"),
        (HEAD + "[[test]]\nat = 2026-01-01T00:00:00", "p:4:1: test 1: at: needs an offset from UTC"),
        (HEAD + "[[test]]\nat = 3", "p:4:1: test 1: at: must be a time, not a whole number"),
        (HEAD + _RULE + "hours = {}\n[[test]]", "p:7:1: test 1: at is missing, and rules with hours depend on it"),
    ],
)
def test_a_mistake_is_told_with_its_place(text: str, expected: str) -> None:
    found = problems(text)
    assert any(expected in line for line in found), found
    assert all("\n" not in line for line in found)


def test_all_mistakes_are_told_in_the_order_of_the_file() -> None:
    text = HEAD + '[[rule]]\nid = "r"\neffect = "no"\nkinds = ["x"]\n[groups]\ng = ["h"]\n[[test]]\nexpect = "?"\n'
    with pytest.raises(PolicyError) as caught:
        load_text(text, file="p", surroundings=around())
    lines = [problem.line for problem in caught.value.problems]
    assert lines == sorted(lines)
    assert {5, 6, 8, 9, 10} <= set(lines)
    assert str(caught.value).count("\n") == len(lines) - 1


def test_a_deeply_nested_file_is_refused() -> None:
    assert problems("a=" + "[" * 100_000) == ["p: not a policy: nested too deeply"]


def test_a_directory_group_that_is_not_there() -> None:
    found = problems(HEAD + '[groups]\ng = ["ldap:cn=x"]', groups=Directory(y=frozenset()))
    assert found == ["p:4:6: groups: g: the directory knows no group 'ldap:cn=x'"]


def test_all_patterns_together_must_stay_cheap() -> None:
    patterns = ", ".join(f"'x{number}[ab]{{500}}'" for number in range(5))
    found = problems(HEAD + f"[lexicons.l]\npatterns = [{patterns}]")
    assert len(found) == 1
    assert "repetitions of all patterns" in found[0]


def test_a_mark_that_its_own_lexicon_finds_is_refused() -> None:
    text = HEAD + '[lexicons.l]\nwords = ["redacted"]\n[[rule]]\nid = "r"\neffect = "redact"\nlexicon = ["l"]\n'
    assert problems(text) == ["p:5:1: rule 'r': mark: the mark '[redacted]' is itself found by the lexicon"]
    assert problems(text + 'mark = "***"\n') == []


def test_a_failing_test_fails_the_load_and_is_named() -> None:
    text = (
        HEAD
        + _RULE
        + 'to = ["network:aim"]\n[[test]]\nfrom = "a@corp.example"\nto = "b@corp.example"\nexpect = "allow"\n'
    )
    assert problems(text) == [
        "p:7:1: test 1: expect: a@corp.example to b@corp.example: expected allow, got forbid by 'default-deny'"
    ]


def test_a_test_that_names_the_wrong_rule_fails() -> None:
    other = '[[rule]]\nid = "s"\neffect = "allow"\nto = ["network:icq"]\n'
    test = '[[test]]\nfrom = "a@corp.example"\nto = "aim/b"\nexpect = "allow"\nrule = "s"\n'
    assert problems(HEAD + _RULE + other + test) == [
        "p:10:1: test 1: rule: a@corp.example to aim/b: expected allow by rule 's', got allow by 'r'"
    ]
    both = other.replace("icq", "aim")
    assert problems(HEAD + _RULE + both + test) == []


def test_word_files_stand_beside_the_policy(tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("# ours\n\nproject falcon\n  heron  \n", encoding="utf-8")
    policy = tmp_path / "policy.toml"
    policy.write_text(HEAD + '[lexicons.l]\nwords = ["owl"]\nwords_file = "words.txt"\n', encoding="utf-8")
    assert load_policy(policy).policy.lexicons[0].words == ("owl", "project falcon", "heron")
    (tmp_path / "words.txt").write_bytes(b"ok\n\xff\n")
    with pytest.raises(
        PolicyError, match=r"policy.toml:5:1: lexicons.l: words_file: .*words.txt: is not UTF-8 at byte 3"
    ):
        load_policy(policy)
    (tmp_path / "words.txt").write_text("ok\n" + "x" * 300, encoding="utf-8")
    with pytest.raises(PolicyError, match=r"words.txt:2: 'x+' has 300 characters"):
        load_policy(policy)
    (tmp_path / "words.txt").unlink()
    with pytest.raises(PolicyError, match=r"words.txt: cannot be read: No such file"):
        load_policy(policy)


def test_a_policy_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match=r"none.toml: policy cannot be read: No such file or directory"):
        load_policy(tmp_path / "none.toml")
    with pytest.raises(PolicyError, match="Is a directory"):
        load_policy(tmp_path)


def test_windows_line_ends_keep_their_lines() -> None:
    assert problems((HEAD + "[groups]\ng = 3\n").replace("\n", "\r\n")) == [
        "p:4:1: groups: g: must be an array, not a whole number"
    ]


def test_a_reload_that_fails_leaves_the_snapshot_in_force_alone() -> None:
    snapshot = load(_RULE)
    digest = snapshot.digest
    with pytest.raises(PolicyError):
        load_text("[policy]", surroundings=Surroundings())
    assert snapshot.digest == digest
