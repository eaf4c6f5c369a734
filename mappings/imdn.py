"""Disposition notifications (RFC 5438) and the model's receipts."""

from __future__ import annotations

from typing import Final

from bridge.model.body import Failure, Receipt, Stage
from bridge.model.ids import RemoteMessageId
from mappings.content import ContentError
from transports.sip.wire import imdn
from transports.sip.wire.cpim import moment_of
from transports.sip.wire.errors import SipSyntaxError
from transports.sip.wire.imdn import Imdn, Kind, Status

_STAGES: Final[dict[Status, Stage]] = {
    "delivered": Stage.DELIVERED,
    "displayed": Stage.DISPLAYED,
    "processed": Stage.RELAYED,
    "stored": Stage.ACCEPTED,
    "failed": Stage.FAILED,
    # RFC 5438 section 7.2.1: the recipient lets nobody know, or nobody knows. Neither says that it did not arrive.
    "forbidden": Stage.UNKNOWN,
    "error": Stage.UNKNOWN,
}
_NOTIFICATIONS: Final[dict[Stage, tuple[Kind, Status]]] = {
    Stage.ACCEPTED: ("processing", "stored"),
    Stage.RELAYED: ("processing", "processed"),
    Stage.DELIVERED: ("delivery", "delivered"),
    Stage.DISPLAYED: ("display", "displayed"),
    Stage.FAILED: ("delivery", "failed"),
    Stage.UNKNOWN: ("delivery", "error"),
}


def parse_imdn(data: bytes) -> Receipt:
    """Reads a disposition notification.

    Raises:
        ContentError: it is too long, no XML, has a DTD, or names no message or no known status.
    """
    try:
        return receipt_of(imdn.parse_imdn(data))
    except SipSyntaxError as error:
        raise ContentError("length" if error.status == 413 else "malformed", error.reason) from error


def receipt_of(notification: Imdn) -> Receipt:
    """Returns what a notification says; the receipt's target is the notified message's Message-ID."""
    stage = _STAGES[notification.status]
    failure = None
    if stage is Stage.FAILED:
        text = "The recipient's client could not take the message."
        failure = Failure(reason="imdn failed", retryable=False, certain=True, user_text=text)
    return Receipt(
        target=RemoteMessageId(notification.message_id),
        stage=stage,
        failure=failure,
        sent_at=moment_of(notification.datetime),
    )


def notification_of(receipt: Receipt, sent_at: str, recipient: str) -> Imdn:
    """Returns the notification that tells a receipt.

    Args:
        receipt: its target is the Message-ID that the asking client gave.
        sent_at: the DateTime of that message (RFC 3339).
        recipient: whom that message was for, as a URI.
    """
    kind, status = _NOTIFICATIONS[receipt.stage]
    return Imdn(message_id=receipt.target, kind=kind, status=status, datetime=sent_at, recipient=recipient)
