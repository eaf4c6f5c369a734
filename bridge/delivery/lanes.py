"""Lanes: what is on record goes out in the order in which it was recorded, one conversation beside the other.

A lane holds the deliveries of one conversation in one direction. Its head is sent, and nothing behind it moves before
the head is settled: delivered, failed, expired or unknown for good. A head that can be tried again waits with a growing
pause; one whose recipient is not there waits until ``wake``. Pure logic: time comes in as numbers.
"""

import heapq
from collections import deque
from collections.abc import Callable, Iterator
from enum import Enum
from random import Random

from attrs import frozen

from bridge.compliance.record import Recorded
from bridge.delivery.ports import OutboxItem
from bridge.model.body import Failure, Stage
from bridge.model.capabilities import LINK_DOWN, RECIPIENT_OFFLINE, SendResult
from bridge.model.envelope import Envelope


@frozen(kw_only=True)
class RetryPolicy:
    """Pauses between tries, in seconds: full jitter under an exponential ceiling."""

    first: float = 1.0
    factor: float = 2.0
    ceiling: float = 300.0
    asleep: float = 900.0
    """The pause for one who is not there: a safeguard, for their return wakes the lane at once."""

    def pause(self, attempt: int, rng: Random) -> float:
        """Returns the pause after try number ``attempt`` (from 1), in seconds."""
        top = min(self.ceiling, self.first * self.factor ** min(attempt - 1, 30))
        return top * (0.5 + rng.random() / 2)


class _State(Enum):
    IDLE = "idle"
    SENDING = "sending"
    WAITING = "waiting"


class Parcel:
    """One delivery on its way, with the licence to make it.

    Attributes:
        maybe_duplicate: an earlier try may have arrived without a word of it: the outcome is marked so.
        last_reason: why the last try did not succeed.
        parts_sent: how many of the native messages that a long text became have been sent.
    """

    __slots__ = (
        "attempts", "item", "last_reason", "maybe_duplicate", "not_before", "parts_sent", "queued_at", "recorded",
        "settled",
    )  # fmt: skip

    def __init__(
        self, item: OutboxItem, recorded: Recorded, queued_at: float, *, maybe_duplicate: bool = False
    ) -> None:
        self.item = item
        self.recorded = recorded
        self.queued_at = queued_at
        self.maybe_duplicate = maybe_duplicate
        self.attempts = 0
        self.settled = False
        self.not_before = 0.0
        self.last_reason = ""
        self.parts_sent = 0

    @property
    def envelope(self) -> Envelope:
        """What is delivered: it comes out of the record, and from nowhere else."""
        envelope = self.recorded.envelope
        if envelope is None:
            raise TypeError(f"{self.recorded!r} holds no message to deliver")
        return envelope


class Lane:
    """The deliveries of one conversation in one direction.

    ``told``: the sender was told that this lane waits; said once for each time it stands still.
    """

    __slots__ = ("name", "parcels", "state", "told")

    def __init__(self, name: str) -> None:
        self.name = name
        self.parcels: deque[Parcel] = deque()
        self.state = _State.IDLE
        self.told = False


Sender = Callable[[Parcel], None]
Settled = Callable[[Parcel, Stage, Failure | None], None]


