"""What a session is told of its network, all of it data."""

from __future__ import annotations

from attrs import Attribute, field, frozen, validators

from transports.common.machine.comeback import ComebackTimes


def _positive(_: object, attribute: Attribute[float], value: float) -> None:
    if not value > 0:
        raise ValueError(f"{attribute.name}: {value} is not positive")


@frozen(kw_only=True)
class TokenServer:
    """The web server that gives tokens for the sign-on of versions 15 and 16. ``path`` holds both services."""

    host: str
    port: int = 443
    path: str = "/config"
    tls: bool = True


@frozen(kw_only=True)
class SessionConfig:
    """A network's parameters. Times are seconds.

    Attributes:
        host, port: the server.
        tls: whether it is spoken to through TLS.
        version: of the protocol: 9, 10, or 15 and 16, whose sign-on needs a token server.
        client: the version of the client that we say we are (key 135).
        token_server: who gives tokens; None: such a sign-on fails with the reason.
        comeback: how long to wait before signing on again.
        connect_timeout: for a connection to stand; signon_timeout: then, until the session is up.
        greeting_wait: for the answer to the greeting (0x4C); without one the challenge is asked for all the same.
        keepalive: after so long without sending, a keep-alive (0x8A), sooner where the server asks for it (key 144).
        ping: so often the session's own ping (0x12), where the server does not name its time (key 143).
        ack_timeout: for a keep-alive to be answered. Where the server has answered one before, it has fallen silent.
        unconfirmed_wait: a server that answers no keep-alive never says that it has a message: so long the connection
            must stand after one before its fate is called unknown.
        queue_timeout: how long a message waits at most for its turn, where it has no deadline of its own.
        rate_limited_wait: at least so long after a server said that we sign on too often.
        rate, burst: so many messages and edits a second, and so many at once.
        max_queue: how many of them may wait; max_in_flight: how many messages may be unconfirmed.
        max_body: the longest body of a packet that we accept.
        max_roster: contacts, and contacts whose presence is kept.
    """

    host: str
    port: int = field(validator=[validators.ge(1), validators.le(65535)])
    tls: bool = False
    version: int = field(default=10, validator=validators.in_((9, 10, 15, 16)))
    client: str = "5,5,0,1246"
    token_server: TokenServer | None = None
    comeback: ComebackTimes = field(factory=ComebackTimes)
    connect_timeout: float = field(default=30.0, validator=_positive)
    signon_timeout: float = field(default=60.0, validator=_positive)
    greeting_wait: float = field(default=5.0, validator=_positive)
    keepalive: float = field(default=60.0, validator=_positive)
    ping: float = field(default=3600.0, validator=_positive)
    ack_timeout: float = field(default=30.0, validator=_positive)
    unconfirmed_wait: float = field(default=1.0, validator=_positive)
    queue_timeout: float = field(default=900.0, validator=_positive)
    rate_limited_wait: float = field(default=900.0, validator=_positive)
    rate: float = field(default=2.0, validator=_positive)
    burst: int = field(default=10, validator=validators.ge(1))
    max_queue: int = field(default=1000, validator=validators.ge(1))
    max_in_flight: int = field(default=1000, validator=validators.ge(1))
    max_body: int = field(default=0xFFFF, validator=validators.ge(1024))
    max_roster: int = field(default=5000, validator=validators.ge(1))
