"""AIM's HTML, the bridge's own HTML and plain text: three ways to write the same runs of styled text.

Every dialect is read into *runs*, and every dialect is written from runs. So whatever was nested wrongly, left open or
made up on the way in is well formed on the way out, and the laws hold by construction:

- plain text written as HTML reads back as itself;
- what was written by ``to_html`` or ``to_aim`` reads back as the same runs;
- the plain text of a part is a function of its runs.

The bridge's own HTML (``TextPart.html``) has ``b i u s br a[href] span[style]`` alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from attrs import frozen

from bridge.model.body import TextPart
from bridge.model.envelope import Loss
from mappings.elements import BLOCKS, DROPPED, FORMATTING, KNOWN, formatting
from mappings.markup import Hidden, Tag, decode_entities, tokens
from mappings.style import PLAIN, Changes, Style, css, font, says_the_same
from mappings.text import Cost, clean, graphemes, split

MAX_SOURCE: Final = 262_144
"""Characters of HTML that are read; the rest is left out and reported."""
MAX_DEPTH: Final = 64
MAX_LOSSES: Final = 16

Run = tuple[str, Style]


@frozen
class Rich:
    """Styled text: neighbouring runs differ in style, none is empty."""

    runs: tuple[Run, ...]
    losses: tuple[Loss, ...] = ()

    @property
    def styled(self) -> bool:
        """Whether there is anything that plain text does not say."""
        return any(style != PLAIN for _, style in self.runs)


def from_html(source: str) -> Rich:
    """Reads HTML of any dialect, AIM's and the bridge's own among them.

    Never fails. What has no place in a run (images, scripts, unknown styles) is left out and reported.
    """
    if "<" not in source and "&" not in source and len(source) <= MAX_SOURCE:
        return plain(source)
    losses = _Losses()
    if len(source) > MAX_SOURCE:
        losses.add("length", f"all after {MAX_SOURCE} characters of HTML")
        source = source[:MAX_SOURCE]
    source, changed = clean(source)
    if changed:
        losses.add("control-characters", "taken out")
    reader = _RunReader(losses)
    for token in tokens(source):
        if isinstance(token, str):
            reader.text(token)
        elif isinstance(token, Hidden):
            if token.what != "comment":
                losses.add("html", f"<{token.what}> and its content")
        elif token.name not in KNOWN and token.name.isalnum():
            reader.text(decode_entities(token.source))  # List<String>: hardly meant as a tag
        elif token.closing:
            reader.close(token)
        else:
            reader.open(token)
    return Rich(tuple(reader.runs()), losses.all())


def to_plain(rich: Rich) -> str:
    """Writes runs as plain text; a link whose text hides its target has it behind: ``here (http://...)``."""
    out: list[str] = []
    label: list[str] = []
    href = ""
    for text, style in (*rich.runs, ("", PLAIN)):
        if style.href != href:
            if href and not says_the_same("".join(label), href):
                out.append(f" ({href})")
            href = style.href
            label.clear()
        label.append(text)
        out.append(text)
    return "".join(out)


def to_html(rich: Rich) -> str:
    """Writes runs as the bridge's own HTML."""
    return _write(rich.runs, _own_tags)


def to_aim(rich: Rich) -> str:
    """Writes runs as AIM's HTML."""
    return _write(rich.runs, _aim_tags)


def write(rich: Rich, tags_of: Callable[[Style], Sequence[tuple[str, str]]]) -> str:
    """Writes runs as a dialect whose tags for a style, opening and closing, ``tags_of`` gives, outermost first."""
    return _write(rich.runs, tags_of)


def plain(text: str) -> Rich:
    """Makes runs of plain text. Control characters and halves of surrogate pairs are taken out and reported."""
    text, changed = clean(text)
    losses = (Loss(feature="control-characters", detail="taken out"),) if changed else ()
    return Rich(((text, PLAIN),) if text else (), losses)


def escape(text: str) -> str:
    """Writes plain text as HTML: markup is escaped, line ends are ``<br>``, blanks that a reader would lose ``&nbsp;``.

    Expects text that ``clean`` has seen. Reads back as itself.
    """
    return _write(((text, PLAIN),), _no_tags)


def to_part(rich: Rich, language: str | None = None) -> TextPart:
    """Makes the canonical part: plain text, and HTML where it says more."""
    if len(rich.runs) == 1 and rich.runs[0][1] is PLAIN:
        return TextPart(text=rich.runs[0][0], language=language)
    return TextPart(text=to_plain(rich), html=to_html(rich) if rich.styled else None, language=language)


def from_part(part: TextPart) -> Rich:
    """Reads a canonical part. Its HTML counts only where it says the same as its text: a redacted text has no other."""
    if part.html is not None:
        rich = from_html(part.html)
        if to_plain(rich) == part.text:
            return rich
        bare = plain(part.text)
        return Rich(bare.runs, (*bare.losses, Loss(feature="html", detail="it did not say the same as the text")))
    return plain(part.text)


def split_rich(rich: Rich, limit: int, cost: Cost, write: Callable[[Rich], str]) -> tuple[Rich, ...]:
    """Cuts runs into pieces that cost at most ``limit`` each once written, at grapheme boundaries.

    The plain text of the pieces joins to the plain text of the whole (a link that is cut is named behind each piece).
    A style whose tags alone would not fit is left out and reported.

    Raises:
        ValueError: a single character, written, costs more than ``limit``.
    """
    if cost(write(rich)) <= limit:
        return (rich,)
    if not rich.styled:
        pieces = _split_plain(to_plain(rich), limit, cost, lambda text: write(Rich(((text, PLAIN),))))
        return tuple(Rich(((piece, PLAIN),), rich.losses if index == 0 else ()) for index, piece in enumerate(pieces))
    return _split_styled(rich, limit, cost, write)


def _split_plain(text: str, limit: int, cost: Cost, write: Callable[[str], str]) -> Iterable[str]:
    """A blank mostly takes one character and sometimes the six of &nbsp;: hope first, and cut again where it failed."""
    edges = 2 * cost("&nbsp;")
    if limit < 8 * edges:
        return split(text, limit, lambda unit: cost(write(unit)))
    pieces: list[str] = []
    for piece in split(text, limit - edges, lambda unit: cost(unit) if unit == " " else cost(write(unit))):
        pieces += (piece,) if cost(write(piece)) <= limit else split(piece, limit, lambda unit: cost(write(unit)))
    return pieces


def _split_styled(rich: Rich, limit: int, cost: Cost, write: Callable[[Rich], str]) -> tuple[Rich, ...]:
    losses = _Losses()
    pieces: list[tuple[Run, ...]] = []
    current: list[Run] = []
    spent = 0
    for text, style in rich.runs:
        shown = style
        overhead = cost(write(Rich((("x", style),)))) - cost("x")
        if overhead * 2 > limit:
            losses.add("html", "a style whose tags do not fit into a message")
            shown, overhead = PLAIN, 0
        taken: list[str] = []
        for unit in _pieces_of(text, limit - overhead, cost, write):
            price = _price(unit, cost, write)
            opening = 0 if taken else overhead
            if spent + price + opening > limit and (current or taken):
                if taken:
                    current.append(("".join(taken), shown))
                pieces.append(tuple(current))
                current, taken, spent, opening = [], [], 0, overhead
            taken.append(unit)
            spent += price + opening
        if taken:
            current.append(("".join(taken), shown))
    if current:
        pieces.append(tuple(current))
    whole = (*rich.losses, *losses.all())
    return tuple(Rich(_merged(runs), whole if index == 0 else ()) for index, runs in enumerate(pieces))


def _price(unit: str, cost: Cost, write: Callable[[Rich], str]) -> int:
    # the dearest form: a lone blank is written &nbsp;
    return cost(write(Rich(((unit, PLAIN),))))


def _pieces_of(text: str, limit: int, cost: Cost, write: Callable[[Rich], str]) -> Iterable[str]:
    for cluster in graphemes(text):
        if len(cluster) > 1 and _price(cluster, cost, write) > limit:
            yield from cluster
        else:
            if _price(cluster, cost, write) > limit:
                raise ValueError(f"{cluster!a} does not fit into {limit} bytes")
            yield cluster


def _merged(runs: Iterable[Run]) -> tuple[Run, ...]:
    out: list[Run] = []
    for text, style in runs:
        if not text:
            continue
        if out and out[-1][1] == style:
            out[-1] = (out[-1][0] + text, style)
        else:
            out.append((text, style))
    return tuple(out)


class _Losses:
    """What was lost, each thing once, and not without end."""

    __slots__ = ("_found",)

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], None] = {}

    def add(self, feature: str, detail: str) -> None:
        if len(self._found) < MAX_LOSSES:
            self._found[feature, detail] = None

    def all(self) -> tuple[Loss, ...]:
        return tuple(Loss(feature=feature, detail=detail) for feature, detail in self._found)


