"""Texts of peers, made safe to show: what drives a terminal, or turns the reading direction, is shown, not obeyed."""

import json
from typing import Any, Final
from unicodedata import category

_JOINERS: Final = frozenset("\u200c\u200d") | frozenset(map(chr, range(0xE0020, 0xE0080)))
"""Format characters that emoji and some scripts are written with; they move nothing."""
_HIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_NAMED: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def is_safe(character: str) -> bool:
    """Tells whether a character only shows itself."""
    return character.isprintable() or character in _JOINERS or category(character) not in _HIDDEN


def one_line(text: str) -> str:
    """Returns a text on one line, other characters than those that show themselves written as escapes."""
    if text.isprintable():
        return text
    return "".join(c if is_safe(c) else _escape(c) for c in text)


def lines(text: str) -> list[str]:
    """Returns the lines of a text, each as ``one_line``; tabs become blanks."""
    return [one_line(line.replace("\t", "    ")) for line in text.replace("\r\n", "\n").split("\n")]


def to_json(value: Any) -> str:
    """Returns JSON on one line, in which every unsafe character is an escape."""
    text = json.dumps(value, ensure_ascii=False, separators=(", ", ": "))
    if text.isprintable():
        return text
    return "".join(c if is_safe(c) else json.dumps(c)[1:-1] for c in text)


def _escape(character: str) -> str:
    number = ord(character)
    if character in _NAMED:
        return _NAMED[character]
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
