"""Key files that others could read are refused; rotation keeps what is wrapped readable."""

import stat
from pathlib import Path

import pytest

from bridge.compliance.errors import KeyDestroyedError, KeyFileError, SealError
from bridge.compliance.keys import Keyring, open_signer, write_private_file
from bridge.compliance.sealing import BODY, KekRow, KeyCase, Sealer

SLOT = (BODY, "default", "2026-11")


def test_a_ring_is_created_for_its_owner_alone_and_read_again(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "master.key"
    ring = Keyring.open(path, create=True)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    wrapped = ring.wrap(b"secret", b"place")
    again = Keyring.open(path, create=True)
    assert again.active == ring.active
    assert again.unwrap(ring.active, wrapped, b"place") == b"secret"
    with pytest.raises(SealError):
        again.unwrap(ring.active, wrapped, b"elsewhere")
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o666, 0o700 | 0o010])
def test_a_file_that_others_can_open_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "master.key"
    Keyring.open(path, create=True)
    path.chmod(mode)
    with pytest.raises(KeyFileError, match=f"mode {mode:04o}"):
        Keyring.open(path)


def test_a_link_a_folder_a_missing_and_a_huge_file_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    Keyring.open(path, create=True)
    link = tmp_path / "link.key"
    link.symlink_to(path)
    huge = tmp_path / "huge.key"
    write_private_file(huge, b"x" * 70_000, replace=False)
    for bad in (link, tmp_path, tmp_path / "missing.key", huge):
        with pytest.raises(KeyFileError, match=str(bad)):
            Keyring.open(bad)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b'{"version":2}',
        b'{"version":1,"active":"a","keys":{}}',
        b'{"version":1,"active":"a","keys":{"a":"AAAA"}}',
        b'{"version":1,"active":"a","keys":{"a":"?"}}',
        b'{"version":1,"active":"a","keys":[]}',
    ],
)
def test_a_malformed_ring_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "master.key"
    write_private_file(path, content, replace=False)
    with pytest.raises(KeyFileError):
        Keyring.open(path)


def test_what_master_keys_were_first_kept_in_is_read_and_written_anew(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    write_private_file(path, b'{"version":1,"active":"a1","keys":{"a1":"%s"}}' % (b"A" * 43 + b"="), replace=False)
    ring = Keyring.open(path)
    wrapped = ring.wrap(b"secret", b"place")
    new = ring.rotate()
    again = Keyring.open(path)
    assert (again.active, again.ids) == (new, frozenset({"a1", new}))
    assert again.unwrap("a1", wrapped, b"place") == b"secret"
    assert b"simplebridge-keyring-1" in path.read_bytes()


def test_rotation_and_retirement(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    ring = Keyring.open(path, create=True)
    old = ring.active
    case = KeyCase("log", ring)
    kek = case.create(1, SLOT)
    new = ring.rotate()
    reopened = Keyring.open(path)
    assert (reopened.active, reopened.ids) == (new, frozenset({old, new}))
    row = KeyCase("log", reopened).rewrap(kek.row)
    assert row.master_id == new
    reopened.retire(old)
    with pytest.raises(KeyFileError, match="active"):
        reopened.retire(new)
    last = KeyCase("log", Keyring.open(path))
    assert last.open(row).secret == kek.secret
    with pytest.raises(SealError, match="not in the ring"):
        last.open(kek.row)


def test_a_rotation_that_cannot_be_saved_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "gone" / "master.key"
    ring = Keyring.open(path, create=True)
    before = ring.active, ring.ids
    path.unlink()
    path.parent.rmdir()
    (tmp_path / "gone").write_text("a file in place of the folder")
    with pytest.raises(KeyFileError):
        ring.rotate()
    assert (ring.active, ring.ids) == before


def test_the_signing_key(tmp_path: Path) -> None:
    path = tmp_path / "log.key"
    signer = open_signer(path, "corp.example/log", create=True)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert open_signer(path, "corp.example/log", create=True).verifier == signer.verifier
    path.chmod(0o644)
    with pytest.raises(KeyFileError):
        open_signer(path, "corp.example/log")
    path.chmod(0o600)
    path.write_bytes(b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
    with pytest.raises(KeyFileError):
        open_signer(path, "corp.example/log")


def test_a_sealed_record_opens_in_its_own_place_alone() -> None:
    case = KeyCase("log", Keyring.ephemeral())
    kek = case.create(1, SLOT)
    sealer = Sealer("log")
    sealed = sealer.seal(kek, 7, "event", header=b"who", body=b"what", attachments=(b"a", b"b"))
    opened = sealer.open(kek, 7, "event", ciphertext=sealed.ciphertext, wrapped=sealed.wrapped)
    assert (opened.header, opened.body) == (b"who", b"what")
    assert (opened.header_commit, opened.body_commit) == (sealed.header_commit, sealed.body_commit)
    assert len(opened.attachment_nonces) == 2
    places = [(sealer, 8, "event"), (sealer, 7, "other"), (Sealer("log2"), 7, "event")]
    for other, seq, event in places:
        with pytest.raises(SealError):
            other.open(kek, seq, event, ciphertext=sealed.ciphertext, wrapped=sealed.wrapped)
    for cut in (b"", sealed.wrapped[:11], sealed.wrapped[:-1]):
        with pytest.raises(SealError, match="data key"):
            sealer.open(kek, 7, "event", ciphertext=sealed.ciphertext, wrapped=cut)
    with pytest.raises(SealError, match="body"):
        sealer.open(kek, 7, "event", ciphertext=sealed.ciphertext[:-1], wrapped=sealed.wrapped)


def test_equal_texts_have_unequal_commitments_and_ciphertexts() -> None:
    kek = KeyCase("log", Keyring.ephemeral()).create(1, SLOT)
    one, other = (Sealer("log").seal(kek, 1, "e", header=b"who", body=b"yes") for _ in range(2))
    assert one.body_commit != other.body_commit
    assert one.header_commit != other.header_commit
    assert one.ciphertext != other.ciphertext


def test_a_destroyed_key_says_so() -> None:
    case = KeyCase("log", Keyring.ephemeral())
    with pytest.raises(KeyDestroyedError, match="leaf 12"):
        case.open(KekRow(1, *SLOT, "m", None, 12))