class _RunReader:
    """Follows the tags with a stack of what is open, and keeps text with the style of its moment."""

    __slots__ = ("_after_break", "_breaks", "_losses", "_open", "_runs", "_style", "_trailing")

    def __init__(self, losses: _Losses) -> None:
        self._losses = losses
        self._runs: list[tuple[list[str], Style]] = []
        self._open: list[tuple[str, Changes, Style]] = []
        """Open elements: name, what it changes, the style before it."""
        self._style = PLAIN
        self._breaks = 0
        """Line ends that a block's border wants before the next text."""
        self._trailing = -1
        """Line ends that the text so far ends in; -1 where there is no text yet."""
        self._after_break = False

    def runs(self) -> Iterable[Run]:
        return _merged(("".join(parts), style) for parts, style in self._runs)

    def text(self, text: str) -> None:
        if self._after_break and "\n" in text:
            # a line end beside a tag that ends a line lays out the source, it was not said
            if text.isspace():
                return
            text = text.removeprefix("\n")
        self._after_break = False
        if text:
            self._put(text)

    def _put(self, text: str) -> None:
        if self._breaks:
            if self._trailing >= 0:
                self._append("\n" * max(0, self._breaks - self._trailing))
            self._breaks = 0
        self._append(text)
        bare = text.rstrip("\n")
        ends = len(text) - len(bare)
        self._trailing = ends if bare else max(self._trailing, 0) + ends

    def _append(self, text: str) -> None:
        if not text:
            return
        if self._runs and self._runs[-1][1] == self._style:
            self._runs[-1][0].append(text)
        else:
            self._runs.append(([text], self._style))

    def open(self, tag: Tag) -> None:
        name = tag.name
        if name == "br":
            self._put("\n")
            self._after_break = True
            return
        if name in BLOCKS:
            self._border(name)
        if name in FORMATTING:
            self._begin(tag)
        elif name == "li":
            self._put("\u2022 ")
        elif name in {"td", "th"}:
            if self._trailing == 0 and not self._breaks:
                self._put("\t")
        elif name == "img":
            self._image(tag)
        elif name == "hr" or name in DROPPED or name not in KNOWN:
            self._losses.add("html", f"<{name}>")

    def _begin(self, tag: Tag) -> None:
        changes, lost = formatting(tag)
        for what in lost:
            self._losses.add("html", what)
        if len(self._open) >= MAX_DEPTH:
            self._losses.add("html", f"elements nested deeper than {MAX_DEPTH}")
            return
        self._open.append((tag.name, changes, self._style))
        if changes:
            self._style = self._style._replace(**changes)  # type: ignore[arg-type]

    def _image(self, tag: Tag) -> None:
        alternative = tag.attributes.get("alt", "").strip()
        self._losses.add("image", alternative[:80] or "an image in the text")
        self._put(alternative or "[image]")

    def close(self, tag: Tag) -> None:
        name = tag.name
        if name in FORMATTING:
            self._end(name)
        if name in BLOCKS:
            self._border(name)

    def _border(self, name: str) -> None:
        self._breaks = max(self._breaks, BLOCKS[name])
        self._after_break = True

    def _end(self, name: str) -> None:
        for index in range(len(self._open) - 1, -1, -1):
            if self._open[index][0] == name:
                self._remove(index)
                return

    def _remove(self, index: int) -> None:
        _, _, style = self._open[index]
        for at in range(index + 1, len(self._open)):
            other, changes, _ = self._open[at]
            self._open[at] = (other, changes, style)
            style = style._replace(**changes)  # type: ignore[arg-type]
        del self._open[index]
        self._style = style


