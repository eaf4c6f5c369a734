"""What a password becomes on the wire: roasted (a fixed XOR, no secret at all) or hashed with a challenge (MD5)."""

from __future__ import annotations

import hashlib

from transports.oscar.wire.errors import OscarSyntaxError

_ROAST = bytes.fromhex("f32681c43986db9271a3b9e6537a957c")
_SALT = b"AOL Instant Messenger (SM)"
ICQ_PASSWORD_LIMIT = 8
"""Old ICQ servers look at the first eight characters of a password alone."""


def roast(password: bytes) -> bytes:
    """The password XORed with the 16-byte table over and over; its own inverse."""
    return bytes(byte ^ _ROAST[at % len(_ROAST)] for at, byte in enumerate(password))


def md5_response(password: bytes, challenge: bytes, *, hashed: bool = True) -> bytes:
    """The answer to a BUCP challenge (TLV 0025), 16 bytes.

    Args:
        password: the password's bytes.
        challenge: the key of 17/07.
        hashed: True for the newer form, in which MD5(password) stands for the password (announced by TLV 004C);
            False for the older one, in which the password itself does.
    """
    secret = hashlib.md5(password, usedforsecurity=False).digest() if hashed else password
    return hashlib.md5(challenge + secret + _SALT, usedforsecurity=False).digest()


def password_bytes(password: str) -> bytes:
    """A password as bytes; Latin-1, for that is what the protocol's time knew, else UTF-8.

    Raises `OscarSyntaxError` for an empty password.
    """
    if not password:
        raise OscarSyntaxError("password: empty")
    try:
        return password.encode("latin-1")
    except UnicodeEncodeError:
        return password.encode("utf-8")
