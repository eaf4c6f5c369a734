"""Who sees whose presence: publications, registrations and contacts' states in; notifications and network states out.

A contact's state is kept per person: it is what that person's own account on the network was shown, and nobody else
sees it. What policy hides is told as offline to who has seen it before, and to others not at all, as if nobody had
answered yet; where policy wants it polite it is offline to them all. Neither can be told from the absence that it looks
like.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import Enum
from functools import partial
from typing import Protocol

from attrs import define, field

from bridge.model.address import Address, Identity
from bridge.model.body import ELSEWHERE, Consent, Standing
from bridge.model.ids import PersonId
from bridge.model.presence import OFFLINE, PersonPresence
from bridge.model.sharded import Sharded
from bridge.model.watches import Watches
from bridge.presence.approvals import Approvals, Request, Verdict, watcher_key
from bridge.presence.compose import compose

MAX_CONTACTS_PER_PERSON = 5000
MAX_WATCHES_PER_PERSON = 5000
SLICE = 20
"""Watches that are looked at anew in one go, when all are: each costs two decisions and a NOTIFY, 0.2 to 0.4 ms."""


class Sight(Enum):
    """What a watcher may see of somebody."""

    SEEN = "seen"
    ASKS = "asks"
    """Once the person says so."""
    POLITE = "polite"
    """Nothing: to them nobody is there."""
    HIDDEN = "hidden"
    """Nothing, and no answer either."""
    REFUSED = "refused"
    """Nothing, and they are told that the person does not want it."""


@define(kw_only=True, eq=False, weakref_slot=False)
class Watcher:
    """A live watch: who looks, and at whom. ``target.person`` is set for a colleague. The rest is the hub's."""

    id: str
    identity: Identity
    target: Identity
    by: PersonId
    opened: bool = field(init=False, default=False)
    """It was shown something: what is hidden from it now is told as offline."""
    of: object = field(init=False, default=None)
    """When it was found what it may see: that holds for as long as the hub has the same."""
    sight: Sight = field(init=False, default=Sight.HIDDEN)
    hidden: bool = field(init=False, default=True)


class Outlet(Protocol):
    """What the hub tells."""

    def notify(
        self, watchers: Sequence[Watcher], presence: PersonPresence, standing: Standing, *, hidden: bool
    ) -> None:
        """Tells watchers of one target, who are all to be told the same as far as their notes go.

        ``hidden``: whom they watch is not to learn of them.
        """

    def show(self, person: PersonId, presence: PersonPresence) -> None:
        """Shows a person's presence on their accounts on the networks."""

    def want(self, person: PersonId, contact: Address, *, wanted: bool) -> None:
        """Puts a contact on a person's list on the contact's network, or takes it off."""

    def answer(self, request: Request) -> None:
        """Answers somebody on a network who has asked to see a person."""

    def looked_at(self, target: Identity, by: PersonId, *, wanted: bool) -> None:
        """Takes the news that somebody begins to watch a target that nobody has watched yet, or that the last has left.

        A target without a person is watched by each for themselves: ``by`` says who.
        """

    def ask(self, watcher: Watcher, then: Callable[[], None]) -> bool:
        """Asks for the state of a target that nobody watches, where it is elsewhere.

        Returns:
            Whether that was done: ``then`` is called while the state that was found is known here.
        """


@define(eq=False, weakref_slot=False)
class _Person:
    publications: dict[str, PersonPresence] | None = None
    """None for the many who publish nothing."""
    devices: int = 0
    shown: PersonPresence = OFFLINE
    watches: int = 0
    """How many others they watch."""

    def composed(self) -> PersonPresence:
        if self.publications is None:
            return compose((), self.devices)
        # What another server shows stands for no device of those here.
        return compose(self.publications.values(), self.devices + (ELSEWHERE in self.publications))

    def signed_off(self) -> None:
        """Who signs off everywhere is gone, whatever was published before: libpurple's last word is often lost."""
        elsewhere = None if self.publications is None else self.publications.get(ELSEWHERE)
        self.publications = None if elsewhere is None else {ELSEWHERE: elsewhere}


