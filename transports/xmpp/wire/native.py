"""What a mapping and the XMPP transport exchange: values that say what happens on the network, not how.

`account` is our own bare JID in lower case. Other addresses are as the network wrote them, with their resource where
they had one. Times are seconds since 1970 (UTC).
"""

from __future__ import annotations

from enum import Enum

from attrs import frozen

from transports.common.wire.native import Link, LinkState

__all__ = ["Link", "LinkState"]


class State(Enum):
    """XEP-0085 section 3."""

    ACTIVE = "active"
    COMPOSING = "composing"
    PAUSED = "paused"
    INACTIVE = "inactive"
    GONE = "gone"


class Show(Enum):
    """RFC 6121 section 4.7.2.1, and the two that have no such element."""

    CHAT = "chat"
    NONE = ""
    AWAY = "away"
    XA = "xa"
    DND = "dnd"


class Consent(Enum):
    """The presence stanzas of subscriptions (RFC 6121 section 3), by their type."""

    SUBSCRIBE = "subscribe"
    SUBSCRIBED = "subscribed"
    UNSUBSCRIBE = "unsubscribe"
    UNSUBSCRIBED = "unsubscribed"
    PROBE = "probe"


class Mark(Enum):
    """Word of what became of a message: XEP-0184's receipt, XEP-0333's markers."""

    RECEIVED = "received"
    DISPLAYED = "displayed"
    ACKNOWLEDGED = "acknowledged"


@frozen(kw_only=True)
class MessageReceived:
    """Somebody wrote.

    Attributes:
        sender: a full JID, or a bare one.
        text: the body.
        html: the body element of XHTML-IM (XEP-0071) as XML, where there is one.
        id: the sender's name of the message; receipts and corrections use it.
        stable_id: XEP-0359's stanza id, where our own side gave it.
        stamp: when it was sent, where it was kept meanwhile (XEP-0203).
        replaces: the id of the message that it corrects (XEP-0308).
        wants_receipt, markable: XEP-0184, XEP-0333.
        carbon: it was delivered to another client of our account (XEP-0280).
    """

    account: str
    sender: str
    text: str
    html: str | None = None
    id: str = ""
    stable_id: str = ""
    subject: str | None = None
    thread: str | None = None
    language: str | None = None
    stamp: float | None = None
    replaces: str | None = None
    wants_receipt: bool = False
    markable: bool = False
    carbon: bool = False


@frozen(kw_only=True)
class SentElsewhere:
    """Another client of our account wrote to somebody (a ``sent`` carbon, XEP-0280)."""

    account: str
    to: str
    text: str
    id: str = ""
    stamp: float | None = None


@frozen(kw_only=True)
class StateReceived:
    """Somebody types to us, or stops."""

    account: str
    sender: str
    state: State


@frozen(kw_only=True)
class MarkReceived:
    """Somebody says what became of our message ``id``."""

    account: str
    sender: str
    id: str
    mark: Mark


@frozen(kw_only=True)
class MessageFailed:
    """A message of ours came back (RFC 6120 section 8.3).

    Attributes:
        sender: whom it was for.
        condition: the name of the defined condition.
        type: ``cancel``, ``wait``, ``modify``, ``auth``, ``continue``; empty where it said none.
    """

    account: str
    sender: str
    id: str
    condition: str
    type: str = ""
    text: str = ""


@frozen(kw_only=True)
class Place:
    """One resource of a contact that is there.

    Attributes:
        idle_since: XEP-0319.
    """

    resource: str
    show: Show = Show.NONE
    status: str = ""
    priority: int = 0
    language: str | None = None
    idle_since: float | None = None


@frozen(kw_only=True)
class ContactPresence:
    """What is known of a contact has changed: all of their resources, the first is where messages go. None: not there.

    ``status`` is what they said when they left.
    """

    account: str
    contact: str
    places: tuple[Place, ...] = ()
    status: str = ""


@frozen(kw_only=True)
class ConsentReceived:
    """Somebody asks to see us, answers our asking, takes either back, or asks how we are now (a probe)."""

    account: str
    sender: str
    kind: Consent
    words: str = ""


@frozen(kw_only=True)
class Asked:
    """We have asked somebody to let us see them, and they have not answered yet."""

    account: str
    contact: str


@frozen(kw_only=True)
class RoomInvitation:
    """Somebody wants us in a room, by way of it (XEP-0045 section 7.8) or directly (XEP-0249).

    ``direct``: the person wrote it, and there is no word by which it could be declined (XEP-0249 section 4); else the
    room was told that we decline.
    """

    account: str
    sender: str
    room: str
    reason: str = ""
    direct: bool = False


@frozen(kw_only=True)
class Unreadable:
    """A message that cannot be carried: a room's, or one that is malformed. ``raw`` is it, for the record."""

    account: str
    sender: str
    reason: str
    raw: str


@frozen(kw_only=True)
class MessageSend:
    """Write to somebody. ``id`` is the same for every attempt."""

    account: str
    to: str
    id: str
    text: str
    html: str | None = None
    subject: str | None = None
    thread: str | None = None
    language: str | None = None
    replaces: str | None = None
    wants_receipt: bool = False
    markable: bool = False


@frozen(kw_only=True)
class StateSend:
    """Show somebody that we type, or stop."""

    account: str
    to: str
    state: State


@frozen(kw_only=True)
class MarkSend:
    """Tell somebody what became of their message ``id``."""

    account: str
    to: str
    id: str
    mark: Mark


@frozen(kw_only=True)
class FailureSend:
    """Give somebody their message ``id`` back as an error."""

    account: str
    to: str
    id: str
    condition: str
    type: str
    text: str = ""


@frozen(kw_only=True)
class OwnPresence:
    """Show ourselves so to everybody who may see us. ``place`` None: as not there."""

    account: str
    place: Place | None


@frozen(kw_only=True)
class ContactAdd:
    """See somebody from now on: ask them, where they have not agreed yet."""

    account: str
    contact: str


@frozen(kw_only=True)
class ContactRemove:
    """Do not see somebody any more."""

    account: str
    contact: str


@frozen(kw_only=True)
class ConsentSend:
    """Answer somebody who asks to see us, or take the answer back."""

    account: str
    to: str
    granted: bool


Inbound = (
    MessageReceived
    | SentElsewhere
    | StateReceived
    | MarkReceived
    | MessageFailed
    | ContactPresence
    | ConsentReceived
    | Asked
    | RoomInvitation
    | Unreadable
    | LinkState
)
"""What the transport tells."""

Outbound = MessageSend | StateSend | MarkSend | FailureSend | OwnPresence | ContactAdd | ContactRemove | ConsentSend
"""What the transport is told."""
