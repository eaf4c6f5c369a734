"""The life of a subscription, row by row (RFC 8048 section 5, RFC 6665, RFC 3903, RFC 3856): what is done when.

Each row of the table has its name and its sections. Where the bridge is the notifier, a client drives it in bytes;
where it is the subscriber, another server does.
"""

from collections.abc import Callable

import pytest

from tests.kit.sip import DOMAIN, make_endpoint
from tests.kit.watchers import Subscriber, events, states, subscriber
from tests.unit.sip_machine.test_presence import OPEN, Store
from tests.unit.sip_machine.test_subscriber import Notifier
from transports.sip.machine.config import Lifetimes
from transports.sip.machine.dialogs import Subscription
from transports.sip.machine.events import SubscriptionOpened
from transports.sip.machine.flow import Flow
from transports.sip.machine.lists import Watched
from transports.sip.machine.watches import AGAIN_AFTER, Denied, Lost, Shown
from transports.sip.wire.native import SipPresence

CONTACT = "sip:friend@aim.example.test"
ROWS: dict[str, Callable[[], None]] = {}


def row(name: str) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """Puts a check into the table."""

    def put(check: Callable[[], None]) -> Callable[[], None]:
        assert name not in ROWS
        ROWS[name] = check
        return check

    return put


def show(client: Subscriber, now: float, pidf: bytes | None = OPEN, **changes: object) -> int:
    """Says what is to be seen of the contact."""
    values: dict[str, object] = {"target": CONTACT, "watcher": None, "pidf": pidf}
    return client.endpoint.notify(SipPresence(**(values | changes)), now)  # type: ignore[arg-type]


# -- the bridge subscribes --------------------------------------------------------------------------------------------


@row("contact's side subscribes: SUBSCRIBE, Expires 3600, Accept PIDF (8048 5.2.1)")
def _row1() -> None:
    request = Notifier().begin()
    assert (request.expires, request.first("Accept"), request.first("Event")) == (
        3600, "application/pidf+xml", "presence",
    )  # fmt: skip


@row("NOTIFY pending: 200, and nothing is shown to the other side (8048 5.2.2)")
def _row2() -> None:
    up = Notifier()
    up.begin()
    up.answer()
    assert up.notify("pending;expires=3600", b"").status == 200
    assert up.seen() == [Shown("w", "pending", None)]


@row("first NOTIFY active: authorized, with the presence; without a body unknown, which is closed (8048 5.2.2)")
def _row3() -> None:
    for body, shown in ((OPEN, OPEN), (b"", None)):
        up = Notifier()
        up.begin()
        up.answer()
        assert up.notify("active;expires=3600", body).status == 200
        assert up.seen() == [Shown("w", "active", shown)]


@row("403, 489, 603 to a SUBSCRIBE: no authorization, for good, and the user is told (8048 5.2.2)")
def _row4() -> None:
    for status in (403, 489, 603):
        up = Notifier()
        up.begin()
        up.answer(status)
        (event,) = up.seen()
        assert isinstance(event, Denied)
        assert str(status) in event.reason
        assert up.requests(10_000.0) == []


@row("423, 481 to a SUBSCRIBE: passing, the authorization is kept (8048 5.2.2)")
def _row5() -> None:
    up = Notifier()
    up.begin()
    up.answer(423, ("Min-Expires", "4000"))
    assert up.got().expires == 4000
    assert up.seen() == []
    up = Notifier()
    up.begin()
    up.answer(481)
    assert [type(event) for event in up.seen()] == [Lost]
    assert len(up.requests(AGAIN_AFTER)) == 1


