"""Typed values of SIP headers and the functions that read them (RFC 3261 section 20 and 25.1).

Each reader takes one header value as `Message.values` gives it: unfolded, stripped, without its name. Each raises
SipSyntaxError with a reason that says what is wrong. `str()` of a value is what goes on the wire.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from sys import intern
from typing import Final, Literal, TypeAlias

from transports.sip.wire.errors import SipBuildError, SipSyntaxError
from transports.sip.wire.grammar import (
    QUOTED,
    check_text,
    check_token,
    format_params,
    get_param,
    is_token,
    parse_number,
    parse_params,
    quote_string,
    split_commas,
    unquote_string,
)
from transports.sip.wire.memo import Memo
from transports.sip.wire.uri import Pairs, Uri, parse_host, parse_port, parse_uri

__all__ = [
    "CSeq",
    "Contact",
    "ContentType",
    "NameAddr",
    "Via",
    "format_date",
    "parse_auth",
    "parse_challenge",
    "parse_contacts",
    "parse_content_type",
    "parse_credentials",
    "parse_cseq",
    "parse_date",
    "parse_event",
    "parse_name_addr",
    "parse_name_addrs",
    "parse_params",
    "parse_via",
    "parse_vias",
    "split_commas",
]

_CSEQ_METHODS: Final = frozenset({"MESSAGE", "REGISTER", "SUBSCRIBE", "NOTIFY", "PUBLISH", "OPTIONS"})  # the usual
MAX_CSEQ: Final = 2**31 - 1  # RFC 3261 8.1.1.5


class NameAddr:
    """`"Display" <uri>;params`: From, To, Contact, Route, Record-Route and their like.

    Not to be changed after it was made. `params` are the header's, never the URI's; names are in lower case.
    """

    __slots__ = ("display_name", "params", "uri")

    def __init__(self, display_name: str, uri: Uri, params: Pairs = ()) -> None:
        self.display_name = display_name
        self.uri = uri
        self.params = params

    @property
    def tag(self) -> str | None:
        """The dialog tag of a From or To, or None."""
        for name, value in self.params:
            if name == "tag":
                return value
        return None

    def param(self, name: str) -> str | None:
        """The value of a header parameter (`name` in lower case), or None."""
        return get_param(self.params, name)

    def has_param(self, name: str) -> bool:
        """Whether the header has this parameter, with a value or without."""
        return any(key == name for key, _ in self.params)

    def with_params(self, *params: tuple[str, str | None]) -> NameAddr:
        """The same address with these parameters in place of its own."""
        return NameAddr(self.display_name, self.uri, params)

    def __str__(self) -> str:
        prefix = f"{quote_string(self.display_name)} " if self.display_name else ""
        uri = check_text(str(self.uri), "URI")
        if ">" in uri:
            raise SipBuildError(f"angle bracket in URI {uri[:80]!r}")
        return f"{prefix}<{uri}>{format_params(self.params)}"

    def _key(self) -> tuple[object, ...]:
        return (self.display_name, self.uri, self.params)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NameAddr) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __repr__(self) -> str:
        return f"NameAddr({self.display_name!r}, {str(self.uri)!r}, {self.params!r})"


Contact: TypeAlias = NameAddr | Literal["*"]


class Via:
    """One Via value. Not to be changed after it was made.

    `transport` is in upper case, `host` in lower case, `sent_by` is `host` or `host:port`.
    """

    __slots__ = ("host", "params", "port", "sent_by", "transport", "version")

    def __init__(
        self,
        transport: str,
        host: str,
        port: int | None = None,
        params: Pairs = (),
        version: str = "SIP/2.0",
        sent_by: str | None = None,
    ) -> None:
        """`sent_by` is made of host and port; who has it already may give it."""
        self.sent_by: str = sent_by or (host if port is None else f"{host}:{port}")
        self.version = version
        self.transport = transport
        self.host = host
        self.port = port
        self.params = params

    @property
    def branch(self) -> str | None:
        """The transaction's branch, or None (RFC 2543)."""
        for name, value in self.params:
            if name == "branch":
                return value
        return None

    @property
    def received(self) -> str | None:
        """The source address that a server noted, without the brackets that RFC 5118 4.5 tells of, or None."""
        value = get_param(self.params, "received")
        return value.strip("[]") if value else value

    @property
    def rport(self) -> int | Literal[True] | None:
        """RFC 3581: None where absent, True where asked for, the port where filled in."""
        for name, value in self.params:
            if name == "rport":
                if value is None:
                    return True
                return parse_port(value)
        return None

    def __str__(self) -> str:
        return f"{self.version}/{self.transport} {self.sent_by}{format_params(self.params)}"

    def _key(self) -> tuple[object, ...]:
        return (self.version, self.transport, self.host, self.port, self.params)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Via) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __repr__(self) -> str:
        return f"Via({str(self)!r})"


