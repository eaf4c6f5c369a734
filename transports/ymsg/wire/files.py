"""Files that are offered: 0x46 (through a web server), 0x4D (from client to client) and 0xDC (from version 13 on)."""

from __future__ import annotations

from attrs import frozen

from transports.ymsg.wire import codes
from transports.ymsg.wire.charset import decode_label
from transports.ymsg.wire.messages import KEY_NOTIFY
from transports.ymsg.wire.packet import Packet, Pair, pairs_of

KEY_URL = 20
KEY_FILE = 27
KEY_SIZE = 28
KEY_STEP = 222
KEY_TRANSFER = 265
OFFERED, REFUSED = 1, 4
_FILE_KINDS = frozenset({"", "FILEXFER"})
_AFTER_TEXT = "\x06"
"""What some clients put behind the description, before the file's number."""


@frozen(kw_only=True)
class Offer:
    """A file that is offered. ``transfer`` names the offer where the protocol has a way to refuse it."""

    sender: str
    name: str = ""
    size: int | None = None
    text: str = ""
    transfer: str = ""


def read_offer(packet: Packet) -> Offer | None:
    """The offer in a packet; None where it offers nothing (a step of a transfer, an IMVironment)."""
    sender = packet.get(codes.KEY_FROM)
    if not sender or not _offers(packet):
        return None
    name = packet.get(KEY_FILE) or (packet.get(KEY_URL) or b"").partition(b"?")[0].rpartition(b"/")[2]
    text = decode_label(packet.get(codes.KEY_TEXT) or b"").partition(_AFTER_TEXT)[0]
    new = packet.service == codes.FILE_TRANSFER_15
    return Offer(
        sender=decode_label(sender),
        name=decode_label(name),
        size=packet.number(KEY_SIZE),
        text=text,
        transfer=decode_label(packet.get(KEY_TRANSFER) or b"") if new else "",
    )


def _offers(packet: Packet) -> bool:
    if packet.service == codes.FILE_TRANSFER_15:
        return packet.number(KEY_STEP) == OFFERED
    if decode_label(packet.get(KEY_NOTIFY) or b"").upper() not in _FILE_KINDS:
        return False
    return packet.get(KEY_URL) is not None or packet.get(KEY_FILE) is not None


def refuse_pairs(account: str, sender: str, transfer: str) -> tuple[Pair, ...]:
    """What 0xDC holds to refuse an offer."""
    return pairs_of((codes.KEY_ME, account), (codes.KEY_TO, sender), (KEY_TRANSFER, transfer), (KEY_STEP, REFUSED))
