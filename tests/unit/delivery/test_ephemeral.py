"""What is not kept: judged like a message, sent at once or not at all, and never a way around the record."""

import pytest
from attrs import define, evolve, field

from bridge.delivery.ephemeral import SEND_SECONDS, Ephemeral, EphemeralDelivery
from bridge.delivery.judge import Judge
from bridge.delivery.ports import Link
from bridge.model.body import (
    Body,
    ContactEdit,
    Edit,
    Failure,
    Membership,
    MembershipChange,
    Message,
    PresenceUpdate,
    Reaction,
    Receipt,
    Retract,
    Stage,
    Standing,
    TextPart,
    Typing,
    TypingState,
)
from bridge.model.capabilities import SendResult
from bridge.model.envelope import Direction, Unmappable
from bridge.model.ids import SIP, EventIdMint, NetworkId, PersonId, RemoteMessageId, RemoteUserId
from bridge.model.presence import OFFLINE, Activity, Basic, Device, PersonPresence
from bridge.policy.values import Decision, Hit, Subject
from bridge.presence.hub import Sight, Watcher
from tests.kit import people, values
from tests.kit.delivery import FakeNetwork
from tests.unit.delivery.test_pipeline import AIM, ALICE, BOB, BOOGY, NOW, ScriptedPolicy, decision

TYPING = Typing(state=TypingState.ACTIVE)
TARGET = RemoteMessageId("m")
AWAY = PersonPresence(
    basic=Basic.OPEN,
    activity=Activity.AWAY,
    note="working on falcon",
    devices=(Device(id="desk", basic=Basic.OPEN, note="working on falcon"),),
)
ALICES = PersonId("alice@corp.example")


@define(eq=False)
class World:
    policy: ScriptedPolicy = field(factory=ScriptedPolicy)
    sip: FakeNetwork = field(factory=FakeNetwork)
    aim: FakeNetwork = field(factory=FakeNetwork)
    delivery: EphemeralDelivery = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.delivery = EphemeralDelivery(
            links={
                SIP: Link(transport=self.sip, mapping=self.sip),
                AIM: Link(transport=self.aim, mapping=self.aim),
            },
            judge=Judge(policy=self.policy, directory=people.snapshot()),
            mint=EventIdMint(lambda: NOW, bytes),
            clock=lambda: NOW,
            monotonic=lambda: 5.0,
        )

    def on_aim(self) -> PersonPresence:
        """What AIM was shown last."""
        body = self.aim.sent[-1][0][0].body
        assert isinstance(body, PresenceUpdate)
        return body.presence


@pytest.mark.parametrize(
    "body",
    [
        Message(parts=(TextPart(text="x"),)),
        Edit(target=TARGET, replacement=values.message("x")),
        Retract(target=TARGET),
        Reaction(target=TARGET, emoji="x"),
        Membership(member=RemoteUserId("x"), change=MembershipChange.JOINED),
    ],
)
def test_what_is_durable_cannot_pass(body: Body) -> None:
    with pytest.raises(TypeError, match="goes on record before it is delivered"):
        Ephemeral(evolve(values.envelope(), body=body))
    world = World()
    with pytest.raises(TypeError, match="goes on record"):
        world.delivery.forward(values.draft(ALICE, BOOGY, body))
    assert not world.aim.sent


def test_every_kind_of_body_says_whether_it_is_durable() -> None:
    durable = {cls.__name__ for cls in Body.__args__ if cls.durable}
    assert durable == {"Message", "Edit", "Retract", "Reaction", "Membership"}


def test_typing_goes_to_where_its_recipient_is() -> None:
    world = World()
    assert world.delivery.forward(values.draft(ALICE, BOOGY, TYPING)) is None
    ((envelope, recipient, account), key) = world.aim.sent[0]
    assert (recipient, account, envelope.direction) == (BOOGY, "alicework", Direction.OUTBOUND)
    assert key == f"{envelope.id}/0"
    assert world.policy.asked[0].kind == "typing"


def test_typing_from_outside_reaches_the_person() -> None:
    world = World()
    world.delivery.forward(values.draft(BOOGY, values.contact("alicework"), TYPING, account="alicework"))
    ((_, recipient, _), _) = world.sip.sent[0]
    assert recipient.address.user == "alice@corp.example"


def test_what_policy_does_not_let_through_is_not_sent_and_says_why() -> None:
    for effect in ("forbid", "hold"):
        world = World()
        world.policy.answer = lambda _, effect=effect: decision(effect, reason="not now")  # type: ignore[misc]
        assert world.delivery.forward(values.draft(ALICE, BOOGY, TYPING)) == "not now"
        assert not world.aim.sent


def test_without_a_way_there_is_a_reason_and_policy_is_not_asked() -> None:
    world = World()
    assert world.delivery.forward(values.draft(values.person("carol"), BOOGY, TYPING))
    assert not world.aim.sent
    assert not world.policy.asked


def test_a_network_that_has_no_word_for_it_is_left_alone() -> None:
    world = World()
    world.aim.unmappable = Unmappable(feature="typing", reason="no typing there")
    assert world.delivery.forward(values.draft(ALICE, BOOGY, TYPING)) is None
    assert not world.aim.sent


