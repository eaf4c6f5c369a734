"""``[[sip.quirks]]``: rows for the table of what clients do (`transports.sip.machine.quirks`)."""

from __future__ import annotations

import re
from collections.abc import Iterable

from attrs import field, frozen

from bridge.app.values import DIGESTS
from transports.sip.machine.abilities import LEARNABLE
from transports.sip.machine.config import ChallengeRule
from transports.sip.machine.quirks import BUILT_IN, Quirk, Quirks


@frozen(kw_only=True)
class QuirkSection:
    """``[[sip.quirks]]``: what a kind of client does; one with the name of a built-in row takes its place."""

    name: str
    """Built in are linphone, baresip, pjsip, browser, jitsi, libpurple, blink and desk-phone."""
    user_agent: str
    """A regular expression that is searched in User-Agent; ``^`` for its beginning."""
    reason: str
    """Why the row is there: what the clients do, and where it was seen."""
    takes: tuple[str, ...] = ()
    """Media types of MESSAGE that they take though they do not say so."""
    refuses: tuple[str, ...] = ()
    """Media types that they refuse or show as they are: what is sent is plain then, and typing is dropped."""
    max_message: int = field(default=0)
    """The most bytes of a MESSAGE that they read; 0: no limit is known."""
    one_at_a_time: bool = False
    """Over a connection they get the next message when the last one was seen."""
    challenges: tuple[str, ...] = ()
    """Digest algorithms that they can do; of these the ones in digest_algorithms are offered, in this order."""
    event_in_capitals: bool = False
    """NOTIFYs of a list say ``Event: Presence``."""

    def __attrs_post_init__(self) -> None:
        if not self.name or not self.reason.strip():
            raise ValueError("a row has a name, and a reason to be there")
        self._pattern()
        for media in (*self.takes, *self.refuses):
            if media not in LEARNABLE:
                raise ValueError(f"{media[:80]!a} is not one of {', '.join(sorted(LEARNABLE))}")
        for algorithm in self.challenges:
            if algorithm not in DIGESTS:
                raise ValueError(f"{algorithm[:80]!a} is not one of {', '.join(DIGESTS)}")
        if self.max_message and self.max_message < 1300:
            raise ValueError("max_message must be 1300 at least: that much every client reads")

    def _pattern(self) -> re.Pattern[str]:
        try:
            return re.compile(self.user_agent)
        except (re.error, OverflowError, RecursionError) as error:
            raise ValueError(f"user_agent is no regular expression: {error}") from error

    def row(self) -> Quirk:
        """Returns the row."""
        return Quirk(
            name=self.name,
            user_agent=self._pattern(),
            reason=self.reason,
            takes=frozenset(self.takes),
            refuses=frozenset(self.refuses),
            max_message=self.max_message or None,
            one_at_a_time=self.one_at_a_time,
            challenges=self.challenges,
            event_in_capitals=self.event_in_capitals,
        )


def quirks_of(sections: Iterable[QuirkSection]) -> Quirks:
    """Returns the table in force: the built-in rows, and those of the configuration."""
    return Quirks((*BUILT_IN, *(section.row() for section in sections)))


def challenge_rules(algorithms: tuple[str, ...], quirks: Quirks) -> tuple[ChallengeRule, ...]:
    """Returns what to challenge whom with: of the configured algorithms those that a client can do.

    A client that can do none of them gets them all: what an owner does not allow is not offered to anybody, whatever
    name it gives itself.
    """
    rules = []
    for row in quirks.rows:
        fitting = tuple(name for name in row.challenges if name in algorithms)
        if fitting and fitting != algorithms:
            rules.append(ChallengeRule(algorithms=fitting, user_agent=row.user_agent))
    return (*rules, ChallengeRule(algorithms=algorithms))
