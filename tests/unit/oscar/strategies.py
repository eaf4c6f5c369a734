"""Hypothesis strategies for OSCAR values: every body of the registry can be drawn."""

from __future__ import annotations

import attrs
from hypothesis import strategies as st

from transports.oscar.wire import feedbag, icbm, oservice
from transports.oscar.wire.rates import RateClass, RateMembers
from transports.oscar.wire.snac import Body
from transports.oscar.wire.tlv import Tlvs
from transports.oscar.wire.userinfo import UserInfo

u8s = st.integers(0, 0xFF)
u16s = st.integers(0, 0xFFFF)
u32s = st.integers(0, 0xFFFFFFFF)
names = st.text(st.characters(codec="utf-8", max_codepoint=0x2FF), max_size=20)
texts = st.text(st.characters(codec="utf-8"), max_size=40)
tlv_lists = st.builds(Tlvs, st.lists(st.tuples(u16s, st.binary(max_size=20)), max_size=5))
cookies = st.binary(min_size=8, max_size=8)
users = st.builds(UserInfo, name=names, warning=u16s, tlvs=tlv_lists)
items = st.builds(feedbag.Item, name=texts, group_id=u16s, item_id=u16s, class_id=u16s, tlvs=tlv_lists)
plain_rates = st.builds(
    RateClass, id=u16s, window=u32s, clear=u32s, alert=u32s, limit=u32s, disconnect=u32s, current=u32s, maximum=u32s
)
full_rates = st.builds(
    RateClass, id=u16s, window=u32s, clear=u32s, alert=u32s, limit=u32s, disconnect=u32s, current=u32s, maximum=u32s,
    elapsed=u32s, dropping=u8s,
)  # fmt: skip
pairs = st.tuples(u16s, u16s)


@st.composite
def rates_replies(draw: st.DrawFn) -> oservice.RatesReply:
    """Rates whose members belong to their classes."""
    source = draw(st.sampled_from([plain_rates, full_rates]))
    classes = tuple(draw(st.lists(source, min_size=1, max_size=4)))
    ids = st.sampled_from([each.id for each in classes])
    lists = st.builds(RateMembers, class_id=ids, members=st.lists(pairs, max_size=4).map(tuple))
    return oservice.RatesReply(classes=classes, members=tuple(draw(st.lists(lists, max_size=3))))


_BY_FIELD: dict[str, st.SearchStrategy[object]] = {
    "tlvs": tlv_lists,
    "rest": tlv_lists,
    "words": st.lists(u16s, max_size=6).map(tuple),
    "names": st.lists(names, max_size=4).map(tuple),
    "users": st.lists(users, max_size=3).map(tuple),
    "user": users,
    "sender": users,
    "by": st.none() | users,
    "items": st.lists(items, max_size=4).map(tuple),
    "cookie": cookies,
    "name": names,
    "to": names,
    "reason": texts,
    "versions": st.lists(pairs, max_size=4).map(tuple),
    "groups": st.lists(u16s, max_size=4).map(tuple),
    "rate": plain_rates | full_rates,
    "anonymous": st.booleans(),
    "accepted": st.booleans(),
    "version": u8s,
    "key": st.binary(max_size=40),
    "detail": st.binary(max_size=20),
    "data": st.binary(max_size=40),
    "seconds": u32s,
    "timestamp": u32s,
    "mask": u32s,
    "wanted": u32s,
    "uin": u32s,
    "min_interval": u32s,
    "tools": st.lists(
        st.builds(oservice.ToolVersion, group=u16s, version=u16s, tool=u16s, tool_version=u16s), max_size=4
    ).map(tuple),
    "calls": st.lists(st.builds(icbm.MissedCall, channel=u16s, sender=users, count=u16s, reason=u16s), max_size=3).map(
        tuple
    ),
}


def bodies(kind: type[Body]) -> st.SearchStrategy[Body]:
    """Any value of a body."""
    if kind is oservice.RatesReply:
        return rates_replies()
    fields = {field.name: field for field in attrs.fields(kind)}  # type: ignore[arg-type]
    chosen: dict[str, st.SearchStrategy[object]] = {}
    for name in fields:
        if name == "flags":
            chosen[name] = u32s
        else:
            chosen[name] = _BY_FIELD.get(name, u16s)
    return st.builds(kind, **chosen)
