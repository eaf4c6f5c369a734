"""Food group 15: what other ICQ numbers wrote while this one was away."""

from __future__ import annotations

from datetime import UTC, datetime

from tests.kit.oscar_server.accounts import Stored
from tests.kit.oscar_server.messages import is_old_icq
from tests.kit.oscar_server.session import INVALID, Session, handles
from transports.oscar.wire import icbm, icq
from transports.oscar.wire.codes import ICQ
from transports.oscar.wire.snac import MORE_REPLIES
from transports.oscar.wire.text import decode_message

_PLAIN = 1


@handles(icq.IcqRequest)
def request(session: Session, body: icq.IcqRequest, request_id: int) -> None:
    """15/02: 003C asks for what is stored, 003E deletes it; nothing else is known here."""
    if body.type == icq.OFFLINE_REQUEST:
        _give(session, body, request_id)
    elif body.type == icq.OFFLINE_DELETE:
        account = session.account
        account.stored[:] = [each for each in account.stored if not is_old_icq(session, each)]
    else:
        session.refuse(ICQ, INVALID, request_id)


def _give(session: Session, body: icq.IcqRequest, request_id: int) -> None:
    for stored in session.account.stored:
        if is_old_icq(session, stored):
            data = _message(stored).encode()
            reply = icq.IcqReply(uin=body.uin, type=icq.OFFLINE_MESSAGE, sequence=body.sequence, data=data)
            session.deliver(reply, request_id, flags=MORE_REPLIES)
    # one byte: whether some were dropped
    end = icq.IcqReply(uin=body.uin, type=icq.OFFLINE_END, sequence=body.sequence, data=b"\0")
    session.deliver(end, request_id)


def _message(stored: Stored) -> icq.OfflineMessage:
    moment = datetime.fromtimestamp(stored.sent, UTC)
    text = decode_message(stored.message.tlvs.get(icbm.TLV_TEXT) or b"").text
    return icq.OfflineMessage(
        uin=int("".join(char for char in stored.sender if char.isdigit())) & 0xFFFFFFFF,
        year=moment.year,
        month=moment.month,
        day=moment.day,
        hour=moment.hour,
        minute=moment.minute,
        type=_PLAIN,
        text=text.encode("utf-8"),
    )
