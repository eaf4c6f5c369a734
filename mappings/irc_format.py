"""IRC's formatting codes and styled text: bold, italics, underline, strike, monospace, colours, reverse, reset.

Read as modern.ircdocs.horse/formatting describes them; written so that it reads back as it was: each style begins
behind a reset, colours have two digits, and a text that begins with a comma has a background before it.
"""

from __future__ import annotations

import re
from typing import Final

from bridge.model.envelope import Loss
from mappings.richtext import Rich, Run
from mappings.style import PLAIN, Changes, Style, says_the_same
from mappings.text import clean

BOLD: Final = "\x02"
COLOUR: Final = "\x03"
HEX_COLOUR: Final = "\x04"
RESET: Final = "\x0f"
MONOSPACE: Final = "\x11"
REVERSE: Final = "\x16"
ITALIC: Final = "\x1d"
STRIKE: Final = "\x1e"
UNDERLINE: Final = "\x1f"
FACE: Final = "monospace"
DEFAULT_COLOUR: Final = 99

_BASE: Final = (
    "ffffff", "000000", "00007f", "009300", "ff0000", "7f0000", "9c009c", "fc7f00",
    "ffff00", "00fc00", "009393", "00ffff", "0000fc", "ff00ff", "7f7f7f", "d2d2d2",
)  # fmt: skip
_MORE: Final = (
    "470000", "472100", "474700", "324700", "004700", "00472c", "004747", "002747", "000047", "2e0047", "470047",
    "47002a", "740000", "743a00", "747400", "517400", "007400", "007449", "007474", "004074", "000074", "4b0074",
    "740074", "740045", "b50000", "b56300", "b5b500", "7db500", "00b500", "00b571", "00b5b5", "0063b5", "0000b5",
    "7500b5", "b500b5", "b5006b", "ff0000", "ff8c00", "ffff00", "b2ff00", "00ff00", "00ffa0", "00ffff", "008cff",
    "0000ff", "a500ff", "ff00ff", "ff0098", "ff5959", "ffb459", "ffff71", "cfff60", "6fff6f", "65ffc9", "6dffff",
    "59b4ff", "5959ff", "c459ff", "ff66ff", "ff59bc", "ff9c9c", "ffd39c", "ffff9c", "e2ff9c", "9cff9c", "9cffdb",
    "9cffff", "9cd3ff", "9c9cff", "dc9cff", "ff9cff", "ff94d3", "000000", "131313", "282828", "363636", "4d4d4d",
    "656565", "818181", "9f9f9f", "bcbcbc", "e2e2e2", "ffffff",
)  # fmt: skip
PALETTE: Final = tuple(f"#{value}" for value in (*_BASE, *_MORE))
"""What each number means: 0 to 15 as mIRC shows them, 16 to 98 as all clients agree."""

_NUMBER: Final = {colour: number for number, colour in reversed(tuple(enumerate(PALETTE)))}
_NUMBERS: Final = re.compile(r"([0-9]{1,2})(?:,([0-9]{1,2}))?")
_HEXES: Final = re.compile(r"([0-9A-Fa-f]{6})(?:,([0-9A-Fa-f]{6}))?")
_CODES: Final = re.compile("[\x02\x03\x04\x0f\x11\x16\x1d\x1e\x1f]")
_TOGGLES: Final = {BOLD: "bold", ITALIC: "italic", UNDERLINE: "underline", STRIKE: "strike"}


def from_irc(text: str) -> Rich:
    """Reads a text with formatting codes. Never fails: an incomplete code means the end of what it is for."""
    if _CODES.search(text) is None:
        cleaned, changed = clean(text)
        losses = (Loss(feature="control-characters", detail="taken out"),) if changed else ()
        return Rich(((cleaned, PLAIN),) if cleaned else (), losses)
    reader = _Reader()
    at = 0
    for found in _CODES.finditer(text):
        if found.start() < at:
            continue
        reader.text(text[at : found.start()])
        at = found.end() + reader.code(found[0], text, found.end())
    reader.text(text[at:])
    return reader.rich()