@row("a refresh gets 404, 405, 410, 416, 480-485, 489, 501, 604: over; a new Call-ID and tag (6665 4.1.2.2)")
def _row6() -> None:
    for status in (404, 405, 410, 416, 480, 481, 482, 483, 484, 485, 489, 501, 604):
        up = Notifier()
        first = up.begin()
        up.answer()
        up.notify("active;expires=600")
        up.seen()
        assert len(up.requests(541.0)) == 1
        up.answer(status)
        if status == 489:  # says that there never can be one
            assert isinstance(up.seen()[0], Denied)
            continue
        (anew,) = up.requests(0.0 if status == 481 else AGAIN_AFTER)
        assert (anew.call_id != first.call_id, anew.from_.tag != first.from_.tag, anew.to.tag) == (True, True, None)


@row("unsubscribe from the contact's side: SUBSCRIBE Expires 0, and on 200 it is over (8048 5.2.3)")
def _row7() -> None:
    up = Notifier()
    up.begin()
    up.answer()
    up.notify()
    up.seen()
    up.endpoint.subscriber.unwatch("w", up.now)
    request = up.got()
    assert (request.expires, request.to.tag) == (0, "up")
    assert up.seen() == []
    up.answer()
    assert up.seen() == [Lost("w", "ended", final=True)]


@row("probe from the contact's side: SUBSCRIBE Expires 0 in a new dialog (8048 6.3)")
def _row8() -> None:
    up = Notifier()
    first = up.begin()
    up.answer()
    up.notify()
    assert up.endpoint.subscriber.fetch("p", f"bob@{DOMAIN}", "sip:alice@192.0.2.77", up.now)
    probe = up.got()
    assert (probe.expires, probe.to.tag) == (0, None)
    assert probe.call_id != first.call_id


@row("no NOTIFY within 64*T1: the subscription failed (6665 4.1.2.4)")
def _row9() -> None:
    up = Notifier()
    up.begin()
    up.answer()
    up.requests(32.1)
    assert up.seen() == [Lost("w", "no NOTIFY came")]


# -- the bridge is subscribed to --------------------------------------------------------------------------------------


@row("SIP SUBSCRIBE: answered at once, NOTIFY at once, the other side is asked; default 3600 (6665 4.2.1, 3856 6.4)")
def _row10() -> None:
    alice = subscriber()
    response = alice.subscribe(CONTACT, expires=None)
    assert (response.status, response.expires) == (200, 3600)
    (opened,) = events(alice.endpoint)
    assert isinstance(opened, SubscriptionOpened)
    assert opened.native.target == CONTACT
    assert states(alice.notified(1.1)) == [("pending;expires=3600", b"")]


@row("contact approves, refuses: NOTIFY active; terminated;reason=rejected (8048 5.3.1)")
def _row11() -> None:
    for approved in (True, False):
        alice = subscriber()
        alice.subscribe(CONTACT)
        alice.notified(1.1)
        if approved:
            show(alice, 2.0)
            assert states(alice.notified(6.2)) == [("active;expires=595", OPEN)]
        else:
            show(alice, 2.0, None, state="terminated", reason="rejected")
            assert states(alice.notified(2.1)) == [("terminated;reason=rejected", b"")]
            assert alice.endpoint.counts["subscriptions"] == 0


@row("SIP refresh: NOTIFY with PIDF where known, otherwise empty (8048 5.3.2)")
def _row12() -> None:
    for known in (True, False):
        alice = subscriber()
        tag = alice.subscribe(CONTACT).to.tag or ""
        if known:
            show(alice, 1.0)
        alice.notified(1.1)
        assert alice.subscribe(CONTACT, 2.0, tag=tag).status == 200
        state = "active" if known else "pending"
        assert states(alice.notified(2.1)) == [(f"{state};expires=600", OPEN if known else b"")]


@row("SIP Expires 0 in the dialog: NOTIFY terminated;reason=timeout (6665 4.2.1.4)")
def _row13() -> None:
    alice = subscriber()
    tag = alice.subscribe(CONTACT).to.tag or ""
    show(alice, 1.0)
    alice.notified(1.1)
    assert alice.subscribe(CONTACT, 2.0, expires=0, tag=tag).status == 200
    assert states(alice.notified(2.1)) == [("terminated;reason=timeout", OPEN)]
    assert alice.endpoint.counts["subscriptions"] == 0


