"""The sockets of an application service: an HTTP server for the homeserver, an HTTP client towards it, one timer.

The reactor is handed in. Nothing here knows the protocol: the session says what to ask, and what to answer.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Hashable
from typing import Any, Final

import orjson
from attrs import field, frozen
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.error import ConnectError, DNSLookupError
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import Protocol as TwistedProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.client import Agent, HTTPConnectionPool, ResponseDone
from twisted.web.http_headers import Headers
from twisted.web.iweb import IBodyProducer
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request, Site
from zope.interface import implementer

from bridge.model.capabilities import SendResult
from transports.matrix.machine.calls import Call
from transports.matrix.machine.config import SessionConfig
from transports.matrix.machine.context import SendDone
from transports.matrix.machine.pushes import Asked
from transports.matrix.machine.results import failed, link_down
from transports.matrix.machine.session import MatrixSession
from transports.matrix.wire.native import Inbound, Outbound, OwnPresence

OnResult = Callable[[SendResult], None]
_log = Logger()
_NEVER_SENT: Final = (ConnectError, DNSLookupError)
MAX_ANSWER: Final = 16 * 1024 * 1024
"""Bytes of an answer of the homeserver; the state of a large room has some megabytes."""
IDLE_SECONDS: Final = 120.0
_DRAIN_LOOK: Final = 0.05


class Sink:
    """Where native values from the network go."""

    def deliver(self, native: Inbound, on_recorded: Callable[[bool], None]) -> None:
        """Take a value. `on_recorded` is to be called once, in the reactor's thread: whether it is on record."""
        raise NotImplementedError


@frozen(kw_only=True)
class TransportConfig:
    """A network's parameters.

    Attributes:
        session: of the session.
        homeserver: its base URL, without a slash at the end.
        host, port: where we listen for it.
        max_push: bytes of a push.
        max_connections: to us at a time.
        tls: makes the TLS parameters of the client, as Twisted's `Agent` takes them; None: what the system trusts.
    """

    session: SessionConfig
    homeserver: str
    host: str
    port: int
    max_push: int = 32 * 1024 * 1024
    max_connections: int = 64
    tls: Any = field(default=None, repr=False)


