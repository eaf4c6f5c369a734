"""SUBSCRIBE, NOTIFY and PUBLISH: RFC 6665, 3856 and 3903."""

import zlib

import pytest

from tests.kit.sip import DOMAIN, Client, counting_entropy, make_endpoint
from transports.sip.machine.config import Limits
from transports.sip.machine.endpoint import Endpoint
from transports.sip.machine.events import Published, RegistrationChanged, SubscriptionClosed, SubscriptionOpened
from transports.sip.machine.flow import Flow
from transports.sip.machine.ports import StoredSubscription
from transports.sip.wire.message import Request, Response, respond_bytes
from transports.sip.wire.native import SipPresence, SipWatch

TARGET = "sip:friend@aim.example.test"
OPEN = (
    b'<?xml version="1.0"?><presence xmlns="urn:ietf:params:xml:ns:pidf" entity="sip:alice@example.test">'
    b'<tuple id="a"><status><basic>open</basic></status></tuple></presence>'
)


class Store:
    """Keeps subscriptions."""

    def __init__(self) -> None:
        self.rows: dict[str, StoredSubscription] = {}

    def put(self, subscription: StoredSubscription) -> None:
        """Keeps."""
        self.rows[subscription.id] = subscription

    def remove(self, subscription_id: str) -> None:
        """Forgets."""
        self.rows.pop(subscription_id, None)

    def load(self) -> tuple[StoredSubscription, ...]:
        """All."""
        return tuple(self.rows.values())


class Watcher(Client):
    """A client with one subscription."""

    dialog_id = "watch"

    def subscribe(
        self, now: float = 1.0, expires: int = 600, tag: str = "", *more: tuple[str, str], uri: str = TARGET
    ) -> Response:
        """SUBSCRIBE, new or (with our ``tag``) in the dialog."""
        headers = [
            ("Event", "presence"), ("Contact", f"<{self.contact}>"), ("Expires", str(expires)), *more
        ]  # fmt: skip
        to = f"<{uri}>" + (f";tag={tag}" if tag else "")
        data = self.request("SUBSCRIBE", uri, headers, call_id=self.dialog_id, to=to)
        response = self.deliver(data, now)[0]
        assert isinstance(response, Response)
        return response

    def notified(self, now: float, status: int = 200) -> list[Request]:
        """The NOTIFYs at ``now``, each answered with ``status``."""
        self.endpoint.handle_timer(now)
        got = [message for message in self.take(now) if isinstance(message, Request)]
        for request in got:
            self.endpoint.receive(self.flow, respond_bytes(request, status, to_tag="t"), now)
        return got


def _watcher(**changes: object) -> Watcher:
    watcher = Watcher(make_endpoint(**changes), "alice")  # type: ignore[arg-type]
    watcher.register()
    _events(watcher.endpoint)
    return watcher


@pytest.fixture
def alice() -> Watcher:
    return _watcher()


def _events(endpoint: Endpoint) -> list[object]:
    return list(iter(endpoint.next_event, None))


def _show(endpoint: Endpoint, pidf: bytes | None, now: float, **changes: object) -> int:
    values: dict[str, object] = {"target": TARGET, "watcher": None, "pidf": pidf}
    values.update(changes)
    return endpoint.notify(SipPresence(**values), now)  # type: ignore[arg-type]


def _states(requests: list[Request]) -> list[tuple[str, bytes]]:
    return [(request.first("Subscription-State") or "", request.body) for request in requests]


def test_a_subscription_is_answered_and_notified_at_once(alice: Watcher) -> None:
    response = alice.subscribe()
    assert (response.status, response.expires) == (200, 600)
    assert response.first("Contact") == "<sip:192.0.2.1:5060;transport=udp>"
    (event,) = _events(alice.endpoint)
    assert isinstance(event, SubscriptionOpened)
    assert event.native == SipWatch(aor=f"alice@{DOMAIN}", target=TARGET, id=response.to.tag or "", expires=600)
    (notify,) = alice.notified(1.1)
    assert notify.uri_text == alice.contact
    assert notify.call_id == "watch"
    assert notify.from_.tag == response.to.tag
    assert notify.to.tag == "talice40000"
    assert notify.first("Event") == "presence"
    assert _states([notify]) == [("pending;expires=600", b"")]  # nothing is shown that the owner has not said


