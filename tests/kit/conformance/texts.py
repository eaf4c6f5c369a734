"""Texts with every kind of Unicode, and what a network may make of each."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import regex

TEXTS: Mapping[str, str] = MappingProxyType({
    "ascii": "lunch at 12?",
    "markup": "a < b && c > d \"quoted\" 'single' &amp; &#65; <b>no</b> <!-- -->",
    "percent": "100% %20 %s {0} \\n \\u0041 $HOME",
    "commands": "/me says: PRIVMSG x :y",
    "latin-1": "Grüße, ça va, ¿señor? £ ¥ ©",
    "cp1252": "€ „quoted“ – — … ™",
    "greek and cyrillic": "Καλημέρα Привет",
    "han": "你好，世界 日本語 한국어",
    "rtl": "שלום עולם مرحبا بالعالم (abc) 123",
    "combining": "e\u0301 n\u0303 Z\u0351\u036b\u0343\u036a a\u0323\u0302",
    "decomposed and composed": "\u00e9 is not e\u0301",
    "emoji": "😀 👍🏽 ❤️ 🏳️",
    "emoji zwj": "👨\u200d👩\u200d👧\u200d👦 🏳️\u200d🌈 👩🏾\u200d🚀",
    "flags": "🇫🇷🇩🇪 🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",
    "astral": "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𐍈 🀄",
    "no-break and thin spaces": "10\u00a0000\u2009km",
    "joiners": "می\u200cخواهم क्\u200dष",
    "lines": "one\ntwo\n\nfour",
    "confusable": "p\u0430ypal is not paypal",
    "noncharacter": "a\ufdd0b\ufffe",
    "replacement": "a\ufffdb",
})  # fmt: skip
"""Each is carried as it is, or the mapping reports a loss."""

BROKEN: Mapping[str, str] = MappingProxyType({
    "nul": "a\x00b",
    "controls": "a\x01\x02\x03b\x1b[31mc\x7fd",
    "c1 controls": "a\x85b\x9bc",
    "lone high surrogate": "a\ud800b",
    "lone low surrogate": "a\udfffb",
    "reversed pair": "a\udc00\ud800b",
})  # fmt: skip
"""None of it may cross as it is: it is refused, or taken out with a loss. What stands beside it arrives, or is said not
to."""

_CLUSTER = regex.compile(r"\X")


def graphemes(text: str) -> list[str]:
    """The extended grapheme clusters of a text (UAX 29)."""
    found: list[str] = _CLUSTER.findall(text)
    return found


def long_text(limit: int) -> str:
    """A text of about three times so many bytes in UTF-8 whose clusters have several characters, without a blank.

    A blank is a good place to cut a text, and would hide that there are bad ones.
    """
    units = ("👨\u200d👩\u200d👧\u200d👦", "e\u0301\u0323", "👩🏾\u200d🚀", "🇫🇷", "👍🏽", "नि", "Z\u0351\u036b\u0343")
    text = ""
    number = 0
    while len(text.encode()) < 3 * limit:
        text += "".join(units) + str(number)
        number += 1
    return text
