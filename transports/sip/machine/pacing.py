"""One message at a time for clients that read no more than one at a time.

libpurple's SIMPLE client takes one message out of what it has read from a connection, and leaves the rest until more
comes: of two messages that arrive together the second waits, in a quiet hour until its transaction has run out. So
such a connection gets the next message when the last one was seen: a request when it was answered, an answer a moment
later. Should a request lie there all the same, the beginning of another message makes the client look again, and takes
the place that would be left behind; that is an OPTIONS where there is none to send. (Blank lines would do for others;
libpurple keeps their octets and takes the next message for broken.)
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable

from transports.sip.machine.flow import CloseFlow, ConnectTo, Flow, Output
from transports.sip.machine.quirks import DEFAULT, Quirks
from transports.sip.machine.serving import ServerTransaction
from transports.sip.machine.timers import Timer, TimerQueue

ANSWER_SEEN = 0.05
"""Seconds that the client has to read an answer."""
REQUEST_SEEN = 1.0
"""Seconds until a request without an answer is taken to lie unread."""
MOST = 1000
"""Messages that wait for one connection; beyond it they go out as they are."""
PROBES = 3
"""How often in a row the client is made to look again."""
_BEGINNING = 8
_BRANCH = re.compile(rb";branch=([^;,\s]+)")


class _Lane:
    """One such connection."""

    __slots__ = ("branch", "flow", "probes", "rest", "timer", "waiting")

    def __init__(self, flow: Flow) -> None:
        self.flow = flow
        self.waiting: deque[bytes] = deque()
        self.branch = b""
        """Of the request whose answer is waited for."""
        self.rest = b""
        """Of a message whose beginning was sent."""
        self.timer: Timer | None = None
        self.probes = 0


class Pacing:
    """Holds back what goes to such clients.

    Args:
        queue: for the pauses.
        send: takes what is to be sent, past `paced`.
        token: random octets for names.
        domain: ours, for the OPTIONS.
        quirks: which clients they are.
    """

    def __init__(
        self,
        queue: TimerQueue,
        send: Callable[[Output], None],
        token: Callable[[int], bytes],
        domain: str,
        quirks: Quirks = DEFAULT,
    ) -> None:
        self._queue = queue
        self._send = send
        self._token = token
        self._domain = domain
        self._quirks = quirks
        self._lanes: dict[int, _Lane] = {}
        self._ready: list[Output] = []

    def look(self, transaction: ServerTransaction) -> None:
        """Takes a REGISTER, which tells what client is at the end of a connection."""
        flow = transaction.flow
        if not flow.reliable or flow.id in self._lanes:
            return
        if self._quirks.of(transaction.request.first("User-Agent")).one_at_a_time:
            self._lanes[flow.id] = _Lane(flow)

    def lost(self, flow: Flow) -> None:
        """Forgets a connection, and what waited for it."""
        lane = self._lanes.pop(flow.id, None)
        if lane is not None:
            self._stop(lane)

    def received(self, flow: Flow, data: bytes, now: float) -> None:
        """Takes note of what a client has sent: an answer says that its request was read.

        Of an answer of ours anything says so that comes after it: most often it is what the answer led to.
        """
        lane = self._lanes.get(flow.id)
        if lane is not None and not lane.rest and lane.branch in data:
            lane.probes = 0
            self._next(lane, now)

    def paced(self, outputs: list[Output], now: float) -> list[Output]:
        """Returns what of all that is to be sent may go out now."""
        if not self._lanes:
            return outputs
        out: list[Output] = []
        for output in outputs:
            lane = None
            if not isinstance(output, ConnectTo):
                flow = output.flow if isinstance(output, CloseFlow) else output[0]
                lane = self._lanes.get(flow.id) if flow.reliable else None
            if lane is None:
                out.append(output)
            elif isinstance(output, CloseFlow):
                out += [(lane.flow, data) for data in lane.waiting]
                out.append(output)
                self.lost(lane.flow)
            else:
                lane.waiting.append(output[1])
                if lane.timer is None or len(lane.waiting) > MOST:
                    self._next(lane, now)
                out += self._take()
        return out + self._take()

    def _take(self) -> list[Output]:
        ready, self._ready = self._ready, []
        return ready

    def _next(self, lane: _Lane, now: float) -> None:
        """Sends what is next in a lane."""
        self._stop(lane)
        if lane.rest:
            self._write(lane, lane.rest)
            lane.rest = b""
        elif lane.waiting:
            data = lane.waiting.popleft()
            lane.branch = _branch_of(data)
            self._write(lane, data)
        else:
            return
        pause = REQUEST_SEEN if lane.branch else ANSWER_SEEN
        lane.timer = self._queue.after(now, pause, lambda at: self._over(lane, at))

    def _over(self, lane: _Lane, now: float) -> None:
        """A pause is over. Where a request has no answer, another message begins; its rest follows a moment later."""
        lane.timer = None
        if lane.branch and not lane.rest and lane.probes < PROBES:
            lane.probes += 1
            data = lane.waiting.popleft() if lane.waiting else self._options(lane.flow)
            lane.branch = _branch_of(data)
            lane.rest = data[_BEGINNING:]
            self._write(lane, data[:_BEGINNING])
            lane.timer = self._queue.after(now, ANSWER_SEEN, lambda at: self._over(lane, at))
        else:
            self._next(lane, now)
        for output in self._take():
            self._send(output)

    def _write(self, lane: _Lane, data: bytes) -> None:
        self._ready.append((lane.flow, data))

    def _stop(self, lane: _Lane) -> None:
        timer, lane.timer = lane.timer, None
        if timer is not None:
            self._queue.cancel(timer)

    def _options(self, flow: Flow) -> bytes:
        name = self._token(8).hex()
        return (
            f"OPTIONS sip:{flow.remote[0]}:{flow.remote[1]} SIP/2.0\r\n"
            f"Via: SIP/2.0/{flow.transport.upper()} {self._domain};branch=z9hG4bK{name}\r\nMax-Forwards: 70\r\n"
            f"From: <sip:{self._domain}>;tag={name}\r\nTo: <sip:{self._domain}>\r\nCall-ID: {name}\r\n"
            "CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
        ).encode()


def _branch_of(data: bytes) -> bytes:
    """Returns the branch of a request; nothing of an answer, which nobody answers."""
    if data.startswith((b"SIP/2.0 ", b"ACK ", b"\r\n")):
        return b""
    found = _BRANCH.search(data)
    return b"" if found is None else found[1]
