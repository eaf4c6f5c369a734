"""SIP users under load who outlive the daemon: each in a thread, re-sending what is not answered, noting what came.

What a user agent does here is what RFC 3261 and 3428 ask of one: the same request again until there is an answer, a
new one after a challenge, a response to each MESSAGE that came in, and each of them taken once for each transaction.
"""

from __future__ import annotations

import threading
import time
from collections import deque

from attrs import define, field

from tests.integration.wire import NoAnswer, Phone
from tests.kit.daemon import BridgeProcess
from transports.sip.wire.auth import Challenge
from transports.sip.wire.message import Request, Response

FIRST_AGAIN = 0.2
LAST_AGAIN = 0.4
"""Seconds between two copies of a request: T1 and T2 of RFC 3261, smaller, for the server is near."""
LOOK = 0.01


@define(eq=False)
class Sent:
    """One text on its way."""

    text: str
    call_id: str
    octets: bytes
    again_at: float
    pause: float
    copies: int = 1
    """How often it was put on the wire, re-sends with new credentials included."""
    status: int = 0
    """The final status that ended it; 0 while there is none."""


@define(eq=False)
class Way:
    """Where a user writes to.

    Args:
        to: ``user`` or ``user@domain``.
        name: texts are ``name`` and a number.
        window: how many may be unanswered; with 1 the order is the sender's.
        interval: seconds between two texts at least.
    """

    to: str
    name: str
    window: int = 1
    interval: float = 0.03
    sent: list[Sent] = field(init=False, factory=list)
    open: dict[str, Sent] = field(init=False, factory=dict)
    next_at: float = field(init=False, default=0.0)

    def accepted(self) -> list[Sent]:
        """What was answered with 202, in the order in which it was written."""
        return [sent for sent in self.sent if sent.status == 202]


class Talker:
    """One user on one UDP socket.

    Args:
        bridge: the daemon; it may be killed and started again.
        user: an account of it.
        ways: where to write to.
    """

    def __init__(self, bridge: BridgeProcess, user: str, *ways: Way) -> None:
        self.phone = Phone(bridge, user)
        self.domain = bridge.domain
        self.ways = ways
        self.received: list[tuple[str, str]] = []
        """Who wrote, and what: every copy that came as a transaction of its own."""
        self.other: list[int] = []
        """Final statuses that are neither 202 nor a word to come again."""
        self.asked_again = 0
        """Responses 503."""
        self.writing = threading.Event()
        self.error: BaseException | None = None
        self._transactions: set[tuple[str, str]] = set()
        self._recent: deque[tuple[str, str]] = deque()
        self._nonce = ""
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"talker-{user}", daemon=True)

    def start(self) -> None:
        """Registers, and begins to write once ``writing`` is set."""
        response = self.phone.register()
        assert response.status == 200, response.status
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread; raises what ended it before."""
        self._ended.set()
        if self._thread.ident is not None:
            self._thread.join(10)
        self.phone.socket.close()
        if self.error is not None:
            raise self.error

    def unanswered(self) -> int:
        """How many texts have no final answer yet."""
        return sum(len(way.open) for way in self.ways)

    def _run(self) -> None:
        try:
            while not self._ended.is_set():
                now = time.monotonic()
                for way in self.ways:
                    self._write(way, now)
                self._read()
        except BaseException as error:  # noqa: BLE001 - it is raised again by stop()
            self.error = error

    def _write(self, way: Way, now: float) -> None:
        for sent in way.open.values():
            if sent.again_at <= now:
                sent.copies += 1
                sent.pause = min(LAST_AGAIN, sent.pause * 2)
                sent.again_at = now + sent.pause
                self.phone.send(sent.octets)
        if self.writing.is_set() and len(way.open) < way.window and now >= way.next_at:
            way.next_at = now + way.interval
            text = f"{way.name} {len(way.sent)}"
            call_id = f"{self.phone.name}-{text.replace(' ', '-')}"
            sent = Sent(text, call_id, self._build(way, text, call_id), now + FIRST_AGAIN, FIRST_AGAIN)
            way.sent.append(sent)
            way.open[call_id] = sent
            self.phone.send(sent.octets)

    def _build(self, way: Way, text: str, call_id: str) -> bytes:
        uri = f"sip:{way.to}" if "@" in way.to else f"sip:{way.to}@{self.domain}"
        return self.phone.build("MESSAGE", uri, [("Content-Type", "text/plain")], text.encode(), call_id=call_id)

    def _read(self) -> None:
        wait = LOOK
        for _ in range(64):
            try:
                message = self.phone.receive(wait)
            except NoAnswer:
                return
            wait = 1e-4
            if isinstance(message, Request):
                self._take(message)
            elif message.status >= 200:
                self._answered(message)

    def _take(self, request: Request) -> None:
        transaction = (request.call_id, request.first("Via") or "")
        if request.method == "MESSAGE" and transaction not in self._transactions:
            self._transactions.add(transaction)
            self._recent.append(transaction)
            if len(self._recent) > 10_000:
                self._transactions.discard(self._recent.popleft())
            self.received.append((str(request.from_.uri).partition(":")[2], request.body.decode()))
        self.phone.reply(request, 200)

    def _answered(self, response: Response) -> None:
        for way in self.ways:
            sent = way.open.get(response.call_id)
            if sent is not None:
                self._settle(way, sent, response)
                return

    def _settle(self, way: Way, sent: Sent, response: Response) -> None:
        now = time.monotonic()
        if response.status in {401, 407}:
            line = response.first("WWW-Authenticate") or response.first("Proxy-Authenticate") or ""
            challenge = Challenge.parse(line)
            if challenge is not None and challenge.nonce != self._nonce:
                self._nonce = challenge.nonce
                self.phone.take_challenge(response)
            self._again(way, sent, now)
        elif response.status == 503:
            self.asked_again += 1
            sent.octets = self._build(way, sent.text, sent.call_id)
            sent.again_at = now + LAST_AGAIN
        else:
            sent.status = response.status
            del way.open[sent.call_id]
            if response.status != 202:
                self.other.append(response.status)

    def _again(self, way: Way, sent: Sent, now: float) -> None:
        sent.octets = self._build(way, sent.text, sent.call_id)
        sent.copies += 1
        sent.pause = FIRST_AGAIN
        sent.again_at = now + FIRST_AGAIN
        self.phone.send(sent.octets)
