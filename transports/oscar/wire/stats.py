"""Food group 0B: usage reports, which a server may ask for and which we do not send."""

from __future__ import annotations

from typing import Self

from attrs import frozen

from transports.oscar.wire.reader import Reader, u16
from transports.oscar.wire.snac import Body, Empty, TlvBody


@frozen
class MinInterval(Body):
    """0B/02, server: report no oftener than each so many hours."""

    GROUP, KIND = 0x0B, 0x02
    hours: int = 0

    def encode(self) -> bytes:
        """The hours."""
        return u16(self.hours)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read a body; raises `OscarSyntaxError`."""
        return cls(Reader(data).u16("report interval"))


class Report(TlvBody):
    """0B/03, client: a report."""

    __slots__ = ()
    GROUP, KIND = 0x0B, 0x03


class ReportAck(Empty):
    """0B/04, server: received."""

    __slots__ = ()
    GROUP, KIND = 0x0B, 0x04


BODIES: tuple[type[Body], ...] = (MinInterval, Report, ReportAck)
