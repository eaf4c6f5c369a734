"""The MSN mapping: words with one format, notices, presence, receipts; nothing lost without a name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.model.address import Address, ConversationKey, Identity
from bridge.model.body import (
    Authorization,
    Body,
    Consent,
    ContactEdit,
    Message,
    PresenceUpdate,
    Reaction,
    Receipt,
    Stage,
    TextPart,
    Typing,
    TypingState,
)
from bridge.model.capabilities import Capabilities, Support
from bridge.model.envelope import Direction, Envelope, Origin, Translated, Unmappable
from bridge.model.ids import EventId, NetworkId, RemoteConversationId, RemoteMessageId, RemoteUserId
from bridge.model.presence import OFFLINE, Activity, Basic, PersonPresence
from mappings.msnp import MsnpMapping, wire_cost
from mappings.msnp_presence import from_contact, to_own
from mappings.msnp_style import from_format, to_format
from mappings.text import graphemes
from transports.msnp.wire import native as wire
from transports.msnp.wire.im import Format

ME, BOB = "alice@x.test", "bob@x.test"
MSN = NetworkId("msn")
MAPPING = MsnpMapping(network=MSN, clock=lambda: 1000.0)
CAPS = Capabilities(html=Support.PARTIAL, typing=Support.FULL, presence=Support.FULL, max_text_bytes=1200)
RECIPIENT = Identity(address=Address(network=MSN, user=RemoteUserId(BOB)))


def envelope(body: Body) -> Envelope:
    return Envelope(
        id=EventId("0190a000-0000-7000-8000-000000000001"),
        origin=Origin(network=NetworkId("sip"), account="alice@corp.example"),
        conversation=ConversationKey(network=MSN, remote_id=RemoteConversationId(BOB)),
        sender=Identity(address=Address(network=NetworkId("sip"), user=RemoteUserId("alice@corp.example"))),
        recipients=(RECIPIENT,),
        direction=Direction.OUTBOUND,
        received_at=1000.0,
        body=body,
    )


def out(body: Body, caps: Capabilities = CAPS) -> Translated[wire.Outbound]:
    made = MAPPING.from_canonical(envelope(body), RECIPIENT, ME, caps)
    assert isinstance(made, Translated)
    return made  # type: ignore[return-value]


def read(native: wire.Inbound) -> Body:
    drafts = MAPPING.to_canonical(native)
    assert isinstance(drafts, tuple)
    return drafts[-1].body


def said(text: str, html: str | None = None) -> Message:
    return Message(parts=(TextPart(text=text, html=html),))


def test_a_message_comes_in_with_its_format() -> None:
    look = Format(font="Arial", effects=frozenset("BI"), colour="ff0000")
    body = read(wire.ImReceived(account=ME, sender="Bob@X.test", text="hi\r\nthere", name="Bob", look=look))
    assert isinstance(body, Message)
    (part,) = body.parts
    assert isinstance(part, TextPart)
    assert part.text == "hi\nthere"
    assert part.html is not None
    assert "<b>" in part.html
    assert "#ff0000" in part.html


def test_a_name_that_is_none_is_no_sender() -> None:
    found = MAPPING.to_canonical(wire.ImReceived(account=ME, sender="no address", text="x"))
    assert isinstance(found, Unmappable)
    assert found.feature == "address"


def test_one_format_goes_out_and_a_mixed_one_is_a_loss() -> None:
    (whole,) = out(said("all bold", "<b>all bold</b>")).natives
    assert isinstance(whole, wire.ImSend)
    assert whole.look == Format(effects=frozenset("B"))
    mixed = out(said("very important", "very <b>important</b>"))
    assert [loss.feature for loss in mixed.losses] == ["html"]
    (native,) = mixed.natives
    assert isinstance(native, wire.ImSend)
    assert (native.text, native.look) == ("very important", None)


@given(st.text(min_size=1, max_size=4000))
def test_a_long_text_is_cut_between_graphemes_and_joins_to_the_whole(text: str) -> None:
    natives = [each for each in out(said(text)).natives if isinstance(each, wire.ImSend)]
    whole = "".join(each.text for each in natives)
    again = out(said(text)).natives
    assert again == tuple(natives), "a retry has the same cookies"
    assert len({each.cookie for each in natives}) == len(natives)
    assert all(wire_cost(each.text) <= CAPS.max_text_bytes for each in natives)
    clusters = list(graphemes(whole))
    at = 0
    ends = set()
    for cluster in clusters:
        at += len(cluster)
        ends.add(at)
    at = 0
    for each in natives:
        at += len(each.text)
        assert at in ends or not each.text


@pytest.mark.parametrize("activity", list(Activity))
def test_our_presence_goes_out_and_does_not_wander(activity: Activity) -> None:
    own, losses = to_own(ME, PersonPresence(basic=Basic.OPEN, activity=activity))
    back = from_contact(wire.ContactPresence(account=BOB, passport=ME, status=own.status, message=own.message), 1000.0)
    assert to_own(ME, back)[0].status == own.status
    assert (back.activity is activity) is (not losses)


def test_who_is_absent_is_shown_as_configured() -> None:
    assert to_own(ME, OFFLINE)[0].status == "AWY"
    assert to_own(ME, OFFLINE, absent_as="HDN")[0].status == "HDN"
    idle = PersonPresence(basic=Basic.OPEN, idle_since=5.0, note="x" * 200)
    own, losses = to_own(ME, idle)
    assert (own.status, len(own.message), [loss.feature for loss in losses]) == ("IDL", 128, ["note"])
    assert [loss.feature for loss in to_own(ME, idle, notes=False)[1]] == ["note"]


def test_contacts() -> None:
    seen = wire.ContactPresence(account=ME, passport=BOB, status="LUN", name="Bob", message="", media="a song")
    body = read(seen)
    assert isinstance(body, PresenceUpdate)
    assert (body.presence.activity, body.presence.note) == (Activity.MEAL, "a song")
    gone = read(wire.ContactPresence(account=ME, passport=BOB, status="FLN"))
    assert isinstance(gone, PresenceUpdate)
    assert gone.presence == OFFLINE


def test_consent_both_ways() -> None:
    drafts = MAPPING.to_canonical(wire.AddedUs(account=ME, sender=BOB, name="Bob"))
    assert isinstance(drafts, tuple)
    asked, notice = drafts
    assert asked.body == Authorization(consent=Consent.ASKED, wanted=True)
    assert isinstance(notice.body, Message)
    assert notice.origin.remote_id == RemoteMessageId(f"{BOB}/added")
    for consent, allowed in ((Consent.GRANTED, True), (Consent.REFUSED, False)):
        (native,) = out(Authorization(consent=consent)).natives
        assert native == wire.Allow(account=ME, passport=BOB, allowed=allowed)
    assert out(ContactEdit(wanted=True)).natives == (wire.ContactAdd(account=ME, passport=BOB),)
    assert out(ContactEdit(wanted=False)).natives == (wire.ContactRemove(account=ME, passport=BOB),)


@pytest.mark.parametrize(
    ("native", "words"),
    [
        (wire.Nudged(account=ME, sender=BOB, what="nudge"), "[nudges you]"),
        (wire.Nudged(account=ME, sender=BOB, what="action", text="waves"), "[waves]"),
        (wire.InvitationDeclined(account=ME, sender=BOB, what="File Transfer", file="a.txt"), "File Transfer: a.txt"),
        (wire.RoomDeclined(account=ME, room="1", by=BOB, members=(BOB, "carol@x.test")), "carol@x.test"),
        (wire.RosterEditFailed(account=ME, passport=BOB, code=210, name="list full"), "list full"),
    ],
)
def test_what_is_no_message_is_told_in_brackets(native: wire.Inbound, words: str) -> None:
    body = read(native)
    assert isinstance(body, Message)
    assert body.automatic
    assert words in body.text
    assert body.text.startswith("[")


def test_receipts_and_what_has_no_form() -> None:
    late = read(wire.ImAck(account=ME, to=BOB, cookie="ab"))
    assert late == Receipt(target=RemoteMessageId("ab"), stage=Stage.RELAYED)
    no = read(wire.ImError(account=ME, to=BOB, cookie="ab", reason="NAK", retryable=True))
    assert isinstance(no, Receipt)
    assert no.stage is Stage.FAILED
    reaction = Reaction(target=RemoteMessageId("x"), emoji="👍")
    assert isinstance(MAPPING.from_canonical(envelope(reaction), RECIPIENT, ME, CAPS), Unmappable)
    unreadable = MAPPING.to_canonical(wire.ImUnreadable(account=ME, sender=BOB, reason="?", raw=b"x"))
    assert isinstance(unreadable, Unmappable)
    (typing,) = out(Typing(state=TypingState.PAUSED)).natives
    assert typing == wire.TypingSend(account=ME, to=BOB, typing=False)


@given(st.sets(st.sampled_from("BISU")), st.from_regex(r"[0-9a-f]{6}", fullmatch=True), st.text(min_size=1))
def test_a_format_that_the_model_knows_comes_back(effects: set[str], colour: str, text: str) -> None:
    look = Format(effects=frozenset(effects), colour="" if colour == "000000" else colour)
    rich, _ = from_format(text, look)
    if rich.styled and any(run.strip() for run, _ in rich.runs):
        assert to_format(rich) == (look, ())
