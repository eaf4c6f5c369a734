"""From a SNAC's ids to the value of its body."""

from __future__ import annotations

from transports.oscar.wire import bucp, buddy, feedbag, icbm, icq, locate, oservice, privacy, stats
from transports.oscar.wire.common import SnacError
from transports.oscar.wire.snac import Body, SnacFrame, UnknownBody

BODIES: dict[tuple[int, int], type[Body]] = {
    (each.GROUP, each.KIND): each
    for module in (oservice, locate, buddy, icbm, privacy, stats, feedbag, icq, bucp)
    for each in module.BODIES
}
"""Every known body by food group and subtype. A subtype has one layout, whoever sends it."""


def decode_body(frame: SnacFrame) -> Body:
    """The value of a SNAC's body: one of `BODIES`, `SnacError` for xx/01, `UnknownBody` for the rest.

    Raises `OscarSyntaxError` when the bytes are not what their ids promise.
    """
    if frame.kind == 1:
        return SnacError.read(frame.group, frame.data)
    known = BODIES.get((frame.group, frame.kind))
    if known is None:
        return UnknownBody(group=frame.group, kind=frame.kind, data=frame.data)
    return known.decode(frame.data)
