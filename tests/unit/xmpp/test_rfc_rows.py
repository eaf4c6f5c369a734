"""RFC 7572, 7573 and 8048 row by row, from one wire's value to the other's: XMPP to SIP and SIP to XMPP.

The errors (RFC 7247 section 7) are in test_errors.py, addresses (section 6) in test_jid.py, all priorities in
test_presence.py; what a SUBSCRIBE and its refusals do is in tests/unit/sip_machine.
"""

from __future__ import annotations

from typing import Any, Literal

import pytest
from attrs import evolve

from bridge.model.address import Address, Identity
from bridge.model.body import Authorization, Consent, ContactEdit, PresenceUpdate, Receipt, Standing
from bridge.model.capabilities import Capabilities, Support
from bridge.model.envelope import Direction, Draft, Envelope, Translated, Unmappable
from bridge.model.ids import SIP, EventId, NetworkId, RemoteUserId
from bridge.model.presence import Basic, PersonPresence
from mappings.identity import NetworkDomain, SipAddressBook
from mappings.pidf import from_pidf, to_pidf
from mappings.sip import SipMapping
from mappings.xmpp import XmppMapping
from mappings.xmpp_presence import from_contact, to_own
from transports.sip.wire.imdn import Imdn, Kind, Status, build_imdn, parse_imdn
from transports.sip.wire.native import SipMessage, SipTyping
from transports.sip.wire.pidf import Person, Pidf, PidfTuple, build_pidf, parse_pidf
from transports.xmpp.wire import native as wire

NET = NetworkId("xmpp")
NOW = 1_700_000_000.0
BOOK = SipAddressBook.of(["corp.example"], [NetworkDomain(domain="xmpp.corp.example", network=NET, kind="xmpp")])
SIP_SIDE = SipMapping(addresses=BOOK, clock=lambda: NOW)
XMPP_SIDE = XmppMapping(network=NET, component=True)
CAPS = Capabilities(
    html=Support.FULL, typing=Support.FULL, presence=Support.FULL, delivered_receipts=Support.FULL,
    displayed_receipts=Support.FULL, max_text_bytes=10_000,
)  # fmt: skip
ME, ROMEO = "alice@sip.example", "romeo@x.example"
ALICE = Identity(address=Address(network=SIP, user=RemoteUserId("alice@corp.example")))
CONTACT = Identity(address=Address(network=NET, user=RemoteUserId(ROMEO)))
PEER = "sip:romeo%40x.example@xmpp.corp.example"


def envelope(draft: Draft, sender: Identity, recipient: Identity, direction: Direction) -> Envelope:
    """What the pipeline makes of a draft: who our account is bound to is the other party."""
    return Envelope(
        id=EventId("01a208c9-1e16-7000-9e01-000000000001"), origin=draft.origin, conversation=draft.conversation,
        sender=sender, recipients=(recipient,), direction=direction, received_at=NOW, body=draft.body,
        claimed_at=draft.claimed_at,
    )  # fmt: skip


def drafts(result: tuple[Draft, ...] | Unmappable) -> Draft:
    assert isinstance(result, tuple), result
    (draft,) = result
    return draft


def to_sip(native: wire.Inbound, caps: Capabilities = CAPS) -> Translated[Any]:
    """From XMPP's wire to SIP's."""
    draft = drafts(XMPP_SIDE.to_canonical(native))
    assert draft.sender == CONTACT
    event = envelope(draft, CONTACT, ALICE, Direction.INBOUND)
    result = SIP_SIDE.from_canonical(event, ALICE, ALICE.address.user, caps)
    assert isinstance(result, Translated), result
    return result


def to_xmpp(native: SipMessage | SipTyping, caps: Capabilities = CAPS) -> Translated[Any]:
    """From SIP's wire to XMPP's."""
    draft = drafts(SIP_SIDE.to_canonical(native))
    assert draft.recipients == (CONTACT,)
    event = envelope(draft, ALICE, CONTACT, Direction.OUTBOUND)
    result = XMPP_SIDE.from_canonical(event, CONTACT, ME, caps)
    assert isinstance(result, Translated), result
    return result


def received(**more: Any) -> wire.MessageReceived:
    return evolve(wire.MessageReceived(account=ME, sender=f"{ROMEO}/orchard", id="m1", text="hi"), **more)


def incoming(body: bytes = b"hi", **more: Any) -> SipMessage:
    base = SipMessage(
        aor="alice@corp.example", peer=PEER, call_id="a84b4c76", cseq=314, content_type="text/plain", body=body
    )
    return evolve(base, **more)


def at_sip(**more: Any) -> SipMessage:
    (sent,) = to_sip(received(**more), Capabilities(max_text_bytes=10_000)).natives
    assert isinstance(sent, SipMessage)
    return sent