def test_the_first_notify_shows_what_is_known_by_then(alice: Watcher) -> None:
    alice.subscribe()
    assert _show(alice.endpoint, b"<here/>", 1.0) == 1
    (notify,) = alice.notified(1.1)
    assert _states([notify]) == [("active;expires=600", b"<here/>")]
    assert notify.first("Content-Type") == "application/pidf+xml"


def test_notifies_are_five_seconds_apart_and_the_last_state_wins(alice: Watcher) -> None:
    alice.subscribe()
    alice.notified(1.1)
    for number in range(10):
        _show(alice.endpoint, b"%d" % number, 1.2 + number / 10)
        assert alice.notified(1.25 + number / 10) == []
    assert _states(alice.notified(6.2)) == [("active;expires=595", b"9")]
    assert alice.notified(20.0) == []


def test_no_second_notify_before_the_first_is_answered(alice: Watcher) -> None:
    alice.subscribe(0.0)
    alice.endpoint.handle_timer(0.1)
    (first,) = alice.take(0.1)
    assert isinstance(first, Request)
    _show(alice.endpoint, b"new", 6.0)
    alice.endpoint.handle_timer(7.0)
    retransmitted = {message.cseq.number for message in alice.take(7.0)}
    assert retransmitted == {first.cseq.number}
    alice.endpoint.receive(alice.flow, respond_bytes(first, 200, to_tag="t"), 8.0)
    (second,) = alice.notified(8.1)
    assert second.body == b"new"
    assert second.cseq.number == first.cseq.number + 1


def test_the_same_state_is_not_sent_again(alice: Watcher) -> None:
    alice.subscribe()
    _show(alice.endpoint, b"a", 1.0)
    alice.notified(1.1)
    _show(alice.endpoint, b"a", 2.0)
    assert alice.notified(30.0) == []


def test_a_refresh_is_notified_at_once(alice: Watcher) -> None:
    tag = alice.subscribe().to.tag or ""
    _show(alice.endpoint, b"a", 1.0)
    alice.notified(1.1)
    assert alice.subscribe(2.0, 300, tag).expires == 300
    assert _states(alice.notified(2.1)) == [("active;expires=300", b"a")]


def test_expires_zero_ends_it(alice: Watcher) -> None:
    tag = alice.subscribe().to.tag or ""
    alice.notified(1.1)
    _events(alice.endpoint)
    assert alice.subscribe(2.0, 0, tag).expires == 0
    assert _states(alice.notified(2.1)) == [("terminated;reason=timeout", b"")]
    opened, closed = _events(alice.endpoint)
    assert isinstance(opened, SubscriptionOpened)
    assert opened.native.expires == 0
    assert isinstance(closed, SubscriptionClosed)
    assert alice.subscribe(3.0, 600, tag).status == 481
    assert alice.endpoint.counts["subscriptions"] == 0


def test_a_fetch_is_one_notify(alice: Watcher) -> None:
    alice.subscribe(1.0, 0)
    (event,) = _events(alice.endpoint)
    assert isinstance(event, SubscriptionOpened)
    assert event.native.fetch
    _show(alice.endpoint, b"now", 1.0, subscription=event.native.id)
    assert _states(alice.notified(1.1)) == [("terminated;reason=timeout", b"now")]
    assert _events(alice.endpoint) == []
    assert alice.endpoint.counts["subscriptions"] == 0


def test_it_runs_out(alice: Watcher) -> None:
    alice.subscribe(0.0, 100)
    alice.notified(0.1)
    assert alice.notified(99.0) == []
    alice.endpoint.handle_timer(101.0)
    assert _states(alice.notified(101.1)) == [("terminated;reason=timeout", b"")]
    assert alice.endpoint.counts["subscriptions"] == 0