class CSeq:
    """`number method` (RFC 3261 20.16)."""

    __slots__ = ("method", "number")

    def __init__(self, number: int, method: str) -> None:
        self.number = number
        self.method = method

    def __str__(self) -> str:
        return f"{self.number} {self.method}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CSeq) and self.number == other.number and self.method == other.method

    def __hash__(self) -> int:
        return hash((self.number, self.method))

    def __repr__(self) -> str:
        return f"CSeq({self.number}, {self.method!r})"


class ContentType:
    """A media type with parameters: Content-Type, one element of Accept. Type and subtype are in lower case."""

    __slots__ = ("params", "subtype", "type")

    def __init__(self, type_: str, subtype: str, params: Pairs = ()) -> None:
        self.type = type_
        self.subtype = subtype
        self.params = params

    @property
    def media_type(self) -> str:
        """`type/subtype` in lower case."""
        return f"{self.type}/{self.subtype}"

    def param(self, name: str) -> str | None:
        """The value of a parameter such as charset or boundary, or None."""
        return get_param(self.params, name)

    def __str__(self) -> str:
        return self.media_type + format_params(self.params)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ContentType) and self.media_type == other.media_type and self.params == other.params

    def __hash__(self) -> int:
        return hash((self.type, self.subtype, self.params))

    def __repr__(self) -> str:
        return f"ContentType({str(self)!r})"


# -- addresses --------------------------------------------------------------------------------------------------------

_ADDRESSES: Final[Memo[NameAddr]] = Memo()  # without parameters, by the text up to ">"
# A display name without quotes: tokens and blanks by the grammar; letters beyond ASCII are what clients send.
_UNQUOTED_NAME: Final = re.compile(r"[A-Za-z0-9\-.!%*_+`'~ \t\u0080-\U0010ffff]*")
_RUN_OF_BLANKS: Final = re.compile(r"[ \t]+")


def _parse_bracketed(text: str) -> tuple[str, Uri, int]:
    """Display name, URI and where the parameters begin, of a value that has a `<`."""
    if text.startswith('"'):
        quoted = QUOTED.match(text)
        if quoted is None:
            raise SipSyntaxError(f"unclosed quotation mark in {text[:80]!r}")
        display = unquote_string(quoted.group())
        rest = text[quoted.end() :].lstrip(" \t")
        if not rest.startswith("<"):
            raise SipSyntaxError(f"no <URI> after display name in {text[:80]!r}")
        start = len(text) - len(rest)
    else:
        start = text.index("<")
        name = text[:start].strip(" \t")
        if not _UNQUOTED_NAME.fullmatch(name):
            raise SipSyntaxError(f"display name must be quoted in {text[:80]!r}")
        display = _RUN_OF_BLANKS.sub(" ", name)
    end = text.find(">", start)
    if end < 0:
        raise SipSyntaxError(f"unclosed angle bracket in {text[:80]!r}")
    return display, parse_uri(text[start + 1 : end]), end + 1


