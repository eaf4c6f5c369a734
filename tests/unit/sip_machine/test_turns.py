"""RFC 3428 section 8: a URI gets one MESSAGE after another, however many write to it."""

from collections import deque
from functools import partial

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from bridge.model.capabilities import SendResult
from tests.kit.sip import DOMAIN, Client, make_endpoint
from tests.unit.sip_machine.test_upstream import to_dora
from transports.sip.machine import sender
from transports.sip.machine.events import SendFinished
from transports.sip.machine.flow import CloseFlow
from transports.sip.machine.turns import BY_CONNECTION, MOST_WAITING, Turns
from transports.sip.wire.message import Request, Response, respond_bytes
from transports.sip.wire.native import SipMessage

URI = "sip:alice@192.0.2.9"


def to_alice(number: int) -> SipMessage:
    return evolve(to_dora(f"alice@{DOMAIN}", f"text {number}".encode()), peer=f"sip:friend{number}@aim.example.test")


def phone(transport: str = "udp") -> Client:
    client = Client(make_endpoint(), "alice", transport=transport)
    response = client.register()
    assert isinstance(response, Response)
    assert response.status == 200
    return client


def texts(client: Client, now: float) -> list[Request]:
    return [one for one in client.take(now) if isinstance(one, Request) and one.method == "MESSAGE"]


def results(client: Client) -> list[SendResult]:
    return [event.result for event in iter(client.endpoint.next_event, None) if isinstance(event, SendFinished)]


def reply(client: Client, request: Request, now: float, status: int = 200) -> None:
    client.endpoint.receive(client.flow, respond_bytes(request, status, to_tag="p"), now)


def test_over_udp_a_device_gets_one_message_at_a_time_from_however_many() -> None:
    client = phone()
    for number in range(5):
        client.endpoint.send_message(to_alice(number), f"k{number}", 1.0)
    for number in range(5):
        (request,) = texts(client, 1.0 + number)
        assert request.body == f"text {number}".encode()
        reply(client, request, 1.0 + number)
    assert len(results(client)) == 5
    assert texts(client, 9.0) == []


def test_over_a_connection_it_gets_a_few() -> None:
    client = phone("tcp")
    for number in range(BY_CONNECTION + 2):
        client.endpoint.send_message(to_alice(number), f"k{number}", 1.0)
    first = texts(client, 1.0)
    assert len(first) == BY_CONNECTION
    reply(client, first[3], 1.1)
    assert [one.body for one in texts(client, 1.1)] == [f"text {BY_CONNECTION}".encode()]


def test_another_device_is_not_held_back() -> None:
    client = phone()
    other = Client(client.endpoint, "bob", port=40_001)
    other.register()
    client.endpoint.send_message(to_alice(1), "k1", 1.0)
    client.endpoint.send_message(to_alice(2), "k2", 1.0)
    client.endpoint.send_message(evolve(to_alice(3), aor=f"bob@{DOMAIN}"), "k3", 1.0)
    sent = [bytes(output[1]) for output in client.endpoint.to_send(1.0) if not isinstance(output, CloseFlow)]
    assert [data.rpartition(b"\r\n")[2] for data in sent] == [b"text 1", b"text 3"]


def test_what_waits_is_bounded_and_what_is_beyond_is_tried_again_later() -> None:
    client = phone()
    for number in range(MOST_WAITING + 3):
        client.endpoint.send_message(to_alice(number), f"k{number}", 1.0)
    refused = results(client)
    assert len(refused) == 2
    assert all(
        one.failure is not None and (one.failure.reason, one.failure.retryable) == ("busy", True) for one in refused
    )
    assert all(one.failure is not None and one.failure.certain for one in refused)


def test_who_waited_too_long_was_not_sent_and_that_is_certain() -> None:
    client = phone()
    client.endpoint.send_message(to_alice(1), "k1", 1.0)
    client.endpoint.send_message(to_alice(2), "k2", 1.0, 5.0)
    client.endpoint.send_message(to_alice(3), "k3", 1.0, 40.0)
    client.endpoint.handle_timer(5.0)
    (late,) = results(client)
    assert late.failure is not None
    assert (late.failure.reason, late.failure.certain) == ("busy", True)
    client.take(5.0)
    client.endpoint.handle_timer(33.1)  # nobody has answered the first
    sent = {one.body for one in texts(client, 33.1)}  # the last time of the first is among them
    assert b"text 3" in sent
    assert b"text 2" not in sent
    client.endpoint.handle_timer(40.0)
    silent = results(client)
    assert [one.failure is not None and one.failure.certain for one in silent] == [False, False]


def test_a_device_that_cannot_be_reached_fails_all_who_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """One after the other and not one inside of the other: they are many."""
    monkeypatch.setattr(sender, "BY_DATAGRAM", 1)
    client = phone("tcp")
    for number in range(MOST_WAITING):
        client.endpoint.send_message(to_alice(number), f"k{number}", 1.0)
    client.endpoint.flow_lost(client.flow, 2.0)
    now = 2.0
    for _ in range(MOST_WAITING):
        for output in client.endpoint.to_send(now):
            target = getattr(output, "target", None)
            if target is not None:
                client.endpoint.connect_failed(target, now)
    assert len(results(client)) == MOST_WAITING
    assert client.endpoint.counts["deliveries"] == 0


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 6), st.sampled_from(["take", "done"])), max_size=60))
def test_never_more_than_there_may_be_and_nobody_is_forgotten(steps: list[tuple[str, int, str]]) -> None:
    turns, under_way, waiting = Turns(), set[tuple[str, int]](), deque[tuple[str, int]]()

    def go(one: tuple[str, int], now: float) -> None:
        del now
        under_way.add(one)
        if one in waiting:
            waiting.remove(one)

    for uri, number, what in steps:
        one = uri, number
        if what == "take" and one not in under_way and one not in waiting:
            waiting.append(one)
            assert turns.take(uri, str(number), 2, partial(go, one), 0.0)
        elif what == "done" and one in under_way:
            under_way.discard(one)
            turns.done(uri, str(number), 0.0)
        for name in "abc":
            mine = sum(its == name for its, _ in under_way)
            assert mine <= 2
            assert mine == 2 or not any(its == name for its, _ in waiting)
    while under_way:
        uri, number = under_way.pop()
        turns.done(uri, str(number), 0.0)
    assert not waiting
    assert len(turns) == 0
    assert not turns._under_way


def test_many_that_fail_at_once_do_not_fail_inside_each_other() -> None:
    turns, left = Turns(), []

    def go(name: str, now: float) -> None:
        left.append(name)
        turns.done(URI, name, now)

    turns.take(URI, "first", 1, lambda _: None, 0.0)
    for number in range(MOST_WAITING):
        turns.take(URI, str(number), 1, partial(go, str(number)), 0.0)
    assert not turns.take(URI, "one more", 1, partial(go, "one more"), 0.0)
    turns.done(URI, "first", 1.0)
    assert left == [str(number) for number in range(MOST_WAITING)]
