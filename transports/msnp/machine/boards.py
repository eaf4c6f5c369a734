"""The switchboards of an account: asked for when somebody is to be written to, answered when somebody calls.

One for each contact is enough and is used again; one on which a third person appears is left, since what is written to
one is not for others.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable

from bridge.model.capabilities import SendResult
from transports.msnp.machine import results
from transports.msnp.machine.actions import SendDone
from transports.msnp.machine.board import MAX_MEMBERS, Board, Flight, Item, Stand
from transports.msnp.machine.clients import Clients
from transports.msnp.machine.config import SessionConfig
from transports.msnp.machine.connections import Connection, Connections
from transports.msnp.machine.ends import Ends
from transports.msnp.machine.listener import Listener
from transports.msnp.machine.outcomes import Remembered
from transports.msnp.machine.pacing import Bucket
from transports.msnp.machine.typing import Typing
from transports.msnp.wire import board as wire
from transports.msnp.wire import chunks, codes, im, native
from transports.msnp.wire.command import Command, command
from transports.msnp.wire.errors import MsnpSyntaxError
from transports.msnp.wire.text import normal

PIECE = 1600
"""Bytes of one MSG with its headers, under the 1,664 that servers take."""


class Boards:
    """Args:
    account: our passport in normal form. passport: as we write it.
    config: the network's parameters.
    conns: where connections come from.
    emit: takes events and the ends of sends.
    ask: has the notification server asked for a switchboard; gives whether that could be done.
    store: takes a message for somebody who is away, and gives whether it will (its end is then told by whom it asked).
    """

    def __init__(
        self,
        account: str,
        passport: str,
        config: SessionConfig,
        conns: Connections,
        *,
        emit: Callable[[native.Inbound | SendDone], None],
        ask: Callable[[Board], bool],
        store: Callable[[Item, float], bool],
    ) -> None:
        self._account = account
        self._passport = passport
        self._config = config
        self._conns = conns
        self._emit = emit
        self._ask = ask
        self._store = store
        self._boards: list[Board] = []
        self._ends = Ends(emit)
        self._typing = Typing(config.typing_lasts, config.typing_again, config.typing_most)
        self._listener = Listener(account, self._typing, emit)
        self._messages = Bucket(config.messages_per_second, config.messages_burst)
        self._asking = Bucket(config.boards_per_second, config.boards_burst)
        self._remembered = Remembered(account, emit)
        self.clients = Clients(config.max_roster)
        self.dropped_rings = 0
        self.ignored = 0

    # -- looking

    def waiting(self) -> int:
        """How many messages wait for their turn or for an acknowledgement."""
        return len(self._ends.active)

    def __len__(self) -> int:
        return len(self._boards)

    def _of(self, contact: str) -> Board | None:
        """The board on which to write to somebody: one that is open, else one on its way."""
        mine = [board for board in self._boards if board.contact == contact and not board.leaving]
        ready = next((board for board in mine if board.private), None)
        # one on its way may turn out to be a call of theirs; its messages move on if it fails
        return ready or next((board for board in mine if board.stand is not Stand.OPEN), None)

    def by_connection(self, conn_id: int) -> Board | None:
        """The board that has a connection."""
        return next((board for board in self._boards if board.conn is not None and board.conn.id == conn_id), None)

    # -- outwards

    def send(self, message: native.ImSend, key: Hashable, now: float, deadline: float | None) -> None:
        """Writes to somebody; the end is told as `SendDone`."""
        if len(self._ends.active) >= self._config.max_queue:
            text = "Too much is waiting to be sent to the network."
            self._ends.done(key, results.failed("the queue is full", retryable=True, user_text=text))
            return
        if message.cookie in self._ends.active:
            reason = "a message with this cookie is on its way"
            self._ends.done(key, results.failed(reason, retryable=True, user_text="The message is being sent already."))
            return
        if "@" not in message.to or any(char.isspace() for char in message.to):
            self._ends.done(key, results.refused(205, message.cookie))
            return
        expires = deadline if deadline is not None else now + self._config.queue_timeout
        self._ends.active.add(message.cookie)
        self._typing.end(normal(message.to))
        self._queue(Item(key, message, expires), now)

    def _queue(self, item: Item, now: float) -> None:
        contact = normal(item.message.to)
        board = self._of(contact)
        if board is None:
            board = self._new(contact, now)
            if board is None:
                text = "Too many conversations are open at once."
                self._ends.end(item, results.failed("too many switchboards", retryable=True, user_text=text))
                return
        board.pending.append(item)
        self._flush(board, now)

    def _new(self, contact: str, now: float) -> Board | None:
        if len(self._boards) >= self._config.max_boards and not self._make_room():
            return None
        board = Board(contact, used=now)
        self._boards.append(board)
        self._ask_for(board, now)
        return board

    def _make_room(self) -> bool:
        idle = min((board for board in self._boards if not board.busy), key=lambda board: board.used, default=None)
        if idle is None:
            return False
        self._leave(idle)
        return True

    def _ask_for(self, board: Board, now: float) -> None:
        if not self._asking.take(now):
            return  # `tick` asks in its turn
        board.stand, board.due = Stand.ASKED, now + self._config.call_timeout
        if not self._ask(board):
            self._fail(board, results.link_down("There is no connection to the network at the moment."))

    def typing(self, to: str, typing: bool, key: Hashable, now: float) -> None:
        """Shows somebody that we type. No switchboard is asked for: who has not written, sees it with the message."""
        contact = normal(to)
        if not typing:
            self._typing.end(contact)
            self._ends.done(key, results.RELAYED)
            return
        board = self._of(contact)
        if board is None or not board.private:
            text = "There is no conversation in which to show it."
            self._ends.done(key, results.failed("no switchboard", retryable=False, user_text=text))
            return
        if self._typing.begin(contact, now):
            self._say_typing(board)
        self._ends.done(key, results.RELAYED)

    def _say_typing(self, board: Board) -> None:
        conn = board.conn
        if conn is not None:
            payload = im.typing_message(self._passport).encode()
            conn.send(command("MSG", conn.next_trid(), "U", payload=payload))

    def _flush(self, board: Board, now: float) -> None:
        while board.pending and board.private and board.conn is not None:
            item = board.pending[0]
            if item.expires <= now:
                board.pending.popleft()
                self._ends.expire(item)
                continue
            if not self._messages.take(now):
                return
            board.pending.popleft()
            self._say(board, board.conn, item, now)

    def _say(self, board: Board, conn: Connection, item: Item, now: float) -> None:
        message = item.message
        whole = im.text_message(message.text, message.look)
        try:
            # of a long message each attempt has the same id: who has its chunks already may tell
            pieces = [piece.encode() for piece in chunks.cut(whole, chunks.guid(message.cookie), PIECE)]
        except MsnpSyntaxError as error:
            text = "The message is too long."
            self._ends.end(item, results.failed(f"unsendable: {error}", retryable=False, user_text=text))
            return
        if len(pieces) > 1 and not self.clients.reads_chunks(board.contact):
            text = "The contact's program cannot take so long a message."
            self._ends.end(item, results.failed("the client reads no chunks", retryable=True, user_text=text))
            return
        board.used = now
        flight = Flight(item, now + self._config.ack_timeout)
        for piece in pieces:
            trid = conn.next_trid()
            flight.waiting.add(trid)
            board.flights[trid] = flight
            conn.send(command("MSG", trid, "A", payload=piece))

    # -- ends

    def _fail(self, board: Board, result: SendResult) -> None:
        """A board will not come: what waits for it ends so."""
        self._remove(board)
        self._ends.all(board, result)

    def _remove(self, board: Board) -> None:
        if board in self._boards:
            self._boards.remove(board)
        if board.conn is not None:
            self._conns.close(board.conn)

    def _leave(self, board: Board) -> None:
        """Leaves politely: OUT, so that the others see us go."""
        if board.conn is not None and board.conn.standing:
            board.conn.send(Command("OUT"))
        self._over(board)

    def _over(self, board: Board) -> None:
        """A board is at its end, of our doing or not."""
        self._remove(board)
        board.gatherer.close()
        self._listener.lost_chunks(board)

    def _gone(self, board: Board, reason: str, now: float) -> None:
        """A board is lost: what was sent is unknown, what waited is tried once more on another."""
        self._over(board)
        self._ends.flights(board, reason)
        while board.pending:
            item = board.pending.popleft()
            if item.moved:
                text = "The network let go of the conversation before the message was sent."
                self._ends.end(
                    item, results.failed(reason, retryable=True, user_text=text, remote_id=item.message.cookie)
                )
            else:
                item.moved = True
                self._queue(item, now)

    def close(self) -> None:
        """The account is signed off: what was sent is unknown, what waited certainly did not go."""
        text = "The connection to the network was lost before the message was sent."
        for board in list(self._boards):
            self._ends.flights(board, "the connection was lost before an answer came")
            pending, board.pending = list(board.pending), deque()
            self._leave(board)
            for item in pending:
                self._ends.end(item, results.link_down(text, remote_id=item.message.cookie))
        for who in self._typing.clear():
            self._emit(native.TypingReceived(account=self._account, sender=who, typing=False))
        self.clients.clear()
        self._remembered.clear()

    # -- from the notification server

    def transferred(self, board: Board, answer: Command, now: float) -> None:
        """The answer to XFR."""
        if board not in self._boards or board.stand is not Stand.ASKED:
            return
        if answer.error is not None:
            if answer.error in codes.TOO_FAST:
                self._asking.empty()
            self._fail(board, results.refused(answer.error))
            return
        try:
            transfer = wire.read_transfer(answer)
        except MsnpSyntaxError as error:
            text = "The network did not open a conversation."
            self._fail(board, results.failed(str(error), retryable=True, user_text=text))
            return
        board.key, board.stand = transfer.key, Stand.CONNECTING
        board.conn = self._conns.open(transfer.host, transfer.port, named=True)

    def rung(self, ring: wire.Ring, now: float) -> None:
        """Somebody calls."""
        if len(self._boards) >= self._config.max_boards and not self._make_room():
            self.dropped_rings += 1
            return
        board = Board(normal(ring.caller), ring=ring, key=ring.key, session=ring.session, used=now)
        board.stand, board.due = Stand.CONNECTING, now + self._config.call_timeout
        board.conn = self._conns.open(ring.host, ring.port, named=True)
        self._boards.append(board)

    # -- from a switchboard

    def connected(self, board: Board, now: float) -> None:
        """The connection stands: say who we are."""
        conn = board.conn
        if conn is None or board.stand is not Stand.CONNECTING:
            return
        board.stand = Stand.GREETING
        trid = conn.next_trid()
        if board.ring is None:
            conn.send(command("USR", trid, self._passport, board.key))
        else:
            conn.send(command("ANS", trid, self._passport, board.key, board.session))

    def lost(self, board: Board, reason: str, now: float) -> None:
        """The connection is gone, or could not be had."""
        self._gone(board, f"switchboard: {reason}", now)

    def handle(self, board: Board, line: Command, now: float) -> None:
        """A command on a board. Raises `MsnpSyntaxError` for a malformed one."""
        conn = board.conn
        if conn is None:
            return
        name = line.name
        if name == "MSG":
            self._listener.said(board, line, now)
        elif name in {"ACK", "NAK"}:
            self._acknowledged(board, line.number(0), now, good=name == "ACK")
        elif name in {"IRO", "JOI"}:
            self._joined(board, wire.read_participant(line), now)
        elif name == "BYE":
            self._left(board, normal(line.arg(0).partition(";")[0]), now)
        elif name == "USR" and board.stand is Stand.GREETING:
            board.stand = Stand.CALLING
            conn.send(command("CAL", conn.next_trid(), board.contact))
        elif name == "ANS" and board.stand is Stand.GREETING:
            self._opened(board, now)
        elif name == "CAL" and len(line.args) > 2:
            board.session = line.args[2]
        elif name == "OUT":
            self._gone(board, "the server closed the conversation", now)
        elif line.error is not None:
            self._erred(board, line, now)
        else:
            self.ignored += 1

    def _erred(self, board: Board, line: Command, now: float) -> None:
        number = line.error or 0
        flight = board.flights.get(line.trid)
        if flight is not None:
            for trid in list(flight.waiting):
                board.flights.pop(trid, None)
            self._ends.end(flight.item, results.refused(number, flight.item.message.cookie))
            return
        if board.stand is Stand.OPEN:
            self.ignored += 1
            return
        if number == codes.NOT_ONLINE and board.stand is Stand.CALLING:
            self._not_there(board, now)
        elif board.ring is not None:
            self._gone(board, f"{number} {codes.error_name(number)}", now)
        else:
            self._fail(board, results.refused(number))

    def _not_there(self, board: Board, now: float) -> None:
        pending, board.pending = list(board.pending), deque()
        self._leave(board)
        for item in pending:
            if self._store(item, now):
                self._ends.active.discard(item.message.cookie)
            else:
                self._ends.end(item, results.away(item.message.cookie))

    def _joined(self, board: Board, who: wire.Participant, now: float) -> None:
        name = normal(who.passport)
        if name == self._account:
            return
        if len(board.members) < MAX_MEMBERS:
            board.members[name] = who
        if who.capabilities is not None:
            self.clients.knows(who.passport, who.capabilities)
        if board.ring is None and board.stand is Stand.CALLING and name == board.contact:
            self._opened(board, now)
        if board.stand is Stand.OPEN and not board.leaving and len(board.members) > 1:
            self._decline_room(board, now)

    def _opened(self, board: Board, now: float) -> None:
        board.stand, board.due, board.used = Stand.OPEN, None, now
        if len(board.members) > 1:
            self._decline_room(board, now)
            return
        if board.ring is not None and len(board.members) == 1:
            board.contact = next(iter(board.members))
            self._adopt(board)
        self._flush(board, now)

    def _adopt(self, board: Board) -> None:
        """They have called while we were about to: what waits goes here, and the other board is not needed."""
        for other in [each for each in self._boards if each is not board and each.contact == board.contact]:
            if other.stand in {Stand.WAITING, Stand.ASKED}:
                board.pending.extend(other.pending)
                other.pending.clear()
                self._remove(other)

    def _decline_room(self, board: Board, now: float) -> None:
        members = tuple(each.passport for each in board.members.values())
        by = board.ring.caller if board.ring is not None else None
        self._emit(native.RoomDeclined(account=self._account, room=board.session, by=by or members[0], members=members))
        board.leaving = True
        pending, board.pending = list(board.pending), deque()
        if not board.flights:
            self._leave(board)
        for item in pending:
            self._queue(item, now)

    def _left(self, board: Board, who: str, now: float) -> None:
        board.members.pop(who, None)
        self._typing.end(who)
        if board.stand is not Stand.OPEN or board.members:
            return
        if board.flights:
            board.leaving = True  # their acknowledgements may still come
        pending, board.pending = list(board.pending), deque()
        if not board.flights:
            self._leave(board)
        for item in pending:
            self._queue(item, now)

    def _acknowledged(self, board: Board, trid: int, now: float, *, good: bool) -> None:
        flight = board.flights.pop(trid, None)
        if flight is None:
            self._remembered.answered(board, trid, good=good)
            return
        cookie = flight.item.message.cookie
        flight.waiting.discard(trid)
        if not good:
            for other in flight.waiting:
                board.flights.pop(other, None)
            text = "The network could not hand the message to the contact."
            self._ends.end(flight.item, results.failed("NAK", retryable=True, user_text=text, remote_id=cookie))
        elif not flight.waiting:
            self._ends.end(flight.item, results.relayed(cookie))
        if board.leaving and not board.flights:
            self._leave(board)

    # -- time

    def next_deadline(self, now: float) -> float | None:
        """When `tick` has something to do."""
        times: list[float | None] = [board.due_at(self._config.board_idle) for board in self._boards]
        times.append(self._typing.next_deadline())
        if any(board.pending and board.private for board in self._boards):
            times.append(self._messages.ready_at(now))
        if any(board.stand is Stand.WAITING for board in self._boards):
            times.append(self._asking.ready_at(now))
        return min((each for each in times if each is not None), default=None)

    def tick(self, now: float) -> None:
        """Does what is due."""
        for board in list(self._boards):
            self._tick_board(board, now)
        stopped, say = self._typing.tick(now)
        for who in stopped:
            self._emit(native.TypingReceived(account=self._account, sender=who, typing=False))
        for contact in say:
            ready = self._of(contact)
            if ready is not None and ready.private:
                self._say_typing(ready)
            else:
                self._typing.end(contact)

    def _tick_board(self, board: Board, now: float) -> None:
        for flight in {id(each): each for each in board.flights.values() if each.due <= now}.values():
            if len(flight.waiting) == 1:
                self._remembered.keep(board, next(iter(flight.waiting)), flight.item.message)
            # A server that hands it on and forgets to say so has handed it on: sent again it would be read twice.
            self._ends.unknown(board, flight, "no answer from the server", retryable=False)
        self._expire_pending(board, now)
        if board.due is not None and board.due <= now:
            self._too_late(board, now)
        elif board.stand is Stand.WAITING:
            self._ask_for(board, now)
        elif self._to_be_left(board, now):
            self._leave(board)
        else:
            self._flush(board, now)

    def _to_be_left(self, board: Board, now: float) -> bool:
        if board.stand is not Stand.OPEN:
            return False
        idle = not board.busy and board.used + self._config.board_idle <= now
        return idle or (board.leaving and not board.flights)

    def _expire_pending(self, board: Board, now: float) -> None:
        late = [item for item in board.pending if item.expires <= now]
        for item in late:
            board.pending.remove(item)
            self._ends.expire(item)

    def _too_late(self, board: Board, now: float) -> None:
        if board.ring is not None:
            self._gone(board, "the call took too long", now)
            return
        text = "The contact did not answer the call."
        reason = f"switchboard: no answer ({board.stand.value})"
        self._over(board)
        self._ends.all(board, results.failed(reason, retryable=True, user_text=text))
