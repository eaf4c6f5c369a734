"""Subscriptions to lists in the request: RFC 5367, RFC 4662."""

import zlib
from base64 import b64decode
from collections.abc import Iterable

import pytest

from tests.kit.lists import LIST_HEADERS, resource_list, states, told
from tests.kit.sip import DOMAIN, Client, counting_entropy, make_endpoint
from tests.unit.sip_machine.test_presence import Store
from transports.sip.machine.config import Limits
from transports.sip.machine.endpoint import Endpoint
from transports.sip.machine.events import SubscriptionClosed, SubscriptionOpened
from transports.sip.machine.flow import Flow
from transports.sip.wire.message import Request, Response, parse_message, respond_bytes
from transports.sip.wire.native import SipPresence, SipWatch

RLS = f"sip:rls@{DOMAIN}"
BOB = f"sip:bob@{DOMAIN}"
FRIEND = "sip:friend@aim.example.test"
LIST_TYPE = "application/resource-lists+xml"


class Watcher(Client):
    """A client that watches a list."""

    dialog_id = "list"

    def subscribe(
        self, uris: Iterable[str] | None = (BOB, FRIEND), now: float = 1.0, *, expires: int = 600, tag: str = "",
        uri: str = RLS, headers: Iterable[tuple[str, str]] = LIST_HEADERS, body: bytes | None = None,
    ) -> Response:  # fmt: skip
        """SUBSCRIBE, new or (with our ``tag``) in the dialog; with no list where ``uris`` is None."""
        lines = [("Event", "presence"), ("Contact", f"<{self.contact}>"), ("Expires", str(expires))]
        if uris is not None or body is not None:
            lines += headers
        if body is None:
            body = b"" if uris is None else resource_list(*uris)
        to = f"<{uri}>" + (f";tag={tag}" if tag else "")
        response = self.deliver(self.request("SUBSCRIBE", uri, lines, body, call_id=self.dialog_id, to=to), now)[0]
        assert isinstance(response, Response)
        return response

    def notified(self, now: float, status: int = 200) -> list[Request]:
        """The NOTIFYs at ``now``, each answered with ``status``."""
        self.endpoint.handle_timer(now)
        got = [message for message in self.take(now) if isinstance(message, Request)]
        for request in got:
            self.endpoint.receive(self.flow, respond_bytes(request, status, to_tag="t"), now)
        return got


def _watcher(transport: str = "udp", **changes: object) -> Watcher:
    watcher = Watcher(make_endpoint(**changes), "alice", transport=transport)  # type: ignore[arg-type]
    watcher.register()
    _events(watcher.endpoint)
    return watcher


@pytest.fixture
def alice() -> Watcher:
    return _watcher()


def _events(endpoint: Endpoint) -> list[object]:
    return list(iter(endpoint.next_event, None))


def _watches(endpoint: Endpoint) -> dict[str, SipWatch]:
    """The watches that were opened, by their target."""
    return {event.native.target: event.native for event in _events(endpoint) if isinstance(event, SubscriptionOpened)}


def _show(endpoint: Endpoint, watch: SipWatch, pidf: bytes | None, now: float, **changes: object) -> int:
    values: dict[str, object] = {"target": watch.target, "watcher": watch.aor, "pidf": pidf, "subscription": watch.id}
    values.update(changes)
    return endpoint.notify(SipPresence(**values), now)  # type: ignore[arg-type]


def _closed(endpoint: Endpoint) -> list[tuple[str, str]]:
    return [(event.target, event.reason) for event in _events(endpoint) if isinstance(event, SubscriptionClosed)]


def test_each_entry_is_a_watch_of_its_own(alice: Watcher) -> None:
    response = alice.subscribe()
    assert (response.status, response.expires, response.require) == (200, 600, ["eventlist"])
    watches = _watches(alice.endpoint)
    assert set(watches) == {BOB, FRIEND}
    assert len({watch.id for watch in watches.values()}) == 2
    assert all(watch.id.startswith(f"{response.to.tag}.") for watch in watches.values())
    assert {(watch.aor, watch.expires, watch.fetch) for watch in watches.values()} == {(f"alice@{DOMAIN}", 600, False)}
    assert alice.endpoint.counts["subscriptions"] == 1


