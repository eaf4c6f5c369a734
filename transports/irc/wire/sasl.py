"""SASL over AUTHENTICATE (IRCv3 sasl-3.2): PLAIN (RFC 4616), EXTERNAL (RFC 4422 appendix A), SCRAM-SHA-256 (RFC 7677).

A mechanism is asked `respond(challenge)` until the server says how it ended. Payloads are bytes here; `chunks` cuts
them into lines of base64, and `Collector` puts a server's together.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import stringprep
import unicodedata
from typing import Final, Protocol

from transports.irc.wire.errors import IrcSyntaxError

CHUNK: Final = 400
MAX_CHALLENGE: Final = 8192
MIN_ITERATIONS: Final = 4096
MAX_ITERATIONS: Final = 200_000
"""RFC 7677 section 4 wants 4,096 at least; a server must not be able to make us compute without end."""
_ITERATIONS: Final = re.compile(r"[1-9][0-9]{0,6}")


class SaslError(Exception):
    """The server did not prove what it has to, or asked for what is not given."""


class Mechanism(Protocol):
    """One way to show who we are."""

    name: str

    def respond(self, challenge: bytes) -> bytes:
        """Answers a challenge; the first one is empty.

        Raises:
            SaslError: the server must not be answered.
        """

    def finished(self) -> bool:
        """Whether the server's word for success may be believed."""


class Plain:
    """RFC 4616: the name and the password, readable to whoever reads the connection."""

    name = "PLAIN"

    def __init__(self, user: str, password: str) -> None:
        if "\0" in user or "\0" in password:
            raise SaslError("a name or a password with NUL")
        self._payload = f"\0{user}\0{password}".encode()

    def respond(self, challenge: bytes) -> bytes:
        """The name and the password, whatever is asked."""
        del challenge
        return self._payload

    def finished(self) -> bool:
        """The server proves nothing."""
        return True


class External:
    """RFC 4422 appendix A: the certificate of the TLS connection says who we are."""

    name = "EXTERNAL"

    def respond(self, challenge: bytes) -> bytes:
        """No other name than the certificate's."""
        del challenge
        return b""

    def finished(self) -> bool:
        """The server proves nothing beyond its own certificate."""
        return True


class ScramSha256:
    """RFC 5802 with SHA-256 (RFC 7677), without channel binding: the server has to know the password too.

    Args:
        user: the name of the services account.
        password: its password.
        nonce: random printable ASCII without a comma.
    """

    name = "SCRAM-SHA-256"

    def __init__(self, user: str, password: str, nonce: str) -> None:
        self._password = saslprep(password).encode()
        self._nonce = nonce
        escaped = saslprep(user).replace("=", "=3D").replace(",", "=2C")
        self._first_bare = f"n={escaped},r={nonce}"
        self._server_signature: bytes | None = None
        self._step = 0

    def respond(self, challenge: bytes) -> bytes:
        """The client's first message, its final one with the proof, and then the check of the server's."""
        self._step += 1
        if self._step == 1:
            return f"n,,{self._first_bare}".encode()
        if self._step == 2:
            return self._final(_text(challenge))
        if self._step == 3 and self._server_signature is not None:
            self._verify(_text(challenge))
            return b""
        raise SaslError("SCRAM: a challenge too many")

    def _final(self, server_first: str) -> bytes:
        fields = _fields(server_first)
        nonce, salt, count = fields.get("r", ""), fields.get("s", ""), fields.get("i", "")
        if "m" in fields:
            raise SaslError("SCRAM: a mandatory extension that is not known")
        if not nonce.startswith(self._nonce) or len(nonce) <= len(self._nonce):
            raise SaslError("SCRAM: the server's nonce does not continue ours")
        if not _ITERATIONS.fullmatch(count) or not MIN_ITERATIONS <= int(count) <= MAX_ITERATIONS:
            raise SaslError(f"SCRAM: {count[:12]!a} iterations, not {MIN_ITERATIONS} to {MAX_ITERATIONS}")
        try:
            raw_salt = base64.b64decode(salt, validate=True)
        except (binascii.Error, ValueError) as error:
            raise SaslError("SCRAM: the salt is no base64") from error
        salted = hashlib.pbkdf2_hmac("sha256", self._password, raw_salt, int(count))
        client_key = _hmac(salted, b"Client Key")
        without_proof = f"c=biws,r={nonce}"
        signed = f"{self._first_bare},{server_first},{without_proof}".encode()
        signature = _hmac(hashlib.sha256(client_key).digest(), signed)
        proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
        self._server_signature = _hmac(_hmac(salted, b"Server Key"), signed)
        return f"{without_proof},p={base64.b64encode(proof).decode()}".encode()

    def _verify(self, server_final: str) -> None:
        fields = _fields(server_final)
        if "e" in fields:
            raise SaslError(f"SCRAM: {fields['e'][:80]}")
        try:
            given = base64.b64decode(fields.get("v", ""), validate=True)
        except (binascii.Error, ValueError) as error:
            raise SaslError("SCRAM: the server's signature is no base64") from error
        if self._server_signature is None or not hmac.compare_digest(given, self._server_signature):
            raise SaslError("SCRAM: the server does not know the password")
        self._step = 4

    def finished(self) -> bool:
        """Whether the server has proved that it knows the password: a success without that is none."""
        return self._step == 4


