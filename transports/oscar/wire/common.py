"""SNAC bodies that several food groups share."""

from __future__ import annotations

from typing import Self

from attrs import frozen

from transports.oscar.wire.codes import error_name
from transports.oscar.wire.reader import Reader, name8, u16
from transports.oscar.wire.snac import Body
from transports.oscar.wire.tlv import NO_TLVS, Tlvs
from transports.oscar.wire.userinfo import UserInfo, read_users

ERROR_SUBCODE = 0x0008


@frozen(kw_only=True)
class SnacError(Body):
    """xx/01: a request was refused. `group` is the food group, `code` a key of `codes.ERROR_NAMES`."""

    group: int
    code: int
    tlvs: Tlvs = NO_TLVS

    def ids(self) -> tuple[int, int]:
        """The food group that refused, and 1."""
        return self.group, 1

    @property
    def name(self) -> str:
        """What the code means."""
        return error_name(self.code)

    @property
    def subcode(self) -> int | None:
        """The food group's own code, where there is one."""
        return self.tlvs.u16(ERROR_SUBCODE)

    def encode(self) -> bytes:
        """The code and the TLVs."""
        return u16(self.code) + self.tlvs.encode()

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read a body with group 0; `registry.decode_body` sets the group. Raises `OscarSyntaxError`."""
        return cls.read(0, data)

    @classmethod
    def read(cls, group: int, data: bytes) -> Self:
        """Read a body of a food group; raises `OscarSyntaxError`."""
        reader = Reader(data)
        return cls(group=group, code=reader.u16("error code"), tlvs=Tlvs.read_rest(reader))


@frozen
class NamesBody(Body):
    """A body that is screen names to its end."""

    names: tuple[str, ...] = ()

    def encode(self) -> bytes:
        """The names."""
        return b"".join(name8(name) for name in self.names)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read the names; raises `OscarSyntaxError`."""
        reader = Reader(data)
        names = []
        while reader.left():
            names.append(reader.name8())
        return cls(tuple(names))


@frozen
class UsersBody(Body):
    """A body that is user information blocks to its end."""

    users: tuple[UserInfo, ...] = ()

    def encode(self) -> bytes:
        """The blocks."""
        return b"".join(user.encode() for user in self.users)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read the blocks; raises `OscarSyntaxError`."""
        return cls(read_users(data))
