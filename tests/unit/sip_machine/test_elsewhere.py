"""Presence at other servers: RFC 3856 and RFC 6665 section 4.1 by way of a trunk, RFC 4662 section 7 (whose name)."""

from __future__ import annotations

from collections.abc import Iterable

from tests.kit.sip import DOMAIN
from tests.unit.sip_machine.test_presence import OPEN, Watcher
from tests.unit.sip_machine.test_trust import PBX, caller, make_peer
from tests.unit.sip_machine.test_upstream import World, udp
from transports.sip.machine.elsewhere import DENIED_AGAIN, LINGER, UNDER_WAY, PresenceFetched, PresenceSeen
from transports.sip.machine.events import SubscriptionOpened
from transports.sip.machine.flow import Flow
from transports.sip.machine.spread import LONGER
from transports.sip.machine.subscriptions import FETCH_WAIT
from transports.sip.machine.trunkconfig import Peer, Route
from transports.sip.machine.watches import AGAIN_AFTER, Denied, Lost, Shown
from transports.sip.wire.message import Request, Response, parse_message
from transports.sip.wire.native import SipPresence, SipSeen

BRIDGE = f"bridge@{DOMAIN}"
DORA = f"dora@{DOMAIN}"


class Elsewhere(World):
    """A bridge that watches at a PBX, which is played by hand."""

    def __init__(self, *peers: Peer, routes: tuple[Route, ...] = ()) -> None:
        super().__init__(*(peers or (make_peer(watch_as=BRIDGE),)), routes=routes)
        self.now = 0.0
        self.cseq = 0
        assert self.endpoint.elsewhere is not None
        self.elsewhere = self.endpoint.elsewhere

    def want(self, target: str = DORA, by: str = "") -> None:
        self.elsewhere.want(target, by, self.now)
        self.dns(self.now)

    def unwant(self, target: str = DORA, by: str = "") -> None:
        self.elsewhere.unwant(target, by, self.now)
        self.dns(self.now)

    def asked(self, after: float = 0.0) -> list[tuple[Flow, Request]]:
        """The SUBSCRIBEs that have gone out, retransmissions left out."""
        end = self.now + after
        found: dict[str | None, tuple[Flow, Request]] = {}
        while True:
            for where, request in self.out(self.now, "SUBSCRIBE"):
                assert isinstance(where, Flow)
                found.setdefault(request.top_via.branch, (where, request))
            due = self.endpoint.next_deadline()
            if due is None or due > end:
                break
            self.now = max(self.now, due)
            self.endpoint.handle_timer(self.now)
            self.dns(self.now)
            self.seen()
        self.now = end
        return list(found.values())

    def soon(self, within: float) -> list[tuple[Flow, Request]]:
        """The first SUBSCRIBEs that go out within some seconds, whenever that is."""
        end = self.now + within
        while not (found := self.asked()):
            due = self.endpoint.next_deadline()
            assert due is not None
            assert due <= end, "nothing went out"
            self.now = max(self.now, due)
            self.endpoint.handle_timer(self.now)
        return found

    def reply(self, to: tuple[Flow, Request], status: int = 200, headers: Iterable[tuple[str, str]] = ()) -> None:
        flow, request = to
        if status < 300:
            headers = [("Expires", request.first("Expires") or ""), ("Contact", f"<sip:presence@{PBX}:5070>"), *headers]
        self.answer(flow, request, status, self.now, headers)

    def notify(
        self,
        to: tuple[Flow, Request],
        state: str = "active;expires=3600",
        body: bytes = OPEN,
        routes: tuple[str, ...] = (),
    ) -> int:
        """Sends a NOTIFY of the dialog of a SUBSCRIBE. Returns the status of its answer."""
        flow, request = to
        self.cseq += 1
        headers = [
            ("Via", f"SIP/2.0/UDP {PBX}:5070;branch=z9hG4bKn{self.cseq}"), ("Max-Forwards", "70"),
            *(("Record-Route", one) for one in routes),
            ("From", f"{request.first('To')};tag=x" if request.to.tag is None else request.first("To") or ""),
            ("To", request.first("From") or ""), ("Call-ID", request.call_id), ("CSeq", f"{self.cseq} NOTIFY"),
            ("Contact", f"<sip:presence@{PBX}:5070>"), ("Event", "presence"), ("Subscription-State", state),
            *([("Content-Type", "application/pidf+xml")] if body else []),
        ]  # fmt: skip
        data = Request.build("NOTIFY", "sip:192.0.2.1:5060", headers, body).to_bytes()
        self.endpoint.receive(flow, data, self.now)
        for output in self.endpoint.to_send(self.now):
            assert isinstance(output, tuple)
            assert isinstance(output[1], bytes)
            message = parse_message(output[1])
            if isinstance(message, Response) and message.cseq.method == "NOTIFY":
                return message.status
        raise AssertionError("the NOTIFY was not answered")

    def seen(self) -> list[SipSeen]:
        """What the owner is told; the subscriber's own events go where its owner brings them."""
        found = []
        while (event := self.endpoint.next_event()) is not None:
            if isinstance(event, PresenceSeen):
                found.append(event.native)
            elif isinstance(event, PresenceFetched):
                event.then()
            elif isinstance(event, Shown | Denied | Lost):
                assert self.elsewhere.seen(event, self.now)
        return found


