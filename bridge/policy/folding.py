"""Text as a reader sees it: the forms on which words and patterns are looked for, with the way back.

A form is made character by character, so that ``fold(a + b) == fold(a) + fold(b)`` and each character of a form comes
from exactly one character of the original; and the forms of ``PLAIN`` text are those of the text itself.
``str.translate`` with a table that fills itself does it at C speed.

- ``PLAIN``: NFKC, without what a reader does not see, look-alikes as Latin letters, digits as ASCII; case is kept.
- ``WORDS``: ``PLAIN`` casefolded, with everything that is neither letter, digit nor mark as a space.
- ``JOINED``: as ``WORDS``, but punctuation is dropped, which joins "fal-con" and "fal.con".
- ``SYMBOLS``: ``PLAIN`` casefolded, blanks as spaces; for terms such as "c++".
"""

import re
import unicodedata
from collections.abc import Callable, Sequence
from itertools import chain, pairwise, repeat
from operator import add

from bridge.policy.confusables import LOOKALIKES, is_blank, is_dropped

_TABLE_LIMIT = 16_384
"""Entries that a table keeps. Beyond it a character is worked out anew: a flood of rare ones costs time, not memory."""


class Table(dict[int, str | None]):
    """A translation table for ``str.translate`` that works out a character when it first meets it.

    What is dropped is None, not the empty string: CPython translates ASCII text six times faster so.
    """

    def __init__(self, fold: Callable[[str], str]) -> None:
        super().__init__()
        self._fold = fold

    def __missing__(self, code: int) -> str | None:
        folded = self._fold(chr(code)) or None
        if len(self) < _TABLE_LIMIT:
            self[code] = folded
        return folded


def _seen(character: str) -> str:
    """``character`` decomposed, without what is dropped, look-alikes and digits as ASCII."""
    if is_dropped(character):
        return ""
    if is_blank(character):
        return character if character in "\n\r\t" else " "
    if character in LOOKALIKES:  # before NFKD too: it would turn U+00B4 and its like into a space and a mark
        return LOOKALIKES[character]
    parts = []
    for part in unicodedata.normalize("NFKD", character):
        if is_dropped(part):
            continue
        digit = unicodedata.decimal(part, None)
        parts.append(str(digit) if digit is not None else LOOKALIKES.get(part, " " if is_blank(part) else part))
    return "".join(parts)


def _casefolded(character: str) -> str:
    """``_seen`` and casefolded until nothing changes: casefolding can bring out what decomposes again."""
    text = _seen(character)
    while True:
        further = "".join(_seen(part) for part in text.casefold())
        if further == text:
            return text
        text = further


def _is_word(character: str) -> bool:
    return unicodedata.category(character)[0] in "LNM"


def _plain(character: str) -> str:
    return unicodedata.normalize("NFC", _seen(character))


def _words(character: str) -> str:
    return "".join(part if _is_word(part) else " " for part in _casefolded(character))


def _joined(character: str) -> str:
    return "".join(
        part if _is_word(part) else " " for part in _casefolded(character) if _is_word(part) or is_blank(part)
    )


def _symbols(character: str) -> str:
    return "".join(" " if is_blank(part) else part for part in _casefolded(character))


PLAIN = Table(_plain)
WORDS = Table(_words)
JOINED = Table(_joined)
SYMBOLS = Table(_symbols)


def collapse(text: str) -> str:
    """``text`` with each run of spaces as one, and one at each end, so that " word " finds whole words."""
    return f" {' '.join(text.split())} "


class Form:
    """A form of a text and, for each of its characters, the offset in the original it comes from.

    A character that stands for nothing of the original (the spaces at the ends) has the offset of its neighbour.
    ``origin`` may be given as a function that works it out: of most texts nobody asks for it, and the text itself is
    made at C speed, which the way back is not.
    """

    __slots__ = ("_origin", "text")

    def __init__(self, text: str, origin: "Sequence[int] | Callable[[], Sequence[int]]") -> None:
        self.text = text
        self._origin = origin

    @property
    def origin(self) -> Sequence[int]:
        """Where each character comes from."""
        if callable(self._origin):
            self._origin = self._origin()
        return self._origin

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The original's part that ``text[start:end]`` comes from; ``start < end``."""
        return min(self.origin[start:end]), max(self.origin[start:end]) + 1

    def through(self, source: "Form") -> "Form":
        """This form of ``source.text`` as one of what ``source`` itself came from."""

        def origin() -> Sequence[int]:
            first = source.origin
            return [first[offset] for offset in self.origin] if first else self.origin

        return Form(self.text, origin)


