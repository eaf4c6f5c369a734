"""Rate classes: how fast each kind of SNAC may be sent, and the moving average that both sides keep.

A level is a moving average of the milliseconds between two SNACs of a class; high is good:
``level' = min(max, (level * (window - 1) + elapsed) / window)``.
Under `alert` the server warns, under `limit` it drops what is sent until the level is over `clear` again, under
`disconnect` it closes the connection.
"""

from __future__ import annotations

from attrs import frozen

from transports.oscar.wire.errors import OscarSyntaxError
from transports.oscar.wire.reader import Reader, u8, u16, u32

MAX_CLASSES = 64
MAX_PAIRS = 4096


@frozen(kw_only=True)
class RateClass:
    """One class. `window` counts SNACs, the levels are milliseconds.

    `elapsed` (milliseconds since the last SNAC, or on some servers a time stamp) and `dropping` are there from
    version 2 of the food group on; None and None before.
    """

    id: int
    window: int
    clear: int
    alert: int
    limit: int
    disconnect: int
    current: int
    maximum: int
    elapsed: int | None = None
    dropping: int | None = None

    def encode(self) -> bytes:
        """30 bytes, or 35 with `elapsed` and `dropping`."""
        numbers = (self.window, self.clear, self.alert, self.limit, self.disconnect, self.current, self.maximum)
        plain = u16(self.id) + b"".join(u32(number) for number in numbers)
        if self.elapsed is None:
            return plain
        return plain + u32(self.elapsed) + u8(self.dropping or 0)

    @classmethod
    def read(cls, reader: Reader, *, extended: bool) -> RateClass:
        """Read one class; raises `OscarSyntaxError`."""
        identity = reader.u16("rate class id")
        window, clear, alert, limit, disconnect, current, maximum = (reader.u32("rate class") for _ in range(7))
        elapsed = reader.u32("rate class: elapsed") if extended else None
        dropping = reader.u8("rate class: dropping") if extended else None
        return cls(
            id=identity, window=window, clear=clear, alert=alert, limit=limit, disconnect=disconnect,
            current=current, maximum=maximum, elapsed=elapsed, dropping=dropping,
        )  # fmt: skip


@frozen(kw_only=True)
class RateMembers:
    """Which SNACs (food group, subtype) count towards a class."""

    class_id: int
    members: tuple[tuple[int, int], ...]

    def encode(self) -> bytes:
        """The class, the number of members, the members."""
        pairs = b"".join(u16(group) + u16(kind) for group, kind in self.members)
        return u16(self.class_id) + u16(len(self.members)) + pairs

    @classmethod
    def read(cls, reader: Reader) -> RateMembers:
        """Read one list; raises `OscarSyntaxError`."""
        class_id = reader.u16("rate members: class")
        count = reader.u16("rate members: count")
        if count > MAX_PAIRS:
            raise OscarSyntaxError(f"rate members: {count} are more than {MAX_PAIRS}", reader.pos)
        pairs = tuple((reader.u16("rate member"), reader.u16("rate member")) for _ in range(count))
        return cls(class_id=class_id, members=pairs)


def read_rates(data: bytes, *, extended: bool) -> tuple[tuple[RateClass, ...], tuple[RateMembers, ...]]:
    """The body of 01/07 in one of its two layouts; raises `OscarSyntaxError`."""
    reader = Reader(data)
    count = reader.u16("number of rate classes")
    if count > MAX_CLASSES:
        raise OscarSyntaxError(f"rate classes: {count} are more than {MAX_CLASSES}", reader.pos)
    classes = tuple(RateClass.read(reader, extended=extended) for _ in range(count))
    members: list[RateMembers] = []
    while reader.left() >= 4:
        if len(members) >= MAX_CLASSES:
            raise OscarSyntaxError(f"rate members: more than {MAX_CLASSES} lists", reader.pos)
        members.append(RateMembers.read(reader))
    if reader.left():
        raise OscarSyntaxError("rate members: bytes are left over", reader.pos)
    known = {each.id for each in classes}
    if not known.issuperset(each.class_id for each in members):
        raise OscarSyntaxError("rate members: of a class that was not defined", reader.pos)
    return classes, tuple(members)


def next_level(rate: RateClass, level: float, elapsed_ms: float) -> float:
    """The level after one more SNAC, `elapsed_ms` after the one before it."""
    window = max(rate.window, 1)
    return min(float(rate.maximum), (level * (window - 1) + elapsed_ms) / window)


def wait_for_level(rate: RateClass, level: float, wanted: float) -> float:
    """How many milliseconds must lie between the last SNAC and the next for the level then to be `wanted`."""
    window = max(rate.window, 1)
    return max(0.0, min(wanted, float(rate.maximum)) * window - level * (window - 1))
