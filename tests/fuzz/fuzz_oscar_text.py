"""Fuzz: what a message's TLVs hold."""

from __future__ import annotations

from transports.oscar.wire.errors import OscarSyntaxError
from transports.oscar.wire.icq import OfflineMessage
from transports.oscar.wire.rendezvous import IcqMessage, Rendezvous
from transports.oscar.wire.text import decode_message, encode_message

SEEDS: list[bytes] = [
    encode_message("hello"),
    encode_message("grüß 👍"),
    IcqMessage(uin=1, type=6, text="a\xfeb").encode(),
    Rendezvous(type=0, cookie=b"12345678", capability=b"c" * 16).encode(),
]


def one(data: bytes) -> None:
    """Read the bytes as each of them."""
    for decode in (decode_message, IcqMessage.decode, Rendezvous.decode, OfflineMessage.decode):
        try:
            decode(data)
        except OscarSyntaxError:
            continue
