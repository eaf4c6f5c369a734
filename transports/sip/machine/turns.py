"""One MESSAGE after another to one URI, however many write to it (RFC 3428 section 8: no overlapping transactions).

Whoever writes from another network has one conversation of their own, and these know nothing of each other. Over UDP a
URI gets one request at a time, as the RFC has it. Over a connection, which has congestion control, it gets a few: a
gateway stands for many user agents there, of which each waits for its own.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TypeAlias

BY_DATAGRAM = 1
BY_CONNECTION = 16
MOST_WAITING = 256
"""Requests that wait for their turn at one URI; one more is to be tried again later."""

Go: TypeAlias = Callable[[float], None]


class Turns:
    """Whose turn it is at each URI. What has begun is ended by `done`, always."""

    __slots__ = ("_draining", "_under_way", "_waiting")

    def __init__(self) -> None:
        self._under_way: dict[str, set[str]] = {}
        self._waiting: dict[str, deque[tuple[str, int, Go]]] = {}
        self._draining: set[str] = set()

    def __len__(self) -> int:
        return sum(len(waiting) for waiting in self._waiting.values())

    @property
    def waits(self) -> bool:
        """Whether anybody waits for their turn."""
        return bool(self._waiting)

    def take(self, uri: str, name: str, most: int, go: Go, now: float) -> bool:
        """Calls ``go`` when it is its turn: now, or when others are done. Returns False where too many wait.

        Args:
            uri: whose turn.
            name: of the request; the same one again does not wait for itself.
            most: how many may be under way with it.
            go: called once.
            now: the time.
        """
        under_way = self._under_way.get(uri)
        if under_way is None:
            self._under_way[uri] = {name}
        elif name in under_way or len(under_way) < most:
            under_way.add(name)
        else:
            waiting = self._waiting.setdefault(uri, deque())
            if len(waiting) >= MOST_WAITING:
                return False
            waiting.append((name, most, go))
            return True
        go(now)
        return True

    def done(self, uri: str, name: str, now: float) -> None:
        """A request has its outcome: the next ones have their turn."""
        under_way = self._under_way.get(uri)
        if under_way is None:
            return
        under_way.discard(name)
        if uri in self._draining:
            return  # one that failed at once: who called it goes on
        waiting = self._waiting.get(uri)
        if waiting is not None:
            self._draining.add(uri)
            while waiting and len(under_way) < waiting[0][1]:
                following, _, go = waiting.popleft()
                under_way.add(following)
                go(now)
            self._draining.discard(uri)
            if not waiting:
                del self._waiting[uri]
        if not under_way:
            del self._under_way[uri]
