"""Matrix's own events, as the transport tells them and is told them.

`account` is always a user id of ours, a ghost: the name that a person is bound to. Times are milliseconds since the
epoch, by the clock of the homeserver that an event came from.
"""

from __future__ import annotations

from attrs import field, frozen

from transports.common.wire.native import LinkState


@frozen(kw_only=True)
class Media:
    """What a file, image, audio, video, sticker or place is said to be."""

    url: str = ""
    name: str = ""
    media_type: str = ""
    size: int | None = None


@frozen(kw_only=True)
class MessageReceived:
    """Somebody wrote, or corrected what they wrote.

    Attributes:
        msgtype: ``m.text``, ``m.notice``, ``m.emote``, ``m.image`` and so on; ``m.sticker`` for a sticker.
        html: the ``formatted_body``, where its format is ``org.matrix.custom.html``.
        replaces: the event that it takes the place of (``m.replace``).
        reply_to: the event that it answers.
        media: what it is besides a text.
    """

    account: str
    sender: str
    room: str
    event_id: str
    msgtype: str
    body: str
    html: str | None = None
    timestamp: int | None = None
    replaces: str = ""
    reply_to: str = ""
    media: Media | None = None


@frozen(kw_only=True)
class RedactionReceived:
    """Somebody took an event back."""

    account: str
    sender: str
    room: str
    event_id: str
    target: str
    reason: str = ""
    timestamp: int | None = None


@frozen(kw_only=True)
class ReactionReceived:
    """Somebody answered an event with an emoji."""

    account: str
    sender: str
    room: str
    event_id: str
    target: str
    key: str
    timestamp: int | None = None


@frozen(kw_only=True)
class Unreadable:
    """Something came that is encrypted, malformed or of a kind that is not known here. ``raw`` is its JSON."""

    account: str
    sender: str
    room: str
    event_id: str
    kind: str
    reason: str
    raw: bytes


@frozen(kw_only=True)
class TypingReceived:
    """Somebody types, or does not any more."""

    account: str
    sender: str
    room: str
    typing: bool


@frozen(kw_only=True)
class ReadReceived:
    """Somebody has read an event of ours, because they have read this one or a later one."""

    account: str
    sender: str
    room: str
    event_id: str
    timestamp: int | None = None


@frozen(kw_only=True)
class PresenceReceived:
    """What is known of somebody's presence has changed. ``presence``: ``online``, ``unavailable``, ``offline``."""

    account: str
    user: str
    presence: str
    status_msg: str = ""
    last_active_ago: int | None = None
    currently_active: bool = False


@frozen(kw_only=True)
class Invited:
    """Somebody invites us. It is to be answered with `Join` or `Leave`. ``direct``: they say that it is for two."""

    account: str
    sender: str
    room: str
    event_id: str
    direct: bool
    timestamp: int | None = None


@frozen(kw_only=True)
class RoomLeft:
    """We are not in a room any more, or were never: why, for people.

    ``ours``: we left it because it is a room of several people; otherwise somebody put us out.
    """

    account: str
    sender: str
    room: str
    event_id: str
    reason: str
    ours: bool
    timestamp: int | None = None


@frozen(kw_only=True)
class MessageSend:
    """Write to somebody, in the room that is shared with them alone.

    Attributes:
        txn_id: the same for every attempt; no two messages have the same.
        display_name: how the account is to be called; empty: as it is.
        replaces: the event that it takes the place of; then `room` says where that is.
        room: where; otherwise the one that is shared with ``to``.
    """

    account: str
    to: str
    txn_id: str
    body: str
    html: str | None = None
    msgtype: str = "m.text"
    display_name: str = ""
    replaces: str = ""
    room: str = ""


@frozen(kw_only=True)
class RedactionSend:
    """Take an event back. ``room``: where; empty: in the one that is shared with ``to``."""

    account: str
    to: str
    room: str
    txn_id: str
    target: str


@frozen(kw_only=True)
class ReactionSend:
    """Answer an event with an emoji. ``room``: where; empty: in the one that is shared with ``to``."""

    account: str
    to: str
    room: str
    txn_id: str
    target: str
    key: str


@frozen(kw_only=True)
class TypingSend:
    """Show somebody that we type, or not any more. Where no room is shared there is nobody to see it."""

    account: str
    to: str
    typing: bool


@frozen(kw_only=True)
class ReadSend:
    """Show that everything up to an event was read."""

    account: str
    to: str
    room: str
    event_id: str


@frozen(kw_only=True)
class OwnPresence:
    """Show ourselves so: ``online``, ``unavailable`` or ``offline``."""

    account: str
    presence: str
    status_msg: str = ""


@frozen(kw_only=True)
class Watch:
    """The presence of somebody is wanted, or not any more."""

    account: str
    user: str
    wanted: bool


@frozen(kw_only=True)
class Join:
    """Accept an invitation."""

    account: str
    room: str
    sender: str = ""


@frozen(kw_only=True)
class Leave:
    """Decline an invitation, or leave a room."""

    account: str
    room: str
    reason: str = field(default="")


Inbound = (
    MessageReceived
    | RedactionReceived
    | ReactionReceived
    | Unreadable
    | TypingReceived
    | ReadReceived
    | PresenceReceived
    | Invited
    | RoomLeft
    | LinkState
)
"""What the transport tells."""

RoomSend = MessageSend | RedactionSend | ReactionSend
"""What becomes an event of a room, with a transaction id."""

Outbound = RoomSend | TypingSend | ReadSend | OwnPresence | Watch | Join | Leave
"""What the transport is told."""

__all__ = [
    "Inbound", "Invited", "Join", "Leave", "LinkState", "Media", "MessageReceived", "MessageSend", "Outbound",
    "OwnPresence", "PresenceReceived", "ReactionReceived", "ReactionSend", "ReadReceived", "ReadSend",
    "RedactionReceived", "RedactionSend", "RoomLeft", "RoomSend", "TypingReceived", "TypingSend", "Unreadable", "Watch",
]  # fmt: skip
