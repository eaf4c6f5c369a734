"""Subscriptions of ours: RFC 6665 section 4.1, RFC 8048 section 5."""

from collections.abc import Iterator

import pytest

from tests.kit.sip import DOMAIN, Client, make_endpoint
from tests.kit.watchers import events
from tests.unit.sip_machine.test_presence import OPEN
from transports.sip.machine.endpoint import Endpoint
from transports.sip.machine.events import SubscriptionOpened
from transports.sip.machine.flow import Flow
from transports.sip.machine.watches import AGAIN_AFTER, Denied, Lost, Shown, SubscriberEvent
from transports.sip.wire.message import Request, Response, parse_message, respond_bytes

UPSTREAM = ("192.0.2.77", 5060)
TARGET = f"sip:alice@{UPSTREAM[0]}"


class Notifier:
    """Another server, by hand."""

    def __init__(self) -> None:
        self.endpoint: Endpoint = make_endpoint()
        self.flow = Flow("udp", ("192.0.2.1", 5060), UPSTREAM)
        self.cseq = 0
        self.now = 1.0
        self.request: Request | None = None

    def begin(self, key: str = "w") -> Request:
        """Has the endpoint watch."""
        assert self.endpoint.subscriber.watch(key, f"bob@{DOMAIN}", TARGET, self.now)
        return self.got()

    def got(self) -> Request:
        """The one SUBSCRIBE that has come."""
        (request,) = self.requests()
        return request

    def requests(self, after: float = 0.0) -> list[Request]:
        """The SUBSCRIBEs that come in the next seconds, retransmissions left out."""
        self.now += after
        self.endpoint.handle_timer(self.now)
        seen: dict[str, Request] = {}
        for output in self.endpoint.to_send(self.now):
            message = parse_message(output[1])  # type: ignore[arg-type]
            if isinstance(message, Request):
                seen.setdefault(message.top_via.branch or "", message)
        found = [one for one in seen.values() if one.top_via.branch != self._last]
        if found:
            self.request = found[-1]
        return found

    @property
    def _last(self) -> str | None:
        return None if self.request is None else self.request.top_via.branch

    def answer(self, status: int = 200, *headers: tuple[str, str], tag: str = "up") -> None:
        """Answers the last SUBSCRIBE."""
        assert self.request is not None
        if status < 300 and not headers:
            headers = (("Expires", self.request.first("Expires") or ""), ("Contact", f"<sip:{UPSTREAM[0]}:5060>"))
        data = respond_bytes(self.request, status, to_tag=tag, headers=headers)
        self.endpoint.receive(self.flow, data, self.now)

    def notify(
        self, state: str = "active;expires=3600", body: bytes = OPEN, tag: str = "up", **changes: str
    ) -> Response:
        """Sends a NOTIFY. Returns its answer."""
        assert self.request is not None
        self.cseq += 1
        headers = [
            ("Via", f"SIP/2.0/UDP {UPSTREAM[0]}:5060;branch=z9hG4bKup{self.cseq}"), ("Max-Forwards", "70"),
            ("From", f"{changes.get('from_', f'<{TARGET}>')};tag={tag}"), ("To", self.request.first("From") or ""),
            ("Call-ID", changes.get("call_id", self.request.call_id)),
            ("CSeq", f"{changes.get('cseq', self.cseq)} NOTIFY"),
            ("Contact", f"<sip:{UPSTREAM[0]}:5060>"), ("Event", changes.get("event", "presence")),
        ]  # fmt: skip
        if state:
            headers.append(("Subscription-State", state))
        if body:
            headers.append(("Content-Type", changes.get("kind", "application/pidf+xml")))
        data = Request.build("NOTIFY", "sip:192.0.2.1:5060", headers, body).to_bytes()
        self.endpoint.receive(self.flow, data, self.now)
        answers = [parse_message(output[1]) for output in self.endpoint.to_send(self.now)]  # type: ignore[arg-type]
        answer = next(one for one in answers if isinstance(one, Response))
        later = [one for one in answers if isinstance(one, Request)]
        if later:
            self.request = later[-1]
        return answer

    def seen(self) -> list[SubscriberEvent]:
        """What the owner was told."""
        return [event for event in events(self.endpoint) if isinstance(event, Shown | Denied | Lost)]


@pytest.fixture
def up() -> Iterator[Notifier]:
    notifier = Notifier()
    yield notifier
    assert notifier.endpoint.counts["bad_messages"] == 0


def test_a_watch_begins_with_what_the_rfc_asks_for(up: Notifier) -> None:
    request = up.begin()
    assert (request.method, request.uri_text, request.expires) == ("SUBSCRIBE", TARGET, 3600)
    assert (request.first("Event"), request.first("Accept")) == ("presence", "application/pidf+xml")
    assert request.from_.uri == parse_uri_of(f"sip:bob@{DOMAIN}")
    up.answer()
    assert up.notify().status == 200
    assert up.seen() == [Shown("w", "active", OPEN)]


