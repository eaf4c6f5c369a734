"""Who is there: the presence of buddies, and the away messages that go with it."""

from __future__ import annotations

from collections.abc import Callable

from attrs import evolve

from transports.oscar.machine.inbound import read_presence
from transports.oscar.wire.caps import CAP_HTML_MESSAGES
from transports.oscar.wire.names import normal
from transports.oscar.wire.native import BuddyPresence
from transports.oscar.wire.userinfo import UserInfo


class Buddies:
    """The presence of each buddy as last told; tells what has changed, and for whom an away message is wanted.

    Args:
        account: our name.
        limit: the most buddies kept; beyond, presence is passed on and not kept.
        emit: takes the presence.
        fetch: asks for the away message of a name; None: never.
    """

    __slots__ = ("_account", "_emit", "_fetch", "_html", "_known", "_limit")

    def __init__(
        self,
        account: str,
        *,
        limit: int,
        emit: Callable[[BuddyPresence], None],
        fetch: Callable[[str], None] | None,
    ) -> None:
        self._account = account
        self._limit = limit
        self._emit = emit
        self._fetch = fetch
        self._known: dict[str, BuddyPresence] = {}
        self._html: set[str] = set()

    def learn(self, user: UserInfo) -> None:
        """What somebody's client can, as it shows by itself; raises `OscarSyntaxError` when the block is malformed."""
        name = normal(user.name)
        if CAP_HTML_MESSAGES not in user.caps:
            self._html.discard(name)
        elif len(self._html) < self._limit:
            self._html.add(name)

    def takes_html(self, name: str) -> bool:
        """Whether somebody's client reads all text as HTML, as far as is known.

        Of who is gone, it is the one that they had last: what is stored for them is most likely read with it.
        """
        return normal(name) in self._html

    def arrived(self, user: UserInfo) -> None:
        """03/0B; raises `OscarSyntaxError` when the block is malformed."""
        before = self._known.get(normal(user.name))
        kept = before.away_message if before is not None and before.away and user.away else None
        presence = read_presence(self._account, user, online=True, away_message=kept)
        self.learn(user)
        self._keep(presence)
        if user.away and self._fetch is not None:
            # a new away message comes as an arrival like any other: ask each time
            self._fetch(user.name)

    def departed(self, user: UserInfo) -> None:
        """03/0C."""
        presence = read_presence(self._account, user, online=False)
        self._known.pop(normal(user.name), None)
        self._emit(presence)

    def away_message(self, user: UserInfo, message: str | None) -> None:
        """The away message of somebody has come."""
        known = self._known.get(normal(user.name))
        if known is not None and known.away and message is not None:
            self._keep(evolve(known, away_message=message))

    def _keep(self, presence: BuddyPresence) -> None:
        """Keep and tell a presence unless it is as before."""
        name = normal(presence.screen_name)
        if self._known.get(name) == presence:
            return
        if name in self._known or len(self._known) < self._limit:
            self._known[name] = presence
        self._emit(presence)

    def lost(self) -> None:
        """The connection is gone: of nobody anything is known any more. All are told as offline."""
        known, self._known = self._known, {}
        for presence in known.values():
            self._emit(BuddyPresence(account=self._account, screen_name=presence.screen_name, online=False))
