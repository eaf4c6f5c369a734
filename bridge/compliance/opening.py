"""Opening records: a leaf and what is sealed of it become the message again, and each is held against the other."""

from collections.abc import Iterable
from typing import Any

import orjson
from attrs import frozen

from bridge.compliance import codec
from bridge.compliance.errors import CodecError, KeyDestroyedError, SealError
from bridge.compliance.keys import Keyring
from bridge.compliance.leaf import Pseudonyms, parse
from bridge.compliance.merkle import leaf_hash
from bridge.compliance.record import INTAKES
from bridge.compliance.rows import LeafRow, SealedRow
from bridge.compliance.sealing import ALWAYS, ATTACHMENT_DOMAIN, BODY, PID, KekRow, KeyCase, Opened, Sealer, commit
from bridge.model.body import Attachment, Body, Edit, Message, TextPart
from bridge.model.envelope import Envelope


@frozen(kw_only=True)
class OpenRecord:
    """A record that was read back: the leaf's fields and what was sealed with it."""

    seq: int
    hash: bytes
    fields: dict[str, Any]
    envelope: Envelope | None = None
    payload: dict[str, Any] | None = None
    opened: Opened | None = None
    """The plaintexts and nonces as they were sealed: what an export shows."""


def attachment_texts(body: Body) -> tuple[Attachment, ...]:
    """Returns the attachments of a body, in order."""
    message = body.replacement if type(body) is Edit else body
    if type(message) is not Message:
        return ()
    parts = message.parts
    if len(parts) == 1 and type(parts[0]) is TextPart:  # nearly all messages: not worth a generator
        return ()
    return tuple(part for part in parts if isinstance(part, Attachment))


def attachment_plaintext(attachment: Attachment) -> bytes:
    """Returns what an attachment's commitment commits to: the digest of its bytes, and what it was called."""
    named = [attachment.sha256, attachment.size, attachment.media_type, attachment.name]
    return orjson.dumps(named)


def read_leaf(row: LeafRow, log_id: str) -> dict[str, Any]:
    """Returns the fields of a leaf after holding its hash and the row's columns against its content.

    Raises:
        CodecError: they differ, or the content was disposed of; the message names the column.
    """
    if row.content is None:
        raise CodecError("content: was disposed of")
    if leaf_hash(row.content) != row.hash:
        raise CodecError("hash: is not the hash of the content")
    fields = parse(row.content)
    for name, found, wanted in (
        ("log_id", fields["log_id"], log_id),
        ("seq", row.seq, fields["seq"]),
        ("event", row.event, fields["event"]),
        ("msg_id", row.msg_id, fields.get("msg_id")),
        ("t_intake", row.t_intake, fields["t_intake"]),
    ):
        if found != wanted:
            raise CodecError(f"{name}: {found!r} where the leaf says {wanted!r}")
    return fields