def parse_uri_of(text: str) -> object:
    """A URI as a value."""
    from transports.sip.wire.uri import parse_uri

    return parse_uri(text)


def test_pending_shows_nothing_and_a_notify_may_come_before_the_answer(up: Notifier) -> None:
    up.begin()
    assert up.notify("pending;expires=3600", b"").status == 200
    up.answer()
    assert up.seen() == [Shown("w", "pending", None)]
    assert up.notify("active;expires=3600", b"").status == 200
    assert up.seen() == [Shown("w", "active", None)]


@pytest.mark.parametrize("status", [403, 489, 603])
def test_who_may_not_watch_is_told_so_for_good(up: Notifier, status: int) -> None:
    up.begin()
    up.answer(status)
    (denied,) = up.seen()
    assert isinstance(denied, Denied)
    assert up.requests(10_000.0) == []
    assert up.endpoint.counts["watching"] == 0


def test_too_short_is_asked_for_longer(up: Notifier) -> None:
    up.begin()
    up.answer(423, ("Min-Expires", "5400"))
    assert up.got().expires == 5400
    assert up.seen() == []
    up.answer(423, ("Min-Expires", "5400"))  # a notifier that takes nothing at all is not asked for ever
    assert up.requests() == []
    assert [type(event) for event in up.seen()] == [Lost]


def test_a_notifier_that_wants_ever_more_is_not_asked_for_each_round_trip(up: Notifier) -> None:
    up.begin()
    up.answer(423, ("Min-Expires", "5400"))
    assert up.got().expires == 5400
    up.answer(423, ("Min-Expires", "5401"))
    assert up.requests() == []
    assert [type(event) for event in up.seen()] == [Lost]
    assert [one.expires for one in up.requests(AGAIN_AFTER + 1.0)] == [5401]


@pytest.mark.parametrize("status", [404, 405, 410, 416, 480, 481, 482, 483, 484, 485, 501, 604])
def test_a_refresh_that_ends_the_usage_begins_anew(up: Notifier, status: int) -> None:
    """RFC 6665 section 4.1.2.2, RFC 5057: a new Call-ID and tag."""
    first = up.begin()
    up.answer()
    up.notify("active;expires=600")
    up.seen()
    refresh = up.requests(541.0)
    assert [one.to.tag for one in refresh] == ["up"]
    assert refresh[0].call_id == first.call_id
    assert refresh[0].uri_text == f"sip:{UPSTREAM[0]}:5060"
    up.answer(status)
    anew = up.requests(0.0 if status == 481 else AGAIN_AFTER)
    assert [(one.to.tag, one.uri_text) for one in anew] == [(None, TARGET)]
    assert anew[0].call_id != first.call_id
    assert anew[0].from_.tag != first.from_.tag
    assert [type(event) for event in up.seen()] == ([] if status == 481 else [Lost])


def test_another_failure_of_a_refresh_leaves_the_watch_as_it_is(up: Notifier) -> None:
    up.begin()
    up.answer()
    up.notify("active;expires=600")
    up.requests(541.0)
    up.answer(503, ("Retry-After", "10"))
    again = up.requests(11.0)
    assert [one.to.tag for one in again] == ["up"]
    assert [type(event) for event in up.seen()] == [Shown]


def test_no_notify_in_64_t1_is_a_failure_whatever_was_answered(up: Notifier) -> None:
    """RFC 6665 section 4.1.2.4, timer N."""
    up.begin()
    up.answer()
    assert up.requests(31.9) == []
    assert up.seen() == []
    assert up.requests(0.2) == []
    assert up.seen() == [Lost("w", "no NOTIFY came")]
    assert len(up.requests(AGAIN_AFTER)) == 1


def test_what_is_ended_is_over_with_the_200(up: Notifier) -> None:
    up.begin()
    up.answer()
    up.notify()
    up.seen()
    up.endpoint.subscriber.unwatch("w", up.now)
    assert up.got().expires == 0
    up.answer()
    assert up.seen() == [Lost("w", "ended", final=True)]
    assert up.notify("terminated;reason=timeout", b"").status == 200
    assert up.seen() == []
    assert up.notify("active", b"").status == 481
    assert up.endpoint.counts["watching"] == 0


def test_a_dialog_whose_last_notify_never_comes_is_forgotten(up: Notifier) -> None:
    up.begin()
    up.answer()
    up.notify()
    up.endpoint.subscriber.unwatch("w", up.now)
    assert up.got().expires == 0
    assert up.notify("active;expires=600").status == 200  # on its way when the end was asked for
    up.answer()
    assert up.requests() == []  # it was asked for once
    assert up.seen()[-1] == Lost("w", "ended", final=True)
    assert up.notify("active;expires=600").status == 200
    up.requests(33.0)
    assert up.notify("terminated;reason=timeout", b"").status == 481


