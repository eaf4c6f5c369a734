"""MESSAGEs that were asked for credentials, until they come again with good ones or are given up.

A challenge is no refusal: the first request of most clients has no credentials, or a nonce that has gone stale, and is
sent again with an answer (RFC 3261 section 22.2: with the same Call-ID, From and Request-URI). One that is not was
refused, and the owner is told so a moment later.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import TypeAlias

from attrs import evolve

from transports.sip.machine.config import Limits
from transports.sip.machine.events import RequestRefused
from transports.sip.machine.flow import Flow
from transports.sip.machine.timers import Timer, TimerQueue
from transports.sip.wire.message import Request

_Key: TypeAlias = tuple[str, str, str, str]


class Challenged:
    """A table of bounded size, oldest first.

    Args:
        queue: for the time.
        seconds: how long a client may take to answer.
        limits: how many are kept, and how much of their texts. Beyond it the oldest is given up at once: it is put on
            record too early rather than never.
        give_up: takes what was not answered.
    """

    __slots__ = ("_give_up", "_limits", "_queue", "_seconds", "_timer", "_waiting")

    def __init__(
        self, queue: TimerQueue, seconds: float, limits: Limits, give_up: Callable[[RequestRefused], None]
    ) -> None:
        self._queue = queue
        self._seconds = seconds
        self._limits = limits
        self._give_up = give_up
        self._waiting: OrderedDict[_Key, tuple[float, RequestRefused]] = OrderedDict()
        self._timer: Timer | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    def ask(self, request: Request, flow: Flow, refused: RequestRefused, now: float) -> None:
        """Notes that a request was challenged. One that is sent again without an answer has no more time for it."""
        key = self._key(request, flow)
        if key in self._waiting:
            return
        if len(self._waiting) >= self._limits.challenged:
            _, (_, oldest) = self._waiting.popitem(last=False)
            self._give_up(oldest)
        _, claimed, target, call_id = key
        kept = evolve(refused, claimed_from=claimed, target=target, call_id=call_id)
        self._waiting[key] = now + self._seconds, kept
        if self._timer is None:
            self._timer = self._queue.after(now, self._seconds, self._look)

    def settle(self, request: Request, flow: Flow) -> None:
        """Forgets a request that has come again, and was let in or refused by name."""
        if self._waiting:
            self._waiting.pop(self._key(request, flow), None)

    def give_up_all(self) -> None:
        """Gives all up: nobody is listened to any more."""
        while self._waiting:
            _, (_, refused) = self._waiting.popitem(last=False)
            self._give_up(refused)

    def _key(self, request: Request, flow: Flow) -> _Key:
        most = self._limits.stored_text
        return flow.source, str(request.from_.uri)[:most], request.uri_text[:most], request.call_id[:most]

    def _look(self, now: float) -> None:
        self._timer = None
        while self._waiting:
            key, (deadline, refused) = next(iter(self._waiting.items()))
            if deadline > now:
                self._timer = self._queue.after(now, deadline - now, self._look)
                return
            del self._waiting[key]
            self._give_up(refused)
