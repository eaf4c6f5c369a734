"""The session of one account: from the authorizer to BOS, through migrations and losses, to the end.

The owner opens and closes connections as `next_action` says, tells what becomes of them, hands in bytes, writes what
`to_send` gives, reads `next_event`, and calls `handle_timer` at `next_deadline`. Nothing here blocks, sleeps or looks
at a clock. Every method may be called at any time with any connection id and any bytes: what does not fit is ignored.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Hashable
from enum import Enum

from transports.common.machine.comeback import Comeback
from transports.common.machine.results import link_down
from transports.oscar.machine import signon
from transports.oscar.machine.actions import Purpose, SendDone, ServiceReady
from transports.oscar.machine.config import SessionConfig, SignOnMethod
from transports.oscar.machine.connection import Connection, Outgoing
from transports.oscar.machine.connections import Action, Connections
from transports.oscar.machine.services import Services
from transports.oscar.machine.setup import Setup
from transports.oscar.machine.work import Work
from transports.oscar.wire import bucp, oservice
from transports.oscar.wire.codes import (
    DISCONNECT_NAMES,
    DISCONNECT_NEW_LOGIN,
    ICBM,
    OSERVICE,
    RATE_LOGIN_FAILURES,
    TRANSIENT_LOGIN_FAILURES,
    login_failure,
)
from transports.oscar.wire.errors import OscarSyntaxError
from transports.oscar.wire.flap import DATA, ERROR, SIGNOFF, SIGNON, FlapFrame
from transports.oscar.wire.names import normal
from transports.oscar.wire.native import Inbound, Link, LinkState, Outbound, OwnPresence
from transports.oscar.wire.registry import PUSHED, decode_body
from transports.oscar.wire.snac import FROM_SERVER, MORE_REPLIES, Body, SnacFrame, UnknownBody
from transports.oscar.wire.tlv import Tlvs

DISCONNECT_REASON = 0x09
Event = Inbound | SendDone | ServiceReady


class Phase(Enum):
    """Where the session stands."""

    IDLE = "idle"
    WAITING = "waiting"
    ELSEWHERE = "elsewhere"
    AUTHORIZING = "authorizing"
    SIGNING_ON = "signing-on"
    UP = "up"


class OscarSession:
    """One account on one network.

    Args:
        account: the screen name or ICQ number, in any format.
        credential: the password.
        config: the network's parameters.
        rng: for backoff, ids and sequence numbers.

    Attributes:
        account: the name's normal form, which stands in every event.
        phase: where the session stands.
        unknown_snacs, syntax_errors: how much was skipped, for the metrics.
    """

    def __init__(self, account: str, credential: str, config: SessionConfig, *, rng: random.Random) -> None:
        self.account = normal(account)
        self.phase = Phase.IDLE
        self.unknown_snacs = 0
        self.syntax_errors = 0
        self._name = account
        self._credential = credential
        self._config = config
        self._rng = rng
        self._events: deque[Event] = deque()
        self._conns = Connections(config, rng)
        self._services = Services(self.account, config, self._conns, self._events.append)
        self._work = Work(self.account, config, rng, self._events.append)
        self._comeback = Comeback(config.comeback, rng)
        self._signon_until: float | None = None
        self._probe_until: float | None = None
        self._controls: dict[type[Body], Callable[[Connection, Body, float], None]] = {
            oservice.HostOnline: self._host_online,
            oservice.RateChange: self._rate_change,
            oservice.Pause: self._pause,
            oservice.Resume: self._resume,
            oservice.Migrate: self._migrate,
            bucp.Challenge: self._challenge,
            bucp.LoginResponse: self._login_response,
        }

    # -- the owner's side

    @property
    def server(self) -> str:
        """The authorizer, where each sign-on begins."""
        return f"{self._config.host}:{self._config.port}"

    @property
    def state(self) -> str:
        """The phase, for people."""
        return self.phase.value

    @property
    def attempt_at(self) -> float | None:
        """When it tries to sign on again of itself."""
        return self._comeback.attempt_at

    def next_event(self) -> Event | None:
        """The oldest event that was not yet taken; at last the list, where it has changed."""
        if self._events:
            return self._events.popleft()
        if self._work.roster.to_tell:
            self._work.roster.to_tell = False
            return self._work.roster.native()
        return None

    def next_action(self) -> Action | None:
        """The oldest action that was not yet taken. Write what `to_send` gives before a `Disconnect`."""
        return self._conns.actions.popleft() if self._conns.actions else None

    def to_send(self) -> list[tuple[int, bytes]]:
        """What is to be written, by connection."""
        return self._conns.to_send()

    def roster_size(self) -> int:
        """How many items the server's list has."""
        return len(self._work.roster.items)

    def waiting(self) -> int:
        """How many SNACs wait for their turn."""
        return 0 if self._conns.bos is None else self._conns.bos.waiting

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
        self._work.own = presence

    def stop(self, now: float, reason: str = "signed off") -> None:
        """Sign off, without return."""
        if self.phase is not Phase.IDLE:
            self._conns.sign_off(now)
            self._end()
            self._comeback.ended(now)
            self._tell(Link.LOGGED_OUT, reason)

    def connected(self, conn_id: int, now: float) -> None:
        """A connection stands."""
        conn = self._conns.get(conn_id)
        if conn is not None:
            conn.last_received = conn.last_sent = now

    def connection_lost(self, conn_id: int, now: float, reason: str = "connection lost") -> None:
        """A connection could not be had, or has ended."""
        conn = self._conns.get(conn_id)
        if conn is None:
            return
        if (last := conn.framer.finish()) is not None:
            self._frame(conn, last, now)
        if conn_id in self._conns:
            self._dropped(conn, reason, now)

    def receive(self, conn_id: int, data: bytes, now: float) -> None:
        """Bytes have come."""
        conn = self._conns.get(conn_id)
        if conn is None:
            return
        conn.last_received = now
        self._probe_until = None
        try:
            for frame in conn.framer.feed(data):
                if conn_id not in self._conns:
                    return
                self._frame(conn, frame, now)
            if conn.framer.broken is not None:
                raise conn.framer.broken
        except OscarSyntaxError as error:
            if conn_id in self._conns:
                self.syntax_errors += 1
                self._conns.hang_up(conn)
                self._dropped(conn, f"broken stream: {error}", now)
            return
        if conn.waiting and conn_id in self._conns:
            conn.flush(now)

    def send(self, value: Outbound, key: Hashable, now: float, deadline: float | None = None) -> None:
        """Send a native value. Its end comes once, as `SendDone` of `key`.

        `deadline` (same clock as `now`): a message that has not had its turn by then is not sent.
        """
        if isinstance(value, OwnPresence):
            self._work.own = value
        conn = self._conns.bos
        if conn is None or self.phase is not Phase.UP:
            text = "There is no connection to the network at the moment."
            self._events.append(SendDone(key=key, result=link_down(text)))
            return
        self._work.send(conn, value, key, now, deadline)

    def recorded(self, event: Inbound, now: float) -> None:
        """An event that this session gave is recorded: it may be acknowledged, where the protocol has a way."""
        self._work.recorded(event, now)

    def request_service(self, group: int, now: float) -> None:
        """Ask for a connection that serves a further food group; `ServiceReady` tells the outcome."""
        self._services.request(self._conns.bos if self.phase is Phase.UP else None, group, now)

    # -- time

    def next_deadline(self) -> float | None:
        """When `handle_timer` has something to do; None when never."""
        times = [self._comeback.attempt_at, self._signon_until, self._probe_until]
        times += [self._work.next_deadline(), self._conns.next_deadline()]
        bos = self._conns.bos
        if bos is not None and self.phase is Phase.UP and self._probe_until is None:
            times.append(bos.last_received + self._config.probe_after)
        return min((each for each in times if each is not None), default=None)

    def handle_timer(self, now: float) -> None:
        """Do what is due."""
        if self._comeback.due(now):
            self._begin(now)
        if self._signon_until is not None and self._signon_until <= now:
            self._transient("sign-on took too long", now)
        if self._probe_until is not None and self._probe_until <= now:
            self._transient("the server has fallen silent", now)
        self._conns.tick(now)
        bos = self._conns.bos
        up = bos is not None and self.phase is Phase.UP
        if bos is not None and up and self._probe_until is None and bos.last_received + self._config.probe_after <= now:
            bos.send_now(oservice.SelfInfoQuery(), now)
            self._probe_until = now + self._config.probe_timeout
        self._work.tick(now)

    # -- beginning and end

    def _tell(self, state: Link, reason: str, *, code: int | None = None, retry_in: float | None = None) -> None:
        limit = self._work.messages.limit or None
        self._events.append(
            LinkState(
                account=self.account,
                state=state,
                reason=reason,
                code=code,
                retry_in=retry_in,
                max_message_bytes=limit if state is Link.UP else None,
            )
        )

    def _begin(self, now: float) -> None:
        self._comeback.begun()
        if not self._credential:
            self._refused("there is no password", None, now)
            return
        self.phase = Phase.AUTHORIZING
        self._signon_until = now + self._config.connect_timeout + self._config.signon_timeout
        self._tell(Link.CONNECTING, "signing on")
        self._conns.open(self._config.host, self._config.port, Purpose.AUTHORIZER, now)

    def _end(self) -> None:
        """Take down everything of this sign-on."""
        self.phase = Phase.IDLE
        self._signon_until = self._probe_until = None
        self._work.lost(self._conns.close_all())

    def _transient(self, reason: str, now: float, *, code: int | None = None, at_least: float = 0.0) -> None:
        """Try again by and by: backoff with full jitter, so that many accounts do not come at once."""
        self._end()
        wait = self._comeback.lost(now, at_least)
        self.phase = Phase.WAITING
        self._tell(Link.TRANSIENT, reason, code=code, retry_in=wait)

    def _elsewhere(self, reason: str, code: int, now: float) -> None:
        """Another client has the name now: leave it in peace, for a while or for good."""
        self._end()
        pause = self._comeback.elsewhere(now)
        if pause is not None:
            self.phase = Phase.ELSEWHERE
        self._tell(Link.SIGNED_ON_ELSEWHERE, reason, code=code, retry_in=pause)

    def _dropped(self, conn: Connection, reason: str, now: float) -> None:
        """A connection is gone: what that means depends on which it was."""
        self._conns.lost(conn)
        if conn is self._conns.bos and self._conns.moving_to is not None:
            return  # the old server has let go of us; the new one is on its way
        if conn.purpose is Purpose.SERVICE:
            self._services.failed(conn.service, reason)
            return
        self._transient(reason, now)

    # -- frames

    def _frame(self, conn: Connection, frame: FlapFrame, now: float) -> None:
        if frame.channel == DATA:
            self._data(conn, frame.payload, now)
        elif frame.channel == SIGNON:
            self._hello(conn, now)
        elif frame.channel == SIGNOFF:
            self._signed_off(conn, frame.payload, now)
        elif frame.channel == ERROR:
            self._conns.hang_up(conn)
            self._dropped(conn, "the server reported a FLAP error", now)

    def _hello(self, conn: Connection, now: float) -> None:
        if conn.standing:
            return
        conn.standing = True
        try:
            signon.greet(conn, self._name, self._credential, self._config, now)
        except OscarSyntaxError as error:
            self._refused(f"the account cannot be used: {error}", None, now)

    def _signed_off(self, conn: Connection, payload: bytes, now: float) -> None:
        try:
            tlvs = Tlvs.decode(payload)
            outcome = bucp.login_outcome(tlvs)
            raw = tlvs.get(DISCONNECT_REASON) or b""
        except OscarSyntaxError:
            self.syntax_errors += 1
            tlvs, outcome, raw = Tlvs(), bucp.login_outcome(Tlvs()), b""
        self._conns.hang_up(conn)
        if conn.purpose is Purpose.AUTHORIZER and (outcome.cookie is not None or outcome.error is not None):
            self._outcome(conn, outcome, now)
            return
        code = int.from_bytes(raw[:2], "big") if raw else None
        if outcome.error is not None and conn.purpose is Purpose.BOS:
            self._judge(outcome.error, now)
        elif code is not None and conn.purpose is Purpose.BOS:
            reason = DISCONNECT_NAMES.get(code, f"signed off by the server (reason {code:#06x})")
            if code == DISCONNECT_NEW_LOGIN:
                self._elsewhere(reason, code, now)
            else:
                self._refused(reason, code, now)
        else:
            self._dropped(conn, "the server signed us off", now)

    # -- SNACs

    def _data(self, conn: Connection, payload: bytes, now: float) -> None:
        try:
            frame = SnacFrame.decode(payload)
        except OscarSyntaxError:
            self.syntax_errors += 1
            return
        body: Body
        try:
            body = decode_body(frame)
        except OscarSyntaxError as error:
            self.syntax_errors += 1
            self._work.undecodable(frame, error)
            body = UnknownBody(group=frame.group, kind=frame.kind, data=frame.data)
        try:
            self._snac(conn, body, frame, now)
        except OscarSyntaxError:
            self.syntax_errors += 1

    def _snac(self, conn: Connection, body: Body, frame: SnacFrame, now: float) -> None:
        ids = (frame.group, frame.kind)
        if ids not in PUSHED and not frame.request_id & FROM_SERVER:
            more = bool(frame.flags & MORE_REPLIES)
            handler = conn.answered(frame.request_id, more=more)
            if handler is not None:
                handler(body, more, now)
                return
        control = self._controls.get(type(body))
        if control is not None:
            control(conn, body, now)
        elif conn.purpose is Purpose.AUTHORIZER or not self._work.handle(conn, body, frame, now):
            self.unknown_snacs += isinstance(body, UnknownBody)

    def _challenge(self, conn: Connection, body: Body, now: float) -> None:
        assert isinstance(body, bucp.Challenge)
        if conn.purpose is Purpose.AUTHORIZER and self._config.method is SignOnMethod.MD5 and not conn.cookie:
            conn.cookie = b"answered"  # one answer for each connection: a password is no oracle
            conn.send_now(signon.login_request(self._name, self._credential, body.key, self._config), now)

    def _login_response(self, conn: Connection, body: Body, now: float) -> None:
        assert isinstance(body, bucp.LoginResponse)
        if conn.purpose is Purpose.AUTHORIZER:
            self._outcome(conn, bucp.login_outcome(body.tlvs), now)

    def _outcome(self, conn: Connection, outcome: bucp.LoginOutcome, now: float) -> None:
        if self.phase is not Phase.AUTHORIZING:
            return
        if outcome.error is not None or outcome.cookie is None:
            self._judge(outcome.error or 0x0003, now)
            return
        self._conns.close(conn)
        try:
            host, port = signon.server_address(outcome.host, self._config)
        except OscarSyntaxError as error:
            self._transient(f"the server named no usable address: {error}", now)
            return
        self.phase = Phase.SIGNING_ON
        self._signon_until = now + self._config.connect_timeout + self._config.signon_timeout
        self._conns.bos = self._conns.open(host, port, Purpose.BOS, now, outcome.cookie)

    def _judge(self, code: int, now: float) -> None:
        """A refusal to sign on: wait, wait long, or wait for people."""
        name = login_failure(code)
        if code in RATE_LOGIN_FAILURES:
            self._transient(name, now, code=code, at_least=self._config.rate_limited_wait)
        elif code in TRANSIENT_LOGIN_FAILURES:
            self._transient(name, now, code=code)
        else:
            self._refused(name, code, now)

    def _refused(self, reason: str, code: int | None, now: float) -> None:
        self._end()
        self._comeback.ended(now)
        self._tell(Link.AUTH_FAILED, reason, code=code)

    def _host_online(self, conn: Connection, body: Body, now: float) -> None:
        assert isinstance(body, oservice.HostOnline)
        if conn.purpose is Purpose.AUTHORIZER or not conn.standing:
            return
        setup = self._conns.setups.get(conn.id)
        if setup is None:
            setup = self._conns.setups[conn.id] = Setup(
                conn,
                self._work.roster,
                margin=self._config.rate_margin,
                on_limit=self._work.limit,
                on_self=self._work.self_info,
                on_done=self._set_up,
            )
        setup.host_online(body, now)

    def _set_up(self, conn: Connection, now: float) -> None:
        """Everything has answered on a connection."""
        conn.ready = True
        if conn.purpose is Purpose.SERVICE:
            conn.send_now(signon.client_online(conn.groups), now)
            self._services.ready(conn.service)
            return
        moved = self._conns.moving_to is conn
        waiting: list[Outgoing] = self._conns.moved() if moved else []
        self._signon_until = None
        self._work.begin(conn, now)
        for item in waiting:
            conn.submit(item, now)
        if not moved:
            self.phase = Phase.UP
            self._comeback.up(now)
            self._tell(Link.UP, "signed on")
        self._work.roster.to_tell = True

    def _rate_change(self, conn: Connection, body: Body, now: float) -> None:
        assert isinstance(body, oservice.RateChange)
        if conn.tracker is not None:
            conn.tracker.change(body.code, body.rate, now)

    def _pause(self, conn: Connection, _body: Body, now: float) -> None:
        if conn.ready:
            conn.paused = True
            conn.send_now(oservice.PauseAck(tuple(sorted(conn.groups))), now)

    def _resume(self, conn: Connection, _body: Body, now: float) -> None:
        if self._conns.moving_to is None:
            conn.paused = False
            conn.flush(now)

    def _migrate(self, conn: Connection, body: Body, now: float) -> None:
        """01/12: all of it, or what carries messages, moves to another server."""
        assert isinstance(body, oservice.Migrate)
        cookie = body.tlvs.get(oservice.TLV_COOKIE)
        moving = self._conns.moving_to is not None
        if conn is not self._conns.bos or self.phase is not Phase.UP or cookie is None or moving:
            return
        host, port = signon.server_address(body.tlvs.text(oservice.TLV_HOST), self._config)
        if body.groups and not {OSERVICE, ICBM}.intersection(body.groups):
            self._services.open(body.groups[0], host, port, cookie, now)
            return
        conn.paused = True
        self._conns.moving_to = self._conns.open(host, port, Purpose.BOS, now, cookie)
        self._signon_until = now + self._config.connect_timeout + self._config.signon_timeout
