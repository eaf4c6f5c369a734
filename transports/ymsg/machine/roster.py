"""The contact list that the server keeps: what is on it, and its edits."""

from __future__ import annotations

from collections.abc import Callable, Hashable

from attrs import define, field

from bridge.model.body import Stage
from bridge.model.capabilities import SendResult
from transports.common.machine.actions import SendDone
from transports.common.machine.results import failed, link_down, unknown
from transports.ymsg.machine.config import SessionConfig
from transports.ymsg.machine.messages import Write
from transports.ymsg.machine.outbox import Item, Outbox
from transports.ymsg.wire import codes
from transports.ymsg.wire.contacts import ContactList, Edited, ListAssembler, add_pairs, read_list_15, remove_pairs
from transports.ymsg.wire.errors import YmsgSyntaxError
from transports.ymsg.wire.names import normal
from transports.ymsg.wire.native import BuddyAdd, BuddyRemove, Contact, Roster, RosterEditFailed
from transports.ymsg.wire.packet import Packet, Pair, require_fit

_RELAYED = SendResult(stage=Stage.RELAYED)
_DONE = frozenset({codes.EDIT_DONE, codes.EDIT_KNOWN})
_EditName = tuple[int, str]
"""Of an edit: its service, and the normal form of the name."""


@define
class _Edit:
    """An edit under way: how many answers it still waits for, and until when."""

    key: Hashable
    name: str
    left: int
    until: float = field(default=0.0)


