"""What is known of the programs that contacts use."""

from __future__ import annotations

from transports.msnp.wire import codes
from transports.msnp.wire.text import normal


class Clients:
    """Capabilities by contact.

    Args:
        most: of so many at most; who is beyond counts as unknown.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: dict[str, int] = {}

    def knows(self, contact: str, capabilities: int) -> None:
        """What a contact's program can do."""
        name = normal(contact)
        if name in self._known or len(self._known) < self._most:
            self._known[name] = capabilities

    def reads_chunks(self, contact: str) -> bool:
        """Whether it puts chunks together, as far as is known."""
        return bool(self._known.get(normal(contact), 0) & codes.CAN_READ_CHUNKS)

    def clear(self) -> None:
        """Nothing is known any more."""
        self._known.clear()
