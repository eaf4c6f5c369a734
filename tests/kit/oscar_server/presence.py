"""Food groups 03 and 09: whom a client without a list wants to know of, and whom it lets know of itself."""

from __future__ import annotations

from tests.kit.oscar_server.session import Session, handles
from transports.oscar.wire import buddy, privacy
from transports.oscar.wire.names import normal
from transports.oscar.wire.tlv import Tlvs, tlv16

_MOST = 1000


@handles(buddy.RightsQuery)
def buddy_rights(session: Session, _: buddy.RightsQuery, request_id: int) -> None:
    """03/02."""
    limits = Tlvs([
        tlv16(buddy.MAX_BUDDIES, session.network.config.max_buddies),
        tlv16(buddy.MAX_WATCHERS, _MOST),
        tlv16(buddy.MAX_TEMPORARY, _MOST),
    ])  # fmt: skip
    session.deliver(buddy.RightsReply(limits), request_id)


@handles(privacy.RightsQuery)
def privacy_rights(session: Session, _: privacy.RightsQuery, request_id: int) -> None:
    """09/02."""
    session.deliver(privacy.RightsReply(Tlvs([tlv16(1, _MOST), tlv16(2, _MOST)])), request_id)


def _add(session: Session, names: tuple[str, ...]) -> None:
    wanted: set[str] = set()
    rejected: list[str] = []
    for name in names:
        account = session.network.accounts.find(name)
        if account is not None and account.requires_authorization and session.name not in account.granted:
            rejected.append(name)
        else:
            wanted.add(normal(name))
    room = max(0, session.network.config.max_buddies - len(session.watching))
    new = sorted(wanted - session.watching)
    rejected += new[room:]
    session.network.watch(session, set(new[:room]))
    if rejected:
        session.deliver(buddy.Rejected(tuple(rejected)))


@handles(buddy.AddBuddies)
def add(session: Session, body: buddy.AddBuddies, _: int) -> None:
    """03/04."""
    _add(session, body.names)


@handles(buddy.AddTemporary)
def add_temporary(session: Session, body: buddy.AddTemporary, _: int) -> None:
    """03/0F."""
    _add(session, body.names)


@handles(buddy.RemoveBuddies)
def remove(session: Session, body: buddy.RemoveBuddies, _: int) -> None:
    """03/05."""
    session.network.unwatch(session, {normal(name) for name in body.names})


@handles(buddy.RemoveTemporary)
def remove_temporary(session: Session, body: buddy.RemoveTemporary, _: int) -> None:
    """03/10."""
    session.network.unwatch(session, {normal(name) for name in body.names})


def privacy_changed(session: Session) -> None:
    """Who may see whom has changed."""
    session.network.tell(session)
    session.network.look_around(session)


@handles(privacy.SetClassMask)
def class_mask(_: Session, __: privacy.SetClassMask, ___: int) -> None:
    """09/04: all classes may see everybody, as newer servers have it."""


@handles(privacy.AddPermits)
def add_permits(session: Session, body: privacy.AddPermits, _: int) -> None:
    """09/05."""
    session.permit(body.names)
    privacy_changed(session)


@handles(privacy.RemovePermits)
def remove_permits(session: Session, body: privacy.RemovePermits, _: int) -> None:
    """09/06."""
    session.forget_permits(body.names)
    privacy_changed(session)


@handles(privacy.AddDenies)
def add_denies(session: Session, body: privacy.AddDenies, _: int) -> None:
    """09/07."""
    session.deny(body.names)
    privacy_changed(session)


@handles(privacy.RemoveDenies)
def remove_denies(session: Session, body: privacy.RemoveDenies, _: int) -> None:
    """09/08."""
    session.forget_denies(body.names)
    privacy_changed(session)
