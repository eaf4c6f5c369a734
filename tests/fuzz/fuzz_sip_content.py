"""Any octets as the body of a MESSAGE, of each kind that is taken: drafts that can be sent on, or a refusal.

The first octet picks the Content-Type, the second the Content-Encoding, the rest is the body.
"""

import zlib

from attrs import evolve

from bridge.model.body import Message, Receipt, Typing
from bridge.model.capabilities import Capabilities, Support
from bridge.model.envelope import Direction, Envelope, Translated, Unmappable
from bridge.model.ids import EventId, NetworkId
from mappings.identity import NetworkDomain, SipAddressBook
from mappings.sip import SipMapping
from transports.sip.wire.cpim import parse_cpim
from transports.sip.wire.imdn import parse_imdn
from transports.sip.wire.native import SipMessage, SipNative

AIM = NetworkId("aim")
MAPPING = SipMapping(
    addresses=SipAddressBook.of(
        ["corp.example"], [NetworkDomain(domain="aim.corp.example", network=AIM, kind="oscar")]
    ),
    clock=lambda: 1_700_000_000.0,
)
CAPS = Capabilities(
    html=Support.PARTIAL, typing=Support.FULL, delivered_receipts=Support.FULL, max_text_bytes=600
)  # fmt: skip
TYPES = (
    "text/plain", "text/html", "message/cpim", "message/imdn+xml", "application/im-iscomposing+xml",
    "multipart/mixed;boundary=b", "multipart/alternative;boundary=b", 'multipart/related;boundary=b;start="<r@x>"',
)  # fmt: skip
CODINGS = ("", "deflate", "gzip", "identity")
_CPIM = (
    b"From: <sip:alice@corp.example>\r\nNS: imdn <urn:ietf:params:imdn>\r\nDateTime: 2026-11-27T12:00:00Z\r\n"
    b"Subject:;lang=fr a\\u0041\\nb\r\nimdn.Message-ID: 1\r\nimdn.IMDN-Record-Route: <sip:x@y>\r\n"
    b"imdn.Disposition-Notification: positive-delivery, display\r\n\r\nContent-Type: text/html\r\n\r\n<b>x</b>"
)
_IMDN = (
    b'<imdn xmlns="urn:ietf:params:xml:ns:imdn"><message-id>1</message-id><datetime>2026-11-27T12:00:00Z</datetime>'
    b"<delivery-notification><status><delivered/></status></delivery-notification></imdn>"
)
_PARTS = (
    b"--b\r\nContent-Type: text/plain; charset=koi8-r\r\nContent-Transfer-Encoding: base64\r\n\r\naGk=\r\n--b\r\n"
    b"Content-Type: text/html\r\nContent-ID: <r@x>\r\n\r\n<i>x\r\n--b\r\nContent-Type: image/png\r\n"
    b'Content-Disposition: attachment;handling=optional;filename="a"\r\n\r\n\x89\r\n--b\r\n'
    b"Content-Type: message/cpim\r\n\r\n" + _CPIM + b"\r\n--b--\r\n"
)
SEEDS: list[bytes] = [
    b"\0\0hello",
    b"\1\0<b>a</b>",
    b"\2\0" + _CPIM,
    b"\3\0" + _IMDN,
    b"\3\1" + zlib.compress(_IMDN),
    b"\4\0<isComposing><state>gone</state></isComposing>",
    b"\5\0" + _PARTS,
    b"\6\0" + _PARTS,
    b"\7\0" + _PARTS,
]


def one(data: bytes) -> None:
    """Reads a body; writes what it says to a colleague, whose client reads that again."""
    kind, coding = (data[0] % len(TYPES), data[1] % len(CODINGS)) if len(data) > 1 else (0, 0)
    native = SipMessage(
        aor="alice@corp.example", peer="sip:bob@corp.example", call_id="c", cseq=1, content_type=TYPES[kind],
        body=data[2:], headers=(("Content-Encoding", CODINGS[coding]),),
    )  # fmt: skip
    drafts = MAPPING.to_canonical(native)
    if isinstance(drafts, Unmappable):
        assert drafts.reason.isprintable(), drafts
        return
    assert drafts
    for draft in drafts:
        assert isinstance(draft.body, Message | Receipt | Typing)
        event = Envelope(
            id=EventId("018f-1"), origin=draft.origin, conversation=draft.conversation, sender=draft.sender,
            recipients=draft.recipients, direction=Direction.INTERNAL, received_at=1_700_000_000.0, body=draft.body,
            claimed_at=draft.claimed_at, losses=draft.losses,
        )  # fmt: skip
        told = MAPPING.from_canonical(event, draft.recipients[0], "", CAPS)
        if isinstance(told, Unmappable):
            assert isinstance(draft.body, Receipt), told
            continue
        _check(told, draft.body)


def _check(told: Translated[SipNative], body: object) -> None:
    texts = []
    for native in told.natives:
        if not isinstance(native, SipMessage):
            continue
        forms = [(native.content_type, native.body), *((form.content_type, form.body) for form in native.others)]
        for content_type, octets in forms:
            if content_type == "message/cpim":
                message = parse_cpim(octets)
                assert message.sender == "sip:alice@corp.example"
                assert message.content.body == forms[-1][1]
        if isinstance(body, Receipt):
            assert parse_imdn(forms[-1][1]).message_id == body.target
        texts.append(forms[-1][1].decode())
    if isinstance(body, Message) and len(body.parts) == 1 and getattr(body.parts[0], "html", None) is None:
        assert "".join(texts) == evolve(body).text
