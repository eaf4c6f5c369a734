"""The one way in which an address is refused."""

from __future__ import annotations

SHOWN_CHARACTERS = 80


class AddressError(ValueError):
    """A name that is no address of its network, or one that could be taken for another.

    Attributes:
        kind: the kind of network whose rules it breaks (``oscar``, ``sip``).
        name: the name in ASCII, with escapes for everything else, shortened: fit for a log and a header.
        reason: what is wrong, in words.
    """

    def __init__(self, kind: str, name: str, reason: str) -> None:
        shown = ascii(name[:SHOWN_CHARACTERS]) + ("..." if len(name) > SHOWN_CHARACTERS else "")
        super().__init__(f"not a {kind} address: {shown}: {reason}")
        self.kind = kind
        self.name = shown
        self.reason = reason
