"""Presence documents and the model's presence (RFC 3863, RFC 4480, RFC 8048)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final

from attrs import evolve

from bridge.model.envelope import Loss
from bridge.model.presence import Activity, Basic, Device, PersonPresence
from mappings.content import ContentError
from mappings.presence import RPID, rpid_activity
from mappings.text import clean
from transports.sip.wire.errors import SipSyntaxError
from transports.sip.wire.pidf import Note, Person, Pidf, PidfTuple, build_pidf, parse_pidf

MAX_NOTE: Final = 1024
MAX_DEVICES: Final = 32
MAX_WORDS: Final = 8
MAX_WORD: Final = 100
_PERSON_ID: Final = "p1"
_NO_XML: Final = {0xFFFE: None, 0xFFFF: None}

SHOWS: Final[Mapping[Activity, str]] = MappingProxyType(
    {
        Activity.FREE_FOR_CHAT: "chat",
        Activity.EXTENDED_AWAY: "xa",
        Activity.DO_NOT_DISTURB: "dnd",
    }
)
"""What RPID has no element for is told by the <show/> that RFC 8048 embeds, and by the note to who reads no show."""

_ACTIVITY_OF_SHOW: Final[Mapping[str, Activity]] = MappingProxyType(
    {
        "away": Activity.AWAY,
        **{show: activity for activity, show in SHOWS.items()},
    }
)


def to_pidf(presence: PersonPresence, target: str) -> tuple[bytes, tuple[Loss, ...]]:
    """Returns the presence document of a person, and what it cannot say.

    Who hides is closed, and nothing else is told of them: neither devices nor a note.

    Args:
        presence: what a watcher is to see.
        target: the URI of the person, as this watcher knows it.
    """
    if presence.invisible:
        presence = PersonPresence(basic=Basic.CLOSED)
    activity, note, losses = _told(presence.activity, presence.note)
    last_input = _timestamp(presence.idle_since) if presence.basic is Basic.OPEN else None
    if presence.idle_since is not None and last_input is None:
        losses = (*losses, Loss(feature="idle", detail="the document does not say since when"))
    devices = presence.devices if presence.basic is Basic.OPEN else ()
    if not any(device.basic is Basic.OPEN for device in devices):
        devices = ()  # or a reader, who finds no open tuple, would hold an open person for closed
    if len(devices) > MAX_DEVICES:
        losses = (*losses, Loss(feature="devices", detail=f"{len(devices)} devices, of which {MAX_DEVICES} are told"))
    if len(devices) <= 1:
        # where there is one tuple it says what the person's presence is: many clients read nothing else
        only = devices[0] if devices else Device(id="t1", basic=presence.basic)
        devices = (evolve(only, basic=presence.basic, activity=presence.activity, note=presence.note),)
    document = Pidf(
        entity=target,
        tuples=_tuples(devices[:MAX_DEVICES], target, activity),
        person=Person(
            id=_PERSON_ID,
            activities=_elements(activity),
            notes=_notes(note),
            timestamp=_timestamp(presence.since),
            last_input=last_input,
            **_rich(presence if presence.basic is Basic.OPEN else PersonPresence(basic=Basic.CLOSED)),
        ),
    )
    return build_pidf(document), losses


def from_pidf(data: bytes, now: float) -> tuple[PersonPresence, tuple[Loss, ...]]:
    """Returns what a presence document says.

    An explicit <show/> counts most, then the activities (the person's; the tuples' where no person is described), then
    basic (RFC 8048, and this project's table for RPID).

    Args:
        data: the document.
        now: seconds since the epoch; a state cannot have begun later, and one that is over is not told.

    Raises:
        ContentError: it is no presence document.
    """
    try:
        document = parse_pidf(data, now=now)
    except SipSyntaxError as error:
        raise ContentError("presence", error.reason) from error
    person = document.person
    activity, text = rpid_activity(document.activities if person is None else person.activities)
    show = next((item.show for item in document.tuples if item.show is not None), None)
    if show is not None:
        activity, text = _ACTIVITY_OF_SHOW[show], ""
    if person is not None and person.other:
        text = text or person.other
    losses = (Loss(feature="presence", detail=f"the activity {text[:80]!a} is told as a note"),) if text else ()
    since = _moment(person.timestamp) if person is not None else None
    idle = _moment(person.last_input) if person is not None else None
    return PersonPresence(
        basic=Basic(document.basic),
        activity=activity,
        note=_note(_first_note(document) or text),
        idle_since=None if idle is None else min(idle, now),
        since=None if since is None else min(since, now),
        devices=tuple(_device(item, now) for item in document.tuples[:MAX_DEVICES]),
        moods=() if person is None else tuple(_note(word) for word in person.moods),
        places=() if person is None else tuple(_note(word) for word in person.places),
        sphere="" if person is None or person.sphere is None else _note(person.sphere),
        time_offset=None if person is None else person.time_offset,
    ), losses


def _rich(presence: PersonPresence) -> dict[str, Any]:
    """What of RPID is no activity. A word of one's own is bounded and cleaned as a note is."""
    return {
        "moods": tuple(word for mood in presence.moods[:MAX_WORDS] if (word := _note(mood)[:MAX_WORD])),
        "places": tuple(word for place in presence.places[:MAX_WORDS] if (word := _note(place)[:MAX_WORD])),
        "sphere": _note(presence.sphere)[:MAX_WORD] or None,
        "time_offset": presence.time_offset,
    }


def _first_note(document: Pidf) -> str:
    if document.person is not None and document.person.notes:
        return document.person.notes[0].text
    single = len(document.tuples) == 1 or document.person is None
    return (document.first_note or "") if single else next((note.text for note in document.notes), "")


def _told(activity: Activity, note: str) -> tuple[Activity, str, tuple[Loss, ...]]:
    """What a document says of an activity: none is lost that a <show/> carries, but the note is for all readers."""
    _, told, losses = RPID.word(activity, _note(note))
    return activity, told, () if activity in SHOWS else losses


def _elements(activity: Activity) -> tuple[str, ...]:
    word = RPID.to[activity]
    return (word,) if word else ()


def _tuples(devices: tuple[Device, ...], target: str, composed: Activity) -> tuple[PidfTuple, ...]:
    taken = {_PERSON_ID}
    out: list[PidfTuple] = []
    for index, device in enumerate(devices, 1):
        name = device.id if _is_id(device.id) else f"t{index}"
        while name in taken:
            name = f"t{index}-{len(taken)}"
            index += 1
        taken.add(name)
        _, note, _ = _told(device.activity, device.note)
        out.append(
            PidfTuple(
                id=name,
                basic="open" if device.basic is Basic.OPEN else "closed",
                contact=target,
                priority=None if device.priority is None else min(1.0, max(0.0, device.priority)),
                notes=_notes(note),
                timestamp=_timestamp(device.timestamp),
                last_input=_timestamp(device.idle_since) if device.basic is Basic.OPEN else None,
                activities=_elements(device.activity),
                # a reader takes a <show/> for the person's: a device that says otherwise than the person has none
                show=SHOWS.get(device.activity) if device.activity is composed else None,
            )
        )
    return tuple(out)


def _is_id(text: str) -> bool:
    """Whether it is an XML ID in ASCII, and of a length that a document can bear."""
    bare = text.replace("-", "").replace(".", "").replace("_", "")
    return (
        len(text) <= 64 and text.isascii() and (not bare or bare.isalnum()) and (text[:1].isalpha() or text[:1] == "_")
    )


def _device(item: PidfTuple, now: float) -> Device:
    activity, text = _activity(item.activities, item.show)
    return Device(
        id=item.id[:64],
        basic=Basic.OPEN if item.basic == "open" else Basic.CLOSED,
        activity=activity,
        note=_note(next((note.text for note in item.notes if note.text), text)),
        priority=item.priority,
        idle_since=None if (idle := _moment(item.last_input)) is None else min(idle, now),
        timestamp=_moment(item.timestamp),
    )


def _activity(elements: tuple[str, ...], show: str | None) -> tuple[Activity, str]:
    if show is not None:
        return _ACTIVITY_OF_SHOW[show], ""
    return rpid_activity(elements)


def _note(text: str) -> str:
    return clean(text)[0].translate(_NO_XML).strip()[:MAX_NOTE].strip()


def _notes(text: str) -> tuple[Note, ...]:
    note = _note(text)
    return (Note(text=note),) if note else ()


def _timestamp(moment: float | None) -> str | None:
    if moment is None:
        return None
    try:
        return datetime.fromtimestamp(int(moment), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (OverflowError, OSError, ValueError):
        return None


def _moment(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
