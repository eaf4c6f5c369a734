"""Capabilities: 16-byte identifiers that clients show one another."""

from __future__ import annotations

from transports.oscar.wire.errors import OscarSyntaxError

_SHORT_TAIL = bytes.fromhex("4c7f11d18222444553540000")


def short_cap(code: int) -> bytes:
    """The long form of a two-byte short capability: ``0946xxxx-4C7F-11D1-8222-444553540000``."""
    return bytes.fromhex("0946") + code.to_bytes(2, "big") + _SHORT_TAIL


CAP_CHAT = bytes.fromhex("748f2420628711d18222444553540000")
CAP_FILE_TRANSFER = short_cap(0x1343)
CAP_DIRECT_IM = short_cap(0x1345)
CAP_INTEROPERATE = short_cap(0x134D)
CAP_UTF8 = short_cap(0x134E)
CAP_XHTML = short_cap(0x0002)
CAP_TYPING = bytes.fromhex("563fc8090b6f41bd9f79422609dfa2f3")
CAP_ICQ_SERVER_RELAY = short_cap(0x1349)

CAP_HTML_MESSAGES = bytes.fromhex("0138ca7b769a491588f213fc00979ea8")
"""An ICQ client that reads channel 1 as HTML, as AIM's clients do."""


def read_caps(data: bytes) -> tuple[bytes, ...]:
    """Long capabilities one after another; raises `OscarSyntaxError` when bytes are left over."""
    if len(data) % 16:
        raise OscarSyntaxError(f"capabilities: {len(data)} bytes are no multiple of 16")
    return tuple(data[at : at + 16] for at in range(0, len(data), 16))


def read_short_caps(data: bytes) -> tuple[bytes, ...]:
    """Short capabilities one after another, in their long form; raises `OscarSyntaxError` on an odd length."""
    if len(data) % 2:
        raise OscarSyntaxError(f"short capabilities: {len(data)} bytes are no multiple of 2")
    return tuple(short_cap(int.from_bytes(data[at : at + 2], "big")) for at in range(0, len(data), 2))
