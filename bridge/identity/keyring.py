"""A file of keys with ids, readable by its owner alone.

JSON: ``{"format": "simplebridge-keyring-1", "primary": ID, "keys": {ID: BASE64 of 32 bytes, ...}}``. The primary key
seals; the others open what was sealed before the last rotation. The file is always replaced whole, never written in
place: a crash leaves the old one or the new one. Read is also what the master keys were first kept in: ``{"version": 1,
"active": ID, "keys": {...}}``; a rotation writes it anew.
"""

import base64
import binascii
import errno
import fcntl
import json
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import cast

from attrs import evolve, field, frozen

from bridge.identity.errors import KeyringDamaged, KeyringError, UnknownKey

KEY_BYTES = 32
_FORMAT = "simplebridge-keyring-1"
_FIRST_VERSION = 1
_MAX_FILE = 64 * 1024
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


@frozen(kw_only=True)
class Keyring:
    """Keys of 256 bits by id."""

    primary: str
    keys: Mapping[str, bytes] = field(repr=lambda keys: f"<{len(keys)} keys>")

    def key(self, key_id: str) -> bytes:
        """Returns a key.

        Raises:
            UnknownKey: it is not in the ring.
        """
        try:
            return self.keys[key_id]
        except KeyError:
            raise UnknownKey("the key that sealed it is not in the keyring", f"key {key_id}") from None


class KeyringFile:
    """Makes, reads and rotates a key file.

    Args:
        path: where it is; its folder is made with mode 0700 where there is none.
        entropy: returns as many random bytes as asked.
    """

    def __init__(self, path: str | os.PathLike[str], entropy: Callable[[int], bytes] = os.urandom) -> None:
        self.path = Path(path)
        self._entropy = entropy

    def create(self) -> Keyring:
        """Makes the file with one key, mode 0600, in one step. A file that is there already is never touched.

        Raises:
            KeyringError: there is one already, or the folder cannot be written.
        """
        ring = Keyring(primary=(key_id := self._new_id()), keys={key_id: self._entropy(KEY_BYTES)})
        with self._errors():
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            temporary = self._write_temporary(ring)
            try:
                os.link(temporary, self.path)  # fails where the name is taken: nothing is ever overwritten
            finally:
                temporary.unlink()
            self._sync_folder()
        return ring

    def load(self) -> Keyring:
        """Reads the file.

        Raises:
            KeyringError: it is missing, a link, not ours, open to others, or not a keyring.
        """
        with self._errors():
            # O_NONBLOCK: a pipe in its place must not stop the start
            handle = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
            try:
                self._check_guarded(os.fstat(handle))
                data = os.read(handle, _MAX_FILE + 1)
            finally:
                os.close(handle)
        if len(data) > _MAX_FILE:
            raise KeyringDamaged("is too large to be a keyring", str(self.path))
        return parse_keyring(data, str(self.path))

    def load_or_create(self) -> Keyring:
        """Reads the file, or makes it where there is none (two that start at once agree on one file)."""
        if not os.path.lexists(self.path):
            try:
                return self.create()
            except KeyringError:
                if not os.path.lexists(self.path):
                    raise
        return self.load()

    def rotate(self) -> Keyring:
        """Adds a key and makes it the primary one; the old ones stay, to open with. Returns the ring as it is now."""

        def add(ring: Keyring) -> Keyring:
            key_id = self._new_id()
            return Keyring(primary=key_id, keys={**ring.keys, key_id: self._entropy(KEY_BYTES)})

        return self._change(add)

    def drop_old(self, used: frozenset[str] = frozenset()) -> Keyring:
        """Drops every key but the primary one and those that are still ``used``. Call it once all is sealed anew."""

        def drop(ring: Keyring) -> Keyring:
            keep = used | {ring.primary}
            return evolve(ring, keys={key_id: key for key_id, key in ring.keys.items() if key_id in keep})

        return self._change(drop)

    def _change(self, change: Callable[[Keyring], Keyring]) -> Keyring:
        with self._errors(), self._lock():
            ring = change(self.load())
            os.replace(self._write_temporary(ring), self.path)
            self._sync_folder()
            return ring

    def _new_id(self) -> str:
        return self._entropy(8).hex()

    def _write_temporary(self, ring: Keyring) -> Path:
        content = {
            "format": _FORMAT,
            "primary": ring.primary,
            "keys": {key_id: base64.b64encode(key).decode() for key_id, key in ring.keys.items()},
        }
        path = self.path.with_name(f".{self.path.name}.{self._entropy(8).hex()}")
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(handle, "w", encoding="ascii") as file:
                json.dump(content, file, indent=1)
                file.flush()
                os.fsync(file.fileno())
        except BaseException:
            path.unlink()
            raise
        return path

    def _sync_folder(self) -> None:
        handle = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """Two rotations at once would each drop the other's key: the folder is locked, since the file is replaced."""
        handle = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            what = "is a symbolic link" if error.errno == errno.ELOOP else error.strerror or str(error)
            raise KeyringError(what, str(self.path)) from error

    def _check_guarded(self, status: os.stat_result) -> None:
        if not stat.S_ISREG(status.st_mode):
            raise KeyringError("is not a regular file", str(self.path))
        if status.st_mode & _OTHERS:
            mode = stat.S_IMODE(status.st_mode)
            raise KeyringError(f"is open to others (mode {mode:04o}): chmod 600 it and rotate its keys", str(self.path))
        if status.st_uid not in {os.geteuid(), 0}:
            raise KeyringError(f"belongs to another user (uid {status.st_uid})", str(self.path))


def parse_keyring(data: bytes, where: str) -> Keyring:
    """Reads the content of a key file. ``where`` is its path, for errors.

    Raises:
        KeyringDamaged: it is not a keyring; the error never holds a part of it but the id of a key.
    """
    try:
        content = json.loads(data)
    except (ValueError, RecursionError):
        raise KeyringDamaged("is not JSON", where) from None
    if not isinstance(content, dict):
        raise KeyringDamaged(f"is not a keyring of the format {_FORMAT}", where)
    if content.get("format") == _FORMAT:
        primary = content.get("primary")
    elif content.get("version") == _FIRST_VERSION:
        primary = content.get("active")
    else:
        raise KeyringDamaged(f"is not a keyring of the format {_FORMAT}", where)
    entries = content.get("keys")
    if not isinstance(entries, dict) or not isinstance(primary, str):
        raise KeyringDamaged("has no keys or names no primary one", where)
    keys = {key_id: _parse_key(key_id, text, where) for key_id, text in cast("dict[str, object]", entries).items()}
    if primary not in keys:
        raise KeyringDamaged("its primary key is not among its keys", where)
    return Keyring(primary=primary, keys=keys)


def _parse_key(key_id: str, text: object, where: str) -> bytes:
    try:
        key = base64.b64decode(text, validate=True) if isinstance(text, str) else b""
    except (binascii.Error, ValueError):
        raise KeyringDamaged(f"its key {key_id!r} is not base64", where) from None
    if len(key) != KEY_BYTES:
        raise KeyringDamaged(f"its key {key_id!r} has {len(key)} bytes instead of {KEY_BYTES}", where)
    return key
