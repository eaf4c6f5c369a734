"""Who sees whose presence: publications, registrations and contacts' states in; notifications and network states out.

A contact's state is kept per person: it is what that person's own account on the network was shown, and nobody else
sees it. What policy hides is told as offline, always, so that a watcher cannot tell it from absence.
"""

from collections.abc import Callable, Iterator
from typing import Protocol

from attrs import define, field, frozen

from bridge.model.address import Address, Identity
from bridge.model.ids import PersonId
from bridge.model.presence import OFFLINE, PersonPresence
from bridge.presence.compose import compose

MAX_CONTACTS_PER_PERSON = 5000
MAX_WATCHES_PER_PERSON = 5000


@frozen(kw_only=True)
class Watcher:
    """A live watch: who looks, and at whom. ``target.person`` is set for a colleague."""

    id: str
    identity: Identity
    target: Identity
    by: PersonId


class Outlet(Protocol):
    """What the hub tells."""

    def notify(self, watcher: Watcher, presence: PersonPresence) -> None:
        """Tells one watcher."""

    def show(self, person: PersonId, presence: PersonPresence) -> None:
        """Shows a person's presence on their accounts on the networks."""

    def want(self, person: PersonId, contact: Address, *, wanted: bool) -> None:
        """Puts a contact on a person's list on the contact's network, or takes it off."""


@define(eq=False)
class _Person:
    published: dict[str, PersonPresence] = field(factory=dict)
    devices: int = 0
    shown: PersonPresence = OFFLINE


@define(eq=False)
class PresenceHub:
    """All presence of one process.

    Args:
        outlet: is told what has changed.
        may_see: whether policy lets a watcher see a target now.
    """

    _outlet: Outlet
    _may_see: Callable[[Identity, Identity], bool]
    _persons: dict[PersonId, _Person] = field(init=False, factory=dict)
    _contacts: dict[PersonId, dict[Address, PersonPresence]] = field(init=False, factory=dict)
    _watches: dict[str, Watcher] = field(init=False, factory=dict)
    _by_person: dict[PersonId, dict[str, Watcher]] = field(init=False, factory=dict)
    _by_contact: dict[tuple[PersonId, Address], dict[str, Watcher]] = field(init=False, factory=dict)
    _count_by: dict[PersonId, int] = field(init=False, factory=dict)

    def published(self, person: PersonId, source: str, presence: PersonPresence | None) -> None:
        """Takes what one publication of a person says; None when it is over."""
        state = self._persons.setdefault(person, _Person())
        if presence is None:
            state.published.pop(source, None)
        else:
            state.published[source] = presence
        self._changed(person, state)

    def reachable(self, person: PersonId, devices: int) -> None:
        """Takes on how many devices a person is registered."""
        state = self._persons.setdefault(person, _Person())
        if state.devices and not devices:
            # Who signs off everywhere is gone, whatever was published before: libpurple's last word is often lost.
            state.published.clear()
        state.devices = devices
        self._changed(person, state)

    def contact(self, person: PersonId, contact: Address, presence: PersonPresence) -> None:
        """Takes what a person's account on a network was shown of a contact."""
        known = self._contacts.setdefault(person, {})
        if known.get(contact) == presence:
            return
        if contact not in known and len(known) >= MAX_CONTACTS_PER_PERSON:
            return
        if presence == OFFLINE:
            known.pop(contact, None)
        else:
            known[contact] = presence
        for watcher in tuple(self._by_contact.get((person, contact), {}).values()):
            self._tell(watcher, presence)

    def network_lost(self, person: PersonId, network: str) -> None:
        """Takes the news that a person's account on a network sees nobody any more."""
        for contact in [c for c in self._contacts.get(person, {}) if c.network == network]:
            self.contact(person, contact, OFFLINE)

    def watch(self, watcher: Watcher) -> bool:
        """Begins or renews a watch and tells it the state at once. Returns false when this person has too many."""
        if watcher.id not in self._watches:
            count = self._count_by.get(watcher.by, 0)
            if count >= MAX_WATCHES_PER_PERSON:
                return False
            self._count_by[watcher.by] = count + 1
            self._watches[watcher.id] = watcher
            first = self._add(watcher)
            if first and watcher.target.person is None:
                self._outlet.want(watcher.by, watcher.target.address, wanted=True)
        self._tell(watcher, self._state_of(watcher))
        return True

    def look(self, watcher: Watcher) -> None:
        """Tells a watcher the state once, without a watch."""
        self._tell(watcher, self._state_of(watcher))

    def unwatch(self, watch_id: str) -> None:
        """Ends a watch. The contact stays on the list: it is the person's, not the watch's."""
        watcher = self._watches.pop(watch_id, None)
        if watcher is None:
            return
        left = self._count_by[watcher.by] - 1
        if left:
            self._count_by[watcher.by] = left
        else:
            del self._count_by[watcher.by]
        index, key = self._index_of(watcher)
        index[key].pop(watch_id, None)
        if not index[key]:
            del index[key]

    def review(self) -> None:
        """Tells every watcher anew: the policy or the people have changed, and with them what may be seen."""
        for watcher in tuple(self._watches.values()):
            self._tell(watcher, self._state_of(watcher))

    def presence_of(self, person: PersonId) -> PersonPresence:
        """Returns a person's composed presence."""
        state = self._persons.get(person)
        return OFFLINE if state is None else compose(state.published.values(), state.devices)

    def watched_contacts(self, person: PersonId) -> Iterator[Address]:
        """Yields the contacts that a person watches now: a network that has come up must show them again."""
        for owner, contact in tuple(self._by_contact):
            if owner == person:
                yield contact

    def _changed(self, person: PersonId, state: _Person) -> None:
        presence = compose(state.published.values(), state.devices)
        if not state.published and not state.devices:
            self._persons.pop(person, None)
        if presence == state.shown:
            return
        state.shown = presence
        self._outlet.show(person, presence)
        for watcher in tuple(self._by_person.get(person, {}).values()):
            self._tell(watcher, presence)

    def _state_of(self, watcher: Watcher) -> PersonPresence:
        target = watcher.target
        if target.person is not None:
            return self.presence_of(target.person)
        return self._contacts.get(watcher.by, {}).get(target.address, OFFLINE)

    def _tell(self, watcher: Watcher, presence: PersonPresence) -> None:
        visible = self._may_see(watcher.identity, watcher.target)
        self._outlet.notify(watcher, presence if visible else OFFLINE)

    def _add(self, watcher: Watcher) -> bool:
        index, key = self._index_of(watcher)
        first = key not in index
        index.setdefault(key, {})[watcher.id] = watcher
        return first

    def _index_of(self, watcher: Watcher) -> tuple[dict[object, dict[str, Watcher]], object]:
        target = watcher.target
        if target.person is not None:
            return self._by_person, target.person  # type: ignore[return-value]  # two indexes of one shape
        return self._by_contact, (watcher.by, target.address)  # type: ignore[return-value]
