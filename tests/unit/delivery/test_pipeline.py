"""The way of a message: nothing is delivered that is not on record, nothing on record is lost."""

from collections.abc import Callable, Sequence

import pytest
from attrs import define, field

from bridge.delivery.judge import Judge
from bridge.delivery.notices import Notices
from bridge.delivery.pipeline import Pipeline, Settings
from bridge.delivery.ports import Link, SeenKey
from bridge.model.address import Identity
from bridge.model.body import Edit, Failure, Message, Stage, TextPart
from bridge.model.capabilities import LINK_DOWN, RECIPIENT_OFFLINE, SendResult
from bridge.model.envelope import Draft, Unmappable
from bridge.model.ids import SIP, EventId, EventIdMint, NetworkId, RemoteMessageId
from bridge.policy.values import Decision, Effect, Hit, Subject
from tests.kit import people, values
from tests.kit.delivery import Answers, FakeNetwork, MemoryJournal

NOW = 1_700_000_000.0
AIM = NetworkId("aim")
ALICE, BOB, CAROL = values.person("alice"), values.person("bob"), values.person("carol")
BOOGY = values.contact("theboogyman")
RELAYED = SendResult(stage=Stage.RELAYED)


def decision(effect: Effect = "allow", *, reason: str = "because", redacted_text: str | None = None) -> Decision:
    return Decision(
        effect=effect,
        matched=("r1",),
        deciding="r1",
        deciders=("r1",),
        reason=reason,
        would_have=(),
        would_effect="allow",
        notify=(),
        policy_digest="d1",
        redacted_text=redacted_text,
    )


@define(eq=False)
class ScriptedPolicy:
    """Says what the test wants, and notes what it was asked."""

    answer: Callable[[Subject], Decision] = field(default=lambda _: decision())
    asked: list[Subject] = field(factory=list)

    def decide(self, subject: Subject, preceding: str = "") -> Decision:
        del preceding
        self.asked.append(subject)
        return self.answer(subject)

    def in_force(self, at: float) -> object:
        return self.answer, at // 60

    hits: tuple[Hit, ...] = ()
    """What its lexicons find in every text."""

    def find(self, text: str, lexicons: Sequence[str] | None = None, preceding: str = "") -> tuple[Hit, ...]:
        del text, lexicons, preceding
        return self.hits


@define(eq=False)
class World:
    """A pipeline between two doubled networks."""

    now: float = NOW
    policy: ScriptedPolicy = field(factory=ScriptedPolicy)
    journal: MemoryJournal = field(factory=lambda: MemoryJournal(automatic=True))
    sip: FakeNetwork = field(factory=FakeNetwork)
    aim: FakeNetwork = field(factory=FakeNetwork)
    answers: Answers = field(factory=Answers)
    pipeline: Pipeline = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.pipeline = Pipeline(
            judge=Judge(policy=self.policy, directory=people.snapshot()),
            journal=self.journal,
            mint=EventIdMint(lambda: self.now, bytes),
            clock=lambda: self.now,
            monotonic=lambda: self.now,
            notices=Notices(address="simplebridge@corp.example"),
            settings=Settings(offline_seconds=3600, tell_after=5.0),
        )
        for network, double in ((SIP, self.sip), (AIM, self.aim)):
            self.pipeline.links[network] = Link(transport=double, mapping=double)

    def accept(self, draft: Draft) -> None:
        self.pipeline.accept(draft, self.answers)

    def tick(self, seconds: float) -> None:
        self.now += seconds
        self.pipeline.tick(self.now)


def failed(reason: str, *, retryable: bool, certain: bool = True) -> SendResult:
    stage = Stage.FAILED if certain else Stage.UNKNOWN
    why = Failure(reason=reason, retryable=retryable, certain=certain, user_text="the network said no")
    return SendResult(stage=stage, failure=why)


def outcomes(journal: MemoryJournal) -> list[tuple[str, bool]]:
    return [
        (code, twice) for entry in journal.entries for record in entry.records for _, code, twice in record.outcomes
    ]