def test_what_is_ended_before_it_began_is_ended_in_its_dialog(up: Notifier) -> None:
    up.begin()
    up.endpoint.subscriber.unwatch("w", up.now)
    assert up.requests() == []
    up.answer()
    assert (request := up.got()).expires == 0
    assert request.to.tag == "up"


def test_a_probe_has_a_dialog_of_its_own(up: Notifier) -> None:
    first = up.begin()
    up.answer()
    up.notify()
    up.seen()
    assert up.endpoint.subscriber.fetch("probe", f"bob@{DOMAIN}", TARGET, up.now)
    probe = up.got()
    assert (probe.expires, probe.to.tag) == (0, None)
    assert probe.call_id != first.call_id
    up.answer(tag="other")
    up.cseq = 0
    assert up.notify("terminated;reason=timeout", tag="other").status == 200
    assert up.seen() == [Shown("probe", "active", OPEN), Lost("probe", "timeout", final=True)]
    assert up.endpoint.counts["watching"] == 1


@pytest.mark.parametrize(
    ("reason", "denied", "after"),
    [
        ("rejected", True, None), ("noresource", True, None), ("deactivated", False, AGAIN_AFTER),
        ("timeout", False, AGAIN_AFTER), ("probation;retry-after=300", False, 300.0), ("giveup", False, AGAIN_AFTER),
    ],
)  # fmt: skip
def test_the_reason_of_an_end_says_what_follows(up: Notifier, reason: str, denied: bool, after: float | None) -> None:
    """RFC 6665 section 4.1.3."""
    up.begin()
    up.answer()
    assert up.notify(f"terminated;reason={reason}", b"").status == 200
    (event,) = up.seen()
    assert isinstance(event, Denied if denied else Lost)
    assert up.requests((after or AGAIN_AFTER) - 1.0) == []
    assert len(up.requests(2.0)) == (0 if denied else 1)


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"call_id": "other"}, 481), ({"tag": "nobody"}, 481), ({"event": "dialog"}, 489), ({"state": ""}, 400),
        ({"cseq": "1"}, 500), ({"kind": "text/plain"}, 415), ({"body": b"<x>"}, 400),
    ],
)  # fmt: skip
def test_a_notify_that_is_none_of_ours_or_cannot_be_read_is_refused(
    up: Notifier, changes: dict[str, object], status: int
) -> None:
    up.begin()
    up.answer()
    up.notify()
    up.seen()
    answer = up.notify(**changes)  # type: ignore[arg-type]
    assert answer.status == status
    if status == 489:
        assert answer.first("Allow-Events") == "presence"
    if status == 415:
        assert answer.first("Accept") == "application/pidf+xml"
    assert up.seen() == []


@pytest.mark.parametrize("target", ["tel:+49123", "no uri", "sip:a@b;transport=sctp"])
def test_a_uri_that_leads_nowhere_cannot_be_watched(up: Notifier, target: str) -> None:
    assert not up.endpoint.subscriber.watch("w", f"bob@{DOMAIN}", target, 1.0)
    assert up.endpoint.counts["watching"] == 0


def test_nobody_answers(up: Notifier) -> None:
    up.begin()
    up.requests(33.0)
    assert [type(event) for event in up.seen()] == [Lost]
    assert len(up.requests(AGAIN_AFTER)) == 1
    up.requests(33.0)
    assert up.requests(AGAIN_AFTER) == []  # the pause grows
    assert len(up.requests(AGAIN_AFTER)) == 1


def test_without_trust_there_is_no_watch() -> None:
    """The notifier of one endpoint and the subscriber of another: no hand-made message between."""
    ours, theirs = make_endpoint(), make_endpoint()
    theirs_client = Client(theirs, "carol")
    theirs_client.register()
    events(theirs)
    assert ours.subscriber.watch("w", f"carol@{DOMAIN}", "sip:bob@192.0.2.1", 1.0)
    ((_, data),) = ours.to_send(1.0)
    request = parse_message(data)  # type: ignore[arg-type]
    assert isinstance(request, Request)
    # Their endpoint asks for credentials, which ours has none of: without trust there is no watch.
    theirs.receive(theirs_client.flow, data, 1.0)  # type: ignore[arg-type]
    (challenge,) = theirs_client.take(1.0)
    assert isinstance(challenge, Response)
    assert challenge.status == 407
    ours.receive(Flow("udp", ("192.0.2.1", 5060), ("192.0.2.1", 5060)), challenge.to_bytes(), 1.0)
    assert [type(event) for event in events(ours)] == [Lost]
    assert not [one for one in events(theirs) if isinstance(one, SubscriptionOpened)]
