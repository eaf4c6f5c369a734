"""A SIP transport that runs on loopback, those who speak to it, and the bridge behind it."""

import os
import socket
import time
from collections.abc import Callable, Coroutine
from functools import wraps
from pathlib import Path
from typing import Any, cast

import pytest_twisted
from attrs import frozen
from OpenSSL import SSL
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, BytesMessage, TextMessage
from wsproto.events import Request as WebRequest

from bridge.model.capabilities import SendResult
from tests.kit.sip import DOMAIN, PASSWORD, People
from tests.unit.sip_connector.pem import make_pair
from transports.sip.connector import SipTransport
from transports.sip.machine.config import EndpointConfig
from transports.sip.machine.events import RequestRefused
from transports.sip.machine.flow import SECURED, TRANSPORTS, WEBSOCKETS, Flow, Target
from transports.sip.machine.uac import AgentEvent, Registered, UserAgent, UserAgentConfig
from transports.sip.reactors import SipReactor
from transports.sip.seams import ConnectionLimits, SipTransportConfig, parse_listener
from transports.sip.tls import TlsFiles
from transports.sip.wire.native import SipMessage, SipNative

TARGET = "sip:friend@aim.example.test"


def the_reactor() -> SipReactor:
    from twisted.internet import reactor

    return cast("SipReactor", reactor)


async def pause(seconds: float = 0.01) -> None:
    """Lets the reactor turn."""
    await deferLater(the_reactor(), seconds)


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
        config, reactor=the_reactor(), accounts=People({"alice", "bob"}), secret=b"0123456789abcdef",
        on_refused=refused.append,
    )  # fmt: skip
    await transport.start(sink)
    return Running(transport, sink, refused, files)


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


def send_out(
    running: Running, key: str, body: bytes = b"hi", user: str = "alice", seconds: float = 10.0
) -> list[SendResult]:
    results: list[SendResult] = []
    native = SipMessage(aor=f"{user}@{DOMAIN}", peer=TARGET, call_id="", cseq=0, content_type="text/plain", body=body)
    deadline = the_reactor().seconds() + seconds
    running.transport.send(native, key=key, deadline=deadline, on_result=results.append)
    return results
