"""Reads message/imdn+xml (RFC 5438): what became of a message, as the receiving client tells it."""

from __future__ import annotations

from typing import Final

from bridge.model.body import Failure, Receipt, Stage
from bridge.model.ids import RemoteMessageId
from mappings.content import ContentError
from transports.sip.wire.errors import SipSyntaxError
from transports.sip.wire.xmldoc import read_xml

MAX_DOCUMENT: Final = 16_384
_NAMESPACE: Final = "{urn:ietf:params:xml:ns:imdn}"
_STAGES: Final = {
    "delivered": Stage.DELIVERED,
    "displayed": Stage.DISPLAYED,
    "processed": Stage.RELAYED,
    "stored": Stage.RELAYED,
    "failed": Stage.FAILED,
    "forbidden": Stage.FAILED,
    "error": Stage.FAILED,
}


def parse_imdn(data: bytes) -> Receipt:
    """Reads a disposition notification.

    Returns:
        The receipt; its target is the notified message's Message-ID.

    Raises:
        ContentError: it is too long, no XML, has a DTD, or names no message or no known status.
    """
    try:
        root = read_xml(data, "IMDN", MAX_DOCUMENT)
    except SipSyntaxError as error:
        raise ContentError("length" if error.status == 413 else "malformed", error.reason) from error
    target = (root.findtext(f"{_NAMESPACE}message-id") or "").strip()
    if root.tag != f"{_NAMESPACE}imdn" or not target or len(target) > 256 or not target.isprintable():
        raise ContentError("malformed", "a disposition notification that names no message")
    for status in root.iterfind(f"*/{_NAMESPACE}status/*"):
        word = status.tag.removeprefix(_NAMESPACE)
        stage = _STAGES.get(word)
        if stage is not None:
            return Receipt(target=RemoteMessageId(target), stage=stage, failure=_failure(stage, word))
    raise ContentError("malformed", "a disposition notification without a status that is known")


def _failure(stage: Stage, word: str) -> Failure | None:
    if stage is not Stage.FAILED:
        return None
    return Failure(
        reason=f"imdn {word}",
        retryable=False,
        certain=True,
        user_text="The recipient's client could not take the message.",
    )
