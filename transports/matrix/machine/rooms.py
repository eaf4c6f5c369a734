"""The rooms that our ghosts are in: one for each pair of a ghost and a person, and what is known of each.

Nothing of it is kept here across a restart: the homeserver knows the rooms, and ``m.direct`` of each ghost whom with.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from typing import Final

from attrs import define, field

SENT_KEPT: Final = 256
"""Events of ours in a room of which receipts are understood."""
LEFT_KEPT: Final = 4096


@define(eq=False)
class Room:
    """One room.

    Attributes:
        account: the ghost.
        peer: the one other person; empty while that is not known.
        inviter: who asked the ghost in, while it is not known who else is there.
        joined: the ghost is in it.
        checked: ``members`` and ``encrypted`` are what the homeserver says; otherwise it is to be asked first.
        members: the others, ``join`` or ``invite`` by user id.
        typing: the peer types.
        said: what people in it were told already.
        sent: events of ours that were not read, oldest first, to the account's own view.
    """

    id: str
    account: str
    peer: str = ""
    inviter: str = ""
    joined: bool = True
    checked: bool = True
    encrypted: bool = False
    typing: bool = False
    members: dict[str, str] = field(factory=dict)
    said: set[str] = field(factory=set)
    sent: OrderedDict[str, None] = field(factory=OrderedDict)

    @property
    def usable(self) -> bool:
        """Whether a message can be sent in it as it is."""
        return self.joined and self.checked and not self.encrypted and self.peer in self.members

    def note_sent(self, event_id: str) -> None:
        """Notes an event of ours."""
        self.sent[event_id] = None
        while len(self.sent) > SENT_KEPT:
            self.sent.popitem(last=False)

    def read_up_to(self, event_id: str) -> tuple[str, ...]:
        """Returns our events that a receipt for one of ours says were read, and forgets them."""
        if event_id not in self.sent:
            return ()
        read: list[str] = []
        for sent in self.sent:
            read.append(sent)
            if sent == event_id:
                break
        for sent in read:
            del self.sent[sent]
        return tuple(read)


class Rooms:
    """All rooms.

    Args:
        most: of one account.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._rooms: dict[str, Room] = {}
        self._pairs: dict[tuple[str, str], Room] = {}
        self._of_peer: dict[str, dict[str, Room]] = {}
        self._counts: dict[str, int] = {}
        self._left: OrderedDict[str, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._rooms)

    def get(self, room: str) -> Room | None:
        """Returns a room."""
        return self._rooms.get(room)

    def pair(self, account: str, peer: str) -> Room | None:
        """Returns the room of a ghost and a person."""
        return self._pairs.get((account, peer))

    def of_peer(self, peer: str) -> tuple[Room, ...]:
        """Returns the rooms that a person shares with ghosts."""
        return tuple(self._of_peer.get(peer, {}).values())

    def of_account(self, account: str) -> Iterator[Room]:
        """Yields the pairs of a ghost."""
        for (owner, _), room in tuple(self._pairs.items()):
            if owner == account:
                yield room

    def has_room_for(self, account: str) -> bool:
        """Whether a ghost may be in one room more."""
        return self._counts.get(account, 0) < self._most

    def count(self, account: str) -> int:
        """In how many rooms a ghost is."""
        return self._counts.get(account, 0)

    def was_left(self, room: str) -> bool:
        """Whether it is one that a ghost has left lately."""
        return room in self._left

    def add(self, room: Room) -> Room:
        """Takes a room; one of the same id goes."""
        known = self._rooms.get(room.id)
        if known is not None:
            self.remove(known)
        self._left.pop(room.id, None)
        self._rooms[room.id] = room
        self._counts[room.account] = self._counts.get(room.account, 0) + 1
        if room.peer:
            self._set_pair(room)
        return room

    def bind(self, room: Room, peer: str) -> Room | None:
        """Says with whom a room is. Returns the room that the two had before."""
        before = self._pairs.get((room.account, peer))
        if room.peer and room.peer != peer:
            self._unpair(room)
        room.peer = peer
        self._set_pair(room)
        return before if before is not room else None

    def _set_pair(self, room: Room) -> None:
        self._pairs[room.account, room.peer] = room
        self._of_peer.setdefault(room.peer, {})[room.account] = room

    def remove(self, room: Room) -> None:
        """Forgets a room that the ghost is not in any more."""
        if self._rooms.get(room.id) is not room:
            return
        del self._rooms[room.id]
        left = self._counts[room.account] - 1
        if left:
            self._counts[room.account] = left
        else:
            del self._counts[room.account]
        self._unpair(room)
        self._left[room.id] = None
        while len(self._left) > LEFT_KEPT:
            self._left.popitem(last=False)

    def _unpair(self, room: Room) -> None:
        if self._pairs.get((room.account, room.peer)) is room:
            del self._pairs[room.account, room.peer]
            others = self._of_peer[room.peer]
            del others[room.account]
            if not others:
                del self._of_peer[room.peer]
