"""What is done on a session that is up: everything between a native value and the SNACs of a connection."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Hashable

from attrs import evolve

from bridge.model.body import Stage
from bridge.model.capabilities import SendResult
from transports.common.machine.results import failed
from transports.oscar.machine import inbound, signon
from transports.oscar.machine.actions import SendDone
from transports.oscar.machine.buddies import Buddies
from transports.oscar.machine.config import SessionConfig
from transports.oscar.machine.connection import Connection, Outgoing
from transports.oscar.machine.edits import Edits
from transports.oscar.machine.messages import Messages
from transports.oscar.machine.roster import RosterState
from transports.oscar.wire import buddy, feedbag, icbm, icq, locate, native, oservice
from transports.oscar.wire.codes import FEEDBAG, ICBM, ICQ
from transports.oscar.wire.errors import OscarSyntaxError
from transports.oscar.wire.names import is_uin
from transports.oscar.wire.snac import Body, SnacFrame
from transports.oscar.wire.userinfo import UserInfo

MAX_STORED = 10_000
"""The most messages of ICQ's store that may wait to be recorded."""
LEAST_LIMIT = 2048
"""Bytes of text that every server takes, whatever 04/05 says."""
_EVENTS = {
    native.Typing.NONE: icbm.TYPING_NONE,
    native.Typing.TYPED: icbm.TYPING_TYPED,
    native.Typing.CLOSED: icbm.TYPING_CLOSED,
    native.Typing.TYPING: icbm.TYPING_BEGUN,
}
_RELAYED = SendResult(stage=Stage.RELAYED)
Handler = Callable[[Connection, Body, SnacFrame, float], None]


