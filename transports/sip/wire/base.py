"""Requests and responses with typed headers that are read on first use (RFC 3261 section 7).

A message keeps its headers as text. In the usual case (each name once, spelled as in the RFC) one dict in wire order is
all there is; otherwise a list in wire order stands beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, TypeVar

from transports.sip.wire.errors import SipBuildError, SipSyntaxError
from transports.sip.wire.grammar import check_text, check_token, is_token, parse_number, split_commas
from transports.sip.wire.headers import (
    Contact,
    ContentType,
    CSeq,
    NameAddr,
    Via,
    parse_contacts,
    parse_content_type,
    parse_cseq,
    parse_date,
    parse_event,
    parse_name_addr,
    parse_via,
    parse_vias,
)
from transports.sip.wire.names import KNOWN, LISTS, SPELLINGS, canonical
from transports.sip.wire.uri import Pairs, Uri, parse_uri

T = TypeVar("T")
Lines = list[tuple[str, str]]

MAX_EXPIRES = 2**32 - 1  # RFC 3261 20.19


class Message:
    """What requests and responses share. Use Request or Response."""

    __slots__ = ("_extra", "_index", "_lines", "_text", "_typed", "body")

    _index: dict[str, str]  # canonical name to the value of its first line
    _lines: Lines | None  # in wire order; None where _index alone says it all
    _extra: dict[str, list[str]] | None  # canonical name to all its lines, where there is more than one
    _typed: dict[str, Any]  # what was read of the headers so far
    _text: str  # start line and headers as they came, canonical, single, Content-Length right; empty once untrue
    body: bytes

    def _reindex(self, lines: Lines) -> None:
        index: dict[str, str] = {}
        extra: dict[str, list[str]] = {}
        for name, value in lines:
            key = SPELLINGS.get(name) or canonical(name)
            if key not in index:
                index[key] = value
            elif key in extra:
                extra[key].append(value)
            else:
                extra[key] = [index[key], value]
        self._lines = lines
        self._index = index
        self._extra = extra or None
        self._typed = {}
        self._text = ""

    def _replace_top_via(self, text: str, via: Via) -> None:
        """Another first Via line, of which `via` is the first value."""
        if self._lines is None:
            self._text = ""
            self._index["Via"] = text
            self._typed.pop("Via*", None)
        else:
            place = next(i for i, (name, _) in enumerate(self._lines) if canonical(name) == "Via")
            self._reindex([*self._lines[:place], (self._lines[place][0], text), *self._lines[place + 1 :]])
        self._typed["Via"] = via

    # -- text ---------------------------------------------------------------------------------------------------------

    @property
    def headers(self) -> Lines:
        """A copy of (name as sent, value unfolded and stripped), in wire order. Change with set, add, remove."""
        return list(self._index.items()) if self._lines is None else list(self._lines)

    def first(self, name: str) -> str | None:
        """The first value line of a header (any spelling, compact or not) as text, or None."""
        value = self._index.get(name)
        return value if value is not None or name in KNOWN else self._index.get(canonical(name))

    def lines(self, name: str) -> list[str]:
        """All value lines of a header, as sent, not split at commas."""
        key = name if name in KNOWN else canonical(name)
        if self._extra is not None and key in self._extra:
            return list(self._extra[key])
        value = self._index.get(key)
        return [] if value is None else [value]

    def values(self, name: str) -> list[str]:
        """All values of a header, from all its lines; those of list headers split at their commas.

        Raises:
            SipSyntaxError: an unclosed quotation mark or bracket.
        """
        key = canonical(name)
        lines = self.lines(key)
        if key not in LISTS:
            return lines
        try:
            return [value for line in lines if line for value in split_commas(line)]
        except SipSyntaxError as error:
            raise SipSyntaxError(f"{key}: {error.reason}") from error

    def has(self, name: str) -> bool:
        """Whether the header is there, with any value."""
        return name in self._index or (name not in KNOWN and canonical(name) in self._index)

    def has_any(self, names: frozenset[str]) -> bool:
        """Whether one of these is there; the names are spelled as in their RFCs."""
        return not names.isdisjoint(self._index)

    def set(self, name: str, value: str) -> None:
        """Give a header this one value, where its first line stood, or at the end. Raises SipBuildError."""
        check_header(name, value)
        key = canonical(name)
        lines: Lines = []
        placed = False
        for old, text in self.headers:
            if canonical(old) != key:
                lines.append((old, text))
            elif not placed:
                placed = True
                lines.append((old, value))
        if not placed:
            lines.append((name, value))
        self._reindex(lines)

    def add(self, name: str, value: str) -> None:
        """Append a header line. Raises SipBuildError."""
        check_header(name, value)
        self._reindex([*self.headers, (name, value)])

    def prepend(self, name: str, value: str) -> None:
        """Put a header line before all others, as Via and Record-Route want it. Raises SipBuildError."""
        check_header(name, value)
        self._reindex([(name, value), *self.headers])

    def remove(self, name: str) -> None:
        """Remove all lines of a header; nothing where it is not there."""
        key = canonical(name)
        if key in self._index:
            self._reindex([line for line in self.headers if canonical(line[0]) != key])

    # -- typed --------------------------------------------------------------------------------------------------------

    def _must(self, name: str, parse: Callable[[str], T]) -> T:
        """A header that has to stand once, read."""
        text = self._index.get(name)
        if text is None:
            raise SipSyntaxError(f"{name} is missing")
        if self._extra is not None and name in self._extra:
            raise SipSyntaxError(f"more than one {name}")
        try:
            value = parse(text)
        except SipSyntaxError as error:
            raise SipSyntaxError(f"{name}: {error.reason}", error.status) from error
        self._typed[name] = value
        return value

    def _one(self, name: str, parse: Callable[[str], T]) -> T | None:
        """A header that may stand once, read; None where it is missing."""
        value: T | None = self._typed.get(name)
        if value is None and name in self._index:
            return self._must(name, parse)
        return value

    def _list(self, name: str, parse: Callable[[Iterable[str]], T]) -> T:
        key = f"{name}*"
        if key not in self._typed:
            try:
                self._typed[key] = parse(self.values(name))
            except SipSyntaxError as error:
                reason = error.reason if error.reason.startswith(name) else f"{name}: {error.reason}"
                raise SipSyntaxError(reason, error.status) from error
        value: T = self._typed[key]
        return value

    @property
    def from_(self) -> NameAddr:
        """From. Raises SipSyntaxError where it is missing, double or malformed; so do all of these."""
        value: NameAddr | None = self._typed.get("From")
        return value if value is not None else self._must("From", parse_name_addr)

    @property
    def to(self) -> NameAddr:
        """To."""
        value: NameAddr | None = self._typed.get("To")
        return value if value is not None else self._must("To", parse_name_addr)

    @property
    def call_id(self) -> str:
        """Call-ID, compared byte by byte."""
        value: str | None = self._typed.get("Call-ID")
        return value if value is not None else self._must("Call-ID", _call_id)

    @property
    def cseq(self) -> CSeq:
        """CSeq."""
        value: CSeq | None = self._typed.get("CSeq")
        return value if value is not None else self._must("CSeq", parse_cseq)

    @property
    def vias(self) -> list[Via]:
        """All Via values, topmost first; empty where there is none."""
        return self._list("Via", parse_vias)

    @property
    def top_via(self) -> Via:
        """The topmost Via; those below it are not read."""
        via: Via | None = self._typed.get("Via")
        if via is None:
            text = self._index.get("Via")
            if not text:
                raise SipSyntaxError("Via is missing")
            try:
                via = self._typed["Via"] = parse_via(split_commas(text)[0] if "," in text else text)
            except SipSyntaxError as error:
                raise SipSyntaxError(f"Via: {error.reason}") from error
        return via

    @property
    def one_via(self) -> bool:
        """Whether there is exactly one Via value, as text."""
        text = self._index.get("Via")
        return text is not None and "," not in text and (self._extra is None or "Via" not in self._extra)

    @property
    def contacts(self) -> list[Contact]:
        """All Contact values; `"*"` for the star."""
        return self._list("Contact", parse_contacts)

    @property
    def routes(self) -> list[NameAddr]:
        """All Route values."""
        return self._list("Route", _addresses)

    @property
    def record_routes(self) -> list[NameAddr]:
        """All Record-Route values."""
        return self._list("Record-Route", _addresses)

    @property
    def max_forwards(self) -> int | None:
        """Max-Forwards, 0 to 255, or None."""
        return self._one("Max-Forwards", _max_forwards)

    @property
    def expires(self) -> int | None:
        """Expires in seconds, or None."""
        return self._one("Expires", _expires)

    @property
    def min_expires(self) -> int | None:
        """Min-Expires in seconds, or None."""
        return self._one("Min-Expires", _expires)

    @property
    def content_length(self) -> int | None:
        """Content-Length as it was sent, or None."""
        return self._one("Content-Length", _content_length)

    @property
    def content_type(self) -> ContentType | None:
        """Content-Type, or None."""
        return self._one("Content-Type", parse_content_type)

    @property
    def event(self) -> tuple[str, Pairs] | None:
        """Event: (package in lower case, parameters), or None."""
        return self._one("Event", parse_event)

    @property
    def subscription_state(self) -> tuple[str, Pairs] | None:
        """Subscription-State: (state in lower case, parameters), or None."""
        return self._one("Subscription-State", parse_event)

    @property
    def date(self) -> datetime | None:
        """Date as an aware datetime, or None. A zone other than GMT raises (RFC 4475 3.1.2.12)."""
        return self._one("Date", parse_date)

    @property
    def require(self) -> list[str]:
        """Option tags of Require."""
        return self._list("Require", _tokens)

    @property
    def proxy_require(self) -> list[str]:
        """Option tags of Proxy-Require."""
        return self._list("Proxy-Require", _tokens)

    @property
    def supported(self) -> list[str]:
        """Option tags of Supported."""
        return self._list("Supported", _tokens)

    @property
    def allow(self) -> list[str]:
        """Methods of Allow."""
        return self._list("Allow", _tokens)

    @property
    def accept(self) -> list[ContentType]:
        """Media ranges of Accept; tell a missing Accept from an empty one with has("Accept")."""
        return self._list("Accept", _media_ranges)

    # -- bytes --------------------------------------------------------------------------------------------------------

    def start_line(self) -> str:
        """The first line, without its end."""
        raise NotImplementedError

    def to_bytes(self) -> bytes:
        """The message for the wire. Content-Length is made right, and added where it was missing."""
        length = str(len(self.body))
        if self._lines is None and self._index.get("Content-Length") == length:
            lines = [f"{name}: {value}" for name, value in self._index.items()]
        else:
            lines = [f"{name}: {value}" for name, value in self.headers if canonical(name) != "Content-Length"]
            lines.append(f"Content-Length: {length}")
        head = "\r\n".join(lines)
        return f"{self.start_line()}\r\n{head}\r\n\r\n".encode() + self.body


class Request(Message):
    """A request. `uri_text` is the Request-URI as it came, `uri` the same, read."""

    __slots__ = ("method", "uri_text")

    def __init__(
        self, method: str, uri_text: str, index: dict[str, str], lines: Lines | None, body: bytes, text: str = ""
    ) -> None:
        """`index` alone when every name is known, canonical and single; else `lines`, which are indexed here."""
        self.method = method
        self.uri_text = uri_text
        self.body = body
        if lines is None:
            self._index = index
            self._typed = {}
            self._lines = self._extra = None
            self._text = text
        else:
            self._reindex(lines)

    @classmethod
    def build(cls, method: str, uri: Uri | str, headers: Iterable[tuple[str, str]], body: bytes = b"") -> Request:
        """A request from its parts. Raises SipBuildError where one could change the message's meaning."""
        check_token(method, "method")
        text = str(uri)
        check_text(text, "Request-URI")
        if not text or " " in text or "\t" in text:
            raise SipBuildError(f"blank in Request-URI {text[:80]!r}")
        return cls(method, text, *_store(headers), body)

    @property
    def uri(self) -> Uri:
        """The Request-URI. Raises SipSyntaxError."""
        typed = self._typed
        uri: Uri | None = typed.get("")
        if uri is None:
            try:
                typed[""] = uri = parse_uri(self.uri_text)
            except SipSyntaxError as error:
                raise SipSyntaxError(f"Request-URI: {error.reason}") from error
        return uri

    def start_line(self) -> str:
        """`METHOD uri SIP/2.0`."""
        return f"{self.method} {self.uri_text} SIP/2.0"

    def __repr__(self) -> str:
        return f"<Request {self.method} {self.uri_text}>"


