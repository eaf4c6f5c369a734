"""Any octets as a WebSocket, before and after its handshake: nothing escapes, little is kept, the end is the end."""

from transports.sip.wire.parser import Limits
from transports.sip.wire.websocket import WebSocketFramer

LIMITS = Limits(header_section=512, body=512)
_HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: sip\r\n"
)
SEEDS: list[bytes] = [
    _HANDSHAKE + b"\r\n",
    _HANDSHAKE + b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\nOrigin: null\r\n\r\n",
    b"\x81\x85\x01\x02\x03\x04ijollo",
    b"\x01\x83\x00\x00\x00\x00abc\x89\x82\x00\x00\x00\x00hi\x80\x83\x00\x00\x00\x00def",
    b"\x82\xfe\x04\x00\x00\x00\x00\x00" + b"x" * 1024,
    b"\x88\x82\x00\x00\x00\x00\x03\xe8",
    b"\x8a\x80\x00\x00\x00\x00\x82\x80\x00\x00\x00\x00",
]


def one(data: bytes) -> None:
    """Feeds a handshake, and frames after a good one, whole and in pieces."""
    for before in (b"", _HANDSHAKE + b"\r\n"):
        for step in (len(data) or 1, 3):
            framer = WebSocketFramer(LIMITS)
            framer.feed(before)
            for at in range(0, len(data), step):
                was_over = framer.over
                messages, answer = framer.feed(data[at : at + step])
                assert not (was_over and (messages or answer))
                assert all(len(message) <= LIMITS.header_section + 4 + LIMITS.body for message in messages)
                assert len(answer) <= 2 * len(data) + 2048
            assert framer.pending <= LIMITS.header_section + 4 + LIMITS.body
            assert framer.over == bool(framer.reason)
            if framer.up and not framer.over:
                assert framer.frame(data)
            framer.close(reason="done")
            assert framer.over
