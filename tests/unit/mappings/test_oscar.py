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
from mappings.oscar import OscarMapping, OscarNative, cookie
from mappings.oscar_errors import CLIENT_TEXTS, USER_TEXTS, user_text
from transports.oscar.wire import codes
from transports.oscar.wire.caps import CAP_FILE_TRANSFER
from transports.oscar.wire.native import (
    AuthorizationAnswered,
    AuthorizationRequest,
    Availability,
    BuddyAdd,
    BuddyPresence,
    BuddyRemove,
    ImAck,
    ImError,
    ImMissed,
    ImQueued,
    ImReceived,
    ImSend,
    ImUnreadable,
    Inbound,
    Link,
    LinkState,
    OwnPresence,
    RendezvousDeclined,
    Roster,
    RosterEditFailed,
    TypingReceived,
    TypingSend,
    Warned,
    YouWereAdded,
)
from transports.oscar.wire.native import Typing as WireTyping
from transports.oscar.wire.text import encode_message

AIM = NetworkId("aim")
NOW = 1_700_000_000.0
CAPS = Capabilities(html=Support.FULL, typing=Support.FULL, presence=Support.FULL, max_text_bytes=2544)
MAPPING = OscarMapping(network=AIM, clock=lambda: NOW)
COOKIE = bytes(range(8))


def aim(user: str, name: str = "") -> Identity:
    return Identity(address=Address(network=AIM, user=RemoteUserId(user)), display_name=name)


def envelope(body: Body, to: str = "theboogyman") -> Envelope:
    return Envelope(
        id=EventId("018f-1"),
        origin=Origin(network=SIP, account="alice@corp.example"),
        conversation=ConversationKey(network=SIP, remote_id=RemoteConversationId("alice@corp.example")),
        sender=Identity(address=Address(network=SIP, user=RemoteUserId("alice@corp.example"))),
        recipients=(aim(to),),
        direction=Direction.OUTBOUND,
        received_at=NOW,
        body=body,
    )


def send(
    body: Body, *, to: str = "theboogyman", account: str = "alicework", caps: Capabilities = CAPS
) -> Translated[OscarNative]:
    result = MAPPING.from_canonical(envelope(body, to), aim(to), account, caps)
    assert isinstance(result, Translated)
    return result


def text(words: str, **more: Any) -> Message:
    return Message(parts=(TextPart(text=words),), **more)


def received(**more: Any) -> ImReceived:
    base = ImReceived(account="alicework", sender="The Boogy Man", text="hi", is_html=True, cookie=COOKIE)
    return evolve(base, **more)


def one(native: object) -> Draft:
    result = MAPPING.to_canonical(native)  # type: ignore[arg-type]
    assert isinstance(result, tuple)
    assert len(result) == 1
    return result[0]


def test_a_message_in() -> None:
    draft = one(received(text="<HTML><BODY>hi <b>there</b></BODY></HTML>"))
    assert draft == Draft(
        origin=Origin(network=AIM, account="alicework", remote_id=RemoteMessageId("theboogyman/0001020304050607")),
        conversation=ConversationKey(
            network=AIM, remote_id=RemoteConversationId("theboogyman"), receiver=RemoteUserId("alicework")
        ),
        sender=aim("theboogyman"),
        recipients=(aim("alicework"),),
        body=Message(parts=(TextPart(text="hi there", html="hi <b>there</b>"),)),
    )
    assert draft.sender.display_name == "The Boogy Man"


def test_a_plain_message_is_not_read_as_html() -> None:
    draft = one(received(sender="123456", account="654321", text="<b>1 &lt; 2</b>", is_html=False))
    assert isinstance(draft.body, Message)
    assert draft.body.parts == (TextPart(text="<b>1 &lt; 2</b>"),)


def test_automatic_offline_and_lossy() -> None:
    draft = one(received(auto_response=True, timestamp=1_600_000_000, offline=True, lossy=True))
    assert isinstance(draft.body, Message)
    assert draft.body.automatic
    assert draft.claimed_at == 1_600_000_000.0
    assert [loss.feature for loss in draft.losses] == ["charset"]


