"""Cutting a byte stream into messages (RFC 3261 18.3) and keep-alives (RFC 5626 section 3.5.1 and 5.4)."""

from __future__ import annotations

import enum
import re
from typing import Final, Literal, TypeAlias

from transports.sip.wire.errors import SipSyntaxError
from transports.sip.wire.parser import DEFAULT, Limits, salvage


class Keepalive(enum.Enum):
    """What stands between messages."""

    PING = b"\r\n\r\n"
    PONG = b"\r\n"


KEEPALIVE_PING: Final = Keepalive.PING
KEEPALIVE_PONG: Final = Keepalive.PONG
Frame: TypeAlias = bytes | Literal[Keepalive.PING, Keepalive.PONG]

_LENGTH: Final = re.compile(rb"\r\n(?:Content-Length|l)[ \t]*:((?:[^\r\n]|\r\n[ \t])*)", re.IGNORECASE)


class StreamFramer:
    """Feed it what a stream brings; it gives whole messages and keep-alives, in order.

    A message's end is known from Content-Length alone, so one that is missing, double or malformed ends the stream:
    `error` is set (with the request to answer, where it could be read), and everything after it is thrown away.
    It holds at most one header section and one body within the limits, and looks at each octet a bounded number of
    times, however the stream is cut.
    """

    __slots__ = ("_buffer", "_half_ping", "_limits", "_need", "_scanned", "error", "messages")

    def __init__(self, limits: Limits = DEFAULT) -> None:
        self._limits = limits
        self._buffer = bytearray()
        self._scanned = 0  # no end of headers begins before here
        self._need = 0  # octets of the message at hand, header and body, once its header section is whole
        self._half_ping = False
        self.error: SipSyntaxError | None = None
        self.messages = 0
        """How many were given: whether it moves tells a busy stream from a stuck one."""

    @property
    def pending(self) -> int:
        """Octets held of a message that is not whole; 0 between messages."""
        return len(self._buffer)

    def feed(self, data: bytes) -> list[Frame]:
        """What `data` completes. Empty after an error."""
        if self.error is not None:
            return []
        self._buffer += data
        frames: list[Frame] = []
        try:
            while (frame := self._next()) is not None:
                frames.append(frame)
        except SipSyntaxError as error:
            self.error = error
            self._buffer.clear()
        return frames

    def _next(self) -> Frame | None:
        buffer = self._buffer
        if not self._need:
            if buffer[:1] == b"\r":
                return self._keepalive()
            if not buffer or not self._read_head():
                return None
        if len(buffer) < self._need:
            return None
        message = bytes(buffer[: self._need])
        del buffer[: self._need]
        self._need = self._scanned = 0
        self._half_ping = False
        self.messages += 1
        return message

    def _keepalive(self) -> Frame | None:
        buffer = self._buffer
        if buffer[:4] == KEEPALIVE_PING.value:
            del buffer[:4]
            self._half_ping = False
            return KEEPALIVE_PING
        if len(buffer) == 1:
            return None
        if buffer[:2] != KEEPALIVE_PONG.value:
            raise SipSyntaxError("carriage return without line feed before a message")
        if buffer[2:] == b"\r":
            return None
        # One CRLF is a pong. It may also be half of a ping that the network cut: then the other half follows next,
        # and counts as the ping.
        del buffer[:2]
        self._half_ping = not self._half_ping and not buffer
        return KEEPALIVE_PONG if self._half_ping or buffer else KEEPALIVE_PING

    def _read_head(self) -> bool:
        buffer = self._buffer
        end = buffer.find(b"\r\n\r\n", self._scanned)
        if end < 0:
            self._scanned = max(0, len(buffer) - 3)
            if len(buffer) > self._limits.header_section + 4:
                raise self._refuse("header section is too large", 513, self._limits.header_section)
            return False
        if end > self._limits.header_section:
            raise self._refuse("header section is too large", 513, self._limits.header_section)
        head = bytes(buffer[: end + 2])
        length = self._content_length(head)
        if length > self._limits.body:
            raise self._refuse(f"body is larger than {self._limits.body}", 413, end)
        self._need = end + 4 + length
        return True

    def _content_length(self, head: bytes) -> int:
        found = _LENGTH.findall(head)
        if not found:
            raise self._refuse("Content-Length is missing", 400, len(head))
        if len(found) > 1:
            raise self._refuse("more than one Content-Length", 400, len(head))
        text = found[0].strip(b" \t\r\n")
        digits = text.lstrip(b"0") or b"0"
        if not text.isdigit() or len(digits) > 10:
            raise self._refuse(f"Content-Length: not a number: {text[:40].decode('latin-1')!r}", 400, len(head))
        return int(digits)

    def _refuse(self, reason: str, status: int, size: int) -> SipSyntaxError:
        return SipSyntaxError(reason, status, salvage(bytes(self._buffer[:size])))
