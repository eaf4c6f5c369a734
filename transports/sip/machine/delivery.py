"""One message on its way to the contacts of one person, and what becomes of it (RFC 3428 section 7)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple, TypeAlias

from attrs import evolve

from bridge.model.body import Failure as SendFailure
from bridge.model.body import Stage
from bridge.model.capabilities import RECIPIENT_OFFLINE, SendResult
from transports.sip.machine.abilities import Abilities
from transports.sip.machine.clients import Failure, Outcome
from transports.sip.machine.gruu import same_instance
from transports.sip.machine.names import clean_reason
from transports.sip.machine.registrar import Binding
from transports.sip.machine.timers import Timer
from transports.sip.machine.upstream import Result
from transports.sip.wire.answer import REASONS
from transports.sip.wire.message import Response

DELIVERED = SendResult(stage=Stage.DELIVERED)
RELAYED = SendResult(stage=Stage.RELAYED)
NOT_TAKEN = frozenset({415, 488})
"""What says that another form may be taken: RFC 3428 section 7, and what stacks made for calls say in its place."""


def failed(reason: str, text: str, *, retryable: bool, certain: bool = True) -> SendResult:
    """Returns that a message has failed. Where that is not ``certain``, it may have come through."""
    stage = Stage.FAILED if certain else Stage.UNKNOWN
    failure = SendFailure(reason=reason, retryable=retryable, certain=certain, user_text=text)
    return SendResult(stage=stage, failure=failure)


OFFLINE = failed(RECIPIENT_OFFLINE, "The recipient is not signed on", retryable=True)
NO_ANSWER = failed("timeout", "The recipient's device did not answer", retryable=True, certain=False)
LOST = failed("connection-lost", "The connection to the recipient's device broke", retryable=True, certain=False)
UNREACHABLE = failed("unreachable", "The recipient's device cannot be reached", retryable=True)
BUSY = failed("busy", "Too much is being written to the recipient", retryable=True)
OVERLOAD = failed("overload", "Too many messages are under way", retryable=True)
UNSUPPORTED = failed("unsupported", "The recipient's device does not take this kind of content", retryable=False)

_BY_FAILURE = {
    Failure.TIMEOUT: NO_ANSWER,
    Failure.TRANSPORT: LOST,
    Failure.UNREACHABLE: UNREACHABLE,
    Failure.OVERLOAD: OVERLOAD,
}
_Meaning: TypeAlias = tuple[str, bool, bool]
"""Why a message has failed, whether another try may succeed, and whether it is certain that it has."""
_UNSUPPORTED: _Meaning = ("unsupported", False, True)
_GONE: _Meaning = ("gone", True, True)
_NOWHERE: _Meaning = ("gone", False, True)
_UNAVAILABLE: _Meaning = ("unavailable", True, True)
_REFUSED: _Meaning = ("refused", False, True)
_TIMEOUT: _Meaning = ("timeout", True, False)

_BY_STATUS: Mapping[int, _Meaning] = MappingProxyType(
    {
        301: _NOWHERE,
        401: ("unauthorized", False, True),
        403: _REFUSED,
        407: ("unauthorized", False, True),
        **dict.fromkeys((404, 410, 481), _GONE),  # a device may register anew
        **dict.fromkeys((484, 485, 604), _NOWHERE),
        **dict.fromkeys((380, 405, 406, 415, 416, 420, 421, 439, 488, 501, 505, 606), _UNSUPPORTED),
        **dict.fromkeys((408, 504), _TIMEOUT),
        **dict.fromkeys((413, 414, 513), ("too-large", False, True)),
        **dict.fromkeys((423, 491), ("busy", True, True)),
        **dict.fromkeys((430, 502), ("unreachable", True, True)),
        **dict.fromkeys((440, 489), _REFUSED),
        **dict.fromkeys((480, 486, 487, 503, 600), _UNAVAILABLE),
        482: ("duplicate", False, False),
        483: ("loop", False, True),
        **dict.fromkeys((603, 607, 608), _REFUSED),
    }
)
_BY_CLASS: Mapping[int, _Meaning] = MappingProxyType(
    {
        3: ("moved", False, True),
        4: ("bad-request", False, True),
        5: ("device-error", True, True),
        6: _UNAVAILABLE,
    }
)
"""Of all others: as x00 of their class (RFC 3261 section 8.1.3.2)."""
_PHRASE = 60


def result_of(response: Response) -> SendResult:
    """Returns what a final response means for the message. RFC 3428 section 7: 200 is delivery, 202 is not yet.

    The reason names the status, and the Reason-Phrase where it says more than the registered one: it is what the record
    keeps, and what other networks' errors are made of (RFC 7247 section 7.1.2).
    """
    status = response.status
    if status < 300:
        return RELAYED if status == 202 else DELIVERED
    reason, retryable, certain = _BY_STATUS.get(status) or _BY_CLASS[status // 100]
    phrase = clean_reason(response.reason)[:_PHRASE]
    if phrase.lower() == REASONS.get(status, "").lower():
        phrase = ""
    why = f"{reason} (SIP {status}: {phrase})" if phrase else f"{reason} (SIP {status})"
    return failed(why, f"The recipient's device answered {status}", retryable=retryable, certain=certain)


def meaning_of(outcome: Outcome) -> SendResult:
    """Returns what an answer, or that there is none, means for the message."""
    return result_of(outcome) if isinstance(outcome, Response) else _BY_FAILURE.get(outcome, NO_ANSWER)


class Form(NamedTuple):
    """One form of a message: its media type, and all of a request but the top, which is the same for every contact."""

    media: str
    tail: bytes


class Delivery:
    """One message on its way to the contacts of one person."""

    __slots__ = (
        "aor", "begun", "busy", "deadline", "device", "done", "forms", "ids", "key", "results", "sender", "tried",
        "untold", "waiting",
    )  # fmt: skip

    def __init__(
        self, aor: str, key: str, forms: tuple[Form, ...], ids: tuple[str, ...], device: str | None = None
    ) -> None:
        self.aor = aor
        self.key = key
        self.forms = forms
        self.ids = ids
        """The Call-IDs by which receipts may name it."""
        self.untold = False
        """Whether forms are tried that only those take who are known to: nobody is, and there is no other form."""
        self.sender = ""
        """Who has sent it, as a header value, where a server of others is told."""
        self.tried: set[str] = set()
        """The contacts that it was sent to, by their flow names."""
        self.device = device
        """The instance that alone is to have it; None: all."""
        self.busy: set[str] = set()
        """Devices with several flows that have it on one of these now."""
        self.waiting = 0
        self.begun = False
        """Whether it was sent to anybody: until then it waits for its turn."""
        self.done = False
        self.results: list[SendResult] = []
        self.deadline: Timer | None = None

    def form_for(self, binding: Binding, after: int = -1) -> int:
        """Returns the number of the first form behind ``after`` that a contact takes, or -1.

        That is where it takes none, or where the message is for another device.
        """
        if self.device is not None and not same_instance(binding.instance, self.device):
            return -1
        return self.form_taken(binding.abilities, after)

    def form_taken(self, abilities: Abilities, after: int = -1) -> int:
        """Returns the number of the first form behind ``after`` that who has these abilities takes, or -1."""
        for number in range(after + 1, len(self.forms)):
            if abilities.may_take(self.forms[number].media, untold=self.untold):
                return number
        return -1

    def worst(self) -> SendResult:
        """Returns what is to be said when no contact took it: what is not certain first, then what can be retried."""
        results = self.results
        for result in results:
            if result.failure is not None and not result.failure.certain:
                return result
        for result in results:
            if result.failure is not None and result.failure.retryable:
                return result
        return results[0] if results else OFFLINE


def ascended(result: Result) -> SendResult:
    """Returns what it means for the message that a server of another domain, or none, has taken it."""
    outcome = result.outcome
    if isinstance(outcome, str):
        return failed("too-large", "The message is too long for the way to the recipient", retryable=False)
    if outcome is Failure.UNREACHABLE:
        found = failed("unreachable", "The recipient's server cannot be reached", retryable=True)
    else:
        found = meaning_of(outcome)
    failure = found.failure
    if failure is not None and failure.certain and result.maybe:
        return SendResult(stage=Stage.UNKNOWN, failure=evolve(failure, certain=False))
    return found