def test_a_message_out_is_recorded_then_delivered() -> None:
    w = World()
    w.journal.automatic = False
    w.accept(values.draft(ALICE, BOOGY, remote_id="m1"))
    assert not w.answers.intakes
    assert not w.aim.sent
    w.journal.flush()
    assert w.answers.last.accepted
    ((envelope, recipient, account), key) = w.aim.sent[0]
    assert (recipient, account) == (BOOGY, "alicework")
    assert key == f"{envelope.id}.0"
    assert envelope.sender.person == "alice@corp.example"
    assert w.journal.events() == ["intake", "decision"]
    (item,) = w.journal.entries[0].enqueue
    assert (item.network, item.account, item.recipient, item.expires_at) == (
        "aim",
        "alicework",
        "theboogyman",
        NOW + 3600,
    )
    w.aim.answers[0](RELAYED)
    w.journal.flush()
    assert outcomes(w.journal) == [("relayed", False)]
    assert w.journal.entries[1].settle[0].key == key


def test_a_message_in_reaches_the_person_behind_the_screen_name() -> None:
    w = World()
    w.accept(values.draft(BOOGY, values.contact("alicework"), account="alicework"))
    ((envelope, recipient, _), _) = w.sip.sent[0]
    assert recipient.address.user == "alice@corp.example"
    assert envelope.direction.value == "inbound"


def test_a_colleagues_screen_name_is_reached_inside() -> None:
    w = World()
    w.accept(values.draft(ALICE, values.contact("Bob Work")))
    assert not w.aim.sent
    ((envelope, recipient, _), _) = w.sip.sent[0]
    assert recipient.address.user == "bob@corp.example"
    assert envelope.direction.value == "internal"


def test_what_cannot_be_recorded_goes_nowhere() -> None:
    w = World()
    w.journal.failing = True
    w.accept(values.draft(ALICE, BOOGY, remote_id="m1"))
    refusal = w.answers.last.refusal
    assert refusal is not None
    assert refusal.code == "unavailable"
    assert refusal.retry_after
    assert not w.aim.sent
    w.journal.failing = False
    w.accept(values.draft(ALICE, BOOGY, remote_id="m1"))
    assert w.answers.last.accepted
    assert len(w.aim.sent) == 1


@pytest.mark.parametrize(
    ("sender", "recipient", "code"),
    [
        (CAROL, BOOGY, "no-binding"),
        (values.person("mallory"), BOOGY, "forbidden"),
        (values.person("dave"), BOOGY, "forbidden"),
        (ALICE, values.person("nobody"), "not-found"),
        (values.contact("x"), values.contact("nobodys"), "no-binding"),
    ],
)
def test_no_way_is_a_refusal_on_record(sender: Identity, recipient: Identity, code: str) -> None:
    w = World()
    w.accept(values.draft(sender, recipient))
    refusal = w.answers.last.refusal
    assert refusal is not None
    assert refusal.code == code
    assert EventId(refusal.reference) in w.journal.ids()
    assert w.journal.events() == ["intake", "decision"]
    assert not w.aim.sent
    assert not w.sip.sent
    assert not w.policy.asked


def test_policy_forbids() -> None:
    w = World()
    w.policy.answer = lambda _: decision("forbid", reason="research and sales do not write to each other")
    w.accept(values.draft(ALICE, BOOGY))
    refusal = w.answers.last.refusal
    assert refusal is not None
    assert (refusal.code, refusal.reason) == ("forbidden", "research and sales do not write to each other")
    assert w.journal.entries[0].records[1].fields["decision"] == "forbid"
    assert not w.aim.sent


def test_policy_is_asked_with_all_that_is_known() -> None:
    w = World()
    w.accept(values.draft(ALICE, BOOGY, values.message("lunch?")))
    (subject,) = w.policy.asked
    assert (subject.kind, subject.direction, subject.text) == ("message", "outbound", "lunch?")
    assert subject.sender.address == "alice@corp.example"
    assert subject.sender.person == "alice@corp.example"
    assert subject.recipient.address == "aim/theboogyman"
    assert subject.recipient.network == "aim"


