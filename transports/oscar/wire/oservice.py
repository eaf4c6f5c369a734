"""Food group 01, the generic service: sign-on's steps, rates, our own information, pauses and migration."""

from __future__ import annotations

from typing import Self

from attrs import frozen

from transports.oscar.wire.common import UsersBody
from transports.oscar.wire.errors import OscarSyntaxError
from transports.oscar.wire.rates import RateClass, RateMembers, read_rates
from transports.oscar.wire.reader import Reader, u16, u32
from transports.oscar.wire.snac import Body, Empty, TlvBody, WordsBody
from transports.oscar.wire.tlv import NO_TLVS, Tlvs
from transports.oscar.wire.userinfo import UserInfo

# TLVs of 01/05 and 01/12
TLV_HOST, TLV_COOKIE, TLV_GROUP = 0x05, 0x06, 0x0D
# TLVs of 01/1E
TLV_STATUS = 0x06
# codes of 01/0A
RATE_CHANGED, RATE_WARNING, RATE_LIMITED, RATE_CLEARED = 1, 2, 3, 4


@frozen(kw_only=True)
class ToolVersion:
    """One line of 01/02: a food group's version, and which tool (and version of it) speaks it."""

    group: int
    version: int
    tool: int
    tool_version: int


@frozen
class ClientOnline(Body):
    """01/02, client: sign-on is done, show me to others and send me what waits."""

    GROUP, KIND = 0x01, 0x02
    tools: tuple[ToolVersion, ...] = ()

    def encode(self) -> bytes:
        """Four numbers for each food group."""
        return b"".join(u16(t.group) + u16(t.version) + u16(t.tool) + u16(t.tool_version) for t in self.tools)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read the lines; raises `OscarSyntaxError`."""
        reader = Reader(data)
        tools = []
        while reader.left():
            group, version, tool, tool_version = (reader.u16("tool version") for _ in range(4))
            tools.append(ToolVersion(group=group, version=version, tool=tool, tool_version=tool_version))
        return cls(tuple(tools))


class HostOnline(WordsBody):
    """01/03, server: the food groups that this connection serves."""

    __slots__ = ()
    GROUP, KIND = 0x01, 0x03


@frozen(kw_only=True)
class ServiceRequest(Body):
    """01/04, client: where is the server of this food group?"""

    GROUP, KIND = 0x01, 0x04
    service: int
    tlvs: Tlvs = NO_TLVS

    def encode(self) -> bytes:
        """The food group and TLVs."""
        return u16(self.service) + self.tlvs.encode()

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read a body; raises `OscarSyntaxError`."""
        reader = Reader(data)
        return cls(service=reader.u16("food group"), tlvs=Tlvs.read_rest(reader))


class ServiceResponse(TlvBody):
    """01/05, server: food group (TLV 0D), address (05) and cookie (06) of the connection to open."""

    __slots__ = ()
    GROUP, KIND = 0x01, 0x05


class RatesQuery(Empty):
    """01/06, client: what are the rate classes?"""

    __slots__ = ()
    GROUP, KIND = 0x01, 0x06


@frozen(kw_only=True)
class RatesReply(Body):
    """01/07, server: the rate classes and what counts towards each."""

    GROUP, KIND = 0x01, 0x07
    classes: tuple[RateClass, ...]
    members: tuple[RateMembers, ...]

    def encode(self) -> bytes:
        """Number of classes, classes, members. Classes must agree in whether they tell `elapsed`."""
        if len({rate.elapsed is None for rate in self.classes}) > 1:
            raise OscarSyntaxError("rate classes: some tell the elapsed time and some do not")
        head = u16(len(self.classes)) + b"".join(rate.encode() for rate in self.classes)
        return head + b"".join(each.encode() for each in self.members)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read a body; raises `OscarSyntaxError`.

        A class is 30 or 35 bytes long, by the food group's version, which the body does not tell: the layout in
        which everything fits is the one meant.
        """
        try:
            classes, members = read_rates(data, extended=True)
        except OscarSyntaxError:
            classes, members = read_rates(data, extended=False)
        return cls(classes=classes, members=members)


class RatesAccept(WordsBody):
    """01/08, client: we shall obey these classes, tell us of their changes."""

    __slots__ = ()
    GROUP, KIND = 0x01, 0x08


class RatesForget(WordsBody):
    """01/09, client: tell us no more of these classes."""

    __slots__ = ()
    GROUP, KIND = 0x01, 0x09


@frozen(kw_only=True)
class RateChange(Body):
    """01/0A, server: a class was changed (1), is in warning (2), is limited (3), is clear again (4)."""

    GROUP, KIND = 0x01, 0x0A
    code: int
    rate: RateClass

    def encode(self) -> bytes:
        """The code and the class."""
        return u16(self.code) + self.rate.encode()

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read a body; raises `OscarSyntaxError`."""
        reader = Reader(data)
        code = reader.u16("rate change code")
        return cls(code=code, rate=RateClass.read(reader, extended=reader.left() >= 35))


class Pause(WordsBody):
    """01/0B, server: send nothing (to these food groups, or to any) until 01/0D or a migration."""

    __slots__ = ()
    GROUP, KIND = 0x01, 0x0B


