"""Where bytes come from and go to: flows, targets and what the endpoint asks of its sockets."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

HostPort: TypeAlias = tuple[str, int]

DEFAULT_PORTS = {"udp": 5060, "tcp": 5060, "tls": 5061}
"""RFC 3261 section 19.1.2."""


class Flow:
    """One way to a peer: a connection, or a UDP source address seen by one of our sockets.

    ``transport`` is ``udp``, ``tcp`` or ``tls``; ``id`` tells connections apart and is 0 for UDP; ``identity`` is the
    domain or address that a peer's certificate proved, if it did. Compared by identity for connections, by ``key``
    for UDP.
    """

    __slots__ = ("id", "identity", "key", "local", "reliable", "remote", "source", "transport")

    def __init__(
        self, transport: str, local: HostPort, remote: HostPort, flow_id: int = 0, identity: str | None = None
    ) -> None:
        self.transport = transport
        self.local = local
        self.remote = remote
        self.id = flow_id
        self.identity = identity
        self.reliable = transport != "udp"
        self.source = remote[0].partition("%")[0]  # the zone of a link-local address is ours, not the peer's
        self.key = f"{transport}:{remote[0]}:{remote[1]}"

    def __repr__(self) -> str:
        return f"Flow({self.key} via {self.local[0]}:{self.local[1]} #{self.id})"


class Target(NamedTuple):
    """Where a request is to go. ``host`` is an address, or a name that the connector resolves; without brackets."""

    transport: str
    host: str
    port: int


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
