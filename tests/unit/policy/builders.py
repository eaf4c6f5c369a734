"""Policies and subjects for tests, short to write."""

from datetime import datetime
from typing import Any

import attrs

from bridge.policy.errors import PolicyError
from bridge.policy.loader import Surroundings
from bridge.policy.loading import load_text
from bridge.policy.snapshot import Snapshot
from bridge.policy.values import GroupSource, Party, Subject, direction_between

NETWORKS = frozenset({"aim", "icq"})
DOMAINS = frozenset({"corp.example"})
HEAD = '[policy]\nversion = "1"\n'
NOON = datetime.fromisoformat("2026-11-23T12:00:00+01:00").timestamp()


class Directory:
    """A directory of fixed groups."""

    def __init__(self, **groups: frozenset[str]) -> None:
        self.groups = groups

    def members(self, reference: str) -> frozenset[str] | None:
        return self.groups.get(reference.removeprefix("ldap:cn="))


def around(groups: GroupSource | None = None) -> Surroundings:
    return Surroundings(networks=NETWORKS, domains=DOMAINS, groups=groups)


def load(text: str, *, groups: GroupSource | None = None) -> Snapshot:
    """A policy whose head is added where ``text`` has none."""
    return load_text(text if "[policy]" in text else HEAD + text, surroundings=around(groups))


def problems(text: str, *, groups: GroupSource | None = None) -> list[str]:
    """What is wrong with ``text``, as line:column: table: key: message."""
    try:
        load_text(text, file="p", surroundings=around(groups))
    except PolicyError as error:
        return [str(problem) for problem in error.problems]
    return []


def party(text: str, **more: Any) -> Party:
    return attrs.evolve(Party.parse(text, networks=NETWORKS), **more)


def subject(sender: str | Party = "alice@corp.example", recipient: str | Party = "aim/boogy", **more: Any) -> Subject:
    """A message at noon on a Monday; the direction follows from the parties unless told."""
    sender, recipient = (party(end) if isinstance(end, str) else end for end in (sender, recipient))
    direction = direction_between(sender, recipient, DOMAINS)
    given: dict[str, Any] = {
        "kind": "message",
        "direction": direction,
        "sender": sender,
        "recipient": recipient,
        "at": NOON,
        "text": "hello",
        "conversation": "internal" if direction == "internal" else "external",
    }
    return Subject(**{**given, **more})


def rule(name: str, effect: str, *lines: str) -> str:
    return "\n".join(["[[rule]]", f'id = "{name}"', f'effect = "{effect}"', *lines, ""])


def lexicon(name: str, *lines: str) -> str:
    return "\n".join([f"[lexicons.{name}]", *lines, ""])
