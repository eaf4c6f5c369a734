"""The lists that are kept here (RFC 4662): who may watch them, and what becomes of subscriptions when they change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from transports.sip.machine.config import StoredList

Change: TypeAlias = tuple[str, ...] | str | None
"""The new entries of a subscription, the reason of its end (RFC 6665 4.1.3), or None: it stays as it is."""


class KeptLists:
    """The lists in force.

    Args:
        lists: by address-of-record.
    """

    def __init__(self, lists: Mapping[str, StoredList]) -> None:
        self._lists = dict(lists)

    def find(self, address: str) -> StoredList | None:
        """Returns a list by its address."""
        return self._lists.get(address)

    def replace(self, lists: Mapping[str, StoredList]) -> KeptLists:
        """Puts other lists in force. Returns those that were."""
        before = KeptLists(self._lists)
        self._lists = dict(lists)
        return before

    def change(self, before: KeptLists | None, address: str | None, watcher: str, entries: tuple[str, ...]) -> Change:
        """Returns what becomes of a subscription to a list.

        Args:
            before: the lists that were in force until now; None where that is not known: after a restart.
            address: of the list that is watched.
            watcher: who watches it.
            entries: what it holds. One that came with a list of its own (RFC 5367) is none of those that are kept.
        """
        now = None if address is None else self._lists.get(address)
        if before is not None:
            was = None if address is None else before.find(address)
            if was is None or was.members != entries:
                return None
            if now is None:
                return "noresource"
        if now is None:
            return None
        if now.watchers and watcher not in now.watchers:
            return "rejected"
        return None if now.members == entries else now.members
