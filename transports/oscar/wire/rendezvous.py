"""What channel 2 and channel 4 messages hold in their TLV 0005."""

from __future__ import annotations

from attrs import frozen

from transports.oscar.wire.errors import OscarSyntaxError
from transports.oscar.wire.icbm import CHANNEL_RENDEZVOUS, COOKIE_SIZE, ClientError
from transports.oscar.wire.reader import Reader, le32, le_bytes16, text_of, u16
from transports.oscar.wire.tlv import NO_TLVS, Tlvs, tlv16

PROPOSE, CANCEL, ACCEPT = 0, 1, 2
TLV_CANCEL_REASON, TLV_INVITATION, TLV_SEQUENCE, TLV_SERVICE_DATA = 0x0B, 0x0C, 0x0A, 0x2711
CANCEL_DECLINED = 1
DENY_NOT_SUPPORTED, DENY_DECLINED, DENY_NOT_ACCEPTING = 0, 1, 2
_CHANNEL_REASON = 3

# types of a channel 4 message
ICQ_PLAIN, ICQ_CHAT, ICQ_FILE, ICQ_URL, ICQ_AUTH_REQUEST, ICQ_AUTH_DENIED, ICQ_AUTH_GRANTED = 1, 2, 3, 4, 6, 7, 8
ICQ_SERVER, ICQ_ADDED, ICQ_PAGER, ICQ_EMAIL, ICQ_CONTACTS, ICQ_PLUGIN = 9, 0x0C, 0x0D, 0x0E, 0x13, 0x1A
_SEPARATOR = "\xfe"
MAX_FIELDS = 64


@frozen(kw_only=True)
class Rendezvous:
    """A proposal (0), its cancellation (1) or its acceptance (2): of what (`capability`), and under which cookie."""

    type: int
    cookie: bytes
    capability: bytes
    tlvs: Tlvs = NO_TLVS

    def encode(self) -> bytes:
        """The value of TLV 0005."""
        if len(self.cookie) != COOKIE_SIZE or len(self.capability) != 16:
            raise OscarSyntaxError("rendezvous: the cookie has 8 bytes and the capability 16")
        return u16(self.type) + self.cookie + self.capability + self.tlvs.encode()

    @classmethod
    def decode(cls, data: bytes) -> Rendezvous:
        """Read the value of TLV 0005; raises `OscarSyntaxError`."""
        reader = Reader(data)
        return cls(
            type=reader.u16("rendezvous type"),
            cookie=reader.take(COOKIE_SIZE, "rendezvous cookie"),
            capability=reader.take(16, "rendezvous capability"),
            tlvs=Tlvs.read_rest(reader),
        )

    def cancelled(self, reason: int = CANCEL_DECLINED) -> Rendezvous:
        """The cancellation of this proposal."""
        block = Tlvs([tlv16(TLV_CANCEL_REASON, reason)])
        return Rendezvous(type=CANCEL, cookie=self.cookie, capability=self.capability, tlvs=block)


def decline(name: str, cookie: bytes, reason: int = DENY_DECLINED) -> ClientError:
    """The 04/0B that declines a proposal of `name`."""
    detail = Tlvs([tlv16(_CHANNEL_REASON, reason)]).encode()
    return ClientError(cookie=cookie, channel=CHANNEL_RENDEZVOUS, name=name, code=_CHANNEL_REASON, detail=detail)


@frozen(kw_only=True)
class IcqMessage:
    """A channel 4 message of old ICQ clients: little-endian, in the sender's code page."""

    uin: int
    type: int
    flags: int = 0
    text: str = ""

    def encode(self) -> bytes:
        """The value of TLV 0005; the text ends with a zero byte. Raises `OscarSyntaxError` when it is too long."""
        raw = self.text.encode("latin-1") if _is_latin1(self.text) else self.text.encode("utf-8")
        return le32(self.uin) + bytes((self.type, self.flags)) + le_bytes16(raw + b"\0", "ICQ message")

    @classmethod
    def decode(cls, data: bytes) -> IcqMessage:
        """Read the value of TLV 0005; raises `OscarSyntaxError`."""
        reader = Reader(data)
        uin = reader.le32("sender's number")
        kind, flags = reader.u8("message type"), reader.u8("message flags")
        text = text_of(reader.le_bytes16("ICQ message").removesuffix(b"\0"))
        return cls(uin=uin, type=kind, flags=flags, text=text)

    @property
    def fields(self) -> tuple[str, ...]:
        """The text's parts between FE bytes: URL messages have (description, URL), authorization requests
        (nickname, first name, last name, e-mail address, flag, reason)."""  # noqa: D209
        return tuple(self.text.split(_SEPARATOR, MAX_FIELDS))


def icq_fields(*parts: str) -> str:
    """Parts as one text; FE within a part becomes a space."""
    return _SEPARATOR.join(part.replace(_SEPARATOR, " ") for part in parts)


def _is_latin1(text: str) -> bool:
    return all(ord(char) < 0x100 for char in text)
