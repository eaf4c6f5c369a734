"""The session of one account: connection, sign-on, losses, and the end.

The owner opens and closes connections as `next_action` says, tells what becomes of them, hands in bytes, writes what
`to_send` gives, reads `next_event`, and calls `handle_timer` at `next_deadline`. Nothing here blocks, sleeps or looks
at a clock. Every method may be called at any time with any connection id and any bytes: what does not fit is ignored.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Hashable
from enum import Enum
from functools import partial

from transports.common.machine.actions import Connect, Disconnect, SendDone
from transports.common.machine.comeback import Comeback
from transports.common.machine.results import link_down
from transports.common.wire.native import Link, LinkState
from transports.ymsg.machine.config import SessionConfig
from transports.ymsg.machine.tokens import TokenFetch
from transports.ymsg.machine.work import Work
from transports.ymsg.wire import challenge, codes, token
from transports.ymsg.wire.charset import decode_label
from transports.ymsg.wire.errors import YmsgSyntaxError
from transports.ymsg.wire.names import normal
from transports.ymsg.wire.native import Inbound, Outbound, OwnPresence
from transports.ymsg.wire.packet import Framer, Packet, Pair, pairs_of

Action = Connect | Disconnect
Event = Inbound | SendDone
_LISTS = frozenset({codes.LIST, codes.LIST_15})


class Phase(Enum):
    """Where the session stands."""

    IDLE = "idle"
    WAITING = "waiting"
    ELSEWHERE = "elsewhere"
    CONNECTING = "connecting"
    SIGNING_ON = "signing-on"
    UP = "up"


class YmsgSession:
    """One account on one network.

    Args:
        account: the Yahoo! ID, in any spelling.
        credential: the password.
        config: the network's parameters.
        rng: for backoff.

    Attributes:
        account: the name's normal form, which stands in every event.
        phase: where the session stands.
        unknown_packets, syntax_errors: how much was skipped, for the metrics.
    """

    def __init__(self, account: str, credential: str, config: SessionConfig, *, rng: random.Random) -> None:
        self.account = normal(account)
        self.phase = Phase.IDLE
        self.unknown_packets = 0
        self.syntax_errors = 0
        self._credential = credential
        self._config = config
        self._events: deque[Event] = deque()
        self._actions: deque[Action] = deque()
        self._out: deque[tuple[int, bytes]] = deque()
        self._comeback = Comeback(config.comeback, rng)
        self._work = Work(self.account, config, self._write, self._events.append)
        self._last_conn = 0
        self._conn: int | None = None
        self._framer = Framer(config.max_body)
        self._session_id = 0
        self._challenge: str | None = None
        self._fetch: TokenFetch | None = None
        self._signon_until: float | None = None
        self._ask_at: float | None = None
        self._last_sent = self._last_ping = 0.0
        self._now = 0.0
        self._controls: dict[int, Callable[[Packet, float], None]] = {
            codes.HANDSHAKE: self._handshake,
            codes.AUTH: self._auth,
            codes.AUTH_RESPONSE: self._auth_response,
            codes.PROTOCOL_ERROR: self._protocol_error,
        }

    # -- the owner's side

    @property
    def server(self) -> str:
        """Where it signs on."""
        return f"{self._config.host}:{self._config.port}"

    @property
    def state(self) -> str:
        """Where it stands, for people."""
        return self.phase.value

    @property
    def attempt_at(self) -> float | None:
        """When it tries to sign on again of itself."""
        return self._comeback.attempt_at

    def next_event(self) -> Event | None:
        """The oldest event that was not yet taken; at last the list, where it has changed."""
        if self._events:
            return self._events.popleft()
        if self._work.roster.to_tell and self.phase is Phase.UP:
            self._work.roster.to_tell = False
            return self._work.roster.native()
        return None

    def next_action(self) -> Action | None:
        """The oldest action that was not yet taken. Write what `to_send` gives before a `Disconnect`."""
        return self._actions.popleft() if self._actions else None

    def to_send(self) -> list[tuple[int, bytes]]:
        """What is to be written, by connection."""
        out = list(self._out)
        self._out.clear()
        return out

    def waiting(self) -> int:
        """How many messages and edits wait for their turn."""
        return len(self._work.outbox)

    def roster_size(self) -> int:
        """How many lines the server's list has."""
        return len(self._work.roster)

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

    def set_presence(self, presence: OwnPresence) -> None:
        """How to be seen from the next sign-on on (when up, `send` it)."""
        self._work.own.wanted = presence

    def stop(self, now: float, reason: str = "signed off") -> None:
        """Sign off, without return."""
        if self.phase is Phase.IDLE:
            return
        self._now = now
        if self.phase is Phase.UP:
            self._work.log_off()
        self._end()
        self._comeback.ended(now)
        self._tell(Link.LOGGED_OUT, reason)

    def connected(self, conn_id: int, now: float) -> None:
        """A connection stands."""
        self._now = now
        if self._fetch is not None and conn_id == self._fetch.conn_id:
            try:
                self._out.append((conn_id, self._fetch.connected()))
            except YmsgSyntaxError as error:
                self._refused(f"the account cannot be used: {error}", None, now)
        elif conn_id == self._conn and self.phase is Phase.CONNECTING:
            self.phase = Phase.SIGNING_ON
            self._signon_until = now + self._config.signon_timeout
            self._ask_at = now + self._config.greeting_wait
            self._write(codes.HANDSHAKE, (), codes.OK)

    def connection_lost(self, conn_id: int, now: float, reason: str = "connection lost") -> None:
        """A connection could not be had, or has ended."""
        self._now = now
        if self._fetch is not None and conn_id == self._fetch.conn_id:
            self._fetched(b"", now, closed=True, reason=reason)
        elif conn_id == self._conn:
            self._conn = None
            self._transient(reason, now)

    def receive(self, conn_id: int, data: bytes, now: float) -> None:
        """Bytes have come."""
        self._now = now
        if self._fetch is not None and conn_id == self._fetch.conn_id:
            self._fetched(data, now, closed=False)
        elif conn_id == self._conn:
            self._receive(data, now)

    def _receive(self, data: bytes, now: float) -> None:
        conn = self._conn
        try:
            for packet in self._framer.feed(data):
                if conn != self._conn:
                    return
                self._packet(packet, now)
            if conn == self._conn and self._framer.broken is not None:
                raise self._framer.broken
        except YmsgSyntaxError as error:
            if conn == self._conn:
                self.syntax_errors += 1
                self._transient(f"broken stream: {error}", now)

    def send(self, value: Outbound, key: Hashable, now: float, deadline: float | None = None) -> None:
        """Send a native value. Its end comes once, as `SendDone` of `key`.

        `deadline` (same clock as `now`): a message that has not had its turn by then is not sent.
        """
        self._now = now
        if self.phase is not Phase.UP:
            if isinstance(value, OwnPresence):
                self._work.own.wanted = value
            text = "There is no connection to the network at the moment."
            self._events.append(SendDone(key=key, result=link_down(text)))
            return
        self._work.send(value, key, now, deadline)

    def recorded(self, event: Event, now: float) -> None:
        """An event that this session gave is recorded: it may be acknowledged, where the protocol has a way."""
        self._now = now
        if self.phase is not Phase.UP or isinstance(event, SendDone):
            return
        try:
            self._work.recorded(event)
        except YmsgSyntaxError:
            self.syntax_errors += 1  # names so long that the answer to them does not fit: it stays without one

    # -- time

    def next_deadline(self) -> float | None:
        """When `handle_timer` has something to do; None when never."""
        times = [self._comeback.attempt_at, self._signon_until, self._ask_at]
        if self.phase is Phase.UP:
            times += [self._work.next_deadline(), self._keepalive_at(), self._last_ping + self._work.ping]
        return min((each for each in times if each is not None), default=None)

    def _keepalive_at(self) -> float:
        return self._last_sent + self._work.keepalive

    def handle_timer(self, now: float) -> None:
        """Do what is due."""
        self._now = now
        if self._comeback.due(now):
            self._begin(now)
        if self._ask_at is not None and self._ask_at <= now:
            self._ask()
        if self._signon_until is not None and self._signon_until <= now:
            self._transient("sign-on took too long", now)
        if self.phase is not Phase.UP:
            return
        if self._work.tick(now):
            self._transient("the server has fallen silent", now)
            return
        if self._keepalive_at() <= now:
            self._work.messages.keepalive(now)
        if self._last_ping + self._work.ping <= now:
            self._last_ping = now
            self._work.send_ping()

    # -- beginning and end

    def _tell(self, state: Link, reason: str, *, code: int | None = None, retry_in: float | None = None) -> None:
        self._events.append(LinkState(account=self.account, state=state, reason=reason, code=code, retry_in=retry_in))

    def _open(self, host: str, port: int, *, tls: bool) -> int:
        self._last_conn += 1
        self._actions.append(Connect(conn_id=self._last_conn, host=host, port=port, tls=tls))
        return self._last_conn

    def _write(self, service: int, pairs: tuple[Pair, ...], status: int) -> None:
        """Writes a packet; raises `YmsgSyntaxError` where it does not fit."""
        if self._conn is None:
            return
        packet = Packet(
            service=service, status=status, session=self._session_id, pairs=pairs, version=self._config.version
        )
        self._out.append((self._conn, packet.encode()))
        self._last_sent = self._now

    def _begin(self, now: float) -> None:
        self._comeback.begun()
        if not self._credential:
            self._refused("there is no password", None, now)
            return
        self.phase = Phase.CONNECTING
        self._signon_until = now + self._config.connect_timeout + self._config.signon_timeout
        self._framer = Framer(self._config.max_body)
        self._session_id = 0
        self._challenge = None
        self._work.begin()
        self._tell(Link.CONNECTING, "signing on")
        self._conn = self._open(self._config.host, self._config.port, tls=self._config.tls)

    def _end(self) -> None:
        """Take down everything of this sign-on."""
        if self._conn is not None:
            self._actions.append(Disconnect(conn_id=self._conn))
        self._drop_fetch()
        self._conn = self._signon_until = self._ask_at = None
        self.phase = Phase.IDLE
        self._work.lost()

    def _drop_fetch(self) -> None:
        if self._fetch is not None:
            self._actions.append(Disconnect(conn_id=self._fetch.conn_id))
            self._fetch = None

    def _transient(self, reason: str, now: float, *, code: int | None = None, at_least: float = 0.0) -> None:
        """Try again by and by: backoff with full jitter, so that many accounts do not come at once."""
        self._end()
        wait = self._comeback.lost(now, at_least)
        self.phase = Phase.WAITING
        self._tell(Link.TRANSIENT, reason, code=code, retry_in=wait)

    def _elsewhere(self, now: float, code: int | None = None) -> None:
        """Another client has the name now: leave it in peace, for a while or for good."""
        self._end()
        pause = self._comeback.elsewhere(now)
        if pause is not None:
            self.phase = Phase.ELSEWHERE
        self._tell(Link.SIGNED_ON_ELSEWHERE, "signed on elsewhere", code=code, retry_in=pause)

    def _refused(self, reason: str, code: int | None, now: float) -> None:
        self._end()
        self._comeback.ended(now)
        self._tell(Link.AUTH_FAILED, reason, code=code)

    def _judge(self, code: int, now: float) -> None:
        """A refusal: wait, wait long, or wait for people."""
        name = codes.sign_on_error(code)
        if code in codes.SIGNED_ON_ELSEWHERE:
            self._elsewhere(now, code)
        elif code in codes.SIGN_ON_TOO_OFTEN:
            self._transient(name, now, code=code, at_least=self._config.rate_limited_wait)
        elif code in codes.TRANSIENT_SIGN_ON:
            self._transient(name, now, code=code)
        else:
            self._refused(name, code, now)

    # -- packets

    def _packet(self, packet: Packet, now: float) -> None:
        self.syntax_errors += packet.skipped
        if packet.session:
            self._session_id = packet.session
        control = self._controls.get(packet.service)
        try:
            if control is not None:
                control(packet, now)
            elif packet.service == codes.LOGOFF and packet.get(codes.KEY_WHO) is None:
                self._signed_off(packet, now)
            elif not self._work.handle(packet, now):
                self.unknown_packets += 1
            elif self.phase is Phase.SIGNING_ON:
                self._look(packet, now)
        except YmsgSyntaxError:
            self.syntax_errors += 1

    def _look(self, packet: Packet, now: float) -> None:
        """The list, whole, or who is there: the server has taken our sign-on."""
        whole = packet.service in _LISTS and packet.status != codes.MORE
        if not (whole or packet.service == codes.LOGON) or self._challenge is None:
            return
        self.phase = Phase.UP
        self._signon_until = None
        self._last_ping = now
        self._comeback.up(now)
        self._tell(Link.UP, "signed on")
        self._work.up(now)

    def _signed_off(self, packet: Packet, now: float) -> None:
        if packet.status == codes.FAILED:
            self._elsewhere(now)
        else:
            self._transient("the server signed us off", now)

    def _handshake(self, _packet: Packet, _now: float) -> None:
        if self._ask_at is not None:
            self._ask()

    def _ask(self) -> None:
        """Ask for the challenge, once: the server has greeted, or has no greeting."""
        self._ask_at = None
        self._write(codes.AUTH, pairs_of((codes.KEY_ME, self.account)), codes.OK)

    def _auth(self, packet: Packet, now: float) -> None:
        """0x57: the challenge. One answer for each connection: a password is no oracle."""
        if self.phase is not Phase.SIGNING_ON or self._challenge is not None:
            return
        self._ask_at = None
        seed = packet.get(codes.KEY_CHALLENGE)
        if seed is None:
            self._transient("the server sent no challenge", now)
            return
        self._challenge = decode_label(seed)
        if packet.number(codes.KEY_FLAG):
            self._ask_token(now)
            return
        try:
            answers = challenge.answers(self.account, self._credential, seed)
            pairs = pairs_of(
                (6, answers.plain),
                (96, answers.crypted),
                (0, self.account),
                (2, self.account),
                (codes.KEY_ME, self.account),
                (codes.KEY_VERSION, self._config.client),
            )
        except YmsgSyntaxError as error:
            self._refused(f"the account cannot be used: {error}", None, now)
            return
        self._write(codes.AUTH_RESPONSE, pairs, self._work.own.sign_on_status)

    def _ask_token(self, now: float) -> None:
        server = self._config.token_server
        if server is None:
            self._refused("the server wants a token, and no token server is configured", None, now)
            return
        assert self._challenge is not None
        connect = partial(self._open, server.host, server.port, tls=server.tls)
        self._fetch = TokenFetch(server, self.account, self._credential, self._challenge, connect)

    def _fetched(self, data: bytes, now: float, *, closed: bool, reason: str = "") -> None:
        """The token server has answered, or closed."""
        fetch = self._fetch
        assert fetch is not None
        asked_on = fetch.conn_id
        try:
            fetch.received(data, closed=closed)
        except YmsgSyntaxError as error:
            self._transient(f"no token: {reason or error}", now)
            return
        outcome = fetch.outcome
        if outcome is None and fetch.conn_id == asked_on:
            return
        if not closed:
            self._actions.append(Disconnect(conn_id=asked_on))
        if outcome is None:
            return
        self._fetch = None
        if isinstance(outcome, token.Refused):
            self._judge(outcome.code, now)
            return
        assert self._challenge is not None
        try:
            pairs = token.answer_pairs(self.account, outcome, self._challenge, self._config.client)
        except YmsgSyntaxError as error:
            self._transient(f"no usable token: {error}", now)
            return
        self._write(codes.AUTH_RESPONSE, pairs, self._work.own.sign_on_status)

    def _auth_response(self, packet: Packet, now: float) -> None:
        code = packet.number(codes.KEY_CODE)
        if self.phase is Phase.SIGNING_ON and (code is not None or packet.status == codes.FAILED):
            self._judge(code or 0, now)

    def _protocol_error(self, packet: Packet, now: float) -> None:
        if self.phase in {Phase.SIGNING_ON, Phase.UP}:
            self._judge(packet.number(codes.KEY_CODE) or 0, now)