def shown(pidf: bytes | None, by: str = "", aor: str = DORA) -> SipSeen:
    return SipSeen(aor=aor, watcher=by, pidf=pidf)


def test_who_is_at_a_peer_is_watched_there_in_the_bridges_name() -> None:
    world = Elsewhere()
    world.want()
    ((flow, request),) = got = world.asked()
    assert udp(flow) == (PBX, 5070)
    assert (request.uri_text, request.first("Event"), request.expires) == (f"sip:{DORA}", "presence", 3600)
    assert request.first(
        "From",
    ).startswith(f"<sip:{BRIDGE}>;tag=")  # type: ignore[union-attr]
    assert request.first("P-Asserted-Identity") == f"<sip:{BRIDGE}>"
    assert request.contacts
    world.reply(got[0])
    assert world.notify(got[0]) == 200
    assert world.seen() == [shown(OPEN)]


def test_once_for_all_who_watch_and_ended_when_nobody_does() -> None:
    world = Elsewhere()
    world.want()
    world.want()
    (first,) = world.asked()
    world.reply(first)
    world.notify(first)
    assert world.seen() == [shown(OPEN)]
    world.unwant()
    assert world.seen() == [shown(None)]
    (last,) = world.asked()
    assert (last[1].expires, last[1].to.tag, last[1].call_id) == (0, "x", first[1].call_id)
    world.reply(last)
    assert world.notify(last, "terminated;reason=timeout", b"") == 200
    assert world.seen() == []
    assert world.endpoint.counts["watching"] == world.endpoint.counts["elsewhere"] == 0


def test_only_where_it_is_configured() -> None:
    world = Elsewhere(make_peer())
    world.want()
    world.want("zoe@partner.test", DORA)
    assert world.asked() == []
    assert len(world.elsewhere) == 0


def test_people_of_another_domain_are_watched_by_each_for_themselves() -> None:
    """Nobody sees what was shown to somebody else (RFC 8048 section 6: it must not leak)."""
    world = Elsewhere(make_peer(), routes=(Route(domain="partner.test", peer="pbx", watch=True),))
    zoe, alice, bob = "zoe@partner.test", f"alice@{DOMAIN}", f"bob@{DOMAIN}"
    world.want(zoe, alice)
    world.want(zoe, bob)
    first, second = world.asked()
    assert [str(one.from_.uri) for _, one in (first, second)] == [f"sip:{alice}", f"sip:{bob}"]
    world.reply(first)
    world.notify(first)
    assert world.seen() == [shown(OPEN, alice, zoe)]


def test_a_dialog_by_record_route_is_refreshed_along_it() -> None:
    """RFC 3261 12.2.1.1: the route set, to its first proxy; the target is what Contact says."""
    world = Elsewhere()
    world.want()
    (first,) = world.asked()
    routes = ("<sip:192.0.2.60;lr>", "<sip:192.0.2.61:5080;lr>")
    world.reply(first, headers=[("Record-Route", one) for one in reversed(routes)])
    world.notify(first, "active;expires=600", routes=routes)
    world.seen()
    ((flow, refresh),) = world.soon(545.0)
    assert udp(flow) == ("192.0.2.60", 5060)
    assert refresh.uri_text == f"sip:presence@{PBX}:5070"
    assert [str(one) for one in refresh.routes] == list(routes)
    assert refresh.to.tag == "x"


