"""A challenge is told as a refusal when nobody answers it, and only then."""

from __future__ import annotations

import pytest

from tests.kit.sip import DOMAIN, PASSWORD, Client, make_endpoint
from transports.sip.machine.config import AuthConfig, Limits
from transports.sip.machine.endpoint import Endpoint
from transports.sip.machine.events import MessageReceived, RequestRefused
from transports.sip.wire.auth import Challenge
from transports.sip.wire.message import Response

TARGET = "sip:friend@aim.example.test"
TEXT = [("Content-Type", "text/plain")]
WAIT = 3.0


@pytest.fixture
def alice() -> Client:
    return Client(make_endpoint(), "alice")


def ask(client: Client, now: float, *, uri: str = TARGET, call_id: str = "c", **fields: str) -> int:
    """A MESSAGE without credentials."""
    data = client.request("MESSAGE", uri, TEXT, b"x", authenticate=False, call_id=call_id, **fields)
    (response,) = client.deliver(data, now)
    assert isinstance(response, Response)
    line = response.first("Proxy-Authenticate")
    client.challenge = Challenge.parse(line) if line else None
    client.count = 0
    return response.status


def answered(client: Client, now: float, *, uri: str = TARGET, call_id: str = "c", password: str = PASSWORD) -> None:
    """The same with credentials."""
    credentials = [("Proxy-Authorization", client.credentials("MESSAGE", uri, password))]
    data = client.request("MESSAGE", uri, [*TEXT, *credentials], b"x", authenticate=False, call_id=call_id)
    client.deliver(data, now)


def refused(endpoint: Endpoint, now: float) -> list[RequestRefused]:
    endpoint.handle_timer(now)
    return [event for event in iter(endpoint.next_event, None) if isinstance(event, RequestRefused)]


def test_a_challenge_that_is_answered_is_no_refusal(alice: Client) -> None:
    assert ask(alice, 0.0) == 407
    answered(alice, 1.0)
    assert isinstance(alice.endpoint.next_event(), MessageReceived)
    assert refused(alice.endpoint, 100.0) == []
    assert alice.endpoint.counts["challenged"] == 0


def test_a_challenge_that_nobody_answers_is_told_when_its_time_is_over(alice: Client) -> None:
    ask(alice, 0.0)
    ask(alice, 20.0)  # asking again gives no more time
    ask(alice, 10.0, call_id="other")
    assert refused(alice.endpoint, WAIT - 0.1) == []
    (told,) = refused(alice.endpoint, WAIT + 0.1)
    assert (told.status, told.reason, told.challenged) == (407, "not authenticated", True)
    assert (told.claimed_from, told.target, told.call_id) == (f"sip:alice@{DOMAIN}", TARGET, "c")
    assert [one.call_id for one in refused(alice.endpoint, WAIT + 10.1)] == ["other"]
    assert alice.endpoint.counts["challenged"] == alice.endpoint.counts["timers"] == 0


def test_an_answer_is_for_its_own_request_alone(alice: Client) -> None:
    ask(alice, 0.0, call_id="one")
    ask(alice, 0.0, call_id="two", uri="sip:other@aim.example.test")
    ask(alice, 0.0, call_id="three", from_=f"<sip:bob@{DOMAIN}>;tag=1")
    elsewhere = Client(alice.endpoint, "alice", host="192.0.2.77")
    ask(elsewhere, 0.0, call_id="one")
    for call_id in ("one", "two", "three"):
        answered(alice, 1.0, call_id=call_id)
    left = refused(alice.endpoint, WAIT + 0.1)
    assert [(one.call_id, one.source.partition(":")[0]) for one in left] == [
        ("two", alice.flow.key.partition(":")[0]),
        ("three", alice.flow.key.partition(":")[0]),
        ("one", elsewhere.flow.key.partition(":")[0]),
    ]


def test_wrong_credentials_are_told_at_once_and_only_once(alice: Client) -> None:
    ask(alice, 0.0)
    answered(alice, 1.0, password="wrong")
    (told,) = refused(alice.endpoint, 1.0)
    assert not told.challenged
    assert refused(alice.endpoint, 100.0) == []


def test_a_stale_nonce_is_a_challenge_too() -> None:
    alice = Client(make_endpoint(auth=AuthConfig(nonce_lifetime=1.0)), "alice")
    ask(alice, 0.0, call_id="first")
    answered(alice, 2.0, call_id="second")
    assert refused(alice.endpoint, 2.0) == []
    assert [one.call_id for one in refused(alice.endpoint, 60.0)] == ["first", "second"]


def test_credentials_that_cannot_be_read_are_refused_at_once(alice: Client) -> None:
    data = alice.request("MESSAGE", TARGET, [*TEXT, ("Proxy-Authorization", f'Digest realm="{DOMAIN}"')], b"x")
    (response,) = alice.deliver(data, 0.0)
    assert isinstance(response, Response)
    assert response.status == 400
    (told,) = refused(alice.endpoint, 0.0)
    assert (told.status, told.challenged) == (400, False)
    assert "Credentials without" in told.reason


def test_other_methods_are_not_told(alice: Client) -> None:
    alice.deliver(alice.request("SUBSCRIBE", TARGET, [("Event", "presence")]), 0.0)
    alice.deliver(alice.request("REGISTER", f"sip:{DOMAIN}"), 0.0)
    assert alice.endpoint.counts["challenged"] == 0


def test_what_waits_is_bounded_and_the_oldest_is_told_before_its_time() -> None:
    alice = Client(make_endpoint(limits=Limits(challenged=3)), "alice")
    for number in range(5):
        ask(alice, 0.0, call_id=f"c{number}")
    assert alice.endpoint.counts["challenged"] == 3
    assert [one.call_id for one in refused(alice.endpoint, 0.0)] == ["c0", "c1"]
    assert [one.call_id for one in refused(alice.endpoint, WAIT + 0.1)] == ["c2", "c3", "c4"]


def test_the_texts_that_wait_are_bounded() -> None:
    alice = Client(make_endpoint(limits=Limits(stored_text=10)), "alice")
    ask(alice, 0.0, call_id="c" * 1000)
    answered(alice, 1.0, call_id="c" * 1000)
    ask(alice, 1.0, call_id="d" * 1000)
    (told,) = refused(alice.endpoint, WAIT + 1.1)
    assert (told.call_id, len(told.claimed_from), len(told.target)) == ("d" * 10, 10, 10)


def test_the_end_of_the_bridge_gives_up_what_waits(alice: Client) -> None:
    ask(alice, 0.0)
    alice.endpoint.close()
    assert [one.call_id for one in refused(alice.endpoint, 0.0)] == ["c"]