class RosterState:
    """The list and its edits.

    Args:
        account: our name.
        config: the network's parameters.
        outbox: where edits wait for their turn.
        write: writes a packet.
        emit: takes `SendDone` and `RosterEditFailed`.

    Attributes:
        to_tell: something has changed that nobody was told yet. The list is told whole: of many changes that come
            together, once.
        dropped: how many contacts were more than are kept.
    """

    def __init__(
        self,
        account: str,
        config: SessionConfig,
        outbox: Outbox,
        write: Write,
        emit: Callable[[SendDone | RosterEditFailed], None],
    ) -> None:
        self._account = account
        self._config = config
        self._outbox = outbox
        self._write = write
        self._emit = emit
        self._contacts: dict[tuple[str, str], Contact] = {}
        self._groups: dict[str, set[str]] = {}
        self._ignored: tuple[str, ...] = ()
        self._assembler = ListAssembler()
        self._group_15 = ""
        self._edits: dict[_EditName, _Edit] = {}
        self.to_tell = False
        self.dropped = 0

    # -- loading

    def begin(self) -> None:
        """A new sign-on: nothing is known."""
        self._assembler = ListAssembler()
        self._group_15 = ""
        self._put(ContactList(), keep=False)

    def load(self, packet: Packet) -> bool:
        """0x55; gives whether the list is whole now."""
        found = self._assembler.take(packet)
        if found is None:
            return False
        self._put(found, keep=False)
        return True

    def load_15(self, packet: Packet) -> None:
        """0xF1: a part of the list."""
        found, self._group_15 = read_list_15(packet, self._group_15)
        self._put(found, keep=True)

    def _put(self, found: ContactList, *, keep: bool) -> None:
        if not keep:
            self._contacts.clear()
            self._groups.clear()
            self._ignored = ()
        for each in found.contacts:
            self._add(each.name, each.group)
        room = max(0, self._config.max_roster - len(self._ignored))
        self._ignored += found.ignored[:room]
        self.to_tell = True

    def _add(self, name: str, group: str) -> None:
        key = (normal(name), group)
        if key in self._contacts:
            return
        if len(self._contacts) >= self._config.max_roster:
            self.dropped += 1
            return
        self._contacts[key] = Contact(name=name, group=group)
        self._groups.setdefault(key[0], set()).add(group)

    # -- reading

    def native(self) -> Roster:
        """The list as the mapping wants it."""
        return Roster(account=self._account, contacts=tuple(self._contacts.values()), ignored=self._ignored)

    def __len__(self) -> int:
        return len(self._contacts)

    def __contains__(self, name: str) -> bool:
        return normal(name) in self._groups

    # -- editing

    def add(self, value: BuddyAdd, key: Hashable, now: float) -> None:
        """Put somebody on the list; done at once where they are on it already."""
        if value.name in self:
            self._done(key, _RELAYED)
            return
        try:
            pairs = add_pairs(self._account, value.name, value.group, value.reason)
            require_fit(codes.ADD_BUDDY, pairs)
        except YmsgSyntaxError as error:
            self._unsendable(key, error)
            return
        self._edit(codes.ADD_BUDDY, value.name, [pairs], key, now)

    def remove(self, value: BuddyRemove, key: Hashable, now: float) -> None:
        """Take somebody off the list, out of each group; done at once where they are on it no more."""
        groups = sorted(self._groups.get(normal(value.name), ()))
        if not groups:
            self._done(key, _RELAYED)
            return
        try:
            pairs = [remove_pairs(self._account, value.name, group) for group in groups]
            for each in pairs:
                require_fit(codes.REMOVE_BUDDY, each)
        except YmsgSyntaxError as error:
            self._unsendable(key, error)
            return
        self._edit(codes.REMOVE_BUDDY, value.name, pairs, key, now)

    def _unsendable(self, key: Hashable, error: YmsgSyntaxError) -> None:
        self._done(key, failed(f"unsendable: {error}", retryable=False, user_text="That cannot be listed."))

    def _edit(self, service: int, name: str, packets: list[tuple[Pair, ...]], key: Hashable, now: float) -> None:
        which = (service, normal(name))
        if which in self._edits:
            self._done(key, failed("the same edit is under way", retryable=True, user_text="That is being done."))
            return
        if self._outbox.full:
            text = "Too much is waiting to be sent to the network."
            self._done(key, failed("the queue is full", retryable=True, user_text=text))
            return
        edit = self._edits[which] = _Edit(key, name, len(packets), now + self._config.queue_timeout)

        def write(at: float) -> None:
            edit.until = at + self._config.ack_timeout
            for pairs in packets:
                self._write(service, pairs, codes.OK)

        def lost() -> None:
            self._end(which, link_down("The connection to the network was lost before the list was changed."))

        def expired() -> None:
            text = "The change of the list waited too long for its turn."
            self._end(which, failed("expired in the queue", retryable=False, user_text=text))

        self._outbox.submit(Item(write, lost, expired, edit.until), now)

    def edited(self, service: int, answer: Edited) -> None:
        """0x83 or 0x84 has come: an answer, or the same account's edit elsewhere."""
        name = normal(answer.name)
        if answer.code in _DONE:
            self._apply(service, answer.name, answer.group)
        edit = self._edits.get((service, name))
        if edit is None:
            return
        if answer.code in _DONE:
            edit.left -= 1
            if edit.left <= 0:
                self._end((service, name), _RELAYED)
            return
        reason = codes.EDIT_ERRORS.get(answer.code, f"refused by the network (code {answer.code})")
        self._emit(RosterEditFailed(account=self._account, name=answer.name, code=answer.code, reason=reason))
        text = f"The contact list was not changed: {reason}."
        self._end((service, name), failed(f"list: {reason}", retryable=False, user_text=text))

    def _apply(self, service: int, name: str, group: str) -> None:
        self.to_tell = True
        if service == codes.ADD_BUDDY:
            self._add(name, group)
            return
        plain = normal(name)
        self._contacts.pop((plain, group), None)
        groups = self._groups.get(plain, set())
        groups.discard(group)
        if not groups:
            self._groups.pop(plain, None)

    # -- time

    def next_deadline(self) -> float | None:
        """When `tick` has something to do."""
        return min((edit.until for edit in self._edits.values()), default=None)

    def tick(self, now: float) -> None:
        """Give up edits that have had no answer."""
        for which in [which for which, edit in self._edits.items() if edit.until <= now]:
            self._end(which, unknown("no answer from the server", retryable=False))

    def lost(self) -> None:
        """The connection is gone (those that waited have been told already)."""
        for which in list(self._edits):
            self._end(which, unknown("the connection was lost before an answer came"))

    def _end(self, which: _EditName, result: SendResult) -> None:
        edit = self._edits.pop(which, None)
        if edit is not None:
            self._done(edit.key, result)

    def _done(self, key: Hashable, result: SendResult) -> None:
        self._emit(SendDone(key=key, result=result))