def test_the_owner_ends_it(alice: Watcher) -> None:
    alice.subscribe()
    alice.notified(1.1)
    _show(alice.endpoint, None, 1.2, state="terminated", reason="rejected")
    assert _states(alice.notified(1.3)) == [("terminated;reason=rejected", b"")]
    assert alice.endpoint.counts["subscriptions"] == 0


@pytest.mark.parametrize(
    ("expires", "headers", "status", "header"),
    [
        (30, (), 423, ("Min-Expires", "60")),
        (
            600,
            (("Accept", "application/cpim-pidf+xml"),),
            406,
            ("Accept", "application/pidf+xml, application/xpidf+xml"),
        ),
        (600, (("Require", "eventlist, 100rel"),), 420, ("Unsupported", "100rel")),
    ],
)
def test_refusals(
    alice: Watcher, expires: int, headers: tuple[tuple[str, str], ...], status: int, header: tuple[str, str]
) -> None:
    response = alice.subscribe(1.0, expires, "", *headers)
    assert (response.status, response.first(header[0])) == (status, header[1])


def test_unknown_events_and_missing_contacts(alice: Watcher) -> None:
    response = alice.ask("SUBSCRIBE", TARGET, [("Event", "dialog"), ("Contact", f"<{alice.contact}>")], now=1.0)
    assert (response.status, response.first("Allow-Events")) == (489, "presence, presence.winfo, message-summary, reg")
    assert alice.ask("SUBSCRIBE", TARGET, [("Contact", f"<{alice.contact}>")], now=1.0).status == 489
    assert alice.ask("SUBSCRIBE", TARGET, [("Event", "presence")], now=1.0).status == 400


def test_only_the_owner_of_a_subscription_changes_it(alice: Watcher) -> None:
    tag = alice.subscribe().to.tag or ""
    alice.notified(1.1)
    bob = Watcher(alice.endpoint, "bob", port=2)
    bob.register()
    assert bob.subscribe(2.0, 0, tag).status == 481
    assert alice.endpoint.counts["subscriptions"] == 1
    stale = alice.request(
        "SUBSCRIBE", TARGET, [("Event", "presence"), ("Contact", f"<{alice.contact}>"), ("Expires", "0")],
        call_id="watch", to=f"<{TARGET}>;tag={tag}", cseq="1 SUBSCRIBE",
    )  # fmt: skip
    (response,) = alice.deliver(stale, 2.0)
    assert isinstance(response, Response)
    assert response.status == 500


@pytest.mark.parametrize("status", [404, 481, 489])
def test_a_watcher_that_knows_nothing_of_it_ends_it(alice: Watcher, status: int) -> None:
    alice.subscribe()
    _events(alice.endpoint)
    alice.notified(1.1, status)
    (closed,) = _events(alice.endpoint)
    assert isinstance(closed, SubscriptionClosed)
    assert closed.reason == f"NOTIFY was answered {status}"


def test_no_answer_to_a_notify_ends_it(alice: Watcher) -> None:
    alice.subscribe(0.0)
    alice.endpoint.handle_timer(0.1)
    alice.endpoint.handle_timer(40.0)
    assert alice.endpoint.counts["subscriptions"] == 0


def test_states_reach_whom_they_are_for(alice: Watcher) -> None:
    first = alice.subscribe().to.tag or ""
    bob = Watcher(alice.endpoint, "bob", port=2)
    bob.register()
    bob.subscribe()
    other = Watcher(alice.endpoint, "carol", port=3)
    other.register()
    other.subscribe(uri="sip:somebody@aim.example.test")
    assert _show(alice.endpoint, b"x", 1.0) == 2
    assert _show(alice.endpoint, b"x", 1.0, watcher=f"bob@{DOMAIN}") == 1
    assert _show(alice.endpoint, b"x", 1.0, subscription=first) == 1
    assert _show(alice.endpoint, b"x", 1.0, subscription="none") == 0
    assert _show(alice.endpoint, b"x", 1.0, target="sip:nobody@aim.example.test") == 0


