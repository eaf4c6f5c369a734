"""What delivery asks of identity: who is behind two addresses, and which way leads from one to the other."""

from typing import Protocol

from attrs import frozen

from bridge.model.address import Address, Identity
from bridge.model.envelope import Direction, Origin
from bridge.model.ids import PersonId


@frozen(kw_only=True)
class Route:
    """A way: both ends with the people behind them, and the account of ours that sends on the recipient's network."""

    sender: Identity
    recipient: Identity
    account: str
    direction: Direction


@frozen(kw_only=True)
class NoRoute:
    """There is no way; the ends as far as they are known. ``code`` is a code of ``ports.Refusal``."""

    sender: Identity
    recipient: Identity
    direction: Direction
    code: str
    reason: str


class Directory(Protocol):
    """The people, as they are now: an immutable snapshot."""

    @property
    def version(self) -> int:
        """Grows with each change."""

    def route(self, origin: Origin, sender: Address, recipient: Address) -> Route | NoRoute:
        """Finds the way of an event that came from ``origin``."""

    def groups_of(self, person: PersonId) -> frozenset[str]:
        """Returns the groups a person is in."""