def test_policy_holds() -> None:
    w = World()
    w.policy.answer = lambda _: decision("hold")
    w.accept(values.draft(ALICE, BOOGY))
    assert w.answers.last.accepted
    assert w.answers.last.held
    assert w.journal.entries[0].enqueue[0].held
    assert not w.aim.sent


def test_policy_redacts_and_keeps_the_original() -> None:
    w = World()
    w.policy.answer = lambda _: decision("redact", redacted_text="my number is ████")
    w.accept(values.draft(ALICE, BOOGY, values.message("my number is 4111")))
    assert w.aim.texts == ["my number is ████"]
    kept = [
        r.envelope.body.text
        for r in w.journal.entries[0].records
        if r.envelope and isinstance(r.envelope.body, Message)
    ]
    assert kept == ["my number is 4111", "my number is ████"]
    assert w.journal.entries[0].enqueue[0].event == w.journal.entries[0].records[2].msg_id


def test_a_correction_is_redacted_with_all_its_forms_and_stays_one() -> None:
    w = World()
    w.policy.answer = lambda _: decision("redact", redacted_text="my number is ████")
    rich = TextPart(text="my number is 4111", html="my number is <b>4111</b>")
    target = RemoteMessageId("m1")
    w.accept(values.draft(ALICE, BOOGY, Edit(target=target, replacement=Message(parts=(rich,), subject="4111"))))
    ((envelope, _, _), _) = w.aim.sent[0]
    clean = Message(parts=(TextPart(text="my number is ████"),))
    assert envelope.body == Edit(target=target, replacement=clean)
    (first, second) = [r.envelope.body for r in w.journal.entries[0].records if r.envelope]
    assert isinstance(first, Edit)
    assert first.replacement.parts == (rich,)
    assert second == envelope.body


def test_what_is_held_and_to_be_redacted_waits_as_redacted() -> None:
    w = World()
    w.policy.answer = lambda _: decision("hold", redacted_text="my number is ████")
    w.accept(values.draft(ALICE, BOOGY, values.message("my number is 4111")))
    assert w.aim.texts == []
    (entry,) = w.journal.entries
    assert (entry.enqueue[0].held, entry.enqueue[0].event) == (True, entry.records[2].msg_id)
    waiting = entry.records[2].envelope
    assert waiting is not None
    assert isinstance(waiting.body, Message)
    assert waiting.body.text == "my number is ████"


def test_a_duplicate_is_answered_alike_and_delivered_once() -> None:
    w = World()
    w.journal.automatic = False
    w.accept(values.draft(ALICE, BOOGY, remote_id="m1"))
    w.accept(values.draft(ALICE, BOOGY, remote_id="m1"))
    assert not w.answers.intakes
    w.journal.flush()
    assert [a.accepted for a in w.answers.intakes] == [True, True]
    w.accept(values.draft(ALICE, BOOGY, remote_id="m1"))
    assert w.answers.last.event == w.answers.intakes[0].event
    assert len(w.aim.sent) == 1
    assert w.pipeline.counters.duplicates == 2


def test_the_same_id_of_another_account_is_no_duplicate() -> None:
    w = World()
    w.accept(values.draft(ALICE, BOOGY, remote_id="m1"))
    w.accept(values.draft(BOB, BOOGY, remote_id="m1"))
    assert len(w.aim.sent) == 2


def test_a_duplicate_is_known_after_a_restart() -> None:
    w = World()
    age = w.pipeline.links[SIP].duplicate_seconds
    for number, taken_at in enumerate((NOW - age - 1, NOW - age, NOW)):
        account, event = "alice@corp.example", EventId(f"e{number}")
        w.journal.seen_before += [
            SeenKey(network=SIP, account=account, remote_id=f"m{number}", event=event, taken_at=taken_at)
        ]
    w.pipeline.recover()
    w.accept(values.draft(ALICE, BOOGY, remote_id="m2"))
    assert w.answers.last.event == "e2"
    assert not w.aim.sent
    w.accept(values.draft(ALICE, BOOGY, remote_id="m0"))
    w.accept(values.draft(ALICE, BOOGY, remote_id="m1"))  # its time is over now
    assert len(w.aim.sent) == 1  # the other waits behind it
    assert w.pipeline.counters.duplicates == 1


