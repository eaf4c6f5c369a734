"""Food group 13: the list that the server keeps, and the questions of authorization between ICQ numbers."""

from __future__ import annotations

from collections.abc import Callable

from tests.kit.oscar_server.accounts import Account
from tests.kit.oscar_server.presence import privacy_changed
from tests.kit.oscar_server.session import Session, handles
from transports.oscar.wire import feedbag
from transports.oscar.wire.names import normal
from transports.oscar.wire.reader import u16
from transports.oscar.wire.snac import EXTENDED, MORE_REPLIES
from transports.oscar.wire.tlv import Tlvs, tlv16

_MAX_NAME = 200
_PART = 300
"""So many items at most go into one 13/06."""
_PRIVACY_CLASSES = {feedbag.PERMIT, feedbag.DENY, feedbag.PDINFO}
_HIGHEST_CLASS = 0x1D


def _limits(session: Session) -> dict[int, int]:
    """The most items of each class."""
    most = session.network.config.max_buddies
    return {
        feedbag.BUDDY: most, feedbag.GROUP: 100, feedbag.PERMIT: most, feedbag.DENY: most, feedbag.PDINFO: 1,
        feedbag.PREFS: 1, feedbag.IGNORE: most,
    }  # fmt: skip


@handles(feedbag.RightsQuery)
def rights(session: Session, _: feedbag.RightsQuery, request_id: int) -> None:
    """13/02."""
    limits = _limits(session)
    by_class = b"".join(u16(limits.get(number, 50)) for number in range(_HIGHEST_CLASS + 1))
    tlvs = [
        tlv16(0x03, 200),
        (feedbag.LIMIT_BY_CLASS, by_class),
        tlv16(feedbag.LIMIT_NAME, _MAX_NAME),
        tlv16(feedbag.LIMIT_PER_GROUP, min(0xFFFF, session.network.config.max_buddies)),
    ]
    session.deliver(feedbag.RightsReply(Tlvs(tlvs)), request_id)


@handles(feedbag.ListQuery)
def query(session: Session, _: feedbag.ListQuery, request_id: int) -> None:
    """13/04: the whole list, in parts when it is long."""
    items = tuple(session.account.items.values())
    stamp = session.account.stamp
    parts = [items[at : at + _PART] for at in range(0, len(items), _PART)] or [()]
    for part in parts[:-1]:
        session.deliver(feedbag.ListReply(items=part, timestamp=stamp), request_id, flags=MORE_REPLIES)
    session.deliver(feedbag.ListReply(items=parts[-1], timestamp=stamp), request_id)


@handles(feedbag.ListQueryIfChanged)
def query_if_changed(session: Session, body: feedbag.ListQueryIfChanged, request_id: int) -> None:
    """13/05."""
    account = session.account
    if body.timestamp == account.stamp and body.count == len(account.items):
        session.deliver(feedbag.ListUnchanged(timestamp=account.stamp, count=body.count), request_id)
    else:
        query(session, feedbag.ListQuery(), request_id)


@handles(feedbag.Activate)
def activate(session: Session, _: feedbag.Activate, __: int) -> None:
    """13/07: from now on the list says whom the client wants to know of."""
    session.list_in_use = True
    session.network.watch(session, session.account.buddies())


# -- edits


def _edit(
    session: Session, items: tuple[feedbag.Item, ...], request_id: int, one: Callable[[Session, feedbag.Item], int]
) -> None:
    results = tuple(one(session, item) for item in items)
    done = [item for item, result in zip(items, results, strict=True) if result == feedbag.OK]
    if done:
        session.account.changed(session.network.now())
    session.deliver(feedbag.EditStatus(results), request_id)
    if not done:
        return
    if session.list_in_use:
        wanted = session.account.buddies()
        touched = {normal(item.name) for item in done if item.class_id == feedbag.BUDDY}
        session.network.unwatch(session, touched - wanted)
        session.network.watch(session, wanted - session.watching)
    if any(item.class_id in _PRIVACY_CLASSES for item in done):
        privacy_changed(session)


@handles(feedbag.Insert)
def insert(session: Session, body: feedbag.Insert, request_id: int) -> None:
    """13/08."""
    _edit(session, body.items, request_id, _insert_one)


@handles(feedbag.Update)
def update(session: Session, body: feedbag.Update, request_id: int) -> None:
    """13/09."""
    _edit(session, body.items, request_id, _update_one)


@handles(feedbag.Delete)
def delete(session: Session, body: feedbag.Delete, request_id: int) -> None:
    """13/0A."""
    _edit(session, body.items, request_id, _delete_one)


