import zlib
from datetime import UTC, datetime
from typing import Any

import pytest
from attrs import evolve

from bridge.model.address import Address, ConversationKey, Identity
from bridge.model.body import (
    ELSEWHERE,
    Attachment,
    Body,
    Edit,
    Message,
    PresenceUpdate,
    Reachability,
    Reaction,
    Receipt,
    Retract,
    Stage,
    TextPart,
    Typing,
    TypingState,
    Watch,
)
from bridge.model.capabilities import Capabilities, Support
from bridge.model.envelope import Direction, Draft, Envelope, Origin, Translated, Unmappable
from bridge.model.ids import SIP, EventId, NetworkId, RemoteConversationId, RemoteMessageId, RemoteUserId
from bridge.model.presence import OFFLINE, Activity, Basic, PersonPresence
from mappings.content import MAX_INFLATED
from mappings.identity import NetworkDomain, SipAddressBook
from mappings.sip import MEMO_ENTRIES, SipMapping
from transports.sip.wire.native import (
    SipForm,
    SipMessage,
    SipNative,
    SipPresence,
    SipPublished,
    SipRegistration,
    SipSeen,
    SipTyping,
    SipWatch,
)
from transports.sip.wire.pidf import Person, Pidf, PidfTuple, build_pidf, parse_pidf

AIM = NetworkId("aim")
NOW = 1_700_000_000.0
DATE = "Sun, 06 Nov 1994 08:49:37 GMT"
DATE_SECONDS = datetime(1994, 11, 6, 8, 49, 37, tzinfo=UTC).timestamp()
BOOK = SipAddressBook.of(["corp.example"], [NetworkDomain(domain="aim.corp.example", network=AIM, kind="oscar")])
MAPPING = SipMapping(addresses=BOOK, clock=lambda: NOW)
CAPS = Capabilities(typing=Support.FULL, presence=Support.FULL, max_text_bytes=1000)


def sip(user: str, name: str = "") -> Identity:
    return Identity(address=Address(network=SIP, user=RemoteUserId(user)), display_name=name)


def aim(user: str, name: str = "") -> Identity:
    return Identity(address=Address(network=AIM, user=RemoteUserId(user)), display_name=name)


ALICE = sip("alice@corp.example")
BOB = aim("theboogyman")


def incoming(body: bytes = b"hi", **more: Any) -> SipMessage:
    base = SipMessage(
        aor="alice@corp.example",
        peer="sip:theboogyman@aim.corp.example",
        call_id="a84b4c76e66710",
        cseq=314,
        content_type="text/plain",
        body=body,
    )
    return evolve(base, **more)


def read(native: SipNative) -> Draft:
    result = MAPPING.to_canonical(native)
    assert isinstance(result, tuple), result
    assert len(result) == 1
    return result[0]


def said(native: SipNative) -> Message:
    body = read(native).body
    assert isinstance(body, Message)
    return body


def refused(native: SipNative) -> Unmappable:
    result = MAPPING.to_canonical(native)
    assert isinstance(result, Unmappable)
    assert result.reason.isprintable()
    return result


def envelope(body: Body, *, sender: Identity = BOB, recipient: Identity = ALICE, **more: Any) -> Envelope:
    base = Envelope(
        id=EventId("018f-1"),
        origin=Origin(network=AIM, account="alicework"),
        conversation=ConversationKey(network=AIM, remote_id=RemoteConversationId("theboogyman")),
        sender=sender,
        recipients=(recipient,),
        direction=Direction.INBOUND,
        received_at=NOW,
        body=body,
    )
    return evolve(base, **more)


def send(
    body: Body, *, sender: Identity = BOB, recipient: Identity = ALICE, caps: Capabilities = CAPS, **more: Any
) -> Translated[SipNative]:
    event = envelope(body, sender=sender, recipient=recipient, **more)
    result = MAPPING.from_canonical(event, recipient, recipient.address.user, caps)
    assert isinstance(result, Translated), result
    return result


def sent(body: Body, **more: Any) -> SipMessage:
    (native,) = send(body, **more).natives
    assert isinstance(native, SipMessage)
    return native


def text(words: str, **more: Any) -> Message:
    return Message(parts=(TextPart(text=words),), **more)


# Messages in


