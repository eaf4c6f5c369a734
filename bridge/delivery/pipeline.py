"""The way of a message: translated, identified, deduplicated, judged, recorded, and only then delivered.

Nothing here waits: each step hands a callback on. Times are seconds since the epoch by ``clock``, and monotonic seconds
by ``monotonic`` for deadlines.
"""

from collections.abc import Callable
from typing import Any

import structlog
from attrs import evolve, frozen

from bridge.compliance import record
from bridge.compliance.record import RecordDraft, Recorded
from bridge.delivery.dedupe import Seen
from bridge.delivery.judge import Judge
from bridge.delivery.lanes import Lanes, Parcel
from bridge.delivery.notices import Notices
from bridge.delivery.ports import (
    CommitFailed,
    Entry,
    Intake,
    Journal,
    Link,
    OutboxItem,
    Refusal,
    Settlement,
)
from bridge.delivery.receipts import Receipts, wants_receipts
from bridge.identity.snapshot import NoRoute, Route
from bridge.model.address import Identity
from bridge.model.body import Edit, Failure, Message, Receipt, Stage, TextPart
from bridge.model.capabilities import SendResult
from bridge.model.envelope import Direction, Draft, Envelope, Loss, Unmappable
from bridge.model.ids import SIP, EventId, EventIdMint, IdempotencyKey, NetworkId
from bridge.policy.values import Decision

log = structlog.get_logger(__name__)

OnRecorded = Callable[[Intake], None]


class Counters:
    """What the metrics show; plain numbers, for they are counted on the way of each message."""

    def __init__(self) -> None:
        self.received = 0
        self.refused = 0
        self.held = 0
        self.alerts = 0
        self.duplicates = 0
        self.recorded = 0
        self.unrecorded = 0
        self.dead_letters = 0
        self.outcomes: dict[str, int] = {}


@frozen(kw_only=True)
class Settings:
    """What the owner of the bridge decides about delivery."""

    offline_seconds: float = 7 * 86400.0
    """How long a message waits for its recipient."""
    tell_after: float = 5.0
    """Seconds after which a sender is told that a message waits."""
    retention_class: str = "default"
    max_per_lane: int = 10_000
    max_total: int = 200_000


