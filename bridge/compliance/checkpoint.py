"""Signed notes and checkpoints (C2SP signed-note, tlog-checkpoint), Ed25519 signatures (RFC 8032), and tlog-proof.

Formats of others, so that tools of others check our log: https://c2sp.org/signed-note, https://c2sp.org/tlog-checkpoint,
https://c2sp.org/tlog-proof.
"""

import base64
import binascii
from collections.abc import Sequence
from hashlib import sha256

from attrs import frozen
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from bridge.compliance.errors import NoteError, ProofError
from bridge.compliance.merkle import HASH_BYTES, verify_inclusion

ED25519 = b"\x01"
"""The signature type of an Ed25519 note signature."""
PROOF_MAGIC = "c2sp.org/tlog-proof@v1"
MAX_NOTE_BYTES = 1 << 20
MAX_SIGNATURES = 64
MAX_PATH = 64
_DASH = "\u2014 "


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _unb64(text: str, what: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise NoteError(f"{what}: not base64") from error
    if _b64(data) != text:  # trailing bits that are set would let two texts mean one signature
        raise NoteError(f"{what}: not canonical base64")
    return data


def _check_name(name: str) -> None:
    if not name or "+" in name or any(char.isspace() or not char.isprintable() for char in name):
        raise NoteError(f"not a key name: {name!r}")


@frozen
class VerifierKey:
    """A public key with its name: what a note is checked against.

    Its text form is the ``vkey`` of Go's note package: ``name+hexid+base64(type || key)``.
    """

    name: str
    public: bytes

    def __attrs_post_init__(self) -> None:
        _check_name(self.name)
        if len(self.public) != 32:
            raise NoteError(f"an Ed25519 public key has 32 bytes, not {len(self.public)}")

    @property
    def key_id(self) -> bytes:
        """The four bytes that name the key: SHA-256(name || LF || type || key)[:4]."""
        return sha256(self.name.encode() + b"\n" + ED25519 + self.public).digest()[:4]

    def __str__(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{_b64(ED25519 + self.public)}"

    @classmethod
    def parse(cls, text: str) -> "VerifierKey":
        """Reads the text form.

        Raises:
            NoteError: it is malformed, of another type, or its key id does not fit.
        """
        pieces = text.strip().split("+", 2)  # base64 may hold a plus; neither the name nor the id can
        if len(pieces) != 3:
            raise NoteError("a verifier key is name+id+key")
        data = _unb64(pieces[2], "verifier key")
        if data[:1] != ED25519:
            raise NoteError("the verifier key is not of type Ed25519")
        key = cls(pieces[0], data[1:])
        if key.key_id.hex() != pieces[1]:
            raise NoteError("the key id does not fit the verifier key")
        return key

    def verify(self, text: bytes, signature: bytes) -> bool:
        """Returns whether ``signature`` (without key id) is this key's over ``text``."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, text)
        except (InvalidSignature, ValueError):
            return False
        return True


class NoteSigner:
    """A private key with its name.

    Args:
        name: the key name; for a log's own checkpoints its origin.
        private: the Ed25519 key.
    """

    __slots__ = ("_private", "verifier")

    def __init__(self, name: str, private: Ed25519PrivateKey) -> None:
        self._private = private
        self.verifier = VerifierKey(name, private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))

    def sign(self, text: str) -> str:
        """Returns the note of ``text`` (which ends in a newline) with this key's signature."""
        if not text.endswith("\n"):
            raise NoteError("the text of a note ends in a newline")
        signature = self._private.sign(text.encode())
        return f"{text}\n{_DASH}{self.verifier.name} {_b64(self.verifier.key_id + signature)}\n"


def open_note(note: str, keys: Sequence[VerifierKey]) -> str:
    """Returns the text of a note that at least one of ``keys`` has signed.

    Signatures of unknown keys are ignored; one of a known key that does not hold rejects the note.

    Raises:
        NoteError: it is malformed, too large, or no known key has signed it.
    """
    if len(note) > MAX_NOTE_BYTES:
        raise NoteError(f"a note of more than {MAX_NOTE_BYTES} characters")
    if any(char < " " and char != "\n" for char in note):
        raise NoteError("a control character in a note")
    text, blank, tail = note.rpartition("\n\n")
    if not blank or not tail.endswith("\n"):
        raise NoteError("a note has a text, an empty line and signature lines")
    text += "\n"
    lines = tail[:-1].split("\n")
    if len(lines) > MAX_SIGNATURES:
        raise NoteError(f"more than {MAX_SIGNATURES} signatures")
    known = {(key.name, key.key_id): key for key in keys}
    signed = False
    for line in lines:
        name, data = _signature_line(line)
        key = known.get((name, data[:4]))
        if key is None:
            continue
        if not key.verify(text.encode("utf-8", "surrogatepass"), data[4:]):
            raise NoteError(f"the signature of {name} does not hold")
        signed = True
    if not signed:
        raise NoteError("no known key has signed the note")
    return text


def _signature_line(line: str) -> tuple[str, bytes]:
    if not line.startswith(_DASH):
        raise NoteError(f"not a signature line: {line[:40]!r}")
    name, space, encoded = line[len(_DASH) :].partition(" ")
    if not space:
        raise NoteError(f"not a signature line: {line[:40]!r}")
    _check_name(name)
    data = _unb64(encoded, f"signature of {name}")
    if len(data) < 5:
        raise NoteError(f"signature of {name}: too short")
    return name, data


@frozen
class Checkpoint:
    """The head of a log's tree: its origin, how many leaves it has, and its root."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        """Returns the text that is signed."""
        return f"{self.origin}\n{self.size}\n{_b64(self.root)}\n"

    @classmethod
    def parse(cls, text: str) -> "Checkpoint":
        """Reads a note's text; extension lines are let pass.

        Raises:
            NoteError: a line is missing or malformed.
        """
        lines = text.split("\n")
        if len(lines) < 4 or lines[-1] or not all(lines[:-1]):
            raise NoteError("a checkpoint has at least three non-empty lines")
        root = _unb64(lines[2], "root hash")
        if len(root) != HASH_BYTES:
            raise NoteError(f"a root hash has {HASH_BYTES} bytes, not {len(root)}")
        return cls(lines[0], _decimal(lines[1], "tree size"), root)


def _decimal(text: str, what: str) -> int:
    if not (text.isascii() and text.isdecimal()) or len(text) > 19 or (text[0] == "0" and text != "0"):
        raise NoteError(f"{what}: not a decimal number: {text[:24]!r}")
    return int(text)


def open_checkpoint(note: str, keys: Sequence[VerifierKey]) -> Checkpoint:
    """Returns the checkpoint in a note that one of ``keys`` has signed.

    Raises:
        NoteError: see ``open_note`` and ``Checkpoint.parse``; or the origin is not the name of a key that signed.
    """
    checkpoint = Checkpoint.parse(open_note(note, keys))
    if checkpoint.origin not in {key.name for key in keys}:
        raise NoteError(f"a checkpoint of another log: {checkpoint.origin!r}")
    return checkpoint


@frozen
class Proof:
    """A self-contained proof that a leaf is in a log (tlog-proof)."""

    index: int
    path: tuple[bytes, ...]
    checkpoint: str
    """The signed note, verbatim."""
    extra: bytes = b""
    """Unauthenticated extra data: here the leaf's content, so that the proof file is enough by itself."""

    def text(self) -> str:
        """Returns the file's text; such files end in ``.tlog-proof``."""
        lines = [PROOF_MAGIC]
        if self.extra:
            lines.append(f"extra {_b64(self.extra)}")
        lines.append(f"index {self.index}")
        lines.extend(_b64(step) for step in self.path)
        return "\n".join(lines) + "\n\n" + self.checkpoint

    @classmethod
    def parse(cls, text: str) -> "Proof":
        """Reads a proof file.

        Raises:
            NoteError: a line is malformed.
        """
        if len(text) > MAX_NOTE_BYTES:
            raise NoteError("a proof that is too large")
        head, blank, note = text.partition("\n\n")
        lines = head.split("\n")
        if not blank or lines[0] != PROOF_MAGIC:
            raise NoteError(f"a proof starts with {PROOF_MAGIC} and holds a checkpoint")
        at = 1
        extra = b""
        if at < len(lines) and lines[at].startswith("extra "):
            extra = _unb64(lines[at][6:], "extra")
            if not extra:
                raise NoteError("extra: empty")
            at += 1
        if at >= len(lines) or not lines[at].startswith("index "):
            raise NoteError("a proof has an index line")
        index = _decimal(lines[at][6:] or "-", "index")
        path = tuple(_unb64(line, "proof") for line in lines[at + 1 :])
        if len(path) > MAX_PATH or any(len(step) != HASH_BYTES for step in path):
            raise NoteError(f"a proof is at most {MAX_PATH} hashes of {HASH_BYTES} bytes")
        return cls(index, path, note, extra)


def verify_proof(proof: Proof, leaf: bytes, keys: Sequence[VerifierKey]) -> Checkpoint:
    """Returns the checkpoint under which ``proof`` shows the leaf of this hash to be.

    Raises:
        NoteError: the checkpoint's signature does not hold.
        ProofError: the path does not lead to its root.
    """
    checkpoint = open_checkpoint(proof.checkpoint, keys)
    try:
        verify_inclusion(leaf, proof.index, checkpoint.size, proof.path, checkpoint.root)
    except ProofError as error:
        raise ProofError(f"index {proof.index}: {error}") from error
    return checkpoint
