"""Sealing: a data key for each record, wrapped by a key per retention class and month, wrapped by a master key.

Destroying the key of a class and month ends all its bodies; deleting one wrapped data key ends one. Commitments are
in the leaf and stay: with the nonce gone, a body cannot be guessed from them.
"""

import os
from collections.abc import Callable, Sequence
from hashlib import sha256
from struct import Struct
from typing import NamedTuple

from attrs import frozen
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bridge.compliance.errors import KeyDestroyedError, SealError
from bridge.compliance.keys import KEY_BYTES, NONCE_BYTES, Keyring

BODY = "body"
"""Purpose of a key that wraps data keys."""
PID = "pid"
"""Purpose of a key that makes pseudonyms."""
ROW = "row"
"""Purpose of the key of the digests of queue rows."""
ALWAYS = "always"
"""The period of a key that is not replaced each month."""

HEADER_DOMAIN = b"simplebridge/commit/header/v1\x00"
BODY_DOMAIN = b"simplebridge/commit/body/v1\x00"
ATTACHMENT_DOMAIN = b"simplebridge/commit/attachment/v1\x00"
_BODY_AAD = b"simplebridge/body/v1\x00"
_KEY_AAD = b"simplebridge/data-key/v1\x00"
_KEK_AAD = "simplebridge/kek/v1"

# A data key encrypts one plaintext ever, so that its nonce may be constant.
_ZERO_NONCE = bytes(NONCE_BYTES)
_HEAD = Struct(">BHI")  # version, attachments, length of the header
_VERSION = 1
_POOL_BYTES = 1 << 14


def commit(domain: bytes, nonce: bytes, plaintext: bytes) -> bytes:
    """Returns the commitment SHA-256(domain || nonce || plaintext)."""
    return sha256(domain + nonce + plaintext).digest()


@frozen
class KekRow:
    """A key-encryption key as it is stored. Once destroyed, ``wrapped`` is None and ``destroyed_by`` names the leaf."""

    id: int
    purpose: str
    retention_class: str
    period: str
    master_id: str
    wrapped: bytes | None
    destroyed_by: int | None = None

    @property
    def slot(self) -> tuple[str, str, str]:
        """What it is for; there is one key for each slot."""
        return self.purpose, self.retention_class, self.period


class Entropy:
    """Random bytes in small pieces from large draws: a system call for each would cost more than the sealing."""

    __slots__ = ("_at", "_pool", "_source")

    def __init__(self, source: Callable[[int], bytes] = os.urandom) -> None:
        self._source = source
        self._pool = b""
        self._at = 0

    def __call__(self, count: int) -> bytes:
        """Returns ``count`` bytes that nobody has seen before."""
        at = self._at
        end = at + count
        if end > len(self._pool):
            self._pool = self._source(max(_POOL_BYTES, count))
            at, end = 0, count
        self._at = end
        return self._pool[at:end]


class Sealed(NamedTuple):
    """A sealed record: what is stored apart (ciphertext; wrapped key and under which key) and what the leaf holds."""

    ciphertext: bytes
    kek_id: int
    wrapped: bytes
    header_commit: bytes | None
    body_commit: bytes
    attachment_commits: tuple[bytes, ...]


@frozen
class Opened:
    """A record that was opened: its plaintexts and the commitments that they have."""

    header: bytes
    body: bytes
    header_nonce: bytes
    body_nonce: bytes
    header_commit: bytes
    body_commit: bytes
    attachment_nonces: tuple[bytes, ...]


class Kek:
    """A key-encryption key, unwrapped."""

    __slots__ = ("cipher", "row", "secret")

    def __init__(self, row: KekRow, secret: bytes) -> None:
        self.row = row
        self.secret = secret
        self.cipher = AESGCM(secret)


