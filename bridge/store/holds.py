"""Messages that policy holds for a reviewer: read, released, refused, expired.

Each change is one transaction with its records, and is made only if the message is still held as it was read: of two
reviewers, or a reviewer and the clock, the first one decides.
"""

from collections.abc import Callable, Sequence

from attrs import evolve, frozen
from sqlalchemy import ColumnElement, Connection, delete, update

from bridge.compliance import record
from bridge.compliance.errors import CodecError, SealError
from bridge.compliance.log import Restorer, row_mac
from bridge.compliance.opening import read_leaf
from bridge.compliance.record import RecordDraft, Recorded
from bridge.compliance.rows import OutboxRow, StoreDamagedError
from bridge.delivery.ports import OutboxItem
from bridge.model.envelope import Envelope
from bridge.store.errors import StoreError
from bridge.store.journal import Damage, check_row, item_of, restore
from bridge.store.reader import SqliteLogReader
from bridge.store.schema import outbox


class NotHeldError(StoreError):
    """There is no such message, or it is not held any more."""


@frozen(kw_only=True)
class Held:
    """A message that is held: its delivery, its licence, and how its row looks once it is released."""

    item: OutboxItem
    recorded: Recorded
    mac: bytes
    mac_released: bytes

    @property
    def envelope(self) -> Envelope:
        """The message."""
        assert self.recorded.envelope is not None  # `restore` has made sure of it
        return self.recorded.envelope


def read_held(reader: SqliteLogReader, restorer: Restorer) -> tuple[list[Held], tuple[Damage, ...]]:
    """Returns what is held, oldest first, and the rows that may not be trusted.

    Raises:
        StoreDamagedError: the outbox cannot be read.
    """
    out: list[Held] = []
    damaged: list[Damage] = []
    for row in reader.held():
        try:
            out.append(_held(reader, restorer, row))
        except (CodecError, SealError, StoreDamagedError) as error:
            damaged.append(Damage(key=row.key, reason=str(error)))
    return out, tuple(damaged)


def _held(reader: SqliteLogReader, restorer: Restorer, row: OutboxRow) -> Held:
    check_row(restorer, row)
    recorded = restore(reader, restorer, row)
    free = row_mac(restorer.row_key, row._replace(held=0).columns)
    return Held(item=item_of(row), recorded=recorded, mac=row.mac, mac_released=free)


def find_held(reader: SqliteLogReader, restorer: Restorer, event: str) -> Held:
    """Returns the message that is held under an event id.

    Raises:
        NotHeldError: there is none.
        StoreError: its row may not be trusted.
        StoreDamagedError: the outbox cannot be read.
    """
    for row in reader.held():
        if row.event == event:
            try:
                return _held(reader, restorer, row)
            except (CodecError, SealError) as error:
                raise StoreError(f"message {event} is damaged: {error}") from error
    raise NotHeldError(f"no message {event!r} is held")


def rule_of(reader: SqliteLogReader, event: str) -> str:
    """Returns the id of the rule that decided about a message, empty where none did.

    Raises:
        CodecError: the record of the decision was changed.
        StoreDamagedError: it cannot be read.
    """
    for leaf in reader.find(event):
        if leaf.event not in {record.DECISION, record.INTAKE}:
            continue
        fields = read_leaf(leaf, reader.state().log_id)
        if leaf.event == record.DECISION:
            return str(fields.get("deciding", ""))
        for flag in fields.get("content_flags", ()):
            prefix, _, original = str(flag).partition(":")
            if prefix == "redaction-of":  # the decision is about the message as it came
                return rule_of(reader, original)
    return ""


def _as_it_was(held: Held) -> tuple[ColumnElement[bool], ...]:
    return (
        outbox.c.seq == held.recorded.seq,
        outbox.c.key == held.item.key,
        outbox.c.held == 1,
        outbox.c.mac == held.mac,
    )


def release(held: Held) -> Callable[[Connection], OutboxItem]:
    """Returns an operation that lets a message go; it returns its delivery as it is now. It raises NotHeldError."""

    def operation(connection: Connection) -> OutboxItem:
        change = update(outbox).where(*_as_it_was(held))
        if connection.execute(change.values(held=0, mac=held.mac_released)).rowcount != 1:
            raise NotHeldError(f"message {held.item.event} is not held any more")
        return evolve(held.item, held=False)

    return operation


def drop(held: Held) -> Callable[[Connection], None]:
    """Returns an operation that takes a held message out of the outbox. It raises NotHeldError."""

    def operation(connection: Connection) -> None:
        if connection.execute(delete(outbox).where(*_as_it_was(held))).rowcount != 1:
            raise NotHeldError(f"message {held.item.event} is not held any more")

    return operation


def release_records(held: Held, *, actor: str, reviewer: str, reason: str = "") -> Sequence[RecordDraft]:
    """Returns the record of a release.

    Args:
        held: the message.
        actor: who gave the command, as the system knows them.
        reviewer: who decided, if they gave a name of their own: sealed.
        reason: their words: sealed.
    """
    return [
        record.event(
            record.RELEASE,
            actor=actor,
            event_id=held.item.event,
            parent=held.recorded,
            detail={"reviewer": reviewer, "reason": reason},
        )
    ]


def refuse_records(held: Held, *, actor: str, reviewer: str, reason: str = "") -> Sequence[RecordDraft]:
    """Returns the records of a refusal: who decided it, and the outcome for the recipient. Arguments as above."""
    return [
        record.event(
            record.REVIEW,
            actor=actor,
            event_id=held.item.event,
            parent=held.recorded,
            fields={"verdict": "refused"},
            detail={"reviewer": reviewer, "reason": reason},
        ),
        record.outcome(
            held.item.event,
            recipient=held.envelope.recipients[0],
            code="refused",
            detail=reason,
            parent=held.recorded,
        ),
    ]


def expiry_records(held: Held) -> Sequence[RecordDraft]:
    """Returns the record that nobody decided in time."""
    recipient = held.envelope.recipients[0]
    outcome = record.outcome(
        held.item.event, recipient=recipient, code="expired", detail="held, and not reviewed", parent=held.recorded
    )
    return [outcome]


def look_records(held: Sequence[Held], *, actor: str) -> Sequence[RecordDraft]:
    """Returns the records that somebody read what is held, one for each message."""
    return [
        record.event(
            record.REVIEW, actor=actor, event_id=one.item.event, parent=one.recorded, fields={"verdict": "looked"}
        )
        for one in held
    ]
