"""What a person is told of events of Yahoo! that are no messages: a short text in brackets, from whom it is about."""

from __future__ import annotations

from typing import Final

from attrs import frozen

from bridge.model.body import Authorization, Consent
from mappings.identity import normalise
from mappings.richtext import to_plain
from mappings.text import clean
from mappings.ymsg_text import from_yahoo
from transports.ymsg.wire import native as wire

MAX_QUOTED: Final = 500
"""Characters of the other side's own words that are repeated."""
MAX_NAMED: Final = 10
"""Members of a conference that are named."""


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
    if isinstance(native, wire.Buzzed):
        return Notice(about=native.sender, text="[buzz]")
    if isinstance(native, wire.ImRefused) and native.to is not None:
        return Notice(about=native.to, text="[the network did not send a message to them]")
    if isinstance(native, wire.ContactRequest):
        asks = "asks to put you on their contact list" if native.asks else "has put you on their contact list"
        return Notice(about=native.sender, text=f"[{asks}]{_quoted(native.reason)}")
    if isinstance(native, wire.ContactAnswered):
        answer = "lets you see their presence" if native.accepted else "does not let you see their presence"
        return Notice(about=native.sender, text=f"[{answer}]{_quoted(native.reason)}")
    if isinstance(native, wire.ConferenceDeclined):
        return Notice(about=native.sender, text=_conference(native))
    if isinstance(native, wire.FileDeclined):
        return Notice(about=native.sender, text=_file(native))
    if isinstance(native, wire.InvitationIgnored):
        return Notice(about=native.sender, text=f"[invited you to {native.what}; it was declined]")
    if isinstance(native, wire.RosterEditFailed):
        again = f"{normalise('ymsg', native.name)}/list/{native.code}"
        return Notice(about=native.name, text=f"[cannot be put on your contact list: {native.reason}]", again=again)
    return None


def consent_of(native: wire.Inbound) -> Authorization | None:
    """Returns what an event says of who may see whom; None where it says nothing of it."""
    if isinstance(native, wire.ContactRequest):
        return Authorization(consent=Consent.ASKED, wanted=True, words=_plain(native.reason)[:MAX_QUOTED])
    if isinstance(native, wire.ContactAnswered):
        return Authorization(consent=Consent.GRANTED if native.accepted else Consent.REFUSED)
    return None


def _conference(native: wire.ConferenceDeclined) -> str:
    if native.joined:
        return "[put you into a conference; it was left]"
    others = [name for name in native.members if name][:MAX_NAMED]
    with_whom = f" with {_plain(', '.join(others))[:MAX_QUOTED]}" if others else ""
    more = " and others" if len(native.members) > MAX_NAMED else ""
    return f"[invited you to a conference{with_whom}{more}; it was declined]{_quoted(native.text)}"


def _file(native: wire.FileDeclined) -> str:
    name = _plain(native.name)[:MAX_QUOTED]
    what = f"the file “{name}”" if name else "a file"
    size = f" ({native.size} bytes)" if native.size else ""
    end = "it was declined" if native.told else "it was not taken, and they were not told"
    return f"[offered {what}{size}; {end}]{_quoted(native.text)}"


def _quoted(words: str) -> str:
    said = _plain(words)
    return f" {said[:MAX_QUOTED]}" if said else ""


def _plain(words: str) -> str:
    return clean(to_plain(from_yahoo(words)))[0].strip()
