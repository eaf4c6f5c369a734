"""What is in MESSAGEs on their way out: forms, requests for receipts, receipts (RFC 3428, 3862, 5438)."""

import pytest
from attrs import evolve

from bridge.model.body import Failure, Message, Receipt, Stage, TextPart, Typing, TypingState
from bridge.model.capabilities import Support
from bridge.model.envelope import Translated, Unmappable
from bridge.model.ids import RemoteMessageId
from mappings.sip_bodies import ROUTES_KEPT, RouteMemo
from tests.unit.mappings.test_sip import (
    ALICE,
    CAPS,
    DATE_SECONDS,
    MAPPING,
    NOW,
    aim,
    envelope,
    incoming,
    read,
    send,
    sent,
    sip,
)
from tests.unit.mappings.test_sip_content import cpim
from transports.sip.wire.cpim import IMDN, parse_cpim
from transports.sip.wire.imdn import Imdn, parse_imdn
from transports.sip.wire.native import SipMessage, SipTyping

ALL = (Stage.DELIVERED, Stage.FAILED, Stage.DISPLAYED, Stage.RELAYED)
TAKES_RECEIPTS = evolve(CAPS, delivered_receipts=Support.FULL)


def _asking(words: str = "hi", **more: object) -> Message:
    return Message(parts=(TextPart(text=words),), message_id=RemoteMessageId("34jk324j"), wants=ALL, **more)  # type: ignore[arg-type]


def _receipt(stage: Stage = Stage.DELIVERED, sent_at: float | None = DATE_SECONDS) -> Receipt:
    failure = None
    if stage is Stage.FAILED:
        failure = Failure(reason="gone", retryable=False, certain=True, user_text="gone")
    return Receipt(target=RemoteMessageId("34jk324j"), stage=stage, failure=failure, sent_at=sent_at)


def _told(body: Receipt, recipient: object = ALICE) -> SipMessage:
    result = MAPPING.from_canonical(envelope(body), ALICE, "", TAKES_RECEIPTS)
    assert isinstance(result, Translated), result
    (native,) = result.natives
    assert isinstance(native, SipMessage)
    return native


def test_a_message_that_wants_receipts_asks_for_them_in_cpim_and_is_plain_for_whom_takes_none() -> None:
    native = sent(_asking(subject="lunch"), sender=aim("theboogyman", "The Boogy Man"), claimed_at=DATE_SECONDS)
    assert native.content_type == "message/cpim"
    message = parse_cpim(native.body)
    assert message.first("From") == '"The Boogy Man" <sip:theboogyman@aim.corp.example>'
    assert message.first("To") == "<sip:alice@corp.example>"
    assert message.sent_at == DATE_SECONDS
    assert message.first("Subject") == "lunch"
    assert message.first("Message-ID", IMDN) == "018f-1"
    # Processing is told by those between: by us.
    asked = message.first("Disposition-Notification", IMDN)
    assert asked == "positive-delivery, negative-delivery, display"
    assert message.content.content_type == "text/plain; charset=utf-8"
    assert message.content.body == b"hi"
    assert [(form.content_type, form.body) for form in native.others] == [("text/plain", b"hi")]


def test_each_piece_of_a_long_text_is_asked_for() -> None:
    natives = send(_asking("word " * 500, subject="once")).natives
    ids = [parse_cpim(native.body).first("Message-ID", IMDN) for native in natives if isinstance(native, SipMessage)]
    assert ids == [f"018f-1.{number}" for number in range(len(natives))]
    assert len(ids) > 1
    subjects = [native.header("Subject") for native in natives if isinstance(native, SipMessage)]
    assert subjects == ["once"] + [None] * (len(ids) - 1)


def test_nothing_is_asked_where_the_sender_wants_processing_alone() -> None:
    body = evolve(_asking(), wants=(Stage.RELAYED,))
    assert sent(body).content_type == "text/plain"
    assert sent(Message(parts=(TextPart(text="hi"),))).content_type == "text/plain"


