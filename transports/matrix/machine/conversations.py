"""What we send: the room that is shared with somebody is found, or made, and then everything goes into it in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from typing import Final

from attrs import define, field

from transports.matrix.machine.accounts import Accounts
from transports.matrix.machine.calls import Lost, Outcome
from transports.matrix.machine.context import Context
from transports.matrix.machine.results import RELAYED, failed, link_down, result_of
from transports.matrix.machine.rooms import Room
from transports.matrix.wire import requests
from transports.matrix.wire.answers import Refusal, event_id_in, room_id_in, rooms_in, state_in
from transports.matrix.wire.native import (
    MessageSend,
    ReactionSend,
    ReadSend,
    RoomSend,
    TypingSend,
)

MAX_WAITING: Final = 1_000
"""Messages that wait for one room."""
_NOT_THERE: Final = frozenset({"M_FORBIDDEN", "M_NOT_FOUND", "M_UNKNOWN"})
TYPING_SECONDS: Final = 10.0
"""A notice that could not be sent in this time says what is no longer true."""


@define(eq=False)
class _Waiting:
    native: MessageSend
    key: Hashable
    deadline: float | None
    rooms: int = 0
    """How many rooms it was tried in."""


@define(eq=False)
class _Conversation:
    account: str
    peer: str
    opening: bool = False
    doubtful: bool = False
    """A room may have been made of which there was no word."""
    waiting: deque[_Waiting] = field(factory=deque)

    @property
    def lane(self) -> Hashable:
        return self.account, self.peer


class Conversations:
    """All conversations of two.

    Args:
        context: what the session shares.
        accounts: our ghosts.
    """

    def __init__(self, context: Context, accounts: Accounts) -> None:
        self._context = context
        self._accounts = accounts
        self._of: dict[tuple[str, str], _Conversation] = {}

    def waiting(self) -> int:
        """How many messages wait for a room."""
        return sum(len(one.waiting) for one in self._of.values())

    # Messages

    def send(self, native: RoomSend, key: Hashable, now: float, deadline: float | None) -> None:
        """Sends what becomes an event of a room."""
        if not isinstance(native, MessageSend) or native.room:
            shared = self._context.rooms.pair(native.account, native.to)
            room = native.room or ("" if shared is None else shared.id)
            if room:
                self._send_in(native, room, key, now, deadline)
            else:
                text = "There is no conversation in which that was said."
                self._context.done(key, failed("no room", retryable=False, user_text=text))
            return
        pair = native.account, native.to
        conversation = self._of.get(pair)
        if conversation is None:
            conversation = self._of[pair] = _Conversation(*pair)
        if len(conversation.waiting) >= MAX_WAITING:
            text = "Too much is waiting to be sent."
            self._context.done(key, failed("the queue is full", retryable=True, user_text=text))
            return
        conversation.waiting.append(_Waiting(native, key, deadline))
        self._step(conversation, now)

    def _send_in(self, native: RoomSend, room: str, key: Hashable, now: float, deadline: float | None) -> None:
        """Sends in a room that is given."""

        def answered(outcome: Outcome, _at: float) -> None:
            held = self._context.rooms.get(room)
            event_id = None if isinstance(outcome, Refusal | Lost) else event_id_in(outcome)
            if held is not None and event_id is not None and isinstance(native, MessageSend):
                held.note_sent(event_id)
            self._context.done(key, result_of(outcome, sends=True))

        if isinstance(native, MessageSend):
            request = requests.message(native, room)
        elif isinstance(native, ReactionSend):
            request = requests.reaction(native, room)
        else:
            request = requests.redact(native.account, room, native.target, native.txn_id)
        self._context.calls.submit(request, (native.account, native.to), answered, now, deadline=deadline)

    def _step(self, conversation: _Conversation, now: float) -> None:
        """Goes on: what waits is sent where there is a room for it, else one is made."""
        if conversation.opening:
            return
        if not conversation.waiting:
            if not conversation.doubtful:
                self._of.pop((conversation.account, conversation.peer), None)
            return
        room = self._context.rooms.pair(conversation.account, conversation.peer)
        if room is not None and room.usable:
            while conversation.waiting:
                self._send_one(conversation, conversation.waiting.popleft(), room, now)
            self._step(conversation, now)
        elif not self._context.is_up():
            self._fail(conversation, Lost(reason="no connection", certain=True, down=True), now)
        else:
            self._open(conversation, room, now)

    def _send_one(self, conversation: _Conversation, one: _Waiting, room: Room, now: float) -> None:
        one.rooms += 1

        def answered(outcome: Outcome, at: float) -> None:
            gone = isinstance(outcome, Refusal) and outcome.errcode in _NOT_THERE and outcome.status in {403, 404}
            if gone and one.rooms == 1:
                # We are not in it any more, whatever we thought: another room, once.
                self._context.rooms.remove(room)
                held = self._of.setdefault((conversation.account, conversation.peer), conversation)
                held.waiting.appendleft(one)
                self._step(held, at)
                return
            event_id = None if isinstance(outcome, Refusal | Lost) else event_id_in(outcome)
            if event_id is not None:
                room.note_sent(event_id)
            self._context.done(one.key, result_of(outcome, sends=True))

        self._accounts.call(conversation.account, one.native.display_name, conversation.lane, now)
        request = requests.message(one.native, room.id)
        self._context.calls.submit(request, conversation.lane, answered, now, deadline=one.deadline)

    def _fail(self, conversation: _Conversation, outcome: Outcome, now: float) -> None:
        """No room can be had: what waits for it ends."""
        waiting, conversation.waiting = conversation.waiting, deque()
        for one in waiting:
            self._context.done(one.key, result_of(outcome, sends=False))
        self._step(conversation, now)

    # Rooms

    def _open(self, conversation: _Conversation, room: Room | None, now: float) -> None:
        conversation.opening = True
        if room is not None and room.joined and not room.checked:
            self._check(conversation, room, now)
        elif room is not None and room.joined and not room.encrypted:
            self._invite(conversation, room, now)
        elif conversation.doubtful:
            self._look_for_room(conversation, now)
        else:
            self._create(conversation, now)

    def _opened(self, conversation: _Conversation, now: float) -> None:
        conversation.opening = False
        self._step(conversation, now)

    def _not_opened(self, conversation: _Conversation, outcome: Outcome, now: float) -> None:
        conversation.opening = False
        self._fail(conversation, outcome, now)

    def _check(self, conversation: _Conversation, room: Room, now: float) -> None:
        """Asks what a room is like that we know by its name alone, since before a restart."""

        def answered(outcome: Outcome, at: float) -> None:
            if isinstance(outcome, Lost) or (isinstance(outcome, Refusal) and outcome.server_trouble):
                self._not_opened(conversation, outcome, at)
                return
            if isinstance(outcome, Refusal):
                self._context.rooms.remove(room)
            else:
                state = state_in(outcome)
                room.members = {user: how for user, how in state.members.items() if user != room.account}
                room.encrypted, room.checked = state.encrypted, True
            self._opened(conversation, at)

        self._context.calls.submit(requests.state(room.account, room.id), conversation.lane, answered, now)

    def _invite(self, conversation: _Conversation, room: Room, now: float) -> None:
        """Asks somebody back who has left the room."""

        def answered(outcome: Outcome, at: float) -> None:
            if isinstance(outcome, Lost) or (isinstance(outcome, Refusal) and outcome.server_trouble):
                self._not_opened(conversation, outcome, at)
                return
            if isinstance(outcome, Refusal):
                self._leave(room, at)  # no way back into this one: another
            else:
                room.members[conversation.peer] = "invite"
            self._opened(conversation, at)

        request = requests.invite(room.account, room.id, conversation.peer)
        timeout = self._context.config.join_timeout
        self._context.calls.submit(request, conversation.lane, answered, now, timeout=timeout)

    def _leave(self, room: Room, now: float) -> None:
        self._context.rooms.remove(room)
        request = requests.leave(room.account, room.id, "The conversation goes on in another room.")
        self._context.calls.submit(request, (room.account, "leave"), lambda _outcome, _at: None, now)

    def _create(self, conversation: _Conversation, now: float) -> None:
        account, peer = conversation.account, conversation.peer
        if not self._context.rooms.has_room_for(account):
            text = "This account is in too many conversations on Matrix."
            waiting, conversation.waiting = conversation.waiting, deque()
            for one in waiting:
                self._context.done(one.key, failed("too many rooms", retryable=False, user_text=text))
            self._opened(conversation, now)
            return

        def answered(outcome: Outcome, at: float) -> None:
            room_id = None if isinstance(outcome, Refusal | Lost) else room_id_in(outcome)
            if room_id is None:
                # Servers make the room first and invite then: one that nobody is in but us may be left behind.
                conversation.doubtful = not (isinstance(outcome, Lost) and outcome.certain)
                if not isinstance(outcome, Refusal | Lost):
                    outcome = Lost(reason="the homeserver names no room", certain=False)
                self._not_opened(conversation, outcome, at)
                return
            self._take(account, peer, room_id, at)
            self._opened(conversation, at)

        name = next((one.native.display_name for one in conversation.waiting if one.native.display_name), "")
        self._accounts.call(account, name, conversation.lane, now)
        timeout = self._context.config.join_timeout
        self._context.calls.submit(
            requests.create_direct(account, peer), conversation.lane, answered, now, timeout=timeout, once=True
        )

    def _take(self, account: str, peer: str, room_id: str, now: float) -> None:
        rooms = self._context.rooms
        room = rooms.get(room_id)  # the homeserver may have told of it before it answered
        if room is None or room.account != account:
            room = rooms.add(Room(room_id, account))
        room.members.setdefault(peer, "invite")
        room.checked = True
        before = rooms.bind(room, peer)
        if before is not None and before.joined:
            self._leave(before, now)
        held = self._accounts.get(account)
        if held is not None:
            self._accounts.note_direct(held, peer, room_id, now)

    def _look_for_room(self, conversation: _Conversation, now: float) -> None:
        """Looks whether a room was made of which there was no word; those that are nobody's are left."""
        account = conversation.account

        def listed(outcome: Outcome, at: float) -> None:
            if isinstance(outcome, Refusal | Lost):
                self._not_opened(conversation, outcome, at)
                return
            unknown = [one for one in rooms_in(outcome) if self._context.rooms.get(one) is None]
            self._look_at(conversation, deque(unknown), at)

        self._context.calls.submit(requests.joined_rooms(account), conversation.lane, listed, now)

    def _look_at(self, conversation: _Conversation, unknown: deque[str], now: float) -> None:
        if not unknown:
            conversation.doubtful = False
            self._opened(conversation, now)
            return
        room_id, account = unknown.popleft(), conversation.account

        def answered(outcome: Outcome, at: float) -> None:
            if isinstance(outcome, Lost):
                self._not_opened(conversation, outcome, at)
                return
            members = {} if isinstance(outcome, Refusal) else state_in(outcome).members
            others = {user for user in members if user != account}
            if others == {conversation.peer} and self._context.rooms.pair(account, conversation.peer) is None:
                self._take(account, conversation.peer, room_id, at)
            elif not others and members:
                leave = requests.leave(account, room_id, "")
                self._context.calls.submit(leave, (account, "leave"), lambda _outcome, _at: None, at)
            self._look_at(conversation, unknown, at)

        self._context.calls.submit(requests.state(account, room_id), conversation.lane, answered, now)

    # What is not kept

    def show_typing(self, native: TypingSend, key: Hashable, now: float) -> None:
        """Shows that we type; where no room is shared nobody is there to see it."""
        room = self._context.rooms.pair(native.account, native.to)
        if room is None or not room.usable:
            self._context.done(key, RELAYED)
            return
        timeout = int(self._context.config.typing_timeout * 1000) if native.typing else 0
        self._context.calls.submit(
            requests.typing(native.account, room.id, timeout),
            (native.account, native.to, "typing"),
            lambda outcome, _at: self._context.done(key, result_of(outcome, sends=False)),
            now,
            deadline=now + TYPING_SECONDS,
        )

    def show_read(self, native: ReadSend, key: Hashable, now: float, deadline: float | None) -> None:
        """Shows that an event was read."""
        self._context.calls.submit(
            requests.read(native.account, native.room, native.event_id),
            (native.account, native.to, "read"),
            lambda outcome, _at: self._context.done(key, result_of(outcome, sends=False)),
            now,
            deadline=deadline,
        )

    def server_down(self, now: float) -> None:
        """The homeserver is away: nothing waits for it here."""
        for conversation in list(self._of.values()):
            for one in conversation.waiting:
                self._context.done(one.key, link_down())
            conversation.waiting.clear()
            conversation.opening = False
            self._step(conversation, now)
