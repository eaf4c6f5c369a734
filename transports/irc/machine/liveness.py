"""Whether the server is still there."""

from __future__ import annotations


class Liveness:
    """Counts from the server's last word: a question after a while, and the end after another.

    Args:
        keepalive: after so many seconds without a word, a question.
        timeout: and without an answer for so long, the end.
    """

    __slots__ = ("_asked", "_heard_at", "_keepalive", "_timeout")

    def __init__(self, keepalive: float, timeout: float) -> None:
        self._keepalive = keepalive
        self._timeout = timeout
        self._heard_at: float | None = None
        self._asked = False

    def heard(self, now: float) -> None:
        """The server said something."""
        self._heard_at = now
        self._asked = False

    def stop(self) -> None:
        """There is no server to be heard."""
        self._heard_at = None

    def next_deadline(self) -> float | None:
        """When to ask, or to give up."""
        if self._heard_at is None:
            return None
        return self._heard_at + self._keepalive + (self._timeout if self._asked else 0.0)

    def due(self, now: float) -> bool:
        """Whether it is time to ask; it is then taken as done."""
        if self._asked or self._heard_at is None or self._heard_at + self._keepalive > now:
            return False
        self._asked = True
        return True

    def dead(self, now: float) -> bool:
        """Whether the answer has not come."""
        return self._asked and self._heard_at is not None and self._heard_at + self._keepalive + self._timeout <= now
