"""Yahoo! IDs."""

from __future__ import annotations

from string import ascii_lowercase, ascii_uppercase

_LOWER = str.maketrans(ascii_uppercase, ascii_lowercase)


def normal(name: str) -> str:
    """How names are compared: without blanks, ASCII letters in lower case.

    Other letters are none of a name's, and stay: the Kelvin sign is not to be taken for a k.
    """
    return name.replace(" ", "").translate(_LOWER)
