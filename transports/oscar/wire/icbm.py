"""Food group 04: messages, their acknowledgements and refusals, typing, warnings."""

from __future__ import annotations

from typing import Self

from attrs import frozen

from transports.oscar.wire.errors import OscarSyntaxError
from transports.oscar.wire.reader import Reader, name8, u16, u32
from transports.oscar.wire.snac import Body, Empty
from transports.oscar.wire.tlv import Tlvs
from transports.oscar.wire.userinfo import UserInfo

CHANNEL_TEXT, CHANNEL_RENDEZVOUS, CHANNEL_ICQ = 1, 2, 4
COOKIE_SIZE = 8
# TLVs of 04/06 and 04/07
TLV_TEXT, TLV_HOST_ACK, TLV_AUTO_RESPONSE, TLV_DATA, TLV_STORE = 0x02, 0x03, 0x04, 0x05, 0x06
TLV_WANT_EVENTS, TLV_SEND_TIME = 0x0B, 0x16
# flags of 04/02 and 04/05
FLAG_MESSAGES, FLAG_MISSED_CALLS, FLAG_EVENTS, FLAG_OFFLINE = 0x01, 0x02, 0x08, 0x100
# events of 04/14
TYPING_NONE, TYPING_TYPED, TYPING_BEGUN, TYPING_CLOSED = 0x00, 0x01, 0x02, 0x0F
MAX_MISSED = 256


@frozen(kw_only=True)
class _Parameters(Body):
    """Limits of messages on a channel (0: all). `max_length` bytes, evils in tenths, `min_interval` milliseconds."""

    channel: int = 0
    flags: int = FLAG_MESSAGES | FLAG_MISSED_CALLS | FLAG_EVENTS
    max_length: int = 8000
    max_sender_warning: int = 999
    max_receiver_warning: int = 999
    min_interval: int = 0

    def encode(self) -> bytes:
        """The six numbers."""
        evils = u16(self.max_sender_warning) + u16(self.max_receiver_warning)
        return u16(self.channel) + u32(self.flags) + u16(self.max_length) + evils + u32(self.min_interval)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read a body; raises `OscarSyntaxError`."""
        reader = Reader(data)
        return cls(
            channel=reader.u16("channel"),
            flags=reader.u32("message flags"),
            max_length=reader.u16("longest message"),
            max_sender_warning=reader.u16("highest warning level of a sender"),
            max_receiver_warning=reader.u16("highest warning level of a receiver"),
            min_interval=reader.u32("least interval"),
        )


class SetParameters(_Parameters):
    """04/02, client: what we want to receive."""

    __slots__ = ()
    GROUP, KIND = 0x04, 0x02


class ParametersQuery(Empty):
    """04/04, client: what are the limits?"""

    __slots__ = ()
    GROUP, KIND = 0x04, 0x04


class ParametersReply(_Parameters):
    """04/05, server: the limits; `channel` is the number of channels."""

    __slots__ = ()
    GROUP, KIND = 0x04, 0x05


def _cookie(reader: Reader) -> bytes:
    return reader.take(COOKIE_SIZE, "message cookie")


def _check_cookie(cookie: bytes) -> bytes:
    if len(cookie) != COOKIE_SIZE:
        raise OscarSyntaxError(f"message cookie: {len(cookie)} bytes instead of {COOKIE_SIZE}")
    return cookie


@frozen(kw_only=True)
class SendMessage(Body):
    """04/06, client: a message for `to`. `cookie` is 8 bytes of the sender's choice."""

    GROUP, KIND = 0x04, 0x06
    cookie: bytes
    channel: int
    to: str
    tlvs: Tlvs

    def encode(self) -> bytes:
        """Cookie, channel, name, TLVs."""
        return _check_cookie(self.cookie) + u16(self.channel) + name8(self.to) + self.tlvs.encode()

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read a body; raises `OscarSyntaxError`."""
        reader = Reader(data)
        return cls(
            cookie=_cookie(reader), channel=reader.u16("channel"), to=reader.name8(), tlvs=Tlvs.read_rest(reader)
        )


@frozen(kw_only=True)
class IncomingMessage(Body):
    """04/07, server: a message from `sender`, with the sender's cookie."""

    GROUP, KIND = 0x04, 0x07
    cookie: bytes
    channel: int
    sender: UserInfo
    tlvs: Tlvs

    def encode(self) -> bytes:
        """Cookie, channel, sender, TLVs."""
        return _check_cookie(self.cookie) + u16(self.channel) + self.sender.encode() + self.tlvs.encode()

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read a body; raises `OscarSyntaxError`."""
        reader = Reader(data)
        return cls(
            cookie=_cookie(reader),
            channel=reader.u16("channel"),
            sender=UserInfo.read(reader),
            tlvs=Tlvs.read_rest(reader),
        )


@frozen(kw_only=True)
class WarnRequest(Body):
    """04/08, client: warn somebody."""

    GROUP, KIND = 0x04, 0x08
    anonymous: bool
    name: str

    def encode(self) -> bytes:
        """The flag and the name."""
        return u16(int(self.anonymous)) + name8(self.name)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read a body; raises `OscarSyntaxError`."""
        reader = Reader(data)
        return cls(anonymous=reader.u16("anonymous flag") != 0, name=reader.name8())


