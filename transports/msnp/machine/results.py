"""What becomes of a send, in the words of the model."""

from __future__ import annotations

from bridge.model.body import Stage
from bridge.model.capabilities import RECIPIENT_OFFLINE, SendResult
from transports.common.machine.results import failed, link_down, unknown
from transports.msnp.wire import codes

__all__ = ["RELAYED", "away", "failed", "link_down", "refused", "relayed", "unknown"]

RELAYED = SendResult(stage=Stage.RELAYED)
_USER_TEXTS = {
    codes.NOT_ONLINE: "The contact is not signed on.",
    codes.HIDDEN_MAY_NOT: "MSN lets nobody write who appears offline.",
    216: "The contact does not take messages from this account.",
    800: "The network asks us to send more slowly.",
    713: "The network asks us to send more slowly.",
}


def relayed(cookie: str) -> SendResult:
    """The server has handed it on, or keeps it. No server says more: a client acknowledges nothing."""
    return SendResult(stage=Stage.RELAYED, remote_id=cookie)


def refused(number: int, cookie: str | None = None) -> SendResult:
    """What an error by number makes of a send that had not left."""
    text = _USER_TEXTS.get(number)
    if text is None:
        gone = number in codes.NO_SUCH_PRINCIPAL
        text = "The network knows no such contact." if gone else "The network refused the message."
    return failed(
        f"{number} {codes.error_name(number)}",
        retryable=number in codes.RETRYABLE,
        user_text=text,
        remote_id=cookie,
    )


def away(cookie: str | None = None) -> SendResult:
    """The contact is not signed on: it may go once they are."""
    return failed(RECIPIENT_OFFLINE, retryable=True, user_text=_USER_TEXTS[codes.NOT_ONLINE], remote_id=cookie)
