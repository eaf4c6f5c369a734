"""Any octets as a stream: cut the same however they arrive, and every piece within the limits."""

from tests.fuzz.fuzz_sip_message import SEEDS as MESSAGES
from transports.sip.wire.errors import SipSyntaxError
from transports.sip.wire.framing import Keepalive, StreamFramer
from transports.sip.wire.message import Limits, parse_message

LIMITS = Limits(header_section=8192, body=8192)
SEEDS: list[bytes] = [
    b"\r\n\r\n\r\n",
    b"M sip:b SIP/2.0\r\nl:0\r\n\r\n\r\n\r\nM sip:b SIP/2.0\r\nl:3\r\n\r\nabc",
    b"M sip:b SIP/2.0\r\nContent-Length\r\n : 3\r\n\r\nabc",
    *MESSAGES,
    b"".join(MESSAGES[:3]),
]


def one(data: bytes) -> None:
    """Feeds a stream whole and octet by octet."""
    whole, slow = StreamFramer(LIMITS), StreamFramer(LIMITS)
    frames = whole.feed(data)
    dribbled = [frame for index in range(len(data)) for frame in slow.feed(data[index : index + 1])]
    messages = [frame for frame in frames if not isinstance(frame, Keepalive)]
    assert messages == [frame for frame in dribbled if not isinstance(frame, Keepalive)]
    assert (whole.error is None) == (slow.error is None)
    assert whole.pending <= LIMITS.header_section + LIMITS.body + 4
    for message in messages:
        assert message in data
        try:
            parsed = parse_message(message, LIMITS)
        except SipSyntaxError:
            continue
        # The framer and the parser see the same Content-Length: nothing is left over to be smuggled.
        assert message.endswith(parsed.body)
        assert parsed.content_length == len(parsed.body)
