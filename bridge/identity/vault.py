"""Network passwords at rest: AES-256-GCM (NIST SP 800-38D) under the keys of a keyring.

The name that a password belongs to, and the id of its key, are bound into the seal: a row that is moved to another
name, or altered, does not open.
"""

import os
import struct
from collections.abc import Callable

from attrs import field, frozen
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bridge.identity.bindings import NameKey
from bridge.identity.errors import UnknownKey, VaultError
from bridge.identity.keyring import Keyring, KeyringFile
from bridge.identity.secret import Secret

_NONCE_BYTES = 12
_CONTEXT = b"simplebridge network password 1"
_BLOCK = 64  # the length of a password is not to be read from its ciphertext


@frozen(kw_only=True)
class Sealed:
    """A sealed password, as it is stored."""

    key_id: str
    nonce: bytes = field(repr=False)
    ciphertext: bytes = field(repr=False)


class Vault:
    """Seals and opens network passwords.

    Args:
        keyring: the keys.
        reload: reads the keys again; called when a password was sealed with a key that is not here, as after a
            rotation by another process.
        entropy: returns as many random bytes as asked.
    """

    __slots__ = ("_entropy", "_keyring", "_reload")

    def __init__(
        self,
        keyring: Keyring,
        *,
        reload: Callable[[], Keyring] | None = None,
        entropy: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._keyring = keyring
        self._reload = reload
        self._entropy = entropy

    @classmethod
    def of_file(cls, file: KeyringFile) -> "Vault":
        """Returns a vault under a key file, which is made where there is none.

        Raises:
            KeyringError: the file cannot be made or used.
        """
        return cls(file.load_or_create(), reload=file.load)

    @property
    def primary(self) -> str:
        """The id of the key that seals."""
        return self._keyring.primary

    def refresh(self) -> None:
        """Reads the keys again, where they came from a file."""
        if self._reload is not None:
            self._keyring = self._reload()

    def seal(self, owner: NameKey, secret: Secret) -> Sealed:
        """Seals a password for a name."""
        nonce, key_id = self._entropy(_NONCE_BYTES), self._keyring.primary
        cipher = AESGCM(self._keyring.key(key_id))
        text = secret.reveal().encode()
        plain = struct.pack(">I", len(text)) + text
        plain += bytes(-len(plain) % _BLOCK)
        return Sealed(key_id=key_id, nonce=nonce, ciphertext=cipher.encrypt(nonce, plain, _bound_to(owner, key_id)))

    def open(self, owner: NameKey, sealed: Sealed) -> Secret:
        """Opens the password of a name.

        Raises:
            UnknownKey: its key is not in the keyring, read again.
            VaultError: it was altered, or sealed for another name.
        """
        cipher = AESGCM(self._key(sealed.key_id, owner))
        try:
            plain = cipher.decrypt(sealed.nonce, sealed.ciphertext, _bound_to(owner, sealed.key_id))
        except (InvalidTag, ValueError):  # ValueError: a nonce or a text too short to be one
            raise VaultError("its network password was altered, or sealed for another name", str(owner)) from None
        (length,) = struct.unpack_from(">I", plain)
        return Secret(plain[4 : 4 + length].decode())

    def _key(self, key_id: str, owner: NameKey) -> bytes:
        if key_id not in self._keyring.keys:
            self.refresh()
        try:
            return self._keyring.key(key_id)
        except UnknownKey as error:
            raise UnknownKey(f"{error.what} ({error.where})", str(owner)) from None


def _bound_to(owner: NameKey, key_id: str) -> bytes:
    parts = (_CONTEXT, owner.network.encode(), owner.name.encode(), key_id.encode())
    return b"".join(struct.pack(">I", len(part)) + part for part in parts)
