"""Notes, checkpoints and proofs: examples of the specifications, and everything that must be refused."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from bridge.compliance.checkpoint import (
    Checkpoint,
    NoteSigner,
    Proof,
    VerifierKey,
    open_checkpoint,
    open_note,
    verify_proof,
)
from bridge.compliance.errors import NoteError, ProofError
from bridge.compliance.merkle import Frontier, inclusion_proof, leaf_hash, subtree_of

# Go's note package documents this key and note (golang.org/x/mod/sumdb/note).
PETER = VerifierKey.parse("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")
PETERS_NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
SIGNER = NoteSigner("corp.example/log", Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
KEY = SIGNER.verifier


def test_a_note_that_another_implementation_signed() -> None:
    assert open_note(PETERS_NOTE, [PETER]).startswith("If you think")
    assert str(PETER) == "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"


def test_a_changed_character_of_a_note_is_refused() -> None:
    for at in range(len(PETERS_NOTE)):
        for replacement in ("x", "\n", "A"):
            if PETERS_NOTE[at] != replacement:
                with pytest.raises(NoteError):
                    open_note(PETERS_NOTE[:at] + replacement + PETERS_NOTE[at + 1 :], [PETER])


def test_checkpoint_round_trip() -> None:
    checkpoint = Checkpoint("corp.example/log", 20852163, leaf_hash(b"x"))
    note = SIGNER.sign(checkpoint.text())
    assert open_checkpoint(note, [KEY]) == checkpoint
    assert note.split("\n")[1] == "20852163"


def test_signatures_of_unknown_keys_are_ignored_and_bad_ones_of_known_keys_are_not() -> None:
    witness = NoteSigner("witness.example", Ed25519PrivateKey.generate())
    text = Checkpoint("corp.example/log", 1, leaf_hash(b"x")).text()
    both = SIGNER.sign(text) + witness.sign(text).split("\n\n")[1]
    assert open_note(both, [KEY]) == text
    assert open_note(both, [KEY, witness.verifier]) == text
    with pytest.raises(NoteError, match="no known key"):
        open_note(witness.sign(text), [KEY])
    forged = both.replace(witness.sign(text).split("\n\n")[1], witness.sign("other\n").split("\n\n")[1])
    assert open_note(forged, [KEY]) == text
    with pytest.raises(NoteError, match="does not hold"):
        open_note(forged, [KEY, witness.verifier])


@pytest.mark.parametrize(
    "text",
    [
        "corp.example/log\n01\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n",
        "corp.example/log\n-1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n",
        "corp.example/log\n١\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n",
        "corp.example/log\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2J=\n",
        "corp.example/log\n1\nCsUY\n",
        "corp.example/log\n1\n",
        "\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n",
        "other.example/log\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n",
    ],
)
def test_malformed_checkpoints_are_refused_although_they_are_signed(text: str) -> None:
    with pytest.raises(NoteError):
        open_checkpoint(SIGNER.sign(text), [KEY])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "name",
        "name+00000000+AAAA",
        "na me+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumann+c74f20a3+AhpC2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
    ],
)
def test_malformed_keys_are_refused(text: str) -> None:
    with pytest.raises(NoteError):
        VerifierKey.parse(text)


def _proof(index: int = 2, size: int = 7) -> Proof:
    leaves = [leaf_hash(b"%d" % number) for number in range(size)]
    tree = Frontier()
    tree.extend(leaves)
    note = SIGNER.sign(Checkpoint(KEY.name, size, tree.root()).text())
    return Proof(index, tuple(inclusion_proof(index, size, subtree_of(leaves))), note, b"the leaf")


def test_proof_files() -> None:
    proof = _proof()
    lines = proof.text().split("\n")
    assert lines[0] == "c2sp.org/tlog-proof@v1"
    assert lines[1] == "extra " + base64.b64encode(b"the leaf").decode()
    assert lines[2] == "index 2"
    assert lines[6] == ""
    assert Proof.parse(proof.text()) == proof
    assert verify_proof(Proof.parse(proof.text()), leaf_hash(b"2"), [KEY]).size == 7
    with pytest.raises(ProofError):
        verify_proof(proof, leaf_hash(b"3"), [KEY])
    alone = _proof(0, 1)
    assert Proof.parse(alone.text()) == alone


@pytest.mark.parametrize(
    "text",
    [
        "",
        "c2sp.org/tlog-proof@v2\nindex 0\n\nx",
        "c2sp.org/tlog-proof@v1\n\nx",
        "c2sp.org/tlog-proof@v1\nindex 00\n\nx",
        "c2sp.org/tlog-proof@v1\nindex \n\nx",
        "c2sp.org/tlog-proof@v1\nindex 0\nAAAA\n\nx",
        "c2sp.org/tlog-proof@v1\nextra ?\nindex 0\n\nx",
    ],
)
def test_malformed_proofs_are_refused(text: str) -> None:
    with pytest.raises(NoteError):
        Proof.parse(text)


@given(st.text(st.characters(exclude_characters="\x00"), max_size=200))
def test_any_text_is_refused_with_a_typed_error(text: str) -> None:
    for read in (lambda: open_checkpoint(text, [KEY]), lambda: Proof.parse(text), lambda: VerifierKey.parse(text)):
        with pytest.raises(NoteError):
            read()