def test_481_begins_anew_and_shows_no_absence_between() -> None:
    world = Elsewhere()
    world.want()
    (first,) = world.asked()
    world.reply(first)
    world.notify(first, "active;expires=600")
    world.seen()
    (refresh,) = world.soon(541.0)
    world.reply(refresh, 481)
    (anew,) = world.asked()
    assert anew[1].call_id != first[1].call_id
    world.reply(anew)
    world.notify(anew)
    assert world.seen() == [shown(OPEN)]


def test_a_peer_that_falls_silent_shows_its_people_as_absent_after_a_while_and_is_asked_again() -> None:
    world = Elsewhere()
    world.want()
    (first,) = world.asked()
    world.reply(first)
    world.notify(first, "terminated;reason=deactivated", b"")
    assert world.seen() == []
    assert len(world.soon(AGAIN_AFTER * (1 + LONGER))) == 1
    world.unwant()

    gone = Elsewhere()
    gone.want()
    (first,) = gone.asked()
    gone.reply(first)
    gone.notify(first, "active;expires=600")
    assert gone.seen() == [shown(OPEN)]
    assert len(gone.soon(541.0)) == 1
    gone.asked(32.0)
    gone.now += LINGER + 1.0
    gone.endpoint.handle_timer(gone.now)
    assert gone.seen() == [shown(None)]


def test_who_is_denied_asks_again_much_later() -> None:
    for status in (403, 489, 603):
        world = Elsewhere()
        world.want()
        (first,) = world.asked()
        world.reply(first, status)
        assert world.seen() == []
        assert world.asked(DENIED_AGAIN - 1.0) == []
        assert len(world.soon(2.0 + DENIED_AGAIN * LONGER)) == 1, status


def test_pending_and_without_a_body_show_nothing() -> None:
    world = Elsewhere()
    world.want()
    (first,) = world.asked()
    world.reply(first)
    world.notify(first, "pending;expires=600", b"")
    world.notify(first, "active;expires=600", b"")
    assert world.seen() == [shown(None), shown(None)]


def test_many_are_begun_some_at_a_time() -> None:
    world = Elsewhere()
    for number in range(UNDER_WAY + 3):
        world.want(f"user{number}@{DOMAIN}")
    begun = world.asked()
    assert len(begun) == UNDER_WAY
    for one in begun[:2]:
        world.reply(one, 403)
    world.seen()
    assert len(world.asked()) == 2


def test_who_is_wanted_again_while_the_end_is_on_its_way_is_watched_again() -> None:
    world = Elsewhere()
    world.want()
    (first,) = world.asked()
    world.reply(first)
    world.notify(first)
    world.unwant()
    (last,) = world.asked()
    world.want()
    assert world.asked() == []
    world.reply(last)
    world.seen()
    (anew,) = world.asked()
    assert (anew[1].expires, anew[1].to.tag) == (3600, None)


def test_a_subscription_of_ours_that_comes_back_is_a_loop() -> None:
    """By way of a PBX that writes requests anew, and leaves no Via of ours in them."""
    world = Elsewhere()
    pbx = caller(world.endpoint, "bridge")
    headers = [("Event", "presence"), ("Contact", f"<sip:{PBX}:5070>")]
    (answer,) = pbx.deliver(pbx.request("SUBSCRIBE", f"sip:{DORA}", headers), 1.0)
    assert isinstance(answer, Response)
    assert answer.status == 482


def test_a_notify_without_a_dialog_shows_nothing() -> None:
    world = Elsewhere()
    world.want()
    (first,) = world.asked()
    world.reply(first)
    flow, request = first
    other = Request.build(
        "SUBSCRIBE", request.uri_text,
        [(name, "other" if name == "Call-ID" else value) for name, value in request.headers],
    )  # fmt: skip
    assert world.notify((flow, other)) == 481
    assert world.seen() == []


