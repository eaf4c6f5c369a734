"""The fingerprint of a policy: what the log keeps with each decision."""

import hashlib
import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import attrs

from bridge.policy.language import Group, Policy


def plain(value: Any) -> Any:
    """A value of the language as JSON knows it: sets sorted, absent conditions left out, lines of the file too."""
    if attrs.has(type(value)):
        fields = ((field.name, getattr(value, field.name)) for field in attrs.fields(type(value)))
        return {name: plain(item) for name, item in fields if item is not None and name != "line"}
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    if isinstance(value, datetime):
        return value.isoformat()
    return value


def canonical(policy: Policy) -> bytes:
    """Canonical JSON (RFC 8785; all keys are ASCII, all numbers whole) of all that the file and its word files say.

    Comments, layout and line numbers do not count; the order of rules does, for it picks the deciding one of equals.
    Members of directory groups are not in it (see ``members_digest``).
    """
    document = plain(policy)
    for group in document["groups"]:
        del group["members"]
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode(
        "utf-8", "surrogatepass"
    )


def policy_digest(policy: Policy) -> str:
    """SHA-256 of the canonical form, in hexadecimal."""
    return hashlib.sha256(canonical(policy)).hexdigest()


def members_digest(groups: Iterable[Group]) -> str:
    """SHA-256 over the resolved members of all groups, in hexadecimal: with the policy's digest it fixes a replay."""
    document = {group.name: sorted(group.members) for group in groups}
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
