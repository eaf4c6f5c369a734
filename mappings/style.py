"""How a stretch of rich text looks: values in one normal form, and how each dialect of HTML writes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

MAX_FACE: Final = 64
MAX_LINK: Final = 2048
_HEX: Final = frozenset("0123456789abcdef")
_FACE: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 -_")
_SAFE_SCHEMES: Final = frozenset({"http", "https", "ftp", "mailto", "sip", "sips", "tel", "xmpp", "im", "aim", "news"})

COLOURS: Final[Mapping[str, str]] = {
    "black": "#000000", "silver": "#c0c0c0", "gray": "#808080", "white": "#ffffff", "maroon": "#800000",
    "red": "#ff0000", "purple": "#800080", "fuchsia": "#ff00ff", "green": "#008000", "lime": "#00ff00",
    "olive": "#808000", "yellow": "#ffff00", "navy": "#000080", "blue": "#0000ff", "teal": "#008080",
    "aqua": "#00ffff", "orange": "#ffa500",
}  # fmt: skip
"""The colour names of HTML 4 and CSS 2.1."""

SIZES: Final = ("x-small", "small", "medium", "large", "x-large", "xx-large", "xxx-large")
"""What <font size=1> to <font size=7> are called in CSS."""


class Style(NamedTuple):
    """How a stretch of text looks; an empty text: nothing said. ``size`` is one of SIZES or points such as ``12pt``."""

    href: str = ""
    color: str = ""
    background: str = ""
    size: str = ""
    face: str = ""
    bold: bool = False
    italic: bool = False
    underline: bool = False
    strike: bool = False


PLAIN: Final = Style()
Changes = dict[str, str | bool]


def colour(text: str) -> str | None:
    """Returns a colour as ``#rrggbb``, or None where it is none that is known."""
    value = text.strip().lower()
    named = COLOURS.get(value)
    if named is not None:
        return named
    digits = value.removeprefix("#")
    if not _HEX.issuperset(digits):
        return None
    if len(digits) == 3 and value[0] == "#":
        return "#" + "".join(digit * 2 for digit in digits)
    return f"#{digits}" if len(digits) == 6 else None


def font_size(text: str) -> str | None:
    """Returns the size that <font size> means: 1 to 7, or relative to 3; None where it is none."""
    value = text.strip()
    relative = value[:1] in {"+", "-"}
    digits = value[1:] if relative else value
    if not (digits.isascii() and digits.isdigit()) or len(digits) > 2:
        return None
    number = int(digits)
    if relative:
        number = 3 + number if value[0] == "+" else 3 - number
    return SIZES[min(max(number, 1), 7) - 1]


def points(text: str) -> str | None:
    """Returns a size in points (``12pt``, 1 to 99), or None."""
    digits = text.strip().lower().removesuffix("pt")
    if not (digits.isascii() and digits.isdigit()) or not 1 <= len(digits) <= 2 or int(digits) == 0:
        return None
    return f"{int(digits)}pt"


def face(text: str) -> str | None:
    """Returns the first font of a list, without quotes; None where it has characters that no font name needs."""
    value = text.split(",", 1)[0].strip().strip("'\"").strip()
    return value if value and len(value) <= MAX_FACE and _FACE.issuperset(value) else None


def link(text: str) -> str | None:
    """Returns the target of a link where its scheme is one that a reader may follow, else None."""
    value = "".join(text.split())
    if not value or len(value) > MAX_LINK or not value.isprintable():
        return None
    scheme, colon, rest = value.partition(":")
    if not colon:
        return f"http://{value}" if value.startswith("www.") else None
    return f"{scheme.lower()}:{rest}" if scheme.lower() in _SAFE_SCHEMES and rest.strip("/") else None


def says_the_same(text: str, href: str) -> bool:
    """Whether the text of a link lets its reader see where it leads."""
    shown = text.strip()
    if shown == href:
        return True
    bare = href.removeprefix("mailto:").removeprefix("http://").removeprefix("https://").rstrip("/")
    return shown.rstrip("/").casefold() == bare.casefold() or shown.rstrip("/") == href.rstrip("/")


def css_changes(text: str) -> tuple[Changes, list[str]]:
    """Reads a ``style`` attribute.

    Returns:
        What it changes, and the names of the properties that have no place in ``Style``.
    """
    changes: Changes = {}
    lost: list[str] = []
    for declaration in text.split(";")[:32]:
        name, colon, value = declaration.partition(":")
        name, value = name.strip().lower(), value.strip()
        if not colon or not name or not value:
            continue
        change = _declaration(name, value)
        if change is None:
            lost.append(name)
        else:
            changes |= change
    return changes, lost


def _declaration(name: str, value: str) -> Changes | None:
    lower = value.lower()
    if name == "font-weight":
        return {"bold": lower in {"bold", "bolder", "600", "700", "800", "900"}}
    if name == "font-style":
        return {"italic": lower in {"italic", "oblique"}}
    if name == "text-decoration":
        return {"underline": "underline" in lower, "strike": "line-through" in lower}
    found, key = None, ""
    if name == "color":
        found, key = colour(value), "color"
    elif name in {"background-color", "background"}:
        found, key = colour(value), "background"
    elif name == "font-size":
        found, key = lower if lower in SIZES else points(value), "size"
    elif name == "font-family":
        found, key = face(value), "face"
    return None if found is None else {key: found}


def css(style: Style) -> str:
    """Writes what is not an element of its own (colours, size, face) as the value of a ``style`` attribute."""
    out = []
    if style.color:
        out.append(f"color:{style.color}")
    if style.background:
        out.append(f"background-color:{style.background}")
    if style.size:
        out.append(f"font-size:{style.size}")
    if style.face:
        out.append(f"font-family:'{style.face}'")
    return ";".join(out)


def font(style: Style) -> str:
    """Writes the same as the attributes of AIM's <font>."""
    out = []
    if style.color:
        out.append(f'COLOR="{style.color}"')
    if style.background:
        out.append(f'BACK="{style.background}"')
    if style.size.endswith("pt"):
        out.append(f"PTSIZE={style.size[:-2]}")
    elif style.size:
        out.append(f"SIZE={SIZES.index(style.size) + 1}")
    if style.face:
        out.append(f'FACE="{style.face}"')
    return " ".join(out)
