"""The values of the model: frozen, comparable, and what they say of themselves."""

from typing import Any, get_args

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.model import body as bodies
from bridge.model.address import Address, ConversationKey, Identity
from bridge.model.body import Attachment, Body, Kind, Message, Receipt, Retract, Stage, TextPart
from bridge.model.capabilities import Capabilities, LinkChange, LinkState, SendResult, Support
from bridge.model.envelope import Direction, Draft, Envelope, Origin
from bridge.model.ids import SIP, EventId, NetworkId, PersonId, RemoteConversationId, RemoteMessageId, RemoteUserId
from bridge.model.presence import OFFLINE, Activity, Basic, PersonPresence

BOOGY = Address(network=NetworkId("aim"), user=RemoteUserId("theboogyman"))
PHOTO = Attachment(blob_ref="b1", media_type="image/png", size=1, sha256="00", name="a.png")


# --- addresses


def test_an_address_is_written_and_read() -> None:
    assert str(BOOGY) == "aim/theboogyman"
    assert Address.parse("aim/theboogyman") == BOOGY
    assert not BOOGY.corporate
    assert Address.parse("sip/alice@corp.example").corporate
    assert Address.parse("irc/#a/b").user == "#a/b"


@pytest.mark.parametrize("text", ["", "aim", "aim/", "/x", "a\nim/x", "aim/x\x00", "aim/\u202ex"])
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(ValueError, match="network/user"):
        Address.parse(text)


@given(st.text(min_size=1), st.text(min_size=1))
def test_every_address_that_can_be_shown_is_read_as_it_was_written(network: str, user: str) -> None:
    address = Address(network=NetworkId(network), user=RemoteUserId(user))
    if "/" in network or not str(address).isprintable():
        return
    assert Address.parse(str(address)) == address
    assert hash(Address.parse(str(address))) == hash(address)


def test_the_name_to_show_does_not_tell_people_apart() -> None:
    alice = Identity(address=BOOGY, person=PersonId("a@b"), display_name="Alice")
    assert alice == attrs.evolve(alice, display_name="Mallory")
    assert alice != attrs.evolve(alice, person=None)


def test_a_conversation_names_itself() -> None:
    room = ConversationKey(network=BOOGY.network, remote_id=RemoteConversationId("r1"))
    assert str(room) == "aim/r1"
    assert str(attrs.evolve(room, receiver=RemoteUserId("me"))) == "aim/r1/me"
    assert room != attrs.evolve(room, receiver=RemoteUserId(""))
    assert str(attrs.evolve(room, receiver=RemoteUserId(""))) == "aim/r1/"


# --- bodies


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        ((), ""),
        ((TextPart(text="one"),), "one"),
        ((PHOTO,), ""),
        ((TextPart(text="one"), PHOTO, TextPart(text="two")), "one\ntwo"),
        ((PHOTO, PHOTO), ""),
    ],
)
def test_the_text_of_a_message(parts: tuple[TextPart | Attachment, ...], text: str) -> None:
    assert Message(parts=parts).text == text


def test_every_body_says_whether_it_is_kept_and_what_it_is_to_the_policy() -> None:
    for kind in get_args(Body):
        assert kind.kind in get_args(Kind)
        assert isinstance(kind.durable, bool)
        # what people say is kept; what only helps them along is not
        assert kind.durable == (kind.kind == "message")
    assert {kind.kind for kind in get_args(Body)} == set(get_args(Kind))


def test_every_body_of_the_module_is_one() -> None:
    declared = {value for value in vars(bodies).values() if isinstance(value, type) and hasattr(value, "durable")}
    assert declared == set(get_args(Body))


# --- values


def model_values() -> list[object]:
    text = Message(parts=(TextPart(text="hi"),))
    origin = Origin(network=SIP, account="a@b")
    conversation = ConversationKey(network=SIP, remote_id=RemoteConversationId("c"))
    who = Identity(address=BOOGY)
    draft = Draft(origin=origin, conversation=conversation, sender=who, recipients=(who,), body=text)
    envelope = Envelope(
        id=EventId("e"),
        origin=origin,
        conversation=conversation,
        sender=who,
        recipients=(who,),
        direction=Direction.OUTBOUND,
        received_at=1.0,
        body=text,
    )
    retract = Retract(target=RemoteMessageId("m"))
    receipt = Receipt(target=EventId("e"), stage=Stage.DELIVERED)
    change = LinkChange(network="aim", account="a", state=LinkState.UP)
    return [BOOGY, who, conversation, text, PHOTO, origin, draft, envelope, retract, receipt, change, OFFLINE]


@pytest.mark.parametrize("value", model_values(), ids=lambda value: type(value).__name__)
def test_values_do_not_change(value: Any) -> None:
    for field in attrs.fields(type(value)):
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            setattr(value, field.name, None)
    assert attrs.evolve(value) == value
    with pytest.raises(TypeError):
        type(value)(*attrs.astuple(value, recurse=False))


def test_a_transport_that_declares_nothing_carries_plain_text_alone() -> None:
    carried = {
        field.name: getattr(Capabilities(), field.name) for field in attrs.fields(Capabilities) if field.type is Support
    }
    assert carried.pop("text") is Support.FULL
    assert set(carried.values()) == {Support.DROPPED}


def test_what_is_not_known_is_said_to_be_unknown() -> None:
    assert SendResult(stage=Stage.UNKNOWN) == SendResult(stage=Stage.UNKNOWN, remote_id=None, failure=None)
    assert len({stage.value for stage in Stage}) == len(Stage)


def test_offline_is_closed_and_says_nothing_else() -> None:
    assert OFFLINE.basic is Basic.CLOSED
    assert (OFFLINE.activity, OFFLINE.note, OFFLINE.devices, OFFLINE.invisible) == (Activity.AVAILABLE, "", (), False)
    assert PersonPresence(basic=Basic.OPEN) != OFFLINE
