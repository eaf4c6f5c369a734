"""What others say on switchboards, on its way to whoever listens."""

from __future__ import annotations

from collections.abc import Callable

from transports.msnp.machine import incoming
from transports.msnp.machine.board import Board
from transports.msnp.machine.typing import Typing
from transports.msnp.wire import native
from transports.msnp.wire.command import Command, command
from transports.msnp.wire.errors import MsnpSyntaxError
from transports.msnp.wire.mime import Mime
from transports.msnp.wire.text import normal, unescape


class Listener:
    """Reads MSG.

    Args:
        account: our passport in normal form.
        typing: who types to us.
        emit: takes what was said.
    """

    def __init__(self, account: str, typing: Typing, emit: Callable[[native.Inbound], None]) -> None:
        self._account = account
        self._typing = typing
        self._emit = emit

    def said(self, board: Board, line: Command, now: float) -> None:
        """Somebody has said something. Raises `MsnpSyntaxError` where nobody is named."""
        sender, payload = line.arg(0).partition(";")[0], line.payload or b""
        if normal(sender) == self._account:
            return
        board.used = now
        if board.leaving and len(board.members) > 1:
            reason = "said to several people in a conversation that is being left"
            self._emit(incoming.unreadable(self._account, sender, reason, payload))
            return
        try:
            whole = board.gatherer.add(normal(sender), Mime.decode(payload))
            self.lost_chunks(board)
            if whole is not None:
                name = unescape(line.args[1]) if len(line.args) > 1 else ""
                self._tell(board, incoming.read(self._account, sender, name, whole), now)
        except MsnpSyntaxError as error:
            self._emit(incoming.unreadable(self._account, sender, str(error), payload))

    def _tell(self, board: Board, read: incoming.Read, now: float) -> None:
        event = read.event
        if isinstance(event, native.TypingReceived):
            if not self._typing.heard(normal(event.sender), now):
                return
        elif isinstance(event, native.ImReceived):
            self._typing.wrote(normal(event.sender))
        if read.answer is not None and board.conn is not None:
            board.conn.send(command("MSG", board.conn.next_trid(), "N", payload=read.answer.encode()))
        if event is not None:
            self._emit(event)

    def lost_chunks(self, board: Board) -> None:
        """Tells of messages in chunks of which some will not come."""
        for sender, message in board.gatherer.lost:
            reason = "a message in chunks of which some never came"
            self._emit(incoming.unreadable(self._account, sender, reason, message.encode()))
        board.gatherer.lost.clear()