def test_limits() -> None:
    alice = _watcher(limits=Limits(subscriptions_per_watcher=2))
    statuses = []
    for number in range(3):
        alice.dialog_id = f"watch{number}"
        statuses.append(alice.subscribe().status)
    assert statuses == [200, 200, 503]


def test_subscriptions_survive_a_restart() -> None:
    store = Store()
    alice = _watcher(subscriptions=store)
    tag = alice.subscribe(1.0, 600).to.tag or ""
    (notify,) = alice.notified(1.1)
    again = make_endpoint(subscriptions=store, entropy=counting_entropy(1000), now=100.0)
    (event,) = _events(again)
    assert isinstance(event, SubscriptionOpened)
    assert event.resumed
    assert event.native == SipWatch(aor=f"alice@{DOMAIN}", target=TARGET, id=tag, expires=501)
    assert _show(again, b"back", 100.0) == 1
    again.handle_timer(100.1)
    ((flow, data),) = again.to_send(100.1)
    assert isinstance(flow, Flow)
    assert flow.remote == alice.flow.remote
    from transports.sip.wire.message import parse_message

    later = parse_message(data)  # type: ignore[arg-type]
    assert later.cseq.number > notify.cseq.number
    assert later.from_.tag == tag
    assert make_endpoint(subscriptions=store, now=700.0).counts["subscriptions"] == 0
    assert store.rows == {}


def test_record_route_is_kept(alice: Watcher) -> None:
    response = alice.subscribe(1.0, 600, "", ("Record-Route", "<sip:p1.test;lr>, <sip:p2.test;lr>"))
    assert response.first("Record-Route") == "<sip:p1.test;lr>, <sip:p2.test;lr>"
    (notify,) = alice.notified(1.1)
    assert [str(route) for route in notify.routes] == ["<sip:p1.test;lr>", "<sip:p2.test;lr>"]


def test_a_watcher_that_comes_back_on_another_connection() -> None:
    endpoint = make_endpoint()
    first = Watcher(endpoint, "alice", transport="tcp", port=1)
    contact = [("Contact", f"<{first.contact}>")]
    first.ask("REGISTER", f"sip:{DOMAIN}", contact)
    first.subscribe()
    first.notified(1.1)
    endpoint.flow_lost(first.flow, 2.0)
    second = Watcher(endpoint, "alice", transport="tcp", port=9)
    second.ask("REGISTER", f"sip:{DOMAIN}", contact)
    _show(endpoint, b"x", 10.0)
    assert [request.body for request in second.notified(10.1)] == [b"x"]


# -- PUBLISH ----------------------------------------------------------------------------------------------------------


def _publish(client: Client, body: bytes, now: float = 1.0, *more: tuple[str, str], uri: str = "") -> Response:
    headers = [("Event", "presence"), *more]
    if body:
        headers.append(("Content-Type", "application/pidf+xml"))
    return client.ask("PUBLISH", uri or f"sip:{client.user}@{DOMAIN}", headers, body, now)


def _published(endpoint: Endpoint) -> list[Published]:
    return [event for event in _events(endpoint) if isinstance(event, Published)]


@pytest.mark.parametrize(("for_good", "reason"), [(True, "rejected"), (False, "deactivated")])
def test_who_is_signed_off_has_nothing_left_here(alice: Watcher, for_good: bool, reason: str) -> None:
    """A device of somebody who has left, or whose password was stolen, is told nothing any more."""
    alice.subscribe()
    _show(alice.endpoint, OPEN, 1.05)
    assert alice.notified(1.1)
    _publish(alice, OPEN, 1.2)
    _events(alice.endpoint)
    alice.endpoint.sign_off(f"alice@{DOMAIN}", 2.0, for_good=for_good)
    told = _events(alice.endpoint)
    assert [event.native.contacts for event in told if isinstance(event, RegistrationChanged)] == [0]
    assert [event.native.pidf for event in told if isinstance(event, Published)] == [None]
    assert _states(alice.notified(2.1)) == [(f"terminated;reason={reason}", b"")]
    assert _show(alice.endpoint, OPEN, 3.0) == 0
    counts = alice.endpoint.counts
    assert [counts[name] for name in ("bindings", "subscriptions", "publications")] == [0, 0, 0]


