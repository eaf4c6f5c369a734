"""Food group 03: who of our buddies comes and goes; the buddy list of clients that keep it themselves."""

from __future__ import annotations

from transports.oscar.wire.common import NamesBody, UsersBody
from transports.oscar.wire.snac import Body, TlvBody

MAX_BUDDIES, MAX_WATCHERS, MAX_TEMPORARY = 0x01, 0x02, 0x04
WANT_BITS = 0x05
"""TLV of 03/02: bits; 1 asks for arrivals with status texts, 2 for those of offline contacts."""


class RightsQuery(TlvBody):
    """03/02, client: what are the limits?"""

    __slots__ = ()
    GROUP, KIND = 0x03, 0x02


class RightsReply(TlvBody):
    """03/03, server: the most buddies (TLV 01), watchers (02), temporary buddies (04)."""

    __slots__ = ()
    GROUP, KIND = 0x03, 0x03


class AddBuddies(NamesBody):
    """03/04, client: tell of these, too."""

    __slots__ = ()
    GROUP, KIND = 0x03, 0x04


class RemoveBuddies(NamesBody):
    """03/05, client: tell of these no more."""

    __slots__ = ()
    GROUP, KIND = 0x03, 0x05


class Rejected(NamesBody):
    """03/0A, server: these cannot be told of."""

    __slots__ = ()
    GROUP, KIND = 0x03, 0x0A


class Arrived(UsersBody):
    """03/0B, server: is online, or what is known of somebody online has changed."""

    __slots__ = ()
    GROUP, KIND = 0x03, 0x0B


class Departed(UsersBody):
    """03/0C, server: has gone (or has become invisible)."""

    __slots__ = ()
    GROUP, KIND = 0x03, 0x0C


class AddTemporary(NamesBody):
    """03/0F, client: tell of these for this session."""

    __slots__ = ()
    GROUP, KIND = 0x03, 0x0F


class RemoveTemporary(NamesBody):
    """03/10, client: no more of these."""

    __slots__ = ()
    GROUP, KIND = 0x03, 0x10


BODIES: tuple[type[Body], ...] = (
    RightsQuery, RightsReply, AddBuddies, RemoveBuddies, Rejected, Arrived, Departed, AddTemporary, RemoveTemporary,
)  # fmt: skip
