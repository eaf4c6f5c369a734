"""Food group 15: ICQ's own requests in an envelope. Of them: the messages stored while we were away.

TLV 0001 of 15/02 and 15/03 holds, little-endian: the length of what follows, our number, the request's type, its
sequence number, and data. 003C asks for stored messages; 0041 brings one; 0042 ends them; 003E deletes them.
"""

from __future__ import annotations

from typing import Self

from attrs import frozen

from transports.oscar.wire.errors import OscarSyntaxError
from transports.oscar.wire.reader import Reader, le16, le32, le_bytes16, text_of
from transports.oscar.wire.snac import Body
from transports.oscar.wire.tlv import NO_TLVS, Tlvs

OFFLINE_REQUEST, OFFLINE_DELETE, OFFLINE_MESSAGE, OFFLINE_END = 0x3C, 0x3E, 0x41, 0x42
META_REQUEST, META_REPLY = 0x07D0, 0x07DA
_ENVELOPE = 0x01


@frozen(kw_only=True)
class _Envelope(Body):
    """A request or an answer in its envelope; `rest` is what stands beside TLV 0001."""

    uin: int
    type: int
    sequence: int
    data: bytes = b""
    rest: Tlvs = NO_TLVS

    def encode(self) -> bytes:
        """The envelope."""
        inner = le32(self.uin) + le16(self.type) + le16(self.sequence) + self.data
        return Tlvs([(_ENVELOPE, le_bytes16(inner, "ICQ request")), *self.rest]).encode()

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read a body; raises `OscarSyntaxError`."""
        tlvs = Tlvs.decode(data)
        envelope = tlvs.get(_ENVELOPE)
        if envelope is None:
            raise OscarSyntaxError("ICQ request: no TLV 0x0001")
        reader = Reader(Reader(envelope).le_bytes16("ICQ request"))
        return cls(
            uin=reader.le32("own number"),
            type=reader.le16("request type"),
            sequence=reader.le16("request sequence"),
            data=reader.rest(),
            rest=tlvs.without_first(_ENVELOPE),
        )


class IcqRequest(_Envelope):
    """15/02, client."""

    __slots__ = ()
    GROUP, KIND = 0x15, 0x02


class IcqReply(_Envelope):
    """15/03, server."""

    __slots__ = ()
    GROUP, KIND = 0x15, 0x03


@frozen(kw_only=True)
class OfflineMessage:
    """The data of a 0041: who wrote, when (the server's clock, to the minute), and what (types as on channel 4)."""

    uin: int
    year: int
    month: int
    day: int
    hour: int
    minute: int
    type: int
    flags: int = 0
    text: bytes = b""

    def encode(self) -> bytes:
        """The data; the text ends with a zero byte."""
        moment = le16(self.year) + bytes((self.month, self.day, self.hour, self.minute))
        return le32(self.uin) + moment + bytes((self.type, self.flags)) + le_bytes16(self.text + b"\0", "ICQ message")

    @classmethod
    def decode(cls, data: bytes) -> OfflineMessage:
        """Read the data; raises `OscarSyntaxError`."""
        reader = Reader(data)
        uin, year = reader.le32("sender's number"), reader.le16("year")
        month, day, hour, minute = (reader.u8("date") for _ in range(4))
        kind, flags = reader.u8("message type"), reader.u8("message flags")
        text = reader.le_bytes16("ICQ message").removesuffix(b"\0")
        return cls(
            uin=uin, year=year, month=month, day=day, hour=hour, minute=minute, type=kind, flags=flags, text=text
        )

    @property
    def text_str(self) -> str:
        """The text: UTF-8, else Latin-1."""
        return text_of(self.text)


BODIES: tuple[type[Body], ...] = (IcqRequest, IcqReply)
