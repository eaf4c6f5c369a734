"""The ports of delivery: what it asks of a network, of a mapping and of the store. Their owners implement them.

Every call here is synchronous and takes a callback where the answer comes later: a message crosses the bridge without
a Deferred, and the continuations of a batch ride together (docs/adr/0005-callbacks-on-the-hot-path.md).
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

from attrs import frozen

from bridge.compliance.record import RecordDraft, Recorded
from bridge.model.address import Identity
from bridge.model.capabilities import Capabilities, LinkChange, SendResult
from bridge.model.envelope import Draft, Envelope, Translated, Unmappable
from bridge.model.ids import EventId, IdempotencyKey, NetworkId

N = TypeVar("N")
N_contra = TypeVar("N_contra", contravariant=True)


@frozen(kw_only=True)
class Intake:
    """What became of a native event that a transport handed in: its wire is acknowledged accordingly.

    ``accepted``: it is on record and its delivery is under way (or it is held). Otherwise ``refusal`` says why.
    """

    event: EventId | None
    accepted: bool
    held: bool = False
    refusal: "Refusal | None" = None


@frozen(kw_only=True)
class Refusal:
    """Why an event goes no further. ``reference`` is the event id under which the record holds it.

    ``code`` is one of: forbidden, not-found, no-binding, bad-request, bad-extension, too-large, unsupported,
    unavailable, duplicate.
    """

    code: str
    reason: str
    reference: str = ""
    retry_after: float | None = None
    """Seconds after which another try makes sense."""


class Sink(Protocol[N_contra]):
    """Where a transport hands in what it has received."""

    def deliver(self, native: N_contra, on_recorded: Callable[[Intake], None]) -> None:
        """Takes a native event. ``on_recorded`` is called once, after the commit; only then may the wire say yes."""

    def link_changed(self, change: LinkChange) -> None:
        """Takes the news that a link has entered a state."""


class Transport(Protocol[N]):
    """A network's wire, speaking its native events."""

    @property
    def capabilities(self) -> Capabilities:
        """What the network takes; what is declared is implemented."""

    def capabilities_of(self, user: str) -> Capabilities:
        """What one user of the network takes now, where more is known than of the network as a whole."""

    async def start(self, sink: Sink[N]) -> None:
        """Opens listeners and links. Raises OSError where a listener cannot be opened."""

    def send(self, native: N, *, key: IdempotencyKey, deadline: float, on_result: Callable[[SendResult], None]) -> None:
        """Sends one native event. After ``deadline`` (the reactor's seconds) it is not to be sent any more.

        ``on_result`` is called exactly once, at the latest when the network's own time for an answer has passed.
        """

    async def stop(self, *, drain: float) -> None:
        """Stops taking new events, gives what is under way ``drain`` seconds, then closes."""


class Mapping(Protocol[N]):
    """A pure, reversible translation between native events and the model."""

    def to_canonical(self, native: N) -> tuple[Draft, ...] | Unmappable:
        """Returns what a native event means."""

    def from_canonical(
        self, event: Envelope, recipient: Identity, account: str, caps: Capabilities
    ) -> Translated[N] | Unmappable:
        """Returns the native events that carry an envelope to one recipient, in order, and what they could not carry.

        ``account`` is the account of ours that sends them.
        """


@frozen(kw_only=True)
class Link:
    """A network: its wire and its translation, bound together by the composition root."""

    transport: Transport[Any]
    mapping: Mapping[Any]
    duplicate_seconds: float = 600.0
    """How long an id of an incoming event is known again. Ids that clients make anew after a restart live shorter."""
    vouches_for_delivery: bool = True
    """Whether its word for delivered means that the recipient has the message, and not only a device's program."""


@frozen(kw_only=True)
class OutboxItem:
    """One delivery to one recipient that the store keeps until it is settled.

    ``lane`` orders: items of one lane are delivered one after the other. ``account`` is the account of ours that sends.
    The content is not here: it is in the sealed body of ``event``.
    """

    key: IdempotencyKey
    event: EventId
    lane: str
    network: NetworkId
    account: str
    recipient: str
    """The address of the recipient on ``network``."""
    expires_at: float
    """Seconds since the epoch."""
    held: bool = False
    """Policy holds it for a reviewer: it is kept, and neither sent nor part of ``pending`` until it is released."""


@frozen(kw_only=True)
class Settlement:
    """An outbox item is done (its outcome is recorded in the same transaction) and leaves the outbox.

    ``seq`` is the leaf that holds what was delivered: ``Recorded.seq`` of its licence.
    """

    seq: int
    key: IdempotencyKey


@frozen(kw_only=True)
class SeenKey:
    """What a duplicate of an incoming event is known by."""

    network: NetworkId
    account: str
    remote_id: str
    event: EventId
    taken_at: float
    """When the event came in, seconds since the epoch."""


@frozen(kw_only=True)
class Entry:
    """One atomic write: all of it becomes durable, or none."""

    records: tuple[RecordDraft, ...] = ()
    enqueue: tuple[OutboxItem, ...] = ()
    settle: tuple[Settlement, ...] = ()


@frozen(kw_only=True)
class CommitFailed:
    """The store could not make an entry durable. Nothing of it was kept, and nothing may leave."""

    reason: str


class Journal(Protocol):
    """The durable store of the message path, with group commit."""

    def commit(self, entry: Entry, done: Callable[[tuple[Recorded, ...] | CommitFailed], None]) -> None:
        """Makes an entry durable. ``done`` is called once, on the reactor's thread, in the order of the calls.

        It gets a ``Recorded`` for each record, in order: the licence to deliver.
        """

    def seen(self, since: dict[NetworkId, float], most: int) -> Sequence[SeenKey]:
        """Reads the keys of events that came in since a time, oldest first: a duplicate is known after a restart too.

        ``since``: seconds since the epoch for each network. ``most``: of more than so many, the newest are read.
        """

    def pending(self) -> Sequence[tuple[OutboxItem, Recorded]]:
        """Reads what was not settled before the process ended, oldest first, with the envelope unsealed again."""

    def ended_in_order(self) -> bool:
        """Whether the process before this one said at its end that nothing was under way."""
