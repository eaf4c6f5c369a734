"""MESSAGE to registered people (RFC 3428): to all their contacts at once, and once delivered is once delivered.

Call-ID, tag and branches are derived from the idempotency key, so a retry, even by the next process, is the same
request to whoever saw the first one: its transaction layer or its user agent tells it for a duplicate. The Call-ID is
the same for all contacts and fresh for each message: Linphone tells duplicates by it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from hashlib import blake2b

from attrs import evolve

from bridge.model.body import Failure as SendFailure
from bridge.model.body import Stage
from bridge.model.capabilities import RECIPIENT_OFFLINE, SendResult
from transports.sip.machine.clients import Failure, Outcome
from transports.sip.machine.config import EndpointConfig
from transports.sip.machine.flow import Flow, Target
from transports.sip.machine.layer import MAGIC, TransactionLayer
from transports.sip.machine.registrar import Binding, Registrar
from transports.sip.machine.routing import Router, target_of
from transports.sip.machine.timers import Timer, TimerQueue
from transports.sip.machine.upstream import TOO_LARGE, Result, Upstream
from transports.sip.wire.base import check_header
from transports.sip.wire.errors import SipBuildError, SipSyntaxError
from transports.sip.wire.headers import NameAddr, parse_content_type
from transports.sip.wire.memo import Memo
from transports.sip.wire.message import Response
from transports.sip.wire.native import SipMessage
from transports.sip.wire.uri import SipUri, parse_uri

Finished = Callable[[str, SendResult, float], None]

DELIVERED = SendResult(stage=Stage.DELIVERED)
RELAYED = SendResult(stage=Stage.RELAYED)
HEADROOM = 700
"""Bytes that the headers of a MESSAGE may take, for the limit that is told before it is built."""
MOST_FORKS = 2
"""How often over the contacts that a person may have, one message is sent: a client that registers anew all the time
makes no storm.
"""
PLAIN = "text/plain"
PLAIN_UTF8 = "text/plain; charset=utf-8"
"""RFC 3428 section 9 wants each device to take it; HTML, many do not."""


def _failed(reason: str, text: str, *, retryable: bool, certain: bool = True) -> SendResult:
    stage = Stage.FAILED if certain else Stage.UNKNOWN
    failure = SendFailure(reason=reason, retryable=retryable, certain=certain, user_text=text)
    return SendResult(stage=stage, failure=failure)


OFFLINE = _failed(RECIPIENT_OFFLINE, "The recipient is not signed on", retryable=True)
NO_ANSWER = _failed("timeout", "The recipient's device did not answer", retryable=True, certain=False)
LOST = _failed("connection-lost", "The connection to the recipient's device broke", retryable=True, certain=False)
UNREACHABLE = _failed("unreachable", "The recipient's device cannot be reached", retryable=True)
OVERLOAD = _failed("overload", "Too many messages are under way", retryable=True)
UNSUPPORTED = _failed("unsupported", "The recipient's device does not take this kind of content", retryable=False)

_BY_FAILURE = {
    Failure.TIMEOUT: NO_ANSWER,
    Failure.TRANSPORT: LOST,
    Failure.UNREACHABLE: UNREACHABLE,
    Failure.OVERLOAD: OVERLOAD,
}
_BY_STATUS: dict[int, tuple[str, bool, bool]] = {
    # status: reason, retryable, certain
    401: ("unauthorized", False, True),
    403: ("refused", False, True),
    404: ("gone", True, True),
    405: ("unsupported", False, True),
    406: ("unsupported", False, True),
    407: ("unauthorized", False, True),
    408: ("timeout", True, False),
    410: ("gone", True, True),
    413: ("too-large", False, True),
    415: ("unsupported", False, True),
    416: ("unsupported", False, True),
    420: ("unsupported", False, True),
    430: ("unreachable", True, True),
    480: ("unavailable", True, True),
    481: ("gone", True, True),
    482: ("duplicate", False, False),
    486: ("unavailable", True, True),
    488: ("unsupported", False, True),
    500: ("device-error", True, True),
    503: ("unavailable", True, True),
    504: ("timeout", True, False),
    513: ("too-large", False, True),
    600: ("unavailable", True, True),
    603: ("refused", False, True),
    604: ("gone", False, True),
    606: ("unsupported", False, True),
}


def result_of(response: Response) -> SendResult:
    """Returns what a final response means for the message. RFC 3428 section 7: 200 is delivery, 202 is not yet."""
    status = response.status
    if status < 300:
        return RELAYED if status == 202 else DELIVERED
    reason, retryable, certain = _BY_STATUS.get(status, ("device-error" if status >= 500 else "refused", False, True))
    return _failed(reason, f"The recipient's device answered {status}", retryable=retryable, certain=certain)


class Delivery:
    """One message on its way to the contacts of one person."""

    __slots__ = ("aor", "deadline", "done", "key", "media", "plain", "results", "sender", "tail", "tried", "waiting")

    def __init__(self, aor: str, key: str, media: str, tail: bytes, plain: bytes | None) -> None:
        self.aor = aor
        self.key = key
        self.media = media
        self.tail = tail
        """All but the top of a request, which is the same for every contact."""
        self.plain = plain
        """The same as plain text, for a contact that does not take ``media``."""
        self.sender = ""
        """Who has sent it, as a header value, where a server of others is told."""
        self.tried: set[str] = set()
        """The contacts that it was sent to."""
        self.waiting = 0
        self.done = False
        self.results: list[SendResult] = []
        self.deadline: Timer | None = None

    def worst(self) -> SendResult:
        """Returns what is to be said when no contact took it: what is not certain first, then what can be retried."""
        results = self.results
        for result in results:
            if result.failure is not None and not result.failure.certain:
                return result
        for result in results:
            if result.failure is not None and result.failure.retryable:
                return result
        return results[0] if results else OFFLINE


class Sender:
    """Sends messages to contacts and says once what became of each.

    Args:
        secret: names of requests are derived with it; the same for every process of this bridge.
        finished: told of each message's result, once per key.
        upstream: sends to those who are registered elsewhere; None: nobody is.
    """

    def __init__(
        self,
        config: EndpointConfig,
        layer: TransactionLayer,
        queue: TimerQueue,
        router: Router,
        registrar: Registrar,
        secret: bytes,
        finished: Finished,
        upstream: Upstream | None = None,
    ) -> None:
        self._config = config
        self._layer = layer
        self._queue = queue
        self._router = router
        self._registrar = registrar
        self._secret = secret[:64]
        self._finished = finished
        self._upstream = upstream
        self._deliveries: dict[str, Delivery] = {}
        self._by_aor: dict[str, list[Delivery]] = {}
        self._senders: Memo[str] = Memo()

    def __len__(self) -> int:
        return len(self._deliveries)

    def max_body(self, aor: str) -> int:
        """Returns the longest body that every contact of ``aor`` can be sent now (RFC 3428 section 8)."""
        limits = [
            self._config.limits.max_body
            for binding in self._registrar.contacts(aor)
            if self._is_stream(binding.ways(self._layer.is_open)) or self._stream_way(binding) is not None
        ]
        if limits and len(limits) == len(self._registrar.contacts(aor)):
            return min(limits)
        if self._upstream is not None and not self._registrar.contacts(aor) and self._upstream.by_connection(aor):
            return self._config.limits.max_body
        return self._config.max_udp_message - HEADROOM

    def send(self, message: SipMessage, key: str, now: float, deadline: float | None = None) -> None:
        """Sends a message. One whose key is under way already is the same message, and nothing happens."""
        if key in self._deliveries:
            return
        try:
            media = parse_content_type(message.content_type).media_type
            tail = self._tail(message, key)
            plain = None
            if message.plain is not None and media != PLAIN:
                plain = self._tail(
                    evolve(message, content_type=PLAIN_UTF8, body=message.plain, plain=None), f"{key}\n{PLAIN}"
                )
        except (SipBuildError, SipSyntaxError) as error:
            text = f"The message cannot be written in SIP: {error}"
            self._finished(key, _failed("malformed", text, retryable=False), now)
            return
        contacts = self._registrar.contacts(message.aor)
        upstream = None if contacts or self._upstream is None else self._upstream
        if not contacts and (upstream is None or not upstream.hops(message.aor)):
            self._finished(key, OFFLINE, now)
            return
        takers = [binding for binding in contacts if media not in binding.refused or plain is not None]
        if contacts and not takers:
            self._finished(key, UNSUPPORTED, now)
            return
        delivery = Delivery(message.aor, key, media, tail, plain)
        self._deliveries[key] = delivery
        self._by_aor.setdefault(message.aor, []).append(delivery)
        if upstream is None:
            self._fork(delivery, takers, now)
        else:
            delivery.waiting = 1
            delivery.sender = self._sender(message)
            self._ascend(delivery, upstream, media, tail, now)
        if deadline is not None and not delivery.done and deadline < now + self._config.timers.timeout:
            late = partial(self._late, delivery)
            delivery.deadline = self._queue.after(now, max(deadline - now, 0.0), late)

    def registered(self, aor: str, now: float) -> None:
        """Sends what is under way to contacts that are new: a device that came back elsewhere does not wait for the
        time-out of the contact that it has left.
        """
        for delivery in tuple(self._by_aor.get(aor, ())):
            room = MOST_FORKS * self._config.limits.contacts_per_aor - len(delivery.tried)
            fresh = [
                binding
                for binding in self._registrar.contacts(aor)
                if binding.contact not in delivery.tried
                and (delivery.media not in binding.refused or delivery.plain is not None)
            ]
            self._fork(delivery, fresh[: max(room, 0)], now)

    def _fork(self, delivery: Delivery, bindings: list[Binding], now: float) -> None:
        delivery.waiting += len(bindings)
        delivery.tried.update(binding.contact for binding in bindings)
        for binding in bindings:
            if delivery.plain is not None and delivery.media in binding.refused:
                self._to_contact(delivery, binding, delivery.plain, now, PLAIN)
            else:
                self._to_contact(delivery, binding, delivery.tail, now)

    # -- other servers ------------------------------------------------------------------------------------------------

    def _ascend(self, delivery: Delivery, upstream: Upstream, media: str, tail: bytes, now: float) -> None:
        """Sends to the server of the recipient's domain."""
        done = partial(self._ascended, delivery, upstream, media)
        upstream.send("MESSAGE", delivery.aor, f"{delivery.key}\n{media}", delivery.sender, tail, now, done)

    def _ascended(self, delivery: Delivery, upstream: Upstream, media: str, result: Result, now: float) -> None:
        outcome = result.outcome
        if isinstance(outcome, Response) and outcome.status == 415 and media != PLAIN and delivery.plain is not None:
            self._ascend(delivery, upstream, PLAIN, delivery.plain, now)
            return
        self._settle(delivery, ascended(result), now)

    def _tail(self, message: SipMessage, key: str) -> bytes:
        """All of the request that is the same for every contact: what comes after Via, and the body."""
        derived = blake2b(key.encode(), digest_size=20, key=self._secret).hexdigest()
        more = ""
        for name, value in message.headers:
            check_header(name, value)
            more += f"{name}: {value}\r\n"
        check_header("Content-Type", message.content_type)
        check_header("To", message.aor)
        head = (
            f"Max-Forwards: 70\r\nFrom: {self._sender(message)};tag={derived[:12]}\r\nTo: {self._to(message.aor)}\r\n"
            f"Call-ID: {derived[12:]}\r\nCSeq: 1 MESSAGE\r\n{more}Content-Type: {message.content_type}\r\n"
            f"Content-Length: {len(message.body)}\r\n\r\n"
        )
        return head.encode() + message.body

    def _sender(self, message: SipMessage) -> str:
        known = f"{message.display_name}\n{message.peer}"
        text = self._senders.table.get(known)
        if text is None:
            uri = parse_uri(message.peer)
            if not isinstance(uri, SipUri):
                raise SipBuildError("the sender is not a SIP URI")
            text = str(NameAddr(message.display_name, uri))
            self._senders.put(known, text)
        return text

    def _to(self, aor: str) -> str:
        text = self._senders.table.get(aor)
        if text is None:
            user, _, host = aor.rpartition("@")
            escaped = "".join(
                char if char.isascii() and (char.isalnum() or char in "-_.!~*'()&=+$,;?/") else _percent(char)
                for char in user
            )
            text = str(NameAddr("", parse_uri(f"sip:{escaped}@{host}")))
            self._senders.put(aor, text)
        return text

    # -- one contact --------------------------------------------------------------------------------------------------

    def _to_contact(self, delivery: Delivery, binding: Binding, tail: bytes, now: float, media: str = "") -> None:
        """Sends to one contact: the message, or (``media``) another form of it, which is a request of its own."""
        way = binding.ways(self._layer.is_open)
        name = f"{delivery.key}\n{binding.contact}{media and chr(10)}{media}"
        branch = MAGIC + blake2b(name.encode(), digest_size=16, key=self._secret).hexdigest()
        resolved = None if way is None else self._router.resolve(way)
        if resolved is None:
            self._settle(delivery, UNREACHABLE, now)
            return
        data = self._build(binding, resolved[1], resolved[2], branch, tail)
        way = resolved[0]
        if len(data) > self._config.max_udp_message and not self._is_stream(way):
            stream = self._stream_way(binding)
            resolved = None if stream is None else self._router.resolve(stream)
            if resolved is None:
                room = self._config.max_udp_message - (len(data) - _body_length(tail))
                text = f"The message is too long for the recipient's device, {max(room, 0)} bytes at most"
                self._settle(delivery, _failed("too-large", text, retryable=False), now)
                return
            way = resolved[0]
            data = self._build(binding, resolved[1], resolved[2], branch, tail)
        answered = partial(self._answered, delivery, binding, media or delivery.media)
        if self._layer.request("MESSAGE", branch, data, way, now, answered) is None:
            self._layer.adopt("MESSAGE", branch, answered)

    def _build(self, binding: Binding, transport: str, sent_by: str, branch: str, tail: bytes) -> bytes:
        routes = "".join(f"Route: {route}\r\n" for route in binding.path) if binding.path else ""
        via = f"SIP/2.0/{transport} {sent_by};rport;branch={branch}"
        head = f"MESSAGE {binding.request_uri} SIP/2.0\r\nVia: {via}\r\n{routes}"
        return head.encode() + tail

    @staticmethod
    def _is_stream(way: Flow | Target | None) -> bool:
        return way is not None and way.transport != "udp"

    @staticmethod
    def _stream_way(binding: Binding) -> Flow | Target | None:
        """Returns a connection to a contact that is reached over UDP, where its URI offers that."""
        target = target_of(binding.uri)
        return target if target is not None and target.transport != "udp" else None

    def _answered(self, delivery: Delivery, binding: Binding, media: str, outcome: Outcome, now: float) -> None:
        if isinstance(outcome, Response):
            if outcome.status == 415:
                binding.refused |= {media}
                if media != PLAIN and delivery.plain is not None:
                    self._to_contact(delivery, binding, delivery.plain, now, PLAIN)
                    return
            self._settle(delivery, result_of(outcome), now)
        elif outcome is Failure.TIMEOUT:
            self._settle(delivery, NO_ANSWER, now)
        elif outcome is Failure.TRANSPORT:
            self._settle(delivery, LOST, now)
        elif outcome is Failure.UNREACHABLE:
            self._settle(delivery, UNREACHABLE, now)
        else:
            self._settle(delivery, OVERLOAD, now)

    def _settle(self, delivery: Delivery, result: SendResult, now: float) -> None:
        delivery.waiting -= 1
        if delivery.done:
            return
        if result.failure is None:
            self._finish(delivery, result, now)
            return
        delivery.results.append(result)
        if delivery.waiting == 0:
            self._finish(delivery, delivery.worst(), now)

    def _finish(self, delivery: Delivery, result: SendResult, now: float) -> None:
        delivery.done = True
        del self._deliveries[delivery.key]
        others = self._by_aor[delivery.aor]
        others.remove(delivery)
        if not others:
            del self._by_aor[delivery.aor]
        if delivery.deadline is not None:
            self._queue.cancel(delivery.deadline)
        self._finished(delivery.key, result, now)

    def _late(self, delivery: Delivery, now: float) -> None:
        if not delivery.done:
            delivery.results.append(NO_ANSWER)
            self._finish(delivery, delivery.worst(), now)


def ascended(result: Result) -> SendResult:
    """Returns what it means for the message that a server of another domain, or none, has taken it."""
    outcome = result.outcome
    if isinstance(outcome, Response):
        found = result_of(outcome)
    elif outcome == TOO_LARGE:
        return _failed("too-large", "The message is too long for the way to the recipient", retryable=False)
    elif outcome is Failure.UNREACHABLE:
        found = _failed("unreachable", "The recipient's server cannot be reached", retryable=True)
    else:
        found = _BY_FAILURE.get(outcome, NO_ANSWER) if isinstance(outcome, Failure) else NO_ANSWER
    failure = found.failure
    if failure is not None and failure.certain and result.maybe:
        return SendResult(stage=Stage.UNKNOWN, failure=evolve(failure, certain=False))
    return found


def _percent(char: str) -> str:
    return "".join(f"%{byte:02X}" for byte in char.encode())


def _body_length(tail: bytes) -> int:
    return len(tail) - tail.index(b"\r\n\r\n") - 4