def test_the_first_notify_names_all_and_shows_what_is_known(alice: Watcher) -> None:
    alice.subscribe()
    watches = _watches(alice.endpoint)
    assert _show(alice.endpoint, watches[FRIEND], b"<here/>", 1.0) == 1
    (notify,) = alice.notified(1.1)
    assert notify.first("Subscription-State") == "active;expires=600"
    assert notify.first("Event") == "presence"
    said = told(notify)
    assert (said.uri, said.version, said.full) == (RLS, 0, True)
    assert said.resources == {BOB: [("pending", None, None)], FRIEND: [("active", None, b"<here/>")]}


def test_changes_are_told_alone_five_seconds_apart_and_the_last_state_wins(alice: Watcher) -> None:
    alice.subscribe()
    watches = _watches(alice.endpoint)
    alice.notified(1.1)
    for number in range(10):
        _show(alice.endpoint, watches[BOB], b"%d" % number, 1.2 + number / 10)
        assert alice.notified(1.25 + number / 10) == []
    (notify,) = alice.notified(6.2)
    said = told(notify)
    assert (said.version, said.full, said.resources) == (1, False, {BOB: [("active", None, b"9")]})
    _show(alice.endpoint, watches[BOB], b"9", 7.0)
    assert alice.notified(30.0) == []


def test_nobody_else_is_shown_what_one_is_shown(alice: Watcher) -> None:
    alice.subscribe()
    mine = _watches(alice.endpoint)
    bob = Watcher(alice.endpoint, "bob", port=2)
    bob.register()
    bob.subscribe((FRIEND,))
    _events(alice.endpoint)
    assert _show(alice.endpoint, mine[FRIEND], b"for alice", 1.0) == 1
    alice.endpoint.handle_timer(1.1)
    sent = [parse_message(output[1]) for output in alice.endpoint.to_send(1.1)]  # type: ignore[arg-type]
    by_watcher = {request.to.uri.aor: request for request in sent if isinstance(request, Request)}
    assert states(by_watcher[f"alice@{DOMAIN}"], [FRIEND]) == [("active", b"for alice")]
    assert states(by_watcher[f"bob@{DOMAIN}"], [FRIEND]) == [("pending", None)]
    assert alice.endpoint.notify(SipPresence(target=FRIEND, watcher=f"bob@{DOMAIN}", pidf=b"x"), 1.2) == 1
    assert alice.endpoint.notify(SipPresence(target=FRIEND, watcher=None, pidf=b"x"), 1.2) == 2


def test_who_cannot_be_watched_is_told_as_such_and_nobody_watches(alice: Watcher) -> None:
    strangers = ("tel:+49123", "sip:x@elsewhere.test", "sips:bob@example.test", f"sip:{DOMAIN}", "no uri at all")
    alice.subscribe((*strangers, "sip:bob@192.0.2.1"))
    assert set(_watches(alice.endpoint)) == {BOB}  # our address is the domain, and the watcher's word is kept for it
    (notify,) = alice.notified(1.1)
    resources = told(notify).resources
    assert resources.pop("sip:bob@192.0.2.1") == [("pending", None, None)]
    assert resources == {uri: [("terminated", "noresource", None)] for uri in strangers}


def test_a_refresh_without_a_list_keeps_it_and_is_told_all_at_once(alice: Watcher) -> None:
    tag = alice.subscribe().to.tag or ""
    watches = _watches(alice.endpoint)
    _show(alice.endpoint, watches[BOB], b"b", 1.0)
    alice.notified(1.1)
    response = alice.subscribe(None, 2.0, expires=300, tag=tag)
    assert (response.status, response.expires, response.require) == (200, 300, ["eventlist"])
    assert {watch.id for watch in _watches(alice.endpoint).values()} == {watch.id for watch in watches.values()}
    (notify,) = alice.notified(2.1)
    said = told(notify)
    assert (said.version, said.full) == (1, True)
    assert said.resources == {BOB: [("active", None, b"b")], FRIEND: [("pending", None, None)]}


