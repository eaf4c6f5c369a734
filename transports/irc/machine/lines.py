"""What a server tells a session that is up: what users do, and what numerics answer.

`Lines` holds the parts of a session and feeds them; `work.Work` adds what goes out.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable

from attrs import evolve

from bridge.model.capabilities import SendResult
from transports.common.machine.actions import SendDone
from transports.irc.machine.channels import Channels
from transports.irc.machine.config import SessionConfig
from transports.irc.machine.contacts import Contacts
from transports.irc.machine.inbound import Reader, typing_state
from transports.irc.machine.messages import Messages
from transports.irc.machine.outbox import Bucket, Item, Outbox
from transports.irc.machine.peers import Mark, Peers
from transports.irc.machine.services import name_of
from transports.irc.machine.typing import TypingNotices
from transports.irc.machine.verifying import Verifying
from transports.irc.wire import native
from transports.irc.wire.isupport import ISupport
from transports.irc.wire.message import Message, Source
from transports.irc.wire.names import is_channel
from transports.irc.wire.numerics import REFUSALS, Refusal

MAX_AWAY_TOLD = 512
_FAIL = Refusal("FAIL", False, "The network refused the message.")
_FAIL_RETRYABLE = frozenset({"RATE_LIMITED", "TEMPORARILY_UNAVAILABLE"})


class Lines:
    """What comes in for one account.

    Args:
        account: our name, in normal form.
        config: the network's parameters.
        outbox: the way out.
        prefix: what our labels and PINGs begin with.
        is_ours: whether a name (canonical) is one of an account of ours.
        emit: takes `SendDone` and native events.

    Attributes:
        isupport: what the server says of itself.
        nick: our nickname at the moment.
        strays: lines that nobody had a use for, for the metrics.
    """

    def __init__(
        self,
        account: str,
        config: SessionConfig,
        outbox: Outbox,
        *,
        prefix: str,
        is_ours: Callable[[str], bool],
        emit: Callable[[native.Inbound | SendDone], None],
    ) -> None:
        self.isupport = ISupport()
        self.nick = account
        self.own: native.OwnPresence | None = None
        self.strays = 0
        self._account = account
        self._config = config
        self._outbox = outbox
        self._is_ours = is_ours
        self._emit = emit
        self._caps: frozenset[str] = frozenset()
        self._userhost = ""
        self._up = False
        self._away_told: dict[str, str] = {}
        self._ctcp = Bucket(0.1, 3, 0.0)
        self._reader = Reader(account=account, isupport=self.isupport, version=config.version)
        self.peers = Peers(config.max_contacts)
        self.typing = TypingNotices(account, emit)
        self.messages = Messages(
            account,
            outbox,
            ack_timeout=config.ack_timeout,
            queue_timeout=config.queue_timeout,
            prefix=prefix,
            emit=emit,
        )
        self.contacts = Contacts(
            account, limit=config.max_contacts, poll_interval=config.poll_interval, ask=self._ask_later, emit=emit
        )
        self.channels = Channels(
            account,
            limit=config.max_channels,
            max_members=config.max_members,
            timeout=config.ack_timeout,
            write=self._write,
            emit=emit,
        )
        self.verifying = Verifying(config.ack_timeout, ask=self._write, send=self.messages.send, emit=emit)
        self._handlers: dict[str, Callable[[Message, Source, float], None]] = {
            "PRIVMSG": self._privmsg, "NOTICE": self._privmsg, "TAGMSG": self._tagmsg, "NICK": self._nick,
            "JOIN": self._join, "PART": self._part, "QUIT": self._quit, "KICK": self._kick, "INVITE": self._invite,
            "TOPIC": self._topic, "AWAY": self._away, "ACCOUNT": self._logged_in, "CHGHOST": self._chghost,
        }  # fmt: skip
        self._replies: dict[str, Callable[[Message, float], None]] = {
            "BATCH": self.messages.batch, "ACK": self._ack, "FAIL": self._fail,
            "301": self._rpl_away, "302": self._rpl_userhost, "303": self._rpl_ison, "318": self._rpl_end_of_whois,
            "330": self._rpl_whois_account, "332": self._rpl_topic, "353": self._rpl_names,
            "366": self._rpl_end_of_names, "396": self._rpl_host, "512": self._rpl_list_full, "598": self._rpl_watch,
            "599": self._rpl_watch, "600": self._rpl_watch, "601": self._rpl_watch, "604": self._rpl_watch,
            "605": self._rpl_watch, "609": self._rpl_watch, "730": self._rpl_monitor, "731": self._rpl_monitor,
            "734": self._rpl_list_full,
        }  # fmt: skip

    def fold(self, name: str) -> str:
        """The canonical form of a name on this server."""
        return self.isupport.casemapping.fold(name)

    def _write(self, message: Message, now: float) -> bool:
        return self._outbox.add(Item(message.encode()), now)

    def _ask_later(self, message: Message, now: float) -> None:
        self._outbox.add_later(message.encode(), now)

    def _done(self, key: Hashable, result: SendResult) -> None:
        self._emit(SendDone(key=key, result=result))

    # -- in

    def handle(self, message: Message, now: float) -> None:
        """A line that does not belong to sign-on and end."""
        reply = self._replies.get(message.command)
        if reply is not None:
            reply(message, now)
            return
        handler = self._handlers.get(message.command)
        if handler is not None and message.source is not None:
            handler(message, message.source, now)
            return
        refusal = REFUSALS.get(message.command)
        if refusal is None or not self._refused(message, refusal, now):
            self.strays += 1

    def _refused(self, message: Message, refusal: Refusal, now: float) -> bool:
        # "401 me target :text"; 263 and 421 name the command instead, 411 and 412 nothing
        named = self.fold(message.param(1)) if len(message.params) > 2 else ""
        if message.command in {"263", "421"}:
            if message.param(1).upper() not in {"PRIVMSG", "NOTICE"}:
                return False
            named = ""
        if message.command == "401" and self.verifying.gone(named):
            return True
        if self.channels.refused(named, message.command, refusal, message.last):
            return True
        label = self.messages.label_of(message)
        return self.messages.refused(message.command, refusal, named, label, message.last, now)

    def _fail(self, message: Message, now: float) -> None:
        """FAIL (IRCv3 standard replies): command, code, context, text."""
        if message.param(0).upper() not in {"PRIVMSG", "NOTICE"}:
            self.strays += 1
            return
        code = message.param(1)
        refusal = evolve(_FAIL, name=code, retryable=code in _FAIL_RETRYABLE)
        self.messages.refused("FAIL", refusal, "", self.messages.label_of(message), message.last, now)

    def _ack(self, message: Message, now: float) -> None:
        self.messages.acknowledged(self.messages.label_of(message), now)

    def _is_self(self, nick: str) -> bool:
        return self.fold(nick) == self.fold(self.nick)

    def _privmsg(self, message: Message, source: Source, now: float) -> None:
        if self._is_self(source.name):
            self._learn(source)
            if not self.messages.echoed(message, self.fold(message.param(0)), now):
                self.strays += 1  # another client of the same session wrote it
            return
        event, answer = self._reader.read(message, source)
        if answer and self._ctcp.tokens(now) >= 1.0:
            self._ctcp.take(now)
            self._ask_later(Message(command="NOTICE", params=(source.name, answer)), now)
        if isinstance(event, native.MessageReceived):
            event = self._judged(event, source, now)
        if event is not None:
            self._emit(event)

    def _judged(self, event: native.MessageReceived, source: Source, now: float) -> native.Inbound:
        """A message with what is to be said of its sender: somebody else than before, one who wears our name."""
        services = self.fold(name_of(self._config))
        if event.sender == services:
            return native.ServerNotice(account=self._account, source=event.sender, text=event.text)
        self.typing.wrote(event.sender)
        told = "account-tag" in self._caps
        mark = Mark(services_account=event.services_account, accounts_told=told, userhost=source.userhost)
        before = self.peers.saw(event.sender, mark)
        if before is not None:
            self._emit(
                native.PeerChanged(account=self._account, nick=event.sender, before=before.shown(), after=mark.shown())
            )
        vouched = event.services_account is not None and self.fold(event.services_account) == event.sender
        return evolve(
            event,
            impostor=self._is_ours(event.sender),
            unverified=self._config.verified_only and not (told and vouched),
        )

    def _tagmsg(self, message: Message, source: Source, now: float) -> None:
        sender = self.fold(source.name)
        if self._is_self(source.name) or not source.is_user or self._is_ours(sender):
            return
        state = typing_state(message)
        if state is not None and not is_channel(message.param(0), self.isupport.chantypes):
            self.typing.received(sender, state, now)

    def _learn(self, source: Source) -> None:
        if source.userhost:
            self._userhost = source.userhost

    def _nick(self, message: Message, source: Source, now: float) -> None:
        """Somebody else has another name now. They do not take ours of them along: a name is whose it is today."""
        del now
        before, after = self.fold(source.name), self.fold(message.param(0))
        if not after:
            return
        known = self.peers.renamed(before, after)
        for channel in self.channels.of(before):
            self._member(channel, before, source.name, native.MemberChange.RENAMED, renamed_to=after)
        if before != after:
            self.contacts.offline(before)
            if known:
                self._emit(native.PeerRenamed(account=self._account, before=before, after=after))

    def _join(self, message: Message, source: Source, now: float) -> None:
        for name in message.param(0).split(","):
            channel = self.fold(name)
            if self._is_self(source.name):
                self._learn(source)
                self.channels.entered(channel, now)
            else:
                self._member(channel, self.fold(source.name), source.name, native.MemberChange.JOINED)

    def _part(self, message: Message, source: Source, now: float) -> None:
        del now
        reason = message.param(1)
        self._gone_from(self.fold(message.param(0)), source.name, native.MemberChange.LEFT, reason)

    def _kick(self, message: Message, source: Source, now: float) -> None:
        del now
        channel = self.fold(message.param(0))
        self._gone_from(channel, message.param(1), native.MemberChange.KICKED, message.param(2), self.fold(source.name))

    def _gone_from(self, channel: str, shown: str, change: native.MemberChange, reason: str, by: str = "") -> None:
        self._member(channel, self.fold(shown), shown, change, reason=reason, by=by)
        if self._is_self(shown):
            self.channels.left(channel)

    def _quit(self, message: Message, source: Source, now: float) -> None:
        del now
        nick = self.fold(source.name)
        for channel in self.channels.of(nick):
            self._member(channel, nick, source.name, native.MemberChange.QUIT, reason=message.param(0))
        self.contacts.offline(nick)

    def _member(
        self,
        channel: str,
        nick: str,
        shown: str,
        change: native.MemberChange,
        *,
        reason: str = "",
        by: str = "",
        renamed_to: str = "",
    ) -> None:
        event = native.ChannelMember(
            account=self._account,
            channel=channel,
            nick=nick,
            shown=shown,
            change=change,
            reason=reason,
            by=by,
            renamed_to=renamed_to,
            ourselves=self._is_self(shown),
        )
        self.channels.member(event)

    def _invite(self, message: Message, source: Source, now: float) -> None:
        del now
        if self._is_self(message.param(0)):  # invite-notify tells of others' too
            channel = self.fold(message.param(1))
            self._emit(native.Invited(account=self._account, sender=self.fold(source.name), channel=channel))

    def _topic(self, message: Message, source: Source, now: float) -> None:
        del now
        self.channels.topic(self.fold(message.param(0)), message.param(1), self.fold(source.name))

    def _away(self, message: Message, source: Source, now: float) -> None:
        del now
        nick = self.fold(source.name)
        if message.param(0):
            self.contacts.away_text(nick, message.param(0))
        else:
            self.contacts.back(nick)

    def _logged_in(self, message: Message, source: Source, now: float) -> None:
        del now
        account = message.param(0)
        self.peers.logged_in(self.fold(source.name), None if account == "*" else account)

    def _chghost(self, message: Message, source: Source, now: float) -> None:
        del now
        userhost = f"{message.param(0)}@{message.param(1)}"
        if self._is_self(source.name):
            self._userhost = userhost
        else:
            self.peers.moved(self.fold(source.name), userhost)

    # -- numerics

    def _rpl_away(self, message: Message, now: float) -> None:
        del now
        nick, text = self.fold(message.param(1)), message.param(2)
        self.contacts.away_text(nick, text)
        if self.messages.in_flight() and self._away_told.get(nick) != text:
            if len(self._away_told) >= MAX_AWAY_TOLD:
                self._away_told.clear()
            self._away_told[nick] = text
            self._emit(native.AwayReply(account=self._account, nick=nick, text=text))

    def _rpl_userhost(self, message: Message, now: float) -> None:
        for word in message.last.split():
            name, equals, rest = word.partition("=")
            if equals and self._is_self(name.rstrip("*")):
                self._userhost = rest[1:]
        self.contacts.userhost(message.last, self.fold, now)

    def _rpl_ison(self, message: Message, now: float) -> None:
        self.contacts.ison(message.last, self.fold, now)

    def _rpl_whois_account(self, message: Message, now: float) -> None:
        del now
        self.verifying.account(self.fold(message.param(1)), self.fold(message.param(2)))

    def _rpl_end_of_whois(self, message: Message, now: float) -> None:
        self.verifying.answered(self.fold(message.param(1)), now)

    def _rpl_topic(self, message: Message, now: float) -> None:
        del now
        self.channels.topic(self.fold(message.param(1)), message.param(2))

    def _rpl_names(self, message: Message, now: float) -> None:
        del now
        ranks = self.isupport.ranks
        pairs = []
        for word in message.last.split():
            name = word.lstrip(ranks)
            pairs.append((self.fold(name.partition("!")[0]), word[: len(word) - len(name)]))
        self.channels.names(self.fold(message.param(2)), pairs)

    def _rpl_end_of_names(self, message: Message, now: float) -> None:
        del now
        self.channels.end_of_names(self.fold(message.param(1)))

    def _rpl_host(self, message: Message, now: float) -> None:
        del now
        host = message.param(1)
        user = self._userhost.partition("@")[0]
        if host and "@" in host:
            self._userhost = host
        elif host and user:
            self._userhost = f"{user}@{host}"

    def _rpl_list_full(self, message: Message, now: float) -> None:
        names = message.param(3) if message.command == "734" else message.param(1).lstrip("+")
        self.contacts.full([self.fold(name) for name in names.split(",") if name], now)

    def _rpl_monitor(self, message: Message, now: float) -> None:
        for target in message.last.split(","):
            nick = self.fold(Source.parse(target).name)
            if message.command == "730":
                self.contacts.online(nick, now)
            else:
                self.contacts.offline(nick)

    def _rpl_watch(self, message: Message, now: float) -> None:
        """WATCH: 600 and 604 is there, 601 and 605 is not, 598 and 609 is away, 599 is back."""
        nick, code = self.fold(message.param(1)), message.command
        if code in {"601", "605"}:
            self.contacts.offline(nick)
        elif code in {"598", "609"}:
            text = message.last if code == "598" else ""
            self.contacts.online(nick, now, away=True, text=text)
        elif code == "599":
            self.contacts.back(nick)
        else:
            pushed = "A" in self.isupport.text("WATCHOPTS")
            self.contacts.online(nick, now, away=False if pushed else None)
