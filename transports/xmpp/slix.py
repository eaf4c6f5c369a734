"""slixmpp's streams, as the connector wants them: no roster of their own, no reconnecting of their own, all bounded.

slixmpp does TLS, SASL, the component handshake and XEP-0198. Every message, presence and query goes to the connector.

What slixmpp's XEP-0198 does of itself and what is changed here: it counts a stanza as handled when it is read. Here it
counts once everything that was in it is on record (`Ticket`), in order: what a broken stream had handed over, and what
nobody had recorded yet, comes again.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections import deque
from typing import Any, Protocol
from xml.etree.ElementTree import Element

from attrs import define, field
from slixmpp import ClientXMPP, ComponentXMPP, Iq, Message, Presence
from slixmpp.xmlstream import StanzaBase

from transports.xmpp import scram
from transports.xmpp.machine.config import StreamConfig
from transports.xmpp.wire.errors import XmppSyntaxError
from transports.xmpp.wire.xml import checked, split, write

MAX_COUNT = 2**32
_FORBIDDEN = (b"<!DOCTYPE", b"<!ENTITY")
_TAIL = 16
_QUIET = ("slixmpp", "slixmpp.xmlstream.xmlstream")
scram.install()


@define(eq=False)
class Ticket:
    """What has to be on record before a stanza counts as handled."""

    _left: int = field(init=False, default=1)

    @property
    def done(self) -> bool:
        """Whether all of it is."""
        return self._left <= 0

    def hold(self) -> None:
        """Something more has to be."""
        self._left += 1

    def release(self) -> None:
        """Something is."""
        self._left -= 1


class Owner(Protocol):
    """What a stream tells."""

    def stream_up(self, stream: Any) -> None:
        """It stands anew."""

    def stream_resumed(self, stream: Any) -> None:
        """It goes on."""

    def stream_lost(self, stream: Any, reason: str) -> None:
        """It could not be had, or its connection is gone."""

    def stream_refused(self, stream: Any, condition: str) -> None:
        """The server does not let us in."""

    def stream_error(self, stream: Any, condition: str, text: str) -> None:
        """The server ends the stream, and says why."""

    def stanza(self, stream: Any, element: Element, ticket: Ticket) -> bool:
        """A stanza has come. Returns whether it is dealt with."""


class _Bounded:
    """Refuses what RFC 6120 section 11.1 forbids, and stanzas without end, before the parser keeps them."""

    max_stanza: int
    owner: Owner | None
    parser: Any
    xml_depth: int
    _unfinished: int = 0
    _last: bytes = b""

    def data_received(self, data: bytes) -> None:
        """Octets have come."""
        seen = self._last + data
        self._last = seen[-_TAIL:]
        if any(word in seen for word in _FORBIDDEN):
            self._give_up("the server sent a DTD or an entity")
            return
        self._unfinished += len(data)
        if self._unfinished > self.max_stanza and self.xml_depth > 1:
            self._give_up(f"a stanza is larger than {self.max_stanza} octets")
            return
        super().data_received(data)  # type: ignore[misc]
        if self.xml_depth <= 1:
            self._unfinished = 0

    def _give_up(self, reason: str) -> None:
        owner = self.owner
        self.abort()
        if owner is not None:
            owner.stream_lost(self, reason)

    def abort(self) -> None:
        """Closes the connection at once."""
        super().abort()  # type: ignore[misc]


class _Stream(_Bounded):
    """What both kinds of streams share; mixed into slixmpp's."""

    tickets: deque[Ticket]

    def set_up(self, owner: Owner, max_stanza: int) -> None:
        """Binds the stream to who owns it."""
        for name in _QUIET:
            logging.getLogger(name).setLevel(logging.CRITICAL)  # it logs what people write
        self.owner, self.max_stanza, self.tickets = owner, max_stanza, deque()
        this: Any = self
        this.whitespace_keepalive = False  # the machine pings
        this.add_filter("in", self._incoming)
        this.add_event_handler("connection_failed", self._connection_failed)
        this.add_event_handler("disconnected", self._disconnected)
        this.add_event_handler("stream_error", self._stream_error)

    def _handle_stream_error(self, error: Any) -> None:
        """Slixmpp would connect to whatever host a server names."""
        self._stream_error(error)

    def _stream_error(self, error: Any) -> None:
        if self.owner is not None and not isinstance(error, str):
            self.owner.stream_error(self, str(error["condition"]), str(error["text"]))

    def _connection_failed(self, reason: object) -> None:
        this: Any = self
        this.cancel_connection_attempt()
        if self.owner is not None:
            self.owner.stream_lost(self, f"cannot connect: {reason}")

    def _disconnected(self, reason: object) -> None:
        if self.owner is not None:
            self.owner.stream_lost(self, str(reason) if reason else "connection lost")

    def _incoming(self, stanza: StanzaBase) -> StanzaBase | None:
        if self.owner is None or not isinstance(stanza, Message | Presence | Iq):
            return stanza
        ticket = Ticket()
        self._counted(ticket)
        try:
            taken = self.owner.stanza(self, checked(stanza.xml), ticket)
        except XmppSyntaxError as error:
            ticket.release()
            self._give_up(str(error))
            return None
        ticket.release()
        self._count()
        return None if taken else stanza

    def _counted(self, ticket: Ticket) -> None:
        """Notes a stanza that counts for XEP-0198."""

    def _count(self) -> bool:
        """Counts what is on record by now. Returns whether that is more than before."""
        return False

    def settle(self) -> None:
        """Something is on record that was not when its stanza had been read."""
        self._count()

    def part(self) -> None:
        """Ends the stream: nothing more is told of it, and nothing of it goes on."""
        this: Any = self
        self.owner = None
        this.cancel_connection_attempt()
        if this.transport is not None:
            while not this.waiting_queue.empty():  # what was said last, such as that we leave
                this.send_raw(str(this.waiting_queue.get_nowait()[0]))
            this.send_raw(this.stream_footer)
            this.transport.close()
        writer = this._run_out_filters  # noqa: SLF001 - slixmpp has no way of its own to end the task that writes
        if writer is not None:
            writer.cancel()