def test_a_refresh_with_a_list_replaces_it(alice: Watcher) -> None:
    tag = alice.subscribe().to.tag or ""
    watches = _watches(alice.endpoint)
    _show(alice.endpoint, watches[BOB], b"b", 1.0)
    alice.notified(1.1)
    carol = f"sip:carol@{DOMAIN}"
    assert alice.subscribe((carol, BOB), 2.0, tag=tag).status == 200
    events = _events(alice.endpoint)
    assert [event.id for event in events if isinstance(event, SubscriptionClosed)] == [watches[FRIEND].id]
    opened = {event.native.target: event.native.id for event in events if isinstance(event, SubscriptionOpened)}
    assert set(opened) == {BOB, carol}
    assert opened[BOB] == watches[BOB].id
    assert opened[carol] not in {watch.id for watch in watches.values()}
    (notify,) = alice.notified(2.1)
    assert told(notify).resources == {carol: [("pending", None, None)], BOB: [("active", None, b"b")]}
    assert _show(alice.endpoint, watches[FRIEND], b"x", 3.0) == 0


def test_expires_zero_ends_it(alice: Watcher) -> None:
    tag = alice.subscribe().to.tag or ""
    alice.notified(1.1)
    _events(alice.endpoint)
    assert alice.subscribe(None, 2.0, expires=0, tag=tag).expires == 0
    (notify,) = alice.notified(2.1)
    assert notify.first("Subscription-State") == "terminated;reason=timeout"
    assert told(notify).full
    assert sorted(_closed(alice.endpoint)) == [(BOB, "timeout"), (FRIEND, "timeout")]
    assert alice.endpoint.counts["subscriptions"] == 0
    assert alice.subscribe(None, 3.0, tag=tag).status == 481


def test_it_runs_out(alice: Watcher) -> None:
    alice.subscribe(now=0.0, expires=100)
    alice.notified(0.1)
    _events(alice.endpoint)
    alice.endpoint.handle_timer(101.0)
    (notify,) = alice.notified(101.1)
    assert notify.first("Subscription-State") == "terminated;reason=timeout"
    assert notify.body == b""
    assert len(_closed(alice.endpoint)) == 2


def test_a_fetch_is_one_notify(alice: Watcher) -> None:
    alice.subscribe(expires=0)
    watches = _watches(alice.endpoint)
    assert all(watch.fetch for watch in watches.values())
    for watch in watches.values():
        assert _show(alice.endpoint, watch, b"now", 1.0) == 1
    (notify,) = alice.notified(1.1)
    assert notify.first("Subscription-State") == "terminated;reason=timeout"
    assert states(notify, (BOB, FRIEND)) == [("active", b"now")] * 2
    assert _events(alice.endpoint) == []
    assert alice.endpoint.counts["subscriptions"] == 0


def test_the_end_of_one_is_not_the_end_of_all(alice: Watcher) -> None:
    tag = alice.subscribe().to.tag or ""
    watches = _watches(alice.endpoint)
    alice.notified(1.1)
    _show(alice.endpoint, watches[BOB], None, 1.2, state="terminated", reason="rejected")
    assert _closed(alice.endpoint) == [(BOB, "rejected")]
    (notify,) = alice.notified(6.2)
    assert notify.first("Subscription-State") == "active;expires=595"
    assert told(notify).resources == {BOB: [("terminated", "rejected", None)]}
    assert _show(alice.endpoint, watches[BOB], b"x", 7.0) == 0
    assert _show(alice.endpoint, watches[FRIEND], b"x", 7.0) == 1
    alice.subscribe(None, 8.0, tag=tag)  # a SUBSCRIBE asks for it anew, as one of its own would
    assert set(_watches(alice.endpoint)) == {BOB, FRIEND}


