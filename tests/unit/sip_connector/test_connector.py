"""The SIP transport over real sockets on loopback."""

import os
import socket
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import suppress
from functools import wraps
from pathlib import Path
from typing import Any, cast

import pytest
import pytest_twisted
from attrs import frozen
from OpenSSL import SSL
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, BytesMessage, TextMessage
from wsproto.events import Request as WebRequest

from bridge.model.body import Stage
from bridge.model.capabilities import SendResult
from tests.kit.ports import free_port
from tests.kit.sip import DOMAIN, PASSWORD, People
from tests.unit.sip_connector.pem import make_pair
from transports.sip import connector
from transports.sip.connector import SipTransport
from transports.sip.machine.config import EndpointConfig
from transports.sip.machine.endpoint import Endpoint
from transports.sip.machine.events import RequestRefused
from transports.sip.machine.flow import SECURED, TRANSPORTS, WEBSOCKETS, Flow, Target
from transports.sip.machine.uac import AgentEvent, Arrived, Refused, Registered, Seen, Sent, UserAgent, UserAgentConfig
from transports.sip.reactors import SipReactor
from transports.sip.seams import STATUS, ConnectionLimits, SipTransportConfig, parse_listener
from transports.sip.tls import TlsError, TlsFiles
from transports.sip.wire.native import SipMessage, SipNative, SipPresence, SipRegistration, SipWatch

TARGET = "sip:friend@aim.example.test"


def _reactor() -> SipReactor:
    from twisted.internet import reactor

    return cast("SipReactor", reactor)


async def pause(seconds: float = 0.01) -> None:
    """Lets the reactor turn."""
    await deferLater(_reactor(), seconds)


async def until(condition: Callable[[], object], seconds: float = 5.0) -> None:
    """Waits for a condition; fails where it does not come."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        await pause(0.005)


@frozen
class Refusal:
    """As the bridge's."""

    code: str
    reason: str = "because"
    reference: str = ""
    retry_after: float | None = None


@frozen
class Intake:
    """As the bridge's."""

    accepted: bool
    held: bool = False
    refusal: Refusal | None = None


class Sink:
    """Takes what comes in, and answers as told."""

    def __init__(self) -> None:
        self.natives: list[SipNative] = []
        self.intake: Intake | None = Intake(accepted=True)
        self.waiting: list[Callable[[Intake], None]] = []
        self.broken = False

    def deliver(self, native: SipNative, on_recorded: Callable[[Any], None]) -> None:
        """Notes it."""
        if self.broken:
            raise RuntimeError("a fault of the bridge")
        self.natives.append(native)
        if self.intake is None:
            self.waiting.append(on_recorded)
        else:
            on_recorded(self.intake)

    @property
    def messages(self) -> list[SipMessage]:
        """The MESSAGEs among them."""
        return [native for native in self.natives if isinstance(native, SipMessage)]


class Log:
    """Takes the place of the connector's log."""

    def __init__(self) -> None:
        self.failures: list[str] = []

    def failure(self, text: str, **values: object) -> None:
        """Notes a failure."""
        del values
        self.failures.append(text)