class Work:
    """One account's dealings while it is signed on (and what it keeps from one session to the next).

    Args:
        account: our name in normal form.
        config: the network's parameters.
        rng: for list ids.
        emit: takes every event.
    """

    def __init__(
        self,
        account: str,
        config: SessionConfig,
        rng: random.Random,
        emit: Callable[[native.Inbound | SendDone], None],
    ) -> None:
        self._account = account
        self._config = config
        self._emit = emit
        self._icq = is_uin(account)
        self._conn: Connection | None = None
        self._warning: int | None = None
        self._request_sequence = 0
        self._unrecorded: Counter[bytes] = Counter()
        self._stored_alike: Counter[bytes] = Counter()
        self._stored_ended = False
        self._keep_stored = False
        self._fetching = False
        self._editing_elsewhere = False
        self.own = native.OwnPresence(account=account, state=native.Availability.ONLINE)
        self.roster = RosterState(account, rng, config.max_roster)
        self.edits = Edits(account, self.roster, timeout=config.ack_timeout, emit=emit)
        self.buddies = Buddies(
            account,
            limit=config.max_roster,
            emit=emit,
            fetch=self._ask_away_message if config.fetch_away_messages else None,
        )
        self.messages = Messages(
            account,
            ack_timeout=config.ack_timeout,
            queue_timeout=config.queue_timeout,
            emit=emit,
            takes_html=self.buddies.takes_html,
        )
        self._shown: native.OwnPresence | None = None
        self._now = 0.0
        self._handlers: dict[type[Body], Handler] = {
            buddy.Arrived: self._arrived,
            buddy.Departed: self._departed,
            icbm.IncomingMessage: self._message,
            icbm.HostAck: self._host_ack,
            icbm.ClientError: self._client_error,
            icbm.ClientEvent: self._typing,
            icbm.MissedCalls: self._missed,
            oservice.SelfInfo: self._self_info,
            oservice.WarnedNotice: self._warned,
            feedbag.Insert: self._list_push,
            feedbag.Update: self._list_push,
            feedbag.Delete: self._list_push,
            feedbag.StartEdit: self._list_bracket,
            feedbag.EndEdit: self._list_bracket,
            feedbag.AuthorizationAsked: self._authorization_asked,
            feedbag.AuthorizationAnswered: self._authorization_answered,
            feedbag.PreAuthorized: self._pre_authorized,
            feedbag.YouWereAdded: self._you_were_added,
            icq.IcqReply: self._icq_reply,
        }

    # -- the session's course

    def limit(self, length: int) -> None:
        """04/05: the longest message, where the configuration does not say otherwise.

        Servers tell here what they hand to a client that has not asked for more, and take at least `LEAST_LIMIT`.
        """
        self.messages.limit = self._config.max_message_bytes or max(length, LEAST_LIMIT)

    def begin(self, conn: Connection, now: float) -> None:
        """Sign-on is complete but for "ready": tell who we are, and ask for what is stored."""
        self._conn, self._now = conn, now
        self.edits.moved(conn)
        if ICBM in conn.groups:
            conn.send_now(signon.message_parameters(), now)
        for _, body in signon.presence_bodies(self.own, self._config, icq=self._icq, first=True):
            conn.send_now(body, now)
        self._shown = self.own
        if FEEDBAG in conn.groups:
            conn.send_now(feedbag.Activate(), now)
        conn.send_now(signon.client_online(conn.groups), now)
        if ICBM in conn.groups:
            # newer servers keep ICQ's stored messages here, too, and give them whole
            self._fetching = True
            conn.send_now(icbm.OfflineRetrieve(), now, self._after_offline)

    def _after_offline(self, _answer: Body, more: bool, now: float) -> None:
        conn = self._conn
        self._fetching = more
        if not more and conn is not None and self._icq and ICQ in conn.groups:
            self._stored_alike.clear()
            self._stored_ended = self._keep_stored = False
            conn.submit(Outgoing(self._icq_request(icq.OFFLINE_REQUEST)), now)

    def _icq_request(self, kind: int) -> icq.IcqRequest:
        self._request_sequence = (self._request_sequence + 1) & 0x7FFF
        number = int("".join(char for char in self._account if char.isdigit())) & 0xFFFFFFFF
        return icq.IcqRequest(uin=number, type=kind, sequence=self._request_sequence)

    def lost(self, waiting: list[Outgoing]) -> None:
        """The connection is gone."""
        self._conn = None
        self._fetching = False
        self._unrecorded.clear()
        self._stored_ended = False
        self._editing_elsewhere = False
        self.messages.lost(waiting)
        self.edits.lost()
        self.buddies.lost()

    def next_deadline(self) -> float | None:
        """When `tick` has something to do."""
        times = (self.messages.next_deadline(), self.edits.next_deadline())
        return min((each for each in times if each is not None), default=None)

    def tick(self, now: float) -> None:
        """Give up what has had no answer."""
        self.messages.expire(now)
        self.edits.tick(now)

    def undecodable(self, frame: SnacFrame, error: OscarSyntaxError) -> None:
        """A SNAC could not be decoded: when it was a message, that is told, for nothing is to be lost in silence."""
        if (frame.group, frame.kind) == (icbm.IncomingMessage.GROUP, icbm.IncomingMessage.KIND):
            self._emit(
                native.ImUnreadable(
                    account=self._account,
                    sender=None,
                    cookie=frame.data[: icbm.COOKIE_SIZE],
                    channel=None,
                    reason=str(error),
                    raw=frame.data,
                )
            )

    # -- outwards

    def send(self, conn: Connection, value: native.Outbound, key: Hashable, now: float, deadline: float | None) -> None:
        """Do what a native value says; its end is told as `SendDone`."""
        self._now = now
        if conn.waiting >= self._config.max_queue or self.messages.in_flight() >= self._config.max_in_flight:
            text = "Too much is waiting to be sent to the network."
            self._done(key, failed("the queue is full", retryable=True, user_text=text))
        elif isinstance(value, native.ImSend):
            self.messages.send(conn, value, key, now, deadline)
        elif isinstance(value, native.TypingSend):
            self._send_typing(conn, value, key, now)
        elif isinstance(value, native.OwnPresence):
            self._send_presence(conn, value, key, now)
        elif isinstance(value, native.BuddyAdd):
            edit = self.roster.add(value.screen_name, value.group, value.alias)
            self.edits.add(conn, value.screen_name, edit, key, now)
        elif isinstance(value, native.BuddyRemove):
            self.edits.add(conn, value.screen_name, self.roster.remove(value.screen_name), key, now)
        elif isinstance(value, native.AuthorizationAsk):
            self._submit(conn, feedbag.AuthorizationRequest(name=value.to, reason=value.reason), key, now)
        else:
            answer = feedbag.AuthorizationReply(name=value.to, accepted=value.accepted, reason=value.reason)
            self._submit(conn, answer, key, now)

    def _done(self, key: Hashable, result: SendResult) -> None:
        self._emit(SendDone(key=key, result=result))

    def _submit(self, conn: Connection, body: Body, key: Hashable, now: float) -> None:
        """Send what has no acknowledgement."""
        try:
            body.encode()
        except OscarSyntaxError as error:
            self._done(key, failed(f"unsendable: {error}", retryable=False, user_text="That cannot be sent."))
            return
        conn.submit(Outgoing(body), now)
        self._done(key, _RELAYED)

    def _send_typing(self, conn: Connection, value: native.TypingSend, key: Hashable, now: float) -> None:
        body = icbm.ClientEvent(name=value.to, event=_EVENTS[value.state])
        if conn.may_go(body, now):
            self._submit(conn, body, key, now)
        else:
            # a notification that comes late says what is no longer true
            text = "The network is busy."
            self._done(key, failed("held back by the rate limit", retryable=False, user_text=text))

    def _send_presence(self, conn: Connection, value: native.OwnPresence, key: Hashable, now: float) -> None:
        self.own = value
        if value == self._shown:
            self._done(key, _RELAYED)
            return
        bodies = signon.presence_bodies(value, self._config, icq=self._icq, first=False)
        try:
            for _, body in bodies:
                body.encode()
        except OscarSyntaxError as error:
            self._done(key, failed(f"unsendable: {error}", retryable=False, user_text="That cannot be shown."))
            return
        for label, body in bodies:
            conn.submit(Outgoing(body, label=label), now)
        self._shown = value
        self._done(key, _RELAYED)

    def _ask_away_message(self, name: str) -> None:
        conn = self._conn
        if conn is None or conn.waiting >= self._config.max_queue:
            return
        query = locate.InfoQuery2(wanted=locate.WANT_AWAY, name=name)
        conn.submit(Outgoing(query, on_reply=self._away_message, label=f"away {name}"), self._now)

    def _away_message(self, answer: Body, _more: bool, _now: float) -> None:
        if isinstance(answer, locate.InfoReply):
            self.buddies.away_message(answer.user, answer.away_message)

    # -- inwards

    def handle(self, conn: Connection, body: Body, frame: SnacFrame, now: float) -> bool:
        """Deal with a SNAC; gives whether it is one of ours. Raises `OscarSyntaxError` for a malformed part."""
        self._now = now
        handler = self._handlers.get(type(body))
        if handler is None:
            return False
        handler(conn, body, frame, now)
        return True

    def _arrived(self, _conn: Connection, body: Body, _frame: SnacFrame, _now: float) -> None:
        assert isinstance(body, buddy.Arrived)
        for user in body.users:
            self.buddies.arrived(user)

    def _departed(self, _conn: Connection, body: Body, _frame: SnacFrame, _now: float) -> None:
        assert isinstance(body, buddy.Departed)
        for user in body.users:
            self.buddies.departed(user)

    def _message(self, conn: Connection, body: Body, frame: SnacFrame, now: float) -> None:
        assert isinstance(body, icbm.IncomingMessage)
        read = inbound.read_message(self._account, body, frame.data)
        event = read.event
        if self._fetching and isinstance(event, native.ImReceived) and event.timestamp is not None:
            # not every server repeats the sender's wish to store (TLV 0006): a time that it sent and our question do
            event = evolve(event, offline=True)
        self._emit(event)
        if read.answer is not None and conn.waiting < self._config.max_queue:
            conn.submit(Outgoing(read.answer), now)
        self.buddies.learn(body.sender)

    def _host_ack(self, _conn: Connection, body: Body, _frame: SnacFrame, _now: float) -> None:
        assert isinstance(body, icbm.HostAck)
        self.messages.acknowledged(body)

    def _client_error(self, _conn: Connection, body: Body, _frame: SnacFrame, _now: float) -> None:
        assert isinstance(body, icbm.ClientError)
        self.messages.refused_by_client(body)

    def _typing(self, _conn: Connection, body: Body, _frame: SnacFrame, _now: float) -> None:
        assert isinstance(body, icbm.ClientEvent)
        self._emit(inbound.read_typing(self._account, body))

    def _missed(self, _conn: Connection, body: Body, _frame: SnacFrame, _now: float) -> None:
        assert isinstance(body, icbm.MissedCalls)
        for event in inbound.read_missed(self._account, body):
            self._emit(event)

    def _self_info(self, _conn: Connection, body: Body, _frame: SnacFrame, _now: float) -> None:
        assert isinstance(body, oservice.SelfInfo)
        if body.users:
            self.self_info(body.users[0])

    def self_info(self, user: UserInfo) -> None:
        """Our own block: only the warning level, which sinks with time, is of interest."""
        if self._warning is not None and user.warning != self._warning:
            self._emit(native.Warned(account=self._account, level=user.warning))
        self._warning = user.warning

    def _warned(self, _conn: Connection, body: Body, _frame: SnacFrame, _now: float) -> None:
        assert isinstance(body, oservice.WarnedNotice)
        self._warning = body.level
        by = None if body.by is None else body.by.name
        self._emit(native.Warned(account=self._account, level=body.level, by=by))

    def _list_push(self, _conn: Connection, body: Body, _frame: SnacFrame, _now: float) -> None:
        assert isinstance(body, feedbag.Insert | feedbag.Update | feedbag.Delete)
        self.roster.pushed(body)
        if not self._editing_elsewhere:
            self.roster.to_tell = True

    def _list_bracket(self, _conn: Connection, body: Body, _frame: SnacFrame, _now: float) -> None:
        self._editing_elsewhere = isinstance(body, feedbag.StartEdit)
        if not self._editing_elsewhere:
            self.roster.to_tell = True

    def _authorization_asked(self, _conn: Connection, body: Body, _frame: SnacFrame, _now: float) -> None:
        assert isinstance(body, feedbag.AuthorizationAsked)
        self._emit(native.AuthorizationRequest(account=self._account, sender=body.name, reason=body.reason))

    def _authorization_answered(self, _conn: Connection, body: Body, _frame: SnacFrame, _now: float) -> None:
        assert isinstance(body, feedbag.AuthorizationAnswered)
        self._emit(
            native.AuthorizationAnswered(
                account=self._account, sender=body.name, accepted=body.accepted, reason=body.reason
            )
        )

    def _pre_authorized(self, _conn: Connection, body: Body, _frame: SnacFrame, _now: float) -> None:
        assert isinstance(body, feedbag.PreAuthorized)
        self._emit(
            native.AuthorizationAnswered(account=self._account, sender=body.name, accepted=True, reason=body.reason)
        )

    def _you_were_added(self, _conn: Connection, body: Body, _frame: SnacFrame, _now: float) -> None:
        assert isinstance(body, feedbag.YouWereAdded)
        self._emit(native.YouWereAdded(account=self._account, sender=body.name))

    # -- ICQ's store

    def _icq_reply(self, conn: Connection, body: Body, _frame: SnacFrame, now: float) -> None:
        assert isinstance(body, icq.IcqReply)
        if not self._icq:
            return  # only a number has such a store, and only a number could say what to delete of it
        if body.type == icq.OFFLINE_MESSAGE:
            stored = icq.OfflineMessage.decode(body.data)
            alike = stored.encode()
            event = inbound.read_stored(self._account, stored, self._stored_alike[alike])
            if len(self._stored_alike) < MAX_STORED:
                self._stored_alike[alike] += 1
            if isinstance(event, native.ImReceived | native.ImUnreadable):
                if len(self._unrecorded) < MAX_STORED:
                    self._unrecorded[event.cookie] += 1
                else:
                    self._keep_stored = True
            self._emit(event)
        elif body.type == icq.OFFLINE_END:
            self._stored_ended = True
            self._delete_stored(conn, now)

    def recorded(self, event: native.Inbound, now: float) -> None:
        """An event is safe with us: the network may forget it, where it lets us say so."""
        if isinstance(event, native.ImReceived | native.ImUnreadable) and event.cookie in self._unrecorded:
            self._unrecorded[event.cookie] -= 1
            if not self._unrecorded[event.cookie]:
                del self._unrecorded[event.cookie]
            if self._conn is not None:
                self._delete_stored(self._conn, now)

    def _delete_stored(self, conn: Connection, now: float) -> None:
        if self._stored_ended and not self._unrecorded and not self._keep_stored:
            self._stored_ended = False
            conn.submit(Outgoing(self._icq_request(icq.OFFLINE_DELETE)), now)
