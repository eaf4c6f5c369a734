"""What OSCAR's refusals mean to the person who sent a message."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from bridge.model.body import Failure
from transports.oscar.wire.codes import CLIENT_ERROR_NAMES
from transports.oscar.wire.native import ImError

USER_TEXTS: Final[Mapping[int, str]] = MappingProxyType(
    {
        0x01: "The network did not understand the message.",
        0x02: "Too many messages were sent in a short time. Please wait a little.",
        0x03: "Too many messages were sent to this contact in a short time. Please wait a little.",
        0x04: "The contact is not signed on, and the network does not keep the message for them.",
        0x05: "The network's messaging service is not available at the moment.",
        0x06: "The network does not offer messaging on this connection.",
        0x07: "The network no longer takes messages in this form.",
        0x08: "The network does not support this kind of message.",
        0x09: "The contact's program does not support this kind of message.",
        0x0A: "The contact's program refused the message.",
        0x0B: "The message is too long for the network.",
        0x0C: "The network lost the answer to the message.",
        0x0D: "The network refused the message.",
        0x0E: "The network did not understand the message.",
        0x0F: "This account may not send this message.",
        0x10: "The contact is on this account's list of blocked people.",
        0x11: "The warning level of this account is too high to send messages.",
        0x12: "The warning level of the contact is too high to receive messages.",
        0x13: "The contact cannot be reached at the moment.",
        0x14: "The network knows no such contact.",
        0x15: "A list of the network is full.",
        0x16: "The name of the contact is ambiguous.",
        0x17: "The network is busy. Please try again later.",
        0x18: "This is not possible while the account is signed on to AOL.",
        0x19: "The network could not look the contact up.",
        0x1A: "The network did not answer in time.",
        0x1B: "The network refused the message.",
        0x1C: "The network could not deliver the message.",
        0x1D: "The network is still working on an earlier request.",
        0x1E: "This is not possible in the free area of the network.",
        0x1F: "Parental controls on this account do not allow the message.",
        0x20: "Parental controls on the contact's account do not allow the message.",
    }
)
"""For each code of xx/01."""

CLIENT_TEXTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "unsupported channel": "The contact's program does not support this kind of message.",
        "busted payload": "The contact's program did not understand the message.",
        "channel-specific reason": "The contact's program refused the message.",
        "declined": "The contact declined.",
    }
)
"""For each reason of 04/0B, by its name."""

_UNKNOWN: Final = "It is not known whether the message has arrived."
_OTHER: Final = "The network did not deliver the message."


def failure_of(error: ImError) -> Failure:
    """Returns the failure that a native error is, with a text for the sender."""
    return Failure(
        reason=error.name if error.code is None else f"{error.name} (code {error.code:#04x})",
        retryable=error.retryable,
        certain=error.certain,
        user_text=user_text(error),
    )


def user_text(error: ImError) -> str:
    """Returns what to tell the person whose message it was."""
    if not error.certain or error.code is None:
        return _UNKNOWN if not error.certain else _OTHER
    if error.name in CLIENT_ERROR_NAMES.values():
        return CLIENT_TEXTS[error.name]
    return USER_TEXTS.get(error.code, _OTHER)