def test_a_stored_message_without_cookie_is_told_apart_by_time_and_text() -> None:
    first = one(received(cookie=b"", timestamp=5))
    assert first == one(received(cookie=b"", timestamp=5))
    ids = {first.origin.remote_id}
    ids.add(one(received(cookie=b"", timestamp=6)).origin.remote_id)
    ids.add(one(received(cookie=b"", timestamp=5, text="ho")).origin.remote_id)
    ids.add(one(received(cookie=b"", timestamp=5, sender="Another")).origin.remote_id)
    assert len(ids) == 4


@pytest.mark.parametrize("name", ["", "\u202ebob", "a\r\nb", "x" * 500])
def test_names_that_are_none(name: str) -> None:
    result = MAPPING.to_canonical(received(sender=name))
    assert isinstance(result, Unmappable)
    assert result.feature == "address"


@pytest.mark.parametrize(
    ("wire", "state"),
    [
        (WireTyping.NONE, TypingState.IDLE),
        (WireTyping.TYPED, TypingState.PAUSED),
        (WireTyping.TYPING, TypingState.ACTIVE),
        (WireTyping.CLOSED, TypingState.GONE),
    ],
)
def test_typing(wire: WireTyping, state: TypingState) -> None:
    draft = one(TypingReceived(account="alicework", sender="The Boogy Man", state=wire))
    assert draft.body == Typing(state=state)
    assert send(Typing(state=state)).natives == (TypingSend(account="alicework", to="theboogyman", state=wire),)


@pytest.mark.parametrize(
    ("words", "account", "to", "wire", "html"),
    [
        ("hi", "alicework", "theboogyman", "hi", None),
        ("1 < 2\n  & \u00e4", "alicework", "theboogyman", "1 &lt; 2<br>&nbsp; &amp; \u00e4", None),
        ("1 < 2", "alicework", "123456", "1 &lt; 2", None),
        ("1 < 2", "654321", "theboogyman", "1 &lt; 2", None),
        ("1 < 2\n  &", "654321", "123456", "1 < 2\n  &", "1 &lt; 2<br>&nbsp; &amp;"),
    ],
)
def test_a_message_out(words: str, account: str, to: str, wire: str, html: str | None) -> None:
    result = send(text(words), account=account, to=to)
    sent = ImSend(account=account, to=to, text=wire, is_html=html is None, cookie=cookie("018f-1", to, 0), html=html)
    assert result == Translated(natives=(sent,))


def test_there_and_back() -> None:
    for words in ("hi", " a  b\n\nc ", "<b>&amp;", "\U0001f468\u200d\U0001f469 caf\u00e9"):
        (sent,) = send(text(words)).natives
        assert isinstance(sent, ImSend)
        body = one(received(text=sent.text, is_html=sent.is_html)).body
        assert body == text(words)


def test_style_is_kept_where_it_can_be_and_its_loss_is_told() -> None:
    body = Message(parts=(TextPart(text="hi", html="<b>hi</b>"),))
    (sent,) = send(body).natives
    assert isinstance(sent, ImSend)
    assert sent.text == "<b>hi</b>"
    without = send(body, caps=evolve(CAPS, html=Support.DROPPED))
    assert isinstance(without.natives[0], ImSend)
    assert without.natives[0].text == "hi"
    assert [loss.feature for loss in without.losses] == ["html"]
    icq = send(body, account="654321", to="123456")
    assert isinstance(icq.natives[0], ImSend)
    assert (icq.natives[0].text, [loss.feature for loss in icq.losses]) == ("hi", ["html"])


def test_a_redacted_text_does_not_leave_by_its_html() -> None:
    result = send(Message(parts=(TextPart(text="[redacted]", html="<b>falcon</b>"),)))
    assert isinstance(result.natives[0], ImSend)
    assert result.natives[0].text == "[redacted]"
    assert result.losses


def test_subject_attachment_and_several_parts() -> None:
    file = Attachment(blob_ref="x", media_type="image/png", size=1, sha256="0", name="cat.png")
    result = send(Message(parts=(TextPart(text="a"), file, TextPart(text="b")), subject="Lunch"))
    assert isinstance(result.natives[0], ImSend)
    assert result.natives[0].text == "Lunch<br>a<br>b"
    assert {loss.feature for loss in result.losses} == {"subject", "attachment"}
    styled = send(Message(parts=(TextPart(text="a", html="<b>a</b>"),), subject="Lunch"))
    assert isinstance(styled.natives[0], ImSend)
    assert styled.natives[0].text == "Lunch<br><b>a</b>"


