"""One stream of a network: its machine, slixmpp's part of it while there is one, and when it comes back."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import Element

from attrs import define, field

from transports.common.machine.actions import SendDone
from transports.common.machine.comeback import Comeback
from transports.common.wire.native import Link
from transports.xmpp.machine.config import StreamConfig
from transports.xmpp.machine.stream import StreamMachine
from transports.xmpp.slix import ClientStream, ComponentStream, Ticket
from transports.xmpp.wire.jid import domain
from transports.xmpp.wire.native import OwnPresence

if TYPE_CHECKING:
    from transports.xmpp.connector import OnRecorded, XmppTransport

_REFUSED_WAIT = 60.0
"""Seconds at least until a component whose secret is refused tries again: only people can put that right."""


@define(eq=False)
class Held:
    """One stream, of an account or of a component's whole domain."""

    transport: XmppTransport
    name: str
    machine: StreamMachine = field(init=False)
    credential: str = field(init=False, default="")
    stream: Any = field(init=False, default=None)
    comeback: Comeback = field(init=False)
    _up: bool = field(init=False, default=False)
    _beginning: bool = field(init=False, default=False)
    _signon_until: float | None = field(init=False, default=None)
    _resume_until: float | None = field(init=False, default=None)
    _conflict: bool = field(init=False, default=False)
    _said: str = field(init=False, default="")
    _error: str = field(init=False, default="")
    """What the server said when it ended the stream."""
    _pumping: bool = field(init=False, default=False)
    _timer: Any = field(init=False, default=None)
    _timer_at: float = field(init=False, default=0.0)

    def __attrs_post_init__(self) -> None:
        config = self.transport.config
        self.machine = StreamMachine(
            StreamConfig(
                component=config.component is not None,
                domain=domain(self.name),
                resource=config.resource,
                ping_after=config.ping_after,
                ping_timeout=config.ping_timeout,
                carbons=config.carbons,
            ),
            lambda: secrets.token_hex(8),
        )
        self.comeback = Comeback(config.comeback, self.transport.rng)

    # -- accounts

    def sign_on(self, account: str, credential: str, presence: OwnPresence) -> None:
        """An account is to be on this stream."""
        known = account in self.machine.people
        self.machine.add(account, presence.place)
        changed = bool(credential) and credential != self.credential
        self.credential = credential
        if self._up:
            if not known and self.machine.config.component:
                self.machine.people[account].show(presence.place)
                self.transport.tell(account, Link.UP, "the component is connected")
            self.pump()
            return
        if self.comeback.attempt_at is not None and not changed and not self._conflict:
            self.transport.tell(account, Link.TRANSIENT, self._said, self.comeback.attempt_at - self.transport.now())
            return
        if self.stream is None or self.comeback.attempt_at is not None:
            self.comeback.reset()
            self.comeback.begun()
            self.transport.wants_turn(self)
        else:
            self.transport.tell(account, Link.CONNECTING, "signing on")

    def sign_off(self, account: str) -> bool:
        """An account leaves a component's stream. Returns whether it is the last, with which the stream is to end."""
        if list(self.machine.people) == [account]:
            return True
        if account in self.machine.people:
            self.machine.remove(account)
            self.pump()
            self.transport.tell(account, Link.LOGGED_OUT, "signed off")
        return False

    def end(self, reason: str) -> None:
        """Signs everybody on it off, without return."""
        accounts = list(self.machine.people)
        for account in accounts:
            self.machine.remove(account)
        self.pump()
        self._drop(forget=True)
        self.comeback.ended(self.transport.now())
        for account in accounts:
            self.transport.tell(account, Link.LOGGED_OUT, reason)
        if self._timer is not None and self._timer.active():
            self._timer.cancel()

    # -- life of the stream

    def begin(self) -> None:
        """It is its turn to sign on."""
        config = self.transport.config
        if self._up or not self.machine.people:
            return
        self.comeback.begun()
        self._conflict, self._error = False, ""
        self._tell_all(Link.CONNECTING, "signing on")
        if config.component is None and not self.credential:
            self._tell_all(Link.AUTH_FAILED, "there is no password")
            return
        self._signon_until = self.transport.now() + config.signon_timeout
        self.transport.signing(self, on=True)
        if self.stream is None:
            self.stream = self.transport.make(self)
        self.stream.connect(config.host, config.port)
        self._arm()

    def _drop(self, *, forget: bool) -> None:
        """Lets go of slixmpp's part; unless all is to be forgotten, one that can be resumed is kept."""
        self._up = False
        self._signed()
        if self.stream is not None and (forget or not self.stream.resumable):
            stream, self.stream = self.stream, None
            stream.part()
        if self.stream is None:
            self._resume_until = None
            self.machine.down()
        else:
            if self._resume_until is None:
                self._resume_until = self.transport.now() + self.transport.config.resume_within
            self.machine.interrupted()

    def _signed(self) -> None:
        """Signing on is over, one way or the other."""
        self._signon_until = None
        self.transport.signing(self, on=False)

    def _tell_all(self, state: Link, reason: str, retry_in: float | None = None) -> None:
        self._said = reason
        for account in list(self.machine.people):
            self.transport.tell(account, state, reason, retry_in)

    def stream_up(self, stream: Any) -> None:
        """slixmpp: it stands anew."""
        if stream is self.stream:
            self._resume_until = None
            self._signed()
            self.machine.up(self.transport.now())
            self.pump()

    def stream_resumed(self, stream: Any) -> None:
        """slixmpp: it goes on where it was."""
        if stream is self.stream:
            self._resume_until = None
            self._signed()
            self.machine.resumed(self.transport.now())
            self.pump()

    def stream_error(self, stream: Any, condition: str, text: str) -> None:
        """slixmpp: the server ends the stream. What follows is that it is lost."""
        if stream is self.stream:
            self._conflict = condition == "conflict"
            self._error = f"{condition}: {text}" if text else condition
            if condition == "not-authorized" and self.machine.config.component:
                self._lost("the server refuses the component's secret", _REFUSED_WAIT, forget=True)
            elif self._conflict:
                self._elsewhere()

    def stream_refused(self, stream: Any, condition: str) -> None:
        """slixmpp: the server does not let the account in."""
        if stream is self.stream:
            self._drop(forget=True)
            self.comeback.ended(self.transport.now())
            if condition == "temporary-auth-failure":
                self._lost(condition, _REFUSED_WAIT, forget=True)
            else:
                self._tell_all(Link.AUTH_FAILED, f"the server refused the password: {condition}")
            self.pump()

    def stream_lost(self, stream: Any, reason: str) -> None:
        """slixmpp: there is no connection any more."""
        if stream is self.stream:
            self._lost(self._error or reason)

    def _elsewhere(self) -> None:
        self._drop(forget=True)
        pause = self.comeback.elsewhere(self.transport.now())
        self._tell_all(Link.SIGNED_ON_ELSEWHERE, "another client has signed on with our resource", pause)
        self.pump()

    def _lost(self, reason: str, at_least: float = 0.0, *, forget: bool = False) -> None:
        self._drop(forget=forget)
        if not self.machine.people:
            return
        wait = self.comeback.lost(self.transport.now(), at_least)
        self._tell_all(Link.TRANSIENT, reason, wait)
        self.pump()

    # -- stanzas

    def stanza(self, stream: Any, element: Element, ticket: Ticket) -> bool:
        """slixmpp: a stanza has come."""
        if stream is not self.stream:
            return True
        taken = self.machine.receive(element, self.transport.now())
        self.pump(ticket)
        return taken

    def pump(self, ticket: Ticket | None = None) -> None:
        """Writes what is to be written, tells what is to be told, and is woken when there is more to do.

        Args:
            ticket: of the stanza that events come from: it counts as handled once they are on record.
        """
        self._write()
        while (event := self.machine.next_event()) is not None:
            if isinstance(event, SendDone):
                self.transport.done(event)
            else:
                self.transport.hand(event, self._recorded(ticket))
            self._write()
        if self.machine.ready and not self._up and self.stream is not None:
            self._up = True
            self.comeback.up(self.transport.now())
            self._tell_all(Link.UP, "signed on")
        self._arm()

    def _recorded(self, ticket: Ticket | None) -> OnRecorded:
        if ticket is None:
            return lambda: None
        ticket.hold()
        stream = self.stream

        def on_recorded() -> None:
            ticket.release()
            if stream is not None:
                stream.settle()

        return on_recorded

    def _write(self) -> None:
        for element in self.machine.to_send():
            if self.stream is not None:
                self.stream.write_stanza(element)

    # -- time

    def _arm(self) -> None:
        times = [self._signon_until, self._resume_until, self.comeback.attempt_at, self.machine.next_deadline()]
        at = min((each for each in times if each is not None), default=None)
        active = self._timer is not None and self._timer.active()
        if at is None or (active and self._timer_at <= at):
            return
        if active:
            self._timer.cancel()
        self._timer_at = at
        self._timer = self.transport.reactor.callLater(max(0.0, at - self.transport.now()), self._fire)

    def _fire(self) -> None:
        now = self.transport.now()
        if self._resume_until is not None and self._resume_until <= now:
            if self._signon_until is not None:
                self._lost("the stream could not be resumed in time", forget=True)
            else:
                self._drop(forget=True)  # the next attempt is on its way, and begins anew
        if self._signon_until is not None and self._signon_until <= now:
            self._lost("sign-on took too long", forget=True)
        self.machine.handle_timer(now)
        if self.machine.broken:
            reason, self.machine.broken = self.machine.broken, ""
            if self.stream is not None and self.stream.resumable:
                stream = self.stream
                stream.abort()  # tells that it is lost
            else:
                self._lost(reason, forget=True)
        if self.comeback.due(now):
            self.comeback.begun()
            self.transport.wants_turn(self)
        self.pump()


def make_stream(held: Held) -> Any:
    """Returns slixmpp's part of a stream, a component's or an account's."""
    config = held.transport.config
    if config.component is not None:
        return ComponentStream(held.machine.config, config.secret, held, config.max_stanza)
    return ClientStream(
        held.name, held.credential, held.machine.config, held, config.max_stanza, config.context, config.tls
    )
