"""GRUUs: URIs that reach one device of a person (RFC 5627).

A public one names the person and the device. A temporary one tells nobody but us whose it is: its user part is a
sealed name of a registration (its generation), with a nonce, so that no two can be linked by who does not have the
secret. Nothing is kept of those that are handed out; they are good for as long as a registration has that generation.
"""

from __future__ import annotations

from base64 import b32decode, b32encode
from binascii import Error as Base32Error
from collections.abc import Iterable
from hashlib import blake2b
from hmac import compare_digest

from bridge.model.sharded import Sharded
from transports.sip.machine.ports import Entropy
from transports.sip.wire.uri import SipUri, escape_param, escape_user

PREFIX = "tgruu."
_NONCE = 10
_GENERATION = 8
_TAG = 8


def is_gruu(uri: SipUri) -> bool:
    """Whether a URI of ours is meant for one device (RFC 5627 section 3.2)."""
    return bool(uri.params) and uri.has_param("gr")


def _in_letters(raw: bytes) -> str:
    return b32encode(raw).decode().rstrip("=").lower()


def same_instance(left: str, right: str) -> bool:
    """Whether two instance ids mean the same device: URNs of UUIDs are written in either case (RFC 4122 section 3)."""
    return left == right or _bare(left) == _bare(right)


def names_a_device(instance: str) -> bool:
    """Whether an instance id says anything: `<>` does not, and no URI could carry it."""
    return bool(_bare(instance))


def _bare(instance: str) -> str:
    inside = instance[1:-1] if instance.startswith("<") and instance.endswith(">") and len(instance) > 1 else instance
    return inside.lower()


class Gruus:
    """Makes GRUUs and knows them again.

    Args:
        domain: of our addresses-of-record.
        secret: at least 16 bytes, the same after a restart.
        entropy: random bytes.
    """

    __slots__ = ("_domain", "_entropy", "_key", "_owners")

    def __init__(self, domain: str, secret: bytes, entropy: Entropy) -> None:
        self._domain = domain.lower()
        self._entropy = entropy
        self._key = blake2b(b"temporary gruu", digest_size=32, key=secret[:64]).digest()
        self._owners: Sharded[str, tuple[str, str]] = Sharded()
        """Person and device by generation: no more than there are bindings."""

    def __len__(self) -> int:
        return len(self._owners)

    def generation(self) -> str:
        """Returns a new name of a registration, in hex."""
        return self._entropy(_GENERATION).rjust(_GENERATION, b"\0").hex()

    def keep(self, aor: str, gone: Iterable[tuple[str, str]], there: Iterable[tuple[str, str]]) -> None:
        """Notes which generations a person's bindings have, each with its device, and which they had before."""
        for generation, _ in gone:
            self._owners.pop(generation, None)
        for generation, instance in there:
            if generation:
                self._owners[generation] = aor, instance

    def public(self, aor: str, instance: str) -> str:
        """Returns the public GRUU of the device that an instance id names: always the same (RFC 5627 section 3.1.1)."""
        user, _, host = aor.rpartition("@")
        return f"sip:{escape_user(user)}@{host};gr={escape_param(_bare(instance))}"

    def temporary(self, generation: str) -> str:
        """Returns a new temporary GRUU of a registration (RFC 5627 section 3.1.2)."""
        nonce = self._entropy(_NONCE).rjust(_NONCE, b"\0")
        sealed = nonce + self._crossed(bytes.fromhex(generation), nonce)
        return f"sip:{PREFIX}{_in_letters(sealed + self._tag(sealed))}@{self._domain};gr"

    def owner(self, uri: SipUri, aor: str) -> tuple[str, str] | None:
        """Returns whose a GRUU of ours is and which device it means, or None where it means none (any more).

        A public one always means something: whether that device is registered is not asked here. ``aor`` is what the
        URI says without its parameters.
        """
        instance = uri.param("gr")
        if instance:
            return aor, instance
        user = (uri.user or "").lower()
        return self._owners.get(self._opened(user.removeprefix(PREFIX))) if user.startswith(PREFIX) else None

    def _opened(self, text: str) -> str:
        try:
            raw = b32decode(text.upper() + "=" * (-len(text) % 8))
        except (Base32Error, ValueError):
            return ""
        sealed, tag = raw[: _NONCE + _GENERATION], raw[_NONCE + _GENERATION :]
        if len(raw) != _NONCE + _GENERATION + _TAG or _in_letters(raw) != text:  # one form for each, whatever is padded
            return ""
        if not compare_digest(self._tag(sealed), tag):
            return ""
        return self._crossed(sealed[_NONCE:], sealed[:_NONCE]).hex()

    def _crossed(self, text: bytes, nonce: bytes) -> bytes:
        """Encrypts, and decrypts: one block of a keystream that the nonce begins."""
        stream = blake2b(nonce, digest_size=_GENERATION, key=self._key, person=b"stream").digest()
        return bytes(left ^ right for left, right in zip(text, stream, strict=True))

    def _tag(self, sealed: bytes) -> bytes:
        return blake2b(sealed, digest_size=_TAG, key=self._key, person=b"tag").digest()
