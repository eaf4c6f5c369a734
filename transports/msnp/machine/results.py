"""What becomes of a send, in the words of the model."""

from __future__ import annotations

from bridge.model.body import Failure, Stage
from bridge.model.capabilities import LINK_DOWN, RECIPIENT_OFFLINE, SendResult
from transports.msnp.wire import codes

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


def failed(reason: str, *, retryable: bool, user_text: str, cookie: str | None = None) -> SendResult:
    """A send that certainly did not arrive."""
    failure = Failure(reason=reason, retryable=retryable, certain=True, user_text=user_text)
    return SendResult(stage=Stage.FAILED, remote_id=cookie, failure=failure)


def link_down(user_text: str, *, cookie: str | None = None) -> SendResult:
    """A send that did not go because the account is not signed on; it may go once it is."""
    return failed(LINK_DOWN, retryable=True, user_text=user_text, cookie=cookie)


def unknown(reason: str, cookie: str | None = None, *, retryable: bool = True) -> SendResult:
    """A send that may have arrived."""
    failure = Failure(
        reason=reason, retryable=retryable, certain=False, user_text="It is not known whether the message arrived."
    )
    return SendResult(stage=Stage.UNKNOWN, remote_id=cookie, failure=failure)


def refused(number: int, cookie: str | None = None) -> SendResult:
    """What an error by number makes of a send that had not left."""
    text = _USER_TEXTS.get(number)
    if text is None:
        gone = number in codes.NO_SUCH_PRINCIPAL
        text = "The network knows no such contact." if gone else "The network refused the message."
    return failed(
        f"{number} {codes.error_name(number)}", retryable=number in codes.RETRYABLE, user_text=text, cookie=cookie
    )


def away(cookie: str | None = None) -> SendResult:
    """The contact is not signed on: it may go once they are."""
    return failed(RECIPIENT_OFFLINE, retryable=True, user_text=_USER_TEXTS[codes.NOT_ONLINE], cookie=cookie)
