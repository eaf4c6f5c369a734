"""What is written to one device of a person (a GRUU, RFC 5627) reaches that device, and is of that person."""

import pytest
from attrs import evolve

from bridge.model.body import Message, Typing, TypingState
from tests.unit.mappings.test_sip import ALICE, CAPS, MAPPING, envelope, incoming, read, sip, text
from transports.sip.wire.native import SipMessage, SipTyping

DEVICE = "urn:uuid:00000000-0000-1000-8000-aabbccddeeff"
GRUU = f"sip:bob@corp.example;gr={DEVICE}"


def test_the_person_is_the_same_and_the_conversation_is_with_the_device() -> None:
    whole, one = read(incoming(peer="sip:bob@corp.example")), read(incoming(peer=GRUU))
    assert one.recipients == whole.recipients == (sip("bob@corp.example"),)
    assert one.conversation != whole.conversation


@pytest.mark.parametrize("body", [text("hi"), Typing(state=TypingState.ACTIVE)])
def test_it_is_for_that_device_on_the_way_out(body: Message | Typing) -> None:
    draft = read(incoming(peer=GRUU))
    (bob,) = draft.recipients
    event = evolve(envelope(body, sender=ALICE, recipient=bob), conversation=draft.conversation)
    result = MAPPING.from_canonical(event, bob, "", CAPS)
    (native,) = result.natives  # type: ignore[union-attr]
    assert isinstance(native, SipMessage | SipTyping)
    assert (native.aor, native.device) == ("bob@corp.example", DEVICE)
    assert native.peer == "sip:alice@corp.example"  # never a gr in From: it splits Linphone's chats


def test_the_sender_s_own_copy_or_answer_is_not_bound_to_it() -> None:
    draft = read(incoming(peer=GRUU))
    event = evolve(
        envelope(text("hi"), sender=sip("bob@corp.example"), recipient=ALICE), conversation=draft.conversation
    )
    (native,) = MAPPING.from_canonical(event, ALICE, "", CAPS).natives  # type: ignore[union-attr]
    assert isinstance(native, SipMessage)
    assert native.device is None


@pytest.mark.parametrize(
    "peer", ["sip:bob@corp.example", "sip:bob@corp.example;gr", "sip:theboogyman@aim.corp.example;gr=x"]
)
def test_other_addresses_name_no_device(peer: str) -> None:
    draft = read(incoming(peer=peer))
    assert ";gr=" not in f"{draft.conversation.remote_id} {draft.conversation.receiver}"


def test_a_name_that_looks_like_one_is_none() -> None:
    draft = read(incoming(peer="sip:bob;gr=x@corp.example"))
    (bob,) = draft.recipients
    event = evolve(envelope(text("hi"), sender=ALICE, recipient=bob), conversation=draft.conversation)
    (native,) = MAPPING.from_canonical(event, bob, "", CAPS).natives  # type: ignore[union-attr]
    assert isinstance(native, SipMessage)
    assert native.device is None
