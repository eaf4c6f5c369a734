"""Messages on their way out: what was sent, who is still waiting for its answer, and what the answer was."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Hashable

from bridge.model.body import Failure, Stage
from bridge.model.capabilities import SendResult
from transports.common.machine.results import failed, link_down, unknown
from transports.oscar.machine.actions import SendDone
from transports.oscar.machine.connection import Connection, Outgoing
from transports.oscar.wire import icbm, text
from transports.oscar.wire.codes import CLIENT_ERROR_NAMES, RETRYABLE_ERRORS, error_name
from transports.oscar.wire.common import SnacError
from transports.oscar.wire.errors import OscarSyntaxError
from transports.oscar.wire.names import is_uin
from transports.oscar.wire.native import ImAck, ImError, ImQueued, ImSend, Inbound
from transports.oscar.wire.snac import Body
from transports.oscar.wire.tlv import Tlvs

MAX_REMEMBERED = 1024
"""The most ended sends of which a late answer is still recognized."""
_SUBCODES = {
    0x01: "the recipient has switched messages off",
    0x0E: "the recipient does not take offline messages",
    0x0F: "the recipient's store of offline messages is full",
}
_USER_TEXTS = {
    0x02: "The network asks us to send more slowly.",
    0x03: "The recipient gets too many messages just now.",
    0x04: "The recipient is not signed on.",
    0x09: "The recipient's program cannot take this.",
    0x0A: "The recipient refused the message.",
    0x10: "The recipient is on your list of blocked people.",
    0x11: "Your warning level is too high.",
    0x12: "The recipient's warning level is too high.",
}


class _Flight:
    __slots__ = ("cookie", "key", "to")

    def __init__(self, key: Hashable, to: str, cookie: bytes) -> None:
        self.key = key
        self.to = to
        self.cookie = cookie


class Messages:
    """The sends of one account.

    Args:
        account: our name.
        ack_timeout: after so many seconds without an answer a send is unknown.
        queue_timeout: a message without a deadline waits at most so long.
        emit: takes `SendDone` and native events.
        takes_html: whether a name's client is known to read all text as HTML.
    """

    __slots__ = (
        "_account",
        "_ack_timeout",
        "_active",
        "_deadlines",
        "_emit",
        "_flights",
        "_queue_timeout",
        "_remembered",
        "_takes_html",
        "limit",
    )

    def __init__(
        self,
        account: str,
        *,
        ack_timeout: float,
        queue_timeout: float,
        emit: Callable[[Inbound | SendDone], None],
        takes_html: Callable[[str], bool],
    ) -> None:
        self._account = account
        self._ack_timeout = ack_timeout
        self._queue_timeout = queue_timeout
        self._emit = emit
        self._takes_html = takes_html
        self._flights: dict[bytes, _Flight] = {}
        self._active: set[bytes] = set()
        self._deadlines: deque[tuple[float, _Flight]] = deque()
        self._remembered: OrderedDict[bytes, str] = OrderedDict()
        self.limit = 0

    def in_flight(self) -> int:
        """How many messages were sent of which no answer is known."""
        return len(self._flights)

    def send(self, conn: Connection, message: ImSend, key: Hashable, now: float, deadline: float | None) -> None:
        """Send a message in its turn on a connection that is up. Its end is told as `SendDone`."""
        try:
            body = self._body(message)
        except OscarSyntaxError as error:
            self._done(key, failed(f"unsendable: {error}", retryable=False, user_text="The message cannot be sent."))
            return
        if body is None:
            reason = f"too long: more than {self.limit} bytes"
            self._done(
                key,
                failed(reason, retryable=False, user_text="The message is too long.", remote_id=message.cookie.hex()),
            )
            return
        flight = _Flight(key, message.to, message.cookie)
        if message.cookie in self._active:
            reason = "a message with this cookie is on its way"
            self._done(key, failed(reason, retryable=True, user_text="The message is being sent already."))
            return
        self._active.add(message.cookie)
        item = Outgoing(
            body,
            on_reply=lambda answer, _more, _now: self._answered(flight, answer),
            on_sent=lambda _request, at: self._sent(flight, at),
            on_expired=lambda: self._expired(flight),
            on_lost=lambda: self._lost(flight),
            expires=deadline if deadline is not None else now + self._queue_timeout,
        )
        ahead = conn.position(body)
        if not conn.submit(item, now):
            expected = conn.expected(body, ahead, now)
            self._emit(
                ImQueued(
                    account=self._account,
                    to=message.to,
                    cookie=message.cookie,
                    waiting=ahead + 1,
                    expected_seconds=round(expected, 1),
                )
            )

    def _body(self, message: ImSend) -> icbm.SendMessage | None:
        """The SNAC; None when the text is over the limit."""
        html = message.html if message.html is not None and self._takes_html(message.to) else None
        said = message.text if html is None else html
        charset = text.best_charset(said)
        if self.limit and len(text.encode_text(said, charset)) > self.limit:
            return None
        features = text.FEATURES_ICQ if is_uin(self._account) and html is None else text.FEATURES_AIM
        value = text.encode_message(said, charset=charset, features=features)
        # Clients tell that they type only to those who asked for it in their last message.
        tlvs = [(icbm.TLV_TEXT, value), (icbm.TLV_WANT_EVENTS, b"")]
        if message.request_host_ack:
            tlvs.append((icbm.TLV_HOST_ACK, b""))
        if message.auto_response:
            tlvs.append((icbm.TLV_AUTO_RESPONSE, b""))
        if message.store_offline:
            tlvs.append((icbm.TLV_STORE, b""))
        body = icbm.SendMessage(cookie=message.cookie, channel=icbm.CHANNEL_TEXT, to=message.to, tlvs=Tlvs(tlvs))
        body.encode()  # a name that does not fit is to be told now, not when its turn has come
        return body

    def _sent(self, flight: _Flight, now: float) -> None:
        self._flights[flight.cookie] = flight
        self._deadlines.append((now + self._ack_timeout, flight))

    def _expired(self, flight: _Flight) -> None:
        self._active.discard(flight.cookie)
        text_ = "The message waited too long for its turn and was not sent."
        self._done(
            flight.key, failed("expired in the queue", retryable=False, user_text=text_, remote_id=flight.cookie.hex())
        )

    def _lost(self, flight: _Flight) -> None:
        self._active.discard(flight.cookie)
        text_ = "The connection to the network was lost before the message was sent."
        self._done(flight.key, link_down(text_, remote_id=flight.cookie.hex()))

    def _answered(self, flight: _Flight, answer: Body) -> None:
        if isinstance(answer, SnacError):
            self._end(flight, refused(answer, flight.cookie))
        elif isinstance(answer, icbm.HostAck):
            # an acknowledgement whose cookie is another message's is that message's, whatever the request id says
            self.acknowledged(answer)

    def acknowledged(self, ack: icbm.HostAck) -> None:
        """04/0C: the server has a message."""
        flight = self._flights.get(ack.cookie)
        if flight is not None:
            self._end(flight, SendResult(stage=Stage.RELAYED, remote_id=ack.cookie.hex()))
        elif ack.cookie in self._remembered:
            self._emit(ImAck(account=self._account, to=ack.name, cookie=ack.cookie))

    def refused_by_client(self, error: icbm.ClientError) -> None:
        """04/0B: the other client does not take a message."""
        name = CLIENT_ERROR_NAMES.get(error.code, f"reason {error.code}")
        flight = self._flights.get(error.cookie)
        if flight is not None:
            user_text = "The recipient's program refused the message."
            self._end(
                flight, failed(f"client: {name}", retryable=False, user_text=user_text, remote_id=error.cookie.hex())
            )
        elif error.cookie in self._remembered:
            self._emit(
                ImError(
                    account=self._account,
                    to=error.name,
                    cookie=error.cookie,
                    code=error.code,
                    name=name,
                    retryable=False,
                )
            )

    def _end(self, flight: _Flight, result: SendResult) -> None:
        if self._flights.get(flight.cookie) is flight:
            del self._flights[flight.cookie]
            self._active.discard(flight.cookie)
            self._remembered[flight.cookie] = flight.to
            if len(self._remembered) > MAX_REMEMBERED:
                self._remembered.popitem(last=False)
            self._done(flight.key, result)
        elif isinstance(result.failure, Failure) and flight.cookie in self._remembered:
            self._emit(
                ImError(
                    account=self._account,
                    to=flight.to,
                    cookie=flight.cookie,
                    code=None,
                    name=result.failure.reason,
                    retryable=result.failure.retryable,
                )
            )

    def _done(self, key: Hashable, result: SendResult) -> None:
        self._emit(SendDone(key=key, result=result))

    def next_deadline(self) -> float | None:
        """When the oldest send becomes unknown."""
        while self._deadlines and self._flights.get(self._deadlines[0][1].cookie) is not self._deadlines[0][1]:
            self._deadlines.popleft()
        return self._deadlines[0][0] if self._deadlines else None

    def expire(self, now: float) -> None:
        """Give up sends that have had no answer."""
        while (due := self.next_deadline()) is not None and due <= now:
            flight = self._deadlines.popleft()[1]
            # A server that keeps a message for later need not answer at all: sent again it would be read twice.
            self._end(flight, unknown("no answer from the server", flight.cookie.hex(), retryable=False))

    def lost(self, waiting: list[Outgoing]) -> None:
        """The connection is gone: what was sent is unknown; what waited certainly did not go."""
        for flight in list(self._flights.values()):
            self._end(flight, unknown("the connection was lost before an answer came", flight.cookie.hex()))
        self._deadlines.clear()
        for item in waiting:
            if item.on_lost is not None:
                item.on_lost()


def refused(error: SnacError, cookie: bytes | None = None) -> SendResult:
    """What xx/01 makes of a send."""
    try:
        subcode = error.subcode
    except OscarSyntaxError:
        subcode = None
    name = error_name(error.code)
    if subcode is not None:
        name = f"{name}: {_SUBCODES.get(subcode, f'subcode {subcode}')}"
    user_text = _USER_TEXTS.get(error.code, "The network refused the message.")
    retryable = error.code in RETRYABLE_ERRORS
    remote_id = None if cookie is None else cookie.hex()
    return failed(f"{error.code:#06x} {name}", retryable=retryable, user_text=user_text, remote_id=remote_id)
