"""Food group 02: profiles and away messages."""

from __future__ import annotations

from tests.kit.oscar_server.session import NOT_THERE, Session, handles
from transports.oscar.wire import locate
from transports.oscar.wire.caps import read_caps
from transports.oscar.wire.codes import LOCATE
from transports.oscar.wire.tlv import Tlvs, tlv16

_LONGEST = 1000


@handles(locate.RightsQuery)
def rights(session: Session, _: locate.RightsQuery, request_id: int) -> None:
    """02/02."""
    session.deliver(locate.RightsReply(Tlvs([tlv16(tag, _LONGEST) for tag in range(1, 6)])), request_id)


@handles(locate.SetInfo)
def set_info(session: Session, body: locate.SetInfo, _: int) -> None:
    """02/04: what is there replaces what was there."""
    tlvs = body.tlvs
    profile, away, caps = tlvs.get(locate.PROFILE), tlvs.get(locate.AWAY), tlvs.get(locate.CAPABILITIES)
    if profile is not None:
        session.profile, session.profile_mime = profile, tlvs.get(locate.PROFILE_MIME) or b""
    if caps is not None:
        read_caps(caps)
        session.caps = caps
    if away is not None:
        session.away, session.away_mime = away, tlvs.get(locate.AWAY_MIME) or b""
    if away is not None or caps is not None:
        session.changed()
        session.network.tell(session)


@handles(locate.InfoQuery)
def info(session: Session, body: locate.InfoQuery, request_id: int) -> None:
    """02/05: 1 profile, 2 both, 3 away message, 4 capabilities (which are in the block anyway)."""
    wanted = {1: locate.WANT_PROFILE, 2: locate.WANT_PROFILE | locate.WANT_AWAY, 3: locate.WANT_AWAY}
    _answer(session, wanted.get(body.type, 0), body.name, request_id)


@handles(locate.InfoQuery2)
def info2(session: Session, body: locate.InfoQuery2, request_id: int) -> None:
    """02/15."""
    _answer(session, body.wanted, body.name, request_id)


def _answer(session: Session, wanted: int, name: str, request_id: int) -> None:
    subject = session.network.resident(name)
    if subject is None or (subject is not session and not session.network.shows(subject, session)):
        session.refuse(LOCATE, NOT_THERE, request_id)
        return
    texts: list[tuple[int, bytes]] = []
    if wanted & locate.WANT_PROFILE:
        texts += [(locate.PROFILE_MIME, subject.profile_mime), (locate.PROFILE, subject.profile)]
    if wanted & locate.WANT_AWAY and subject.away:
        texts += [(locate.AWAY_MIME, subject.away_mime), (locate.AWAY, subject.away)]
    if wanted & locate.WANT_CAPS:
        texts.append((locate.CAPABILITIES, subject.caps))
    reply = locate.InfoReply(user=subject.info(session.network.now()), tlvs=Tlvs(texts))
    session.deliver(reply, request_id)