@pytest.mark.parametrize("words", ["ab " * 2000, "\u00e4\u00f6 " * 1000, "\U0001f600" * 900, "<&>" * 1000, "x" * 5000])
@pytest.mark.parametrize(("account", "to"), [("alicework", "theboogyman"), ("654321", "123456")])
def test_long_texts_are_split_under_the_limit_of_the_wire(words: str, account: str, to: str) -> None:
    result = send(text(words), account=account, to=to)
    joined = ""
    cookies = set()
    for native in result.natives:
        assert isinstance(native, ImSend)
        payload = encode_message(native.text)
        assert len(native.text.encode("ascii" if native.text.isascii() else "utf-16-be")) <= CAPS.max_text_bytes
        assert payload
        body = one(received(text=native.text, is_html=native.is_html)).body
        assert isinstance(body, Message)
        joined += body.text
        cookies.add(native.cookie)
    assert joined == words
    assert len(result.natives) > 1
    assert len(cookies) == len(result.natives)


def test_the_cookie_is_the_same_for_every_attempt_and_eight_bytes() -> None:
    assert cookie("e", "bob", 0) == cookie("e", "bob", 0)
    assert len(cookie("e", "bob", 0)) == 8
    assert len({cookie("e", "bob", 0), cookie("e", "bob", 1), cookie("e", "eve", 0), cookie("f", "bob", 0)}) == 4


def test_automatic_out() -> None:
    (sent,) = send(text("away", automatic=True)).natives
    assert isinstance(sent, ImSend)
    assert sent.auto_response


@pytest.mark.parametrize(
    ("buddy", "presence"),
    [
        ({"online": False}, OFFLINE),
        ({}, PersonPresence(basic=Basic.OPEN)),
        ({"away": True}, PersonPresence(basic=Basic.OPEN, activity=Activity.AWAY)),
        (
            {"away": True, "away_message": "<b>at</b> lunch"},
            PersonPresence(basic=Basic.OPEN, activity=Activity.AWAY, note="at lunch"),
        ),
        ({"status_text": "a <b>"}, PersonPresence(basic=Basic.OPEN, note="a <b>")),
        ({"idle_minutes": 5}, PersonPresence(basic=Basic.OPEN, idle_since=NOW - 300)),
        ({"invisible": True}, PersonPresence(basic=Basic.CLOSED, invisible=True)),
        (
            {"screen_name": "123456", "icq_status": 0x13},
            PersonPresence(basic=Basic.OPEN, activity=Activity.DO_NOT_DISTURB),
        ),
        (
            {"screen_name": "123456", "icq_status": 0x20},
            PersonPresence(basic=Basic.OPEN, activity=Activity.FREE_FOR_CHAT),
        ),
        (
            {"screen_name": "123456", "away": True, "icq_status": 0x05, "away_message": "a<b>"},
            PersonPresence(basic=Basic.OPEN, activity=Activity.EXTENDED_AWAY, note="a<b>"),
        ),
        ({"icq_status": 0x13}, PersonPresence(basic=Basic.OPEN, activity=Activity.AWAY)),
    ],
)
def test_buddies(buddy: dict[str, Any], presence: PersonPresence) -> None:
    base = BuddyPresence(account="alicework", screen_name="The Boogy Man", online=True)
    draft = one(evolve(base, **buddy))
    assert draft.body == PresenceUpdate(presence=presence)
    assert draft.recipients == (aim("alicework"),)


def test_the_echo_of_ourselves_is_nobodys_presence() -> None:
    assert MAPPING.to_canonical(BuddyPresence(account="alicework", screen_name="Alice Work", online=True)) == ()


