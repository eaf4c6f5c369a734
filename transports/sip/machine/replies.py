"""Answers whose connection is gone before they are: sent over a new one (RFC 3261 18.2.2, RFC 3263 section 5).

For those alone who have proved who they are. A stranger could have us connect to whatever port they name.
"""

from __future__ import annotations

from collections import OrderedDict
from functools import partial

from transports.sip.machine.flow import DEFAULT_PORTS, ConnectTo, Target
from transports.sip.machine.layer import TransactionLayer
from transports.sip.machine.locate import Wanted, is_address
from transports.sip.machine.resolver import Resolver
from transports.sip.machine.serving import ServerTransaction
from transports.sip.wire.headers import Via

MOST = 1024
"""Answers that wait for a connection; beyond it the oldest is given up, as it would be without all this."""
MOST_TARGETS = 4


class _Reply:
    """One answer. ``targets``: where else it may go."""

    __slots__ = ("data", "targets", "via")

    def __init__(self, data: bytes, via: Via | None) -> None:
        self.data = data
        self.via = via
        """What is still to be looked for by the name in it."""
        self.targets: list[Target] = []


class Replies:
    """Sends answers to whoever has closed the connection that they asked over."""

    def __init__(self, layer: TransactionLayer, resolver: Resolver) -> None:
        self._layer = layer
        self._resolver = resolver
        self._waiting: OrderedDict[Target, list[_Reply]] = OrderedDict()
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def stranded(self, transaction: ServerTransaction) -> None:
        """Takes an answer whose connection is gone: it goes to the sender's address, to the port that Via names."""
        flow, data = transaction.flow, transaction.last
        if data is None or not transaction.user or not flow.callable_back:
            return
        via = transaction.request.top_via
        name = via.host.strip("[]").rstrip(".").lower()
        port = via.port or DEFAULT_PORTS[flow.transport]
        proves = name if flow.transport == "tls" else ""
        target = Target(flow.transport, flow.source, port, proves)
        self._send(_Reply(data, None if via.port or is_address(name) else via), target)

    def flow_opened(self, target: Target) -> None:
        """A connection is up, and what waited for it has gone out."""
        self._count -= len(self._waiting.pop(target, ()))

    def connect_failed(self, target: Target, now: float) -> None:
        """A connection cannot be had: a name without a port in Via is looked for (RFC 3263 section 5)."""
        replies = self._waiting.pop(target, [])
        self._count -= len(replies)
        for reply in replies:
            via, reply.via = reply.via, None
            if via is not None:
                host = via.host.rstrip(".").lower()
                want = Wanted(target.transport == "tls", host, None, target.transport, host)
                self._resolver.locate(want, now, partial(self._found, reply))
            elif reply.targets:
                self._send(reply, reply.targets.pop(0))

    def _found(self, reply: _Reply, targets: tuple[Target, ...], now: float) -> None:
        del now
        reply.targets = list(targets[:MOST_TARGETS])
        if reply.targets:
            self._send(reply, reply.targets.pop(0))

    def _send(self, reply: _Reply, target: Target) -> None:
        flow = self._layer.flow_to(target)
        if flow is not None:
            self._layer.outputs.append((flow, reply.data))
            return
        while self._count >= MOST:
            self._count -= len(self._waiting.popitem(last=False)[1])
        self._waiting.setdefault(target, []).append(reply)
        self._count += 1
        self._layer.outputs.append(ConnectTo(target, reply.data))
