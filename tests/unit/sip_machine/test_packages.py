"""The packages beside presence: RFC 3857 and 3858, RFC 3680, RFC 3842; and the forms of presence."""

from collections.abc import Sequence

import pytest
from attrs import define, field

from tests.kit.sip import DOMAIN, counting_entropy, make_endpoint
from tests.kit.watchers import Subscriber, events, inflated, states, subscriber
from tests.unit.sip_machine.test_presence import OPEN, Store
from transports.sip.machine.endpoint import Endpoint
from transports.sip.machine.events import SubscriptionOpened
from transports.sip.wire.message import Request, respond_bytes
from transports.sip.wire.messagesummary import MessageSummary, parse_summary
from transports.sip.wire.native import SipPresence
from transports.sip.wire.reginfo import RegInfo, parse_reginfo
from transports.sip.wire.watcherinfo import WatcherEntry, WatcherInfo, parse_watcherinfo
from transports.sip.wire.xpidf import parse_xpidf

ALICE, BOB = f"sip:alice@{DOMAIN}", f"sip:bob@{DOMAIN}"
ALLOWED = "presence, presence.winfo, message-summary, reg"


@define
class Known:
    """What an owner knows of people."""

    others: list[WatcherEntry] = field(factory=list)
    box: tuple[int, int] = (0, 0)

    def watchers(self, aor: str) -> Sequence[WatcherEntry]:
        """The same for everybody."""
        del aor
        return self.others

    def waiting(self, aor: str) -> tuple[int, int]:
        """The same for everybody."""
        del aor
        return self.box


def _world(**changes: object) -> tuple[Endpoint, Known, Subscriber, Subscriber]:
    known = Known()
    endpoint = make_endpoint(**changes)  # type: ignore[arg-type]
    endpoint._notifier._notifies._contents._documents._surroundings = known
    return endpoint, known, subscriber("alice", endpoint), subscriber("bob", endpoint)


def _winfo(requests: Sequence[Request]) -> WatcherInfo:
    (request,) = requests
    assert request.first("Event") == "presence.winfo"
    assert request.first("Content-Type") == "application/watcherinfo+xml"
    return parse_watcherinfo(request.body)


def _told(info: WatcherInfo) -> list[tuple[str, str, str]]:
    return [(watcher.uri, watcher.status, watcher.event) for watcher in info.watchers]


def _show(endpoint: Endpoint, watch: str, **changes: object) -> None:
    values: dict[str, object] = {"target": ALICE, "watcher": None, "pidf": OPEN, "subscription": watch}
    assert endpoint.notify(SipPresence(**(values | changes)), float(changes.pop("at", 1.0))) == 1  # type: ignore[arg-type]


def _watch(endpoint: Endpoint, bob: Subscriber, now: float = 1.0) -> str:
    bob.dialog = f"watch{now}"
    assert bob.subscribe(ALICE, now).status == 200
    (event,) = (one for one in events(endpoint) if isinstance(one, SubscriptionOpened))
    return event.native.id


# -- watchers (RFC 3857) ----------------------------------------------------------------------------------------------


def test_the_owner_sees_who_watches_and_what_becomes_of_it() -> None:
    """RFC 3857 section 4, RFC 3858 section 3: the whole list first, then what changes; version counts up by one."""
    endpoint, _, alice, bob = _world()
    assert alice.subscribe(ALICE, event="presence.winfo").status == 200
    first = _winfo(alice.notified(1.1))
    assert (first.version, first.full, first.resource, first.package) == (0, True, ALICE, "presence")
    assert first.watchers == ()
    watch = _watch(endpoint, bob, 2.0)
    endpoint.notify(SipPresence(target=ALICE, watcher=None, pidf=None, state="pending", subscription=watch), 2.0)
    bob.notified(2.1)
    second = _winfo(alice.notified(7.0))
    assert (second.version, second.full, _told(second)) == (1, False, [(BOB, "pending", "subscribe")])
    _show(endpoint, watch)
    third = _winfo(alice.notified(12.1))
    bob.notified(12.2)
    assert (third.version, _told(third)) == (2, [(BOB, "active", "approved")])
    assert {watcher.id for info in (second, third) for watcher in info.watchers} == {second.watchers[0].id}
    assert watch not in second.watchers[0].id  # the tag of bob's dialog is nobody else's to know
    assert bob.subscribe(ALICE, 13.0, expires=0, tag=watch).status == 200
    bob.notified(13.1)
    assert _told(_winfo(alice.notified(18.0))) == [(BOB, "terminated", "timeout")]


