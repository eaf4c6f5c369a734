"""One switchboard: who is on it, what was said and what has been acknowledged."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Hashable
from enum import Enum

from attrs import define, field

from transports.msnp.machine.connections import Connection
from transports.msnp.wire.board import Participant, Ring
from transports.msnp.wire.chunks import Gatherer
from transports.msnp.wire.native import ImSend

MAX_MEMBERS = 64
"""The most people on one switchboard that are remembered; it is left when the second comes."""


class Stand(Enum):
    """How far a switchboard is."""

    WAITING = "waiting"
    """Its turn to be asked for has not come."""
    ASKED = "asked"
    CONNECTING = "connecting"
    GREETING = "greeting"
    CALLING = "calling"
    OPEN = "open"


@define(eq=False)
class Item:
    """A message that waits. `expires`: after that time it is not sent any more. `moved`: it has lost a board before."""

    key: Hashable
    message: ImSend
    expires: float
    moved: bool = False


@define(eq=False)
class Flight:
    """A message that was sent, in one piece or several: the transaction ids that are not acknowledged yet."""

    item: Item
    due: float
    waiting: set[int] = field(factory=set)


@define(eq=False)
class Board:
    """A switchboard that is wanted, being set up, or open. `contact` is the other's passport in normal form."""

    contact: str
    stand: Stand = Stand.WAITING
    ring: Ring | None = None
    key: str = ""
    session: str = ""
    conn: Connection | None = None
    due: float | None = None
    """Until when it has to be open."""
    used: float = 0.0
    members: OrderedDict[str, Participant] = field(factory=OrderedDict)
    pending: deque[Item] = field(factory=deque)
    flights: dict[int, Flight] = field(factory=dict)
    gatherer: Gatherer = field(factory=Gatherer)
    leaving: bool = False

    @property
    def private(self) -> bool:
        """Whether the contact, and nobody else, is on it."""
        return self.stand is Stand.OPEN and not self.leaving and list(self.members) == [self.contact]

    @property
    def busy(self) -> bool:
        """Whether something would be lost if it were closed."""
        return bool(self.pending or self.flights) or self.stand is not Stand.OPEN

    def due_at(self, idle: float) -> float | None:
        """When something is to be done about it."""
        times = [flight.due for flight in self.flights.values()]
        if self.due is not None:
            times.append(self.due)
        if self.stand is Stand.OPEN and not self.busy:
            times.append(self.used + idle)
        times += [item.expires for item in self.pending]
        return min(times, default=None)
