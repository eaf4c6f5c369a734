"""Requests to the homeserver: in order on each lane, within a budget, and again when the server wants us to slow down.

A lane is what must keep its order: what one ghost sends to one person. Lanes take turns. What a homeserver does once
only, such as making a room, is the dearest that it does: few of those are under way at a time, for a server that is
asked for too many answers none of them in time.
"""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from collections.abc import Callable, Hashable
from typing import Any, Final

from attrs import define, field, frozen

from transports.matrix.machine.config import SessionConfig
from transports.matrix.wire.answers import Refusal, read_answer
from transports.matrix.wire.requests import Request

_WHOLE: Final = 1.0 - 1e-6
"""A request's worth: what is added up in fractions is never quite one."""
BROKEN: Final = frozenset({502, 503, 504})


@frozen(kw_only=True)
class Lost:
    """No answer. ``certain``: the request was never carried out. ``down``: there is no way to the server."""

    reason: str
    certain: bool
    down: bool = False


Outcome = Any
"""The JSON of an answer, a `Refusal` or a `Lost`."""
Done = Callable[[Outcome, float], None]


@define(eq=False, kw_only=True)
class Call:
    """A request on its way. ``once``: carried out twice it would do two things, so it is not simply tried again."""

    id: int
    request: Request
    lane: Hashable
    done: Done
    timeout: float
    deadline: float | None
    once: bool
    limited: int = field(init=False, default=0)
    broken: int = field(init=False, default=0)
    until: float = field(init=False, default=0.0)


class _Lane:
    __slots__ = ("busy", "calls", "held", "queued")

    def __init__(self) -> None:
        self.calls: deque[Call] = deque()
        self.busy = False
        self.held = False
        self.queued = False