def test_a_receipt_is_forwarded_and_failures_are_counted() -> None:
    world = World()
    why = Failure(reason="gone", retryable=False, certain=True, user_text="gone")
    world.aim.at_once = SendResult(stage=Stage.FAILED, failure=why)
    world.delivery.forward(values.draft(ALICE, BOOGY, Receipt(target=TARGET, stage=Stage.DISPLAYED)))
    assert world.delivery.failures == 1
    assert SEND_SECONDS > 0


# Presence


def forbids_note(subject: Subject) -> Decision:
    return decision("hold" if subject.text else "allow")


def test_presence_is_shown_on_every_account_as_policy_lets_it() -> None:
    world = World()
    world.delivery.show(ALICES, AWAY)
    assert world.on_aim() == AWAY
    subject = world.policy.asked[0]
    assert (subject.kind, subject.direction, subject.text) == ("presence", "outbound", "working on falcon")
    assert (subject.sender.address, subject.recipient.network) == ("alice@corp.example", "aim")


def test_presence_that_policy_forbids_is_shown_as_absence() -> None:
    world = World()
    world.policy.answer = lambda _: decision("forbid")
    world.delivery.show(ALICES, AWAY)
    assert world.on_aim() == OFFLINE


def test_a_note_that_policy_does_not_let_out_stays_inside() -> None:
    world = World()
    world.policy.answer = forbids_note
    world.delivery.show(ALICES, AWAY)
    assert world.on_aim() == PersonPresence(basic=Basic.OPEN, activity=Activity.AWAY)


def test_a_note_is_redacted() -> None:
    world = World()
    world.policy.answer = lambda _: decision("redact", redacted_text="working on ██████")
    world.delivery.show(ALICES, AWAY)
    assert world.on_aim().note == "working on ██████"
    assert world.on_aim().devices == ()


def tell(world: World, watcher: Watcher, presence: PersonPresence) -> None:
    world.delivery.notify([watcher], presence, Standing.ACTIVE, hidden=False)


def test_a_watcher_is_told() -> None:
    world = World()
    tell(world, Watcher(id="w1", identity=ALICE, target=BOB, by=ALICES), AWAY)
    ((envelope, recipient, _), _) = world.sip.sent[0]
    assert recipient == ALICE
    assert envelope.body == PresenceUpdate(presence=AWAY, watches=("w1",))


def test_a_note_passes_the_policy_on_its_way_to_a_colleague_too() -> None:
    world = World()
    world.policy.answer = lambda subject: decision("forbid" if subject.text else "allow")
    world.policy.hits = (Hit(lexicon="falcon", term="falcon", start=0, end=1),)
    watcher = Watcher(id="w1", identity=ALICE, target=BOB, by=ALICES)
    tell(world, watcher, AWAY)
    ((envelope, _, _), _) = world.sip.sent[0]
    assert isinstance(envelope.body, PresenceUpdate)
    assert (envelope.body.presence.note, envelope.body.presence.activity) == ("", AWAY.activity)
    assert [subject.text for subject in world.policy.asked] == [AWAY.note, None]
    world.policy.answer = lambda _: decision("redact", redacted_text="at [redacted]")
    tell(world, watcher, AWAY)
    ((envelope, _, _), _) = world.sip.sent[1]
    assert isinstance(envelope.body, PresenceUpdate)
    assert envelope.body.presence.note == "at [redacted]"


def test_the_note_of_a_device_is_a_note() -> None:
    world = World()
    world.policy.answer = lambda subject: decision("forbid" if subject.text else "allow")
    world.policy.hits = (Hit(lexicon="falcon", term="falcon", start=0, end=1),)
    desk = Device(id="desk", basic=Basic.OPEN, note="on falcon")
    presence = PersonPresence(basic=Basic.OPEN, note="here", devices=(desk,))
    tell(world, Watcher(id="w1", identity=ALICE, target=BOOGY, by=ALICES), presence)
    asked = world.policy.asked[0]
    assert (asked.text, asked.direction, asked.sender.address) == ("here\non falcon", "inbound", "aim/theboogyman")
    ((envelope, _, _), _) = world.sip.sent[0]
    assert isinstance(envelope.body, PresenceUpdate)
    assert envelope.body.presence == PersonPresence(basic=Basic.OPEN)


def test_who_may_see_is_asked_in_the_direction_that_the_state_flows() -> None:
    world = World()
    assert world.delivery.sight(ALICE, BOB) is Sight.SEEN
    assert world.delivery.sight(ALICE, BOOGY) is Sight.SEEN
    inside, outside = world.policy.asked
    assert (inside.direction, inside.sender.address, inside.recipient.address) == (
        "internal",
        "bob@corp.example",
        "alice@corp.example",
    )
    assert (outside.direction, outside.sender.address) == ("inbound", "aim/theboogyman")
    world.policy.answer = lambda _: decision("forbid")
    assert world.delivery.sight(ALICE, BOB) is Sight.HIDDEN


def test_a_contact_is_put_on_the_list_of_the_persons_own_account() -> None:
    world = World()
    world.delivery.want(ALICES, BOOGY.address, wanted=True)
    ((envelope, recipient, account), _) = world.aim.sent[0]
    assert (envelope.body, recipient, account) == (ContactEdit(wanted=True), BOOGY, "alicework")
    world.delivery.want(PersonId("carol@corp.example"), BOOGY.address, wanted=True)
    assert len(world.aim.sent) == 1


def test_a_network_that_is_not_there_is_no_error() -> None:
    world = World()
    del world.delivery.links[NetworkId("aim")]
    world.delivery.show(ALICES, AWAY)
    assert not world.aim.sent
