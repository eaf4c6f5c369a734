"""Food group 09: permit and deny lists of clients without a server-stored list."""

from __future__ import annotations

from typing import Self

from attrs import frozen

from transports.oscar.wire.common import NamesBody
from transports.oscar.wire.reader import Reader, u32
from transports.oscar.wire.snac import Body, Empty, TlvBody


class RightsQuery(Empty):
    """09/02, client: what are the limits?"""

    __slots__ = ()
    GROUP, KIND = 0x09, 0x02


class RightsReply(TlvBody):
    """09/03, server: the most permits (TLV 01) and denies (02)."""

    __slots__ = ()
    GROUP, KIND = 0x09, 0x03


@frozen
class SetClassMask(Body):
    """09/04, client: the classes of users that may see us."""

    GROUP, KIND = 0x09, 0x04
    mask: int = 0xFFFFFFFF

    def encode(self) -> bytes:
        """The mask."""
        return u32(self.mask)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read a body; raises `OscarSyntaxError`."""
        return cls(Reader(data).u32("class mask"))


class AddPermits(NamesBody):
    """09/05, client."""

    __slots__ = ()
    GROUP, KIND = 0x09, 0x05


class RemovePermits(NamesBody):
    """09/06, client."""

    __slots__ = ()
    GROUP, KIND = 0x09, 0x06


class AddDenies(NamesBody):
    """09/07, client."""

    __slots__ = ()
    GROUP, KIND = 0x09, 0x07


class RemoveDenies(NamesBody):
    """09/08, client."""

    __slots__ = ()
    GROUP, KIND = 0x09, 0x08


BODIES: tuple[type[Body], ...] = (
    RightsQuery, RightsReply, SetClassMask, AddPermits, RemovePermits, AddDenies, RemoveDenies,
)  # fmt: skip
