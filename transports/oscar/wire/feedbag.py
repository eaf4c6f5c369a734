"""Food group 13: the buddy list that the server keeps ("feedbag", SSI)."""

from __future__ import annotations

from typing import Self

from attrs import frozen

from transports.oscar.wire.errors import OscarSyntaxError
from transports.oscar.wire.reader import Reader, name8, text16, u8, u16, u32
from transports.oscar.wire.snac import Body, Empty, TlvBody, WordsBody
from transports.oscar.wire.tlv import NO_TLVS, Tlvs

# classes of items
BUDDY, GROUP, PERMIT, DENY, PDINFO, PREFS, IGNORE = 0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x0E
# TLVs of items
ATTR_PENDING, ATTR_ORDER, ATTR_PD_MODE, ATTR_PD_MASK, ATTR_ALIAS, ATTR_NOTE = 0x66, 0xC8, 0xCA, 0xCB, 0x131, 0x13C
# TLVs of 13/03
LIMIT_BY_CLASS, LIMIT_NAME, LIMIT_PER_GROUP = 0x04, 0x06, 0x0C
# results in 13/0E
OK, NOT_FOUND, EXISTS, INVALID, LIMIT_EXCEEDED, ICQ_TO_AIM, NEEDS_AUTHORIZATION = 0, 2, 3, 0x0A, 0x0C, 0x0D, 0x0E
STATUS_NAMES: dict[int, str] = {
    OK: "done",
    NOT_FOUND: "no such item",
    EXISTS: "there is such an item already",
    INVALID: "invalid item",
    LIMIT_EXCEEDED: "too many items",
    ICQ_TO_AIM: "an ICQ list cannot hold that AIM name",
    NEEDS_AUTHORIZATION: "that contact has to authorize it first",
}
MAX_ITEMS = 5000
"""The most items that one SNAC may hold."""


@frozen(kw_only=True)
class Item:
    """One item: a buddy (in a group, item id), a group (group id, item id 0), the list itself (0, 0), and so on."""

    name: str
    group_id: int
    item_id: int
    class_id: int
    tlvs: Tlvs = NO_TLVS

    def encode(self) -> bytes:
        """Name, ids, class, sized TLVs."""
        ids = u16(self.group_id) + u16(self.item_id) + u16(self.class_id)
        return text16(self.name) + ids + self.tlvs.encode_sized()

    @classmethod
    def read(cls, reader: Reader) -> Item:
        """Read one item; raises `OscarSyntaxError`."""
        name = reader.text16("item name")
        group_id, item_id, class_id = (reader.u16("item ids") for _ in range(3))
        return cls(name=name, group_id=group_id, item_id=item_id, class_id=class_id, tlvs=Tlvs.read_sized(reader))

    @property
    def order(self) -> tuple[int, ...]:
        """The ids that a group (or the list) names as its members, in order."""
        raw = self.tlvs.get(ATTR_ORDER) or b""
        return tuple(int.from_bytes(raw[at : at + 2], "big") for at in range(0, len(raw) - 1, 2))

    def with_order(self, ids: tuple[int, ...]) -> Item:
        """This item with other members."""
        tlvs = self.tlvs.with_(ATTR_ORDER, b"".join(u16(each) for each in ids))
        return Item(name=self.name, group_id=self.group_id, item_id=self.item_id, class_id=self.class_id, tlvs=tlvs)

    @property
    def awaits_authorization(self) -> bool:
        """Whether the contact has not yet allowed us to see them (ICQ)."""
        return self.tlvs.has(ATTR_PENDING)


def _read_items(reader: Reader, what: str) -> tuple[Item, ...]:
    items: list[Item] = []
    while reader.left():
        if len(items) >= MAX_ITEMS:
            raise OscarSyntaxError(f"{what}: more than {MAX_ITEMS} items", reader.pos)
        items.append(Item.read(reader))
    return tuple(items)


@frozen
class _Items(Body):
    """Items to the end."""

    items: tuple[Item, ...] = ()

    def encode(self) -> bytes:
        """The items."""
        return b"".join(item.encode() for item in self.items)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read the items; raises `OscarSyntaxError`."""
        return cls(_read_items(Reader(data), "list edit"))


class RightsQuery(TlvBody):
    """13/02, client: what are the limits?"""

    __slots__ = ()
    GROUP, KIND = 0x13, 0x02


class RightsReply(TlvBody):
    """13/03, server: the limits."""

    __slots__ = ()
    GROUP, KIND = 0x13, 0x03

    def limits_by_class(self) -> tuple[int, ...]:
        """The most items of each class, by its number; empty when the server does not say."""
        raw = self.tlvs.get(LIMIT_BY_CLASS) or b""
        return tuple(int.from_bytes(raw[at : at + 2], "big") for at in range(0, len(raw) - 1, 2))


class ListQuery(Empty):
    """13/04, client: the whole list."""

    __slots__ = ()
    GROUP, KIND = 0x13, 0x04


@frozen(kw_only=True)
class ListQueryIfChanged(Body):
    """13/05, client: the list unless it is as of this time (seconds since 1970) and has so many items."""

    GROUP, KIND = 0x13, 0x05
    timestamp: int
    count: int

    def encode(self) -> bytes:
        """The two numbers."""
        return u32(self.timestamp) + u16(self.count)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read a body; raises `OscarSyntaxError`."""
        reader = Reader(data)
        return cls(timestamp=reader.u32("list time"), count=reader.u16("number of items"))