class Lanes:
    """All lanes.

    Args:
        send: starts a delivery; must lead to one call of ``result`` for it.
        settled: told once for each parcel, when nothing more will be done for it.
        retry: the pauses between tries.
        rng: randomness for the jitter.
        max_per_lane: how many parcels one conversation may have waiting.
        max_total: how many all may have.
    """

    def __init__(
        self,
        send: Sender,
        settled: Settled,
        retry: RetryPolicy | None = None,
        rng: Random | None = None,
        max_per_lane: int = 10_000,
        max_total: int = 200_000,
    ) -> None:
        self._send = send
        self._settled = settled
        self._retry = retry or RetryPolicy()
        self._rng = rng or Random()
        self._max_per_lane = max_per_lane
        self._max_total = max_total
        self._lanes: dict[str, Lane] = {}
        self._asleep: dict[tuple[str, str], set[str]] = {}
        self._timers: list[tuple[float, int, str]] = []
        self._waiting_since: deque[Parcel] = deque()
        self._ready: deque[Lane] = deque()
        self._pumping = False
        self._serial = 0
        self.total = 0
        self.sending = 0
        self.closed = False
        self.paused = False

    def room_for(self, lane: str, *, may_refuse: bool = True) -> bool:
        """Whether a lane takes one more parcel.

        ``may_refuse``: its sender would hear of a refusal. Public networks have no word for it: what they have handed
        over would be lost, so it is taken as long as there is any room.
        """
        if self.total >= self._max_total or not may_refuse:
            return self.total < self._max_total
        known = self._lanes.get(lane)
        return known is None or len(known.parcels) < self._max_per_lane

    def depth(self, lane: str) -> int:
        """How many parcels a lane holds."""
        known = self._lanes.get(lane)
        return len(known.parcels) if known else 0

    def events(self) -> set[str]:
        """Returns the messages that wait here, or are being sent."""
        return {parcel.item.event for lane in self._lanes.values() for parcel in lane.parcels}

    def waiting_for(self, network: str, name: str) -> int:
        """Returns how many parcels wait for a recipient to register, or for an account of ours to be signed on."""
        lanes = (self._lanes.get(lane) for lane in self._asleep.get((network, name), ()))
        return sum(len(lane.parcels) for lane in lanes if lane is not None)

    def uncertain(self) -> int:
        """Returns how many parcels may have arrived: those being sent, and those an earlier try of which may have."""
        waiting = sum(parcel.maybe_duplicate for lane in self._lanes.values() for parcel in lane.parcels)
        sending = (lane.parcels[0] for lane in self._lanes.values() if lane.state is _State.SENDING)
        return waiting + sum(not parcel.maybe_duplicate for parcel in sending)

    def add(self, parcel: Parcel, now: float) -> None:
        """Puts a parcel at the end of its lane, and sends it if nothing is before it."""
        name = parcel.item.lane
        lane = self._lanes.get(name)
        if lane is None:
            lane = self._lanes[name] = Lane(name)
        lane.parcels.append(parcel)
        self._waiting_since.append(parcel)
        self.total += 1
        if lane.state is _State.IDLE:
            self._start(lane, now)

    def result(self, parcel: Parcel, result: SendResult, now: float) -> None:
        """Takes the answer to a send. One for a parcel that is not being sent any more is late, and dropped."""
        lane = self._lanes.get(parcel.item.lane)
        if lane is None or lane.state is not _State.SENDING or lane.parcels[0] is not parcel:
            return
        self.sending -= 1
        failure = result.failure
        if failure is None or not failure.retryable:
            self._finish(lane, result.stage, failure, now)
            return
        if not failure.certain:
            parcel.maybe_duplicate = True
        self._wait(lane, parcel, failure.reason, now)

    def wake(self, network: str, name: str, now: float) -> None:
        """Tells that a recipient has registered, or an account of ours is signed on, again."""
        for lane_name in self._asleep.pop((network, name), ()):
            lane = self._lanes.get(lane_name)
            if lane is not None and lane.state is _State.WAITING:
                self._start(lane, now)

    def wake_domain(self, network: str, domain: str, now: float) -> None:
        """Tells that the people of a domain can be reached again, all of them by the same way."""
        end = f"@{domain}"
        for key in [key for key in self._asleep if key[0] == network and key[1].endswith(end)]:
            self.wake(*key, now)

    def handle_timer(self, now: float) -> None:
        """Tries again what has waited long enough, and ends what has expired."""
        while self._timers and self._timers[0][0] <= now:
            _, _, name = heapq.heappop(self._timers)
            lane = self._lanes.get(name)
            if lane is not None and lane.state is _State.WAITING and lane.parcels[0].not_before <= now:
                self._start(lane, now)

    def next_deadline(self) -> float | None:
        """When ``handle_timer`` has something to do, if ever."""
        return self._timers[0][0] if self._timers else None

    def standing(self, now: float, after: float) -> Iterator[Lane]:
        """Yields lanes in which something has waited ``after`` seconds, each once until it moves again."""
        since = self._waiting_since
        while since and (since[0].settled or now - since[0].queued_at >= after):
            parcel = since.popleft()
            lane = self._lanes.get(parcel.item.lane)
            if not parcel.settled and lane is not None and not lane.told:
                lane.told = True
                yield lane

    def close(self) -> None:
        """Starts nothing more; what is being sent may still end."""
        self.closed = True

    def pause(self) -> None:
        """Starts nothing before ``resume``: what waited since before a restart takes its place ahead of what is new."""
        self.paused = True

    def resume(self, now: float) -> None:
        """Starts what has been added since ``pause``."""
        self.paused = False
        for lane in list(self._lanes.values()):
            if lane.state is _State.IDLE:
                self._start(lane, now)

    def _start(self, lane: Lane, now: float) -> None:
        # A send may be answered at once, which starts the next one: a queue instead of recursion.
        lane.state = _State.IDLE
        self._ready.append(lane)
        if self._pumping:
            return
        self._pumping = True
        try:
            while self._ready:
                self._send_head(self._ready.popleft(), now)
        finally:
            self._pumping = False

    def _send_head(self, lane: Lane, now: float) -> None:
        if self.closed or self.paused or lane.state is not _State.IDLE or not lane.parcels:
            return
        parcel = lane.parcels[0]
        if now >= parcel.item.expires_at:
            self._expire(lane, parcel, now)
            return
        lane.state = _State.SENDING
        self.sending += 1
        parcel.attempts += 1
        self._send(parcel)

    def _wait(self, lane: Lane, parcel: Parcel, reason: str, now: float) -> None:
        lane.state = _State.WAITING
        parcel.last_reason = reason
        item = parcel.item
        # Whatever was wrong on the way to a recipient: one who registers anew is to be reached by another way.
        wanted = item.account if reason == LINK_DOWN else item.recipient
        self._asleep.setdefault((item.network, wanted), set()).add(lane.name)
        if reason in {RECIPIENT_OFFLINE, LINK_DOWN}:
            pause = self._retry.asleep * (0.5 + self._rng.random() / 2)
        else:
            pause = self._retry.pause(parcel.attempts, self._rng)
        parcel.not_before = max(now, min(now + pause, item.expires_at))
        self._serial += 1
        heapq.heappush(self._timers, (parcel.not_before, self._serial, lane.name))

    def _finish(self, lane: Lane, stage: Stage, failure: Failure | None, now: float) -> None:
        parcel = lane.parcels.popleft()
        parcel.settled = True
        self.total -= 1
        lane.told = False
        if not lane.parcels:
            del self._lanes[lane.name]
            self._forget(lane.name, parcel.item)
        self._settled(parcel, stage, failure)
        if lane.parcels:
            self._start(lane, now)

    def _forget(self, lane: str, item: OutboxItem) -> None:
        for key in ((item.network, item.recipient), (item.network, item.account)):
            names = self._asleep.get(key)
            if names is not None:
                names.discard(lane)
                if not names:
                    del self._asleep[key]

    def _expire(self, lane: Lane, parcel: Parcel, now: float) -> None:
        failure = Failure(
            reason="expired",
            retryable=False,
            certain=not parcel.maybe_duplicate,
            user_text="it could not be delivered in the time that was given",
        )
        self._finish(lane, Stage.UNKNOWN if parcel.maybe_duplicate else Stage.FAILED, failure, now)
