"""One FLAP connection: framing, request ids, who waits for which answer, and what waits for its turn."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable

from transports.oscar.machine.actions import Purpose
from transports.oscar.machine.pacing import RateTracker
from transports.oscar.wire.flap import DATA, FlapFramer, FlapSequence
from transports.oscar.wire.snac import FROM_SERVER, Body, encode_snac

MAX_PENDING = 4096
"""The most requests of which an answer is awaited; the oldest are forgotten beyond."""
_EPSILON = 1e-6

OnReply = Callable[[Body, bool, float], None]
"""Takes the answer to a request (a `SnacError` when refused), whether more answers follow, and the time."""


class Outgoing:
    """A SNAC on its way out.

    Attributes:
        body: what to send.
        on_reply: who waits for the answer.
        on_sent: told the request id and the time when it goes.
        on_expired: told when it did not go before `expires`.
        on_lost: told when the connection is lost before it went.
        label: a waiting SNAC of the same label is replaced by this one (only the newest state matters).
        order: its place among all that were submitted.
    """

    __slots__ = ("body", "done", "expires", "label", "on_expired", "on_lost", "on_reply", "on_sent", "order")

    def __init__(
        self,
        body: Body,
        *,
        on_reply: OnReply | None = None,
        on_sent: Callable[[int, float], None] | None = None,
        on_expired: Callable[[], None] | None = None,
        on_lost: Callable[[], None] | None = None,
        expires: float | None = None,
        label: str | None = None,
    ) -> None:
        self.body = body
        self.on_reply = on_reply
        self.on_sent = on_sent
        self.on_expired = on_expired
        self.on_lost = on_lost
        self.expires = expires
        self.label = label
        self.order = 0
        self.done = False


class Connection:
    """The state of one connection. `out` holds the bytes to write; its owner takes them with `take_output`."""

    __slots__ = (
        "_expiries", "_numbers", "_order", "_queues", "_request_id", "cookie", "framer", "groups", "id",
        "last_received", "last_sent", "out", "paused", "pending", "purpose", "ready", "service", "standing",
        "tracker", "waiting",
    )  # fmt: skip

    def __init__(self, conn_id: int, purpose: Purpose, *, max_frame: int, start_sequence: int, now: float) -> None:
        self.id = conn_id
        self.purpose = purpose
        self.framer = FlapFramer(max_payload=max_frame)
        self.out = bytearray()
        self.cookie = b""
        self.service = 0
        self.groups: frozenset[int] = frozenset()
        self.tracker: RateTracker | None = None
        self.paused = False
        self.standing = False
        self.ready = False
        self.waiting = 0
        self.last_sent = now
        self.last_received = now
        self.pending: dict[int, OnReply] = {}
        self._numbers = FlapSequence(start_sequence)
        self._request_id = 0
        self._order = 0
        self._queues: dict[int | None, deque[Outgoing]] = {}
        self._expiries: list[tuple[float, int, Outgoing]] = []

    def take_output(self) -> bytes:
        """The bytes to write."""
        data = bytes(self.out)
        self.out.clear()
        return data

    def send_frame(self, channel: int, payload: bytes, now: float) -> None:
        """Write a frame at once."""
        self.out += self._numbers.frame(channel, payload)
        self.last_sent = now

    def send_now(self, body: Body, now: float, on_reply: OnReply | None = None) -> int:
        """Write a SNAC at once, whatever its class says; gives its request id."""
        self._request_id = self._request_id % (FROM_SERVER - 1) + 1
        request_id = self._request_id
        self.send_frame(DATA, encode_snac(body, request_id), now)
        if self.tracker is not None:
            class_id = self.tracker.class_of(*body.ids())
            if class_id is not None:
                self.tracker.sent(class_id, now)
        if on_reply is not None:
            self.pending[request_id] = on_reply
            if len(self.pending) > MAX_PENDING:
                del self.pending[next(iter(self.pending))]
        return request_id

    def class_of(self, body: Body) -> int | None:
        """The rate class of a SNAC."""
        return None if self.tracker is None else self.tracker.class_of(*body.ids())

    def may_go(self, body: Body, now: float) -> bool:
        """Whether a SNAC submitted now would be sent at once."""
        class_id = self.class_of(body)
        return not self.paused and not self._queues.get(class_id) and self._ready(class_id, now)

    def _ready(self, class_id: int | None, now: float) -> bool:
        if class_id is None or self.tracker is None:
            return True
        return self.tracker.ready_at(class_id) <= now + _EPSILON

    def submit(self, item: Outgoing, now: float) -> bool:
        """Send now, or in its turn. Gives whether it went."""
        if item.label is not None and self._replace(item):
            return False
        if self.may_go(item.body, now):
            self._send(item, now)
            return True
        self._order += 1
        item.order = self._order
        self._queues.setdefault(self.class_of(item.body), deque()).append(item)
        self.waiting += 1
        if item.expires is not None:
            heapq.heappush(self._expiries, (item.expires, item.order, item))
        return False

    def _replace(self, item: Outgoing) -> bool:
        queue = self._queues.get(self.class_of(item.body))
        for old in queue or ():
            if old.label == item.label and not old.done:
                old.body, old.on_reply, old.on_sent = item.body, item.on_reply, item.on_sent
                return True
        return False

    def _send(self, item: Outgoing, now: float) -> None:
        item.done = True
        request_id = self.send_now(item.body, now, item.on_reply)
        if item.on_sent is not None:
            item.on_sent(request_id, now)

    def position(self, body: Body) -> int:
        """How many wait in the class of a SNAC."""
        return len(self._queues.get(self.class_of(body), ()))

    def expected(self, body: Body, position: int, now: float) -> float:
        """In how many seconds the SNAC behind `position` others of its class should go; 0 when it cannot be told."""
        class_id = self.class_of(body)
        if class_id is None or self.tracker is None:
            return 0.0
        return self.tracker.expected(class_id, position, now)

    def flush(self, now: float) -> None:
        """Send what may go; let expire what is too late."""
        while self._expiries and (self._expiries[0][0] <= now or self._expiries[0][2].done):
            item = heapq.heappop(self._expiries)[2]
            if not item.done:
                item.done = True
                self.waiting -= 1
                if item.on_expired is not None:
                    item.on_expired()
        if self.paused:
            return
        for class_id, queue in list(self._queues.items()):
            while queue:
                if queue[0].done:
                    queue.popleft()
                elif self._ready(class_id, now):
                    self.waiting -= 1
                    self._send(queue.popleft(), now)
                else:
                    break

    def wake(self) -> float | None:
        """When `flush` has something to do; None when nothing waits."""
        while self._expiries and self._expiries[0][2].done:
            heapq.heappop(self._expiries)
        times = [self._expiries[0][0]] if self._expiries else []
        if not self.paused and self.tracker is not None:
            for class_id, queue in self._queues.items():
                if queue:
                    times.append(0.0 if class_id is None else self.tracker.ready_at(class_id))
        return min(times, default=None)

    def drain(self) -> list[Outgoing]:
        """Take out everything that waits, in order."""
        items = sorted(
            (item for queue in self._queues.values() for item in queue if not item.done), key=lambda item: item.order
        )
        self._queues.clear()
        self._expiries.clear()
        self.waiting = 0
        return items

    def answered(self, request_id: int, *, more: bool) -> OnReply | None:
        """Who waits for this answer; with `more` they go on waiting."""
        if more:
            return self.pending.get(request_id)
        return self.pending.pop(request_id, None)
