"""What a name may be written with, so that what a reader sees is what the address is.

After RFC 8265 (PRECIS usernames) and UTS 39 (security mechanisms), cut to what Python's own Unicode tables can tell:
no controls, no invisible or direction-changing characters, no compatibility forms, no mixture of scripts that share
letter shapes. A name that is wholly in another script is allowed: it is another name, and its owner was enrolled.
"""

from __future__ import annotations

import unicodedata
from typing import Final

_EAST_ASIAN: Final = frozenset({"CJK", "HIRAGANA", "KATAKANA", "HANGUL", "BOPOMOFO", "IDEOGRAPHIC", "LATIN"})
_REFUSED_CATEGORIES: Final = {
    "Cc": "a control character",
    "Cf": "an invisible or direction-changing character",
    "Cs": "half of a surrogate pair",
    "Co": "a private-use character",
    "Cn": "an unassigned character",
    "Zl": "a line separator",
    "Zp": "a paragraph separator",
    "Zs": "a blank",
}
_REPLACEMENT: Final = "\ufffd"


def fault(name: str) -> str | None:
    """Says what makes a name unfit as an address, or None. Expects NFC; costs time linear in the length."""
    if name.isascii():
        return None if name.isprintable() and " " not in name else "a blank or a control character"
    for character in name:
        refused = _REFUSED_CATEGORIES.get(unicodedata.category(character))
        if refused is not None:
            return f"{refused}, U+{ord(character):04X}"
    if _REPLACEMENT in name:
        return "bytes that are not UTF-8"
    if unicodedata.normalize("NFKC", name) != name:
        return "a compatibility form of another character"
    return _mixture(name)


def _mixture(name: str) -> str | None:
    scripts = {_script(character) for character in name if character.isalpha()}
    if len(scripts) <= 1 or scripts <= _EAST_ASIAN:
        return None
    return f"letters of several scripts: {', '.join(sorted(scripts))}"


def _script(letter: str) -> str:
    # The first word of a letter's name is its script: the standard library has no script property.
    return unicodedata.name(letter, "UNKNOWN").split(" ", 1)[0].split("-", 1)[0]