class Opener:
    """Opens the records of one log.

    Args:
        log_id: the log.
        keyring: the master keys.
        keks: the log's key-encryption keys.
    """

    def __init__(self, log_id: str, keyring: Keyring, keks: Iterable[KekRow]) -> None:
        self._log_id = log_id
        self._case = KeyCase(log_id, keyring)
        self._sealer = Sealer(log_id)
        self._by_id: dict[int, KekRow] = {}
        self._by_slot: dict[tuple[str, str, str], KekRow] = {}
        self._pseudonyms: dict[str, Pseudonyms] = {}
        for row in keks:
            self._by_id[row.id] = row
            self._by_slot[row.slot] = row

    def secret(self, purpose: str, retention_class: str = "", period: str = ALWAYS) -> bytes:
        """Returns a key of the log. Raises SealError."""
        row = self._by_slot.get((purpose, retention_class, period))
        if row is None:
            raise SealError(f"there is no key {purpose}/{retention_class}/{period}")
        return self._case.open(row).secret

    def pseudonyms(self, period: str) -> Pseudonyms:
        """Returns the pseudonyms of a period. Raises SealError."""
        found = self._pseudonyms.get(period)
        if found is None:
            found = self._pseudonyms[period] = Pseudonyms(self.secret(PID, period=period), period)
        return found

    def periods(self) -> tuple[str, ...]:
        """Returns the periods that have pseudonyms, oldest first."""
        return tuple(sorted(period for purpose, _, period in self._by_slot if purpose == PID))

    def open(self, leaf: LeafRow, sealed: SealedRow | None) -> OpenRecord:
        """Returns a record, checked: leaf against its hash and columns, plaintexts against their commitments.

        Raises:
            CodecError: leaf, headers or body are not what they should be.
            KeyDestroyedError: the sealed part is gone on purpose.
            SealError: the sealed part is missing or does not open.
        """
        fields = read_leaf(leaf, self._log_id)
        if "body_commit" not in fields:
            if sealed is not None:
                raise CodecError("body: there is one, and the leaf has no commitment to it")
            return OpenRecord(seq=leaf.seq, hash=leaf.hash, fields=fields)
        opened = self._unseal(leaf, sealed, str(fields.get("retention_class")))
        if opened.body_commit.hex() != fields["body_commit"]:
            raise CodecError("body_commit: is not the commitment of the body")
        if "header_commit" not in fields:
            return OpenRecord(seq=leaf.seq, hash=leaf.hash, fields=fields, payload=self._payload(opened), opened=opened)
        if opened.header_commit.hex() != fields["header_commit"]:
            raise CodecError("header_commit: is not the commitment of the headers")
        envelope = codec.decode(opened.header, opened.body)
        self._check_envelope(envelope, opened, fields)
        return OpenRecord(seq=leaf.seq, hash=leaf.hash, fields=fields, envelope=envelope, opened=opened)

    def _unseal(self, leaf: LeafRow, sealed: SealedRow | None, retention_class: str) -> Opened:
        if sealed is None or (sealed.ciphertext is None and sealed.wrapped is None):
            raise SealError(f"the sealed part of record {leaf.seq} is missing")
        if sealed.wrapped is None or sealed.kek_id is None:
            raise KeyDestroyedError(f"the data key of record {leaf.seq} is gone")
        if sealed.ciphertext is None:
            raise SealError(f"the ciphertext of record {leaf.seq} is missing")
        row = self._by_id.get(sealed.kek_id)
        if row is None or row.purpose != BODY or row.retention_class != retention_class:
            raise SealError(f"record {leaf.seq} names key {sealed.kek_id}, which is not one of class {retention_class}")
        kek = self._case.open(row)
        return self._sealer.open(kek, leaf.seq, leaf.msg_id or "", ciphertext=sealed.ciphertext, wrapped=sealed.wrapped)

    @staticmethod
    def _payload(opened: Opened) -> dict[str, Any]:
        try:
            payload = orjson.loads(opened.body)
        except orjson.JSONDecodeError as error:
            raise CodecError(f"body: not JSON: {error}") from error
        if not isinstance(payload, dict):
            raise CodecError("body: not an object")
        return payload

    def _check_envelope(self, envelope: Envelope, opened: Opened, fields: dict[str, Any]) -> None:
        attachments = attachment_texts(envelope.body)
        commits = [item.get("commit") for item in fields.get("attachments", [])]
        made = [
            commit(ATTACHMENT_DOMAIN, nonce, attachment_plaintext(attachment)).hex()
            for nonce, attachment in zip(opened.attachment_nonces, attachments, strict=False)
        ]
        if len(attachments) != len(opened.attachment_nonces) or commits != made:
            raise CodecError("attachments: are not what the leaf commits to")
        names = self.pseudonyms(str(fields.get("period")))
        if (
            fields["event"] not in INTAKES
            or fields.get("msg_id") != envelope.id
            or fields.get("sender_pid") != names.of(envelope.sender)
            or fields.get("recipient_pids") != [names.of(recipient) for recipient in envelope.recipients]
            or fields.get("conv_id") != names.of_conversation(envelope.conversation)
        ):
            raise CodecError("leaf: names other people than the headers do")
