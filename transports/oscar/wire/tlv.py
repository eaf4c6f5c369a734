"""TLVs: a two-byte tag, a two-byte length, a value; and the three ways in which a list of them is bounded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from transports.oscar.wire.errors import OscarSyntaxError
from transports.oscar.wire.reader import Reader, bytes16, text_of, u16, u32

MAX_TLVS = 2048
"""The most TLVs that one block may hold; no genuine SNAC comes near."""


class Tlvs:
    """An immutable list of TLVs that keeps order and repeated tags, so that what was read is written again alike.

    `get`, `u8`, `u16`, `u32`, `text` answer for the first TLV of a tag and give None when there is none.
    """

    __slots__ = ("items",)
    items: tuple[tuple[int, bytes], ...]

    def __init__(self, items: Iterable[tuple[int, bytes]] = ()) -> None:
        object.__setattr__(self, "items", tuple(items))

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"Tlvs are immutable: {name}")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Tlvs) and self.items == other.items

    def __hash__(self) -> int:
        return hash(self.items)

    def __repr__(self) -> str:
        return "Tlvs(" + ", ".join(f"{tag:04x}={value.hex()}" for tag, value in self.items) + ")"

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    def has(self, tag: int) -> bool:
        """Whether there is a TLV of this tag."""
        return any(each == tag for each, _ in self.items)

    def get(self, tag: int) -> bytes | None:
        """The value of the first TLV of this tag."""
        for each, value in self.items:
            if each == tag:
                return value
        return None

    def all(self, tag: int) -> tuple[bytes, ...]:
        """The values of all TLVs of this tag."""
        return tuple(value for each, value in self.items if each == tag)

    def _number(self, tag: int, size: int) -> int | None:
        value = self.get(tag)
        if value is None:
            return None
        if len(value) < size:
            raise OscarSyntaxError(f"TLV {tag:#06x}: {size} bytes were wanted, {len(value)} are there")
        return int.from_bytes(value[:size], "big")

    def u8(self, tag: int) -> int | None:
        """The first byte of the value."""
        return self._number(tag, 1)

    def u16(self, tag: int) -> int | None:
        """The first two bytes of the value."""
        return self._number(tag, 2)

    def u32(self, tag: int) -> int | None:
        """The first four bytes of the value."""
        return self._number(tag, 4)

    def text(self, tag: int) -> str | None:
        """The value as text (UTF-8, else Latin-1)."""
        value = self.get(tag)
        return None if value is None else text_of(value)

    def with_(self, tag: int, value: bytes) -> Tlvs:
        """These TLVs with the first of this tag replaced, or one added at the end."""
        if not self.has(tag):
            return Tlvs((*self.items, (tag, value)))
        done = False
        items = []
        for each, old in self.items:
            if each == tag and not done:
                items.append((tag, value))
                done = True
            else:
                items.append((each, old))
        return Tlvs(items)

    def without(self, tag: int) -> Tlvs:
        """These TLVs without any of this tag."""
        return Tlvs(item for item in self.items if item[0] != tag)

    def without_first(self, tag: int) -> Tlvs:
        """These TLVs without the first of this tag."""
        at = next((index for index, item in enumerate(self.items) if item[0] == tag), len(self.items))
        return Tlvs(self.items[:at] + self.items[at + 1 :])

    def encode(self) -> bytes:
        """The TLVs one after another (a "rest block")."""
        return b"".join(u16(tag) + bytes16(value, f"TLV {tag:#06x}") for tag, value in self.items)

    def encode_counted(self) -> bytes:
        """Preceded by their number, in two bytes (a "block")."""
        return u16(len(self.items)) + self.encode()

    def encode_sized(self) -> bytes:
        """Preceded by their length in bytes, in two bytes (an "lblock")."""
        return bytes16(self.encode(), "TLV block")

    @classmethod
    def read_rest(cls, reader: Reader) -> Tlvs:
        """All that is left. One to three bytes behind the last TLV are padding that some clients send; dropped."""
        items: list[tuple[int, bytes]] = []
        while reader.left() >= 4:
            items.append(_read_one(reader, len(items)))
        reader.rest()
        return cls(items)

    @classmethod
    def read_counted(cls, reader: Reader) -> Tlvs:
        """As many as the two-byte number in front says."""
        count = reader.u16("TLV count")
        return cls([_read_one(reader, index) for index in range(count)])

    @classmethod
    def read_sized(cls, reader: Reader) -> Tlvs:
        """As many bytes as the two-byte length in front says."""
        return cls.read_rest(Reader(reader.bytes16("TLV block")))

    @classmethod
    def decode(cls, data: bytes) -> Tlvs:
        """A whole unit that is a rest block."""
        return cls.read_rest(Reader(data))


NO_TLVS = Tlvs()
"""The empty list."""


def _read_one(reader: Reader, index: int) -> tuple[int, bytes]:
    if index >= MAX_TLVS:
        raise OscarSyntaxError(f"TLV block: more than {MAX_TLVS} TLVs", reader.pos)
    tag = reader.u16("TLV tag")
    return tag, reader.bytes16(f"TLV {tag:#06x}")


def tlv16(tag: int, value: int) -> tuple[int, bytes]:
    """A TLV whose value is a two-byte number."""
    return tag, u16(value)


def tlv32(tag: int, value: int) -> tuple[int, bytes]:
    """A TLV whose value is a four-byte number."""
    return tag, u32(value)


def tlv_text(tag: int, value: str) -> tuple[int, bytes]:
    """A TLV whose value is a text in UTF-8."""
    return tag, value.encode("utf-8")