@row("SIP Expires 0, fresh: answered from what is known (6665 4.4.3, 8048 6.3)")
def _row14() -> None:
    alice = subscriber()
    assert alice.subscribe(CONTACT, expires=0).status == 200
    (opened,) = events(alice.endpoint)
    assert isinstance(opened, SubscriptionOpened)
    assert opened.native.fetch
    show(alice, 1.0, subscription=opened.native.id)
    assert states(alice.notified(1.1)) == [("terminated;reason=timeout", OPEN)]


@row("0 < Expires < minimum: 423 with Min-Expires; shortened, never lengthened (6665 4.2.1.1)")
def _row15() -> None:
    alice = subscriber(lifetimes=Lifetimes(minimum=60, maximum=1000))
    short = alice.subscribe(CONTACT, expires=59)
    assert (short.status, short.min_expires) == (423, 60)
    for asked, granted in ((60, 60), (999, 999), (5000, 1000)):
        alice.dialog = f"d{asked}"
        assert alice.subscribe(CONTACT, expires=asked).expires == granted


@row("unknown event: 489 with Allow-Events (6665 4.2.1.1)")
def _row16() -> None:
    response = subscriber().subscribe(CONTACT, event="dialog")
    assert response.status == 489
    assert "presence" in (response.first("Allow-Events") or "")


@row("no usable Accept: 406 (3856 6.5, 3261 21.4.7)")
def _row17() -> None:
    response = subscriber().subscribe(CONTACT, more=[("Accept", "text/plain")])
    assert response.status == 406
    assert "application/pidf+xml" in (response.first("Accept") or "")


@row("PUBLISH: a new ETag on each 200; stale 412; short 423 (3903 6)")
def _row18() -> None:
    alice, me = subscriber(), f"sip:alice@{DOMAIN}"
    base = [("Event", "presence")]
    kind = ("Content-Type", "application/pidf+xml")
    tags: list[str] = []
    for number, body in enumerate((OPEN, b"", OPEN)):
        more = [("SIP-If-Match", tags[-1])] if tags else []
        response = alice.ask("PUBLISH", me, [*base, *more, *([kind] if body else [])], body, 1.0 + number)
        assert response.status == 200
        tags.append(response.first("SIP-ETag") or "")
    assert len(set(tags)) == 3
    assert alice.ask("PUBLISH", me, [*base, ("SIP-If-Match", tags[0])], b"", 5.0).status == 412
    short = alice.ask("PUBLISH", me, [*base, kind, ("Expires", "5")], OPEN, 6.0)
    assert (short.status, short.min_expires) == (423, 60)


@row("rate of NOTIFY: at most one in 5 s for a subscription, the latest state wins; it can be set (3856 6.10)")
def _row19() -> None:
    for interval in (5.0, 2.0):
        alice = subscriber(lifetimes=Lifetimes(notify_interval=interval))
        alice.subscribe(CONTACT)
        alice.notified(1.1)
        for number in range(8):
            show(alice, 1.2 + number / 10, b"%d" % number)
            assert alice.notified(1.25 + number / 10) == []
        assert alice.notified(1.0 + interval) == []
        assert [body for _, body in states(alice.notified(1.2 + interval))] == [b"7"]


@row("cancelling one direction leaves the other direction's authorization as it was (8048 5.1)")
def _row20() -> None:
    alice = subscriber()
    bob = subscriber("bob", alice.endpoint)
    tag = alice.subscribe(f"sip:bob@{DOMAIN}").to.tag or ""
    bob.subscribe(f"sip:alice@{DOMAIN}")
    for one in (alice, bob):
        one.notified(1.1)
    assert alice.subscribe(f"sip:bob@{DOMAIN}", 2.0, expires=0, tag=tag).status == 200
    alice.notified(2.1)
    assert show(alice, 3.0, target=f"sip:alice@{DOMAIN}") == 1
    assert [body for _, body in states(bob.notified(6.2))] == [OPEN]


