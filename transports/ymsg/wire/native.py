"""What a mapping and the YMSG transport exchange: values that say what happens on the network, not how.

`account` is our own Yahoo! ID in its normal form. Other names are as the network writes them; compare them by
`names.normal`. Times are seconds since 1970 (UTC).
"""

from __future__ import annotations

from attrs import frozen

from transports.common.wire.native import LinkState


@frozen(kw_only=True)
class ImReceived:
    """Somebody wrote.

    Attributes:
        sender: their Yahoo! ID.
        text: what they wrote, with its formatting codes.
        message_id: newer servers' name of it (key 429); such a message is acknowledged once it is recorded.
        to: our name that it was sent to, where it is another than the account's.
        timestamp: when it was sent, where the server tells.
        offline: it was stored while we were away.
        nth: of stored messages that are alike (sender, time, text), which one this is since sign-on, from 0.
        lossy: part of it could not be decoded as what it was said to be.
    """

    account: str
    sender: str
    text: str
    message_id: str | None = None
    to: str | None = None
    timestamp: int | None = None
    offline: bool = False
    nth: int = 0
    lossy: bool = False


@frozen(kw_only=True)
class ImSend:
    """Write to somebody.

    Attributes:
        text: with its formatting codes.
        id: our own name of the message, the same for each attempt; the network does not learn it.
    """

    account: str
    to: str
    text: str
    id: str


@frozen(kw_only=True)
class ImUnreadable:
    """A message came that lacks its sender or its text. For the record: `raw` is its keys and values."""

    account: str
    sender: str | None
    reason: str
    raw: bytes


@frozen(kw_only=True)
class ImRefused:
    """The server says that a message was not sent, and none is known of which it may speak. `to`: if it says so."""

    account: str
    to: str | None


@frozen(kw_only=True)
class Buzzed:
    """Somebody's client wants our attention: the window shakes."""

    account: str
    sender: str
    timestamp: int | None = None


@frozen(kw_only=True)
class SystemMessage:
    """The server itself has something to say to the person."""

    account: str
    text: str


@frozen(kw_only=True)
class TypingReceived:
    """Somebody types to us, or stops."""

    account: str
    sender: str
    typing: bool


@frozen(kw_only=True)
class TypingSend:
    """Show somebody that we type, or stop."""

    account: str
    to: str
    typing: bool


@frozen(kw_only=True)
class BuddyPresence:
    """What is known of a contact has changed.

    Attributes:
        status: `codes.AVAILABLE` and so on; of who is offline it means nothing.
        text: of a custom status.
        away: of a custom status, whether it means being away (key 47).
        idle: the client was not touched for some time.
        idle_seconds: for how long, where that is told.
    """

    account: str
    name: str
    online: bool
    status: int = 0
    text: str = ""
    away: bool = False
    idle: bool = False
    idle_seconds: int | None = None


@frozen(kw_only=True)
class OwnPresence:
    """Show ourselves so. `text` is of a custom status (`codes.CUSTOM`), `away` what it means."""

    account: str
    status: int = 0
    text: str = ""
    away: bool = False
    idle: bool = False


@frozen(kw_only=True)
class BuddyAdd:
    """Put somebody on the list that the server keeps. `reason` is told to them."""

    account: str
    name: str
    group: str = "Friends"
    reason: str = ""


@frozen(kw_only=True)
class BuddyRemove:
    """Take somebody off the list that the server keeps, in whichever groups."""

    account: str
    name: str


@frozen(kw_only=True)
class Contact:
    """A line of the list."""

    name: str
    group: str


@frozen(kw_only=True)
class Roster:
    """The list that the server keeps, whole: after sign-on and after each change."""

    account: str
    contacts: tuple[Contact, ...]
    ignored: tuple[str, ...] = ()


@frozen(kw_only=True)
class RosterEditFailed:
    """An edit of the list was refused: key 66 and what it means."""

    account: str
    name: str
    code: int
    reason: str


@frozen(kw_only=True)
class ContactRequest:
    """Somebody has put us on their list, or (`asks`, from version 15 on) asks to."""

    account: str
    sender: str
    reason: str = ""
    asks: bool = False


@frozen(kw_only=True)
class ContactAnswer:
    """Answer somebody who put us on their list, or asked to."""

    account: str
    to: str
    accepted: bool
    reason: str = ""


@frozen(kw_only=True)
class ContactAnswered:
    """Somebody whom we put on our list has answered."""

    account: str
    sender: str
    accepted: bool
    reason: str = ""


@frozen(kw_only=True)
class ConferenceDeclined:
    """Somebody invited us to a conference. It is declined, or left, once this is recorded.

    Attributes:
        room: its name on the network.
        members: who is in it, or invited too.
        text: what the invitation says.
        joined: we were put into it without being asked: it is left, not declined.
    """

    account: str
    sender: str
    room: str
    members: tuple[str, ...] = ()
    text: str = ""
    joined: bool = False


@frozen(kw_only=True)
class ConferenceMessage:
    """Somebody wrote in a conference that we never joined. For the record."""

    account: str
    sender: str
    room: str
    text: str
    lossy: bool = False


@frozen(kw_only=True)
class FileDeclined:
    """Somebody offered a file, and it was not taken; `told`: they were told so, where the protocol has a way."""

    account: str
    sender: str
    name: str = ""
    size: int | None = None
    text: str = ""
    told: bool = False
    transfer: str = ""
    """The offer's own name, for its refusal."""


@frozen(kw_only=True)
class InvitationIgnored:
    """Somebody invited us to what the bridge has not: a webcam, a game."""

    account: str
    sender: str
    what: str


Inbound = (
    ImReceived
    | ImUnreadable
    | ImRefused
    | Buzzed
    | SystemMessage
    | TypingReceived
    | BuddyPresence
    | Roster
    | RosterEditFailed
    | ContactRequest
    | ContactAnswered
    | ConferenceDeclined
    | ConferenceMessage
    | FileDeclined
    | InvitationIgnored
    | LinkState
)
"""What the transport tells."""

Outbound = ImSend | TypingSend | OwnPresence | BuddyAdd | BuddyRemove | ContactAnswer
"""What the transport is told."""
