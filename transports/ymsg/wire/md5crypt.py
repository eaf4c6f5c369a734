"""MD5-crypt, the ``$1$`` of crypt(3), from which one of the two answers to a challenge is made.

Written out here because nothing else offers it for long: Python's ``crypt`` is gone in 3.13, and a whole library of
password hashing is much for one that guards nothing by now (docs/protocols/ymsg.md). The tests hold it against OpenSSL.
Source: the algorithm as FreeBSD's crypt(3) made it known; its thousand rounds are what makes it slow (about a
millisecond).
"""

from __future__ import annotations

from hashlib import md5

MAGIC = b"$1$"
MAX_SALT = 8
ROUNDS = 1000
_ALPHABET = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_ORDER = ((0, 6, 12), (1, 7, 13), (2, 8, 14), (3, 9, 15), (4, 10, 5))
"""Which bytes of the digest are written together, the highest first; the twelfth is written alone at the end."""


def md5crypt(password: bytes, salt: bytes) -> bytes:
    """Returns ``$1$salt$`` and the 22 characters of the hash. ``salt``: with or without ``$1$``; 8 bytes count."""
    salt = salt.removeprefix(MAGIC).partition(b"$")[0][:MAX_SALT]
    inner = md5(password + salt + password).digest()
    start = md5(password + MAGIC + salt)
    start.update((inner * (len(password) // 16 + 1))[: len(password)])
    length = len(password)
    while length:
        start.update(b"\0" if length & 1 else password[:1])
        length >>= 1
    digest = start.digest()
    for turn in range(ROUNDS):
        digest = _round(turn, digest, password, salt)
    return MAGIC + salt + b"$" + _written(digest)


def _round(turn: int, digest: bytes, password: bytes, salt: bytes) -> bytes:
    mixed = md5(password if turn & 1 else digest)
    if turn % 3:
        mixed.update(salt)
    if turn % 7:
        mixed.update(password)
    mixed.update(digest if turn & 1 else password)
    return mixed.digest()


def _written(digest: bytes) -> bytes:
    out = bytearray()
    for high, middle, low in _ORDER:
        out += _six_bits(digest[high] << 16 | digest[middle] << 8 | digest[low], 4)
    return bytes(out + _six_bits(digest[11], 2))


def _six_bits(value: int, count: int) -> bytes:
    return bytes(_ALPHABET[value >> (6 * place) & 0x3F] for place in range(count))
