"""Where events come in: each goes where it belongs, and each is answered once."""

from collections.abc import Callable

import pytest
from attrs import define, evolve, field, frozen

from bridge.delivery.ephemeral import EphemeralDelivery
from bridge.delivery.ingress import Ingress
from bridge.delivery.ports import Intake
from bridge.model.body import (
    Authorization,
    Body,
    Consent,
    ContactEdit,
    PresenceUpdate,
    Reachability,
    Standing,
    Typing,
    TypingState,
    Watch,
)
from bridge.model.capabilities import LINK_DOWN, RECIPIENT_OFFLINE, LinkChange, LinkState
from bridge.model.envelope import Draft, Unmappable
from bridge.model.ids import SIP, NetworkId, PersonId
from bridge.model.presence import OFFLINE, Basic, PersonPresence
from bridge.policy.values import Effect
from bridge.presence.approvals import Approvals, Request, Verdict
from bridge.presence.hub import PresenceHub
from tests.kit import values
from tests.kit.delivery import FakeNetwork
from tests.unit.delivery.test_pipeline import AIM, ALICE, BOB, BOOGY, World, decision, failed

OPEN = PersonPresence(basic=Basic.OPEN)
ALICES = PersonId("alice@corp.example")
TYPING = Typing(state=TypingState.ACTIVE)


@define(eq=False)
class ManyNetwork(FakeNetwork):
    """A mapping whose native events are tuples of drafts: one native may mean several things."""

    many: tuple[Draft, ...] = ()

    def to_canonical(self, native: Draft | Unmappable) -> tuple[Draft, ...] | Unmappable:
        return self.many


@define(eq=False)
class Doors:
    """Both ingresses of a pipeline."""

    world: World = field(factory=World)
    hub: PresenceHub = field(init=False)
    sip: Ingress = field(init=False)
    aim: Ingress = field(init=False)

    def __attrs_post_init__(self) -> None:
        pipeline = self.world.pipeline
        ephemeral = EphemeralDelivery(
            pipeline.links, pipeline.judge, pipeline.mint, lambda: self.world.now, lambda: self.world.now
        )
        self.hub = PresenceHub(ephemeral, ephemeral.sight, Approvals(self, lambda: 0.0), lambda: 0.0, ephemeral.age)
        self.sip, self.aim = (
            Ingress(network, pipeline.links[network], pipeline, ephemeral, self.hub) for network in (SIP, AIM)
        )

    requests: list[Request] = field(factory=list)

    def put(self, request: Request) -> None:
        """Requests are kept in memory alone."""
        self.requests.append(request)

    def take(self, draft: Draft | Unmappable, door: Ingress | None = None) -> Intake:
        """Hands an event in; it must be answered exactly once."""
        answers = self.world.answers
        before = len(answers.intakes)
        (door or self.sip).deliver(draft, answers)
        assert len(answers.intakes) == before + 1
        return answers.last

    def link(self, state: LinkState) -> None:
        self.aim.link_changed(LinkChange(network="aim", account="alicework", state=state))

    def shown(self, network: FakeNetwork) -> list[Body]:
        return [native[0].body for native, _ in network.sent]


def test_a_message_goes_on_record_and_out() -> None:
    doors = Doors()
    intake = doors.take(values.draft(ALICE, BOOGY))
    assert intake.accepted
    assert intake.event
    assert doors.world.aim.texts == ["hello"]


def test_what_cannot_be_translated_is_a_dead_letter_and_a_refusal() -> None:
    doors = Doors()
    intake = doors.take(Unmappable(feature="content-type", reason="application/zip is not taken"))
    assert intake.refusal is not None
    assert (intake.refusal.code, intake.refusal.reason) == ("unsupported", "application/zip is not taken")
    assert doors.world.journal.events() == ["intake", "decision"]


@frozen(kw_only=True)
class Garbled(Unmappable):
    """A native event of an account of ours that has no meaning."""

    account: str


