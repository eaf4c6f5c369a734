"""The SIP transport over real sockets on loopback."""

import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bridge.model.body import Stage
from bridge.model.capabilities import SendResult
from tests.kit.sip import DOMAIN, People
from tests.unit.sip_connector.pem import make_pair
from tests.unit.sip_connector.running import (
    TARGET,
    Intake,
    Log,
    Phone,
    Refusal,
    Running,
    Sink,
    asynchronous,
    pause,
    send_out,
    start,
    the_reactor,
    until,
)
from transports.sip import connector
from transports.sip.connector import SipTransport
from transports.sip.machine.config import EndpointConfig
from transports.sip.machine.endpoint import Endpoint
from transports.sip.machine.flow import TRANSPORTS, Flow
from transports.sip.machine.uac import Arrived, Refused, Registered, Seen, Sent
from transports.sip.seams import STATUS, SipTransportConfig, parse_listener
from transports.sip.tls import TlsError
from transports.sip.wire.native import SipPresence, SipRegistration, SipWatch


@pytest.mark.parametrize("kind", TRANSPORTS)
@asynchronous
async def test_a_conversation(running: Running, kind: str) -> None:
    phone = Phone(running.transport, kind)
    await phone.register()
    assert (
        SipRegistration(aor=f"alice@{DOMAIN}", contacts=1, user_agents=("simplebridge-softphone",))
        in running.sink.natives
    )
    phone.agent.send(TARGET, b"hello", "one", time.monotonic())
    assert await phone.see(Sent) == Sent("one", 202)
    (message,) = running.sink.messages
    assert (message.aor, message.peer, message.body) == (f"alice@{DOMAIN}", TARGET, b"hello")
    results = send_out(running, "two", "größer".encode())
    arrived = await phone.see(Arrived)
    assert isinstance(arrived, Arrived)
    assert arrived.body == "größer".encode()
    phone.turn()
    await until(lambda: results)
    assert results == [SendResult(stage=Stage.DELIVERED)]
    key = phone.agent.subscribe(TARGET, time.monotonic())
    await phone.see(Seen)
    (watch,) = (native for native in running.sink.natives if isinstance(native, SipWatch))
    told: list[SendResult] = []
    shown = SipPresence(
        target=TARGET, watcher=None, pidf=b"<x/>", state="terminated", reason="rejected", subscription=watch.id
    )
    running.transport.send(shown, key="p", deadline=0.0, on_result=told.append)
    assert await phone.see(Seen) == Seen(TARGET, "terminated", b"<x/>", True)
    assert told == [SendResult(stage=Stage.RELAYED)]
    assert key
    phone.close()


@asynchronous
async def test_the_wire_is_answered_after_the_commit(running: Running) -> None:
    phone = Phone(running.transport, "udp")
    await phone.register()
    running.sink.intake = None
    for number in range(20):
        phone.agent.send(TARGET, b"%d" % number, str(number), time.monotonic())
    phone.turn()
    await until(lambda: len(running.sink.waiting) == 20)
    phone.turn()
    assert phone.events == []
    for on_recorded in running.sink.waiting:
        on_recorded(Intake(accepted=True))
    for _ in range(20):
        await phone.see(Sent)
    phone.close()


@pytest.mark.parametrize(("code", "status"), [pair for pair in STATUS.items() if pair[1] >= 300])
@asynchronous
async def test_refusals(running: Running, code: str, status: int) -> None:
    phone = Phone(running.transport, "udp")
    await phone.register()
    running.sink.intake = Intake(accepted=False, refusal=Refusal(code, "no\r\nway", "0199-ref", 7.0))
    phone.agent.send(TARGET, b"x", "k", time.monotonic())
    refused = await phone.see(Refused)
    assert refused == Refused("MESSAGE", "k", status, "no way (reference 0199-ref)")
    phone.close()


@asynchronous
async def test_a_duplicate_is_thanked_for(running: Running) -> None:
    phone = Phone(running.transport, "udp")
    await phone.register()
    running.sink.intake = Intake(accepted=False, refusal=Refusal("duplicate"))
    phone.agent.send(TARGET, b"x", "k", time.monotonic())
    assert await phone.see(Sent) == Sent("k", 202)
    phone.close()


