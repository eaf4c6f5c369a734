"""Receipts: told to who asked, in the asker's own name for the message, once, and never by guess (RFC 5438)."""

import pytest
from attrs import define, evolve, field

from bridge.delivery.ephemeral import EphemeralDelivery
from bridge.delivery.ports import Link
from bridge.delivery.receipts import MOST_EARLY, Receipts
from bridge.model.address import Identity
from bridge.model.body import Failure, Message, Receipt, Stage, TextPart
from bridge.model.capabilities import RECIPIENT_OFFLINE, SendResult
from bridge.model.envelope import Direction, Draft, Envelope
from bridge.model.ids import SIP, EventIdMint, RemoteMessageId
from tests.kit import values
from tests.unit.delivery.test_pipeline import ALICE, BOB, BOOGY, NOW, RELAYED, World, decision, failed, outcomes

OWN_NAME = RemoteMessageId("34jk324j")
ALL = (Stage.DELIVERED, Stage.FAILED, Stage.DISPLAYED, Stage.RELAYED)
DELIVERED = SendResult(stage=Stage.DELIVERED)
WROTE_AT = NOW - 5


@define(eq=False)
class Told(World):
    """A pipeline whose receipts go back through the doubled networks."""

    back: EphemeralDelivery = field(init=False)

    def __attrs_post_init__(self) -> None:
        World.__attrs_post_init__(self)
        self.back = EphemeralDelivery(
            links=self.pipeline.links,
            judge=self.pipeline.judge,
            mint=EventIdMint(lambda: self.now, bytes),
            clock=lambda: self.now,
            monotonic=lambda: self.now,
        )
        self.pipeline.receipts.tell = self.back.tell_back
        self.pipeline.links[SIP] = Link(transport=self.sip, mapping=self.sip, vouches_for_delivery=False)

    def write(
        self, sender: Identity = ALICE, to: Identity = BOOGY, wants: tuple[Stage, ...] = ALL, account: str = ""
    ) -> None:
        body = Message(parts=(TextPart(text="hi"),), message_id=OWN_NAME, wants=wants)
        self.accept(evolve(values.draft(sender, to, body, account=account), claimed_at=WROTE_AT))

    def receipt(self, sender: Identity, name: str, stage: Stage) -> None:
        """Somebody tells a receipt of what was sent to them under this name."""
        failure = None
        if stage is Stage.FAILED:
            failure = Failure(reason="imdn failed", retryable=False, certain=True, user_text="no")
        self.pipeline.receipts.came(_draft(sender, Receipt(target=RemoteMessageId(name), stage=stage, failure=failure)))

    def told(self) -> list[Stage]:
        """The stages that alice was told, in order; each in her name for the message."""
        found = []
        for (envelope, recipient, _), _ in self.sip.sent:
            if isinstance(envelope.body, Receipt):
                assert recipient == ALICE
                assert (envelope.body.target, envelope.body.sent_at) == (OWN_NAME, WROTE_AT)
                found.append(envelope.body.stage)
        return found

    def last(self) -> Envelope:
        """The last that went to AIM."""
        return self.aim.sent[-1][0][0]


def _draft(sender: Identity, body: Receipt) -> Draft:
    return values.draft(sender, ALICE, body)


def test_a_networks_acknowledgement_is_processing_and_no_delivery() -> None:
    w = Told()
    w.write()
    w.aim.answers[0](RELAYED)
    assert w.told() == [Stage.RELAYED]
    ((envelope, _, _), _) = w.sip.sent[-1]
    assert (envelope.sender, envelope.direction) == (BOOGY, Direction.INBOUND)


@pytest.mark.parametrize("wants", [(), (Stage.DELIVERED,), (Stage.FAILED, Stage.DISPLAYED)])
def test_nobody_is_told_what_they_did_not_ask_for(wants: tuple[Stage, ...]) -> None:
    w = Told()
    w.write(wants=wants)
    w.aim.answers[0](RELAYED)
    assert w.told() == []


def test_a_network_that_says_delivered_is_believed_and_a_device_that_answers_200_is_not() -> None:
    """RFC 5438 section 8.2: a 2xx is no positive delivery."""
    w = Told()
    w.write()
    w.aim.answers[0](DELIVERED)
    assert w.told() == [Stage.RELAYED, Stage.DELIVERED]
    inside = Told()
    inside.write(to=BOB)
    inside.sip.answers[0](DELIVERED)
    assert inside.told() == [Stage.RELAYED]


def test_a_devices_notification_is_told_in_the_senders_name() -> None:
    w = Told()
    w.write(to=BOB)
    event = w.sip.sent[0][0][0].id
    w.sip.answers[0](DELIVERED)
    w.receipt(BOB, event, Stage.DELIVERED)
    w.receipt(BOB, event, Stage.DELIVERED)
    w.receipt(BOB, event, Stage.DISPLAYED)
    w.receipt(BOB, event, Stage.DISPLAYED)
    assert w.told() == [Stage.RELAYED, Stage.DELIVERED, Stage.DISPLAYED]
    assert len(w.pipeline.receipts) == 0


def test_a_device_may_name_the_message_by_what_its_own_network_calls_it() -> None:
    """linphone names a plain text by its Call-ID, and reports before it answers."""
    w = Told()
    w.write(to=BOB)
    w.receipt(BOB, "call-1", Stage.DELIVERED)
    assert w.told() == []
    w.sip.answers[0](evolve(DELIVERED, aliases=("call-0", "call-1")))
    assert w.told() == [Stage.DELIVERED, Stage.RELAYED]


