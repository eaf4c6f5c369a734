"""Web servers over Twisted's client: with a time limit, a bound on the answer, and no redirection followed."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol as TwistedProtocol
from twisted.python.failure import Failure
from twisted.web.client import Agent, FileBodyProducer, HTTPConnectionPool, ResponseDone
from twisted.web.http import PotentialDataLoss
from twisted.web.http_headers import Headers

from transports.msnp.machine.actions import Fetch, Fetched

MAX_BODY = 4_194_304
MAX_HEADER = 16_384
_DONE = Failure(ResponseDone())  # type: ignore[no-untyped-call]


class _Body(TwistedProtocol):
    """Gathers a body up to a bound. `done` fires with it; cancelled, it lets go of the connection."""

    def __init__(self) -> None:
        self.done: Deferred[bytes] = Deferred(lambda _: self._abort())
        self._parts: list[bytes] = []
        self._size = 0

    def dataReceived(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        """Bytes of the body."""
        self._size += len(data)
        if self._size <= MAX_BODY:
            self._parts.append(data)
        elif not self.done.called:
            self.done.errback(ValueError(f"an answer of more than {MAX_BODY} bytes"))
            self._abort()

    def _abort(self) -> None:
        stream: Any = self.transport
        if stream is not None:
            stream.loseConnection()

    def connectionLost(self, reason: Failure = _DONE) -> None:  # noqa: N802 - Twisted's name
        """The body is at its end, or the connection."""
        if self.done.called:
            return
        if isinstance(reason.value, (ResponseDone, PotentialDataLoss)):
            self.done.callback(b"".join(self._parts))
        else:
            self.done.errback(reason)


class WebClient:
    """Asks web servers.

    Args:
        reactor: provides time and TCP.
        timeout: seconds for the whole of an answer.
    """

    def __init__(self, reactor: Any, timeout: float) -> None:
        self._reactor = reactor
        self._timeout = timeout
        self._pool = HTTPConnectionPool(reactor, persistent=False)  # type: ignore[no-untyped-call]
        self._agent: Any = Agent(reactor, connectTimeout=timeout, pool=self._pool)  # type: ignore[no-untyped-call]

    def fetch(self, wanted: Fetch, on_answer: Callable[[Fetched], None]) -> Callable[[], None]:
        """Asks; `on_answer` is called once, unless the function that is returned, which gives up, was called before."""
        headers = Headers({"User-Agent": ["simplebridge"]})
        for name, value in wanted.headers:
            headers.addRawHeader(name, value)
        method = b"GET" if wanted.body is None else b"POST"
        producer = None if wanted.body is None else _producer(wanted.body)
        try:
            asking: Deferred[Any] = self._agent.request(method, wanted.url.encode("ascii"), headers, producer)
        except (ValueError, UnicodeError) as error:
            on_answer(Fetched(error=f"not a URL: {error}"))
            return lambda: None
        asking.addCallback(_read)
        asking.addTimeout(self._timeout, self._reactor)
        given_up: list[bool] = []

        def answered(answer: Fetched) -> None:
            if not given_up:
                on_answer(answer)

        asking.addErrback(lambda failure: Fetched(error=_words(failure)))
        asking.addCallback(answered)

        def give_up() -> None:
            given_up.append(True)
            asking.cancel()

        return give_up


def _producer(body: bytes) -> Any:
    return FileBodyProducer(BytesIO(body))  # type: ignore[no-untyped-call]


def _read(response: Any) -> Deferred[Fetched]:
    headers: dict[str, str] = {}
    for name, values in response.headers.getAllRawHeaders():
        value = b",".join(values)
        if len(value) <= MAX_HEADER:
            headers[name.decode("latin-1").lower()] = value.decode("latin-1")
    body = _Body()
    response.deliverBody(body)
    return body.done.addCallback(lambda data: Fetched(status=response.code, headers=headers, body=data))


def _words(failure: Failure) -> str:
    reasons = getattr(failure.value, "reasons", None)
    inner = reasons[0] if reasons else failure
    return f"{type(inner.value).__name__}: {inner.getErrorMessage()}"[:300]
