"""Lists that are kept here, and what is told of lists to who inflates: RFC 4662."""

import zlib

from tests.kit.lists import LIST_HEADERS, told
from tests.kit.sip import DOMAIN, counting_entropy, make_endpoint
from tests.unit.sip_machine.test_lists import BOB, FRIEND, Watcher, _show, _watcher, _watches
from tests.unit.sip_machine.test_presence import Store
from transports.sip.machine.config import Limits, StoredList
from transports.sip.machine.events import SubscriptionClosed, SubscriptionOpened
from transports.sip.wire.native import SipPresence

TEAM = f"sip:team@{DOMAIN}"
_EVENTLIST = (("Supported", "eventlist"),)


def _kept(**changes: object) -> Watcher:
    lists = {f"team@{DOMAIN}": StoredList(members=(BOB, FRIEND), **changes)}  # type: ignore[arg-type]
    return _watcher(lists=lists)


def test_a_list_that_is_kept_here_is_told_as_one_in_the_request() -> None:
    alice = _kept()
    response = alice.subscribe(None, uri=TEAM, headers=_EVENTLIST, body=b"")
    assert (response.status, response.require) == (200, ["eventlist"])
    watches = _watches(alice.endpoint)
    assert set(watches) == {BOB, FRIEND}
    _show(alice.endpoint, watches[BOB], b"<here/>", 1.0)
    (notify,) = alice.notified(1.1)
    said = told(notify)
    assert (said.uri, said.version, said.full) == (TEAM, 0, True)
    assert said.resources == {BOB: [("active", None, b"<here/>")], FRIEND: [("pending", None, None)]}
    again = alice.subscribe(None, 2.0, tag=response.to.tag or "", uri=TEAM)
    assert again.status == 200
    (notify,) = alice.notified(2.1)
    assert (told(notify).full, list(told(notify).resources)) == (True, [BOB, FRIEND])


def test_who_does_not_know_lists_is_told_what_it_takes() -> None:
    response = _kept().subscribe(None, uri=TEAM)
    assert (response.status, response.first("Require")) == (421, "eventlist")


def test_a_list_may_be_for_some_alone() -> None:
    for user, status in (("bob", 403), ("alice", 200)):
        alice = _kept(watchers=frozenset({f"{user}@{DOMAIN}"}))
        assert alice.subscribe(None, uri=TEAM, headers=_EVENTLIST, body=b"").status == status


def test_a_kept_list_survives_a_restart() -> None:
    store = Store()
    lists = {f"team@{DOMAIN}": StoredList(members=(BOB, FRIEND))}
    alice = _watcher(lists=lists, subscriptions=store)
    assert alice.subscribe(None, uri=TEAM, headers=_EVENTLIST, body=b"").status == 200
    alice.notified(1.1)
    alice.endpoint = make_endpoint(lists=lists, subscriptions=store, entropy=counting_entropy(1000), now=50.0)
    assert alice.endpoint.notify(SipPresence(target=BOB, watcher=None, pidf=b"<x/>"), 50.0) == 1
    (notify,) = alice.notified(50.1)
    assert (told(notify).uri, list(told(notify).resources)) == (TEAM, [BOB, FRIEND])


def test_what_a_list_tells_is_deflated_for_who_inflates() -> None:
    alice = _watcher()
    alice.subscribe(headers=(*LIST_HEADERS, ("Accept-Encoding", "deflate")))
    (notify,) = alice.notified(1.1)
    assert notify.first("Content-Encoding") == "deflate"
    plain = zlib.decompress(notify.body)
    assert plain.startswith(b"--")
    assert b"application/rlmi+xml" in plain


CAROL = f"sip:carol@{DOMAIN}"


def _renamed(*members: str, **changes: object) -> dict[str, StoredList]:
    return {f"team@{DOMAIN}": StoredList(members=members, **changes)}  # type: ignore[arg-type]