def at_xmpp(body: bytes = b"hi", **more: Any) -> wire.MessageSend:
    (sent,) = to_xmpp(incoming(body, **more)).natives
    assert isinstance(sent, wire.MessageSend)
    return sent


def forms(sent: SipMessage) -> list[tuple[str, bytes]]:
    """What a device is offered that takes no CPIM, in which who writes asks for word of failures (RFC 5438)."""
    assert sent.content_type == "message/cpim"
    return [(form.content_type.partition(";")[0], form.body) for form in sent.others]


# RFC 7572 section 4: XMPP to SIP


def test_from_and_to() -> None:
    """RFC 7247 section 6, for a network inside a domain of ours. The resource is no part of it: see `Device`."""
    sent = at_sip()
    assert (sent.aor, sent.peer) == ("alice@corp.example", PEER)


def test_body() -> None:
    words = "Wherefore art thou? \u263a"
    assert forms(at_sip(text=words)) == [("text/plain", words.encode())]


def test_subject() -> None:
    assert dict(at_sip(subject="Hi!").headers)["Subject"] == "Hi!"
    assert "Subject" not in dict(at_sip().headers)


def test_language() -> None:
    assert dict(at_sip(language="cs").headers)["Content-Language"] == "cs"


def test_thread_is_kept_and_is_no_call_id() -> None:
    """RFC 7572 makes it the Call-ID; RFC 3261 section 8.1.1.4 wants one for each request outside a dialog: it wins."""
    draft = drafts(XMPP_SIDE.to_canonical(received(thread="t1")))
    assert draft.body.thread == "t1"  # type: ignore[union-attr]
    assert at_sip(thread="t1").call_id == ""  # the transport makes it


def test_xhtml_becomes_html_for_who_takes_it_and_text_for_who_does_not() -> None:
    html = '<p xmlns="http://www.w3.org/1999/xhtml">very <strong>important</strong></p>'
    rich = received(text="very important", html=html)
    (sent,) = to_sip(rich).natives
    assert forms(sent) == [("text/html", b"very <b>important</b>"), ("text/plain", b"very important")]
    plain = to_sip(rich, Capabilities(max_text_bytes=10_000))
    assert forms(plain.natives[0]) == [("text/plain", b"very important")]
    assert [loss.feature for loss in plain.losses] == ["html"]


# RFC 7572 section 5: SIP to XMPP


def test_request_uri_and_from() -> None:
    assert (at_xmpp().account, at_xmpp().to) == (ME, ROMEO)


def test_text() -> None:
    assert at_xmpp("caf\u00e9 \u263a".encode()).text == "caf\u00e9 \u263a"


def test_subject_header() -> None:
    assert at_xmpp(headers=(("Subject", "Hi!"),)).subject == "Hi!"


def test_call_id_is_the_thread() -> None:
    assert at_xmpp(call_id="a84b4c76").thread == "a84b4c76"


def test_content_language() -> None:
    assert at_xmpp(headers=(("Content-Language", "cs"),)).language == "cs"


def test_cseq_is_not_mapped() -> None:
    assert at_xmpp(cseq=1) == at_xmpp(cseq=2)


def test_html_becomes_xhtml_beside_the_text() -> None:
    sent = at_xmpp(b"<p>very <b>important</b></p>", content_type="text/html")
    assert sent.text == "very important"
    assert sent.html is not None
    assert "<b>important</b>" in sent.html or "<strong>important</strong>" in sent.html


# RFC 7573: typing, and its receipts


@pytest.mark.parametrize(
    ("state", "word", "lost"),
    [
        (wire.State.ACTIVE, "idle", False),
        (wire.State.COMPOSING, "active", False),
        (wire.State.PAUSED, "idle", True),
        (wire.State.INACTIVE, "idle", False),
        (wire.State.GONE, "gone", False),
    ],
)
def test_chat_states(state: wire.State, word: str, lost: bool) -> None:
    result = to_sip(wire.StateReceived(account=ME, sender=f"{ROMEO}/orchard", state=state))
    assert result.natives == (SipTyping(aor="alice@corp.example", peer=PEER, state=word),)  # type: ignore[arg-type]
    assert bool(result.losses) is lost


@pytest.mark.parametrize(
    ("word", "state"), [("active", wire.State.COMPOSING), ("idle", wire.State.ACTIVE), ("gone", wire.State.GONE)]
)
def test_is_composing(word: Literal["active", "idle", "gone"], state: wire.State) -> None:
    result = to_xmpp(SipTyping(aor="alice@corp.example", peer=PEER, state=word))
    assert result.natives == (wire.StateSend(account=ME, to=ROMEO, state=state),)


