"""The server asks now and then whether we are a client that it knows (CHL); the answer is a digest (QRY).

MSNP8 to 10: MD5 of the challenge and the product key. MSNP11 and later: the same, folded with a checksum of challenge
and product id. Ids and keys are those of clients that were published for this use.
"""

from __future__ import annotations

import struct
from hashlib import md5

from attrs import frozen

_MAGIC = 0x0E79A9C1
_MODULUS = 0x7FFFFFFF


@frozen
class Product:
    """A product id and its key."""

    id: str
    key: str


MSN_6 = Product("msmsgs@msnmsgr.com", "Q1P7W2E4J9R8U3S5")
MSN_7_5 = Product("PROD0090YUAUV{2B", "YMM8C_H7KCQ2S_KL")
WLM_8_5 = Product("PROD0119GSJUC$18", "ILTXC!4IXB5FB*PX")


def product_for(version: int) -> Product:
    """The product that a client of this version of the protocol was."""
    if version < 11:
        return MSN_6
    return MSN_7_5 if version < 13 else WLM_8_5


def answer(challenge: str, product: Product, version: int) -> bytes:
    """The payload of QRY: 32 hexadecimal digits."""
    if version < 11:
        return md5(f"{challenge}{product.key}".encode("utf-8", "replace"), usedforsecurity=False).hexdigest().encode()
    return _folded(challenge, product)


def _folded(challenge: str, product: Product) -> bytes:
    """The digest, each half XORed with a 64-bit checksum that runs over challenge and id, eight bytes at a time."""
    digest = md5(f"{challenge}{product.key}".encode("utf-8", "replace"), usedforsecurity=False).digest()
    words = struct.unpack("<4I", digest)
    key = [word & _MODULUS for word in words]
    text = f"{challenge}{product.id}".encode("utf-8", "replace")
    text += b"0" * (-len(text) % 8)
    high = low = 0
    for even, odd in struct.iter_unpack("<2I", text):
        first = (key[0] * (_MAGIC * even % _MODULUS + high) + key[1]) % _MODULUS
        high = (key[2] * ((odd + first) % _MODULUS) + key[3]) % _MODULUS
        low += first + high
    sums = ((high + key[1]) % _MODULUS, (low + key[3]) % _MODULUS)
    return struct.pack("<4I", *(word ^ sums[at % 2] for at, word in enumerate(words))).hex().encode()
