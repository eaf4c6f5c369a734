"""A SIP client on Twisted: owns the socket of one `UserAgent` and drives it over UDP, TCP or TLS.

It speaks to one server, as softphones do to their outbound proxy. What comes from elsewhere is dropped: nobody but the
server is to show messages to the user. A connection that breaks is made again; `Lost` tells of it, and a new user agent
takes the place of the old one, so whoever listens registers and subscribes anew.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from ipaddress import ip_address
from itertools import count
from typing import Any, Final, TypeAlias

from attrs import frozen
from cryptography.x509 import load_pem_x509_certificates
from OpenSSL.crypto import X509
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP6ClientEndpoint, wrapClientTLS
from twisted.internet.error import AlreadyCalled, AlreadyCancelled, ConnectError
from twisted.internet.interfaces import IDelayedCall, IStreamClientEndpoint
from twisted.internet.ssl import Certificate, optionsForClientTLS, trustRootFromCertificates
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.python.failure import Failure

from transports.sip.machine.flow import ConnectTo, Flow, HostPort, Target
from transports.sip.machine.ports import Entropy
from transports.sip.machine.uac import Accepted, AgentEvent, Refused, Registered, Seen, UserAgent, UserAgentConfig
from transports.sip.reactors import SipReactor
from transports.sip.streams import Stream, StreamFactory
from transports.sip.udp import UdpPort

PING: Final = 30.0
"""Seconds between keepalives on a connection (RFC 5626 section 3.5.1)."""
CONNECT: Final = 10.0
"""Seconds that a connection and its handshake may take."""
RETRY: Final = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
"""Seconds until a connection that broke is tried again, by the number of attempts that failed."""
WRITE_BUFFER: Final = 1024 * 1024


_CLOSED_EARLY: Final = {"tls": "TLS failed: is the certificate trusted, does it name this server, is this a TLS port?"}


class PhoneError(Exception):
    """There is no way to the server; the text says which server and why."""


@frozen(kw_only=True)
class PhoneConfig:
    """Who, and through which server.

    ``username`` is the digest's. ``authority`` is PEM text of a certificate to trust besides those of the system, such
    as a server's self-signed one; a server's certificate has to name ``server.host``.
    """

    aor: str
    username: str
    password: str
    server: Target
    display_name: str = ""
    expires: int = 3600
    authority: bytes = b""


@frozen
class Lost:
    """The connection is gone, or could not be made again; the next attempt follows in ``retry_in`` seconds."""

    reason: str
    retry_in: float


PhoneEvent: TypeAlias = AgentEvent | Lost


class Phone:
    """One device of one user.

    Args:
        config: who and where.
        reactor: of Twisted, with the interfaces of `SipReactor`.
        on_event: called with each event, on the reactor's thread.
        on_connected: called when a connection that was lost is there again: register and subscribe now.
        entropy: random bytes.
        clock: seconds that never go back.
    """

    def __init__(
        self,
        config: PhoneConfig,
        *,
        reactor: Any,
        on_event: Callable[[PhoneEvent], None],
        on_connected: Callable[[], None] | None = None,
        entropy: Entropy = os.urandom,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._config = config
        self._reactor: SipReactor = reactor
        self._on_event = on_event
        self._on_connected = on_connected
        self._entropy = entropy
        self._clock = clock
        self._server = config.server
        self._agent: UserAgent | None = None
        self._udp: UdpPort | None = None
        self._stream: Stream | None = None
        self._ids = count(1)
        self._calls: dict[str, IDelayedCall] = {}
        self._busy = False
        self._failures = 0
        self._stopping = False
        self._watched: dict[str, str] = {}
        self._published = False
        self._registered = False
        self._unanswered = 0
        self.dropped = 0
        """Datagrams that did not come from the server."""

    # -- start and stop -----------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Resolves the server's name and opens the way to it; `register` is the next step.

        Raises:
            PhoneError: the name is not known, or no connection can be made.
        """
        try:
            self._server = await self._resolved()
            if self._server.transport == "udp":
                self._open_udp()
            else:
                await self._connect()
        except (OSError, ValueError, ConnectError) as error:
            raise PhoneError(f"{_named(self._config.server)}: {_reason(error)}") from error

    async def _resolved(self) -> Target:
        transport, host, port, _ = self._config.server
        try:
            ip_address(host)
        except ValueError:
            kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
            found = await deferToThread(socket.getaddrinfo, host, port, type=kind)
            # IPv4 first: it is what most SIP servers listen on, and UDP does not tell that nobody listens
            host = str(min(found, key=lambda one: one[0] is not socket.AF_INET)[4][0])
        return Target(transport, host, port)

    async def stop(self, *, seconds: float = 2.0) -> None:
        """Takes back subscriptions, publication and registration, waits so long for the answers, and closes."""
        self._stopping = True
        self._cancel("again")
        agent = self._agent
        if agent is not None and (self._udp is not None or self._stream is not None):
            now = self._clock()
            self._unanswered = len(self._watched) + self._published + self._registered
            for key in sorted(self._watched):
                agent.unsubscribe(key, now)
            if self._published:
                agent.publish(b"", now, 0)
            if self._registered:
                agent.register(now, 0)
            self._pump()
            end = now + seconds
            while self._unanswered > 0 and self._clock() < end:
                await deferLater(self._reactor, 0.01)
        self._close()

    def _close(self) -> None:
        for name in list(self._calls):
            self._cancel(name)
        self._agent = None
        if self._udp is not None:
            self._udp.stop()
            self._udp = None
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    # -- what a user does ---------------------------------------------------------------------------------------------

    @property
    def transport(self) -> str:
        """udp, tcp or tls."""
        return self._server.transport

    @property
    def connected(self) -> bool:
        """Whether there is a way to the server."""
        return self._agent is not None

    @property
    def contact(self) -> str:
        """The URI at which this device is reached; empty while there is no way to the server."""
        return "" if self._agent is None else self._agent.contact

    def register(self) -> None:
        """Registers and stays so. Raises PhoneError while there is no way to the server, as the other calls do."""
        self._open_agent().register(self._clock())
        self._pump_soon()

    def send(self, to: str, body: bytes, key: str, content_type: str = "text/plain") -> None:
        """Sends a MESSAGE; `Sent` or `Refused` with ``key`` follows. Raises PhoneError."""
        self._open_agent().send(to, body, key, self._clock(), content_type)
        self._pump_soon()

    def subscribe(self, target: str) -> str:
        """Watches the presence of a URI; returns the key of the subscription. Raises PhoneError."""
        key = self._open_agent().subscribe(target, self._clock())
        self._watched[key] = target
        self._pump_soon()
        return key

    def unsubscribe(self, key: str) -> None:
        """Ends a subscription. Raises PhoneError."""
        self._open_agent().unsubscribe(key, self._clock())
        self._watched.pop(key, None)
        self._pump_soon()

    def publish(self, pidf: bytes) -> None:
        """Publishes a presence document in place of the one before. Raises PhoneError."""
        self._open_agent().publish(pidf, self._clock())
        self._published = True
        self._pump_soon()

    def _open_agent(self) -> UserAgent:
        if self._agent is None:
            raise PhoneError(f"{_named(self._config.server)}: there is no connection now")
        return self._agent

    # -- sockets ------------------------------------------------------------------------------------------------------

    def _open_udp(self) -> None:
        host = _own_address(self._server)
        self._udp = UdpPort(self._reactor, host, 0, self._datagram, self._pump)
        flow = Flow("udp", self._udp.local, (self._server.host, self._server.port))
        self._begin(flow, self._udp.local)
        self._udp.start()

    def _datagram(self, flow: Flow, data: bytes) -> None:
        if flow.remote != (self._server.host, self._server.port):
            self.dropped += 1
        elif self._agent is not None:
            self._agent.receive(flow, data, self._clock())

    async def _connect(self) -> None:
        target = self._server
        endpoint: IStreamClientEndpoint
        if ":" in target.host:
            endpoint = TCP6ClientEndpoint(self._reactor, target.host, target.port, CONNECT)  # type: ignore[no-untyped-call]
        else:
            endpoint = TCP4ClientEndpoint(self._reactor, target.host, target.port, CONNECT)
        if target.transport == "tls":
            trust = None
            if self._config.authority:
                trust = _trust(self._config.authority)
            endpoint = wrapClientTLS(optionsForClientTLS(self._config.server.host, trustRoot=trust), endpoint)
        opening = _Opening(self)
        await endpoint.connect(StreamFactory(lambda: self._new_stream(opening)))
        opening.limit(self._reactor)
        stream = await opening.opened
        assert stream.flow is not None
        self._stream = stream
        self._begin(stream.flow, stream.flow.local)
        self._later("ping", PING, self._ping)

    def _new_stream(self, owner: _Opening) -> Stream:
        transport, target = self._server.transport, self._server
        return Stream(
            owner, transport, next(self._ids), local=None, target=target, most=WRITE_BUFFER, now=self._clock()
        )

    def _begin(self, flow: Flow, local: HostPort) -> None:
        config = self._config
        self._agent = UserAgent(
            UserAgentConfig(
                aor=config.aor,
                username=config.username,
                password=config.password,
                server=self._server,
                local=local,
                display_name=config.display_name,
                expires=config.expires,
            ),
            entropy=self._entropy,
        )
        self._watched.clear()
        self._published = self._registered = False
        self._agent.flow_opened(flow, self._clock(), self._server)

    def received(self, stream: Stream, data: bytes) -> None:
        """Takes what the connection has read."""
        if stream is self._stream and self._agent is not None:
            assert stream.flow is not None
            self._agent.receive(stream.flow, data, self._clock())
            self._pump()

    def lost(self, stream: Stream) -> None:
        """The connection is gone: what is under way fails, and the connection is made again."""
        if stream is not self._stream or self._agent is None:
            return
        assert stream.flow is not None
        self._cancel("ping")
        self._agent.flow_lost(stream.flow, self._clock())
        self._stream = None
        self._pump()
        self._cancel("timer")
        self._agent = None
        self._again("the connection broke")

    def _again(self, reason: str) -> None:
        if self._stopping:
            return
        wait = RETRY[min(self._failures, len(RETRY) - 1)]
        self._failures += 1
        self._later("again", wait, lambda: ensureDeferred(self._reconnect()).addErrback(self._gone))
        self._on_event(Lost(reason, wait))

    async def _reconnect(self) -> None:
        await self._connect()
        self._failures = 0
        if self._on_connected is not None:
            self._on_connected()

    def _gone(self, failure: Failure) -> None:
        failure.trap(OSError, ValueError, ConnectError)  # type: ignore[no-untyped-call]
        assert failure.value is not None
        self._again(_reason(failure.value))

    def _ping(self) -> None:
        if self._agent is not None:
            self._agent.keepalive()
            self._pump()
            self._later("ping", PING, self._ping)

    # -- driving the user agent ---------------------------------------------------------------------------------------

    def _pump_soon(self) -> None:
        if not self._busy and "pump" not in self._calls:
            self._later("pump", 0, self._pump)

    def _pump(self) -> None:
        """Bytes out, events out, until there is nothing left; then one timer."""
        if self._busy:
            return
        self._busy = True
        try:
            while (agent := self._agent) is not None:
                for output in agent.to_send(self._clock()):
                    self._write(agent, output)
                event = agent.next_event()
                if event is None:
                    break
                self._count(event)
                self._on_event(event)
        finally:
            self._busy = False
        self._arm()

    def _write(self, agent: UserAgent, output: Any) -> None:
        if isinstance(output, ConnectTo):
            agent.connect_failed(output.target, self._clock())  # the only way is the one that is open
        elif isinstance(output, tuple) and isinstance(output[1], bytes):
            if self._udp is not None:
                self._udp.send(output[1], output[0].remote)
            elif self._stream is not None:
                self._stream.send(output[1])
        elif self._stream is not None:  # CloseFlow: the peer has broken the framing
            self._stream.close()

    def _count(self, event: AgentEvent) -> None:
        if isinstance(event, Registered):
            self._registered = event.expires > 0
        if isinstance(event, Refused) and event.method == "SUBSCRIBE":
            self._watched.pop(event.key, None)
        if isinstance(event, Seen) and event.over:
            self._watched = {key: target for key, target in self._watched.items() if target != event.target}
        if isinstance(event, Registered | Accepted | Refused):
            self._unanswered -= 1

    def _arm(self) -> None:
        deadline = None if self._agent is None else self._agent.next_deadline()
        if deadline is None:
            self._cancel("timer")
        else:
            self._later("timer", max(deadline - self._clock(), 0.0), self._tick)

    def _tick(self) -> None:
        if self._agent is not None:
            self._agent.handle_timer(self._clock())
            self._pump()

    def _later(self, name: str, seconds: float, call: Callable[[], object]) -> None:
        self._cancel(name)

        def run() -> None:
            self._calls.pop(name, None)
            call()

        self._calls[name] = self._reactor.callLater(seconds, run)

    def _cancel(self, name: str) -> None:
        call = self._calls.pop(name, None)
        if call is not None:
            try:
                call.cancel()
            except (AlreadyCalled, AlreadyCancelled):  # it is being run at this moment
                pass


