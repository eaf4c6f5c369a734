"""What the policy is asked: people as parties, and everything that a person would read."""

import pytest
from attrs import evolve

from bridge.delivery import judge as module
from bridge.delivery.judge import Judge
from bridge.model.body import (
    Attachment,
    Body,
    Edit,
    Message,
    PresenceUpdate,
    Reaction,
    Receipt,
    Retract,
    Stage,
    TextPart,
    Typing,
    TypingState,
)
from bridge.model.envelope import Direction, Envelope
from bridge.model.ids import PersonId, RemoteMessageId
from bridge.model.presence import Basic, PersonPresence
from bridge.policy.values import Subject
from tests.kit import people, values
from tests.unit.delivery.test_pipeline import ScriptedPolicy

TARGET = RemoteMessageId("m0")
FILE = Attachment(blob_ref="b", media_type="application/pdf", size=9, sha256="00", name="falcon.pdf")


def asked(envelope: Envelope, groups: dict[PersonId, frozenset[str]] | None = None) -> Subject:
    policy = ScriptedPolicy()
    Judge(policy=policy, directory=people.snapshot(groups=groups)).judge(envelope, envelope.recipients[0])
    (subject,) = policy.asked
    return subject


def of(body: Body) -> Subject:
    return asked(evolve(values.envelope(), body=body))


def test_a_colleague_is_told_with_address_domain_person_and_groups() -> None:
    groups = {PersonId("alice@corp.example"): frozenset({"sales"})}
    sender = asked(values.envelope(), groups).sender
    assert (sender.address, sender.domain, sender.person) == (
        "alice@corp.example",
        "corp.example",
        "alice@corp.example",
    )
    assert (sender.groups, sender.assurance, sender.network) == (frozenset({"sales"}), "authenticated", None)


def test_a_contact_is_told_with_its_network_and_is_nobody() -> None:
    recipient = asked(values.envelope()).recipient
    assert (recipient.address, recipient.network, recipient.person) == ("aim/theboogyman", "aim", None)
    assert (recipient.groups, recipient.assurance) == (frozenset(), "asserted")


def test_a_bound_screen_name_is_its_person() -> None:
    bound = evolve(values.contact("bobwork"), person=PersonId("bob@corp.example"))
    recipient = asked(evolve(values.envelope(), recipients=(bound,))).recipient
    assert (recipient.person, recipient.assurance) == ("bob@corp.example", "bound")


def test_an_address_of_ours_that_nobody_has_is_unverified() -> None:
    unknown = evolve(values.person("ghost"), person=None)
    assert asked(evolve(values.envelope(), sender=unknown)).sender.assurance == "unverified"


def test_everything_that_is_read_is_judged() -> None:
    subject = of(Message(parts=(TextPart(text="see"), FILE, TextPart(text="this")), subject="Project"))
    assert subject.text == "see\nthis\nfalcon.pdf\nProject"
    assert subject.content_type == "application/pdf"
    assert of(Edit(target=TARGET, replacement=values.message("new words"))).text == "new words"
    assert of(Reaction(target=TARGET, emoji="🦅")).text == "🦅"
    assert of(PresenceUpdate(presence=PersonPresence(basic=Basic.OPEN, note="out for falcon"))).text == "out for falcon"


def test_the_size_is_of_the_text_in_octets() -> None:
    subject = of(values.message("é"))
    assert (subject.size, subject.content_type) == (2, "text/plain")


def test_what_holds_no_text_has_none() -> None:
    assert [of(body).text for body in (Retract(target=TARGET), Typing(state=TypingState.ACTIVE))] == [None, None]
    assert of(PresenceUpdate(presence=PersonPresence(basic=Basic.OPEN))).text is None


def test_kinds_and_directions() -> None:
    receipt = Receipt(target=TARGET, stage=Stage.DELIVERED)
    bodies: list[Body] = [values.message("x"), Retract(target=TARGET), Typing(state=TypingState.IDLE), receipt]
    assert [of(body).kind for body in bodies] == ["message", "message", "typing", "receipt"]
    assert of(values.message("x")).conversation == "external"
    inside = evolve(values.envelope(), recipients=(values.person("bob"),), direction=Direction.INTERNAL)
    assert (asked(inside).direction, asked(inside).conversation) == ("internal", "internal")


def test_a_new_directory_is_asked_anew() -> None:
    alice = PersonId("alice@corp.example")
    policy = ScriptedPolicy()
    judge = Judge(policy=policy, directory=people.snapshot(groups={alice: frozenset({"old"})}))
    envelope = values.envelope()
    judge.judge(envelope, envelope.recipients[0])
    judge.directory = people.snapshot(version=2, groups={alice: frozenset({"new"})})
    judge.judge(envelope, envelope.recipients[0])
    assert [subject.sender.groups for subject in policy.asked] == [frozenset({"old"}), frozenset({"new"})]


def test_the_people_that_are_remembered_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PARTIES_KEPT", 10)
    judge = Judge(policy=ScriptedPolicy(), directory=people.snapshot())
    for number in range(100):
        envelope = values.envelope(to=f"contact{number}")
        judge.judge(envelope, envelope.recipients[0])
    assert len(judge._parties) <= 13
