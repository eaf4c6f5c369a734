"""Namespaces of the extensions that are spoken."""

from __future__ import annotations

from typing import Final

STANZAS: Final = "urn:ietf:params:xml:ns:xmpp-stanzas"
CHAT_STATES: Final = "http://jabber.org/protocol/chatstates"
RECEIPTS: Final = "urn:xmpp:receipts"
MARKERS: Final = "urn:xmpp:chat-markers:0"
CORRECT: Final = "urn:xmpp:message-correct:0"
DELAY: Final = "urn:xmpp:delay"
SID: Final = "urn:xmpp:sid:0"
HINTS: Final = "urn:xmpp:hints"
XHTML_IM: Final = "http://jabber.org/protocol/xhtml-im"
XHTML: Final = "http://www.w3.org/1999/xhtml"
CARBONS: Final = "urn:xmpp:carbons:2"
FORWARD: Final = "urn:xmpp:forward:0"
IDLE: Final = "urn:xmpp:idle:1"
MUC_USER: Final = "http://jabber.org/protocol/muc#user"
CONFERENCE: Final = "jabber:x:conference"
ROSTER: Final = "jabber:iq:roster"
DISCO_INFO: Final = "http://jabber.org/protocol/disco#info"
DISCO_ITEMS: Final = "http://jabber.org/protocol/disco#items"
PING: Final = "urn:xmpp:ping"
VERSION: Final = "jabber:iq:version"
CAPS: Final = "http://jabber.org/protocol/caps"

FEATURES: Final = (
    CAPS, CHAT_STATES, DISCO_INFO, DISCO_ITEMS, XHTML_IM, VERSION, PING, RECEIPTS, MARKERS, CORRECT, IDLE,
)  # fmt: skip
"""What we say that we do (XEP-0030)."""
