"""Notes, checkpoints, keys, proofs, tiles and bundles that others hand us: typed errors and nothing else."""

from bridge.compliance.checkpoint import Checkpoint, Proof, VerifierKey, open_note
from bridge.compliance.errors import NoteError, ProofError
from bridge.compliance.merkle import Frontier
from bridge.compliance.tiles import Tile, decode_bundle, encode_bundle

_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
SEEDS: list[bytes] = [
    _KEY.encode(),
    b"example.com/log\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n",
    "text\n\n— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXg=\n".encode(),
    b"c2sp.org/tlog-proof@v1\nextra AAAA\nindex 2\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\ntext\n",
    b"tile/0/x001/x234/067.p/17",
    b"\x00\x03abc\x00\x00",
]


def one(data: bytes) -> None:
    """Tries one input in every decoder."""
    text = data.decode("utf-8", "surrogateescape")
    try:
        open_note(text, [VerifierKey.parse(_KEY)])
    except NoteError:
        pass
    try:
        assert Checkpoint.parse(text).text() == "\n".join(text.split("\n")[:3]) + "\n"
    except NoteError:
        pass
    try:
        assert Proof.parse(text).text() == text
    except NoteError:
        pass
    try:
        assert str(VerifierKey.parse(text)) == text.strip()
    except NoteError:
        pass
    try:
        assert Tile.parse(text).path() == text
    except NoteError:
        pass
    try:
        assert encode_bundle(decode_bundle(data)) == data
    except NoteError:
        pass
    try:
        assert Frontier.from_bytes(len(data) and data[0], data[1:]).to_bytes() == data[1:]
    except ProofError:
        pass
