"""Who sees whose presence, and that nobody sees more."""

from collections.abc import Callable, Sequence

import pytest
from attrs import define, field
from hypothesis import given
from hypothesis import strategies as st

from bridge.model.address import Address, Identity
from bridge.model.body import ELSEWHERE, Consent, Standing
from bridge.model.ids import NetworkId, PersonId
from bridge.model.presence import OFFLINE, Activity, Basic, Device, PersonPresence
from bridge.presence import hub as hub_module
from bridge.presence.approvals import MAX_WAITING_PER_PERSON, Approvals, Request, Verdict
from bridge.presence.compose import availability, compose
from bridge.presence.hub import PresenceHub, Sight, Watcher
from tests.kit import values

ALICE, BOB = PersonId("alice@corp.example"), PersonId("bob@corp.example")
BOOGY = values.contact("theboogyman")
OPEN = PersonPresence(basic=Basic.OPEN)
AWAY = PersonPresence(basic=Basic.OPEN, activity=Activity.AWAY, note="lunch")

presences = st.builds(
    PersonPresence,
    basic=st.sampled_from(Basic),
    activity=st.sampled_from(Activity),
    idle_since=st.none() | st.floats(0, 1e9),
)


@define(eq=False)
class Outlet:
    told: list[tuple[str, PersonPresence]] = field(factory=list)
    shown: list[tuple[PersonId, PersonPresence]] = field(factory=list)
    wanted: list[tuple[PersonId, Address, bool]] = field(factory=list)

    looked: list[tuple[str, PersonId, bool]] = field(factory=list)
    standings: list[tuple[str, Standing, bool]] = field(factory=list)
    answers: list[Request] = field(factory=list)
    asked: list[tuple[str, Callable[[], None]]] | None = None
    """None: nobody is elsewhere."""

    def notify(
        self, watchers: Sequence[Watcher], presence: PersonPresence, standing: Standing, *, hidden: bool
    ) -> None:
        self.told += [(watcher.id, presence) for watcher in watchers if standing is Standing.ACTIVE]
        self.standings += [(watcher.id, standing, hidden) for watcher in watchers]

    def answer(self, request: Request) -> None:
        self.answers.append(request)

    def show(self, person: PersonId, presence: PersonPresence) -> None:
        self.shown.append((person, presence))

    def want(self, person: PersonId, contact: Address, *, wanted: bool) -> None:
        self.wanted.append((person, contact, wanted))

    def looked_at(self, target: Identity, by: PersonId, *, wanted: bool) -> None:
        self.looked.append((str(target.address), by, wanted))

    def ask(self, watcher: Watcher, then: Callable[[], None]) -> bool:
        if self.asked is None:
            return False
        self.asked.append((watcher.id, then))
        return True


