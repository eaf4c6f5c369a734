"""Matrix's mapping: each row a vector, both ways."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve

from bridge.model.address import Address, ConversationKey, Identity
from bridge.model.body import (
    Body,
    ContactEdit,
    Edit,
    Failure,
    Membership,
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
from bridge.model.capabilities import Capabilities, Support
from bridge.model.envelope import Direction, Draft, Envelope, Origin, Translated, Unmappable
from bridge.model.ids import SIP, EventId, NetworkId, RemoteConversationId, RemoteMessageId, RemoteUserId
from bridge.model.presence import OFFLINE, Activity, Basic, PersonPresence
from mappings.identity import AddressError, NetworkDomain, SipAddressBook, normalise
from mappings.matrix import WANTED, MatrixMapping, cost
from mappings.matrix_html import from_matrix, to_matrix, without_quote
from mappings.richtext import to_plain
from transports.matrix.wire import native as wire

MATRIX = NetworkId("matrix")
ALICE, BOB, ROOM = "@_sip_alice:hs.example", "@bob:hs.example", "!room"
MAPPING = MatrixMapping(network=MATRIX, clock=lambda: 1000.0)
CAPS = Capabilities(html=Support.PARTIAL, typing=Support.FULL, max_text_bytes=16_000)


def received(body: str = "x", **more: Any) -> wire.MessageReceived:
    base = wire.MessageReceived(account=ALICE, sender=BOB, room=ROOM, event_id="$1", msgtype="m.text", body=body)
    return evolve(base, **more)


def draft(native: wire.Inbound) -> Draft:
    found = MAPPING.to_canonical(native)
    assert isinstance(found, tuple)
    (one,) = found
    return one


def said(native: wire.Inbound) -> Message:
    body = draft(native).body
    assert isinstance(body, Message)
    return body


def envelope(body: Body, *, network: NetworkId = SIP, name: str = "Alice") -> Envelope:
    return Envelope(
        id=EventId("01a208c9-1e16-7000-9e01-000000000001"),
        origin=Origin(network=SIP, account="alice@corp.example"),
        conversation=ConversationKey(network=network, remote_id=RemoteConversationId(ROOM)),
        sender=Identity(address=Address(network=SIP, user=RemoteUserId("alice@corp.example")), display_name=name),
        recipients=(Identity(address=Address(network=MATRIX, user=RemoteUserId(BOB))),),
        direction=Direction.OUTBOUND,
        received_at=1000.0,
        body=body,
    )


def out(body: Body, *, network: NetworkId = SIP) -> tuple[Any, ...]:
    event = envelope(body, network=network)
    made = MAPPING.from_canonical(event, event.recipients[0], ALICE, CAPS)
    assert isinstance(made, Translated), made
    return made.natives


def message(text: str, html: str | None = None, **more: Any) -> Message:
    return Message(parts=(TextPart(text=text, html=html),), **more)


# In


def test_a_text_has_ids_time_and_a_wish_for_receipts() -> None:
    one = draft(received("Grüße", timestamp=1500))
    assert one.origin == Origin(network=MATRIX, account=ALICE, remote_id=RemoteMessageId("$1"))
    assert one.conversation == ConversationKey(
        network=MATRIX, remote_id=RemoteConversationId(ROOM), receiver=RemoteUserId(ALICE)
    )
    assert (one.sender.address.user, one.recipients[0].address.user) == (BOB, ALICE)
    assert one.claimed_at == 1.5
    assert isinstance(one.body, Message)
    assert (one.body.text, one.body.message_id, one.body.wants) == ("Grüße", "$1", WANTED)


@pytest.mark.parametrize(
    ("native", "text", "html"),
    [
        (received("b", html="<b>bold</b>"), "bold", "<b>bold</b>"),
        (received("b", html='<font data-mx-color="#f00">r</font>'), "r", '<span style="color:#ff0000">r</span>'),
        (received("b", html="<script>x</script>safe"), "safe", None),
        (received("waves", msgtype="m.emote"), "/me waves", None),
        (received("> <@a:b> q\n> q\n\nanswer", reply_to="$0"), "answer", None),
        (received("a", html="<mx-reply><b>q</b></mx-reply><i>it</i>", reply_to="$0"), "it", "<i>it</i>"),
        (received("> I quote nobody"), "> I quote nobody", None),
        (received("a\x07b"), "ab", None),
    ],
)  # fmt: skip
def test_texts(native: wire.MessageReceived, text: str, html: str | None) -> None:
    part = said(native).parts[0]
    assert isinstance(part, TextPart)
    assert (part.text, part.html) == (text, html)


def test_a_notice_is_automatic_and_wants_nothing() -> None:
    body = said(received("I am a bot", msgtype="m.notice"))
    assert body.automatic
    assert not body.wants


def test_a_correction_a_reaction_and_what_was_taken_back() -> None:
    edit = draft(received("better", replaces="$0")).body
    assert isinstance(edit, Edit)
    assert (edit.target, edit.replacement.text) == ("$0", "better")
    reaction = wire.ReactionReceived(account=ALICE, sender=BOB, room=ROOM, event_id="$2", target="$0", key="👍")
    assert draft(reaction).body == Reaction(target=RemoteMessageId("$0"), emoji="👍")
    redaction = wire.RedactionReceived(account=ALICE, sender=BOB, room=ROOM, event_id="$3", target="$0")
    assert draft(redaction).body == Retract(target=RemoteMessageId("$0"))


@pytest.mark.parametrize(
    ("msgtype", "body", "media", "text"),
    [
        ("m.image", "cat.png", wire.Media(media_type="image/png", size=3),
         "[an image: cat.png (image/png, 3 bytes); files are not carried]"),
        ("m.file", "my words", wire.Media(name="plan.pdf"), "[a file: plan.pdf; files are not carried]\nmy words"),
        ("m.location", "home", wire.Media(url="geo:1,2"), "[a place: home (geo:1,2)]"),
        ("m.sticker", "a wave", wire.Media(), "[a sticker: a wave]"),
    ],
)  # fmt: skip
def test_files_are_told_as_what_they_are(msgtype: str, body: str, media: wire.Media, text: str) -> None:
    one = draft(received(body, msgtype=msgtype, media=media))
    assert isinstance(one.body, Message)
    assert one.body.text == text
    assert [loss.feature for loss in one.losses] == ["attachment"]


def test_what_cannot_be_read_is_named() -> None:
    native = wire.Unreadable(
        account=ALICE, sender=BOB, room=ROOM, event_id="$1", kind="m.room.encrypted", reason="encrypted", raw=b"{}"
    )
    found = MAPPING.to_canonical(native)
    assert isinstance(found, Unmappable)
    assert found.feature == "encrypted"
    left = wire.RoomLeft(account=ALICE, sender=BOB, room=ROOM, event_id="$1", reason="has invited others", ours=True)
    assert isinstance(MAPPING.to_canonical(left), Unmappable)
    assert said(evolve(left, ours=False, reason="has shut you out")).text == f"[{BOB} has shut you out]"


def test_what_is_not_kept() -> None:
    typing = wire.TypingReceived(account=ALICE, sender=BOB, room=ROOM, typing=True)
    assert draft(typing).body == Typing(state=TypingState.ACTIVE)
    read = wire.ReadReceived(account=ALICE, sender=BOB, room=ROOM, event_id="$9")
    assert draft(read).body == Receipt(target=RemoteMessageId("$9"), stage=Stage.DISPLAYED)
    invited = wire.Invited(account=ALICE, sender=BOB, room=ROOM, event_id="$8", direct=True)
    assert isinstance(draft(invited).body, Membership)


@pytest.mark.parametrize(
    ("presence", "note", "ago", "told"),
    [
        ("online", "hi", 10, PersonPresence(basic=Basic.OPEN, note="hi")),
        ("unavailable", "", 60_000, PersonPresence(basic=Basic.OPEN, activity=Activity.AWAY, idle_since=940.0)),
        ("busy", "", None, PersonPresence(basic=Basic.OPEN, activity=Activity.BUSY)),
        ("offline", "bye", None, OFFLINE),
    ],
)
def test_presence_in(presence: str, note: str, ago: int | None, told: PersonPresence) -> None:
    native = wire.PresenceReceived(account=ALICE, user=BOB, presence=presence, status_msg=note, last_active_ago=ago)
    assert draft(native).body == PresenceUpdate(presence=told)


# Out


@pytest.mark.parametrize(
    ("body", "text", "html", "msgtype"),
    [
        (message("plain"), "plain", None, "m.text"),
        (message("bold", "<b>bold</b>"), "bold", "<strong>bold</strong>", "m.text"),
        (message("a < b"), "a < b", None, "m.text"),
        (message("/me waves"), "waves", None, "m.emote"),
        (message("away", automatic=True), "away", None, "m.notice"),
        (message("said", subject="About"), "About\nsaid", None, "m.text"),
        (message("redacted", "<b>secret</b>"), "redacted", None, "m.text"),
    ],
)
def test_messages_out(body: Message, text: str, html: str | None, msgtype: str) -> None:
    (native,) = out(body)
    assert (native.body, native.html, native.msgtype, native.display_name) == (text, html, msgtype, "Alice")
    assert out(body)[0].txn_id == native.txn_id


def test_a_long_text_fits_into_events() -> None:
    text = '👩‍👩‍👧"\\' * 4000
    natives = out(message(text))
    assert "".join(native.body for native in natives) == text
    assert all(cost(native.body) <= CAPS.max_text_bytes for native in natives)
    assert len({native.txn_id for native in natives}) == len(natives) > 1


def test_receipts_go_to_the_room_that_the_message_came_from() -> None:
    shown = Receipt(target=RemoteMessageId("$1"), stage=Stage.DISPLAYED)
    assert out(shown, network=MATRIX) == (wire.ReadSend(account=ALICE, to=BOB, room=ROOM, event_id="$1"),)
    event = envelope(shown)
    assert isinstance(MAPPING.from_canonical(event, event.recipients[0], ALICE, CAPS), Unmappable)
    failure = Failure(reason="x", retryable=False, certain=True, user_text="no device takes it.")
    (notice,) = out(Receipt(target=RemoteMessageId("$1"), stage=Stage.FAILED, failure=failure), network=MATRIX)
    assert (notice.body, notice.room, notice.msgtype) == (
        "[Your message could not be delivered: no device takes it]", ROOM, "m.notice",
    )  # fmt: skip


def test_what_is_about_an_earlier_message() -> None:
    edit = Edit(target=RemoteMessageId("$1"), replacement=message("better"))
    assert (out(edit)[0].replaces, out(edit)[0].room) == ("$1", "")
    assert out(edit, network=MATRIX)[0].room == ROOM
    assert out(Edit(target=RemoteMessageId("elsewhere"), replacement=message("better")))[0].body == "[corrected] better"
    assert isinstance(out(Retract(target=RemoteMessageId("$1")))[0], wire.RedactionSend)
    assert isinstance(out(Reaction(target=RemoteMessageId("$1"), emoji="👍"))[0], wire.ReactionSend)


def test_typing_presence_and_contacts_out() -> None:
    assert out(Typing(state=TypingState.PAUSED))[0].typing is False
    assert out(ContactEdit(wanted=True)) == (wire.Watch(account=ALICE, user=BOB, wanted=True),)
    lunch = PersonPresence(basic=Basic.OPEN, activity=Activity.MEAL)
    assert out(PresenceUpdate(presence=lunch)) == (
        wire.OwnPresence(account=ALICE, presence="unavailable", status_msg="Out to lunch"),
    )
    assert out(PresenceUpdate(presence=OFFLINE))[0].presence == "offline"


# Names


def test_names() -> None:
    assert normalise("matrix", "bob:example.org") == "@bob:example.org" == normalise("matrix", "@bob:example.org")
    assert normalise("matrix", "@Bob:example.org") != normalise("matrix", "@bob:example.org")
    for bad in ("bob", "@:example.org", "@bob:", "@b b:example.org", "@bób:example.org", "@bob:exa mple", "@a\x00:b"):
        with pytest.raises(AddressError):
            normalise("matrix", bad)
    row = NetworkDomain(domain="matrix.corp.example", network=MATRIX, kind="matrix")
    book = SipAddressBook.of(["corp.example"], [row])
    address = Address(network=MATRIX, user=RemoteUserId("@bob:example.org:8448"))
    assert book.to_uri(address) == "sip:%40bob%3Aexample.org%3A8448@matrix.corp.example"
    assert book.from_uri(book.to_uri(address)) == address
    assert book.from_uri("sip:bob%3Aexample.org%3A8448@matrix.corp.example") == address


def test_html_is_a_round_trip() -> None:
    source = '<a href="https://a.example"><em>x</em></a> <span data-mx-color="#00ff00"><code>y</code></span><br>z'
    assert to_matrix(from_matrix(to_matrix(from_matrix(source)))) == to_matrix(from_matrix(source))
    assert "javascript" not in to_matrix(from_matrix('<a href="javascript:x()">click</a>'))
    assert to_plain(from_matrix("<mx-reply><b>never ends")) == "never ends"
    assert without_quote("> all of it") == "> all of it"