def test_a_plain_message() -> None:
    assert read(incoming("caf\u00e9 \U0001f600".encode(), display_name="Alice")) == Draft(
        origin=Origin(
            network=SIP, account="alice@corp.example", remote_id=RemoteMessageId("a84b4c76e66710/314/2d0b6872ef82a755")
        ),
        conversation=ConversationKey(
            network=SIP,
            remote_id=RemoteConversationId("alice@corp.example"),
            receiver=RemoteUserId("theboogyman@aim.corp.example"),
        ),
        sender=ALICE,
        recipients=(BOB,),
        body=Message(parts=(TextPart(text="caf\u00e9 \U0001f600"),), thread="a84b4c76e66710"),
    )


def test_the_slow_way_says_the_same_as_the_fast_one() -> None:
    fast = read(incoming(b"a\r\nb"))
    assert read(incoming(b"a\r\nb", content_type="text/plain;charset=UTF-8")) == fast
    assert read(incoming(b"a\r\nb", headers=(("Priority", "normal"),))) == fast


def test_inside_the_company_both_directions_are_one_conversation() -> None:
    there = read(incoming(peer="sip:bob@corp.example"))
    back = read(incoming(aor="bob@corp.example", peer="sip:alice@corp.example"))
    assert there.conversation == back.conversation
    assert there.recipients == (sip("bob@corp.example"),)


def test_headers() -> None:
    draft = read(
        incoming(
            headers=(
                ("subject", "  Lunch\t today "),
                ("Date", DATE),
                ("Expires", "60"),
                ("Content-Language", "fr"),
                ("User-Agent", "baresip v1.0\x07"),
                ("Priority", "urgent"),
            )
        )
    )
    body = draft.body
    assert isinstance(body, Message)
    assert body.subject == "Lunch today"
    assert body.expires_at == NOW + 60
    assert body.parts == (TextPart(text="hi", language="fr"),)
    assert draft.claimed_at == DATE_SECONDS
    assert draft.origin.user_agent == "baresip v1.0"
    assert [loss.feature for loss in draft.losses] == ["priority"]


@pytest.mark.parametrize(
    "headers", [(("Date", "yesterday"),), (("Expires", "soon"),), (("Expires", "-1"),), (("Content-Language", "a b"),)]
)
def test_headers_that_say_nothing_are_as_absent(headers: tuple[tuple[str, str], ...]) -> None:
    assert read(incoming(headers=headers)) == read(incoming())


@pytest.mark.parametrize(
    ("content_type", "body", "words"),
    [
        ("text/plain", "\u00e4".encode(), "\u00e4"),
        ("", "\u00e4".encode(), "\u00e4"),
        ("TEXT/Plain; Charset=UTF-8", "\u00e4".encode(), "\u00e4"),
        ('text/plain;charset="us-ascii"', b"a", "a"),
        ("text/plain;charset=ISO-8859-1", b"\xe4", "\u00e4"),
        ("text/plain;charset=windows-1252", b"\x80", "\u20ac"),
        ("text/plain;charset=utf-16", "\u00e4".encode("utf-16"), "\u00e4"),
        ("text/plain;charset=koi8-r", "\u0438".encode("koi8-r"), "\u0438"),
        ("text/plain;charset=shift_jis", "\u3042".encode("shift_jis"), "\u3042"),
        ("text/plain;format=flowed", b"a", "a"),
        ("text/html", b"<p>a &amp; b</p>", "a & b"),
        ("text/html;charset=iso-8859-1", b"\xe4<br>x", "\u00e4\nx"),
        ("text/plain", b"", ""),
    ],
)
def test_charsets(content_type: str, body: bytes, words: str) -> None:
    draft = read(incoming(body, content_type=content_type))
    assert isinstance(draft.body, Message)
    assert draft.body.text == words
    assert draft.losses == ()


def test_html_keeps_its_form_and_tells_its_losses() -> None:
    draft = read(incoming(b"<b>a</b><script>x</script>", content_type="text/html"))
    assert isinstance(draft.body, Message)
    assert draft.body.parts == (TextPart(text="a", html="<b>a</b>"),)
    assert [loss.feature for loss in draft.losses] == ["html"]


@pytest.mark.parametrize(
    ("body", "words", "feature"),
    [(b"a\xffb", "a\ufffdb", "charset"), (b"a\x00b\x1b[2J", "ab[2J", "control-characters")],
)
def test_what_is_no_text_is_told(body: bytes, words: str, feature: str) -> None:
    draft = read(incoming(body))
    assert isinstance(draft.body, Message)
    assert draft.body.text == words
    assert [loss.feature for loss in draft.losses] == [feature]


