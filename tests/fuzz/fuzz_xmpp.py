"""Fuzz: any octets as a stanza: refused with the documented error, or values that can be mapped and answered.

The first octet says whether the stream is a component's.
"""

from __future__ import annotations

from bridge.model.envelope import Unmappable
from bridge.model.ids import NetworkId
from mappings.xmpp import XmppMapping
from transports.common.machine.actions import SendDone
from transports.xmpp.machine.config import StreamConfig
from transports.xmpp.machine.stream import StreamMachine
from transports.xmpp.wire.errors import XmppSyntaxError
from transports.xmpp.wire.xml import checked, read, write

ME = "alice@sip.example"
_HEAD = b'<message xmlns="jabber:client" from="romeo@x.example/a" to="alice@sip.example" type="chat" id="1">'
SEEDS: list[bytes] = [
    b"\0" + _HEAD + b'<body xml:lang="de">hi</body><subject>s</subject><thread>t</thread></message>',
    (
        b"\1" + _HEAD + b'<body>hi</body><html xmlns="http://jabber.org/protocol/xhtml-im">'
        b'<body xmlns="http://www.w3.org/1999/xhtml"><strong>hi</strong></body></html></message>'
    ),
    (
        b"\1" + _HEAD + b'<composing xmlns="http://jabber.org/protocol/chatstates"/>'
        b'<received xmlns="urn:xmpp:receipts" id="1"/><replace xmlns="urn:xmpp:message-correct:0" id="0"/></message>'
    ),
    (
        b'\0<message xmlns="jabber:client" from="alice@sip.example"><sent xmlns="urn:xmpp:carbons:2"><forwarded '
        b'xmlns="urn:xmpp:forward:0"><delay xmlns="urn:xmpp:delay" stamp="2026-11-27T12:00:00Z"/><message '
        b'xmlns="jabber:client" to="romeo@x.example"><body>x</body></message></forwarded></sent></message>'
    ),
    (
        b'\1<presence xmlns="jabber:client" from="romeo@x.example/a" to="alice@sip.example"><show>xa</show>'
        b"<status>x</status><priority>-1</priority></presence>"
    ),
    b'\1<presence xmlns="jabber:client" from="romeo@x.example" to="alice@sip.example" type="subscribe"/>',
    (
        b'\1<iq xmlns="jabber:client" type="get" id="1" from="a@b" to="alice@sip.example"><query '
        b'xmlns="http://jabber.org/protocol/disco#info" node="x"/></iq>'
    ),
    (
        b'\0<iq xmlns="jabber:client" type="set" id="1"><query xmlns="jabber:iq:roster"><item jid="a@b" '
        b'subscription="to"/></query></iq>'
    ),
    (
        b'\1<message xmlns="jabber:client" type="error" id="1" from="a@b" to="alice@sip.example"><error type="wait">'
        b'<gone xmlns="urn:ietf:params:xml:ns:xmpp-stanzas"/></error></message>'
    ),
    (
        b'\1<message xmlns="jabber:client" from="r@m" to="alice@sip.example"><x '
        b'xmlns="http://jabber.org/protocol/muc#user"><invite from="a@b"><reason>x</reason></invite></x></message>'
    ),
]


def one(data: bytes) -> None:
    """Reads it, hears it, translates what it says, and writes what is answered so that it can be read."""
    component = bool(data[:1]) and data[0] % 2 == 1
    machine = StreamMachine(StreamConfig(component=component, domain="sip.example"), lambda: "n")
    machine.add(ME, None)
    machine.up(0.0)
    try:
        element = checked(read(data[1:]))
    except XmppSyntaxError:
        return
    machine.receive(element, 1.0)
    mapping = XmppMapping(network=NetworkId("xmpp"), component=component)
    while (event := machine.next_event()) is not None:
        if isinstance(event, SendDone):
            raise AssertionError("nothing was sent")
        drafts = mapping.to_canonical(event)
        if not isinstance(drafts, Unmappable):
            assert all(len(draft.recipients) == 1 for draft in drafts)
    for answer in machine.to_send():
        read(write(answer, "").encode())
