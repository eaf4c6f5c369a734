"""STUN on the SIP port: the Binding requests by which a client keeps its UDP flow alive (RFC 5626 sections 3.5.2, 8).

Nothing else of STUN is served: no credentials, no FINGERPRINT, no other method (RFC 5389).
"""

from __future__ import annotations

from ipaddress import IPv4Address, ip_address
from typing import Final

MAGIC_COOKIE: Final = 0x2112A442
HEADER: Final = 20
LARGEST: Final = 548
"""RFC 5389 section 7.1 keeps requests below the smallest path MTU."""
MOST_UNKNOWN: Final = 8
"""Attributes that an error names, so that it is never much longer than what it answers."""
_BINDING_REQUEST = 0x0001
_BINDING_SUCCESS = 0x0101
_BINDING_ERROR = 0x0111
_XOR_MAPPED_ADDRESS = 0x0020
_ERROR_CODE = 0x0009
_UNKNOWN_ATTRIBUTES = 0x000A
_COMPREHENSION_OPTIONAL = 0x8000
_UNDERSTOOD = frozenset({0x0006, 0x0008})
"""USERNAME and MESSAGE-INTEGRITY need not be checked where no credentials are asked for (RFC 5626 section 8)."""
_COOKIE = MAGIC_COOKIE.to_bytes(4, "big")


def is_stun(data: bytes) -> bool:
    """Whether a datagram is STUN and not SIP: two zero bits, and the magic cookie (RFC 5389 section 6)."""
    return len(data) >= HEADER and data[0] < 0x40 and data[4:8] == _COOKIE


def binding_response(data: bytes, source: tuple[str, int]) -> bytes | None:
    """Returns the answer to a Binding request from ``source``; None where there is to be none.

    There is none for what is broken, is no request or is of another method: silence is what an attacker can use least.
    """
    if not is_stun(data) or len(data) > LARGEST or int.from_bytes(data[:2], "big") != _BINDING_REQUEST:
        return None
    unknown = _unknown_attributes(data)
    if unknown is None:
        return None
    if unknown:
        numbers = b"".join(number.to_bytes(2, "big") for number in unknown[:MOST_UNKNOWN])
        code = _attribute(_ERROR_CODE, b"\0\0\x04\x14" + b"Unknown Attribute")
        return _message(_BINDING_ERROR, data[8:HEADER], code + _attribute(_UNKNOWN_ATTRIBUTES, numbers))
    return _message(_BINDING_SUCCESS, data[8:HEADER], _xor_mapped(source, data[4:HEADER]))


def _unknown_attributes(data: bytes) -> list[int] | None:
    """Returns the attributes that must be understood and are not; None where they do not fit the message."""
    length = int.from_bytes(data[2:4], "big")
    if length % 4 or HEADER + length != len(data):
        return None
    unknown: list[int] = []
    position = HEADER
    while position < len(data):
        kind = int.from_bytes(data[position : position + 2], "big")
        size = int.from_bytes(data[position + 2 : position + 4], "big")
        position += 4 + size + (-size % 4)
        if position > len(data):
            return None
        if kind < _COMPREHENSION_OPTIONAL and kind not in _UNDERSTOOD and kind not in unknown:
            unknown.append(kind)
    return unknown


def _message(kind: int, transaction: bytes, attributes: bytes) -> bytes:
    return kind.to_bytes(2, "big") + len(attributes).to_bytes(2, "big") + _COOKIE + transaction + attributes


def _attribute(kind: int, value: bytes) -> bytes:
    return kind.to_bytes(2, "big") + len(value).to_bytes(2, "big") + value + bytes(-len(value) % 4)


def _xor_mapped(source: tuple[str, int], mask: bytes) -> bytes:
    """RFC 5389 section 15.2. ``mask``: the cookie and the transaction id."""
    address = ip_address(source[0].partition("%")[0])
    family = 1 if isinstance(address, IPv4Address) else 2
    port = (source[1] ^ (MAGIC_COOKIE >> 16)).to_bytes(2, "big")
    hidden = bytes(octet ^ other for octet, other in zip(address.packed, mask, strict=False))
    return _attribute(_XOR_MAPPED_ADDRESS, bytes((0, family)) + port + hidden)