@define(eq=False)
class World:
    outlet: Outlet = field(factory=Outlet)
    hidden: set[tuple[str, str]] = field(factory=set)
    sights: dict[tuple[str, str], Sight] = field(factory=dict)
    kept: list[Request] = field(factory=list)
    now: float = 1000.0
    approvals: Approvals = field(init=False)
    hub: PresenceHub = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.approvals = Approvals(self, lambda: self.now)
        self.hub = PresenceHub(self.outlet, self.sight, self.approvals, lambda: self.now, lambda: self.now // 60)

    def put(self, request: Request) -> None:
        self.kept.append(request)

    def sight(self, watcher: Identity, target: Identity) -> Sight:
        ends = watcher.address.user, target.address.user
        return self.sights.get(ends, Sight.HIDDEN if ends in self.hidden else Sight.SEEN)

    def watch(self, watch_id: str, who: str, target: Identity) -> bool:
        identity = values.person(who)
        assert identity.person is not None
        watcher = Watcher(id=watch_id, identity=identity, target=target, by=identity.person)
        return self.hub.watch(watcher) is not None


def test_a_watcher_is_told_at_once_and_of_each_change() -> None:
    w = World()
    w.hub.reachable(BOB, 1)
    w.watch("w1", "alice", values.person("bob"))
    w.hub.published(BOB, "tag1", AWAY)
    w.hub.published(BOB, "tag1", AWAY)
    w.hub.published(BOB, "tag1", None)
    w.hub.reachable(BOB, 0)
    assert w.outlet.told == [("w1", OPEN), ("w1", AWAY), ("w1", OPEN), ("w1", OFFLINE)]


def test_what_a_person_publishes_is_shown_on_their_accounts() -> None:
    w = World()
    w.hub.reachable(ALICE, 2)
    w.hub.reachable(ALICE, 1)
    w.hub.published(ALICE, "t", AWAY)
    assert w.outlet.shown == [(ALICE, OPEN), (ALICE, AWAY)]
    assert w.hub.presence_of(ALICE) == AWAY
    assert w.hub.presence_of(BOB) == OFFLINE


def test_a_contacts_state_is_seen_by_its_owner_alone() -> None:
    w = World()
    w.watch("w1", "alice", BOOGY)
    w.watch("w2", "bob", BOOGY)
    w.hub.contact(ALICE, BOOGY.address, AWAY)
    assert w.outlet.told == [("w1", OFFLINE), ("w2", OFFLINE), ("w1", AWAY)]


def test_a_state_that_came_before_the_watch_is_told() -> None:
    w = World()
    w.hub.contact(ALICE, BOOGY.address, AWAY)
    w.watch("w1", "alice", BOOGY)
    assert w.outlet.told == [("w1", AWAY)]


def test_watching_a_contact_puts_it_on_the_list_once() -> None:
    w = World()
    w.watch("w1", "alice", BOOGY)
    w.watch("w2", "alice", BOOGY)
    w.watch("w1", "alice", BOOGY)
    w.watch("w3", "alice", values.person("bob"))
    assert w.outlet.wanted == [(ALICE, BOOGY.address, True)]
    assert list(w.hub.watched_contacts(ALICE)) == [BOOGY.address]
    assert not list(w.hub.watched_contacts(BOB))


def test_an_ended_watch_is_told_nothing() -> None:
    w = World()
    w.watch("w1", "alice", BOOGY)
    w.watch("w2", "alice", BOOGY)
    w.hub.unwatch("w1")
    w.hub.unwatch("w1")
    w.hub.unwatch("never was")
    w.outlet.told.clear()
    w.hub.contact(ALICE, BOOGY.address, OPEN)
    assert w.outlet.told == [("w2", OPEN)]
    w.hub.unwatch("w2")
    assert not list(w.hub.watched_contacts(ALICE))


def test_what_policy_hides_looks_like_absence() -> None:
    w = World()
    w.hidden.add(("alice@corp.example", "bob@corp.example"))
    w.hub.published(BOB, "t", AWAY)
    w.watch("w1", "alice", values.person("bob"))
    w.hub.published(BOB, "t", OPEN)
    assert w.outlet.standings == []  # as if nobody had answered
    w.hidden.clear()
    w.hub.review()
    assert w.outlet.told == [("w1", OPEN)]
    w.hidden.add(("alice@corp.example", "bob@corp.example"))
    w.hub.review()
    w.hub.published(BOB, "t", AWAY)
    assert w.outlet.told == [("w1", OPEN), ("w1", OFFLINE), ("w1", OFFLINE)]


def test_a_polite_block_is_absence_from_the_beginning() -> None:
    w = World()
    w.sights["alice@corp.example", "bob@corp.example"] = Sight.POLITE
    w.hub.published(BOB, "t", AWAY)
    w.watch("w1", "alice", values.person("bob"))
    w.hub.published(BOB, "t", OPEN)
    assert [presence for _, presence in w.outlet.told] == [OFFLINE, OFFLINE]


ENDS = ("bob@corp.example", "alice@corp.example")


def test_who_asks_waits_for_the_person_and_is_told_the_answer() -> None:
    w = World()
    w.sights[ENDS] = Sight.ASKS
    w.hub.published(ALICE, "t", AWAY)
    w.watch("w1", "bob", values.person("alice"))
    assert w.outlet.standings == [("w1", Standing.PENDING, False)]
    (request,) = w.kept
    assert (request.target, request.watcher, request.verdict) == (ALICE, BOB, Verdict.WAITS)
    w.hub.published(ALICE, "t", OPEN)
    w.watch("w1", "bob", values.person("alice"))
    assert w.outlet.told == []
    assert w.kept == [request]
    w.hub.decided(w.approvals.decide(request, Verdict.APPROVED))
    assert w.outlet.told == [("w1", OPEN)]
    w.watch("w2", "bob", values.person("alice"))
    assert w.outlet.told[-1] == ("w2", OPEN)  # asked once, answered once


def test_a_refusal_ends_the_watch_and_holds_whatever_policy_allows() -> None:
    w = World()
    w.sights[ENDS] = Sight.ASKS
    w.watch("w1", "bob", values.person("alice"))
    (request,) = w.kept
    w.hub.decided(w.approvals.decide(request, Verdict.REFUSED))
    assert w.outlet.standings[-1] == ("w1", Standing.REJECTED, False)
    w.hub.published(ALICE, "t", OPEN)
    assert w.outlet.told == []
    w.sights.clear()
    w.watch("w2", "bob", values.person("alice"))
    assert w.outlet.standings[-1] == ("w2", Standing.REJECTED, False)
    w.hub.decided(w.approvals.decide(request, Verdict.APPROVED))
    w.watch("w3", "bob", values.person("alice"))
    assert w.outlet.told == [("w3", OPEN)]


def test_each_direction_is_approved_and_cancelled_for_itself() -> None:
    w = World()
    w.sights[ENDS] = Sight.ASKS
    w.watch("w1", "bob", values.person("alice"))
    w.watch("back", "alice", values.person("bob"))
    (request,) = w.kept
    w.hub.decided(w.approvals.decide(request, Verdict.APPROVED))
    w.hub.unwatch("back")
    w.hub.published(ALICE, "t", OPEN)
    assert w.outlet.told[-1] == ("w1", OPEN)
    w.hub.decided(w.approvals.decide(request, Verdict.REFUSED))
    w.watch("again", "alice", values.person("bob"))
    w.hub.published(BOB, "t", AWAY)
    assert w.outlet.told[-1] == ("again", AWAY)


def test_a_watcher_whom_policy_hides_is_on_no_list() -> None:
    w = World()
    w.hidden.add(("alice@corp.example", "bob@corp.example"))  # bob may see alice, who may not know of bob
    w.watch("w1", "bob", values.person("alice"))
    assert w.outlet.standings == [("w1", Standing.ACTIVE, True)]


@pytest.mark.parametrize(
    ("sight", "verdicts", "waits"),
    [
        (Sight.SEEN, [Verdict.APPROVED], False),
        (Sight.HIDDEN, [Verdict.REFUSED], False),
        (Sight.POLITE, [], False),
        (Sight.ASKS, [], True),
    ],
)
def test_who_asks_from_a_network(sight: Sight, verdicts: list[Verdict], waits: bool) -> None:
    w = World()
    w.sights["theboogyman", "alice@corp.example"] = sight
    w.hub.asked(ALICE, BOOGY, "it is me", "alicework")
    assert [(one.verdict, one.account) for one in w.outlet.answers] == [(one, "alicework") for one in verdicts]
    assert bool(w.approvals.all()) is waits
    if waits:
        (request,) = w.approvals.all()
        assert (request.watcher, request.words, request.contact) == ("aim/theboogyman", "it is me", BOOGY.address)
        answered = w.approvals.decide(request, Verdict.APPROVED)
        assert w.hub.to_tell(ALICE, "aim") == [answered]
        w.approvals.was_told(answered)
        assert w.hub.to_tell(ALICE, "aim") == []
        w.hub.asked(ALICE, BOOGY, "again", "alicework")
        assert w.outlet.answers[-1].verdict is Verdict.APPROVED


def test_a_contact_who_must_be_asked_is_pending_until_they_answer() -> None:
    w = World()
    w.watch("w1", "alice", BOOGY)
    w.hub.consented(ALICE, BOOGY.address, Consent.ASKED)
    assert w.outlet.standings[-1] == ("w1", Standing.PENDING, False)
    w.hub.review()
    assert w.outlet.standings[-1] == ("w1", Standing.PENDING, False)
    w.hub.consented(ALICE, BOOGY.address, Consent.GRANTED)
    w.hub.contact(ALICE, BOOGY.address, AWAY)
    assert w.outlet.told[-2:] == [("w1", OFFLINE), ("w1", AWAY)]


def test_a_contact_who_refuses_ends_the_watch_and_is_asked_anew_by_the_next() -> None:
    w = World()
    w.watch("w1", "alice", BOOGY)
    w.hub.consented(ALICE, BOOGY.address, Consent.ASKED)
    w.hub.consented(ALICE, BOOGY.address, Consent.REFUSED)
    assert w.outlet.standings[-1] == ("w1", Standing.REJECTED, False)
    w.watch("w2", "alice", BOOGY)
    assert w.outlet.wanted == [(ALICE, BOOGY.address, True)] * 2


def test_requests_are_bounded_and_their_words_too() -> None:
    w = World()
    for number in range(MAX_WAITING_PER_PERSON + 5):
        w.hub._approvals.ask(ALICE, values.contact(f"c{number}"), "x" * 1000, "alicework")
    assert len(w.approvals.all()) == MAX_WAITING_PER_PERSON
    assert {len(request.words) for request in w.approvals.all()} == {300}


def test_a_review_of_many_goes_on_bit_by_bit() -> None:
    w = World()
    count = hub_module.SLICE + 10
    for number in range(count):
        w.watch(f"w{number}", "alice", values.person("bob"))
    w.outlet.told.clear()
    w.hub.review()
    assert len(w.outlet.told) == hub_module.SLICE
    told = {told[0] for told in w.outlet.told}
    w.hub.unwatch(next(f"w{number}" for number in range(count) if f"w{number}" not in told))
    assert not w.hub.go_on()
    assert len(w.outlet.told) == count - 1


def test_what_policy_says_is_asked_again_after_a_minute() -> None:
    w = World()
    w.watch("w1", "alice", values.person("bob"))
    w.hidden.add(("alice@corp.example", "bob@corp.example"))
    w.now += 60.0
    w.hub.published(BOB, "t", OPEN)
    assert w.outlet.told == [("w1", OFFLINE), ("w1", OFFLINE)]


def test_a_lost_network_hides_its_contacts_only() -> None:
    w = World()
    other = values.contact("200", NetworkId("icq"))
    w.hub.contact(ALICE, BOOGY.address, OPEN)
    w.hub.contact(ALICE, other.address, OPEN)
    w.watch("w1", "alice", BOOGY)
    w.watch("w2", "alice", other)
    w.outlet.told.clear()
    w.hub.network_lost(ALICE, "aim")
    assert w.outlet.told == [("w1", OFFLINE)]


def test_of_who_is_gone_and_watches_nobody_nothing_is_kept() -> None:
    w = World()
    w.hub.reachable(ALICE, 1)
    w.watch("w1", "alice", values.person("bob"))
    w.watch("w2", "alice", values.person("carol"))
    w.hub.reachable(ALICE, 0)
    assert len(w.hub._persons) == 1  # how many she watches is counted on
    assert w.hub.presence_of(ALICE) == OFFLINE
    w.hub.unwatch("w1")
    w.hub.unwatch("w1")
    assert len(w.hub._persons) == 1
    w.hub.unwatch("w2")
    assert len(w.hub._persons) == 0


def test_wanted_contacts_are_forgotten_with_the_last_watch() -> None:
    w = World()
    for name, contact in (("w1", "c1"), ("w2", "c1"), ("w3", "c2")):
        w.watch(name, "alice", values.contact(contact))
    assert sorted(str(one) for one in w.hub.watched_contacts(ALICE)) == ["aim/c1", "aim/c2"]
    w.hub.unwatch("w1")
    assert len(list(w.hub.watched_contacts(ALICE))) == 2
    w.hub.unwatch("w2")
    w.hub.unwatch("w3")
    assert not w.hub._wanted


def test_bounds() -> None:
    w = World()
    limit = hub_module.MAX_WATCHES_PER_PERSON
    for number in range(limit):
        assert w.watch(f"w{number}", "alice", values.person("bob"))
    assert not w.watch("one more", "alice", values.person("bob"))
    assert w.watch("w0", "alice", values.person("bob"))
    assert w.watch("another's", "carol", values.person("bob"))
    w.hub.unwatch("w0")
    assert w.watch("one more", "alice", values.person("bob"))
    for number in range(hub_module.MAX_CONTACTS_PER_PERSON + 10):
        w.hub.contact(ALICE, values.contact(f"c{number}").address, OPEN)
    assert len(w.hub._contacts[ALICE]) == hub_module.MAX_CONTACTS_PER_PERSON


@given(st.lists(presences, max_size=6), st.integers(0, 3))
def test_composition_takes_the_most_available(published: list[PersonPresence], devices: int) -> None:
    composed = compose(published, devices)
    if published and (devices <= len(published) or any(p.basic is Basic.OPEN for p in published)):
        assert availability(composed) == min(availability(p) for p in published)
    else:
        assert composed.basic is (Basic.OPEN if devices else Basic.CLOSED)


def test_a_device_that_publishes_nothing_is_there_whatever_one_says_that_was_switched_off() -> None:
    assert compose([OFFLINE], 2) == OPEN
    assert compose([OFFLINE], 1) == OFFLINE  # who appears offline is offline
    assert compose([AWAY, OFFLINE], 3) == AWAY


def test_idle_is_not_absence() -> None:
    idle = PersonPresence(basic=Basic.OPEN, idle_since=500.0)
    assert compose([idle], 1) == idle
    assert compose([], 0) == OFFLINE
    assert compose([idle, OPEN], 2) == OPEN


def test_composition_keeps_all_devices() -> None:
    a = PersonPresence(basic=Basic.CLOSED, devices=(Device(id="a", basic=Basic.CLOSED),))
    b = PersonPresence(basic=Basic.OPEN, devices=(Device(id="b", basic=Basic.OPEN),))
    assert [device.id for device in compose([a, b], 0).devices] == ["b", "a"]


def test_who_signs_off_everywhere_is_gone_whatever_was_published() -> None:
    w = World()
    w.hub.published(BOB, "before", AWAY)
    w.hub.reachable(BOB, 1)
    w.watch("w1", "alice", values.person("bob"))
    w.hub.reachable(BOB, 0)
    assert w.outlet.told == [("w1", AWAY), ("w1", OFFLINE)]
    w.hub.published(BOB, "later", OPEN)
    assert w.outlet.told[-1] == ("w1", OPEN)


def test_the_first_who_looks_and_the_last_are_told_and_nobody_else() -> None:
    w = World()
    for name, who in (("w1", "bob"), ("w2", "carol"), ("w1", "bob")):
        w.watch(name, who, values.person("alice"))
    w.hub.unwatch("w1")
    assert [wanted for _, _, wanted in w.outlet.looked] == [True]
    w.hub.unwatch("w2")
    assert [(name, wanted) for name, _, wanted in w.outlet.looked] == [(f"sip/{ALICE}", True), (f"sip/{ALICE}", False)]


def test_each_who_looks_at_a_contact_is_told_of_for_themselves() -> None:
    w = World()
    w.watch("w1", "bob", BOOGY)
    w.watch("w2", "alice", BOOGY)
    assert [(by, wanted) for _, by, wanted in w.outlet.looked] == [(BOB, True), (ALICE, True)]


def test_what_is_seen_elsewhere_outlives_the_devices_here_and_is_none_of_them() -> None:
    hub = World().hub
    there = PersonPresence(basic=Basic.OPEN, activity=Activity.BUSY)
    hub.published(ALICE, ELSEWHERE, there)
    assert hub.presence_of(ALICE) == there
    hub.reachable(ALICE, 1)
    hub.published(ALICE, "tag", AWAY)
    assert hub.presence_of(ALICE).activity is Activity.BUSY
    hub.reachable(ALICE, 0)  # what a device here has published is gone with it
    assert hub.presence_of(ALICE) == there
    hub.published(ALICE, ELSEWHERE, None)
    assert hub.presence_of(ALICE) == OFFLINE


def test_a_device_here_that_says_nothing_is_there_whatever_is_seen_elsewhere() -> None:
    hub = World().hub
    hub.published(ALICE, ELSEWHERE, PersonPresence(basic=Basic.CLOSED, note="gone home"))
    hub.reachable(ALICE, 1)
    assert hub.presence_of(ALICE) == OPEN
