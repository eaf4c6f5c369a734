"""What a mapping and the OSCAR transport exchange: values that say what happens on the network, not how.

`account` is our own screen name in its normal form. Other names are as the network formats them; compare them by
`names.normal`. Times are seconds since 1970 (UTC).
"""

from __future__ import annotations

from enum import Enum

from attrs import frozen

from transports.common.wire import native as common

Link = common.Link
LinkState = common.LinkState


class Typing(Enum):
    """What a typing notification says: nothing (erased), text stands there, keys are pressed, the window is closed."""

    NONE = "none"
    TYPED = "typed"
    TYPING = "typing"
    CLOSED = "closed"


class Availability(Enum):
    """Our own state."""

    ONLINE = "online"
    AWAY = "away"
    INVISIBLE = "invisible"


@frozen(kw_only=True)
class ImReceived:
    """Somebody wrote.

    Attributes:
        sender: their screen name.
        text: what they wrote; AIM's HTML when `is_html`, else plain.
        auto_response: their client answered of itself (away message).
        cookie: 8 bytes; the same message keeps them (an ICQ offline message has none: empty).
        timestamp: when it was sent, where the server tells.
        offline: it was stored while we were away.
        charset: as on the wire: 0 ASCII, 2 UTF-16BE, 3 Latin-1, None where the form has none.
        lossy: part of it could not be decoded.
        channel: 1 or 4.
    """

    account: str
    sender: str
    text: str
    is_html: bool
    cookie: bytes
    auto_response: bool = False
    timestamp: int | None = None
    offline: bool = False
    charset: int | None = None
    lossy: bool = False
    channel: int = 1


@frozen(kw_only=True)
class ImSend:
    """Write to somebody. `cookie` is 8 bytes, the same for every attempt. `text` is HTML when `is_html`.

    `html` is a plain text as HTML, for a recipient whose client is known to read all text so.
    """

    account: str
    to: str
    text: str
    is_html: bool
    cookie: bytes
    auto_response: bool = False
    request_host_ack: bool = True
    store_offline: bool = True
    html: str | None = None


@frozen(kw_only=True)
class ImAck:
    """The server has a message of ours after all: its acknowledgement came after the send was given up as unknown."""

    account: str
    to: str
    cookie: bytes


@frozen(kw_only=True)
class ImError:
    """A message of ours was refused after its send had ended (as relayed or as unknown).

    Attributes:
        code: of xx/01 or of the client error.
        name: what that means.
        retryable: whether trying again later may help.
        certain: False when the message may have arrived after all.
    """

    account: str
    to: str
    cookie: bytes
    code: int | None
    name: str
    retryable: bool
    certain: bool = True


@frozen(kw_only=True)
class ImQueued:
    """Messages of ours wait, so as to stay under the network's rate limit.

    `waiting` counts them, this one included; `expected_seconds` is when this one should go.
    """

    account: str
    to: str
    cookie: bytes
    waiting: int
    expected_seconds: float


@frozen(kw_only=True)
class ImUnreadable:
    """A message came that cannot be decoded or is of a kind without text. For the record: `raw` is the SNAC's body."""

    account: str
    sender: str | None
    cookie: bytes
    channel: int | None
    reason: str
    raw: bytes


@frozen(kw_only=True)
class ImMissed:
    """The server did not hand us `count` messages from `sender`."""

    account: str
    sender: str
    count: int
    reason: str


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
class BuddyPresence:
    """What is known of a buddy (or, with the own name, of ourselves) has changed.

    Attributes:
        away_message: asked for when `away`; None while it is not known. HTML for AIM.
        status_text: the newer clients' status text.
        idle_minutes: 0 when not idle.
        icq_status: the low half of ICQ's status: `codes.ICQ_` bits.
        warning_level: in tenths of a percent.
    """

    account: str
    screen_name: str
    online: bool
    away: bool = False
    away_message: str | None = None
    status_text: str | None = None
    idle_minutes: int = 0
    invisible: bool = False
    icq_status: int = 0
    signon_time: int | None = None
    caps: tuple[bytes, ...] = ()
    warning_level: int = 0
    wireless: bool = False


@frozen(kw_only=True)
class OwnPresence:
    """Show ourselves so. `away_message` is HTML for AIM; `icq_status` is for ICQ numbers."""

    account: str
    state: Availability
    away_message: str | None = None
    idle_seconds: int = 0
    icq_status: int = 0


@frozen(kw_only=True)
class BuddyAdd:
    """Put somebody on the list that the server keeps, in `group` (made when it is not there)."""

    account: str
    screen_name: str
    group: str = "Buddies"
    alias: str | None = None


@frozen(kw_only=True)
class BuddyRemove:
    """Take somebody off the list that the server keeps, in whichever groups."""

    account: str
    screen_name: str


@frozen(kw_only=True)
class Contact:
    """A line of the list: a buddy, in which group, under which alias; and whether they have yet to authorize us."""

    screen_name: str
    group: str
    alias: str | None = None
    awaits_authorization: bool = False


@frozen(kw_only=True)
class Roster:
    """The list that the server keeps, whole: after sign-on and after each change."""

    account: str
    contacts: tuple[Contact, ...]
    ignored: tuple[str, ...] = ()
    denied: tuple[str, ...] = ()


@frozen(kw_only=True)
class RosterEditFailed:
    """An edit of the list was refused. `needs_authorization`: ask first (`AuthorizationAsk`)."""

    account: str
    screen_name: str
    code: int
    name: str
    needs_authorization: bool = False


@frozen(kw_only=True)
class AuthorizationRequest:
    """Somebody asks to add us to their list."""

    account: str
    sender: str
    reason: str = ""


@frozen(kw_only=True)
class AuthorizationAsk:
    """Ask somebody to let us add them."""

    account: str
    to: str
    reason: str = ""


@frozen(kw_only=True)
class AuthorizationAnswer:
    """Answer somebody who asked."""

    account: str
    to: str
    accepted: bool
    reason: str = ""


@frozen(kw_only=True)
class AuthorizationAnswered:
    """Somebody whom we asked has answered."""

    account: str
    sender: str
    accepted: bool
    reason: str = ""


@frozen(kw_only=True)
class YouWereAdded:
    """Somebody has added us to their list."""

    account: str
    sender: str


@frozen(kw_only=True)
class RendezvousDeclined:
    """Somebody proposed a file transfer, a direct connection or a chat (`capability`), and it was declined."""

    account: str
    sender: str
    capability: bytes
    invitation: str | None = None


@frozen(kw_only=True)
class Warned:
    """Our warning level (tenths of a percent) has changed; `by` whom, unless anonymously or by time."""

    account: str
    level: int
    by: str | None = None


Inbound = (
    ImReceived
    | ImAck
    | ImError
    | ImQueued
    | ImMissed
    | ImUnreadable
    | TypingReceived
    | BuddyPresence
    | Roster
    | RosterEditFailed
    | AuthorizationRequest
    | AuthorizationAnswered
    | YouWereAdded
    | RendezvousDeclined
    | Warned
    | LinkState
)
"""What the transport tells."""

Outbound = ImSend | TypingSend | OwnPresence | BuddyAdd | BuddyRemove | AuthorizationAsk | AuthorizationAnswer
"""What the transport is told."""
