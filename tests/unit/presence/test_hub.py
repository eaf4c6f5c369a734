"""Who sees whose presence, and that nobody sees more."""

from attrs import define, field
from hypothesis import given
from hypothesis import strategies as st

from bridge.model.address import Address, Identity
from bridge.model.ids import NetworkId, PersonId
from bridge.model.presence import OFFLINE, Activity, Basic, Device, PersonPresence
from bridge.presence import hub as hub_module
from bridge.presence.compose import availability, compose
from bridge.presence.hub import PresenceHub, Watcher
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

    def notify(self, watcher: Watcher, presence: PersonPresence) -> None:
        self.told.append((watcher.id, presence))

    def show(self, person: PersonId, presence: PersonPresence) -> None:
        self.shown.append((person, presence))

    def want(self, person: PersonId, contact: Address, *, wanted: bool) -> None:
        self.wanted.append((person, contact, wanted))


@define(eq=False)
class World:
    outlet: Outlet = field(factory=Outlet)
    hidden: set[tuple[str, str]] = field(factory=set)
    hub: PresenceHub = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.hub = PresenceHub(self.outlet, self.may_see)

    def may_see(self, watcher: Identity, target: Identity) -> bool:
        return (watcher.address.user, target.address.user) not in self.hidden

    def watch(self, watch_id: str, who: str, target: Identity) -> bool:
        identity = values.person(who)
        assert identity.person is not None
        return self.hub.watch(Watcher(id=watch_id, identity=identity, target=target, by=identity.person))


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
    assert [presence for _, presence in w.outlet.told] == [OFFLINE, OFFLINE]
    w.hidden.clear()
    w.hub.review()
    assert w.outlet.told[-1] == ("w1", OPEN)


def test_a_look_leaves_no_watch() -> None:
    w = World()
    target = values.person("bob")
    w.hub.look(Watcher(id="f1", identity=values.person("alice"), target=target, by=ALICE))
    w.hub.reachable(BOB, 1)
    assert w.outlet.told == [("f1", OFFLINE)]


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
    if published:
        assert availability(composed) == min(availability(p) for p in published)
    else:
        assert composed.basic is (Basic.OPEN if devices else Basic.CLOSED)


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
