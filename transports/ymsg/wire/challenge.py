"""The challenge of versions 9 and 10, and its two answers.

The server sends 24 characters (key 94). Their sixteenth says which of five arrangements is wanted; each puts one
character of the challenge, a hash of the password, the name and the challenge into MD5. It is done twice, with two
hashes of the password (keys 6 and 96), and everything is written in Yahoo's own base64.
"""

from __future__ import annotations

from base64 import b64encode
from hashlib import md5

from attrs import frozen

from transports.ymsg.wire.errors import YmsgSyntaxError
from transports.ymsg.wire.md5crypt import md5crypt

SALT = b"_2S43d5f"
LEAST = 16
_FROM, _TO = b"+/=", b"._-"
_PICKED = (7, 9, 15, 1, 3)
"""For each arrangement, which character of the challenge names the place of the character that is put in front."""


@frozen
class Answers:
    """What key 6 and key 96 of the answer hold."""

    plain: bytes
    crypted: bytes


def y64(data: bytes) -> bytes:
    """Yahoo's base64: ``.``, ``_`` and ``-`` for ``+``, ``/`` and ``=``."""
    return b64encode(data).translate(bytes.maketrans(_FROM, _TO))


def kind(challenge: bytes) -> int:
    """Which of the five arrangements a challenge asks for; raises `YmsgSyntaxError` where it is too short to say."""
    if len(challenge) < LEAST:
        raise YmsgSyntaxError(f"a challenge of {len(challenge)} bytes, at least {LEAST} are needed")
    return challenge[15] % 8 % 5


def answers(name: str, password: str, challenge: bytes) -> Answers:
    """The answers to a challenge; raises `YmsgSyntaxError` where it is too short, or a name or password is no text."""
    chosen = kind(challenge)
    try:
        user, secret = name.encode(), password.encode()
    except UnicodeEncodeError as error:
        raise YmsgSyntaxError("the name or the password is no text: half of a surrogate pair") from error
    front = challenge[challenge[_PICKED[chosen]] % 16 :][:1]
    plain = y64(md5(secret).digest())
    crypted = y64(md5(md5crypt(secret, SALT)).digest())
    return Answers(*(y64(md5(front + _arranged(chosen, h, user, challenge)).digest()) for h in (plain, crypted)))


def _arranged(chosen: int, hashed: bytes, user: bytes, challenge: bytes) -> bytes:
    return b"".join(
        (
            (hashed, user, challenge),
            (user, challenge, hashed),
            (challenge, hashed, user),
            (user, hashed, challenge),
            (hashed, challenge, user),
        )[chosen]
    )