@pytest.mark.parametrize("account", ["alicework", "nobodyhere"])
def test_who_it_came_for_is_told_of_a_dead_letter_of_a_network(account: str) -> None:
    doors = Doors()
    native = Garbled(feature="malformed", reason="a rendezvous of type 7", account=account)
    intake = doors.take(native, doors.aim)
    assert intake.refusal is not None
    assert intake.refusal.code == "bad-request"
    told = [text for text in doors.world.sip.texts if text]
    if account == "alicework":
        assert told == [
            f"Something came for you on aim that cannot be handed on. It is on record. Reference: {intake.event}"
        ]
        assert doors.world.journal.events() == ["intake", "decision", "intake", "decision"]
    else:
        assert not told


def test_nobody_is_told_of_what_is_not_on_record() -> None:
    doors = Doors()
    doors.world.journal.failing = True
    native = Garbled(feature="malformed", reason="a rendezvous of type 7", account="alicework")
    assert not doors.take(native, doors.aim).accepted
    assert not doors.world.sip.sent


def test_typing_passes_without_a_record() -> None:
    doors = Doors()
    assert doors.take(values.draft(ALICE, BOOGY, TYPING)).accepted
    assert len(doors.world.aim.sent) == 1
    assert doors.world.journal.entries == []


def test_typing_that_policy_forbids_is_refused() -> None:
    doors = Doors()
    doors.world.policy.answer = lambda _: decision("forbid", reason="no typing")
    refusal = doors.take(values.draft(ALICE, BOOGY, TYPING)).refusal
    assert refusal is not None
    assert (refusal.code, refusal.reason) == ("forbidden", "no typing")
    assert not doors.world.aim.sent


def test_what_no_peer_may_say_is_refused() -> None:
    refusal = Doors().take(values.draft(ALICE, BOOGY, ContactEdit(wanted=True))).refusal
    assert refusal is not None
    assert (refusal.code, refusal.reason) == ("unsupported", "a ContactEdit is not taken")


def drafts(*bodies: Body) -> tuple[Draft, ...]:
    return tuple(values.draft(ALICE, BOOGY, body, remote_id=f"m{n}") for n, body in enumerate(bodies))


@pytest.mark.parametrize(
    ("bodies", "accepted", "sent"),
    [
        ((), True, 0),
        ((values.message("a"), TYPING), True, 2),
        ((ContactEdit(wanted=True), values.message("a")), False, 1),
    ],
)
def test_an_event_of_several_parts_is_answered_once(bodies: tuple[Body, ...], accepted: bool, sent: int) -> None:
    doors = Doors()
    network = ManyNetwork(many=drafts(*bodies))
    doors.sip.link = evolve(doors.sip.link, mapping=network)
    assert doors.take(values.draft(ALICE, BOOGY)).accepted is accepted
    assert len(doors.world.aim.sent) == sent


def test_a_durable_part_decides_the_answer_of_the_whole() -> None:
    doors = Doors()
    doors.sip.link = evolve(doors.sip.link, mapping=ManyNetwork(many=drafts(TYPING, values.message("a"))))
    assert doors.take(values.draft(ALICE, BOOGY)).event is not None


# Presence


def test_a_publication_is_shown_on_the_networks() -> None:
    doors = Doors()
    doors.take(publication("alice"))
    assert doors.shown(doors.world.aim) == [PresenceUpdate(presence=OPEN)]
    doors.take(publication("alice", OFFLINE))
    assert doors.hub.presence_of(ALICES) == OFFLINE


def publication(sender: str, presence: PersonPresence = OPEN) -> Draft:
    person = values.person(sender)
    return evolve(values.draft(person, person, PresenceUpdate(presence=presence, source="desk")), recipients=())


def test_a_publication_without_recipient_is_its_senders_own() -> None:
    doors = Doors()
    assert doors.take(publication("alice")).accepted
    assert doors.hub.presence_of(ALICES) == OPEN


def test_a_publication_of_nobody_is_refused() -> None:
    refusal = Doors().take(publication("ghost")).refusal
    assert refusal is not None
    assert refusal.code == "not-found"


def test_a_contacts_state_reaches_who_watches_and_nobody_else() -> None:
    doors = Doors()
    doors.take(values.draft(ALICE, BOOGY, Watch(id="w1", expires=600.0)))
    doors.take(values.draft(BOB, BOOGY, Watch(id="w2", expires=600.0)))
    before = len(doors.world.sip.sent)
    news = values.draft(BOOGY, values.contact("alicework"), PresenceUpdate(presence=OPEN), account="alicework")
    doors.take(news, doors.aim)
    told = [native for native, _ in doors.world.sip.sent[before:]]
    assert [(envelope.body, recipient) for envelope, recipient, _ in told] == [
        (PresenceUpdate(presence=OPEN, watches=("w1",)), ALICE)
    ]


