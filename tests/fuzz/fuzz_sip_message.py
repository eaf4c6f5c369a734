"""Any datagram as a SIP message: a message that reads back, or SipSyntaxError; what answers it is always SIP."""

from pathlib import Path

from transports.sip.wire.errors import SipSyntaxError
from transports.sip.wire.message import (
    Limits,
    Request,
    add_received,
    forward_bytes,
    parse_message,
    respond,
    respond_bytes,
    validate_request,
    validate_response,
)
from transports.sip.wire.names import canonical

DATA = Path(__file__).parents[1] / "data"
SEEDS: list[bytes] = [
    path.read_bytes() for folder in ("rfc4475", "rfc5118") for path in sorted((DATA / folder).iterdir())
]
# An answer holds every Via of the request (RFC 3261 section 8.2.6.2), also of one that was refused for having too many.
_ANY_NUMBER = Limits(header_count=100_000)


def one(data: bytes) -> None:
    """Reads a message, checks it, answers it, passes it on."""
    try:
        message = parse_message(data)
    except SipSyntaxError as error:
        if error.partial is not None:
            check_answer(error.partial, error.status, error.reason)
        return
    again = parse_message(message.to_bytes())
    assert again.start_line() == message.start_line()
    assert again.body == message.body
    kept = [line for line in message.headers if canonical(line[0]) != "Content-Length"]
    assert [line for line in again.headers if canonical(line[0]) != "Content-Length"] == kept
    if not isinstance(message, Request):
        try:
            validate_response(message)
        except SipSyntaxError:
            return
        return
    try:
        validate_request(message)
    except SipSyntaxError as error:
        if error.partial is not None:
            check_answer(error.partial, error.status, error.reason)
        return
    check_answer(message, 200, "OK")
    check_way(message)


def check_answer(request: Request, status: int, reason: str) -> None:
    """An answer can be read, goes where the request came from, and is the same by both ways."""
    octets = respond_bytes(request, status, reason, to_tag="t")
    assert octets == respond(request, status, reason, to_tag="t").to_bytes()
    answer = parse_message(octets, _ANY_NUMBER)
    assert not isinstance(answer, Request)
    assert answer.status == status
    assert answer.lines("Via") == request.lines("Via")


def check_way(request: Request) -> None:
    """Noting the sender and passing on change nothing but what they should."""
    try:
        add_received(request, "192.0.2.7", 4242)
    except SipSyntaxError:
        return  # rport with a value that is no port
    assert request.top_via.received in {None, "192.0.2.7"}
    if request.max_forwards == 0:
        return
    sent = parse_message(forward_bytes(request, "SIP/2.0/UDP us.example;branch=z9hG4bKx"))
    assert isinstance(sent, Request)
    validate_request(sent)
    assert sent.vias[1:] == request.vias
    assert sent.from_ == request.from_
    assert sent.to == request.to
    assert sent.body == request.body
