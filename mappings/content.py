"""The content of a MESSAGE: media types, content codings and charsets, down to text."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from attrs import frozen

from transports.sip.wire.coding import inflate as undo
from transports.sip.wire.errors import SipSyntaxError
from transports.sip.wire.headers import parse_content_type

MAX_INFLATED: Final = 262_144
"""The most bytes that a compressed body may unfold to."""
MEMO_ENTRIES: Final = 256
_MEMO_KEY: Final = 128

_CODECS: Final[Mapping[str, str]] = MappingProxyType({
    "utf-8": "utf-8", "utf8": "utf-8", "us-ascii": "utf-8", "ascii": "utf-8",
    "iso-8859-1": "cp1252", "latin1": "cp1252", "windows-1252": "cp1252", "iso-8859-15": "iso8859-15",
    "iso-8859-2": "iso8859-2", "windows-1250": "cp1250", "windows-1251": "cp1251", "koi8-r": "koi8-r",
    "utf-16": "utf-16", "utf-16be": "utf-16-be", "utf-16le": "utf-16-le", "shift_jis": "shift_jis",
    "iso-2022-jp": "iso2022_jp", "euc-jp": "euc_jp", "euc-kr": "euc_kr", "gb2312": "gb18030", "gbk": "gb18030",
    "gb18030": "gb18030", "big5": "big5",
})  # fmt: skip
"""Charsets that are read (names of IANA), and the codec for each. ASCII is read as UTF-8: nobody marks it rightly;
Latin-1 as Windows reads it. No other codec of Python's is reachable by a name from outside."""


class ContentError(ValueError):
    """A content that cannot be read.

    ``feature`` names what of it: content-type, charset, content-encoding, length, malformed, sender, require.
    """

    def __init__(self, feature: str, reason: str) -> None:
        super().__init__(reason)
        self.feature = feature
        self.reason = reason


@frozen
class MediaType:
    """A media type in lower case, and the charset that it names (empty: none)."""

    name: str
    charset: str = ""


PLAIN: Final = MediaType("text/plain")
_memo: dict[str, MediaType] = {"text/plain": PLAIN, "": PLAIN}


def media_type(text: str) -> MediaType:
    """Reads a Content-Type; an empty one is text/plain.

    Raises:
        ContentError: it is none.
    """
    known = _memo.get(text)
    if known is not None:
        return known
    try:
        parsed = parse_content_type(text)
    except SipSyntaxError as error:
        raise ContentError("malformed", error.reason) from error
    found = MediaType(parsed.media_type, (parsed.param("charset") or "").strip('"').lower())
    if len(text) <= _MEMO_KEY:
        if len(_memo) >= MEMO_ENTRIES:
            _memo.clear()
        _memo[text] = found
    return found


def decode(body: bytes, charset: str) -> tuple[str, bool]:
    """Reads text. No charset means UTF-8 (RFC 3261 section 7.4.1).

    Returns:
        The text, and whether bytes that are none in this charset were replaced by U+FFFD.

    Raises:
        ContentError: the charset is not known.
    """
    codec = _CODECS.get(charset) if charset else "utf-8"
    if codec is None:
        raise ContentError("charset", f"the charset {charset[:40]!a} is not known here")
    try:
        return body.decode(codec), False
    except UnicodeDecodeError:
        return body.decode(codec, "replace"), True


def inflate(body: bytes, coding: str, most: int = MAX_INFLATED) -> bytes:
    """Undoes a Content-Encoding (RFC 3261 section 20.12): identity, deflate (zlib or bare) or gzip.

    Raises:
        ContentError: another coding, broken data, or more than ``most`` bytes.
    """
    try:
        return undo(body, coding.strip().lower(), most)
    except SipSyntaxError as error:
        raise ContentError("length" if error.status == 413 else "content-encoding", error.reason) from error
