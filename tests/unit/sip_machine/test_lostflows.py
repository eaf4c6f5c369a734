"""A device whose connection broke has a while to come back; then its Contact is asked, and who is silent is gone."""

import pytest

from tests.kit.sip import DOMAIN, Client, make_endpoint
from transports.sip.machine.endpoint import Endpoint
from transports.sip.machine.events import RegistrationChanged
from transports.sip.machine.flow import CloseFlow, ConnectTo, Flow, Target
from transports.sip.machine.lostflows import MOST_AT_ONCE
from transports.sip.machine.ports import Done, StoredBinding
from transports.sip.wire.message import Request, parse_message, respond_bytes
from transports.sip.wire.native import SipMessage

WAIT = 15.0


class Store:
    """Keeps the last of what it was told."""

    def __init__(self) -> None:
        self.kept: dict[str, int] = {}

    def save(self, aor: str, bindings: tuple[StoredBinding, ...], done: Done) -> None:
        self.kept[aor] = len(bindings)
        done(True, 0.0)

    def load(self) -> tuple[StoredBinding, ...]:
        return ()


def _told(endpoint: Endpoint) -> list[int]:
    events = iter(endpoint.next_event, None)
    return [event.native.contacts for event in events if isinstance(event, RegistrationChanged)]


def _asked(endpoint: Endpoint, now: float) -> list[ConnectTo]:
    return [output for output in endpoint.to_send(now) if isinstance(output, ConnectTo)]


def _break(client: Client, now: float) -> None:
    client.endpoint.flow_lost(client.flow, now)


def test_who_cannot_be_reached_is_signed_off() -> None:
    store = Store()
    alice = Client(make_endpoint(bindings=store), "alice", transport="tcp")
    alice.register()
    endpoint = alice.endpoint
    assert _told(endpoint) == [1]
    _break(alice, 10.0)
    endpoint.handle_timer(10.0 + WAIT - 0.1)
    assert _asked(endpoint, 24.9) == []
    endpoint.handle_timer(10.0 + WAIT)
    ((target, data),) = _asked(endpoint, 25.0)
    request = parse_message(data)
    assert isinstance(request, Request)
    assert (target, request.method, request.uri_text) == (Target("tcp", "192.0.2.9", 40_000), "OPTIONS", alice.contact)
    assert str(request.from_.uri) == f"sip:{DOMAIN}"
    assert _told(endpoint) == []
    endpoint.connect_failed(target, 25.1)
    assert _told(endpoint) == [0]
    assert store.kept == {f"alice@{DOMAIN}": 0}
    assert endpoint.counts["bindings"] == 0


@pytest.mark.parametrize(("status", "left"), [(200, 1), (405, 1), (481, 1), (430, 0)])
def test_whatever_is_answered_the_device_is_there(status: int, left: int) -> None:
    alice = Client(make_endpoint(), "alice", transport="tcp")
    alice.register()
    _break(alice, 10.0)
    alice.endpoint.handle_timer(25.0)
    ((target, data),) = _asked(alice.endpoint, 25.0)
    flow = Flow("tcp", ("192.0.2.1", 5060), (target.host, target.port), 77)
    alice.endpoint.flow_opened(flow, 25.1, target)
    request = parse_message(data)
    assert isinstance(request, Request)
    alice.endpoint.receive(flow, respond_bytes(request, status, to_tag="t"), 25.2)
    assert alice.endpoint.counts["bindings"] == left


def test_silence_is_no_answer() -> None:
    alice = Client(make_endpoint(), "alice", transport="tcp")
    alice.register()
    _break(alice, 10.0)
    alice.endpoint.handle_timer(25.0)
    ((target, _),) = _asked(alice.endpoint, 25.0)
    alice.endpoint.flow_opened(Flow("tcp", ("192.0.2.1", 5060), (target.host, target.port), 77), 25.1, target)
    alice.endpoint.handle_timer(25.0 + 32.1)
    assert alice.endpoint.counts["bindings"] == 0


