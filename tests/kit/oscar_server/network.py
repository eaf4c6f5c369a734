"""All who are signed on, the cookies that let them in, and what the server counts."""

from __future__ import annotations

import secrets
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from attrs import define, field, frozen, validators

from tests.kit.oscar_server.accounts import Account, Accounts, Stored
from tests.kit.oscar_server.rating import WIDE, Profile
from tests.kit.oscar_server.residents import Resident
from transports.oscar.wire import buddy, icbm
from transports.oscar.wire.names import normal
from transports.oscar.wire.reader import u16
from transports.oscar.wire.tlv import Tlvs
from transports.oscar.wire.userinfo import CLASS, UserInfo

if TYPE_CHECKING:
    from tests.kit.oscar_server.connection import Connection
    from tests.kit.oscar_server.session import Session

COOKIE_LIFE = 60.0
"""Seconds for which a cookie is good."""
_MAX_COOKIES = 10_000
_MAX_HELD = 1_000


@frozen(kw_only=True)
class Config:
    """What a server is told.

    Attributes:
        rates: the rate classes.
        refuse_in_silence: what comes too fast is dropped without an answer (newer servers), else refused by an error.
        max_message: the longest message in bytes, as told in 04/05.
        max_buddies: the most buddies that a list may hold.
        motd: the message of the day; empty for none.
    """

    rates: Profile = WIDE
    refuse_in_silence: bool = False
    max_message: int = field(default=8000, validator=validators.ge(1))
    max_buddies: int = field(default=1000, validator=validators.ge(1))
    motd: str = "Welcome"


@define(eq=False)
class Move:
    """Somebody on the way from one connection to the next: what came meanwhile, and who shall not notice."""

    origin: Resident
    messages: list[icbm.IncomingMessage] = field(factory=list)
    seen_by: set[Resident] = field(factory=set)


class Waker(Protocol):
    """Calls something later, in the thread of the server."""

    def __call__(self, seconds: float, action: Callable[[], None], /) -> object:
        """Call `action` in so many seconds."""


