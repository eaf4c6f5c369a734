"""Our ghosts: made, read and shown."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable
from enum import Enum
from typing import Final

from attrs import define, field

from bridge.model.capabilities import LinkState as Link
from transports.matrix.machine.calls import Lost, Outcome
from transports.matrix.machine.context import Context
from transports.matrix.machine.results import RELAYED, link_down, result_of
from transports.matrix.machine.rooms import Room
from transports.matrix.wire import requests
from transports.matrix.wire.answers import Refusal, direct_in, presence_in, rooms_in, state_in
from transports.matrix.wire.names import split_user_id
from transports.matrix.wire.native import LinkState, OwnPresence, PresenceReceived, Watch

CHECKED_AT_ONCE: Final = 50
"""Rooms of a ghost that are looked at after its sign-on; what is beyond is looked at when it is used."""
MAX_WANTED: Final = 5_000
_IN_USE: Final = frozenset({"M_USER_IN_USE"})


class Phase(Enum):
    """Where an account stands."""

    WAITING = "waiting"
    SIGNING = "signing-on"
    UP = "up"
    FAILED = "failed"


@define(eq=False)
class Account:
    """One ghost.

    Attributes:
        read: its rooms are known.
        direct: its ``m.direct``.
        wanted: whose presence is wanted.
        own, shown: the presence it is to have, and the one that the homeserver was told.
        called: the display name that the homeserver was told.
    """

    name: str
    phase: Phase = Phase.WAITING
    read: bool = False
    direct: dict[str, list[str]] = field(factory=dict)
    wanted: dict[str, None] = field(factory=dict)
    own: OwnPresence | None = None
    shown: OwnPresence | None = None
    called: str = ""
    to_read: int = 0
    unchecked: list[Room] = field(factory=list)


class Accounts:
    """All ghosts that people are bound to.

    Args:
        context: what the session shares.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._of: dict[str, Account] = {}
        self._starting: deque[str] = deque()
        self._next_start = 0.0
        self._refresh: deque[tuple[float, str]] = deque()

    def get(self, name: str) -> Account | None:
        """Returns an account."""
        return self._of.get(name)

    def phases(self) -> dict[str, str]:
        """Returns where each account stands."""
        return {name: account.phase.value for name, account in self._of.items()}

    @property
    def unread(self) -> bool:
        """Whether an account is about to tell its rooms: a push before that would meet rooms that are not known."""
        return any(not one.read and one.phase is not Phase.FAILED for one in self._of.values())

    # Sign-on

    def sign_on(self, name: str, now: float) -> None:
        """Signs a ghost on, in its turn."""
        account = self._of.get(name)
        if account is None:
            account = self._of[name] = Account(name)
        elif account.phase in {Phase.UP, Phase.SIGNING}:
            return
        account.phase = Phase.WAITING
        if name not in self._starting:
            self._starting.append(name)
        self.start_due(now)

    def sign_off(self, name: str, now: float) -> None:
        """Signs a ghost off. Its rooms stay: what is said in them is refused on record, and not lost."""
        account = self._of.pop(name, None)
        if account is None:
            return
        if account.phase is Phase.UP and self._context.is_up():
            away = OwnPresence(account=name, presence="offline")
            self._context.calls.submit(requests.show(away), (name, "presence"), _nothing, now, deadline=now + 10.0)
        self.tell(name, Link.LOGGED_OUT, "signed off")

    def tell(self, name: str, state: Link, reason: str, retry_in: float | None = None) -> None:
        """Tells the owner how an account stands."""
        self._context.emit(LinkState(account=name, state=state, reason=reason, retry_in=retry_in))

    def stop(self) -> None:
        """Everybody is signed off: the bridge ends."""
        names = list(self._of)
        self._of.clear()
        self._starting.clear()
        self._refresh.clear()
        for name in names:
            self.tell(name, Link.LOGGED_OUT, "signed off")

    def server_up(self, now: float) -> None:
        """The homeserver is there: everybody signs on."""
        for account in self._of.values():
            if account.phase is not Phase.UP:
                account.phase = Phase.WAITING
                if account.name not in self._starting:
                    self._starting.append(account.name)
        self.start_due(now)

    def server_down(self, state: Link, reason: str, retry_in: float | None) -> None:
        """The homeserver is away, or refuses us."""
        self._starting.clear()
        self._refresh.clear()
        for account in self._of.values():
            if account.phase is not Phase.WAITING or state is Link.AUTH_FAILED or not account.read:
                self.tell(account.name, state, reason, retry_in)
            account.phase = Phase.WAITING
            account.shown = None

    def start_due(self, now: float) -> None:
        """Begins the sign-ons whose turn it is."""
        while self._starting and self._next_start <= now and self._context.is_up():
            account = self._of.get(self._starting.popleft())
            if account is None or account.phase is not Phase.WAITING:
                continue
            pause = 1.0 / self._context.config.sign_ons_per_second
            self._next_start = max(self._next_start, now - 1.0) + pause
            self._begin(account, now)

    def _begin(self, account: Account, now: float) -> None:
        account.phase = Phase.SIGNING
        self.tell(account.name, Link.CONNECTING, "signing on")
        try:
            localpart, _ = split_user_id(account.name)
        except ValueError as error:
            self._fail(account, str(error))
            return
        if not self._context.is_ours(account.name) or account.name == self._context.bot:
            config = self._context.config
            self._fail(account, f"it is not of the form @{config.prefix}…:{config.server_name}")
            return
        if account.read:  # it was up before
            self._up(account, now)
            return
        self._ask(account, requests.register(localpart), self._registered, now)

    def _ask(
        self, account: Account, request: requests.Request, then: Callable[[Account, Outcome, float], None], now: float
    ) -> None:
        def answered(outcome: Outcome, at: float) -> None:
            if self._of.get(account.name) is account and account.phase is Phase.SIGNING:
                then(account, outcome, at)

        self._context.calls.submit(request, (account.name, "account"), answered, now)

    def _fail(self, account: Account, reason: str) -> None:
        account.phase = Phase.FAILED
        self.tell(account.name, Link.AUTH_FAILED, reason)

    def _passing(self, account: Account, outcome: Outcome) -> bool:
        """Deals with what time mends; returns whether it was that."""
        if isinstance(outcome, Lost) or (isinstance(outcome, Refusal) and (outcome.server_trouble or outcome.limited)):
            account.phase = Phase.WAITING
            if not (isinstance(outcome, Lost) and outcome.down):  # else the link tells, and tries again
                self._starting.append(account.name)
                reason = outcome.reason if isinstance(outcome, Lost) else str(outcome)
                self._next_start += 1.0
                self.tell(account.name, Link.TRANSIENT, reason, 1.0)
            return True
        return False

    def _registered(self, account: Account, outcome: Outcome, now: float) -> None:
        if self._passing(account, outcome):
            return
        if isinstance(outcome, Refusal) and outcome.errcode not in _IN_USE:
            if not outcome.token_unknown:
                self._fail(account, f"the homeserver refuses the name: {outcome}")
            return
        self._ask(account, requests.direct_rooms(account.name), self._direct, now)

    def _direct(self, account: Account, outcome: Outcome, now: float) -> None:
        if self._passing(account, outcome):
            return
        account.direct = {} if isinstance(outcome, Refusal) else direct_in(outcome)
        self._ask(account, requests.joined_rooms(account.name), self._joined, now)

    def _joined(self, account: Account, outcome: Outcome, now: float) -> None:
        if self._passing(account, outcome):
            return
        if isinstance(outcome, Refusal):
            if not outcome.token_unknown:
                self._fail(account, f"the homeserver does not let this service act for it: {outcome}")
            return
        self._take_rooms(account, rooms_in(outcome), now)

    def _take_rooms(self, account: Account, joined: tuple[str, ...], now: float) -> None:
        """Rooms of ``m.direct`` are asked about when they are used, others at once: nobody says whose they are."""
        rooms = self._context.rooms
        peers = {room: peer for peer, shared in account.direct.items() for room in shared}
        unknown = []
        for room_id in joined:
            if rooms.get(room_id) is not None:
                continue
            peer = peers.get(room_id)
            if peer is None:
                unknown.append(room_id)
            elif rooms.has_room_for(account.name):
                room = rooms.add(Room(room_id, account.name, peer, checked=False, members={peer: "join"}))
                if len(account.unchecked) < CHECKED_AT_ONCE:
                    account.unchecked.append(room)
        account.to_read = len(unknown)
        for room_id in unknown:
            self._ask_state(account, room_id, now)
        if not unknown:
            self._was_read(account, now)

    def _ask_state(self, account: Account, room_id: str, now: float) -> None:
        def answered(held: Account, outcome: Outcome, at: float) -> None:
            if not isinstance(outcome, Refusal | Lost):
                self._found(held, room_id, outcome, at)
            held.to_read -= 1
            if not held.to_read:
                self._was_read(held, at)

        self._ask(account, requests.state(account.name, room_id), answered, now)

    def _found(self, account: Account, room_id: str, outcome: Outcome, now: float) -> None:
        """A room that only the homeserver knew of: one for two is taken up, any other left."""
        state = state_in(outcome)
        members = {user: how for user, how in state.members.items() if user != account.name}
        rooms = self._context.rooms
        if len(members) == 1 and rooms.has_room_for(account.name):
            peer = next(iter(members))
            if rooms.pair(account.name, peer) is None:
                rooms.add(Room(room_id, account.name, peer, encrypted=state.encrypted, members=members))
                self.note_direct(account, peer, room_id, now)
                return
        self._context.calls.submit(
            requests.leave(account.name, room_id, "This is no conversation of two."), (account.name, "account"),
            _nothing, now,
        )  # fmt: skip

    def _was_read(self, account: Account, now: float) -> None:
        account.read = True
        self._up(account, now)

    def _up(self, account: Account, now: float) -> None:
        account.phase = Phase.UP
        self._show(account, now)
        self._refresh.append((now + self._context.config.presence_refresh, account.name))
        self.tell(account.name, Link.UP, "")
        rooms, account.unchecked = account.unchecked, []
        for room in rooms:
            self._check(room, now)

    def _check(self, room: Room, now: float) -> None:
        """Looks at a room that we know by its name alone, so that the first message in it need not wait for that."""

        def answered(outcome: Outcome, _at: float) -> None:
            if not isinstance(outcome, Refusal | Lost) and not room.checked:
                state = state_in(outcome)
                room.members = {user: how for user, how in state.members.items() if user != room.account}
                room.encrypted, room.checked = state.encrypted, True

        lane = (room.account, "check")
        self._context.calls.submit(requests.state(room.account, room.id), lane, answered, now, deadline=now + 60.0)

    # Rooms

    def note_direct(self, account: Account, peer: str, room_id: str, now: float) -> None:
        """Notes on the homeserver which room is shared with whom (``m.direct``)."""
        if account.direct.get(peer) == [room_id]:
            return
        account.direct[peer] = [room_id]
        request = requests.set_direct_rooms(account.name, account.direct)
        self._context.calls.submit(request, (account.name, "account"), _nothing, now)

    # Presence

    def set_presence(self, own: OwnPresence, key: Hashable, now: float) -> None:
        """Takes how an account is to be seen."""
        account = self._of.get(own.account)
        if account is None or account.phase is not Phase.UP:
            if account is not None:
                account.own = own
            self._context.done(key, link_down())
            return
        account.own = own
        if own == account.shown:
            self._context.done(key, RELAYED)
            return
        account.shown = own

        def answered(outcome: Outcome, _at: float) -> None:
            if isinstance(outcome, Refusal | Lost) and account.shown == own:
                account.shown = None
            self._context.done(key, result_of(outcome, sends=False))

        self._context.calls.submit(requests.show(own), (own.account, "presence"), answered, now, deadline=now + 30.0)

    def _show(self, account: Account, now: float) -> None:
        if account.own is not None and self._context.is_up():
            account.shown = account.own
            lane = (account.name, "presence")
            self._context.calls.submit(requests.show(account.own), lane, _nothing, now, deadline=now + 15.0)

    def watch(self, watch: Watch, key: Hashable, now: float) -> None:
        """Takes whose presence is wanted. It is pushed as it changes; what it is now has to be asked."""
        account = self._of.get(watch.account)
        if account is None:
            self._context.done(key, link_down())
            return
        if not watch.wanted:
            account.wanted.pop(watch.user, None)
        elif len(account.wanted) < MAX_WANTED:
            account.wanted[watch.user] = None
            self.look(account.name, watch.user, now)
        self._context.done(key, RELAYED)

    def look(self, name: str, user: str, now: float) -> None:
        """Asks for somebody's presence, where it is wanted and a room is shared: nobody else is shown it."""
        account = self._of.get(name)
        room = self._context.rooms.pair(name, user)
        if account is None or user not in account.wanted or room is None or not self._context.is_up():
            return

        def answered(outcome: Outcome, _at: float) -> None:
            seen = None if isinstance(outcome, Refusal | Lost) else presence_in(outcome)
            if seen is not None:
                self._context.emit(
                    PresenceReceived(
                        account=name,
                        user=user,
                        presence=seen.presence,
                        status_msg=seen.status_msg,
                        last_active_ago=seen.last_active_ago,
                        currently_active=seen.currently_active,
                    )
                )

        lane = (name, "look")
        self._context.calls.submit(requests.presence_of(name, user), lane, answered, now, deadline=now + 60.0)

    # Names

    def call(self, name: str, display_name: str, lane: Hashable, now: float) -> None:
        """Sets how a ghost is called, where that is something else than before."""
        account = self._of.get(name)
        if account is not None and display_name and account.called != display_name:
            account.called = display_name
            self._context.calls.submit(requests.display_name(name, display_name), lane, _nothing, now)

    # Time

    def next_deadline(self) -> float | None:
        """When `tick` has something to do."""
        times = []
        if self._starting and self._context.is_up():
            times.append(self._next_start)
        if self._refresh:
            times.append(self._refresh[0][0])
        return min(times, default=None)

    def tick(self, now: float) -> None:
        """Begins sign-ons, and tells presences again."""
        self.start_due(now)
        while self._refresh and self._refresh[0][0] <= now:
            _, name = self._refresh.popleft()
            account = self._of.get(name)
            if account is None or account.phase is not Phase.UP:
                continue
            self._refresh.append((now + self._context.config.presence_refresh, name))
            own = account.own
            if own is not None and own.presence != "offline" and self._context.rooms.count(name):
                self._show(account, now)


def _nothing(_outcome: Outcome, _now: float) -> None:
    """Nobody waits for it: what it tells the server is told again, or asked again, when it matters."""
