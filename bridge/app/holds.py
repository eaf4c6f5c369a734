"""The running daemon's side of held messages: a reviewer's answer is put on record, and then acted upon."""

from collections.abc import Callable, Mapping
from typing import Any

import structlog
from attrs import define, field
from twisted.internet.defer import Deferred, succeed
from twisted.internet.threads import deferToThread
from twisted.python.failure import Failure as Failed

from bridge.app.control import ControlError
from bridge.compliance.errors import ComplianceError
from bridge.delivery.lanes import Parcel
from bridge.delivery.pipeline import Pipeline
from bridge.delivery.ports import CommitFailed, OutboxItem
from bridge.model.body import Failure, Stage
from bridge.model.envelope import Envelope
from bridge.store import holds
from bridge.store.errors import StoreError
from bridge.store.holds import Held
from bridge.store.journal import GroupCommitJournal, check_row, item_of, restore
from bridge.store.writer import Submitted

log = structlog.get_logger(__name__)

RELEASE = "release"
REFUSE = "refuse"
RELEASED = "released"


def reviews_self(envelope: Envelope, reviewer: str) -> bool:
    """Whether a reviewer, an address such as ``alice@corp.example``, is the one who wrote the message."""
    sender = envelope.sender
    return reviewer in {sender.person, sender.address.user if sender.address.corporate else None}


SELF_REVIEW = "nobody reviews a message of their own"


@define(eq=False)
class Reviews:
    """Takes what reviewers decide.

    Args:
        journal: the store.
        pipeline: delivers what was released, and tells senders.
        clock: seconds since the epoch.
    """

    journal: GroupCommitJournal
    pipeline: Pipeline
    clock: Callable[[], float]
    recovered: bool = field(init=False, default=False)
    """The daemon has taken up what waited when it started."""

    def answer(self, asked: Mapping[str, Any]) -> Deferred[Mapping[str, Any]]:
        """Answers the control socket's question ``hold``: ``do``, ``event``, ``actor``, ``reviewer``, ``reason``."""
        do, event = str(asked.get("do")), str(asked.get("event"))
        if do == RELEASED:
            return self._take_up(event)
        if do not in {RELEASE, REFUSE}:
            raise ControlError(f"not an answer to a held message: {do!r}")
        by = {name: str(asked.get(name, "")) for name in ("actor", "reviewer", "reason")}
        if not by["actor"]:
            raise ControlError("nobody says who decides")
        reading: Deferred[Any] = deferToThread(self._find, event)
        reading.addCallback(lambda held: self._decide(do, held, by))
        reading.addErrback(_refused)
        return reading

    def _find(self, event: str) -> Held:
        with self.journal.reading() as (reader, restorer):
            return holds.find_held(reader, restorer, event)

    def _decide(self, do: str, held: Held, by: Mapping[str, str]) -> Deferred[Mapping[str, Any]]:
        if reviews_self(held.envelope, by["reviewer"]):
            raise ControlError(SELF_REVIEW)
        if do == REFUSE:
            why = by["reason"] or "a reviewer has refused it"
            return self._submit(held, holds.drop(held), holds.refuse_records(held, **by), "refused", why)
        if held.item.expires_at <= self.clock():
            raise ControlError(f"message {held.item.event} has expired")
        return self._submit(held, holds.release(held), holds.release_records(held, **by), "released", "")

    def _submit(
        self, held: Held, operation: Callable[..., Any], records: Any, code: str, why: str
    ) -> Deferred[Mapping[str, Any]]:
        answer: Deferred[Mapping[str, Any]] = Deferred()

        def done(outcome: Submitted[Any] | CommitFailed) -> None:
            if isinstance(outcome, CommitFailed):
                answer.errback(ControlError(outcome.reason.partition(": ")[2] or outcome.reason))
                return
            log.info("held message decided", id=held.item.event, decision=code)
            if code == "released":
                self._deliver(outcome.result, held)
            else:
                self._end(held, code, why)
            answer.callback({"event": held.item.event, "decision": code})

        self.journal.submit(operation, done, records=lambda _: records)
        return answer

    def _deliver(self, item: OutboxItem, held: Held) -> None:
        now = self.clock()
        self.pipeline.lanes.add(Parcel(item, held.recorded, now), now)

    def _end(self, held: Held, code: str, why: str) -> None:
        outcomes = self.pipeline.counters.outcomes
        outcomes[code] = outcomes.get(code, 0) + 1
        failure = Failure(reason=code, retryable=False, certain=True, user_text=why)
        self.pipeline.notices.failed(self.pipeline.write_notice, held.envelope, Stage.FAILED, failure)
        self.pipeline.receipts.refused(held.envelope, failure)

    # What was released while no daemon ran

    def _take_up(self, event: str) -> Deferred[Mapping[str, Any]]:
        """Delivers what a command has released in the store just when this daemon had read what waits there."""
        before = self.pipeline.lanes.events()

        def read() -> list[Parcel]:
            with self.journal.reading() as (reader, restorer):
                rows = [row for row in reader.waiting(event) if not row.held]
                for row in rows:
                    check_row(restorer, row)
                return [Parcel(item_of(row), restore(reader, restorer, row), self.clock()) for row in rows]

        def taken(parcels: list[Parcel]) -> Mapping[str, Any]:
            for parcel in parcels:
                # What waited here when the question came may be delivered by now, and is not to be sent again.
                if event not in before | self.pipeline.lanes.events():
                    self.pipeline.lanes.add(parcel, self.clock())
            return {"event": event}

        if not self.recovered:  # it will be seen with all the rest
            return succeed({"event": event})

        reading: Deferred[Any] = deferToThread(read)
        reading.addCallback(taken)
        reading.addErrback(_refused)
        return reading

    # Time

    def expire(self) -> Deferred[None]:
        """Ends what nobody has decided in the time that it had."""

        def read() -> list[Held]:
            now = self.clock()
            with self.journal.reading() as (reader, restorer):
                found, damaged = holds.read_held(reader, restorer)
            for damage in damaged:
                log.error("outbox-row-damaged", key=damage.key, reason=damage.reason)
            return [held for held in found if held.item.expires_at <= now]

        def ended(found: list[Held]) -> None:
            for held in found:
                self._submit(
                    held, holds.drop(held), holds.expiry_records(held), "expired", "nobody let it go in time"
                ).addErrback(_not_expired, held)

        reading: Deferred[Any] = deferToThread(read)
        reading.addCallback(ended)
        reading.addErrback(_not_read)
        return reading


def _refused(failed: Failed) -> None:
    error = failed.value
    if isinstance(error, StoreError | ComplianceError):
        raise ControlError(str(error)) from error
    failed.raiseException()


def _not_expired(failed: Failed, held: Held) -> None:
    log.warning("held message not ended", id=held.item.event, error=failed.getErrorMessage())


def _not_read(failed: Failed) -> None:
    log.error("held messages not read", error=failed.getErrorMessage())
