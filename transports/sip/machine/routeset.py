"""The route set of a dialog (RFC 3261 section 12.2.1.1): what a request in it says, and where it goes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from transports.sip.wire.errors import SipSyntaxError
from transports.sip.wire.headers import parse_name_addr
from transports.sip.wire.uri import SipUri


class Routed(NamedTuple):
    """A request of a dialog: its Request-URI, its Route headers, and the URI that says where it goes."""

    request_uri: str
    routes: tuple[str, ...]
    next_hop: SipUri


def routed(routes: Sequence[str], target: SipUri) -> Routed:
    """Returns how a request to the remote target of a dialog is written.

    The first proxy gets it: a loose router (``lr``) finds the target in the Request-URI, a strict one takes the
    Request-URI for its own address and finds the target behind the last Route. One whose address cannot be read is
    passed over.
    """
    first = _uri(routes[0]) if routes else None
    if first is None:
        return Routed(str(target), tuple(routes), target)
    if first.has_param("lr"):
        return Routed(str(target), tuple(routes), first)
    own = first.replace(headers=(), params=tuple(pair for pair in first.params if pair[0].lower() != "method"))
    return Routed(str(own), (*routes[1:], f"<{target}>"), first)


def _uri(route: str) -> SipUri | None:
    try:
        uri = parse_name_addr(route).uri
    except SipSyntaxError:
        return None
    return uri if isinstance(uri, SipUri) else None