def trace(text: str, table: Table, order: Sequence[int] | None = None) -> Form:
    """``text.translate(table)`` with the way back; ``order`` takes the original's characters in another order."""
    shown = text if order is None else "".join(map(text.__getitem__, order))

    def origin() -> Sequence[int]:
        sizes = {character: len(table[ord(character)] or "") for character in set(shown)}
        offsets = range(len(text)) if order is None else order
        if all(size == 1 for size in sizes.values()):
            return offsets
        return list(chain.from_iterable(map(repeat, offsets, map(sizes.__getitem__, shown))))

    return Form(shown.translate(table), origin)


def collapse_form(form: Form) -> Form:
    """``collapse`` with the way back."""

    def origin() -> Sequence[int]:
        source = form.origin
        offsets = [source[0] if source else 0]
        end = 0
        for word in _CHUNK.finditer(form.text):
            start = word.start()
            if start > end > 0:
                offsets.append(source[end])  # of a run of blanks, the first
            end = word.end()
            offsets += source[start:end]
        offsets.append(source[end] if 0 < end < len(source) else offsets[-1])
        return offsets

    return Form(collapse(form.text), origin)


_CHUNK = re.compile(r"\S+")
_MOST_PIECES = 4


def joins(plain: str) -> Form:
    """Neighbouring pieces of words that punctuation breaks at least twice, run together, each as a word by itself.

    "fal.con-x" gives " falcon falconx conx ": ``JOINED`` alone would know "falconx" only. ``plain`` is in plain form.
    """
    found: list[str] = []
    for chunk in plain.split():
        if chunk.isalnum():
            continue
        pieces = chunk.translate(WORDS).split()
        if len(pieces) > 2:
            found += _runs(pieces)
    return Form(f" {' '.join(found)} " if found else " ", lambda: _origin_of_joins(plain))


def _runs(pieces: Sequence[str]) -> list[str]:
    """Two to ``_MOST_PIECES`` neighbours of three pieces or more run together, by the first and then by their number.

    So the first run of a word and the last one are at its ends, next to those of its neighbours.
    """
    two = list(map(add, pieces, pieces[1:]))
    three = list(map(add, two, pieces[2:]))
    four = list(map(add, three, pieces[3:]))
    runs = [""] * (3 * len(four))
    runs[::3], runs[1::3], runs[2::3] = two[:-2], three[:-1], four
    return [*runs, two[-2], three[-1], two[-1]]


def _origin_of_joins(plain: str) -> Sequence[int]:
    """Where each character of `joins` comes from: the same runs, with their offsets."""
    origin = [0]
    for chunk in _CHUNK.finditer(plain):
        if chunk.group().isalnum():
            continue
        pieces = _pieces(trace(chunk.group(), WORDS), chunk.start())
        if len(pieces) > 2:
            for first in range(len(pieces)):
                for last in range(first + 2, min(len(pieces), first + _MOST_PIECES) + 1):
                    origin.extend(chain.from_iterable(pieces[first:last]))
                    origin.append(origin[-1])
    return origin


def _pieces(form: Form, start: int) -> list[Sequence[int]]:
    origin = [offset + start for offset in form.origin]
    return [origin[match.start() : match.end()] for match in _CHUNK.finditer(form.text)]


_BIDI_CONTROLS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def with_decoration(text: str, end: int) -> int:
    """``end`` moved past what a reader does not see, so that a cut there leaves no loose marks.

    Controls of direction stay: one that is opened must be closed.
    """
    while end < len(text) and is_dropped(text[end]) and text[end] not in _BIDI_CONTROLS:
        end += 1
    return end


RIGHT_TO_LEFT_OVERRIDE = "\u202e"
_ENDS_OVERRIDE = "\u202c\u202d\n\r\u2029"
_TURNS = re.compile(f"[{RIGHT_TO_LEFT_OVERRIDE}{_ENDS_OVERRIDE}]")


def display_order(text: str) -> list[int]:
    """The offsets of ``text`` in the order that a reader sees where U+202E turns Latin text around.

    Each stretch after an override, up to its end (U+202C, U+202D, or the end of the line), is read backwards.
    """
    order: list[int] = []
    for index, (start, end) in enumerate(pairwise(_cuts(text))):
        stretch = range(start, end)
        order.extend(reversed(stretch) if index % 2 else stretch)
    return order


def displayed(text: str) -> str:
    """``text`` in that order, without the overrides."""
    stretches = enumerate(pairwise(_cuts(text)))
    shown = "".join([text[start:end][::-1] if index % 2 else text[start:end] for index, (start, end) in stretches])
    return shown.replace(RIGHT_TO_LEFT_OVERRIDE, "")


def _cuts(text: str) -> list[int]:
    """Where stretches begin and end: every second one is turned around."""
    cuts = [0]
    turned = False
    for turn in _TURNS.finditer(text):
        if (turn.group() == RIGHT_TO_LEFT_OVERRIDE) is not turned:
            cuts.append(turn.start())
            turned = not turned
    return [*cuts, len(text)]
