"""Conferences, in which several people write together: services 0x18 to 0x1D."""

from __future__ import annotations

from collections.abc import Iterable

from attrs import frozen

from transports.ymsg.wire import codes
from transports.ymsg.wire.charset import UTF8, decode_label, decode_text
from transports.ymsg.wire.packet import Packet, Pair, pairs_of

KEY_MEMBER = 3
KEY_INVITER = 50
KEY_INVITED_TOGETHER = 51
KEY_INVITED = 52
KEY_PRESENT = 53
KEY_DECLINER = 54
KEY_LEAVER = 56
KEY_ROOM = 57
KEY_INVITATION = 58
MAX_MEMBERS = 500


@frozen(kw_only=True)
class Conference:
    """What a packet says of a conference.

    Attributes:
        room: its name.
        who: the person it is about: who invites, comes, declines, leaves or writes.
        members: others who are named: invited, or there.
        text: the invitation, the reason or the message.
        lossy: part of the text could not be decoded as what it was said to be.
    """

    room: str
    who: str = ""
    members: tuple[str, ...] = ()
    text: str = ""
    lossy: bool = False


_WHO = {
    codes.CONF_INVITE: KEY_INVITER,
    codes.CONF_ADD_INVITE: KEY_INVITER,
    codes.CONF_LOGON: KEY_PRESENT,
    codes.CONF_DECLINE: KEY_DECLINER,
    codes.CONF_LOGOFF: KEY_LEAVER,
    codes.CONF_MESSAGE: KEY_MEMBER,
}
SERVICES = frozenset(_WHO)


def read_conference(packet: Packet) -> Conference | None:
    """What a packet of a conference says; None where it names none."""
    room = packet.get(KEY_ROOM)
    if not room:
        return None
    inviting = packet.service in {codes.CONF_INVITE, codes.CONF_ADD_INVITE}
    raw = packet.get(KEY_INVITATION if inviting else codes.KEY_TEXT) or b""
    if packet.service == codes.CONF_MESSAGE:
        text, lossy = decode_text(raw, packet.get(codes.KEY_UTF8))
    else:
        text, lossy = decode_label(raw), False
    who = decode_label(packet.get(_WHO.get(packet.service, KEY_MEMBER)) or b"")
    members = _members(packet, who) if inviting else ()
    return Conference(room=decode_label(room), who=who, members=members, text=text, lossy=lossy)


def _members(packet: Packet, inviter: str) -> tuple[str, ...]:
    named = [decode_label(value) for key in (KEY_INVITED, KEY_PRESENT) for value in packet.all(key)]
    for value in packet.all(KEY_INVITED_TOGETHER):
        named += decode_label(value).split(",")
    found = dict.fromkeys(name.strip() for name in named)
    return tuple(name for name in found if name and name != inviter)[:MAX_MEMBERS]


def invite_pairs(account: str, room: str, invited: Iterable[str], text: str) -> tuple[Pair, ...]:
    """What 0x18 holds: a new conference, and who is to come."""
    people = ((KEY_INVITED, name) for name in invited)
    return pairs_of(
        (codes.KEY_ME, account),
        (KEY_INVITER, account),
        (KEY_ROOM, room),
        (KEY_INVITATION, text),
        *people,
        (codes.KEY_FLAG, "0"),
        (codes.KEY_UTF8, UTF8),
    )


def join_pairs(account: str, room: str, members: Iterable[str]) -> tuple[Pair, ...]:
    """What 0x19 holds: we come, and those who are there are told."""
    return pairs_of((codes.KEY_ME, account), *((KEY_MEMBER, name) for name in members), (KEY_ROOM, room))


def decline_pairs(account: str, room: str, members: Iterable[str], reason: str) -> tuple[Pair, ...]:
    """What 0x1A holds: we do not come, and those who are there are told why."""
    return pairs_of(
        (codes.KEY_ME, account),
        *((KEY_MEMBER, name) for name in members),
        (KEY_ROOM, room),
        (codes.KEY_TEXT, reason),
    )


def leave_pairs(account: str, room: str, members: Iterable[str]) -> tuple[Pair, ...]:
    """What 0x1B holds: we go, and those who are there are told."""
    return pairs_of((codes.KEY_ME, account), *((KEY_MEMBER, name) for name in members), (KEY_ROOM, room))


def say_pairs(account: str, room: str, members: Iterable[str], text: str) -> tuple[Pair, ...]:
    """What 0x1D holds: a message to all who are there."""
    return pairs_of(
        (codes.KEY_ME, account),
        *((KEY_PRESENT, name) for name in members),
        (KEY_ROOM, room),
        (codes.KEY_TEXT, text),
        (codes.KEY_UTF8, UTF8),
    )
