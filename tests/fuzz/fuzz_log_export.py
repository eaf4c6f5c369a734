"""Lines of an export that a stranger hands us: findings, never another error."""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bridge.compliance.checkpoint import Checkpoint, NoteSigner
from bridge.compliance.export import Manifest, verify_export
from bridge.compliance.merkle import EMPTY_ROOT

_SIGNER = NoteSigner("corp.example/log", Ed25519PrivateKey.from_private_bytes(bytes(32)))
_MANIFEST = Manifest(
    log_id="corp.example/log",
    count=1,
    events={"start": 1},
    first_seq=0,
    last_seq=0,
    sha256="00" * 32,
    complete=False,
    checkpoint=_SIGNER.sign(Checkpoint("corp.example/log", 1, EMPTY_ROOT).text()),
)
_NOTE = _SIGNER.sign(_MANIFEST.text())
SEEDS: list[bytes] = [
    b'{"hash":"00","leaf":{"event":"start","log_id":"corp.example/log","seq":0,"t_intake":1,"v":1},"proof":[],"seq":0}\n',
    (
        b'{"attachment_nonces":["00"],"body":{"parts":[{"blob_ref":"x"}]},"body_nonce":"00","hash":"00","proof":["00"],'
        b'"seq":0}\n'
    ),
    b"{}\n",
    b"[]\n",
]


def one(data: bytes) -> None:
    """Tries one input as the lines of an export, whose hash the manifest can never have."""
    _, findings = verify_export(data.splitlines(keepends=True), _NOTE, [_SIGNER.verifier])
    assert findings
