"""Who asks for somebody's presence once: from what is known here, or from where they are."""

from bridge.model.ids import PersonId
from bridge.model.presence import OFFLINE
from bridge.presence.hub import Sight, Watcher
from tests.kit import values
from tests.unit.presence.test_hub import ALICE, BOB, OPEN, World


def test_a_look_leaves_no_watch() -> None:
    w = World()
    target = values.person("bob")
    w.hub.look(Watcher(id="f1", identity=values.person("alice"), target=target, by=ALICE))
    w.hub.reachable(BOB, 1)
    assert w.outlet.told == [("f1", OFFLINE)]


def test_a_look_at_who_is_elsewhere_waits_for_what_is_found_there() -> None:
    w = World()
    w.outlet.asked = []
    look = Watcher(id="f1", identity=values.person("alice"), target=values.person("bob"), by=ALICE)
    assert w.hub.look(look) is Sight.SEEN
    ((watch, then),) = w.outlet.asked
    assert (watch, w.outlet.told) == ("f1", [])
    w.hub.published(BOB, "elsewhere", OPEN)
    then()
    w.hub.published(BOB, "elsewhere", None)
    assert w.outlet.told == [("f1", OPEN)]


def test_policy_may_have_changed_before_what_is_elsewhere_is_found() -> None:
    w = World()
    w.outlet.asked = []
    w.hub.look(Watcher(id="f1", identity=values.person("alice"), target=values.person("bob"), by=ALICE))
    w.hidden.add(("alice@corp.example", "bob@corp.example"))
    w.hub.review()
    w.hub.published(BOB, "elsewhere", OPEN)
    w.outlet.asked[0][1]()
    assert w.outlet.told == []


def test_nobody_is_asked_elsewhere_for_who_may_not_see_or_what_is_watched() -> None:
    w = World()
    w.outlet.asked = []
    w.watch("w1", "alice", values.person("bob"))
    w.hub.look(
        Watcher(
            id="f1", identity=values.person("carol"), target=values.person("bob"), by=PersonId("carol@corp.example")
        )
    )
    w.hidden.add(("carol@corp.example", "dora@corp.example"))
    w.hub.look(
        Watcher(
            id="f2", identity=values.person("carol"), target=values.person("dora"), by=PersonId("carol@corp.example")
        )
    )
    assert w.outlet.asked == []
