"""Names to show: what a network says of its users, made fit for a header, a terminal and a trusting reader."""

from __future__ import annotations

import unicodedata
from typing import Final

MAX_DISPLAY_NAME: Final = 64
_READ: Final = 1024
_KEPT_JOINERS: Final = "\u200c\u200d"  # Persian and emoji are misspelt without them
_DROPPED: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs"})


def safe_display_name(name: str, address: str = "") -> str:
    """Returns a display name without controls, direction overrides, line ends and quoting, in NFC, on one line.

    Args:
        name: as the network or the client gave it, of any length and content.
        address: the user's own address; a display name with ``@`` in it is kept where it repeats that address alone,
            since it could pass for somebody else's address.

    Returns:
        At most 64 characters; empty where nothing fit to be shown is left.
    """
    if not name:
        return ""
    if name.isascii() and name.isprintable() and len(name) <= MAX_DISPLAY_NAME and not _QUOTING.intersection(name):
        return name.strip()
    shown = "".join(map(_visible, unicodedata.normalize("NFC", name[:_READ])))
    shown = " ".join(shown.split())
    if "@" in shown and shown.replace(" ", "").lower() != address.lower():
        return ""
    # Cut first, then normalise again: neither must undo the other.
    return unicodedata.normalize("NFC", shown[:MAX_DISPLAY_NAME]).strip(" " + _KEPT_JOINERS)


_QUOTING: Final = frozenset('"<>\\@')


def _visible(character: str) -> str:
    if character in '"<>\\':
        return ""
    if character in _KEPT_JOINERS:
        return character
    category = unicodedata.category(character)
    if category in {"Zs", "Zl", "Zp"} or character in "\t\r\n":
        return " "
    return "" if category in _DROPPED else character
