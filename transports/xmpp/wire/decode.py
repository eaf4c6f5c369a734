"""Message and presence stanzas as native values (RFC 6121 sections 4 and 5, and the extensions of `names`).

What a stanza says comes in any combination: one may be a message, a typing notice and a receipt at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from xml.etree.ElementTree import Element

from transports.xmpp.wire import names
from transports.xmpp.wire.jid import bare, resource, sound
from transports.xmpp.wire.native import (
    Consent,
    ConsentReceived,
    Inbound,
    Mark,
    MarkReceived,
    MessageFailed,
    MessageReceived,
    Place,
    RoomInvitation,
    SentElsewhere,
    Show,
    State,
    StateReceived,
    Unreadable,
)
from transports.xmpp.wire.times import read_time
from transports.xmpp.wire.xml import CLIENT, LANG, child, child_text, split, write

MAX_ID: Final = 1024
"""Characters of an id that is kept; a longer one is as if there was none."""
MAX_STATUS: Final = 1000
MAX_RAW: Final = 16_384
_STATES: Final = {state.value: state for state in State}
_CONSENTS: Final = {kind.value: kind for kind in Consent}
_SHOWS: Final = {show.value: show for show in Show}
_LEGACY_DELAY: Final = "jabber:x:delay"


def message(element: Element, account: str) -> tuple[Inbound, ...]:
    """Returns what a message to an account says.

    Args:
        element: the stanza, of the namespace ``jabber:client``.
        account: our own bare JID.
    """
    sender = element.get("from", "") or account
    if not sound(sender):
        return (_unreadable(element, account, "an address that is none"),)
    carbon = _carbon(element, account, sender)
    if carbon is not None:
        return carbon
    return tuple(_message(element, account, sender, carbon=False))


def _carbon(element: Element, account: str, sender: str) -> tuple[Inbound, ...] | None:
    """XEP-0280. Section 11: one that does not come from our own bare address is forged, and is no carbon."""
    for kind in ("received", "sent"):
        wrapped = element.find(f"{{{names.CARBONS}}}{kind}/{{{names.FORWARD}}}forwarded/{{{CLIENT}}}message")
        if wrapped is None:
            continue
        if sender.lower() != account:
            return (_unreadable(element, account, "a carbon copy that our own server did not make"),)
        stamp = _stamp(element.find(f"{{{names.CARBONS}}}{kind}/{{{names.FORWARD}}}forwarded") or element)
        inner = wrapped.get("from", "")
        if kind == "sent":
            text = child_text(wrapped, "body")
            to = wrapped.get("to", "")
            if not text or not sound(to) or wrapped.get("type") == "groupchat":
                return ()
            return (SentElsewhere(account=account, to=to, text=text, id=_id(wrapped.get("id")), stamp=stamp),)
        if not sound(inner):
            return (_unreadable(element, account, "a carbon copy without a sender"),)
        return tuple(_message(wrapped, account, inner, carbon=True))
    return None


def _message(element: Element, account: str, sender: str, *, carbon: bool) -> Iterator[Inbound]:
    kind = element.get("type", "normal")
    if kind == "error":
        yield _failed(element, account, sender)
        return
    invitation = _invitation(element, account, sender)
    if invitation is not None:
        yield invitation
        return
    if kind == "groupchat":
        yield _unreadable(element, account, "a message of a room that we are not in")
        return
    yield from _marks(element, account, sender)
    text = child_text(element, "body")
    if text or child_text(element, "subject"):
        yield _text(element, account, sender, text or "", carbon=carbon)
    if carbon or (text and _stamp(element) is not None):
        return  # what was typed to another client, or long ago
    for name, state in _STATES.items():
        if child(element, names.CHAT_STATES, name) is not None and not (text and state is State.ACTIVE):
            yield StateReceived(account=account, sender=sender, state=state)
            return


def _text(element: Element, account: str, sender: str, text: str, *, carbon: bool) -> MessageReceived:
    html = element.find(f"{{{names.XHTML_IM}}}html/{{{names.XHTML}}}body")
    replaces = child(element, names.CORRECT, "replace")
    return MessageReceived(
        account=account,
        sender=sender,
        text=text,
        html=None if html is None else write(html, names.XHTML),
        id=_id(element.get("id")),
        stable_id=_stable_id(element, account),
        subject=child_text(element, "subject") or None,
        thread=_id(child_text(element, "thread")) or None,
        language=_language(element),
        stamp=_stamp(element),
        replaces=None if replaces is None else _id(replaces.get("id")) or None,
        wants_receipt=child(element, names.RECEIPTS, "request") is not None,
        markable=child(element, names.MARKERS, "markable") is not None,
        carbon=carbon,
    )


def _marks(element: Element, account: str, sender: str) -> Iterator[MarkReceived]:
    for space, mark in (
        (names.RECEIPTS, Mark.RECEIVED),
        (names.MARKERS, Mark.RECEIVED),
        (names.MARKERS, Mark.DISPLAYED),
        (names.MARKERS, Mark.ACKNOWLEDGED),
    ):
        found = child(element, space, mark.value)
        of = "" if found is None else _id(found.get("id"))
        if of:
            yield MarkReceived(account=account, sender=sender, id=of, mark=mark)


def _failed(element: Element, account: str, sender: str) -> MessageFailed:
    condition, kind, text = error(element)
    return MessageFailed(
        account=account, sender=sender, id=_id(element.get("id")), condition=condition, type=kind, text=text
    )


def error(element: Element) -> tuple[str, str, str]:
    """Returns the condition, the type and the text of an error stanza (RFC 6120 section 8.3)."""
    found = child(element, CLIENT, "error")
    condition, text = "undefined-condition", ""
    if found is None:
        return condition, "", ""
    for part in found:
        space, name = split(part.tag)
        if space == names.STANZAS and name == "text":
            text = (part.text or "").strip()[:MAX_STATUS]
        elif space == names.STANZAS:
            condition = name[:64]
    return condition, found.get("type", "")[:16], text


def _invitation(element: Element, account: str, sender: str) -> RoomInvitation | None:
    """XEP-0045 section 7.8.2 (by the room), XEP-0249 (by the person)."""
    invite = element.find(f"{{{names.MUC_USER}}}x/{{{names.MUC_USER}}}invite")
    if invite is not None:
        by = invite.get("from", "")
        if not sound(by):
            by = sender
        reason = invite.findtext(f"{{{names.MUC_USER}}}reason") or ""
        return RoomInvitation(account=account, sender=by, room=bare(sender), reason=reason.strip()[:MAX_STATUS])
    direct = child(element, names.CONFERENCE, "x")
    if direct is None or not sound(direct.get("jid", "")):
        return None
    room = bare(direct.get("jid", ""))
    if child_text(element, "body") and room == bare(sender):
        return None  # the room's own copy of an invitation in the older form, without a name
    return RoomInvitation(
        account=account, sender=sender, room=room, reason=direct.get("reason", "").strip()[:MAX_STATUS], direct=True
    )


def _unreadable(element: Element, account: str, reason: str) -> Unreadable:
    sender = element.get("from", "")
    return Unreadable(
        account=account, sender=sender if sound(sender) else "", reason=reason, raw=write(element)[:MAX_RAW]
    )


def consent(element: Element, account: str) -> ConsentReceived | None:
    """Returns what a presence stanza says of who may see whom; None where it says nothing of that."""
    kind = _CONSENTS.get(element.get("type", ""))
    sender = element.get("from", "")
    if kind is None or not sound(sender):
        return None
    words = (child_text(element, "status") or "").strip()[:MAX_STATUS]
    return ConsentReceived(account=account, sender=sender, kind=kind, words=words)


def place(element: Element) -> Place | None:
    """Returns where and how the sender of a presence stanza is; None for ``unavailable``."""
    if element.get("type") == "unavailable":
        return None
    idle = child(element, names.IDLE, "idle")
    return Place(
        resource=resource(element.get("from", "")),
        show=_SHOWS.get((child_text(element, "show") or "").strip(), Show.NONE),
        status=status(element),
        priority=_priority(child_text(element, "priority")),
        language=_language(element),
        idle_since=None if idle is None else read_time(idle.get("since")),
    )


def status(element: Element) -> str:
    """Returns what a presence stanza says in words."""
    return (child_text(element, "status") or "").strip()[:MAX_STATUS]


def _priority(text: str | None) -> int:
    """RFC 6121 section 4.7.2.3: -128 to 127; anything else is as if it was not there."""
    plain = (text or "").strip()
    if not plain.isascii() or not plain.removeprefix("-").isdigit() or len(plain) > 4:
        return 0
    number = int(plain)
    return number if -128 <= number <= 127 else 0


def _stable_id(element: Element, account: str) -> str:
    """XEP-0359 section 5: only one that our own server vouches for counts."""
    for found in element.findall(f"{{{names.SID}}}stanza-id"):
        if found.get("by", "").lower() == account:
            return _id(found.get("id"))
    return ""


def _stamp(element: Element) -> float | None:
    for space, name in ((names.DELAY, "delay"), (_LEGACY_DELAY, "x")):
        found = child(element, space, name)
        stamp = None if found is None else read_time(found.get("stamp"))
        if stamp is not None:
            return stamp
    return None


def _language(element: Element) -> str | None:
    body = child(element, CLIENT, "body")
    said = (None if body is None else body.get(LANG)) or element.get(LANG)
    return said if said and len(said) <= 35 and said.replace("-", "").isalnum() and said.isascii() else None


def _id(text: str | None) -> str:
    return text if text and len(text) <= MAX_ID and text.isprintable() else ""
