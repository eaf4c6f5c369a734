"""The key files: the master keys under which all other keys are wrapped, and the key that signs checkpoints.

A key file belongs to the service alone. It is created with mode 0600; a file that others can read or write is refused,
because everything that it protects would be open. ``master.key`` is a ring: one key is active and wraps, older ones
still unwrap until everything is wrapped anew and they are retired.
"""

import os
import secrets
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from bridge.compliance.checkpoint import NoteSigner
from bridge.compliance.errors import KeyDamagedError, KeyFileError, SealError
from bridge.identity import keyring
from bridge.identity.errors import KeyringDamaged, KeyringError
from bridge.identity.keyring import KEY_BYTES as KEY_BYTES  # noqa: PLC0414 - for all who wrap keys

NONCE_BYTES = 12
MODE = 0o600
MAX_FILE_BYTES = 1 << 16


def read_private_file(path: Path) -> bytes:
    """Returns the content of a file that only its owner, us or root, can read and write.

    Raises:
        KeyFileError: it is missing, not a plain file, too large, or open to others.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError as error:
        raise KeyFileError(f"{path}: {error.strerror}") from error
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise KeyFileError(f"{path}: not a plain file")
    with os.fdopen(descriptor, "rb") as file:
        if stat.S_IMODE(status.st_mode) & 0o077:
            mode = stat.S_IMODE(status.st_mode)
            raise KeyFileError(f"{path}: mode {mode:04o} lets others in; it must be {MODE:04o} (chmod 600 {path})")
        if status.st_uid not in {0, os.geteuid()}:
            raise KeyFileError(f"{path}: belongs to user {status.st_uid}, not to us")
        data = file.read(MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        raise KeyFileError(f"{path}: larger than {MAX_FILE_BYTES} bytes")
    return data


def write_private_file(path: Path, data: bytes, *, replace: bool) -> None:
    """Writes a file with mode 0600, durably and in one step.

    Args:
        path: where to; its folder is created with mode 0700 if need be.
        data: the content.
        replace: whether there may be such a file already.

    Raises:
        KeyFileError: it cannot be written, or exists and ``replace`` is false.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, MODE)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(descriptor)
            if replace:
                draft.replace(path)
            else:
                os.link(draft, path)  # fails where the file exists, in one step
        finally:
            draft.unlink(missing_ok=True)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except FileExistsError as error:
        raise KeyFileError(f"{path}: exists already") from error
    except OSError as error:
        raise KeyFileError(f"{path}: {error.strerror}") from error