def test_who_is_signed_off_is_shown_nothing_more(alice: Watcher) -> None:
    alice.subscribe()
    for watch in _watches(alice.endpoint).values():
        _show(alice.endpoint, watch, b"x", 1.0)
    alice.endpoint.sign_off(f"alice@{DOMAIN}", 1.0, for_good=True)
    (notify,) = alice.notified(1.1)
    assert (notify.first("Subscription-State"), notify.body) == ("terminated;reason=rejected", b"")
    assert alice.endpoint.counts["subscriptions"] == 0


def test_what_was_not_taken_is_told_again_whole(alice: Watcher) -> None:
    alice.subscribe()
    watches = _watches(alice.endpoint)
    alice.notified(1.1)
    _show(alice.endpoint, watches[BOB], b"lost", 6.0)
    assert len(alice.notified(6.2, 500)) == 1
    _show(alice.endpoint, watches[FRIEND], b"f", 12.0)
    (notify,) = alice.notified(12.1)
    said = told(notify)
    assert (said.version, said.full) == (2, True)
    assert said.resources == {BOB: [("active", None, b"lost")], FRIEND: [("active", None, b"f")]}


def test_no_answer_to_a_notify_ends_it(alice: Watcher) -> None:
    alice.subscribe(now=0.0)
    alice.endpoint.handle_timer(0.1)
    _events(alice.endpoint)
    alice.endpoint.handle_timer(40.0)
    assert len(_closed(alice.endpoint)) == 2
    assert alice.endpoint.counts["subscriptions"] == 0


def test_it_survives_a_restart() -> None:
    store = Store()
    alice = _watcher(subscriptions=store)
    tag = alice.subscribe().to.tag or ""
    (notify,) = alice.notified(1.1)
    assert store.rows[tag].entries == (BOB, FRIEND)
    again = make_endpoint(subscriptions=store, entropy=counting_entropy(1000), now=100.0)
    events = [event for event in _events(again) if isinstance(event, SubscriptionOpened)]
    assert [(event.resumed, event.native.target, event.native.expires) for event in events] == [
        (True, BOB, 501), (True, FRIEND, 501)
    ]  # fmt: skip
    assert _show(again, events[0].native, b"back", 100.0) == 1
    again.handle_timer(100.1)
    ((flow, data),) = again.to_send(100.1)
    assert isinstance(flow, Flow)
    later = parse_message(data)  # type: ignore[arg-type]
    assert isinstance(later, Request)
    said = told(later)
    assert said.full
    assert said.version > told(notify).version
    assert said.resources == {BOB: [("active", None, b"back")], FRIEND: [("pending", None, None)]}
    assert make_endpoint(subscriptions=store, now=700.0).counts["subscriptions"] == 0
    assert store.rows == {}


def test_a_list_counts_by_its_entries() -> None:
    alice = _watcher(limits=Limits(subscriptions_per_watcher=5))
    tag = alice.subscribe([f"sip:f{n}@aim.example.test" for n in range(4)]).to.tag or ""
    alice.dialog_id = "second"
    refused = alice.subscribe((BOB, FRIEND))
    assert (refused.status, refused.first("Retry-After")) == (503, "5")
    assert alice.subscribe((BOB,)).status == 200
    alice.dialog_id = "third"
    assert alice.subscribe(()).status == 503  # an empty list is one as well
    alice.dialog_id = "list"
    assert alice.subscribe([f"sip:f{n}@aim.example.test" for n in range(5)], 2.0, tag=tag).status == 503
    assert alice.subscribe((BOB,), 3.0, tag=tag).status == 200
    alice.dialog_id = "fourth"
    assert alice.subscribe((BOB, FRIEND, "tel:1")).status == 200


