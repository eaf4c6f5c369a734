"""Nothing that another network says becomes a header, a second message or another sender (RFC 3261 7.3, RFC 3862 2.3).

Names, subjects, texts and ids as hostile as they come go through the mapping and out of the endpoint, over UDP: what
is on the wire is one message with the headers that we meant, none is longer than RFC 3428 allows, and all the text
is there.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.model.address import Address, ConversationKey, Identity
from bridge.model.body import Message, Receipt, Stage, TextPart
from bridge.model.capabilities import Capabilities, Support
from bridge.model.envelope import Direction, Envelope, Origin, Translated
from bridge.model.ids import SIP, EventId, NetworkId, RemoteConversationId, RemoteMessageId, RemoteUserId
from mappings.identity import NetworkDomain, SipAddressBook
from mappings.sip import SipMapping
from tests.kit.sip import DOMAIN, Client, make_endpoint
from transports.sip.machine.events import SendFinished
from transports.sip.wire.cpim import CORE, IMDN, parse_cpim
from transports.sip.wire.imdn import parse_imdn
from transports.sip.wire.message import Request, parse_message, respond_bytes, validate_request
from transports.sip.wire.native import SipMessage

AIM = NetworkId("aim")
NOW = 1_700_000_000.0
BOOK = SipAddressBook.of([DOMAIN], [NetworkDomain(domain="aim.example.test", network=AIM, kind="oscar")])
MAPPING = SipMapping(addresses=BOOK, clock=lambda: NOW)
ALICE = Identity(address=Address(network=SIP, user=RemoteUserId(f"alice@{DOMAIN}")))
HEADERS = {
    "Via", "Max-Forwards", "From", "To", "Call-ID", "CSeq", "Subject", "Date", "Content-Language", "Expires",
    "Content-Type", "Content-Length",
}  # fmt: skip
_PIECES = st.sampled_from([
    "\r\nInjected: 1", "\nInjected: 1\n", "\r", "\0", "\x1b[2J", "\u2028Injected: 1", "\u202e", "\ufeff",
    "\x85Injected: 1", '"', "\\", "<sip:ceo@example.test>", ">;tag=x", ";tag=1", ",",
    "\r\n\r\nMESSAGE sip:x SIP/2.0\r\n", "%0d%0aInjected: 1", "=?utf-8?q?=0d=0aInjected:1?=", "\u00e4\u0308",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467", "\ud800", "a", " ", "--b0", "</message-id><x/>", "&#13;&#10;",
    r"\u000d\u000a", "NS: imdn <urn:evil>\r\nimdn.Message-ID: evil", "\x00From: x",
])  # fmt: skip
hostile = st.lists(_PIECES | st.text(max_size=20), max_size=12).map("".join)


def _event(body: Message | Receipt, name: str) -> Envelope:
    friend = Identity(address=Address(network=AIM, user=RemoteUserId("friend")), display_name=name)
    return Envelope(
        id=EventId("018f-1"),
        origin=Origin(network=AIM, account="alicework"),
        conversation=ConversationKey(network=AIM, remote_id=RemoteConversationId("friend")),
        sender=friend,
        recipients=(ALICE,),
        direction=Direction.INBOUND,
        received_at=NOW,
        body=body,
        claimed_at=NOW,
    )


def _on_the_wire(body: Message | Receipt, name: str, *agent: tuple[str, str]) -> list[Request]:
    """What alice's client gets over UDP, one MESSAGE after the other, each answered 200."""
    client = Client(make_endpoint(), "alice")
    client.register(0.0, 3600, *agent)
    room = client.endpoint.max_body(f"alice@{DOMAIN}")
    caps = Capabilities(html=Support.PARTIAL, delivered_receipts=Support.FULL, max_text_bytes=room)
    told = MAPPING.from_canonical(_event(body, name), ALICE, "", caps)
    assert isinstance(told, Translated), told
    requests = []
    for number, native in enumerate(told.natives):
        assert isinstance(native, SipMessage)
        client.endpoint.send_message(native, f"k{number}", 1.0)
        ((_, data),) = client.endpoint.to_send(1.0)
        assert isinstance(data, bytes)
        assert len(data) <= 1300
        request = parse_message(data)
        assert isinstance(request, Request)
        requests.append(request)
        client.endpoint.receive(client.flow, respond_bytes(request, 200, to_tag="t"), 1.0)
    results = [event.result for event in iter(client.endpoint.next_event, None) if isinstance(event, SendFinished)]
    assert [result.failure for result in results] == [None] * len(requests)
    return requests


