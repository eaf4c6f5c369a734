"""Messages on their way out: what was sent, who still waits for the server's word on it, and what the word was.

IRC has no receipts. What can be known is that the server has taken a message: by its echo (echo-message), by the answer
to its label (labeled-response), or, where it knows neither, by the answer to a PING behind it: lines are answered in
order, so a refusal would have come before. Each of them is `RELAYED`, and no more.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Hashable

from attrs import define

from bridge.model.body import Stage
from bridge.model.capabilities import SendResult
from transports.common.machine.actions import SendDone
from transports.common.machine.results import failed, link_down, unknown
from transports.irc.machine.outbox import Item, Outbox
from transports.irc.wire.ctcp import Ctcp
from transports.irc.wire.errors import IrcSyntaxError
from transports.irc.wire.message import Message
from transports.irc.wire.native import ChannelSend, Inbound, Kind, MessageFailed, MessageRelayed, MessageSend
from transports.irc.wire.numerics import Refusal

MAX_LABEL = 64
"""IRCv3 labeled-response: the longest label."""
MAX_REMEMBERED = 512
"""The most ended sends of which a late word is still understood."""
_REMEMBERED_SECONDS = 300.0


@define(eq=False)
class Flight:
    """A message that has left. `target` is canonical; `text` as on the wire."""

    key: Hashable
    target: str
    text: str
    label: str
    sent_at: float = 0.0
    barrier: int = 0
    """The number of the PING that answers it; 0: none yet."""
    done: bool = False


@define(eq=False)
class _Ended:
    target: str
    text: str
    remote_id: str
    at: float
    unknown: bool


class Messages:
    """The sends of one account.

    Args:
        account: our name.
        outbox: the way out.
        ack_timeout: after so many seconds without an answer a send is unknown.
        queue_timeout: a message without a deadline waits at most so long.
        prefix: what our labels begin with; another one in each session.
        emit: takes `SendDone` and native events.

    Attributes:
        labels, echo: whether the server has labeled-response and echo-message.
    """

    __slots__ = (
        "_account", "_ack_timeout", "_barrier", "_barriers", "_batches", "_emit", "_ended", "_flights", "_labels",
        "_number", "_outbox", "_prefix", "_queue_timeout", "echo", "labels",
    )  # fmt: skip

    def __init__(
        self,
        account: str,
        outbox: Outbox,
        *,
        ack_timeout: float,
        queue_timeout: float,
        prefix: str,
        emit: Callable[[Inbound | SendDone], None],
    ) -> None:
        self._account = account
        self._outbox = outbox
        self._ack_timeout = ack_timeout
        self._queue_timeout = queue_timeout
        self._prefix = prefix
        self._emit = emit
        self._number = 0
        self._barrier = 0
        self._barriers = False
        self._flights: deque[Flight] = deque()
        self._labels: dict[str, Flight] = {}
        self._batches: dict[str, str] = {}
        self._ended: OrderedDict[str, _Ended] = OrderedDict()
        self.labels = False
        self.echo = False

    def in_flight(self) -> int:
        """How many messages have left of which nothing is known."""
        return len(self._flights)

    # -- out

    def send(
        self, value: MessageSend | ChannelSend, target: str, key: Hashable, now: float, deadline: float | None
    ) -> None:
        """Sends a message in its turn; `target` is canonical. Its end is told as `SendDone`."""
        label = self._label(value)
        flight = Flight(key, target, wire_text(value.text, value.kind), label)
        command = "NOTICE" if value.kind is Kind.NOTICE else "PRIVMSG"
        tags = {"label": label} if self.labels else {}
        try:
            data = Message(command=command, params=(target, flight.text), tags=tags).encode()
        except IrcSyntaxError as error:
            self._done(key, failed(f"unsendable: {error}", retryable=False, user_text="The message cannot be sent."))
            return

        def sent(at: float) -> None:
            self._sent(flight, at)

        def dropped(expired: bool) -> None:
            if expired:
                text = "The message waited too long for its turn and was not sent."
                self._done(key, failed("expired in the queue", retryable=False, user_text=text))
            else:
                self._done(key, link_down("The connection to the network was lost before the message was sent."))

        until = now + self._queue_timeout if deadline is None else deadline
        item = Item(data, on_sent=sent, on_dropped=dropped, deadline=until)
        if not self._outbox.add(item, now):
            text = "Too many messages wait for the network."
            self._done(key, failed("too many lines wait", retryable=True, user_text=text))
        self.ask(now)

    def _label(self, value: MessageSend | ChannelSend) -> str:
        """The name of a message: its own, so that a late word on an earlier attempt is known, or one of ours."""
        own = value.reference if isinstance(value, MessageSend) else ""
        if own and len(own) <= MAX_LABEL and own.isascii() and own.isalnum() and own not in self._labels:
            return own
        self._number += 1
        return f"{self._prefix}{self._number}"

    def _sent(self, flight: Flight, now: float) -> None:
        flight.sent_at = now
        self._flights.append(flight)
        if self.labels:
            self._labels[flight.label] = flight

    def ask(self, now: float) -> None:
        """Puts a PING behind messages of which no other word will come: one at a time, for all that have left."""
        if self.labels or self.echo or self._barriers:
            return
        waiting = [flight for flight in self._flights if not flight.barrier]
        if not waiting:
            return
        self._barriers = True
        self._barrier += 1
        number = self._barrier
        for flight in waiting:
            flight.barrier = number
        # it may not be behind messages that wait: its answer would say nothing sooner, and they would wait for it
        self._outbox.send_now(Message(command="PING", params=(f"{self._prefix}{number}",)).encode(), now)

    # -- in

    def pong(self, token: str, now: float) -> bool:
        """The answer to a PING; whether it was one of ours."""
        if not token.startswith(self._prefix):
            return False
        number = token[len(self._prefix) :]
        if not self._barriers or number != str(self._barrier):
            return True
        self._barriers = False
        for flight in [flight for flight in self._flights if flight.barrier == self._barrier]:
            self._relayed(flight, "", now)
        self.ask(now)
        return True

    def batch(self, message: Message, now: float) -> None:
        """BATCH: what stands in one of type labeled-response belongs to its label."""
        reference = message.param(0)
        label = message.tags.get("label", "")
        if reference.startswith("+") and label in self._labels and len(self._batches) < MAX_REMEMBERED:
            self._batches[reference[1:]] = label
        elif reference.startswith("-"):
            self.acknowledged(self._batches.pop(reference[1:], ""), now)

    def label_of(self, message: Message) -> str:
        """The label that a line answers; empty where it answers none."""
        return message.tags.get("label") or self._batches.get(message.tags.get("batch", ""), "")

    def acknowledged(self, label: str, now: float) -> None:
        """ACK, or the end of a labeled batch: the server has done what was asked and has nothing more to say."""
        flight = self._labels.get(label)
        if flight is not None:
            self._relayed(flight, "", now)

    def echoed(self, message: Message, target: str, now: float) -> bool:
        """Our own message comes back; whether it is one that we know."""
        label = self.label_of(message)
        flight = self._labels.get(label) if label else self._match(target, message.last)
        remote_id = message.tags.get("msgid", "")
        if flight is not None:
            self._relayed(flight, remote_id, now)
            return True
        return self._late(target, message.last)

    def _match(self, target: str, text: str) -> Flight | None:
        """The oldest message to a target that an echo may be of: servers shorten texts and change their formatting."""
        to_target = [flight for flight in self._flights if flight.target == target]
        exact = [flight for flight in to_target if flight.text == text]
        return next(iter(exact or to_target), None)

    def _late(self, target: str, text: str) -> bool:
        for ended in self._ended.values():
            if ended.target == target and ended.text == text:
                if ended.unknown:
                    ended.unknown = False
                    self._emit(MessageRelayed(account=self._account, to=target, message_id=ended.remote_id))
                return True
        return False

    def refused(self, code: str, refusal: Refusal, target: str, label: str, reason: str, now: float) -> bool:
        """A numeric, or FAIL, says no; whether that was to a message that we know.

        `target` is canonical, empty where the refusal names none.
        """
        flight = self._labels.get(label) if label else None
        if flight is None and not label:
            flight = next((each for each in self._flights if not target or each.target == target), None)
        if flight is not None:
            why = f"{code} {refusal.name}: {reason}"
            result = failed(why, retryable=refusal.retryable, user_text=refusal.user_text, remote_id=flight.label)
            self._end(flight, result, now)
            return True
        return bool(target) and self._refused_late(code, refusal, target, reason, now)

    def _refused_late(self, code: str, refusal: Refusal, target: str, reason: str, now: float) -> bool:
        """A refusal that comes after the server's own word that it took the message: another server of it refused."""
        for remote_id, ended in reversed(self._ended.items()):
            if ended.target == target and now - ended.at <= _REMEMBERED_SECONDS:
                del self._ended[remote_id]
                why = f"{code} {refusal.name}: {reason}"
                self._emit(
                    MessageFailed(
                        account=self._account,
                        to=target,
                        message_id=remote_id,
                        code=code,
                        reason=why,
                        user_text=refusal.user_text,
                    )
                )
                return True
        return False

    # -- ends

    def _relayed(self, flight: Flight, message_id: str, now: float) -> None:
        aliases = (flight.label,) if message_id else ()
        self._end(flight, SendResult(stage=Stage.RELAYED, remote_id=message_id or flight.label, aliases=aliases), now)

    def _end(self, flight: Flight, result: SendResult, now: float) -> None:
        if flight.done:
            return
        flight.done = True
        self._labels.pop(flight.label, None)
        self._flights.remove(flight)
        if result.stage is not Stage.FAILED:
            remote_id = result.remote_id or flight.label
            doubtful = result.stage is Stage.UNKNOWN
            self._ended[remote_id] = _Ended(flight.target, flight.text, remote_id, now, doubtful)
            if len(self._ended) > MAX_REMEMBERED:
                self._ended.popitem(last=False)
        self._done(flight.key, result)

    def _done(self, key: Hashable, result: SendResult) -> None:
        self._emit(SendDone(key=key, result=result))

    def next_deadline(self) -> float | None:
        """When the oldest send becomes unknown."""
        return self._flights[0].sent_at + self._ack_timeout if self._flights else None

    def expire(self, now: float) -> None:
        """Gives up sends of which no word has come."""
        while self._flights and self._flights[0].sent_at + self._ack_timeout <= now:
            flight = self._flights[0]
            self._barriers = self._barriers and flight.barrier != self._barrier
            # the connection stands, so the server most likely has it: sent again it would be read twice
            self._end(flight, unknown("no word from the server", flight.label, retryable=False), now)

    def lost(self, now: float) -> None:
        """The connection is gone: what was sent is unknown."""
        for flight in list(self._flights):
            self._end(flight, unknown("the connection was lost before the server's word", flight.label), now)
        self._labels.clear()
        self._batches.clear()
        self._barriers = False


def wire_text(text: str, kind: Kind) -> str:
    """The text as a parameter: an action is a CTCP; an empty text, which IRC has not, is a blank."""
    return Ctcp("ACTION", text).encode() if kind is Kind.ACTION else text or " "