@pytest.mark.parametrize("reason", ["rejected", "deactivated", "noresource"])
def test_the_end_of_a_watch_is_told_with_its_event(reason: str) -> None:
    endpoint, _, alice, bob = _world()
    watch = _watch(endpoint, bob)
    _show(endpoint, watch)
    bob.notified(1.1)
    alice.subscribe(ALICE, 2.0, event="presence.winfo")
    assert _told(_winfo(alice.notified(2.1))) == [(BOB, "active", "subscribe")]
    _show(endpoint, watch, pidf=None, state="terminated", reason=reason)
    bob.notified(3.1)
    assert _told(_winfo(alice.notified(8.0))) == [(BOB, "terminated", reason)]


def test_a_refresh_and_what_was_not_taken_are_followed_by_the_whole_list() -> None:
    endpoint, _, alice, bob = _world()
    tag = alice.subscribe(ALICE, event="presence.winfo").to.tag or ""
    alice.notified(1.1)
    watch = _watch(endpoint, bob)
    _show(endpoint, watch)
    assert alice.subscribe(ALICE, 3.0, event="presence.winfo", tag=tag).status == 200
    again = _winfo(alice.notified(3.1))
    assert (again.version, again.full, _told(again)) == (1, True, [(BOB, "active", "subscribe")])
    other = subscriber("carol", endpoint)
    _show(endpoint, _watch(endpoint, other, 4.0))
    lost = _winfo(alice.notified(9.0, 500))
    assert not lost.full
    _show(endpoint, watch, state="pending", pidf=None)
    assert (third := _winfo(alice.notified(15.0))).full
    assert len(third.watchers) == 2


@pytest.mark.parametrize("event", ["presence.winfo", "message-summary", "reg"])
def test_what_is_a_persons_own_is_told_to_that_person_alone(event: str) -> None:
    """Neither a colleague nor somebody who is not there: the answer is the same."""
    endpoint, _, alice, _ = _world()
    answers = {alice.subscribe(uri, event=event).status for uri in (BOB, f"sip:nobody@{DOMAIN}")}
    assert answers == {403}
    assert alice.subscribe("sip:friend@aim.example.test", event=event).status == 403
    assert endpoint.counts["subscriptions"] == 0


def test_a_watcher_whom_policy_hides_is_on_no_list() -> None:
    endpoint, _, alice, bob = _world()
    alice.subscribe(ALICE, event="presence.winfo")
    alice.notified(1.1)
    watch = _watch(endpoint, bob, 2.0)
    assert alice.notified(20.0) == []  # until its owner says so, nobody learns of a watch
    _show(endpoint, watch, hidden=True)
    assert alice.notified(30.0) == []
    _show(endpoint, watch, hidden=False)
    assert _told(_winfo(alice.notified(40.0))) == [(BOB, "active", "subscribe")]
    _show(endpoint, watch, hidden=True)
    assert _told(_winfo(alice.notified(50.0))) == [(BOB, "terminated", "timeout")]


def test_a_fetch_is_no_watch() -> None:
    endpoint, _, alice, bob = _world()
    alice.subscribe(ALICE, event="presence.winfo")
    alice.notified(1.1)
    bob.subscribe(ALICE, 2.0, expires=0)
    for event in events(endpoint):
        assert isinstance(event, SubscriptionOpened)
        _show(endpoint, event.native.id)
    bob.notified(2.1)
    assert alice.notified(20.0) == []


def test_who_watches_by_other_ways_is_listed_too() -> None:
    endpoint, known, alice, _ = _world()
    alice.subscribe(ALICE, event="presence.winfo")
    alice.notified(1.1)
    known.others.append(
        WatcherEntry(id="x", uri="sip:friend@aim.example.test", status="pending", event="subscribe", display_name="F")
    )
    endpoint.watchers_changed(f"alice@{DOMAIN}", 2.0)
    info = _winfo(alice.notified(7.0))
    assert (info.full, info.watchers) == (True, tuple(known.others))


