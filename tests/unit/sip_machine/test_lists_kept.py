"""Lists that are kept here, and what is told of lists to who inflates: RFC 4662."""

import zlib

from tests.kit.lists import LIST_HEADERS, told
from tests.kit.sip import DOMAIN, counting_entropy, make_endpoint
from tests.unit.sip_machine.test_lists import BOB, FRIEND, Watcher, _show, _watcher, _watches
from tests.unit.sip_machine.test_presence import Store
from transports.sip.machine.config import StoredList
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
