"""Packets, in which everything travels.

A packet is ``YMSG``, a version (2 bytes), a vendor (2), the length of the body (2), a service (2), a status (4), a
session id (4), all big-endian, and the body: pairs of key and value, each ended by ``C0 80``. A key is decimal text.
The same key may come again; what that means is the service's to say.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

from attrs import frozen

from transports.ymsg.wire.errors import YmsgSyntaxError

MARKER = b"YMSG"
SEPARATOR = b"\xc0\x80"
HEADER = 20
MAX_BODY = 0xFFFF
MAX_KEY_DIGITS = 9
_HEAD = struct.Struct("!4sHHHHII")

Pair = tuple[int, bytes]


@frozen(kw_only=True)
class Packet:
    """One packet.

    Attributes:
        service: what it is about.
        status: of an answer what became of it, of a change of status the status; else 0.
        session: 0 until the server has given one.
        pairs: keys and values in their order.
        version: of the protocol; a server may leave it 0.
        vendor: 0, or 100 for Yahoo! Japan.
        skipped: how many pairs had a key that is no number.
    """

    service: int
    status: int = 0
    session: int = 0
    pairs: tuple[Pair, ...] = ()
    version: int = 0
    vendor: int = 0
    skipped: int = 0

    def encode(self) -> bytes:
        """The packet's bytes; raises `YmsgSyntaxError` where a value or the whole does not fit."""
        return encode(self)

    def get(self, key: int) -> bytes | None:
        """The first value of a key."""
        return next((value for known, value in self.pairs if known == key), None)

    def all(self, key: int) -> tuple[bytes, ...]:
        """All values of a key, in their order."""
        return tuple(value for known, value in self.pairs if known == key)

    def number(self, key: int) -> int | None:
        """The first value of a key as a number; None where there is none, or it is no number."""
        return number(self.get(key))


def number(value: bytes | None) -> int | None:
    """A value as a number; None where it is none. ``1479906238.25`` counts as its whole part."""
    if value is None:
        return None
    digits = value.strip().partition(b".")[0]
    bare = digits.removeprefix(b"-")
    if not bare.isdigit() or len(bare) > 18:
        return None
    return int(digits)


def encode(packet: Packet) -> bytes:
    """The bytes of a packet; raises `YmsgSyntaxError` where a value or the whole does not fit."""
    body = require_fit(packet.service, packet.pairs)
    head: bytes = _HEAD.pack(
        MARKER, packet.version, packet.vendor, len(body), packet.service, packet.status & 0xFFFFFFFF, packet.session
    )
    return head + body


def require_fit(service: int, pairs: Iterable[Pair]) -> bytes:
    """The bytes of a body; raises `YmsgSyntaxError` where a value or the whole does not fit."""
    parts: list[bytes] = []
    for key, value in pairs:
        if SEPARATOR in value:
            raise YmsgSyntaxError(f"service {service:#06x}: the value of key {key} holds a separator")
        parts += (b"%d" % key, SEPARATOR, value, SEPARATOR)
    body = b"".join(parts)
    if len(body) > MAX_BODY:
        raise YmsgSyntaxError(f"service {service:#06x}: a body of {len(body)} bytes does not fit")
    return body


def decode_body(body: bytes) -> tuple[tuple[Pair, ...], int]:
    """The pairs of a body, and how many were left out because their key is no number.

    Servers were seen to leave the last value without its separator: it counts. A last key without a value does not.
    """
    if not body:
        return (), 0
    parts = body.split(SEPARATOR)
    if parts[-1] == b"" and len(parts) % 2:
        parts.pop()
    pairs: list[Pair] = []
    skipped = len(parts) % 2
    for at in range(0, len(parts) - 1, 2):
        key = parts[at]
        if key.isdigit() and len(key) <= MAX_KEY_DIGITS:
            pairs.append((int(key), parts[at + 1]))
        else:
            skipped += 1
    return tuple(pairs), skipped


def pairs_of(*pairs: tuple[int, str | bytes | int]) -> tuple[Pair, ...]:
    """Pairs as they are written: text in UTF-8, numbers in decimal; a lone surrogate raises `YmsgSyntaxError`."""
    return tuple((key, _value(key, value)) for key, value in pairs)


def _value(key: int, value: str | bytes | int) -> bytes:
    if isinstance(value, bytes):
        return value
    try:
        return str(value).encode()
    except UnicodeEncodeError as error:
        raise YmsgSyntaxError(f"the value of key {key} is no text: half of a surrogate pair", error.start) from error


def records(pairs: Iterable[Pair], begins: frozenset[int]) -> list[dict[int, bytes]]:
    """Cuts pairs into records: one ends where a key of ``begins`` comes that it has already.

    So it matters not which of those keys a server writes first, as long as it does so in every record. What stands
    before the first of them belongs to the first record.
    """
    out: list[dict[int, bytes]] = []
    current: dict[int, bytes] = {}
    for key, value in pairs:
        if key in begins and key in current:
            out.append(current)
            current = {}
        current.setdefault(key, value)
    if current:
        out.append(current)
    return out


class Framer:
    """Cuts one direction's byte stream into packets.

    Args:
        max_body: the longest body that is taken; bounds what a peer can make us hold.

    After a `YmsgSyntaxError` the stream is lost and the connection is to be closed.
    """

    __slots__ = ("_buffer", "broken", "max_body")

    def __init__(self, max_body: int = MAX_BODY) -> None:
        self._buffer = bytearray()
        self.max_body = max_body
        self.broken: YmsgSyntaxError | None = None

    def feed(self, data: bytes) -> list[Packet]:
        """Take bytes in any cut; give the packets that are now complete.

        Packets in front of a broken one are given first: the error then stands in `broken` and is raised by the next
        call. Raises `YmsgSyntaxError`: no marker, or a body over the limit.
        """
        if self.broken is not None:
            raise self.broken
        self._buffer += data
        found: list[Packet] = []
        start = 0
        try:
            while (packet_end := self._one(start, found)) is not None:
                start = packet_end
        except YmsgSyntaxError as error:
            self.broken = error
            self._buffer.clear()
            if not found:
                raise
            return found
        del self._buffer[:start]
        return found

    def _one(self, start: int, found: list[Packet]) -> int | None:
        buffer = self._buffer
        begin = bytes(buffer[start : start + len(MARKER)])
        if not MARKER.startswith(begin):
            raise YmsgSyntaxError(f"packet marker: {begin!r} instead of {MARKER!r}", start)
        if len(buffer) - start < HEADER:
            return None
        head: tuple[bytes, int, int, int, int, int, int] = _HEAD.unpack_from(buffer, start)
        _, version, vendor, length, service, status, session = head
        if length > self.max_body:
            raise YmsgSyntaxError(f"packet length: {length} bytes, the limit is {self.max_body}", start + 8)
        end = start + HEADER + length
        if len(buffer) < end:
            return None
        pairs, skipped = decode_body(bytes(buffer[start + HEADER : end]))
        found.append(
            Packet(
                service=service,
                status=status,
                session=session,
                pairs=pairs,
                version=version,
                vendor=vendor,
                skipped=skipped,
            )
        )
        return end