class _Reader:
    def __init__(self) -> None:
        self._style = PLAIN
        self._reverse = False
        self._runs: list[Run] = []
        self._controls = False
        self._reversed = False

    def text(self, text: str) -> None:
        cleaned, changed = clean(text)
        self._controls = self._controls or changed
        if not cleaned:
            return
        style = self._shown()
        if self._runs and self._runs[-1][1] == style:
            self._runs[-1] = (self._runs[-1][0] + cleaned, style)
        else:
            self._runs.append((cleaned, style))

    def _shown(self) -> Style:
        """Reverse video is the two colours exchanged; where they are not both known it cannot be told."""
        if not self._reverse:
            return self._style
        if self._style.color and self._style.background:
            return self._style._replace(color=self._style.background, background=self._style.color)
        self._reversed = True
        return self._style

    def code(self, code: str, text: str, at: int) -> int:
        """Follows a code; returns how many characters behind it belong to it."""
        toggled = _TOGGLES.get(code)
        if toggled is not None:
            change: Changes = {toggled: not getattr(self._style, toggled)}
            self._style = self._style._replace(**change)  # type: ignore[arg-type]
        elif code == MONOSPACE:
            self._style = self._style._replace(face="" if self._style.face else FACE)
        elif code == REVERSE:
            self._reverse = not self._reverse
        elif code == RESET:
            self._style, self._reverse = PLAIN, False
        else:
            return self._colour(_NUMBERS if code == COLOUR else _HEXES, text, at)
        return 0

    def _colour(self, form: re.Pattern[str], text: str, at: int) -> int:
        found = form.match(text, at)
        if found is None:
            self._style = self._style._replace(color="", background="")
            return 0
        read = _number if form is _NUMBERS else _hex
        self._style = self._style._replace(color=read(found[1]))
        if found[2] is not None:
            self._style = self._style._replace(background=read(found[2]))
        return found.end() - at

    def rich(self) -> Rich:
        losses = []
        if self._controls:
            losses.append(Loss(feature="control-characters", detail="taken out"))
        if self._reversed:
            losses.append(Loss(feature="html", detail="reverse video"))
        return Rich(tuple(self._runs), tuple(losses))


def _number(digits: str) -> str:
    number = int(digits)
    return PALETTE[number] if number < len(PALETTE) else ""


def _hex(digits: str) -> str:
    return f"#{digits.lower()}"


def writable(rich: Rich) -> tuple[Rich, tuple[Loss, ...]]:
    """Returns runs with what IRC can say alone, and what it cannot: links in words, no sizes, near colours."""
    losses: dict[str, None] = {}
    out: list[Run] = []
    label: list[str] = []
    href = ""
    for text, style in (*rich.runs, ("", PLAIN)):
        if style.href != href:
            if href and not says_the_same("".join(label), href):
                out.append((f" ({href})", PLAIN))
            href = style.href
            label.clear()
        label.append(text)
        out.append((text, _kept(style, losses)))
    merged: list[Run] = []
    for text, style in out:
        if text and merged and merged[-1][1] == style:
            merged[-1] = (merged[-1][0] + text, style)
        elif text:
            merged.append((text, style))
    return Rich(tuple(merged), rich.losses), tuple(Loss(feature="html", detail=detail) for detail in losses)


def _kept(style: Style, losses: dict[str, None]) -> Style:
    if style.size:
        losses["size of letters"] = None
    face = FACE if style.face and ("mono" in style.face.lower() or "courier" in style.face.lower()) else ""
    if style.face and not face:
        losses["font"] = None
    return style._replace(
        href="", size="", face=face, color=_near(style.color, losses), background=_near(style.background, losses)
    )


def _near(colour: str, losses: dict[str, None]) -> str:
    if not colour or colour in _NUMBER:
        return colour
    losses["a colour is told as a near one"] = None
    wanted = _parts(colour)
    return min(PALETTE, key=lambda known: sum((a - b) ** 2 for a, b in zip(wanted, _parts(known), strict=True)))


def _parts(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def to_irc(rich: Rich) -> str:
    """Writes runs that `writable` has seen. Reads back as the same runs."""
    out: list[str] = []
    before = PLAIN
    for text, style in rich.runs:
        if style != before:
            if before != PLAIN:
                out.append(RESET)
            out.append(_opening(style, text))
            before = style
        out.append(text)
    return "".join(out)


def _opening(style: Style, text: str) -> str:
    flags = ((style.bold, BOLD), (style.italic, ITALIC), (style.underline, UNDERLINE), (style.strike, STRIKE))
    out = "".join(code for on, code in flags if on) + (MONOSPACE if style.face else "")
    if not style.color and not style.background:
        return out
    front = _NUMBER.get(style.color, DEFAULT_COLOUR)
    back = f",{_NUMBER.get(style.background, DEFAULT_COLOUR):02d}" if style.background or text[:1] == "," else ""
    return f"{out}{COLOUR}{front:02d}{back}"
