"""Composing (RFC 3994, 7573): what is said runs out, what is told is told again, and nothing is told for nothing."""

import pytest

from bridge.model.body import Stage
from tests.kit.sip import DOMAIN, Client, make_endpoint
from tests.unit.sip_machine.test_abilities import FRIEND, PLAIN, _message
from transports.sip.machine.events import MessageReceived, SendFinished, TypingRanOut
from transports.sip.machine.timers import TimerQueue
from transports.sip.machine.typing import MOST, MOST_PER_PERSON, MOST_REFRESHES, REFRESH, Told
from transports.sip.wire.iscomposing import CONTENT_TYPE, IsComposing, build_iscomposing, parse_iscomposing
from transports.sip.wire.message import Request, respond_bytes
from transports.sip.wire.native import SipTyping

ALICE = f"alice@{DOMAIN}"


@pytest.fixture
def alice() -> Client:
    client = Client(make_endpoint(), "alice")
    client.register()
    _events(client)
    return client


def _events(client: Client) -> list[object]:
    return list(iter(client.endpoint.next_event, None))


def _says(client: Client, state: str, now: float, refresh: int | None = None, to: str = FRIEND) -> list[object]:
    body = build_iscomposing(IsComposing(state=state, refresh=refresh))  # type: ignore[arg-type]
    client.deliver(client.request("MESSAGE", to, [("Content-Type", CONTENT_TYPE)], body), now)
    events = _events(client)
    for event in events:
        if isinstance(event, MessageReceived):
            client.endpoint.answer(event.tx, 202, now=now)
    client.take(now)
    return events


def _writes(client: Client, now: float) -> None:
    client.deliver(client.request("MESSAGE", FRIEND, [("Content-Type", PLAIN)], b"hi"), now)
    _events(client)


def _ran_out(client: Client, now: float) -> list[SipTyping]:
    client.endpoint.handle_timer(now)
    return [event.native for event in _events(client) if isinstance(event, TypingRanOut)]


IDLE = SipTyping(aor=ALICE, peer=FRIEND, state="idle")


def test_who_does_not_say_that_they_stopped_has_stopped_after_two_minutes(alice: Client) -> None:
    assert [type(event) for event in _says(alice, "active", 10.0)] == [MessageReceived]
    assert _ran_out(alice, 129.0) == []
    assert _ran_out(alice, 131.0) == [IDLE]
    assert _ran_out(alice, 1000.0) == []


def test_a_refresh_begins_the_time_anew(alice: Client) -> None:
    _says(alice, "active", 10.0)
    _says(alice, "active", 100.0)
    assert _ran_out(alice, 140.0) == []
    assert _ran_out(alice, 221.0) == [IDLE]


@pytest.mark.parametrize(("refresh", "length"), [(60, 60), (300, 300), (61, 61)])
def test_the_client_says_how_long_its_word_is_good(alice: Client, refresh: int, length: int) -> None:
    _says(alice, "active", 10.0, refresh)
    assert _ran_out(alice, 10.0 + length - 1) == []
    assert _ran_out(alice, 10.0 + length + 1) == [IDLE]


def test_a_refresh_below_a_minute_is_a_minute(alice: Client) -> None:
    body = build_iscomposing(IsComposing(state="active", refresh=60)).replace(b">60<", b">5<")
    alice.deliver(alice.request("MESSAGE", FRIEND, [("Content-Type", CONTENT_TYPE)], body), 10.0)
    assert _ran_out(alice, 60.0) == []
    assert _ran_out(alice, 71.0) == [IDLE]


@pytest.mark.parametrize("state", ["idle", "gone"])
def test_who_says_that_they_stopped_does_not_stop_twice(alice: Client, state: str) -> None:
    _says(alice, "active", 10.0)
    (event,) = _says(alice, state, 20.0)
    assert isinstance(event, MessageReceived)
    assert isinstance(event.native, SipTyping)
    assert event.native.state == state
    assert _ran_out(alice, 1000.0) == []


