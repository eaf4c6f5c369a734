"""Food group 01: sign-on's steps, rates, own information; and 0B, statistics."""

from __future__ import annotations

from tests.kit.oscar_server.session import GROUPS, NO_SUCH_SERVICE, Session, handles
from transports.oscar.wire import feedbag, oservice, stats
from transports.oscar.wire.codes import OSERVICE
from transports.oscar.wire.reader import u32
from transports.oscar.wire.snac import EXTENDED
from transports.oscar.wire.tlv import Tlvs, tlv_text
from transports.oscar.wire.userinfo import MEMBER_SINCE, ONLINE_SECONDS, SIGNON_TIME, UserInfo

_MOTD_USUAL, _MOTD_TEXT = 4, 0x0B


@handles(oservice.ClientVersions)
def versions(session: Session, body: oservice.ClientVersions, request_id: int) -> None:
    """01/17: of each food group the version that both speak."""
    agreed = tuple((group, min(version, GROUPS[group])) for group, version in body.versions if group in GROUPS)
    session.version = dict(agreed).get(OSERVICE, 1)
    session.deliver(oservice.HostVersions(agreed), request_id)
    motd = session.network.config.motd
    if motd:
        session.deliver(oservice.Motd(type=_MOTD_USUAL, tlvs=Tlvs([tlv_text(_MOTD_TEXT, motd)])))


@handles(oservice.RatesQuery)
def rates(session: Session, _: oservice.RatesQuery, request_id: int) -> None:
    """01/06."""
    now = session.network.now()
    classes = tuple(meter.told(now, extended=session.version > 1) for meter in session.rating.meters.values())
    session.deliver(oservice.RatesReply(classes=classes, members=session.network.config.rates.members), request_id)


@handles(oservice.RatesAccept)
def rates_accept(session: Session, body: oservice.RatesAccept, _: int) -> None:
    """01/08: from now on changes are told."""
    session.rating.subscribe(body.words, wanted=True)


@handles(oservice.RatesForget)
def rates_forget(session: Session, body: oservice.RatesForget, _: int) -> None:
    """01/09."""
    session.rating.subscribe(body.words, wanted=False)


def own_information(session: Session) -> oservice.SelfInfo:
    """01/0F: what others see, and some more."""
    now = session.network.now()
    info = session.info(now)
    more = [
        (MEMBER_SINCE, u32(session.account.member_since)),
        (SIGNON_TIME, u32(session.signed_on_at)),
        (ONLINE_SECONDS, u32(max(0, int(now - session.signed_on_at)))),
    ]
    return oservice.SelfInfo((UserInfo(name=info.name, warning=info.warning, tlvs=Tlvs((*info.tlvs, *more))),))


@handles(oservice.SelfInfoQuery)
def self_info(session: Session, _: oservice.SelfInfoQuery, request_id: int) -> None:
    """01/0E."""
    session.deliver(own_information(session), request_id)


@handles(oservice.ClientOnline)
def online(session: Session, _: oservice.ClientOnline, __: int) -> None:
    """01/02: others may see this client, and it them."""
    if session.online:
        return
    session.network.went_online(session)
    session.deliver(stats.MinInterval(1))
    for name, reason in session.account.asked.items():
        asked = feedbag.AuthorizationAsked(name=name, reason=reason)
        session.deliver(asked, flags=EXTENDED, extra=Tlvs())
    session.account.asked.clear()


@handles(oservice.Idle)
def idle(session: Session, body: oservice.Idle, _: int) -> None:
    """01/11."""
    session.idle_since = session.network.now() - body.seconds if body.seconds else None
    session.changed()
    session.network.tell(session)


@handles(oservice.SetStatus)
def set_status(session: Session, body: oservice.SetStatus, request_id: int) -> None:
    """01/1E: ICQ's status, and being invisible."""
    status = body.tlvs.u32(oservice.TLV_STATUS)
    if status is not None:
        session.status = status
        session.changed()
        session.network.tell(session)
    session.deliver(oservice.SelfInfo((session.info(session.network.now()),)), request_id)


@handles(oservice.ServiceRequest)
def service(session: Session, _: oservice.ServiceRequest, request_id: int) -> None:
    """01/04: there are no further servers."""
    session.refuse(OSERVICE, NO_SUCH_SERVICE, request_id)


@handles(oservice.PauseAck)
def pause_ack(_: Session, __: oservice.PauseAck, ___: int) -> None:
    """01/0C: nothing is to be done."""


@handles(oservice.PrivacyFlags)
def privacy_flags(_: Session, __: oservice.PrivacyFlags, ___: int) -> None:
    """01/14: idle times and dates are shown anyway, as newer servers do."""


@handles(oservice.Noop)
def noop(_: Session, __: oservice.Noop, ___: int) -> None:
    """01/16."""


@handles(stats.Report)
def report(session: Session, _: stats.Report, request_id: int) -> None:
    """0B/03: received; reports are not kept."""
    session.deliver(stats.ReportAck(), request_id)
