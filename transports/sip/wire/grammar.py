"""The small grammar that all headers share (RFC 3261 section 25.1): tokens, quoted strings, parameters, lists.

Every pattern is anchored where it starts and has no two ways to match one text, so reading is linear in its length.
"""

from __future__ import annotations

import re
from typing import Final

from transports.sip.wire.errors import SipBuildError, SipSyntaxError
from transports.sip.wire.uri import Pairs

WORD_CHARS: Final = r"A-Za-z0-9\-.!%*_+`'~"
TOKEN: Final = re.compile(rf"[{WORD_CHARS}]+")
QUOTED: Final = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)
# One parameter. A value may hold more than a token: hosts, IPv6 addresses with or without brackets (RFC 5118 4.5),
# and what clients put there unquoted (":", "/", "@", "=" in tags and GRUUs).
_VALUE_CHARS: Final = rf"[{WORD_CHARS}\[\]:/@=?&$#|{{}}^\u0080-\U0010ffff]"
_PARAM: Final = re.compile(
    rf";[ \t]*([{WORD_CHARS}]+)[ \t]*(?:=[ \t]*({_VALUE_CHARS}+|\"[^\"\\]*(?:\\.[^\"\\]*)*\")[ \t]*)?", re.DOTALL
)
_PLAIN_PARAMS: Final = re.compile(rf"(?:;[{WORD_CHARS}]+(?:={_VALUE_CHARS}+)?)*")
_PIECE: Final = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|<[^>]*>|[^",<]+|,', re.DOTALL)
# What may not stand in anything that we write: it would end the line, or the string in a C client.
_LINE_BREAKS: Final = re.compile(r"[\r\n\x00]")


def unquote_string(text: str) -> str:
    """The content of a quoted string, its escapes undone. `text` holds the quotation marks."""
    inner = text[1:-1]
    return _ESCAPE.sub(r"\1", inner) if "\\" in inner else inner


def quote_string(text: str) -> str:
    """`text` as a quoted string. Raises SipBuildError where it holds a line end or NUL."""
    check_text(text, "quoted string")
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def delta_seconds(text: str | None) -> int | None:
    """A number of seconds (RFC 3261 section 25.1) of up to ten digits; None where it is none."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) <= 10 else None


def check_text(text: str, what: str) -> str:
    """`text` itself. Raises SipBuildError where it holds CR, LF or NUL, or cannot be UTF-8."""
    if _LINE_BREAKS.search(text):
        raise SipBuildError(f"line end or NUL in {what}: {text[:80]!r}")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise SipBuildError(f"{what} is not Unicode text: {error.reason}") from error
    return text


def check_token(text: str, what: str) -> str:
    """`text` itself. Raises SipBuildError where it is not a token."""
    if not TOKEN.fullmatch(text):
        raise SipBuildError(f"{what} is not a token: {text[:80]!r}")
    return text


def is_token(text: str) -> bool:
    """Whether the text is a token."""
    return TOKEN.fullmatch(text) is not None


def split_commas(value: str) -> list[str]:
    """The elements of a comma-separated header value, stripped; quotes and angle brackets are honoured.

    Raises:
        SipSyntaxError: a quotation mark or angle bracket is not closed.
    """
    if "," not in value:
        return [value.strip(" \t")]
    if '"' not in value and "<" not in value:
        return [piece.strip(" \t") for piece in value.split(",")]
    elements: list[str] = []
    start = position = 0
    while position < len(value):
        match = _PIECE.match(value, position)
        if match is None:
            raise SipSyntaxError(f"unclosed {value[position]!r} at {value[position : position + 60]!r}")
        if match.group() == ",":
            elements.append(value[start:position].strip(" \t"))
            start = match.end()
        position = match.end()
    elements.append(value[start:].strip(" \t"))
    return elements


def parse_params(text: str) -> Pairs:
    """Parameters, each with its semicolon before it: `;tag=a;lr`. Names in lower case, quoted values unquoted.

    Raises:
        SipSyntaxError: an empty parameter, a bad name or value, anything else between them.
    """
    if not text or not (text := text.strip(" \t")):
        return ()
    if _PLAIN_PARAMS.fullmatch(text):
        plain: list[tuple[str, str | None]] = []
        for item in text[1:].split(";"):
            name, equals, value = item.partition("=")
            plain.append((name.lower(), value if equals else None))
        return _each_once(plain)
    params: list[tuple[str, str | None]] = []
    position = 0
    while position < len(text):
        match = _PARAM.match(text, position)
        if match is None:
            raise SipSyntaxError(f"bad parameter at {text[position : position + 60]!r}")
        name, raw = match.groups()
        params.append((name.lower(), unquote_string(raw) if raw and raw[0] == '"' else raw))
        position = match.end()
    return _each_once(params)


def _each_once(params: list[tuple[str, str | None]]) -> Pairs:
    # RFC 3261 7.3.1. Of two tags or branches, two readers would take different ones.
    if len(params) > 1 and len(dict(params)) != len(params):
        raise SipSyntaxError("a parameter is given twice")
    return tuple(params)


def format_params(params: Pairs) -> str:
    """Parameters as text; values that are not tokens or hosts are quoted. Raises SipBuildError."""
    out: list[str] = []
    for name, value in params:
        check_token(name, "parameter name")
        if value is None:
            out.append(f";{name}")
        elif _PARAM_SAFE.fullmatch(value):
            out.append(f";{name}={value}")
        else:
            out.append(f";{name}={quote_string(value)}")
    return "".join(out)


_PARAM_SAFE: Final = re.compile(rf"[{WORD_CHARS}]+|\[[0-9A-Fa-f:.]+\]|[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*")


def get_param(params: Pairs, name: str) -> str | None:
    """The value of a parameter (`name` in lower case); None where it is missing or has no value."""
    for key, value in params:
        if key == name:
            return value
    return None


def parse_number(text: str, what: str, limit: int) -> int:
    """A decimal number of at most `limit`. Raises SipSyntaxError that names `what`."""
    if not (text.isascii() and text.isdigit()):
        raise SipSyntaxError(f"{what} is not a number: {text[:40]!r}")
    # Leading zeros are legal (RFC 4475 3.1.1.1); int() of a very long text is not linear, so cut first.
    digits = text.lstrip("0")
    if len(digits) > 20 or int(digits or "0") > limit:
        raise SipSyntaxError(f"{what} is greater than {limit}: {text[:40]!r}")
    return int(digits or "0")