def parse_name_addr(text: str) -> NameAddr:
    """One name-addr or addr-spec with header parameters (RFC 3261 20.10, 20.20, 20.39).

    Without angle brackets every parameter is the header's, and a URI that holds `,`, `?` or `;` is an error.
    """
    end = text.find(">") + 1
    # What stands before the first ">" decides by itself whether that ">" ends the URI, so it can be remembered.
    known = _ADDRESSES.table.get(text[:end])
    if known is not None:
        rest = text[end:]
        if not rest:
            return known
        if rest[:5] == ";tag=" and (tag := rest[5:]).isalnum():  # nearly every From
            return NameAddr(known.display_name, known.uri, (("tag", tag),))
        return NameAddr(known.display_name, known.uri, parse_params(rest))
    text = text.strip(" \t")
    if "<" in text or text.startswith('"'):
        display, uri, closed = _parse_bracketed(text)
        if closed == text.find(">") + 1:
            _ADDRESSES.put(text[:closed], NameAddr(display, uri))
        return NameAddr(display, uri, parse_params(text[closed:]))
    address, semicolon, rest = text.partition(";")
    address = address.rstrip(" \t")
    if "?" in address or "," in address:
        raise SipSyntaxError(f"URI with '?' or ',' must be in angle brackets: {address[:80]!r}")
    return NameAddr("", parse_uri(address), parse_params(semicolon + rest))


def parse_name_addrs(values: Iterable[str]) -> list[NameAddr]:
    """Route, Record-Route, Path and other lists of addresses."""
    return [parse_name_addr(value) for value in values]


def parse_contacts(values: Iterable[str]) -> list[Contact]:
    """Contact values; `*` must stand alone (RFC 3261 10.2.2)."""
    contacts: list[Contact] = ["*" if value == "*" else parse_name_addr(value) for value in values]
    if len(contacts) > 1 and "*" in contacts:
        raise SipSyntaxError("Contact: * does not stand alone")
    return contacts


# -- Via --------------------------------------------------------------------------------------------------------------

_SENT_BY: Final[Memo[Via]] = Memo()
_VIA: Final = re.compile(r"([^\s/]+)[ \t]*/[ \t]*([^\s/]+)[ \t]*/[ \t]*([^\s/]+)[ \t]+(\S.*)")


def _parse_sent_by(text: str) -> Via:
    """A Via without parameters."""
    match = _VIA.fullmatch(text.strip(" \t"))
    if match is None:
        raise SipSyntaxError(f"bad Via {text[:80]!r}")
    name, version, transport, sent_by = match.groups()
    if not (is_token(name) and is_token(version) and is_token(transport)):
        raise SipSyntaxError(f"bad protocol in Via {text[:80]!r}")
    host, colon, port = _partition_port(sent_by.strip(" \t"))
    number = parse_port(port) if colon else None
    # Few protocols, and very many hops: the same texts once.
    return Via(intern(transport.upper()), parse_host(host), number, (), intern(f"{name.upper()}/{version}"))


def _partition_port(text: str) -> tuple[str, str, str]:
    head, colon, port = text.rpartition(":")
    if not colon or "]" in port:
        return text, "", ""
    return head.rstrip(" \t"), colon, port.lstrip(" \t")  # COLON allows blanks around it


ASKS_RPORT: Final = ("rport", None)  # RFC 3581, as a parameter


def parse_via(text: str) -> Via:
    """One Via value (RFC 3261 20.42)."""
    head, semicolon, rest = text.partition(";")
    known = _SENT_BY.table.get(head)
    if known is None:
        known = _parse_sent_by(head)
        _SENT_BY.put(head, known)
    branch, more, tail = rest[7:].partition(";")
    params: Pairs
    if rest[:7] == "branch=" and (not more or tail == "rport") and (branch.isalnum() or is_token(branch)):
        params = (("branch", branch), ASKS_RPORT) if tail else (("branch", branch),)
    else:
        params = parse_params(semicolon + rest)
    return Via(known.transport, known.host, known.port, params, known.version, known.sent_by)


def parse_vias(values: Iterable[str]) -> list[Via]:
    """All Via values, topmost first."""
    return [parse_via(value) for value in values]


# -- the small ones ---------------------------------------------------------------------------------------------------


def parse_cseq(text: str) -> CSeq:
    """CSeq: a number below 2**31 and a method."""
    number, _, method = text.partition(" ")
    if method in _CSEQ_METHODS and len(number) < 10 and number.isascii() and number.isdigit():
        return CSeq(int(number), method)
    method = method.strip(" \t")
    if not is_token(method):
        fields = text.split()
        if len(fields) != 2 or not is_token(fields[1]):
            raise SipSyntaxError(f"bad CSeq {text[:80]!r}")
        number, method = fields
    return CSeq(parse_number(number, "CSeq", MAX_CSEQ), method)