@pytest.mark.parametrize(
    ("mark", "kind", "status"),
    [
        (wire.Mark.RECEIVED, "delivery", "delivered"),
        (wire.Mark.DISPLAYED, "display", "displayed"),
        (wire.Mark.ACKNOWLEDGED, "display", "displayed"),
    ],
)
def test_receipts_become_notifications(mark: wire.Mark, kind: str, status: str) -> None:
    draft = drafts(XMPP_SIDE.to_canonical(wire.MarkReceived(account=ME, sender=f"{ROMEO}/orchard", id="m9", mark=mark)))
    assert isinstance(draft.body, Receipt)
    told = evolve(draft, body=evolve(draft.body, sent_at=NOW))
    event = envelope(told, CONTACT, ALICE, Direction.INBOUND)
    result = SIP_SIDE.from_canonical(event, ALICE, ALICE.address.user, CAPS)
    assert isinstance(result, Translated)
    (sent,) = result.natives
    assert isinstance(sent, SipMessage)
    found = parse_imdn(sent.others[0].body)
    assert (found.message_id, found.kind, found.status) == ("m9", kind, status)


@pytest.mark.parametrize(
    ("kind", "status", "mark"),
    [("delivery", "delivered", wire.Mark.RECEIVED), ("display", "displayed", wire.Mark.DISPLAYED)],
)
def test_notifications_become_receipts(kind: Kind, status: Status, mark: wire.Mark) -> None:
    result = to_xmpp(_notification(kind, status))
    assert result.natives == (wire.MarkSend(account=ME, to=ROMEO, id="m9", mark=mark),)


def test_a_negative_notification_becomes_an_error() -> None:
    (sent,) = to_xmpp(_notification("delivery", "failed")).natives
    assert isinstance(sent, wire.FailureSend)
    assert (sent.to, sent.id) == (ROMEO, "m9")


@pytest.mark.parametrize(
    ("kind", "status"),
    [("processing", "processed"), ("processing", "stored"), ("delivery", "forbidden"), ("delivery", "error")],
)
def test_notifications_without_a_word_in_xmpp(kind: Kind, status: Status) -> None:
    draft = drafts(SIP_SIDE.to_canonical(_notification(kind, status)))
    event = envelope(draft, ALICE, CONTACT, Direction.OUTBOUND)
    assert isinstance(XMPP_SIDE.from_canonical(event, CONTACT, ME, CAPS), Unmappable)


def _notification(kind: Kind, status: Status) -> SipMessage:
    document = build_imdn(
        Imdn(message_id="m9", kind=kind, status=status, datetime="2023-11-14T22:13:20Z", recipient=PEER)
    )
    return incoming(document, content_type="message/imdn+xml")


# RFC 8048 section 5.2: XMPP to SIP


def at_watcher(*places: wire.Place, status: str = "") -> Pidf:
    shown = from_contact(wire.ContactPresence(account=ME, contact=ROMEO, places=places, status=status))
    return parse_pidf(to_pidf(shown, PEER)[0])


def test_a_presence_without_a_type_is_open_and_unavailable_is_closed() -> None:
    (tuple_,) = at_watcher(wire.Place(resource="orchard")).tuples
    assert tuple_.basic == "open"
    (tuple_,) = at_watcher().tuples
    assert tuple_.basic == "closed"


def test_a_resource_is_the_id_of_its_tuple() -> None:
    found = at_watcher(wire.Place(resource="orchard"), wire.Place(resource="balcony", priority=-1))
    assert [each.id for each in found.tuples] == ["ID-orchard", "ID-balcony"]


def test_a_status_is_the_note() -> None:
    (tuple_,) = at_watcher(wire.Place(resource="orchard", status="Wooing Juliet")).tuples
    assert [note.text for note in tuple_.notes] == ["Wooing Juliet"]


@pytest.mark.parametrize(
    ("show", "embedded", "activities"),
    [
        (wire.Show.NONE, None, ()),
        (wire.Show.CHAT, "chat", ()),
        (wire.Show.AWAY, None, ("away",)),
        (wire.Show.XA, "xa", ("away",)),
        (wire.Show.DND, "dnd", ("busy",)),
    ],
)
def test_shows(show: wire.Show, embedded: str | None, activities: tuple[str, ...]) -> None:
    """What RPID has no element for is embedded as well; what it has one for is told by that alone."""
    found = at_watcher(wire.Place(resource="orchard", show=show))
    assert found.tuples[0].show == embedded
    assert found.person is not None
    assert found.person.activities == activities


def test_a_priority_is_that_of_the_contact_and_a_negative_one_is_none() -> None:
    found = at_watcher(wire.Place(resource="orchard", priority=126), wire.Place(resource="balcony", priority=-1))
    assert [each.priority for each in found.tuples] == [0.992, None]


