"""The session of one account: from the notification server's sign-on, through losses, to the end.

The owner opens and closes connections and asks web servers as `next_action` says, tells what becomes of them, hands in
bytes, writes what `to_send` gives, reads `next_event`, and calls `handle_timer` at `next_deadline`. Nothing here
blocks, sleeps or looks at a clock. Every method may be called at any time with any id and any bytes: what does not fit
is ignored.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Hashable
from enum import Enum

from transports.common.machine.comeback import Comeback
from transports.msnp.machine import results
from transports.msnp.machine.actions import Action, Fetch, Fetched, SendDone
from transports.msnp.machine.board import Board
from transports.msnp.machine.boards import Boards
from transports.msnp.machine.config import SessionConfig
from transports.msnp.machine.connections import Connection, Connections
from transports.msnp.machine.edits import Edits
from transports.msnp.machine.signon import Refusal, SignOn
from transports.msnp.machine.stored import Stored
from transports.msnp.machine.upkeep import Upkeep
from transports.msnp.machine.web import Web
from transports.msnp.wire import board as board_wire
from transports.msnp.wire import codes, native
from transports.msnp.wire.command import Command, command
from transports.msnp.wire.errors import MsnpSyntaxError
from transports.msnp.wire.native import Inbound, Link, LinkState, Outbound
from transports.msnp.wire.text import normal

Event = Inbound | SendDone
Answer = Callable[[Command, float], None]
MAX_ANSWERS = 1000


class Phase(Enum):
    """Where the session stands."""

    IDLE = "idle"
    WAITING = "waiting"
    ELSEWHERE = "elsewhere"
    SIGNING_ON = "signing-on"
    LOADING = "loading"
    UP = "up"


class MsnpSession:
    """One account on one network.

    Args:
        account: the passport.
        credential: the password.
        config: the network's parameters.
        rng: for backoff and nonces.

    Attributes:
        account: the passport's normal form, which stands in every event.
        phase: where the session stands.
        unknown_commands, syntax_errors: how much was skipped, for the metrics.
    """

    def __init__(self, account: str, credential: str, config: SessionConfig, *, rng: random.Random) -> None:
        self.account = normal(account)
        self.phase = Phase.IDLE
        self.unknown_commands = 0
        self.syntax_errors = 0
        self._name = account.strip()
        self._credential = credential
        self._config = config
        self._rng = rng
        self._events: deque[Event] = deque()
        self._conns = Connections(config)
        self._web = Web(self._conns)
        self._stored = Stored(self.account, self._name, config.urls, self._web, rng, self._events.append)
        self.boards = Boards(
            self.account,
            self._name,
            config,
            self._conns,
            emit=self._events.append,
            ask=self._ask_board,
            store=self._stored.store,
        )
        emit = self._events.append
        self._upkeep = Upkeep(self.account, self._name, config, self.boards, self._stored, self._web, emit)
        self._upkeep.edits = Edits(
            self.account,
            self._upkeep.roster,
            timeout=config.ack_timeout,
            limit=config.max_edits,
            emit=self._events.append,
            say=self._say,
            call=self._upkeep.call,
        )
        self._comeback = Comeback(config.comeback, rng)
        self._signon: SignOn | None = None
        self._ns: Connection | None = None
        self._answers: dict[int, Answer] = {}
        self._redirects = 0
        self._signon_until: float | None = None
        self._last_received = 0.0
        self._ping_until: float | None = None
        self._now = 0.0

    # -- the owner's side

    def next_event(self) -> Event | None:
        """The oldest event that was not yet taken; at last the list, where it has changed."""
        if self._events:
            return self._events.popleft()
        if self.phase is Phase.UP and self._upkeep.roster.to_tell:
            self._upkeep.roster.to_tell = False
            self._events.extend(self._upkeep.roster.requests())
            return self._upkeep.roster.native()
        return None

    def next_action(self) -> Action | None:
        """The oldest action that was not yet taken. Write what `to_send` gives before a `Disconnect`."""
        return self._conns.actions.popleft() if self._conns.actions else None

    def next_fetch(self) -> Fetch | None:
        """The oldest question to a web server that was not yet taken."""
        return self._conns.fetches.popleft() if self._conns.fetches else None

    def to_send(self) -> list[tuple[int, bytes]]:
        """What is to be written, by connection."""
        return self._conns.to_send()

    @property
    def server(self) -> str:
        """Where it signs on: what rates for each server are counted by."""
        return f"{self._config.host}:{self._config.port}"

    @property
    def state(self) -> str:
        """Where it stands, for people."""
        return self.phase.value

    @property
    def attempt_at(self) -> float | None:
        """When it tries to sign on again of itself."""
        return self._comeback.attempt_at

    def waiting(self) -> int:
        """How many messages wait for their turn or for an acknowledgement."""
        return self.boards.waiting()

    def start(self, now: float) -> None:
        """Sign on, also again after a failure, and also where another client has the name: people have decided so.

        Nothing while signed on, on the way, or waiting for the next attempt: to hurry would be to hammer on the
        server's door.
        """
        if self.phase in {Phase.IDLE, Phase.ELSEWHERE}:
            self._comeback.reset()
            self._begin(now)

    def set_credential(self, credential: str) -> None:
        """Take another password for the next sign-on."""
        self._credential = credential

    def set_presence(self, presence: native.OwnPresence) -> None:
        """How to be seen from the next sign-on on (when up, `send` it)."""
        self._upkeep.wanted = presence

    def stop(self, now: float, reason: str = "signed off") -> None:
        """Sign off, without return."""
        if self.phase is not Phase.IDLE:
            if self._ns is not None and self._ns.standing:
                self._ns.send(Command("OUT"))
            self._end()
            self._comeback.ended(now)
            self._tell(Link.LOGGED_OUT, reason)

    def connected(self, conn_id: int, now: float) -> None:
        """A connection stands."""
        conn = self._conns.get(conn_id)
        if conn is None or conn.standing:
            return
        conn.standing = True
        self._now = now
        if conn is self._ns:
            self._last_received = now
            if self._signon is not None:
                self._signon.connected(conn)
            return
        board = self.boards.by_connection(conn_id)
        if board is not None:
            self._guarded(conn, lambda: self.boards.connected(board, now), now)

    def connection_lost(self, conn_id: int, now: float, reason: str = "connection lost") -> None:
        """A connection could not be had, or has ended."""
        conn = self._conns.get(conn_id)
        if conn is None:
            return
        self._now = now
        self._conns.lost(conn)
        if conn is self._ns:
            self._transient(reason, now)
            return
        board = self.boards.by_connection(conn_id)
        if board is not None:
            self.boards.lost(board, reason, now)

    def receive(self, conn_id: int, data: bytes, now: float) -> None:
        """Bytes have come."""
        conn = self._conns.get(conn_id)
        if conn is None or not conn.standing:
            return
        self._now = now
        if conn is self._ns:
            self._last_received = now
            self._ping_until = None
        try:
            for line in conn.reader.feed(data):
                if conn_id not in self._conns:
                    return
                self._line(conn, line, now)
        except MsnpSyntaxError as error:
            self.syntax_errors += 1
            if conn_id in self._conns:
                self._broken(conn, f"broken stream: {error}", now)

    def fetched(self, fetch_id: int, answer: Fetched, now: float) -> None:
        """A web server has answered, or will not."""
        self._now = now
        try:
            self._web.fetched(fetch_id, answer, now)
        except MsnpSyntaxError as error:
            # it concerns what we then wanted to ask: during the sign-on nothing goes on without it
            self.syntax_errors += 1
            if self.phase in {Phase.SIGNING_ON, Phase.LOADING}:
                self._transient(str(error), now)

    def send(self, value: Outbound, key: Hashable, now: float, deadline: float | None = None) -> None:
        """Send a native value. Its end comes once, as `SendDone` of `key`.

        `deadline` (same clock as `now`): a message that has not had its turn by then is not sent.
        """
        self._now = now
        if isinstance(value, native.OwnPresence):
            self._upkeep.wanted = value
        if self.phase is not Phase.UP:
            text = "There is no connection to the network at the moment."
            self._events.append(SendDone(key=key, result=results.link_down(text)))
        elif isinstance(value, native.ImSend):
            self.boards.send(value, key, now, deadline)
        elif isinstance(value, native.TypingSend):
            self.boards.typing(value.to, value.typing, key, now)
        elif isinstance(value, native.OwnPresence):
            self._upkeep.show(now)
            self._events.append(SendDone(key=key, result=results.RELAYED))
        else:
            self._upkeep.edits.add(value, key, now)

    def recorded(self, event: Inbound, now: float) -> None:
        """An event that this session gave is recorded: the server may forget it, where it keeps it."""
        self._now = now
        self._stored.recorded(event)

    # -- time

    def next_deadline(self) -> float | None:
        """When `handle_timer` has something to do; None when never."""
        times = [self._comeback.attempt_at, self._signon_until, self._ping_until]
        if self.phase is Phase.LOADING:
            times.append(self._upkeep.list_until)
        if self.phase is Phase.UP:
            times += [self.boards.next_deadline(self._now), self._upkeep.next_deadline(), self._stored.next_deadline()]
            if self._ping_until is None:
                times.append(self._last_received + self._config.keepalive)
        return min((each for each in times if each is not None), default=None)

    def handle_timer(self, now: float) -> None:
        """Do what is due."""
        self._now = now
        if self._comeback.due(now):
            self._begin(now)
        if self._signon_until is not None and self._signon_until <= now:
            self._transient("sign-on took too long", now)
        if self._ping_until is not None and self._ping_until <= now:
            self._transient("the server has fallen silent", now)
        if self.phase is Phase.LOADING and self._upkeep.list_until is not None and self._upkeep.list_until <= now:
            self._upkeep.list_complete(now)
        if self.phase is Phase.UP:
            self.boards.tick(now)
            self._upkeep.tick(now)
            self._stored.tick(now)
            self._keep_alive(now)

    def _keep_alive(self, now: float) -> None:
        if self._ns is not None and self._ping_until is None and self._last_received + self._config.keepalive <= now:
            self._ns.send(Command("PNG"))
            self._ping_until = now + self._config.ping_timeout

    # -- beginning and end

    def _tell(self, state: Link, reason: str, *, code: int | None = None, retry_in: float | None = None) -> None:
        self._events.append(LinkState(account=self.account, state=state, reason=reason, code=code, retry_in=retry_in))

    def _begin(self, now: float) -> None:
        self._comeback.begun()
        if not self._credential:
            self._refused("there is no password", None, now)
            return
        self.phase = Phase.SIGNING_ON
        self._signon_until = now + self._config.connect_timeout + self._config.signon_timeout
        self._redirects = 0
        self._tell(Link.CONNECTING, "signing on")
        self._signon = SignOn(self._name, self._credential, self._config, self._web, self._rng, self._signon_refused)
        self._ns = self._conns.open(self._config.host, self._config.port, named=False)

    def _end(self) -> None:
        """Take down everything of this sign-on."""
        self.phase = Phase.IDLE
        self._signon_until = self._ping_until = None
        self._signon = None
        self._answers.clear()
        self.boards.close()
        self._upkeep.lost()
        self._stored.lost()
        self._web.forget()
        self._ns = None
        self._conns.close_all()

    def _transient(self, reason: str, now: float, *, code: int | None = None, at_least: float = 0.0) -> None:
        """Try again by and by: backoff with full jitter, so that many accounts do not come at once."""
        self._end()
        wait = self._comeback.lost(now, at_least)
        self.phase = Phase.WAITING
        self._tell(Link.TRANSIENT, reason, code=code, retry_in=wait)

    def _elsewhere(self, reason: str, now: float) -> None:
        """Another client has the name now: leave it in peace, for a while or for good."""
        self._end()
        pause = self._comeback.elsewhere(now)
        if pause is not None:
            self.phase = Phase.ELSEWHERE
        self._tell(Link.SIGNED_ON_ELSEWHERE, reason, retry_in=pause)

    def _refused(self, reason: str, code: int | None, now: float) -> None:
        self._end()
        self._comeback.ended(now)
        self._tell(Link.AUTH_FAILED, reason, code=code)

    def _signon_refused(self, refusal: Refusal, now: float) -> None:
        if refusal.final:
            self._refused(refusal.reason, None, now)
        else:
            self._transient(refusal.reason, now)

    def _judge(self, number: int, now: float) -> None:
        """An error that ends a sign-on: wait, wait long, or wait for people."""
        name = codes.error_name(number)
        if number in codes.BAD_CREDENTIALS:
            self._refused(name, number, now)
        elif number in codes.TOO_FAST:
            self._transient(name, now, code=number, at_least=self._config.rate_limited_wait)
        else:
            self._transient(name, now, code=number)

    def _broken(self, conn: Connection, reason: str, now: float) -> None:
        self._conns.close(conn)
        if conn is self._ns:
            self._transient(reason, now)
            return
        board = self.boards.by_connection(conn.id)
        if board is not None:
            self.boards.lost(board, reason, now)

    def _guarded(self, conn: Connection, do: Callable[[], None], now: float) -> None:
        try:
            do()
        except MsnpSyntaxError as error:
            self.syntax_errors += 1
            if conn.id in self._conns:
                self._broken(conn, str(error), now)

    # -- commands

    def _say(self, made: Callable[[int], Command], on_answer: Answer) -> None:
        """Sends to the notification server; the answer with the same transaction id goes to `on_answer`."""
        conn = self._ns
        if conn is None:
            return
        trid = conn.next_trid()
        conn.send(made(trid))
        self._answers[trid] = on_answer
        if len(self._answers) > MAX_ANSWERS:
            del self._answers[next(iter(self._answers))]

    def _ask_board(self, board: Board) -> bool:
        if self._ns is None or self.phase is not Phase.UP:
            return False

        def answered(answer: Command, now: float) -> None:
            self.boards.transferred(board, answer, now)

        self._say(lambda trid: command("XFR", trid, "SB"), answered)
        return True

    def _line(self, conn: Connection, line: Command, now: float) -> None:
        """A malformed command is skipped and counted: the frame around it was sound."""
        try:
            if conn is self._ns:
                self._notified(conn, line, now)
            else:
                board = self.boards.by_connection(conn.id)
                if board is not None:
                    self.boards.handle(board, line, now)
        except MsnpSyntaxError as error:
            self.syntax_errors += 1
            if self.phase is Phase.SIGNING_ON and conn is self._ns:
                self._transient(str(error), now)

    def _notified(self, conn: Connection, line: Command, now: float) -> None:
        if line.name == "CHL":
            self._upkeep.challenged(conn, line)
        elif line.name == "OUT":
            self._out(line, now)
        elif self.phase is Phase.SIGNING_ON:
            self._signing_on(conn, line, now)
        elif (on_answer := self._answers.pop(line.trid, None)) is not None:
            on_answer(line, now)
        elif line.name == "XFR" and len(line.args) > 1 and line.args[1].upper() == "NS":
            self._moved(line, now)
        elif line.name == "RNG":
            self.boards.rung(board_wire.read_ring(line), now)
        elif line.error is not None:
            self._erred(line, now)
        elif not self._upkeep.handle(line, now):
            self.unknown_commands += 1

    def _signing_on(self, conn: Connection, line: Command, now: float) -> None:
        signon = self._signon
        if signon is None:
            return
        if line.error is not None:
            self._judge(line.error, now)
        elif line.name == "XFR":
            self._moved(line, now)
        elif line.name == "USR" and len(line.args) > 1 and line.args[1] == "OK":
            self.phase = Phase.LOADING
            self._stored.ticket, self._stored.tickets = signon.ticket, signon.tickets
            self._upkeep.begin(conn, signon.version, signon.tickets, self._say, self._up, now)
        elif not signon.handle(line, now):
            self._upkeep.handle(line, now)

    def _erred(self, line: Command, now: float) -> None:
        if self.phase is Phase.LOADING:
            self._judge(line.error or 0, now)
        else:
            self.unknown_commands += 1

    def _up(self, now: float) -> None:
        """The list is there and our status is shown."""
        if self.phase is Phase.LOADING:
            self.phase = Phase.UP
            self._signon_until = None
            self._comeback.up(now)
            self._tell(Link.UP, f"signed on (MSNP{self._upkeep.version})")
            self._upkeep.roster.to_tell = True

    def _moved(self, line: Command, now: float) -> None:
        """XFR NS: another notification server has us; begin there anew."""
        transfer = board_wire.read_transfer(line)
        self._redirects += 1
        if self._redirects > self._config.max_redirects or self._signon is None:
            self._transient("sent on from server to server", now)
            return
        if self.phase is not Phase.SIGNING_ON:
            self._transient("moved to another server", now)
            return
        old, self._ns = self._ns, self._conns.open(transfer.host, transfer.port, named=True)
        if old is not None:
            self._conns.close(old)

    def _out(self, line: Command, now: float) -> None:
        why = line.args[0].upper() if line.args else ""
        if why == "OTH":
            self._elsewhere("signed on from another place", now)
        elif why == "SSD":
            self._transient("the server is going down", now)
        else:
            self._transient("the server signed us off", now)