@asynchronous
async def test_a_fault_of_the_bridge_is_a_500_and_the_next_message_goes_on(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = Log()
    monkeypatch.setattr(connector, "_log", log)
    phone = Phone(running.transport, "udp")
    await phone.register()
    running.sink.broken = True
    phone.agent.send(TARGET, b"x", "k", time.monotonic())
    refused = await phone.see(Refused)
    assert isinstance(refused, Refused)
    assert refused.status == 500
    assert log.failures == ["an event of the SIP endpoint could not be handed on"]
    running.sink.broken = False
    phone.agent.send(TARGET, b"x", "k2", time.monotonic())
    await phone.see(Sent)
    phone.close()


@asynchronous
async def test_a_burst_of_datagrams(running: Running) -> None:
    phone = Phone(running.transport, "udp")
    await phone.register()
    for number in range(300):
        phone.agent.send(TARGET, b"%d" % number, str(number), time.monotonic())
    for _ in range(300):
        await phone.see(Sent)
    assert sorted(int(message.body) for message in running.sink.messages) == list(range(300))
    phone.close()


@asynchronous
async def test_messages_out_in_a_burst_over_tcp(running: Running) -> None:
    phone = Phone(running.transport, "tcp")
    await phone.register()
    results = [send_out(running, str(number), b"%d" % number) for number in range(100)]
    for number in range(100):
        arrived = await phone.see(Arrived)
        assert isinstance(arrived, Arrived)
        assert int(arrived.body) == number
    phone.turn()
    await until(lambda: all(results))
    phone.close()


@asynchronous
async def test_nobody_there(running: Running) -> None:
    results = send_out(running, "k")
    await until(lambda: results)
    assert results[0].failure is not None
    assert results[0].failure.reason == "offline"


@asynchronous
async def test_the_deadline_holds(running: Running) -> None:
    phone = Phone(running.transport, "udp")
    await phone.register()
    begin = time.monotonic()
    results = send_out(running, "k", seconds=0.1)
    await until(lambda: results)
    assert results[0].stage is Stage.UNKNOWN
    assert time.monotonic() - begin < 2
    phone.close()


@asynchronous
async def test_a_certificate_is_changed_under_living_connections(running: Running, tmp_path: Path) -> None:
    first = Phone(running.transport, "tls")
    await first.register()
    old = first.socket.get_peer_certificate().get_serial_number()
    make_pair(tmp_path)
    running.transport.reload_tls()
    second = Phone(running.transport, "tls", "bob")
    await second.register()
    assert second.socket.get_peer_certificate().get_serial_number() != old
    await first.register()
    (tmp_path / "key.pem").write_text("nonsense")
    with pytest.raises(TlsError, match=r"key\.pem"):
        running.transport.reload_tls()
    third = Phone(running.transport, "tls", "bob")
    await third.register()
    for phone in (first, second, third):
        phone.close()


@asynchronous
async def test_refused_requests_are_told(running: Running) -> None:
    phone = Phone(running.transport, "udp", "nobody")
    phone.agent.register(time.monotonic())
    await phone.see(Refused)
    assert [(event.method, event.challenged) for event in running.refused] == [("REGISTER", False)]
    phone.close()


@asynchronous
async def test_an_address_in_use_is_an_oserror_and_leaves_nothing_open(running: Running, tmp_path: Path) -> None:
    taken = next(listener.port for listener in running.transport.listeners if listener.transport == "udp")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    listen = tuple(map(parse_listener, ("tcp:127.0.0.1:0", f"udp:127.0.0.1:{port}", f"udp:127.0.0.1:{taken}")))
    config = SipTransportConfig(endpoint=EndpointConfig(domain=DOMAIN, listeners=listen))
    other = SipTransport(config, reactor=the_reactor(), accounts=People(set()), secret=b"0123456789abcdef")
    with pytest.raises(OSError, match="in use"):
        await other.start(Sink())
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as again:
        again.bind(("127.0.0.1", port))


@pytest.mark.parametrize(
    "text", ["udp", "udp:host", "udp::5060", "sctp:127.0.0.1:80", "tcp:127.0.0.1:x", "tcp:h:70000"]
)
def test_listeners_that_cannot_be_read(text: str) -> None:
    with pytest.raises(ValueError, match="transport"):
        parse_listener(text)


def test_listeners() -> None:
    listener = parse_listener("tls:[::1]:5061")
    assert (listener.transport, listener.host, listener.port, listener.sent_by) == ("tls", "::1", 5061, "[::1]:5061")


@asynchronous
async def test_what_cannot_be_sent(running: Running) -> None:
    native = SipRegistration(aor="a@b", contacts=0)
    with pytest.raises(TypeError):
        running.transport.send(native, key="k", deadline=0.0, on_result=lambda result: None)


class Faulty:
    """An endpoint that falls over whatever it is fed."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    def receive(self, flow: Flow, data: bytes, now: float) -> None:
        raise RuntimeError(f"{len(data)} octets from {flow.key} at {now}")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._endpoint, name)


@asynchronous
async def test_a_fault_at_one_datagram_leaves_the_socket_open(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert running.transport.endpoint is not None
    log = Log()
    monkeypatch.setattr(connector, "_log", log)
    phone = Phone(running.transport, "udp")
    with monkeypatch.context() as patch:
        patch.setattr(running.transport, "endpoint", Faulty(running.transport.endpoint))
        phone.agent.register(time.monotonic())
        phone.turn()
        await pause(0.05)
    await phone.see(Registered)  # by its retransmission
    assert log.failures == ["a datagram from {source} could not be served"]
    phone.close()


@asynchronous
async def test_ipv6(tmp_path: Path) -> None:
    listen = tuple(parse_listener(f"{kind}:[::1]:0") for kind in ("udp", "tcp"))
    config = SipTransportConfig(endpoint=EndpointConfig(domain=DOMAIN, listeners=listen))
    transport = SipTransport(config, reactor=the_reactor(), accounts=People({"alice"}), secret=b"0123456789abcdef")
    await transport.start(Sink())
    for kind, listener in zip((socket.SOCK_DGRAM, socket.SOCK_STREAM), transport.listeners, strict=True):
        raw = socket.socket(socket.AF_INET6, kind)
        raw.connect(("::1", listener.port))
        raw.setblocking(False)
        port = raw.getsockname()[1]
        raw.send(
            f"OPTIONS sip:[::1] SIP/2.0\r\nVia: SIP/2.0/X [::1]:{port};branch=z9hG4bKa;rport\r\n"
            "From: <sip:a@b>;tag=1\r\nTo: <sip:[::1]>\r\nCall-ID: a\r\nCSeq: 1 OPTIONS\r\n"
            "Content-Length: 0\r\n\r\n".encode()
        )
        await pause(0.05)
        assert raw.recv(65536).startswith(b"SIP/2.0 200 OK\r\n")
        raw.close()
    await transport.stop(drain=0.0)
    await pause(0.02)


class Store:
    """Keeps bindings when it is told to."""

    def __init__(self) -> None:
        self.done: list[Callable[[bool], None]] = []

    def save(self, aor: str, bindings: object, done: Callable[[bool], None]) -> None:
        """Waits."""
        del aor, bindings
        self.done.append(done)

    def load(self) -> tuple[()]:
        """Nothing."""
        return ()


@asynchronous
async def test_a_registration_is_answered_when_it_is_kept() -> None:
    store = Store()
    listen = (parse_listener("udp:127.0.0.1:0"),)
    config = SipTransportConfig(endpoint=EndpointConfig(domain=DOMAIN, listeners=listen))
    transport = SipTransport(
        config, reactor=the_reactor(), accounts=People({"alice"}), secret=b"0123456789abcdef", bindings=store
    )
    await transport.start(Sink())
    phone = Phone(transport, "udp")
    phone.agent.register(time.monotonic())
    for _ in range(30):
        phone.turn()
        await pause(0.002)
    assert phone.events == []
    assert len(store.done) == 1
    store.done[0](True)
    await phone.see(Registered)
    phone.close()
    await transport.stop(drain=0.0)


@asynchronous
async def test_stop_waits_for_what_is_under_way_and_then_tells_the_truth(tmp_path: Path) -> None:
    running = await start(tmp_path)
    phone = Phone(running.transport, "udp")
    await phone.register()
    results = send_out(running, "k")
    begin = time.monotonic()
    await running.transport.stop(drain=0.2)
    assert time.monotonic() - begin >= 0.2
    assert results[0].stage is Stage.UNKNOWN
    phone.close()
