"""SIP over WebSocket (RFC 7118): whole messages, one connection and no way back but that."""

from bridge.model.body import Stage
from tests.kit.sip import DOMAIN, Client, make_endpoint
from transports.sip.machine.config import Listener
from transports.sip.machine.endpoint import Endpoint
from transports.sip.machine.events import SendFinished
from transports.sip.machine.flow import ConnectTo, Flow
from transports.sip.wire.message import Request, Response, respond_bytes
from transports.sip.wire.native import SipMessage, SipPresence

URI = f"sip:{DOMAIN}"
LISTENERS = (
    Listener(transport="udp", host="192.0.2.1", port=5060),
    Listener(transport="ws", host="192.0.2.1", port=5080),
    Listener(transport="wss", host="192.0.2.1", port=5443),
)


def _endpoint() -> Endpoint:
    return make_endpoint(listeners=LISTENERS)


class Browser(Client):
    """A client as JsSIP is: a Contact that nobody can resolve, and one connection."""

    def __init__(self, endpoint: Endpoint, user: str, transport: str = "ws", port: int = 40_000) -> None:
        super().__init__(endpoint, user, port=port, transport=transport)
        local = ("192.0.2.1", 5443 if transport == "wss" else 5080)
        endpoint.flow_lost(self.flow, 0.0)
        self.flow = Flow(transport, local, self.flow.remote, port)
        endpoint.flow_opened(self.flow, 0.0)

    @property
    def contact(self) -> str:
        return f"sip:{self.user}1@df7jal23ls0d.invalid;transport=ws"


def _message(aor: str) -> SipMessage:
    return SipMessage(
        aor=f"{aor}@{DOMAIN}", peer="sip:x@aim.example.test", call_id="", cseq=0, content_type="text/plain", body=b"hi"
    )


def test_a_message_reaches_a_browser_on_its_own_connection() -> None:
    browser = Browser(_endpoint(), "alice")
    assert browser.register().status == 200
    browser.endpoint.send_message(_message("alice"), "k", 1.0)
    (request,) = browser.take(1.0)
    assert isinstance(request, Request)
    assert (request.top_via.transport, request.top_via.sent_by) == ("WS", "192.0.2.1:5080")
    assert request.uri_text == browser.contact
    browser.endpoint.receive(browser.flow, respond_bytes(request, 200, to_tag="t"), 1.1)
    events = iter(browser.endpoint.next_event, None)
    assert [event.result.stage for event in events if isinstance(event, SendFinished)] == [Stage.DELIVERED]


def test_content_length_is_not_needed_in_a_message_that_is_whole() -> None:
    browser = Browser(_endpoint(), "alice")
    data = browser.request("OPTIONS", URI).replace(b"Content-Length: 0\r\n", b"")
    assert b"Content-Length" not in data
    (answer,) = browser.deliver(data, 1.0)
    assert isinstance(answer, Response)
    assert answer.status == 200


def test_nobody_behind_a_lost_websocket_is_called() -> None:
    browser = Browser(_endpoint(), "alice")
    browser.register()
    browser.endpoint.flow_lost(browser.flow, 1.0)
    browser.endpoint.send_message(_message("alice"), "k", 1.5)
    assert not [output for output in browser.endpoint.to_send(1.5) if isinstance(output, ConnectTo)]
    (event,) = [one for one in iter(browser.endpoint.next_event, None) if isinstance(one, SendFinished)]
    assert event.result.failure is not None
    assert (event.result.failure.reason, event.result.failure.retryable) == ("unreachable", True)


def test_a_contact_that_was_told_over_a_websocket_aims_us_at_nobody_else() -> None:
    browser = Browser(_endpoint(), "alice")
    browser.ask("REGISTER", URI, [("Contact", "<sip:alice@203.0.113.9:5060>")])
    browser.endpoint.send_message(_message("alice"), "k", 1.0)
    outputs = browser.endpoint.to_send(1.0)
    assert [output[0] for output in outputs] == [browser.flow]


def test_what_we_say_of_ourselves_in_a_dialog() -> None:
    for transport in ("ws", "wss"):
        browser = Browser(_endpoint(), "alice", transport)
        headers = [("Contact", f"<{browser.contact}>"), ("Event", "presence"), ("Expires", "600")]
        answer = browser.ask("SUBSCRIBE", f"sip:bob@{DOMAIN}", headers)
        assert answer.status == 200
        (contact,) = answer.contacts
        assert str(contact) == f"<sip:192.0.2.1:{5443 if transport == 'wss' else 5080};transport=ws>"
        browser.endpoint.notify(SipPresence(target=f"sip:bob@{DOMAIN}", watcher=None, pidf=b""), 1.0)
        browser.endpoint.handle_timer(10.0)
        (request,) = browser.take(10.0)
        assert isinstance(request, Request)
        assert request.top_via.transport == transport.upper()


def test_a_keepalive_is_answered() -> None:
    browser = Browser(_endpoint(), "alice")
    browser.endpoint.receive(browser.flow, b"\r\n\r\n", 1.0)
    browser.endpoint.receive(browser.flow, b"\r\n", 1.0)
    browser.endpoint.receive(browser.flow, b"", 1.0)
    assert browser.endpoint.to_send(1.0) == [(browser.flow, b"\r\n")]
