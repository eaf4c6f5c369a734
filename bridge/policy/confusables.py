"""Letters that look like a Latin letter, and what is dropped before words are compared.

A small part of the idea of Unicode's confusables (UTS #39), kept to letters that a reader takes for Latin ones. Both
cases of a letter fold alike where either looks Latin, so that upper and lower case of one word stay equal.
"""

import unicodedata

_LOOKALIKES = {
    "a": "аɑαᴀ", "b": "вьƅβʙ", "c": "сϲᴄ", "d": "ԁɗժᴅ", "e": "еєҽɛεᴇ", "f": "ƒꜰ", "g": "ɡցƍԍɢ", "h": "һнհηʜ",
    "i": "іıιɩɪ", "j": "јϳᴊ", "k": "кκĸᴋ", "l": "ӏǀ׀ʟ", "m": "мμᴍ", "n": "ոռνɴ", "o": "оοօഠᴏ", "p": "рρƿᴘ",
    "q": "ԛգզǫ", "r": "ᴦɾʀ", "s": "ѕꜱƽ", "t": "тτᴛ", "u": "սʋᴜ", "v": "ѵᴠ", "w": "ԝɯᴡ", "x": "хχ", "y": "уγυүʏ",
    "z": "ζᴢʐ",
}  # fmt: skip
# Letters with a stroke or a hook: Unicode does not decompose them, a reader reads them all the same.
_STROKES = {
    "b": "ƀɓ", "c": "ƈȼ", "d": "đɖ", "e": "ɇ", "g": "ɠǥ", "h": "ħɦ", "i": "ɨ", "j": "ɉ", "k": "ƙ", "l": "łɫƚ",
    "n": "ɲƞŋ", "o": "ø", "p": "ƥ", "r": "ɍ", "s": "ʂ", "t": "ŧƭ", "u": "ʉ", "y": "ƴɏ", "z": "ƶȥ",
}  # fmt: skip
# Letters in circles and boxes that NFKC leaves alone, by the first of each row of 26.
_BOXED = (0x1F150, 0x1F170, 0x1F1E6)

_DASHES = "‐‑‒–—―−﹘⁃"
_QUOTES = {"'": "‘’‚‛ʼʹ′´", '"': "“”„‟″"}
# Blank to the eye, yet letters or symbols to Unicode.
_BLANK_LETTERS = frozenset("\u115f\u1160\u17b4\u17b5\u3164\uffa0")
_BLANK_SPACES = frozenset("\u2800")

# Marks that decorate a letter. Vowel signs of Indic and Thai writing are marks too, but there they are the word.
_DECORATION = (
    (0x0300, 0x036F), (0x0483, 0x0489), (0x0591, 0x05BD), (0x05BF, 0x05BF), (0x05C1, 0x05C2), (0x05C4, 0x05C5),
    (0x05C7, 0x05C7), (0x0610, 0x061A), (0x064B, 0x065F), (0x0670, 0x0670), (0x06D6, 0x06DC), (0x06DF, 0x06E4),
    (0x06E7, 0x06E8), (0x06EA, 0x06ED), (0x180B, 0x180F), (0x1AB0, 0x1AFF), (0x1DC0, 0x1DFF), (0x20D0, 0x20FF),
    (0xFE00, 0xFE0F), (0xFE20, 0xFE2F), (0x1D165, 0x1D169), (0xE0100, 0xE01EF),
)  # fmt: skip


def _build() -> dict[str, str]:
    table: dict[str, str] = {}
    for source in (_LOOKALIKES, _STROKES):
        for latin, others in source.items():
            for other in others:
                table[other] = latin
                upper = other.upper()
                if len(upper) == 1 and upper != other and not upper.isascii():
                    table[upper] = latin.upper()
    for first in _BOXED:
        for index, latin in enumerate("ABCDEFGHIJKLMNOPQRSTUVWXYZ"):
            table[chr(first + index)] = latin
    for dash in _DASHES:
        table[dash] = "-"
    for quote, others in _QUOTES.items():
        for other in others:
            table[other] = quote
    return table


LOOKALIKES = _build()
"""Each letter that looks like another, with the one that it looks like; case is kept."""


def is_dropped(character: str) -> bool:
    """Whether a reader does not see ``character``: format and control characters, decoration, blank letters."""
    category = unicodedata.category(character)
    if category == "Cc":
        return not character.isspace()
    if category in {"Cf", "Cn", "Cs"} or character in _BLANK_LETTERS:
        return True
    if category not in {"Mn", "Me"}:
        return False
    code = ord(character)
    return category == "Me" or any(first <= code <= last for first, last in _DECORATION)


def is_blank(character: str) -> bool:
    """Whether a reader sees ``character`` as a space."""
    return character.isspace() or character in _BLANK_SPACES


_UNSPACED = (
    (0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1100, 0x11FF), (0x1780, 0x17FF), (0x2E80, 0x9FFF), (0xA960, 0xA97F),
    (0xAC00, 0xD7FF), (0xF900, 0xFAFF), (0xFF66, 0xFFDC), (0x1B000, 0x1B2FF), (0x20000, 0x323AF),
)  # fmt: skip


def is_unspaced(character: str) -> bool:
    """Whether ``character`` is of a writing that sets no spaces around words (or joins particles to them)."""
    code = ord(character)
    return any(first <= code <= last for first, last in _UNSPACED)
