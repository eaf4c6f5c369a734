"""Digest authentication: the arithmetic and the headers (RFC 7616, RFC 8760, RFC 3261 section 22, RFC 2069).

No secrets are kept and no randomness is made here. Comparing a response is the caller's, with `hmac.compare_digest`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from typing import Final

import attrs

from transports.sip.wire.errors import SipBuildError, SipSyntaxError
from transports.sip.wire.grammar import check_token, quote_string
from transports.sip.wire.headers import parse_auth

MD5: Final = "MD5"
SHA256: Final = "SHA-256"
SHA512_256: Final = "SHA-512-256"


def _md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data, usedforsecurity=False).hexdigest()


def _sha512_256(data: bytes) -> str:
    return hashlib.new("sha512_256", data, usedforsecurity=False).hexdigest()


_DIGESTS: Final[dict[str, Callable[[bytes], str]]] = {MD5: _md5, SHA256: _sha256, SHA512_256: _sha512_256}

#: The algorithms that we compute, the strongest first (RFC 8760 2.3).
ALGORITHMS: Final = (SHA512_256, SHA256, MD5)


_QOPS: Final = ("auth", "auth-int")
"""What is understood, in the order in which it is chosen: who changes a body on the way breaks auth-int."""


def _digest(algorithm: str) -> tuple[Callable[[bytes], str], bool]:
    function = _DIGESTS.get(algorithm)
    if function is not None:
        return function, False
    name = algorithm.upper()
    session = name.endswith("-SESS")
    function = _DIGESTS.get(name.removesuffix("-SESS"))
    if function is None:
        raise SipSyntaxError(f"digest algorithm {algorithm[:40]!r} is not known")
    return function, session


def ha1(user: str, realm: str, password: str, algorithm: str = MD5) -> str:
    """H(user:realm:password) in lower case hex: what an account store keeps, one for each algorithm.

    Raises SipSyntaxError for an algorithm that is not known.
    """
    return _digest(algorithm)[0](f"{user}:{realm}:{password}".encode())


def response(
    ha1: str,
    nonce: str,
    uri: str,
    method: str,
    algorithm: str = MD5,
    *,
    qop: str | None = None,
    nc: str = "",
    cnonce: str = "",
    body: bytes = b"",
) -> str:
    """The `response` value for these inputs (RFC 7616 3.4.1), in lower case hex.

    Args:
        ha1: from `ha1`, never the -sess form: that is made here where the algorithm asks for it.
        nonce: as in the challenge.
        uri: the digest uri as the client wrote it.
        method: the request's.
        algorithm: MD5, SHA-256, SHA-512-256, or one of these with -sess.
        qop: "auth", "auth-int", or None for the form of RFC 2069.
        nc: eight hex digits as the client wrote them.
        cnonce: the client's.
        body: read for auth-int alone.

    Raises:
        SipSyntaxError: an algorithm or qop that is not known.
    """
    digest, session = _digest(algorithm)
    secret = digest(f"{ha1}:{nonce}:{cnonce}".encode()) if session else ha1
    if qop is None:
        return digest(f"{secret}:{nonce}:{digest(f'{method}:{uri}'.encode())}".encode())
    if qop == "auth":
        ha2 = digest(f"{method}:{uri}".encode())
    elif qop == "auth-int":
        ha2 = digest(f"{method}:{uri}:{digest(body)}".encode())
    else:
        raise SipSyntaxError(f"qop {qop[:40]!r} is not known")
    return digest(f"{secret}:{nonce}:{nc}:{cnonce}:{qop}:{ha2}".encode())


@attrs.frozen(kw_only=True)
class Challenge:
    """One WWW-Authenticate or Proxy-Authenticate. `qop` holds what is offered, empty for RFC 2069."""

    realm: str
    nonce: str
    algorithm: str = MD5
    qop: tuple[str, ...] = ("auth",)
    opaque: str | None = None
    stale: bool = False

    @classmethod
    def parse(cls, text: str) -> Challenge | None:
        """Read a challenge; None for a scheme other than Digest. Raises SipSyntaxError."""
        scheme, params = parse_auth(text)
        if scheme != "digest":
            return None
        for name in ("realm", "nonce"):
            if name not in params:
                raise SipSyntaxError(f"Digest challenge without {name}")
        return cls(
            realm=params["realm"],
            nonce=params["nonce"],
            algorithm=params.get("algorithm") or MD5,
            qop=tuple(item.strip().lower() for item in params.get("qop", "").split(",") if item.strip()),
            opaque=params.get("opaque"),
            stale=params.get("stale", "").lower() == "true",
        )

    @property
    def answerable(self) -> bool:
        """Whether a qop that is offered is known, or none is asked for."""
        return not self.qop or any(one in self.qop for one in _QOPS)

    def __str__(self) -> str:
        out = [f"Digest realm={quote_string(self.realm)}", f"nonce={quote_string(self.nonce)}"]
        if self.opaque is not None:
            out.append(f"opaque={quote_string(self.opaque)}")
        if self.stale:
            out.append("stale=true")
        out.append(f"algorithm={check_token(self.algorithm, 'algorithm')}")
        if self.qop:
            out.append(f'qop="{",".join(check_token(item, "qop") for item in self.qop)}"')
        return ", ".join(out)


@attrs.frozen(kw_only=True)
class Credentials:
    """One Authorization or Proxy-Authorization.

    `algorithm` is None where the client left it out: then it is that of the challenge, MD5 if that had none.
    `qop` is None for the form of RFC 2069; `nc` is kept as written (libpurple quotes it).
    """

    username: str
    realm: str
    nonce: str
    uri: str
    response: str
    algorithm: str | None = None
    qop: str | None = None
    nc: str = ""
    cnonce: str = ""
    opaque: str | None = None

    @classmethod
    def parse(cls, text: str) -> Credentials | None:
        """Read credentials; None for a scheme other than Digest (RFC 4475 3.3.7). Raises SipSyntaxError."""
        scheme, params = parse_auth(text)
        if scheme != "digest":
            return None
        for name in ("username", "realm", "nonce", "uri", "response"):
            if name not in params:
                raise SipSyntaxError(f"Digest credentials without {name}")
        qop = params.get("qop")
        if qop is not None and not (params.get("nc") and params.get("cnonce")):
            raise SipSyntaxError("Digest credentials with qop but without nc and cnonce")
        return cls(
            username=params["username"],
            realm=params["realm"],
            nonce=params["nonce"],
            uri=params["uri"],
            response=params["response"].lower(),
            algorithm=params.get("algorithm") or None,
            qop=qop.lower() if qop else None,
            nc=params.get("nc", ""),
            cnonce=params.get("cnonce", ""),
            opaque=params.get("opaque"),
        )

    @property
    def nonce_count(self) -> int | None:
        """`nc` as a number, or None where there is none. Raises SipSyntaxError where it is not 8 hex digits."""
        if not self.nc:
            return None
        try:
            if len(self.nc) != 8 or not self.nc.isalnum():
                raise ValueError
            return int(self.nc, 16)
        except ValueError as error:
            raise SipSyntaxError(f"Digest nc is not eight hex digits: {self.nc[:20]!r}") from error

    def expected(self, ha1: str, method: str, algorithm: str = MD5, body: bytes = b"") -> str:
        """The response that these credentials ought to carry; compare it in constant time.

        `algorithm` is the challenge's, for clients that do not repeat it. Raises SipSyntaxError.
        """
        return response(
            ha1, self.nonce, self.uri, method, self.algorithm or algorithm,
            qop=self.qop, nc=self.nc, cnonce=self.cnonce, body=body,
        )  # fmt: skip

    def __str__(self) -> str:
        out = [
            f"Digest username={quote_string(self.username)}",
            f"realm={quote_string(self.realm)}",
            f"nonce={quote_string(self.nonce)}",
            f"uri={quote_string(self.uri)}",
            f"response={quote_string(self.response)}",
        ]
        if self.algorithm is not None:
            out.append(f"algorithm={check_token(self.algorithm, 'algorithm')}")
        if self.opaque is not None:
            out.append(f"opaque={quote_string(self.opaque)}")
        if self.qop is not None:
            out.append(f"qop={check_token(self.qop, 'qop')}")
        if self.nc:
            out.append(f"nc={check_token(self.nc, 'nc')}")
        if self.cnonce:
            out.append(f"cnonce={quote_string(self.cnonce)}")
        return ", ".join(out)


def parse_challenges(values: Iterable[str]) -> list[Challenge]:
    """The Digest challenges among header lines, in their order; those of other schemes are left out."""
    challenges = (Challenge.parse(value) for value in values)
    return [challenge for challenge in challenges if challenge is not None]


def answer(
    challenge: Challenge,
    *,
    username: str,
    ha1: str,
    method: str,
    uri: str,
    cnonce: str,
    count: int = 1,
    body: bytes = b"",
) -> Credentials:
    """Credentials that answer a challenge with qop auth where offered, with auth-int else, without any by RFC 2069.

    Args:
        challenge: what a server has asked.
        username: the digest's user name.
        ha1: from `ha1`.
        method: the request's.
        uri: the digest uri, which is the Request-URI.
        cnonce: a new random text.
        count: how often this nonce was answered, this time included.
        body: the request's, as it is sent; it is in the answer by auth-int (RFC 7616 section 3.4.3).

    Raises:
        SipSyntaxError: the challenge's algorithm is not known.
        SipBuildError: no qop that is offered is known.
    """
    if not challenge.answerable:
        raise SipBuildError(f"no qop that we speak in {challenge.qop!r}")
    qop = next((one for one in _QOPS if one in challenge.qop), None)
    nc = f"{count:08x}" if qop else ""
    # A -sess algorithm needs a cnonce even without qop.
    value = response(ha1, challenge.nonce, uri, method, challenge.algorithm, qop=qop, nc=nc, cnonce=cnonce, body=body)
    return Credentials(
        username=username,
        realm=challenge.realm,
        nonce=challenge.nonce,
        uri=uri,
        response=value,
        algorithm=challenge.algorithm,
        qop=qop,
        nc=nc,
        cnonce=cnonce if qop else "",
        opaque=challenge.opaque,
    )
