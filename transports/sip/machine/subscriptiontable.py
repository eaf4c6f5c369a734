"""Where subscriptions are found: by the tag that names their dialog, and by whom or what they show."""

from __future__ import annotations

from bridge.model.sharded import Sharded
from bridge.model.watches import Watches
from transports.sip.machine.dialogs import Subscription
from transports.sip.machine.documents import Document
from transports.sip.machine.lists import Watched
from transports.sip.machine.names import Names
from transports.sip.machine.packages import PACKAGES, PRESENCE, Package
from transports.sip.wire.native import SipPresence
from transports.sip.wire.uri import SipUri, parse_uri


class SubscriptionTable:
    """All subscriptions of a notifier.

    Attributes:
        by_id: by our tag.
        by_target: for each package, the watches of one target; an entry of a list is a watch.
    """

    def __init__(self, names: Names) -> None:
        self._names = names
        self.by_id: Sharded[str, Subscription] = Sharded()
        self.by_target: dict[str, Watches[str, Watched]] = {name: Watches() for name in PACKAGES}

    def insert(self, subscription: Subscription) -> None:
        """Takes up a new one, with all that it shows."""
        self.by_id[subscription.id] = subscription
        index = self.by_target[subscription.package]
        for watched in subscription.watched:
            index.add(watched.target, watched)

    def shown(self, package: Package, watch_id: str, uri_text: str, target: str) -> Watched:
        """Returns what a subscription to one target is to show."""
        kind = Watched if package.name == PRESENCE else Document
        other = self.by_target[package.name].first(target)
        if other is not None:
            target = other.target  # the same texts once, however many watch
            uri_text = other.uri_text if other.uri_text == uri_text else uri_text
        return kind(watch_id, uri_text, target)

    def owner(self, watched: Watched) -> Subscription:
        """Returns the subscription that a watch is of."""
        return self.by_id[_owner(watched.id)]

    def find(self, presence: SipPresence) -> list[tuple[Subscription, Watched]]:
        """Returns the watches that a state of presence is for: those that it names, a watcher's, or the target's."""
        names = presence.subscriptions or (() if presence.subscription is None else (presence.subscription,))
        if names:
            by_id = self.by_id
            found: list[tuple[Subscription, Watched]] = []
            for name in names:
                owner = by_id.get(name)
                if owner is not None and type(owner.shows) is Watched and not owner.over:
                    found.append((owner, owner.shows))
                elif (one := self._find_one(name)) is not None:
                    found.append(one)
            return found
        uri = parse_uri(presence.target)
        target = self._names.target(uri) if isinstance(uri, SipUri) else presence.target
        return [
            (owner, watched)
            for watched in self.by_target[PRESENCE].of(target)
            for owner in (self.owner(watched),)
            if presence.watcher in {None, owner.watcher} and (not owner.over or owner.fetch)
        ]

    def _find_one(self, watch_id: str) -> tuple[Subscription, Watched] | None:
        owner = self.by_id.get(watch_id) or self.by_id.get(_owner(watch_id))
        one = None if owner is None or owner.package != PRESENCE else owner.find(watch_id)
        return None if owner is None or one is None or (owner.over and not owner.fetch) else (owner, one)


def _owner(watch_id: str) -> str:
    """Returns the id of a watch's subscription: the same, or for an entry of a list what is before the dot."""
    return watch_id.partition(".")[0]
