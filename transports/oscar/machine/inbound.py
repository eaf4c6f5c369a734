"""From received SNAC bodies to native values. Pure: what is to be answered is given back, not sent."""

from __future__ import annotations

import calendar
import hashlib

from attrs import frozen

from transports.oscar.wire import icbm, rendezvous, text
from transports.oscar.wire.codes import ICQ_AWAY, ICQ_DND, ICQ_INVISIBLE, ICQ_NA, ICQ_OCCUPIED, MISSED_REASONS
from transports.oscar.wire.errors import OscarSyntaxError
from transports.oscar.wire.icq import OfflineMessage
from transports.oscar.wire.names import is_uin
from transports.oscar.wire.native import (
    AuthorizationAnswered,
    AuthorizationRequest,
    BuddyPresence,
    ImMissed,
    ImReceived,
    ImUnreadable,
    Inbound,
    RendezvousDeclined,
    Typing,
    TypingReceived,
    YouWereAdded,
)
from transports.oscar.wire.snac import Body
from transports.oscar.wire.userinfo import CLASS_WIRELESS, UserInfo

STORED_CHANNEL = 0
"""The `channel` of a message from ICQ's own store, which has neither a channel nor a cookie."""
_AWAY_BITS = ICQ_AWAY | ICQ_DND | ICQ_NA | ICQ_OCCUPIED
_STATES = {
    icbm.TYPING_TYPED: Typing.TYPED,
    icbm.TYPING_BEGUN: Typing.TYPING,
    icbm.TYPING_CLOSED: Typing.CLOSED,
}


@frozen(kw_only=True)
class Read:
    """What a message says, and what is to be sent because of it."""

    event: Inbound
    answer: Body | None = None


def read_message(account: str, body: icbm.IncomingMessage, raw: bytes) -> Read:
    """A message of any channel. What cannot be read becomes an `ImUnreadable` with `raw`: never silence."""
    try:
        if body.channel == icbm.CHANNEL_TEXT:
            return Read(event=_channel_1(account, body))
        if body.channel == icbm.CHANNEL_RENDEZVOUS:
            return _channel_2(account, body, raw)
        if body.channel == icbm.CHANNEL_ICQ:
            return Read(event=_channel_4(account, body, raw))
    except OscarSyntaxError as error:
        return Read(event=unreadable(account, body, str(error), raw))
    return Read(event=unreadable(account, body, f"channel {body.channel} is not supported", raw))


def unreadable(account: str, body: icbm.IncomingMessage, reason: str, raw: bytes) -> ImUnreadable:
    """The record of a message that has no text for us."""
    return ImUnreadable(
        account=account, sender=body.sender.name, cookie=body.cookie, channel=body.channel, reason=reason, raw=raw
    )


def _channel_1(account: str, body: icbm.IncomingMessage) -> ImReceived:
    value = body.tlvs.get(icbm.TLV_TEXT)
    if value is None:
        raise OscarSyntaxError("message: no text (TLV 0x0002)")
    message = text.decode_message(value)
    return ImReceived(
        account=account,
        sender=body.sender.name,
        text=message.text,
        # between two ICQ numbers angle brackets are mere text, save for newer clients, which write whole documents
        is_html=not (is_uin(account) and is_uin(body.sender.name)) or message.text[:6].lower() == "<html>",
        cookie=body.cookie,
        auto_response=body.tlvs.has(icbm.TLV_AUTO_RESPONSE),
        timestamp=body.tlvs.u32(icbm.TLV_SEND_TIME),
        offline=body.tlvs.has(icbm.TLV_STORE),
        charset=message.charset,
        lossy=message.lossy,
    )


def _channel_2(account: str, body: icbm.IncomingMessage, raw: bytes) -> Read:
    value = body.tlvs.get(icbm.TLV_DATA)
    if value is None:
        raise OscarSyntaxError("rendezvous: no data (TLV 0x0005)")
    proposal = rendezvous.Rendezvous.decode(value)
    if proposal.type != rendezvous.PROPOSE:
        return Read(event=unreadable(account, body, f"rendezvous of type {proposal.type}, of which we know none", raw))
    event = RendezvousDeclined(
        account=account,
        sender=body.sender.name,
        capability=proposal.capability,
        invitation=proposal.tlvs.text(rendezvous.TLV_INVITATION),
    )
    return Read(event=event, answer=rendezvous.decline(body.sender.name, body.cookie))