class ComponentStream(_Stream, ComponentXMPP):  # type: ignore[misc]  # the hooks of the mixin come first on purpose
    """A component's stream (XEP-0114)."""

    resumable = False

    def __init__(self, config: StreamConfig, secret: str, owner: Owner, max_stanza: int) -> None:
        super().__init__(config.domain, secret)  # type: ignore[no-untyped-call]  # slixmpp leaves it untyped
        self.set_up(owner, max_stanza)
        self.add_event_handler("session_start", self._started)

    def _started(self, _: object) -> None:
        if self.owner is not None:
            self.owner.stream_up(self)

    def write_stanza(self, element: Element) -> None:
        """Sends a stanza."""
        self.send(write(element))


class ClientStream(_Stream, ClientXMPP):  # type: ignore[misc]  # the hooks of the mixin come first on purpose
    """An account's own stream."""

    def __init__(
        self, account: str, password: str, config: StreamConfig, owner: Owner, max_stanza: int, context: Any, tls: str
    ) -> None:
        plain = {"unencrypted_scram": True, "unencrypted_plain": True} if tls == "none" else {}
        super().__init__(
            f"{account}/{config.resource}",
            password,
            plugin_config={"feature_mechanisms": plain},
            ssl_context=context or ssl.create_default_context(),
        )
        self.set_up(owner, max_stanza)
        self._tls = tls
        self.enable_direct_tls = tls == "direct"
        self.enable_starttls = tls == "starttls"
        self.enable_plaintext = tls == "none"
        self.register_plugin("xep_0198")
        self._management: Any = self.plugin["xep_0198"]
        self.del_filter("in", self._management._handle_incoming)  # noqa: SLF001 - see the module's text
        self.add_event_handler("stream_negotiated", self._negotiated)
        self.add_event_handler("session_resumed", self._resumed)
        self.add_event_handler("sm_enabled", self._forget_tickets)
        self.add_event_handler("connected", self._forget_tickets)
        self.add_event_handler("failed_all_auth", self._refused)
        self.add_event_handler("failed_auth", self._failed)
        self.add_event_handler("ssl_invalid_chain", self._bad_certificate)
        self._why = ""

    @property
    def resumable(self) -> bool:
        """Whether a new connection may go on where this one ends."""
        return bool(self._management.sm_id)

    async def _handle_stream_features(self, features: Any) -> bool | None:
        safe = "starttls" in self.features or isinstance(self.socket, ssl.SSLObject | ssl.SSLSocket)
        if self._tls == "starttls" and not safe and "starttls" not in features["features"]:
            self._give_up("the server offers no TLS")
            return True
        done: bool | None = await super()._handle_stream_features(features)
        return done

    def _negotiated(self, _: object) -> None:
        if self.owner is not None and self.bound:
            self.owner.stream_up(self)

    def _resumed(self, _: object) -> None:
        if self.owner is not None:
            self.owner.stream_resumed(self)

    def _failed(self, stanza: Any) -> None:
        self._why = str(stanza["condition"])

    def _refused(self, _: object) -> None:
        if self.owner is not None:
            self.owner.stream_refused(self, self._why or "no way of signing on that the server and we know")

    def _bad_certificate(self, error: object) -> None:
        self._give_up(f"the server's certificate: {error}")

    def _forget_tickets(self, _: object) -> None:
        self.tickets.clear()

    def _counted(self, ticket: Ticket) -> None:
        if self._management.enabled_in:
            self.tickets.append(ticket)

    def _count(self) -> bool:
        """Counts what is on record by now. Returns whether that is more than before."""
        before = len(self.tickets)
        while self.tickets and self.tickets[0].done:
            self.tickets.popleft()
            self._management.handled = (self._management.handled + 1) % MAX_COUNT
        return len(self.tickets) < before

    def settle(self) -> None:
        """Something is on record now: the server is told, for it may have asked before it was (XEP-0198 section 4)."""
        if self._count():
            self._management.send_ack()

    def write_stanza(self, element: Element) -> None:
        """Sends a stanza, as one that XEP-0198 counts."""
        kind = {"message": Message, "presence": Presence}.get(split(element.tag)[1], Iq)
        self.send(kind(stream=self, xml=element))  # its own `send` would wait for the answer to a query too


def loop_of(reactor: Any) -> asyncio.AbstractEventLoop:
    """Returns the loop that a reactor runs on.

    Raises:
        TypeError: it runs on none.
    """
    loop = getattr(reactor, "_asyncioEventloop", None)
    if not isinstance(loop, asyncio.AbstractEventLoop):
        raise TypeError(f"a {type(reactor).__name__} has no asyncio loop (docs/adr/0004-reactor.md)")
    return loop