def test_a_watch_begins_with_the_state_and_puts_the_contact_on_the_list() -> None:
    doors = Doors()
    assert doors.take(values.draft(ALICE, BOOGY, Watch(id="w1", expires=600.0))).accepted
    assert doors.shown(doors.world.aim) == [ContactEdit(wanted=True)]
    assert doors.shown(doors.world.sip) == [PresenceUpdate(presence=OFFLINE, watches=("w1",))]
    assert doors.take(values.draft(ALICE, BOOGY, Watch(id="w1", expires=0.0))).accepted
    doors.take(values.draft(BOOGY, values.contact("alicework"), PresenceUpdate(presence=OPEN)), doors.aim)
    assert len(doors.world.sip.sent) == 1


def test_one_look_is_one_look() -> None:
    doors = Doors()
    doors.take(values.draft(ALICE, BOB, Watch(id="w1", expires=0.0, once=True)))
    doors.take(publication("bob"))
    assert doors.shown(doors.world.sip) == [PresenceUpdate(presence=OFFLINE, watches=("w1",))]


@pytest.mark.parametrize(
    ("prepare", "draft", "code"),
    [
        (lambda _: None, values.draft(ALICE, values.person("nobody"), Watch(id="w", expires=9.0)), "not-found"),
        (
            lambda doors: setattr(doors.world.policy, "answer", lambda _: decision("forbid")),
            values.draft(ALICE, BOB, Watch(id="w", expires=9.0)),
            "forbidden",
        ),
        (
            lambda _: None,
            values.draft(BOOGY, values.contact("alicework"), Watch(id="w", expires=9.0), account="alicework"),
            "forbidden",
        ),
    ],
)
def test_who_may_not_watch(prepare: Callable[[Doors], None], draft: Draft, code: str) -> None:
    doors = Doors()
    prepare(doors)
    refusal = doors.take(draft, doors.aim if draft.origin.network == AIM else doors.sip).refusal
    assert refusal is not None
    assert refusal.code == code
    assert not doors.world.sip.sent


# Registrations and links


def test_a_device_that_registers_wakes_what_waits_for_it() -> None:
    doors = Doors()
    doors.take(values.draft(BOB, ALICE))
    doors.world.sip.answers[0](failed(RECIPIENT_OFFLINE, retryable=True))
    doors.take(values.draft(ALICE, ALICE, Reachability(devices=1)))
    assert doors.world.sip.texts == ["hello", "hello"]
    assert doors.hub.presence_of(ALICES).basic is Basic.OPEN
    doors.take(values.draft(ALICE, ALICE, Reachability(devices=0)))
    assert doors.hub.presence_of(ALICES) == OFFLINE


def test_a_link_that_comes_up_shows_the_person_and_their_contacts_and_wakes_what_waits() -> None:
    doors = Doors()
    doors.hub.published(ALICES, "desk", OPEN)
    doors.take(values.draft(ALICE, BOOGY, Watch(id="w", expires=600.0)))
    doors.take(values.draft(ALICE, BOOGY))
    doors.world.aim.answers[-1](failed(LINK_DOWN, retryable=True))
    doors.world.aim.sent.clear()
    doors.link(LinkState.UP)
    assert [type(body).__name__ for body in doors.shown(doors.world.aim)] == [
        "PresenceUpdate",
        "ContactEdit",
        "Message",
    ]
    assert doors.aim.states["alicework"].state is LinkState.UP


def test_a_link_that_goes_down_hides_what_it_showed() -> None:
    doors = Doors()
    doors.take(values.draft(ALICE, BOOGY, Watch(id="w", expires=600.0)))
    doors.take(values.draft(BOOGY, values.contact("alicework"), PresenceUpdate(presence=OPEN)), doors.aim)
    doors.link(LinkState.TRANSIENT)
    assert doors.shown(doors.world.sip)[-1] == PresenceUpdate(presence=OFFLINE, watches=("w",))