# -- registrations (RFC 3680) -----------------------------------------------------------------------------------------


def _reg(requests: Sequence[Request]) -> RegInfo:
    (request,) = requests
    assert (request.first("Event"), request.first("Content-Type")) == ("reg", "application/reginfo+xml")
    return parse_reginfo(request.body)


def test_a_person_sees_their_registrations() -> None:
    _, _, alice, _ = _world()
    response = alice.subscribe(ALICE, event="reg", expires=None)
    assert response.expires == 3761  # RFC 3680 section 4.4
    first = _reg(alice.notified(1.1))
    assert (first.version, first.aor, first.state) == (0, ALICE, "active")
    (contact,) = first.contacts
    assert (contact.uri, contact.state, contact.event) == (alice.contact, "active", "registered")
    assert contact.expires == pytest.approx(3600, abs=2)
    assert (contact.call_id, contact.cseq) == (f"alice{alice.flow.remote[1]}-REGISTER", 2)
    alice.register(2.0)
    second = _reg(alice.notified(7.0))
    assert (second.version, second.contacts[0].event, second.contacts[0].id) == (1, "refreshed", contact.id)
    alice.register(8.0, 0)
    third = _reg(alice.notified(13.0))
    assert third.state == "terminated"
    assert [(one.id, one.state, one.event) for one in third.contacts] == [(contact.id, "terminated", "unregistered")]
    alice.register(14.0, 60)
    assert _reg(alice.notified(19.0)).state == "active"
    alice.endpoint.handle_timer(75.0)
    expired = _reg(alice.notified(76.0))
    assert [(one.state, one.event) for one in expired.contacts] == [("terminated", "expired")]


def test_who_never_registered_is_in_the_first_state() -> None:
    endpoint, _, alice, _ = _world()
    alice.register(0.5, 0)
    alice.subscribe(ALICE, event="reg")
    assert _reg(alice.notified(1.1)).state == "init"
    assert endpoint.counts["bindings"] == 1  # bob's


def test_who_is_trusted_sees_everybodys_registrations() -> None:
    _, _, alice, _ = _world(reg_watchers=frozenset({f"alice@{DOMAIN}"}))
    assert alice.subscribe(BOB, event="reg").status == 200
    assert _reg(alice.notified(1.1)).aor == BOB
    alice.dialog = "other"
    assert alice.subscribe(BOB, event="presence.winfo").status == 403


# -- waiting messages (RFC 3842) --------------------------------------------------------------------------------------


def _summary(requests: Sequence[Request]) -> MessageSummary:
    (request,) = requests
    assert request.first("Content-Type") == "application/simple-message-summary"
    return parse_summary(request.body)


def test_messages_that_wait_are_told() -> None:
    endpoint, known, alice, _ = _world()
    alice.subscribe(ALICE, event="message-summary")
    assert _summary(alice.notified(1.1)) == MessageSummary(waiting=False, account=ALICE)
    assert endpoint.summary_watchers() == [f"alice@{DOMAIN}"]
    known.box = (2, 1)
    endpoint.summary_changed(f"alice@{DOMAIN}", 1.2)
    assert alice.notified(1.9) == []  # no more than one in a second (RFC 3842 section 3.11)
    told = _summary(alice.notified(2.2))
    assert told == MessageSummary(waiting=True, account=ALICE, counts=(("pager-message", 2, 1),))


