"""SIP in WebSocket messages, the server's side (RFC 7118 over RFC 6455), without I/O.

One WebSocket message is one SIP message. wsproto does the handshake and the frames; what a peer can make us keep is
bounded here: h11's 16 KiB for the handshake, a header section and a body for a message. No extension is agreed upon:
compression would let a few bytes become many.
"""

from __future__ import annotations

from typing import Final

from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Event,
    Ping,
    RejectConnection,
    RejectData,
    Request,
    TextMessage,
)
from wsproto.frame_protocol import CloseReason
from wsproto.utilities import LocalProtocolError, RemoteProtocolError

from transports.sip.wire.parser import DEFAULT, Limits

SUBPROTOCOL: Final = "sip"
"""RFC 7118 section 4.1."""


class WebSocketFramer:
    """Feed it what a connection brings; it gives whole messages, and what must be written back.

    Args:
        limits: of a SIP message.
        origins: from which pages a browser may connect (the Origin header, RFC 6455 section 10.2); empty: from any. A
            client that is no browser sends no Origin and is let in: its user is asked for a password like every other.
    """

    __slots__ = ("_buffer", "_limit", "_origins", "_socket", "messages", "over", "reason", "up")

    def __init__(self, limits: Limits = DEFAULT, origins: frozenset[str] = frozenset()) -> None:
        self._limit = limits.header_section + 4 + limits.body
        self._origins = origins
        self._socket = WSConnection(ConnectionType.SERVER)
        self._buffer = bytearray()
        self.up = False
        """The handshake is done: SIP can cross."""
        self.over = False
        """Nothing more comes and nothing more can be sent: close the connection when all is written."""
        self.reason = ""
        """Why it is over; for the log."""
        self.messages = 0
        """How many were given: whether it moves tells a busy connection from a stuck one."""

    @property
    def pending(self) -> int:
        """Octets held of a message that is not whole; 0 between messages."""
        return len(self._buffer)

    def feed(self, data: bytes) -> tuple[list[bytes], bytes]:
        """Returns the messages that ``data`` completes, and what is to be written back. Nothing once it is over."""
        found: list[bytes] = []
        out = b""
        if self.over or not data:  # to h11, no octets mean the end
            return found, out
        try:
            self._socket.receive_data(data)
            for event in self._socket.events():
                out += self._take(event, found)
        except RemoteProtocolError as error:
            out += self._refuse(str(error), error.event_hint)
        except (LocalProtocolError, UnicodeError) as error:  # a Host or a target that is no text
            out += self._refuse(str(error), None)
        return found, out

    def frame(self, message: bytes) -> bytes:
        """Returns a SIP message as it is written: as text where it is UTF-8, as JsSIP wants it, else as octets.

        Raises:
            ValueError: it is not up.
        """
        if not self.up or self.over:
            raise ValueError("the WebSocket is not up")
        try:
            return self._socket.send(TextMessage(message.decode()))
        except UnicodeDecodeError:
            return self._socket.send(BytesMessage(message))

    def close(self, code: int = CloseReason.GOING_AWAY, reason: str = "") -> bytes:
        """Returns what tells the peer that it is over; empty where there is nobody to tell."""
        if self.over:
            return b""
        self.over, self.reason = True, reason
        return self._socket.send(CloseConnection(code=code, reason=reason or None)) if self.up else b""

    def _take(self, event: Event, found: list[bytes]) -> bytes:
        if self.over:
            return b""
        if isinstance(event, TextMessage | BytesMessage):
            return self._piece(event, found)
        if isinstance(event, Ping):
            return self._socket.send(event.response())
        if isinstance(event, Request):
            return self._handshake(event)
        if isinstance(event, CloseConnection):
            self.over, self.reason = True, f"the peer closed it: {event.code} {event.reason or ''}".rstrip()
            return self._socket.send(event.response())
        return b""  # a pong: it has been heard

    def _piece(self, event: TextMessage | BytesMessage, found: list[bytes]) -> bytes:
        buffer = self._buffer
        buffer += event.data.encode() if isinstance(event, TextMessage) else event.data
        if len(buffer) > self._limit:
            buffer.clear()
            return self.close(CloseReason.MESSAGE_TOO_BIG, f"a message is larger than {self._limit}")
        if event.message_finished:
            found.append(bytes(buffer))
            buffer.clear()
            self.messages += 1
        return b""

    def _handshake(self, request: Request) -> bytes:
        if SUBPROTOCOL not in request.subprotocols:
            return self._reject(400, f"Sec-WebSocket-Protocol must offer {SUBPROTOCOL} (RFC 7118)")
        origin = next((value for name, value in request.extra_headers if name.lower() == b"origin"), None)
        if origin is not None and self._origins and origin.decode("latin-1").lower() not in self._origins:
            return self._reject(403, "pages of this origin may not connect")
        self.up = True
        return self._socket.send(AcceptConnection(subprotocol=SUBPROTOCOL))

    def _refuse(self, reason: str, hint: Event | None) -> bytes:
        """Ends it for what the peer did wrong: with an answer of HTTP before the handshake, with a close after it."""
        if self.over:
            return b""
        if self.up:
            code = hint.code if isinstance(hint, CloseConnection) else CloseReason.PROTOCOL_ERROR
            return self.close(code, reason[:100])
        status, headers = 400, []
        if isinstance(hint, RejectConnection):
            status, headers = hint.status_code, list(hint.headers)
        return self._reject(status, reason, headers)

    def _reject(self, status: int, reason: str, headers: list[tuple[bytes, bytes]] | None = None) -> bytes:
        self.over, self.reason = True, reason
        body = f"{reason}\n".encode()
        told = [
            *(headers or []),
            (b"Content-Type", b"text/plain; charset=utf-8"),
            (b"Content-Length", str(len(body)).encode()),
            (b"Connection", b"close"),
        ]
        try:
            start = self._socket.send(RejectConnection(status_code=status, headers=told, has_body=True))
            return start + self._socket.send(RejectData(data=body))
        except (LocalProtocolError, RuntimeError):  # it was not even HTTP: there is nobody to answer in HTTP
            return b""
