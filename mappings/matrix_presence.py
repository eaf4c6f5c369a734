"""Matrix's presence and the model's (Client-Server API, "Presence"): three words, and a line of text."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from bridge.model.envelope import Loss
from bridge.model.presence import OFFLINE, Activity, Basic, PersonPresence
from mappings.presence import Lattice
from mappings.text import clean
from transports.matrix.wire.native import OwnPresence, PresenceReceived

MAX_STATUS: Final = 512
MATRIX: Final = Lattice(
    name="matrix",
    to=MappingProxyType(
        {
            Activity.AVAILABLE: "online",
            Activity.FREE_FOR_CHAT: "online",
            Activity.AWAY: "unavailable",
            Activity.EXTENDED_AWAY: "unavailable",
            Activity.BUSY: "unavailable",
            Activity.DO_NOT_DISTURB: "unavailable",
            Activity.ON_THE_PHONE: "unavailable",
            Activity.MEETING: "unavailable",
            Activity.MEAL: "unavailable",
            Activity.BE_RIGHT_BACK: "unavailable",
        }
    ),
    back=MappingProxyType({"online": Activity.AVAILABLE, "unavailable": Activity.AWAY}),
)


def from_seen(native: PresenceReceived, now: float) -> PersonPresence:
    """Returns what somebody's presence means.

    Args:
        native: as the homeserver told it; some tell ``busy`` (MSC3026).
        now: seconds since the epoch, what the last activity counts back from.
    """
    if native.presence == "offline":
        return OFFLINE
    activity = Activity.BUSY if native.presence == "busy" else MATRIX.back[native.presence]
    idle = None
    if native.presence == "unavailable" and native.last_active_ago is not None:
        idle = now - native.last_active_ago / 1000
    note = " ".join(clean(native.status_msg)[0].split())[:MAX_STATUS]
    return PersonPresence(basic=Basic.OPEN, activity=activity, note=note, idle_since=idle)


def to_own(account: str, presence: PersonPresence) -> tuple[OwnPresence, tuple[Loss, ...]]:
    """Returns how a ghost shows itself for a person's presence."""
    if presence.basic is Basic.CLOSED or presence.invisible:
        return OwnPresence(account=account, presence="offline"), ()
    note = " ".join(clean(presence.note)[0].split())[:MAX_STATUS]
    word, status, losses = MATRIX.word(presence.activity, note)
    return OwnPresence(account=account, presence=word, status_msg=status), losses