def test_what_was_pending_is_delivered_after_a_restart_and_marked() -> None:
    w = World()
    event = values.envelope()
    w.journal.kept = [(values.outbox_item(event, expires_at=NOW + 9), values.recorded(event))]
    w.aim.at_once = RELAYED
    assert w.pipeline.recover() == 1
    assert w.aim.texts == ["hello"]
    assert outcomes(w.journal) == [("relayed", True)]


def test_what_waited_when_the_last_process_ended_in_order_is_no_possible_duplicate() -> None:
    w = World()
    event = values.envelope()
    w.journal.kept = [(values.outbox_item(event, expires_at=NOW + 9), values.recorded(event))]
    w.journal.in_order = True
    w.aim.at_once = RELAYED
    w.pipeline.recover()
    assert outcomes(w.journal) == [("relayed", False)]


def test_what_is_in_doubt_is_counted_for_the_next_process() -> None:
    w = World()
    w.sip.at_once = RELAYED

    def state() -> tuple[bool, int]:
        return w.pipeline.busy, w.pipeline.uncertain()

    assert state() == (False, 0)
    w.accept(values.draft(ALICE, BOOGY))
    w.accept(values.draft(ALICE, BOOGY))  # waits behind the first: it has not left
    assert state() == (True, 1)
    w.aim.answers[0](failed("timeout", retryable=True, certain=False))  # will be tried again, and may have arrived
    assert state() == (False, 1)
    w.tick(5)
    assert state() == (True, 1)
    w.journal.failing = True
    w.aim.answers[1](RELAYED)
    assert state() == (True, 2)  # the first, whose outcome the disk refuses, and the second
    w.journal.failing = False
    w.tick(1)
    w.aim.answers[2](RELAYED)
    assert state() == (False, 0)


def test_a_long_text_goes_in_parts_and_goes_on_where_it_stopped() -> None:
    w = World()
    w.aim.parts = 3
    w.accept(values.draft(ALICE, BOOGY))
    w.aim.answers[0](RELAYED)
    w.aim.answers[1](failed("busy", retryable=True))
    assert len(w.aim.sent) == 2
    w.tick(2)
    keys = [key.rpartition("/")[2] for _, key in w.aim.sent]
    assert keys == ["0", "1", "1"]
    w.aim.answers[2](RELAYED)
    w.aim.answers[3](RELAYED)
    assert outcomes(w.journal) == [("relayed", False)]


def test_a_failure_is_recorded_and_the_sender_told() -> None:
    w = World()
    w.aim.at_once = failed("not-logged-on", retryable=False)
    w.sip.at_once = RELAYED
    w.accept(values.draft(ALICE, BOOGY))
    assert outcomes(w.journal) == [("failed", False), ("relayed", False)]
    (notice,) = w.sip.texts
    assert "“hello”" in notice
    assert "aim/theboogyman" in notice
    assert "was not delivered: the network said no" in notice


def test_an_unknown_outcome_is_said_to_be_unknown() -> None:
    w = World()
    w.aim.at_once = failed("timeout", retryable=False, certain=False)
    w.sip.at_once = RELAYED
    w.accept(values.draft(ALICE, BOOGY))
    assert outcomes(w.journal)[0] == ("unknown", False)
    assert "may not have been delivered" in w.sip.texts[0]


def test_nobody_is_told_of_a_notice_that_fails() -> None:
    w = World()
    w.aim.at_once = failed("gone", retryable=False)
    w.sip.at_once = failed("gone", retryable=False)
    w.accept(values.draft(ALICE, BOOGY))
    assert len(w.sip.sent) == 1


def test_an_outsider_is_told_nothing() -> None:
    w = World()
    w.sip.at_once = failed("gone", retryable=False)
    w.accept(values.draft(BOOGY, values.contact("alicework"), account="alicework"))
    assert not w.aim.sent


