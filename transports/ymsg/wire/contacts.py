"""The contact list: 0x55 and 0xF1, its edits, and who puts us on theirs."""

from __future__ import annotations

from attrs import field, frozen

from transports.ymsg.wire import codes
from transports.ymsg.wire.charset import UTF8, decode_label
from transports.ymsg.wire.packet import Packet, Pair, pairs_of

KEY_BUDDIES = 87
KEY_IGNORED = 88
KEY_IDENTITIES = 89
KEY_ITEM = 302
KEY_ITEM_END = 301
KEY_NETWORK = 241
_IGNORED_ITEMS = b"320"
NO_GROUP = "(No Group)"
MAX_LIST_BYTES = 1_048_576
"""The most bytes that are kept of a list whose end has not come."""
ACCEPTED, REFUSED = 1, 2


@frozen(kw_only=True)
class Listed:
    """A name in a group."""

    name: str
    group: str


@frozen(kw_only=True)
class ContactList:
    """A whole list."""

    contacts: tuple[Listed, ...] = ()
    ignored: tuple[str, ...] = ()
    identities: tuple[str, ...] = ()


@frozen(kw_only=True)
class Edited:
    """What became of an edit."""

    name: str
    group: str
    code: int


@frozen(kw_only=True)
class Asked:
    """Somebody has put us on their list, or (`answer` set) has answered us."""

    name: str
    text: str = ""
    answer: int | None = None


@frozen
class ListAssembler:
    """Puts a list together that comes in several packets (0x55 with status 5, the last with another).

    A text may be cut anywhere, inside a name too: bytes are joined before they are read.
    """

    max_bytes: int = MAX_LIST_BYTES
    _parts: dict[int, bytearray] = field(init=False, factory=dict)

    def take(self, packet: Packet) -> ContactList | None:
        """Take a 0x55; gives the list once it is whole. What goes beyond the limit is dropped."""
        for key in (KEY_BUDDIES, KEY_IGNORED, KEY_IDENTITIES):
            part = self._parts.setdefault(key, bytearray())
            for value in packet.all(key):
                part += value[: max(0, self.max_bytes - len(part))]
        if packet.status == codes.MORE:
            return None
        whole = {key: decode_label(bytes(part)) for key, part in self._parts.items()}
        self._parts.clear()
        return ContactList(
            contacts=tuple(_lines(whole[KEY_BUDDIES])),
            ignored=_names(whole[KEY_IGNORED]),
            identities=_names(whole[KEY_IDENTITIES]),
        )


def _lines(text: str) -> list[Listed]:
    found: list[Listed] = []
    for line in text.split("\n"):
        group, colon, names = line.partition(":")
        if colon:
            found += (Listed(name=name, group=group) for name in _names(names))
    return found


def _names(text: str) -> tuple[str, ...]:
    return tuple(name for each in text.split(",") if (name := each.strip()))


def read_list_15(packet: Packet, group: str) -> tuple[ContactList, str]:
    """One packet of the list of versions 15 and 16 (0xF1), which is whole or goes on in the next.

    Args:
        packet: the packet.
        group: the group that the last packet ended in.

    Returns:
        What this packet holds, and the group that it ends in. Names of other networks (key 241) are left out.
    """
    contacts: list[Listed] = []
    ignored: list[str] = []
    ignoring, name, foreign = False, "", False
    for key, value in packet.pairs:
        if key == KEY_ITEM:
            ignoring = value == _IGNORED_ITEMS
        elif key == codes.KEY_GROUP:
            group = decode_label(value)
        elif key == codes.KEY_WHO:
            name, foreign = decode_label(value), False
        elif key == KEY_NETWORK:
            foreign = value not in {b"", b"0"}
        elif key == KEY_ITEM_END and name:
            if ignoring:
                ignored.append(name)
            elif not foreign:
                contacts.append(Listed(name=name, group=group))
            name = ""
    return ContactList(contacts=tuple(contacts), ignored=tuple(ignored)), group


def read_edited(packet: Packet) -> Edited | None:
    """The answer to an edit (0x83, 0x84); None where it names nobody."""
    name = packet.get(codes.KEY_WHO)
    if not name:
        return None
    code = packet.number(codes.KEY_CODE)
    group = decode_label(packet.get(codes.KEY_GROUP) or b"")
    return Edited(name=decode_label(name), group=group, code=codes.EDIT_DONE if code is None else code)


def add_pairs(account: str, name: str, group: str, reason: str) -> tuple[Pair, ...]:
    """What 0x83 holds; raises `YmsgSyntaxError` where a text holds half of a surrogate pair."""
    return pairs_of(
        (codes.KEY_ME, account),
        (codes.KEY_WHO, name),
        (codes.KEY_TEXT, reason),
        (codes.KEY_GROUP, group),
        (codes.KEY_UTF8, UTF8),
    )


def remove_pairs(account: str, name: str, group: str) -> tuple[Pair, ...]:
    """What 0x84 holds; raises `YmsgSyntaxError` where a text holds half of a surrogate pair."""
    return pairs_of((codes.KEY_ME, account), (codes.KEY_WHO, name), (codes.KEY_GROUP, group))


def read_asked(packet: Packet) -> Asked | None:
    """Who has put us on their list, or answered us (0x0F with status 3 or 7, 0xD6); None where nobody is named."""
    new = packet.service == codes.CONTACT_ANSWER_15
    name = packet.get(codes.KEY_FROM if new else 3)
    if not name:
        return None
    answer = None
    if packet.status == codes.DENIED:
        answer = REFUSED
    elif new and packet.status != codes.ASKS:
        answer = packet.number(codes.KEY_FLAG) or 0
    return Asked(name=decode_label(name), text=decode_label(packet.get(codes.KEY_TEXT) or b""), answer=answer)


def deny_pairs(account: str, name: str, reason: str) -> tuple[Pair, ...]:
    """What 0x86 holds; raises `YmsgSyntaxError` where a text holds half of a surrogate pair."""
    return pairs_of((codes.KEY_ME, account), (codes.KEY_WHO, name), (codes.KEY_TEXT, reason))


def answer_pairs_15(account: str, name: str, reason: str, *, accepted: bool) -> tuple[Pair, ...]:
    """What 0xD6 holds; raises `YmsgSyntaxError` where a text holds half of a surrogate pair."""
    pairs = pairs_of(
        (codes.KEY_ME, account),
        (codes.KEY_TO, name),
        (codes.KEY_FLAG, ACCEPTED if accepted else REFUSED),
        (334, "0"),
    )
    return pairs if accepted else (*pairs, *pairs_of((codes.KEY_UTF8, UTF8), (codes.KEY_TEXT, reason)))
