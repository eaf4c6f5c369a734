"""Who is there: the presence of contacts as last told."""

from __future__ import annotations

from collections.abc import Callable

from transports.ymsg.wire.names import normal
from transports.ymsg.wire.native import BuddyPresence
from transports.ymsg.wire.people import Person


class Buddies:
    """Tells what has changed.

    Args:
        account: our name.
        limit: the most contacts kept; beyond, presence is passed on and not kept.
        emit: takes the presence.
    """

    __slots__ = ("_account", "_emit", "_known", "_limit")

    def __init__(self, account: str, limit: int, emit: Callable[[BuddyPresence], None]) -> None:
        self._account = account
        self._limit = limit
        self._emit = emit
        self._known: dict[str, BuddyPresence] = {}

    def told(self, person: Person) -> None:
        """The server says how somebody is."""
        presence = BuddyPresence(
            account=self._account,
            name=person.name,
            online=person.online,
            status=person.status,
            text=person.text,
            away=person.away,
            idle=person.idle,
            idle_seconds=person.idle_seconds,
        )
        name = normal(person.name)
        if self._known.get(name) == presence:
            return
        if not person.online:
            self._known.pop(name, None)
        elif name in self._known or len(self._known) < self._limit:
            self._known[name] = presence
        self._emit(presence)

    def lost(self) -> None:
        """The connection is gone: of nobody anything is known any more. All are told as offline."""
        known, self._known = self._known, {}
        for presence in known.values():
            self._emit(BuddyPresence(account=self._account, name=presence.name, online=False))