@define(eq=False)
class PresenceHub:
    """All presence of one process.

    Args:
        outlet: is told what has changed.
        sight: what policy lets a watcher see of a target now.
        approvals: what people have answered to those who wait for it.
        clock: seconds since the epoch.
        age: returns what is another value when policy may say something else than before, such as at other hours.
    """

    _outlet: Outlet
    _sight: Callable[[Identity, Identity], Sight]
    _approvals: Approvals
    _clock: Callable[[], float]
    _age: Callable[[], object]
    _persons: Sharded[PersonId, _Person] = field(init=False, factory=Sharded)
    _contacts: dict[PersonId, dict[Address, PersonPresence]] = field(init=False, factory=dict)
    _consents: dict[PersonId, dict[Address, Consent]] = field(init=False, factory=dict)
    """Of contacts who are asked to let a person see them, or have refused it."""
    _watches: Sharded[str, Watcher] = field(init=False, factory=Sharded)
    _by_person: Watches[PersonId, Watcher] = field(init=False, factory=Watches)
    _by_contact: Watches[tuple[PersonId, Address], Watcher] = field(init=False, factory=Watches)
    _wanted: dict[PersonId, set[Address]] = field(init=False, factory=dict)
    """Contacts that are watched and seen, by who watches them."""
    _generation: int = field(init=False, default=0)
    _of: object = field(init=False, default=None)
    _to_review: list[Watcher] = field(init=False, factory=list)
    _review_later: Iterator[list[Watcher]] = field(init=False, factory=lambda: iter(()))

    # What is known of people

    def published(self, person: PersonId, source: str, presence: PersonPresence | None) -> None:
        """Takes what one publication of a person says; None when it is over."""
        state = self._person(person)
        if presence is not None:
            if state.publications is None:
                state.publications = {}
            state.publications[source] = presence
        elif state.publications is not None and source in state.publications:
            del state.publications[source]
            state.publications = state.publications or None
        self._changed(person, state)

    def reachable(self, person: PersonId, devices: int) -> None:
        """Takes on how many devices a person is registered."""
        state = self._person(person)
        if state.devices and not devices:
            state.signed_off()
        state.devices = devices
        self._changed(person, state)

    def contact(self, person: PersonId, contact: Address, presence: PersonPresence) -> None:
        """Takes what a person's account on a network was shown of a contact."""
        known = self._contacts.setdefault(person, {})
        asked = self._consents.get(person, {}).get(contact)
        if presence != OFFLINE and asked is not None:
            self._consent(person, contact, None)  # who is seen has let us see them
        if known.get(contact) == presence:
            return
        if contact not in known and len(known) >= MAX_CONTACTS_PER_PERSON:
            return
        if presence == OFFLINE:
            known.pop(contact, None)
        else:
            known[contact] = presence
        self._tell(self._by_contact.of((person, contact)), presence)

    def network_lost(self, person: PersonId, network: str) -> None:
        """Takes the news that a person's account on a network sees nobody any more."""
        for contact in [c for c in self._contacts.get(person, {}) if c.network == network]:
            self.contact(person, contact, OFFLINE)

    def consented(self, person: PersonId, contact: Address, consent: Consent) -> None:
        """Takes the news that a contact must be asked to let a person see them, or has answered that."""
        if consent is Consent.GRANTED:
            self._consent(person, contact, None)
            self._review(self._by_contact.of((person, contact)))
            return
        self._consent(person, contact, consent)
        watches = self._by_contact.of((person, contact))
        if consent is Consent.ASKED:
            for watch in watches:
                watch.opened = False
            self._outlet_notify(watches, OFFLINE, Standing.PENDING)
        else:
            self._outlet_notify(watches, OFFLINE, Standing.REJECTED)
            for watch in watches:
                self.unwatch(watch.id)

    def _consent(self, person: PersonId, contact: Address, consent: Consent | None) -> None:
        known = self._consents.setdefault(person, {})
        if consent is None or len(known) >= MAX_CONTACTS_PER_PERSON:
            known.pop(contact, None)
        else:
            known[contact] = consent
        if not known:
            del self._consents[person]

    # Who watches

    def watch(self, watcher: Watcher) -> Sight | None:
        """Begins or renews a watch and tells it the state at once.

        Returns:
            What it may see; None when this person watches too many already, and it is no watch.
        """
        watch = self._watches.get(watcher.id)
        if watch is None:
            who = self._person(watcher.by)
            if who.watches >= MAX_WATCHES_PER_PERSON:
                return None
            who.watches += 1
            watch = self._watches[watcher.id] = watcher
            index, key = self._index_of(watcher)
            first = index.first(key) is None
            index.add(key, watch)
            if first:
                self._outlet.looked_at(watcher.target, watcher.by, wanted=True)
        if watcher.target.person is None and self._consents.get(watcher.by, {}).get(watcher.target.address):
            # Who watches anew asks anew: the network says whether the contact still has to be asked.
            self._consent(watcher.by, watcher.target.address, None)
            self._unwanted(watcher)
        self._review((watch,))
        return watch.sight

    def look(self, watcher: Watcher) -> Sight:
        """Tells a watcher the state once, without a watch; that of who is elsewhere and not watched is asked for."""
        sight = self._see(watcher, self._now())
        if sight is Sight.ASKS:
            return sight
        index, key = self._index_of(watcher)
        asks = sight is Sight.SEEN and index.first(key) is None
        if not (asks and self._outlet.ask(watcher, partial(self._review, (watcher,)))):
            self._review((watcher,))
        return sight

    def unwatch(self, watch_id: str) -> None:
        """Ends a watch. The contact stays on the list: it is the person's, not the watch's."""
        watch = self._watches.pop(watch_id, None)
        if watch is None:
            return
        who = self._person(watch.by)
        who.watches -= 1
        self._forget(watch.by, who)
        index, key = self._index_of(watch)
        if not index.remove(key, watch):
            return
        if watch.target.person is None:
            self._unwanted(watch)
        self._outlet.looked_at(watch.target, watch.by, wanted=False)

    def review(self) -> None:
        """Tells every watcher anew: the policy or the people have changed, and with them what may be seen."""
        self._generation += 1
        self._to_review, self._review_later = [], self._watches.parts()
        self.go_on()

    def go_on(self) -> bool:
        """Goes on with a review, some watches at a time. Returns whether there is more: call it again soon.

        A change of state meanwhile is told by what holds now.
        """
        some: list[Watcher] = []
        while len(some) < SLICE:
            if not self._to_review:
                self._to_review = next(self._review_later, [])
                if not self._to_review:
                    break
            left = SLICE - len(some)
            some += self._to_review[-left:]
            del self._to_review[-left:]
        self._review([watch for watch in some if self._watches.get(watch.id) is watch])
        return len(some) == SLICE

    def decided(self, request: Request) -> None:
        """Takes a person's answer to one who watches them, or asks to."""
        self._generation += 1
        watches = self._by_person.of(request.target)
        self._review([watch for watch in watches if watcher_key(watch.identity) == request.watcher])

    def asked(self, person: PersonId, watcher: Identity, words: str, account: str) -> Sight:
        """Takes the wish of somebody on a network to see a person; what policy settles is answered at once."""
        target = Identity(address=Address.parse(f"sip/{person}"), person=person)
        sight = self._of_both(watcher, target)
        if sight is Sight.ASKS:
            self._approvals.ask(person, watcher, words, account)
        elif sight is not Sight.POLITE:
            verdict = Verdict.APPROVED if sight is Sight.SEEN else Verdict.REFUSED
            self._outlet.answer(
                Request(target=person, watcher=watcher_key(watcher), verdict=verdict, at=self._clock(), account=account)
            )
        return sight

    def to_tell(self, person: PersonId, network: str) -> list[Request]:
        """Returns a person's answers that a network has not taken yet."""
        return self._approvals.to_tell(person, network)

    def sees(self, watcher: Identity, target: Identity) -> bool:
        """Whether policy lets somebody see somebody else."""
        return self._sight(watcher, target) is Sight.SEEN

    def presence_of(self, person: PersonId) -> PersonPresence:
        """Returns a person's composed presence."""
        state = self._persons.get(person)
        return OFFLINE if state is None else state.composed()

    def watched_contacts(self, person: PersonId) -> Iterator[Address]:
        """Yields the contacts that a person watches now: a network that has come up must show them again."""
        yield from tuple(self._wanted.get(person, ()))

    # Inside

    def _person(self, person: PersonId) -> _Person:
        state = self._persons.get(person)
        if state is None:
            state = self._persons[person] = _Person()
        return state

    def _forget(self, person: PersonId, state: _Person) -> None:
        """Keeps nothing of who is not here and watches nobody."""
        if state.publications is None and not state.devices and not state.watches:
            self._persons.pop(person, None)

    def _changed(self, person: PersonId, state: _Person) -> None:
        presence = state.composed()
        self._forget(person, state)
        if presence == state.shown:
            return
        state.shown = presence
        self._outlet.show(person, presence)
        self._tell(self._by_person.of(person), presence)

    def _state_of(self, watcher: Watcher) -> PersonPresence:
        target = watcher.target
        if target.person is not None:
            return self.presence_of(target.person)
        return self._contacts.get(watcher.by, {}).get(target.address, OFFLINE)

    def _review(self, watches: Iterable[Watcher]) -> None:
        for watch in tuple(watches):
            self._tell((watch,), self._state_of(watch))

    def _now(self) -> object:
        """Returns what stays the same object until something is reviewed or policy may say something else."""
        age = self._generation, self._age()
        if age != self._of:
            self._of = age
        return self._of

    def _see(self, watch: Watcher, age: object) -> Sight:
        """Returns what a watch may see at an age of the hub."""
        if watch.of is not age:
            watcher, target = watch.identity, watch.target
            watch.sight = self._of_both(watcher, target)
            # Who watches is on the list of those who watch a person, unless policy hides them from that person.
            watch.hidden = target.person is not None and self._sight(target, watcher) not in {Sight.SEEN, Sight.ASKS}
            watch.of = age
            if watch.sight is Sight.ASKS and target.person is not None:
                self._approvals.ask(target.person, watcher)
        return watch.sight

    def _of_both(self, watcher: Identity, target: Identity) -> Sight:
        """What policy and the person have to say of it, if it is a person of ours."""
        sight = self._sight(watcher, target)
        if target.person is None or sight in {Sight.HIDDEN, Sight.POLITE}:
            return Sight.HIDDEN if sight is Sight.ASKS else sight
        verdict = self._approvals.verdict(target.person, watcher)
        if verdict is Verdict.REFUSED:
            return Sight.REFUSED
        return Sight.SEEN if verdict is Verdict.APPROVED else sight

    def _tell(self, watches: Sequence[Watcher], presence: PersonPresence) -> None:
        """Tells watches of one target its presence, or what of it they are to see."""
        age = self._now()
        groups: dict[tuple[Sight, bool, bool], list[Watcher]] = {}
        usual: list[Watcher] = []
        for watch in watches:
            if watch.of is not age:
                self._see(watch, age)
            if watch.sight is Sight.SEEN and watch.opened and not watch.hidden:
                usual.append(watch)
            else:
                groups.setdefault((watch.sight, watch.hidden, watch.opened), []).append(watch)
        if usual:
            groups[Sight.SEEN, False, True] = usual
        for (sight, _, opened), group in groups.items():
            if sight in {Sight.HIDDEN, Sight.ASKS}:
                # To who was shown something it is offline; others wait, those who ask with the person's knowledge.
                if opened or sight is Sight.ASKS:
                    self._outlet_notify(group, OFFLINE, Standing.ACTIVE if opened else Standing.PENDING)
                continue
            if sight is Sight.REFUSED:
                self._outlet_notify(group, OFFLINE, Standing.REJECTED)
                for watch in group:
                    self.unwatch(watch.id)
                continue
            self._open(group, presence if sight is Sight.SEEN else OFFLINE, sight)

    def _open(self, group: list[Watcher], presence: PersonPresence, sight: Sight) -> None:
        watcher = group[0]
        target = watcher.target
        if target.person is None and sight is Sight.SEEN:
            if self._consents.get(watcher.by, {}).get(target.address) is Consent.ASKED:
                return  # pending, until the contact says so (RFC 8048 section 5.3.1)
            wanted = self._wanted.get(watcher.by, ())
            if target.address not in wanted and watcher.id in self._watches:
                self._wanted.setdefault(watcher.by, set()).add(target.address)
                self._outlet.want(watcher.by, target.address, wanted=True)
        for watch in group:
            watch.opened = True
        self._outlet_notify(group, presence, Standing.ACTIVE)

    def _unwanted(self, watch: Watcher) -> None:
        wanted = self._wanted.get(watch.by)
        if wanted is not None:
            wanted.discard(watch.target.address)
            if not wanted:
                del self._wanted[watch.by]

    def _outlet_notify(self, group: Sequence[Watcher], presence: PersonPresence, standing: Standing) -> None:
        if group:
            self._outlet.notify(group, presence, standing, hidden=group[0].hidden)

    def _index_of(self, watcher: Watcher) -> tuple[Watches[object, Watcher], object]:
        target = watcher.target
        if target.person is not None:
            return self._by_person, target.person  # type: ignore[return-value]  # two indexes of one shape
        return self._by_contact, (watcher.by, target.address)  # type: ignore[return-value]
