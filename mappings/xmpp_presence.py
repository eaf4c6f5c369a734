"""XMPP's presence and the model's (RFC 8048 section 6): contacts with their resources, and ourselves."""

from __future__ import annotations

from typing import Final

from bridge.model.envelope import Loss
from bridge.model.presence import OFFLINE, Activity, Basic, Device, PersonPresence
from mappings.presence import XMPP
from mappings.text import clean
from transports.xmpp.wire.native import ContactPresence, OwnPresence, Place, Show

DEVICE: Final = "ID-"
"""What a resource becomes the id of a PIDF tuple with (RFC 8048 section 6.1)."""
_HIGHEST: Final = 127


def priority(number: int) -> float | None:
    """Returns a resource's priority as PIDF has it, rounded down to thousandths; None below 0, which is not mapped."""
    return None if number < 0 else (1000 * number // _HIGHEST) / 1000


def resource_priority(value: float | None) -> int:
    """Returns the priority of a resource that PIDF gives so; the inverse of `priority` for all of its values."""
    if value is None:
        return 0
    thousandths = round(min(1.0, max(0.0, value)) * 1000)
    return -(-_HIGHEST * thousandths // 1000)


def from_contact(native: ContactPresence) -> PersonPresence:
    """Returns what a contact's presence means: as the resource says where messages go, with all of them as devices."""
    if not native.places:
        note = clean(native.status)[0]
        return OFFLINE if not note else PersonPresence(basic=Basic.CLOSED, note=note)
    first = native.places[0]
    return PersonPresence(
        basic=Basic.OPEN,
        activity=XMPP.back[first.show],
        note=clean(first.status)[0],
        idle_since=first.idle_since,
        devices=tuple(_device(place) for place in native.places),
    )


def _device(place: Place) -> Device:
    return Device(
        id=DEVICE + clean(place.resource)[0],
        basic=Basic.OPEN,
        activity=XMPP.back[place.show],
        note=clean(place.status)[0],
        priority=priority(place.priority),
        idle_since=place.idle_since,
    )


def to_own(account: str, presence: PersonPresence, *, always_there: bool) -> tuple[OwnPresence, tuple[Loss, ...]]:
    """Returns how an account of ours shows itself for a person's presence.

    Args:
        account: our bare JID.
        presence: of the person.
        always_there: an account of a server takes messages only while it shows itself: where nobody is at home, or
            policy shows nothing, it is long away and says nothing more. A component takes them always.
    """
    if presence.basic is Basic.CLOSED or presence.invisible:
        place = Place(resource="", show=Show.XA) if always_there else None
        lost = Loss(feature="presence", detail="offline is told as extended-away")
        return OwnPresence(account=account, place=place), (lost,) if always_there else ()
    show, note, losses = XMPP.word(presence.activity, clean(presence.note)[0])
    idle = None if presence.activity is Activity.AVAILABLE else presence.idle_since
    return OwnPresence(account=account, place=Place(resource="", show=show, status=note, idle_since=idle)), losses
