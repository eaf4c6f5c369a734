"""The key file, and what is sealed under it."""

import json
import os
import stat
from pathlib import Path

import pytest
from attrs import evolve

from bridge.identity.bindings import NameKey
from bridge.identity.errors import KeyringError, UnknownKey, VaultError
from bridge.identity.keyring import Keyring, KeyringFile
from bridge.identity.secret import Secret
from bridge.identity.vault import Vault
from bridge.model.ids import NetworkId, RemoteUserId
from tests.unit.identity.given import AIM, MSN

OWNER = NameKey(AIM, RemoteUserId("bob99"))


@pytest.fixture
def file(tmp_path: Path) -> KeyringFile:
    return KeyringFile(tmp_path / "vault.keys")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_key_file_is_made_for_its_owner_alone(file: KeyringFile) -> None:
    mask = os.umask(0)
    try:
        ring = file.create()
    finally:
        os.umask(mask)
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert file.load() == ring
    assert len(ring.keys[ring.primary]) == 32
    assert names(file.path.parent) == ["vault.keys"]
    assert ring.keys[ring.primary].hex() not in repr(ring)
    assert "<1 keys>" in repr(ring)


def test_a_key_file_is_never_overwritten(file: KeyringFile) -> None:
    ring = file.create()
    with pytest.raises(KeyringError, match="File exists"):
        file.create()
    assert file.load_or_create() == ring
    assert names(file.path.parent) == ["vault.keys"]


def test_it_is_made_where_there_is_none(file: KeyringFile) -> None:
    assert file.load_or_create() == file.load()
    with pytest.raises(KeyringError, match="No such file"):
        KeyringFile(file.path.with_name("other")).load()


def test_its_folder_is_made_for_its_owner_alone(file: KeyringFile) -> None:
    nested = KeyringFile(file.path.with_name("folder") / "vault.keys")
    assert nested.load_or_create() == nested.load()
    assert stat.S_IMODE(nested.path.parent.stat().st_mode) == 0o700
    file.create()
    beneath = KeyringFile(file.path / "vault.keys")
    with pytest.raises(KeyringError, match=r"exists|Not a directory"):
        beneath.load_or_create()


def test_two_that_start_at_once_agree(file: KeyringFile, monkeypatch: pytest.MonkeyPatch) -> None:
    ring = file.create()
    answers = iter([False, True])
    monkeypatch.setattr(os.path, "lexists", lambda _path: next(answers))
    assert file.load_or_create() == ring


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o610, 0o602])
def test_a_file_that_is_open_to_others_is_refused(file: KeyringFile, mode: int) -> None:
    file.create()
    file.path.chmod(mode)
    with pytest.raises(KeyringError, match=f"mode {mode:04o}"):
        file.load()


def test_what_is_no_plain_file_is_refused(file: KeyringFile) -> None:
    file.create()
    link = KeyringFile(file.path.with_name("link"))
    link.path.symlink_to(file.path)
    with pytest.raises(KeyringError, match="symbolic link"):
        link.load()
    with pytest.raises(KeyringError, match="symbolic link"):
        link.load_or_create()
    pipe = KeyringFile(file.path.with_name("pipe"))
    os.mkfifo(pipe.path, 0o600)
    for other in (KeyringFile(file.path.parent), pipe):
        with pytest.raises(KeyringError, match="not a regular file"):
            other.load()


def test_a_file_of_another_user_is_refused(file: KeyringFile, monkeypatch: pytest.MonkeyPatch) -> None:
    file.create()
    os.chown(file.path, 12345, -1) if os.geteuid() == 0 else monkeypatch.setattr(os, "geteuid", lambda: 54321)
    with pytest.raises(KeyringError, match="belongs to another user"):
        file.load()


GOOD = {"format": "simplebridge-keyring-1", "primary": "a", "keys": {"a": "A" * 43 + "="}}


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("{", "not JSON"),
        ("\udcff", "not JSON"),
        ("[]", "not a keyring of the format"),
        (json.dumps({**GOOD, "format": "2"}), "not a keyring of the format"),
        (json.dumps({**GOOD, "keys": []}), "has no keys"),
        (json.dumps({**GOOD, "primary": 1}), "names no primary"),
        (json.dumps({**GOOD, "primary": "b"}), "primary key is not among"),
        (json.dumps({**GOOD, "keys": {"a": "AAAA"}}), "3 bytes instead of 32"),
        (json.dumps({**GOOD, "keys": {"a": 5}}), "0 bytes instead of 32"),
        (json.dumps({**GOOD, "keys": {"a": "!" * 44}}), "not base64"),
        (json.dumps({**GOOD, "keys": {"a": "é"}}), "not base64"),
        (" " * 70_000, "too large"),
    ],
)
def test_damaged_files_are_refused(file: KeyringFile, content: str, why: str) -> None:
    file.path.write_bytes(content.encode(errors="surrogateescape"))
    file.path.chmod(0o600)
    with pytest.raises(KeyringError) as caught:
        file.load()
    assert why in str(caught.value)
    assert str(file.path) in str(caught.value)


