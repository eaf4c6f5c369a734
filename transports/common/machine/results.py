"""What became of a send, in the three forms that every network has. A time-out is never certain."""

from __future__ import annotations

from bridge.model.body import Failure, Stage
from bridge.model.capabilities import LINK_DOWN, SendResult


def failed(reason: str, *, retryable: bool, user_text: str, remote_id: str | None = None) -> SendResult:
    """A send that certainly did not arrive."""
    failure = Failure(reason=reason, retryable=retryable, certain=True, user_text=user_text)
    return SendResult(stage=Stage.FAILED, remote_id=remote_id, failure=failure)


def link_down(user_text: str, *, remote_id: str | None = None) -> SendResult:
    """A send that did not go because the account is not signed on; it may go once it is."""
    return failed(LINK_DOWN, retryable=True, user_text=user_text, remote_id=remote_id)


def unknown(reason: str, remote_id: str | None = None, *, retryable: bool = True) -> SendResult:
    """A send that may have arrived. `retryable`: whether it may be sent again, with the same key."""
    failure = Failure(
        reason=reason, retryable=retryable, certain=False, user_text="It is not known whether the message arrived."
    )
    return SendResult(stage=Stage.UNKNOWN, remote_id=remote_id, failure=failure)
