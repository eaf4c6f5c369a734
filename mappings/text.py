"""Plain text on its way between networks: cleaning, measuring, splitting. Nothing here changes what was said."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final

import regex

Cost = Callable[[str], int]
"""The bytes that a piece of text takes on the wire; the cost of two pieces is at least that of both joined."""

_CONTROLS: Final = {code: None for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\t\n"}
_SURROGATES: Final = re.compile("[\ud800-\udfff]")
_GRAPHEME: Final = regex.compile(r"\X")
_WINDOW: Final = 256
_BREAKS: Final = frozenset(" \n\t")


def clean(text: str) -> tuple[str, bool]:
    r"""Makes line ends ``\\n``, takes out control characters and halves of surrogate pairs (U+FFFD stands for them).

    Returns:
        The text, and whether anything but a line end was changed. A text without controls is returned as it is.
    """
    if text.isprintable():
        return text, False
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    cleaned = _SURROGATES.sub("\ufffd", text.translate(_CONTROLS))
    return cleaned, cleaned != text


def utf8_cost(text: str) -> int:
    """Bytes in UTF-8."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "replace"))


def latin1_cost(text: str) -> int:
    """Bytes in a one-byte encoding."""
    return len(text)


def utf16_cost(text: str) -> int:
    """Bytes in UTF-16."""
    return 2 * len(text) if text.isascii() else len(text.encode("utf-16-be", "replace"))


def graphemes(text: str) -> Iterator[str]:
    """Yields the extended grapheme clusters of a text (UAX 29), which join to the text.

    A cluster of more than 256 characters, which no language has, comes in parts. Linear in the length of the text:
    `regex` looks back over a whole run of flags at each of them (3.6 s for 40,000), so it is shown a window at a time.
    """
    if text.isascii() and "\r" not in text:
        yield from text
        return
    at = 0
    while at < len(text):
        found: list[str] = _GRAPHEME.findall(text[at : at + _WINDOW])
        if at + _WINDOW < len(text) and len(found) > 1:
            found.pop()  # it may go on behind the window
        for cluster in found:
            at += len(cluster)
        yield from found


def split(text: str, limit: int, cost: Cost = utf8_cost) -> tuple[str, ...]:
    """Cuts a text into pieces that cost at most ``limit`` each and join to the text.

    A cut falls behind a blank or a line end where there is one in the last third of a piece, else between two grapheme
    clusters; inside a cluster only where it alone is longer than a piece.

    Args:
        text: any text; an empty one gives one empty piece.
        limit: bytes of the encoding that ``cost`` measures.
        cost: see ``Cost``.

    Raises:
        ValueError: a single character costs more than ``limit``.
    """
    if cost(text) <= limit:
        return (text,)
    pieces: list[str] = []
    units: list[str] = []
    spent = 0
    good = good_spent = 0  # where the last fit cut lies: units before it, and what they cost
    for unit in _units(text, limit, cost):
        price = cost(unit)
        while units and spent + price > limit:
            cut, cut_spent = (good, good_spent) if good_spent * 3 >= limit * 2 else (len(units), spent)
            pieces.append("".join(units[:cut]))
            del units[:cut]
            spent -= cut_spent
            good = good_spent = 0
        units.append(unit)
        spent += price
        if unit in _BREAKS:
            good, good_spent = len(units), spent
    pieces.append("".join(units))
    return tuple(pieces)


def _units(text: str, limit: int, cost: Cost) -> Iterator[str]:
    for cluster in graphemes(text):
        if len(cluster) == 1 or cost(cluster) <= limit:
            _require(cost(cluster), limit, cluster)
            yield cluster
            continue
        for character in cluster:
            _require(cost(character), limit, character)
            yield character


def _require(price: int, limit: int, character: str) -> None:
    if price > limit:
        raise ValueError(f"{character!a} takes {price} bytes, and a piece may have {limit}")