@frozen(kw_only=True)
class WarnReply(Body):
    """04/09, server: by how much the level rose and what it is now, in tenths of a percent."""

    GROUP, KIND = 0x04, 0x09
    gained: int
    level: int

    def encode(self) -> bytes:
        """The two numbers."""
        return u16(self.gained) + u16(self.level)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read a body; raises `OscarSyntaxError`."""
        reader = Reader(data)
        return cls(gained=reader.u16("warning gained"), level=reader.u16("warning level"))


@frozen(kw_only=True)
class MissedCall:
    """Messages from one user that the server did not hand us, how many and why (`codes.MISSED_REASONS`)."""

    channel: int
    sender: UserInfo
    count: int
    reason: int


@frozen
class MissedCalls(Body):
    """04/0A, server: messages that were not handed to us."""

    GROUP, KIND = 0x04, 0x0A
    calls: tuple[MissedCall, ...] = ()

    def encode(self) -> bytes:
        """One after another."""
        return b"".join(u16(c.channel) + c.sender.encode() + u16(c.count) + u16(c.reason) for c in self.calls)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read a body; raises `OscarSyntaxError`."""
        reader = Reader(data)
        calls: list[MissedCall] = []
        while reader.left():
            if len(calls) >= MAX_MISSED:
                raise OscarSyntaxError(f"missed calls: more than {MAX_MISSED}", reader.pos)
            channel = reader.u16("channel")
            sender = UserInfo.read(reader)
            count = reader.u16("missed messages")
            calls.append(MissedCall(channel=channel, sender=sender, count=count, reason=reader.u16("reason")))
        return cls(tuple(calls))


@frozen(kw_only=True)
class ClientError(Body):
    """04/0B, both ways: a client cannot or will not take a message (`codes.CLIENT_ERROR_NAMES`)."""

    GROUP, KIND = 0x04, 0x0B
    cookie: bytes
    channel: int
    name: str
    code: int
    detail: bytes = b""

    def encode(self) -> bytes:
        """Cookie, channel, name, code, detail."""
        return _check_cookie(self.cookie) + u16(self.channel) + name8(self.name) + u16(self.code) + self.detail

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read a body; raises `OscarSyntaxError`."""
        reader = Reader(data)
        cookie, channel, name = _cookie(reader), reader.u16("channel"), reader.name8()
        return cls(cookie=cookie, channel=channel, name=name, code=reader.u16("code"), detail=reader.rest())


@frozen(kw_only=True)
class HostAck(Body):
    """04/0C, server: it has the message (and has handed it on, or stored it)."""

    GROUP, KIND = 0x04, 0x0C
    cookie: bytes
    channel: int
    name: str

    def encode(self) -> bytes:
        """Cookie, channel, name."""
        return _check_cookie(self.cookie) + u16(self.channel) + name8(self.name)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read a body; raises `OscarSyntaxError`."""
        reader = Reader(data)
        return cls(cookie=_cookie(reader), channel=reader.u16("channel"), name=reader.name8())


class OfflineRetrieve(Empty):
    """04/10, client: send what was stored for me."""

    __slots__ = ()
    GROUP, KIND = 0x04, 0x10


@frozen(kw_only=True)
class ClientEvent(Body):
    """04/14, both ways: a typing notification; from the client `name` is who shall see it, else who types."""

    GROUP, KIND = 0x04, 0x14
    cookie: bytes = bytes(COOKIE_SIZE)
    channel: int = CHANNEL_TEXT
    name: str
    event: int

    def encode(self) -> bytes:
        """Cookie, channel, name, event."""
        return _check_cookie(self.cookie) + u16(self.channel) + name8(self.name) + u16(self.event)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read a body; raises `OscarSyntaxError`."""
        reader = Reader(data)
        cookie, channel, name = _cookie(reader), reader.u16("channel"), reader.name8()
        return cls(cookie=cookie, channel=channel, name=name, event=reader.u16("typing event"))


class OfflineRetrieved(Empty):
    """04/17, server: that was all that was stored."""

    __slots__ = ()
    GROUP, KIND = 0x04, 0x17


BODIES: tuple[type[Body], ...] = (
    SetParameters, ParametersQuery, ParametersReply, SendMessage, IncomingMessage, WarnRequest, WarnReply,
    MissedCalls, ClientError, HostAck, OfflineRetrieve, ClientEvent, OfflineRetrieved,
)  # fmt: skip