class KeyCase:
    """The key-encryption keys of one log.

    Args:
        log_id: the log they belong to.
        keyring: the master keys.
        entropy: returns as many random bytes as asked.
    """

    def __init__(self, log_id: str, keyring: Keyring, entropy: Callable[[int], bytes] | None = None) -> None:
        self._log_id = log_id
        self._keyring = keyring
        self._entropy = entropy or Entropy()
        self._open: dict[tuple[int, bytes], Kek] = {}

    def _bound_to(self, row_id: int, slot: tuple[str, str, str]) -> bytes:
        # A name that was changed into what is no Unicode belongs to no key: it must not open, and not fail otherwise.
        return "\x00".join((_KEK_AAD, self._log_id, str(row_id), *slot)).encode("utf-8", "surrogatepass")

    def create(self, row_id: int, slot: tuple[str, str, str]) -> Kek:
        """Returns a new key for a slot."""
        secret = self._entropy(KEY_BYTES)
        wrapped = self._keyring.wrap(secret, self._bound_to(row_id, slot))
        kek = Kek(KekRow(row_id, *slot, self._keyring.active, wrapped), secret)
        self._open[row_id, wrapped] = kek
        return kek

    def open(self, row: KekRow) -> Kek:
        """Returns the key in a row.

        Raises:
            KeyDestroyedError: it was destroyed.
            SealError: it does not open.
        """
        if row.wrapped is None:
            raise KeyDestroyedError(f"key {row.id} of {'/'.join(row.slot)} was destroyed by leaf {row.destroyed_by}")
        kek = self._open.get((row.id, row.wrapped))
        if kek is None or kek.row != row:
            try:
                secret = self._keyring.unwrap(row.master_id, row.wrapped, self._bound_to(row.id, row.slot))
            except SealError as error:
                raise SealError(f"key {row.id} of {'/'.join(row.slot)}: {error}") from error
            kek = self._open[row.id, row.wrapped] = Kek(row, secret)
        return kek

    def rewrap(self, row: KekRow) -> KekRow:
        """Returns the same key wrapped under the active master key. Raises as ``open``."""
        secret = self.open(row).secret
        wrapped = self._keyring.wrap(secret, self._bound_to(row.id, row.slot))
        return KekRow(row.id, *row.slot, self._keyring.active, wrapped)


class Sealer:
    """Seals and opens the records of one log."""

    def __init__(self, log_id: str, entropy: Callable[[int], bytes] | None = None) -> None:
        self._log_id = log_id
        self._entropy = entropy or Entropy()

    def seal(
        self, kek: Kek, seq: int, msg_id: str, *, header: bytes, body: bytes, attachments: Sequence[bytes] = ()
    ) -> Sealed:
        """Seals a record.

        Args:
            kek: the key of its retention class and month.
            seq: the leaf that it belongs to.
            msg_id: the event id in that leaf, empty where there is none.
            header: who and when; may be empty: then there is no commitment to it.
            body: what.
            attachments: for each attachment the text that is committed to (its digest, size, type and name).
        """
        count = len(attachments)
        random = self._entropy(KEY_BYTES + NONCE_BYTES + 64 + 32 * count)
        key, nonce, nonces = random[:32], random[32:44], random[44:]
        bound_to = f"{self._log_id}\x00{seq}\x00{msg_id}".encode()
        commits: tuple[bytes, ...] = ()
        if count:
            commits = tuple(
                commit(ATTACHMENT_DOMAIN, nonces[64 + 32 * at : 96 + 32 * at], attachment)
                for at, attachment in enumerate(attachments)
            )
        return Sealed(
            AESGCM(key).encrypt(
                _ZERO_NONCE, _HEAD.pack(_VERSION, count, len(header)) + nonces + header + body, _BODY_AAD + bound_to
            ),
            kek.row.id,
            nonce + kek.cipher.encrypt(nonce, key, _KEY_AAD + bound_to),
            sha256(HEADER_DOMAIN + nonces[:32] + header).digest() if header else None,
            sha256(BODY_DOMAIN + nonces[32:64] + body).digest(),
            commits,
        )

    def open(self, kek: Kek, seq: int, msg_id: str, *, ciphertext: bytes, wrapped: bytes) -> Opened:
        """Opens what ``seal`` made.

        Raises:
            SealError: a byte of the wrapped key or of the ciphertext has changed, or they belong to another record.
        """
        bound_to = f"{self._log_id}\x00{seq}\x00{msg_id}".encode()
        try:
            key = kek.cipher.decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], _KEY_AAD + bound_to)
        except (InvalidTag, ValueError) as error:
            raise SealError(f"the data key of record {seq} does not open") from error
        try:
            plaintext = AESGCM(key).decrypt(_ZERO_NONCE, ciphertext, _BODY_AAD + bound_to)
        except (InvalidTag, ValueError) as error:
            raise SealError(f"the body of record {seq} does not open") from error
        return _unpack(plaintext, seq)


def _unpack(plaintext: bytes, seq: int) -> Opened:
    if len(plaintext) < _HEAD.size:
        raise SealError(f"the body of record {seq} is cut short")
    version, count, length = _HEAD.unpack_from(plaintext)
    start = _HEAD.size + 64 + 32 * count
    if version != _VERSION or start + length > len(plaintext):
        raise SealError(f"the body of record {seq} has an unknown form (version {version})")
    nonces = plaintext[_HEAD.size : start]
    header, body = plaintext[start : start + length], plaintext[start + length :]
    return Opened(
        header,
        body,
        nonces[:32],
        nonces[32:64],
        commit(HEADER_DOMAIN, nonces[:32], header),
        commit(BODY_DOMAIN, nonces[32:64], body),
        tuple(nonces[at : at + 32] for at in range(64, len(nonces), 32)),
    )