@row("state goes to the addressed watcher alone (8048 5.3, MUST NOT leak)")
def _row21() -> None:
    alice = subscriber()
    bob = subscriber("bob", alice.endpoint)
    for one in (alice, bob):
        one.subscribe(CONTACT)
    assert show(alice, 1.0, watcher=f"alice@{DOMAIN}") == 1
    assert [body for _, body in states(alice.notified(1.1))] == [OPEN]
    assert [body for _, body in states(bob.notified(1.1))] == [b""]


@row("a notifier that restarts loses no subscription (6665 4.2.1)")
def _row22() -> None:
    store = Store()
    alice = subscriber(subscriptions=store)
    tag = alice.subscribe(CONTACT).to.tag or ""
    alice.notified(1.1)
    alice.endpoint = make_endpoint(subscriptions=store, now=50.0)
    show(alice, 50.0)
    (notify,) = alice.notified(50.1)
    assert (notify.from_.tag, notify.body) == (tag, OPEN)


@row("a NOTIFY that is answered 481 ends the subscription, whatever else it says (6665 4.2.2)")
def _row23() -> None:
    alice = subscriber()
    alice.subscribe(CONTACT)
    alice.notified(1.1, 481, [("Retry-After", "5")])
    assert alice.endpoint.counts["subscriptions"] == 0


@row("a NOTIFY that is answered with another failure is about that NOTIFY; Retry-After has it tried again (6665 4.2.2)")
def _row24() -> None:
    for status, headers, again in ((488, [], False), (500, [], False), (480, [("Retry-After", "20")], True)):
        alice = subscriber()
        alice.subscribe(CONTACT)
        show(alice, 1.0)
        alice.notified(1.1, status, headers)
        assert alice.endpoint.counts["subscriptions"] == 1
        assert bool(alice.notified(21.3)) is again
        show(alice, 30.0, OPEN + b" ")
        assert [body for _, body in states(alice.notified(50.0))] == [OPEN + b" "]


@pytest.mark.parametrize("name", list(ROWS))
def test_row(name: str) -> None:
    ROWS[name]()


def test_the_table_is_whole() -> None:
    assert len(ROWS) == 24


@pytest.mark.parametrize(
    "remote",
    [
        "<sip:alice@example.test>;tag=a1",
        "<sip:alice@example.test>",
        "<sip:alice@example.test>;x=1;tag=a1",
        '"Alice" <sip:alice@example.test>;tag=a1',
        "<sip:Alice@example.test:5060;transport=tcp>;tag=a1",
        "sip:alice@example.test;tag=a1",
        "Alice <sip:alice@example.test>",
    ],
)
def test_who_watches_is_addressed_as_they_have_written_themselves(remote: str) -> None:
    """What is usual of it is not kept; a NOTIFY's To is the SUBSCRIBE's From to the letter (RFC 3261 12.2.1.1)."""
    flow = Flow("udp", ("192.0.2.1", 5060), ("192.0.2.9", 5060))
    shows = Watched("w", "sip:bob@example.test", "bob@example.test")
    one = Subscription("w", "alice@example.test", "presence", shows, flow, "sip:alice@192.0.2.9")
    one.set_head("<sip:bob@example.test>", remote, "c1", "presence", ["<sip:p1;lr>", "<sip:p2;lr>"])
    assert one.remote_uri == remote
    assert f"\r\nTo: {remote}\r\n" in one.dialog
    assert one.stored(0.0).remote_uri == remote
    assert (one.call_id, one.event, one.routes) == ("c1", "presence", ("<sip:p1;lr>", "<sip:p2;lr>"))
