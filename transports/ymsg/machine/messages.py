"""Messages on their way out, and what is known of them.

YMSG acknowledges no message. But it runs over one connection in order: a server that answers a keep-alive which was
sent after a message has read that message before. So a keep-alive follows messages, and its answer confirms them: the
server has them. A server that answers no keep-alive leaves the fate of a message unknown.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable

from attrs import frozen

from bridge.model.body import Stage
from bridge.model.capabilities import SendResult
from transports.common.machine.actions import SendDone
from transports.common.machine.results import failed, link_down, unknown
from transports.ymsg.machine.config import SessionConfig
from transports.ymsg.machine.outbox import Item, Outbox
from transports.ymsg.wire import codes
from transports.ymsg.wire.errors import YmsgSyntaxError
from transports.ymsg.wire.messages import message_pairs
from transports.ymsg.wire.names import normal
from transports.ymsg.wire.native import ImSend
from transports.ymsg.wire.packet import Pair, pairs_of, require_fit

Write = Callable[[int, tuple[Pair, ...], int], None]
"""Writes a packet: service, pairs, status."""


@frozen
class _Flight:
    serial: int
    key: Hashable
    to: str
    id: str
    sent_at: float


class Messages:
    """The messages of one account, and the keep-alives that follow them.

    Args:
        account: our name.
        config: the network's parameters.
        outbox: where messages wait for their turn.
        write: writes a packet.
        emit: takes `SendDone`.
    """

    def __init__(
        self, account: str, config: SessionConfig, outbox: Outbox, write: Write, emit: Callable[[SendDone], None]
    ) -> None:
        self._account = account
        self._config = config
        self._outbox = outbox
        self._write = write
        self._emit = emit
        self._flights: deque[_Flight] = deque()
        self._keepalives: deque[tuple[int, float]] = deque()
        """Of each keep-alive without an answer: the last message before it, and when the answer is late."""
        self._serial = 0
        self._answers: bool | None = None
        """Whether this server answers keep-alives; None while that is not known."""

    def begin(self, now: float) -> None:
        """The account is signed on: find out whether keep-alives are answered."""
        self._answers = None
        self.keepalive(now)

    def in_flight(self) -> int:
        """How many messages have gone of which nothing is known yet."""
        return len(self._flights)

    # -- outwards

    def send(self, message: ImSend, key: Hashable, now: float, deadline: float | None) -> None:
        """Send a message, in its turn. Its end is told as `SendDone`."""
        try:
            pairs = message_pairs(self._account, message.to, message.text)
            require_fit(codes.MESSAGE, pairs)
        except YmsgSyntaxError as error:
            self._done(key, failed(f"unsendable: {error}", retryable=False, user_text="The message cannot be sent."))
            return

        def write(at: float) -> None:
            self._serial += 1
            self._flights.append(_Flight(self._serial, key, message.to, message.id, at))
            self._write(codes.MESSAGE, pairs, codes.OK)
            self._confirm(at)

        def lost() -> None:
            text = "The connection to the network was lost before the message was sent."
            self._done(key, link_down(text, remote_id=message.id))

        def expired() -> None:
            text = "The message waited too long for its turn and was not sent."
            self._done(key, failed("expired in the queue", retryable=False, user_text=text, remote_id=message.id))

        until = now + self._config.queue_timeout if deadline is None else deadline
        self._outbox.submit(Item(write, lost, expired, until), now)

    def keepalive(self, now: float) -> None:
        """Send a keep-alive; its answer confirms the messages before it."""
        self._keepalives.append((self._serial, now + self._config.ack_timeout))
        self._write(codes.KEEPALIVE, pairs_of((codes.KEY_NAME, self._account)), codes.OK)

    def _confirm(self, now: float) -> None:
        """One keep-alive at a time: messages that go while it is out are confirmed by the next."""
        if self._flights and not self._keepalives and self._answers is not False:
            self.keepalive(now)

    # -- inwards

    def answered(self, now: float) -> None:
        """A keep-alive has come: the answer to the oldest of ours."""
        if not self._keepalives:
            return
        self._answers = True
        last, _ = self._keepalives.popleft()
        while self._flights and self._flights[0].serial <= last:
            self._end(self._flights.popleft(), SendResult(stage=Stage.RELAYED))
        self._confirm(now)

    def refused(self, to: str | None) -> bool:
        """The server says that a message was not sent; gives whether it is known which.

        Args:
            to: whom it was for; None where the server does not say.
        """
        named = [each for each in self._flights if to is None or normal(each.to) == normal(to)]
        if not named or (to is None and len(named) > 1):
            return False
        self._flights.remove(named[0])
        text = "The network did not send the message."
        self._end(named[0], failed("refused by the server", retryable=False, user_text=text))
        return True

    # -- time

    def next_deadline(self) -> float | None:
        """When `tick` has something to do."""
        times = [self._keepalives[0][1]] if self._keepalives else []
        if self._answers is False and self._flights:
            times.append(self._flights[0].sent_at + self._config.unconfirmed_wait)
        return min(times, default=None)

    def tick(self, now: float) -> bool:
        """Give up what has had no answer; gives whether the server has fallen silent."""
        if self._keepalives and self._keepalives[0][1] <= now:
            if self._answers:
                return True
            self._answers = False
            self._keepalives.clear()
        while self._answers is False and self._flights:
            if self._flights[0].sent_at + self._config.unconfirmed_wait > now:
                break
            # no failure: nothing speaks against its having arrived, and this is all that is ever known
            self._end(self._flights.popleft(), SendResult(stage=Stage.UNKNOWN))
        return False

    def lost(self) -> None:
        """The connection is gone: of what has gone, nobody knows whether the server has it."""
        flights, self._flights = self._flights, deque()
        self._keepalives.clear()
        for flight in flights:
            self._end(flight, unknown("the connection was lost before the server had confirmed it"))

    def _end(self, flight: _Flight, result: SendResult) -> None:
        self._done(flight.key, SendResult(stage=result.stage, remote_id=flight.id, failure=result.failure))

    def _done(self, key: Hashable, result: SendResult) -> None:
        self._emit(SendDone(key=key, result=result))
