"""FLAP: the frames in which everything travels.

A frame is ``2A``, a channel (1 sign-on, 2 data, 3 error, 4 sign-off, 5 keep-alive), a two-byte sequence number, a
two-byte length and that many bytes. Each direction numbers its own frames; the number wraps from FFFF to 0000.
"""

from __future__ import annotations

from attrs import frozen

from transports.oscar.wire.errors import OscarSyntaxError
from transports.oscar.wire.reader import Reader, u16, u32
from transports.oscar.wire.tlv import NO_TLVS, Tlvs

MARKER = 0x2A
SIGNON, DATA, ERROR, SIGNOFF, KEEPALIVE = 1, 2, 3, 4, 5
HEADER = 6
MAX_PAYLOAD = 0xFFFF
FLAP_VERSION = 1


@frozen(kw_only=True)
class FlapFrame:
    """One frame: its channel, its sequence number and its payload."""

    channel: int
    sequence: int
    payload: bytes

    def encode(self) -> bytes:
        """The frame's bytes; raises `OscarSyntaxError` when the payload is longer than 65,535 bytes."""
        return encode_flap(self.channel, self.sequence, self.payload)


def encode_flap(channel: int, sequence: int, payload: bytes) -> bytes:
    """The bytes of a frame, without the detour over a value."""
    if len(payload) > MAX_PAYLOAD:
        raise OscarSyntaxError(f"FLAP payload: {len(payload)} bytes do not fit")
    return bytes((MARKER, channel)) + u16(sequence) + u16(len(payload)) + payload


class FlapSequence:
    """Hands out the sequence numbers of one direction. The first is `start` (any; servers and clients differ)."""

    __slots__ = ("_next",)

    def __init__(self, start: int = 0) -> None:
        self._next = start & 0xFFFF

    def frame(self, channel: int, payload: bytes) -> bytes:
        """The bytes of the next frame."""
        sequence = self._next
        self._next = (sequence + 1) & 0xFFFF
        return encode_flap(channel, sequence, payload)


class FlapFramer:
    """Cuts one direction's byte stream into frames.

    `max_payload` bounds what a peer can make us hold. With `check_sequence` a frame that does not follow its
    predecessor raises; otherwise it counts in `sequence_breaks` (some servers number sign-off frames at will).
    After an `OscarSyntaxError` the stream is lost and the connection is to be closed.
    """

    __slots__ = ("_buffer", "_expected", "broken", "check_sequence", "max_payload", "sequence_breaks")

    def __init__(self, *, max_payload: int = MAX_PAYLOAD, check_sequence: bool = False) -> None:
        self._buffer = bytearray()
        self._expected: int | None = None
        self.max_payload = max_payload
        self.check_sequence = check_sequence
        self.sequence_breaks = 0
        self.broken: OscarSyntaxError | None = None

    def feed(self, data: bytes) -> list[FlapFrame]:
        """Take bytes in any cut; give the frames that are now complete.

        Frames in front of a broken one are given first: the error then stands in `broken` and is raised by the next
        call. Raises `OscarSyntaxError`: no marker, an unknown channel, a length over the limit, a break of sequence.
        """
        if self.broken is not None:
            raise self.broken
        buffer = self._buffer
        buffer += data
        frames: list[FlapFrame] = []
        start = 0
        try:
            while len(buffer) - start >= HEADER:
                frame = self._one(start)
                if frame is None:
                    break
                start += HEADER + len(frame.payload)
                frames.append(frame)
        except OscarSyntaxError as error:
            self.broken = error
            buffer.clear()
            if not frames:
                raise
            return frames
        del buffer[:start]
        return frames

    def _one(self, start: int) -> FlapFrame | None:
        buffer = self._buffer
        if buffer[start] != MARKER:
            raise OscarSyntaxError(f"FLAP marker: {buffer[start]:#04x} instead of 0x2a", start)
        channel = buffer[start + 1]
        if not SIGNON <= channel <= KEEPALIVE:
            raise OscarSyntaxError(f"FLAP channel: {channel}", start + 1)
        sequence = (buffer[start + 2] << 8) | buffer[start + 3]
        length = (buffer[start + 4] << 8) | buffer[start + 5]
        if length > self.max_payload:
            raise OscarSyntaxError(f"FLAP length: {length} bytes, the limit is {self.max_payload}", start + 4)
        end = start + HEADER + length
        if len(buffer) < end:
            return None
        if self._expected is not None and sequence != self._expected:
            if self.check_sequence:
                raise OscarSyntaxError(f"FLAP sequence: {sequence} instead of {self._expected}", start + 2)
            self.sequence_breaks += 1
        self._expected = (sequence + 1) & 0xFFFF
        return FlapFrame(channel=channel, sequence=sequence, payload=bytes(buffer[start + HEADER : end]))

    def finish(self) -> FlapFrame | None:
        """What remains when the peer has closed.

        Towards clients before AIM 4.3 servers sign off with a frame that ends after the sequence number, without a
        length: that is given as an empty sign-off frame. Anything else unfinished is dropped.
        """
        buffer = bytes(self._buffer)
        self._buffer.clear()
        if len(buffer) == 4 and buffer[0] == MARKER and buffer[1] == SIGNOFF:
            return FlapFrame(channel=SIGNOFF, sequence=int.from_bytes(buffer[2:], "big"), payload=b"")
        return None


@frozen(kw_only=True)
class SignonFrame:
    """The payload of channel 1: the FLAP version (1) and TLVs (a client's cookie, or its roasted sign-on)."""

    version: int = FLAP_VERSION
    tlvs: Tlvs = NO_TLVS

    def encode(self) -> bytes:
        """The payload's bytes."""
        return u32(self.version) + self.tlvs.encode()

    @classmethod
    def decode(cls, data: bytes) -> SignonFrame:
        """Read a channel 1 payload; raises `OscarSyntaxError`."""
        reader = Reader(data)
        return cls(version=reader.u32("FLAP version"), tlvs=Tlvs.read_rest(reader))