def test_nobody_reports_of_what_was_sent_to_another() -> None:
    w = Told()
    w.write(to=BOB)
    event = w.sip.sent[0][0][0].id
    w.receipt(BOOGY, event, Stage.DISPLAYED)
    w.receipt(BOB, "another", Stage.DISPLAYED)
    w.receipt(BOB, OWN_NAME, Stage.DISPLAYED)
    assert w.told() == []


def test_a_long_text_is_delivered_when_all_its_pieces_are() -> None:
    w = Told()
    w.sip.parts = 3
    w.write(to=BOB)
    event = w.sip.sent[0][0][0].id
    w.sip.parts = 1
    for piece in (0, 2, 2):
        w.receipt(BOB, f"{event}.{piece}", Stage.DELIVERED)
    assert w.told() == []
    w.receipt(BOB, f"{event}.1", Stage.DELIVERED)
    assert w.told() == [Stage.DELIVERED]


@pytest.mark.parametrize(
    ("result", "stage"),
    [
        (failed("refused", retryable=False), Stage.FAILED),
        (failed("timeout", retryable=False, certain=False), Stage.UNKNOWN),
    ],
)
def test_a_failure_is_told_to_who_asked(result: SendResult, stage: Stage) -> None:
    w = Told()
    w.write()
    w.aim.answers[0](result)
    assert w.told() == [stage]


def test_a_network_that_confirms_nothing_is_not_spoken_for() -> None:
    w = Told()
    w.write()
    w.aim.answers[0](SendResult(stage=Stage.UNKNOWN, remote_id="c00c1e"))
    assert w.told() == []
    assert outcomes(w.journal) == [("unknown", False)]
    assert not w.sip.texts  # nothing speaks against its having arrived
    w.receipt(BOOGY, "c00c1e", Stage.DISPLAYED)
    assert w.told() == [Stage.DISPLAYED]


def test_a_message_that_runs_out_has_failed() -> None:
    w = Told()
    w.write()
    w.aim.answers[0](failed(RECIPIENT_OFFLINE, retryable=True))
    assert w.told() == []
    w.tick(6)
    assert w.told() == [Stage.ACCEPTED]  # it waits, and is stored: RFC 5438 section 7.2.1.3
    w.tick(7200)
    assert w.told() == [Stage.ACCEPTED, Stage.FAILED]


def test_a_failure_after_a_success_is_on_record_and_told() -> None:
    w = Told()
    w.write(wants=(Stage.FAILED,))
    w.aim.answers[0](evolve(RELAYED, remote_id="c00c1e"))
    w.receipt(BOOGY, "c00c1e", Stage.FAILED)
    w.receipt(BOOGY, "c00c1e", Stage.FAILED)
    assert w.told() == [Stage.FAILED]
    assert outcomes(w.journal)[:2] == [("relayed", False), ("failed", False)]
    assert len([text for text in w.sip.texts if "was not delivered" in text]) == 1


def test_who_asked_for_nothing_is_told_of_a_late_failure_in_words() -> None:
    w = Told()
    w.accept(values.draft(ALICE, BOOGY))
    w.aim.answers[0](evolve(RELAYED, remote_id="c00c1e"))
    w.receipt(BOOGY, "c00c1e", Stage.FAILED)
    assert w.told() == []
    assert "was not delivered" in w.sip.texts[-1]


@pytest.mark.parametrize("stage", [Stage.UNKNOWN, Stage.FAILED])
def test_of_several_devices_the_better_word_stands(stage: Stage) -> None:
    w = Told()
    w.write(to=BOB)
    event = w.sip.sent[0][0][0].id
    w.receipt(BOB, event, Stage.DELIVERED)
    w.receipt(BOB, event, stage)
    assert w.told() == [Stage.DELIVERED]


def test_a_receipt_goes_out_by_the_account_that_the_message_came_to() -> None:
    w = Told()
    w.write(sender=BOOGY, to=values.contact("alicework"), account="alicework")
    event = w.sip.sent[0][0][0].id
    w.receipt(ALICE, event, Stage.DISPLAYED)
    ((envelope, recipient, account), _) = w.aim.sent[0]
    assert isinstance(envelope.body, Receipt)
    assert (recipient, account, envelope.direction) == (BOOGY, "alicework", Direction.OUTBOUND)
    assert envelope.body.target == OWN_NAME


def test_policy_judges_receipts() -> None:
    w = Told()
    w.policy.answer = lambda subject: decision("forbid" if subject.kind == "receipt" else "allow")
    w.write()
    w.aim.answers[0](RELAYED)
    assert w.told() == []
    assert w.policy.asked[-1].kind == "receipt"


def test_what_is_kept_is_bounded() -> None:
    receipts = Receipts(most=10)
    w = Told()
    w.pipeline.receipts = receipts
    for number in range(50):
        w.write(to=BOB)
        w.sip.answers[-1](evolve(DELIVERED, aliases=(f"a{number}", f"b{number}")))
    assert len(receipts) == 10
    assert len(receipts._named) == 30
    for number in range(2 * MOST_EARLY):
        w.receipt(BOB, f"unknown {number}", Stage.DELIVERED)
    assert len(receipts._early) == MOST_EARLY
