"""Who is there, and how: services 0x01 to 0x04, 0x0A, 0x0F, 0xC6 and 0xF0, and our own status."""

from __future__ import annotations

from attrs import frozen

from transports.ymsg.wire import codes
from transports.ymsg.wire.charset import UTF8, decode_label, decode_text
from transports.ymsg.wire.packet import Packet, Pair, number, pairs_of, records

KEY_IDLE_SECONDS = 137
_BEGINS = frozenset({codes.KEY_WHO})
MAX_STATUS_BYTES = 255
"""The longest text of a status, in bytes of UTF-8: the limit that clients keep."""


@frozen(kw_only=True)
class Person:
    """What a packet says of one contact."""

    name: str
    online: bool
    status: int = codes.AVAILABLE
    text: str = ""
    away: bool = False
    idle: bool = False
    idle_seconds: int | None = None


def read_people(packet: Packet) -> list[Person]:
    """What a packet says of each contact that it names; what it says of ourselves is left out."""
    gone = packet.service == codes.LOGOFF
    return [_person(record, gone=gone) for record in records(packet.pairs, _BEGINS) if record.get(codes.KEY_WHO)]


def _person(record: dict[int, bytes], *, gone: bool) -> Person:
    name = decode_label(record[codes.KEY_WHO])
    flags = number(record.get(codes.KEY_FLAG))
    status = number(record.get(codes.KEY_STATUS)) or codes.AVAILABLE
    if gone or flags == 0 or status == codes.OFFLINE:
        return Person(name=name, online=False)
    mark = number(record.get(codes.KEY_AWAY)) or codes.NOT_AWAY
    seconds = number(record.get(KEY_IDLE_SECONDS))
    idle = status == codes.IDLE or (status != codes.AVAILABLE and mark == codes.AWAY_IDLE)
    text = record.get(codes.KEY_STATUS_TEXT) or b""
    return Person(
        name=name,
        online=True,
        status=status,
        text=_text(text, record.get(codes.KEY_UTF8)) if status == codes.CUSTOM else "",
        away=mark != codes.NOT_AWAY,
        idle=idle,
        idle_seconds=seconds if idle and seconds is not None and seconds >= 0 else None,
    )


def _text(raw: bytes, mark: bytes | None) -> str:
    """A status text: its mark counts where it has one; most have none, whatever they are written in."""
    return decode_label(raw) if mark is None else decode_text(raw, mark)[0]


def status_packet(status: int, text: str, *, away: bool, idle: bool) -> tuple[int, int, tuple[Pair, ...]]:
    """Our own status: the service, the status of the packet, and the pairs.

    Raises `YmsgSyntaxError` where the text holds half of a surrogate pair.
    """
    if status == codes.AVAILABLE and not idle:
        return codes.IS_BACK, codes.AVAILABLE, pairs_of((codes.KEY_STATUS, codes.AVAILABLE))
    mark = codes.AWAY_IDLE if idle else codes.AWAY if away else codes.NOT_AWAY
    pairs = pairs_of((codes.KEY_STATUS, status), (codes.KEY_STATUS_TEXT, text), (codes.KEY_AWAY, mark))
    if not text.isascii():
        pairs += ((codes.KEY_UTF8, UTF8),)
    return codes.IS_AWAY, status, pairs
