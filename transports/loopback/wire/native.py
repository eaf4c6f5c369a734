"""What the mapping and the transport exchange: values that say what happens on the network, not how."""

from __future__ import annotations

from enum import Enum

from attrs import frozen

from transports.common.wire import native as common

LinkState = common.LinkState


class Show(Enum):
    """How somebody is shown; GONE only of others, HIDDEN only of ourselves."""

    OPEN = "open"
    AWAY = "away"
    HIDDEN = "hidden"
    GONE = "gone"


class Typing(Enum):
    """What a typing notice says."""

    ACTIVE = "active"
    PAUSED = "paused"
    IDLE = "idle"


@frozen(kw_only=True)
class MessageReceived:
    """Somebody wrote. `id` is the sender's name of the message, `number` the server's, until it is acknowledged.

    `sent` is seconds since the epoch.
    """

    account: str
    sender: str
    text: str
    id: str
    number: int
    sent: float | None = None
    automatic: bool = False


@frozen(kw_only=True)
class MessageSend:
    """Write to somebody. The server takes each `id` of an account once, however often it is sent."""

    account: str
    to: str
    text: str
    id: str
    automatic: bool = False


@frozen(kw_only=True)
class Delivered:
    """A message of ours is with its recipient."""

    account: str
    by: str
    id: str


@frozen(kw_only=True)
class TypingReceived:
    """Somebody types to us, or stops."""

    account: str
    sender: str
    state: Typing


@frozen(kw_only=True)
class TypingSend:
    """Show somebody that we type, or stop."""

    account: str
    to: str
    state: Typing


@frozen(kw_only=True)
class PresenceReceived:
    """How somebody is whom we watch."""

    account: str
    name: str
    show: Show
    note: str = ""


@frozen(kw_only=True)
class OwnPresence:
    """Show ourselves so."""

    account: str
    show: Show
    note: str = ""


@frozen(kw_only=True)
class Watch:
    """Watch somebody's presence, or do not any more."""

    account: str
    name: str
    wanted: bool


@frozen(kw_only=True)
class Unreadable:
    """A message came that cannot be read; `raw` is its line, for the record."""

    account: str
    reason: str
    raw: bytes


Inbound = MessageReceived | Delivered | TypingReceived | PresenceReceived | Unreadable | LinkState
"""What the transport tells."""

Outbound = MessageSend | TypingSend | OwnPresence | Watch
"""What the transport is told."""
