"""Matrix's HTML (``org.matrix.custom.html``): what clients of it write and let through.

Client-Server API, "m.room.message msgtypes": the elements and attributes that a client may show, and the ``mx-reply``
of older clients, a copy of what is answered, which is not said again here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from mappings.richtext import Rich, from_html, write
from mappings.style import Style

MAX_REPLY: Final = 65_536
_REPLY_END: Final = re.compile(r"</mx-reply\s{0,8}>", re.IGNORECASE)
_SCHEMES: Final = ("http:", "https:", "ftp:", "mailto:")
"""The links that clients of Matrix follow; others are shown as text."""


def from_matrix(html: str) -> Rich:
    """Reads a ``formatted_body``."""
    return from_html(without_reply(html))


def without_reply(html: str) -> str:
    """Takes the copy of what is answered from the beginning of a formatted body."""
    if html[:9].lower() != "<mx-reply":
        return html
    end = _REPLY_END.search(html, 0, MAX_REPLY)
    return html if end is None else html[end.end() :]


def without_quote(body: str) -> str:
    """Takes the copy of what is answered from the beginning of a plain body: lines with ``>``, and an empty one."""
    lines = body.split("\n")
    at = 0
    while at < len(lines) and lines[at].startswith(">"):
        at += 1
    if not at or at >= len(lines):
        return body
    return "\n".join(lines[at + 1 if not lines[at].strip() else at :])


def to_matrix(rich: Rich) -> str:
    """Writes runs as Matrix's HTML."""
    return write(rich, _tags)


def _tags(style: Style) -> Sequence[tuple[str, str]]:
    out: list[tuple[str, str]] = []
    if style.href.startswith(_SCHEMES):
        href = style.href.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;").replace(">", "&gt;")
        out.append((f'<a href="{href}">', "</a>"))
    colours = ""
    if style.color:
        colours += f' data-mx-color="{style.color}"'
    if style.background:
        colours += f' data-mx-bg-color="{style.background}"'
    if colours:
        out.append((f"<span{colours}>", "</span>"))
    if style.face == "monospace":
        out.append(("<code>", "</code>"))
    flags = ((style.bold, "strong"), (style.italic, "em"), (style.underline, "u"), (style.strike, "del"))
    return out + [(f"<{name}>", f"</{name}>") for on, name in flags if on]


def unsaid(rich: Rich) -> bool:
    """Whether runs have a look that Matrix's HTML has no way to say."""
    return any(
        style.size or (style.face and style.face != "monospace") or (style.href and not style.href.startswith(_SCHEMES))
        for _, style in rich.runs
    )