def test_a_message_says_that_its_sender_has_stopped(alice: Client) -> None:
    _says(alice, "active", 10.0)
    _writes(alice, 20.0)
    assert _ran_out(alice, 1000.0) == []


def test_what_is_remembered_of_one_person_is_bounded(alice: Client) -> None:
    for number in range(MOST_PER_PERSON + 5):
        _says(alice, "active", 10.0, to=f"sip:friend{number}@aim.example.test")
    assert alice.endpoint.counts["typing"] == MOST_PER_PERSON
    assert len(_ran_out(alice, 200.0)) == MOST_PER_PERSON  # the five before were told as idle when they made room


# The other way


class Watcher:
    """Tells alice that a friend writes, and answers as her client would."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.number = 0

    def tell(self, state: str, now: float) -> list[str]:
        self.number += 1
        typing = SipTyping(aor=ALICE, peer=FRIEND, state=state)  # type: ignore[arg-type]
        self.client.endpoint.send_typing(typing, f"t{self.number}", now)
        return self.shown(now)

    def shown(self, now: float) -> list[str]:
        self.client.endpoint.handle_timer(now)
        states: list[str] = []
        for request in self.client.take(now):
            assert isinstance(request, Request)
            states.append(parse_iscomposing(request.body).state if request.body != b"hi" else "text")
            self.client.endpoint.receive(self.client.flow, respond_bytes(request, 200, to_tag="t"), now)
        return states

    def results(self) -> list[Stage]:
        return [event.result.stage for event in _events(self.client) if isinstance(event, SendFinished)]


def test_what_is_told_is_told_again_before_it_runs_out_and_not_for_ever(alice: Client) -> None:
    assert 60 < REFRESH < 120  # RFC 3994 section 3: no more often, and before its receiver gives it up
    friend = Watcher(alice)
    assert friend.tell("active", 10.0) == ["active"]
    now = 10.0
    for _ in range(MOST_REFRESHES):
        assert friend.shown(now + REFRESH - 1) == []
        now += REFRESH + 0.1
        assert friend.shown(now) == ["active"]
    assert friend.shown(now + 1000) == []
    assert friend.results() == [Stage.DELIVERED] * (MOST_REFRESHES + 1)


def test_nobody_is_told_active_twice_within_a_minute_nor_idle_twice(alice: Client) -> None:
    """RFC 3994 section 3.2: a refresh comes after 60 s at the earliest."""
    friend = Watcher(alice)
    assert friend.tell("active", 10.0) == ["active"]
    assert friend.tell("active", 69.0) == []
    assert friend.tell("active", 71.0) == ["active"]
    assert friend.tell("idle", 72.0) == ["idle"]
    assert friend.tell("idle", 73.0) == []
    assert friend.tell("gone", 74.0) == ["gone"]
    assert friend.tell("active", 75.0) == ["active"]
    assert friend.results() == [
        Stage.DELIVERED, Stage.RELAYED, Stage.DELIVERED, Stage.DELIVERED, Stage.RELAYED, Stage.DELIVERED,
        Stage.DELIVERED,
    ]  # fmt: skip


def test_a_first_idle_is_told_for_what_was_before_a_restart(alice: Client) -> None:
    assert Watcher(alice).tell("idle", 10.0) == ["idle"]


def test_a_message_ends_it_to_the_other_side_too(alice: Client) -> None:
    friend = Watcher(alice)
    friend.tell("active", 10.0)
    alice.endpoint.send_message(_message(PLAIN), "k", 20.0)
    assert friend.shown(20.0) == ["text"]
    assert friend.tell("idle", 21.0) == []
    assert friend.shown(200.0) == []


def test_what_is_remembered_of_what_was_told_is_bounded() -> None:
    queue = TimerQueue((1.0,))
    told = Told(queue, lambda typing, key, now: None)
    for number in range(MOST + 100):
        told.news(SipTyping(aor="a", peer=f"sip:{number}@x", state="active"), "k", 0.0)
        told.news(SipTyping(aor="b", peer=f"sip:{number}@x", state="idle"), "k", 0.0)
    assert len(told) == 2 * MOST
    assert len(queue) == MOST