class Phone:
    """A user agent with a blocking socket that is read without waiting."""

    def __init__(self, transport: SipTransport, kind: str, user: str = "alice") -> None:
        (self.port,) = (listener.port for listener in transport.listeners if listener.transport == kind)
        raw = socket.socket(socket.AF_INET, socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM)
        raw.connect(("127.0.0.1", self.port))
        self.raw = raw
        self.socket: Any = raw
        if kind in SECURED:
            self.socket = SSL.Connection(SSL.Context(SSL.TLS_CLIENT_METHOD), raw)
            self.socket.set_connect_state()
        raw.setblocking(False)
        self.kind = kind
        local = raw.getsockname()
        self.flow = Flow(kind, local, ("127.0.0.1", self.port), 1)
        config = UserAgentConfig(
            aor=f"{user}@{DOMAIN}", username=user, password=PASSWORD, local=local,
            server=Target(kind, "127.0.0.1", self.port),
        )  # fmt: skip
        self.agent = UserAgent(config, entropy=os.urandom)
        self.agent.flow_opened(self.flow, 0.0)
        self.events: list[AgentEvent] = []
        self.closed = False
        self._handshaken = kind not in SECURED
        self.web = WSConnection(ConnectionType.CLIENT) if kind in WEBSOCKETS else None
        self.web_events: list[object] = []
        self._upgraded = self.web is None
        self._asked = False

    def turn(self) -> None:
        """Sends and reads what there is."""
        self.agent.handle_timer(time.monotonic())
        try:
            if not self._handshaken:
                self.socket.do_handshake()
                self._handshaken = True
            self._write()
            while not self.closed:
                data = self.socket.recv(65536)
                self.closed = not data
                self._read(data)
                self._write()
        except (BlockingIOError, SSL.WantReadError):
            pass
        except (ConnectionError, SSL.ZeroReturnError, SSL.SysCallError):
            self.closed = True
        while (event := self.agent.next_event()) is not None:
            self.events.append(event)

    def _write(self) -> None:
        if self.web is not None and not self._asked:
            self._asked = True
            self.socket.send(self.web.send(WebRequest(host="sip.test", target="/", subprotocols=["sip"])))
        if not self._upgraded:
            return
        for output in self.agent.to_send(0.0):
            data = output[1]
            assert isinstance(data, bytes)
            self.socket.send(data if self.web is None else self.web.send(BytesMessage(data)))

    def _read(self, data: bytes) -> None:
        if self.web is None:
            self.agent.receive(self.flow, data, time.monotonic())
            return
        self.web.receive_data(data or None)
        for event in self.web.events():
            self.web_events.append(event)
            self._upgraded = self._upgraded or isinstance(event, AcceptConnection)
            if isinstance(event, TextMessage | BytesMessage):
                whole = event.data.encode() if isinstance(event, TextMessage) else bytes(event.data)
                assert event.message_finished
                self.agent.receive(self.flow, whole, time.monotonic())

    async def see(self, kind: type[AgentEvent]) -> AgentEvent:
        """Waits for an event of a kind, and takes it."""
        end = time.monotonic() + 5
        while True:
            self.turn()
            for event in self.events:
                if isinstance(event, kind):
                    self.events.remove(event)
                    return event
            assert time.monotonic() < end, f"no {kind.__name__}: {self.events}"
            await pause(0.003)

    async def register(self) -> None:
        """Registers."""
        self.agent.register(time.monotonic())
        await self.see(Registered)

    def close(self) -> None:
        """Closes the socket."""
        self.raw.close()


class Running:
    """A transport with its sink."""

    def __init__(self, transport: SipTransport, sink: Sink, refused: list[RequestRefused], files: TlsFiles) -> None:
        self.transport = transport
        self.sink = sink
        self.refused = refused
        self.files = files


async def start(tmp_path: Path, **limits: Any) -> Running:
    """Starts a transport on free ports of loopback."""
    files = make_pair(tmp_path)
    listen = tuple(parse_listener(f"{kind}:127.0.0.1:0") for kind in TRANSPORTS)
    config = SipTransportConfig(
        endpoint=EndpointConfig(domain=DOMAIN, listeners=listen, network_domains=frozenset({"aim.example.test"})),
        tls=files,
        limits=ConnectionLimits(**limits),
    )
    refused: list[RequestRefused] = []
    sink = Sink()
    transport = SipTransport(
        config, reactor=_reactor(), accounts=People({"alice", "bob"}), secret=b"0123456789abcdef",
        on_refused=refused.append,
    )  # fmt: skip
    await transport.start(sink)
    return Running(transport, sink, refused, files)


@pytest_twisted.async_yield_fixture  # type: ignore[untyped-decorator]
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    """A transport that runs."""
    it = await start(tmp_path)
    yield it
    await it.transport.stop(drain=0.0)
    await pause(0.02)


def asynchronous(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., Deferred[None]]:
    """Runs a coroutine as a test."""

    @wraps(test)
    def run(*args: Any, **kwargs: Any) -> Deferred[None]:
        return Deferred.fromCoroutine(test(*args, **kwargs))

    return cast("Callable[..., Deferred[None]]", pytest_twisted.inlineCallbacks(_waiting(run)))


def _waiting(run: Callable[..., Deferred[None]]) -> Callable[..., Any]:
    @wraps(run)
    def generator(*args: Any, **kwargs: Any) -> Any:
        yield run(*args, **kwargs)

    return generator


def _out(
    running: Running, key: str, body: bytes = b"hi", user: str = "alice", seconds: float = 10.0
) -> list[SendResult]:
    results: list[SendResult] = []
    native = SipMessage(aor=f"{user}@{DOMAIN}", peer=TARGET, call_id="", cseq=0, content_type="text/plain", body=body)
    deadline = _reactor().seconds() + seconds
    running.transport.send(native, key=key, deadline=deadline, on_result=results.append)
    return results


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
    results = _out(running, "two", "größer".encode())
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
    results = [_out(running, str(number), b"%d" % number) for number in range(100)]
    for number in range(100):
        arrived = await phone.see(Arrived)
        assert isinstance(arrived, Arrived)
        assert int(arrived.body) == number
    phone.turn()
    await until(lambda: all(results))
    phone.close()


