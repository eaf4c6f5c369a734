"""From bytes to a message: one decode, one pass, nothing typed (RFC 3261 sections 7 and 18.3)."""

from __future__ import annotations

from typing import Final

import attrs

from transports.sip.wire.base import Lines, Message, Request, Response
from transports.sip.wire.errors import SipSyntaxError
from transports.sip.wire.grammar import TOKEN
from transports.sip.wire.names import KNOWN, SPELLINGS, canonical

METHODS: Final = frozenset(
    {
        "ACK", "BYE", "CANCEL", "INFO", "INVITE", "MESSAGE", "NOTIFY", "OPTIONS", "PRACK", "PUBLISH", "REFER",
        "REGISTER", "SUBSCRIBE", "UPDATE",
    }
)  # fmt: skip
_CODES: Final = frozenset(str(code) for code in range(100, 700))


@attrs.frozen(kw_only=True)
class Limits:
    """How much of a message is read. Octets, save `header_count`.

    Attributes:
        header_count: header lines, after unfolding.
        header_line: one header line, after unfolding.
        header_section: start line and headers together.
        uri: the Request-URI; a longer one is answered 414.
        body: the body; a longer one is answered 413.
    """

    header_count: int = 256
    header_line: int = 8 * 1024
    header_section: int = 64 * 1024
    uri: int = 2 * 1024
    body: int = 256 * 1024


DEFAULT: Final = Limits()


def parse_message(data: bytes, limits: Limits = DEFAULT) -> Request | Response:
    """Read one whole message: a datagram, a WebSocket frame, or what the StreamFramer cut out.

    Octets beyond Content-Length are dropped, as RFC 3261 18.3 wants for datagrams. Headers stay text until asked for.

    Raises:
        SipSyntaxError: with the status to answer and, where it could be read, the request to answer.
    """
    # This function reads what nearly every client writes: a known method, each header once and spelled as in the RFC,
    # nothing folded, Content-Length right. All else is read again by _parse_any, which also says what is wrong.
    head, blank, body = data.partition(b"\r\n\r\n")
    if not blank or len(head) > limits.header_line:
        return _parse_any(data, limits)
    try:
        text = head.decode()
    except UnicodeDecodeError:
        return _parse_any(data, limits)
    lines = text.split("\r\n")
    bare = "".join(lines)
    if "\r" in bare or "\n" in bare or "\x00" in bare:
        return _parse_any(data, limits)
    start = lines[0].split(" ", 2)
    if len(start) != 3:
        return _parse_any(data, limits)
    method, uri, version = start
    answer = method == "SIP/2.0"  # then uri is the status and version the reason
    if answer:
        if uri not in _CODES:
            return _parse_any(data, limits)
    elif version != "SIP/2.0" or method not in METHODS or not uri or len(uri) > limits.uri:
        return _parse_any(data, limits)
    del lines[0]
    index: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(": ")
        index[name] = value.strip(" \t")
    size = len(body)
    if (
        len(index) != len(lines)
        or not index.keys() <= KNOWN
        or index.get("Content-Length") != str(size)
        or size > limits.body
        or len(lines) > limits.header_count
    ):
        return _parse_any(data, limits)
    if answer:
        return Response(int(uri), version, index, None, body)
    return Request(method, uri, index, None, body, text)


def _parse_any(data: bytes, limits: Limits) -> Request | Response:
    end = data.find(b"\r\n\r\n")
    if end > limits.header_section or (end < 0 and len(data) > limits.header_section):
        raise _refuse("header section is too large", 513, data[: limits.header_section])
    if end < 0:
        raise _refuse("no empty line after the headers", 400, data)
    try:
        message = _parse_head(data[:end].decode(), limits)
    except UnicodeDecodeError as error:
        raise _refuse(f"header section is not UTF-8 at octet {error.start}", 400, data[:end]) from error
    except SipSyntaxError as error:
        raise _refuse(error.reason, error.status, data[:end]) from error
    message.body = _cut_body(message, data[end + 4 :], limits)
    return message


def _parse_head(head: str, limits: Limits) -> Request | Response:
    start, *lines = head.split("\r\n")
    bare = start + "".join(lines)
    if "\r" in bare or "\n" in bare:
        raise SipSyntaxError("line end that is not CRLF")
    if "\x00" in bare:
        _check_nul(bare)
    if "\r\n " in head or "\r\n\t" in head:
        lines = unfold(lines)
    if len(lines) > limits.header_count:
        raise SipSyntaxError(f"more than {limits.header_count} headers", 513)
    wire = _read_lines(lines)
    if len(head) > limits.header_line:
        _check_lines(start, wire, limits)
    if start.startswith("SIP/"):
        return _response(start, wire)
    method, _, rest = start.partition(" ")
    uri, _, version = rest.partition(" ")
    if version != "SIP/2.0":
        _check_version(start)
    if method not in METHODS and not TOKEN.fullmatch(method):
        raise SipSyntaxError(f"bad method {method[:40]!r}")
    if not uri:
        raise SipSyntaxError("Request-URI is missing")
    if len(uri) > limits.uri:
        raise SipSyntaxError(f"Request-URI is longer than {limits.uri}", 414)
    return Request(method, uri, {}, wire, b"")


