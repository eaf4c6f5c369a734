"""Who of our contacts is there: MONITOR where the server has it, else WATCH, else ISON from time to time.

MONITOR (IRCv3) and WATCH tell of themselves who comes and goes. Whether somebody is away is told by AWAY
(extended-monitor), by WATCH with the flag A, or asked with USERHOST, five names in a line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import Enum

from transports.irc.wire.isupport import ISupport
from transports.irc.wire.message import Message
from transports.irc.wire.native import ContactPresence

_LINE = 400
"""Bytes of names in one line: far from 512 with any prefix."""
_USERHOST_NAMES = 5
_POLLED_LINES = 4
"""The most lines of questions in one poll: with more contacts a round takes several."""


class Means(Enum):
    """How we learn who is there."""

    MONITOR = "monitor"
    WATCH = "watch"
    ISON = "ison"


class Contacts:
    """The contacts of one account, and what is known of each.

    Args:
        account: our name.
        limit: the most contacts.
        poll_interval: seconds between questions.
        ask: takes a line that may wait.
        emit: takes what has changed.
    """

    __slots__ = (
        "_account", "_ask", "_asked", "_emit", "_known", "_limit", "_means", "_open", "_poll_at", "_poll_interval",
        "_pushed_away",
        "_room", "_turn", "_up", "_wanted", "_watched",
    )  # fmt: skip

    def __init__(
        self,
        account: str,
        *,
        limit: int,
        poll_interval: float,
        ask: Callable[[Message, float], None],
        emit: Callable[[ContactPresence], None],
    ) -> None:
        self._account = account
        self._limit = limit
        self._poll_interval = poll_interval
        self._ask = ask
        self._emit = emit
        self._wanted: dict[str, None] = {}
        self._watched: set[str] = set()
        self._known: dict[str, ContactPresence] = {}
        self._asked: list[str] = []
        self._means = Means.ISON
        self._room = 0
        self._pushed_away = False
        self._poll_at: float | None = None
        self._turn = 0
        self._open = 0
        self._up = False

    @property
    def means(self) -> Means:
        """How we learn who is there."""
        return self._means

    # -- what we want

    def add(self, nick: str, now: float) -> bool:
        """Wants to know of somebody (canonical). False where there are too many."""
        if nick in self._wanted:
            return True
        if len(self._wanted) >= self._limit:
            return False
        self._wanted[nick] = None
        if self._up:
            self._begin([nick], now)
        return True

    def remove(self, nick: str, now: float) -> None:
        """Wants to know no more of somebody."""
        self._wanted.pop(nick, None)
        self._known.pop(nick, None)
        if nick in self._watched:
            self._watched.discard(nick)
            self._ask(self._line("-", [nick]), now)
            waiting = [each for each in self._wanted if each not in self._watched]
            if waiting:
                self._begin(waiting[:1], now)

    def begin(self, isupport: ISupport, caps: frozenset[str], now: float) -> None:
        """A session is up: wants all of them anew."""
        self._up = True
        self._watched.clear()
        self._known.clear()
        if "MONITOR" in isupport:
            self._means, self._room = Means.MONITOR, isupport.number("MONITOR", self._limit)
            self._pushed_away = "extended-monitor" in caps and "away-notify" in caps
        elif "WATCH" in isupport:
            self._means, self._room = Means.WATCH, isupport.number("WATCH", self._limit)
            self._pushed_away = "A" in isupport.text("WATCHOPTS")
        else:
            self._means, self._room, self._pushed_away = Means.ISON, 0, False
        self._poll_at = now + self._poll_interval
        self._begin(list(self._wanted), now)

    def _begin(self, nicks: list[str], now: float) -> None:
        free = max(0, self._room - len(self._watched))
        taken, rest = nicks[:free], nicks[free:]
        self._watched.update(taken)
        for group in _grouped(taken):
            self._ask(self._line("+", group), now)
        if rest:
            self._poll_at = min(self._poll_at or now, now + 1.0)

    def _line(self, sign: str, nicks: list[str]) -> Message:
        if self._means is Means.MONITOR:
            return Message(command="MONITOR", params=(sign, ",".join(nicks)))
        flag = ("A",) if self._pushed_away and sign == "+" else ()
        return Message(command="WATCH", params=(*flag, *(f"{sign}{nick}" for nick in nicks)))

    def full(self, nicks: Iterable[str], now: float) -> None:
        """The server's list is full (734, 512): these are asked after from time to time."""
        for nick in nicks:
            self._watched.discard(nick)
        self._room = len(self._watched)
        self._poll_at = min(self._poll_at or now, now + 1.0)

    # -- what the server says

    def online(self, nick: str, now: float, *, away: bool | None = None, text: str = "") -> None:
        """Somebody is there. `away`: None where that is not said."""
        if nick not in self._wanted:
            return
        before = self._known.get(nick)
        if away is None:
            if before is not None and before.online:
                return
            self._set(ContactPresence(account=self._account, nick=nick, online=True))
            self._ask(Message(command="USERHOST", params=(nick,)), now)
            return
        self._away(nick, text, now, away=away)

    def offline(self, nick: str) -> None:
        """Somebody is not there."""
        if nick in self._wanted:
            self._set(ContactPresence(account=self._account, nick=nick, online=False))

    def away_text(self, nick: str, text: str) -> None:
        """301, AWAY: somebody is away, and why."""
        if nick in self._wanted:
            self._set(ContactPresence(account=self._account, nick=nick, online=True, away=True, away_text=text))

    def back(self, nick: str) -> None:
        """AWAY without a text: somebody is here again."""
        if nick in self._wanted:
            self._set(ContactPresence(account=self._account, nick=nick, online=True))

    def _away(self, nick: str, text: str, now: float, *, away: bool) -> None:
        before = self._known.get(nick)
        if not away:
            self.back(nick)
        elif text:
            self.away_text(nick, text)
        elif before is None or not before.away:
            self._set(ContactPresence(account=self._account, nick=nick, online=True, away=True))
            self._ask(Message(command="WHOIS", params=(nick,)), now)  # why, is told in its 301

    def userhost(self, text: str, fold: Callable[[str], str], now: float) -> None:
        """302: ``nick[*]=+user@host``, where ``-`` instead of ``+`` is away."""
        self._open = max(0, self._open - 1)
        for word in text.split():
            name, equals, rest = word.partition("=")
            if equals and rest[:1] in {"+", "-"}:
                self.online(fold(name.rstrip("*")), now, away=rest[0] == "-")

    def ison(self, text: str, fold: Callable[[str], str], now: float) -> None:
        """303: those of the names that were asked for who are there."""
        if not self._asked:
            return
        self._open = max(0, self._open - 1)
        asked = self._asked.pop(0).split(" ")
        there = {fold(name) for name in text.split()}
        for nick in asked:
            if nick in there:
                self.online(nick, now)
            else:
                self.offline(nick)

    def _set(self, presence: ContactPresence) -> None:
        if self._known.get(presence.nick) != presence:
            self._known[presence.nick] = presence
            self._emit(presence)

    # -- time

    def next_deadline(self) -> float | None:
        """When to ask."""
        return self._poll_at if self._up and self._wanted else None

    def poll(self, now: float) -> None:
        """Asks who is there, where nobody tells."""
        if not self._up or self._poll_at is None or self._poll_at > now:
            return
        self._poll_at = now + self._poll_interval
        if self._open > 0:
            self._open -= (
                1  # a server that answers slowly is not asked more; an answer that never comes is not waited for
            )
            return
        lines = [("ISON", group) for group in _grouped([nick for nick in self._wanted if nick not in self._watched])]
        if not self._pushed_away:
            there = [nick for nick, known in self._known.items() if known.online]
            lines += [("USERHOST", there[at : at + _USERHOST_NAMES]) for at in range(0, len(there), _USERHOST_NAMES)]
        if not lines:
            return
        for _ in range(min(_POLLED_LINES, len(lines))):
            command, names = lines[self._turn % len(lines)]
            self._turn += 1
            self._open += 1
            if command == "ISON":
                self._asked.append(" ".join(names))
                self._ask(Message(command=command, params=(" ".join(names),)), now)
            else:
                self._ask(Message(command=command, params=tuple(names)), now)

    def lost(self) -> None:
        """The connection is gone: nothing is known of anybody any more. All who were there are told as gone."""
        self._up = False
        self._watched.clear()
        self._asked.clear()
        self._open = 0
        known, self._known = self._known, {}
        for presence in known.values():
            if presence.online:
                self._emit(ContactPresence(account=self._account, nick=presence.nick, online=False))


def _grouped(nicks: list[str]) -> list[list[str]]:
    """Cuts names into lines."""
    groups: list[list[str]] = []
    size = _LINE
    for nick in nicks:
        cost = len(nick.encode()) + 2
        if size + cost > _LINE:
            groups.append([])
            size = 0
        groups[-1].append(nick)
        size += cost
    return groups