_TYPES: Final[Memo[ContentType]] = Memo(1024)
_MEDIA: Final = re.compile(r"([^\s/;]+)[ \t]*/[ \t]*([^\s/;]+)[ \t]*(;.*)?", re.DOTALL)


def parse_content_type(text: str) -> ContentType:
    """A media type with its parameters (RFC 3261 20.15; also an element of Accept)."""
    known = _TYPES.table.get(text)
    if known is not None:
        return known
    match = _MEDIA.fullmatch(text.strip(" \t"))
    if match is None or not (is_token(match[1]) and is_token(match[2])):
        raise SipSyntaxError(f"bad media type {text[:80]!r}")
    value = ContentType(match[1].lower(), match[2].lower(), parse_params(match[3] or ""))
    _TYPES.put(text, value)
    return value


def parse_event(text: str) -> tuple[str, Pairs]:
    """Event or Subscription-State: (token in lower case, parameters) (RFC 6665 8.2)."""
    name, semicolon, rest = text.partition(";")
    name = name.strip(" \t")
    if not is_token(name):
        raise SipSyntaxError(f"bad event {text[:80]!r}")
    return name.lower(), parse_params(semicolon + rest)


_AUTH_PARAM: Final = re.compile(
    r'[ \t]*+([A-Za-z0-9\-.!%*_+`\'~]++)[ \t]*+=[ \t]*+("[^"\\]*+(?:\\.[^"\\]*+)*+"|[^\s",]*+)[ \t]*+(?:,|\Z)',
    re.DOTALL,
)


def parse_auth(text: str) -> tuple[str, dict[str, str]]:
    """A challenge or credentials: (scheme in lower case, parameters with names in lower case, values unquoted).

    Raises:
        SipSyntaxError: no scheme, a parameter that is not `name=value`, or a parameter that is given twice.
    """
    scheme, _, rest = text.strip(" \t").partition(" ")
    if not is_token(scheme):
        raise SipSyntaxError(f"bad authentication scheme {text[:40]!r}")
    params: dict[str, str] = {}
    rest = rest.strip(" \t")
    position = 0
    while position < len(rest):
        match = _AUTH_PARAM.match(rest, position)
        if match is None:
            raise SipSyntaxError(f"bad {scheme[:20]} parameter at {rest[position : position + 20]!r}")
        name, raw = match.group(1).lower(), match.group(2)
        if name in params:
            raise SipSyntaxError(f"{scheme[:20]} parameter {name[:40]} is given twice")
        params[name] = unquote_string(raw) if raw.startswith('"') else raw
        position = match.end()
    return scheme.lower(), params


parse_challenge = parse_auth
parse_credentials = parse_auth

_DATE: Final = re.compile(
    r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), ([0-9]{2}) (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) ([0-9]{4}) "
    r"([0-9]{2}):([0-9]{2}):([0-9]{2}) GMT"
)
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def parse_date(text: str) -> datetime:
    """Date: an RFC 1123 date in GMT and nothing else (RFC 3261 20.17). The name of the day is not compared."""
    match = _DATE.fullmatch(text)
    if match is None:
        raise SipSyntaxError(f"Date is not an RFC 1123 date in GMT: {text[:60]!r}")
    try:
        return datetime(
            int(match[4]),
            _MONTHS.index(match[3]) + 1,
            int(match[2]),
            int(match[5]),
            int(match[6]),
            min(int(match[7]), 59),
            tzinfo=UTC,
        )
    except ValueError as error:
        raise SipSyntaxError(f"Date does not exist: {text[:60]!r}") from error


def format_date(moment: datetime) -> str:
    """A Date value; `moment` must know its zone."""
    if moment.tzinfo is None:
        raise SipBuildError("Date needs a time zone")
    utc = moment.astimezone(UTC)
    return f"{_DAYS[utc.weekday()]}, {utc.day:02} {_MONTHS[utc.month - 1]} {utc.year:04} {utc:%H:%M:%S} GMT"


def format_token_list(tokens: Iterable[str]) -> str:
    """Allow, Supported and their like."""
    return ", ".join(check_token(token, "list element") for token in tokens)