class PauseAck(WordsBody):
    """01/0C, client: we have stopped; these food groups are ours."""

    __slots__ = ()
    GROUP, KIND = 0x01, 0x0C


class Resume(WordsBody):
    """01/0D, server: go on."""

    __slots__ = ()
    GROUP, KIND = 0x01, 0x0D


class SelfInfoQuery(Empty):
    """01/0E, client: what do you tell of me?"""

    __slots__ = ()
    GROUP, KIND = 0x01, 0x0E


class SelfInfo(UsersBody):
    """01/0F, server: our own information (newer servers: then that of each of our connections)."""

    __slots__ = ()
    GROUP, KIND = 0x01, 0x0F


@frozen(kw_only=True)
class WarnedNotice(Body):
    """01/10, server: our warning level (tenths of a percent) is now this, and who did it unless anonymously."""

    GROUP, KIND = 0x01, 0x10
    level: int
    by: UserInfo | None = None

    def encode(self) -> bytes:
        """The level and the user, if told."""
        return u16(self.level) + (b"" if self.by is None else self.by.encode())

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read a body; raises `OscarSyntaxError`. A user block may end after its warning level."""
        reader = Reader(data)
        level = reader.u16("warning level")
        if not reader.left():
            return cls(level=level)
        name = reader.name8()
        warning = reader.u16("warning level")
        tlvs = Tlvs.read_counted(reader) if reader.left() >= 2 else NO_TLVS
        return cls(level=level, by=UserInfo(name=name, warning=warning, tlvs=tlvs))


@frozen
class Idle(Body):
    """01/11, client: idle since so many seconds; 0 is no longer."""

    GROUP, KIND = 0x01, 0x11
    seconds: int = 0

    def encode(self) -> bytes:
        """The seconds."""
        return u32(self.seconds)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read a body; raises `OscarSyntaxError`."""
        return cls(Reader(data).u32("idle seconds"))


@frozen(kw_only=True)
class Migrate(Body):
    """01/12, server: go to another server (TLV 05) with this cookie (06), with these food groups (none: all)."""

    GROUP, KIND = 0x01, 0x12
    groups: tuple[int, ...] = ()
    tlvs: Tlvs = NO_TLVS

    def encode(self) -> bytes:
        """Number of food groups, food groups, TLVs."""
        return u16(len(self.groups)) + b"".join(u16(group) for group in self.groups) + self.tlvs.encode()

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read a body; raises `OscarSyntaxError`."""
        reader = Reader(data)
        groups = tuple(reader.u16("food group") for _ in range(reader.u16("number of food groups")))
        return cls(groups=groups, tlvs=Tlvs.read_rest(reader))


@frozen(kw_only=True)
class Motd(Body):
    """01/13, server: the message of the day; its kind (4 is the usual one) and text (TLV 0B)."""

    GROUP, KIND = 0x01, 0x13
    type: int
    tlvs: Tlvs = NO_TLVS

    def encode(self) -> bytes:
        """Kind and TLVs."""
        return u16(self.type) + self.tlvs.encode()

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read a body; raises `OscarSyntaxError`."""
        reader = Reader(data)
        return cls(type=reader.u16("message of the day: type"), tlvs=Tlvs.read_rest(reader))


@frozen
class PrivacyFlags(Body):
    """01/14, client: what others may see; 1 idle time, 2 member since."""

    GROUP, KIND = 0x01, 0x14
    flags: int = 3

    def encode(self) -> bytes:
        """The flags."""
        return u32(self.flags)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read a body; raises `OscarSyntaxError`."""
        return cls(Reader(data).u32("privacy flags"))


class Noop(Empty):
    """01/16, client: nothing; keeps the connection alive on servers that want a SNAC for it."""

    __slots__ = ()
    GROUP, KIND = 0x01, 0x16


@frozen
class _Versions(Body):
    """Pairs of food group and version."""

    versions: tuple[tuple[int, int], ...] = ()

    def encode(self) -> bytes:
        """The pairs."""
        return b"".join(u16(group) + u16(version) for group, version in self.versions)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read the pairs; raises `OscarSyntaxError`."""
        reader = Reader(data)
        pairs = []
        while reader.left():
            pairs.append((reader.u16("food group"), reader.u16("version")))
        return cls(tuple(pairs))


class ClientVersions(_Versions):
    """01/17, client: the version of each food group that we speak."""

    __slots__ = ()
    GROUP, KIND = 0x01, 0x17


class HostVersions(_Versions):
    """01/18, server: the version of each food group that it speaks."""

    __slots__ = ()
    GROUP, KIND = 0x01, 0x18


class SetStatus(TlvBody):
    """01/1E, client: our ICQ status (TLV 06) and other fields of our own information."""

    __slots__ = ()
    GROUP, KIND = 0x01, 0x1E


BODIES: tuple[type[Body], ...] = (
    ClientOnline, HostOnline, ServiceRequest, ServiceResponse, RatesQuery, RatesReply, RatesAccept, RatesForget,
    RateChange, Pause, PauseAck, Resume, SelfInfoQuery, SelfInfo, WarnedNotice, Idle, Migrate, Motd, PrivacyFlags,
    Noop, ClientVersions, HostVersions, SetStatus,
)  # fmt: skip