def test_a_link_of_an_account_that_nobody_has_any_more_is_noted_alone() -> None:
    doors = Doors()
    doors.aim.link_changed(LinkChange(network="aim", account="stranger", state=LinkState.UP))
    assert doors.aim.states["stranger"].state is LinkState.UP
    assert not doors.world.aim.sent
    assert NetworkId("aim") in doors.world.pipeline.links


@pytest.mark.parametrize("state", LinkState)
def test_a_person_is_told_once_of_a_link_that_does_not_come_back(state: LinkState) -> None:
    doors = Doors()
    for _ in range(2):
        doors.aim.link_changed(LinkChange(network=AIM, account="alicework", state=state, reason="wrong password"))
    doors.aim.link_changed(LinkChange(network=AIM, account="nobodyhere", state=state, reason="wrong password"))
    lasting = state in {LinkState.AUTH_FAILED, LinkState.SIGNED_ON_ELSEWHERE}
    told = [text for text in doors.world.sip.texts if text]
    assert len(told) == lasting
    if lasting:
        assert told[0].startswith("Your name alicework on aim is signed off: wrong password.")
        assert "It is not tried again by itself." in told[0]


@pytest.mark.parametrize(("seconds", "about"), [(300.0, "about 5 minutes"), (40.0, "about a minute")])
def test_a_person_is_told_when_a_name_is_taken_back(seconds: float, about: str) -> None:
    doors = Doors()
    elsewhere = LinkState.SIGNED_ON_ELSEWHERE
    doors.aim.link_changed(LinkChange(network=AIM, account="alicework", state=elsewhere, reason="x", retry_in=seconds))
    (told,) = [text for text in doors.world.sip.texts if text]
    assert f"signed on here again in {about}, which signs the other one off. What you send there waits." in told


# Who may see whom


def _asks(words: str = "") -> Draft:
    body = Authorization(consent=Consent.ASKED, wanted=True, words=words)
    return values.draft(BOOGY, values.contact("alicework"), body, account="alicework")


@pytest.mark.parametrize(("effect", "consent"), [("allow", Consent.GRANTED), ("forbid", Consent.REFUSED)])
def test_who_asks_to_see_a_person_is_answered_by_policy(effect: Effect, consent: Consent) -> None:
    doors = Doors()
    doors.world.policy.answer = lambda _: decision(effect)
    assert doors.take(_asks(), doors.aim).accepted
    ((envelope, recipient, account), _) = doors.world.aim.sent[-1]
    assert (envelope.body, recipient.address, account) == (Authorization(consent=consent), BOOGY.address, "alicework")
    asked = doors.world.policy.asked[-1]
    assert (asked.kind, asked.direction, asked.sender.address) == ("presence", "outbound", "alice@corp.example")


def test_who_is_held_waits_and_is_told_when_the_link_is_up() -> None:
    doors = Doors()
    doors.world.policy.answer = lambda _: decision("hold")
    doors.take(_asks("it is me"), doors.aim)
    assert doors.shown(doors.world.aim) == []
    (request,) = doors.requests
    assert (request.watcher, request.account, request.words) == ("aim/theboogyman", "alicework", "it is me")
    doors.hub._approvals.decide(request, Verdict.APPROVED)
    doors.link(LinkState.UP)
    assert Authorization(consent=Consent.GRANTED) in doors.shown(doors.world.aim)


def test_a_contact_who_lets_us_see_them_or_not() -> None:
    doors = Doors()
    doors.take(values.draft(ALICE, BOOGY, Watch(id="w1", expires=600.0)))
    own = values.contact("alicework")
    for consent, standing in (
        (Consent.ASKED, Standing.PENDING), (Consent.GRANTED, Standing.ACTIVE), (Consent.REFUSED, Standing.REJECTED),
    ):  # fmt: skip
        doors.take(values.draft(BOOGY, own, Authorization(consent=consent), account="alicework"), doors.aim)
        told = doors.shown(doors.world.sip)[-1]
        assert isinstance(told, PresenceUpdate)
        assert (told.watches, told.standing, told.presence) == (("w1",), standing, OFFLINE)


def test_a_request_for_nobody_of_ours_is_refused() -> None:
    draft = values.draft(BOOGY, values.contact("stranger"), Authorization(consent=Consent.ASKED, wanted=True))
    refusal = Doors().take(draft).refusal
    assert refusal is not None
    assert refusal.code == "not-found"
