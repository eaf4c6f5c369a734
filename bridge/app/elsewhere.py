"""Whose presence is watched at other SIP servers: those whom somebody here watches, or who are shown on a network."""

from collections.abc import Callable, Iterable
from typing import Protocol

from attrs import define, field

from bridge.model.address import Identity
from bridge.model.ids import SIP, PersonId
from bridge.presence.hub import Watcher


class WatchesElsewhere(Protocol):
    """The SIP transport, as far as this goes."""

    def watch_elsewhere(self, aor: str, by: str, *, wanted: bool) -> None:
        """Begins or ends a watch at another server, where that is configured."""

    def fetch_elsewhere(self, aor: str, by: str, watch: str, then: Callable[[], None]) -> bool:
        """Asks another server once, where that is configured, while the fetch ``watch`` waits. Returns whether."""


@define(eq=False)
class PeopleElsewhere:
    """Keeps the SIP side's watches at other servers to those that are needed.

    Args:
        sip: watches.
    """

    sip: WatchesElsewhere
    _watched: set[PersonId] = field(init=False, factory=set)
    _on_networks: frozenset[PersonId] = field(init=False, default=frozenset())

    def looked(self, target: Identity, by: PersonId, wanted: bool) -> None:
        """Takes the news of the hub that a target is watched now, or by nobody any more."""
        if target.person is None:
            if target.address.network == SIP:
                self.sip.watch_elsewhere(target.address.user, by, wanted=wanted)
            return
        person = target.person
        if wanted:
            self._watched.add(person)
        else:
            self._watched.discard(person)
        if person not in self._on_networks:
            self.sip.watch_elsewhere(person, "", wanted=wanted)

    def asked(self, watcher: Watcher, then: Callable[[], None]) -> bool:
        """Has the state of a target asked for once, if it is elsewhere and not watched. Returns whether."""
        target = watcher.target
        if target.person is None:
            user = target.address.user
            return target.address.network == SIP and self.sip.fetch_elsewhere(user, watcher.by, watcher.id, then)
        if target.person in self._watched or target.person in self._on_networks:
            return False
        return self.sip.fetch_elsewhere(target.person, "", watcher.id, then)

    def on_networks(self, people: Iterable[PersonId]) -> None:
        """Takes who has accounts on networks, which show their presence to whoever watches them there."""
        now = frozenset(people)
        before, self._on_networks = self._on_networks, now
        for person in sorted(now - before - self._watched):
            self.sip.watch_elsewhere(person, "", wanted=True)
        for person in sorted(before - now - self._watched):
            self.sip.watch_elsewhere(person, "", wanted=False)
