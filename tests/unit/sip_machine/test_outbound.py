"""SIP Outbound: RFC 5626. Several flows of a device, one of them used at a time, the next when it fails."""

import pytest

from tests.kit.sip import DOMAIN, SERVER, Client, KeptBindings, make_endpoint
from transports.sip.machine.config import Lifetimes
from transports.sip.machine.endpoint import Endpoint
from transports.sip.machine.events import RegistrationChanged, SendFinished
from transports.sip.machine.flow import CloseFlow, Flow
from transports.sip.wire.message import Request, Response, parse_message, respond_bytes
from transports.sip.wire.native import SipMessage

INSTANCE = "<urn:uuid:00000000-0000-1000-8000-aabbccddeeff>"
OUTBOUND = ("Supported", "path, outbound")
VIA = "SIP/2.0/UDP 198.51.100.1;branch=z9hG4bKproxy, SIP/2.0/UDP 192.0.2.9:40000;branch=z9hG4bKua"


def register(
    client: Client, reg_id: str | None = "1", *more: tuple[str, str], now: float = 1.0, expires: int = 600
) -> Response:
    contact = f'<{client.contact}>;+sip.instance="{INSTANCE}";expires={expires}'
    if reg_id is not None:
        contact += f";reg-id={reg_id}"
    return client.ask("REGISTER", f"sip:{DOMAIN}", [("Contact", contact), *(more or (OUTBOUND,))], now=now)


def flows(endpoint: Endpoint, transport: str = "tcp", count: int = 2) -> list[Client]:
    """Alice's device with several flows, each registered."""
    found = []
    for number in range(1, count + 1):
        client = Client(endpoint, "alice", port=40_000 + number, transport=transport)
        assert register(client, str(number), now=float(number)).status == 200
        found.append(client)
    return found


def send(endpoint: Endpoint, key: str = "one", now: float = 10.0) -> None:
    native = SipMessage(
        aor=f"alice@{DOMAIN}", peer=f"sip:bob@{DOMAIN}", call_id="", cseq=0, content_type="text/plain", body=b"hi"
    )
    endpoint.send_message(native, key, now)


def requests(endpoint: Endpoint, now: float) -> list[tuple[int, Request]]:
    """What goes out: to which port, and what."""
    found = []
    for output in endpoint.to_send(now):
        assert not isinstance(output, CloseFlow)
        flow, data = output
        assert isinstance(flow, Flow), flow
        assert isinstance(data, bytes)
        message = parse_message(data)
        if isinstance(message, Request):
            found.append((flow.remote[1], message))
    return found


def results(endpoint: Endpoint) -> list[str]:
    return [e.result.stage.name for e in iter(endpoint.next_event, None) if isinstance(e, SendFinished)]


@pytest.fixture
def endpoint() -> Endpoint:
    return make_endpoint()


# Registration: sections 4.2 and 6


def test_each_flow_of_a_device_is_a_binding(endpoint: Endpoint) -> None:
    flows(endpoint, count=3)
    assert [one.reg_id for one in endpoint.registrar.contacts(f"alice@{DOMAIN}")] == ["1", "2", "3"]


def test_the_answer_says_that_outbound_is_used_and_how_long_a_flow_may_be_silent(endpoint: Endpoint) -> None:
    response = register(Client(endpoint, "alice", transport="tcp"))
    assert (response.first("Require"), response.first("Flow-Timer")) == ("outbound", "120")
    assert "reg-id=1" in (response.first("Contact") or "")


def test_who_does_not_support_it_is_not_told_of_it(endpoint: Endpoint) -> None:
    response = register(Client(endpoint, "alice"), "1", ("Supported", "path"))
    assert (response.status, response.first("Require"), response.first("Flow-Timer")) == (200, None, None)
    response = register(Client(endpoint, "bob"), None)
    assert (response.status, response.first("Require")) == (200, None)


def test_require_outbound_is_understood(endpoint: Endpoint) -> None:
    assert register(Client(endpoint, "alice"), "1", OUTBOUND, ("Require", "outbound")).status == 200


def test_a_device_that_comes_back_elsewhere_takes_its_old_place(endpoint: Endpoint) -> None:
    for port in (40_001, 40_002, 40_003):
        register(Client(endpoint, "alice", port=port, transport="tcp"), "1", now=float(port))
    (binding,) = endpoint.registrar.contacts(f"alice@{DOMAIN}")
    assert binding.flow.remote[1] == 40_003


