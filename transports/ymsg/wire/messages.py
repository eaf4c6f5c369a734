"""Messages, stored ones among them, and typing: services 0x06, 0x4B and 0xFB."""

from __future__ import annotations

from attrs import frozen

from transports.ymsg.wire import codes
from transports.ymsg.wire.charset import UTF8, decode_label, decode_text
from transports.ymsg.wire.packet import Packet, Pair, number, pairs_of, records

KEY_IMVIRONMENT = 63
KEY_IMVIRONMENT_FLAG = 64
KEY_MESSAGE_ID = 429
KEY_NOTIFY = 49
BUZZ = "<ding>"
_BEGINS = frozenset({31, codes.KEY_FROM, codes.KEY_TO, codes.KEY_TEXT})
MAX_MESSAGES = 2000
"""The most messages of one packet that are read; a body has no room for as many with a text."""


@frozen(kw_only=True)
class Message:
    """One message in a packet. ``sender`` or ``text`` is None where its key is missing."""

    sender: str | None
    text: str | None
    to: str | None = None
    timestamp: int | None = None
    message_id: str | None = None
    lossy: bool = False
    raw: bytes = b""


@frozen(kw_only=True)
class Notice:
    """0x4B: a notice of ``kind`` (``TYPING``, ``GAME``, ``WEBCAMINVITE``), begun (``on``) or ended."""

    sender: str
    kind: str
    on: bool


def read_messages(packet: Packet) -> list[Message]:
    """The messages of a packet: one, or of stored ones as many as came together."""
    pairs = packet.pairs
    if not any(key == codes.KEY_FROM for key, _ in pairs):
        # servers of version 16 name a sender by key 1
        pairs = tuple((codes.KEY_FROM if key == codes.KEY_ME else key, value) for key, value in pairs)
    return [_message(record) for record in records(pairs, _BEGINS)[:MAX_MESSAGES]]


def _message(record: dict[int, bytes]) -> Message:
    sender, raw, to = record.get(codes.KEY_FROM), record.get(codes.KEY_TEXT), record.get(codes.KEY_TO)
    text, lossy = (None, False) if raw is None else decode_text(raw, record.get(codes.KEY_UTF8))
    message_id = record.get(KEY_MESSAGE_ID)
    return Message(
        sender=decode_label(sender) if sender else None,
        text=text,
        to=decode_label(to) if to else None,
        timestamp=number(record.get(codes.KEY_TIME)),
        message_id=decode_label(message_id) if message_id else None,
        lossy=lossy,
        raw=b" ".join(b"%d=%s" % pair for pair in record.items()),
    )


def message_pairs(account: str, to: str, text: str) -> tuple[Pair, ...]:
    """What 0x06 holds; raises `YmsgSyntaxError` where the text holds half of a surrogate pair."""
    return pairs_of(
        (codes.KEY_ME, account),
        (codes.KEY_TO, to),
        (codes.KEY_TEXT, text),
        (codes.KEY_UTF8, UTF8),
        (KEY_IMVIRONMENT, ";0"),
        (KEY_IMVIRONMENT_FLAG, "0"),
    )


def ack_pairs(account: str, sender: str, message_id: str) -> tuple[Pair, ...]:
    """What 0xFB holds: a message that has a name has arrived. Without it the server stores and sends it again."""
    return pairs_of(
        (codes.KEY_ME, account),
        (codes.KEY_TO, sender),
        (302, "430"),
        (430, message_id),
        (303, "430"),
        (450, "0"),
    )


def read_notice(packet: Packet) -> Notice | None:
    """The notice of a 0x4B; None where its kind or its sender is missing."""
    sender = packet.get(codes.KEY_FROM) or packet.get(codes.KEY_ME)
    kind = packet.get(KEY_NOTIFY)
    if not sender or not kind:
        return None
    on = (packet.get(codes.KEY_FLAG) or b"").startswith(b"1")
    return Notice(sender=decode_label(sender), kind=decode_label(kind).upper(), on=on)


def typing_pairs(account: str, to: str, *, typing: bool) -> tuple[Pair, ...]:
    """What 0x4B holds of ours."""
    return pairs_of(
        (KEY_NOTIFY, "TYPING"),
        (codes.KEY_ME, account),
        (codes.KEY_TEXT, " "),
        (codes.KEY_FLAG, int(typing)),
        (codes.KEY_TO, to),
    )
