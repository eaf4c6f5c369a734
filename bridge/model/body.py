"""What is said: the bodies of an envelope. Each says whether the compliance store must hold it."""

from enum import Enum
from typing import ClassVar, Final, Literal

from attrs import frozen

from bridge.model.ids import EventId, RemoteMessageId, RemoteUserId
from bridge.model.presence import PersonPresence

Kind = Literal["message", "presence", "typing", "receipt"]
"""What a body is to the policy."""


@frozen(kw_only=True)
class TextPart:
    """A text. ``html`` holds the same text with its formatting, where the sender had some."""

    text: str
    html: str | None = None
    language: str | None = None


@frozen(kw_only=True)
class Attachment:
    """A file or other content that is not text; its bytes are in the blob store."""

    blob_ref: str
    media_type: str
    size: int
    sha256: str
    name: str


Part = TextPart | Attachment


@frozen(kw_only=True)
class Message:
    """A message that a person reads."""

    durable: ClassVar[bool] = True
    kind: ClassVar[Kind] = "message"

    parts: tuple[Part, ...]
    reply_to: RemoteMessageId | None = None
    thread: str | None = None
    subject: str | None = None
    expires_at: float | None = None
    """Seconds since the epoch after which it is not to be delivered any more."""
    automatic: bool = False
    """An automatic answer (an away message): never itself answered automatically."""
    message_id: RemoteMessageId | None = None
    """The sender's own name of it, by which receipts speak of it; None where it has none."""
    wants: tuple["Stage", ...] = ()
    """The stages that its sender asked to be told of. Nothing is told of a message that has no ``message_id``."""

    @property
    def text(self) -> str:
        """All the text of the message, part after part."""
        if len(self.parts) == 1:
            part = self.parts[0]
            return part.text if isinstance(part, TextPart) else ""
        return "\n".join(part.text for part in self.parts if isinstance(part, TextPart))


@frozen(kw_only=True)
class Edit:
    """A message takes the place of an earlier one."""

    durable: ClassVar[bool] = True
    kind: ClassVar[Kind] = "message"

    target: RemoteMessageId
    replacement: Message


@frozen(kw_only=True)
class Retract:
    """A sender takes a message back. The record keeps it."""

    durable: ClassVar[bool] = True
    kind: ClassVar[Kind] = "message"

    target: RemoteMessageId


@frozen(kw_only=True)
class Reaction:
    """An emoji that answers a message."""

    durable: ClassVar[bool] = True
    kind: ClassVar[Kind] = "message"

    target: RemoteMessageId
    emoji: str
    removed: bool = False


class TypingState(Enum):
    """RFC 3994's two states, the pause that OSCAR and XMPP know between them, and who left the conversation."""

    ACTIVE = "active"
    PAUSED = "paused"
    IDLE = "idle"
    GONE = "gone"


@frozen(kw_only=True)
class Typing:
    """A person writes, or has stopped writing."""

    durable: ClassVar[bool] = False
    kind: ClassVar[Kind] = "typing"

    state: TypingState


class Standing(Enum):
    """How a watch stands (RFC 6665 section 4.1.3)."""

    ACTIVE = "active"
    PENDING = "pending"
    REJECTED = "rejected"


ELSEWHERE: Final = "elsewhere"
"""The ``source`` of what another server shows of a person: no device here stands behind it."""


@frozen(kw_only=True)
class PresenceUpdate:
    """The sender's presence has changed, or is told to those who watch.

    ``source`` names the device or publication that says so, where a person may have several; ``watches`` those that it
    answers, on its way out, and ``standing`` how they stand: the others than `ACTIVE` show no presence. ``hidden``: the
    sender is not to learn of these watches.
    """

    durable: ClassVar[bool] = False
    kind: ClassVar[Kind] = "presence"

    presence: PersonPresence
    source: str = ""
    watches: tuple[str, ...] = ()
    standing: Standing = Standing.ACTIVE
    hidden: bool = False


@frozen(kw_only=True)
class Reachability:
    """On how many devices the sender can be reached now: registrations, which say less than a publication."""

    durable: ClassVar[bool] = False
    kind: ClassVar[Kind] = "presence"

    devices: int


@frozen(kw_only=True)
class Watch:
    """The sender wants to see the recipient's presence for ``expires`` seconds; 0 ends it.

    ``id`` names the watch for as long as it lives. ``once``: one look and no more.
    """

    durable: ClassVar[bool] = False
    kind: ClassVar[Kind] = "presence"

    id: str
    expires: float
    once: bool = False


@frozen(kw_only=True)
class ContactEdit:
    """The sender's contact list on the recipient's network is to hold the recipient, or not any more."""

    durable: ClassVar[bool] = False
    kind: ClassVar[Kind] = "presence"

    wanted: bool


class Consent(Enum):
    """Where a wish to see somebody's presence stands (RFC 3857 section 4.7.1 in plain words)."""

    ASKED = "asked"
    GRANTED = "granted"
    REFUSED = "refused"


@frozen(kw_only=True)
class Authorization:
    """Presence needs its owner's consent.

    ``wanted``: the sender asks to see the recipient's presence (ASKED). Otherwise the sender's own presence is what it
    is about: that has to be asked for (ASKED), or the sender has answered.
    """

    durable: ClassVar[bool] = False
    kind: ClassVar[Kind] = "presence"

    consent: Consent
    wanted: bool = False
    words: str = ""
    """What the one who asks or answers says to it."""


class MembershipChange(Enum):
    """What has happened to a member of a room."""

    INVITED = "invited"
    JOINED = "joined"
    LEFT = "left"


@frozen(kw_only=True)
class Membership:
    """A member of a room came or went."""

    durable: ClassVar[bool] = True
    kind: ClassVar[Kind] = "message"

    member: RemoteUserId
    change: MembershipChange


class Stage(Enum):
    """How far a message is known to have come. ``UNKNOWN`` is said where nothing better is known: never a guess."""

    ACCEPTED = "accepted"
    RELAYED = "relayed"
    DELIVERED = "delivered"
    DISPLAYED = "displayed"
    FAILED = "failed"
    UNKNOWN = "unknown"


@frozen(kw_only=True)
class Failure:
    """Why a delivery did not happen.

    ``certain`` is false where the message may have arrived all the same (a time-out): a retry then keeps its key.
    ``user_text`` is fit to be shown to the person who sent the message.
    """

    reason: str
    retryable: bool
    certain: bool
    user_text: str


@frozen(kw_only=True)
class Receipt:
    """Word of how far an earlier message has come."""

    durable: ClassVar[bool] = False
    kind: ClassVar[Kind] = "receipt"

    target: EventId | RemoteMessageId
    stage: Stage
    failure: Failure | None = None
    sent_at: float | None = None
    """When the target was sent, as its sender had it: seconds since the epoch."""


Body = (
    Message
    | Edit
    | Retract
    | Reaction
    | Typing
    | PresenceUpdate
    | Reachability
    | Watch
    | ContactEdit
    | Authorization
    | Membership
    | Receipt
)