# -- all of them ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("event", ["presence.winfo", "message-summary", "reg"])
def test_they_live_and_end_as_any_subscription(event: str) -> None:
    """RFC 6665: refresh, Expires 0, a fetch, 406, 423, and the end at its time."""
    endpoint, _, alice, _ = _world()
    tag = alice.subscribe(ALICE, event=event, expires=100).to.tag or ""
    ((state, body),) = states(alice.notified(1.1))
    assert (state, bool(body)) == ("active;expires=100", True)
    assert alice.subscribe(ALICE, 2.0, event=event, expires=200, tag=tag).status == 200
    assert [state for state, _ in states(alice.notified(2.1))] == ["active;expires=200"]
    assert alice.subscribe(ALICE, 8.0, event=event, expires=0, tag=tag).status == 200
    ((state, body),) = states(alice.notified(8.1))
    assert (state, bool(body)) == ("terminated;reason=timeout", True)
    assert alice.subscribe(ALICE, 9.0, event=event, expires=60, tag=tag).status == 481
    alice.dialog = "fetch"
    assert alice.subscribe(ALICE, 10.0, event=event, expires=0).status == 200
    ((state, body),) = states(alice.notified(10.1))
    assert (state, bool(body)) == ("terminated;reason=timeout", True)
    assert alice.subscribe(ALICE, 11.0, event=event, expires=5).first("Min-Expires") == "60"
    refused = alice.subscribe(ALICE, 12.0, event=event, more=[("Accept", "application/pidf+xml")])
    assert refused.status == 406
    assert "application/" in (refused.first("Accept") or "")
    alice.dialog = "last"
    alice.subscribe(ALICE, 20.0, event=event, expires=60)
    alice.notified(20.1)
    endpoint.handle_timer(81.0)
    assert [state for state, _ in states(alice.notified(81.1))] == ["terminated;reason=timeout"]
    assert endpoint.counts["subscriptions"] == 0
    assert not [one for one in events(endpoint) if isinstance(one, SubscriptionOpened)]


@pytest.mark.parametrize("event", ["presence.winfo", "message-summary", "reg"])
def test_they_survive_a_restart(event: str) -> None:
    store = Store()
    alice = subscriber(subscriptions=store)
    tag = alice.subscribe(ALICE, event=event).to.tag or ""
    (before,) = alice.notified(1.1)
    again = make_endpoint(subscriptions=store, entropy=counting_entropy(1000), now=50.0)
    alice.endpoint = again
    (after,) = alice.notified(50.1)
    assert (after.from_.tag, after.first("Event"), after.call_id) == (tag, event, before.call_id)
    assert after.cseq.number > before.cseq.number
    assert after.body
    assert alice.subscribe(ALICE, 51.0, event=event, tag=tag).status in {200, 407}


def test_unknown_packages_are_told_which_are_known() -> None:
    alice = subscriber()
    for event in ("dialog", "presence.winfo.winfo", "conference"):
        response = alice.subscribe(ALICE, event=event)
        assert (response.status, response.first("Allow-Events")) == (489, ALLOWED)
    options = alice.ask("OPTIONS", ALICE, now=1.0)
    assert options.first("Allow-Events") == ALLOWED


def test_a_dialog_is_of_one_subscription() -> None:
    """RFC 6665 section 4.1.2.2: the package and its id are part of what is refreshed."""
    alice = subscriber()
    tag = alice.subscribe(BOB, event="presence;id=7").to.tag or ""
    (notify,) = alice.notified(1.1)
    assert notify.first("Event") == "presence;id=7"
    assert alice.subscribe(BOB, 2.0, event="presence", tag=tag).status == 481
    assert alice.subscribe(BOB, 2.1, event="presence;id=8", tag=tag).status == 481
    assert alice.subscribe(BOB, 2.2, event="presence;id=7", tag=tag).status == 200


# -- forms of presence ------------------------------------------------------------------------------------------------


def _shown(alice: Subscriber, more: Sequence[tuple[str, str]], pidf: bytes = OPEN) -> Request:
    alice.subscribe(BOB, more=more)
    alice.endpoint.notify(SipPresence(target=BOB, watcher=None, pidf=pidf), 1.0)
    (notify,) = alice.notified(1.1)
    return notify


@pytest.mark.parametrize("accept", ["application/xpidf+xml", "application/pidf+xml;q=0, application/xpidf+xml"])
def test_old_clients_are_told_in_their_own_form(accept: str) -> None:
    notify = _shown(subscriber(), [("Accept", accept)])
    assert notify.first("Content-Type") == "application/xpidf+xml"
    told = parse_xpidf(notify.body)
    assert (told.entity, told.status, told.substatus) == (ALICE, "open", "online")


