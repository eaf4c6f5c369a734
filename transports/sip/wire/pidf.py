"""Presence documents: PIDF (RFC 3863), the data model (RFC 4479) and what of RPID people look at (RFC 4480).

Of RPID: activities, mood, place-type, sphere, time-offset and user-input. Of the data model: the person, and devices as
far as their tuples name them; what a device says of idleness is its tuples'.

Reading is by local names, as clients differ in their namespaces. Writing is what all of them can read: baresip looks
for `<basic>` and `<rpid:away/>` as texts, pjsip and libpurple believe the first tuple, so the most available is first.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, Literal, TypeAlias
from xml.etree.ElementTree import Element

import attrs

from transports.sip.wire.cpim import moment_of
from transports.sip.wire.errors import SipBuildError, SipSyntaxError
from transports.sip.wire.xmldoc import MAX_SIZE, XML_LANG, attribute, child_text, children, local, namespace, read_xml
from transports.sip.wire.xmldoc import text as xml_text

CONTENT_TYPE: Final = "application/pidf+xml"
MAX_TUPLES: Final = 64
MAX_NOTES: Final = 16
MAX_NAME: Final = 128
MAX_OFFSET: Final = 15 * 60
"""Minutes: no place on earth is farther from UTC."""

#: RFC 4480 section 3.2.
ACTIVITIES: Final = frozenset(
    {
        "appointment", "away", "breakfast", "busy", "dinner", "holiday", "in-transit", "looking-for-work", "lunch",
        "meal", "meeting", "on-the-phone", "performance", "permanent-absence", "playing", "presentation", "shopping",
        "sleeping", "spectator", "steering", "travel", "tv", "unknown", "vacation", "working", "worship",
    }
)  # fmt: skip

Basic: TypeAlias = Literal["open", "closed"]
_SHOWS: Final = frozenset({"away", "chat", "dnd", "xa"})
_JABBER: Final = "jabber:client"
_MUST_UNDERSTAND: Final = "{urn:ietf:params:xml:ns:pidf}mustUnderstand"
_LOCATION_TYPES: Final = "urn:ietf:params:xml:ns:location-type"
_ID: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.\-]*")
_OFFSET: Final = re.compile(r"[+-]?[0-9]{1,4}")
_WORD: Final = re.compile(r"[a-z][a-z\-]*")
_PRIORITY: Final = re.compile(r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?|\.[0-9]{1,3}")


@attrs.frozen(kw_only=True)
class Note:
    """Text for people, with its language tag where known."""

    text: str
    lang: str | None = None


@attrs.frozen(kw_only=True)
class PidfTuple:
    """One means of communication.

    Attributes:
        id: an XML ID.
        basic: open or closed; None where the document does not say.
        contact: its URI as text.
        priority: 0 to 1.
        notes: in document order.
        timestamp: RFC 3339 text as it came.
        activities: RPID activities that stand inside the tuple (older clients).
        show: the XMPP `<show/>` that RFC 8048 embeds.
        device_id: the device that it is on (RFC 4479 section 3.4).
        last_input: since when there has been no input there, as `Person.last_input`.
    """

    id: str
    basic: Basic | None = None
    contact: str | None = None
    priority: float | None = None
    notes: tuple[Note, ...] = ()
    timestamp: str | None = None
    activities: tuple[str, ...] = ()
    show: str | None = None
    device_id: str | None = None
    last_input: str | None = None


@attrs.frozen(kw_only=True)
class Person:
    """What the person does.

    Attributes:
        other: the text of an activity that has no name of its own.
        last_input: since when there has been no input, where the document says that they are idle (RFC 4480 section
            3.10: user-input); a date and time as text.
    """

    id: str = "p1"
    activities: tuple[str, ...] = ()
    other: str | None = None
    notes: tuple[Note, ...] = ()
    timestamp: str | None = None
    last_input: str | None = None
    moods: tuple[str, ...] = ()
    places: tuple[str, ...] = ()
    sphere: str | None = None
    time_offset: int | None = None


@attrs.frozen(kw_only=True)
class Pidf:
    """A presence document. `entity` is the presentity's URI as text."""

    entity: str
    tuples: tuple[PidfTuple, ...] = ()
    person: Person | None = None
    notes: tuple[Note, ...] = ()

    @property
    def basic(self) -> Basic:
        """Open where any tuple is open. A document without tuples says closed (RFC 3856 section 6.7)."""
        return "open" if any(item.basic == "open" for item in self.tuples) else "closed"

    @property
    def activities(self) -> tuple[str, ...]:
        """The person's activities, then those of the tuples, each once."""
        found = list(self.person.activities) if self.person else []
        for item in self.tuples:
            found += item.activities
        return tuple(dict.fromkeys(found))

    @property
    def first_note(self) -> str | None:
        """The note that people would see: the person's, else a tuple's, else the document's."""
        groups = [self.person.notes if self.person else (), *(item.notes for item in self.tuples), self.notes]
        return next((note.text for group in groups for note in group if note.text), None)