@pytest.mark.parametrize(
    ("more", "feature"),
    [
        ({"content_type": "image/png"}, "content-type"),
        ({"content_type": "application/sdp"}, "content-type"),
        ({"content_type": "multipart/mixed;boundary=x"}, "malformed"),
        ({"content_type": "garbage"}, "malformed"),
        ({"content_type": "text/plain;charset=zlib_codec"}, "charset"),
        ({"content_type": "text/plain;charset=idna"}, "charset"),
        ({"content_type": "message/cpim"}, "malformed"),
        ({"content_type": "message/imdn+xml"}, "malformed"),
        ({"content_type": "application/im-iscomposing+xml"}, "malformed"),
        ({"headers": (("Content-Encoding", "br"),)}, "content-encoding"),
        ({"headers": (("Content-Encoding", "deflate"),)}, "content-encoding"),
        ({"peer": "sip:bob@elsewhere.example"}, "address"),
        ({"peer": "tel:+1234"}, "address"),
        ({"peer": "sip:x@aim.corp.example"}, "address"),
        ({"aor": "alice@elsewhere.example"}, "address"),
    ],
)
def test_what_cannot_be_translated(more: dict[str, Any], feature: str) -> None:
    assert refused(incoming(**more)).feature == feature


def test_content_encoding() -> None:
    deflated = zlib.compress(b"hello")
    bare = zlib.compress(b"hello")[2:-4]
    gzip = zlib.compressobj(wbits=31)
    gzipped = gzip.compress(b"hello") + gzip.flush()
    for body, coding in ((deflated, "deflate"), (bare, "Deflate"), (gzipped, "gzip"), (b"hello", "identity")):
        assert said(incoming(body, headers=(("Content-Encoding", coding),))).text == "hello"
    bomb = zlib.compress(b"\0" * (MAX_INFLATED + 1))
    assert refused(incoming(bomb, headers=(("Content-Encoding", "deflate"),))).feature == "length"
    cut = refused(incoming(deflated[:-6], headers=(("Content-Encoding", "deflate"),)))
    assert cut.feature == "content-encoding"


def test_a_long_call_id_is_shortened_and_still_tells_apart() -> None:
    first, other = "x" * 5000, "x" * 4999 + "y"
    ids = {read(incoming(call_id=call_id)).origin.remote_id for call_id in (first, other)}
    assert len(ids) == 2
    assert all(name is not None and len(name) < 200 for name in ids)


def test_a_display_name_cannot_pass_for_an_address() -> None:
    assert read(incoming(display_name='ceo@corp.example" <sip:x>')).sender.display_name == ""
    assert read(incoming(display_name="A\r\nB: c")).sender.display_name == "A B: c"


CPIM = (
    b"From: Alice <sip:alice@corp.example>\r\nTo: <sip:theboogyman@aim.corp.example>\r\n"
    b"DateTime: 1994-11-06T08:49:37Z\r\nSubject:;lang=fr Objet\r\nNS: imdn <urn:ietf:params:imdn>\r\n"
    b"imdn.Message-ID: 34jk324j\r\n\r\nContent-type: text/plain; charset=utf-8\r\n\r\nhi \xc3\xa4\r\n\r\nmore"
)


def test_cpim() -> None:
    draft = read(incoming(CPIM, content_type="message/cpim"))
    body = draft.body
    assert isinstance(body, Message)
    assert body.parts == (TextPart(text="hi \u00e4\n\nmore", language="fr"),)
    assert body.subject == "Objet"
    assert draft.claimed_at == DATE_SECONDS


@pytest.mark.parametrize(
    ("sender", "taken"),
    [
        (b"<sip:alice@corp.example;gr=1>", True),
        (b"<im:alice@corp.example>", True),
        (b"sip:alice@corp.example", True),
        (b"<sip:anonymous@anonymous.invalid>", True),
        (b"<sip:ceo@corp.example;x=anonymous.invalid>", False),
        (b"<sip:ceo@anonymous.invalid>", False),
        (b"<sip:ceo@corp.example>", False),
        (b"<sip:alice@elsewhere.example>", False),
        (b"nonsense", False),
    ],
)
def test_the_cpim_from_must_be_the_senders_own(sender: bytes, taken: bool) -> None:
    native = incoming(CPIM.replace(b"Alice <sip:alice@corp.example>", sender), content_type="message/cpim")
    if taken:
        assert said(native).text.startswith("hi")
    else:
        assert refused(native).feature == "sender"