@pytest.mark.parametrize(
    ("account", "presence", "own", "lost"),
    [
        ("alicework", OFFLINE, OwnPresence(account="alicework", state=Availability.INVISIBLE), []),
        (
            "alicework",
            PersonPresence(basic=Basic.OPEN, invisible=True, note="secret"),
            OwnPresence(account="alicework", state=Availability.INVISIBLE),
            [],
        ),
        (
            "alicework",
            PersonPresence(basic=Basic.OPEN),
            OwnPresence(account="alicework", state=Availability.ONLINE),
            [],
        ),
        (
            "alicework",
            PersonPresence(basic=Basic.OPEN, note="x", idle_since=NOW - 150),
            OwnPresence(account="alicework", state=Availability.ONLINE, idle_seconds=120),
            ["note"],
        ),
        (
            "alicework",
            PersonPresence(basic=Basic.OPEN, activity=Activity.AWAY, note="a < b"),
            OwnPresence(account="alicework", state=Availability.AWAY, away_message="a &lt; b"),
            [],
        ),
        (
            "alicework",
            PersonPresence(basic=Basic.OPEN, activity=Activity.AWAY, note="zurück um <4 😀"),
            OwnPresence(account="alicework", state=Availability.AWAY, away_message="zur&#252;ck um &lt;4 &#128512;"),
            [],
        ),
        (
            "alicework",
            PersonPresence(basic=Basic.OPEN, activity=Activity.AWAY, note="ü\N{NO-BREAK SPACE}x"),
            OwnPresence(account="alicework", state=Availability.AWAY, away_message="ü\N{NO-BREAK SPACE}x"),
            [],
        ),
        (
            "123456",
            PersonPresence(basic=Basic.OPEN, activity=Activity.AWAY, note="zurück"),
            OwnPresence(account="123456", state=Availability.AWAY, away_message="zurück", icq_status=0x01),
            [],
        ),
        (
            "alicework",
            PersonPresence(basic=Basic.OPEN, activity=Activity.MEETING),
            OwnPresence(account="alicework", state=Availability.AWAY, away_message="In a meeting"),
            ["presence"],
        ),
        (
            "123456",
            PersonPresence(basic=Basic.OPEN, activity=Activity.DO_NOT_DISTURB, note="a < b"),
            OwnPresence(account="123456", state=Availability.AWAY, away_message="a < b", icq_status=0x13),
            [],
        ),
        (
            "123456",
            PersonPresence(basic=Basic.OPEN, activity=Activity.FREE_FOR_CHAT),
            OwnPresence(account="123456", state=Availability.ONLINE, icq_status=0x20),
            [],
        ),
        (
            "alicework",
            PersonPresence(basic=Basic.OPEN, activity=Activity.AWAY),
            OwnPresence(account="alicework", state=Availability.AWAY, away_message="Away"),
            [],
        ),
        (
            "alicework",
            PersonPresence(basic=Basic.OPEN, idle_since=NOW + 100),
            OwnPresence(account="alicework", state=Availability.ONLINE),
            [],
        ),
    ],
)
def test_own_presence(account: str, presence: PersonPresence, own: OwnPresence, lost: list[str]) -> None:
    result = send(PresenceUpdate(presence=presence), account=account, to=account)
    assert result.natives == (own,)
    assert [loss.feature for loss in result.losses] == lost


def test_contacts() -> None:
    assert send(ContactEdit(wanted=True)).natives == (BuddyAdd(account="alicework", screen_name="theboogyman"),)
    assert send(ContactEdit(wanted=False)).natives == (BuddyRemove(account="alicework", screen_name="theboogyman"),)


@pytest.mark.parametrize(
    ("native", "stage"),
    [
        (ImAck(account="alicework", to="The Boogy Man", cookie=COOKIE), Stage.RELAYED),
        (ImQueued(account="alicework", to="bob", cookie=COOKIE, waiting=3, expected_seconds=2.0), Stage.ACCEPTED),
        (
            ImError(account="alicework", to="bob", cookie=COOKIE, code=4, name="x", retryable=False),
            Stage.FAILED,
        ),
        (
            ImError(account="alicework", to="bob", cookie=COOKIE, code=None, name="x", retryable=True, certain=False),
            Stage.UNKNOWN,
        ),
    ],
)
def test_receipts(native: ImAck | ImQueued | ImError, stage: Stage) -> None:
    body = one(native).body
    assert isinstance(body, Receipt)
    assert (body.stage, body.target) == (stage, "0001020304050607")
    if isinstance(native, ImError):
        assert body.failure is not None
        assert (body.failure.retryable, body.failure.certain) == (native.retryable, native.certain)
    else:
        assert body.failure is None