@pytest.mark.parametrize("asked_first", [True, False])
def test_who_answers_a_message_is_there_whatever_becomes_of_options(asked_first: bool) -> None:
    """SIPp, and programs made for one purpose, let an OPTIONS go without a word and take message after message."""
    alice = Client(make_endpoint(), "alice", transport="tcp")
    alice.register()
    endpoint = alice.endpoint
    _break(alice, 10.0)
    flow = Flow("tcp", ("192.0.2.1", 5060), ("192.0.2.9", 40_000), 77)
    if asked_first:
        endpoint.handle_timer(25.0)
        ((target, _),) = _asked(endpoint, 25.0)
        endpoint.flow_opened(flow, 25.0, target)
        endpoint.to_send(25.0)
    moment = 26.0 if asked_first else 12.0
    message = SipMessage(
        aor=f"alice@{DOMAIN}", peer=f"sip:bob@{DOMAIN}", call_id="", cseq=0, content_type="text/plain", body=b"x"
    )
    endpoint.send_message(message, "k", moment)
    (sent,) = endpoint.to_send(moment)
    if isinstance(sent, ConnectTo):
        endpoint.flow_opened(flow, moment, sent.target)
    assert not isinstance(sent, CloseFlow)
    request = parse_message(sent[1])
    assert isinstance(request, Request)
    endpoint.receive(flow, respond_bytes(request, 200, to_tag="t"), moment)
    for later in (25.0, 60.0, 100.0):
        endpoint.handle_timer(max(moment, later))
    assert endpoint.counts["bindings"] == 1
    assert _asked(endpoint, 100.0) == []
    assert endpoint._lost.doubted == {}


def test_who_comes_back_in_time_is_not_asked() -> None:
    alice = Client(make_endpoint(), "alice", transport="tcp")
    alice.register()
    _break(alice, 10.0)
    again = Client(alice.endpoint, "alice", transport="tcp", port=40_001)
    again.register(12.0, 3600, ("Contact", f"<{alice.contact}>;expires=0"))
    alice.endpoint.to_send(12.0)
    alice.endpoint.handle_timer(30.0)
    assert _asked(alice.endpoint, 30.0) == []
    assert alice.endpoint.counts["bindings"] == 1


def test_a_refresh_on_another_connection_is_a_return_too() -> None:
    alice = Client(make_endpoint(), "alice", transport="tcp")
    alice.register()
    other = Client(alice.endpoint, "alice", transport="tcp", port=40_001)
    other.challenge, other.cseq, other.count = alice.challenge, 50, 50
    headers = [("Contact", f"<{alice.contact}>;expires=600")]
    assert other.ask("REGISTER", f"sip:{DOMAIN}", headers, now=5.0).status == 200
    _break(alice, 10.0)
    alice.endpoint.handle_timer(30.0)
    assert _asked(alice.endpoint, 30.0) == []
    assert alice.endpoint.counts["bindings"] == 1


def test_behind_a_websocket_there_is_nobody_to_ask() -> None:
    endpoint = make_endpoint()
    browser = Client(endpoint, "alice")
    browser.flow = Flow("ws", ("192.0.2.1", 5080), browser.flow.remote, 9)
    endpoint.flow_opened(browser.flow, 0.0)
    browser.register()
    _break(browser, 10.0)
    endpoint.handle_timer(25.0)
    assert endpoint.to_send(25.0) == []
    assert endpoint.counts["bindings"] == 0


def test_the_connection_of_a_proxy_says_nothing_of_a_device() -> None:
    alice = Client(make_endpoint(), "alice", transport="tcp")
    alice.register(0.0, 3600, ("Path", "<sip:proxy.example.test;transport=tcp;lr>"), ("Supported", "path"))
    _break(alice, 10.0)
    alice.endpoint.handle_timer(25.0)
    assert _asked(alice.endpoint, 25.0) == []
    assert alice.endpoint.counts["bindings"] == 1


def test_a_broken_network_makes_no_storm() -> None:
    endpoint = make_endpoint(users=2 * MOST_AT_ONCE)
    clients = [Client(endpoint, f"user{n}", transport="tcp", port=30_000 + n) for n in range(2 * MOST_AT_ONCE)]
    for client in clients:
        assert client.register().status == 200
    for client in clients:
        _break(client, 10.0)
    endpoint.handle_timer(25.0)
    first = _asked(endpoint, 25.0)
    assert len(first) == MOST_AT_ONCE
    for target, _ in first:
        endpoint.connect_failed(target, 25.5)
    second = _asked(endpoint, 25.5)
    assert len(second) == MOST_AT_ONCE
    assert endpoint.counts["bindings"] == MOST_AT_ONCE
    for target, _ in second:
        endpoint.connect_failed(target, 26.0)
    assert endpoint.counts["bindings"] == 0
