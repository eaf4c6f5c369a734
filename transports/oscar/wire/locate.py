"""Food group 02: profiles, away messages, capabilities."""

from __future__ import annotations

from typing import Self

from attrs import frozen

from transports.oscar.wire.reader import Reader, name8, u16, u32
from transports.oscar.wire.snac import Body, Empty, TlvBody
from transports.oscar.wire.tlv import NO_TLVS, Tlvs
from transports.oscar.wire.userinfo import UserInfo

# TLVs of 02/04 and 02/06
PROFILE_MIME, PROFILE, AWAY_MIME, AWAY, CAPABILITIES = 0x01, 0x02, 0x03, 0x04, 0x05
# TLVs of 02/03
MAX_PROFILE, MAX_CAPS = 0x01, 0x02
# bits of 02/05 and 02/15
WANT_PROFILE, WANT_AWAY, WANT_CAPS = 0x01, 0x02, 0x04
# the type of 02/05, which is a number and not a set of bits: 1 profile, 2 both, 3 away message, 4 capabilities
TYPE_AWAY = 0x03


class RightsQuery(Empty):
    """02/02, client: what are the limits?"""

    __slots__ = ()
    GROUP, KIND = 0x02, 0x02


class RightsReply(TlvBody):
    """02/03, server: the longest profile (TLV 01), the most capabilities (02)."""

    __slots__ = ()
    GROUP, KIND = 0x02, 0x03


class SetInfo(TlvBody):
    """02/04, client: our profile, away message (empty: back) and capabilities; what is left out stays."""

    __slots__ = ()
    GROUP, KIND = 0x02, 0x04


@frozen(kw_only=True)
class InfoQuery(Body):
    """02/05, client: a user's profile (1) or away message (3)."""

    GROUP, KIND = 0x02, 0x05
    type: int
    name: str

    def encode(self) -> bytes:
        """Type and name."""
        return u16(self.type) + name8(self.name)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read a body; raises `OscarSyntaxError`."""
        reader = Reader(data)
        return cls(type=reader.u16("information type"), name=reader.name8())


@frozen(kw_only=True)
class InfoReply(Body):
    """02/06, server: a user's block and the texts that were asked for."""

    GROUP, KIND = 0x02, 0x06
    user: UserInfo
    tlvs: Tlvs = NO_TLVS

    def encode(self) -> bytes:
        """Block and TLVs."""
        return self.user.encode() + self.tlvs.encode()

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read a body; raises `OscarSyntaxError`."""
        reader = Reader(data)
        return cls(user=UserInfo.read(reader), tlvs=Tlvs.read_rest(reader))

    @property
    def away_message(self) -> str | None:
        """The away message in the charset that its MIME type names; None when there is none."""
        return _mime_text(self.tlvs.get(AWAY_MIME), self.tlvs.get(AWAY))

    @property
    def profile(self) -> str | None:
        """The profile in the charset that its MIME type names; None when there is none."""
        return _mime_text(self.tlvs.get(PROFILE_MIME), self.tlvs.get(PROFILE))


@frozen(kw_only=True)
class InfoQuery2(Body):
    """02/15, client: a user's information, by the WANT_ bits."""

    GROUP, KIND = 0x02, 0x15
    wanted: int
    name: str

    def encode(self) -> bytes:
        """Bits and name."""
        return u32(self.wanted) + name8(self.name)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read a body; raises `OscarSyntaxError`."""
        reader = Reader(data)
        return cls(wanted=reader.u32("information bits"), name=reader.name8())


def mime_encode(text: str) -> tuple[bytes, bytes]:
    """A text as MIME type and bytes: US-ASCII when it is that, else UTF-16BE."""
    if text.isascii():
        return b'text/x-aolrtf; charset="us-ascii"', text.encode("ascii")
    return b'text/x-aolrtf; charset="unicode-2-0"', text.encode("utf-16-be", "surrogatepass")


def _mime_text(mime: bytes | None, raw: bytes | None) -> str | None:
    if not raw:
        return None
    kind = (mime or b"").lower()
    # some servers give every text the same type: no text in another charset has a zero byte
    if b"unicode-2-0" in kind or b"utf-16" in kind or b"\0" in raw:
        return raw.decode("utf-16-be", "replace")
    if b"iso-8859-1" in kind:
        return raw.decode("latin-1")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


BODIES: tuple[type[Body], ...] = (RightsQuery, RightsReply, SetInfo, InfoQuery, InfoReply, InfoQuery2)