@pytest.mark.parametrize(
    "body",
    [b"", b"From: x",
     b"From: <sip:alice@corp.example>\r\n\r\nno end", b"\xff\r\n\r\nA: b\r\n\r\nx", b"a:b\r\n" * 99 + b"\r\n\r\nx",
     b"x" * 20_000 + b"\r\n\r\n\r\n\r\n"],
)  # fmt: skip
def test_broken_cpim(body: bytes) -> None:
    assert refused(incoming(body, content_type="message/cpim")).feature == "malformed"


IMDN = (
    b"<?xml version='1.0'?><imdn xmlns='urn:ietf:params:xml:ns:imdn'><message-id>34jk324j</message-id>"
    b"<datetime>2008-04-04T12:16:49-05:00</datetime>"
    b"<%s-notification><status><%s/></status></%s-notification></imdn>"
)


@pytest.mark.parametrize(
    ("group", "word", "stage"),
    [
        (b"delivery", b"delivered", Stage.DELIVERED),
        (b"delivery", b"failed", Stage.FAILED),
        (b"delivery", b"forbidden", Stage.UNKNOWN),  # nobody is told, which is no failure: RFC 5438 section 7.2.1
        (b"delivery", b"error", Stage.UNKNOWN),
        (b"display", b"displayed", Stage.DISPLAYED),
        (b"processing", b"processed", Stage.RELAYED),
        (b"processing", b"stored", Stage.ACCEPTED),
    ],
)
def test_imdn_is_a_receipt_and_never_a_text(group: bytes, word: bytes, stage: Stage) -> None:
    draft = read(incoming(IMDN % (group, word, group), content_type="message/imdn+xml"))
    body = draft.body
    assert isinstance(body, Receipt)
    assert (body.target, body.stage, body.sent_at) == ("34jk324j", stage, 1207329409.0)
    assert (body.failure is not None) == (stage is Stage.FAILED)


@pytest.mark.parametrize(
    "body",
    [
        b"<imdn xmlns='urn:ietf:params:xml:ns:imdn'/>",
        b"<!DOCTYPE a [<!ENTITY x 'y'>]><imdn xmlns='urn:ietf:params:xml:ns:imdn'>&x;</imdn>",
        IMDN % (b"delivery", b"bogus", b"delivery"),
        b"not xml",
    ],
)
def test_broken_imdn(body: bytes) -> None:
    assert refused(incoming(body, content_type="message/imdn+xml")).feature == "malformed"
    assert refused(incoming(IMDN + b" " * 20_000, content_type="message/imdn+xml")).feature == "length"


# Other events in


@pytest.mark.parametrize(
    ("word", "state"), [("active", TypingState.ACTIVE), ("idle", TypingState.IDLE), ("gone", TypingState.GONE)]
)
def test_typing(word: Any, state: TypingState) -> None:
    native = SipTyping(aor="alice@corp.example", peer="sip:theboogyman@aim.corp.example", state=word)
    assert read(native).body == Typing(state=state)
    assert read(native).recipients == (BOB,)
    document = f"<isComposing xmlns='urn:ietf:params:xml:ns:im-iscomposing'><state>{word}</state></isComposing>"
    assert read(incoming(document.encode(), content_type="application/im-iscomposing+xml")).body == Typing(state=state)
    out = send(Typing(state=state)).natives
    assert out == (SipTyping(aor="alice@corp.example", peer="sip:theboogyman@aim.corp.example", state=word),)


def test_watches_and_registrations() -> None:
    watch = SipWatch(aor="alice@corp.example", target="sip:theboogyman@aim.corp.example", id="w1", expires=600)
    assert read(watch).body == Watch(id="w1", expires=600)
    assert read(evolve(watch, expires=0, fetch=True)).body == Watch(id="w1", expires=0, once=True)
    registered = read(SipRegistration(aor="alice@corp.example", contacts=2))
    assert (registered.body, registered.sender, registered.recipients) == (Reachability(devices=2), ALICE, ())


