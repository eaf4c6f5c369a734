"""Errors between SIP and XMPP (RFC 7247 section 7, tables 2 and 3), and what they mean to who sent a message."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from bridge.model.body import Failure

TO_SIP: Final[Mapping[str, tuple[int, int]]] = MappingProxyType(
    {
        "bad-request": (400, 400),
        "conflict": (400, 400),
        "feature-not-implemented": (405, 501),
        "forbidden": (403, 603),
        "gone": (410, 410),
        "internal-server-error": (500, 500),
        "item-not-found": (404, 604),
        "jid-malformed": (400, 400),
        "not-acceptable": (406, 606),
        "not-allowed": (403, 403),
        "not-authorized": (401, 401),
        "policy-violation": (403, 403),
        "recipient-unavailable": (480, 600),
        "redirect": (302, 302),
        "registration-required": (407, 407),
        "remote-server-not-found": (404, 404),
        "remote-server-timeout": (408, 408),
        "resource-constraint": (500, 500),
        "service-unavailable": (403, 403),
        "subscription-required": (400, 400),
        "undefined-condition": (400, 400),
        "unexpected-request": (491, 491),
    }
)
"""Table 2: for a sender who addressed a full JID, and a bare one. ``gone`` with a new address is 301."""

_FROM_SIP: Final[Mapping[int, str]] = MappingProxyType(
    {
        301: "gone",
        **dict.fromkeys((380, 406, 415, 416, 421, 482, 483, 488, 505, 606), "not-acceptable"),
        401: "not-authorized",
        403: "forbidden",
        **dict.fromkeys((404, 481, 484, 485, 604), "item-not-found"),
        **dict.fromkeys((405, 420, 439, 501), "feature-not-implemented"),
        407: "registration-required",
        **dict.fromkeys((408, 504), "remote-server-timeout"),
        410: "gone",
        **dict.fromkeys((413, 414, 440, 489, 513), "policy-violation"),
        423: "resource-constraint",
        **dict.fromkeys((430, 480, 486, 487, 600, 603), "recipient-unavailable"),
        491: "unexpected-request",
        502: "remote-server-not-found",
    }
)
_CLASSES: Final = {3: "redirect", 4: "bad-request", 5: "internal-server-error", 6: "recipient-unavailable"}

_TYPES: Final[Mapping[str, str]] = MappingProxyType(
    {
        **dict.fromkeys(("bad-request", "jid-malformed", "not-acceptable", "policy-violation", "redirect"), "modify"),
        **dict.fromkeys(("forbidden", "not-authorized", "registration-required", "subscription-required"), "auth"),
        **dict.fromkeys(
            ("recipient-unavailable", "remote-server-timeout", "resource-constraint", "unexpected-request"), "wait"
        ),
    }
)
"""The error type that RFC 6120 section 8.3.3 recommends for a condition; of all others it is ``cancel``."""

_OF_REFUSAL: Final[Mapping[str, str]] = MappingProxyType(
    {
        "forbidden": "policy-violation",
        "no-binding": "registration-required",
        "not-found": "item-not-found",
        "bad-request": "bad-request",
        "bad-extension": "feature-not-implemented",
        "too-large": "policy-violation",
        "unsupported": "feature-not-implemented",
        "unavailable": "resource-constraint",
    }
)
"""A refusal of the bridge's own, by its code."""

USER_TEXTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "forbidden": "The contact, or their server, does not allow the message.",
        "gone": "The contact is not at this address any more.",
        "item-not-found": "The network knows no such contact.",
        "not-acceptable": "The contact does not accept the message.",
        "not-allowed": "The contact's server does not allow the message.",
        "not-authorized": "The contact's server does not allow the message.",
        "policy-violation": "The contact's server does not allow such a message.",
        "recipient-unavailable": "The contact cannot be reached at the moment.",
        "remote-server-not-found": "The contact's server does not exist.",
        "remote-server-timeout": "The contact's server cannot be reached at the moment.",
        "resource-constraint": "The contact's server is busy. Please try again later.",
        "service-unavailable": "The contact cannot be reached, or does not exist.",
        "subscription-required": "The contact takes messages of people they know only.",
    }
)
_OTHER: Final = "The network did not deliver the message."
_SIP_STATUS: Final = re.compile(r"\b([3-6]\d\d)\b")


def to_sip(condition: str, *, full: bool, address: str = "") -> int:
    """Returns the SIP status of an XMPP error.

    Args:
        condition: the defined condition; one that is not known counts as ``undefined-condition``.
        full: whether the sender had addressed a full JID.
        address: the new address that came with ``gone``.
    """
    if condition == "gone" and address:
        return 301
    of_full, of_bare = TO_SIP.get(condition, TO_SIP["undefined-condition"])
    return of_full if full else of_bare


def from_sip(status: int) -> str:
    """Returns the XMPP condition of a SIP status from 300 on."""
    return _FROM_SIP.get(status) or _CLASSES.get(status // 100, "undefined-condition")


def type_of(condition: str) -> str:
    """Returns the error type that goes with a condition."""
    return _TYPES.get(condition, "cancel")


def of_refusal(code: str) -> str:
    """Returns the condition of a refusal of the bridge's own."""
    return _OF_REFUSAL.get(code, "undefined-condition")


def of_failure(failure: Failure | None) -> str:
    """Returns the condition of a failure on another network: of its SIP status where it names one."""
    if failure is None:
        return "undefined-condition"
    if failure.reason in {"offline", "expired"}:
        return "recipient-unavailable"
    if failure.reason in _OF_REFUSAL:
        return _OF_REFUSAL[failure.reason]
    status = _SIP_STATUS.search(failure.reason)
    return "undefined-condition" if status is None else from_sip(int(status[1]))


def failure_of(condition: str, kind: str, text: str) -> Failure:
    """Returns the failure that an XMPP error is, with the SIP status that goes with it in its reason."""
    reason = f"{condition} (SIP {to_sip(condition, full=False)})"
    return Failure(
        reason=f"{reason}: {text}" if text else reason,
        retryable=kind == "wait",
        certain=True,
        user_text=USER_TEXTS.get(condition, _OTHER),
    )