def test_what_does_not_fit_follows() -> None:
    alice = _watcher(limits=Limits(list_notify_datagram=8000))
    uris = [f"sip:f{n}@aim.example.test" for n in range(10)]
    alice.subscribe(uris)
    for watch in _watches(alice.endpoint).values():
        _show(alice.endpoint, watch, b"x" * 2000, 1.0)
    seen: dict[str, bytes | None] = {}
    for turn in range(8):
        for notify in alice.notified(1.1 + 5 * turn):
            said = told(notify)
            assert (said.version, said.full) == (turn, turn == 0)
            assert len(notify.body) <= 8000
            if turn == 0:
                assert list(said.resources) == uris
            for uri, instances in said.resources.items():
                if instances:
                    assert uri not in seen
                    seen[uri] = instances[0][2]
    assert seen == dict.fromkeys(uris, b"x" * 2000)


def test_a_list_that_cannot_be_told_is_refused() -> None:
    uris = [f"sip:{'f' * 80}{n}@aim.example.test" for n in range(400)]
    assert _watcher().subscribe(uris).status == 513
    tcp = _watcher("tcp")
    response = tcp.subscribe(uris)
    assert response.status == 200
    udp = Watcher(tcp.endpoint, "alice")
    udp.challenge, udp.cseq, udp.count = tcp.challenge, tcp.cseq, tcp.count
    refused = udp.request(
        "SUBSCRIBE", RLS, [("Event", "presence"), ("Contact", f"<{udp.contact}>")], call_id="list",
        to=f"<{RLS}>;tag={response.to.tag}",
    )  # fmt: skip
    tcp.notified(1.1)
    (answer,) = (message for message in udp.deliver(refused, 2.0) if isinstance(message, Response))
    assert (answer.status, answer.reason) == (513, "The list is too long to be told over this transport")


def test_a_deflated_list_is_read(alice: Watcher) -> None:
    deflated = [*LIST_HEADERS, ("Content-Encoding", "deflate")]
    assert alice.subscribe(headers=deflated, body=zlib.compress(resource_list(BOB))).status == 200
    assert set(_watches(alice.endpoint)) == {BOB}


def _without(*names: str) -> list[tuple[str, str]]:
    return [(name, value) for name, value in LIST_HEADERS if name not in names]


@pytest.mark.parametrize(
    ("headers", "body", "status", "header"),
    [
        (_without("Supported"), resource_list(BOB), 421, ("Require", "eventlist")),
        (LIST_HEADERS, b"", 400, None),
        (LIST_HEADERS, b"<x/>", 400, None),
        (LIST_HEADERS, resource_list(*[f"sip:{n}@h" for n in range(501)]), 413, None),
        (LIST_HEADERS, b"<!-- " + b"x" * 70_000 + b" -->", 413, None),
        (LIST_HEADERS, resource_list(f"sip:{'x' * 600}@h"), 513, None),
        ([*LIST_HEADERS, ("Content-Encoding", "deflate")], zlib.compress(b" " * 200_000), 413, None),
        ([*LIST_HEADERS, ("Content-Encoding", "deflate")], b"\x78\x9cnot", 400, None),
        ([*LIST_HEADERS, ("Content-Encoding", "gzip")], b"x", 415, ("Accept-Encoding", "deflate")),
        ([*_without("Content-Type"), ("Content-Type", "text/plain")], b"x", 415, ("Accept", LIST_TYPE)),
        (_without("Content-Type"), resource_list(BOB), 415, ("Accept", LIST_TYPE)),
        ([*_without("Content-Disposition"), ("Content-Disposition", "session")], resource_list(BOB), 415, None),
        ([*LIST_HEADERS, ("Accept", "application/pidf+xml")], resource_list(BOB), 406,
         ("Accept", "multipart/related, application/rlmi+xml, application/pidf+xml")),
        ([*LIST_HEADERS, ("Require", "x")], resource_list(BOB), 420, ("Unsupported", "x")),
    ],
)  # fmt: skip
def test_refusals(
    alice: Watcher, headers: list[tuple[str, str]], body: bytes, status: int, header: tuple[str, str] | None
) -> None:
    response = alice.subscribe(headers=headers, body=body)
    assert response.status == status, response.reason
    if header is not None:
        assert response.first(header[0]) == header[1]
    assert _events(alice.endpoint) == []
    assert alice.endpoint.counts["subscriptions"] == 0


