"""What the codec costs beside sipmessage: read a MESSAGE with all that its route needs, answer 202, pass it on.

Both read the same typed values from the same octets, and both make the same two messages. Run it as a program.
The senders vary, so that neither a cache of one nor a cache of all is what is measured.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import sipmessage

from transports.sip.wire.base import Request
from transports.sip.wire.message import add_received, forward_bytes, parse_message, respond_bytes

USERS: Final = 1000
TEMPLATE: Final = (
    "MESSAGE sip:u{to}@example.test SIP/2.0\r\n"
    "Via: SIP/2.0/UDP 192.0.2.{host}:{port};branch=z9hG4bK{n:016x};rport\r\n"
    "Max-Forwards: 70\r\n"
    'From: "User {sender}" <sip:u{sender}@example.test>;tag={n:x}f\r\n'
    "To: <sip:u{to}@example.test>\r\n"
    "Call-ID: {n:x}ab@192.0.2.{host}\r\n"
    "CSeq: {n} MESSAGE\r\n"
    'Authorization: Digest username="u{sender}", realm="example.test", nonce="awQ1hGsENFiA5DV9HDK7+XEaUWKAsbbvE1h0",'
    ' uri="sip:u{to}@example.test", response="4e1714873be398f3cdcfbf552f1e5343", cnonce="2dff94d719686435", qop=auth,'
    " nc=00000001\r\n"
    "User-Agent: baresip v1.0.0 (x86_64/linux)\r\n"
    "Content-Type: text/plain\r\n"
    "Content-Length: 27\r\n"
    "\r\n"
    "How about lunch at twelve? "
)


def corpus() -> list[bytes]:
    """One message of each of many users to another."""
    return [
        TEMPLATE.format(n=n + 1, sender=n % USERS, to=(n * 7) % USERS, host=n % 250 + 1, port=5060 + n % USERS).encode()
        for n in range(USERS)
    ]


def ours(data: bytes) -> tuple[bytes, bytes]:
    """Read, answer, pass on: with this codec."""
    request = parse_message(data)
    assert isinstance(request, Request)
    via = request.top_via
    route = (
        request.method, request.uri, via.branch, via.sent_by, request.from_.uri, request.from_.tag, request.to.uri,
        request.call_id, request.cseq.number, request.max_forwards, request.first("Authorization"),
        request.content_type, request.body,
    )  # fmt: skip
    assert route
    answer = respond_bytes(request, 202, to_tag="b7f2")
    return answer, forward_bytes(request, "SIP/2.0/UDP 198.51.100.1:5060;branch=z9hG4bKffffffffff;rport")


def theirs(data: bytes) -> tuple[bytes, bytes]:
    """Read, answer, pass on: with sipmessage."""
    request = sipmessage.Message.parse(data)
    assert isinstance(request, sipmessage.Request)
    vias = request.via
    via, sender, to = vias[0], request.from_address, request.to_address
    route = (
        request.method, request.uri, via.parameters.get("branch"), via.host, via.port, sender.uri,
        sender.parameters.get("tag"), to.uri, request.call_id, request.cseq.sequence, request.max_forwards,
        request.headers.get("Authorization"), request.content_type, request.body,
    )  # fmt: skip
    assert route
    answer = sipmessage.Response(code=202, phrase="Accepted")
    headers = request.headers
    answer.headers.setlist("Via", headers.getlist("Via"))
    answer.headers.set("From", headers["From"])
    answer.headers.set("To", headers["To"] + ";tag=b7f2")
    answer.headers.set("Call-ID", headers["Call-ID"])
    answer.headers.set("CSeq", headers["CSeq"])
    answer.headers.set("Content-Length", "0")
    headers.setlist("Via", ["SIP/2.0/UDP 198.51.100.1:5060;branch=z9hG4bKffffffffff;rport", *headers.getlist("Via")])
    assert request.max_forwards is not None
    request.max_forwards -= 1
    return bytes(answer), bytes(request)


def noting(data: bytes) -> None:
    """The same as `ours`, with the sender's address noted in Via, as a server does."""
    request = parse_message(data)
    assert isinstance(request, Request)
    add_received(request, "203.0.113.7", 40000)
    respond_bytes(request, 202, to_tag="b7f2")


def best(work: Callable[[bytes], object], messages: list[bytes], rounds: int) -> float:
    """Microseconds for one message: the best of several rounds, which a busy machine disturbs least."""
    least = float("inf")
    for _ in range(rounds):
        start = time.process_time()
        for data in messages:
            work(data)
        least = min(least, time.process_time() - start)
    return least / len(messages) * 1e6


def run(rounds: int = 15) -> dict[str, float]:
    """Microseconds of CPU for each message with both codecs, and how many times ours is faster."""
    messages = corpus()
    mine = other = float("inf")
    for _ in range(rounds):  # turn about, so that both see the same machine
        mine = min(mine, best(ours, messages, 3))
        other = min(other, best(theirs, messages, 1))
    return {"ours_us": mine, "sipmessage_us": other, "ratio": other / mine, "noting_us": best(noting, messages, 5)}


if __name__ == "__main__":
    figures = run()
    print(f"this codec   {figures['ours_us']:7.2f} us a message (read, answer 202, pass on)")
    print(f"sipmessage   {figures['sipmessage_us']:7.2f} us a message")
    print(f"ratio        {figures['ratio']:7.2f}")
    print(f"with received noted: {figures['noting_us']:.2f} us to read and answer")
