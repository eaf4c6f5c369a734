"""What clients do that no RFC says, as data: one row for each, known by its User-Agent.

Rows hold for what is not known better: what a device itself says or does comes first (see `abilities`). A configuration
may add rows, and replace one by giving its name (``[[sip.quirks]]``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from attrs import frozen

from transports.sip.wire.cpim import CONTENT_TYPE as CPIM
from transports.sip.wire.imdn import CONTENT_TYPE as IMDN
from transports.sip.wire.iscomposing import CONTENT_TYPE as TYPING
from transports.sip.wire.memo import Memo

HTML: Final = "text/html"
_NOTHING: Final[frozenset[str]] = frozenset()


@frozen(kw_only=True)
class Quirk:
    """A row.

    Attributes:
        name: tells it from the others.
        user_agent: found in the User-Agent of its clients.
        reason: what they do, and where it was seen.
        takes: media types of MESSAGE that they take though they do not say so.
        refuses: those that they refuse, or show as they are.
        max_message: the most bytes of a MESSAGE that they read, over whatever transport; None: no limit is known.
        one_at_a_time: over a connection they get a message when the last one was seen (see `pacing`).
        challenges: the Digest algorithms that they can do; empty: those that are configured.
        event_in_capitals: the NOTIFYs of a list say ``Event: Presence``.
    """

    name: str
    user_agent: re.Pattern[str]
    reason: str
    takes: frozenset[str] = _NOTHING
    refuses: frozenset[str] = _NOTHING
    max_message: int | None = None
    one_at_a_time: bool = False
    challenges: tuple[str, ...] = ()
    event_in_capitals: bool = False


BUILT_IN: Final = (
    Quirk(
        name="linphone",
        user_agent=re.compile(r"^Linphone"),
        reason="linphone 5.1 on the wire: CPIM and IMDN are taken though its Accept does not list them, HTML is "
        "answered with 415, and of the NOTIFYs of a list only those of the event Presence are read",
        takes=frozenset({CPIM, IMDN, TYPING}),
        refuses=frozenset({HTML}),
        event_in_capitals=True,
    ),
    Quirk(
        name="baresip",
        user_agent=re.compile(r"^baresip"),
        reason="baresip 1.0 on the wire: 415 with Accept: text/plain to all else; two challenges in either order, or "
        "SHA-256 alone, and it does not sign on",
        refuses=frozenset({HTML, CPIM, IMDN, TYPING}),
        challenges=("MD5",),
    ),
    Quirk(
        name="pjsip",
        user_agent=re.compile(r"^MicroSIP|\bpjsip\b|^PJSUA", re.IGNORECASE),
        reason="MicroSIP and others on pjsip: CPIM is never read, and a packet of more than 4000 bytes is thrown away",
        takes=frozenset({TYPING}),
        refuses=frozenset({HTML, CPIM, IMDN}),
        max_message=4000,
    ),
    Quirk(
        name="browser",
        user_agent=re.compile(r"^JsSIP|^SIP\.?js", re.IGNORECASE),
        reason="JsSIP and SIP.js: bodies go to the page as they are, which shows them as text; of the challenges the "
        "first alone is read, and it must be MD5",
        refuses=frozenset({HTML, CPIM, IMDN}),
        challenges=("MD5",),
    ),
    Quirk(
        name="jitsi",
        user_agent=re.compile(r"^Jitsi"),
        reason="Jitsi: text and typing, no CPIM",
        takes=frozenset({TYPING}),
        refuses=frozenset({CPIM, IMDN}),
    ),
    Quirk(
        name="libpurple",
        user_agent=re.compile(r"^Purple/"),
        reason="libpurple 2.14 on the wire: text, HTML and typing, 415 to all else; one message is taken out of what a "
        "connection has read, and the rest left until more comes",
        takes=frozenset({HTML, TYPING}),
        refuses=frozenset({CPIM, IMDN}),
        one_at_a_time=True,
    ),
    Quirk(
        name="blink",
        user_agent=re.compile(r"^Blink"),
        reason="Blink: CPIM with IMDN",
        takes=frozenset({CPIM, IMDN, HTML, TYPING}),
    ),
    Quirk(
        name="desk-phone",
        user_agent=re.compile(r"^(?:snom|Yealink|Grandstream|Polycom|PolyVVX|Cisco|Mitel|Fanvil|Htek)", re.IGNORECASE),
        reason="Desk phones: often no messages at all, and those that show some show the octets as they are",
        refuses=frozenset({HTML, CPIM, IMDN, TYPING}),
    ),
)

NONE: Final = Quirk(name="none", user_agent=re.compile(r"(?!)"), reason="a client of which nothing is known")


class Quirks:
    """The rows in force, and what they come to for a User-Agent.

    Args:
        rows: in order; one with the name of an earlier row takes its place.
    """

    def __init__(self, rows: Iterable[Quirk] = BUILT_IN) -> None:
        by_name: dict[str, Quirk] = {}
        for row in rows:
            by_name[row.name] = row
        self.rows = tuple(by_name.values())
        self._of: Memo[Quirk] = Memo()

    def of(self, user_agent: str | None) -> Quirk:
        """Returns all that is known of a User-Agent as one row: where several hold, the later ones come first."""
        agent = user_agent or ""
        known = self._of.table.get(agent)
        if known is None:
            known = NONE
            for row in self.rows:
                if row.user_agent.search(agent):
                    known = row if known is NONE else _joined(known, row)
            self._of.put(agent, known)
        return known


def _joined(first: Quirk, then: Quirk) -> Quirk:
    """Of two rows that both hold, the second says what they say differently."""
    limits = [row.max_message for row in (first, then) if row.max_message is not None]
    return Quirk(
        name=f"{first.name}+{then.name}",
        user_agent=then.user_agent,
        reason=f"{first.reason}; {then.reason}",
        takes=(first.takes - then.refuses) | then.takes,
        refuses=(first.refuses - then.takes) | then.refuses,
        max_message=min(limits, default=None),
        one_at_a_time=first.one_at_a_time or then.one_at_a_time,
        challenges=then.challenges or first.challenges,
        event_in_capitals=first.event_in_capitals or then.event_in_capitals,
    )


DEFAULT: Final = Quirks()
