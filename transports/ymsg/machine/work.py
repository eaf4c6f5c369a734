"""What is done on a session that is up: everything between a native value and the packets of a connection."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable
from functools import partial

from bridge.model.body import Stage
from bridge.model.capabilities import SendResult
from transports.common.machine.actions import SendDone
from transports.common.machine.results import failed
from transports.ymsg.machine.buddies import Buddies
from transports.ymsg.machine.config import SessionConfig
from transports.ymsg.machine.messages import Messages, Write
from transports.ymsg.machine.outbox import Outbox, Pace
from transports.ymsg.machine.presence import OwnStatus
from transports.ymsg.machine.roster import RosterState
from transports.ymsg.wire import codes, conference, contacts, files, messages, native, people
from transports.ymsg.wire.charset import decode_label
from transports.ymsg.wire.errors import YmsgSyntaxError
from transports.ymsg.wire.names import normal
from transports.ymsg.wire.packet import Packet, Pair, pairs_of

MAX_ROOMS = 256
"""Of so many conferences that others have put us into it is remembered that they were left."""
MAX_STORED = 10_000
"""Of so many stored messages it is remembered which were alike."""
DECLINED = "This account takes no part in conferences."
_RELAYED = SendResult(stage=Stage.RELAYED)
_NEW = 11
"""From this version on, contacts are answered, and statuses shown, by services of their own."""
_LEAST_MINUTES, _MOST_MINUTES = 1, 1440
Handler = Callable[[Packet, float], None]


class Work:
    """One account's dealings while it is signed on (and what it keeps from one session to the next).

    Args:
        account: our name in normal form.
        config: the network's parameters.
        write: writes a packet.
        emit: takes every event.

    Attributes:
        keepalive, ping: how often, seconds, as the server wants it.
    """

    def __init__(
        self, account: str, config: SessionConfig, write: Write, emit: Callable[[native.Inbound | SendDone], None]
    ) -> None:
        self._account = account
        self._config = config
        self._write = write
        self._emit = emit
        self._alike: Counter[tuple[str, int | None, str]] = Counter()
        self._left: OrderedDict[str, None] = OrderedDict()
        self.keepalive = config.keepalive
        self.ping = config.ping
        self.outbox = Outbox(Pace(config.rate, config.burst), config.max_queue)
        self.roster = RosterState(account, config, self.outbox, write, emit)
        self.messages = Messages(account, config, self.outbox, write, emit)
        self.buddies = Buddies(account, config.max_roster, emit)
        self.own = OwnStatus(account, self.outbox, write, toggles=config.version >= _NEW, emit=emit)
        status: Handler = self._people
        self._handlers: dict[int, Handler] = {
            codes.LOGON: status,
            codes.LOGOFF: status,
            codes.IS_AWAY: status,
            codes.IS_BACK: status,
            codes.USER_STAT: status,
            codes.STATUS_UPDATE: status,
            codes.STATUS_15: status,
            codes.LIST: self._list,
            codes.LIST_15: self._list_15,
            codes.MESSAGE: self._message,
            codes.NOTIFY: self._notice,
            codes.NEW_CONTACT: self._new_contact,
            codes.CONTACT_ANSWER_15: self._asked,
            codes.ADD_BUDDY: self._edited,
            codes.REMOVE_BUDDY: self._edited,
            codes.PING: self._ping_times,
            codes.KEEPALIVE: self._keepalive,
            codes.SYSTEM_MESSAGE: self._system_message,
            codes.FILE_TRANSFER: self._file,
            codes.P2P_FILE_TRANSFER: self._file,
            codes.FILE_TRANSFER_15: self._file,
            **dict.fromkeys(conference.SERVICES, self._conference),
        }

    # -- the session's course

    def begin(self) -> None:
        """A connection stands on which we sign on."""
        self.keepalive, self.ping = self._config.keepalive, self._config.ping
        self._alike.clear()
        self._left.clear()
        self.roster.begin()

    def up(self, now: float) -> None:
        """The account is signed on."""
        self.own.begin(now)
        self.messages.begin(now)

    def lost(self) -> None:
        """The connection is gone."""
        self.outbox.lose()
        self.messages.lost()
        self.roster.lost()
        self.buddies.lost()
        self.own.lost()

    def next_deadline(self) -> float | None:
        """When `tick` has something to do."""
        times = (self.outbox.next_deadline(), self.messages.next_deadline(), self.roster.next_deadline())
        return min((each for each in times if each is not None), default=None)

    def tick(self, now: float) -> bool:
        """Do what is due; gives whether the server has fallen silent."""
        silent = self.messages.tick(now)
        self.outbox.flush(now)
        self.roster.tick(now)
        return silent

    # -- outwards

    def send(self, value: native.Outbound, key: Hashable, now: float, deadline: float | None) -> None:
        """Do what a native value says; its end is told as `SendDone`."""
        if isinstance(value, native.ImSend):
            if self.outbox.full or self.messages.in_flight() >= self._config.max_in_flight:
                text = "Too much is waiting to be sent to the network."
                self._done(key, failed("the queue is full", retryable=True, user_text=text))
                return
            self.messages.send(value, key, now, deadline)
        elif isinstance(value, native.TypingSend):
            self._send_typing(value, key, now)
        elif isinstance(value, native.OwnPresence):
            self.own.show(value, key, now)
        elif isinstance(value, native.BuddyAdd):
            self.roster.add(value, key, now)
        elif isinstance(value, native.BuddyRemove):
            self.roster.remove(value, key, now)
        else:
            self._answer_contact(value, key)

    def _done(self, key: Hashable, result: SendResult) -> None:
        self._emit(SendDone(key=key, result=result))

    def _send_now(self, service: int, pairs: Callable[[], tuple[Pair, ...]], key: Hashable, status: int = 0) -> None:
        """Send what has no acknowledgement."""
        try:
            self._write(service, pairs(), status)
        except YmsgSyntaxError as error:
            self._done(key, failed(f"unsendable: {error}", retryable=False, user_text="That cannot be sent."))
            return
        self._done(key, _RELAYED)

    def _send_typing(self, value: native.TypingSend, key: Hashable, now: float) -> None:
        if not self.outbox.idle(now):
            # a notification that comes late says what is no longer true
            self._done(key, failed("held back by the pace", retryable=False, user_text="The network is busy."))
            return
        pairs = partial(messages.typing_pairs, self._account, value.to, typing=value.typing)
        self._send_now(codes.NOTIFY, pairs, key, codes.TYPING)

    def _answer_contact(self, value: native.ContactAnswer, key: Hashable) -> None:
        about = (self._account, value.to, value.reason)
        if self._config.version >= _NEW:
            pairs = partial(contacts.answer_pairs_15, *about, accepted=value.accepted)
            self._send_now(codes.CONTACT_ANSWER_15, pairs, key)
        elif value.accepted:
            self._done(key, _RELAYED)  # who put us on their list has us there already
        else:
            self._send_now(codes.DENY_CONTACT, partial(contacts.deny_pairs, *about), key)

    def recorded(self, event: native.Inbound) -> None:
        """An event is on record: acknowledge a message that has a name, decline a conference, refuse a file."""
        if isinstance(event, native.ImReceived) and event.message_id is not None:
            pairs = messages.ack_pairs(event.to or self._account, event.sender, event.message_id)
            self._write(codes.MESSAGE_ACK, pairs, codes.OK)
        elif isinstance(event, native.ConferenceDeclined):
            who = (event.sender, *event.members)
            if event.joined:
                self._write(codes.CONF_LOGOFF, conference.leave_pairs(self._account, event.room, who), codes.OK)
            else:
                pairs = conference.decline_pairs(self._account, event.room, who, DECLINED)
                self._write(codes.CONF_DECLINE, pairs, codes.OK)
        elif isinstance(event, native.FileDeclined) and event.transfer:
            pairs = files.refuse_pairs(self._account, event.sender, event.transfer)
            self._write(codes.FILE_TRANSFER_15, pairs, codes.OK)

    # -- inwards

    def handle(self, packet: Packet, now: float) -> bool:
        """Deal with a packet; gives whether it is one of ours. Raises `YmsgSyntaxError` for a malformed part."""
        handler = self._handlers.get(packet.service)
        if handler is None:
            return False
        handler(packet, now)
        return True

    def _people(self, packet: Packet, _now: float) -> None:
        for person in people.read_people(packet):
            self.buddies.told(person)

    def _list(self, packet: Packet, _now: float) -> None:
        self.roster.load(packet)

    def _list_15(self, packet: Packet, _now: float) -> None:
        self.roster.load_15(packet)

    def _message(self, packet: Packet, _now: float) -> None:
        if packet.status == codes.NOT_SENT:
            self._not_sent(packet)
            return
        for message in messages.read_messages(packet):
            self._emit(self._received(message, stored=packet.status == codes.MORE))

    def _not_sent(self, packet: Packet) -> None:
        to = packet.get(codes.KEY_TO)
        named = decode_label(to) if to else None
        if not self.messages.refused(named):
            self._emit(native.ImRefused(account=self._account, to=named))

    def _received(self, message: messages.Message, *, stored: bool) -> native.Inbound:
        if message.sender is None or message.text is None:
            missing = "it names no sender" if message.sender is None else "it has no text"
            return native.ImUnreadable(account=self._account, sender=message.sender, reason=missing, raw=message.raw)
        if message.text == messages.BUZZ:
            return native.Buzzed(account=self._account, sender=message.sender, timestamp=message.timestamp)
        alike = (normal(message.sender), message.timestamp, message.text)
        nth = 0
        if stored:
            nth = self._alike[alike]
            if nth or len(self._alike) < MAX_STORED:
                self._alike[alike] += 1
        other = message.to if message.to and normal(message.to) != self._account else None
        return native.ImReceived(
            account=self._account,
            sender=message.sender,
            text=message.text,
            message_id=message.message_id,
            to=other,
            timestamp=message.timestamp,
            offline=stored,
            nth=nth,
            lossy=message.lossy,
        )

    def _notice(self, packet: Packet, _now: float) -> None:
        notice = messages.read_notice(packet)
        if notice is None:
            return
        if notice.kind == "TYPING":
            self._emit(native.TypingReceived(account=self._account, sender=notice.sender, typing=notice.on))
        elif notice.kind == "WEBCAMINVITE":
            self._emit(native.InvitationIgnored(account=self._account, sender=notice.sender, what="a webcam"))

    def _new_contact(self, packet: Packet, now: float) -> None:
        if packet.status in {codes.ASKS, codes.DENIED}:
            self._asked(packet, now)
        else:
            self._people(packet, now)

    def _asked(self, packet: Packet, _now: float) -> None:
        asked = contacts.read_asked(packet)
        if asked is None:
            return
        me = self._account
        if asked.answer is None:
            new = packet.service == codes.CONTACT_ANSWER_15
            self._emit(native.ContactRequest(account=me, sender=asked.name, reason=asked.text, asks=new))
        elif asked.answer in {contacts.ACCEPTED, contacts.REFUSED}:
            accepted = asked.answer == contacts.ACCEPTED
            answered = native.ContactAnswered(account=me, sender=asked.name, accepted=accepted, reason=asked.text)
            self._emit(answered)

    def _edited(self, packet: Packet, _now: float) -> None:
        answer = contacts.read_edited(packet)
        if answer is not None:
            self.roster.edited(packet.service, answer)

    def _ping_times(self, packet: Packet, _now: float) -> None:
        ping = packet.number(codes.KEY_PING_MINUTES)
        keepalive = packet.number(codes.KEY_KEEPALIVE_MINUTES)
        if ping is not None:
            self.ping = 60.0 * min(max(ping, _LEAST_MINUTES), _MOST_MINUTES)
        if keepalive is not None:
            self.keepalive = min(self._config.keepalive, 60.0 * max(keepalive, _LEAST_MINUTES))

    def _keepalive(self, _packet: Packet, now: float) -> None:
        self.messages.answered(now)

    def send_ping(self) -> None:
        """The session's own ping, which a server wants now and then."""
        self._write(codes.PING, (), codes.OK)

    def log_off(self) -> None:
        """Say goodbye."""
        self._write(codes.LOGOFF, pairs_of((codes.KEY_NAME, self._account)), codes.OK)

    def _system_message(self, packet: Packet, _now: float) -> None:
        text = packet.get(codes.KEY_TEXT)
        if text:
            self._emit(native.SystemMessage(account=self._account, text=decode_label(text)))

    def _file(self, packet: Packet, _now: float) -> None:
        offer = files.read_offer(packet)
        if offer is None:
            return
        self._emit(
            native.FileDeclined(
                account=self._account,
                sender=offer.sender,
                name=offer.name,
                size=offer.size,
                text=offer.text,
                told=bool(offer.transfer),
                transfer=offer.transfer,
            )
        )

    def _conference(self, packet: Packet, _now: float) -> None:
        found = conference.read_conference(packet)
        if found is None or not found.who or normal(found.who) == self._account:
            return
        others = tuple(name for name in found.members if normal(name) != self._account)
        if packet.service in {codes.CONF_INVITE, codes.CONF_ADD_INVITE}:
            self._left.pop(found.room, None)
            self._decline(found, others, joined=False)
        elif packet.service == codes.CONF_MESSAGE:
            self._emit(
                native.ConferenceMessage(
                    account=self._account, sender=found.who, room=found.room, text=found.text, lossy=found.lossy
                )
            )
            self._leave(found, others)

    def _leave(self, found: conference.Conference, others: tuple[str, ...]) -> None:
        """Leave a conference that somebody has put us into, once."""
        if found.room not in self._left:
            self._decline(found, others, joined=True)

    def _decline(self, found: conference.Conference, others: tuple[str, ...], *, joined: bool) -> None:
        if joined:
            self._left[found.room] = None
            if len(self._left) > MAX_ROOMS:
                self._left.popitem(last=False)
        self._emit(
            native.ConferenceDeclined(
                account=self._account,
                sender=found.who,
                room=found.room,
                members=others,
                text="" if joined else found.text,
                joined=joined,
            )
        )