@asynchronous
async def test_nobody_there(running: Running) -> None:
    results = _out(running, "k")
    await until(lambda: results)
    assert results[0].failure is not None
    assert results[0].failure.reason == "offline"


@asynchronous
async def test_the_deadline_holds(running: Running) -> None:
    phone = Phone(running.transport, "udp")
    await phone.register()
    begin = time.monotonic()
    results = _out(running, "k", seconds=0.1)
    await until(lambda: results)
    assert results[0].stage is Stage.UNKNOWN
    assert time.monotonic() - begin < 2
    phone.close()


@asynchronous
async def test_a_connection_that_is_lost_is_gone(running: Running) -> None:
    phone = Phone(running.transport, "tcp")
    await phone.register()
    assert running.transport.counts["connections"] == 1
    results = _out(running, "k")
    await phone.see(Arrived)
    phone.close()
    await until(lambda: results)
    assert running.transport.counts["connections"] == 0
    assert running.transport.counts["flows"] == 0


async def _received(wire: socket.socket) -> bytes:
    """Returns all that comes until the other side ends."""
    got = bytearray()

    def ended() -> bool:
        with suppress(BlockingIOError):
            while data := wire.recv(65536):
                got.extend(data)
            return True
        return False

    await until(ended)
    return bytes(got)


@asynchronous
async def test_who_ends_their_side_is_answered_first(running: Running) -> None:
    phone = Phone(running.transport, "tcp")
    await phone.register()
    running.sink.intake = None
    phone.agent.send(TARGET, b"the last word", "1", time.monotonic())
    phone.turn()
    phone.raw.shutdown(socket.SHUT_WR)
    await until(lambda: running.sink.waiting)
    running.sink.waiting[0](Intake(accepted=True))
    assert (await _received(phone.raw)).startswith(b"SIP/2.0 202 ")
    await until(lambda: running.transport.counts["connections"] == 0)
    phone.close()


@asynchronous
async def test_who_ends_their_side_and_waits_for_nothing_is_gone_at_once(running: Running) -> None:
    phone = Phone(running.transport, "tcp")
    await phone.register()
    phone.raw.shutdown(socket.SHUT_WR)
    assert await _received(phone.raw) == b""
    await until(lambda: running.transport.counts["connections"] == 0)
    phone.close()


@asynchronous
async def test_a_contact_is_dialled_where_its_connection_is_gone(running: Running) -> None:
    got: list[bytes] = []

    class Far(Protocol):
        def dataReceived(self, data: bytes) -> None:  # noqa: N802
            got.append(data)

    factory = cast("Any", Factory.forProtocol(Far))
    port: Any = _reactor().listenTCP(0, factory, interface="127.0.0.1")
    phone = Phone(running.transport, "tcp")
    await phone.register()
    assert running.transport.endpoint is not None
    (binding,) = running.transport.endpoint.registrar.contacts(f"alice@{DOMAIN}")
    binding.contact = f"sip:alice@127.0.0.1:{port.getHost().port};transport=tcp"
    phone.close()
    await until(lambda: running.transport.counts["connections"] == 0)
    _out(running, "k1", b"first")
    _out(running, "k2", b"second")
    await until(lambda: b"second" in b"".join(got))
    assert b"".join(got).count(b"MESSAGE sip:") == 2
    assert running.transport.counts["connections"] == 1  # both on one connection
    await port.stopListening()
    await until(lambda: True)
    for connection in list(running.transport._connections._made):
        connection.abort()
    await until(lambda: running.transport.counts["connections"] == 0)
    failed = _out(running, "k3")
    await until(lambda: failed)
    assert failed[0].failure is not None
    assert (failed[0].failure.reason, failed[0].failure.certain) == ("unreachable", True)


async def _dial_closed_port(running: Running, port: int) -> SendResult:
    """Sends to a contact whose port is closed; returns what became of it."""
    phone = Phone(running.transport, "tcp")
    await phone.register()
    assert running.transport.endpoint is not None
    (binding,) = running.transport.endpoint.registrar.contacts(f"alice@{DOMAIN}")
    binding.contact = f"sip:alice@127.0.0.1:{port};transport=tcp"
    phone.close()
    await until(lambda: running.transport.counts["connections"] == 0)
    results = _out(running, "k1")
    await until(lambda: results)
    return results[0]


