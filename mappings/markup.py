"""Reads HTML as instant messengers write it into text and tags, whatever is broken in it.

Why not the standard library's ``html.parser``: its time grows with the square of hostile input and more (34 s for
64 KiB of ``<a <a <a``, docs/adr/0006-rich-text.md), and it does not tell ``&nbsp;`` from U+00A0. This reader looks at
each character a bounded number of times. What is not certainly markup is text: in a conversation, dropping what
somebody said is the worse error.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from html import unescape
from html.entities import html5
from typing import Final

from attrs import frozen

from mappings.text import clean

MAX_TAG: Final = 4096
"""The longest tag, in characters; what is longer is text."""
MAX_ATTRIBUTES: Final = 32
MEMO_ENTRIES: Final = 2048
MEMO_KEY: Final = 128
_MAX_ENTITY: Final = 34
_NAME: Final = re.compile(r"[a-z][a-z0-9]*+(?:[:-][a-z0-9]++)*+", re.ASCII | re.IGNORECASE)
_ATTRIBUTE: Final = re.compile(
    r"""[\s/]*+([^\s=<>/"']++)(?:\s*+=\s*+(?:"([^"]*+)"|'([^']*+)'|([^\s"'<>]*+)))?""", re.ASCII
)
_END: Final = re.compile(r"[\s/]*+>", re.ASCII)
_HIDDEN: Final = {
    name: re.compile(rf"</{name}(?=[\s>/])[^<>]{{0,64}}>", re.ASCII | re.IGNORECASE)
    for name in ("script", "style", "title")
}
"""Elements whose content is not part of what is said."""


@frozen
class Tag:
    """A tag. ``name`` and the names of ``attributes`` are in lower case, values decoded; ``source`` as written."""

    name: str
    closing: bool
    attributes: Mapping[str, str]
    source: str


@frozen
class Hidden:
    """Something that was left out: ``script``, ``style``, ``title``, or a ``comment`` or declaration."""

    what: str


Token = str | Tag | Hidden
_memo: dict[str, Tag] = {}
"""Tags that were read before, by their source up to the first ``>``: a client frames each message in the same few."""
_NOTHING: Final[Mapping[str, str]] = {}


def tokens(source: str) -> Iterator[Token]:
    """Yields the texts (entities decoded, ``&nbsp;`` as a blank), tags and hidden parts of an HTML text, in order.

    Never fails: what cannot be read as markup is given as text. Linear in the length of ``source``.
    """
    return _Reader(source).tokens()


class _Reader:
    """One pass over a source. ``_absent`` remembers what was looked for in vain, so that it is looked for once."""

    __slots__ = ("_absent", "_at", "_source")

    def __init__(self, source: str) -> None:
        self._source = source
        self._at = 0
        self._absent: set[str] = set()

    def tokens(self) -> Iterator[Token]:
        source = self._source
        start = 0  # of the text that was not given yet
        while (left := source.find("<", self._at)) >= 0:
            found = self._markup(left)
            if found is None:
                self._at = left + 1
                continue
            if start < left:
                yield decode_entities(source[start:left])
            start = self._at
            yield found
        if start < len(source):
            yield decode_entities(source[start:])

    def _markup(self, left: int) -> Tag | Hidden | None:
        """Reads what begins with the ``<`` at ``left`` and moves behind it; None (and no move) where it is text."""
        end = self._source.find(">", left, left + MEMO_KEY)
        known = _memo.get(self._source[left : end + 1]) if end > 0 else None
        if known is not None:
            self._at = end + 1
            return known
        return self._unknown(left)

    def _unknown(self, left: int) -> Tag | Hidden | None:
        following = self._source[left + 1 : left + 2]
        if following in {"!", "?"}:
            return self._declaration(left)
        closing = following == "/"
        begin = left + 2 if closing else left + 1
        match = _NAME.match(self._source, begin, begin + 64)
        if match is None:
            return None
        tag = self._tag(match[0].lower(), match.end(), left, closing=closing)
        if tag is not None and not closing and tag.name in _HIDDEN and self._skip_hidden(tag.name):
            return Hidden(tag.name)
        if tag is not None and tag.name not in _HIDDEN and len(tag.source) <= MEMO_KEY and tag.source.count(">") == 1:
            if len(_memo) >= MEMO_ENTRIES:
                _memo.clear()
            _memo[tag.source] = tag
        return tag

    def _tag(self, name: str, at: int, left: int, *, closing: bool) -> Tag | None:
        source = self._source
        limit = min(len(source), left + MAX_TAG)
        attributes: dict[str, str] = {}
        for _ in range(MAX_ATTRIBUTES + 1):
            end = _END.match(source, at, limit)
            if end is not None:
                self._at = end.end()
                return Tag(name, closing, attributes or _NOTHING, source[left : self._at])
            if source[at : at + 1] not in _SEPARATORS and not attributes:
                return None  # the name goes on: <bob@aim.example>, <http://...>
            match = _ATTRIBUTE.match(source, at, limit)
            if match is None:
                return None
            key = match[1].lower()
            if key not in attributes:
                value = match[2] or match[3] or match[4] or ""
                attributes[key] = decode_entities(value) if "&" in value else value
            at = match.end()
        return None

    def _declaration(self, left: int) -> Hidden | None:
        source = self._source
        if source.startswith("<!--", left):
            return self._skip_to("-->", left + 4)
        if not source[left + 2 : left + 3].isalpha():
            return None
        end = source.find(">", left, left + MAX_TAG)
        if end < 0 or source.find("<", left + 1, end) >= 0:
            return None
        self._at = end + 1
        return Hidden("comment")

    def _skip_to(self, mark: str, begin: int) -> Hidden | None:
        if mark in self._absent:
            return None
        end = self._source.find(mark, begin)
        if end < 0:
            self._absent.add(mark)
            return None
        self._at = end + len(mark)
        return Hidden("comment")

    def _skip_hidden(self, name: str) -> bool:
        if name in self._absent:
            return False
        end = _HIDDEN[name].search(self._source, self._at)
        if end is None:
            self._absent.add(name)
            return False
        self._at = end.end()
        return True


_SEPARATORS: Final = frozenset(" \t\r\n\f/")


def decode_entities(text: str) -> str:
    """Replaces the entities of HTML 5 that end in a semicolon; ``&nbsp;`` and ``&#160;`` become a blank.

    An entity without its semicolon stays as it is: ``AT&T`` and ``?a=1&copy=2`` are what people write.
    """
    at = text.find("&")
    if at < 0:
        return text
    out: list[str] = []
    start = 0
    while at >= 0:
        end = text.find(";", at + 1, at + _MAX_ENTITY)
        value = None if end < 0 else _entity(text[at + 1 : end])
        if value is None:
            at = text.find("&", at + 1)
            continue
        out += (text[start:at], value)
        start = end + 1
        at = text.find("&", start)
    out.append(text[start:])
    return "".join(out)


def _entity(name: str) -> str | None:
    if name[:1] != "#":
        value = html5.get(name + ";")
        return " " if value == "\xa0" else value
    digits, base = (name[2:], 16) if name[1:2] in {"x", "X"} else (name[1:], 10)
    if not digits.isascii() or not digits.isalnum() or len(digits) > 8:
        return None
    try:
        number = int(digits, base)
    except ValueError:
        return None
    # unescape knows the numbers that Windows clients write for their code page, and refuses what is no character
    if number == 0xA0:
        return " "
    # &#13;&#10; is one line end; no other control comes in by an entity either
    return "" if number == 0x0D else clean(unescape(f"&#{number};"))[0]
