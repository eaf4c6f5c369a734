"""OSCAR's presence and the model's: buddies as the server tells of them, and ourselves as we are to be shown."""

from __future__ import annotations

from attrs import frozen

from bridge.model.envelope import Loss
from bridge.model.presence import OFFLINE, Activity, Basic, PersonPresence
from mappings.identity import is_uin, normalise
from mappings.presence import AIM, ICQ, icq_activity
from mappings.richtext import escape, from_html, to_plain
from mappings.text import clean
from transports.oscar.wire.codes import ICQ_AWAY
from transports.oscar.wire.native import Availability, BuddyPresence, OwnPresence

_MINUTE = 60


@frozen
class _Shown:
    """What a network is told: state, ICQ's status, a note, and what is lost."""

    state: Availability
    status: int
    note: str
    losses: tuple[Loss, ...]


def from_buddy(native: BuddyPresence, now: float) -> tuple[PersonPresence, tuple[Loss, ...]]:
    """Returns what a buddy's presence means.

    Args:
        native: as the server told it; of an ICQ number the status bits count, of a screen name the away flag.
        now: seconds since the epoch, what its idle minutes count back from.
    """
    if native.invisible:
        return PersonPresence(basic=Basic.CLOSED, invisible=True), ()
    if not native.online:
        return OFFLINE, ()
    uin = is_uin(normalise("oscar", native.screen_name))
    activity = icq_activity(native.icq_status) if uin else Activity.AVAILABLE
    if activity is Activity.AVAILABLE and (native.away or native.icq_status & ICQ_AWAY):
        activity = Activity.AWAY
    note, losses = "", tuple[Loss, ...]()
    raw = native.away_message if native.away_message and activity is not Activity.AVAILABLE else native.status_text
    if raw:
        if uin or raw is native.status_text:
            note = clean(raw)[0]
        else:
            rich = from_html(raw)
            note, losses = to_plain(rich), rich.losses
    idle = now - native.idle_minutes * _MINUTE if native.idle_minutes > 0 else None
    return PersonPresence(basic=Basic.OPEN, activity=activity, note=note, idle_since=idle), losses


def to_own(account: str, presence: PersonPresence, now: float) -> tuple[OwnPresence, tuple[Loss, ...]]:
    """Returns how an account of ours shows itself for a person's presence.

    Nobody at home is shown as invisible: the account stays signed on, so that messages still arrive.

    Args:
        account: the screen name, in normal form; an ICQ number is told ICQ's status too.
        presence: of the person.
        now: seconds since the epoch, what its idle time counts from.
    """
    if presence.basic is Basic.CLOSED or presence.invisible:
        return OwnPresence(account=account, state=Availability.INVISIBLE), ()
    shown = _shown(presence, uin=is_uin(account))
    idle = 0 if presence.idle_since is None else max(0, int((now - presence.idle_since) // _MINUTE) * _MINUTE)
    message = None
    if shown.state is Availability.AWAY:
        message = shown.note if is_uin(account) else _references(escape(shown.note))
    own = OwnPresence(
        account=account, state=shown.state, away_message=message, idle_seconds=idle, icq_status=shown.status
    )
    return own, shown.losses


def _references(html: str) -> str:
    """Returns HTML in ASCII, where a reader makes the same of it.

    Open OSCAR Server calls every away message US-ASCII, and libpurple then shows no other.
    """
    ascii_html = html.encode("ascii", "xmlcharrefreplace").decode("ascii")
    return ascii_html if to_plain(from_html(ascii_html)) == to_plain(from_html(html)) else html


def _shown(presence: PersonPresence, *, uin: bool) -> _Shown:
    losses: tuple[Loss, ...]
    said = clean(presence.note)[0]
    if uin:
        status, note, losses = ICQ.word(presence.activity, said)
        away = bool(status & ICQ_AWAY)
    else:
        word, note, losses = AIM.word(presence.activity, said)
        status, away = 0, word == "away"
    if away:
        return _Shown(Availability.AWAY, status, note or "Away", losses)
    if said:
        losses = (*losses, Loss(feature="note", detail="shown only while away"))
    return _Shown(Availability.ONLINE, status, "", losses)