# -- reading ----------------------------------------------------------------------------------------------------------


def parse_pidf(data: bytes, limit: int = MAX_SIZE, now: float | None = None) -> Pidf:
    """Read a presence document.

    With ``now``, seconds since the epoch, what RPID bounds in time is read only while it is in force: an element with
    ``from`` or ``until`` (RFC 4480 section 3).

    Raises:
        SipSyntaxError: too large (413); not well formed, a DTD or entities, no `presence` root, no entity, or more than
            64 tuples (400).
    """
    root = read_xml(data, "PIDF", limit)
    if local(root) != "presence":
        raise SipSyntaxError(f"PIDF: the root is {local(root)[:40]!r}, not 'presence'")
    entity = (root.get("entity") or "").strip()
    if not entity:
        raise SipSyntaxError("PIDF: presence without entity")
    tuples = children(root, "tuple")
    if len(tuples) > MAX_TUPLES:
        raise SipSyntaxError(f"PIDF: more than {MAX_TUPLES} tuples")
    persons = children(root, "person")
    if now is not None:
        for parent in (*tuples, *persons):
            _prune(parent, now)
    devices = _read_devices(children(root, "device")[:MAX_TUPLES])
    return Pidf(
        entity=entity,
        tuples=tuple(_read_tuple(item, index, devices) for index, item in enumerate(tuples)),
        person=_read_person(persons) if persons else None,
        notes=_read_notes(root),
    )


def _prune(parent: Element, now: float) -> None:
    for child in tuple(parent):
        since, until = moment_of(child.get("from") or ""), moment_of(child.get("until") or "")
        if (since is not None and now < since) or (until is not None and until <= now):
            parent.remove(child)


def _read_notes(element: Element) -> tuple[Note, ...]:
    notes = [
        Note(text=(child.text or "").strip(), lang=child.get(XML_LANG))
        for child in children(element, "note")[:MAX_NOTES]
    ]
    return tuple(note for note in notes if note.text)


def _read_activities(element: Element) -> tuple[tuple[str, ...], str | None]:
    names: list[str] = []
    other: str | None = None
    for group in children(element, "activities"):
        if any(local(child) not in ACTIVITIES and child.get(_MUST_UNDERSTAND) in {"1", "true"} for child in group):
            continue  # RFC 3863 (mustUnderstand): without that element the others mean something else
        for child in group:
            name = local(child)
            if name in ACTIVITIES:
                names.append(name)
            elif name == "other":
                other = (child.text or "").strip() or other
    return tuple(dict.fromkeys(names)), other


def _read_devices(elements: list[Element]) -> dict[str, str | None]:
    """Since when there was no input at each device that is described (RFC 4479 section 3.4)."""
    names = [(child_text(element, "deviceID"), element) for element in elements]
    return {name: _read_idle(element) for name, element in names if name}


def _read_tuple(element: Element, index: int, devices: dict[str, str | None]) -> PidfTuple:
    statuses = children(element, "status")
    basic: Basic | None = None
    show: str | None = None
    activities, _ = _read_activities(element)
    if statuses:
        word = (child_text(statuses[0], "basic") or "").lower()
        basic = "open" if word == "open" else "closed" if word == "closed" else None
        activities = activities or _read_activities(statuses[0])[0]
        show = next(
            (
                (child.text or "").strip()
                for child in children(statuses[0], "show")
                if namespace(child) == _JABBER and (child.text or "").strip() in _SHOWS
            ),
            None,
        )
    contact = child_text(element, "contact")
    rank = children(element, "contact")[0].get("priority") if contact is not None else None
    device = child_text(element, "deviceID")
    return PidfTuple(
        id=element.get("id") or f"t{index}",
        basic=basic,
        contact=contact,
        priority=_read_priority(rank),
        notes=_read_notes(element),
        timestamp=child_text(element, "timestamp"),
        activities=activities,
        show=show,
        device_id=None if device is None else device[:MAX_NAME],
        last_input=_read_idle(element) or devices.get(device or ""),
    )


