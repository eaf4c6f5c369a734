"""Digests and differences."""

import hashlib
from pathlib import Path

from bridge.policy.differences import Change, difference
from bridge.policy.loading import load_policy
from tests.unit.policy.builders import HEAD, Directory, lexicon, load, rule

_A, _B = rule("a", "allow", 'to = ["network:aim"]'), rule("b", "forbid", 'kinds = ["message", "typing"]')


def _changes(before: str, after: str) -> list[tuple[str, str, str]]:
    found = difference(load(before).policy, load(after).policy)
    assert (found.old_digest == found.new_digest) == (not found.changes)
    return [(change.kind, change.what, change.name) for change in found.changes]


def _only(before: str, after: str) -> Change:
    (change,) = difference(load(before).policy, load(after).policy).changes
    return change


def test_layout_comments_and_the_order_in_a_set_do_not_change_the_digest() -> None:
    other = (
        HEAD
        + "\n# why\n"
        + _A.replace("effect", "\n\neffect")
        + _B.replace('["message", "typing"]', '["typing", "message"]')
    )
    assert load(HEAD + _A + _B).digest == load(other).digest
    assert _changes(HEAD + _A + _B, other) == []


def test_what_changes_is_told() -> None:
    assert _changes(_A, _A + _B) == [("added", "rule", "b")]
    assert _changes(_A + _B, _B) == [("removed", "rule", "a")]
    assert _changes(_A + _B, _B + _A) == [("moved", "rule", "b"), ("moved", "rule", "a")]
    assert _changes(HEAD + _A, HEAD.replace("1", "2") + _A) == [("changed", "policy", "policy")]
    assert _changes("[groups]\ng = []\n", "") == [("removed", "group", "g")]
    test = '[[test]]\nfrom = "a@corp.example"\nto = "aim/b"\nexpect = "allow"\n'
    assert _changes(_A, _A + test) == [("changed", "test", "test")]


def test_keys_are_told_with_both_values() -> None:
    change = _only(_A, _A.replace("allow", "hold") + 'reason = "x"')
    assert {(key.key, key.old, key.new) for key in change.keys} == {("effect", "allow", "hold"), ("reason", "", "x")}
    words = _only(lexicon("w", 'words = ["a", "b"]'), lexicon("w", 'words = ["b", "c"]'))
    assert [(key.key, key.added, key.removed) for key in words.keys] == [("words", ("c",), ("a",))]


def test_word_files_count_for_the_digest(tmp_path: Path) -> None:
    policy, words = tmp_path / "p.toml", tmp_path / "w.txt"
    policy.write_text(HEAD + '[lexicons.l]\nwords_file = "w.txt"\n')
    words.write_text("one\n")
    before = load_policy(policy)
    words.write_text("# the same\none\n\n")
    assert load_policy(policy).digest == before.digest
    words.write_text("one\ntwo\n")
    assert load_policy(policy).digest != before.digest


def test_members_of_the_directory_have_a_digest_of_their_own() -> None:
    text = '[groups]\ng = ["ldap:cn=x"]\n'
    one = load(text, groups=Directory(x=frozenset({"a@b", "c@d"})))
    two = load(text, groups=Directory(x=frozenset({"a@b"})))
    assert one.digest == two.digest
    assert one.members_digest != two.members_digest
    found = difference(one.policy, two.policy)
    assert [(change.what, change.keys[0].removed) for change in found.changes] == [("group", ("c@d",))]


def test_the_digest_is_known() -> None:
    # Canonical JSON by hand: a change of the form would change every digest in every log.
    digest = load(rule("a", "allow")).digest
    document = (
        '{"digest_clock":"UTC","examples":[],"groups":[],"lexicons":[],'
        '"rules":[{"alert":false,"effect":"allow","id":"a","mark":"[redacted]","mode":"enforce","reason":""}],'
        '"version":"1"}'
    )
    assert digest == hashlib.sha256(document.encode()).hexdigest()
