"""Yahoo!'s presence and the model's: contacts as the server tells of them, and ourselves as we are to be shown."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from bridge.model.envelope import Loss
from bridge.model.presence import OFFLINE, Activity, Basic, PersonPresence
from mappings.presence import Lattice
from mappings.text import clean, split, utf8_cost
from transports.ymsg.wire import codes
from transports.ymsg.wire.native import BuddyPresence, OwnPresence
from transports.ymsg.wire.people import MAX_STATUS_BYTES

YAHOO: Final = Lattice(
    name="ymsg",
    to=MappingProxyType(
        {
            Activity.AVAILABLE: codes.AVAILABLE,
            Activity.FREE_FOR_CHAT: codes.AVAILABLE,
            Activity.AWAY: codes.STEPPED_OUT,
            Activity.EXTENDED_AWAY: codes.ON_VACATION,
            Activity.BUSY: codes.BUSY,
            Activity.DO_NOT_DISTURB: codes.BUSY,
            Activity.ON_THE_PHONE: codes.ON_THE_PHONE,
            Activity.MEETING: codes.BUSY,
            Activity.MEAL: codes.OUT_TO_LUNCH,
            Activity.BE_RIGHT_BACK: codes.BE_RIGHT_BACK,
        }
    ),
    back=MappingProxyType(
        {
            codes.AVAILABLE: Activity.AVAILABLE,
            codes.BE_RIGHT_BACK: Activity.BE_RIGHT_BACK,
            codes.BUSY: Activity.BUSY,
            codes.NOT_AT_HOME: Activity.AWAY,
            codes.NOT_AT_DESK: Activity.AWAY,
            codes.NOT_IN_OFFICE: Activity.AWAY,
            codes.ON_THE_PHONE: Activity.ON_THE_PHONE,
            codes.ON_VACATION: Activity.EXTENDED_AWAY,
            codes.OUT_TO_LUNCH: Activity.MEAL,
            codes.STEPPED_OUT: Activity.AWAY,
        }
    ),
)

PLACES: Final[Mapping[int, str]] = MappingProxyType(
    {
        codes.NOT_AT_HOME: "Not at home",
        codes.NOT_AT_DESK: "Not at my desk",
        codes.NOT_IN_OFFICE: "Not in the office",
    }
)
"""What the note says of a status that means more than being away."""
_AVAILABLE: Final = frozenset({Activity.AVAILABLE, Activity.FREE_FOR_CHAT})


def from_buddy(native: BuddyPresence, now: float) -> tuple[PersonPresence, tuple[Loss, ...]]:
    """Returns what a contact's presence means.

    Args:
        native: as the server told it.
        now: seconds since the epoch, what idle seconds count back from.
    """
    if not native.online:
        return OFFLINE, ()
    if native.status == codes.INVISIBLE:
        return PersonPresence(basic=Basic.CLOSED, invisible=True), ()
    note, losses = "", tuple[Loss, ...]()
    if native.status == codes.CUSTOM:
        activity = Activity.AWAY if native.away and not native.idle else Activity.AVAILABLE
        note = clean(native.text)[0].strip()
    elif native.status == codes.IDLE:
        activity = Activity.AVAILABLE
    elif native.status in YAHOO.back:
        activity = YAHOO.back[native.status]
        note = PLACES.get(native.status, "")
    else:
        activity = Activity.AWAY if native.away else Activity.AVAILABLE
        losses = (Loss(feature="presence", detail=f"status {native.status} of the network"),)
    idle = now - (native.idle_seconds or 0) if native.idle else None
    return PersonPresence(basic=Basic.OPEN, activity=activity, note=note, idle_since=idle), losses


def to_own(account: str, presence: PersonPresence) -> tuple[OwnPresence, tuple[Loss, ...]]:
    """Returns how an account of ours shows itself for a person's presence.

    Nobody at home is shown as invisible: the account stays signed on, so that messages still arrive.

    Args:
        account: the Yahoo! ID, in normal form.
        presence: of the person.
    """
    if presence.basic is Basic.CLOSED or presence.invisible:
        return OwnPresence(account=account, status=codes.INVISIBLE), ()
    idle = presence.idle_since is not None
    said, losses = _fitting(presence.note)
    if said:
        return _custom(account, presence.activity, said, losses, idle=idle)
    status, _, lost = YAHOO.word(presence.activity, "")
    losses += lost
    if idle and status == codes.AVAILABLE:
        return OwnPresence(account=account, status=codes.IDLE, idle=True), losses
    if idle:
        losses += (Loss(feature="idle", detail="told of who is available alone"),)
    return OwnPresence(account=account, status=status, away=status != codes.AVAILABLE), losses


def _custom(
    account: str, activity: Activity, said: str, losses: tuple[Loss, ...], *, idle: bool
) -> tuple[OwnPresence, tuple[Loss, ...]]:
    """A text has a status of its own, which is available, away or idle and nothing else."""
    away = activity not in _AVAILABLE
    if activity not in {Activity.AVAILABLE, Activity.AWAY}:
        told = Activity.AWAY if away else Activity.AVAILABLE
        losses += (Loss(feature="presence", detail=f"{activity.value} is told as {told.value}"),)
    if idle and away:
        losses += (Loss(feature="idle", detail="told of who is available alone"),)
        idle = False
    return OwnPresence(account=account, status=codes.CUSTOM, text=said, away=away or idle, idle=idle), losses


def _fitting(note: str) -> tuple[str, tuple[Loss, ...]]:
    """A note as far as a status has room for it, on one line, never cut inside a grapheme."""
    said = " ".join(clean(note)[0].split())
    if utf8_cost(said) <= MAX_STATUS_BYTES:
        return said, ()
    kept = split(said, MAX_STATUS_BYTES)[0].rstrip()
    return kept, (Loss(feature="note", detail=f"cut after {MAX_STATUS_BYTES} bytes"),)
