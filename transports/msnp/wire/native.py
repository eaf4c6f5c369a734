"""What a mapping and the MSNP transport exchange: values that say what happens on the network, not how.

`account` is our own passport in its normal form (lower case). Other passports are as the network writes them; compare
them by `text.normal`. Times are seconds since 1970 (UTC).
"""

from __future__ import annotations

from attrs import frozen

from transports.common.wire.native import Link, LinkState
from transports.msnp.wire.im import Format

__all__ = [
    "AddedUs", "Allow", "Contact", "ContactAdd", "ContactPresence", "ContactRemove", "ImAck", "ImError", "ImReceived",
    "ImSend", "ImUnreadable", "Inbound", "InvitationDeclined", "Link", "LinkState", "Nudged", "Outbound", "OwnPresence",
    "RoomDeclined", "Roster", "RosterEditFailed", "TypingReceived", "TypingSend",
]  # fmt: skip


@frozen(kw_only=True)
class ImReceived:
    """Somebody wrote.

    Attributes:
        sender: their passport. name: as they call themselves now.
        text: plain; line ends as they came. look: how the whole of it looks, where they said.
        message_id: of a message in chunks and of a stored one; None else, for MSNP has none.
        timestamp: when a stored message was sent, where it tells.
        offline: it was stored while we were away.
        lossy: part of it could not be decoded.
    """

    account: str
    sender: str
    text: str
    name: str = ""
    look: Format | None = None
    message_id: str | None = None
    timestamp: int | None = None
    offline: bool = False
    lossy: bool = False


@frozen(kw_only=True)
class ImSend:
    """Write to somebody. `cookie` names the message to us, the same for every attempt; it never goes on the wire."""

    account: str
    to: str
    text: str
    cookie: str
    look: Format | None = None


@frozen(kw_only=True)
class ImAck:
    """The server has handed a message of ours on after all: it said so after the send was given up as unknown."""

    account: str
    to: str
    cookie: str


@frozen(kw_only=True)
class ImError:
    """The server could not hand on a message of ours; it said so (NAK) after the send was given up as unknown."""

    account: str
    to: str
    cookie: str
    reason: str
    retryable: bool
    certain: bool = True


@frozen(kw_only=True)
class ImUnreadable:
    """A message came that cannot be decoded or is of an unknown kind. For the record: `raw` is its payload."""

    account: str
    sender: str | None
    reason: str
    raw: bytes


@frozen(kw_only=True)
class TypingReceived:
    """Somebody types to us. MSNP never says that they stopped: the session says so when nothing came for a while."""

    account: str
    sender: str
    typing: bool


@frozen(kw_only=True)
class TypingSend:
    """Show somebody that we type, or stop showing it."""

    account: str
    to: str
    typing: bool


@frozen(kw_only=True)
class Nudged:
    """Somebody wants our attention, or sent what has no text.

    `what` is ``nudge``, ``wink``, ``voice``, ``action`` (then `text` says it) or ``datacast``.
    """

    account: str
    sender: str
    what: str
    text: str = ""


@frozen(kw_only=True)
class InvitationDeclined:
    """Somebody proposed a file transfer or a program, and it was declined. `file` names it, where they said."""

    account: str
    sender: str
    what: str
    file: str = ""


@frozen(kw_only=True)
class RoomDeclined:
    """A conversation of several people was left.

    Attributes:
        room: the switchboard's session id. by: who called us there or was on it first; None where nobody is known.
        members: all who were on it, without us.
    """

    account: str
    room: str
    by: str | None
    members: tuple[str, ...]


@frozen(kw_only=True)
class ContactPresence:
    """What is known of a contact has changed. `status` is one of `codes.STATUSES`, or FLN."""

    account: str
    passport: str
    status: str
    name: str = ""
    message: str = ""
    media: str = ""


@frozen(kw_only=True)
class OwnPresence:
    """Show ourselves so: `status` is one of `codes.STATUSES`, `message` the words beside our name."""

    account: str
    status: str
    message: str = ""


@frozen(kw_only=True)
class ContactAdd:
    """Put somebody on our forward list."""

    account: str
    passport: str


@frozen(kw_only=True)
class ContactRemove:
    """Take somebody off our forward list."""

    account: str
    passport: str


@frozen(kw_only=True)
class Allow:
    """Let somebody see us and write to us (the allow list), or not (the block list): MSN has one word for both."""

    account: str
    passport: str
    allowed: bool


@frozen(kw_only=True)
class Contact:
    """A line of the list: who, under which name, and on which of the lists."""

    passport: str
    name: str = ""
    forward: bool = False
    allowed: bool = False
    blocked: bool = False
    reverse: bool = False


@frozen(kw_only=True)
class Roster:
    """The list that the server keeps, whole: after sign-on and after each change."""

    account: str
    contacts: tuple[Contact, ...]


@frozen(kw_only=True)
class RosterEditFailed:
    """An edit of the lists was refused, with the number and the name of the error."""

    account: str
    passport: str
    code: int
    name: str


@frozen(kw_only=True)
class AddedUs:
    """Somebody has us on their list, and we have answered neither yes nor no. Told once in each sign-on."""

    account: str
    sender: str
    name: str = ""


Inbound = (
    ImReceived
    | ImAck
    | ImError
    | ImUnreadable
    | TypingReceived
    | Nudged
    | InvitationDeclined
    | RoomDeclined
    | ContactPresence
    | Roster
    | RosterEditFailed
    | AddedUs
    | LinkState
)
"""What the transport tells."""

Outbound = ImSend | TypingSend | OwnPresence | ContactAdd | ContactRemove | Allow
"""What the transport is told."""
