"""What others ask us (RFC 6120 section 8.2.3), and the list of contacts that our server keeps (RFC 6121 section 2)."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree.ElementTree import Element

from transports.xmpp.wire import encode, names
from transports.xmpp.wire.caps import DOMAIN, NODES, PERSON
from transports.xmpp.wire.jid import sound
from transports.xmpp.wire.xml import add, make


def answer_query(element: Element, *, known: bool) -> Element:
    """Returns the answer to an IQ of type ``get`` or ``set``.

    Args:
        element: the question.
        known: whether it is for somebody who is here.
    """
    if element.get("type") == "get" and known:
        if element.find(f"{{{names.PING}}}ping") is not None:
            return encode.answer(element)
        asked = element.find(f"{{{names.DISCO_INFO}}}query")
        if asked is not None:
            return _info(element, asked)
        if element.find(f"{{{names.DISCO_ITEMS}}}query") is not None:
            reply = encode.answer(element)
            add(reply, names.DISCO_ITEMS, "query")
            return reply
        if element.find(f"{{{names.VERSION}}}query") is not None:
            reply = encode.answer(element)
            add(add(reply, names.VERSION, "query"), names.VERSION, "name", "simplebridge")
            return reply
    return encode.refusal(element)


def _info(element: Element, asked: Element) -> Element:
    """XEP-0030 section 3, and XEP-0115 section 6.2: what is asked about a fingerprint is asked of its node."""
    node = asked.get("node", "")
    person = "@" in element.get("to", "")
    if node not in (NODES if person else {""}):
        return encode.refusal(element, "item-not-found")
    reply = encode.answer(element)
    query = make(names.DISCO_INFO, "query", node=node)
    reply.append(query)
    identity = PERSON if person else DOMAIN
    query.append(Element(f"{{{names.DISCO_INFO}}}identity", identity._asdict()))
    for feature in names.FEATURES:
        add(query, names.DISCO_INFO, "feature", var=feature)
    return reply


def roster_of(element: Element, most: int) -> Iterator[tuple[str, str, bool]]:
    """Yields the contacts of a list or a change of it: address, subscription, and whether they have been asked."""
    found = element.findall(f"{{{names.ROSTER}}}query/{{{names.ROSTER}}}item")
    for item in found[:most]:
        contact = item.get("jid", "")
        if sound(contact):
            yield contact, item.get("subscription", "none"), item.get("ask") == "subscribe"
