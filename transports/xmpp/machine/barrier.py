"""How it is known that our server has what was sent to it, without XEP-0198: what it was asked afterwards is answered.

A server works on the stanzas of one stream in order (RFC 6120 section 10.1), so the answer to a ping, whatever it is,
says that all that was sent before has been taken. One ping is under way at a time: what is sent meanwhile waits for the
next one, so that a burst of messages costs few pings.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable

from attrs import define, field

Place = tuple[Hashable, str, str]
"""The key of a send, the account, and the message's id (empty where it has none)."""


@define(eq=False)
class Barrier:
    """What was sent on one stream and is not known to have been taken.

    Args:
        ping: sends a ping and returns its id.
        timeout: seconds within which a ping is to be answered.
    """

    ping: Callable[[], str]
    timeout: float
    _before: list[Place] = field(init=False, factory=list)
    _after: list[Place] = field(init=False, factory=list)
    _ping: str = field(init=False, default="")
    deadline: float | None = field(init=False, default=None)
    """When the stream is to be given up, unless the ping is answered."""

    def __len__(self) -> int:
        return len(self._before) + len(self._after)

    def sent(self, key: Hashable, account: str, ref: str, now: float) -> None:
        """Something was sent whose end somebody waits for."""
        self._after.append((key, account, ref))
        if not self._ping:
            self.ask(now)

    def ask(self, now: float) -> None:
        """Asks the server now, unless it is being asked."""
        if not self._ping:
            self._before, self._after = self._after, []
            self._ping = self.ping()
            self.deadline = now + self.timeout

    def answered(self, ref: str, now: float) -> list[Place] | None:
        """The server has answered an IQ. Returns what it has taken; None where it was not our ping."""
        if not self._ping or ref != self._ping:
            return None
        taken, self._before = self._before, []
        self._ping, self.deadline = "", None
        if self._after:
            self.ask(now)
        return taken

    def failed(self, account: str, ref: str) -> Hashable | None:
        """A message came back. Returns the key of its send, which is over; None where nobody waits for it."""
        for places in (self._before, self._after):
            for place in places:
                if ref and place[1] == account and place[2] == ref:
                    places.remove(place)
                    return place[0]
        return None

    def of(self, account: str) -> list[Place]:
        """Takes out what was sent for an account."""
        mine = [place for place in (*self._before, *self._after) if place[1] == account]
        self._before = [place for place in self._before if place[1] != account]
        self._after = [place for place in self._after if place[1] != account]
        return mine

    def lost(self) -> list[Place]:
        """The stream is gone. Returns all that is not known to have been taken."""
        places = [*self._before, *self._after]
        self._before, self._after, self._ping, self.deadline = [], [], "", None
        return places
