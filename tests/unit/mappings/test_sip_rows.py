"""SIP's side of the tables of RFC 7247, 7572 and 8048, row by row and in both directions.

What the other side of a row is called on another network is its mapping's to say; here it is the model's word for it.
"""

from __future__ import annotations

from math import ceil, floor

import pytest

from bridge.model.body import Message, PresenceUpdate, Standing, TextPart
from bridge.model.presence import OFFLINE, Activity, Basic, Device, PersonPresence
from mappings.identity import SipAddressBook
from mappings.pidf import from_pidf, to_pidf
from tests.unit.mappings.test_sip import incoming, read, said, send, sent
from tests.unit.mappings.test_sip_devices import DEVICE, GRUU
from transports.sip.wire.native import SipPresence
from transports.sip.wire.pidf import Pidf, PidfTuple, build_pidf, parse_pidf

# -- addresses (RFC 7247 section 6) -----------------------------------------------------------------------------------

BOOK = SipAddressBook.of(["sip.example", "xmpp.example", "d.example"])


@pytest.mark.parametrize(
    ("uri", "address"),
    [
        ("sip:f%C3%BC@sip.example", "fü@sip.example"),
        ("sip:o'malley@sip.example", "o'malley@sip.example"),
        ("sip:m&m@xmpp.example", "m&m@xmpp.example"),
        ("sip:tsch%C3%BCss@xmpp.example", "tschüss@xmpp.example"),
        ("sip:foo@sip.example", "foo@sip.example"),
        ("sip:baz@xmpp.example", "baz@xmpp.example"),
        ("sip:a%40b@d.example", "a@b@d.example"),  # the gap in the RFC: an @ in the user part stays one there
        ("sip:a%3Ab@d.example", "a:b@d.example"),
        ("sip:a/b@d.example", "a/b@d.example"),
        ("sip:a%5C27b@d.example", "a\\27b@d.example"),  # what looks like an escape of the other side is none here
    ],
)
def test_an_address_there_and_back(uri: str, address: str) -> None:
    found = BOOK.from_uri(uri)
    assert found.user == address
    assert BOOK.to_uri(found) == uri
    assert BOOK.from_aor(address) == found


@pytest.mark.parametrize(
    ("uri", "bare"),
    [("sip:foo@sip.example;gr=bar", "sip:foo@sip.example"), ("sip:baz@xmpp.example;gr=qux", "sip:baz@xmpp.example")],
)
def test_the_device_of_a_gruu_is_no_part_of_whom_it_means(uri: str, bare: str) -> None:
    """It is the conversation that names it, as an XMPP resource would (tests/unit/mappings/test_sip_devices.py)."""
    assert BOOK.from_uri(uri) == BOOK.from_uri(bare)
    assert (
        DEVICE
        in (read(incoming(peer=GRUU)).conversation.receiver or "") + read(incoming(peer=GRUU)).conversation.remote_id
    )


# -- messages (RFC 7572 section 4, RFC 3428) --------------------------------------------------------------------------


def test_each_header_of_a_message_has_its_place() -> None:
    headers = (("Subject", "lunch"), ("Content-Language", "de"))
    draft = read(incoming("grüße".encode(), headers=headers, cseq=7))
    body = draft.body
    assert isinstance(body, Message)
    assert body.parts == (TextPart(text="grüße", language="de"),)
    assert (body.subject, body.thread) == ("lunch", "a84b4c76e66710")
    assert (draft.sender.address.user, draft.recipients[0].address.user) == ("alice@corp.example", "theboogyman")
    # CSeq is not mapped: the same text under another number is the same message.
    other = said(incoming("grüße".encode(), headers=headers, cseq=8))
    assert other == body


def test_each_part_of_a_message_has_its_header() -> None:
    native = sent(Message(parts=(TextPart(text="grüße", language="de"),), subject="lunch", thread="a84b4c76e66710"))
    assert (native.peer, native.aor) == ("sip:theboogyman@aim.corp.example", "alice@corp.example")
    assert native.body == "grüße".encode()
    assert (native.header("Subject"), native.header("Content-Language")) == ("lunch", "de")
    # The thread is no Call-ID again: Linphone takes a second message with a Call-ID that it knows for a copy.
    assert (native.call_id, native.cseq) == ("", 0)


@pytest.mark.parametrize("kind", ["text/plain", "text/plain;charset=utf-8", "TEXT/PLAIN; charset=UTF-8", "text/html"])
def test_what_must_and_what_should_be_carried(kind: str) -> None:
    assert said(incoming(b"hello", content_type=kind)).text == "hello"


