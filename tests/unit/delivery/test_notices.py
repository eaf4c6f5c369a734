"""What the bridge itself writes: to whom, about what, in which words, and never about its own words."""

from typing import Any

import pytest
from attrs import evolve

from bridge.delivery.lanes import Lane, Parcel
from bridge.delivery.notices import Notices
from bridge.model.address import Identity
from bridge.model.body import Failure, Message, Reaction, Stage, TextPart
from bridge.model.capabilities import LINK_DOWN, RECIPIENT_OFFLINE
from bridge.model.envelope import Direction, Envelope
from bridge.model.ids import EventId, RemoteMessageId
from tests.kit import values
from tests.unit.delivery.test_pipeline import RELAYED, World

FAILURE = Failure(reason="gone", retryable=False, certain=True, user_text="the account is closed")


def world() -> World:
    w = World()
    w.sip.at_once = RELAYED
    return w


def texts(envelope: Envelope, stage: Stage = Stage.FAILED) -> list[str]:
    w = world()
    w.pipeline.notices.failed(w.pipeline.write_notice, envelope, stage, FAILURE)
    return w.sip.texts


def test_a_failure_names_the_message_the_recipient_the_reason_and_the_record() -> None:
    envelope = values.envelope(text="shall we\n  meet?")
    (text,) = texts(envelope)
    assert text == (
        "Your message “shall we meet?” to aim/theboogyman was not delivered: the account is closed. "
        f"Reference: {envelope.id}"
    )


def test_what_is_not_known_is_not_claimed() -> None:
    (text,) = texts(values.envelope(), Stage.UNKNOWN)
    assert "may not have been delivered" in text


def test_a_long_text_is_cut_and_a_colleague_is_named_by_address() -> None:
    envelope = evolve(values.envelope(text="x" * 500), recipients=(values.person("bob"),))
    (text,) = texts(envelope)
    assert f"“{'x' * 40}…” to bob@corp.example" in text


@pytest.mark.parametrize(
    "changed",
    [
        {"sender": values.contact("theboogyman"), "direction": Direction.INBOUND},
        {"body": Message(parts=(TextPart(text="I am away"),), automatic=True)},
        {"body": Reaction(target=RemoteMessageId("m"), emoji="x")},
    ],
)
def test_who_is_not_told(changed: dict[str, Any]) -> None:
    assert texts(evolve(values.envelope(), **changed)) == []


def test_nothing_is_written_about_a_notice() -> None:
    notice = Notices(address="simplebridge@corp.example").envelope(EventId("e"), values.person("alice"), "x", 1.0)
    assert texts(notice) == []
    assert isinstance(notice.body, Message)
    assert notice.body.automatic
    assert str(notice.sender.address) == "sip/simplebridge@corp.example"


def waits(count: int, reason: str, to: Identity | None = None) -> list[str]:
    w = world()
    lane = Lane("l")
    for number in range(count):
        envelope = values.envelope(number + 1)
        if to is not None:
            envelope = evolve(envelope, recipients=(to,), direction=Direction.INTERNAL)
        parcel = Parcel(values.outbox_item(envelope), values.recorded(envelope), 0.0)
        parcel.last_reason = reason
        lane.parcels.append(parcel)
    w.pipeline.notices.waits(w.pipeline.write_notice, lane)
    return w.sip.texts


@pytest.mark.parametrize(
    ("count", "reason", "begin", "why"),
    [
        (1, RECIPIENT_OFFLINE, "Your message to", "no device of theirs is signed on"),
        (7, LINK_DOWN, "7 of your messages to", "the connection to the network is being restored"),
        (2, "rate", "2 of your messages to", "the network takes messages at a limited pace"),
    ],
)
def test_who_waits_is_told_why(count: int, reason: str, begin: str, why: str) -> None:
    (text,) = waits(count, reason)
    assert text.startswith(begin)
    assert why in text
    assert "Nothing is lost" in text


def test_of_a_colleague_no_network_is_blamed() -> None:
    (text,) = waits(1, "refused", values.person("bob"))
    assert "no device of theirs takes it now" in text


def test_a_notice_is_on_record_before_it_leaves() -> None:
    w = world()
    w.journal.automatic = False
    w.pipeline.notices.failed(w.pipeline.write_notice, values.envelope(), Stage.FAILED, FAILURE)
    assert not w.sip.sent
    w.journal.flush()
    assert len(w.sip.sent) == 1
    assert w.journal.events()[:2] == ["intake", "decision"]