@pytest.mark.parametrize("accept", ["application/xpidf+xml, application/pidf+xml", "*/*", "application/*"])
def test_who_takes_pidf_is_told_in_pidf(accept: str) -> None:
    notify = _shown(subscriber(), [("Accept", accept)])
    assert (notify.first("Content-Type"), notify.body) == ("application/pidf+xml", OPEN)


LONG = OPEN.replace(b"</presence>", b"<note>" + b"here and there " * 40 + b"</note></presence>")


def test_bodies_are_deflated_for_who_inflates() -> None:
    notify = _shown(subscriber(), [("Accept-Encoding", "gzip, deflate;q=0.5")], LONG)
    assert notify.first("Content-Encoding") == "deflate"
    assert len(notify.body) < len(LONG) // 4
    assert inflated(notify) == LONG


@pytest.mark.parametrize(
    ("more", "pidf"),
    [([], LONG), ([("Accept-Encoding", "identity")], LONG), ([("Accept-Encoding", "deflate;q=0")], LONG),
     ([("Accept-Encoding", "deflate")], OPEN)],
)  # fmt: skip
def test_others_get_them_as_they_are_and_short_ones_gain_nothing(more: list[tuple[str, str]], pidf: bytes) -> None:
    notify = _shown(subscriber(), more, pidf)
    assert (notify.first("Content-Encoding"), notify.body) == (None, pidf)


def test_the_form_survives_a_restart() -> None:
    store = Store()
    alice = subscriber(subscriptions=store)
    _shown(alice, [("Accept", "application/xpidf+xml"), ("Accept-Encoding", "deflate")], LONG)
    again = make_endpoint(subscriptions=store, entropy=counting_entropy(1000), now=50.0)
    alice.endpoint = again
    again.notify(SipPresence(target=BOB, watcher=None, pidf=LONG), 50.0)
    (notify,) = alice.notified(50.1)
    assert (notify.first("Content-Type"), notify.first("Content-Encoding")) == ("application/xpidf+xml", "deflate")


# -- many at once -----------------------------------------------------------------------------------------------------


def test_what_many_are_shown_goes_together_and_each_answer_counts_for_itself() -> None:
    endpoint = make_endpoint(users=900)
    watchers = [Subscriber(endpoint, f"user{number}", port=10_000 + number) for number in range(900)]
    for watcher in watchers:
        watcher.register()
        watcher.subscribe(BOB)
    events(endpoint)
    now = 1.1
    sent: list[Request] = []

    def run(until: float, status: int = 200) -> list[Request]:
        nonlocal now
        found: list[Request] = []
        while now < until:
            endpoint.handle_timer(now)
            for output in endpoint.to_send(now):
                flow, data = output
                from transports.sip.wire.message import parse_message

                request = parse_message(data)  # type: ignore[arg-type]
                assert isinstance(request, Request)
                found.append(request)
                if status:
                    endpoint.receive(flow, respond_bytes(request, status, to_tag="t"), now)  # type: ignore[arg-type]
            now += 0.01
        return found

    sent = run(2.0)
    assert len(sent) == 900
    assert endpoint.counts["client"] == 0
    now = 10.0
    assert endpoint.notify(SipPresence(target=BOB, watcher=None, pidf=OPEN), now) == 900
    sent = run(10.4, 0)
    assert len(sent) == 900
    assert len({request.top_via.branch for request in sent}) == 900
    assert {request.body for request in sent} == {OPEN}
    for request, status in zip(sent[:3], (481, 500, 100), strict=True):
        endpoint.receive(watchers[0].flow, respond_bytes(request, status, to_tag="t"), now)
    assert endpoint.counts["subscriptions"] == 899
    again = run(10.9)  # timer E at 500 ms sends again what has no answer; not what is being worked on
    assert len(again) == 897
    assert {request.top_via.branch for request in again} == {request.top_via.branch for request in sent[3:]}
    run(60.0, 0)
    assert endpoint.counts["subscriptions"] == 898  # timer F: the one that was only being worked on
    assert endpoint.counts["client"] == 0
