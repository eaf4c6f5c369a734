"""Nicknames and channels: what is one, and when two are the same (CASEMAPPING).

The server says by which table it compares names. A name is *canonical* there when it is what that table folds it to;
the bridge knows a user by that spelling alone, so that nobody has two addresses and no two users have one.
"""

from __future__ import annotations

import unicodedata
from enum import Enum
from typing import Final

MAX_NICK: Final = 64
_REFUSED: Final = frozenset(" ,*?!@:#$%&+<>\"'./=()\x7f")
_NOT_FIRST: Final = frozenset("-~")
_UPPER: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_ASCII: Final = str.maketrans(_UPPER, _UPPER.lower())
_STRICT: Final = str.maketrans(_UPPER + "[]\\", _UPPER.lower() + "{}|")
_RFC1459: Final = str.maketrans(_UPPER + "[]\\~", _UPPER.lower() + "{}|^")


class CaseMapping(Enum):
    """How a server compares names (ISUPPORT ``CASEMAPPING``)."""

    ASCII = "ascii"
    RFC1459 = "rfc1459"
    STRICT = "rfc1459-strict"
    PRECIS = "rfc8265"

    @classmethod
    def of(cls, value: str) -> CaseMapping:
        """Reads the value of the token. A table that is not known folds as `ASCII`, which joins the fewest names."""
        known = _MAPPINGS.get(value.lower())
        return cls.ASCII if known is None else known

    def fold(self, name: str) -> str:
        """Returns the spelling in which two names of the same user or channel are equal."""
        if self is CaseMapping.RFC1459:
            return name.translate(_RFC1459)
        if self is CaseMapping.STRICT:
            return name.translate(_STRICT)
        if self is CaseMapping.PRECIS:
            return unicodedata.normalize("NFC", name.lower())
        return name.translate(_ASCII)


_MAPPINGS: Final = {
    "ascii": CaseMapping.ASCII,
    "rfc1459": CaseMapping.RFC1459,
    "strict-rfc1459": CaseMapping.STRICT,
    "rfc1459-strict": CaseMapping.STRICT,
    "rfc7613": CaseMapping.PRECIS,
    "rfc8265": CaseMapping.PRECIS,
    "precis": CaseMapping.PRECIS,
}


def normal(name: str) -> str:
    """Returns the spelling of a nickname that holds on every server: NFC, ASCII letters small, nothing else folded."""
    return unicodedata.normalize("NFC", name).translate(_ASCII)


def fault(nick: str) -> str | None:
    """Says why something can be nobody's nickname, or None.

    Wider than RFC 2812 section 2.3.1, as servers are: a digit may come first (what a server itself gives out), other
    scripts are allowed. What separates things in a line, or marks channels, masks and ranks, never is.
    """
    if not nick:
        return "it is empty"
    if len(nick) > MAX_NICK:
        return f"longer than {MAX_NICK} characters"
    if nick[0] in _NOT_FIRST:
        return f"a nickname does not begin with {nick[0]}"
    for character in nick:
        if character in _REFUSED or (character.isascii() and not character.isprintable()):
            return f"a nickname has no {character!a}"
    return None


def is_channel(name: str, types: str = "#&") -> bool:
    """Whether a target is a channel, where ``types`` are the server's CHANTYPES."""
    return name[:1] in types if name else False