def _check_head(request: Request) -> None:
    validate_request(request)
    names = [name for name, _ in request.headers]
    assert set(names) <= HEADERS
    assert len(names) == len(set(names))
    assert str(request.from_.uri) == "sip:friend@aim.example.test"
    assert set(dict(request.from_.params)) == {"tag"}
    assert request.to.uri.aor == f"alice@{DOMAIN}"
    head = request.to_bytes().partition(b"\r\n\r\n")[0]
    assert b"\0" not in head
    assert head.count(b"\n") == head.count(b"\r\n") == len(names)


@given(name=hostile, subject=hostile, text=hostile, language=hostile)
def test_a_text(name: str, subject: str, text: str, language: str) -> None:
    part = TextPart(text=text, language=language)
    requests = _on_the_wire(Message(parts=(part,), subject=subject, expires_at=NOW + 5), name)
    for request in requests:
        _check_head(request)
    assert b"".join(request.body for request in requests) == text.encode("utf-8", "replace")


@given(name=hostile, subject=hostile, text=hostile, own_name=hostile)
def test_a_text_that_asks_for_receipts(name: str, subject: str, text: str, own_name: str) -> None:
    body = Message(
        parts=(TextPart(text=text),), subject=subject, message_id=RemoteMessageId(own_name), wants=(Stage.DISPLAYED,)
    )  # fmt: skip
    shown = b""
    for request in _on_the_wire(body, name, ("User-Agent", "Linphone/5.1")):
        _check_head(request)
        assert request.content_type is not None
        if request.content_type.media_type == "message/cpim":
            message = parse_cpim(request.body)
            found = [(one.namespace, one.name) for one in message.headers if one.name != "Subject"]
            core = [(CORE, name) for name in ("From", "To", "DateTime")]
            assert found == [*core, (IMDN, "Message-ID"), (IMDN, "Disposition-Notification")]
            assert message.sender == "sip:friend@aim.example.test"
            assert message.first("Message-ID", IMDN).startswith("018f-1")
            assert len(message.all("Subject")) <= 1
            shown += message.content.body
        else:
            shown += request.body
    assert shown == text.encode("utf-8", "replace")


@given(name=hostile, own_name=hostile.filter(bool))
def test_a_receipt(name: str, own_name: str) -> None:
    receipt = Receipt(target=RemoteMessageId(own_name), stage=Stage.DELIVERED, sent_at=NOW)
    (request,) = _on_the_wire(receipt, name, ("User-Agent", "Linphone/5.1"))
    _check_head(request)
    message = parse_cpim(request.body)
    assert message.sender == "sip:friend@aim.example.test"
    assert message.content.content_type == "message/imdn+xml"
    document = message.content.body
    assert document.count(b"<message-id>") == document.count(b"</message-id>") == 1
    if own_name.isprintable() and own_name.strip():
        assert parse_imdn(document).message_id == own_name.strip()


_GLYPHS = ("\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466", "e\u0301\u0323", "\U0001f1eb\U0001f1f7")


@pytest.mark.parametrize("glyph", _GLYPHS)
def test_a_long_text_is_cut_between_graphemes_over_udp(glyph: str) -> None:
    text = glyph * 500
    requests = _on_the_wire(Message(parts=(TextPart(text=text),)), "Friend")
    assert len(requests) > 1
    assert b"".join(request.body for request in requests).decode() == text
    for request in requests:
        piece = request.body.decode()
        assert piece == glyph * (len(piece) // len(glyph))