def _error(code: int | None, name: str, certain: bool = True) -> ImError:
    return ImError(account="alicework", to="bob", cookie=COOKIE, code=code, name=name, retryable=False, certain=certain)


@pytest.mark.parametrize(("code", "name"), codes.ERROR_NAMES.items())
def test_each_refusal_of_the_network_has_words_for_the_sender(code: int, name: str) -> None:
    assert user_text(_error(code, name)) == USER_TEXTS[code]
    assert USER_TEXTS[code].endswith(".")


@pytest.mark.parametrize(("code", "name"), codes.CLIENT_ERROR_NAMES.items())
def test_each_refusal_of_the_other_client_has_words_for_the_sender(code: int, name: str) -> None:
    assert user_text(_error(code, name)) == CLIENT_TEXTS[name]


def test_other_errors_have_words_too() -> None:
    assert "did not deliver" in user_text(_error(0x7777, "error 0x7777"))
    assert "did not deliver" in user_text(_error(None, "gone"))
    assert "not known" in user_text(_error(None, "no answer", certain=False))
    assert set(USER_TEXTS) == set(codes.ERROR_NAMES)
    assert set(CLIENT_TEXTS) == set(codes.CLIENT_ERROR_NAMES.values())


@pytest.mark.parametrize(
    ("native", "said"),
    [
        (ImMissed(account="alicework", sender="Bob", count=2, reason="sender too fast"),
         "[2 messages to you did not get through: sender too fast]"),
        (ImMissed(account="alicework", sender="Bob", count=1, reason="message too large"),
         "[a message to you did not get through: message too large]"),
        (AuthorizationRequest(account="alicework", sender="Bob"), "[asks to put you on their contact list]"),
        (AuthorizationRequest(account="alicework", sender="Bob", reason="it is <me>\x07 "),
         "[asks to put you on their contact list] it is <me>"),
        (AuthorizationAnswered(account="alicework", sender="Bob", accepted=True),
         "[lets you see their presence]"),
        (AuthorizationAnswered(account="alicework", sender="Bob", accepted=False, reason="no"),
         "[does not let you see their presence] no"),
        (RendezvousDeclined(account="alicework", sender="Bob", capability=CAP_FILE_TRANSFER, invitation="x" * 600),
         "[proposed a file; it was declined] " + "x" * 500),
        (RendezvousDeclined(account="alicework", sender="Bob", capability=b""),
         "[proposed a connection; it was declined]"),
        (Warned(account="alicework", level=205, by="Bob"), "[has warned you: your warning level is 20.5 %]"),
    ],
)  # fmt: skip
def test_what_a_person_should_know_of_is_told(native: object, said: str) -> None:
    drafts = MAPPING.to_canonical(native)  # type: ignore[arg-type]
    assert not isinstance(drafts, Unmappable)
    draft = drafts[-1]
    assert draft.sender == aim("bob", "Bob")
    assert [who.address.user for who in draft.recipients] == ["alicework"]
    assert isinstance(draft.body, Message)
    assert (draft.body.text, draft.body.automatic) == (said, True)
    assert draft.origin.remote_id is None


@pytest.mark.parametrize(
    ("native", "consent"),
    [
        (AuthorizationRequest(account="alicework", sender="Bob", reason=" it is\x07 me "),
         Authorization(consent=Consent.ASKED, wanted=True, words="it is me")),
        (AuthorizationAnswered(account="alicework", sender="Bob", accepted=True),
         Authorization(consent=Consent.GRANTED)),
        (AuthorizationAnswered(account="alicework", sender="Bob", accepted=False, reason="no"),
         Authorization(consent=Consent.REFUSED)),
        (RosterEditFailed(account="alicework", screen_name="Bob", code=14, name="x", needs_authorization=True),
         Authorization(consent=Consent.ASKED)),
    ],
)  # fmt: skip
def test_who_may_see_whom_is_said_beside_the_notice(native: object, consent: Authorization) -> None:
    drafts = MAPPING.to_canonical(native)  # type: ignore[arg-type]
    assert not isinstance(drafts, Unmappable)
    assert [draft.body for draft in drafts[:-1]] == [consent]
    assert drafts[0].sender == aim("bob", "Bob")


