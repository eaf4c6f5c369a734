"""The checks that come before anything acts on a message (RFC 3261 8.2, 8.1.3, 18.2; RFC 4475)."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Final

from transports.sip.wire.base import Message, Request, Response
from transports.sip.wire.errors import SipSyntaxError
from transports.sip.wire.headers import CSeq
from transports.sip.wire.parser import METHODS, answerable
from transports.sip.wire.uri import SipUri

# Headers that may stand once. Those that are read anyway raise when they are double; these are not read eagerly.
_SINGLE: Final = (
    "Content-Length", "Content-Type", "Event", "Expires", "Subject", "Date", "SIP-If-Match", "Subscription-State",
    "Min-Expires", "User-Agent", "Content-Disposition", "Priority", "Organization", "Server", "Reply-To",
    "SIP-ETag", "Refer-To", "Timestamp", "MIME-Version", "Retry-After",
)  # fmt: skip


# What is read beside the mandatory headers, where it is there. Content-Length was read when the message was cut.
_READ: Final[tuple[tuple[str, Callable[[Message], object]], ...]] = (
    ("Max-Forwards", attrgetter("max_forwards")),
    ("Content-Type", attrgetter("content_type")),
    ("Expires", attrgetter("expires")),
    ("Event", attrgetter("event")),
    ("Contact", attrgetter("contacts")),
    ("Route", attrgetter("routes")),
    ("Record-Route", attrgetter("record_routes")),
    ("Require", attrgetter("require")),
    ("Proxy-Require", attrgetter("proxy_require")),
)


def _check_common(message: Message) -> CSeq:
    cseq = message.cseq
    _ = message.from_, message.to, message.call_id
    index, extra = message._index, message._extra  # noqa: SLF001 - one package, and the hot path
    if extra is None and "," not in index.get("Via", ","):
        _ = message.top_via
    elif not message.vias:
        raise SipSyntaxError("Via is missing")
    for name, read in _READ:
        if name in index:
            read(message)
    if extra is not None:
        for name in _SINGLE:
            if name in extra:
                raise SipSyntaxError(f"more than one {name}")
    return cseq


def validate_request(request: Request) -> None:
    """Check what every element needs of a request.

    Via, From, To, Call-ID and CSeq are there once and well formed, CSeq names the method, numbers are in their ranges,
    Contact, Route and Record-Route can be read, the Request-URI is a SIP URI without headers. Max-Forwards and the
    tag of From may be missing (RFC 2543 elements; RFC 3261 12.1.1, 16.3). Date is not read (RFC 4475 3.1.2.12).

    Raises:
        SipSyntaxError: with the status to answer (400, 416, 501) and the request as `partial`, or None for ACK and
            where there is no Via to answer along.
    """
    try:
        _check_request(request)
    except SipSyntaxError as error:
        raise SipSyntaxError(error.reason, error.status, answerable(request)) from error


def _check_request(request: Request) -> None:
    cseq = _check_common(request)
    if cseq.method != request.method:
        # RFC 4475 3.1.2.18: for a method that nobody knows, saying so has better chances in the future.
        status = 400 if request.method in METHODS else 501
        raise SipSyntaxError(f"CSeq names {cseq.method[:40]}, the request is {request.method[:40]}", status)
    uri = request.uri
    if not isinstance(uri, SipUri):
        raise SipSyntaxError(f"Request-URI: scheme {uri.scheme[:40]} is not served here", 416)
    if uri.headers:
        raise SipSyntaxError("Request-URI: headers are not allowed there")  # RFC 3261 19.1.1, table 1


def validate_response(response: Response) -> None:
    """Check what a client needs of a response (RFC 3261 8.1.3.3, 18.1.2).

    From, To, Call-ID, CSeq are there once and well formed, and there is exactly one Via: we are where it goes.

    Raises:
        SipSyntaxError: the response is to be dropped, whatever the status in the error.
    """
    _check_common(response)
    via = response._index["Via"]  # noqa: SLF001
    if ("," in via or response._extra is not None) and len(response.vias) > 1:  # noqa: SLF001
        raise SipSyntaxError("Via: more than one, so the response was meant for another element")
    if (after := response.first("Retry-After")) is not None:
        _check_retry_after(after)


def _check_retry_after(text: str) -> None:
    digits = text.partition(";")[0].partition("(")[0].strip(" \t")
    if not (digits.isascii() and digits.isdigit()) or len(digits) > 10:
        raise SipSyntaxError(f"Retry-After: bad value {text[:40]!r}")