class Pipeline:
    """Takes drafts in, and sees each to its outcome.

    Args:
        judge: policy and directory.
        journal: the durable store.
        mint: makes event ids.
        clock: seconds since the epoch.
        monotonic: seconds for deadlines.
        notices: what the bridge itself writes to people.
        settings: what the owner decides.
    """

    def __init__(
        self,
        *,
        judge: Judge,
        journal: Journal,
        mint: EventIdMint,
        clock: Callable[[], float],
        monotonic: Callable[[], float],
        notices: Notices,
        settings: Settings | None = None,
    ) -> None:
        settings = settings or Settings()
        self.judge = judge
        self.journal = journal
        self.mint = mint
        self.clock = clock
        self.monotonic = monotonic
        self.notices = notices
        self.settings = settings
        self.lanes = Lanes(self._send, self._settled, max_per_lane=settings.max_per_lane, max_total=settings.max_total)
        self.links: dict[NetworkId, Link] = {}
        self.counters = Counters()
        self.seen = Seen()
        self.receipts = Receipts()
        self.receipts.failed_late = self._failed_late
        self._unsaved: list[Entry] = []
        self._saving = 0

    # Intake

    def accept(self, draft: Draft, on_recorded: OnRecorded) -> None:
        """Takes one translated durable event with one recipient; ``on_recorded`` gets its answer, once."""
        self.counters.received += 1
        now = self.clock()
        origin = draft.origin
        if origin.remote_id is not None:
            key = (origin.network, origin.account, origin.remote_id)
            if self.seen.check(key, now, on_recorded):
                self.counters.duplicates += 1
                return
            self.seen.begin(key)
            try:
                self._accept(draft, now, self._remembering(key, on_recorded))
            except Exception:
                self.seen.forget(key)  # else every repetition would wait for an answer that never comes
                raise
        else:
            self._accept(draft, now, on_recorded)

    def _accept(self, draft: Draft, now: float, answer: OnRecorded) -> None:
        origin = draft.origin
        recipient = draft.recipients[0]
        way = self.judge.directory.route(origin, draft.sender.address, recipient.address)
        envelope = Envelope(
            id=self.mint(),
            origin=origin,
            conversation=draft.conversation,
            sender=_named(way.sender, draft.sender),
            recipients=(_named(way.recipient, recipient),),
            direction=way.direction,
            received_at=now,
            body=draft.body,
            claimed_at=draft.claimed_at,
            losses=draft.losses,
        )
        if isinstance(way, NoRoute):
            self._refuse(envelope, Refusal(code=way.code, reason=way.reason, reference=envelope.id), None, answer)
            return
        decision = self.judge.judge(envelope, way.recipient)
        if decision.effect == "forbid":
            refusal = Refusal(code="forbidden", reason=decision.reason, reference=envelope.id)
            self._refuse(envelope, refusal, decision, answer)
            return
        self._take(envelope, way, decision, answer)

    def dead_letter(
        self, network: NetworkId, account: str, native: object, problem: Unmappable, on_recorded: OnRecorded
    ) -> None:
        """Records an event that could not be translated, as it came, and refuses it."""
        self.counters.dead_letters += 1
        raw = repr(native).encode("utf-8", "backslashreplace")
        code = _CODES.get(problem.feature, "unsupported")
        self.refuse_raw(network, account, raw, f"{problem.feature}: {problem.reason}", code, on_recorded)

    def refuse_raw(
        self, network: NetworkId, account: str, raw: bytes, reason: str, code: str, on_recorded: OnRecorded
    ) -> None:
        """Records what was refused before it became an event, as it came.

        Args:
            network: where it came from.
            account: whose it is, or claims to be.
            raw: what came.
            reason: why it is refused.
            code: a code of ``Refusal``.
            on_recorded: gets the refusal, after the commit.
        """
        event = self.mint()
        direction = Direction.OUTBOUND if network == SIP else Direction.INBOUND
        letter = record.dead_letter(
            event,
            network=network,
            account=account,
            direction=direction,
            raw=raw,
            reason=reason,
            retention_class=self.settings.retention_class,
        )
        refusal = Refusal(code=code, reason=reason.partition(": ")[2] or reason, reference=event)
        self._commit_refusal((letter, _undecided(event, "forbid", code)), event, refusal, on_recorded)

    def _remembering(self, key: tuple[str, str, str], on_recorded: OnRecorded) -> OnRecorded:
        def answer(intake: Intake) -> None:
            now = self.clock()
            self.seen.end(key, intake, now, now + self._duplicate_seconds(key[0]))
            on_recorded(intake)

        return answer

    def _duplicate_seconds(self, network: str) -> float:
        link = self.links.get(NetworkId(network))
        return 0.0 if link is None else link.duplicate_seconds

    def _refuse(self, envelope: Envelope, refusal: Refusal, decision: Decision | None, on_recorded: OnRecorded) -> None:
        self.counters.refused += 1
        records = (self._intake(envelope), self._decision(envelope, decision, refusal.code))
        self._commit_refusal(records, envelope.id, refusal, on_recorded)

    def _commit_refusal(
        self, records: tuple[RecordDraft, ...], event: EventId, refusal: Refusal, on_recorded: OnRecorded
    ) -> None:
        def done(outcome: tuple[Recorded, ...] | CommitFailed) -> None:
            if isinstance(outcome, CommitFailed):
                on_recorded(self._unrecorded(outcome))
            else:
                on_recorded(Intake(event=event, accepted=False, refusal=refusal))

        self.journal.commit(Entry(records=records), done)

    def _unrecorded(self, failed: CommitFailed) -> Intake:
        self.counters.unrecorded += 1
        log.error("not recorded", reason=failed.reason)
        refusal = Refusal(code="unavailable", reason="the message cannot be put on record now", retry_after=5.0)
        return Intake(event=None, accepted=False, refusal=refusal)

    def _take(self, envelope: Envelope, way: Route, decision: Decision, on_recorded: OnRecorded) -> None:
        lane = f"{envelope.sender.address}>{way.recipient.address}"
        if not self.lanes.room_for(lane, may_refuse=envelope.direction is not Direction.INBOUND):
            refusal = Refusal(
                code="unavailable",
                reason="too many messages wait for this recipient",
                reference=envelope.id,
                retry_after=30.0,
            )
            self._refuse(envelope, refusal, decision, on_recorded)
            return
        outgoing = envelope
        records = [self._intake(envelope), self._decision(envelope, decision, "policy")]
        if decision.effect == "redact" or decision.redacted_text is not None:
            # What is held goes out as redacted too, once it is released: that somebody may read it lets nobody see
            # what another rule takes out.
            outgoing = self._redacted(envelope, decision)
            records.append(self._intake(outgoing, ("redacted", f"redaction-of:{envelope.id}")))
        held = decision.effect == "hold"
        item = OutboxItem(
            key=IdempotencyKey(f"{outgoing.id}.0"),
            event=outgoing.id,
            lane=lane,
            network=way.recipient.address.network,
            account=way.account,
            recipient=way.recipient.address.user,
            expires_at=self._expiry(envelope),
            held=held,
        )
        self._commit_taken(envelope, records, item, on_recorded)

    def _commit_taken(
        self, envelope: Envelope, records: list[RecordDraft], item: OutboxItem, on_recorded: OnRecorded
    ) -> None:
        def done(outcome: tuple[Recorded, ...] | CommitFailed) -> None:
            if isinstance(outcome, CommitFailed):
                on_recorded(self._unrecorded(outcome))
                return
            self.counters.recorded += 1
            on_recorded(Intake(event=envelope.id, accepted=True, held=item.held))
            if item.held:
                self.counters.held += 1
                return
            # The last record that holds an envelope is the one that goes out: the intake, or its redaction.
            licence = outcome[2] if len(outcome) > 2 else outcome[0]
            self.lanes.add(Parcel(item, licence, envelope.received_at), self.clock())

        self.journal.commit(Entry(records=tuple(records), enqueue=(item,)), done)

    def _intake(self, envelope: Envelope, flags: tuple[str, ...] = ()) -> RecordDraft:
        return record.intake(
            envelope,
            identity_version=self.judge.directory.version,
            retention_class=self.settings.retention_class,
            content_flags=flags,
        )

    def _decision(self, envelope: Envelope, decision: Decision | None, reason_code: str) -> RecordDraft:
        if decision is None:
            return _undecided(envelope.id, "forbid", reason_code)
        if decision.notify:
            self.counters.alerts += 1
            log.warning("policy alert", id=envelope.id, rules=list(decision.notify), decision=decision.effect)
        return record.decision(
            envelope.id,
            effect=decision.effect,
            deciding=decision.deciding,
            matched=decision.matched,
            would_have=decision.would_have,
            alerts=decision.notify,
            reason_code=reason_code,
            policy_digest=decision.policy_digest,
        )

    def _redacted(self, envelope: Envelope, decision: Decision) -> Envelope:
        body = envelope.body
        said = body.replacement if isinstance(body, Edit) else body
        if not isinstance(said, Message) or decision.redacted_text is None:
            raise TypeError(f"a {type(body).__name__} cannot be redacted")
        part = TextPart(text=decision.redacted_text)
        redacted = evolve(said, parts=(part,), subject=None)
        clean = evolve(body, replacement=redacted) if isinstance(body, Edit) else redacted
        losses = (*envelope.losses, Loss(feature="text", detail="redacted by policy"))
        # The name goes back to what the directory says: one of the sender's own choice may be what was to be taken out.
        sender = evolve(envelope.sender, display_name=self.judge.given_name(envelope.sender))
        return evolve(envelope, id=self.mint(), sender=sender, body=clean, losses=losses)

    def _expiry(self, envelope: Envelope) -> float:
        latest = envelope.received_at + self.settings.offline_seconds
        wanted = envelope.body.expires_at if isinstance(envelope.body, Message) else None
        return latest if wanted is None else min(latest, wanted)

    # Delivery

    def recover(self) -> int:
        """Takes up what was on record and not settled when the process ended. Returns how many deliveries that is.

        Unless the process ended in order, it is not known whether one of them left before: each is then marked as a
        possible duplicate. Each keeps its key.
        """
        now = self.clock()
        kept = {network: link.duplicate_seconds for network, link in self.links.items()}
        since = {network: now - seconds for network, seconds in kept.items()}
        self.seen.load((key, key.taken_at + kept[key.network]) for key in self.journal.seen(since, self.seen.limit))
        pending = self.journal.pending()
        maybe = bool(pending) and not self.journal.ended_in_order()
        for item, recorded in pending:
            self.lanes.add(Parcel(item, recorded, now, maybe_duplicate=maybe), now)
        return len(pending)

    @property
    def busy(self) -> bool:
        """Whether something is being sent, or its outcome is on its way to the disk."""
        return bool(self.lanes.sending or self._saving)

    def uncertain(self) -> int:
        """Returns how many deliveries may have arrived although nothing on record says so."""
        return self.lanes.uncertain() + self._saving

    def _send(self, parcel: Parcel) -> None:
        link = self.links.get(parcel.item.network)
        if link is None:
            self._answer(parcel, _failed("no-network", "this network is not connected any more"))
            return
        envelope = parcel.envelope
        recipient = envelope.recipients[0]
        translated = link.mapping.from_canonical(
            envelope, recipient, parcel.item.account, link.transport.capabilities_of(recipient.address.user)
        )
        if isinstance(translated, Unmappable):
            self._answer(parcel, _failed(translated.feature, translated.reason))
            return
        if wants_receipts(envelope):
            self.receipts.sending(parcel, len(translated.natives))
        self._send_part(parcel, link, translated.natives, parcel.parts_sent)

    def _send_part(self, parcel: Parcel, link: Link, natives: tuple[Any, ...], index: int) -> None:
        last = index + 1 >= len(natives)

        def on_result(result: SendResult) -> None:
            if result.remote_id is not None or result.aliases:
                self.receipts.named(parcel, index, result)
            if last or (result.failure is not None):
                self._answer(parcel, result)
                return
            parcel.parts_sent = index + 1
            self._send_part(parcel, link, natives, index + 1)

        key = parcel.item.key if len(natives) == 1 else IdempotencyKey(f"{parcel.item.key}/{index}")
        deadline = self.monotonic() + max(0.0, parcel.item.expires_at - self.clock())
        link.transport.send(natives[index], key=key, deadline=deadline, on_result=on_result)

    def _answer(self, parcel: Parcel, result: SendResult) -> None:
        self.lanes.result(parcel, result, self.clock())

    def _settled(self, parcel: Parcel, stage: Stage, failure: Failure | None) -> None:
        code = "expired" if failure is not None and failure.reason == "expired" else stage.value
        self.counters.outcomes[code] = self.counters.outcomes.get(code, 0) + 1
        outcome = record.outcome(
            parcel.item.event,
            recipient=parcel.envelope.recipients[0],
            code=code,
            detail=failure.reason if failure is not None else "",
            maybe_duplicate=parcel.maybe_duplicate,
            parent=parcel.recorded,
        )
        self._save(Entry(records=(outcome,), settle=(Settlement(seq=parcel.recorded.seq, key=parcel.item.key),)))
        if failure is not None:
            self.notices.failed(self.write_notice, parcel.envelope, stage, failure)
        if wants_receipts(parcel.envelope):
            link = self.links.get(parcel.item.network)
            vouched = link is not None and link.vouches_for_delivery
            self.receipts.settled(parcel, stage, failure, vouched=vouched)

    def _failed_late(self, parcel: Parcel, receipt: Receipt) -> None:
        """Takes the network's word that a message did not arrive of which it, or nobody, had said so before."""
        failure = receipt.failure
        if failure is None:
            return
        outcome = record.outcome(
            parcel.item.event,
            recipient=parcel.envelope.recipients[0],
            code=receipt.stage.value,
            detail=failure.reason,
            maybe_duplicate=parcel.maybe_duplicate,
            parent=parcel.recorded,
        )
        self._save(Entry(records=(outcome,)))
        self.notices.failed(self.write_notice, parcel.envelope, receipt.stage, failure)

    def _save(self, entry: Entry) -> None:
        """Records what has already happened: if the disk refuses it now, it is tried again until it is there."""

        def done(outcome: tuple[Recorded, ...] | CommitFailed) -> None:
            if isinstance(outcome, CommitFailed):
                self.counters.unrecorded += 1
                self._unsaved.append(entry)
                return
            self._saving -= 1

        self._saving += 1
        self.journal.commit(entry, done)

    def tick(self, now: float) -> None:
        """Does what time asks for: tries again, expires, tells waiting senders, saves what could not be saved."""
        if self._unsaved:
            entries, self._unsaved = self._unsaved, []
            self._saving -= len(entries)
            for entry in entries:
                self._save(entry)
        self.lanes.handle_timer(now)
        for lane in self.lanes.standing(now, self.settings.tell_after):
            self.notices.waits(self.write_notice, lane)
            for parcel in lane.parcels:
                self.receipts.waits(parcel)

    def write_notice(self, recipient: Identity, text: str) -> None:
        """Writes to a corporate person in the bridge's own name: on record like every message, then delivered."""
        now = self.clock()
        envelope = self.notices.envelope(self.mint(), recipient, text, now)
        way = Route(sender=envelope.sender, recipient=recipient, account="", direction=envelope.direction)
        lane = f"{envelope.sender.address}>{recipient.address}"
        if not self.lanes.room_for(lane):
            return
        item = OutboxItem(
            key=IdempotencyKey(f"{envelope.id}.0"),
            event=envelope.id,
            lane=lane,
            network=way.recipient.address.network,
            account="",
            recipient=recipient.address.user,
            expires_at=self._expiry(envelope),
        )
        records = [self._intake(envelope), _undecided(envelope.id, "allow", "system")]
        self._commit_taken(envelope, records, item, _nobody_waits)


_CODES = {
    "address": "not-found",
    "sender": "forbidden",
    "length": "too-large",
    "presence": "bad-request",
    "malformed": "bad-request",
    "require": "bad-extension",
}
"""The code of a refusal by the feature that a mapping could not translate."""


def _undecided(event: EventId, effect: str, reason_code: str) -> RecordDraft:
    """Returns the decision on what never came before the policy: no way led there, or the bridge wrote it."""
    return record.decision(event, effect=effect, deciding="", matched=(), reason_code=reason_code, policy_digest="")


def _nobody_waits(_: Intake) -> None:
    """The answer to a message that the bridge wrote itself: its outcome is on record."""


def _named(identity: Identity, said: Identity) -> Identity:
    """Keeps the display name that came with an address, unless the directory knows a better one."""
    if identity.display_name or not said.display_name:
        return identity
    return evolve(identity, display_name=said.display_name)


def _failed(reason: str, text: str) -> SendResult:
    failure = Failure(reason=reason, retryable=False, certain=True, user_text=text)
    return SendResult(stage=Stage.FAILED, failure=failure)
