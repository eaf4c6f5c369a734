"""SIP Outbound (RFC 5626): whether a registration is by a flow, and which flow of a device is tried.

A device registers several flows, each with a reg-id of its own. It gets a request on one of them; when that one fails,
on the next. Where no such registration is, nothing here costs anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from transports.sip.machine.clients import Failure, Outcome
from transports.sip.machine.gruu import names_a_device
from transports.sip.wire.headers import NameAddr, parse_name_addr
from transports.sip.wire.message import Request
from transports.sip.wire.uri import SipUri

if TYPE_CHECKING:
    from transports.sip.machine.registrar import Binding

OPTION = "outbound"
FLOW_FAILED = 430
"""RFC 5626 section 11.5."""
NO_SUPPORT = 439
"""RFC 5626 section 11.6."""
_REG_ID = re.compile(r"[0-9]{1,10}")
_LARGEST_REG_ID = 2**31 - 1
_FLOW_FAILURES = frozenset({Failure.TIMEOUT, Failure.TRANSPORT, Failure.UNREACHABLE})


class OutboundRefused(Exception):
    """A REGISTER that asks for outbound in a way that cannot be."""

    def __init__(self, status: int, reason: str | None) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


def reg_id_of(request: Request, contact: NameAddr) -> str:
    """Returns the reg-id under which a Contact is to be registered, or "" where it is none of outbound's.

    Raises:
        OutboundRefused: 400 where it is no number or stands in one of several Contacts, 439 where outbound is asked for
            and the first hop does not have it (RFC 5626 section 6).
    """
    text = contact.param("reg-id")
    if text is None or not names_a_device(contact.param("+sip.instance") or ""):
        return ""  # without an instance it means nothing, and is ignored
    if _REG_ID.fullmatch(text) is None or not 0 < int(text) <= _LARGEST_REG_ID:
        raise OutboundRefused(400, "Contact: reg-id is not a number from 1 to 2147483647")
    if len(request.contacts) > 1:
        raise OutboundRefused(400, "Contact with a reg-id stands alone")
    if first_hop_has_it(request):
        return str(int(text))
    if OPTION in request.supported:
        raise OutboundRefused(NO_SUPPORT, None)
    return ""


def first_hop_has_it(request: Request) -> bool:
    """Whether the first hop keeps flows: we do; another proxy says so by ``ob`` in the Path that it put in first."""
    if request.one_via:
        return True
    paths = request.values("Path")
    if not paths:
        return False
    uri = parse_name_addr(paths[-1]).uri
    return isinstance(uri, SipUri) and uri.has_param("ob")


def flow_has_failed(outcome: Outcome) -> bool:
    """Whether an outcome says that a flow is dead, so that another flow of the device is to be tried."""
    if isinstance(outcome, Failure):
        return outcome in _FLOW_FAILURES
    return outcome.status in {408, FLOW_FAILED}


def one_flow_each(bindings: Sequence[Binding]) -> list[Binding]:
    """Returns the bindings to try: of the flows of one device only the best, all others as they are."""
    if not any(binding.reg_id for binding in bindings):
        return list(bindings)
    chosen: dict[str, Binding] = {}
    for binding in bindings:
        name = binding.instance if binding.reg_id else f"\n{binding.contact}"
        known = chosen.get(name)
        if known is None or _better(binding, known):
            chosen[name] = binding
    return list(chosen.values())


def next_flow(bindings: Iterable[Binding], failed: Binding, tried: set[str]) -> Binding | None:
    """Returns another flow of the device whose flow has failed, which was not tried, or None."""
    if not failed.reg_id:
        return None
    best: Binding | None = None
    for binding in bindings:
        if binding.reg_id and binding.instance == failed.instance and binding.flow_name not in tried:
            best = binding if best is None or _better(binding, best) else best
    return best


def _better(left: Binding, right: Binding) -> bool:
    """The most wanted first, then the one that was refreshed last: it is the likeliest to live."""
    return (left.q, left.refreshed_at) > (right.q, right.refreshed_at)
