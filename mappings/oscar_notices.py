"""What a person is told of events of OSCAR that are no messages: a short text in brackets, from whom it is about."""

from __future__ import annotations

from typing import Final

from attrs import frozen

from bridge.model.body import Authorization, Consent
from mappings.identity import normalise
from mappings.text import clean
from transports.oscar.wire import caps, feedbag
from transports.oscar.wire import native as wire

MAX_QUOTED: Final = 500
"""Characters of the other side's own words that are repeated."""

_PROPOSED: Final = {
    caps.CAP_FILE_TRANSFER: "a file",
    caps.CAP_DIRECT_IM: "a direct connection",
    caps.CAP_CHAT: "a chat room",
}
_EDIT_FAILED: Final = {
    feedbag.LIMIT_EXCEEDED: "the list on the network is full",
    feedbag.ICQ_TO_AIM: "an ICQ list takes no such name",
    feedbag.INVALID: "the network does not take the name",
}


@frozen(kw_only=True)
class Notice:
    """A text for the person behind our account. ``again``: an id by which the same notice, repeated, is known."""

    about: str
    text: str
    again: str | None = None


def notice_of(native: wire.Inbound) -> Notice | None:
    """Returns what to tell a person of an event, None where it concerns the link alone.

    Raises:
        AddressError: the event is about a name that is none.
    """
    if isinstance(native, wire.ImMissed):
        what = "a message" if native.count == 1 else f"{native.count} messages"
        return Notice(about=native.sender, text=f"[{what} to you did not get through: {native.reason}]")
    if isinstance(native, wire.AuthorizationRequest):
        return Notice(about=native.sender, text=f"[asks to put you on their contact list]{_quoted(native.reason)}")
    if isinstance(native, wire.AuthorizationAnswered):
        answer = "lets you see their presence" if native.accepted else "does not let you see their presence"
        return Notice(about=native.sender, text=f"[{answer}]{_quoted(native.reason)}")
    if isinstance(native, wire.YouWereAdded):
        again = f"{normalise('oscar', native.sender)}/added"
        return Notice(about=native.sender, text="[has put you on their contact list]", again=again)
    if isinstance(native, wire.RendezvousDeclined):
        what = _PROPOSED.get(native.capability, "a connection")
        return Notice(about=native.sender, text=f"[proposed {what}; it was declined]{_quoted(native.invitation or '')}")
    if isinstance(native, wire.Warned) and native.by is not None:
        return Notice(about=native.by, text=f"[has warned you: your warning level is {native.level / 10:g} %]")
    if isinstance(native, wire.RosterEditFailed):
        return _edit_failed(native)
    return None


def consent_of(native: wire.Inbound) -> Authorization | None:
    """Returns what an event says of who may see whom; None where it says nothing of it."""
    if isinstance(native, wire.AuthorizationRequest):
        return Authorization(consent=Consent.ASKED, wanted=True, words=clean(native.reason)[0].strip()[:MAX_QUOTED])
    if isinstance(native, wire.AuthorizationAnswered):
        return Authorization(consent=Consent.GRANTED if native.accepted else Consent.REFUSED)
    if isinstance(native, wire.RosterEditFailed) and native.needs_authorization:
        return Authorization(consent=Consent.ASKED)
    return None


def _edit_failed(native: wire.RosterEditFailed) -> Notice:
    name = native.screen_name
    again = f"{normalise('oscar', name)}/list/{native.code}"
    if native.needs_authorization:
        return Notice(about=name, text="[is asked to let you see their presence]", again=again)
    why = _EDIT_FAILED.get(native.code, native.name)
    return Notice(about=name, text=f"[cannot be put on your contact list: {why}]", again=again)


def _quoted(words: str) -> str:
    said = clean(words)[0].strip()
    return f" {said[:MAX_QUOTED]}" if said else ""
