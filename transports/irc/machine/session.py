"""The session of one account: from the connection to the sign-on, through losses, to the end.

The owner opens and closes connections as `next_action` says, tells what becomes of them, hands in bytes, writes what
`to_send` gives, reads `next_event`, and calls `handle_timer` at `next_deadline`. Nothing here blocks, sleeps or looks
at a clock. Every method may be called at any time with any connection id and any bytes: what does not fit is ignored.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Hashable
from typing import Final

from transports.common.machine.actions import Connect, Disconnect, SendDone
from transports.common.machine.comeback import Comeback
from transports.common.machine.results import link_down
from transports.irc.machine.config import Auth, NickInUse, SessionConfig
from transports.irc.machine.liveness import Liveness
from transports.irc.machine.outbox import Outbox
from transports.irc.machine.phase import Phase
from transports.irc.machine.services import identify_line, name_of, regain_line
from transports.irc.machine.signon import SignOn
from transports.irc.machine.words import End, end_of, for_another_client, identified
from transports.irc.machine.work import Work
from transports.irc.wire.errors import IrcSyntaxError
from transports.irc.wire.framing import LineFramer
from transports.irc.wire.message import Message
from transports.irc.wire.names import fault, normal
from transports.irc.wire.native import Inbound, Link, LinkState, Outbound, OwnPresence, Renamed, ServerNotice

Event = Inbound | SendDone
_KEEPALIVE: Final = "keepalive"
_AFTER_REGAIN: Final = 2.0
_NICKSERV_SECONDS: Final = 10.0
_NICK_ERRORS: Final = frozenset({"431", "432", "433", "436", "437"})


class IrcSession:
    """One account on one network.

    Args:
        account: the nickname, in any case.
        credential: the password.
        config: the network's parameters.
        rng: for backoff, labels and alternative nicknames.
        is_ours: whether a name is one of an account of ours on this network.

    Attributes:
        account: the name's normal form, which stands in every event.
        phase: where the session stands.
        syntax_errors: how many lines could not be read, for the metrics.
    """

    def __init__(
        self,
        account: str,
        credential: str,
        config: SessionConfig,
        *,
        rng: random.Random,
        is_ours: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self.account = normal(account)
        self.phase = Phase.IDLE
        self.syntax_errors = 0
        self._credential = credential
        self._config = config
        self._rng = rng
        self._is_ours = is_ours
        self._events: deque[Event] = deque()
        self._actions: deque[Connect | Disconnect] = deque()
        self._comeback = Comeback(config.comeback, rng)
        self._outbox = Outbox(config.messages_per_second, config.burst, config.max_queue)
        prefix = f"{rng.randrange(16**8):08x}-"
        self._work = Work(self.account, config, self._outbox, prefix=prefix, is_ours=is_ours, emit=self._events.append)
        self._conn_id = 0
        self._connected = False
        self._framer = LineFramer()
        self._signon: SignOn | None = None
        self._last_words: bytes = b""
        self._last_conn = 0
        self._killed_by: str | None = None
        self._cap_until: float | None = None
        self._signon_until: float | None = None
        self._identify_until: float | None = None
        self._now = 0.0
        self._liveness = Liveness(config.keepalive, config.keepalive_timeout)
        self._regain_at: float | None = None
        self._regain_pause = 0.0

    # -- the owner's side

    @property
    def server(self) -> str:
        """Where it signs on (``host:port``)."""
        return f"{self._config.host}:{self._config.port}"

    @property
    def state(self) -> str:
        """Where it stands, for people."""
        return self.phase.value

    @property
    def attempt_at(self) -> float | None:
        """When it tries to sign on again of itself."""
        return self._comeback.attempt_at

    @property
    def nick(self) -> str:
        """Our nickname at the moment."""
        return self._work.nick

    @property
    def strays(self) -> int:
        """How many lines nobody had a use for."""
        return self._work.strays

    def waiting(self) -> int:
        """How many lines wait for their turn."""
        return self._outbox.waiting

    def text_limit(self, target_bytes: int) -> int:
        """The longest text to a target whose name has so many bytes."""
        return self._work.text_limit(target_bytes)

    def next_event(self) -> Event | None:
        """The oldest event that was not yet taken."""
        return self._events.popleft() if self._events else None

    def next_action(self) -> Connect | Disconnect | None:
        """The oldest action that was not yet taken. Write what `to_send` gives before a `Disconnect`."""
        return self._actions.popleft() if self._actions else None

    def to_send(self) -> list[tuple[int, bytes]]:
        """What is to be written, by connection."""
        if self._last_words:
            data, self._last_words = self._last_words, b""
            return [(self._last_conn, data)]
        data = self._outbox.take() if self._connected else b""
        return [(self._conn_id, data)] if data else []

    def start(self, now: float) -> None:
        """Sign on, also again after a failure, and also where another client has the name: people have decided so."""
        if self.phase in {Phase.IDLE, Phase.ELSEWHERE}:
            self._comeback.reset()
            self._begin(now)

    def set_credential(self, credential: str) -> None:
        """Take another password for the next sign-on."""
        self._credential = credential

    def set_presence(self, presence: OwnPresence) -> None:
        """How to be seen from the next sign-on on (when up, `send` it)."""
        self._work.own = presence

    def stop(self, now: float, reason: str = "signed off") -> None:
        """Sign off, without return."""
        if self.phase is not Phase.IDLE:
            self._say_goodbye(now)
            self._end(now)
            self._comeback.ended(now)
            self._tell(Link.LOGGED_OUT, reason)

    def send(self, value: Outbound, key: Hashable, now: float, deadline: float | None = None) -> None:
        """Send a native value. Its end comes once, as `SendDone` of `key`.

        `deadline` (same clock as `now`): a message that has not had its turn by then is not sent.
        """
        if isinstance(value, OwnPresence):
            self._work.own = value
        if self.phase is not Phase.UP:
            text = "There is no connection to the network at the moment."
            self._events.append(SendDone(key=key, result=link_down(text)))
            return
        self._work.send(value, key, now, deadline)

    def recorded(self, event: Inbound, now: float) -> None:
        """An event that this session gave is recorded. IRC has no way to say so."""

    # -- connections

    def connected(self, conn_id: int, now: float) -> None:
        """The connection stands."""
        if conn_id != self._conn_id or self.phase is not Phase.CONNECTING:
            return
        self._connected = True
        self._now = now
        self.phase = Phase.SIGNING_ON
        self._signon_until = now + self._config.signon_timeout
        self._cap_until = now + self._config.cap_timeout
        self._outbox.begin(now)
        self._work.reset()
        self._signon = SignOn(
            self.account,
            self._credential,
            self._config,
            self._rng,
            write=lambda line: self._outbox.send_now(line.encode(), now),
            refused=lambda reason, code: self._refused(reason, self._now, code=code),
            passing=lambda reason: self._transient(reason, self._now),
            unusable=lambda nick: fault(nick) is not None or self._is_ours(normal(nick)),
        )
        self._signon.begin()

    def connection_lost(self, conn_id: int, now: float, reason: str = "connection lost") -> None:
        """The connection could not be had, or has ended."""
        if conn_id == self._conn_id and self.phase not in {Phase.IDLE, Phase.WAITING, Phase.ELSEWHERE}:
            if self._killed_by is not None:
                self._killed(self._killed_by, now)
            else:
                self._transient(reason, now)

    def receive(self, conn_id: int, data: bytes, now: float) -> None:
        """Bytes have come."""
        if conn_id != self._conn_id or not self._connected:
            return
        self._now = now
        if self.phase is Phase.UP:
            self._liveness.heard(now)
        try:
            lines = self._framer.feed(data)
        except IrcSyntaxError as error:
            self.syntax_errors += 1
            self._hang_up()
            self._transient(f"broken stream: {error}", now)
            return
        for line in lines:
            if conn_id != self._conn_id or not self._connected:
                return
            try:
                self._line(Message.parse(line), now)
            except IrcSyntaxError:  # a line that is none, or one whose answer would be none
                self.syntax_errors += 1
        self._work.tick(now)

    # -- time

    def next_deadline(self) -> float | None:
        """When `handle_timer` has something to do; None when never."""
        times = [self._comeback.attempt_at, self._cap_until, self._signon_until, self._identify_until]
        times += [self._liveness.next_deadline(), self._regain_at, self._work.next_deadline()]
        return min((each for each in times if each is not None), default=None)

    def handle_timer(self, now: float) -> None:
        """Do what is due."""
        self._now = now
        if self._comeback.due(now):
            self._begin(now)
        if self._cap_until is not None and self._cap_until <= now:
            self._cap_until = None
            if self._signon is not None and self._signon.waits_for_caps:
                self._signon.no_caps()
        if self._signon_until is not None and self._signon_until <= now:
            self._transient("sign-on took too long", now)
        if self._identify_until is not None and self._identify_until <= now:
            self._up(now, "signed on; services have not answered")
        if self._liveness.dead(now):
            self._transient("the server has fallen silent", now)
        if self.phase is Phase.UP:
            self._tend(now)
        self._work.tick(now)

    def _tend(self, now: float) -> None:
        if self._liveness.due(now):
            self._write("PING", _KEEPALIVE, now=now)
        if self._regain_at is not None and self._regain_at <= now:
            self._regain_pause = min(2 * self._regain_pause, self._config.regain_interval)
            self._regain_at = now + self._regain_pause
            self._write("NICK", self.account, now=now)

    # -- beginning and end

    def _write(self, command: str, *params: str, now: float) -> None:
        self._outbox.send_now(Message(command=command, params=params).encode(), now)

    def _tell(self, state: Link, reason: str, *, code: str = "", retry_in: float | None = None) -> None:
        number = int(code) if code.isdigit() else None
        self._events.append(LinkState(account=self.account, state=state, reason=reason, code=number, retry_in=retry_in))

    def _begin(self, now: float) -> None:
        self._comeback.begun()
        wrong = fault(self.account)
        if wrong is not None:
            self._refused(f"the account is no nickname: {wrong}", now)
            return
        if self._config.auth not in {Auth.NONE, Auth.AUTO, Auth.EXTERNAL} and not self._credential:
            self._refused("there is no password", now)
            return
        self.phase = Phase.CONNECTING
        self._conn_id += 1
        self._connected = False
        self._framer = LineFramer()
        self._killed_by = None
        self._signon_until = now + self._config.connect_timeout + self._config.signon_timeout
        self._tell(Link.CONNECTING, "signing on")
        self._actions.append(Connect(conn_id=self._conn_id, host=self._config.host, port=self._config.port))

    def _say_goodbye(self, now: float) -> None:
        if self._connected:
            self._write("QUIT", "signed off", now=now)
            self._last_conn, self._last_words = self._conn_id, self._outbox.take()

    def _hang_up(self) -> None:
        if self._conn_id and self.phase not in {Phase.IDLE, Phase.WAITING, Phase.ELSEWHERE}:
            self._actions.append(Disconnect(conn_id=self._conn_id))

    def _end(self, now: float) -> None:
        """Takes down everything of this sign-on."""
        self._hang_up()
        self.phase = Phase.IDLE
        self._connected = False
        self._signon = None
        self._cap_until = self._signon_until = self._identify_until = self._regain_at = None
        self._liveness.stop()
        self._work.lost(now)

    def _transient(self, reason: str, now: float, *, code: str = "", at_least: float = 0.0) -> None:
        """Try again by and by: backoff with full jitter, so that many accounts do not come at once."""
        self._end(now)
        wait = self._comeback.lost(now, at_least)
        self.phase = Phase.WAITING
        self._tell(Link.TRANSIENT, reason, code=code, retry_in=wait)

    def _refused(self, reason: str, now: float, *, code: str = "") -> None:
        """There is no sign-on until people change something."""
        self._say_goodbye(now)
        self._end(now)
        self._comeback.ended(now)
        self._tell(Link.AUTH_FAILED, reason, code=code)

    def _elsewhere(self, reason: str, now: float, *, code: str = "") -> None:
        """Somebody else has the name now: leave it to them, for a while or for good."""
        self._end(now)
        pause = self._comeback.elsewhere(now)
        if pause is not None:
            self.phase = Phase.ELSEWHERE
        self._tell(Link.SIGNED_ON_ELSEWHERE, reason, code=code, retry_in=pause)

    def _killed(self, reason: str, now: float) -> None:
        if for_another_client(reason):
            self._elsewhere(f"ended for another client: {reason}", now)
        else:
            self._transient(f"ended by an operator: {reason}", now, at_least=self._config.killed_wait)

    def _error(self, reason: str, now: float) -> None:
        """ERROR: the server ends the connection, and says why in words alone."""
        end = end_of(reason, up=self.phase is Phase.UP)
        if self._killed_by is not None or end is End.KILLED:
            self._killed(self._killed_by or reason, now)
        elif end is End.PASSWORD:
            self._refused(f"the server refused the password: {reason}", now)
        elif end is End.BANNED:
            self._refused(f"the server does not let this account in: {reason}", now)
        else:
            wait = self._config.throttled_wait if end is End.THROTTLED else 0.0
            self._transient(f"the server closed the connection: {reason}", now, at_least=wait)

    # -- lines

    def _line(self, message: Message, now: float) -> None:
        command = message.command
        if command == "PING":
            self._outbox.send_now(Message(command="PONG", params=(message.last,)).encode(), now)
        elif command == "ERROR":
            self._error(message.last, now)
        elif command == "KILL" and self._work.fold(message.param(0)) == self._work.fold(self.nick):
            self._killed_by = message.last or "no reason given"
        elif command == "PONG":
            self._work.messages.pong(message.last, now)
        elif command == "NICK" and self._is_self(message):
            self._renamed(message.param(0), now)
        elif command == "005":
            self._work.isupport.take(message.params[1:-1])
        elif self._signon is not None and not self._of_signon(self._signon, message, now):
            if self.phase is Phase.UP:
                self._work.handle(message, now)
            elif command == "NOTICE":
                self._notice(message)

    def _is_self(self, message: Message) -> bool:
        return message.source is not None and self._work.fold(message.source.name) == self._work.fold(self.nick)

    def _of_signon(self, signon: SignOn, message: Message, now: float) -> bool:
        """What belongs to capabilities, SASL, the nickname and services; whether it was that."""
        command = message.command
        if command == "CAP":
            self._cap_until = None
            signon.cap(message)
            if self.phase is Phase.UP:
                self._work.caps_changed(frozenset(signon.caps))
        elif command == "001":
            signon.registered = True
            self._work.nick = message.param(0) or signon.nick
        elif command in {"376", "422"}:
            self._end_of_motd(now)
        elif command in _NICK_ERRORS:
            self._nick_refused(signon, message, now)
        elif self.phase is Phase.IDENTIFYING and command == "900":
            self._up(now, "signed on")
        elif self.phase is Phase.IDENTIFYING and command == "NOTICE":
            self._services_said(message, now)
        else:
            return signon.sasl(message) or self._refusal_of_signon(signon, message, now)
        return True

    def _refusal_of_signon(self, signon: SignOn, message: Message, now: float) -> bool:
        if signon.registered:
            return False
        if message.command in {"464", "465", "466"}:
            self._refused(f"the server refused the sign-on: {message.last}", now, code=message.command)
        elif message.command in {"421", "451", "461"} and signon.waits_for_caps:
            self._cap_until = None
            signon.no_caps()
        else:
            return False
        return True

    def _end_of_motd(self, now: float) -> None:
        if self.phase is not Phase.SIGNING_ON or self._signon is None or not self._signon.registered:
            return
        folded = self._work.fold(self.account)
        if folded != self.account:
            self._refused(f"on this server the name is written {folded}: bind it so", now)
            return
        if self._config.auth is Auth.NICKSERV and not self._signon.logged_in:
            self._identify(now)
            return
        self._up(now, "signed on")

    def _identify(self, now: float) -> None:
        line = identify_line(self._config, self.account, self._credential)
        if line is None:
            self._refused("the password cannot be sent to services: it holds a line end, or is too long", now)
            return
        self.phase = Phase.IDENTIFYING
        self._identify_until = now + _NICKSERV_SECONDS
        self._outbox.send_now(line, now)

    def _services_said(self, message: Message, now: float) -> None:
        services = self._work.fold(name_of(self._config))
        if message.source is None or self._work.fold(message.source.name) != services:
            self._notice(message)
        elif identified(message.last) is False:
            self._refused(f"services refused the password: {message.last}", now)
        elif identified(message.last):
            self._up(now, "signed on")

    def _notice(self, message: Message) -> None:
        source = message.source.name if message.source is not None else ""
        self._events.append(ServerNotice(account=self.account, source=source, text=message.last))

    def _up(self, now: float, reason: str) -> None:
        assert self._signon is not None
        self.phase = Phase.UP
        self._liveness.heard(now)
        self._comeback.up(now)
        self._outbox.refill(now)
        self._signon_until = self._cap_until = self._identify_until = None
        ours = self._work.fold(self.nick) == self.account
        self._tell(Link.UP, reason if ours else f"{reason} as {self.nick}: {self.account} is in use")
        if not ours:
            self._lost_nick(now)
        self._work.begin(frozenset(self._signon.caps), now)

    # -- our nickname

    def _nick_refused(self, signon: SignOn, message: Message, now: float) -> None:
        if signon.registered:
            return  # we asked for ours, and it is not free yet
        reason = f"{message.param(1)}: {message.last}"
        if message.command in {"431", "432"}:
            self._refused(f"the server does not take the nickname {reason}", now, code=message.command)
        elif self._config.nick_in_use is NickInUse.WAIT:
            self._say_goodbye(now)
            self._elsewhere(f"somebody else has the nickname {reason}", now, code=message.command)
        elif not signon.nick_taken():
            self._transient(f"no nickname is free: {reason}", now, code=message.command)

    def _renamed(self, nick: str, now: float) -> None:
        """NICK of ourselves: our own wish, or services that take a name away."""
        if not nick:
            return
        before, self._work.nick = self._work.fold(self.nick), nick
        folded = self._work.fold(nick)
        if folded == before or self.phase is not Phase.UP:
            return
        self._events.append(Renamed(account=self.account, nick=nick, wanted=folded == self.account))
        if folded == self.account:
            self._regain_at = None
        else:
            self._lost_nick(now)

    def _lost_nick(self, now: float) -> None:
        """Somebody else has our nickname: ask services for it where that is configured, and try to take it."""
        # whoever wears it is most often our own last session, of which the server does not know yet that it is over
        self._regain_pause = min(_AFTER_REGAIN, self._config.regain_interval)
        self._regain_at = now + self._regain_pause
        line = regain_line(self._config, self.account, self._credential)
        if line is not None:
            self._outbox.send_now(line, now)
