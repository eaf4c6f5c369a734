"""Export as JSON Lines with a signed manifest, and its verification by someone who has nothing else.

A line holds a record: the leaf, and where it was opened the headers and the body with the nonces of their commitments,
all in canonical JSON (RFC 8785): who has the line can compute every hash in it. A part of a log carries an inclusion
proof in each line; a whole log needs none, its root is computed from the lines.

The manifest names the log, counts and hashes, and the checkpoint. It is a signed note of the log's own key.
"""

from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Any, BinaryIO

import orjson
from attrs import frozen

from bridge.compliance.checkpoint import NoteSigner, VerifierKey, open_checkpoint, open_note
from bridge.compliance.errors import CodecError, NoteError, ProofError
from bridge.compliance.leaf import canonical, parse
from bridge.compliance.merkle import Frontier, leaf_hash, verify_inclusion
from bridge.compliance.query import Found, Prover
from bridge.compliance.sealing import ATTACHMENT_DOMAIN, BODY_DOMAIN, HEADER_DOMAIN, Opened, commit
from bridge.compliance.verify import Finding, Kept

VERSION = 1
MAX_LINE_BYTES = 64 << 20
_MANIFEST_TITLE = "simplebridge.export/v1"


@frozen(kw_only=True)
class Manifest:
    """What an export is, as its manifest says."""

    log_id: str
    count: int
    events: dict[str, int]
    first_seq: int
    last_seq: int
    sha256: str
    complete: bool
    checkpoint: str
    gone: int = 0
    """Records whose sealed part was destroyed; their leaf is here."""

    def text(self) -> str:
        """Returns the text of the note that is signed."""
        fields = {
            "version": VERSION,
            "log_id": self.log_id,
            "count": self.count,
            "events": self.events,
            "first_seq": self.first_seq,
            "last_seq": self.last_seq,
            "sha256": self.sha256,
            "complete": self.complete,
            "checkpoint": self.checkpoint,
            "gone": self.gone,
        }
        return f"{_MANIFEST_TITLE}\n{orjson.dumps(fields, option=orjson.OPT_SORT_KEYS).decode()}\n"

    @classmethod
    def parse(cls, text: str) -> "Manifest":
        """Reads a note's text. Raises NoteError."""
        title, _, rest = text.partition("\n")
        try:
            fields = orjson.loads(rest)
            if title != _MANIFEST_TITLE or fields.pop("version") != VERSION:
                raise NoteError("not the manifest of an export that this version reads")
            manifest = cls(**fields)
        except (orjson.JSONDecodeError, TypeError, KeyError, AttributeError) as error:
            raise NoteError(f"manifest: {error}") from error
        if manifest.text() != text:
            raise NoteError("manifest: not in its canonical form")
        return manifest


def _line(found: Found, opened: Opened | None, path: Sequence[bytes] | None) -> bytes:
    row = found.row
    out: dict[str, Any] = {"seq": row.seq, "hash": row.hash.hex()}
    if row.content is not None:
        out["leaf"] = orjson.Fragment(row.content)
    if opened is not None:
        if opened.header:
            out["headers"] = orjson.Fragment(opened.header)
            out["header_nonce"] = opened.header_nonce.hex()
        out["body"] = orjson.Fragment(opened.body)
        out["body_nonce"] = opened.body_nonce.hex()
        if opened.attachment_nonces:
            out["attachment_nonces"] = [nonce.hex() for nonce in opened.attachment_nonces]
    if found.problem:
        out["problem"] = found.problem
    if path is not None:
        out["proof"] = [step.hex() for step in path]
    return orjson.dumps(out, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_SORT_KEYS)


def export_jsonl(
    records: Iterable[Found],
    out: BinaryIO,
    *,
    prover: Prover,
    signer: NoteSigner,
    complete: bool,
) -> tuple[Manifest, str]:
    """Writes records as JSON Lines; returns the manifest and its signed note, to be kept beside them.

    Args:
        records: what to export, in order of seq (``query.read_records``), as far as the checkpoint goes.
        out: where to.
        prover: proves inclusion under the published checkpoint.
        signer: signs the manifest.
        complete: whether these are all the records of the log: then no line needs a proof of its own.

    Raises:
        ProofError: the published files do not prove a record.
        OSError: ``out`` cannot be written.
    """
    digest = sha256()
    events: dict[str, int] = {}
    count = gone = 0
    first = last = -1
    for found in records:
        if found.row.seq >= prover.checkpoint.size:
            break
        line = _line(found, found.record.opened, None if complete else prover.path(found.row))
        out.write(line)
        digest.update(line)
        count += 1
        gone += found.problem.startswith("gone")
        events[found.row.event] = events.get(found.row.event, 0) + 1
        first, last = (found.row.seq if first < 0 else first), found.row.seq
    manifest = Manifest(
        log_id=prover.checkpoint.origin,
        count=count,
        events=events,
        first_seq=first,
        last_seq=last,
        sha256=digest.hexdigest(),
        complete=complete,
        checkpoint=prover.note,
        gone=gone,
    )
    return manifest, signer.sign(manifest.text())


