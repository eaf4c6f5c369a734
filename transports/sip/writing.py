"""What the endpoint has to send, written: each datagram by itself, and together what goes over one connection."""

from __future__ import annotations

from collections.abc import Iterable

from transports.sip.connections import Connections
from transports.sip.machine.flow import CloseFlow, ConnectTo, Flow
from transports.sip.sockets import Sockets


def write(outputs: Iterable[tuple[Flow, bytes] | ConnectTo | CloseFlow], to: Connections, sockets: Sockets) -> None:
    """Writes outputs in their order; what is for a connection that is gone is dropped, as the endpoint learns."""
    joined: dict[int, list[bytes]] = {}
    for output in outputs:
        if isinstance(output, ConnectTo):
            to.connect(output)
        elif isinstance(output, CloseFlow):
            _write_joined(joined, to)
            connection = to.get(output.flow.id)
            if connection is not None:
                connection.close()
        else:
            flow, data = output
            if flow.reliable:
                joined.setdefault(flow.id, []).append(data)
            else:
                sockets.send(flow, data)
    _write_joined(joined, to)


def _write_joined(joined: dict[int, list[bytes]], to: Connections) -> None:
    for flow_id, parts in joined.items():
        connection = to.get(flow_id)
        if connection is not None:
            connection.send(*parts)
    joined.clear()