def saslprep(text: str) -> str:
    """RFC 4013 for a stored string, as far as a password of ours can need it.

    Raises:
        SaslError: it holds what such a string may not hold.
    """
    if text.isascii() and text.isprintable():
        return text
    mapped = "".join(
        " " if stringprep.in_table_c12(each) else each for each in text if not stringprep.in_table_b1(each)
    )
    prepared = unicodedata.normalize("NFKC", mapped)
    forbidden = (
        stringprep.in_table_c21_c22, stringprep.in_table_c3, stringprep.in_table_c4, stringprep.in_table_c5,
        stringprep.in_table_c6, stringprep.in_table_c7, stringprep.in_table_c8, stringprep.in_table_c9,
    )  # fmt: skip
    if any(table(each) for each in prepared for table in forbidden):
        raise SaslError("a name or a password with a character that none may hold (RFC 4013)")
    return prepared


def _hmac(key: bytes, data: bytes) -> bytes:
    return hmac.new(key, data, hashlib.sha256).digest()


def _text(challenge: bytes) -> str:
    try:
        return challenge.decode("utf-8")
    except UnicodeDecodeError as error:
        raise SaslError("SCRAM: a challenge that is no UTF-8") from error


def _fields(text: str) -> dict[str, str]:
    return {part[0]: part[2:] for part in text.split(",") if len(part) >= 2 and part[1] == "="}


def chunks(payload: bytes) -> list[str]:
    """Cuts a payload into the parameters of AUTHENTICATE: base64 of 400 at most, and a last one that is shorter."""
    if not payload:
        return ["+"]
    text = base64.b64encode(payload).decode()
    cut = [text[at : at + CHUNK] for at in range(0, len(text), CHUNK)]
    return [*cut, "+"] if len(cut[-1]) == CHUNK else cut


class Collector:
    """Puts the parameters of a server's AUTHENTICATE together."""

    __slots__ = ("_parts", "_size")

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._size = 0

    def feed(self, part: str) -> bytes | None:
        """Takes a parameter; gives the challenge when it is whole.

        Raises:
            IrcSyntaxError: it is no base64, or too long.
        """
        if part != "+":
            self._parts.append(part)
            self._size += len(part)
            if len(part) > CHUNK or self._size > MAX_CHALLENGE:
                raise IrcSyntaxError(f"AUTHENTICATE: more than {MAX_CHALLENGE} bytes")
            if len(part) == CHUNK:
                return None
        text, self._parts, self._size = "".join(self._parts), [], 0
        try:
            return base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError) as error:
            raise IrcSyntaxError("AUTHENTICATE: no base64") from error
