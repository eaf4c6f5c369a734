"""A user's information block: what a server tells of somebody, in arrivals, with each message, and of ourselves."""

from __future__ import annotations

from attrs import frozen

from transports.oscar.wire.caps import read_caps, read_short_caps
from transports.oscar.wire.codes import ICQ_INVISIBLE
from transports.oscar.wire.errors import OscarSyntaxError
from transports.oscar.wire.reader import Reader, name8, text_of, u16
from transports.oscar.wire.tlv import NO_TLVS, Tlvs

CLASS, SIGNON_TIME, IDLE, MEMBER_SINCE, STATUS, CAPS, ONLINE_SECONDS = 0x01, 0x03, 0x04, 0x05, 0x06, 0x0D, 0x0F
SHORT_CAPS, BART = 0x19, 0x1D
CLASS_UNCONFIRMED, CLASS_AWAY, CLASS_ICQ, CLASS_WIRELESS, CLASS_BOT = 0x0001, 0x0020, 0x0040, 0x0080, 0x0400
MAX_USERS = 512
"""The most blocks that one SNAC may hold."""


@frozen(kw_only=True)
class UserInfo:
    """One user.

    Attributes:
        name: the screen name as the network formats it (compare by `names.normal`).
        warning: the warning level in tenths of a percent.
        tlvs: everything else; the properties below read it and raise `OscarSyntaxError` where it is malformed.
    """

    name: str
    warning: int = 0
    tlvs: Tlvs = NO_TLVS

    def encode(self) -> bytes:
        """Name, warning level, counted TLVs."""
        return name8(self.name) + u16(self.warning) + self.tlvs.encode_counted()

    @classmethod
    def read(cls, reader: Reader) -> UserInfo:
        """Read one block; raises `OscarSyntaxError`."""
        name = reader.name8()
        warning = reader.u16("warning level")
        return cls(name=name, warning=warning, tlvs=Tlvs.read_counted(reader))

    @property
    def user_class(self) -> int:
        """The CLASS_ bits. Four bytes are allowed for, of which the low two are meant."""
        value = self.tlvs.get(CLASS)
        return 0 if value is None else int.from_bytes(value, "big") & 0xFFFF

    @property
    def away(self) -> bool:
        """Whether the away bit of the class is set."""
        return bool(self.user_class & CLASS_AWAY)

    @property
    def status(self) -> int:
        """ICQ's status: web-aware and similar flags in the high half, ICQ_ bits in the low one."""
        return self.tlvs.u32(STATUS) or 0

    @property
    def invisible(self) -> bool:
        """Whether the status says invisible (a server tells that of ourselves alone)."""
        return bool(self.status & ICQ_INVISIBLE)

    @property
    def idle_minutes(self) -> int:
        """For how many minutes the user has been idle; 0 when not."""
        return self.tlvs.u16(IDLE) or 0

    @property
    def signon_time(self) -> int | None:
        """When the user signed on, in seconds since 1970."""
        return self.tlvs.u32(SIGNON_TIME)

    @property
    def caps(self) -> tuple[bytes, ...]:
        """The capabilities, short ones in their long form."""
        return read_caps(self.tlvs.get(CAPS) or b"") + read_short_caps(self.tlvs.get(SHORT_CAPS) or b"")

    @property
    def available_message(self) -> str | None:
        """The status text that newer clients show (BART item of type 2), if there is one."""
        data = self.tlvs.get(BART)
        if data is None:
            return None
        reader = Reader(data)
        while reader.left() >= 4:
            kind = reader.u16("BART type")
            flags = reader.u8("BART flags")
            item = reader.bytes8("BART item")
            if kind == 2 and flags & 0x04 and len(item) >= 2:
                return text_of(Reader(item).bytes16("status text")) or None
        return None


def read_users(data: bytes) -> tuple[UserInfo, ...]:
    """Blocks to the end of `data`; raises `OscarSyntaxError`."""
    reader = Reader(data)
    users: list[UserInfo] = []
    while reader.left():
        if len(users) >= MAX_USERS:
            raise OscarSyntaxError(f"user information: more than {MAX_USERS} blocks", reader.pos)
        users.append(UserInfo.read(reader))
    return tuple(users)