def _read_priority(text: str | None) -> float | None:
    """A qvalue; anything else counts as not given, for it only orders."""
    return float(text) if text is not None and _PRIORITY.fullmatch(text) else None


def _read_person(persons: list[Element]) -> Person:
    """The person; of several (RFC 4479 allows contradicting ones) the first says who, all say what."""
    names: list[str] = []
    notes: list[Note] = []
    other: str | None = None
    for element in persons[:MAX_TUPLES]:
        found, text = _read_activities(element)
        names += found
        other = other or text
        notes += _read_notes(element)
    return Person(
        id=persons[0].get("id") or "p1",
        activities=tuple(dict.fromkeys(names)),
        other=other,
        notes=tuple(notes[:MAX_NOTES]),
        timestamp=child_text(persons[0], "timestamp"),
        last_input=next((since for element in persons[:MAX_TUPLES] if (since := _read_idle(element))), None),
        moods=_read_names(persons, "mood"),
        places=_read_names(persons, "place-type"),
        sphere=_read_sphere(persons),
        time_offset=_read_offset(persons),
    )


def _read_names(persons: list[Element], group: str) -> tuple[str, ...]:
    """The names of the elements in a group of RPID: a mood, a kind of place. A word of one's own is in `other`."""
    names: list[str] = []
    for element in persons[:MAX_TUPLES]:
        for found in children(element, group):
            for child in found:
                name = local(child)
                word = (child.text or "").strip() if name == "other" else name
                if word and name != "note":
                    names.append(word[:MAX_NAME])
    return tuple(dict.fromkeys(names))[:MAX_NOTES]


def _read_sphere(persons: list[Element]) -> str | None:
    for element in persons[:MAX_TUPLES]:
        for found in children(element, "sphere"):
            word = (found.text or "").strip() or next((local(child) for child in found), "")
            if word:
                return word[:MAX_NAME]
    return None


def _read_offset(persons: list[Element]) -> int | None:
    for element in persons[:MAX_TUPLES]:
        text = child_text(element, "time-offset")
        if text is not None and _OFFSET.fullmatch(text) and abs(int(text)) <= MAX_OFFSET:
            return int(text)
    return None


def _read_idle(element: Element) -> str | None:
    """The time of the last input, where somebody is idle and it is told."""
    inputs = [item for item in children(element, "user-input") if (item.text or "").strip() == "idle"]
    return inputs[0].get("last-input") if inputs else None


# -- writing ----------------------------------------------------------------------------------------------------------

_HEAD: Final = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<presence xmlns="urn:ietf:params:xml:ns:pidf" xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model"'
    ' xmlns:rpid="urn:ietf:params:xml:ns:pidf:rpid" entity='
)


def build_pidf(document: Pidf) -> bytes:
    """Write a presence document in UTF-8, the most available tuple first.

    Characters that XML cannot hold are left out of texts. An activity that RFC 4480 does not name becomes
    `<rpid:other>`.

    Raises:
        SipBuildError: an empty entity, an id that is no XML ID or is used twice, a priority beyond 0 to 1.
    """
    if not document.entity:
        raise SipBuildError("PIDF: empty entity")
    ids = [item.id for item in document.tuples] + ([document.person.id] if document.person else [])
    for name in ids:
        if not _ID.fullmatch(name):
            raise SipBuildError(f"PIDF: {name[:60]!r} is not an XML ID")
    if len(set(ids)) != len(ids):
        raise SipBuildError(f"PIDF: an id is used twice among {ids!r}"[:200])
    parts = [_HEAD, attribute(document.entity), ">\n"]
    for item in sorted(document.tuples, key=_availability):
        parts += _write_tuple(item)
    parts += _write_notes(document.notes, "note")
    if document.person is not None:
        parts += _write_person(document.person)
    parts.append("</presence>\n")
    return "".join(parts).encode()


_OCCUPIED: Final = frozenset({"busy", "meeting", "on-the-phone", "presentation", "performance", "worship"})
_ABSENT: Final = frozenset(
    {
        "appointment", "away", "breakfast", "dinner", "holiday", "in-transit", "lunch", "meal", "permanent-absence",
        "sleeping", "steering", "travel", "vacation",
    }
)  # fmt: skip


