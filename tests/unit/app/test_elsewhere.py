"""Whose presence is watched at other SIP servers, and until when."""

from collections.abc import Callable

from attrs import define, field

from bridge.app.elsewhere import PeopleElsewhere
from bridge.model.address import Address, Identity
from bridge.model.ids import SIP, PersonId, RemoteUserId
from bridge.presence.hub import Watcher
from tests.kit import values

ALICE, BOB = PersonId("alice@corp.example"), PersonId("bob@corp.example")


@define(eq=False)
class Sip:
    """Who is watched now."""

    watched: set[tuple[str, str]] = field(factory=set)
    fetched: list[tuple[str, str, str]] = field(factory=list)

    def watch_elsewhere(self, aor: str, by: str, *, wanted: bool) -> None:
        assert ((aor, by) in self.watched) is not wanted, "told twice"
        (self.watched.add if wanted else self.watched.discard)((aor, by))

    def fetch_elsewhere(self, aor: str, by: str, watch: str, then: Callable[[], None]) -> bool:
        self.fetched.append((aor, by, watch))
        then()
        return aor != "nobody@corp.example"


def test_as_long_as_somebody_watches_or_a_network_shows_them() -> None:
    sip = Sip()
    people = PeopleElsewhere(sip)
    people.looked(values.person("alice"), BOB, True)
    assert sip.watched == {(ALICE, "")}
    people.on_networks([ALICE, BOB])
    assert sip.watched == {(ALICE, ""), (BOB, "")}
    people.looked(values.person("alice"), BOB, False)
    people.looked(values.person("bob"), ALICE, True)
    people.on_networks([])
    assert sip.watched == {(BOB, "")}
    people.looked(values.person("bob"), ALICE, False)
    assert sip.watched == set()


def test_people_of_other_sip_domains_are_watched_in_the_name_of_each() -> None:
    sip = Sip()
    people = PeopleElsewhere(sip)
    zoe = Identity(address=Address(network=SIP, user=RemoteUserId("zoe@partner.example")))
    people.looked(zoe, ALICE, True)
    people.looked(zoe, BOB, True)
    people.looked(values.contact("theboogyman"), BOB, True)
    people.looked(zoe, ALICE, False)
    assert sip.watched == {("zoe@partner.example", BOB)}


def _look(target: Identity) -> Watcher:
    return Watcher(id="f1", identity=values.person("bob"), target=target, by=BOB)


def test_who_is_not_watched_is_asked_for_in_the_right_name() -> None:
    sip, then = Sip(), list[str]()
    people = PeopleElsewhere(sip)
    zoe = Identity(address=Address(network=SIP, user=RemoteUserId("zoe@partner.example")))
    assert people.asked(_look(values.person("alice")), lambda: then.append("alice"))
    assert people.asked(_look(zoe), lambda: then.append("zoe"))
    assert not people.asked(_look(values.contact("theboogyman")), lambda: then.append("never"))
    assert sip.fetched == [(ALICE, "", "f1"), ("zoe@partner.example", BOB, "f1")]
    assert then == ["alice", "zoe"]
    assert not people.asked(_look(values.person("nobody")), lambda: None)


def test_who_is_watched_is_not_asked_for() -> None:
    sip = Sip()
    people = PeopleElsewhere(sip)
    people.looked(values.person("alice"), BOB, True)
    people.on_networks([BOB])
    assert not people.asked(_look(values.person("alice")), lambda: None)
    assert not people.asked(_look(values.person("bob")), lambda: None)
    assert sip.fetched == []
