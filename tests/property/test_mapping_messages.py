"""A text that crosses the bridge, by way of the model and both wires, is the text that was written."""

from hypothesis import given
from hypothesis import strategies as st

from bridge.model.address import Address, Identity
from bridge.model.body import Message
from bridge.model.capabilities import Capabilities
from bridge.model.envelope import Direction, Draft, Envelope, Translated, Unmappable
from bridge.model.ids import SIP, EventId, NetworkId, RemoteUserId
from mappings.identity import NetworkDomain, SipAddressBook
from mappings.oscar import OscarMapping
from mappings.sip import SipMapping
from mappings.text import clean
from transports.oscar.wire.native import ImReceived, ImSend
from transports.oscar.wire.text import decode_message, encode_message
from transports.sip.wire.native import SipMessage

AIM = NetworkId("aim")
BOOK = SipAddressBook.of(["corp.example"], [NetworkDomain(domain="aim.corp.example", network=AIM, kind="oscar")])
SIP_SIDE = SipMapping(addresses=BOOK, clock=lambda: 0.0)
AIM_SIDE = OscarMapping(network=AIM, clock=lambda: 0.0)
TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from(" \n\t&<>\"';"), max_size=120)
NAMES = st.sampled_from([("alicework", "theboogyman"), ("123456", "654321"), ("123456", "theboogyman")])


def _sip(text: str) -> SipMessage:
    return SipMessage(
        aor="alice@corp.example",
        peer="sip:theboogyman@aim.corp.example",
        call_id="c",
        cseq=1,
        content_type="text/plain",
        body=text.encode(),
    )


def _draft(result: tuple[Draft, ...] | Unmappable) -> Draft:
    assert isinstance(result, tuple)
    return result[0]


def _envelope(draft: Draft, sender: Identity, recipient: Identity) -> Envelope:
    return Envelope(
        id=EventId("e"),
        origin=draft.origin,
        conversation=draft.conversation,
        sender=sender,
        recipients=(recipient,),
        direction=Direction.OUTBOUND,
        received_at=0.0,
        body=draft.body,
        claimed_at=draft.claimed_at,
        losses=draft.losses,
    )


def _text(draft: Draft) -> str:
    assert isinstance(draft.body, Message)
    return draft.body.text


@given(TEXT, NAMES, st.integers(16, 400))
def test_from_sip_over_oscar_and_back(text: str, names: tuple[str, str], limit: int) -> None:
    account, contact = names
    alice = Identity(address=Address(network=SIP, user=RemoteUserId("alice@corp.example")))
    bob = Identity(address=Address(network=AIM, user=RemoteUserId(contact)))
    draft = _draft(SIP_SIDE.to_canonical(_sip(text)))
    assert draft.losses == ()
    out = AIM_SIDE.from_canonical(_envelope(draft, alice, bob), bob, account, Capabilities(max_text_bytes=limit))
    assert isinstance(out, Translated)
    assert out.losses == ()
    arrived = ""
    for native in out.natives:
        assert isinstance(native, ImSend)
        wire = encode_message(native.text)
        seen = decode_message(wire)
        assert len(native.text.encode("ascii" if native.text.isascii() else "utf-16-be")) <= limit
        received = ImReceived(
            account=contact, sender=account, text=seen.text, is_html=native.is_html, cookie=native.cookie
        )
        back = _draft(AIM_SIDE.to_canonical(received))
        to_sip = SIP_SIDE.from_canonical(_envelope(back, bob, alice), alice, "", Capabilities())
        assert isinstance(to_sip, Translated)
        assert to_sip.losses == ()
        for message in to_sip.natives:
            assert isinstance(message, SipMessage)
            arrived += _text(_draft(SIP_SIDE.to_canonical(_sip(message.body.decode()))))
    assert arrived == text


@given(st.binary(max_size=200), st.sampled_from(["text/plain", "text/html", "message/cpim", "message/imdn+xml", "x"]))
def test_any_body_is_translated_or_refused(body: bytes, content_type: str) -> None:
    native = SipMessage(
        aor="alice@corp.example",
        peer="sip:theboogyman@aim.corp.example",
        call_id="c",
        cseq=1,
        content_type=content_type,
        body=body,
        headers=(("Subject", "s"),),
    )
    result = SIP_SIDE.to_canonical(native)
    if isinstance(result, tuple) and isinstance(result[0].body, Message):
        text = result[0].body.text
        assert clean(text) == (text, False)
    elif isinstance(result, Unmappable):
        assert result.reason


@given(st.text(max_size=40), st.text(max_size=40), st.text(max_size=60))
def test_any_names_are_translated_or_refused(aor: str, peer: str, display: str) -> None:
    native = SipMessage(
        aor=f"{aor}@corp.example",
        peer=f"sip:{peer}@aim.corp.example",
        call_id="c",
        cseq=1,
        content_type="text/plain",
        body=b"x",
        display_name=display,
    )
    result = SIP_SIDE.to_canonical(native)
    if isinstance(result, tuple):
        for who in (result[0].sender, *result[0].recipients):
            assert str(who.address).isprintable()
            assert "\n" not in who.display_name
    received = ImReceived(account="alicework", sender=peer, text=display, is_html=True, cookie=b"x" * 8)
    assert isinstance(AIM_SIDE.to_canonical(received), tuple | Unmappable)