@frozen(kw_only=True)
class ListReply(Body):
    """13/06, server: the list or, with flag `snac.MORE_REPLIES`, a part of it. The last part tells its time."""

    GROUP, KIND = 0x13, 0x06
    version: int = 0
    items: tuple[Item, ...] = ()
    timestamp: int = 0

    def encode(self) -> bytes:
        """Version, number of items, items, time."""
        body = b"".join(item.encode() for item in self.items)
        return u8(self.version) + u16(len(self.items)) + body + u32(self.timestamp)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read a body; raises `OscarSyntaxError`."""
        reader = Reader(data)
        version = reader.u8("list version")
        count = reader.u16("number of items")
        if count > MAX_ITEMS:
            raise OscarSyntaxError(f"list: {count} items are more than {MAX_ITEMS}", reader.pos)
        items = tuple(Item.read(reader) for _ in range(count))
        timestamp = reader.u32("list time") if reader.left() >= 4 else 0
        return cls(version=version, items=items, timestamp=timestamp)


class Activate(Empty):
    """13/07, client: use the list."""

    __slots__ = ()
    GROUP, KIND = 0x13, 0x07


class Insert(_Items):
    """13/08, both ways: items were added."""

    __slots__ = ()
    GROUP, KIND = 0x13, 0x08


class Update(_Items):
    """13/09, both ways: items have changed."""

    __slots__ = ()
    GROUP, KIND = 0x13, 0x09


class Delete(_Items):
    """13/0A, both ways: items were removed."""

    __slots__ = ()
    GROUP, KIND = 0x13, 0x0A


class EditStatus(WordsBody):
    """13/0E, server: what became of each item of an edit (`STATUS_NAMES`), in its order."""

    __slots__ = ()
    GROUP, KIND = 0x13, 0x0E


@frozen(kw_only=True)
class ListUnchanged(Body):
    """13/0F, server: the list is as you know it."""

    GROUP, KIND = 0x13, 0x0F
    timestamp: int = 0
    count: int = 0

    def encode(self) -> bytes:
        """The two numbers."""
        return u32(self.timestamp) + u16(self.count)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read a body; some servers send none. Raises `OscarSyntaxError`."""
        if not data:
            return cls()
        reader = Reader(data)
        return cls(timestamp=reader.u32("list time"), count=reader.u16("number of items"))


class StartEdit(TlvBody):
    """13/11, both ways: a set of edits begins (show the result when it ends)."""

    __slots__ = ()
    GROUP, KIND = 0x13, 0x11


class EndEdit(Empty):
    """13/12, both ways: the set of edits ends."""

    __slots__ = ()
    GROUP, KIND = 0x13, 0x12


@frozen(kw_only=True)
class _NamedReason(Body):
    """A screen name, a text and a number that nobody has explained."""

    name: str
    reason: str = ""
    unknown: int = 0

    def encode(self) -> bytes:
        """Name, text, number."""
        return name8(self.name) + text16(self.reason) + u16(self.unknown)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read a body, whose number may be missing; raises `OscarSyntaxError`."""
        reader = Reader(data)
        name, reason = reader.name8(), reader.text16("reason")
        return cls(name=name, reason=reason, unknown=reader.u16("number") if reader.left() >= 2 else 0)


class PreAuthorize(_NamedReason):
    """13/14, client: this contact may add us."""

    __slots__ = ()
    GROUP, KIND = 0x13, 0x14


class PreAuthorized(_NamedReason):
    """13/15, server: this contact lets us add them."""

    __slots__ = ()
    GROUP, KIND = 0x13, 0x15


class AuthorizationRequest(_NamedReason):
    """13/18, client: may we add this contact?"""

    __slots__ = ()
    GROUP, KIND = 0x13, 0x18


class AuthorizationAsked(_NamedReason):
    """13/19, server: may this user add us?"""

    __slots__ = ()
    GROUP, KIND = 0x13, 0x19


@frozen(kw_only=True)
class _Answer(Body):
    """A screen name, yes or no, and a text."""

    name: str
    accepted: bool
    reason: str = ""

    def encode(self) -> bytes:
        """Name, flag, text."""
        return name8(self.name) + u8(int(self.accepted)) + text16(self.reason)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read a body, whose text may be missing; raises `OscarSyntaxError`."""
        reader = Reader(data)
        name, flag = reader.name8(), reader.u8("authorization flag")
        return cls(name=name, accepted=flag != 0, reason=reader.text16("reason") if reader.left() >= 2 else "")


class AuthorizationReply(_Answer):
    """13/1A, client: this user may, or may not, add us."""

    __slots__ = ()
    GROUP, KIND = 0x13, 0x1A


class AuthorizationAnswered(_Answer):
    """13/1B, server: we may, or may not, add this contact."""

    __slots__ = ()
    GROUP, KIND = 0x13, 0x1B


@frozen
class YouWereAdded(Body):
    """13/1C, server: this user has added us."""

    GROUP, KIND = 0x13, 0x1C
    name: str = ""

    def encode(self) -> bytes:
        """The name."""
        return name8(self.name)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read a body; raises `OscarSyntaxError`."""
        return cls(Reader(data).name8())


BODIES: tuple[type[Body], ...] = (
    RightsQuery, RightsReply, ListQuery, ListQueryIfChanged, ListReply, Activate, Insert, Update, Delete, EditStatus,
    ListUnchanged, StartEdit, EndEdit, PreAuthorize, PreAuthorized, AuthorizationRequest, AuthorizationAsked,
    AuthorizationReply, AuthorizationAnswered, YouWereAdded,
)  # fmt: skip