# RFC 8048 section 5.3: SIP to XMPP, and this project's table for RPID


def at_roster(document: Pidf) -> wire.Place | None:
    presence, _ = from_pidf(build_pidf(document), NOW)
    return to_own(ME, presence, always_there=False)[0].place


def published(*activities: str, basic: Literal["open", "closed"] = "open", **more: Any) -> Pidf:
    return Pidf(
        entity="pres:alice@corp.example",
        tuples=(PidfTuple(id="ID-pda", basic=basic, **more),),
        person=Person(id="p1", activities=activities),
    )


def test_open_and_closed() -> None:
    assert at_roster(published()) == wire.Place(resource="")
    assert at_roster(published(basic="closed")) is None


@pytest.mark.parametrize(
    ("show", "elements"),
    [
        (wire.Show.DND, ("busy", "on-the-phone", "meeting", "presentation")),
        (wire.Show.XA, ("vacation", "holiday", "permanent-absence", "sleeping")),
        (wire.Show.AWAY, ("away", "meal", "breakfast", "dinner", "in-transit", "travel", "appointment")),
        (wire.Show.NONE, ("shopping", "looking-for-work", "playing")),
    ],
)
def test_rpid(show: wire.Show, elements: tuple[str, ...]) -> None:
    for element in elements:
        place = at_roster(published(element))
        assert place is not None
        assert place.show is show, element
        if show is wire.Show.NONE:
            assert place.status.lower() == element.replace("-", " ")


def test_the_most_telling_activity_counts() -> None:
    for activities, show in ((("away", "busy"), wire.Show.DND), (("away", "vacation"), wire.Show.XA)):
        place = at_roster(published(*activities))
        assert place is not None
        assert place.show is show


@pytest.mark.parametrize("word", ["away", "chat", "dnd", "xa"])
def test_an_explicit_show_wins(word: str) -> None:
    place = at_roster(published("meeting" if word != "dnd" else "away", show=word))
    assert place is not None
    assert place.show.value == word


# RFC 8048 section 4: subscriptions


@pytest.mark.parametrize(
    ("wanted", "value"),
    [(True, wire.ContactAdd(account=ME, contact=ROMEO)), (False, wire.ContactRemove(account=ME, contact=ROMEO))],
)
def test_a_subscribe_and_its_end(wanted: bool, value: object) -> None:
    assert _out(ContactEdit(wanted=wanted)) == (value,)


@pytest.mark.parametrize(("consent", "granted"), [(Consent.GRANTED, True), (Consent.REFUSED, False)])
def test_a_notify_that_says_active_or_rejected(consent: Consent, granted: bool) -> None:
    assert _out(Authorization(consent=consent)) == (wire.ConsentSend(account=ME, to=ROMEO, granted=granted),)


@pytest.mark.parametrize(
    ("kind", "consent"),
    [(wire.Consent.SUBSCRIBED, Consent.GRANTED), (wire.Consent.UNSUBSCRIBED, Consent.REFUSED)],
)
def test_a_contact_approves_or_refuses(kind: wire.Consent, consent: Consent) -> None:
    draft = drafts(XMPP_SIDE.to_canonical(wire.ConsentReceived(account=ME, sender=ROMEO, kind=kind)))
    assert isinstance(draft.body, Authorization)
    assert draft.body.consent is consent


@pytest.mark.parametrize(
    ("standing", "state", "reason"),
    [
        (Standing.ACTIVE, "active", None),
        (Standing.PENDING, "pending", None),
        (Standing.REJECTED, "terminated", "rejected"),
    ],
)
def test_what_a_watcher_at_sip_is_notified(standing: Standing, state: str, reason: str | None) -> None:
    draft = drafts(XMPP_SIDE.to_canonical(wire.ContactPresence(account=ME, contact=ROMEO)))
    body = PresenceUpdate(presence=PersonPresence(basic=Basic.OPEN), standing=standing)
    event = envelope(evolve(draft, body=body), CONTACT, ALICE, Direction.INBOUND)
    result = SIP_SIDE.from_canonical(event, ALICE, ALICE.address.user, CAPS)
    assert isinstance(result, Translated)
    (sent,) = result.natives
    assert (sent.state, sent.reason) == (state, reason)  # type: ignore[union-attr]


def _out(body: Authorization | ContactEdit) -> tuple[Any, ...]:
    draft = drafts(XMPP_SIDE.to_canonical(wire.ContactPresence(account=ME, contact=ROMEO)))
    event = envelope(evolve(draft, body=body), ALICE, CONTACT, Direction.OUTBOUND)
    result = XMPP_SIDE.from_canonical(event, CONTACT, ME, CAPS)
    assert isinstance(result, Translated)
    return tuple(result.natives)
