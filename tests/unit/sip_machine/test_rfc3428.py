"""MESSAGE as RFC 3428 wants it, and what it says of one device alone."""

import pytest

from bridge.model.body import Stage
from tests.kit.sip import DOMAIN, Client, make_endpoint
from tests.unit.sip_machine.test_abilities import FRIEND, PLAIN, _message
from transports.sip.machine.events import MessageReceived, SendFinished
from transports.sip.machine.flow import Flow
from transports.sip.wire.message import Request, Response, parse_message, respond_bytes


def test_a_2xx_has_neither_contact_nor_body() -> None:
    """Sections 4 and 7; 202, since what has taken the message is a gateway."""
    client = Client(make_endpoint(), "alice")
    client.register()
    client.deliver(client.request("MESSAGE", FRIEND, [("Content-Type", PLAIN)], b"hi"), 1.0)
    events = [event for event in iter(client.endpoint.next_event, None) if isinstance(event, MessageReceived)]
    client.endpoint.answer(events[0].tx, 202, now=1.0)
    (response,) = client.take(1.0)
    assert isinstance(response, Response)
    assert response.status == 202
    assert not response.has("Contact")
    assert response.body == b""


def test_a_request_has_no_contact() -> None:
    client = Client(make_endpoint(), "alice")
    client.register()
    client.endpoint.send_message(_message(PLAIN), "k", 1.0)
    (request,) = client.take(1.0)
    assert isinstance(request, Request)
    assert not request.has("Contact")
    assert not request.has("Record-Route")


@pytest.mark.parametrize("status", [405, 415, 416, 488, 606])
def test_a_refusal_of_one_device_is_about_that_device_alone(status: int) -> None:
    """JsSIP answers 405 where no listener is set, and 416 to a sips Request-URI."""
    endpoint = make_endpoint()
    page, desk = Client(endpoint, "alice", port=1), Client(endpoint, "alice", port=2)
    page.register()
    desk.register()
    endpoint.send_message(_message(PLAIN), "k", 1.0)
    for flow, data in endpoint.to_send(1.0):
        assert isinstance(flow, Flow)
        assert isinstance(data, bytes)
        request = parse_message(data)
        assert isinstance(request, Request)
        answer = respond_bytes(request, status if flow.remote[1] == 1 else 200, to_tag="t")
        endpoint.receive(flow, answer, 1.1)
    results = [event.result for event in iter(endpoint.next_event, None) if isinstance(event, SendFinished)]
    assert [result.stage for result in results] == [Stage.DELIVERED]


@pytest.mark.parametrize("from_", [f"<sip:alice@{DOMAIN};gr=urn:uuid:1>;tag=t", "<sip:alice@192.0.2.1>;tag=t"])
def test_who_writes_is_named_by_their_address_alone(from_: str) -> None:
    """A gr in From, or an address as its host, would split linphone's chats."""
    client = Client(make_endpoint(), "alice")
    client.register()
    client.deliver(client.request("MESSAGE", FRIEND, [("Content-Type", PLAIN)], b"hi", from_=from_), 1.0)
    events = [event for event in iter(client.endpoint.next_event, None) if isinstance(event, MessageReceived)]
    assert [event.native.aor for event in events] == [f"alice@{DOMAIN}"]


def test_a_websocket_is_never_pinged() -> None:
    """Some versions of JsSIP die on it; nothing goes out that nobody asked for."""
    client = Client(make_endpoint(), "alice", transport="ws")
    client.register()
    client.take(0.0)
    for now in range(1, 3600, 30):
        client.endpoint.handle_timer(float(now))
        assert client.endpoint.to_send(float(now)) == []