# -- presence (RFC 8048 section 4) ------------------------------------------------------------------------------------


def told(presence: PersonPresence) -> Pidf:
    return parse_pidf(to_pidf(presence, "sip:alice@corp.example")[0])


def test_here_is_open_and_away_for_good_is_closed() -> None:
    assert told(PersonPresence(basic=Basic.OPEN)).basic == "open"
    assert told(OFFLINE).basic == "closed"
    for basic in Basic:
        assert from_pidf(to_pidf(PersonPresence(basic=basic), "sip:a@corp.example")[0], 0.0)[0].basic is basic


def test_a_resource_is_a_tuple_with_its_name() -> None:
    device = Device(id="ID-balcony", basic=Basic.OPEN)
    document = told(PersonPresence(basic=Basic.OPEN, devices=(device,)))
    assert [one.id for one in document.tuples] == ["ID-balcony"]
    (back,) = from_pidf(build_pidf(document), 0.0)[0].devices
    assert back.id == "ID-balcony"


def test_a_status_text_is_a_note() -> None:
    note = "Wooing Juliet, <really> & truly"
    document = told(PersonPresence(basic=Basic.OPEN, note=note))
    assert document.first_note == note
    assert from_pidf(build_pidf(document), 0.0)[0].note == note


@pytest.mark.parametrize("number", range(128))
def test_every_priority_comes_back(number: int) -> None:
    """RFC 8048 section 4: floor and ceil, so that the three digits of a qvalue tell all 128 of them apart."""
    priority = floor(1000 * number / 127) / 1000
    presence = PersonPresence(basic=Basic.OPEN, devices=(Device(id="a", basic=Basic.OPEN, priority=priority),))
    (back,) = from_pidf(to_pidf(presence, "sip:a@corp.example")[0], 0.0)[0].devices
    assert back.priority == priority
    assert ceil(127 * priority) == number


def test_a_priority_below_zero_is_not_told() -> None:
    for written in ("-0.1", "-1", "1.1", "high"):
        document = (
            "<presence xmlns='urn:ietf:params:xml:ns:pidf' entity='sip:a@corp.example'><tuple id='a'><status>"
            f"<basic>open</basic></status><contact priority='{written}'>sip:a@corp.example</contact></tuple></presence>"
        )
        assert from_pidf(document.encode(), 0.0)[0].devices[0].priority is None


OUT: dict[Activity, tuple[str | None, str | None]] = {
    # what a watcher is told: the show, and the activity
    Activity.DO_NOT_DISTURB: ("dnd", "busy"),
    Activity.EXTENDED_AWAY: ("xa", "away"),
    Activity.AWAY: (None, "away"),
    Activity.FREE_FOR_CHAT: ("chat", None),
    Activity.AVAILABLE: (None, None),
    Activity.BUSY: (None, "busy"),
    Activity.ON_THE_PHONE: (None, "on-the-phone"),
    Activity.MEETING: (None, "meeting"),
    Activity.MEAL: (None, "meal"),
    Activity.BE_RIGHT_BACK: (None, "away"),
}


@pytest.mark.parametrize("activity", list(Activity))
def test_what_a_person_does_is_told_by_show_and_activity(activity: Activity) -> None:
    document = told(PersonPresence(basic=Basic.OPEN, activity=activity))
    show, word = OUT[activity]
    assert document.tuples[0].show == show
    assert document.person is not None
    assert document.person.activities == (() if word is None else (word,))
    assert document.basic == "open"


IN: dict[Activity, list[str]] = {
    # In order of priority: whatever stands further up wins over what stands below it.
    Activity.BUSY: ["busy"],
    Activity.ON_THE_PHONE: ["on-the-phone"],
    Activity.MEETING: ["meeting", "presentation"],
    Activity.EXTENDED_AWAY: ["vacation", "holiday", "permanent-absence", "sleeping"],
    Activity.MEAL: ["meal", "breakfast", "dinner"],
    Activity.AWAY: ["away", "in-transit", "travel", "appointment"],
}
WORDS = [(word, activity) for activity, words in IN.items() for word in words]


def document_of(activities: str, show: str = "", basic: str = "open") -> bytes:
    shown = f"<show xmlns='jabber:client'>{show}</show>" if show else ""
    return (
        "<presence xmlns='urn:ietf:params:xml:ns:pidf' xmlns:dm='urn:ietf:params:xml:ns:pidf:data-model' "
        "xmlns:rpid='urn:ietf:params:xml:ns:pidf:rpid' entity='sip:a@corp.example'><tuple id='a'><status>"
        f"<basic>{basic}</basic>{shown}</status></tuple><dm:person id='p'><rpid:activities>{activities}"
        "</rpid:activities></dm:person></presence>"
    ).encode()


