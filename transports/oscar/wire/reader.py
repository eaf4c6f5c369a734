"""A bounded cursor over bytes, and its counterpart for writing. Integers are big-endian unless the name says `le`."""

from __future__ import annotations

from transports.oscar.wire.errors import OscarSyntaxError


class Reader:
    """Reads fields one after another from one unit of bytes.

    Each method takes what it is reading as `what` (for the error) and raises `OscarSyntaxError` past the end.
    """

    __slots__ = ("data", "pos")

    def __init__(self, data: bytes, pos: int = 0) -> None:
        self.data = data
        self.pos = pos

    def left(self) -> int:
        """How many bytes are unread."""
        return len(self.data) - self.pos

    def take(self, count: int, what: str) -> bytes:
        """Exactly `count` bytes."""
        end = self.pos + count
        if end > len(self.data):
            raise OscarSyntaxError(f"{what}: needs {count} bytes, {self.left()} are left", self.pos)
        chunk = self.data[self.pos : end]
        self.pos = end
        return chunk

    def rest(self) -> bytes:
        """Everything that is unread."""
        chunk = self.data[self.pos :]
        self.pos = len(self.data)
        return chunk

    def u8(self, what: str) -> int:
        """One byte."""
        return self.take(1, what)[0]

    def u16(self, what: str) -> int:
        """Two bytes."""
        return int.from_bytes(self.take(2, what), "big")

    def u32(self, what: str) -> int:
        """Four bytes."""
        return int.from_bytes(self.take(4, what), "big")

    def le16(self, what: str) -> int:
        """Two bytes, little-endian."""
        return int.from_bytes(self.take(2, what), "little")

    def le32(self, what: str) -> int:
        """Four bytes, little-endian."""
        return int.from_bytes(self.take(4, what), "little")

    def bytes8(self, what: str) -> bytes:
        """A string with a one-byte length."""
        return self.take(self.u8(what), what)

    def bytes16(self, what: str) -> bytes:
        """A string with a two-byte length."""
        return self.take(self.u16(what), what)

    def le_bytes16(self, what: str) -> bytes:
        """A string with a two-byte little-endian length."""
        return self.take(self.le16(what), what)

    def name8(self, what: str = "screen name") -> str:
        """A screen name with a one-byte length."""
        return text_of(self.bytes8(what))

    def text16(self, what: str) -> str:
        """A text with a two-byte length."""
        return text_of(self.bytes16(what))


def text_of(raw: bytes) -> str:
    """A text whose charset the protocol leaves open: UTF-8 when it is that, else Latin-1 (which never fails)."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def u8(value: int) -> bytes:
    """One byte."""
    return value.to_bytes(1, "big")


def u16(value: int) -> bytes:
    """Two bytes."""
    return value.to_bytes(2, "big")


def u32(value: int) -> bytes:
    """Four bytes."""
    return value.to_bytes(4, "big")


def le16(value: int) -> bytes:
    """Two bytes, little-endian."""
    return value.to_bytes(2, "little")


def le32(value: int) -> bytes:
    """Four bytes, little-endian."""
    return value.to_bytes(4, "little")


def bytes8(raw: bytes, what: str = "string") -> bytes:
    """A string with a one-byte length; raises `OscarSyntaxError` when it does not fit."""
    if len(raw) > 0xFF:
        raise OscarSyntaxError(f"{what}: {len(raw)} bytes do not fit a one-byte length")
    return bytes((len(raw),)) + raw


def bytes16(raw: bytes, what: str = "string") -> bytes:
    """A string with a two-byte length; raises `OscarSyntaxError` when it does not fit."""
    if len(raw) > 0xFFFF:
        raise OscarSyntaxError(f"{what}: {len(raw)} bytes do not fit a two-byte length")
    return len(raw).to_bytes(2, "big") + raw


def le_bytes16(raw: bytes, what: str = "string") -> bytes:
    """A string with a two-byte little-endian length; raises `OscarSyntaxError` when it does not fit."""
    if len(raw) > 0xFFFF:
        raise OscarSyntaxError(f"{what}: {len(raw)} bytes do not fit a two-byte length")
    return len(raw).to_bytes(2, "little") + raw


def name8(name: str) -> bytes:
    """A screen name with a one-byte length."""
    return bytes8(name.encode("utf-8"), "screen name")


def text16(text: str) -> bytes:
    """A text in UTF-8 with a two-byte length."""
    return bytes16(text.encode("utf-8"), "text")