class Calls:
    """All requests of a session.

    Args:
        config: its budgets.
        on_answer: told of each answer: the server is there.
        on_down: told that there is no way to the server.
        on_refused: told that the server does not know our token.
    """

    def __init__(
        self,
        config: SessionConfig,
        on_answer: Callable[[float], None],
        on_down: Callable[[str, float], None],
        on_refused: Callable[[Refusal, float], None],
    ) -> None:
        self._config = config
        self._on_answer = on_answer
        self._on_down = on_down
        self._on_refused = on_refused
        self._ids = itertools.count(1)
        self._lanes: dict[Hashable, _Lane] = {}
        self._ready: deque[Hashable] = deque()
        self._dear: deque[Hashable] = deque()
        """Lanes of which the next is to be carried out once; ``_ready`` has all others."""
        self._making = 0
        self._held: list[tuple[float, int, Hashable]] = []
        self._flying: dict[int, Call] = {}
        self._tokens = self._burst = max(1.0, config.requests_per_second)
        self._tokens_at = 0.0
        self.waiting = 0
        self.outgoing: deque[Call] = deque()
        """To be sent now."""
        self.cancelled: deque[int] = deque()
        """To be broken off."""
        self.limited = 0

    @property
    def flying(self) -> int:
        """How many are under way."""
        return len(self._flying)

    def submit(
        self,
        request: Request,
        lane: Hashable,
        done: Done,
        now: float,
        *,
        deadline: float | None = None,
        timeout: float = 0.0,
        once: bool = False,
    ) -> None:
        """Asks for a request to be made. ``done`` is called once, maybe before this returns."""
        if self.waiting >= self._config.max_waiting:
            done(Lost(reason="too many requests wait for the homeserver", certain=True), now)
            return
        call = Call(
            id=next(self._ids), request=request, lane=lane, done=done, deadline=deadline, once=once,
            timeout=timeout or self._config.call_timeout,
        )  # fmt: skip
        held = self._lanes.setdefault(lane, _Lane())
        held.calls.append(call)
        self.waiting += 1
        self._queue(lane, held)
        self.start(now)

    def start(self, now: float) -> None:
        """Begins what may begin."""
        self._refill(now)
        while len(self._flying) < self._config.max_in_flight and self._tokens >= _WHOLE:
            if self._dear and self._making < self._config.max_making:
                self._begin(self._dear.popleft(), now)
            elif self._ready:
                self._begin(self._ready.popleft(), now)
            else:
                return

    def _begin(self, name: Hashable, now: float) -> None:
        """Sends the next of a lane whose turn it is."""
        lane = self._lanes[name]
        lane.queued = False
        call = self._head(name, lane, now)
        if call is None:
            return
        if call.once and self._making >= self._config.max_making:
            self._queue(name, lane)  # the one before it has run out
            return
        self._tokens -= 1.0
        self._making += call.once
        lane.busy = True
        call.until = now + call.timeout
        self._flying[call.id] = call
        self.outgoing.append(call)

    def _landed(self, call_id: int) -> Call | None:
        """Takes a request out of those under way; None if it was given up."""
        call = self._flying.pop(call_id, None)
        if call is not None:
            self._making -= call.once
        return call

    def _head(self, name: Hashable, lane: _Lane, now: float) -> Call | None:
        while lane.calls:
            call = lane.calls[0]
            if call.deadline is None or call.deadline > now:
                return call
            lane.calls.popleft()
            self.waiting -= 1
            call.done(Lost(reason="its time had passed before its turn came", certain=True), now)
        self._drop_if_empty(name, lane)
        return None

    def answered(self, call_id: int, status: int, body: bytes, retry_after: str | None, now: float) -> None:
        """Takes an answer; one to a request that was given up is dropped."""
        call = self._landed(call_id)
        if call is None:
            return
        outcome = read_answer(status, body, retry_after)
        if isinstance(outcome, Refusal):
            if outcome.limited and call.limited < self._config.max_limited and self._again_later(call, outcome, now):
                self._on_answer(now)
                return
            if outcome.status in BROKEN and outcome.errcode.startswith(("HTTP_", "M_NOT_JSON")):
                reason = f"what stands before the homeserver answers {outcome.status}"
                self._end(call, Lost(reason=reason, certain=False, down=True), now)
                self._on_down(reason, now)
                return
            if outcome.token_unknown:
                self._end(call, outcome, now)
                self._on_refused(outcome, now)
                return
        self._on_answer(now)
        self._end(call, outcome, now)

    def _again_later(self, call: Call, refusal: Refusal, now: float) -> bool:
        """Holds the lane back as long as the server wants it; not beyond the deadline of its head."""
        until = now + (refusal.retry_after or 1.0)
        if call.deadline is not None and until > call.deadline:
            return False
        self.limited += 1
        call.limited += 1
        lane = self._lanes[call.lane]
        lane.busy = False
        lane.held = True
        heapq.heappush(self._held, (until, call.id, call.lane))
        return True

    def failed(self, call_id: int, reason: str, now: float, *, sent: bool) -> None:
        """Takes the news that there will be no answer. ``sent``: the request may have reached the server."""
        call = self._landed(call_id)
        if call is None:
            return
        if not call.broken and not (call.once and sent):
            # A connection that was kept open may have been closed by the server in the same moment: that tells nothing.
            call.broken = 1
            lane = self._lanes[call.lane]
            lane.busy = False
            self._queue(call.lane, lane)
            self.start(now)
            return
        self._end(call, Lost(reason=reason, certain=not sent, down=True), now)
        self._on_down(reason, now)

    def _end(self, call: Call, outcome: Outcome, now: float) -> None:
        lane = self._lanes[call.lane]
        lane.calls.popleft()
        lane.busy = False
        self.waiting -= 1
        call.done(outcome, now)
        if self._lanes.get(call.lane) is lane:
            self._queue(call.lane, lane)
        self.start(now)

    def _queue(self, name: Hashable, lane: _Lane) -> None:
        if not lane.calls:
            self._drop_if_empty(name, lane)
        elif not (lane.busy or lane.held or lane.queued):
            lane.queued = True
            (self._dear if lane.calls[0].once else self._ready).append(name)

    def _drop_if_empty(self, name: Hashable, lane: _Lane) -> None:
        if not (lane.calls or lane.busy or lane.queued):
            self._lanes.pop(name, None)

    def clear(self, reason: str, now: float) -> None:
        """Gives up everything: what was sent may have been carried out."""
        flying, lanes = self._flying, self._lanes
        self._flying, self._lanes = {}, {}
        self._ready.clear()
        self._dear.clear()
        self._making = 0
        self._held.clear()
        self.outgoing.clear()
        self.cancelled.extend(flying)
        self.waiting = 0
        for lane in lanes.values():
            for call in lane.calls:
                call.done(Lost(reason=reason, certain=call.id not in flying, down=True), now)

    # Time

    def _refill(self, now: float) -> None:
        passed = max(0.0, now - self._tokens_at)
        self._tokens = min(self._burst, self._tokens + passed * self._config.requests_per_second)
        self._tokens_at = now

    def _wanting(self) -> bool:
        """Whether there is something that only the budget keeps from being sent."""
        return bool(self._ready) or bool(self._dear and self._making < self._config.max_making)

    def next_deadline(self) -> float | None:
        """When `tick` has something to do."""
        times = [call.until for call in self._flying.values()]
        if self._held:
            times.append(self._held[0][0])
        if self._wanting() and len(self._flying) < self._config.max_in_flight and self._tokens < _WHOLE:
            times.append(self._tokens_at + (1.0 - self._tokens) / self._config.requests_per_second)
        return min(times, default=None)

    def tick(self, now: float) -> list[Call]:
        """Goes on with what has waited long enough; returns what had no answer in its time, which is ended."""
        while self._held and self._held[0][0] <= now:
            _, _, name = heapq.heappop(self._held)
            lane = self._lanes.get(name)
            if lane is not None:
                lane.held = False
                self._queue(name, lane)
        late = [call for call in self._flying.values() if call.until <= now]
        for call in late:
            if self._landed(call.id) is not None:
                self.cancelled.append(call.id)
                self._end(call, Lost(reason="the homeserver did not answer in time", certain=False), now)
        self.start(now)
        return late