class _Opening:
    """Owns one connection: waits until it carries SIP, and hands on what it reads."""

    def __init__(self, phone: Phone) -> None:
        self._phone = phone
        self.opened: Deferred[Stream] = Deferred()
        self._connection: Stream | None = None
        self._limit: IDelayedCall | None = None

    def limit(self, reactor: SipReactor) -> None:
        """Gives the handshake its time."""
        if not self.opened.called:
            self._limit = reactor.callLater(CONNECT, self._too_long)

    def _too_long(self) -> None:
        if self._connection is not None:
            self._connection.abort()

    def stream_made(self, connection: Stream, source: str) -> bool:
        """TCP is up."""
        del source
        if connection.meets_itself:
            self.opened.errback(ConnectionError("nobody listens there"))
            return False
        self._connection = connection
        return True

    def stream_opened(self, connection: Stream) -> None:
        """It can carry SIP."""
        self._end_limit()
        if not self.opened.called:
            self.opened.callback(connection)

    def stream_received(self, connection: Stream, data: bytes) -> None:
        """It has read something."""
        self._phone.received(connection, data)

    def stream_owes(self, connection: Stream) -> bool:
        """A server that ends its side of the connection is not waited for: the phone dials again."""
        del connection
        return False

    def stream_lost(self, connection: Stream) -> None:
        """It is gone, perhaps before its handshake was done."""
        self._end_limit()
        if not self.opened.called:
            self.opened.errback(ConnectionError(_CLOSED_EARLY.get(self._phone.transport, "it was closed at once")))
        else:
            self._phone.lost(connection)

    def _end_limit(self) -> None:
        if self._limit is not None and self._limit.active():
            self._limit.cancel()


def _own_address(server: Target) -> str:
    """Returns the address of ours from which datagrams reach the server; nothing is sent."""
    family = socket.AF_INET6 if ":" in server.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.connect((server.host, server.port))
        return str(probe.getsockname()[0])


def _trust(pem: bytes) -> Any:
    """Raises ValueError: there is no certificate in it."""
    found = [Certificate(X509.from_cryptography(one)) for one in load_pem_x509_certificates(pem)]  # type: ignore[no-untyped-call]
    return trustRootFromCertificates(found)  # type: ignore[no-untyped-call]


def _named(server: Target) -> str:
    host = f"[{server.host}]" if ":" in server.host else server.host
    return f"{server.transport}:{host}:{server.port}"


def _reason(error: BaseException) -> str:
    text = getattr(error, "strerror", None) or str(error)
    return text or type(error).__name__