class _Request(Request):
    """A request whose body is only read when it may be, and as far as it may be."""

    received = 0

    @property
    def _owner(self) -> MatrixTransport:
        channel: Any = self.channel
        owner: MatrixTransport = channel.site.owner
        return owner

    def gotLength(self, length: int | None) -> None:  # noqa: N802 - Twisted's name
        """The headers are there: whoever is not the homeserver, or wants to send too much, is sent away now."""
        owner = self._owner
        token = self.token()
        if length is not None and length > owner.config.max_push:
            self._away(413, "M_TOO_LARGE")
        elif token is not None and not owner.session.pushes.allowed(token) and length != 0:
            owner.session.pushes.denied += 1
            self._away(403, "M_FORBIDDEN")
        elif token is None and length != 0:
            owner.session.pushes.denied += 1
            self._away(401, "M_UNAUTHORIZED")
        else:
            super().gotLength(length)  # type: ignore[no-untyped-call]

    def handleContentChunk(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        """Some of the body; one in chunks tells its length by having it."""
        if self.content is None:
            return  # it was sent away
        self.received += len(data)
        if self.received > self._owner.config.max_push:
            self._away(413, "M_TOO_LARGE")
            return
        super().handleContentChunk(data)  # type: ignore[no-untyped-call]

    def _away(self, status: int, code: str) -> None:
        body = orjson.dumps({"errcode": code, "error": "not taken"})
        head = f"HTTP/1.1 {status} Refused\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        self.content = None
        channel: Any = self.channel
        channel.transport.write(head.encode() + b"Connection: close\r\n\r\n" + body)
        channel.loseConnection()

    def token(self) -> str | None:
        """The token that it comes with: of the header, or of the query as older servers have it."""
        header = self.requestHeaders.getRawHeaders("authorization")
        if header:
            kind, _, value = header[0].partition(" ")
            return value.strip() if kind.lower() == "bearer" else ""
        _, _, query = self.uri.partition(b"?")
        for pair in query.split(b"&"):
            name, _, given = pair.partition(b"=")
            if name == b"access_token":
                return given.decode("latin-1")
        return None


class _Site(Site):
    """Our HTTP server, with a bound on connections."""

    def __init__(self, resource: Resource, owner: MatrixTransport, reactor: Any) -> None:
        super().__init__(resource, requestFactory=_Request, timeout=int(IDLE_SECONDS), reactor=reactor)  # type: ignore[no-untyped-call]
        self.owner = owner
        self.open: set[Any] = set()
        self.transports: dict[Any, Any] = {}

    def buildProtocol(self, addr: Any) -> Any:  # noqa: N802 - Twisted's name
        """A connection."""
        if len(self.open) >= self.owner.config.max_connections:
            return None
        channel: Any = super().buildProtocol(addr)  # type: ignore[no-untyped-call]
        channel.site = self
        self.open.add(channel)
        made, inner = channel.makeConnection, channel.connectionLost

        def connected(transport: Any) -> None:
            self.transports[channel] = transport
            made(transport)

        def lost(reason: Failure) -> None:
            self.open.discard(channel)
            self.transports.pop(channel, None)
            inner(reason)

        channel.makeConnection, channel.connectionLost = connected, lost
        return channel

    def close(self) -> None:
        """Breaks off what is still open."""
        for transport in list(self.transports.values()):
            transport.abortConnection()

    def log(self, request: Any) -> None:
        """Requests have tokens in them: they are not logged."""


class _Asks(Resource):
    """Everything that is asked of us."""

    isLeaf = True  # noqa: N815 - Twisted's name

    def __init__(self, owner: MatrixTransport) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._owner = owner

    def render(self, request: Any) -> int:
        """Takes a request; its answer comes later."""
        self._owner.asked(request)
        return NOT_DONE_YET


@implementer(IBodyProducer)
class _Content:
    """The body of a request."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self.length = len(content)

    def startProducing(self, consumer: Any) -> Deferred[None]:  # noqa: N802 - Twisted's name
        consumer.write(self._content)
        return maybeDeferred(lambda: None)

    def pauseProducing(self) -> None:  # noqa: N802 - Twisted's name
        """It is written at once."""

    def resumeProducing(self) -> None:  # noqa: N802 - Twisted's name
        """It is written at once."""

    def stopProducing(self) -> None:  # noqa: N802 - Twisted's name
        """It is written at once."""


class _Answer(TwistedProtocol):
    """Gathers the body of an answer, as far as it may be long."""

    def __init__(self, done: Deferred[bytes]) -> None:
        self._done = done
        self._parts: list[bytes] = []
        self._size = 0

    def dataReceived(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        self._size += len(data)
        if self._size <= MAX_ANSWER:
            self._parts.append(data)
        elif self.transport is not None:
            stream: Any = self.transport
            stream.abortConnection()

    def connectionLost(self, reason: Failure = Failure(ResponseDone())) -> None:  # type: ignore[no-untyped-call]  # noqa: B008, N802 - Twisted's name and signature
        if self._done.called:
            return
        if isinstance(reason.value, ResponseDone) and self._size <= MAX_ANSWER:
            self._done.callback(b"".join(self._parts))
        else:
            self._done.errback(reason)


class MatrixTransport:
    """An application service with its ghosts.

    Args:
        config: its parameters.
        reactor: Twisted's.
        rng: for backoff and names.

    All methods are to be called in the reactor's thread.
    """

    def __init__(self, config: TransportConfig, reactor: Any, *, rng: random.Random | None = None) -> None:
        self.config = config
        self.session = MatrixSession(config.session, rng=rng or random.SystemRandom())
        self._reactor = reactor
        self._sink: Any = None
        pool: Any = HTTPConnectionPool
        self._pool = pool(reactor, persistent=True)
        self._pool.maxPersistentPerHost = config.session.max_in_flight
        self._pool.retryAutomatically = False
        settings = {} if config.tls is None else {"contextFactory": config.tls}
        agent: Any = Agent
        self._agent = agent(reactor, pool=self._pool, connectTimeout=10.0, **settings)
        self._requests: dict[int, Deferred[Any]] = {}
        self._asked: dict[int, Any] = {}
        self._asked_number = 0
        self._results: dict[Hashable, OnResult] = {}
        self._port: Any = None
        self._site: Any = None
        self._timer: IDelayedCall | None = None
        self._timer_at = 0.0
        self._pumping = False
        self._again = False

    # -- life

    async def start(self, sink: Any) -> None:
        """Begin: listen and ask for the homeserver. Raises OSError where the address cannot be listened to."""
        self._sink = sink
        self._site = _Site(_Asks(self), self, self._reactor)
        self._port = self._reactor.listenTCP(self.config.port, self._site, interface=self.config.host)
        self.session.start(self.now())
        self._pump()

    async def stop(self, drain: float) -> None:
        """End. Waits up to `drain` seconds for answers to what is under way."""
        until = self.now() + drain
        while self._results and self.now() < until:
            pause: Deferred[None] = Deferred()
            self._reactor.callLater(_DRAIN_LOOK, pause.callback, None)
            await pause
        self.session.stop(self.now())
        self._pump()
        self._sink = None
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None
        if self._port is not None:
            await maybeDeferred(self._port.stopListening)
            self._site.close()
        await self._pool.closeCachedConnections()

    def now(self) -> float:
        """The reactor's time, seconds."""
        return float(self._reactor.seconds())

    # -- accounts

    def sign_on(self, account: str, _credential: str, presence: OwnPresence | None = None) -> None:
        """Sign a ghost on. It needs no password: the token of the service is the password of all."""
        self.session.sign_on(account, self.now())
        if presence is not None:
            self.session.send(presence, ("own", account), self.now())
        self._pump()

    def sign_off(self, account: str) -> None:
        """Sign a ghost off."""
        self.session.sign_off(account, self.now())
        self._pump()

    def counters(self) -> dict[str, int]:
        """For the metrics."""
        return self.session.counters()

    def send(self, native: Outbound, key: Hashable, deadline: float | None, on_result: OnResult) -> None:
        """Send a value; `on_result` is called exactly once, maybe before this returns.

        `deadline`: seconds from now after which it is not to be sent any more.
        """
        if self._sink is None:
            on_result(link_down())
            return
        if key in self._results:
            on_result(failed("a send of this key is under way", retryable=True, user_text="It is being sent already."))
            return
        now = self.now()
        self._results[key] = on_result
        self.session.send(native, key, now, None if deadline is None else now + deadline)
        self._pump()

    # -- the session's wishes

    def _pump(self) -> None:
        if self._pumping:
            self._again = True
            return
        self._pumping = True
        try:
            self._again = True
            while self._again:
                self._again = False
                self._act()
        finally:
            self._pumping = False
        self._arm()

    def _act(self) -> None:
        session = self.session
        session.settle(self.now())
        while (cancelled := session.next_cancelled()) is not None:
            request = self._requests.pop(cancelled, None)
            if request is not None:
                request.cancel()
        while (call := session.next_call()) is not None:
            self._request(call)
        while (event := session.next_event()) is not None:
            self._again = True
            if isinstance(event, SendDone):
                on_result = self._results.pop(event.key, None)
                if on_result is not None:
                    on_result(event.result)
            else:
                self._deliver(event.event, event.ticket)
        while (reply := session.next_reply()) is not None:
            self._reply(reply.id, reply.status, reply.body)

    def _deliver(self, event: Inbound, ticket: int) -> None:
        if self._sink is None:
            self.session.recorded(ticket, ok=False)
            return

        def on_recorded(ok: bool) -> None:
            self.session.recorded(ticket, ok=ok)
            self._pump()

        try:
            self._sink.deliver(event, on_recorded)
        except Exception:  # noqa: BLE001 - a fault of whoever listens must not stop all others' messages
            kind = type(event).__name__
            _log.failure("the listener failed at {kind}; it comes again", kind=kind)
            self.session.recorded(ticket, ok=False)

    # -- our requests

    def _request(self, call: Call) -> None:
        request = call.request
        headers = Headers({"Authorization": [f"Bearer {self.config.session.as_token}"], "User-Agent": ["simplebridge"]})
        body = None
        if request.body is not None:
            headers.addRawHeader("Content-Type", "application/json")
            body = _Content(request.content())
        url = (self.config.homeserver + request.target).encode("ascii")
        attempt: Deferred[Any] = self._agent.request(request.method.encode(), url, headers, body)
        attempt.addCallback(_read)
        self._requests[call.id] = attempt

        def answered(found: tuple[int, bytes, str | None]) -> None:
            if self._requests.pop(call.id, None) is not None:
                self.session.answered(call.id, *found, self.now())
                self._pump()

        def broken(failure: Failure) -> None:
            if self._requests.pop(call.id, None) is not None:
                sent = not isinstance(failure.value, _NEVER_SENT)
                self.session.failed(call.id, _told(failure), self.now(), sent=sent)
                self._pump()

        attempt.addCallbacks(answered, broken)

    # -- the homeserver's requests

    def asked(self, request: Any) -> None:
        """Somebody asks something of us."""
        self._asked_number += 1
        number = self._asked_number
        self._asked[number] = request
        request.notifyFinish().addErrback(lambda _: self._asked.pop(number, None))
        path, _, _ = request.uri.partition(b"?")
        asked = Asked(
            id=number,
            method=request.method.decode("latin-1"),
            path=path.decode("latin-1"),
            token=request.token(),
            body=request.content.read(),
        )
        self.session.ask(asked, self.now())
        self._pump()

    def _reply(self, number: int, status: int, body: dict[str, str]) -> None:
        request = self._asked.pop(number, None)
        if request is None:
            return  # it has gone away meanwhile, and will ask again
        content = orjson.dumps(body)
        request.setResponseCode(status)
        request.setHeader(b"Content-Type", b"application/json")
        request.setHeader(b"Content-Length", str(len(content)).encode())
        request.write(content)
        request.finish()

    # -- time

    def _arm(self) -> None:
        at = self.session.next_deadline()
        if at is None or self._sink is None:
            return
        if self._timer is not None and self._timer.active():
            if self._timer_at <= at:
                return
            self._timer.cancel()
        self._timer_at = at
        self._timer = self._reactor.callLater(max(0.0, at - self.now()), self._fire)

    def _fire(self) -> None:
        self._timer = None
        self.session.handle_timer(self.now())
        self._pump()


def _read(response: Any) -> Deferred[tuple[int, bytes, str | None]]:
    done: Deferred[bytes] = Deferred()
    response.deliverBody(_Answer(done))
    again = response.headers.getRawHeaders("retry-after")
    status = int(response.code)
    return done.addCallback(lambda body: (status, body, again[0] if again else None))


def _told(failure: Failure) -> str:
    reasons = getattr(failure.value, "reasons", None)
    if reasons:
        return "; ".join(reason.getErrorMessage() for reason in reasons)[:300] or type(failure.value).__name__
    return failure.getErrorMessage()[:300] or type(failure.value).__name__
