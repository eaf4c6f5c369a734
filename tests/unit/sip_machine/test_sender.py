"""MESSAGE out: to all contacts, once, and the truth about what became of it."""

import pytest

from bridge.model.body import Stage
from bridge.model.capabilities import SendResult
from tests.kit.sip import DOMAIN, Client, counting_entropy, make_endpoint
from transports.sip.machine.endpoint import Endpoint
from transports.sip.machine.events import SendFinished
from transports.sip.machine.flow import ConnectTo, Flow
from transports.sip.machine.sender import MOST_FORKS
from transports.sip.machine.uas import ISCOMPOSING
from transports.sip.wire.auth import Challenge
from transports.sip.wire.message import Request, Response, parse_message, respond_bytes
from transports.sip.wire.native import SipForm, SipMessage, SipTyping


def _message(**changes: object) -> SipMessage:
    values: dict[str, object] = {
        "aor": f"alice@{DOMAIN}",
        "peer": "sip:the%20boogyman@aim.example.test",
        "call_id": "",
        "cseq": 0,
        "content_type": "text/plain",
        "body": "grüße".encode(),
        "display_name": 'The "Boogy" man',
    }
    values.update(changes)
    return SipMessage(**values)  # type: ignore[arg-type]


def _results(endpoint: Endpoint) -> list[tuple[str, SendResult]]:
    events = iter(endpoint.next_event, None)
    return [(event.key, event.result) for event in events if isinstance(event, SendFinished)]


@pytest.fixture
def alice() -> Client:
    client = Client(make_endpoint(), "alice")
    client.register()
    _results(client.endpoint)
    return client


def _sent(client: Client, now: float = 1.0) -> Request:
    (request,) = client.take(now)
    assert isinstance(request, Request)
    return request


def _answer(client: Client, request: Request, status: int, now: float = 1.5, *headers: tuple[str, str]) -> None:
    client.endpoint.receive(client.flow, respond_bytes(request, status, to_tag="t", headers=headers), now)


def test_what_a_message_looks_like(alice: Client) -> None:
    alice.endpoint.send_message(_message(headers=(("Subject", "lunch"),)), "k", 1.0)
    request = _sent(alice)
    assert request.method == "MESSAGE"
    assert request.uri_text == "sip:alice@192.0.2.9:40000"
    assert str(request.from_.uri) == "sip:the%20boogyman@aim.example.test"
    assert request.from_.display_name == 'The "Boogy" man'
    assert request.to.uri.aor == f"alice@{DOMAIN}"
    assert request.first("Subject") == "lunch"
    assert request.body == "grüße".encode()
    assert not request.has("Contact")
    assert request.max_forwards == 70
    assert request.top_via.sent_by == "192.0.2.1:5060"


@pytest.mark.parametrize(("status", "stage"), [(200, Stage.DELIVERED), (202, Stage.RELAYED)])
def test_success(alice: Client, status: int, stage: Stage) -> None:
    alice.endpoint.send_message(_message(), "k", 1.0)
    request = _sent(alice)
    _answer(alice, request, status)
    _answer(alice, request, status)
    assert _results(alice.endpoint) == [("k", SendResult(stage=stage))]
    assert alice.endpoint.counts["client"] == alice.endpoint.counts["deliveries"] == 0
    alice.endpoint.handle_timer(100.0)
    assert alice.take(100.0) == []


