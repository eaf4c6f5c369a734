"""What a session asks its owner to do, and what it tells beside `wire.native`."""

from __future__ import annotations

from enum import Enum

from attrs import frozen

from transports.common.machine import actions as common
from transports.common.machine.actions import Disconnect, SendDone

__all__ = ["Connect", "Disconnect", "Purpose", "SendDone", "ServiceReady"]


class Purpose(Enum):
    """What a connection is for."""

    AUTHORIZER = "authorizer"
    BOS = "bos"
    SERVICE = "service"


@frozen(kw_only=True)
class Connect(common.Connect):
    """Open a connection, for a purpose."""

    purpose: Purpose


@frozen(kw_only=True)
class ServiceReady:
    """A connection that serves a further food group stands, or (`error`) could not be had."""

    account: str
    group: int
    error: str | None = None
