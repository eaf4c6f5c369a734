"""SNAC: what a data frame holds.

A header of ten bytes (food group, subtype, flags, request id) and a body. With flag 8000 a length-prefixed block of
TLVs stands between them. An answer repeats the request's id; what a server sends unasked has the id's high bit set.
"""

from __future__ import annotations

from typing import ClassVar, Self

from attrs import frozen

from transports.oscar.wire.reader import Reader, u16, u32
from transports.oscar.wire.tlv import NO_TLVS, Tlvs

MORE_REPLIES = 0x0001
"""Flag: further SNACs answer the same request."""
EXTENDED = 0x8000
"""Flag: an optional TLV block precedes the body."""
FROM_SERVER = 0x80000000
"""The request id's bit that marks what a server sends of its own accord."""


class Body:
    """The body of one kind of SNAC: a value that is written by `encode` and read by `decode`."""

    __slots__ = ()
    GROUP: ClassVar[int] = 0
    KIND: ClassVar[int] = 0

    def ids(self) -> tuple[int, int]:
        """Food group and subtype."""
        return self.GROUP, self.KIND

    def encode(self) -> bytes:
        """The body's bytes; raises `OscarSyntaxError` when a part does not fit its length field."""
        raise NotImplementedError

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read a body; raises `OscarSyntaxError`."""
        raise NotImplementedError


@frozen
class Empty(Body):
    """A body without content (what a peer adds is ignored)."""

    def encode(self) -> bytes:
        """Nothing."""
        return b""

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Always succeeds."""
        return cls()


@frozen
class TlvBody(Body):
    """A body that is TLVs to its end."""

    tlvs: Tlvs = NO_TLVS

    def encode(self) -> bytes:
        """The TLVs."""
        return self.tlvs.encode()

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read the TLVs; raises `OscarSyntaxError`."""
        return cls(Tlvs.decode(data))


@frozen
class WordsBody(Body):
    """A body that is two-byte numbers to its end."""

    words: tuple[int, ...] = ()

    def encode(self) -> bytes:
        """The numbers."""
        return b"".join(u16(word) for word in self.words)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read the numbers; raises `OscarSyntaxError` when a byte is left over."""
        reader = Reader(data)
        words: list[int] = []
        while reader.left():
            words.append(reader.u16(f"number {len(words)}"))
        return cls(tuple(words))


@frozen(kw_only=True)
class UnknownBody(Body):
    """A SNAC of which nothing is known here; kept as it came."""

    group: int
    kind: int
    data: bytes

    def ids(self) -> tuple[int, int]:
        """Food group and subtype, as received."""
        return self.group, self.kind

    def encode(self) -> bytes:
        """The bytes as received."""
        return self.data

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """A body without its ids cannot be had: see `registry.decode_body`."""
        return cls(group=0, kind=0, data=data)


@frozen(kw_only=True)
class SnacFrame:
    """A SNAC with its body still in bytes (`registry.decode_body` reads it)."""

    group: int
    kind: int
    flags: int = 0
    request_id: int
    extra: Tlvs | None = None
    data: bytes

    def encode(self) -> bytes:
        """The payload of a data frame. `EXTENDED` is set exactly when there is `extra`."""
        flags = self.flags & ~EXTENDED if self.extra is None else self.flags | EXTENDED
        block = b"" if self.extra is None else self.extra.encode_sized()
        return u16(self.group) + u16(self.kind) + u16(flags) + u32(self.request_id) + block + self.data

    @classmethod
    def decode(cls, payload: bytes) -> SnacFrame:
        """Read the payload of a data frame; raises `OscarSyntaxError`."""
        reader = Reader(payload)
        group = reader.u16("SNAC food group")
        kind = reader.u16("SNAC subtype")
        flags = reader.u16("SNAC flags")
        request_id = reader.u32("SNAC request id")
        extra = Tlvs.read_sized(reader) if flags & EXTENDED else None
        return cls(group=group, kind=kind, flags=flags, request_id=request_id, extra=extra, data=reader.rest())


def encode_snac(body: Body, request_id: int, *, flags: int = 0, extra: Tlvs | None = None) -> bytes:
    """The payload of a data frame for `body`."""
    group, kind = body.ids()
    frame = SnacFrame(group=group, kind=kind, flags=flags, request_id=request_id, extra=extra, data=body.encode())
    return frame.encode()