def test_retransmissions_then_unknown(alice: Client) -> None:
    alice.endpoint.send_message(_message(), "k", 0.0)
    data = _sent(alice, 0.0).to_bytes()
    times = []
    for step in range(1, 400):
        now = step / 10
        alice.endpoint.handle_timer(now)
        for request in alice.take(now):
            assert request.to_bytes() == data
            times.append(now)
    assert times == [0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    ((_, result),) = _results(alice.endpoint)
    assert result.stage is Stage.UNKNOWN
    assert result.failure is not None
    assert not result.failure.certain


def test_nobody_signed_on(alice: Client) -> None:
    alice.endpoint.send_message(_message(aor=f"bob@{DOMAIN}"), "k", 1.0)
    ((_, result),) = _results(alice.endpoint)
    assert result.failure is not None
    assert (result.failure.reason, result.failure.retryable, result.failure.certain) == ("offline", True, True)


def _two_devices() -> tuple[Client, Client]:
    endpoint = make_endpoint()
    desk, mobile = Client(endpoint, "alice", port=1), Client(endpoint, "alice", port=2)
    desk.register()
    mobile.register()
    _results(endpoint)
    return desk, mobile


def _asked(desk: Client, now: float) -> dict[int, Request]:
    """What was sent to each device, by its port."""
    requests = {}
    for flow, data in desk.endpoint.to_send(now):
        assert isinstance(flow, Flow)
        assert isinstance(data, bytes)
        parsed = parse_message(data)
        assert isinstance(parsed, Request)
        requests[flow.remote[1]] = parsed
    return requests


def _fork(desk: Client, mobile: Client) -> dict[int, Request]:
    desk.endpoint.send_message(_message(), "k", 1.0)
    return _asked(desk, 1.0)


def test_a_fork_is_one_message_to_each_device() -> None:
    desk, mobile = _two_devices()
    requests = _fork(desk, mobile)
    assert requests[1].call_id == requests[2].call_id
    assert requests[1].from_ == requests[2].from_
    assert requests[1].top_via.branch != requests[2].top_via.branch


def test_once_delivered_is_once_delivered() -> None:
    desk, mobile = _two_devices()
    requests = _fork(desk, mobile)
    _answer(desk, requests[1], 415)
    assert _results(desk.endpoint) == []
    _answer(mobile, requests[2], 200)
    assert _results(desk.endpoint) == [("k", SendResult(stage=Stage.DELIVERED))]


def test_a_device_that_comes_meanwhile_gets_what_is_under_way(alice: Client) -> None:
    alice.endpoint.send_message(_message(), "k", 1.0)
    first = _sent(alice)
    elsewhere = Client(alice.endpoint, "alice", port=40_001)
    data = elsewhere.request("REGISTER", f"sip:{DOMAIN}", [("Contact", f"<{elsewhere.contact}>")])
    (challenge,) = elsewhere.deliver(data, 2.0)
    elsewhere.challenge = Challenge.parse(challenge.first("WWW-Authenticate") or "")
    data = elsewhere.request("REGISTER", f"sip:{DOMAIN}", [("Contact", f"<{elsewhere.contact}>")])
    answer, second = elsewhere.deliver(data, 2.0)  # the answer to the registration comes first
    assert isinstance(answer, Response)
    assert answer.status == 200
    assert isinstance(second, Request)
    assert (second.call_id, second.body) == (first.call_id, first.body)
    assert second.top_via.branch != first.top_via.branch
    elsewhere.register(2.5)
    assert [
        message for message in elsewhere.take(2.6) if isinstance(message, Request)
    ] == []  # a refresh is nothing new
    _answer(elsewhere, second, 200, 2.7)
    assert _results(alice.endpoint) == [("k", SendResult(stage=Stage.DELIVERED))]
    third = Client(alice.endpoint, "alice", port=40_002)
    third.register(3.0)
    assert third.take(3.1) == []


def test_who_registers_anew_all_the_time_makes_no_storm(alice: Client) -> None:
    alice.endpoint.send_message(_message(), "k", 1.0)
    most = MOST_FORKS * alice.endpoint.config.limits.contacts_per_aor
    for number in range(2 * most):
        contact = f"<{alice.contact};n={number}>"
        old = f"<{alice.contact};n={number - 1}>;expires=0"
        alice.ask("REGISTER", f"sip:{DOMAIN}", [("Contact", contact), ("Contact", old)], now=1.1)
    assert alice.endpoint.counts["client"] == most


def test_a_late_failure_changes_nothing() -> None:
    desk, mobile = _two_devices()
    requests = _fork(desk, mobile)
    _answer(desk, requests[1], 200)
    _answer(mobile, requests[2], 500)
    assert _results(desk.endpoint) == [("k", SendResult(stage=Stage.DELIVERED))]


def test_what_is_uncertain_outweighs_what_is_certain() -> None:
    desk, mobile = _two_devices()
    requests = _fork(desk, mobile)
    _answer(desk, requests[1], 403)
    for now in (2.0, 40.0):
        desk.endpoint.handle_timer(now)
    ((_, result),) = _results(desk.endpoint)
    assert result.stage is Stage.UNKNOWN


def test_a_device_that_refused_a_type_is_not_asked_again() -> None:
    desk, _ = _two_devices()
    typing = SipTyping(aor=f"alice@{DOMAIN}", peer="sip:f@aim.example.test", state="active", refresh=10)
    desk.endpoint.send_typing(typing, "t1", 1.0)
    (first,) = desk.take(1.0)
    assert isinstance(first, Request)
    assert first.content_type is not None
    assert first.content_type.media_type == ISCOMPOSING
    assert b"<refresh>60</refresh>" in first.body
    _answer(desk, first, 415)
    desk.endpoint.send_typing(typing, "t2", 2.0)
    assert desk.take(2.0) == []
    desk.endpoint.send_message(_message(), "k", 3.0)
    assert len(desk.take(3.0)) == 1


GREEN = "grün".encode()
HTML: dict[str, object] = {
    "content_type": "text/html",
    "body": b"<b>gr&uuml;n</b>",
    "others": (SipForm("text/plain; charset=utf-8", GREEN),),
}


def test_a_device_without_html_gets_the_plain_text() -> None:
    desk, mobile = _two_devices()
    desk.endpoint.send_message(_message(**HTML), "k", 1.0)
    sent = _asked(desk, 1.0)
    first = sent[1]
    assert first.body == HTML["body"]
    _answer(desk, first, 415)
    second = _asked(desk, 1.5)[1]
    assert second.content_type is not None
    assert (second.body.decode(), second.content_type.media_type) == ("grün", "text/plain")
    assert (second.call_id, second.top_via.branch) != (first.call_id, first.top_via.branch)
    assert second.uri_text == first.uri_text
    assert _results(desk.endpoint) == []
    _answer(desk, second, 200)
    assert _results(desk.endpoint) == [("k", SendResult(stage=Stage.DELIVERED))]
    _answer(mobile, sent[2], 200)
    desk.endpoint.send_message(_message(**HTML), "k2", 2.0)
    assert {port: request.body for port, request in _asked(desk, 2.0).items()} == {1: GREEN, 2: HTML["body"]}


def test_a_device_that_takes_neither_ends_it(alice: Client) -> None:
    alice.endpoint.send_message(_message(**HTML), "k", 1.0)
    _answer(alice, _sent(alice), 415)
    _answer(alice, _sent(alice, 1.5), 415)
    ((_, result),) = _results(alice.endpoint)
    assert result.failure is not None
    assert (result.failure.reason, result.failure.certain) == ("unsupported (SIP 415)", True)
    assert alice.take(2.0) == []


def test_another_device_that_took_it_is_no_reason_to_withhold_the_plain_text() -> None:
    desk, mobile = _two_devices()
    desk.endpoint.send_message(_message(**HTML), "k", 1.0)
    sent = _asked(desk, 1.0)
    _answer(mobile, sent[2], 200)
    _answer(desk, sent[1], 415)
    assert _results(desk.endpoint) == [("k", SendResult(stage=Stage.DELIVERED))]
    assert {port: request.body for port, request in _asked(desk, 1.6).items()} == {1: GREEN}


def test_the_same_key_is_the_same_request_after_a_restart() -> None:
    seen = []
    for start in (0, 500):
        client = Client(make_endpoint(entropy=counting_entropy(start)), "alice")
        client.register()
        client.endpoint.send_message(_message(), "key", 1.0)
        first = _sent(client)
        seen.append(first.to_bytes())
        _answer(client, first, 200)
        client.endpoint.send_message(_message(), "other key", 1.0)
        assert _sent(client).call_id not in seen[-1].decode()
    assert seen[0] == seen[1]


def test_the_same_key_under_way_is_not_sent_twice(alice: Client) -> None:
    alice.endpoint.send_message(_message(), "k", 1.0)
    alice.endpoint.send_message(_message(), "k", 1.1)
    assert len(alice.take(1.1)) == 1


def test_a_deadline_ends_the_wait_and_a_retry_takes_up_the_same_transaction(alice: Client) -> None:
    alice.endpoint.send_message(_message(), "k", 1.0, 3.0)
    request = _sent(alice)
    alice.endpoint.handle_timer(3.1)
    ((_, result),) = _results(alice.endpoint)
    assert result.stage is Stage.UNKNOWN
    alice.take(3.1)
    alice.endpoint.send_message(_message(), "k", 4.0, 30.0)
    assert alice.take(4.0) == []
    _answer(alice, request, 200, 4.5)
    assert _results(alice.endpoint) == [("k", SendResult(stage=Stage.DELIVERED))]


def test_a_contact_with_headers_and_a_method_is_no_request_uri(alice: Client) -> None:
    """RFC 3261 19.1.1, table 1: a Contact of a registration may hold both, a Request-URI neither."""
    contact = "<sip:alice@192.0.2.9:40000;ob;method=INVITE?Subject=x>"
    alice.ask("REGISTER", f"sip:{DOMAIN}", [("Contact", "*"), ("Expires", "0")], now=1.0)
    response = alice.ask("REGISTER", f"sip:{DOMAIN}", [("Contact", contact)], now=1.0)
    assert [str(one.uri) for one in response.contacts if one != "*"] == [contact.strip("<>")]
    alice.endpoint.send_message(_message(), "k", 1.0)
    assert _sent(alice).uri_text == "sip:alice@192.0.2.9:40000;ob"


def test_too_large_for_udp(alice: Client) -> None:
    alice.endpoint.send_message(_message(body=b"x" * 1300), "k", 1.0)
    ((_, result),) = _results(alice.endpoint)
    assert result.failure is not None
    assert (result.failure.reason, result.failure.retryable) == ("too-large", False)
    room = int("".join(filter(str.isdigit, result.failure.user_text)))
    alice.endpoint.send_message(_message(body=b"x" * room), "k2", 1.0)
    assert len(_sent(alice).to_bytes()) <= 1300
    assert alice.endpoint.max_body(f"alice@{DOMAIN}") <= room


def test_large_messages_go_over_a_stream() -> None:
    endpoint = make_endpoint()
    alice = Client(endpoint, "alice", transport="tcp")
    alice.register()
    assert endpoint.max_body(f"alice@{DOMAIN}") > 10_000
    endpoint.send_message(_message(body=b"x" * 10_000), "k", 1.0)
    assert len(_sent(alice).body) == 10_000


def test_a_connection_that_breaks_leaves_it_unknown_and_one_that_cannot_be_made_does_not() -> None:
    endpoint = make_endpoint()
    alice = Client(endpoint, "alice", transport="tcp")
    alice.register()
    _results(endpoint)
    endpoint.send_message(_message(), "k1", 1.0)
    alice.take(1.0)
    endpoint.flow_lost(alice.flow, 2.0)
    endpoint.send_message(_message(), "k2", 3.0)
    (output,) = endpoint.to_send(3.0)
    assert isinstance(output, ConnectTo)
    endpoint.connect_failed(output.target, 4.0)
    first, second = (result.failure for _, result in _results(endpoint))
    assert first is not None
    assert second is not None
    assert (first.reason, first.certain) == ("connection-lost", False)
    assert (second.reason, second.certain) == ("unreachable", True)


def test_a_new_connection_is_used_and_the_answer_may_come_by_another_one() -> None:
    """libpurple answers on its first connection what came on the one that we opened."""
    endpoint = make_endpoint()
    alice = Client(endpoint, "alice", transport="tcp", port=1)
    alice.register()
    endpoint.flow_lost(alice.flow, 1.0)
    other = Client(endpoint, "alice", transport="tcp", port=7)
    _results(endpoint)
    endpoint.send_message(_message(), "k", 2.0)
    (output,) = endpoint.to_send(2.0)
    assert isinstance(output, ConnectTo)
    opened = Flow("tcp", ("192.0.2.1", 33333), ("192.0.2.9", 1), 99)
    endpoint.flow_opened(opened, 2.5, output.target)
    from transports.sip.wire.message import parse_message

    request = parse_message(output.data)
    assert isinstance(request, Request)
    endpoint.receive(other.flow, respond_bytes(request, 200, to_tag="t"), 3.0)
    assert _results(endpoint) == [("k", SendResult(stage=Stage.DELIVERED))]
    endpoint.send_message(_message(), "k2", 4.0)
    ((flow, _),) = endpoint.to_send(4.0)
    assert flow is opened


@pytest.mark.parametrize(
    "changes",
    [
        {"peer": "sip:x@aim.example.test\r\nInjected: 1"},
        {"peer": "https://x.test"},
        {"display_name": "x\r\nInjected: 1"},
        {"display_name": "x\0"},
        {"content_type": "text/plain\r\nInjected: 1"},
        {"content_type": "nonsense"},
        {"headers": (("Subject", "a\r\nInjected: 1"),)},
        {"headers": (("Sub ject", "a"),)},
        {"aor": "x\r\nInjected: 1@example.test"},
    ],
)
def test_nothing_from_another_network_becomes_a_header(alice: Client, changes: dict[str, object]) -> None:
    alice.endpoint.send_message(_message(**changes), "k", 1.0)
    ((_, result),) = _results(alice.endpoint)
    assert result.failure is not None
    assert result.failure.reason in {"malformed", "offline"}
    assert alice.take(1.0) == []