class Response(Message):
    """A response."""

    __slots__ = ("reason", "status")

    def __init__(self, status: int, reason: str, index: dict[str, str], lines: Lines | None, body: bytes) -> None:
        """`index` and `lines` as for a Request."""
        self.status = status
        self.reason = reason
        self.body = body
        if lines is None:
            self._index = index
            self._typed = {}
            self._lines = self._extra = None
            self._text = ""
        else:
            self._reindex(lines)

    @classmethod
    def build(cls, status: int, reason: str, headers: Iterable[tuple[str, str]], body: bytes = b"") -> Response:
        """A response from its parts. Raises SipBuildError where one could change the message's meaning."""
        check_status(status, reason)
        return cls(status, reason, *_store(headers), body)

    def start_line(self) -> str:
        """`SIP/2.0 status reason`."""
        return f"SIP/2.0 {self.status} {self.reason}"

    def __repr__(self) -> str:
        return f"<Response {self.status} {self.reason}>"


def check_status(status: int, reason: str) -> None:
    """Raises SipBuildError for a status beyond 100 to 699 or a reason that would end its line."""
    if not 100 <= status <= 699:
        raise SipBuildError(f"no status code: {status}")
    check_text(reason, "Reason-Phrase")


def check_header(name: str, value: str) -> None:
    """Raises SipBuildError for a name that is no token or a value that would end its line."""
    if name not in KNOWN:
        check_token(name, "header name")
    check_text(value, name)


