"""What one device takes: learnt from what it says and does, beginning with what its kind is known for.

Held by the device's registration and forgotten with it. What a device did counts more than what it says, and both more
than what is known of its kind: who sends typing takes typing, whatever the table says.
"""

from __future__ import annotations

from typing import Final

from transports.sip.machine.quirks import Quirk
from transports.sip.wire.cpim import CONTENT_TYPE as CPIM
from transports.sip.wire.errors import SipSyntaxError
from transports.sip.wire.imdn import CONTENT_TYPE as IMDN
from transports.sip.wire.iscomposing import CONTENT_TYPE as TYPING
from transports.sip.wire.message import Request, Response

PLAIN: Final = "text/plain"
"""RFC 3428 section 9: every device must take it, so that no list of others makes it one that is refused."""
LEARNABLE: Final = frozenset({PLAIN, "text/html", CPIM, IMDN, TYPING})
"""The types that are ever sent; what is said of others is not kept."""
ON_KNOWLEDGE: Final = frozenset({CPIM, IMDN})
"""Not tried on a device of which nothing is known: many show the octets as they are, and say 200."""
_SETS: Final[dict[frozenset[str], frozenset[str]]] = {}
"""Every set that some device has, once: there are as many as `LEARNABLE` has subsets, and very many devices."""


def accepted_by(message: Request | Response) -> set[str]:
    """Returns the media types in a message's Accept; none where there is no Accept, or it cannot be read."""
    try:
        return {one.media_type for one in message.accept} if message.has("Accept") else set()
    except SipSyntaxError:
        return set()


def _once(media: frozenset[str]) -> frozenset[str]:
    """The same set as others have it."""
    return _SETS.setdefault(media, media) if media <= LEARNABLE else media


class Abilities:
    """What a device takes and refuses. Both are of `LEARNABLE`, and so bounded."""

    __slots__ = ("max_message", "quirk", "refuses", "takes")

    def __init__(self, quirk: Quirk) -> None:
        self.quirk = quirk
        self.takes = quirk.takes
        self.refuses = quirk.refuses
        self.max_message = quirk.max_message

    def may_take(self, media: str, *, untold: bool = False) -> bool:
        """Whether a media type is to be sent. ``untold``: also one that only those take who are known to."""
        return media not in self.refuses and (untold or media not in ON_KNOWLEDGE or media in self.takes)

    def sent(self, media: str) -> None:
        """The device has sent a MESSAGE of this type."""
        if media in LEARNABLE and media not in self.takes:
            self._now(self.takes | {media}, self.refuses - {media})

    def _now(self, takes: frozenset[str], refuses: frozenset[str]) -> None:
        self.takes, self.refuses = _once(takes), _once(refuses)

    def refused(self, media: str, response: Response) -> None:
        """The device has answered 415 (or 488) to a MESSAGE of this type (RFC 3261 section 21.4.13).

        An Accept in the answer is all that it takes; that it refuses ``media`` it has shown, whatever it lists.
        """
        listed = accepted_by(response)
        if listed:
            self.listed(listed, complete=True)
        self._now(self.takes - {media}, self.refuses | ({media} & LEARNABLE))

    def told_by(self, message: Request | Response) -> None:
        """Reads Accept and Allow of a request of the device, or of its 200 to OPTIONS (RFC 3261 sections 20.1, 20.5).

        What cannot be read says nothing: the message itself is no worse for it.
        """
        self.listed(accepted_by(message), complete=False)
        if message.has("Allow") and "MESSAGE" not in {name.upper() for name in message.values("Allow")}:
            # A text is tried all the same: many leave MESSAGE out and take it. Nothing else is.
            self._now(self.takes, self.refuses | (LEARNABLE - {PLAIN} - self.takes))

    def listed(self, media: set[str], *, complete: bool) -> None:
        """The device has listed what it takes, in an Accept.

        Args:
            media: types in lower case; ranges such as ``*/*`` say nothing of any one type.
            complete: what is not listed is not taken. That of a request, or of an answer to OPTIONS, speaks of calls
                and presence as well and is seldom whole (linphone's lists no CPIM), so only what is there counts.
        """
        found = media & LEARNABLE
        if found:
            self._now(self.takes | found, self.refuses - found)
        if complete and not any(one.endswith("/*") for one in media):
            lacking = LEARNABLE - found - {PLAIN}
            self._now(self.takes - lacking, self.refuses | lacking)