@pytest.mark.parametrize(
    ("uri", "status"),
    [(f"sip:{DOMAIN}", 200), ("sip:192.0.2.1", 200), ("sip:x@aim.example.test", 403), (f"sips:{DOMAIN}", 416)],
)
def test_who_serves_lists(alice: Watcher, uri: str, status: int) -> None:
    assert alice.subscribe(uri=uri).status == status


def test_the_body_alone_says_that_it_is_a_list(alice: Watcher) -> None:
    assert alice.subscribe(headers=_without("Require")).require == ["eventlist"]


def test_one_person_does_not_become_a_list(alice: Watcher) -> None:
    tag = alice.subscribe(None, uri=FRIEND).to.tag or ""
    alice.notified(1.1)
    assert alice.subscribe((BOB,), 2.0, tag=tag).status == 400
    assert alice.endpoint.counts["subscriptions"] == 1
    assert alice.subscribe(None, 3.0, tag=tag).status == 200


def test_options_tell_of_lists(alice: Watcher) -> None:
    response = alice.ask("OPTIONS", f"sip:{DOMAIN}")
    assert set(response.supported) == {"path", "eventlist", "recipient-list-subscribe"}
    assert "application/resource-lists+xml" in {kind.media_type for kind in response.accept}


def test_linphone_is_told_in_its_own_spelling(alice: Watcher) -> None:
    """Seen of 5.1 (tests/integration/test_sip_lists.py)."""
    alice.subscribe(headers=[*LIST_HEADERS, ("User-Agent", "Linphonec/5.1.65")])
    (notify,) = alice.notified(1.1)
    assert notify.first("Event") == "Presence"
    assert b"Content-Id: <" not in notify.body
    assert b"Content-Id: " in notify.body
    alice.dialog_id = "single"
    alice.subscribe(None, 2.0, uri=FRIEND)
    (single,) = alice.notified(2.1)
    assert single.first("Event") == "presence"


def test_a_notify_goes_by_the_connection() -> None:
    alice = _watcher("tcp")
    uris = [f"sip:f{n}@aim.example.test" for n in range(60)]
    alice.subscribe(uris)
    for watch in _watches(alice.endpoint).values():
        _show(alice.endpoint, watch, b"x" * 1000, 1.0)
    (notify,) = alice.notified(1.1)
    assert states(notify, uris) == [("active", b"x" * 1000)] * 60


LINPHONE = (
    ("Supported", "eventlist"),
    ("Content-Type", "application/resource-lists+xml"),
    ("Content-Encoding", "deflate"),
    ("Require", "recipient-list-subscribe"),
    ("Accept", "multipart/related"),
    ("Accept", "application/pidf+xml"),
    ("Accept", "application/rlmi+xml"),
    ("Content-Disposition", "recipient-list"),
    ("Accept-Encoding", "deflate"),
    ("User-Agent", "Linphonec/5.1.65"),
)
LINPHONES_LIST = b64decode(
    "eJyNjjtvwjAUhff8CuvusQNdKssJTEx0apG6GnMBS35E9zpN+u9xxYTKwHTO8J2H2SwxiB8k9jn1sJIdCEwun3y69HD42rXvsBkaQ8h5Iodt8FxY"
    "1FBivbDv4VrKqJWa51nObzLTRa27bqW+P/af7orRtj5xsckh3FM9TJS0x3LWoyUba00MurY9TsDQCPPnqgqDqdCvmKjusR/1MR+3uNg4BpQFuYB6"
    "RjlLObzAncljOm2tj/IfbNT9g1GP94bmBuSUa3Q="
)


def test_what_linphone_sent(alice: Watcher) -> None:
    """The headers and the octets of linphonec 5.1.65, recorded; alice's contacts are bob, carol and a friend on AIM."""
    response = alice.subscribe(headers=LINPHONE, body=LINPHONES_LIST, expires=3600)
    assert (response.status, response.expires) == (200, 3600)
    assert list(_watches(alice.endpoint)) == [BOB, f"sip:carol@{DOMAIN}", FRIEND]