def test_rotation(file: KeyringFile) -> None:
    first = file.create()
    second = file.rotate()
    assert second.primary != first.primary
    assert set(second.keys) == {first.primary, second.primary}
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert file.drop_old(frozenset({first.primary})) == second
    third = file.drop_old()
    assert set(third.keys) == {second.primary}
    assert file.load() == third
    assert names(file.path.parent) == ["vault.keys"]


def test_a_disk_that_fails_leaves_the_old_file(file: KeyringFile, monkeypatch: pytest.MonkeyPatch) -> None:
    ring = file.create()

    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(KeyringError, match="No space left"):
            file.rotate()
    assert file.load() == ring
    assert names(file.path.parent) == ["vault.keys"]


# --- the vault


def test_what_is_sealed_opens(file: KeyringFile) -> None:
    vault = Vault.of_file(file)
    for text in ("geheim", "", "ü" * 500, "x" * 60):
        sealed = vault.seal(OWNER, Secret(text))
        assert vault.open(OWNER, sealed) == Secret(text)
        assert not text or text.encode() not in sealed.ciphertext
        assert sealed.key_id == vault.primary
    assert vault.seal(OWNER, Secret("a")) != vault.seal(OWNER, Secret("a"))
    assert "ciphertext" not in repr(sealed)


def test_a_ciphertext_does_not_tell_how_long_the_password_is(file: KeyringFile) -> None:
    vault = Vault.of_file(file)
    assert len({len(vault.seal(OWNER, Secret("x" * length)).ciphertext) for length in range(60)}) == 1


@pytest.mark.parametrize(
    "other",
    [
        NameKey(MSN, RemoteUserId("bob99")),
        NameKey(AIM, RemoteUserId("bob9")),
        NameKey(NetworkId("aimbob"), RemoteUserId("99")),
    ],
)
def test_a_password_opens_for_its_own_name_alone(file: KeyringFile, other: NameKey) -> None:
    vault = Vault.of_file(file)
    sealed = vault.seal(OWNER, Secret("geheim"))
    with pytest.raises(VaultError, match="altered, or sealed for another name"):
        vault.open(other, sealed)


def flips(data: bytes) -> list[bytes]:
    return [bytes([*data[:at], data[at] ^ 1, *data[at + 1 :]]) for at in range(len(data))]


def test_one_flipped_bit_is_found(file: KeyringFile) -> None:
    vault = Vault.of_file(file)
    sealed = vault.seal(OWNER, Secret("geheim"))
    altered = [evolve(sealed, nonce=flipped) for flipped in flips(sealed.nonce)]
    altered += [evolve(sealed, ciphertext=flipped) for flipped in flips(sealed.ciphertext)]
    for wrong in altered:
        with pytest.raises(VaultError):
            vault.open(OWNER, wrong)
    for short in (evolve(sealed, nonce=b""), evolve(sealed, ciphertext=b"")):
        with pytest.raises(VaultError):
            vault.open(OWNER, short)


def test_the_id_of_the_key_is_bound_in() -> None:
    key = bytes(32)
    vault = Vault(Keyring(primary="a", keys={"a": key, "b": key}))
    with pytest.raises(VaultError):
        vault.open(OWNER, evolve(vault.seal(OWNER, Secret("x")), key_id="b"))


def test_a_key_of_another_process_is_read_again(file: KeyringFile) -> None:
    daemon = Vault.of_file(file)
    file.rotate()
    sealed = Vault.of_file(file).seal(OWNER, Secret("geheim"))
    assert sealed.key_id != daemon.primary
    assert daemon.open(OWNER, sealed) == Secret("geheim")
    assert sealed.key_id == daemon.primary


def test_a_key_that_is_gone() -> None:
    sealed = Vault(Keyring(primary="a", keys={"a": bytes(32)})).seal(OWNER, Secret("x"))
    with pytest.raises(UnknownKey, match=r"aim/bob99: .*not in the keyring \(key a\)"):
        Vault(Keyring(primary="b", keys={"b": bytes(32)})).open(OWNER, sealed)
