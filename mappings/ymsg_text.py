r"""Yahoo!'s formatting and runs of styled text.

A text has ``ESC [ code m`` in it (bold, italic, underline, colours) and tags (a font, colours by name, effects). Both
are a stream, not a tree: a code holds until another ends it, and clients leave it open at the end. There is no way to
write a ``<`` that is not the beginning of a tag: one that would be read as such gets the code that ends a link, which
shows nothing, between it and the name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Final

from attrs import define, field

from bridge.model.envelope import Loss
from mappings.richtext import Rich, Run
from mappings.style import PLAIN, SIZES, Changes, Style, colour, face, points, says_the_same
from mappings.text import clean

MAX_SOURCE: Final = 65_536
MAX_FONTS: Final = 64
MAX_LOSSES: Final = 16

CODE_COLOURS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "30": "#000000", "31": "#0000ff", "32": "#008080", "33": "#808080", "34": "#008000",
        "35": "#ff0080", "36": "#800080", "37": "#ff8000", "38": "#ff0000", "39": "#808000",
    }
)  # fmt: skip
TAG_COLOURS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "black": "#000000", "blue": "#0000ff", "cyan": "#008284", "gray": "#848284", "green": "#008200",
        "pink": "#ff0084", "purple": "#840084", "orange": "#ff8000", "red": "#ff0000", "yellow": "#848200",
    }
)  # fmt: skip
_FLAG_CODES: Final = {"1": "bold", "2": "italic", "4": "underline"}
_FLAG_TAGS: Final = {"b": "bold", "i": "italic", "u": "underline"}
_LINK_CODES: Final = frozenset({"l", "xl", "lm", "xlm"})
_EFFECTS: Final = frozenset({"fade", "alt", "snd"})
_DEFAULT_COLOUR: Final = "#000000"
"""Black is the colour of who chose none."""
_NAMES: Final = "|".join(("font", *_FLAG_TAGS, *TAG_COLOURS, *_EFFECTS, "ding"))
_TOKEN: Final = re.compile(
    rf"""\x1b\[([x#]?[0-9a-fA-Fl]{{1,6}})m
    | <(/?)({_NAMES})(?=[\s>=/])((?:"[^"<>]*"|'[^'<>]*'|[^"'<>])*)>""",
    re.ASCII | re.IGNORECASE | re.VERBOSE,
)
_ATTRIBUTE: Final = re.compile(r"""([a-z]+)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""", re.ASCII | re.IGNORECASE)
_WOULD_BE_A_TAG: Final = re.compile(rf"<(?=/?(?:{_NAMES})(?:[\s>=/]|$))", re.ASCII | re.IGNORECASE)
_GUARD: Final = "<\x1b[xlm"
_POINTS: Final = dict(zip(SIZES, ("8pt", "10pt", "12pt", "14pt", "20pt", "30pt", "40pt"), strict=True))


@define
class _Reader:
    """Follows the stream: how the text looks at the moment, and the fonts that were opened."""

    style: Style = PLAIN
    fonts: list[Changes] = field(factory=list)
    runs: list[tuple[list[str], Style]] = field(factory=list)
    losses: dict[tuple[str, str], None] = field(factory=dict)

    def text(self, text: str) -> None:
        if not text:
            return
        if self.runs and self.runs[-1][1] == self.style:
            self.runs[-1][0].append(text)
        else:
            self.runs.append(([text], self.style))

    def lose(self, feature: str, detail: str) -> None:
        if len(self.losses) < MAX_LOSSES:
            self.losses[feature, detail] = None

    def change(self, changes: Changes) -> None:
        self.style = self.style._replace(**changes)  # type: ignore[arg-type]

    def code(self, code: str) -> None:
        flag = _FLAG_CODES.get(code.removeprefix("x"))
        if flag is not None:
            self.change({flag: not code.startswith("x")})
        elif code.startswith("#") and (chosen := colour(code)) is not None:
            self.colour(chosen)
        elif code in CODE_COLOURS:
            self.colour(CODE_COLOURS[code])
        elif code.removeprefix("x") not in _LINK_CODES:
            self.lose("html", f"the formatting code {code[:8]}")

    def colour(self, chosen: str) -> None:
        self.change({"color": "" if chosen == _DEFAULT_COLOUR else chosen})

    def tag(self, name: str, rest: str, *, closing: bool) -> None:
        if name in _FLAG_TAGS:
            self.change({_FLAG_TAGS[name]: not closing})
        elif name in TAG_COLOURS:
            self.colour(_DEFAULT_COLOUR if closing else TAG_COLOURS[name])
        elif name == "font":
            self.font(rest, closing=closing)
        elif not closing:
            self.lose("html", f"<{name}>")

    def font(self, rest: str, *, closing: bool) -> None:
        if closing:
            if self.fonts:
                self.change(self.fonts.pop())
            return
        if len(self.fonts) >= MAX_FONTS:
            self.lose("html", f"fonts nested deeper than {MAX_FONTS}")
            return
        before = self.style
        attributes = [(match[1].lower(), match[2] or match[3] or match[4] or "") for match in _ATTRIBUTE.finditer(rest)]
        for name, value in attributes:
            self.attribute(name, value)
        coloured = any(name == "color" for name, _ in attributes)  # a colour code is no matter of the font's
        kept: Changes = {"face": before.face, "size": before.size}
        self.fonts.append(kept | {"color": before.color} if coloured else kept)

    def attribute(self, name: str, value: str) -> None:
        if not value:
            return  # libpurple writes face="" where it has none
        read: Callable[[str], str | None] | None = {"face": face, "size": points, "color": colour}.get(name)
        found = None if read is None else read(value)
        if found is None:
            if name != "info":  # what effects of other clients leave
                self.lose("html", f"font {name[:16]} {value[:40]!a}")
        elif name == "color":
            self.colour(found)
        else:
            self.change({name: found})


def from_yahoo(source: str) -> Rich:
    """Reads a text of a Yahoo! client. Never fails; what has no place in a run is left out and reported."""
    reader = _Reader()
    if len(source) > MAX_SOURCE:
        reader.lose("length", f"all after {MAX_SOURCE} characters")
        source = source[:MAX_SOURCE]
    changed = False
    for piece, match in _tokens(source):
        text, dirty = clean(piece)
        changed |= dirty
        reader.text(text)
        if match is None:
            continue
        if match[1] is not None:
            reader.code(match[1].lower())
        else:
            reader.tag(match[3].lower(), match[4], closing=bool(match[2]))
    if changed:
        reader.lose("control-characters", "taken out")
    losses = tuple(Loss(feature=feature, detail=detail) for feature, detail in reader.losses)
    return Rich(_merged(reader.runs), losses)


def _tokens(source: str) -> Iterator[tuple[str, re.Match[str] | None]]:
    """Yields each text with the code or tag behind it. Line ends are made one beforehand: a cut never lies in one."""
    source = source.replace("\r\n", "\n").replace("\r", "\n")
    start = 0
    for match in _TOKEN.finditer(source):
        if match[3] is not None and match[3].lower() == "ding":
            continue  # <ding> alone is a buzz, which the transport knows; in a text it was typed
        yield source[start : match.start()], match
        start = match.end()
    yield source[start:], None


def _merged(runs: list[tuple[list[str], Style]]) -> tuple[Run, ...]:
    return tuple(("".join(parts), style) for parts, style in runs)


def to_yahoo(rich: Rich) -> str:
    """Writes runs as a Yahoo! client reads them. A link has its target behind it, where its text hides it."""
    return _write(rich, _WOULD_BE_A_TAG)


def measured(rich: Rich) -> str:
    """Writes runs so that no piece of them, written by `to_yahoo`, is longer than its share of this."""
    return _write(rich, _ANY_BRACKET)


_ANY_BRACKET: Final = re.compile("<")


def _write(rich: Rich, guarded: re.Pattern[str]) -> str:
    out: list[str] = []
    label: list[str] = []
    before = PLAIN
    for text, style in (*rich.runs, ("", PLAIN)):
        if style.href != before.href:
            if before.href and not says_the_same("".join(label), before.href):
                out.append(f" ({before.href})")
            label.clear()
        label.append(text)
        out += _change(before, style)
        out.append(guarded.sub(_GUARD, text))
        before = style
    return "".join(out)


def _change(before: Style, after: Style) -> Iterator[str]:
    """Yields what leads from one look to the next.

    A font stands inside its colour: libpurple reads a colour code as a font too, and the end of a font as that of the
    nearest one.
    """
    for code, flag in _FLAG_CODES.items():
        if getattr(before, flag) and not getattr(after, flag):
            yield f"\x1b[x{code}m"
    font, wanted = _font(before), _font(after)
    anew = font != wanted or before.color != after.color
    if font and anew:
        yield "</font>"
    if before.color != after.color:
        yield f"\x1b[{after.color or _DEFAULT_COLOUR}m"
    if wanted and anew:
        yield wanted
    for code, flag in _FLAG_CODES.items():
        if getattr(after, flag) and not getattr(before, flag):
            yield f"\x1b[{code}m"


def _font(style: Style) -> str:
    parts = []
    if style.face:
        parts.append(f'face="{style.face}"')
    if style.size:
        parts.append(f'size="{_POINTS.get(style.size, style.size).removesuffix("pt")}"')
    return f"<font {' '.join(parts)}>" if parts else ""


def losses_of(rich: Rich) -> tuple[Loss, ...]:
    """What of a text's looks a Yahoo! client cannot show."""
    lost = []
    if any(style.strike for _, style in rich.runs):
        lost.append(Loss(feature="html", detail="struck-out text"))
    if any(style.background for _, style in rich.runs):
        lost.append(Loss(feature="html", detail="background colours"))
    if any(style.href and not says_the_same(text, style.href) for text, style in rich.runs):
        lost.append(Loss(feature="html", detail="a link is told behind its text"))
    return tuple(lost)
