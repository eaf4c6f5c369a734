"""MESSAGE to registered people (RFC 3428): to all their contacts at once, and once delivered is once delivered.

A message may have several forms, the best first. Each contact gets the first that it takes; one that answers 415 all
the same gets the next one, once, and is known for it from then on (see `abilities`).

Call-ID, tag and branches are derived from the idempotency key, so a retry, even by the next process, is the same
request to whoever saw the first one: its transaction layer or its user agent tells it for a duplicate. The Call-ID is
the same for all contacts and fresh for each message: Linphone tells duplicates by it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from hashlib import blake2b

from attrs import evolve

from bridge.model.capabilities import SendResult
from transports.sip.machine.abilities import Abilities
from transports.sip.machine.clients import Outcome
from transports.sip.machine.config import EndpointConfig
from transports.sip.machine.delivery import (
    BUSY,
    NO_ANSWER,
    NOT_TAKEN,
    OFFLINE,
    UNREACHABLE,
    UNSUPPORTED,
    Delivery,
    Form,
    ascended,
    failed,
    meaning_of,
)
from transports.sip.machine.flow import Flow, Target
from transports.sip.machine.gruu import same_instance
from transports.sip.machine.layer import MAGIC, TransactionLayer
from transports.sip.machine.lostflows import LostFlows
from transports.sip.machine.outbound import flow_has_failed, next_flow, one_flow_each
from transports.sip.machine.quirks import NONE
from transports.sip.machine.registrar import Binding, Registrar
from transports.sip.machine.routing import Router, target_of
from transports.sip.machine.timers import TimerQueue
from transports.sip.machine.turns import BY_CONNECTION, BY_DATAGRAM, Turns
from transports.sip.machine.upstream import Result, Upstream
from transports.sip.wire.base import check_header
from transports.sip.wire.cpim import CONTENT_TYPE as CPIM
from transports.sip.wire.errors import SipBuildError, SipSyntaxError
from transports.sip.wire.headers import NameAddr, parse_content_type
from transports.sip.wire.memo import Memo
from transports.sip.wire.message import Response
from transports.sip.wire.native import SipMessage
from transports.sip.wire.uri import SipUri, escape_user, parse_uri

Finished = Callable[[str, SendResult, float], None]

LEAST_BODY = 100
"""The least that is told: one who has a URI that leaves room for less cannot be written to over UDP."""
HEADROOM = 700
"""Bytes that the headers of a MESSAGE may take, for the limit that is told before it is built."""
MOST_FORKS = 2
"""How often over the contacts that a person may have, one message is sent: a client that registers anew all the time
makes no storm.
"""
USUAL_CONTACT = 100
"""Of them, the bytes that a contact's URI and its route take; what is more is told."""