def unfold(lines: list[str]) -> list[str]:
    """Header lines that go on after a line end and a blank, joined by one blank (RFC 3261 7.3.1). Linear."""
    joined: list[list[str]] = []
    for line in lines:
        if line[:1] in {" ", "\t"} and joined:
            joined[-1].append(line.strip(" \t"))
        else:
            joined.append([line])
    return [" ".join(pieces) if len(pieces) > 1 else pieces[0] for pieces in joined]


def _read_lines(texts: list[str]) -> Lines:
    lines: Lines = []
    for text in texts:
        name, colon, value = text.partition(":")
        if not colon or name not in SPELLINGS:
            name = name.rstrip(" \t")
            if not colon or not TOKEN.fullmatch(name):
                raise SipSyntaxError(f"header line without a name: {text[:60]!r}")
        lines.append((name, value.strip(" \t")))
    return lines


def _check_lines(start: str, lines: Lines, limits: Limits) -> None:
    if len(start) > limits.header_line:
        raise SipSyntaxError(f"start line is longer than {limits.header_line}", 414)
    for name, value in lines:
        if len(name) + len(value) > limits.header_line:
            raise SipSyntaxError(f"{name[:40]} is longer than {limits.header_line}", 513)


def _check_nul(head: str) -> None:
    # Only as a quoted pair inside a quoted string is NUL legal (RFC 4475 3.1.1.2).
    if head.count("\x00") != head.count("\\\x00"):
        raise SipSyntaxError("NUL in header section")


def _check_version(start: str) -> None:
    fields = start.split(" ")
    if len(fields) != 3 or not all(fields):
        raise SipSyntaxError(f"bad request line {start[:80]!r}")
    name, slash, number = fields[2].upper().partition("/")
    if name != "SIP" or not slash or not number.replace(".", "", 1).isdigit():
        raise SipSyntaxError(f"no SIP version in request line {start[:80]!r}")
    if number != "2.0":
        raise SipSyntaxError(f"SIP version {fields[2][:20]} is not spoken here", 505)


def _response(start: str, wire: Lines) -> Response:
    version, _, rest = start.partition(" ")
    code, blank, reason = rest.partition(" ")
    if version.upper() != "SIP/2.0":
        raise SipSyntaxError(f"bad status line {start[:80]!r}")
    if not (blank or not rest[3:]) or len(code) != 3 or not (code.isascii() and code.isdigit()):
        raise SipSyntaxError(f"bad status code in {start[:80]!r}")
    if not 100 <= int(code) <= 699:
        raise SipSyntaxError(f"bad status code in {start[:80]!r}")
    return Response(int(code), reason, {}, wire, b"")


def _cut_body(message: Message, body: bytes, limits: Limits) -> bytes:
    try:
        length = message.content_length
    except SipSyntaxError as error:
        raise SipSyntaxError(error.reason, 400, answerable(message)) from error
    if length is None:
        length = len(body)
    if length > limits.body:
        raise SipSyntaxError(f"body is larger than {limits.body}", 413, answerable(message))
    if length > len(body):
        raise SipSyntaxError(f"Content-Length is {length}, the body has {len(body)}", 400, answerable(message))
    return body[:length]


def answerable(message: Message) -> Request | None:
    """The request, where an answer can be made: not to a response or an ACK, and not without a Via to repeat."""
    if not isinstance(message, Request) or message.method == "ACK" or not message.first("Via"):
        return None
    return message


def _refuse(reason: str, status: int, head: bytes) -> SipSyntaxError:
    return SipSyntaxError(reason, status, salvage(head))


def salvage(head: bytes) -> Request | None:
    """What can be read of a malformed request, to answer it: never a response or an ACK, never without a Via."""
    lines = head.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    method, _, rest = lines[0].strip(" \t").partition(" ")
    if method.upper().startswith("SIP/") or not TOKEN.fullmatch(method):
        return None
    headers: Lines = []
    for line in unfold(lines[1 : DEFAULT.header_count + 1]):
        name, colon, value = line.partition(":")
        bare = name.rstrip(" \t")
        if colon and TOKEN.fullmatch(bare) and "\x00" not in value and len(line) <= DEFAULT.header_line:
            headers.append((bare, value.strip(" \t")))
    return answerable(Request(method, rest.partition(" ")[0], {}, _single(headers), b""))


def _single(headers: Lines) -> Lines:
    """The first of each header that an answer repeats once, and all Via."""
    kept: dict[str, None] = {}
    lines: Lines = []
    for name, value in headers:
        key = canonical(name)
        if key == "Via" or key not in kept:
            kept[key] = None
            lines.append((name, value))
    return lines
