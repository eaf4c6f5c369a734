"""The buddy list that the server keeps: as loaded, as edited by us, as edited by another connection of ours."""

from __future__ import annotations

import random
from collections.abc import Generator, Iterable

from transports.oscar.wire import feedbag
from transports.oscar.wire.feedbag import Item
from transports.oscar.wire.names import normal
from transports.oscar.wire.native import Contact, Roster
from transports.oscar.wire.snac import Body
from transports.oscar.wire.tlv import Tlvs

MAX_ID = 0x7FFF
NO_ANSWER = -1
"""The status of an item of which the server said nothing."""

Edit = Generator[Body, tuple[int, ...], int]
"""An edit in steps: it yields a SNAC, takes the status of each of its items, and ends with one of `feedbag`'s
results (`feedbag.OK` when done)."""


class RosterState:
    """The items, their limits, and the edits as generators (which touch the items as their steps succeed).

    Args:
        account: our name.
        rng: where new ids come from.
        max_items: the most items kept; what a server sends beyond is dropped and counted in `dropped`.

    Attributes:
        to_tell: something has changed that nobody was told yet. The list is told whole: of many changes that come
            together, once.
    """

    __slots__ = (
        "_account",
        "_loading",
        "_max_items",
        "_rng",
        "_to_be_asked",
        "dropped",
        "items",
        "limits",
        "name_limit",
        "timestamp",
        "to_tell",
    )

    def __init__(self, account: str, rng: random.Random, max_items: int) -> None:
        self._account = account
        self._rng = rng
        self._max_items = max_items
        self._to_be_asked: set[str] = set()
        self._loading: dict[tuple[int, int], Item] = {}
        self.items: dict[tuple[int, int], Item] = {}
        self.limits: tuple[int, ...] = ()
        self.name_limit = 0
        self.timestamp = 0
        self.dropped = 0
        self.to_tell = False

    # -- loading and pushes

    def rights(self, body: feedbag.RightsReply) -> None:
        """13/03; raises `OscarSyntaxError` when a limit is malformed."""
        self.limits = body.limits_by_class()
        self.name_limit = body.tlvs.u16(feedbag.LIMIT_NAME) or 0

    def load(self, body: feedbag.ListReply, *, more: bool) -> None:
        """13/06: a part of the list; it counts once the last part is there."""
        self._put(self._loading, body.items)
        if more:
            return
        self.items, self._loading = self._loading, {}
        self.timestamp = body.timestamp

    def pushed(self, body: feedbag.Insert | feedbag.Update | feedbag.Delete) -> None:
        """Another connection of the account has edited the list."""
        if isinstance(body, feedbag.Delete):
            for item in body.items:
                self.items.pop((item.group_id, item.item_id), None)
        else:
            self._put(self.items, body.items)

    def _put(self, where: dict[tuple[int, int], Item], items: Iterable[Item]) -> None:
        for item in items:
            key = (item.group_id, item.item_id)
            if key in where or len(where) < self._max_items:
                where[key] = item
            else:
                self.dropped += 1

    # -- reading

    def native(self) -> Roster:
        """The list as the mapping wants it, by group in the list's order."""
        groups = {item.group_id: item.name for item in self._of(feedbag.GROUP)}
        contacts = tuple(
            Contact(
                screen_name=item.name,
                group=groups.get(item.group_id, ""),
                alias=item.tlvs.text(feedbag.ATTR_ALIAS) or None,
                awaits_authorization=item.awaits_authorization,
            )
            for item in self._of(feedbag.BUDDY)
        )
        ignored = tuple(item.name for item in self._of(feedbag.IGNORE))
        denied = tuple(item.name for item in self._of(feedbag.DENY))
        return Roster(account=self._account, contacts=contacts, ignored=ignored, denied=denied)

    def _of(self, class_id: int) -> list[Item]:
        return [item for item in self.items.values() if item.class_id == class_id]

    def buddies(self, name: str) -> list[Item]:
        """The buddy items of a name, in whichever groups."""
        wanted = normal(name)
        return [item for item in self._of(feedbag.BUDDY) if normal(item.name) == wanted]

    def _group(self, name: str) -> Item | None:
        wanted = name.casefold()
        for item in self._of(feedbag.GROUP):
            if item.group_id != 0 and item.name.casefold() == wanted:
                return item
        return None

    # -- editing

    def _full(self, class_id: int) -> bool:
        if class_id >= len(self.limits) or not self.limits[class_id]:
            return len(self.items) >= self._max_items
        return len(self._of(class_id)) >= self.limits[class_id]

    def _new_id(self, used: set[int]) -> int:
        if len(used) >= MAX_ID:
            return 0
        candidate = self._rng.randint(1, MAX_ID)
        while candidate in used:
            candidate = candidate % MAX_ID + 1
        return candidate

    def _new_item_id(self) -> int:
        # ids of items are unique in a group alone, but clients look them up without it
        return self._new_id({item_id for _, item_id in self.items})

    def add(self, name: str, group: str, alias: str | None) -> Edit:
        """Add a buddy; the group is made when it is missing. Done at once when the buddy is in it already.

        One who is there and awaits authorization needs it still, which is said once for as long as this lives: whether
        they were asked, and have seen it, is nowhere on the list; and to ask at every sign-on would be to pester them.
        """
        if self.name_limit and max(len(name.encode()), len(group.encode())) > self.name_limit:
            return feedbag.INVALID
        holder = self._group(group)
        if holder is not None and any(item.group_id == holder.group_id for item in self.buddies(name)):
            return self._still_awaited(name)
        if self._full(feedbag.BUDDY) or (holder is None and self._full(feedbag.GROUP)):
            return feedbag.LIMIT_EXCEEDED
        yield feedbag.StartEdit()
        result = yield from self._add(name, group, alias, holder)
        yield feedbag.EndEdit()
        return result

    def _still_awaited(self, name: str) -> int:
        known = normal(name) in self._to_be_asked or len(self._to_be_asked) >= self._max_items
        if known or not all(item.awaits_authorization for item in self.buddies(name)):
            return feedbag.OK
        self._to_be_asked.add(normal(name))
        return feedbag.NEEDS_AUTHORIZATION

    def _add(self, name: str, group: str, alias: str | None, holder: Item | None) -> Edit:
        if holder is None:
            group_id = self._new_id({group_id for group_id, _ in self.items})
            holder = Item(name=group, group_id=group_id, item_id=0, class_id=feedbag.GROUP)
            result = yield from self._change(feedbag.Insert((holder,)))
            if result != feedbag.OK:
                return result
            yield from self._reorder_root()
        tlvs = Tlvs() if alias is None else Tlvs([(feedbag.ATTR_ALIAS, alias.encode())])
        buddy = Item(
            name=name, group_id=holder.group_id, item_id=self._new_item_id(), class_id=feedbag.BUDDY, tlvs=tlvs
        )
        result = yield from self._change(feedbag.Insert((buddy,)))
        if result == feedbag.NEEDS_AUTHORIZATION:
            # the list takes it as awaiting authorization; whether to ask is not ours to decide
            waiting = Item(
                name=name,
                group_id=buddy.group_id,
                item_id=buddy.item_id,
                class_id=feedbag.BUDDY,
                tlvs=tlvs.with_(feedbag.ATTR_PENDING, b""),
            )
            inserted = yield from self._change(feedbag.Insert((waiting,)))
            self._to_be_asked.add(normal(name))
            result = feedbag.NEEDS_AUTHORIZATION if inserted == feedbag.OK else inserted
            if inserted != feedbag.OK:
                return result
        elif result != feedbag.OK:
            return result
        yield from self._reorder(self.items.get((holder.group_id, 0), holder))
        return result

    def remove(self, name: str) -> Edit:
        """Remove a buddy from every group; done at once when it is in none."""
        found = self.buddies(name)
        if not found:
            return feedbag.OK
        yield feedbag.StartEdit()
        result = yield from self._change(feedbag.Delete(tuple(found)))
        if result == feedbag.OK:
            for group_id in sorted({item.group_id for item in found}):
                holder = self.items.get((group_id, 0))
                if holder is not None:
                    yield from self._reorder(holder)
        yield feedbag.EndEdit()
        return result

    def _reorder(self, holder: Item) -> Edit:
        """Write a group's list of members anew; its failure spoils nothing but the order."""
        there = {item_id for group_id, item_id in self.items if group_id == holder.group_id and item_id}
        kept = tuple(each for each in holder.order if each in there)
        rest = tuple(sorted(there.difference(kept)))
        return (yield from self._change(feedbag.Update((holder.with_order(kept + rest),))))

    def _reorder_root(self) -> Edit:
        root = self.items.get((0, 0)) or Item(name="", group_id=0, item_id=0, class_id=feedbag.GROUP)
        there = {item.group_id for item in self._of(feedbag.GROUP) if item.group_id}
        kept = tuple(each for each in root.order if each in there)
        changed = root.with_order(kept + tuple(sorted(there.difference(kept))))
        kind = feedbag.Update if (0, 0) in self.items else feedbag.Insert
        return (yield from self._change(kind((changed,))))

    def _change(self, body: feedbag.Insert | feedbag.Update | feedbag.Delete) -> Edit:
        """Send a change; what the server took is applied. The result is the first that is not `OK`."""
        statuses = yield body
        result = feedbag.OK
        done = []
        for index, item in enumerate(body.items):
            status = statuses[index] if index < len(statuses) else NO_ANSWER
            if status == feedbag.OK:
                done.append(item)
            elif result == feedbag.OK:
                result = status
        if done:
            self.pushed(type(body)(tuple(done)))
        return result
