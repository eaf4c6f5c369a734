"""What a network that speaks XMPP is told."""

from __future__ import annotations

from typing import Any

from attrs import field, frozen, validators

from transports.common.machine.comeback import ComebackTimes
from transports.common.machine.turns import Rates
from transports.xmpp.wire.xml import MAX_STANZA


@frozen(kw_only=True)
class TransportConfig:
    """A network's parameters. Times are seconds.

    Attributes:
        component: the component's domain; None: accounts are clients.
        host, port: of the server; None: what DNS says of an account's domain (RFC 6120 section 3.2).
        secret: the component's.
        tls: ``starttls``, ``direct`` or ``none``, of clients; context: with what certificates are checked.
        resource: what the bridge calls itself.
        signing_on: so many streams sign on at the same time at most: those that a slow server has not let in yet are
            not made slower by further ones.
        signon_timeout: until a stream stands; resume_within: for so long an interrupted stream is waited for, and with
            it the end of what was sent on it.
    """

    component: str | None
    host: str | None = None
    port: int | None = None
    secret: str = field(default="", repr=False)
    tls: str = "starttls"
    context: Any = None
    resource: str = "simplebridge"
    signons: Rates = field(factory=lambda: Rates(network=5.0))
    comeback: ComebackTimes = field(factory=ComebackTimes)
    signing_on: int = field(default=20, validator=validators.ge(1))
    signon_timeout: float = field(default=30.0, validator=validators.gt(0.0))
    resume_within: float = field(default=20.0, validator=validators.gt(0.0))
    ping_after: float = field(default=60.0, validator=validators.gt(0.0))
    ping_timeout: float = field(default=30.0, validator=validators.gt(0.0))
    carbons: bool = True
    max_stanza: int = field(default=MAX_STANZA, validator=validators.ge(10_000))
