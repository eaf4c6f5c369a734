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

PUSHED: frozenset[tuple[int, int]] = frozenset({
    (0x01, 0x0A), (0x01, 0x0B), (0x01, 0x0D), (0x01, 0x10), (0x01, 0x12), (0x01, 0x13), (0x03, 0x0A), (0x03, 0x0B),
    (0x03, 0x0C), (0x04, 0x07), (0x04, 0x0A), (0x04, 0x0B), (0x04, 0x14), (0x13, 0x08), (0x13, 0x09), (0x13, 0x0A),
    (0x13, 0x11), (0x13, 0x12), (0x13, 0x15), (0x13, 0x19), (0x13, 0x1B), (0x13, 0x1C),
})  # fmt: skip
"""What servers send of their own accord: some repeat in it the request id of another client's SNAC."""


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
