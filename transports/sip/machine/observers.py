"""Those who watch what the endpoint itself tells: who watches a person, their devices, their waiting messages."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from transports.sip.machine.dialogs import Subscription
from transports.sip.machine.documents import Document, watcher_entry
from transports.sip.machine.lists import Watched
from transports.sip.machine.packages import PRESENCE, WINFO
from transports.sip.machine.subscriptiontable import SubscriptionTable
from transports.sip.wire.watcherinfo import WatcherEntry, WatcherEvent, WatcherStatus


class Observers:
    """Has documents told anew, or what is new in them.

    Args:
        table: all subscriptions.
        plan: has a NOTIFY sent as soon as it may be.
    """

    def __init__(self, table: SubscriptionTable, plan: Callable[[Subscription, float], None]) -> None:
        self._table = table
        self._plan = plan

    def renewed(self, package: str, target: str, now: float) -> None:
        """Has all of a document told: it is another one (RFC 3680, RFC 3842, RFC 3857)."""
        for watched in self._table.by_target[package].of(target):
            assert isinstance(watched, Document)
            watched.repeat()
            self._tell(watched, now)

    def watchers(self, target: str, now: float) -> Iterator[WatcherEntry]:
        """Yields who watches a person's presence; not those that policy has them not learn of."""
        for watched in self._table.by_target[PRESENCE].of(target):
            subscription = self._table.owner(watched)
            if not watched.hidden and not subscription.fetch:
                yield watcher_entry(subscription, watched, watched.state, "subscribe", now)

    def watching_changed(
        self,
        subscription: Subscription,
        watched: Watched,
        status: WatcherStatus | None,
        event: WatcherEvent,
        now: float,
    ) -> None:
        """Tells who watches the watchers of a person that one has changed; ``status`` None: to what it is now.

        One that policy hides is told as gone to those who may have been told of it before.
        """
        observers = self._table.by_target[WINFO].of(watched.target)
        if not observers or subscription.fetch or (watched.hidden and status is not None):
            return
        if watched.hidden:
            status, event = "terminated", "timeout"
        entry = watcher_entry(subscription, watched, status or watched.state, event, now)
        for observer in observers:
            assert isinstance(observer, Document)
            observer.change(entry)
            self._tell(observer, now)

    def _tell(self, document: Document, now: float) -> None:
        subscription = self._table.by_id[document.id]
        if not subscription.over:
            self._plan(subscription, now)
