"""What changed between two policies: for the two persons who sign a change, and for the log that keeps it."""

from collections.abc import Mapping
from typing import Any, Literal

import attrs

from bridge.policy.digest import plain, policy_digest
from bridge.policy.language import Policy

ChangeKind = Literal["added", "removed", "changed", "moved"]
_SECTIONS = (("group", "groups", "name"), ("lexicon", "lexicons", "name"), ("rule", "rules", "id"))


@attrs.frozen(kw_only=True)
class KeyChange:
    """A key with its values before and after, as JSON knows them; None where it is not set.

    For arrays ``added`` and ``removed`` tell the elements; a change of order alone leaves both empty.
    """

    key: str
    old: Any
    new: Any
    added: tuple[Any, ...] = ()
    removed: tuple[Any, ...] = ()


@attrs.frozen(kw_only=True)
class Change:
    """One thing that changed: ``what`` (rule, group, lexicon, test or policy), its name and the keys in question."""

    kind: ChangeKind
    what: str
    name: str
    keys: tuple[KeyChange, ...] = ()


@attrs.frozen(kw_only=True)
class Difference:
    """Two digests and what lies between them. Equal digests have no changes but in members of directory groups."""

    old_digest: str
    new_digest: str
    changes: tuple[Change, ...]


def difference(old: Policy, new: Policy) -> Difference:
    """The changes from ``old`` to ``new``."""
    changes: list[Change] = []
    before, after = plain(old), plain(new)
    head = [
        _key_change(key, before[key], after[key]) for key in ("version", "digest_clock") if before[key] != after[key]
    ]
    if head:
        changes.append(Change(kind="changed", what="policy", name="policy", keys=tuple(head)))
    for what, section, key in _SECTIONS:
        changes += _section(what, _by(before[section], key), _by(after[section], key))
    if before["examples"] != after["examples"]:
        keys = (_key_change("test", before["examples"], after["examples"]),)
        changes.append(Change(kind="changed", what="test", name="test", keys=keys))
    return Difference(old_digest=policy_digest(old), new_digest=policy_digest(new), changes=tuple(changes))


def _by(items: list[dict[str, Any]], key: str) -> dict[str, dict[str, Any]]:
    return {item[key]: item for item in items}


def _section(what: str, before: Mapping[str, dict[str, Any]], after: Mapping[str, dict[str, Any]]) -> list[Change]:
    changes = [
        Change(kind="removed", what=what, name=name, keys=_key_changes(item, {}))
        for name, item in before.items()
        if name not in after
    ]
    for name, item in after.items():
        if name not in before:
            changes.append(Change(kind="added", what=what, name=name, keys=_key_changes({}, item)))
        elif before[name] != item:
            changes.append(Change(kind="changed", what=what, name=name, keys=_key_changes(before[name], item)))
    kept = [name for name in before if name in after]
    if what == "rule":  # only among rules does the order matter: it picks the deciding one of equals
        places = [name for name in after if name in before]
        changes += [
            Change(kind="moved", what=what, name=new) for old, new in zip(kept, places, strict=True) if old != new
        ]
    return changes


def _key_changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[KeyChange, ...]:
    keys = dict.fromkeys([*before, *after])
    return tuple(_key_change(key, before.get(key), after.get(key)) for key in keys if before.get(key) != after.get(key))


def _key_change(key: str, old: Any, new: Any) -> KeyChange:
    if not (isinstance(old, list | None) and isinstance(new, list | None)):
        return KeyChange(key=key, old=old, new=new)
    before, after = old or [], new or []
    seen_before, seen_after = {repr(item) for item in before}, {repr(item) for item in after}
    return KeyChange(
        key=key,
        old=old,
        new=new,
        added=tuple(item for item in after if repr(item) not in seen_before),
        removed=tuple(item for item in before if repr(item) not in seen_after),
    )
