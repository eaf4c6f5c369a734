"""The session of one account: from the greeting to the end, through losses and back."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Hashable
from enum import Enum

from bridge.model.body import Stage
from bridge.model.capabilities import SendResult
from transports.common.machine.actions import Connect, Disconnect, SendDone
from transports.common.machine.comeback import Comeback
from transports.common.machine.outbox import Outbox
from transports.common.machine.results import failed, link_down
from transports.common.wire.native import Link, LinkState
from transports.loopback.machine.config import SessionConfig
from transports.loopback.wire import native
from transports.loopback.wire.inbound import read
from transports.loopback.wire.lines import Framer, LineError, Object, decode, encode, text

Event = native.Inbound | SendDone
_DONE = SendResult(stage=Stage.RELAYED)
_NOT_UP = "There is no connection to the network at the moment."


class Phase(Enum):
    """Where the session stands."""

    IDLE = "idle"
    WAITING = "waiting"
    ELSEWHERE = "elsewhere"
    SIGNING_ON = "signing-on"
    UP = "up"


class LoopbackSession:
    """One account (`transports.common.machine.session.Session` says what each method is for).

    Args:
        account: its name in normal form.
        credential: its password.
        config: the network's parameters.
        rng: the jitter of what is tried again.
    """

    def __init__(self, account: str, credential: str, config: SessionConfig, *, rng: random.Random) -> None:
        self.account = account
        self.server = f"{config.host}:{config.port}"
        self.phase = Phase.IDLE
        self.syntax_errors = 0
        self._credential = credential
        self._config = config
        self._own = native.OwnPresence(account=account, show=native.Show.OPEN)
        self._comeback = Comeback(config.comeback, rng)
        self._events: deque[Event] = deque()
        self._actions: deque[Connect | Disconnect] = deque()
        self._outbox = Outbox(
            rate=config.sends_per_second,
            max_waiting=config.max_waiting,
            queue_timeout=config.queue_timeout,
            ack_timeout=config.ack_timeout,
            emit=self._events.append,
        )
        self._conn_id = 0
        self._framer = Framer()
        self._out: list[tuple[int, bytes]] = []
        self._signon_until: float | None = None
        self._heard_at = 0.0
        self._pong_until: float | None = None
        self._answers: dict[str, Callable[[Object, float], None]] = {
            "welcome": self._welcome,
            "no": self._refused,
            "elsewhere": self._elsewhere,
            "ack": self._ack,
            "refused": self._send_refused,
        }

    # -- the owner's side

    @property
    def state(self) -> str:
        """The phase, for people."""
        return self.phase.value

    @property
    def attempt_at(self) -> float | None:
        """When it tries to sign on again of itself."""
        return self._comeback.attempt_at

    def waiting(self) -> int:
        """How many messages wait for their turn."""
        return len(self._outbox)

    def start(self, now: float) -> None:
        """Signs on, also where it had given up."""
        if self.phase in {Phase.IDLE, Phase.ELSEWHERE}:
            self._comeback.reset()
            self._begin(now)

    def set_credential(self, credential: str) -> None:
        """Takes another password for the next sign-on."""
        self._credential = credential

    def set_presence(self, presence: native.OwnPresence) -> None:
        """How to be seen from the next sign-on on."""
        self._own = presence

    def stop(self, now: float) -> None:
        """Signs off, without return."""
        if self.phase is not Phase.IDLE:
            if self.phase is Phase.UP:
                self._write({"do": "sign-off"})
            self._end()
            self._comeback.ended(now)
            self._tell(Link.LOGGED_OUT, "signed off")

    def connected(self, conn_id: int, now: float) -> None:
        """The connection stands: says who we are."""
        if conn_id == self._conn_id:
            self._heard_at = now
            self._write({"do": "sign-on", "name": self.account, "password": self._credential, **_shown(self._own)})

    def connection_lost(self, conn_id: int, now: float, reason: str) -> None:
        """The connection could not be had, or has ended."""
        if conn_id == self._conn_id and self.phase in {Phase.SIGNING_ON, Phase.UP}:
            self._transient(reason, now)

    def receive(self, conn_id: int, data: bytes, now: float) -> None:
        """Bytes have come. A stream that cannot be read is given up: nothing after it could be trusted."""
        if conn_id != self._conn_id:
            return
        self._heard_at = now
        self._pong_until = None
        try:
            for line in self._framer.feed(data):
                self._line(line, now)
                if conn_id != self._conn_id or self.phase not in {Phase.SIGNING_ON, Phase.UP}:
                    return
        except LineError as error:
            self.syntax_errors += 1
            self._transient(f"the server cannot be understood: {error}", now)

    def send(self, value: native.Outbound, key: Hashable, now: float, deadline: float | None) -> None:
        """Sends a native value."""
        if isinstance(value, native.OwnPresence):
            self._own = value
        if self.phase is not Phase.UP:
            self._events.append(SendDone(key=key, result=link_down(_NOT_UP)))
            return
        line = _line_of(value)
        try:
            encode(line)
        except LineError as error:
            text_ = "The message cannot be sent."
            result = failed(f"unsendable: {error}", retryable=False, user_text=text_)
            self._events.append(SendDone(key=key, result=result))
            return
        if isinstance(value, native.MessageSend):
            self._outbox.add(line, key, value.id, now, deadline)
            self._flush(now)
        else:
            self._write(line)
            self._events.append(SendDone(key=key, result=_DONE))

    def recorded(self, event: native.Inbound, now: float) -> None:
        """A message is safe with us: the server may forget it. Until then it would hand it out again."""
        del now
        if isinstance(event, native.MessageReceived) and self.phase is Phase.UP:
            self._write({"do": "got", "number": event.number})

    def to_send(self) -> list[tuple[int, bytes]]:
        """What is to be written."""
        out, self._out = self._out, []
        return out

    def next_action(self) -> Connect | Disconnect | None:
        """What its owner is to do."""
        return self._actions.popleft() if self._actions else None

    def next_event(self) -> Event | None:
        """The oldest event."""
        return self._events.popleft() if self._events else None

    # -- time

    def next_deadline(self) -> float | None:
        """When `handle_timer` has something to do."""
        times = [self._comeback.attempt_at, self._signon_until, self._pong_until, self._outbox.next_deadline()]
        if self.phase is Phase.UP and self._pong_until is None:
            times.append(self._heard_at + self._config.ping_after)
        return min((each for each in times if each is not None), default=None)

    def handle_timer(self, now: float) -> None:
        """Does what is due."""
        if self._comeback.due(now):
            self._begin(now)
        if self._signon_until is not None and self._signon_until <= now:
            self._transient("sign-on took too long", now)
        if self._pong_until is not None and self._pong_until <= now:
            self._transient("the server has fallen silent", now)
        if self.phase is not Phase.UP:
            return
        self._outbox.expire(now)
        self._flush(now)
        if self._pong_until is None and self._heard_at + self._config.ping_after <= now:
            self._write({"do": "ping"})
            self._pong_until = now + self._config.ping_timeout

    # -- beginning and end

    def _begin(self, now: float) -> None:
        self._comeback.begun()
        self.phase = Phase.SIGNING_ON
        self._signon_until = now + self._config.signon_timeout
        self._conn_id += 1
        self._framer = Framer()
        self._tell(Link.CONNECTING, "signing on")
        self._actions.append(Connect(conn_id=self._conn_id, host=self._config.host, port=self._config.port))

    def _end(self) -> None:
        self.phase = Phase.IDLE
        self._signon_until = self._pong_until = None
        self._actions.append(Disconnect(conn_id=self._conn_id))
        self._outbox.lost()

    def _transient(self, reason: str, now: float) -> None:
        self._end()
        wait = self._comeback.lost(now)
        self.phase = Phase.WAITING
        self._tell(Link.TRANSIENT, reason, retry_in=wait)

    def _tell(self, state: Link, reason: str, *, retry_in: float | None = None) -> None:
        self._events.append(LinkState(account=self.account, state=state, reason=reason, retry_in=retry_in))

    # -- lines

    def _write(self, line: Object) -> None:
        self._out.append((self._conn_id, encode(line)))

    def _flush(self, now: float) -> None:
        while (line := self._outbox.next(now)) is not None:
            self._write(line)

    def _line(self, line: bytes, now: float) -> None:
        value = decode(line)
        answer = self._answers.get(text(value, "is"))
        if answer is not None:
            answer(value, now)
        elif self.phase is Phase.UP:
            self._event(value, line)

    def _event(self, value: Object, line: bytes) -> None:
        try:
            event = read(self.account, value)
        except LineError as error:
            self.syntax_errors += 1
            if value.get("is") == "message":
                self._events.append(native.Unreadable(account=self.account, reason=str(error), raw=line))
            return
        if event is not None:
            self._events.append(event)

    def _welcome(self, _: Object, now: float) -> None:
        if self.phase is Phase.SIGNING_ON:
            self.phase = Phase.UP
            self._signon_until = None
            self._comeback.up(now)
            self._tell(Link.UP, "signed on")

    def _refused(self, value: Object, now: float) -> None:
        """The password is wrong, or there is no such account: only people can mend that."""
        if self.phase is Phase.SIGNING_ON:
            self._end()
            self._comeback.ended(now)
            self._tell(Link.AUTH_FAILED, text(value, "reason", default="refused"))

    def _elsewhere(self, _: Object, now: float) -> None:
        self._end()
        pause = self._comeback.elsewhere(now)
        if pause is not None:
            self.phase = Phase.ELSEWHERE
        self._tell(Link.SIGNED_ON_ELSEWHERE, "another client has signed on with this name", retry_in=pause)

    def _ack(self, value: Object, _: float) -> None:
        name = text(value, "id")
        self._outbox.answered(name, SendResult(stage=Stage.RELAYED, remote_id=name))

    def _send_refused(self, value: Object, _: float) -> None:
        name, reason = text(value, "id"), text(value, "reason")
        user_text = "The network refused the message."
        self._outbox.answered(name, failed(reason, retryable=False, user_text=user_text, remote_id=name))


def _shown(own: native.OwnPresence) -> dict[str, str]:
    return {"show": own.show.value, "note": own.note}


def _line_of(value: native.Outbound) -> Object:
    if isinstance(value, native.MessageSend):
        automatic = {"automatic": True} if value.automatic else {}
        return {"do": "send", "id": value.id, "to": value.to, "text": value.text, **automatic}
    if isinstance(value, native.TypingSend):
        return {"do": "typing", "to": value.to, "state": value.state.value}
    if isinstance(value, native.OwnPresence):
        return {"do": "show", **_shown(value)}
    return {"do": "watch" if value.wanted else "unwatch", "name": value.name}