def test_what_is_seen_at_another_server_is_the_persons_or_for_one_watcher_alone() -> None:
    """RFC 3856; RFC 8048 section 6: state goes to the watcher that it was shown to."""
    pidf = build_pidf(Pidf(entity="sip:alice@corp.example", tuples=(PidfTuple(id="a", basic="open"),)))
    draft = read(SipSeen(aor="alice@corp.example", watcher="", pidf=pidf))
    assert isinstance(draft.body, PresenceUpdate)
    assert (draft.sender.address, draft.recipients, draft.body.source) == (ALICE.address, (), ELSEWHERE)
    assert draft.body.presence.basic is Basic.OPEN
    gone = read(SipSeen(aor="alice@corp.example", watcher="", pidf=None))
    assert gone.body == PresenceUpdate(presence=OFFLINE, source=ELSEWHERE)
    one = read(SipSeen(aor="alice@corp.example", watcher="bob@corp.example", pidf=pidf))
    assert [identity.address.user for identity in one.recipients] == ["bob@corp.example"]
    assert isinstance(one.body, PresenceUpdate)
    assert one.body.source == ""


def test_publications() -> None:
    document = build_pidf(
        Pidf(
            entity="sip:alice@corp.example",
            tuples=(PidfTuple(id="a", basic="open"),),
            person=Person(activities=("busy",)),
        )
    )
    native = SipPublished(aor="alice@corp.example", pidf=document, entity_tag="e1", expires=600)
    body = read(native).body
    assert isinstance(body, PresenceUpdate)
    assert (body.source, body.presence.activity, body.presence.expires_at) == ("e1", Activity.BUSY, NOW + 600)
    over = PresenceUpdate(presence=OFFLINE, source="e1")
    assert read(evolve(native, pidf=None, expires=0)).body == over
    assert read(evolve(native, expires=0)).body == over
    assert refused(evolve(native, pidf=b"junk")).feature == "presence"
    assert refused(SipPresence(target="sip:a@corp.example", watcher=None, pidf=None)).feature == "presence"


# Out


def test_a_message_out() -> None:
    assert send(text("hi \u00e4"), sender=aim("theboogyman", "The Boogy Man")) == Translated(
        natives=(
            SipMessage(
                aor="alice@corp.example",
                peer="sip:theboogyman@aim.corp.example",
                call_id="",
                cseq=0,
                content_type="text/plain",
                body="hi \u00e4".encode(),
                display_name="The Boogy Man",
            ),
        )
    )


def test_headers_out() -> None:
    body = Message(parts=(TextPart(text="x", language="fr"),), subject="a\r\nX-Evil: b", expires_at=NOW + 30)
    native = sent(body, claimed_at=DATE_SECONDS)
    assert native.headers == (
        ("Subject", "a X-Evil: b"),
        ("Date", DATE),
        ("Content-Language", "fr"),
        ("Expires", "30"),
    )
    assert sent(text("x", expires_at=NOW - 5)).headers == (("Expires", "0"),)
    assert sent(text("x"), claimed_at=1e300).headers == ()
    assert sent(Message(parts=(TextPart(text="x", language="f\r\nr"),))).headers == ()


def test_there_and_back() -> None:
    for words in ("hi", " a  b\n\nc ", "<b>&amp;", "\U0001f468\u200d\U0001f469 caf\u00e9", ""):
        native = sent(text(words), sender=ALICE, recipient=sip("bob@corp.example"))
        back = said(incoming(native.body, content_type=native.content_type))
        assert back.parts == (TextPart(text=words),)


def test_long_texts_are_split_and_join() -> None:
    words = "\u00e4b \U0001f600" * 300
    natives = send(text(words)).natives
    assert len(natives) > 1
    assert all(isinstance(native, SipMessage) and len(native.body) <= 1000 for native in natives)
    assert b"".join(native.body for native in natives if isinstance(native, SipMessage)).decode() == words


def test_html_is_told_as_text_where_the_contact_takes_no_html() -> None:
    body = Message(parts=(TextPart(text="hi (http://a.example)", html='<a href="http://a.example">hi</a>'),))
    plain = send(body)
    assert isinstance(plain.natives[0], SipMessage)
    assert (plain.natives[0].content_type, plain.natives[0].body) == ("text/plain", b"hi (http://a.example)")
    assert [loss.feature for loss in plain.losses] == ["html"]
    rich = send(body, caps=evolve(CAPS, html=Support.FULL))
    assert isinstance(rich.natives[0], SipMessage)
    assert rich.natives[0].content_type == "text/html"
    assert rich.natives[0].others == (SipForm("text/plain; charset=utf-8", b"hi (http://a.example)"),)
    assert plain.natives[0].others == ()
    assert rich.natives[0].body == b'<a href="http://a.example">hi</a>'
    assert rich.losses == ()