@pytest.mark.parametrize(
    ("native", "said", "again"),
    [
        (YouWereAdded(account="alicework", sender="Bob"), "[has put you on their contact list]", "bob/added"),
        (
            RosterEditFailed(account="alicework", screen_name="Bob", code=0x0C, name="limit exceeded"),
            "[cannot be put on your contact list: the list on the network is full]",
            "bob/list/12",
        ),
        (
            RosterEditFailed(account="alicework", screen_name="Bob", code=0x77, name="status 0x0077"),
            "[cannot be put on your contact list: status 0x0077]",
            "bob/list/119",
        ),
        (
            RosterEditFailed(account="alicework", screen_name="Bob", code=14, name="x", needs_authorization=True),
            "[is asked to let you see their presence]",
            "bob/list/14",
        ),
    ],
)
def test_what_a_server_repeats_is_told_once(native: object, said: str, again: str) -> None:
    drafts = MAPPING.to_canonical(native)  # type: ignore[arg-type]
    assert not isinstance(drafts, Unmappable)
    draft = drafts[-1]
    assert isinstance(draft.body, Message)
    assert draft.body.text == said
    assert draft.origin.remote_id == again


def test_a_message_that_cannot_be_read_goes_on_record_whole() -> None:
    native = ImUnreadable(account="alicework", sender="bob", cookie=COOKIE, channel=9, reason="channel 9", raw=b"\x01")
    result = MAPPING.to_canonical(native)
    assert isinstance(result, Unmappable)
    assert (result.feature, result.reason) == ("malformed", "a message that cannot be read: channel 9")


@pytest.mark.parametrize("name", ["", "x" * 200, "a_b", "\u202eboogyman"])
def test_a_sender_whose_name_is_none_goes_on_record(name: str) -> None:
    for native in (received(sender=name), YouWereAdded(account="alicework", sender=name)):
        result = MAPPING.to_canonical(native)
        assert isinstance(result, Unmappable)
        assert result.feature == "address"


def test_a_telephone_writes_and_is_written_to() -> None:
    draft = one(received(sender="+15551234567"))
    assert draft.sender == aim("+15551234567")
    assert send(text("hi"), to="+15551234567").natives[0] == ImSend(
        account="alicework", to="+15551234567", text="hi", is_html=True, cookie=cookie("018f-1", "+15551234567", 0)
    )


@pytest.mark.parametrize(
    "native",
    [
        LinkState(account="alicework", state=Link.UP),
        Warned(account="alicework", level=100),
        Roster(account="alicework", contacts=()),
    ],
)
def test_what_concerns_the_link_alone_means_nothing_here(native: object) -> None:
    assert MAPPING.to_canonical(native) == ()  # type: ignore[arg-type]


def test_every_inbound_value_has_a_meaning_or_concerns_the_link() -> None:
    told = {
        ImReceived, ImAck, ImError, ImQueued, ImMissed, ImUnreadable, TypingReceived, BuddyPresence, RosterEditFailed,
        AuthorizationRequest, AuthorizationAnswered, YouWereAdded, RendezvousDeclined, Warned,
    }  # fmt: skip
    assert set(get_args(Inbound)) - told == {LinkState, Roster}


@pytest.mark.parametrize(
    ("body", "feature"),
    [
        (Retract(target=RemoteMessageId("x")), "retract"),
        (Reaction(target=RemoteMessageId("x"), emoji="\U0001f600"), "reaction"),
        (Receipt(target=RemoteMessageId("x"), stage=Stage.DELIVERED), "receipt"),
    ],
)
def test_what_oscar_has_no_form_for(body: Body, feature: str) -> None:
    result = MAPPING.from_canonical(envelope(body), aim("bob"), "alicework", CAPS)
    assert isinstance(result, Unmappable)
    assert result.feature == feature


def test_typing_towards_a_contact_that_takes_none() -> None:
    result = MAPPING.from_canonical(
        envelope(Typing(state=TypingState.ACTIVE)), aim("bob"), "alicework", evolve(CAPS, typing=Support.DROPPED)
    )
    assert isinstance(result, Unmappable)