def test_two_flows_with_one_contact_are_two_bindings(endpoint: Endpoint) -> None:
    first, second = (Client(endpoint, "alice", port=port, transport="tcp") for port in (40_001, 40_002))
    for number, client in enumerate((first, second), 1):
        contact = f'<sip:alice@192.0.2.9>;+sip.instance="{INSTANCE}";reg-id={number}'
        assert client.ask("REGISTER", f"sip:{DOMAIN}", [("Contact", contact), OUTBOUND]).status == 200
    assert len(endpoint.registrar.contacts(f"alice@{DOMAIN}")) == 2


@pytest.mark.parametrize("reg_id", ["0", "x", "-1", "2147483648", "1_0", "99999999999"])
def test_a_reg_id_is_a_positive_number(endpoint: Endpoint, reg_id: str) -> None:
    assert register(Client(endpoint, "alice"), reg_id).status == 400


def test_a_reg_id_without_an_instance_means_nothing(endpoint: Endpoint) -> None:
    client = Client(endpoint, "alice")
    response = client.ask("REGISTER", f"sip:{DOMAIN}", [("Contact", f"<{client.contact}>;reg-id=1"), OUTBOUND])
    assert (response.status, response.first("Require")) == (200, None)
    assert endpoint.registrar.contacts(f"alice@{DOMAIN}")[0].reg_id == ""


def test_a_reg_id_stands_alone(endpoint: Endpoint) -> None:
    client = Client(endpoint, "alice")
    contact = f'<{client.contact}>;+sip.instance="{INSTANCE}";reg-id=1, <sip:alice@192.0.2.10>'
    assert client.ask("REGISTER", f"sip:{DOMAIN}", [("Contact", contact), OUTBOUND]).status == 400


# Through a proxy: sections 5.1 and 6, RFC 3327


def _by_proxy(endpoint: Endpoint, *headers: tuple[str, str], reg_id: str = ";reg-id=1") -> Response:
    client = Client(endpoint, "alice", port=5060, host="198.51.100.1")
    client.register()
    contact = f'<sip:alice@192.0.2.9:40000>;+sip.instance="{INSTANCE}"{reg_id}'
    data = client.request("REGISTER", f"sip:{DOMAIN}", [("Contact", contact), *headers], via=VIA)
    (response,) = client.deliver(data, 1.0)
    assert isinstance(response, Response)
    return response


def test_a_first_hop_without_outbound_is_told_with_439(endpoint: Endpoint) -> None:
    assert _by_proxy(endpoint, OUTBOUND).status == 439
    assert _by_proxy(endpoint, OUTBOUND, ("Path", "<sip:198.51.100.1;lr>")).status == 439
    path = ("Path", "<sip:198.51.100.1;lr;ob>, <sip:198.51.100.2;lr>")
    assert _by_proxy(endpoint, OUTBOUND, path).status == 439  # the last one was there first


def test_where_it_is_not_asked_for_the_reg_id_is_ignored(endpoint: Endpoint) -> None:
    assert _by_proxy(endpoint, ("Supported", "path")).status == 200
    assert all(one.reg_id == "" for one in endpoint.registrar.contacts(f"alice@{DOMAIN}"))


def test_an_edge_proxy_keeps_the_flow_and_its_path_is_the_route(endpoint: Endpoint) -> None:
    path = "<sip:198.51.100.9;lr>, <sip:token@198.51.100.1;lr;ob>"
    response = _by_proxy(endpoint, OUTBOUND, ("Path", path))
    assert (response.status, response.first("Require"), response.first("Flow-Timer")) == (200, "outbound", None)
    assert response.lines("Path") == [path]
    endpoint.registrar.drop(
        f"alice@{DOMAIN}", next(b for b in endpoint.registrar.contacts(f"alice@{DOMAIN}") if not b.path), 2.0
    )
    send(endpoint)
    (output,) = endpoint.to_send(10.0)
    flow, data = output[0], output[1]
    assert isinstance(flow, Flow)
    assert isinstance(data, bytes)
    request = parse_message(data)
    assert flow.remote == ("198.51.100.9", 5060)
    assert isinstance(request, Request)
    assert request.values("Route") == ["<sip:198.51.100.9;lr>", "<sip:token@198.51.100.1;lr;ob>"]
    assert request.uri_text == "sip:alice@192.0.2.9:40000"


