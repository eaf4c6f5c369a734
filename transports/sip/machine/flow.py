"""Where bytes come from and go to: flows, targets and what the endpoint asks of its sockets."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from typing import NamedTuple, TypeAlias

HostPort: TypeAlias = tuple[str, int]

DEFAULT_PORTS = {"udp": 5060, "tcp": 5060, "tls": 5061}
"""RFC 3261 section 19.1.2. Those that we can connect to."""
WEBSOCKETS = frozenset({"ws", "wss"})
"""RFC 7118: peers connect to us alone."""
TRANSPORTS = ("udp", "tcp", "tls", "ws", "wss")
"""What there can be listeners for."""
SECURED = frozenset({"tls", "wss"})
"""Those that need a certificate of ours."""


@lru_cache(4096)
def prefix_of(source: str) -> str:
    """Returns what limits are by, of an address: itself, or of IPv6 its /64, of which each party has a whole one."""
    try:
        address = ip_address(source.partition("%")[0])
    except ValueError:
        return source
    if not isinstance(address, IPv6Address):
        return source
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return f"{IPv6Address(int(address) >> 64 << 64)}/64"


class Flow:
    """One way to a peer: a connection, or a UDP source address seen by one of our sockets.

    ``transport`` is ``udp``, ``tcp``, ``tls``, ``ws`` or ``wss``; ``id`` tells connections apart and is 0 for UDP;
    ``identity`` is the domain or address that a peer's certificate proved, if it did, and ``identities`` are all of
    them (RFC 5922 section 7.1). Compared by identity for connections, by ``key`` for UDP.

    ``whole``: what comes in is a whole message each time: a datagram, or a WebSocket message (RFC 7118 section 5).
    ``prefix``: what one party has of addresses: one of IPv4, a /64 of IPv6; limits are by it.
    ``callable_back``: a peer that listens may be connected to; behind a WebSocket nobody does (RFC 7118 section 5.3).
    """

    __slots__ = (
        "callable_back", "id", "identities", "identity", "key", "local", "prefix", "reliable", "remote", "source",
        "transport", "whole",
    )  # fmt: skip

    def __init__(
        self,
        transport: str,
        local: HostPort,
        remote: HostPort,
        flow_id: int = 0,
        identity: str | None = None,
        identities: tuple[str, ...] = (),
    ) -> None:
        self.transport = transport
        self.local = local
        self.remote = remote
        self.id = flow_id
        self.identity = identity
        self.identities = identities or (() if identity is None else (identity,))
        self.reliable = transport != "udp"
        self.callable_back = transport not in WEBSOCKETS
        self.whole = transport == "udp" or not self.callable_back
        self.source = remote[0].partition("%")[0]  # the zone of a link-local address is ours, not the peer's
        self.prefix = prefix_of(self.source) if ":" in self.source else self.source
        self.key = f"{transport}:{remote[0]}:{remote[1]}"

    def __repr__(self) -> str:
        return f"Flow({self.key} via {self.local[0]}:{self.local[1]} #{self.id})"


class Target(NamedTuple):
    """Where a request is to go. ``host`` is an address, or a name that the connector resolves; without brackets.

    ``proves``: the domain that the other end's certificate must prove (RFC 5922), where it was found by that name.
    """

    transport: str
    host: str
    port: int
    proves: str = ""


class ConnectTo(NamedTuple):
    """Open a connection to ``target`` and send ``data`` on it; data for one target goes on one connection, in order.

    The answer is ``flow_opened(flow, now, target)`` or ``connect_failed(target, now)``.
    """

    target: Target
    data: bytes


class CloseFlow(NamedTuple):
    """Close a connection after what was sent on it before; ``reason`` is for the log."""

    flow: Flow
    reason: str


Output: TypeAlias = tuple[Flow, bytes] | ConnectTo | CloseFlow