def test_attachments_are_a_loss() -> None:
    file = Attachment(blob_ref="x", media_type="image/png", size=1, sha256="0", name="cat.png")
    result = send(Message(parts=(TextPart(text="see"), file)))
    assert [(loss.feature, loss.detail) for loss in result.losses] == [("attachment", "cat.png")]


def test_typing_out_says_what_it_cannot() -> None:
    paused = send(Typing(state=TypingState.PAUSED))
    assert [loss.feature for loss in paused.losses] == ["typing"]
    for body, feature in (
        (Typing(state=TypingState.ACTIVE), "typing"),
        (PresenceUpdate(presence=OFFLINE), "presence"),
    ):
        bare = Capabilities()
        result = MAPPING.from_canonical(envelope(body), ALICE, "", bare)
        assert isinstance(result, Unmappable)
        assert result.feature == feature


def test_presence_out() -> None:
    presence = PersonPresence(basic=Basic.OPEN, activity=Activity.AWAY, note="lunch")
    (native,) = send(PresenceUpdate(presence=presence, watches=("w1",))).natives
    assert isinstance(native, SipPresence)
    assert native.target == "sip:theboogyman@aim.corp.example"
    assert (native.watcher, native.subscription, native.state) == ("alice@corp.example", "w1", "active")
    assert native.pidf is not None
    assert parse_pidf(native.pidf).entity == "sip:theboogyman@aim.corp.example"
    assert b"<rpid:away/>" in native.pidf


@pytest.mark.parametrize(
    ("body", "text", "feature"),
    [
        (Retract(target=RemoteMessageId("x")), "[took back an earlier message]", "retraction"),
        (Reaction(target=RemoteMessageId("x"), emoji="\U0001f600"), "[reacted with \U0001f600]", "reaction"),
        (Reaction(target=RemoteMessageId("x"), emoji="!", removed=True), "[took back the reaction !]", "reaction"),
        (
            Edit(target=RemoteMessageId("x"), replacement=Message(parts=(TextPart(text="better"),))),
            "[corrected] better",
            "edit",
        ),
    ],
)
def test_what_is_about_an_earlier_message_is_told_in_words(body: Body, text: str, feature: str) -> None:
    result = MAPPING.from_canonical(envelope(body), ALICE, "", CAPS)
    assert isinstance(result, Translated)
    (native,) = result.natives
    assert isinstance(native, SipMessage)
    assert native.body.decode() == text
    assert [loss.feature for loss in result.losses] == [feature]


@pytest.mark.parametrize(
    ("body", "feature"),
    [
        (Receipt(target=RemoteMessageId("x"), stage=Stage.DELIVERED), "receipt"),
        (Reachability(devices=1), "reachability"),
    ],
)
def test_what_pager_mode_has_no_form_for(body: Body, feature: str) -> None:
    result = MAPPING.from_canonical(envelope(body), ALICE, "", CAPS)
    assert isinstance(result, Unmappable)
    assert result.feature == feature


def test_a_sender_of_a_network_without_a_domain() -> None:
    stranger = Identity(address=Address(network=NetworkId("icq"), user=RemoteUserId("123456")))
    result = MAPPING.from_canonical(envelope(text("x"), sender=stranger), ALICE, "", CAPS)
    assert isinstance(result, Unmappable)
    assert result.feature == "address"


def test_memos_are_bounded() -> None:
    most = 0
    for number in range(MEMO_ENTRIES + 10):
        MAPPING._parties("alice@corp.example", "sip:bob@corp.example", f"Alice {number}")
        most = max(most, len(MAPPING._parties_of))
    assert MEMO_ENTRIES // 2 <= most <= MEMO_ENTRIES


def test_a_client_that_makes_its_call_ids_anew_says_something_new() -> None:
    first, second, again = (read(incoming(body)).origin.remote_id for body in (b"one", b"two", b"one"))
    assert first == again
    assert first != second
