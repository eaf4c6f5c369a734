"""The parts of an XMPP address (RFC 7622 section 3.1): ``localpart@domainpart/resourcepart``."""

from __future__ import annotations

from typing import Final

MAX_PART: Final = 1023
"""Octets of each part (RFC 7622 section 3.1)."""


def bare(jid: str) -> str:
    """Returns an address without its resource, with localpart and domain in lower case as servers compare them."""
    return jid.partition("/")[0].lower()


def resource(jid: str) -> str:
    """Returns the resource of an address; empty where it has none."""
    return jid.partition("/")[2]


def domain(jid: str) -> str:
    """Returns the domain of an address, in lower case."""
    return bare(jid).rpartition("@")[2]


def sound(jid: str) -> bool:
    """Whether a text can be an address at all: with a domain, without blanks and controls, no part too long."""
    head, slash, tail = jid.partition("/")
    local, at, host = head.rpartition("@")
    if not host or (at and not local) or (slash and not tail) or " " in head or not head.isprintable():
        return False
    return all(len(part.encode("utf-8", "replace")) <= MAX_PART for part in (local, host, tail))
