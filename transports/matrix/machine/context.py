"""What the parts of a session share."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Hashable

from attrs import define, field, frozen

from bridge.model.capabilities import SendResult
from transports.matrix.machine.calls import Calls
from transports.matrix.machine.config import SessionConfig
from transports.matrix.machine.rooms import Rooms
from transports.matrix.wire.names import split_user_id
from transports.matrix.wire.native import Inbound


@frozen(kw_only=True)
class SendDone:
    """What became of a send, by its key."""

    key: Hashable
    result: SendResult


@frozen(kw_only=True)
class Told:
    """An event for the owner. ``ticket``: to be given back with what became of it; 0: nobody waits."""

    event: Inbound
    ticket: int = 0


@define(eq=False, kw_only=True)
class Context:
    """What the parts of a session share.

    Attributes:
        events: for the owner, oldest first.
        is_up: whether requests can be made now.
    """

    config: SessionConfig
    rng: random.Random
    calls: Calls
    rooms: Rooms
    is_up: Callable[[], bool]
    events: deque[Told | SendDone] = field(init=False, factory=deque)

    def emit(self, event: Inbound, ticket: int = 0) -> None:
        """Tells the owner an event."""
        self.events.append(Told(event=event, ticket=ticket))

    def done(self, key: Hashable, result: SendResult) -> None:
        """Tells the owner the end of a send."""
        self.events.append(SendDone(key=key, result=result))

    @property
    def bot(self) -> str:
        """The service's own user."""
        return f"@{self.config.bot}:{self.config.server_name}"

    def is_ours(self, user: str) -> bool:
        """Whether a user is a ghost of ours, or the service's own."""
        if user == self.bot:
            return True
        try:
            localpart, server = split_user_id(user)
        except ValueError:
            return False
        return server == self.config.server_name and localpart.startswith(self.config.prefix)
