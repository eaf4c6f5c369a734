"""Whether a SUBSCRIBE can be taken at all, and a list be told (RFC 6665, RFC 3856, RFC 4662). Values only."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

from transports.sip.machine.config import EndpointConfig, Limits
from transports.sip.machine.lists import resources_octets
from transports.sip.machine.packages import ALLOW_EVENTS, PACKAGES, PRESENCE, unacceptable
from transports.sip.wire.headers import NameAddr
from transports.sip.wire.message import Request
from transports.sip.wire.uri import SipUri

Refused: TypeAlias = tuple[int, str | None, tuple[tuple[str, str], ...]]
"""Status, reason and headers of an answer."""
_HEADROOM = 4096
"""Of a list's NOTIFY, for one state beside the names of all."""


def refusal(request: Request, config: EndpointConfig, entries: tuple[str, ...] | None) -> Refused | None:
    """Returns the answer to a SUBSCRIBE that cannot be taken, or None. ``entries``: the list in it, if any."""
    event = request.event
    package = None if event is None else PACKAGES.get(event[0])
    if package is None or (entries is not None and package.name != PRESENCE):
        return 489, None, (("Allow-Events", ALLOW_EVENTS if entries is None else PRESENCE),)
    wanted = unacceptable(request, package, listed=entries is not None)
    if wanted is not None:
        return 406, None, (("Accept", wanted),)
    expires = request.expires
    if expires is not None and 0 < expires < config.lifetimes.minimum:
        return 423, None, (("Min-Expires", str(config.lifetimes.minimum)),)
    contacts = request.contacts
    if len(contacts) != 1 or not isinstance(contacts[0], NameAddr) or not isinstance(contacts[0].uri, SipUri):
        return 400, "SUBSCRIBE needs one Contact with a SIP URI", ()
    if contacts[0].uri.headers:
        return 400, "Contact: headers are not allowed in a dialog's target", ()  # RFC 3261 19.1.1, table 1
    limit = config.limits.stored_text
    uri = request.uri
    if len(request.uri_text) > 2 * limit or (isinstance(uri, SipUri) and len(uri.aor) > config.limits.address):
        return 414, None, ()
    texts = [str(contacts[0]), *request.lines("Record-Route"), request.first("From") or ""]
    if any(len(text) > 2 * limit for text in texts) or len(texts) > 16:
        return 513, "Addresses are too long to be kept", ()
    return None


def too_long(entries: Iterable[str], limits: Limits, *, reliable: bool) -> Refused | None:
    """Returns the answer to a list that cannot be kept, or not be told: one NOTIFY must name all of it.

    ``reliable``: it came over a connection.
    """
    texts = tuple(entries)
    if any(len(text) > limits.stored_text for text in texts):
        return 513, "Addresses of the list are too long to be kept", ()
    if resources_octets(texts) > room(limits, reliable=reliable) - _HEADROOM:
        return 513, "The list is too long to be told over this transport", ()
    return None


def room(limits: Limits, *, reliable: bool) -> int:
    """Returns how long the body of a list's NOTIFY may be."""
    return limits.list_notify if reliable else limits.list_notify_datagram
