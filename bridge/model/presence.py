"""Presence: a superset of PIDF (RFC 3863) and RPID (RFC 4480) that every network maps to and from."""

from enum import Enum

from attrs import frozen


class Basic(Enum):
    """RFC 3863 section 4.1.4: whether instant messages are accepted."""

    OPEN = "open"
    CLOSED = "closed"


class Activity(Enum):
    """What a person does, the most telling one. Values are RPID's element names (RFC 4480 section 3.2) or ours.

    AVAILABLE is no activity at all; FREE_FOR_CHAT invites; DO_NOT_DISTURB asks to be left alone; EXTENDED_AWAY is a
    long absence: XMPP and ICQ know these three, RPID writes the last two as ``busy`` and ``away``.
    """

    AVAILABLE = "available"
    FREE_FOR_CHAT = "free-for-chat"
    AWAY = "away"
    EXTENDED_AWAY = "extended-away"
    BUSY = "busy"
    DO_NOT_DISTURB = "do-not-disturb"
    ON_THE_PHONE = "on-the-phone"
    MEETING = "meeting"
    MEAL = "meal"
    BE_RIGHT_BACK = "be-right-back"


@frozen(kw_only=True)
class Device:
    """One place where a person is present: a PIDF tuple, an XMPP resource, a registered contact."""

    id: str
    basic: Basic
    activity: Activity = Activity.AVAILABLE
    note: str = ""
    priority: float | None = None
    """0 to 1 (RFC 3863 section 4.1.5)."""
    idle_since: float | None = None
    """Seconds since the epoch."""
    timestamp: float | None = None


@frozen(kw_only=True)
class PersonPresence:
    """A person's composed presence: what a watcher sees."""

    basic: Basic
    activity: Activity = Activity.AVAILABLE
    note: str = ""
    idle_since: float | None = None
    """Seconds since the epoch."""
    since: float | None = None
    """When this state began, seconds since the epoch."""
    expires_at: float | None = None
    devices: tuple[Device, ...] = ()
    invisible: bool = False
    """The person hides: watchers see ``closed``; the network is told so where it knows such a state."""
    moods: tuple[str, ...] = ()
    """How they feel, where they are and in which part of their life, in RPID's words or their own."""
    places: tuple[str, ...] = ()
    sphere: str = ""
    time_offset: int | None = None
    """Minutes from UTC of where they are."""

    @property
    def words(self) -> tuple[str, ...]:
        """All that a person may have written into it, besides what it is."""
        own = (self.note, *self.moods, *self.places, self.sphere, *(device.note for device in self.devices))
        return tuple(word for word in own if word)


OFFLINE = PersonPresence(basic=Basic.CLOSED)