def test_the_life_of_a_publication(alice: Watcher) -> None:
    first = _publish(alice, OPEN, 1.0, ("Expires", "120"))
    assert (first.status, first.expires) == (200, 120)
    (event,) = _published(alice.endpoint)
    assert (event.native.pidf, event.native.expires, event.native.contact_count) == (OPEN, 120, 1)
    refreshed = _publish(alice, b"", 2.0, ("Expires", "120"), ("SIP-If-Match", first.first("SIP-ETag") or ""))
    assert refreshed.status == 200
    assert refreshed.first("SIP-ETag") != first.first("SIP-ETag")
    (event2,) = _published(alice.endpoint)
    assert event2.native.entity_tag == event.native.entity_tag
    assert event2.native.pidf == OPEN
    assert _publish(alice, b"", 3.0, ("SIP-If-Match", first.first("SIP-ETag") or "")).status == 412
    removed = _publish(alice, b"", 4.0, ("Expires", "0"), ("SIP-If-Match", refreshed.first("SIP-ETag") or ""))
    assert (removed.status, removed.expires) == (200, 0)
    (event3,) = _published(alice.endpoint)
    assert (event3.native.pidf, event3.native.contact_count) == (None, 0)


def test_a_publication_runs_out(alice: Watcher) -> None:
    _publish(alice, OPEN, 0.0, ("Expires", "100"))
    _events(alice.endpoint)
    alice.endpoint.handle_timer(101.0)
    (event,) = _published(alice.endpoint)
    assert event.native.pidf is None
    assert alice.endpoint.counts["publications"] == 0


def test_several_devices(alice: Watcher) -> None:
    _publish(alice, OPEN)
    second = Client(alice.endpoint, "alice", port=2)
    _publish(second, OPEN)
    assert [event.native.contact_count for event in _published(alice.endpoint)] == [1, 2]


def test_a_device_that_begins_anew_replaces_what_it_published(alice: Watcher) -> None:
    """baresip begins twice at once and goes on with either: neither may stay behind and speak against the other."""
    first = _publish(alice, OPEN).first("SIP-ETag") or ""
    second = _publish(alice, OPEN.replace(b"open", b"closed")).first("SIP-ETag") or ""
    before, after = _published(alice.endpoint)
    assert (before.native.entity_tag, after.native.contact_count) == (after.native.entity_tag, 1)
    assert _publish(alice, OPEN, 2.0, ("SIP-If-Match", first)).status == 412
    assert _publish(alice, b"", 2.0, ("SIP-If-Match", second), ("Expires", "0")).status == 200
    assert alice.endpoint.counts["publications"] == 0
    third = _publish(alice, OPEN, 3.0).first("SIP-ETag") or ""
    assert third.partition(".")[0] != second.partition(".")[0]


def test_nobody_publishes_for_another(alice: Watcher) -> None:
    assert _publish(alice, OPEN, uri=f"sip:bob@{DOMAIN}").status == 403
    tag = _publish(alice, OPEN).first("SIP-ETag") or ""
    bob = Client(alice.endpoint, "bob", port=2)
    assert _publish(bob, b"", 1.0, ("SIP-If-Match", tag)).status == 412


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ([("Event", "dialog"), ("Content-Type", "application/pidf+xml")], OPEN, 489),
        ([("Event", "presence"), ("Content-Type", "text/plain")], OPEN, 415),
        ([("Event", "presence"), ("Content-Type", "application/pidf+xml")], b"<x>", 400),
        ([("Event", "presence"), ("Content-Type", "application/pidf+xml"), ("Expires", "5")], OPEN, 423),
        ([("Event", "presence")], b"", 400),
        ([("Event", "presence"), ("SIP-If-Match", "none")], b"", 412),
    ],
)
def test_publications_that_are_refused(
    alice: Watcher, headers: list[tuple[str, str]], body: bytes, status: int
) -> None:
    assert alice.ask("PUBLISH", f"sip:alice@{DOMAIN}", headers, body, 1.0).status == status
    assert _published(alice.endpoint) == []


