"""Many requests of one moment over UDP: non-INVITE client transactions (RFC 3261 17.1.2) that share their timers.

A person's thousand watchers are told at once. A thousand transactions with two timers each would cost more than all
else about their NOTIFYs, so those of one moment are one volley: one timer sends again what has no answer yet. What is
done for each of them is what the table of the RFC says, timer E at T1, 2*T1 .. T2, timer F at 64*T1.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from transports.sip.machine.clients import Failure, Outcome
from transports.sip.machine.flow import Flow, Output
from transports.sip.machine.timers import TimerQueue
from transports.sip.machine.transactions import Timers
from transports.sip.wire.message import Response

_TAKEN = re.compile(
    rb"SIP/2\.0 2[0-9][0-9] [^\r\n]*\r\nVia:[^\r\n,]*?;branch=(z9hG4bK[0-9a-z]+)(?=[;\r])[^\r\n,]*(?=\r\n)"
)
"""A success as nearly all write it, its one Via first. The branch is ours and cannot be guessed: no more is needed."""
_VIA = re.compile(rb"\r\nv(?:ia)?[ \t]*:", re.IGNORECASE)


Shot = tuple[bytes, bytes, Flow, Any]
"""One request of a volley: its branch, its octets, where they go, and what is handed back with the outcome."""
OnShot = Callable[[Any, Outcome | None, float], None]
"""Takes an owner, the final response (None: a success that was not read further) or why there is none, and the time."""


class Volleys:
    """All volleys that are under way.

    Args:
        timers: lengths of the RFC's timers.
        limit: how many requests at most.
        queue: where deadlines are kept.
        outputs: where what is to be sent is appended.
        outcome: told once of each request.
    """

    __slots__ = ("_limit", "_outcome", "_outputs", "_proceeding", "_queue", "_timers", "_waiting")

    def __init__(self, timers: Timers, limit: int, queue: TimerQueue, outputs: list[Output], outcome: OnShot) -> None:
        self._timers = timers
        self._limit = limit
        self._queue = queue
        self._outputs = outputs
        self._outcome = outcome
        self._waiting: dict[bytes, Shot] = {}
        self._proceeding: set[bytes] = set()
        """Branches of those that were answered provisionally."""

    def __len__(self) -> int:
        return len(self._waiting)

    def send(self, shots: list[Shot], now: float) -> None:
        """Sends requests over UDP; their branches are new."""
        waiting, outputs = self._waiting, self._outputs
        room = max(self._limit - len(waiting), 0)
        sent, refused = (shots, []) if room >= len(shots) else (shots[:room], shots[room:])
        for shot in sent:
            waiting[shot[0]] = shot
            outputs.append((shot[2], shot[1]))
        if sent:
            t1 = self._timers.t1
            self._queue.after(now, t1, lambda at: self._again(sent, t1, now, at))
        for _, _, _, owner in refused:
            self._outcome(owner, Failure.OVERLOAD, now)

    def _again(self, shots: list[Shot], interval: float, began: float, now: float) -> None:
        waiting, proceeding = self._waiting, self._proceeding
        left = [shot for shot in shots if waiting.get(shot[0]) is shot]
        if not left:
            return
        if now >= began + self._timers.timeout:
            for branch, _, _, owner in left:
                del waiting[branch]
                proceeding.discard(branch)
                self._outcome(owner, Failure.TIMEOUT, now)
            return
        slow = interval >= self._timers.t2
        self._outputs += [(flow, data) for branch, data, flow, _ in left if slow or branch not in proceeding]
        following = min(2 * interval, self._timers.t2)
        after = max(min(following, began + self._timers.timeout - now), 0.0)
        self._queue.after(now, after, lambda at: self._again(left, following, began, at))

    def quick(self, data: bytes, now: float) -> bool:
        """Takes a datagram that is a success to one of the requests; any other is left alone, and False returned."""
        found = _TAKEN.match(data)
        if found is None or _VIA.match(data, found.end()):
            return False
        shot = self._waiting.pop(found[1], None)
        if shot is None:
            return False
        self._proceeding.discard(shot[0])
        self._outcome(shot[3], None, now)
        return True

    def response(self, response: Response, now: float) -> bool:
        """Takes a response to one of the requests; any other is left alone, and False returned."""
        if not self._waiting or not response.one_via:
            return False
        branch = (response.top_via.branch or "").encode()
        shot = self._waiting.get(branch)
        if shot is None or response.cseq.method != "NOTIFY":
            return False
        if response.status < 200:
            self._proceeding.add(branch)
            return True
        del self._waiting[branch]
        self._proceeding.discard(branch)
        self._outcome(shot[3], response, now)
        return True
