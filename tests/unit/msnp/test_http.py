"""The web client on loopback: answers, silence, an answer without end, a question that nobody wants answered."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from twisted.internet import reactor as installed
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol

from tests.kit.conformance.stage import asynchronous, until
from transports.msnp import http
from transports.msnp.http import WebClient
from transports.msnp.machine.actions import Fetch, Fetched

reactor: Any = installed


class Server(Protocol):
    """Says what the test wants, once something was asked."""

    words = b""
    asked: bytes = b""

    def dataReceived(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        type(self).asked += data
        if self.words:
            stream: Any = self.transport
            stream.write(self.words)


@asynccontextmanager
async def listening() -> AsyncIterator[tuple[type[Server], str]]:
    """A server on loopback: its kind, to be told what to say, and its URL."""
    kind = type("Kind", (Server,), {})
    port = reactor.listenTCP(0, Factory.forProtocol(kind), interface="127.0.0.1")
    try:
        yield kind, f"http://127.0.0.1:{port.getHost().port}/x?y"
    finally:
        await port.stopListening()


def ask(url: str, body: bytes | None = None, timeout: float = 5.0) -> Deferred[Fetched]:
    answer: Deferred[Fetched] = Deferred()
    fetch = Fetch(fetch_id=1, url=url, headers=(("SOAPAction", '"a"'),), body=body)
    WebClient(reactor, timeout).fetch(fetch, answer.callback)
    return answer


@asynchronous
async def test_an_answer_with_its_headers() -> None:
    async with listening() as (kind, url):
        kind.words = b"HTTP/1.1 302 Found\r\nLocation: /z\r\nPassportURLs: DALogin=x\r\nContent-Length: 2\r\n\r\nhi"
        answer = await ask(url, b"<body/>")
        assert (answer.status, answer.body, answer.error) == (302, b"hi", "")
        assert (answer.headers["location"], answer.headers["passporturls"]) == ("/z", "DALogin=x")
        assert b"POST /x?y HTTP/1.1" in kind.asked
        assert b'soapaction: "a"' in kind.asked.lower()


@asynchronous
async def test_silence_and_half_an_answer_end_in_time() -> None:
    async with listening() as (kind, url):
        for words in (b"", b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"):
            kind.words = words
            answer = await ask(url, timeout=0.3)
            assert answer.error


@asynchronous
async def test_an_answer_without_end_is_cut() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(http, "MAX_BODY", 1000)
        async with listening() as (kind, url):
            kind.words = b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 5000
            answer = await ask(url)
            assert "more than 1000 bytes" in answer.error


@asynchronous
async def test_nobody_there_and_no_url() -> None:
    for url in ("http://127.0.0.1:1/", "nonsense"):
        answer = await ask(url)
        assert answer.error


@asynchronous
async def test_who_gives_up_is_told_nothing() -> None:
    async with listening() as (kind, url):
        answers: list[Fetched] = []
        give_up = WebClient(reactor, 5.0).fetch(Fetch(fetch_id=1, url=url), answers.append)
        await until(lambda: kind.asked, "the question")
        give_up()
        assert answers == []
