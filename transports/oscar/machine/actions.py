"""What a session asks its owner to do, and what it tells beside `wire.native`."""

from __future__ import annotations

from collections.abc import Hashable
from enum import Enum

from attrs import frozen

from bridge.model.capabilities import SendResult


class Purpose(Enum):
    """What a connection is for."""

    AUTHORIZER = "authorizer"
    BOS = "bos"
    SERVICE = "service"


@frozen(kw_only=True)
class Connect:
    """Open a connection to `host`:`port`, and say `connected` or `connection_lost` of `conn_id`."""

    conn_id: int
    host: str
    port: int
    purpose: Purpose


@frozen(kw_only=True)
class Disconnect:
    """Close a connection once what was to be sent is sent. `connection_lost` need not be said of it."""

    conn_id: int


@frozen(kw_only=True)
class SendDone:
    """What became of the send of this key."""

    key: Hashable
    result: SendResult


@frozen(kw_only=True)
class ServiceReady:
    """A connection that serves a further food group stands, or (`error`) could not be had."""

    account: str
    group: int
    error: str | None = None
