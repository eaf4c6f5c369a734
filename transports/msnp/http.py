"""Web servers over Twisted's client: with a time limit, a bound on the answer, and no redirection followed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol as TwistedProtocol
from twisted.python.failure import Failure
from twisted.web.client import Agent, HTTPConnectionPool, ResponseDone
from twisted.web.http import PotentialDataLoss
from twisted.web.http_headers import Headers

from transports.msnp.machine.actions import Fetch, Fetched

MAX_BODY = 4_194_304
MAX_HEADER = 16_384


class _Body(TwistedProtocol):
    """Gathers a body up to a bound."""

    def __init__(self, done: Deferred[bytes]) -> None:
        self._done = done
        self._parts: list[bytes] = []
        self._size = 0

    def dataReceived(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        """Bytes of the body."""
        self._size += len(data)
        if self._size > MAX_BODY:
            self._end(ValueError(f"an answer of more than {MAX_BODY} bytes"))
            stream: Any = self.transport
            stream.abortConnection()
            return
        self._parts.append(data)

    def connectionLost(self, reason: Failure = Failure(ResponseDone())) -> None:  # type: ignore[no-untyped-call]  # noqa: N802, B008
        """The body is at its end, or the connection."""
        if reason.check(ResponseDone, PotentialDataLoss):  # type: ignore[no-untyped-call]
            self._end(b"".join(self._parts))
        else:
            self._end(reason)

    def _end(self, result: Any) -> None:
        done, self._done = self._done, Deferred()
        if not done.called:
            if isinstance(result, bytes):
                done.callback(result)
            else:
                done.errback(result)


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
        self._agent = Agent(reactor, connectTimeout=timeout, pool=self._pool)

    def fetch(self, wanted: Fetch, on_answer: Callable[[Fetched], None]) -> Callable[[], None]:
        """Asks; `on_answer` is called once, unless the function that is returned, which gives up, was called before."""
        headers = Headers({"User-Agent": ["simplebridge"], "Connection": ["close"]})
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

        def failed(failure: Failure) -> None:
            answered(Fetched(error=_words(failure)))

        asking.addErrback(lambda failure: Fetched(error=_words(failure)))
        asking.addCallbacks(answered, failed)

        def give_up() -> None:
            given_up.append(True)
            asking.cancel()

        return give_up


def _producer(body: bytes) -> Any:
    from io import BytesIO

    from twisted.web.client import FileBodyProducer

    return FileBodyProducer(BytesIO(body))


def _read(response: Any) -> Deferred[Fetched]:
    done: Deferred[bytes] = Deferred(lambda _: response.deliverBody and None)
    headers: dict[str, str] = {}
    for name, values in response.headers.getAllRawHeaders():
        value = b",".join(values)
        if len(value) <= MAX_HEADER:
            headers[name.decode("latin-1").lower()] = value.decode("latin-1")
    response.deliverBody(_Body(done))
    return done.addCallback(lambda body: Fetched(status=response.code, headers=headers, body=body))


def _words(failure: Failure) -> str:
    reasons = getattr(failure.value, "reasons", None)
    inner = reasons[0] if reasons else failure
    return f"{inner.type.__name__}: {inner.getErrorMessage()}"[:300]