@pytest.mark.parametrize(
    ("reason", "why"),
    [("rate", "limited pace"), (RECIPIENT_OFFLINE, "no device"), (LINK_DOWN, "being restored")],
)
def test_a_sender_is_told_once_what_waits(reason: str, why: str) -> None:
    w = World()
    w.sip.at_once = RELAYED
    for number in range(3):
        w.accept(values.draft(ALICE, BOOGY, remote_id=f"m{number}"))
    w.aim.answers[0](failed(reason, retryable=True))
    w.tick(0.1)
    assert not w.sip.sent
    w.tick(6)
    w.tick(6)
    (notice,) = w.sip.texts
    assert "3 of your messages to aim/theboogyman wait" in notice
    assert why in notice


def test_expiry_is_an_outcome() -> None:
    w = World()
    body = Message(parts=(TextPart(text="now or never"),), expires_at=NOW + 10)
    w.sip.at_once = RELAYED
    w.accept(values.draft(ALICE, BOOGY, body))
    w.aim.answers[0](failed(LINK_DOWN, retryable=True))
    w.tick(10)
    assert ("expired", False) in outcomes(w.journal)
    assert any("was not delivered" in text for text in w.sip.texts)


def test_an_outcome_that_cannot_be_recorded_is_tried_again() -> None:
    w = World()
    w.accept(values.draft(ALICE, BOOGY))
    w.journal.failing = True
    w.aim.answers[0](RELAYED)
    assert outcomes(w.journal) == []
    w.tick(1)
    w.journal.failing = False
    w.tick(1)
    w.tick(1)
    assert outcomes(w.journal) == [("relayed", False)]


def test_what_the_far_network_cannot_carry_fails_with_its_reason() -> None:
    w = World()
    w.aim.unmappable = Unmappable(feature="files", reason="files are not carried")
    w.accept(values.draft(ALICE, BOOGY))
    assert outcomes(w.journal)[0] == ("failed", False)
    assert "files are not carried" in w.sip.texts[0]


def test_a_network_that_is_gone_fails() -> None:
    w = World()
    del w.pipeline.links[AIM]
    w.accept(values.draft(ALICE, BOOGY))
    assert outcomes(w.journal)[0] == ("failed", False)


def test_too_many_waiting_is_a_refusal() -> None:
    w = World()
    w.pipeline.lanes._max_per_lane = 2
    for number in range(3):
        w.accept(values.draft(ALICE, BOOGY, remote_id=f"m{number}"))
    refusal = w.answers.last.refusal
    assert refusal is not None
    assert (refusal.code, refusal.retry_after) == ("unavailable", 30.0)


def test_a_dead_letter_is_kept() -> None:
    w = World()
    problem = Unmappable(feature="content-type", reason="application/zip is not taken")
    w.pipeline.dead_letter(SIP, "alice@corp.example", object(), problem, w.answers)
    refusal = w.answers.last.refusal
    assert refusal is not None
    assert (refusal.code, refusal.reason) == ("unsupported", "application/zip is not taken")
    assert w.journal.events() == ["intake", "decision"]


def test_an_id_that_is_used_again_later_is_another_message() -> None:
    w = World()
    w.accept(values.draft(ALICE, BOOGY, remote_id="m1"))
    w.now += 601
    w.accept(values.draft(ALICE, BOOGY, remote_id="m1"))
    w.aim.answers[0](RELAYED)
    assert len(w.aim.sent) == 2


def test_a_fault_of_ours_leaves_no_repetition_waiting() -> None:
    w = World()
    working = w.policy.answer

    def broken(_: Subject) -> Decision:
        raise RuntimeError("a defect")

    w.policy.answer = broken
    with pytest.raises(RuntimeError):
        w.accept(values.draft(ALICE, BOOGY, remote_id="m1"))
    w.policy.answer = working
    w.accept(values.draft(ALICE, BOOGY, remote_id="m1"))
    assert w.answers.last.accepted
    assert len(w.aim.sent) == 1
