"""Sends that were given up as unknown, so that a late ACK or NAK still tells what became of them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from transports.msnp.machine.board import Board
from transports.msnp.wire import native

MAX_REMEMBERED = 1024


class Remembered:
    """By board and transaction id. Emits `ImAck` and `ImError`."""

    def __init__(self, account: str, emit: Callable[[native.Inbound], None]) -> None:
        self._account = account
        self._emit = emit
        self._kept: OrderedDict[tuple[int, int], native.ImSend] = OrderedDict()

    def keep(self, board: Board, trid: int, message: native.ImSend) -> None:
        """A send was given up."""
        if board.conn is None:
            return
        self._kept[board.conn.id, trid] = message
        if len(self._kept) > MAX_REMEMBERED:
            self._kept.popitem(last=False)

    def answered(self, board: Board, trid: int, *, good: bool) -> None:
        """An answer that nobody waits for any more has come."""
        message = None if board.conn is None else self._kept.pop((board.conn.id, trid), None)
        if message is None:
            return
        if good:
            self._emit(native.ImAck(account=self._account, to=message.to, cookie=message.cookie))
        else:
            self._emit(
                native.ImError(
                    account=self._account, to=message.to, cookie=message.cookie, reason="NAK", retryable=True
                )
            )

    def clear(self) -> None:
        """The sign-on is over."""
        self._kept.clear()