class Sender:
    """Sends messages to contacts and says once what became of each.

    Args:
        lost: told of the answers of devices whose connection broke.
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
        lost: LostFlows,
        secret: bytes,
        finished: Finished,
        upstream: Upstream | None = None,
    ) -> None:
        self._config = config
        self._layer = layer
        self._queue = queue
        self._router = router
        self._registrar = registrar
        self._lost = lost
        self._secret = secret[:64]
        self._finished = finished
        self._upstream = upstream
        self._deliveries: dict[str, Delivery] = {}
        self._by_aor: dict[str, list[Delivery]] = {}
        self._senders: Memo[str] = Memo()
        self._turns = Turns()

    def __len__(self) -> int:
        return len(self._deliveries)

    def max_body(self, aor: str) -> int:
        """Returns the longest body that every contact of ``aor`` can be sent now (RFC 3428 section 8)."""
        contacts = self._registrar.contacts(aor)
        if not contacts and self._upstream is not None and self._upstream.by_connection(aor):
            return self._config.limits.max_body
        rooms = [room for binding in contacts if (room := self._room(binding)) is not None]
        return min(rooms, default=self._config.max_udp_message - HEADROOM)

    def _room(self, binding: Binding) -> int | None:
        """Returns the longest body for a contact; None for a dead flow: its device is reached by another, or not."""
        whole = self._config.max_udp_message
        way = binding.ways(self._layer.is_open)
        if self._is_stream(way) or self._stream_way(binding) is not None:
            if binding.abilities.max_message is None:
                return self._config.limits.max_body
            whole = binding.abilities.max_message
        elif way is None and binding.reg_id:
            return None
        names = len(binding.request_uri) + sum(len(route) + 9 for route in binding.path)
        return min(self._config.limits.max_body, max(whole - HEADROOM - max(0, names - USUAL_CONTACT), LEAST_BODY))

    def send(self, message: SipMessage, key: str, now: float, deadline: float | None = None) -> None:
        """Sends a message. One whose key is under way already is the same message, and nothing happens."""
        if key in self._deliveries:
            return
        try:
            forms, ids = self._forms(message, key)
        except (SipBuildError, SipSyntaxError) as error:
            text = f"The message cannot be written in SIP: {error}"
            self._finished(key, failed("malformed", text, retryable=False), now)
            return
        contacts = self._registrar.contacts(message.aor)
        device = message.device
        if device is not None:
            contacts = tuple([binding for binding in contacts if same_instance(binding.instance, device)])
        if not contacts:
            self._send_away(message, key, (forms, ids), now, deadline)
            return
        delivery = Delivery(message.aor, key, forms, ids, device)
        takers = [binding for binding in contacts if delivery.form_for(binding) >= 0]
        if not takers:
            delivery.untold = True
            takers = [binding for binding in contacts if delivery.form_for(binding) >= 0]
        if len(takers) > 1:
            takers = one_flow_each(takers)
        if not takers:
            self._finished(key, UNSUPPORTED, now)
            return
        self._deliveries[key] = delivery
        self._by_aor.setdefault(message.aor, []).append(delivery)
        self._fork(delivery, takers, now)
        self._until(delivery, now, deadline)

    def _until(self, delivery: Delivery, now: float, deadline: float | None) -> None:
        if deadline is None or delivery.done:
            return
        if deadline < now + self._config.timers.timeout or self._turns.waits:  # else each request ends before it
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
                if binding.flow_name not in delivery.tried
                and delivery.form_for(binding) >= 0
                and not (binding.reg_id and binding.instance in delivery.busy)
            ]
            self._fork(delivery, one_flow_each(fresh)[: max(room, 0)], now)

    def _fork(self, delivery: Delivery, bindings: list[Binding], now: float) -> None:
        delivery.waiting += len(bindings)
        for binding in bindings:
            delivery.tried.add(binding.flow_name)
            if binding.reg_id:
                delivery.busy.add(binding.instance)
        for binding in bindings:
            self._to_contact(delivery, binding, delivery.form_for(binding), now)

    def _forms(self, message: SipMessage, key: str) -> tuple[tuple[Form, ...], tuple[str, ...]]:
        """Returns the forms of a message, and the Call-IDs by which receipts that it asks for may name it."""
        media = parse_content_type(message.content_type).media_type
        first = Form(media, self._tail(message, key))
        if not message.others:
            return (first,), ()
        forms, ids = [first], [self._call_id(key)]
        for other in message.others:
            media = parse_content_type(other.content_type).media_type
            name = f"{key}\n{media}"
            same = evolve(message, content_type=other.content_type, body=other.body, others=())
            forms.append(Form(media, self._tail(same, name)))
            ids.append(self._call_id(name))
        return tuple(forms), tuple(ids) if first.media == CPIM else ()

    def _derived(self, key: str) -> str:
        return blake2b(key.encode(), digest_size=20, key=self._secret).hexdigest()

    def _call_id(self, key: str) -> str:
        return self._derived(key)[12:]

    # -- other servers ------------------------------------------------------------------------------------------------

    def _send_away(
        self,
        message: SipMessage,
        key: str,
        what: tuple[tuple[Form, ...], tuple[str, ...]],
        now: float,
        deadline: float | None,
    ) -> None:
        """Sends to the server of the recipient's domain, where there is one: nobody is registered here."""
        upstream = self._upstream
        if upstream is None or message.device is not None or not upstream.hops(message.aor):
            self._finished(key, OFFLINE, now)
            return
        delivery = Delivery(message.aor, key, *what)
        delivery.sender = self._sender(message)
        unknown = Abilities(NONE)
        number = delivery.form_taken(unknown)
        if number < 0:
            delivery.untold, number = True, 0
        self._deliveries[key] = delivery
        self._by_aor.setdefault(message.aor, []).append(delivery)
        delivery.waiting = 1
        self._ascend(delivery, upstream, unknown, number, now)
        self._until(delivery, now, deadline)

    def _ascend(self, delivery: Delivery, upstream: Upstream, abilities: Abilities, number: int, now: float) -> None:
        most = BY_CONNECTION if upstream.by_connection(delivery.aor) else BY_DATAGRAM
        name = f"{delivery.key}\n{number}"
        go = partial(self._ascend_now, delivery, upstream, abilities, number, name)
        if not self._turns.take(delivery.aor, name, most, go, now):
            self._settle(delivery, BUSY, now)

    def _ascend_now(
        self, delivery: Delivery, upstream: Upstream, abilities: Abilities, number: int, name: str, now: float
    ) -> None:
        if delivery.done and not delivery.begun:  # it waited for longer than it had time
            self._turns.done(delivery.aor, name, now)
            return
        delivery.begun = True
        media, tail = delivery.forms[number]
        done = partial(self._ascended, delivery, upstream, abilities, number, name)
        upstream.send("MESSAGE", delivery.aor, f"{delivery.key}\n{media}", delivery.sender, tail, now, done)

    def _ascended(
        self,
        delivery: Delivery,
        upstream: Upstream,
        abilities: Abilities,
        number: int,
        name: str,
        result: Result,
        now: float,
    ) -> None:
        self._turns.done(delivery.aor, name, now)
        outcome = result.outcome
        if isinstance(outcome, Response) and outcome.status in NOT_TAKEN:
            abilities.refused(delivery.forms[number].media, outcome)
            other = delivery.form_taken(abilities, number)
            if other >= 0:
                self._ascend(delivery, upstream, abilities, other, now)
                return
        self._settle(delivery, ascended(result), now)

    def _tail(self, message: SipMessage, key: str) -> bytes:
        """All of the request that is the same for every contact: what comes after Via, and the body."""
        derived = self._derived(key)
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
            text = str(NameAddr("", parse_uri(f"sip:{escape_user(user)}@{host}")))
            self._senders.put(aor, text)
        return text

    # -- one contact --------------------------------------------------------------------------------------------------

    def _to_contact(self, delivery: Delivery, binding: Binding, number: int, now: float) -> None:
        """Sends a form of the message to one contact, when it is its turn; each form is a request of its own."""
        uri, name = binding.request_uri, f"{delivery.key}\n{number}\n{binding.flow_name}"
        most = BY_CONNECTION if self._is_stream(binding.ways(self._layer.is_open)) else BY_DATAGRAM
        go = partial(self._to_contact_now, delivery, binding, number, (uri, name))
        if not self._turns.take(uri, name, most, go, now):
            self._settle(delivery, BUSY, now)

    def _to_contact_now(
        self, delivery: Delivery, binding: Binding, number: int, turn: tuple[str, str], now: float
    ) -> None:
        if delivery.done and not delivery.begun:  # it waited for longer than it had time
            self._turns.done(*turn, now)
            return
        delivery.begun = True
        if not self._request(delivery, binding, number, turn, now):
            self._turns.done(*turn, now)

    def _request(
        self, delivery: Delivery, binding: Binding, number: int, turn: tuple[str, str], now: float
    ) -> bool:  # fmt: skip
        """Sends a request. Returns False where there was none: that is settled then."""
        media, tail = delivery.forms[number]
        way = binding.ways(self._layer.is_open)
        name = f"{delivery.key}\n{binding.flow_name}{chr(10) + media if number else ''}"
        branch = MAGIC + blake2b(name.encode(), digest_size=16, key=self._secret).hexdigest()
        resolved = None if way is None else self._router.resolve(way)
        if resolved is None:
            if not self._by_another_flow(delivery, binding, now):
                self._settle(delivery, UNREACHABLE, now)
            return False
        data = self._build(binding, resolved[1], resolved[2], branch, tail)
        way = resolved[0]
        limit = self._limit(binding, way)
        if limit is not None and len(data) > limit and not self._is_stream(way):
            stream = self._stream_way(binding)
            resolved = None if stream is None else self._router.resolve(stream)
            if resolved is not None:
                way = resolved[0]
                data = self._build(binding, resolved[1], resolved[2], branch, tail)
                limit = self._limit(binding, way)
        if limit is not None and len(data) > limit:
            shorter = delivery.form_for(binding, number)
            if shorter >= 0:
                return self._request(delivery, binding, shorter, turn, now)
            room = limit - (len(data) - _body_length(tail))
            text = f"The message is too long for the recipient's device, {max(room, 0)} bytes at most"
            self._settle(delivery, failed("too-large", text, retryable=False), now)
            return False
        answered = partial(self._answered, delivery, binding, number, turn)
        if self._layer.request("MESSAGE", branch, data, way, now, answered) is None:
            self._layer.adopt("MESSAGE", branch, answered)
        return True

    def _limit(self, binding: Binding, way: Flow | Target) -> int | None:
        """Returns how many bytes a request may have that goes this way to a contact; None: as many as it likes."""
        return binding.abilities.max_message if self._is_stream(way) else self._config.max_udp_message

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
        target = None if binding.reg_id else target_of(binding.uri)
        return target if target is not None and target.transport != "udp" else None

    def _by_another_flow(self, delivery: Delivery, failed: Binding, now: float) -> bool:
        """RFC 5626 section 7: what a dead flow could not carry goes to the same device by another one."""
        if not failed.reg_id or delivery.done:
            return False
        delivery.busy.discard(failed.instance)
        contacts = self._registrar.contacts(delivery.aor)
        other = next_flow(contacts, failed, delivery.tried)
        if other is None or len(delivery.tried) >= MOST_FORKS * self._config.limits.contacts_per_aor:
            return False
        number = delivery.form_for(other)
        if number < 0:
            return False
        delivery.tried.add(other.flow_name)
        delivery.busy.add(other.instance)
        self._to_contact(delivery, other, number, now)
        return True

    def _answered(
        self, delivery: Delivery, binding: Binding, number: int, turn: tuple[str, str], outcome: Outcome, now: float
    ) -> None:
        self._turns.done(*turn, now)
        if self._lost.doubted:
            self._lost.heard(binding, outcome)
        if binding.reg_id and flow_has_failed(outcome) and self._by_another_flow(delivery, binding, now):
            return
        if isinstance(outcome, Response) and outcome.status in NOT_TAKEN:
            binding.abilities.refused(delivery.forms[number].media, outcome)
            other = delivery.form_for(binding, number)
            if other >= 0:
                self._to_contact(delivery, binding, other, now)
                return
        self._settle(delivery, meaning_of(outcome), now)

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
        self._finished(delivery.key, evolve(result, aliases=delivery.ids) if delivery.ids else result, now)

    def _late(self, delivery: Delivery, now: float) -> None:
        if not delivery.done:
            delivery.results.append(NO_ANSWER if delivery.begun else BUSY)
            self._finish(delivery, delivery.worst(), now)


def _body_length(tail: bytes) -> int:
    return len(tail) - tail.index(b"\r\n\r\n") - 4
