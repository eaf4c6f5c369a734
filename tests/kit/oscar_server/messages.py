"""Food group 04: messages, their acknowledgements and errors, stored messages, typing, warnings."""

from __future__ import annotations

from enum import Enum

from tests.kit.oscar_server.accounts import MAX_STORED, Stored
from tests.kit.oscar_server.network import Network
from tests.kit.oscar_server.residents import Resident
from tests.kit.oscar_server.session import BLOCKED_BY_YOU, DENIED, NOT_THERE, Session, handles
from transports.oscar.wire import icbm, oservice
from transports.oscar.wire.codes import ICBM
from transports.oscar.wire.names import is_uin, normal
from transports.oscar.wire.reader import u32
from transports.oscar.wire.tlv import NO_TLVS, Tlvs
from transports.oscar.wire.userinfo import UserInfo

_CHANNELS = 100
_HIGHEST_WARNING = 999
_WARNING, _ANONYMOUS_WARNING = 100, 30
_FOR_THE_SERVER = {icbm.TLV_HOST_ACK, icbm.TLV_STORE}


class Fate(Enum):
    """What became of a message."""

    DELIVERED = "delivered"
    STORED = "stored"
    NOT_THERE = "not there"
    BLOCKED_BY_SENDER = "blocked by the sender"


@handles(icbm.ParametersQuery)
def parameters(session: Session, _: icbm.ParametersQuery, request_id: int) -> None:
    """04/04."""
    flags = icbm.FLAG_MESSAGES | icbm.FLAG_MISSED_CALLS
    limit = min(0xFFFF, session.network.config.max_message)
    session.deliver(icbm.ParametersReply(channel=_CHANNELS, flags=flags, max_length=limit), request_id)


@handles(icbm.SetParameters)
def set_parameters(session: Session, body: icbm.SetParameters, _: int) -> None:
    """04/02: whether typing is wanted."""
    session.wants_typing = bool(body.flags & icbm.FLAG_EVENTS)


def relay(network: Network, sender: Resident, message: icbm.SendMessage) -> Fate:
    """Hand a message on, or store it."""
    if sender.hides_from(normal(message.to)):
        return Fate.BLOCKED_BY_SENDER
    recipient = network.resident(message.to)
    if recipient is None:
        held = network.held_for(message.to)
        if held is not None:
            held.append(_incoming(network, sender, message))
            return Fate.DELIVERED
        return _store(network, sender, message)
    if recipient.hides_from(sender.name):
        return Fate.NOT_THERE
    recipient.deliver(_incoming(network, sender, message))
    network.counts["messages_relayed"] += 1
    return Fate.DELIVERED


def _incoming(network: Network, sender: Resident, message: icbm.SendMessage) -> icbm.IncomingMessage:
    items = [item for item in message.tlvs if item[0] not in _FOR_THE_SERVER]
    if sender.wants_typing and message.channel == icbm.CHANNEL_TEXT:
        items.append((icbm.TLV_WANT_EVENTS, b""))
    return icbm.IncomingMessage(
        cookie=message.cookie, channel=message.channel, sender=sender.info(network.now()), tlvs=Tlvs(items)
    )


def _store(network: Network, sender: Resident, message: icbm.SendMessage) -> Fate:
    account = network.accounts.find(message.to)
    if account is None or not message.tlvs.has(icbm.TLV_STORE) or len(account.stored) >= MAX_STORED:
        network.counts["messages_not_there"] += 1
        return Fate.NOT_THERE
    account.stored.append(Stored(sender=sender.display, sent=network.now(), message=message))
    network.counts["messages_stored"] += 1
    return Fate.STORED


@handles(icbm.SendMessage)
def send(session: Session, body: icbm.SendMessage, request_id: int) -> None:
    """04/06."""
    session.network.counts["messages_received"] += 1
    fate = relay(session.network, session, body)
    if fate is Fate.NOT_THERE:
        session.refuse(ICBM, NOT_THERE, request_id)
    elif fate is Fate.BLOCKED_BY_SENDER:
        session.refuse(ICBM, BLOCKED_BY_YOU, request_id)
    elif body.tlvs.has(icbm.TLV_HOST_ACK):
        _acknowledge(session, icbm.HostAck(cookie=body.cookie, channel=body.channel, name=body.to), request_id)


def _acknowledge(session: Session, ack: icbm.HostAck, request_id: int) -> None:
    network = session.network
    wait = network.acks_held_until - network.now()
    if wait <= 0:
        session.deliver(ack, request_id)
        return

    def late() -> None:
        session.deliver(ack, request_id)
        network.flush()

    network.counts["acks_held"] += 1
    network.later(wait, late)


@handles(icbm.OfflineRetrieve)
def offline(session: Session, _: icbm.OfflineRetrieve, request_id: int) -> None:
    """04/10: everything but what an ICQ number asks for in food group 15."""
    account = session.account
    for stored in [each for each in account.stored if not is_old_icq(session, each)]:
        items = [item for item in stored.message.tlvs if item[0] not in _FOR_THE_SERVER]
        items.append((icbm.TLV_SEND_TIME, u32(int(stored.sent))))
        session.deliver(
            icbm.IncomingMessage(
                cookie=stored.message.cookie,
                channel=stored.message.channel,
                sender=UserInfo(name=stored.sender, tlvs=NO_TLVS),
                tlvs=Tlvs(items),
            )
        )
        account.stored.remove(stored)
    session.deliver(icbm.OfflineRetrieved(), request_id)


def is_old_icq(session: Session, stored: Stored) -> bool:
    """Whether a stored message is a text from one ICQ number to another: those come by food group 15."""
    return session.account.icq and is_uin(stored.sender) and stored.message.channel == icbm.CHANNEL_TEXT


@handles(icbm.ClientEvent)
def typing(session: Session, body: icbm.ClientEvent, _: int) -> None:
    """04/14: for those who want it."""
    recipient = session.network.resident(body.name)
    if recipient is None or not recipient.wants_typing:
        return
    if recipient.hides_from(session.name) or session.hides_from(recipient.name):
        return
    event = icbm.ClientEvent(cookie=body.cookie, channel=body.channel, name=session.display, event=body.event)
    recipient.deliver(event)


@handles(icbm.ClientError)
def client_error(session: Session, body: icbm.ClientError, _: int) -> None:
    """04/0B: a client refuses a message; its sender is told."""
    recipient = session.network.resident(body.name)
    if recipient is not None:
        recipient.deliver(
            icbm.ClientError(
                cookie=body.cookie, channel=body.channel, name=session.display, code=body.code, detail=body.detail
            )
        )


@handles(icbm.WarnRequest)
def warn(session: Session, body: icbm.WarnRequest, request_id: int) -> None:
    """04/08: the warned one's level rises; its rates do not change."""
    warned = session.network.resident(body.name)
    if warned is None or warned.hides_from(session.name) or session.hides_from(warned.name):
        session.refuse(ICBM, NOT_THERE, request_id)
        return
    before = warned.account.warning
    step = _ANONYMOUS_WARNING if body.anonymous else _WARNING
    if warned is session or before >= _HIGHEST_WARNING:
        session.refuse(ICBM, DENIED, request_id)
        return
    warned.account.warning = min(_HIGHEST_WARNING, before + step)
    warned.changed()
    by = None if body.anonymous else session.info(session.network.now())
    warned.deliver(oservice.WarnedNotice(level=warned.account.warning, by=by))
    session.deliver(icbm.WarnReply(gained=warned.account.warning - before, level=warned.account.warning), request_id)
    session.network.tell(warned)
