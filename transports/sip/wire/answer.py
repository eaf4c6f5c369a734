"""Answering and passing on: what is made from a request, with the request's own text (RFC 3261 8.2.6, 16.6, 18.2.1)."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from ipaddress import AddressValueError, IPv6Address
from typing import Final

from transports.sip.wire.base import Lines, Request, Response, check_header, check_status
from transports.sip.wire.errors import SipBuildError, SipSyntaxError
from transports.sip.wire.grammar import check_text, check_token, delta_seconds, split_commas
from transports.sip.wire.headers import ASKS_RPORT, Via
from transports.sip.wire.names import canonical

REASONS: Final[dict[int, str]] = {
    100: "Trying", 180: "Ringing", 181: "Call Is Being Forwarded", 182: "Queued", 183: "Session Progress",
    200: "OK", 202: "Accepted", 204: "No Notification",
    300: "Multiple Choices", 301: "Moved Permanently", 302: "Moved Temporarily", 305: "Use Proxy",
    380: "Alternative Service",
    400: "Bad Request", 401: "Unauthorized", 402: "Payment Required", 403: "Forbidden", 404: "Not Found",
    405: "Method Not Allowed", 406: "Not Acceptable", 407: "Proxy Authentication Required", 408: "Request Timeout",
    410: "Gone", 412: "Conditional Request Failed", 413: "Request Entity Too Large", 414: "Request-URI Too Long",
    415: "Unsupported Media Type", 416: "Unsupported URI Scheme", 420: "Bad Extension", 421: "Extension Required",
    423: "Interval Too Brief", 424: "Bad Location Information", 428: "Use Identity Header", 429: "Provide Referrer",
    430: "Flow Failed", 433: "Anonymity Disallowed", 436: "Bad Identity-Info", 437: "Unsupported Certificate",
    438: "Invalid Identity Header", 439: "First Hop Lacks Outbound Support", 440: "Max-Breadth Exceeded",
    469: "Bad Info Package", 470: "Consent Needed",
    480: "Temporarily Unavailable", 481: "Call/Transaction Does Not Exist", 482: "Loop Detected",
    483: "Too Many Hops", 484: "Address Incomplete", 485: "Ambiguous", 486: "Busy Here", 487: "Request Terminated",
    488: "Not Acceptable Here", 489: "Bad Event", 491: "Request Pending", 493: "Undecipherable",
    494: "Security Agreement Required",
    500: "Server Internal Error", 501: "Not Implemented", 502: "Bad Gateway", 503: "Service Unavailable",
    504: "Server Time-out", 505: "Version Not Supported", 513: "Message Too Large", 580: "Precondition Failure",
    600: "Busy Everywhere", 603: "Decline", 604: "Does Not Exist Anywhere", 606: "Not Acceptable",
}  # fmt: skip


def retry_after(response: Response, most: float) -> float | None:
    """The seconds of Retry-After (RFC 3261 section 20.33), `most` at the most; None where none can be read."""
    seconds = delta_seconds((response.first("Retry-After") or "").partition(";")[0].partition("(")[0].strip())
    return None if seconds is None else min(float(seconds), most)


def reason_phrase(status: int) -> str:
    """The registered Reason-Phrase of a status, or a word for its class. Raises SipBuildError beyond 100 to 699."""
    known = REASONS.get(status)
    if known is not None:
        return known
    check_status(status, "")
    return "OK" if status < 300 else "Failure"


def _to_with_tag(request: Request, to_tag: str | None) -> str:
    """The To line, with our tag where it had none. One that cannot be read is repeated as it is. KeyError: no To."""
    text = request._index["To"]  # noqa: SLF001 - one package, and the hot path
    if to_tag is None:
        return text
    try:
        if request.to.tag is not None:
            return text
    except SipSyntaxError:
        return text
    if not to_tag.isalnum():
        check_token(to_tag, "To tag")
    return f"{text};tag={to_tag}"


def _copied(request: Request, status: int, to_tag: str | None) -> Lines:
    lines: Lines = [("Via", value) for value in request.lines("Via")]
    for name in ("From", "To", "Call-ID", "CSeq"):
        if request.has(name):
            lines.append((name, _to_with_tag(request, to_tag) if name == "To" else request.lines(name)[0]))
    if status == 100 and (stamp := request.first("Timestamp")) is not None:
        lines.append(("Timestamp", stamp))  # RFC 3261 8.2.6.1
    return lines


def respond(
    request: Request,
    status: int,
    reason: str | None = None,
    *,
    to_tag: str | None = None,
    headers: Iterable[tuple[str, str]] = (),
    body: bytes = b"",
) -> Response:
    """The response to a request (RFC 3261 8.2.6.2): Via, From, To, Call-ID and CSeq as they came.

    Args:
        request: the request, whole or partial (`SipSyntaxError.partial`).
        status: 100 to 699.
        reason: the Reason-Phrase; the registered one where None.
        to_tag: added to a To that has no tag; a token. Give one for all but 100.
        headers: further headers.
        body: the body; its Content-Type belongs to `headers`.

    Raises:
        SipBuildError: a line end or NUL in what was given.
    """
    phrase = reason_phrase(status) if reason is None else reason
    check_status(status, phrase)
    lines = _copied(request, status, to_tag)
    for name, value in headers:
        check_header(name, value)
        lines.append((name, value))
    return Response(status, phrase, {}, lines, body)


def respond_bytes(
    request: Request,
    status: int,
    reason: str | None = None,
    *,
    to_tag: str | None = None,
    headers: Collection[tuple[str, str]] = (),
    body: bytes = b"",
) -> bytes:
    """The same as `respond(...).to_bytes()`, without the message in between."""
    if reason is None:
        reason = REASONS.get(status) or reason_phrase(status)
    else:
        check_status(status, reason)
    index = request._index  # noqa: SLF001 - one package, and the hot path
    if request._extra is not None or status == 100:  # noqa: SLF001
        return respond(request, status, reason, to_tag=to_tag, headers=headers, body=body).to_bytes()
    more = ""
    for name, value in headers:
        check_header(name, value)
        more += f"{name}: {value}\r\n"
    try:
        head = (
            f"SIP/2.0 {status} {reason}\r\nVia: {index['Via']}\r\nFrom: {index['From']}\r\n"
            f"To: {_to_with_tag(request, to_tag)}\r\nCall-ID: {index['Call-ID']}\r\nCSeq: {index['CSeq']}\r\n"
            f"{more}Content-Length: {len(body)}\r\n\r\n"
        )
    except KeyError:
        return respond(request, status, reason, to_tag=to_tag, headers=headers, body=body).to_bytes()
    return head.encode() + body


_RPORT: Final = re.compile(r";[ \t]*rport[ \t]*(?=;|$)", re.IGNORECASE)


def _same_host(sent_by: str, source: str) -> bool:
    bare = sent_by.strip("[]")
    if bare == source:
        return True
    if ":" not in bare or ":" not in source:
        return False
    try:
        return IPv6Address(bare) == IPv6Address(source)
    except AddressValueError:
        return False


def _noted(text: str, via: Via, host: str, port: int) -> tuple[str, Via]:
    """The text of a Via with what we saw of its sender, and the same, read."""
    params = via.params
    if len(params) == 2 and params[1] == ASKS_RPORT and text.endswith(";rport"):  # what nearly all send over UDP
        params = (params[0], ("rport", str(port)), ("received", host))
        return f"{text}={port};received={host}", Via(
            via.transport, via.host, via.port, params, via.version, via.sent_by
        )
    rport = via.rport
    note = rport is not None or not _same_host(via.host, host)
    claims = any(name == "received" for name, _ in params)
    if not note and not claims:
        return text, via
    kept = [
        ("rport", str(port)) if name == "rport" else (name, value) for name, value in via.params if name != "received"
    ]
    if note:
        kept.append(("received", host))
    noted = Via(via.transport, via.host, via.port, tuple(kept), via.version)
    if claims or (rport is not None and rport is not True) or '"' in text:
        return str(noted), noted
    if text.endswith(";rport"):
        text = f"{text}={port}"
    elif rport:
        text = _RPORT.sub(f";rport={port}", text, count=1)
    return f"{text};received={host}", noted


def add_received(request: Request, source_host: str, source_port: int) -> None:
    """Note in the top Via where the request came from (RFC 3261 18.2.1, RFC 3581 section 4).

    A `received` that the sender wrote is replaced or removed: it would send our answer to somebody else.

    Raises:
        SipSyntaxError: no Via, or one that cannot be read.
    """
    host = source_host.strip("[]")
    if not host.replace(".", "").replace(":", "").isalnum():  # an address; a zone or a name does not belong here
        raise SipBuildError(f"not an address: {source_host[:60]!r}")
    via = request.top_via
    line = request._index["Via"]  # noqa: SLF001 - one package, and the hot path
    elements = split_commas(line) if "," in line else [line]
    elements[0], noted = _noted(elements[0], via, host, source_port)
    if noted is not via:
        request._replace_top_via(", ".join(elements), noted)  # noqa: SLF001


def forward_bytes(
    request: Request,
    via: str,
    *,
    uri: str | None = None,
    remove: Collection[str] = (),
    headers: Iterable[tuple[str, str]] = (),
) -> bytes:
    """The request as a proxy passes it on (RFC 3261 16.6): our Via on top, Max-Forwards one less (70 where missing).

    Args:
        request: what came; it is not changed.
        via: the value of our Via.
        uri: the new Request-URI, or None to keep it.
        remove: names of headers to leave out.
        headers: headers to add, after Via.

    Raises:
        SipSyntaxError: Max-Forwards is malformed, or 0: the caller answers 483 before it comes here.
        SipBuildError: a line end or NUL in what was given.
    """
    hops = request.max_forwards
    if hops == 0:
        raise SipSyntaxError("Max-Forwards is 0", 483, request)
    target = check_text(uri, "Request-URI") if uri is not None else request.uri_text
    left = "70" if hops is None else str(hops - 1)
    more = ""
    for name, value in headers:
        check_header(name, value)
        more += f"{name}: {value}\r\n"
    start = f"{request.method} {target} SIP/2.0\r\nVia: {check_text(via, 'Via')}\r\n{more}"
    if not remove:
        # The headers as they came, if they still are.
        before, found, after = request._text.partition("\r\nMax-Forwards: ")  # noqa: SLF001 - the hot path
        cut = len(request.method) + len(request.uri_text) + 11  # "METHOD uri SIP/2.0", with its line end
        if found and len(before) > cut:
            before = before[cut:]
            _, line_end, after = after.partition("\r\n")
            return f"{start}{before}{found}{left}{line_end}{after}\r\n\r\n".encode() + request.body
    gone = {"Max-Forwards", "Content-Length", *(canonical(name) for name in remove)}
    out = [f"{name}: {value}" for name, value in request.headers if canonical(name) not in gone]
    out += [f"Max-Forwards: {left}", f"Content-Length: {len(request.body)}", "\r\n"]
    return (start + "\r\n".join(out)).encode() + request.body