@pytest.mark.parametrize(("word", "activity"), WORDS)
def test_what_an_activity_means(word: str, activity: Activity) -> None:
    assert from_pidf(document_of(f"<rpid:{word}/>"), 0.0)[0].activity is activity


@pytest.mark.parametrize("place", range(1, len(WORDS)))
def test_the_more_telling_activity_wins_in_whatever_order(place: int) -> None:
    (above, wins), (below, _) = WORDS[place - 1], WORDS[place]
    for pair in ((above, below), (below, above)):
        document = document_of("".join(f"<rpid:{word}/>" for word in pair))
        assert from_pidf(document, 0.0)[0].activity is wins


@pytest.mark.parametrize("word", ["performance", "playing", "spectator", "tv", "worship", "looking-for-work"])
def test_every_other_activity_is_told_in_words(word: str) -> None:
    presence, losses = from_pidf(document_of(f"<rpid:{word}/>"), 0.0)
    assert presence.activity is Activity.AVAILABLE
    assert presence.note.lower() == word.replace("-", " ")
    assert [loss.feature for loss in losses] == ["presence"]


@pytest.mark.parametrize(
    ("show", "activity"),
    [
        ("dnd", Activity.DO_NOT_DISTURB),
        ("xa", Activity.EXTENDED_AWAY),
        ("away", Activity.AWAY),
        ("chat", Activity.FREE_FOR_CHAT),
    ],
)
@pytest.mark.parametrize("word", ["busy", "vacation", "away", "tv"])
def test_a_show_wins_over_activities(show: str, activity: Activity, word: str) -> None:
    assert from_pidf(document_of(f"<rpid:{word}/>", show), 0.0)[0].activity is activity


def test_a_show_of_no_word_that_is_known_says_nothing() -> None:
    assert from_pidf(document_of("<rpid:busy/>", "asleep"), 0.0)[0].activity is Activity.BUSY


def test_activities_say_nothing_of_whether_somebody_can_be_reached() -> None:
    assert from_pidf(document_of("<rpid:away/>", basic="closed"), 0.0)[0].basic is Basic.CLOSED
    assert from_pidf(document_of("<rpid:permanent-absence/>"), 0.0)[0].basic is Basic.OPEN


# -- subscriptions (RFC 8048 section 5); their lifetime is in tests/unit/sip_machine/test_subscription_lifetime.py ----


@pytest.mark.parametrize(
    ("standing", "state", "reason"),
    [(Standing.ACTIVE, "active", None), (Standing.PENDING, "pending", None),
     (Standing.REJECTED, "terminated", "rejected")],
)  # fmt: skip
def test_what_a_contact_says_is_the_state(standing: Standing, state: str, reason: str | None) -> None:
    presence = PersonPresence(basic=Basic.OPEN, note="secret")
    (native,) = send(PresenceUpdate(presence=presence, standing=standing, watches=("w1",))).natives
    assert isinstance(native, SipPresence)
    assert (native.state, native.reason, native.watcher) == (state, reason, "alice@corp.example")
    assert (native.pidf is not None and b"secret" in native.pidf) is (standing is Standing.ACTIVE)


def test_a_state_names_the_watcher_that_it_is_for() -> None:
    """It goes to that watcher alone (RFC 8048 section 5.3, MUST NOT leak)."""
    (native,) = send(PresenceUpdate(presence=OFFLINE)).natives
    assert isinstance(native, SipPresence)
    assert (native.watcher, native.subscriptions) == ("alice@corp.example", ())


def test_the_most_available_tuple_is_first_and_says_what_the_person_does() -> None:
    devices = (
        Device(id="desk", basic=Basic.CLOSED),
        Device(id="car", basic=Basic.OPEN, activity=Activity.AWAY, priority=0.9),
        Device(id="home", basic=Basic.OPEN, priority=0.1),
    )
    document = told(PersonPresence(basic=Basic.OPEN, devices=devices))
    assert [one.id for one in document.tuples] == ["home", "car", "desk"]
    again = build_pidf(Pidf(entity="sip:a@b", tuples=(PidfTuple(id="z", basic="closed"), *document.tuples)))
    assert parse_pidf(again).tuples[0].id == "home"
