"""YMSG's native events to the model and back: messages, notices, presence, contacts, names."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from attrs import evolve

from bridge.model.address import Address, ConversationKey, Identity
from bridge.model.body import (
    Attachment,
    Authorization,
    Body,
    Consent,
    ContactEdit,
    Message,
    Reaction,
    TextPart,
    Typing,
    TypingState,
)
from bridge.model.capabilities import Capabilities, Support
from bridge.model.envelope import Direction, Draft, Envelope, Origin, Translated, Unmappable
from bridge.model.ids import SIP, EventId, NetworkId, RemoteConversationId, RemoteMessageId, RemoteUserId
from bridge.model.presence import OFFLINE, Activity, Basic, PersonPresence
from mappings.identity import AddressError, decode_user, encode_user, normalise
from mappings.ymsg import YmsgMapping, YmsgNative
from mappings.ymsg_presence import YAHOO, from_buddy, to_own
from transports.common.wire.native import Link, LinkState
from transports.ymsg.wire import codes, native

YAHOO_NET = NetworkId("yahoo")
NOW = 1_700_000_000.0
CAPS = Capabilities(html=Support.PARTIAL, typing=Support.PARTIAL, presence=Support.PARTIAL, max_text_bytes=800)
TWELVE = tuple("abcdefghijkl")
BOB: dict[str, Any] = {"account": "me", "sender": "bob"}
MAPPING = YmsgMapping(network=YAHOO_NET, clock=lambda: NOW)


def yahoo(user: str) -> Identity:
    return Identity(address=Address(network=YAHOO_NET, user=RemoteUserId(user)))


def read(value: native.Inbound) -> Draft:
    found = MAPPING.to_canonical(value)
    assert isinstance(found, tuple), found
    return found[-1]


def im(text: str, **more: Any) -> native.ImReceived:
    return native.ImReceived(account="me", sender="Bob_1", text=text, **more)


def envelope(body: Body) -> Envelope:
    return Envelope(
        id=EventId("event"),
        origin=Origin(network=SIP, account="alice@corp.example"),
        conversation=ConversationKey(network=YAHOO_NET, remote_id=RemoteConversationId("bob")),
        sender=Identity(address=Address(network=SIP, user=RemoteUserId("alice@corp.example"))),
        recipients=(yahoo("bob"),),
        direction=Direction.OUTBOUND,
        received_at=NOW,
        body=body,
    )


def write(body: Body, caps: Capabilities = CAPS) -> Translated[YmsgNative]:
    found = MAPPING.from_canonical(envelope(body), yahoo("bob"), "me", caps)
    assert isinstance(found, Translated), found
    return found


def text(said: str, html: str | None = None) -> Message:
    return Message(parts=(TextPart(text=said, html=html),))


# Messages


def test_a_message_that_came() -> None:
    draft = read(im("\x1b[1mhi\x1b[x1m", timestamp=1_600_000_000))
    assert draft.origin == Origin(network=YAHOO_NET, account="me")
    assert draft.sender == yahoo("bob_1")
    assert draft.recipients == (yahoo("me"),)
    assert draft.body == text("hi", "<b>hi</b>")
    assert draft.claimed_at == 1_600_000_000.0
    assert not draft.losses


def test_names_of_messages() -> None:
    assert read(im("x")).origin.remote_id is None  # nobody names it: who writes the same twice means it
    assert read(im("x", message_id="0A")).origin.remote_id == RemoteMessageId("bob_1/0A")
    stored = im("x", offline=True, timestamp=5)
    first = read(stored).origin.remote_id
    assert first == read(stored).origin.remote_id
    assert first is not None
    assert first.startswith("bob_1/5/")
    others = (evolve(stored, nth=1), evolve(stored, text="y"), evolve(stored, timestamp=6))
    assert len({first, *(read(other).origin.remote_id for other in others)}) == 4


def test_what_was_read_with_doubt_is_a_loss() -> None:
    assert [loss.feature for loss in read(im("ÿ", lossy=True)).losses] == ["charset"]
    assert [loss.detail for loss in read(im("<fade #1,#2>x</fade>")).losses] == ["<fade>"]


def test_a_message_that_goes() -> None:
    (sent,) = write(text("bold & <b>", "<b>bold</b> &amp; &lt;b&gt;")).natives
    assert isinstance(sent, native.ImSend)
    assert (sent.account, sent.to, sent.text) == ("me", "bob", "\x1b[1mbold\x1b[x1m & <\x1b[xlmb>")
    assert write(text("bold & <b>")).natives != (sent,)
    (again,) = write(text("bold & <b>", "<b>bold</b> &amp; &lt;b&gt;")).natives
    assert again == sent  # every attempt has the same name
    plain = write(text("x", "<b>x</b>"), evolve(CAPS, html=Support.DROPPED))
    assert [loss.feature for loss in plain.losses] == ["html"]


def test_a_long_message_is_cut_and_its_pieces_have_names_of_their_own() -> None:
    said = "👩‍👩‍👧‍👦 " * 200
    natives = write(text(said)).natives
    pieces = [one for one in natives if isinstance(one, native.ImSend)]
    assert len({one.id for one in pieces}) == len(pieces) > 3
    assert "".join(one.text for one in pieces) == said
    assert all(len(one.text.encode()) <= 800 and not one.text.startswith("\u200d") for one in pieces)


def test_subjects_and_attachments_are_told_or_named() -> None:
    attachment = Attachment(blob_ref="b", media_type="image/png", size=1, sha256="0", name="cat.png")
    body = Message(parts=(TextPart(text="look"), attachment), subject="Re: cat")
    translated = write(body)
    (sent,) = translated.natives
    assert isinstance(sent, native.ImSend)
    assert sent.text == "Re: cat\nlook"
    assert [(loss.feature, loss.detail) for loss in translated.losses] == [
        ("subject", "told in the text"),
        ("attachment", "cat.png"),
    ]


def test_what_has_no_form() -> None:
    found = MAPPING.from_canonical(
        envelope(Reaction(target=RemoteMessageId("x"), emoji="👍")), yahoo("bob"), "me", CAPS
    )
    assert isinstance(found, Unmappable)
    assert found.feature == "reaction"


# Typing


@pytest.mark.parametrize(
    ("state", "typing", "lost"),
    [
        (TypingState.ACTIVE, True, []),
        (TypingState.IDLE, False, []),
        (TypingState.PAUSED, False, ["typing"]),
        (TypingState.GONE, False, ["typing"]),
    ],
)
def test_typing(state: TypingState, typing: bool, lost: list[str]) -> None:
    translated = write(Typing(state=state))
    assert translated.natives == (native.TypingSend(account="me", to="bob", typing=typing),)
    assert [loss.feature for loss in translated.losses] == lost
    back = read(native.TypingReceived(account="me", sender="bob", typing=typing)).body
    assert back == Typing(state=TypingState.ACTIVE if typing else TypingState.IDLE)
    dropped = evolve(CAPS, typing=Support.DROPPED)
    assert isinstance(MAPPING.from_canonical(envelope(Typing(state=state)), yahoo("bob"), "me", dropped), Unmappable)


# Presence


def buddy(status: int = 0, said: str = "", **more: Any) -> native.BuddyPresence:
    return native.BuddyPresence(account="me", name="bob", online=True, status=status, text=said, **more)


@pytest.mark.parametrize(
    ("shown", "activity", "note"),
    [
        (buddy(), Activity.AVAILABLE, ""),
        (buddy(codes.BE_RIGHT_BACK), Activity.BE_RIGHT_BACK, ""),
        (buddy(codes.BUSY), Activity.BUSY, ""),
        (buddy(codes.NOT_AT_HOME), Activity.AWAY, "Not at home"),
        (buddy(codes.NOT_AT_DESK), Activity.AWAY, "Not at my desk"),
        (buddy(codes.NOT_IN_OFFICE), Activity.AWAY, "Not in the office"),
        (buddy(codes.ON_THE_PHONE), Activity.ON_THE_PHONE, ""),
        (buddy(codes.ON_VACATION), Activity.EXTENDED_AWAY, ""),
        (buddy(codes.OUT_TO_LUNCH), Activity.MEAL, ""),
        (buddy(codes.STEPPED_OUT), Activity.AWAY, ""),
        (buddy(codes.CUSTOM, "in Rome", away=True), Activity.AWAY, "in Rome"),
        (buddy(codes.CUSTOM, "listening", away=False), Activity.AVAILABLE, "listening"),
        (buddy(codes.CUSTOM, "", away=True), Activity.AWAY, ""),
    ],
)
def test_how_a_contact_is(shown: native.BuddyPresence, activity: Activity, note: str) -> None:
    presence, losses = from_buddy(shown, NOW)
    assert (presence.basic, presence.activity, presence.note, presence.idle_since) == (Basic.OPEN, activity, note, None)
    assert not losses


def test_idle_offline_hidden_and_unknown() -> None:
    idle, _ = from_buddy(buddy(codes.IDLE, idle=True, idle_seconds=90), NOW)
    assert (idle.activity, idle.idle_since) == (Activity.AVAILABLE, NOW - 90)
    assert from_buddy(evolve(buddy(), online=False), NOW) == (OFFLINE, ())
    hidden, _ = from_buddy(buddy(codes.INVISIBLE), NOW)
    assert (hidden.basic, hidden.invisible) == (Basic.CLOSED, True)
    odd, losses = from_buddy(buddy(4711, away=True), NOW)
    assert odd.activity is Activity.AWAY
    assert [loss.detail for loss in losses] == ["status 4711 of the network"]
    assert MAPPING.to_canonical(evolve(buddy(), name="Me")) == ()


@pytest.mark.parametrize("activity", Activity)
@pytest.mark.parametrize("note", ["", "in a call"])
@pytest.mark.parametrize("idle_since", [None, NOW - 60])
def test_to_the_network_and_back_is_a_retraction(activity: Activity, note: str, idle_since: float | None) -> None:
    mine = PersonPresence(basic=Basic.OPEN, activity=activity, note=note, idle_since=idle_since)
    once, _ = to_own("me", mine)
    seen, _ = from_buddy(buddy(once.status, once.text, away=once.away, idle=once.idle), NOW)
    assert to_own("me", seen)[0] == once
    assert seen.note == note
    assert YAHOO.name == "ymsg"


def test_what_the_network_has_no_word_for_is_named() -> None:
    busy = PersonPresence(basic=Basic.OPEN, activity=Activity.MEETING)
    own, losses = to_own("me", busy)
    assert own == native.OwnPresence(account="me", status=codes.BUSY, away=True)
    assert [loss.detail for loss in losses] == ["meeting is told as busy"]
    own, losses = to_own("me", evolve(busy, note="with bob"))
    assert own == native.OwnPresence(account="me", status=codes.CUSTOM, text="with bob", away=True)
    assert [loss.detail for loss in losses] == ["meeting is told as away"]


def test_nobody_at_home_is_invisible_and_a_long_note_is_cut() -> None:
    for presence in (OFFLINE, PersonPresence(basic=Basic.OPEN, invisible=True)):
        assert to_own("me", presence)[0] == native.OwnPresence(account="me", status=codes.INVISIBLE)
    own, losses = to_own("me", PersonPresence(basic=Basic.OPEN, note="é👩‍👩‍👧‍👦\n" * 40))
    assert len(own.text.encode()) <= 255
    assert own.text.endswith("👦")
    assert "\n" not in own.text
    assert [loss.feature for loss in losses] == ["note"]


# Contacts, notices


def test_contacts() -> None:
    assert write(ContactEdit(wanted=True)).natives == (native.BuddyAdd(account="me", name="bob"),)
    assert write(ContactEdit(wanted=False)).natives == (native.BuddyRemove(account="me", name="bob"),)
    answers = [write(Authorization(consent=consent)).natives[0] for consent in (Consent.GRANTED, Consent.REFUSED)]
    assert answers == [native.ContactAnswer(account="me", to="bob", accepted=accepted) for accepted in (True, False)]
    asked = MAPPING.to_canonical(native.ContactRequest(account="me", sender="Bob", reason="\x1b[1mmay I?"))
    assert isinstance(asked, tuple)
    assert asked[0].body == Authorization(consent=Consent.ASKED, wanted=True, words="may I?")
    assert asked[1].body == Message(
        parts=(TextPart(text="[has put you on their contact list] may I?"),), automatic=True
    )
    answered = MAPPING.to_canonical(native.ContactAnswered(account="me", sender="bob", accepted=False, reason="no"))
    assert isinstance(answered, tuple)
    assert answered[0].body == Authorization(consent=Consent.REFUSED)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (native.Buzzed(**BOB), "[buzz]"),
        (native.ImRefused(account="me", to="bob"), "[the network did not send a message to them]"),
        (
            native.ConferenceDeclined(room="r", members=TWELVE, text="\x1b[1mjoin", **BOB),
            "[invited you to a conference with a, b, c, d, e, f, g, h, i, j and others; it was declined] join",
        ),
        (native.ConferenceDeclined(room="r", joined=True, **BOB), "[put you into a conference; it was left]"),
        (
            native.FileDeclined(name="a.pdf", size=7, told=True, **BOB),
            "[offered the file “a.pdf” (7 bytes); it was declined]",
        ),
        (native.FileDeclined(**BOB), "[offered a file; it was not taken, and they were not told]"),
        (native.InvitationIgnored(what="a webcam", **BOB), "[invited you to a webcam; it was declined]"),
        (native.ContactAnswered(accepted=True, **BOB), "[lets you see their presence]"),
        (native.ContactRequest(asks=True, **BOB), "[asks to put you on their contact list]"),
        (
            native.RosterEditFailed(account="me", name="bob", code=3, reason="no such"),
            "[cannot be put on your contact list: no such]",
        ),
    ],
)
def test_what_is_no_message_is_told_in_brackets(value: native.Inbound, said: str) -> None:
    draft = read(value)
    assert draft.sender == yahoo("bob")
    assert draft.body == Message(parts=(TextPart(text=said),), automatic=True)


@pytest.mark.parametrize(
    ("value", "feature"),
    [
        (native.ImUnreadable(account="me", sender=None, reason="it has no text", raw=b""), "malformed"),
        (native.ConferenceMessage(account="me", sender="bob", room="r", text="x"), "room"),
        (native.SystemMessage(account="me", text="x"), "system"),
        (native.ImRefused(account="me", to=None), "refused"),
        (native.ImReceived(account="me", sender="no such\u202ename", text="x"), "address"),
    ],
)
def test_what_cannot_be_handed_on_goes_on_record(value: native.Inbound, feature: str) -> None:
    found = MAPPING.to_canonical(value)
    assert isinstance(found, Unmappable)
    assert found.feature == feature


def test_what_concerns_the_link_alone_is_no_draft() -> None:
    for value in (LinkState(account="me", state=Link.UP), native.Roster(account="me", contacts=())):
        assert MAPPING.to_canonical(value) == ()
    covered = {kind.__name__ for kind in get_args(native.Inbound)}
    assert len(covered) == 16


# Names


@pytest.mark.parametrize(
    ("name", "normal"),
    [
        ("Boogy_Man", "boogy_man"),
        ("long.name-9", "long.name-9"),
        ("4ever", "4ever"),
        ("Bob Smith", "bobsmith"),
        ("Bob@Rocketmail.Example", "bob@rocketmail.example"),
    ],
)
def test_normal_forms(name: str, normal: str) -> None:
    assert normalise("ymsg", name) == normal
    assert normalise("ymsg", normal) == normal
    assert decode_user(encode_user(normal)) == normal


def test_at_signs_are_escaped_for_sip() -> None:
    assert encode_user(normalise("ymsg", "bob@rocketmail.example")) == "bob%40rocketmail.example"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "empty"),
        ("bóogy", "only ASCII"),
        ("b\u202ey", "only ASCII"),
        ("boogy\u0430", "only ASCII"),
        ("\u212aarl", "only ASCII"),
        ("_boogy", "begins with"),
        ("a..b", "dots stand"),
        ("a.", "dots stand"),
        ("a/b", "letters, digits"),
        ("a,b", "letters, digits"),
        ("x" * 33, "at most 32"),
        ("bob@nowhere", "not a domain name"),
        ("x" * 200, "longer than"),
    ],
)
def test_what_is_no_name(name: str, reason: str) -> None:
    with pytest.raises(AddressError, match=reason):
        normalise("ymsg", name)