def _insert_one(session: Session, item: feedbag.Item) -> int:
    items = session.account.items
    key = (item.group_id, item.item_id)
    if key in items:
        return feedbag.EXISTS
    if len(item.name.encode()) > _MAX_NAME:
        return feedbag.INVALID
    limit = _limits(session).get(item.class_id, 50)
    alike = sum(each.class_id == item.class_id for each in items.values())
    if alike >= limit:
        return feedbag.LIMIT_EXCEEDED
    if item.class_id == feedbag.BUDDY:
        refusal = _buddy_refusal(session, item)
        if refusal != feedbag.OK:
            return refusal
    items[key] = item
    if item.class_id == feedbag.BUDDY and not item.awaits_authorization:
        _tell_added(session, item.name)
    return feedbag.OK


def _buddy_refusal(session: Session, item: feedbag.Item) -> int:
    if not item.name or not item.item_id or (item.group_id, 0) not in session.account.items:
        return feedbag.INVALID
    account = session.network.accounts.find(item.name)
    if account is None or not account.requires_authorization or session.name in account.granted:
        return feedbag.OK
    return feedbag.OK if item.awaits_authorization else feedbag.NEEDS_AUTHORIZATION


def _tell_added(session: Session, name: str) -> None:
    """ICQ numbers are told who has added them."""
    added = session.network.resident(name)
    if added is not None and added is not session and added.account.icq:
        added.deliver(feedbag.YouWereAdded(session.display), flags=EXTENDED, extra=Tlvs([tlv16(0x01, 4)]))


def _update_one(session: Session, item: feedbag.Item) -> int:
    key = (item.group_id, item.item_id)
    before = session.account.items.get(key)
    if before is None or before.class_id != item.class_id:
        return feedbag.NOT_FOUND
    session.account.items[key] = item
    return feedbag.OK


def _delete_one(session: Session, item: feedbag.Item) -> int:
    before = session.account.items.get((item.group_id, item.item_id))
    if before is None or before.class_id != item.class_id:
        return feedbag.NOT_FOUND
    del session.account.items[item.group_id, item.item_id]
    return feedbag.OK


@handles(feedbag.StartEdit)
def start_edit(_: Session, __: feedbag.StartEdit, ___: int) -> None:
    """13/11: each edit takes effect at once all the same."""


@handles(feedbag.EndEdit)
def end_edit(_: Session, __: feedbag.EndEdit, ___: int) -> None:
    """13/12."""


# -- authorization


@handles(feedbag.PreAuthorize)
def pre_authorize(session: Session, body: feedbag.PreAuthorize, _: int) -> None:
    """13/14."""
    _grant(session, body.name)
    other = session.network.resident(body.name)
    if other is not None:
        other.deliver(feedbag.PreAuthorized(name=session.display, reason=body.reason), flags=EXTENDED, extra=Tlvs())


@handles(feedbag.AuthorizationRequest)
def ask(session: Session, body: feedbag.AuthorizationRequest, _: int) -> None:
    """13/18: asked now, or when they sign on."""
    account = session.network.accounts.find(body.name)
    if account is None:
        return
    other = session.network.resident(body.name)
    if other is None:
        account.asked[session.display] = body.reason
    else:
        asked = feedbag.AuthorizationAsked(name=session.display, reason=body.reason)
        other.deliver(asked, flags=EXTENDED, extra=Tlvs([tlv16(0x01, 2)]))


@handles(feedbag.AuthorizationReply)
def answer(session: Session, body: feedbag.AuthorizationReply, _: int) -> None:
    """13/1A."""
    if body.accepted:
        _grant(session, body.name)
    other = session.network.resident(body.name)
    if other is None:
        return
    told = feedbag.AuthorizationAnswered(name=session.display, accepted=body.accepted, reason=body.reason)
    other.deliver(told, flags=EXTENDED, extra=Tlvs())
    if body.accepted and isinstance(other, Session) and other.list_in_use:
        session.network.watch(other, other.account.buddies())


def _grant(session: Session, name: str) -> None:
    """This account allows a name; their item no longer waits."""
    session.account.granted.add(normal(name))
    other = session.network.accounts.find(name)
    if other is not None and _no_longer_waits(other, session.name):
        other.changed(session.network.now())


def _no_longer_waits(account: Account, name: str) -> bool:
    found = False
    for key, item in account.items.items():
        if item.class_id == feedbag.BUDDY and normal(item.name) == name and item.awaits_authorization:
            found = True
            account.items[key] = feedbag.Item(
                name=item.name,
                group_id=item.group_id,
                item_id=item.item_id,
                class_id=item.class_id,
                tlvs=item.tlvs.without(feedbag.ATTR_PENDING),
            )
    return found
