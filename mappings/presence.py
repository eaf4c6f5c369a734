"""The status lattice: what people do, and the fewer words that each network has for it.

A ``Lattice`` is a table. Going to a network and coming back is a retraction: ``to(from(to(x))) == to(x)``, so a
presence that crosses the bridge twice does not wander. What a network has no word for goes into the note.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final, Generic, TypeVar

from attrs import field, frozen

from bridge.model.envelope import Loss
from bridge.model.presence import Activity
from transports.oscar.wire import codes
from transports.xmpp.wire.native import Show

W = TypeVar("W")

WORDS: Final[Mapping[Activity, str]] = MappingProxyType(
    {
        Activity.AVAILABLE: "Available",
        Activity.FREE_FOR_CHAT: "Free for chat",
        Activity.AWAY: "Away",
        Activity.EXTENDED_AWAY: "Away for long",
        Activity.BUSY: "Busy",
        Activity.DO_NOT_DISTURB: "Do not disturb",
        Activity.ON_THE_PHONE: "On the phone",
        Activity.MEETING: "In a meeting",
        Activity.MEAL: "Out to lunch",
        Activity.BE_RIGHT_BACK: "Be right back",
    }
)
"""What a note says where a network has no word of its own."""


@frozen(kw_only=True)
class Lattice(Generic[W]):
    """One network's words. ``to`` has a row for each Activity, ``back`` one for each word that ``to`` uses.

    Raises:
        ValueError: a row is missing, or the tables are no retraction.
    """

    name: str
    to: Mapping[Activity, W] = field()
    back: Mapping[W, Activity] = field()

    def __attrs_post_init__(self) -> None:
        for activity in Activity:
            word = self.to.get(activity)
            if word is None or word not in self.back:
                raise ValueError(f"{self.name}: no word for {activity.value}, or none back")
            if self.to[self.back[word]] != word:
                raise ValueError(f"{self.name}: {activity.value} wanders: {word!r} comes back as another word")

    def word(self, activity: Activity, note: str) -> tuple[W, str, tuple[Loss, ...]]:
        """Returns a network's word for an activity, the note to go with it, and what is lost.

        Where the word means less than the activity and there is no note, the note says it.
        """
        word = self.to[activity]
        told = self.back[word]
        if told is activity:
            return word, note, ()
        loss = Loss(feature="presence", detail=f"{activity.value} is told as {told.value}")
        return word, note or WORDS[activity], (loss,)


AIM: Final = Lattice(
    name="aim",
    to=MappingProxyType(
        {
            Activity.AVAILABLE: "online",
            Activity.FREE_FOR_CHAT: "online",
            Activity.AWAY: "away",
            Activity.EXTENDED_AWAY: "away",
            Activity.BUSY: "away",
            Activity.DO_NOT_DISTURB: "away",
            Activity.ON_THE_PHONE: "away",
            Activity.MEETING: "away",
            Activity.MEAL: "away",
            Activity.BE_RIGHT_BACK: "away",
        }
    ),
    back=MappingProxyType({"online": Activity.AVAILABLE, "away": Activity.AWAY}),
)

IRC: Final = Lattice(
    name="irc",
    to=MappingProxyType(
        {
            activity: "here" if activity in {Activity.AVAILABLE, Activity.FREE_FOR_CHAT} else "away"
            for activity in Activity
        }
    ),
    back=MappingProxyType({"here": Activity.AVAILABLE, "away": Activity.AWAY}),
)

ICQ_NA: Final = codes.ICQ_NA | codes.ICQ_AWAY
ICQ_OCCUPIED: Final = codes.ICQ_OCCUPIED | codes.ICQ_AWAY
ICQ_DND: Final = codes.ICQ_DND | codes.ICQ_OCCUPIED | codes.ICQ_AWAY
ICQ_LUNCH: Final = 0x2001
"""Clients send the more telling states with the bits of the less telling ones set, for older clients."""

ICQ: Final = Lattice(
    name="icq",
    to=MappingProxyType(
        {
            Activity.AVAILABLE: codes.ICQ_ONLINE,
            Activity.FREE_FOR_CHAT: codes.ICQ_CHAT,
            Activity.AWAY: codes.ICQ_AWAY,
            Activity.EXTENDED_AWAY: ICQ_NA,
            Activity.BUSY: ICQ_OCCUPIED,
            Activity.DO_NOT_DISTURB: ICQ_DND,
            Activity.ON_THE_PHONE: ICQ_OCCUPIED,
            Activity.MEETING: ICQ_OCCUPIED,
            Activity.MEAL: codes.ICQ_AWAY,
            Activity.BE_RIGHT_BACK: codes.ICQ_AWAY,
        }
    ),
    back=MappingProxyType(
        {
            codes.ICQ_ONLINE: Activity.AVAILABLE,
            codes.ICQ_CHAT: Activity.FREE_FOR_CHAT,
            codes.ICQ_AWAY: Activity.AWAY,
            ICQ_NA: Activity.EXTENDED_AWAY,
            ICQ_OCCUPIED: Activity.BUSY,
            ICQ_DND: Activity.DO_NOT_DISTURB,
            ICQ_LUNCH: Activity.MEAL,
        }
    ),
)

_ICQ_BITS: Final = (
    (codes.ICQ_DND, Activity.DO_NOT_DISTURB),
    (codes.ICQ_OCCUPIED, Activity.BUSY),
    (codes.ICQ_NA, Activity.EXTENDED_AWAY),
    (codes.ICQ_AWAY, Activity.AWAY),
    (codes.ICQ_CHAT, Activity.FREE_FOR_CHAT),
)


def icq_activity(status: int) -> Activity:
    """Returns what the low half of an ICQ status says; of several bits the most telling one counts."""
    known = ICQ.back.get(status & ~codes.ICQ_INVISIBLE)
    if known is not None:
        return known
    for bit, activity in _ICQ_BITS:
        if status & bit:
            return activity
    return Activity.AVAILABLE


XMPP: Final = Lattice(
    name="xmpp",
    to=MappingProxyType(
        {
            Activity.AVAILABLE: Show.NONE,
            Activity.FREE_FOR_CHAT: Show.CHAT,
            Activity.AWAY: Show.AWAY,
            Activity.EXTENDED_AWAY: Show.XA,
            Activity.BUSY: Show.DND,
            Activity.DO_NOT_DISTURB: Show.DND,
            Activity.ON_THE_PHONE: Show.DND,
            Activity.MEETING: Show.DND,
            Activity.MEAL: Show.AWAY,
            Activity.BE_RIGHT_BACK: Show.AWAY,
        }
    ),
    back=MappingProxyType(
        {
            Show.NONE: Activity.AVAILABLE,
            Show.CHAT: Activity.FREE_FOR_CHAT,
            Show.AWAY: Activity.AWAY,
            Show.XA: Activity.EXTENDED_AWAY,
            Show.DND: Activity.DO_NOT_DISTURB,
        }
    ),
)
"""RFC 6121 section 4.7.2.1."""

RPID: Final = Lattice(
    name="rpid",
    to=MappingProxyType(
        {
            Activity.AVAILABLE: "",
            Activity.FREE_FOR_CHAT: "",
            Activity.AWAY: "away",
            Activity.EXTENDED_AWAY: "away",
            Activity.BUSY: "busy",
            Activity.DO_NOT_DISTURB: "busy",
            Activity.ON_THE_PHONE: "on-the-phone",
            Activity.MEETING: "meeting",
            Activity.MEAL: "meal",
            Activity.BE_RIGHT_BACK: "away",
        }
    ),
    back=MappingProxyType(
        {
            "": Activity.AVAILABLE,
            "busy": Activity.BUSY,
            "on-the-phone": Activity.ON_THE_PHONE,
            "meeting": Activity.MEETING,
            "presentation": Activity.MEETING,
            "vacation": Activity.EXTENDED_AWAY,
            "holiday": Activity.EXTENDED_AWAY,
            "permanent-absence": Activity.EXTENDED_AWAY,
            "sleeping": Activity.EXTENDED_AWAY,
            "meal": Activity.MEAL,
            "breakfast": Activity.MEAL,
            "lunch": Activity.MEAL,
            "dinner": Activity.MEAL,
            "away": Activity.AWAY,
            "in-transit": Activity.AWAY,
            "travel": Activity.AWAY,
            "appointment": Activity.AWAY,
            "steering": Activity.AWAY,
        }
    ),
)
"""RFC 4480 section 3.2. The empty word is: no activity. The rows that come back are in order of priority."""

_RPID_PRIORITY: Final = {word: place for place, word in enumerate(RPID.back)}


def rpid_activity(elements: Iterable[str]) -> tuple[Activity, str]:
    """Returns what a set of RPID activities says together, and a text for the note where no activity of ours does.

    The most telling element counts, in the order of the table. An element without a row (``shopping``) leaves the
    person available and is named in the note.
    """
    best = ""
    unnamed = ""
    place = len(_RPID_PRIORITY)
    for element in elements:
        rank = _RPID_PRIORITY.get(element) if element else None
        if rank is None:
            unnamed = unnamed or element.replace("-", " ").replace("_", " ")
        elif rank < place:
            best, place = element, rank
    if best:
        return RPID.back[best], ""
    return Activity.AVAILABLE, "" if unnamed in {"unknown", "other"} else unnamed.capitalize()
