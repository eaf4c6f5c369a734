"""What the elements of HTML mean to a conversation: tables, each row a test vector."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from mappings.markup import Tag
from mappings.style import Changes, colour, css_changes, face, font_size, link, points

BLOCKS: Final[Mapping[str, int]] = {
    "p": 2, "blockquote": 2, "h1": 2, "h2": 2, "h3": 2, "h4": 2, "h5": 2, "h6": 2, "pre": 1, "ul": 1, "ol": 1, "dl": 1,
    "div": 1, "li": 1, "dt": 1, "dd": 1, "table": 1, "tr": 1, "hr": 1, "center": 1, "address": 1, "article": 1,
    "section": 1, "header": 1, "footer": 1, "main": 1, "nav": 1, "aside": 1, "figure": 1, "fieldset": 1, "form": 1,
    "html": 0, "head": 0, "body": 0, "tbody": 0, "thead": 0, "tfoot": 0,
}  # fmt: skip
"""How many line ends stand between such an element and its neighbours."""

FLAGS: Final[Mapping[str, str]] = {
    "b": "bold", "strong": "bold", "h1": "bold", "h2": "bold", "h3": "bold", "h4": "bold", "h5": "bold", "h6": "bold",
    "th": "bold", "i": "italic", "em": "italic", "cite": "italic", "var": "italic", "dfn": "italic", "u": "underline",
    "ins": "underline", "s": "strike", "strike": "strike", "del": "strike",
}  # fmt: skip
FACES: Final[Mapping[str, str]] = {"code": "monospace", "tt": "monospace", "kbd": "monospace", "samp": "monospace"}
RESIZED: Final[Mapping[str, str]] = {"big": "large", "small": "small"}

FORMATTING: Final = frozenset({*FLAGS, *FACES, *RESIZED, "a", "font", "span", "body", "pre", "p", "div"})
"""Elements that change how their text looks."""

DROPPED: Final = frozenset({
    "sub", "sup", "blink", "marquee", "object", "embed", "applet", "iframe", "video", "audio", "canvas", "svg", "math",
    "input", "button", "select", "option", "textarea", "link", "base", "bgsound", "frame", "frameset", "map", "area",
    "source", "track", "param", "script", "style", "title",
})  # fmt: skip
"""Elements that mean something which is lost; their text is kept."""

KNOWN: Final = frozenset({
    *BLOCKS, *FORMATTING, *DROPPED, "br", "img", "td", "wbr", "nobr", "meta", "label", "abbr", "acronym", "q", "mark",
    "bdo", "bdi", "time", "col", "colgroup", "caption", "legend", "noscript", "ruby", "rt", "rp", "details", "summary",
    "picture", "data", "binary", "sml", "basefont", "dir", "menu", "xmp", "listing", "plaintext",
})  # fmt: skip
"""All that HTML, and AIM's dialect of it, has. A tag of another name was hardly meant as one: it is kept as text."""


MEMO_ENTRIES: Final = 2048
MEMO_KEY: Final = 128
_memo: dict[str, tuple[Changes, list[str]]] = {}


def formatting(tag: Tag) -> tuple[Changes, list[str]]:
    """Returns what a formatting element changes, and what of it is lost. Neither is to be altered: it is remembered."""
    known = _memo.get(tag.source)
    if known is None:
        known = _formatting(tag)
        if len(tag.source) <= MEMO_KEY:
            if len(_memo) >= MEMO_ENTRIES:
                _memo.clear()
            _memo[tag.source] = known
    return known


def _formatting(tag: Tag) -> tuple[Changes, list[str]]:
    name, attributes = tag.name, tag.attributes
    changes: Changes = {}
    lost: list[str] = []
    if name in FLAGS:
        changes[FLAGS[name]] = True
    elif name in FACES:
        changes["face"] = FACES[name]
    elif name in RESIZED:
        changes["size"] = RESIZED[name]
    elif name == "a" and "href" in attributes:
        _link(attributes["href"], changes, lost)
    elif name == "font":
        _font(attributes, changes, lost)
    if "data-mx-color" in attributes or "data-mx-bg-color" in attributes:
        _matrix_colours(attributes, changes)
    if attributes and "style" in attributes:
        styled, without_place = css_changes(attributes["style"])
        changes |= styled
        lost += [f"style {what[:40]}" for what in without_place]
    return changes, lost


def _link(target: str, changes: Changes, lost: list[str]) -> None:
    followed = link(target)
    if followed is None:
        lost.append(f"a link to {target[:80]!a}")
    else:
        changes["href"] = followed


_FONT: Final = (
    ("color", "color", colour),
    ("back", "background", colour),
    ("size", "size", font_size),
    ("ptsize", "size", points),
    ("absz", "size", points),  # iChat
    ("face", "face", face),
)


def _matrix_colours(attributes: Mapping[str, str], changes: Changes) -> None:
    """The colours of Matrix's dialect, which has no style attribute."""
    for attribute, field in (("data-mx-color", "color"), ("data-mx-bg-color", "background")):
        value = colour(attributes.get(attribute, ""))
        if value is not None:
            changes[field] = value


def _font(attributes: Mapping[str, str], changes: Changes, lost: list[str]) -> None:
    for attribute, field, read in _FONT:
        text = attributes.get(attribute)
        if text is None:
            continue
        value = read(text)
        if value is None:
            lost.append(f"font {attribute} {text[:40]!a}")
        else:
            changes[field] = value