@pytest.mark.parametrize(
    ("stage", "kind", "status"),
    [
        (Stage.ACCEPTED, "processing", "stored"),
        (Stage.RELAYED, "processing", "processed"),
        (Stage.DELIVERED, "delivery", "delivered"),
        (Stage.DISPLAYED, "display", "displayed"),
        (Stage.FAILED, "delivery", "failed"),
        (Stage.UNKNOWN, "delivery", "error"),
    ],
)
def test_a_receipt_is_a_notification(stage: Stage, kind: str, status: str) -> None:
    native = _told(_receipt(stage))
    assert (native.aor, native.peer) == ("alice@corp.example", "sip:theboogyman@aim.corp.example")
    message = parse_cpim(native.body)
    assert message.content.disposition == "notification"
    assert message.content.content_type == "message/imdn+xml"
    assert parse_imdn(message.content.body) == Imdn(
        message_id="34jk324j",
        kind=kind,  # type: ignore[arg-type]
        status=status,  # type: ignore[arg-type]
        datetime="1994-11-06T08:49:37Z",
        recipient="sip:theboogyman@aim.corp.example",
    )
    assert message.first("Message-ID", IMDN)
    assert not message.first("Disposition-Notification", IMDN)  # none is asked for a notification
    assert [form.content_type for form in native.others] == ["message/imdn+xml"]  # and never a text
    back = read(incoming(native.others[0].body, content_type="message/imdn+xml"))
    assert back.body == (_receipt(stage) if stage is not Stage.FAILED else back.body)


def test_a_notification_goes_by_the_way_that_was_asked_for() -> None:
    """RFC 5438 section 6.3: IMDN-Record-Route of the message is IMDN-Route of its notifications, in order."""
    routes = ["<sip:near@corp.example>", "<sip:far@corp.example>"]
    lines = [f"imdn.IMDN-Record-Route: {route}" for route in routes]
    asking = ("DateTime: 1994-11-06T08:49:37Z", "imdn.Message-ID: routed", "imdn.Disposition-Notification: display")
    read(incoming(cpim(*asking, *lines), content_type="message/cpim"))
    native = _told(evolve(_receipt(Stage.DISPLAYED), target=RemoteMessageId("routed")))
    assert [one.value for one in parse_cpim(native.body).all("IMDN-Route", IMDN)] == routes
    assert not parse_cpim(_told(_receipt()).body).all("IMDN-Route", IMDN)


def test_what_is_remembered_of_ways_is_bounded() -> None:
    memo = RouteMemo()
    for number in range(ROUTES_KEPT + 10):
        memo.keep("alice", str(number), ("<sip:x@y>",))
    assert len(memo) == ROUTES_KEPT
    assert memo.of("alice", "0") == ()
    assert memo.of("alice", str(ROUTES_KEPT)) == ("<sip:x@y>",)


@pytest.mark.parametrize(
    ("body", "caps"),
    [(_receipt(sent_at=None), TAKES_RECEIPTS), (_receipt(), CAPS), (_receipt(sent_at=1e300), TAKES_RECEIPTS)],
)
def test_what_no_notification_can_tell(body: Receipt, caps: object) -> None:
    result = MAPPING.from_canonical(envelope(body), ALICE, "", caps)  # type: ignore[arg-type]
    assert isinstance(result, Unmappable)
    assert result.feature == "receipt"


def test_a_clock_beyond_all_years_is_not_told() -> None:
    message = parse_cpim(sent(_asking(), claimed_at=1e300).body)
    assert message.sent_at == NOW


def test_gone_is_told() -> None:
    (native,) = send(Typing(state=TypingState.GONE)).natives
    assert native == SipTyping(aor="alice@corp.example", peer="sip:theboogyman@aim.corp.example", state="gone")


def test_long_headers_take_from_the_room_for_the_text() -> None:
    """1300 octets are for all of a MESSAGE (RFC 3428 section 8)."""
    text = "wort " * 200
    natives = send(
        Message(parts=(TextPart(text=text),), subject="s" * 700), caps=evolve(CAPS, max_text_bytes=600)
    ).natives
    pieces = [native for native in natives if isinstance(native, SipMessage)]
    assert b"".join(piece.body for piece in pieces).decode() == text
    assert len(pieces[0].body) <= 200
    assert [piece.header("Subject") is not None for piece in pieces] == [True] + [False] * (len(pieces) - 1)


def test_a_receipt_inside_the_company_names_the_colleague() -> None:
    result = MAPPING.from_canonical(
        envelope(_receipt(), sender=sip("bob@corp.example"), recipient=ALICE), ALICE, "", TAKES_RECEIPTS
    )
    assert isinstance(result, Translated)
    (native,) = result.natives
    assert isinstance(native, SipMessage)
    assert native.peer == "sip:bob@corp.example"
