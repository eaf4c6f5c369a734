"""Whose presence is watched at other SIP servers: those whom somebody here watches, or who are shown on a network."""

from collections.abc import Iterable
from typing import Protocol

from attrs import define, field

from bridge.model.address import Identity
from bridge.model.ids import SIP, PersonId


class WatchesElsewhere(Protocol):
    """The SIP transport, as far as this goes."""

    def watch_elsewhere(self, aor: str, by: str, *, wanted: bool) -> None:
        """Begins or ends a watch at another server, where that is configured."""


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

    def on_networks(self, people: Iterable[PersonId]) -> None:
        """Takes who has accounts on networks, which show their presence to whoever watches them there."""
        now = frozenset(people)
        before, self._on_networks = self._on_networks, now
        for person in sorted(now - before - self._watched):
            self.sip.watch_elsewhere(person, "", wanted=True)
        for person in sorted(before - now - self._watched):
            self.sip.watch_elsewhere(person, "", wanted=False)
