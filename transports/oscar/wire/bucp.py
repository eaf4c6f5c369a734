"""Food group 17: sign-on by a challenge and MD5."""

from __future__ import annotations

from typing import Self

from attrs import frozen

from transports.oscar.wire.errors import OscarSyntaxError
from transports.oscar.wire.reader import Reader, bytes16
from transports.oscar.wire.snac import Body, TlvBody
from transports.oscar.wire.tlv import Tlvs

SCREEN_NAME, ROASTED, CLIENT_ID_TEXT, ERROR_URL, HOST, COOKIE, ERROR = 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x08
COUNTRY, LANGUAGE, DISTRIBUTION = 0x0E, 0x0F, 0x14
CLIENT_ID, MAJOR, MINOR, LESSER, BUILD = 0x16, 0x17, 0x18, 0x19, 0x1A
DIGEST, MULTI_CONN, MD5_OF_MD5 = 0x25, 0x4A, 0x4C


class LoginRequest(TlvBody):
    """17/02, client: screen name (01), digest (25), who the client is; 4C when the digest is of MD5(password)."""

    __slots__ = ()
    GROUP, KIND = 0x17, 0x02


class LoginResponse(TlvBody):
    """17/03, server: address (05) and cookie (06), or an error (08) and where to read of it (04)."""

    __slots__ = ()
    GROUP, KIND = 0x17, 0x03


class ChallengeRequest(TlvBody):
    """17/06, client: screen name (01)."""

    __slots__ = ()
    GROUP, KIND = 0x17, 0x06


@frozen
class Challenge(Body):
    """17/07, server: the key to hash the password with."""

    GROUP, KIND = 0x17, 0x07
    key: bytes = b""

    def encode(self) -> bytes:
        """The key with its length."""
        return bytes16(self.key, "challenge")

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read a body; raises `OscarSyntaxError`."""
        return cls(Reader(data).bytes16("challenge"))


@frozen(kw_only=True)
class LoginOutcome:
    """What an answer to a sign-on says, in 17/03 or in a sign-off frame: a way on, or a failure.

    Attributes:
        host: where to go, ``host:port``.
        cookie: what to show there; None when refused.
        error: a key of `codes.LOGIN_FAILURES`; None when admitted.
        url: where the failure is explained.
    """

    host: str | None
    cookie: bytes | None
    error: int | None
    url: str | None


def login_outcome(tlvs: Tlvs) -> LoginOutcome:
    """Read the TLVs of an answer; raises `OscarSyntaxError` when there is an empty error."""
    error = tlvs.get(ERROR)
    if error is not None and not error:
        raise OscarSyntaxError("sign-on failure: empty")
    # one byte from some servers, two from most
    code = None if error is None else int.from_bytes(error[:2], "big")
    return LoginOutcome(host=tlvs.text(HOST), cookie=tlvs.get(COOKIE), error=code, url=tlvs.text(ERROR_URL))


BODIES: tuple[type[Body], ...] = (LoginRequest, LoginResponse, ChallengeRequest, Challenge)