class Keyring:
    """The master keys: a keyring that wraps other keys.

    Args:
        ring: the keys.
        file: what they are kept in; None for a ring that lives in memory alone.
        entropy: returns as many random bytes as asked.
    """

    def __init__(
        self, ring: keyring.Keyring, file: keyring.KeyringFile | None, entropy: Callable[[int], bytes] = os.urandom
    ) -> None:
        self._file = file
        self._entropy = entropy
        self._take(ring)

    def _take(self, ring: keyring.Keyring) -> None:
        self._ring = ring
        self._ciphers = {name: AESGCM(key) for name, key in ring.keys.items()}

    @classmethod
    def ephemeral(cls, entropy: Callable[[int], bytes] = os.urandom) -> "Keyring":
        """Returns a new ring with one key, in memory alone."""
        name = entropy(4).hex()
        return cls(keyring.Keyring(primary=name, keys={name: entropy(KEY_BYTES)}), None, entropy)

    @classmethod
    def open(cls, path: Path, *, create: bool = False) -> "Keyring":
        """Reads the ring in ``path``; with ``create`` a missing one is made, with one key.

        Raises:
            KeyFileError: it is missing, open to others or malformed.
        """
        file = keyring.KeyringFile(path)
        with _key_file_errors():
            return cls(file.load_or_create() if create else file.load(), file)

    @property
    def active(self) -> str:
        """The id of the key that wraps."""
        return self._ring.primary

    @property
    def ids(self) -> frozenset[str]:
        """The ids of all keys in the ring."""
        return frozenset(self._ring.keys)

    def wrap(self, secret: bytes, bound_to: bytes) -> bytes:
        """Returns ``secret`` encrypted under the active key (nonce, ciphertext and tag).

        Args:
            secret: what to protect.
            bound_to: what it belongs to; it opens only together with the same (AES-GCM's associated data).

        Raises:
            KeyFileError: the file of the ring cannot be read any more.
        """
        self.refresh()  # another process may have rotated the ring: nothing new under a key that is on its way out
        nonce = self._entropy(NONCE_BYTES)
        return nonce + self._ciphers[self.active].encrypt(nonce, secret, bound_to)

    def unwrap(self, master_id: str, wrapped: bytes, bound_to: bytes) -> bytes:
        """Returns what ``wrap`` was given.

        Raises:
            SealError: the key is not in the ring, or a byte has changed.
        """
        cipher = self._ciphers.get(master_id)
        if cipher is None:
            self.refresh()
            cipher = self._ciphers.get(master_id)
        if cipher is None:
            raise SealError(f"master key {master_id!r} is not in the ring")
        try:
            return cipher.decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], bound_to)
        except (InvalidTag, ValueError) as error:
            raise SealError("a wrapped key does not open") from error

    def refresh(self) -> None:
        """Reads the file again: another process may have rotated the ring. A ring in memory stays as it is.

        Raises:
            KeyFileError: the file is missing, open to others or malformed; the ring is as before.
        """
        if self._file is not None:
            with _key_file_errors():
                self._take(self._file.load())

    def rotate(self) -> str:
        """Adds a new key and makes it the active one; returns its id. What is wrapped already stays readable.

        Raises:
            KeyFileError: the file cannot be read or written; the ring is as before.
        """
        with _key_file_errors():
            if self._file is None:
                name = self._entropy(8).hex()
                self._take(keyring.Keyring(primary=name, keys={**self._ring.keys, name: self._entropy(KEY_BYTES)}))
            else:
                self._take(self._file.rotate())
        return self.active

    def retire(self, name: str) -> None:
        """Removes a key that nothing is wrapped under any more (the caller has made sure of it).

        Raises:
            KeyFileError: it is the active one or not there, or the file cannot be read or written.
        """
        self.refresh()
        if name == self.active or name not in self.ids:
            where = "the ring in memory" if self._file is None else self._file.path
            raise KeyFileError(f"{where}: key {name!r} is the active one, or not in the ring")
        kept = self.ids - {name}
        with _key_file_errors():
            if self._file is None:
                keys = {key_id: self._ring.keys[key_id] for key_id in kept}
                self._take(keyring.Keyring(primary=self.active, keys=keys))
            else:
                self._take(self._file.drop_old(kept))


@contextmanager
def _key_file_errors() -> Iterator[None]:
    try:
        yield
    except KeyringDamaged as error:
        raise KeyDamagedError(str(error)) from error
    except KeyringError as error:
        raise KeyFileError(str(error)) from error


def open_signer(path: Path, name: str, *, create: bool = False) -> NoteSigner:
    """Returns the signer whose Ed25519 key is in ``path`` (PEM, PKCS #8), under the key name ``name``.

    Raises:
        KeyFileError: the file is missing, open to others, or holds no such key.
    """
    if create and not path.exists():
        pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        try:
            write_private_file(path, pem, replace=False)
        except KeyFileError:
            if not path.exists():
                raise
    try:
        private = load_pem_private_key(read_private_file(path), None)
    except (ValueError, TypeError) as error:
        raise KeyDamagedError(f"{path}: not a private key in PEM") from error
    if not isinstance(private, Ed25519PrivateKey):
        raise KeyDamagedError(f"{path}: not an Ed25519 key")
    return NoteSigner(name, private)
