"""The envelope: one event on its way, whatever network it came from."""

from enum import Enum
from typing import Generic, TypeVar

from attrs import frozen

from bridge.model.address import ConversationKey, Identity
from bridge.model.body import Body
from bridge.model.ids import EventId, NetworkId, RemoteMessageId


class Direction(Enum):
    """Seen from the company."""

    OUTBOUND = "outbound"
    INBOUND = "inbound"
    INTERNAL = "internal"


N = TypeVar("N")


@frozen(kw_only=True)
class Loss:
    """Something a translation could not carry: which feature, and what became of it."""

    feature: str
    detail: str


@frozen(kw_only=True)
class Origin:
    """Where an event came from; with the remote id it is what duplicates are known by."""

    network: NetworkId
    account: str
    """The account of ours that received it (an AccountId), or the sender's address-of-record on ``sip``."""
    remote_id: RemoteMessageId | None = None
    user_agent: str = ""


@frozen(kw_only=True)
class Draft:
    """What a mapping makes of a native event: an envelope before identity and direction are known."""

    origin: Origin
    conversation: ConversationKey
    sender: Identity
    recipients: tuple[Identity, ...]
    body: Body
    claimed_at: float | None = None
    """The time that the sender's side claims, seconds since the epoch."""
    losses: tuple[Loss, ...] = ()


@frozen(kw_only=True)
class Envelope:
    """An event of known people, on its way through policy, record and delivery."""

    id: EventId
    origin: Origin
    conversation: ConversationKey
    sender: Identity
    recipients: tuple[Identity, ...]
    direction: Direction
    received_at: float
    """Seconds since the epoch, by our own clock."""
    body: Body
    claimed_at: float | None = None
    losses: tuple[Loss, ...] = ()


@frozen(kw_only=True)
class Unmappable:
    """A translation has no form for an event on that network: why, fit for a record and a sender."""

    feature: str
    reason: str


@frozen(kw_only=True)
class Translated(Generic[N]):
    """The native events that carry an envelope, in order, with what they could not carry."""

    natives: tuple[N, ...]
    losses: tuple[Loss, ...] = ()
