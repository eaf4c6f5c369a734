"""Native values as stanzas. Each is of the namespace ``jabber:client``; a component's stream has another default."""

from __future__ import annotations

from xml.etree.ElementTree import Element

from transports.xmpp.wire import names
from transports.xmpp.wire.caps import add_caps
from transports.xmpp.wire.errors import XmppSyntaxError
from transports.xmpp.wire.native import FailureSend, Mark, MarkSend, MessageSend, Place, Show, State, StateSend
from transports.xmpp.wire.times import write_time
from transports.xmpp.wire.xml import CLIENT, LANG, add, make, read


def message(native: MessageSend) -> Element:
    """Returns a chat message (RFC 6121 section 5.2) that says that it is active (XEP-0085)."""
    element = make(CLIENT, "message", **{"from": native.account, "to": native.to, "id": native.id, "type": "chat"})
    if native.language:
        element.set(LANG, native.language)
    if native.subject:
        add(element, CLIENT, "subject", native.subject)
    add(element, CLIENT, "body", native.text)
    if native.thread:
        add(element, CLIENT, "thread", native.thread)
    if native.html is not None:
        _xhtml(element, native.html)
    if native.replaces:
        add(element, names.CORRECT, "replace", id=native.replaces)
    add(element, names.SID, "origin-id", id=native.id)
    add(element, names.CHAT_STATES, State.ACTIVE.value)
    if native.wants_receipt:
        add(element, names.RECEIPTS, "request")
    if native.markable:
        add(element, names.MARKERS, "markable")
    return element


def _xhtml(element: Element, html: str) -> None:
    """Adds the rich form, where it is well-formed: the plain one stands for itself."""
    try:
        body = read(f'<body xmlns="{names.XHTML}">{html}</body>'.encode())
    except XmppSyntaxError:
        return
    add(element, names.XHTML_IM, "html").append(body)


def state(native: StateSend) -> Element:
    """Returns a typing notice that stands for itself (XEP-0085 section 5.1), which nobody is to keep (XEP-0334)."""
    element = make(CLIENT, "message", **{"from": native.account, "to": native.to, "type": "chat"})
    add(element, names.CHAT_STATES, native.state.value)
    add(element, names.HINTS, "no-store")
    return element


def mark(native: MarkSend, ref: str) -> Element:
    """Returns word of what became of a message: XEP-0184's receipt, or XEP-0333's marker."""
    element = make(CLIENT, "message", **{"from": native.account, "to": native.to, "id": ref, "type": "chat"})
    space = names.RECEIPTS if native.mark is Mark.RECEIVED else names.MARKERS
    add(element, space, native.mark.value, id=native.id)
    add(element, names.HINTS, "store")
    return element


def failure(native: FailureSend) -> Element:
    """Returns a message as an error to who sent it (RFC 6120 section 8.3)."""
    attributes = {"from": native.account, "to": native.to, "id": native.id, "type": "error"}
    element = make(CLIENT, "message", **attributes)
    _error(element, native.condition, native.type, native.text)
    return element


def _error(element: Element, condition: str, kind: str, text: str = "") -> None:
    error = add(element, CLIENT, "error", type=kind)
    add(error, names.STANZAS, condition)
    if text:
        add(error, names.STANZAS, "text", text).set(LANG, "en")


def refusal(asked: Element, condition: str = "service-unavailable", kind: str = "cancel") -> Element:
    """Returns the error that answers a stanza."""
    element = answer(asked, "error")
    _error(element, condition, kind)
    return element


def answer(asked: Element, kind: str = "result") -> Element:
    """Returns the empty answer to a stanza: from whom it was for, to whom it is from, of the same name and id."""
    name = asked.tag.rpartition("}")[2]
    attributes = {"from": asked.get("to", ""), "to": asked.get("from", ""), "id": asked.get("id", ""), "type": kind}
    return make(CLIENT, name, **attributes)


def presence(account: str, to: str, shown: Place | None) -> Element:
    """Returns how an account is, for one or (``to`` empty) for all who may see it."""
    kind = "unavailable" if shown is None else ""
    element = make(CLIENT, "presence", **{"from": account, "to": to, "type": kind})
    if shown is None:
        return element
    if shown.show is not Show.NONE:
        add(element, CLIENT, "show", shown.show.value)
    if shown.status:
        add(element, CLIENT, "status", shown.status)
    if shown.priority:
        add(element, CLIENT, "priority", str(shown.priority))
    if shown.idle_since is not None:
        add(element, names.IDLE, "idle", since=write_time(shown.idle_since))
    add_caps(element)
    return element


def plain_presence(account: str, to: str, kind: str) -> Element:
    """Returns a presence stanza of a type alone (RFC 6121 section 3): a subscription, or a probe."""
    return make(CLIENT, "presence", **{"from": account, "to": to, "type": kind})


def query(account: str, to: str, ref: str, kind: str, payload: Element) -> Element:
    """Returns an IQ."""
    element = make(CLIENT, "iq", **{"from": account, "to": to, "id": ref, "type": kind})
    element.append(payload)
    return element


def decline(account: str, room: str, by: str) -> Element:
    """Returns the answer to a room's invitation (XEP-0045 section 7.8.2)."""
    element = make(CLIENT, "message", **{"from": account, "to": room})
    add(add(element, names.MUC_USER, "x"), names.MUC_USER, "decline", to=by)
    return element
