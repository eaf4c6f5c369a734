"""Doubles of the ports of delivery: a journal in memory, a network that notes what it is told to send."""

from collections.abc import Callable, Sequence

from attrs import define, field

from bridge.compliance import record
from bridge.compliance.record import Recorded
from bridge.delivery.ports import CommitFailed, Entry, Intake, OutboxItem, SeenKey, Sink
from bridge.model.address import Identity
from bridge.model.capabilities import Capabilities, SendResult
from bridge.model.envelope import Draft, Envelope, Translated, Unmappable
from bridge.model.ids import EventId, IdempotencyKey, NetworkId

Done = Callable[[tuple[Recorded, ...] | CommitFailed], None]


@define(eq=False)
class MemoryJournal:
    """Keeps entries when ``flush`` is called, as a disk would: in order, all of one or nothing of it."""

    entries: list[Entry] = field(factory=list)
    waiting: list[tuple[Entry, Done]] = field(factory=list)
    failing: bool = False
    automatic: bool = False
    kept: list[tuple[OutboxItem, Recorded]] = field(factory=list)
    seen_before: list[SeenKey] = field(factory=list)
    in_order: bool = False

    def commit(self, entry: Entry, done: Done) -> None:
        self.waiting.append((entry, done))
        if self.automatic:
            self.flush()

    def flush(self) -> None:
        batch, self.waiting = self.waiting, []
        for entry, done in batch:
            if self.failing:
                done(CommitFailed(reason="the disk is full"))
                continue
            self.entries.append(entry)
            done(
                tuple(
                    Recorded(record._LICENCE, len(self.entries), bytes(32), d.event, d.msg_id, d.envelope)
                    for d in entry.records
                )
            )

    def seen(self, since: dict[NetworkId, float], most: int) -> Sequence[SeenKey]:
        return [key for key in self.seen_before if key.taken_at >= since[key.network]][-most:]

    def ended_in_order(self) -> bool:
        return self.in_order

    def pending(self) -> Sequence[tuple[OutboxItem, Recorded]]:
        return self.kept

    def events(self) -> list[str]:
        """The kinds of all records, in order."""
        return [draft.event for entry in self.entries for draft in entry.records]

    def ids(self) -> set[EventId]:
        return {EventId(draft.msg_id) for entry in self.entries for draft in entry.records}


Sent = tuple[Envelope, Identity, str]
"""What the double's mapping makes of an envelope: itself, for whom, by which account."""


@define(eq=False)
class FakeNetwork:
    """A transport and a mapping whose native events are drafts in and envelopes out."""

    capabilities: Capabilities = field(factory=Capabilities)
    sent: list[tuple[Sent, IdempotencyKey]] = field(factory=list)
    answers: list[Callable[[SendResult], None]] = field(factory=list)
    at_once: SendResult | None = None
    parts: int = 1
    unmappable: Unmappable | None = None
    sink: Sink[Draft] | None = None

    def capabilities_of(self, user: str) -> Capabilities:
        assert user
        return self.capabilities

    async def start(self, sink: Sink[Draft]) -> None:
        self.sink = sink

    def send(
        self, native: Sent, *, key: IdempotencyKey, deadline: float, on_result: Callable[[SendResult], None]
    ) -> None:
        assert deadline > 0
        self.sent.append((native, key))
        self.answers.append(on_result)
        if self.at_once is not None:
            on_result(self.at_once)

    async def stop(self, *, drain: float) -> None:
        self.sink = None

    def to_canonical(self, native: Draft | Unmappable) -> tuple[Draft, ...] | Unmappable:
        return native if isinstance(native, Unmappable) else (native,)

    def from_canonical(
        self, event: Envelope, recipient: Identity, account: str, caps: Capabilities
    ) -> Translated[Sent] | Unmappable:
        assert caps is self.capabilities
        if self.unmappable is not None:
            return self.unmappable
        return Translated(natives=((event, recipient, account),) * self.parts)

    @property
    def texts(self) -> list[str]:
        return [getattr(native[0].body, "text", "") for native, _ in self.sent]


@define(eq=False)
class Answers:
    """Collects what became of what was handed in."""

    intakes: list[Intake] = field(factory=list)

    def __call__(self, intake: Intake) -> None:
        self.intakes.append(intake)

    @property
    def last(self) -> Intake:
        return self.intakes[-1]
