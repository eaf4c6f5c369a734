"""How the sends of an account end: each exactly once."""

from __future__ import annotations

from collections.abc import Callable, Hashable

from bridge.model.capabilities import SendResult
from transports.msnp.machine import results
from transports.msnp.machine.actions import SendDone
from transports.msnp.machine.board import Board, Flight, Item


class Ends:
    """Tells ends.

    Args:
        emit: takes them.

    Attributes:
        active: the cookies of what waits for its turn or for an acknowledgement.
    """

    def __init__(self, emit: Callable[[SendDone], None]) -> None:
        self._emit = emit
        self.active: set[str] = set()

    def done(self, key: Hashable, result: SendResult) -> None:
        """What never began, or has no cookie, ends so."""
        self._emit(SendDone(key=key, result=result))

    def end(self, item: Item, result: SendResult) -> None:
        """A message ends so."""
        self.active.discard(item.message.cookie)
        self.done(item.key, result)

    def expire(self, item: Item) -> None:
        """A message has waited too long for its turn."""
        text = "The message waited too long for its turn and was not sent."
        reason = "expired in the queue"
        self.end(item, results.failed(reason, retryable=False, user_text=text, remote_id=item.message.cookie))

    def unknown(self, board: Board, flight: Flight, reason: str, *, retryable: bool) -> None:
        """Of a message that was sent nothing more will be heard."""
        for trid in flight.waiting:
            board.flights.pop(trid, None)
        self.end(flight.item, results.unknown(reason, flight.item.message.cookie, retryable=retryable))

    def all(self, board: Board, result: SendResult) -> None:
        """All that waits for a switchboard ends so."""
        while board.pending:
            self.end(board.pending.popleft(), result)

    def flights(self, board: Board, reason: str) -> None:
        """A switchboard is gone: of what was sent and not acknowledged nothing is known."""
        for flight in {id(each): each for each in board.flights.values()}.values():
            self.end(flight.item, results.unknown(reason, flight.item.message.cookie))
        board.flights.clear()