# Flows that fail: section 5.3


def test_a_device_gets_a_message_once_on_the_flow_that_was_refreshed_last(endpoint: Endpoint) -> None:
    flows(endpoint)
    send(endpoint)
    ((port, request),) = requests(endpoint, 10.0)
    assert (port, request.method) == (40_002, "MESSAGE")


def test_two_devices_get_it_once_each(endpoint: Endpoint) -> None:
    flows(endpoint)
    other = Client(endpoint, "alice", port=40_500)
    other.register()
    send(endpoint)
    assert sorted(port for port, _ in requests(endpoint, 10.0)) == [40_002, 40_500]


@pytest.mark.parametrize("status", [430, 408])
def test_a_flow_that_has_failed_is_followed_by_the_next(endpoint: Endpoint, status: int) -> None:
    first, second = flows(endpoint)
    send(endpoint)
    ((_, request),) = requests(endpoint, 10.0)
    endpoint.receive(second.flow, respond_bytes(request, status, to_tag="x"), 10.1)
    ((port, again),) = requests(endpoint, 10.1)
    assert port == 40_001
    assert (again.call_id, again.cseq.number) == (request.call_id, 1)
    assert again.top_via.branch != request.top_via.branch
    assert results(endpoint) == []
    endpoint.receive(first.flow, respond_bytes(again, 200, to_tag="x"), 10.2)
    assert results(endpoint) == ["DELIVERED"]


def test_another_answer_is_the_device_s_and_no_other_flow_is_tried(endpoint: Endpoint) -> None:
    _, second = flows(endpoint)
    send(endpoint)
    ((_, request),) = requests(endpoint, 10.0)
    endpoint.receive(second.flow, respond_bytes(request, 486, to_tag="x"), 10.1)
    assert requests(endpoint, 10.1) == []
    assert results(endpoint) == ["FAILED"]


def test_a_connection_that_breaks_under_a_message_is_followed_by_the_next(endpoint: Endpoint) -> None:
    first, second = flows(endpoint)
    send(endpoint)
    requests(endpoint, 10.0)
    endpoint.flow_lost(second.flow, 10.1)
    ((port, _),) = requests(endpoint, 10.1)
    assert port == 40_001
    endpoint.flow_lost(first.flow, 10.2)
    assert results(endpoint) == ["UNKNOWN"]  # both may have got it


def test_a_connection_that_is_gone_is_not_tried_and_nobody_is_connected_to(endpoint: Endpoint) -> None:
    first, second = flows(endpoint)
    endpoint.flow_lost(second.flow, 9.0)
    send(endpoint)
    ((port, _),) = requests(endpoint, 10.0)
    assert port == 40_001
    endpoint.flow_lost(first.flow, 11.0)
    send(endpoint, "two", 11.5)
    assert requests(endpoint, 11.5) == []


def test_silence_over_udp_is_followed_by_the_next_flow(endpoint: Endpoint) -> None:
    flows(endpoint, "udp")
    send(endpoint)
    assert requests(endpoint, 10.0)[0][0] == 40_002
    now, ports = 10.0, set()
    while now < 45.0:
        now += 0.5
        endpoint.handle_timer(now)
        ports |= {port for port, _ in requests(endpoint, now)}
    assert ports == {40_001, 40_002}


def test_a_flow_that_comes_while_a_message_is_out_does_not_get_it_too(endpoint: Endpoint) -> None:
    flows(endpoint, count=1)
    send(endpoint)
    assert len(requests(endpoint, 10.0)) == 1
    register(Client(endpoint, "alice", port=40_002, transport="tcp"), "2", now=10.5)
    assert requests(endpoint, 10.5) == []


def test_a_long_text_goes_whole_while_one_connection_lives(endpoint: Endpoint) -> None:
    first, second = flows(endpoint)
    alice = f"alice@{DOMAIN}"
    assert endpoint.max_body(alice) == 65536
    endpoint.flow_lost(second.flow, 9.0)
    assert endpoint.max_body(alice) == 65536
    endpoint.flow_lost(first.flow, 9.0)
    assert endpoint.max_body(alice) == 600