class Network:
    """The server as a whole.

    Args:
        accounts: who may sign on.
        config: how it behaves.
        now: gives the time, seconds since 1970.
        later: calls something later.
        tell: is told of who comes online, moved and goes offline: the event and the normal name.
    """

    def __init__(
        self,
        accounts: Accounts,
        config: Config,
        *,
        now: Callable[[], float],
        later: Waker,
        tell: Callable[[str, str], None] | None = None,
    ) -> None:
        self.accounts = accounts
        self.config = config
        self.now = now
        self.later = later
        self._tell = tell
        self.bos_address = ""
        self.residents: dict[str, Resident] = {}
        self.sessions: dict[str, Session] = {}
        self.counts: Counter[str] = Counter()
        self.watchers: defaultdict[str, set[Resident]] = defaultdict(set)
        self.acks_held_until = 0.0
        self._cookies: dict[bytes, tuple[Account, float, bool]] = {}
        self._unwritten: list[Connection] = []
        self._moving: dict[str, Move] = {}

    # -- writing

    def wants_to_write(self, connection: Connection) -> None:
        """This connection has something that `flush` shall write."""
        self._unwritten.append(connection)

    def flush(self) -> None:
        """Write what has gathered: one write for each connection, however many frames."""
        unwritten, self._unwritten = self._unwritten, []
        for connection in unwritten:
            connection.flush()

    # -- coming and going

    def cookie(self, account: Account, *, moving: bool = False) -> bytes:
        """A cookie for this account, good once and for a while. `moving`: from one connection to the next."""
        now = self.now()
        if len(self._cookies) >= _MAX_COOKIES:
            self._cookies = {key: held for key, held in self._cookies.items() if held[1] > now}
        cookie = secrets.token_bytes(64)
        self._cookies[cookie] = (account, now + COOKIE_LIFE, moving)
        return cookie

    def redeem(self, cookie: bytes) -> tuple[Account, bool] | None:
        """Whose cookie this is, and whether they are moving; None when it is not good (any more)."""
        held = self._cookies.pop(cookie, None)
        if held is None or held[1] < self.now():
            return None
        return held[0], held[2]

    def enter(self, session: Session, *, moving: bool) -> None:
        """A session begins; an older one of the same name ends."""
        older = self.sessions.get(session.name)
        if older is not None:
            if moving and session.name in self._moving:
                older.leave_quietly()
            else:
                self.counts["signed_on_elsewhere"] += 1
                older.signed_on_elsewhere()
        if not moving:
            self._moving.pop(session.name, None)
        self.sessions[session.name] = session
        self.residents[session.name] = session

    def move(self, name: str) -> bytes | None:
        """Begin to move somebody to another connection: gives its cookie, and keeps their messages until it stands."""
        session = self.sessions.get(normal(name))
        if session is None:
            return None
        move = self._moving[session.name] = Move(session)
        self.later(COOKIE_LIFE, lambda: self._did_not_come(session.account, move))
        return self.cookie(session.account, moving=True)

    def _did_not_come(self, account: Account, move: Move) -> None:
        """A move has lasted too long: who has not come is gone, and the messages wait."""
        if self._moving.get(account.name) is not move:
            return
        del self._moving[account.name]
        if account.name in self.residents:
            return
        for each in move.messages:
            message = icbm.SendMessage(cookie=each.cookie, channel=each.channel, to=account.display, tlvs=each.tlvs)
            account.stored.append(Stored(sender=each.sender.name, sent=self.now(), message=message))
        self._say_gone(account.name, move.seen_by)
        self._happened("offline", account.name)
        self.flush()

    def went_online(self, resident: Resident) -> None:
        """Sign-on is complete: tell those who want to know, and this one of those whom it wants to know."""
        resident.online = True
        move = self._moving.get(resident.name)
        if move is not None and move.origin is resident:
            # it was told to move before it was ready
            move = None
        if move is not None:
            del self._moving[resident.name]
            resident.seen_by |= move.seen_by
        self.tell(resident)
        self.look_around(resident)
        for held in move.messages if move is not None else ():
            resident.deliver(held)
        self._happened("online" if move is None else "moved", resident.name)

    def _happened(self, event: str, name: str) -> None:
        if self._tell is not None:
            self._tell(event, name)

    def leave(self, resident: Resident) -> None:
        """A resident is gone (again and again is allowed)."""
        if self.residents.get(resident.name) is resident:
            del self.residents[resident.name]
            self.sessions.pop(resident.name, None)
        was_online, resident.online = resident.online, False
        self.unwatch(resident, set(resident.watching))
        move = self._moving.get(resident.name)
        if move is not None:
            move.seen_by |= resident.seen_by
            return
        self._tell_gone(resident, set(resident.seen_by))
        if was_online:
            self._happened("offline", resident.name)

    def resident(self, name: str) -> Resident | None:
        """Who of this name is signed on, completely."""
        found = self.residents.get(normal(name))
        return found if found is not None and found.online else None

    # -- presence

    def shows(self, subject: Resident, watcher: Resident) -> bool:
        """Whether `watcher` may know that `subject` is there."""
        if not subject.online or subject.invisible:
            return False
        return not subject.hides_from(watcher.name) and not watcher.hides_from(subject.name)

    def tell(self, subject: Resident) -> None:
        """Tell everybody who wants to know how this one is now."""
        for watcher in list(self.watchers.get(subject.name, ())):
            self._tell_one(subject, watcher)
        self._tell_gone(subject, {each for each in subject.seen_by if not self.shows(subject, each)})

    def look_around(self, watcher: Resident, names: set[str] | None = None) -> None:
        """Tell this one how those are whom it wants to know (of these `names`)."""
        for name in sorted(watcher.watching if names is None else names & watcher.watching):
            subject = self.residents.get(name)
            if subject is not None:
                self._tell_one(subject, watcher)

    def _tell_one(self, subject: Resident, watcher: Resident) -> None:
        if not watcher.online:
            return
        if self.shows(subject, watcher):
            subject.seen_by.add(watcher)
            watcher.deliver(buddy.Arrived((subject.info(self.now()),)))
        elif watcher in subject.seen_by:
            self._tell_gone(subject, {watcher})

    def _tell_gone(self, subject: Resident, watchers: set[Resident]) -> None:
        subject.seen_by -= watchers
        self._say_gone(subject.name, watchers)

    def _say_gone(self, name: str, watchers: set[Resident]) -> None:
        gone = buddy.Departed((UserInfo(name=name, tlvs=Tlvs([(CLASS, u16(0))])),))
        for watcher in watchers:
            if watcher.online:
                watcher.deliver(gone)

    def watch(self, watcher: Resident, names: set[str]) -> None:
        """This one wants to know of these."""
        new = names - watcher.watching
        watcher.watching |= new
        for name in new:
            self.watchers[name].add(watcher)
        if watcher.online:
            self.look_around(watcher, new)

    def unwatch(self, watcher: Resident, names: set[str]) -> None:
        """This one wants to know of these no more."""
        watcher.watching -= names
        for name in names:
            those = self.watchers.get(name)
            if those is not None:
                those.discard(watcher)
                if not those:
                    del self.watchers[name]
            subject = self.residents.get(name)
            if subject is not None:
                subject.seen_by.discard(watcher)

    # -- messages

    def held_for(self, name: str) -> list[icbm.IncomingMessage] | None:
        """Where messages gather for one who is moving to another connection and is not there yet."""
        move = self._moving.get(normal(name))
        if move is None or len(move.messages) >= _MAX_HELD:
            return None
        return move.messages

    # -- time

    def tick(self) -> None:
        """To be called a few times in a second: rates recover by time."""
        for session in list(self.sessions.values()):
            session.tick()
        self.flush()