def _store(headers: Iterable[tuple[str, str]]) -> tuple[dict[str, str], Lines | None]:
    lines = [(name, value.strip(" \t")) for name, value in headers]
    for name, value in lines:
        check_header(name, value)
    index = dict(lines)
    if len(index) == len(lines) and index.keys() <= KNOWN:
        return index, None
    return {}, lines


def _call_id(text: str) -> str:
    if not text or " " in text or "\t" in text or "," in text:
        raise SipSyntaxError(f"bad value {text[:80]!r}")
    return text


def _addresses(values: Iterable[str]) -> list[NameAddr]:
    return [parse_name_addr(value) for value in values]


def _max_forwards(text: str) -> int:
    if text == "70":  # what nearly all send
        return 70
    return parse_number(text, "value", 255)


def _expires(text: str) -> int:
    return parse_number(text, "value", MAX_EXPIRES)


def _content_length(text: str) -> int:
    return parse_number(text, "value", 2**31 - 1)


def _tokens(values: Iterable[str]) -> list[str]:
    tokens = [value for value in values if value]  # some clients end a list with a comma
    for token in tokens:
        if not is_token(token):
            raise SipSyntaxError(f"not a token: {token[:80]!r}")
    return tokens


def _media_ranges(values: Iterable[str]) -> list[ContentType]:
    return [parse_content_type(value) for value in values if value]
