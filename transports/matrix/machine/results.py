"""What became of a send, in the words of the model."""

from __future__ import annotations

from typing import Final

from bridge.model.body import Failure, Stage
from bridge.model.capabilities import LINK_DOWN, SendResult
from transports.matrix.machine.calls import Lost, Outcome
from transports.matrix.wire.answers import Refusal, event_id_in

RELAYED: Final = SendResult(stage=Stage.RELAYED)

_TEXTS: Final = {
    "M_FORBIDDEN": ("forbidden", "The homeserver does not let it through."),
    "M_NOT_FOUND": ("not-found", "The homeserver knows no such user."),
    "M_UNKNOWN": ("refused", "The homeserver refused it."),
    "M_TOO_LARGE": ("too-large", "The message is too large for Matrix."),
    "M_USER_DEACTIVATED": ("not-found", "The account is not used any more."),
    "M_BAD_JSON": ("malformed", "The homeserver could not read it."),
    "M_INVALID_PARAM": ("malformed", "The homeserver could not read it."),
    "M_UNSUPPORTED_ROOM_VERSION": ("unsupported", "The other server knows no rooms of this kind."),
    "M_INCOMPATIBLE_ROOM_VERSION": ("unsupported", "The other server knows no rooms of this kind."),
    "M_LIMIT_EXCEEDED": ("rate-limit", "The homeserver takes messages at a limited pace."),
    "M_RESOURCE_LIMIT_EXCEEDED": ("server-error", "The homeserver takes nothing at the moment."),
}
_PASSING: Final = frozenset({"M_LIMIT_EXCEEDED", "M_RESOURCE_LIMIT_EXCEEDED"})


def failed(reason: str, *, retryable: bool, user_text: str, certain: bool = True) -> SendResult:
    """A send that did not arrive, or of which that is not known."""
    failure = Failure(reason=reason, retryable=retryable, certain=certain, user_text=user_text)
    return SendResult(stage=Stage.FAILED if certain else Stage.UNKNOWN, failure=failure)


def link_down(reason: str = "There is no connection to the homeserver.", *, certain: bool = True) -> SendResult:
    """A send that ends when the account is up again."""
    return failed(LINK_DOWN, retryable=True, user_text=reason, certain=certain)


def result_of(outcome: Outcome, *, sends: bool) -> SendResult:
    """Returns what an outcome means.

    Args:
        outcome: of a request.
        sends: whether the request was the message itself: then it may have arrived where nobody knows.
    """
    if isinstance(outcome, Lost):
        certain = outcome.certain or not sends
        if outcome.down:
            return link_down(certain=certain)
        text = "The homeserver did not answer." if certain else "It is not known whether the message arrived."
        return failed("time-out", retryable=True, user_text=text, certain=certain)
    if isinstance(outcome, Refusal):
        return _refused(outcome, sends=sends)
    return SendResult(stage=Stage.RELAYED, remote_id=event_id_in(outcome))


def _refused(refusal: Refusal, *, sends: bool) -> SendResult:
    if refusal.token_unknown:
        return link_down("The homeserver does not know this service any more.")
    if refusal.server_trouble:
        text = "The homeserver has trouble of its own."
        return failed(f"server-error: {refusal}", retryable=True, user_text=text, certain=not sends)
    reason, text = _TEXTS.get(refusal.errcode, _TEXTS["M_UNKNOWN"])
    return failed(f"{reason}: {refusal}", retryable=refusal.limited or refusal.errcode in _PASSING, user_text=text)
