"""What a session asks its owner to do, and what became of a send."""

from __future__ import annotations

from collections.abc import Hashable

from attrs import frozen

from bridge.model.capabilities import SendResult


@frozen(kw_only=True)
class Connect:
    """Open a connection to `host`:`port`, and say `connected` or `connection_lost` of `conn_id`.

    `tls`: whether with TLS, checked against `host`; None: as the network is configured.
    """

    conn_id: int
    host: str
    port: int
    tls: bool | None = None


@frozen(kw_only=True)
class Disconnect:
    """Close a connection once what was to be sent is sent. `connection_lost` need not be said of it."""

    conn_id: int


@frozen(kw_only=True)
class SendDone:
    """What became of the send of this key."""

    key: Hashable
    result: SendResult