def test_a_persons_oldest_publication_makes_room_for_the_newest() -> None:
    alice = _watcher(limits=Limits(publications_per_aor=2))
    devices = [Client(alice.endpoint, "alice", port=port) for port in (1, 2, 3)]
    tags = [_publish(device, OPEN, 1.0 + n).first("SIP-ETag") or "" for n, device in enumerate(devices)]
    assert alice.endpoint.counts["publications"] == 2
    renewed = [
        _publish(device, b"", 5.0, ("SIP-If-Match", tag)).status for device, tag in zip(devices, tags, strict=True)
    ]
    assert renewed == [412, 200, 200]


def test_publications_are_limited_in_all() -> None:
    alice = _watcher(limits=Limits(publications=2))
    devices = [Client(alice.endpoint, "alice", port=port) for port in (1, 2, 3)]
    assert [_publish(device, OPEN).status for device in devices] == [200, 200, 403]


def test_a_watcher_that_asks_for_time_gets_it(alice: Watcher) -> None:
    alice.subscribe(0.0)
    alice.endpoint.handle_timer(0.1)
    (first,) = alice.take(0.1)
    assert isinstance(first, Request)
    later = respond_bytes(first, 503, to_tag="t", headers=(("Retry-After", "20 (busy);duration=5"),))
    alice.endpoint.receive(alice.flow, later, 0.2)
    assert alice.notified(20.0) == []
    assert len(alice.notified(20.3)) == 1
    assert alice.endpoint.counts["subscriptions"] == 1


def test_too_large_a_document() -> None:
    alice = _watcher(limits=Limits(max_body=100))
    assert _publish(alice, OPEN).status == 413


def test_who_subscribes_and_ends_it_all_day_leaves_nothing_behind() -> None:
    endpoint = make_endpoint()
    alice = Client(endpoint, "alice")
    for number in range(300):
        now = float(number)
        headers = [("Event", "presence"), ("Contact", f"<{alice.contact}>")]
        made = alice.ask("SUBSCRIBE", f"sip:bob@{DOMAIN}", [*headers, ("Expires", "3600")], now=now)
        name = {"call_id": made.call_id, "to": f"<sip:bob@{DOMAIN}>;tag={made.to.tag}"}
        alice.deliver(alice.request("SUBSCRIBE", f"sip:bob@{DOMAIN}", [*headers, ("Expires", "0")], **name), now)  # type: ignore[arg-type]
        for step in range(3):
            endpoint.handle_timer(now + 0.1 * (step + 1))
            for message in alice.take(now + 0.1 * (step + 1)):
                if isinstance(message, Request):
                    alice.deliver(respond_bytes(message, 200, to_tag=None), now + 0.1 * (step + 1))
    assert endpoint.counts["subscriptions"] == 0
    endpoint.handle_timer(400.0)
    assert len(endpoint._notifier._expiries) == 0


def test_a_deflated_document_is_inflated_under_a_cap() -> None:
    alice = _watcher(limits=Limits(max_body=2000))
    deflated = ("Content-Encoding", "deflate")
    assert _publish(alice, zlib.compress(OPEN), 1.0, deflated).status == 200
    (event,) = _published(alice.endpoint)
    assert event.native.pidf == OPEN
    assert _publish(alice, zlib.compress(OPEN + b" " * 4000), 2.0, deflated).status == 413
    assert _publish(alice, OPEN, 3.0, deflated).status == 400
    refused = _publish(alice, OPEN, 4.0, ("Content-Encoding", "br"))
    assert (refused.status, refused.first("Accept-Encoding")) == (415, "deflate, gzip")