def test_who_watches_a_list_that_has_changed_is_told_all_of_it() -> None:
    """RFC 4662 section 5.2: a full state; who is on both lists is watched on."""
    alice = _kept()
    alice.subscribe(None, uri=TEAM, headers=_EVENTLIST, body=b"")
    watches = _watches(alice.endpoint)
    _show(alice.endpoint, watches[BOB], b"<here/>", 1.0)
    alice.notified(1.1)
    alice.endpoint.set_lists(_renamed(BOB, CAROL), 10.0)
    events = list(iter(alice.endpoint.next_event, None))
    assert {one.target for one in events if isinstance(one, SubscriptionClosed)} == {FRIEND}
    assert {one.native.target for one in events if isinstance(one, SubscriptionOpened)} == {BOB, CAROL}
    (notify,) = alice.notified(10.1)
    said = told(notify)
    assert (said.full, said.version) == (True, 1)
    assert said.resources == {BOB: [("active", None, b"<here/>")], CAROL: [("pending", None, None)]}


def test_a_reload_that_changes_nothing_tells_nothing() -> None:
    alice = _kept()
    alice.subscribe(None, uri=TEAM, headers=_EVENTLIST, body=b"")
    alice.notified(1.1)
    alice.endpoint.set_lists(_renamed(BOB, FRIEND), 10.0)
    assert alice.notified(20.0) == []


def test_a_list_that_is_gone_or_is_for_others_now_ends_its_subscriptions() -> None:
    for lists, reason in (
        ({}, "noresource"),
        (_renamed(BOB, FRIEND, watchers=frozenset({f"bob@{DOMAIN}"})), "rejected"),
    ):
        alice = _kept()
        alice.subscribe(None, uri=TEAM, headers=_EVENTLIST, body=b"")
        alice.notified(1.1)
        alice.endpoint.set_lists(lists, 10.0)
        (notify,) = alice.notified(10.1)
        assert notify.first("Subscription-State") == f"terminated;reason={reason}"
        assert alice.endpoint.counts["subscriptions"] == 0
        again = alice.subscribe(None, 11.0, uri=TEAM, headers=_EVENTLIST, body=b"")
        assert again.status == (200 if reason == "noresource" else 403)  # an address like others now


def test_a_list_of_the_watchers_own_is_left_alone_by_a_reload() -> None:
    """RFC 5367: it came with the request, to whatever address."""
    alice = _kept()
    alice.subscribe((FRIEND,), uri=TEAM)
    (notify,) = alice.notified(1.1)
    names = list(told(notify).resources)
    alice.endpoint.set_lists(_renamed(CAROL), 10.0)
    assert alice.notified(20.0) == []
    assert CAROL not in names


def test_a_list_that_changed_while_the_bridge_was_down_is_told_after_the_restart() -> None:
    store = Store()
    alice = _watcher(lists=_renamed(BOB, FRIEND), subscriptions=store)
    alice.subscribe(None, uri=TEAM, headers=_EVENTLIST, body=b"")
    alice.notified(1.1)
    alice.endpoint = make_endpoint(lists=_renamed(CAROL), subscriptions=store, entropy=counting_entropy(1000), now=50.0)
    (notify,) = alice.notified(50.1)
    assert list(told(notify).resources) == [CAROL]
    assert [row.entries for row in store.rows.values()] == [(CAROL,)]


def test_a_list_that_has_grown_beyond_what_a_watcher_may_have_is_given_up() -> None:
    alice = _watcher(lists=_renamed(BOB), limits=Limits(subscriptions_per_watcher=2))
    alice.subscribe(None, uri=TEAM, headers=_EVENTLIST, body=b"")
    alice.notified(1.1)
    alice.endpoint.set_lists(_renamed(BOB, CAROL, FRIEND), 10.0)
    (notify,) = alice.notified(10.1)
    assert notify.first("Subscription-State") == "terminated;reason=giveup"