@asynchronous
async def test_a_connection_that_meets_itself_is_none(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """A closed port of the range that the system gives to who connects: TCP's simultaneous open (RFC 9293 3.5)."""
    port = free_port()

    def from_the_same_port(reactor: Any, target: Target, timeout: float, _: object) -> Any:
        return TCP4ClientEndpoint(reactor, target.host, target.port, timeout, bindAddress=(target.host, target.port))

    monkeypatch.setattr("transports.sip.connections._client_endpoint", from_the_same_port)
    result = await _dial_closed_port(running, port)
    assert result.failure is not None
    assert (result.failure.reason, result.failure.certain) == ("unreachable", True)
    await until(lambda: running.transport.counts["connections"] == 0)
    assert not running.transport._connections._dialing


@asynchronous
async def test_what_waits_for_a_connection_that_is_one_too_many_fails(running: Running) -> None:
    """The dial succeeds and is not used: nothing may wait for it for ever."""
    listener = socket.create_server(("127.0.0.1", 0))
    connections = running.transport._connections
    usual = connections._limits
    try:
        phone = Phone(running.transport, "tcp")
        await phone.register()
        assert running.transport.endpoint is not None
        (binding,) = running.transport.endpoint.registrar.contacts(f"alice@{DOMAIN}")
        binding.contact = f"sip:alice@127.0.0.1:{listener.getsockname()[1]};transport=tcp"
        phone.close()
        await until(lambda: running.transport.counts["connections"] == 0)
        connections._limits = ConnectionLimits(connections=0)
        for key in ("k1", "k2"):
            results = _out(running, key)
            await until(lambda found=results: found)  # type: ignore[misc]
            assert results[0].failure is not None
            assert results[0].failure.reason == "unreachable"
    finally:
        connections._limits = usual
        listener.close()


@asynchronous
async def test_too_many_connections_from_one_source(tmp_path: Path) -> None:
    running = await start(tmp_path, connections_per_source=2)
    phones = [Phone(running.transport, "tcp") for _ in range(3)]
    await phones[0].register()
    await phones[1].register()
    for _ in range(20):
        phones[2].turn()
        await pause(0.01)
    assert [phone.closed for phone in phones] == [False, False, True]
    for phone in phones:
        phone.close()
    await running.transport.stop(drain=0.0)
    await pause(0.02)


@asynchronous
async def test_a_peer_that_does_not_read_is_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transports.sip.machine.sender.BY_CONNECTION", 2000)
    running = await start(tmp_path, write_buffer=100_000)
    phone = Phone(running.transport, "tcp")
    await phone.register()
    for number in range(2000):
        _out(running, str(number), b"x" * 10_000)
        if number % 50 == 0:
            await pause(0.001)
        if running.transport.counts["connections"] == 0:
            break
    await until(lambda: running.transport.counts["connections"] == 0)
    phone.close()
    await running.transport.stop(drain=0.0)
    await pause(0.02)


@asynchronous
async def test_a_message_that_never_ends_is_dropped(tmp_path: Path) -> None:
    running = await start(tmp_path, unfinished=0.0)
    phone = Phone(running.transport, "tcp")
    phone.raw.send(b"MESSAGE sip:x SIP/2.0\r\nVia")
    await until(lambda: running.transport.counts["connections"] == 1)
    await pause(0.02)
    for _ in range(2):
        running.transport._connections.drop_stuck()
        await pause(0.01)
    await until(lambda: running.transport.counts["connections"] == 0)
    phone.close()
    await running.transport.stop(drain=0.0)
    await pause(0.02)


@asynchronous
async def test_a_busy_connection_is_always_in_a_message_and_stays(tmp_path: Path) -> None:
    running = await start(tmp_path, unfinished=0.0)
    phone = Phone(running.transport, "tcp")
    whole = (
        b"OPTIONS sip:corp.example SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1;branch=z9hG4bKx%d\r\nFrom: <sip:a@b>;tag=1\r\n"
        b"To: <sip:corp.example>\r\nCall-ID: x\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
    )

    def counts() -> int:
        return running.transport.counts["connections"]

    phone.raw.send(whole % 0 + whole[:20])
    await until(lambda: counts() == 1)
    for number in range(1, 5):
        await pause(0.02)
        running.transport._connections.drop_stuck()
        phone.raw.send((whole % number)[20:] + whole[:20])
    await pause(0.02)
    assert counts() == 1
    for _ in range(2):
        running.transport._connections.drop_stuck()
        await pause(0.01)
    await until(lambda: counts() == 0)
    phone.close()
    await running.transport.stop(drain=0.0)
    await pause(0.02)


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
    other = SipTransport(config, reactor=_reactor(), accounts=People(set()), secret=b"0123456789abcdef")
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
    transport = SipTransport(config, reactor=_reactor(), accounts=People({"alice"}), secret=b"0123456789abcdef")
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
        config, reactor=_reactor(), accounts=People({"alice"}), secret=b"0123456789abcdef", bindings=store
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
    results = _out(running, "k")
    begin = time.monotonic()
    await running.transport.stop(drain=0.2)
    assert time.monotonic() - begin >= 0.2
    assert results[0].stage is Stage.UNKNOWN
    phone.close()
