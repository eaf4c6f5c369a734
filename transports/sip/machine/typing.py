"""Who is composing (RFC 3994): what clients say runs out, and what they are told is refreshed, and not too often.

A client that dies while its user writes never says that they stopped: its word is good for 120 s, or as long as it
says. Other networks say once that somebody writes, and a SIP client forgets it after 120 s: it is told again. A message
says that its sender has stopped, to either side, without a word (section 3.2).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from transports.sip.machine.timers import Timer, TimerQueue
from transports.sip.wire.iscomposing import MIN_REFRESH
from transports.sip.wire.native import SipMessage, SipTyping

EXPIRY: Final = 120.0
"""Seconds that an active state is good for which names no refresh (section 3.3)."""
REFRESH: Final = 100.0
"""Seconds after which an active state is told again: before it has run out."""
MOST_REFRESHES: Final = 5
"""How often; a network that has forgotten to say that somebody stopped is not believed for ever."""
MOST_PER_PERSON: Final = 32
MOST: Final = 16_384
_Pair = tuple[str, str]


class Heard:
    """What clients say that their users do.

    Args:
        queue: for the end of each word.
        over: takes the idle state that a client did not say.
    """

    def __init__(self, queue: TimerQueue, over: Callable[[SipTyping], None]) -> None:
        self._queue = queue
        self._over = over
        self._active: dict[str, dict[str, Timer]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def heard(self, native: SipMessage | SipTyping, now: float) -> None:
        """Takes what a client has sent, a typing notice or a message."""
        if type(native) is SipTyping and native.state == "active":
            self._forget(native.aor, native.peer)
            self._make_room(native.aor)
            length = EXPIRY if native.refresh is None else max(float(native.refresh), MIN_REFRESH)
            aor, peer = native.aor, native.peer
            timer = self._queue.after(now, length, lambda _: self._ran_out(aor, peer))
            self._active.setdefault(aor, {})[peer] = timer
            self._count += 1
        elif self._count:
            self._forget(native.aor, native.peer)

    def _make_room(self, aor: str) -> None:
        own = self._active.get(aor)
        if own is not None and len(own) >= MOST_PER_PERSON:
            self._ran_out(aor, next(iter(own)))
        elif self._count >= MOST:
            oldest = next(iter(self._active))
            self._ran_out(oldest, next(iter(self._active[oldest])))

    def _ran_out(self, aor: str, peer: str) -> None:
        self._forget(aor, peer)
        self._over(SipTyping(aor=aor, peer=peer, state="idle"))

    def _forget(self, aor: str, peer: str) -> None:
        own = self._active.get(aor)
        timer = None if own is None else own.pop(peer, None)
        if timer is None:
            return
        self._queue.cancel(timer)
        self._count -= 1
        if not own:
            del self._active[aor]


class _Told:
    __slots__ = ("at", "left", "timer")

    def __init__(self, at: float) -> None:
        self.at = at
        self.left = MOST_REFRESHES
        self.timer: Timer | None = None


class Told:
    """What clients were told that others do.

    Args:
        queue: for refreshes.
        again: sends an active state that is told again, under the key that is given.
    """

    def __init__(self, queue: TimerQueue, again: Callable[[SipTyping, str, float], None]) -> None:
        self._queue = queue
        self._again = again
        self._active: dict[_Pair, _Told] = {}
        self._idle: dict[_Pair, None] = {}

    def __len__(self) -> int:
        return len(self._active) + len(self._idle)

    def news(self, typing: SipTyping, key: str, now: float) -> bool:
        """Whether a state is to be told: nobody is told twice that somebody is idle, nor active within a minute."""
        pair = (typing.aor, typing.peer)
        told = self._active.get(pair)
        if typing.state == "active":
            if told is not None and now - told.at < MIN_REFRESH:
                return False
            self._end(pair)
            if len(self._active) >= MOST:
                self._end(next(iter(self._active)))
            told = self._active[pair] = _Told(now)
            self._arm(told, typing, key, now)
            return True
        known_idle = pair in self._idle
        self._end(pair)
        if len(self._idle) >= MOST:
            del self._idle[next(iter(self._idle))]
        self._idle[pair] = None
        return told is not None or not known_idle or typing.state == "gone"

    def wrote(self, aor: str, peer: str) -> None:
        """A message of ``peer`` goes to ``aor``: whoever reads it knows that its sender has stopped."""
        if not self._active:
            return
        pair = (aor, peer)
        if pair in self._active:
            self._end(pair)
            self._idle[pair] = None

    def _arm(self, told: _Told, typing: SipTyping, key: str, now: float) -> None:
        told.timer = self._queue.after(now, REFRESH, lambda at: self._refresh(told, typing, key, at))

    def _refresh(self, told: _Told, typing: SipTyping, key: str, now: float) -> None:
        told.at = now
        told.left -= 1
        self._again(typing, f"{key}\n{told.left}", now)
        if told.left:
            self._arm(told, typing, key, now)
        else:
            self._active.pop((typing.aor, typing.peer), None)

    def _end(self, pair: _Pair) -> None:
        told = self._active.pop(pair, None)
        if told is not None and told.timer is not None:
            self._queue.cancel(told.timer)
        self._idle.pop(pair, None)