class _ExportCheck:
    """One verification of an export."""

    def __init__(self, manifest: Manifest, size: int, root: bytes, kept_sizes: set[int]) -> None:
        self.findings: list[Finding] = []
        self._manifest = manifest
        self._size = size
        self._root = root
        self._tree = Frontier()
        self._digest = sha256()
        self._events: dict[str, int] = {}
        self._last = -1
        self._gone = 0
        self.count = 0
        self._kept_sizes = kept_sizes
        self.roots: dict[int, bytes] = {}

    def line(self, data: bytes) -> None:
        self.count += 1
        self._digest.update(data)
        try:
            fields = orjson.loads(data)
            if not isinstance(fields, dict) or orjson.dumps(fields, option=orjson.OPT_SORT_KEYS) + b"\n" != data:
                raise CodecError("not a canonical JSON object")
            self._record(fields)
        except orjson.JSONDecodeError as error:
            self._find(f"not JSON: {error}")
        except (CodecError, ProofError) as error:
            self._find(str(error))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            self._find(f"a field is missing or of the wrong kind: {type(error).__name__}: {error}")

    def _find(self, what: str, seq: int | None = None) -> None:
        self.findings.append(Finding(f"export line {self.count}", what, seq))

    def _record(self, fields: dict[str, Any]) -> None:
        seq, digest = fields["seq"], bytes.fromhex(fields["hash"])
        if not isinstance(seq, int) or seq <= self._last:
            raise CodecError("seq: not in order")
        self._last = seq
        event = "?"
        if "leaf" in fields:
            content = canonical(fields["leaf"])
            if leaf_hash(content) != digest:
                raise CodecError("hash: is not the hash of the leaf")
            leaf = parse(content)
            if leaf["seq"] != seq or leaf["log_id"] != self._manifest.log_id:
                raise CodecError("leaf: is of another place or log")
            event = leaf["event"]
            self._content(fields, leaf)
        self._events[event] = self._events.get(event, 0) + 1
        self._place(fields, seq, digest)

    def _content(self, fields: dict[str, Any], leaf: dict[str, Any]) -> None:
        problem = str(fields.get("problem", ""))
        if problem.startswith("gone"):
            self._gone += 1
        elif problem:
            raise CodecError(problem)
        if "body_commit" not in leaf or "problem" in fields:
            return
        for name, domain in (("header", HEADER_DOMAIN), ("body", BODY_DOMAIN)):
            if f"{name}_commit" not in leaf:
                continue
            plaintext = orjson.dumps(fields[f"{name}s" if name == "header" else name], option=orjson.OPT_SORT_KEYS)
            if commit(domain, bytes.fromhex(fields[f"{name}_nonce"]), plaintext).hex() != leaf[f"{name}_commit"]:
                raise CodecError(f"{name}: is not what the leaf commits to")
        self._attachments(fields, leaf)

    @staticmethod
    def _attachments(fields: dict[str, Any], leaf: dict[str, Any]) -> None:
        listed = leaf.get("attachments", [])
        nonces = fields.get("attachment_nonces", [])
        body = fields["body"].get("replacement", fields["body"])
        parts = [part for part in body.get("parts", []) if "blob_ref" in part] if listed else []
        if not len(listed) == len(nonces) == len(parts):
            raise CodecError("attachments: not as many as the leaf commits to")
        for item, nonce, part in zip(listed, nonces, parts, strict=True):
            named = orjson.dumps([part["sha256"], part["size"], part["media_type"], part["name"]])
            if commit(ATTACHMENT_DOMAIN, bytes.fromhex(nonce), named).hex() != item["commit"]:
                raise CodecError("attachments: one is not what the leaf commits to")

    def _place(self, fields: dict[str, Any], seq: int, digest: bytes) -> None:
        if self._manifest.complete:
            if seq != self._tree.size:
                raise ProofError(f"seq: {seq} where {self._tree.size} follows in a complete export")
            self._tree.append(digest)
            if self._tree.size in self._kept_sizes:
                self.roots[self._tree.size] = self._tree.root()
        else:
            path = [bytes.fromhex(step) for step in fields["proof"]]
            verify_inclusion(digest, seq, self._size, path, self._root)

    def finish(self) -> None:
        manifest = self._manifest
        for what, found, wanted in (
            ("count", self.count, manifest.count),
            ("sha256", self._digest.hexdigest(), manifest.sha256),
            ("gone", self._gone, manifest.gone),
            ("last_seq", self._last, manifest.last_seq),
        ):
            if found != wanted:
                self.findings.append(Finding("manifest", f"{what}: {wanted} where the lines have {found}"))
        if not self.findings and manifest.complete and (self._tree.size, self._tree.root()) != (self._size, self._root):
            self.findings.append(Finding("manifest", "checkpoint: the lines do not make up the tree that was signed"))


def verify_export(
    lines: Iterable[bytes], manifest_note: str, keys: Sequence[VerifierKey], kept: Sequence[Kept] = ()
) -> tuple[Manifest, list[Finding]]:
    """Verifies an export with the log's public key alone.

    Args:
        lines: the lines of the file, with their line ends.
        manifest_note: the signed manifest.
        keys: the log's public keys.
        kept: checkpoints that were kept elsewhere. One that is larger than the export's shows that it is older than
            that; one within a complete export must have the root that the lines give, or it is reported.

    Returns:
        the manifest, and what does not fit.

    Raises:
        NoteError: the manifest or its checkpoint is not signed by a known key, or malformed.
    """
    manifest = Manifest.parse(open_note(manifest_note, keys))
    checkpoint = open_checkpoint(manifest.checkpoint, keys)
    others = [(copy.name, open_checkpoint(copy.note, keys)) for copy in kept]
    check = _ExportCheck(manifest, checkpoint.size, checkpoint.root, {other.size for _, other in others})
    for line in lines:
        check.line(line)
    check.finish()
    for name, other in others:
        root = checkpoint.root if other.size == checkpoint.size else check.roots.get(other.size, other.root)
        if other.size > checkpoint.size:
            what = f"has {other.size} leaves, the export's checkpoint {checkpoint.size}: the export is older"
            check.findings.append(Finding(name, what))
        elif root != other.root:
            check.findings.append(Finding(name, f"another history: the roots of {other.size} leaves differ"))
    return manifest, check.findings
