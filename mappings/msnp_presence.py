"""MSN's presence and the model's: contacts as the server tells of them, and ourselves as we are to be shown."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from bridge.model.envelope import Loss
from bridge.model.presence import OFFLINE, Activity, Basic, PersonPresence
from mappings.presence import Lattice
from mappings.text import clean
from transports.msnp.wire import codes
from transports.msnp.wire.native import ContactPresence, OwnPresence

MSN: Final = Lattice(
    name="msn",
    to=MappingProxyType(
        {
            Activity.AVAILABLE: codes.ONLINE,
            Activity.FREE_FOR_CHAT: codes.ONLINE,
            Activity.AWAY: codes.AWAY,
            Activity.EXTENDED_AWAY: codes.AWAY,
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
            codes.ONLINE: Activity.AVAILABLE,
            codes.AWAY: Activity.AWAY,
            codes.IDLE: Activity.AWAY,
            codes.BUSY: Activity.BUSY,
            codes.ON_THE_PHONE: Activity.ON_THE_PHONE,
            codes.OUT_TO_LUNCH: Activity.MEAL,
            codes.BE_RIGHT_BACK: Activity.BE_RIGHT_BACK,
        }
    ),
)


def from_contact(native: ContactPresence, now: float) -> PersonPresence:
    """Returns what a contact's presence means.

    Args:
        native: as the server told it. What is being listened to is the note where there is no other.
        now: seconds since the epoch: an idle contact is idle since about then, for MSN does not say.
    """
    if native.status in {codes.OFFLINE, codes.HIDDEN}:
        return OFFLINE
    note = clean(native.message)[0].strip() or clean(native.media)[0].strip()
    return PersonPresence(
        basic=Basic.OPEN,
        activity=MSN.back.get(native.status, Activity.AVAILABLE),
        note=note,
        idle_since=now if native.status == codes.IDLE else None,
    )


def to_own(
    account: str, presence: PersonPresence, *, absent_as: str = codes.AWAY, notes: bool = True
) -> tuple[OwnPresence, tuple[Loss, ...]]:
    """Returns how an account of ours shows itself for a person's presence.

    Args:
        account: the passport, in normal form.
        presence: of the person.
        absent_as: the status for nobody at home. Who appears offline (HDN) can be written to by nobody, and up to
            MSNP12 can write to nobody.
        notes: whether this version shows words beside the name.
    """
    if presence.basic is Basic.CLOSED or presence.invisible:
        return OwnPresence(account=account, status=absent_as), ()
    if presence.idle_since is not None and presence.activity is Activity.AVAILABLE:
        word, note, losses = codes.IDLE, presence.note, tuple[Loss, ...]()
    else:
        word, note, losses = MSN.word(presence.activity, presence.note)
    said = " ".join(clean(note)[0].split())
    if said and not notes:
        said, losses = "", (*losses, Loss(feature="note", detail="this version of MSN shows none"))
    elif len(said) > codes.MAX_PERSONAL_MESSAGE:
        losses = (*losses, Loss(feature="note", detail=f"cut after {codes.MAX_PERSONAL_MESSAGE} characters"))
        said = said[: codes.MAX_PERSONAL_MESSAGE]
    return OwnPresence(account=account, status=word, message=said), losses