def _no_tags(_style: Style) -> tuple[tuple[str, str], ...]:
    return ()


def _flag_tags(style: Style) -> list[tuple[str, str]]:
    flags = ((style.bold, "b"), (style.italic, "i"), (style.underline, "u"), (style.strike, "s"))
    return [(f"<{name}>", f"</{name}>") for on, name in flags if on]


def _own_tags(style: Style) -> Sequence[tuple[str, str]]:
    """Which tags say a style, outermost first: opening and closing."""
    if style == PLAIN:
        return ()
    out = [(f'<a href="{_attribute(style.href)}">', "</a>")] if style.href else []
    look = css(style)
    if look:
        out.append((f'<span style="{look}">', "</span>"))
    return out + _flag_tags(style)


def _aim_tags(style: Style) -> Sequence[tuple[str, str]]:
    if style == PLAIN:
        return ()
    out = [(f'<A HREF="{_attribute(style.href)}">', "</A>")] if style.href else []
    look = font(style)
    if look:
        out.append((f"<FONT {look}>", "</FONT>"))
    return out + _flag_tags(style)


def _attribute(text: str) -> str:
    return text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;").replace(">", "&gt;")


def _write(runs: Sequence[Run], tags_of: Callable[[Style], Sequence[tuple[str, str]]]) -> str:
    out: list[str] = []
    opened: list[tuple[str, str]] = []
    blank_before = True
    for index, (text, style) in enumerate(runs):
        wanted = tags_of(style)
        same = 0
        while same < len(opened) and same < len(wanted) and opened[same] == wanted[same]:
            same += 1
        out += [end for _, end in reversed(opened[same:])]
        del opened[same:]
        out += [start for start, _ in wanted[same:]]
        opened += wanted[same:]
        out.append(_escape_run(text, blank_before=blank_before, last=index == len(runs) - 1))
        blank_before = text[-1:] in {" ", "\n"}
    out += [end for _, end in reversed(opened)]
    return "".join(out)


def _escape_run(text: str, *, blank_before: bool, last: bool) -> str:
    if "&" in text:
        text = text.replace("&", "&amp;")
    if "<" in text:
        text = text.replace("<", "&lt;")
    if ">" in text:
        text = text.replace(">", "&gt;")
    if " " in text and (
        "  " in text or "\n" in text or (last and text.endswith(" ")) or (blank_before and text.startswith(" "))
    ):
        text = _hold_blanks(text, blank_before=blank_before, last=last)
    return text.replace("\n", "<br>") if "\n" in text else text


def _hold_blanks(text: str, *, blank_before: bool, last: bool) -> str:
    """A blank that a reader who folds blanks would lose becomes &nbsp;: after a blank, or at the edge of a line."""
    out: list[str] = []
    lines = text.split("\n")
    for number, line in enumerate(lines):
        if number:
            out.append("\n")
        ends = last or number < len(lines) - 1
        if (number or blank_before) and line.startswith(" "):
            line = "&nbsp;" + line[1:]
        line = line.replace("  ", " &nbsp;")
        if ends and line.endswith(" "):
            line = line[:-1] + "&nbsp;"
        out.append(line)
    return "".join(out)