def _channel_4(account: str, body: icbm.IncomingMessage, raw: bytes) -> Inbound:
    value = body.tlvs.get(icbm.TLV_DATA)
    if value is None:
        raise OscarSyntaxError("ICQ message: no data (TLV 0x0005)")
    message = rendezvous.IcqMessage.decode(value)
    event = read_icq(account, body.sender.name, message, cookie=body.cookie, channel=body.channel)
    if event is None:
        return unreadable(account, body, f"ICQ message of type {message.type:#04x}", raw)
    timestamp = body.tlvs.u32(icbm.TLV_SEND_TIME)
    if isinstance(event, ImReceived) and (timestamp is not None or body.tlvs.has(icbm.TLV_STORE)):
        return _stamped(event, timestamp, offline=body.tlvs.has(icbm.TLV_STORE))
    return event


def _stamped(event: ImReceived, timestamp: int | None, *, offline: bool) -> ImReceived:
    return ImReceived(
        account=event.account,
        sender=event.sender,
        text=event.text,
        is_html=False,
        cookie=event.cookie,
        timestamp=timestamp,
        offline=offline,
        channel=event.channel,
    )


def read_icq(
    account: str, sender: str, message: rendezvous.IcqMessage, *, cookie: bytes, channel: int
) -> Inbound | None:
    """An old ICQ message; None when its type has no meaning for us."""
    parts = message.fields
    if message.type in {rendezvous.ICQ_PLAIN, rendezvous.ICQ_URL}:
        # a URL message is a description and an address
        body = "\n".join(part for part in parts if part) if message.type == rendezvous.ICQ_URL else message.text
        return ImReceived(account=account, sender=sender, text=body, is_html=False, cookie=cookie, channel=channel)
    if message.type == rendezvous.ICQ_AUTH_REQUEST:
        return AuthorizationRequest(account=account, sender=sender, reason=parts[-1])
    if message.type in {rendezvous.ICQ_AUTH_DENIED, rendezvous.ICQ_AUTH_GRANTED}:
        granted = message.type == rendezvous.ICQ_AUTH_GRANTED
        return AuthorizationAnswered(account=account, sender=sender, accepted=granted, reason=message.text)
    if message.type == rendezvous.ICQ_ADDED:
        return YouWereAdded(account=account, sender=sender)
    return None


def read_stored(account: str, stored: OfflineMessage, earlier_alike: int) -> Inbound:
    """A message from ICQ's own store.

    It has no cookie. One is made of who, when, what and how many alike came before it, so that the same message,
    fetched again, has the same cookie, and two alike have two.
    """
    moment = (stored.year, stored.month, stored.day, stored.hour, stored.minute)
    seed = f"{stored.uin} {moment} {earlier_alike} {stored.type} ".encode() + stored.text
    cookie = hashlib.sha256(seed).digest()[: icbm.COOKIE_SIZE]
    message = rendezvous.IcqMessage(uin=stored.uin, type=stored.type, flags=stored.flags, text=stored.text_str)
    event = read_icq(account, str(stored.uin), message, cookie=cookie, channel=STORED_CHANNEL)
    if event is None:
        reason = f"ICQ message of type {stored.type:#04x}"
        return ImUnreadable(
            account=account, sender=str(stored.uin), cookie=cookie, channel=None, reason=reason, raw=stored.encode()
        )
    return _stamped(event, _epoch(*moment), offline=True) if isinstance(event, ImReceived) else event


def _epoch(year: int, month: int, day: int, hour: int, minute: int) -> int | None:
    if not (1970 <= year <= 2200 and 1 <= month <= 12 and 1 <= day <= 31 and hour <= 23 and minute <= 59):
        return None
    return calendar.timegm((year, month, day, hour, minute, 0))


def read_typing(account: str, body: icbm.ClientEvent) -> TypingReceived:
    """A typing notification; every state that is not known is none."""
    return TypingReceived(account=account, sender=body.name, state=_STATES.get(body.event, Typing.NONE))


def read_missed(account: str, body: icbm.MissedCalls) -> tuple[ImMissed, ...]:
    """Messages that were not handed to us."""
    return tuple(
        ImMissed(
            account=account,
            sender=call.sender.name,
            count=call.count,
            reason=MISSED_REASONS.get(call.reason, f"reason {call.reason}"),
        )
        for call in body.calls
    )


def read_presence(account: str, user: UserInfo, *, online: bool, away_message: str | None = None) -> BuddyPresence:
    """A user's block as presence; raises `OscarSyntaxError` when it is malformed."""
    if not online:
        return BuddyPresence(account=account, screen_name=user.name, online=False, warning_level=user.warning)
    status = user.status & 0xFFFF
    return BuddyPresence(
        account=account,
        screen_name=user.name,
        online=True,
        away=user.away or bool(status & _AWAY_BITS),
        away_message=away_message,
        status_text=user.available_message,
        idle_minutes=user.idle_minutes,
        invisible=bool(status & ICQ_INVISIBLE),
        icq_status=status,
        signon_time=user.signon_time,
        caps=user.caps,
        warning_level=user.warning,
        wireless=bool(user.user_class & CLASS_WIRELESS),
    )
