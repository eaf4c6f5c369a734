"""Fuzz: FLAP framing, SNACs, and every body behind them."""

from __future__ import annotations

from transports.oscar.wire.errors import OscarSyntaxError
from transports.oscar.wire.flap import DATA, FlapFramer, FlapSequence, SignonFrame
from transports.oscar.wire.registry import decode_body
from transports.oscar.wire.snac import SnacFrame

SEEDS: list[bytes] = [
    FlapSequence(1).frame(1, bytes.fromhex("00000001")),
    FlapSequence(1).frame(2, bytes.fromhex("0001001800000000000100010003")),
    FlapSequence(1).frame(
        2,
        bytes.fromhex("0003000b00008000000004") + b"aima" + bytes.fromhex("00000001000100020011"),
    ),
    FlapSequence(1).frame(
        2,
        bytes.fromhex(
            "0004000600000000000e749397657cd131200001066e6f626f64790002000f05010001010101000600000000686900030000"
        ),
    ),
    FlapSequence(1).frame(4, bytes.fromhex("000900020001")),
]


def one(data: bytes) -> None:
    """Cut a stream into frames and read what they hold."""
    framer = FlapFramer()
    try:
        frames = framer.feed(data)
    except OscarSyntaxError:
        return
    for frame in frames:
        try:
            if frame.channel == DATA:
                decode_body(SnacFrame.decode(frame.payload))
            else:
                SignonFrame.decode(frame.payload)
        except OscarSyntaxError:
            continue