class Asking(Elsewhere):
    """The same, with somebody here who asks once: RFC 6665 section 4.4.3, RFC 8048 section 6."""

    def __init__(self, *peers: Peer, routes: tuple[Route, ...] = ()) -> None:
        super().__init__(*peers, routes=routes)
        self.alice = Watcher(self.endpoint, "alice")
        self.alice.register()
        self.told: list[str] = []

    def ask(self, target: str = DORA, by: str = "") -> str:
        """Sends a fetch, and has the owner ask. Returns its name."""
        self.alice.subscribe(self.now, 0, uri=f"sip:{target}")
        watch = next(event.native.id for event in self.events() if isinstance(event, SubscriptionOpened))

        def then() -> None:
            self.told.append(watch)
            self.endpoint.notify(
                SipPresence(target=f"sip:{target}", watcher=None, pidf=OPEN, subscription=watch), self.now
            )

        if not self.endpoint.fetch_elsewhere(target, by, watch, then, self.now):
            then()
        self.dns(self.now)
        return watch

    def events(self) -> list[object]:
        found: list[object] = []
        while (event := self.endpoint.next_event()) is not None:
            found.append(event)
        return found


def test_a_fetch_here_is_a_fetch_there_in_a_dialog_of_its_own() -> None:
    world = Asking()
    watch = world.ask()
    (there,) = world.asked(0.5)
    assert (there[1].expires, there[1].to.tag, there[1].uri_text) == (0, None, f"sip:{DORA}")
    assert (there[1].first("From") or "").startswith(f"<sip:{BRIDGE}>;tag=")
    world.reply(there)
    assert world.told == []
    assert world.notify(there, "terminated;reason=timeout") == 200
    assert world.seen() == [shown(OPEN), shown(None)]
    assert world.told == [watch]
    (notify,) = world.alice.notified(world.now + 0.1)
    assert (notify.first("Subscription-State"), notify.body) == ("terminated;reason=timeout", OPEN)
    assert world.endpoint.counts["watching"] == world.endpoint.counts["subscriptions"] == 0


def test_those_who_ask_at_once_share_one_and_another_asks_anew() -> None:
    world = Asking()
    watches = [world.ask()]
    world.alice.dialog_id = "other"
    watches.append(world.ask())
    (there,) = world.asked(0.5)
    world.reply(there)
    world.notify(there, "terminated;reason=timeout")
    world.seen()
    assert world.told == watches
    world.alice.dialog_id = "third"
    world.ask()
    (again,) = world.asked(0.5)
    assert again[1].call_id != there[1].call_id


def test_a_server_that_says_nothing_is_not_waited_for_too_long() -> None:
    world = Asking()
    world.ask()
    world.asked(FETCH_WAIT - 1.0)
    assert world.alice.notified(world.now) == []
    world.now = FETCH_WAIT + 0.1
    (notify,) = world.alice.notified(world.now)
    assert (notify.first("Subscription-State"), notify.body) == ("terminated;reason=timeout", b"")
    world.asked(60.0)
    assert len(world.told) == 1  # too late, and for nobody
    assert world.alice.notified(world.now) == []


def test_what_is_pending_or_refused_there_shows_nothing() -> None:
    for status in (403, 404):
        world = Asking()
        world.ask()
        (there,) = world.asked(0.5)
        world.reply(there, status)
        assert world.seen() == []
        assert len(world.told) == 1
    world = Asking()
    world.ask()
    (there,) = world.asked(0.5)
    world.reply(there)
    world.notify(there, "pending;expires=0")
    world.notify(there, "terminated;reason=timeout", b"")
    assert world.seen() == []
    assert len(world.told) == 1


def test_who_is_watched_already_is_known() -> None:
    world = Asking()
    world.want()
    (there,) = world.asked(0.5)
    world.reply(there)
    world.notify(there)
    world.seen()
    world.ask()
    assert len(world.told) == 1
    (notify,) = world.alice.notified(world.now + 0.1)
    assert notify.body == OPEN
    assert world.asked(1.0) == []


def test_a_watch_that_begins_meanwhile_keeps_what_the_fetch_has_found() -> None:
    world = Asking()
    world.ask()
    (there,) = world.asked(0.5)
    world.want()
    (watch,) = world.asked(0.5)
    world.reply(there)
    world.notify(there, "terminated;reason=timeout")
    assert world.seen() == [shown(OPEN)]
    world.unwant()
    assert world.seen() == [shown(None)]
    assert watch[1].expires == 3600


def test_who_is_nowhere_else_is_answered_at_once() -> None:
    world = Asking()
    world.ask("friend@aim.example.test")
    assert len(world.told) == 1
    (notify,) = world.alice.notified(world.now + 0.1)
    assert notify.body == OPEN
