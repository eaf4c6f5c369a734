"""One stream: an account's own, or a component's with all of its accounts. Stanzas and the time go in and out.

The owner has the sockets, TLS, SASL, the handshake and XEP-0198 behind it, says `up`, `interrupted` or `down`, hands in
stanzas, writes what `to_send` gives, reads `next_event`, and calls `handle_timer` at `next_deadline`.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from itertools import count
from xml.etree.ElementTree import Element

from attrs import define, field

from bridge.model.body import Stage
from bridge.model.capabilities import SendResult
from transports.common.machine.actions import SendDone
from transports.common.machine.results import failed, link_down, unknown
from transports.xmpp.machine.barrier import Barrier
from transports.xmpp.machine.config import StreamConfig
from transports.xmpp.machine.people import Person
from transports.xmpp.machine.queries import answer_query, roster_of
from transports.xmpp.wire import decode, encode, names
from transports.xmpp.wire.jid import bare
from transports.xmpp.wire.native import (
    ConsentSend,
    ContactAdd,
    ContactRemove,
    FailureSend,
    Inbound,
    MarkSend,
    MessageFailed,
    MessageSend,
    Outbound,
    OwnPresence,
    Place,
    RoomInvitation,
    StateSend,
)
from transports.xmpp.wire.xml import make, split

Event = Inbound | SendDone


@define(eq=False)
class StreamMachine:
    """What a stream means.

    Args:
        config: its parameters.
        new_id: makes ids of our own stanzas, which nobody else can guess.

    Attributes:
        ready: stanzas may be sent: the stream stands and, of an account, its list of contacts is known.
        broken: why the owner is to give the stream up; empty while all is well.
        refused: stanzas that were answered with an error or skipped, for the metrics.
    """

    config: StreamConfig
    new_id: Callable[[], str]
    people: dict[str, Person] = field(init=False, factory=dict)
    ready: bool = field(init=False, default=False)
    broken: str = field(init=False, default="")
    refused: int = field(init=False, default=0)
    _out: list[Element] = field(init=False, factory=list)
    _events: list[Event] = field(init=False, factory=list)
    _serial: count[int] = field(init=False, factory=count)
    _barrier: Barrier = field(init=False)
    _roster: str = field(init=False, default="")
    _heard: float = field(init=False, default=0.0)
    _roster_until: float | None = field(init=False, default=None)

    def __attrs_post_init__(self) -> None:
        self._barrier = Barrier(self._ping, self.config.ping_timeout)

    # -- accounts

    def add(self, account: str, shown: Place | None) -> None:
        """An account is on this stream, and shows itself so."""
        person = self.people.get(account)
        if person is None:
            person = self.people[account] = Person(account, self.config, self._out, self._events)  # type: ignore[arg-type]
        person.shown = shown

    def remove(self, account: str) -> None:
        """An account leaves the stream. What it sent and nobody has confirmed is unknown."""
        person = self.people.pop(account, None)
        if person is not None and self.ready:
            person.gone()
        for key, _, ref in self._barrier.of(account):
            self._events.append(SendDone(key=key, result=unknown("the account was signed off", ref or None)))

    # -- the stream's life

    def up(self, now: float) -> None:
        """The stream stands, for the first time or anew: nothing of an earlier one holds any more."""
        self.down()
        self._heard = now
        self.broken = ""
        if self.config.component:
            self.ready = True
            for person in self.people.values():
                person.show(person.shown)
            return
        self._roster_until = now + self.config.ping_timeout
        self._roster = self._ask("", make(names.ROSTER, "query"))

    def resumed(self, now: float) -> None:
        """The stream goes on where it was interrupted (XEP-0198 section 5)."""
        self._heard = now
        self.broken = ""
        self.ready = not self._roster
        if self._barrier.deadline is not None:
            self._barrier.deadline = now + self.config.ping_timeout

    def interrupted(self) -> None:
        """The connection is gone, and the stream may be resumed: what is not confirmed may be yet."""
        self.ready = False

    def down(self) -> None:
        """The stream is gone for good."""
        self.ready = False
        self._roster, self._roster_until = "", None
        self._out.clear()
        for person in self.people.values():
            person.forget()
        for key, _, ref in self._barrier.lost():
            self._events.append(
                SendDone(key=key, result=unknown("the stream ended before it was confirmed", ref or None))
            )

    # -- in and out

    def to_send(self) -> list[Element]:
        """Takes the stanzas that are to be written."""
        taken = self._out[:]
        self._out.clear()
        return taken

    def next_event(self) -> Event | None:
        """Takes the oldest event."""
        return self._events.pop(0) if self._events else None

    def waiting(self) -> int:
        """How many sends are not confirmed."""
        return len(self._barrier)

    def receive(self, element: Element, now: float) -> bool:
        """Takes a stanza. Returns whether it was one for us: other elements are the owner's."""
        self._heard = now
        space, name = split(element.tag)
        if space != "jabber:client":
            return False
        account = bare(element.get("to", "")) if self.config.component else next(iter(self.people), "")
        if name == "message":
            self._message(element, account)
        elif name == "presence":
            self._presence(element, account)
        elif name == "iq":
            return self._query(element, account, now)
        else:
            return False
        return True

    def send(self, value: Outbound, key: Hashable, now: float) -> None:
        """Sends a native value. Its end comes once, as `SendDone` of `key`."""
        person = self.people.get(value.account)
        if isinstance(value, OwnPresence) and person is not None:
            person.shown = value.place
        if not self.ready or (person is None and not isinstance(value, FailureSend)):
            self._done(key, link_down("There is no connection to the network at the moment."))
            return
        if len(self._barrier) >= self.config.max_unconfirmed:
            text = "The network is slow to take messages. It is tried again."
            self._done(key, failed("too many messages are not confirmed", retryable=True, user_text=text))
            return
        ref = self._write(value, person)
        if isinstance(value, StateSend | OwnPresence):
            self._done(key, SendResult(stage=Stage.RELAYED))
        else:
            self._barrier.sent(key, value.account, ref, now)

    def _write(self, value: Outbound, person: Person | None) -> str:
        """Writes a value's stanzas. Returns the id by which an error speaks of it; empty where it has none."""
        if isinstance(value, FailureSend):
            self._stanza(encode.failure(value))
        elif person is None:
            raise TypeError(f"a {type(value).__name__} of an account that is not on the stream")
        elif isinstance(value, MessageSend):
            self._stanza(encode.message(value), person)
            return value.id
        elif isinstance(value, StateSend):
            self._stanza(encode.state(value), person)
        elif isinstance(value, MarkSend):
            self._stanza(encode.mark(value, self._id()), person)
        elif isinstance(value, OwnPresence):
            person.show(value.place)
        elif isinstance(value, ContactAdd):
            person.want(value.contact)
        elif isinstance(value, ContactRemove):
            person.unwant(value.contact)
        elif isinstance(value, ConsentSend):
            person.consent(value.to, granted=value.granted)
        return ""

    def _stanza(self, element: Element, person: Person | None = None) -> None:
        if person is not None:
            element.set("from", person.full)
        self._out.append(element)

    def _done(self, key: Hashable, result: SendResult) -> None:
        self._events.append(SendDone(key=key, result=result))

    # -- stanzas

    def _message(self, element: Element, account: str) -> None:
        for event in decode.message(element, account):
            if isinstance(event, MessageFailed):
                if self._gone_wrong(event):
                    continue
            elif isinstance(event, RoomInvitation) and not event.direct:
                self._stanza(encode.decline(account, event.room, event.sender), self.people.get(account))
            elif element.get("type") == "groupchat":
                self.refused += 1
                self._stanza(encode.refusal(element))
            self._events.append(event)

    def _gone_wrong(self, event: MessageFailed) -> bool:
        """Whether an error is the end of a send that somebody waits for; a later one is told as an event."""
        key = self._barrier.failed(event.account, event.id)
        if key is None:
            return False
        retryable = event.type == "wait"
        text = "The network did not deliver the message."
        reason = f"{event.condition}: {event.text}" if event.text else event.condition
        self._done(key, failed(reason, retryable=retryable, user_text=text, remote_id=event.id))
        return True

    def _presence(self, element: Element, account: str) -> None:
        person = self.people.get(account)
        if person is not None:
            person.presence(element)
        elif element.get("type") in {"subscribe", "probe"}:
            self.refused += 1
            self._stanza(encode.plain_presence(account, bare(element.get("from", "")), "unsubscribed"))

    def _query(self, element: Element, account: str, now: float) -> bool:
        kind, ref = element.get("type", ""), element.get("id", "")
        own_ping = kind == "get" and self.config.component and bare(element.get("from", "")) == self.config.domain
        if kind in {"result", "error"} or (own_ping and self._barrier.deadline is not None):
            taken = self._barrier.answered(ref, now)
            if taken is not None:
                for key, _, sent in taken:
                    self._done(key, SendResult(stage=Stage.RELAYED, remote_id=sent or None))
                return True
            if kind != "get":
                return self._our_answer(element, ref)
        return self._asked(element, account)

    def _our_answer(self, element: Element, ref: str) -> bool:
        if not self._roster or ref != self._roster:
            return ref.startswith("sb-")
        self._roster, self._roster_until = "", None
        person = next(iter(self.people.values()), None)
        if person is None:
            return True
        for contact, subscription, ask in roster_of(element, self.config.max_contacts):
            person.roster(contact, subscription, ask=ask)
        if self.config.carbons:
            self._ask("", make(names.CARBONS, "enable"), "set")
        self.ready = True
        person.show(person.shown)
        return True

    def _asked(self, element: Element, account: str) -> bool:
        person = self.people.get(account)
        if element.get("type") == "set" and element.find(f"{{{names.ROSTER}}}query") is not None:
            by = bare(element.get("from", ""))
            if not self.config.component and person is not None and by in {"", account}:  # RFC 6121 section 2.1.6
                for contact, subscription, ask in roster_of(element, self.config.max_contacts):
                    person.roster(contact, subscription, ask=ask)
                self._stanza(encode.answer(element))
                return True
        reply = answer_query(element, known=person is not None or account == self.config.domain)
        self.refused += reply.get("type") == "error"
        self._stanza(reply)
        return True

    # -- questions of ours

    def _id(self) -> str:
        return f"sb-{self.new_id()}-{next(self._serial)}"

    def _ask(self, to: str, payload: Element, kind: str = "get") -> str:
        ref = self._id()
        sender = self.config.domain if self.config.component else ""
        self._out.append(encode.query(sender, to, ref, kind, payload))
        return ref

    def _ping(self) -> str:
        """To our server. A component asks itself, by way of its server: no other address of it is known for sure."""
        return self._ask(self.config.domain, make(names.PING, "ping"))

    # -- time

    def next_deadline(self) -> float | None:
        """When `handle_timer` has something to do; None when never."""
        if self._roster_until is not None:
            return self._roster_until
        if not self.ready:
            return None
        return self._barrier.deadline if self._barrier.deadline is not None else self._heard + self.config.ping_after

    def handle_timer(self, now: float) -> None:
        """Does what is due."""
        if self._roster_until is not None and self._roster_until <= now:
            self.broken = "the server did not give the list of contacts"
        elif not self.ready:
            return
        elif self._barrier.deadline is not None and self._barrier.deadline <= now:
            self.broken = "the server has fallen silent"
        elif self._barrier.deadline is None and self._heard + self.config.ping_after <= now:
            self._barrier.ask(now)
