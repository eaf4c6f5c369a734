"""Flows that were promised to be kept alive, and are not any more (RFC 5626 sections 4.4.1 and 5.4).

Who registered by outbound was told a time, Flow-Timer, within which we look for a sign of life. A connection without
one is closed, so that what is to go there takes another way. A client that has never sent a keep-alive (JsSIP) does not
know of it, and is left alone.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from transports.sip.machine.flow import Flow
from transports.sip.machine.timers import TimerQueue

GRACE = 1.25
"""How much longer than Flow-Timer we wait: the ping may be late, and has a way to go."""
_PINGS = (b"\r\n\r\n", b"\r\n")


class _Watched:
    """One connection."""

    __slots__ = ("flow", "heard_at", "pings")

    def __init__(self, flow: Flow, now: float) -> None:
        self.flow = flow
        self.heard_at = now
        self.pings = False


class Liveness:
    """Watches connections by which devices registered by outbound.

    Args:
        queue: for the time.
        seconds: what Flow-Timer says.
        close: closes a connection that is dead, for a reason.
    """

    __slots__ = ("_close", "_queue", "_seconds", "watched")

    def __init__(self, queue: TimerQueue, seconds: float, close: Callable[[Flow, str], None]) -> None:
        self._queue = queue
        self._seconds = seconds * GRACE
        self._close = close
        self.watched: dict[int, _Watched] = {}
        """By the flow's id."""

    def watch(self, flow: Flow, now: float) -> None:
        """Begins to look for signs of life."""
        if flow.reliable and flow.id not in self.watched:
            watched = self.watched[flow.id] = _Watched(flow, now)
            self._queue.after(now, self._seconds, partial(self._look, watched))

    def heard(self, flow: Flow, data: bytes, now: float) -> None:
        """A connection has read something."""
        watched = self.watched.get(flow.id)
        if watched is not None:
            watched.heard_at = now
            watched.pings = watched.pings or data in _PINGS

    def lost(self, flow: Flow) -> None:
        """A connection is gone."""
        self.watched.pop(flow.id, None)

    def _look(self, watched: _Watched, now: float) -> None:
        if self.watched.get(watched.flow.id) is not watched:
            return
        silent = now - watched.heard_at
        if watched.pings and silent >= self._seconds:
            del self.watched[watched.flow.id]
            self._close(watched.flow, "no keep-alive within Flow-Timer")
            return
        wait = self._seconds if silent >= self._seconds else self._seconds - silent
        self._queue.after(now, wait, partial(self._look, watched))