def test_a_long_text_does_not_leave_the_flow(endpoint: Endpoint) -> None:
    """RFC 5626 section 7 goes before RFC 3428 section 8: what its Contact says of TCP does not lead to it."""
    client = Client(endpoint, "alice", port=40_001)
    contact = f'<sip:alice@192.0.2.9:40001;transport=tcp>;+sip.instance="{INSTANCE}";reg-id=1'
    assert client.ask("REGISTER", f"sip:{DOMAIN}", [("Contact", contact), OUTBOUND]).status == 200
    assert endpoint.max_body(f"alice@{DOMAIN}") == 600
    native = SipMessage(
        aor=f"alice@{DOMAIN}", peer=f"sip:bob@{DOMAIN}", call_id="", cseq=0, content_type="text/plain", body=b"x" * 2000
    )
    endpoint.send_message(native, "long", 2.0)
    assert requests(endpoint, 2.0) == []
    assert results(endpoint) == ["FAILED"]


def test_a_lost_flow_ends_its_binding_alone(endpoint: Endpoint) -> None:
    _, second = flows(endpoint)
    endpoint.flow_lost(second.flow, 20.0)
    for now in (34.0, 36.0):
        endpoint.handle_timer(now)
        assert requests(endpoint, now) == []  # its Contact is not asked: it is reached by its flow or not at all
    (binding,) = endpoint.registrar.contacts(f"alice@{DOMAIN}")
    assert binding.reg_id == "1"
    told = [
        event.native.contacts for event in iter(endpoint.next_event, None) if isinstance(event, RegistrationChanged)
    ]
    assert told == [1, 2, 1]


def test_after_a_restart_a_device_is_reached_by_its_next_flow_only() -> None:
    store = KeptBindings()
    flows(make_endpoint(bindings=store), count=1)
    again = make_endpoint(bindings=store)
    send(again)
    assert requests(again, 10.0) == []
    assert register(Client(again, "alice", port=40_009, transport="tcp"), now=11.0).status == 200
    send(again, "two", 12.0)
    assert [port for port, _ in requests(again, 12.0)] == [40_009]


# Keep-alives: sections 3.5, 4.4 and 5.4


def _closed(endpoint: Endpoint, now: float) -> list[int]:
    endpoint.handle_timer(now)
    return [output.flow.remote[1] for output in endpoint.to_send(now) if isinstance(output, CloseFlow)]


def test_a_flow_that_was_kept_alive_and_is_no_more_is_closed(endpoint: Endpoint) -> None:
    (client,) = flows(endpoint, count=1)
    for now in range(30, 300, 30):
        endpoint.handle_timer(float(now))
        endpoint.receive(client.flow, b"\r\n\r\n", float(now))
        assert endpoint.to_send(float(now)) == [(client.flow, b"\r\n")]
    assert _closed(endpoint, 380.0) == []
    assert _closed(endpoint, 270.0 + 151.0) == [client.flow.remote[1]]


def test_who_never_pings_is_left_alone(endpoint: Endpoint) -> None:
    """JsSIP registers by outbound, and sends no keep-alive."""
    flows(endpoint, count=1)
    assert [_closed(endpoint, float(now)) for now in range(100, 600, 100)] == [[]] * 5


def test_a_websocket_is_promised_nothing(endpoint: Endpoint) -> None:
    response = register(Client(endpoint, "alice", transport="ws"))
    assert (response.first("Require"), response.first("Flow-Timer")) == ("outbound", None)


def test_the_time_is_a_setting() -> None:
    endpoint = make_endpoint(lifetimes=Lifetimes(flow_timer=40))
    client = Client(endpoint, "alice", transport="tcp")
    assert register(client).first("Flow-Timer") == "40"
    endpoint.receive(client.flow, b"\r\n\r\n", 2.0)
    endpoint.to_send(2.0)
    assert _closed(endpoint, 60.0) == [client.flow.remote[1]]


def test_a_stun_request_is_answered_on_the_sip_port(endpoint: Endpoint) -> None:
    flow = Flow("udp", SERVER, ("192.0.2.1", 32853))
    request = bytes.fromhex("000100002112a442") + bytes(range(12))
    endpoint.receive(flow, request, 1.0)
    ((way, data),) = endpoint.to_send(1.0)
    assert way is flow
    assert isinstance(data, bytes)
    assert data.startswith(bytes.fromhex("0101000c2112a442"))
    assert endpoint.counts["bad_messages"] == 0
    endpoint.receive(flow, b"\0\x11" + request[2:], 1.0)  # an indication
    assert endpoint.to_send(1.0) == []
