"""How a request is matched to the transaction that it repeats, and where its answers go.

Server transactions are matched by RFC 3261 17.2.3 (branch, sent-by, method) and besides by what clients in use make
necessary: the source address and the From header (libpurple seeds its random numbers by the second, so two clients
have the same branches, tags and Call-IDs), and the credentials (libpurple repeats a challenged request with its
branch, only with credentials added). A true retransmission is the same in all of these.
"""

from __future__ import annotations

from typing import TypeAlias

from transports.sip.machine.flow import DEFAULT_PORTS, Flow, Target
from transports.sip.wire.message import Request

MAGIC = "z9hG4bK"
Key: TypeAlias = tuple[str, int]


def key_of(flow: Flow, request: Request) -> Key:
    """Names a transaction; what is not in the branch is in the hash, which Python keys anew for each process."""
    via = request.top_via
    method = request.method
    sender = request.first("From")
    credentials = None
    if method == "ACK":
        method = "INVITE"
    elif method not in {"INVITE", "CANCEL"}:
        credentials = request.first("Proxy-Authorization") or request.first("Authorization")
    branch = via.branch or ""
    if branch.startswith(MAGIC) and len(branch) > len(MAGIC):
        return branch, hash((via.host, via.port, method, flow.key, sender, credentials))
    # RFC 2543: no branch that tells transactions apart
    more = (request.uri_text, request.cseq.number, str(via), method, flow.key, sender, credentials)
    return request.call_id, hash(more)


def reply_flow(flow: Flow, request: Request) -> Flow:
    """RFC 3261 18.2.2 and RFC 3581: where answers go. maddr is not followed: it would aim us at third parties."""
    if flow.reliable:
        return flow
    via = request.top_via
    if via.rport is not None:
        return flow
    port = via.port or 5060
    if port == flow.remote[1]:
        return flow
    return Flow("udp", flow.local, (flow.remote[0], port))


def alias_of(flow: Flow, request: Request) -> Target | None:
    """Returns what may go out on the connection that a request came by, where its Via offers that (RFC 5923).

    Only where a certificate proves that the peer is whom its Via names (section 8): by a mere word, anybody could have
    what is meant for another sent to themselves.
    """
    via = request.top_via
    if flow.transport != "tls" or via.host != flow.identity or all(name != "alias" for name, _ in via.params):
        return None
    return Target("tls", via.host, via.port or DEFAULT_PORTS["tls"])