def _availability(item: PidfTuple) -> tuple[bool, int, bool, float]:
    """Open before closed, there before occupied before absent, at work before idle, then as it is preferred."""
    doing = set(item.activities)
    rank = 2 if doing & _ABSENT else 1 if doing & _OCCUPIED else 0
    return item.basic != "open", rank, item.last_input is not None, -(item.priority or 0.0)


def _write_notes(notes: Iterable[Note], name: str) -> list[str]:
    out: list[str] = []
    for note in notes:
        lang = f" xml:lang={attribute(note.lang)}" if note.lang else ""
        out.append(f"<{name}{lang}>{xml_text(note.text)}</{name}>\n")
    return out


def _write_activities(names: Iterable[str], other: str | None) -> list[str]:
    out = [f"<rpid:{name}/>" if name in ACTIVITIES else f"<rpid:other>{xml_text(name)}</rpid:other>" for name in names]
    if other is not None:
        out.append(f"<rpid:other>{xml_text(other)}</rpid:other>")
    return ["<rpid:activities>", *out, "</rpid:activities>\n"] if out else []


def _write_priority(value: float | None) -> str:
    if value is None:
        return ""
    if not 0 <= value <= 1:
        raise SipBuildError(f"PIDF: priority {value!r} is not between 0 and 1")
    number = f"{value:.3f}".rstrip("0").rstrip(".")
    return f' priority="{number}"'


def _write_tuple(item: PidfTuple) -> list[str]:
    out = [f"<tuple id={attribute(item.id)}>\n<status>\n"]
    if item.basic is not None:
        out.append(f"<basic>{item.basic}</basic>\n")
    if item.show is not None:
        out.append(f"<show xmlns='{_JABBER}'>{xml_text(item.show)}</show>\n")
    out.append("</status>\n")
    out += _write_activities(item.activities, None)
    out += _write_idle(item.last_input)
    if item.device_id is not None:
        out.append(f"<dm:deviceID>{xml_text(item.device_id)}</dm:deviceID>\n")
    if item.contact is not None:
        out.append(f"<contact{_write_priority(item.priority)}>{xml_text(item.contact)}</contact>\n")
    out += _write_notes(item.notes, "note")
    if item.timestamp is not None:
        out.append(f"<timestamp>{xml_text(item.timestamp)}</timestamp>\n")
    out.append("</tuple>\n")
    return out


_SPHERES: Final = frozenset({"home", "work", "unknown"})


def _write_idle(last_input: str | None) -> list[str]:
    if last_input is None:
        return []
    return [f"<rpid:user-input last-input={attribute(last_input)}>idle</rpid:user-input>\n"]


def _write_names(group: str, names: Iterable[str]) -> list[str]:
    """Moods are RPID's own elements, places those of RFC 4589; what is no such name is a word of one's own."""
    prefix = "lt" if group == "place-type" else "rpid"
    out = [
        f"<{prefix}:{name}/>" if _WORD.fullmatch(name) else f"<rpid:other>{xml_text(name)}</rpid:other>"
        for name in names
    ]
    head = f"<rpid:{group} xmlns:lt={attribute(_LOCATION_TYPES)}>" if prefix == "lt" else f"<rpid:{group}>"
    return [head, *out, f"</rpid:{group}>\n"] if out else []


def _named(prefix: str, word: str, known: frozenset[str]) -> str:
    return f"<{prefix}:{word}/>" if word in known else xml_text(word)


def _write_person(person: Person) -> list[str]:
    out = [f"<dm:person id={attribute(person.id)}>\n"]
    out += _write_activities(person.activities, person.other)
    out += _write_names("mood", person.moods)
    out += _write_names("place-type", person.places)
    if person.sphere is not None:
        out.append(f"<rpid:sphere>{_named('rpid', person.sphere, _SPHERES)}</rpid:sphere>\n")
    if person.time_offset is not None:
        out.append(f"<rpid:time-offset>{person.time_offset}</rpid:time-offset>\n")
    out += _write_idle(person.last_input)
    out += _write_notes(person.notes, "dm:note")
    if person.timestamp is not None:
        out.append(f"<dm:timestamp>{xml_text(person.timestamp)}</dm:timestamp>\n")
    out.append("</dm:person>\n")
    return out
