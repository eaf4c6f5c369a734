"""What goes out on a session that is up, its beginning and its end; what comes in is in `lines`."""

from __future__ import annotations

from collections.abc import Hashable

from bridge.model.body import Stage
from bridge.model.capabilities import SendResult
from transports.common.machine.results import failed
from transports.irc.machine.inbound import Reader
from transports.irc.machine.lines import Lines
from transports.irc.machine.messages import wire_text
from transports.irc.wire import native
from transports.irc.wire.errors import IrcSyntaxError
from transports.irc.wire.isupport import ISupport
from transports.irc.wire.message import MAX_LINE, Message
from transports.irc.wire.names import fault, is_channel

_RELAYED = SendResult(stage=Stage.RELAYED)
_UNKNOWN_USERHOST = 1 + 10 + 1 + 63
"""Bytes of ``!user@host`` at the most, as long as the server has not shown us ours."""


class Work(Lines):
    """The traffic of one account."""

    # -- beginning and end

    def reset(self) -> None:
        """A new connection: nothing of the last server's words counts."""
        self.isupport = ISupport()
        self._reader = Reader(account=self._account, isupport=self.isupport, version=self._config.version)
        self._userhost = ""

    def begin(self, caps: frozenset[str], now: float) -> None:
        """The session is up."""
        self._up = True
        self.caps_changed(caps)
        if self.own is not None and self.own.away_text is not None:
            self._write(_away_line(self.own, self.isupport), now)
        if not self._userhost:
            self._ask_later(Message(command="USERHOST", params=(self.nick,)), now)
        self.channels.begin(now)
        self.contacts.begin(self.isupport, caps, now)

    def caps_changed(self, caps: frozenset[str]) -> None:
        """The capabilities that are in force are others."""
        self._caps = caps
        self.messages.labels = "labeled-response" in caps and "batch" in caps and "message-tags" in caps
        self.messages.echo = "echo-message" in caps

    def lost(self, now: float) -> None:
        """The connection is gone."""
        self._up = False
        self._caps = frozenset()
        self.messages.lost(now)
        self._outbox.lost()
        self.verifying.lost()
        self.typing.lost()
        self.contacts.lost()
        self.channels.lost()
        self._away_told.clear()

    # -- time

    def next_deadline(self) -> float | None:
        """When `tick` has something to do."""
        parts = (self._outbox, self.messages, self.contacts, self.channels, self.typing, self.verifying)
        return min((each for each in (part.next_deadline() for part in parts) if each is not None), default=None)

    def tick(self, now: float) -> None:
        """Does what is due."""
        self._outbox.flush(now)
        self.messages.ask(now)
        self.messages.expire(now)
        self.contacts.poll(now)
        self.typing.expire(now)
        self.verifying.expire(now)
        self.channels.expire(now)

    # -- out

    def text_limit(self, target_bytes: int) -> int:
        """The most bytes of a text to a target, with the prefix that the server puts before it for others."""
        own = len(self.nick.encode()) + (len(self._userhost.encode()) + 1 if self._userhost else _UNKNOWN_USERHOST)
        overhead = len(": PRIVMSG  :\r\n") + own + target_bytes
        return max(32, min(self._config.max_text_bytes, MAX_LINE - overhead))

    def send(self, value: native.Outbound, key: Hashable, now: float, deadline: float | None) -> None:
        """Sends a native value on a session that is up."""
        if isinstance(value, native.MessageSend):
            self._send_message(value, key, now, deadline)
        elif isinstance(value, native.TypingSend):
            self._done(key, self._send_typing(value, now))
        elif isinstance(value, native.OwnPresence):
            self._write(_away_line(value, self.isupport), now)
            self._done(key, _RELAYED)
        elif isinstance(value, native.ContactAdd):
            self._add_contact(value, key, now)
        elif isinstance(value, native.ContactRemove):
            self.contacts.remove(self.fold(value.nick), now)
            self._done(key, _RELAYED)
        else:
            self._send_to_channel(value, key, now, deadline)

    def _named(self, nick: str) -> tuple[str, SendResult | None]:
        """A name as the server knows it, and why it is none: there is one spelling of each."""
        wrong = fault(nick)
        if wrong is not None:
            return nick, failed(f"not a nickname: {wrong}", retryable=False, user_text="There can be no such contact.")
        folded = self.fold(nick)
        if folded != nick:
            text = f"On this network the contact's name is written {folded}."
            return nick, failed(f"the server compares names otherwise: {folded!a}", retryable=False, user_text=text)
        return folded, None

    def _send_message(self, value: native.MessageSend, key: Hashable, now: float, deadline: float | None) -> None:
        nick, wrong = self._named(value.to)
        size = len(wire_text(value.text, value.kind).encode("utf-8", "replace"))
        limit = self.text_limit(len(nick.encode()))
        if wrong is None and size > limit:
            reason = f"too long: {size} bytes, more than {limit}"
            wrong = failed(reason, retryable=False, user_text="The message is too long for the network.")
        if wrong is not None:
            self._done(key, wrong)
        elif self._config.verified_only:
            self.verifying.send(value, nick, key, now, deadline)
        else:
            self.messages.send(value, nick, key, now, deadline)

    def _send_typing(self, value: native.TypingSend, now: float) -> SendResult:
        nick, wrong = self._named(value.to)
        if wrong is not None:
            return wrong
        if "message-tags" not in self._caps or self.isupport.denies_tag("typing"):
            return failed("the server carries no typing", retryable=False, user_text="The network shows no typing.")
        # a notice that comes late says what is no longer true, and messages need the pace more
        if not self._outbox.may_go(now) or not self.typing.may_say(nick, value.state, now):
            return failed("held back by the pace", retryable=False, user_text="The network is busy.")
        self._write(Message(command="TAGMSG", params=(nick,), tags={"+typing": value.state.value}), now)
        return _RELAYED

    def _add_contact(self, value: native.ContactAdd, key: Hashable, now: float) -> None:
        nick, wrong = self._named(value.nick)
        if wrong is None and not self.contacts.add(nick, now):
            wrong = failed("too many contacts", retryable=False, user_text="The contact list is full.")
        self._done(key, wrong or _RELAYED)

    def _send_to_channel(
        self,
        value: native.ChannelJoin | native.ChannelPart | native.ChannelSend,
        key: Hashable,
        now: float,
        deadline: float | None,
    ) -> None:
        name = self.fold(value.channel)
        if not is_channel(name, self.isupport.chantypes) or any(each in " ,\x07" for each in name):
            self._done(key, failed("not a channel", retryable=False, user_text="There can be no such channel."))
        elif not _writable(name, value):
            self._done(key, failed("unsendable", retryable=False, user_text="This cannot be sent."))
        elif isinstance(value, native.ChannelJoin):
            self.channels.join(name, value, key, now)
        elif isinstance(value, native.ChannelPart):
            self.channels.part(name, value.reason, key, now)
        elif not self.channels.joined(name):
            self._done(key, failed("not in the channel", retryable=True, user_text="This account is not there."))
        else:
            self.messages.send(value, name, key, now, deadline)


def _writable(name: str, value: native.ChannelJoin | native.ChannelPart | native.ChannelSend) -> bool:
    """Whether what is asked for is a line: a key without blanks, no line ends, not too long."""
    if isinstance(value, native.ChannelSend):
        return True  # looked at when it is sent
    more = value.key if isinstance(value, native.ChannelJoin) else value.reason
    try:
        Message(command="JOIN", params=(name, "x", more) if " " in more else (name, more or "x", "x")).encode()
    except IrcSyntaxError:
        return False
    return not (isinstance(value, native.ChannelJoin) and " " in more)


def _away_line(own: native.OwnPresence, isupport: ISupport) -> Message:
    """AWAY, with a text that the server does not cut inside a character."""
    if own.away_text is None:
        return Message(command="AWAY")
    most = min(isupport.number("AWAYLEN", 200), 300)
    text = own.away_text.replace("\r", " ").replace("\n", " ").replace("\0", " ")
    while len(text.encode("utf-8", "replace")) > most:
        text = text[:-1]
    return Message(command="AWAY", params=(text or "Away",))
