"""What a mapping and the IRC transport exchange: values that say what happens on the network, not how.

`account` is our own nickname as it is bound, in normal form, whatever nickname the session has at the moment. Other
names are canonical, as the server compares names (`names.CaseMapping`); `shown` is a name as its owner writes it.
Times are seconds since 1970 (UTC).
"""

from __future__ import annotations

from enum import Enum

from attrs import frozen

from transports.common.wire.native import Link, LinkState

__all__ = ["Link", "LinkState"]


class Kind(Enum):
    """How something is said: as a message, as a notice (never to be answered by a program), as an action (/me)."""

    MESSAGE = "message"
    NOTICE = "notice"
    ACTION = "action"


class Typing(Enum):
    """IRCv3's client tag +typing."""

    ACTIVE = "active"
    PAUSED = "paused"
    DONE = "done"


@frozen(kw_only=True)
class MessageReceived:
    """Somebody wrote to us.

    Attributes:
        text: as on the wire, with its formatting codes; of an action without the CTCP around it.
        message_id: the server's own name of it (``msgid``); empty where it gives none.
        timestamp: when the server took it (``server-time``).
        services_account: the account that the sender is logged in to, None where they are in none, or it is not told.
        userhost: ``user@host`` of the sender.
        legacy: it was no UTF-8, and was read as Windows-1252.
        impostor: the sender wears the name of an account of ours that is not theirs to wear.
        unverified: only users are to be heard whose account vouches for their name, and theirs does not.
    """

    account: str
    sender: str
    shown: str
    text: str
    kind: Kind = Kind.MESSAGE
    message_id: str = ""
    timestamp: float | None = None
    services_account: str | None = None
    userhost: str = ""
    legacy: bool = False
    impostor: bool = False
    unverified: bool = False


@frozen(kw_only=True)
class MessageSend:
    """Write to somebody. `text` has no line end. `reference` names it, the same at each attempt: its label."""

    account: str
    to: str
    text: str
    kind: Kind = Kind.MESSAGE
    reference: str = ""


@frozen(kw_only=True)
class MessageFailed:
    """A message of ours was refused after its send had ended. `message_id` is the send's `remote_id`."""

    account: str
    to: str
    message_id: str
    code: str
    reason: str
    user_text: str


@frozen(kw_only=True)
class MessageRelayed:
    """The server has taken a message after all: word of it came after its send was given up as unknown."""

    account: str
    to: str
    message_id: str


@frozen(kw_only=True)
class AwayReply:
    """The server answered a message of ours with the away text of whom it was for."""

    account: str
    nick: str
    text: str


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
class ContactPresence:
    """Whether a contact is there has changed. `away_text` may be empty while it is not known."""

    account: str
    nick: str
    online: bool
    away: bool = False
    away_text: str = ""


@frozen(kw_only=True)
class ContactAdd:
    """Want to know whether somebody is there."""

    account: str
    nick: str


@frozen(kw_only=True)
class ContactRemove:
    """Want to know no more whether somebody is there."""

    account: str
    nick: str


@frozen(kw_only=True)
class OwnPresence:
    """Show ourselves: `away_text` is why we are away; None: we are here."""

    account: str
    away_text: str | None = None


@frozen(kw_only=True)
class PeerChanged:
    """Who wrote under a name is not who wrote under it before, as far as the server's word goes.

    Attributes:
        before, after: the services account, or ``user@host`` where accounts are not told.
    """

    account: str
    nick: str
    before: str
    after: str


@frozen(kw_only=True)
class PeerRenamed:
    """Somebody whom we know has another name now. Nothing that is theirs follows them there by itself."""

    account: str
    before: str
    after: str


@frozen(kw_only=True)
class RequestDeclined:
    """Somebody proposed what is not taken (DCC: a file, a chat), and was not answered."""

    account: str
    sender: str
    command: str
    text: str


@frozen(kw_only=True)
class Renamed:
    """Our own nickname is another now: `wanted` is the one that is bound."""

    account: str
    nick: str
    wanted: bool


@frozen(kw_only=True)
class ServerNotice:
    """The server, or its services, told us something that is no message of a person."""

    account: str
    source: str
    text: str


# Channels: wire and machine only, until rooms have a form in the model.


@frozen(kw_only=True)
class Invited:
    """Somebody invites us to a channel. It is not joined."""

    account: str
    sender: str
    channel: str


@frozen(kw_only=True)
class ChannelForced:
    """The server put us into a channel that nobody wanted; we have left it."""

    account: str
    channel: str


@frozen(kw_only=True)
class ChannelJoin:
    """Enter a channel. It ends when the server has let us in."""

    account: str
    channel: str
    key: str = ""


@frozen(kw_only=True)
class ChannelPart:
    """Leave a channel."""

    account: str
    channel: str
    reason: str = ""


@frozen(kw_only=True)
class ChannelSend:
    """Write to a channel. `text` has no line end."""

    account: str
    channel: str
    text: str
    kind: Kind = Kind.MESSAGE


@frozen(kw_only=True)
class ChannelMessage:
    """Somebody wrote in a channel. `part_of` is the rank that it was for (``@#channel``); empty: everybody."""

    account: str
    channel: str
    sender: str
    shown: str
    text: str
    kind: Kind = Kind.MESSAGE
    part_of: str = ""
    message_id: str = ""
    timestamp: float | None = None
    services_account: str | None = None
    userhost: str = ""
    legacy: bool = False


class MemberChange(Enum):
    """What happened to a member of a channel."""

    JOINED = "joined"
    LEFT = "left"
    QUIT = "quit"
    KICKED = "kicked"
    RENAMED = "renamed"


@frozen(kw_only=True)
class ChannelMember:
    """A member came, went or has another name. `by` kicked them; `renamed_to` is the new name."""

    account: str
    channel: str
    nick: str
    shown: str
    change: MemberChange
    reason: str = ""
    by: str = ""
    renamed_to: str = ""
    ourselves: bool = False


@frozen(kw_only=True)
class ChannelMembers:
    """Who is in a channel, with their ranks (``@``, ``+``): after we have joined."""

    account: str
    channel: str
    members: tuple[tuple[str, str], ...]
    """Pairs of name and ranks."""


@frozen(kw_only=True)
class ChannelTopic:
    """A channel's topic. `by` is who set it, empty where it was there before us."""

    account: str
    channel: str
    topic: str
    by: str = ""


Inbound = (
    MessageReceived
    | MessageFailed
    | MessageRelayed
    | AwayReply
    | TypingReceived
    | ContactPresence
    | PeerChanged
    | PeerRenamed
    | RequestDeclined
    | Renamed
    | ServerNotice
    | Invited
    | ChannelForced
    | ChannelMessage
    | ChannelMember
    | ChannelMembers
    | ChannelTopic
    | LinkState
)
Outbound = MessageSend | TypingSend | ContactAdd | ContactRemove | OwnPresence | ChannelJoin | ChannelPart | ChannelSend
