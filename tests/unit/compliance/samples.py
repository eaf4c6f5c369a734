"""Messages and people for the tests of the record, and Hypothesis strategies for every envelope there can be."""

from typing import Any

from hypothesis import strategies as st

from bridge.model.address import Address, ConversationKey, Identity
from bridge.model.body import (
    Attachment,
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
    TextPart,
    Typing,
    TypingState,
)
from bridge.model.envelope import Direction, Envelope, Loss, Origin
from bridge.model.ids import (
    SIP,
    EventId,
    NetworkId,
    PersonId,
    RemoteConversationId,
    RemoteMessageId,
    RemoteUserId,
)
from bridge.model.presence import Activity, Basic, Device, PersonPresence

AIM = NetworkId("aim")
ALICE = Identity(
    address=Address(network=SIP, user=RemoteUserId("alice@corp.example")),
    person=PersonId("alice@corp.example"),
    display_name="Alice",
)
BOOGYMAN = Identity(address=Address(network=AIM, user=RemoteUserId("theboogyman")), display_name="The Boogy Man")
NOW = 1_795_444_200.25


def event_id(number: int) -> EventId:
    return EventId(f"0192f0a1-{number >> 16 & 0xFFFF:04x}-7000-8000-{number:012x}")


def message(number: int = 1, text: str = "lunch?", *, attachments: tuple[Attachment, ...] = ()) -> Envelope:
    return Envelope(
        id=event_id(number),
        origin=Origin(
            network=SIP,
            account="alice@corp.example",
            remote_id=RemoteMessageId(f"call-{number}@192.0.2.1"),
            user_agent="baresip/1.1",
        ),
        conversation=ConversationKey(
            network=AIM, remote_id=RemoteConversationId("theboogyman"), receiver=RemoteUserId("alice@corp.example")
        ),
        sender=ALICE,
        recipients=(BOOGYMAN,),
        direction=Direction.OUTBOUND,
        received_at=NOW + number,
        body=Message(parts=(TextPart(text=text), *attachments)),
        claimed_at=NOW + number - 0.5,
    )


PICTURE = Attachment(blob_ref="blob/1", media_type="image/png", size=1234, sha256="ab" * 32, name="menu ☕.png")

texts: st.SearchStrategy[Any] = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
some_texts: st.SearchStrategy[Any] = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
maybe_texts: st.SearchStrategy[Any] = st.none() | texts
times = st.integers(0, 2**40).map(float) | st.floats(1.0, 4e9)
maybe_times = st.none() | times
addresses = st.builds(Address, network=some_texts, user=some_texts)
identities = st.builds(Identity, address=addresses, person=maybe_texts, display_name=texts)
attachments = st.builds(
    Attachment, blob_ref=texts, media_type=texts, size=st.integers(0, 2**50), sha256=texts, name=texts
)
text_parts = st.builds(TextPart, text=texts, html=maybe_texts, language=maybe_texts)
messages = st.builds(
    Message,
    parts=st.lists(text_parts | attachments, max_size=3).map(tuple),
    reply_to=maybe_texts,
    thread=maybe_texts,
    subject=maybe_texts,
    expires_at=maybe_times,
    automatic=st.booleans(),
    message_id=maybe_texts,
    wants=st.lists(st.sampled_from(Stage), max_size=3).map(tuple),
)
devices = st.builds(
    Device,
    id=texts,
    basic=st.sampled_from(Basic),
    activity=st.sampled_from(Activity),
    note=texts,
    priority=st.none() | st.sampled_from([0.0, 0.001, 0.5, 1.0]),
    idle_since=maybe_times,
    timestamp=maybe_times,
)
presences = st.builds(
    PersonPresence,
    basic=st.sampled_from(Basic),
    activity=st.sampled_from(Activity),
    note=texts,
    idle_since=maybe_times,
    since=maybe_times,
    expires_at=maybe_times,
    devices=st.lists(devices, max_size=2).map(tuple),
    invisible=st.booleans(),
)
failures = st.builds(Failure, reason=texts, retryable=st.booleans(), certain=st.booleans(), user_text=texts)
bodies = st.one_of(
    messages,
    st.builds(Edit, target=texts, replacement=messages),
    st.builds(Retract, target=texts),
    st.builds(Reaction, target=texts, emoji=texts, removed=st.booleans()),
    st.builds(Typing, state=st.sampled_from(TypingState)),
    st.builds(Membership, member=texts, change=st.sampled_from(MembershipChange)),
    st.builds(Receipt, target=texts, stage=st.sampled_from(Stage), failure=st.none() | failures, sent_at=maybe_times),
    st.builds(PresenceUpdate, presence=presences),
)
envelopes = st.builds(
    Envelope,
    id=st.integers(0, 2**40).map(event_id),
    origin=st.builds(Origin, network=some_texts, account=texts, remote_id=maybe_texts, user_agent=texts),
    conversation=st.builds(ConversationKey, network=some_texts, remote_id=texts, receiver=maybe_texts),
    sender=identities,
    recipients=st.lists(identities, max_size=3).map(tuple),
    direction=st.sampled_from(Direction),
    received_at=times,
    body=bodies,
    claimed_at=maybe_times,
    losses=st.lists(st.builds(Loss, feature=texts, detail=texts), max_size=2).map(tuple),
)
