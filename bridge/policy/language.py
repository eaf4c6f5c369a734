"""The policy as its author wrote it, typed and checked. Values alone; bridge.policy.snapshot compiles them."""

from datetime import datetime
from typing import Literal

import attrs

from bridge.policy.values import Assurance, Conversation, Direction, Effect, Kind, Mode

RuleDirection = Literal["outbound", "inbound", "both"]
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DEFAULT_MARK = "[redacted]"


@attrs.frozen(kw_only=True)
class Hours:
    """When a rule holds: on ``days`` (0 is Monday) from ``begin`` up to but without ``end``, by the clock of ``zone``.

    Minutes of the day. ``end`` at or below ``begin`` is on the next day; the day is that on which the stretch begins.
    """

    days: frozenset[int]
    begin: int
    end: int
    zone: str


@attrs.frozen(kw_only=True)
class Lexicon:
    """Words, RE2 patterns and validators under one name. ``words`` includes those of ``words_file``."""

    name: str
    words: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    validators: tuple[str, ...] = ()
    whole_words: bool = True
    line: int = 0


@attrs.frozen(kw_only=True)
class Group:
    """A named set. ``entries`` as written; ``members`` resolved: addresses, person ids and ``network/name``."""

    name: str
    entries: tuple[str, ...]
    members: frozenset[str]
    line: int = 0


@attrs.frozen(kw_only=True)
class Rule:
    """One rule. A condition that is None does not restrict. ``between`` excludes ``senders`` and ``recipients``."""

    id: str
    effect: Effect
    mode: Mode = "enforce"
    senders: tuple[str, ...] | None = None
    recipients: tuple[str, ...] | None = None
    between: tuple[str, str] | None = None
    direction: RuleDirection | None = None
    kinds: frozenset[Kind] | None = None
    conversation: Conversation | None = None
    assurance: frozenset[Assurance] | None = None
    hours: tuple[Hours, ...] | None = None
    content_types: tuple[str, ...] | None = None
    file_names: tuple[str, ...] | None = None
    user_agents: tuple[str, ...] | None = None
    larger_than: int | None = None
    smaller_than: int | None = None
    lexicon: tuple[str, ...] | None = None
    reason: str = ""
    mark: str = DEFAULT_MARK
    alert: bool = False
    polite: bool | None = None
    line: int = 0

    @property
    def ends(self) -> tuple[tuple[str, ...], tuple[str, ...], bool]:
        """The terms of both ends, and whether they may be the other way round too."""
        if self.between is not None:
            return (self.between[0],), (self.between[1],), True
        return self.senders or ("any",), self.recipients or ("any",), self.direction is not None


@attrs.frozen(kw_only=True)
class Example:
    """A ``[[test]]`` of the file: this subject must get this decision."""

    sender: str
    recipient: str
    expect: Effect
    rule: str | None = None
    kind: Kind = "message"
    text: str | None = None
    at: datetime | None = None
    direction: Direction | None = None
    conversation: Conversation | None = None
    content_type: str | None = None
    size: int | None = None
    user_agent: str | None = None
    file_name: str | None = None
    sender_person: str | None = None
    recipient_person: str | None = None
    assurance: Assurance = "authenticated"
    line: int = 0


@attrs.frozen(kw_only=True)
class Policy:
    """A whole policy."""

    version: str
    digest_clock: str
    groups: tuple[Group, ...]
    lexicons: tuple[Lexicon, ...]
    rules: tuple[Rule, ...]
    examples: tuple[Example, ...]


def clock(minutes: int) -> str:
    """Minutes of the day as HH:MM."""
    return f"{minutes // 60:02}:{minutes % 60:02}"
