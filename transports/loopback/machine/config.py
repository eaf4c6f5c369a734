"""What a session is told of its network."""

from __future__ import annotations

from attrs import field, frozen, validators

from transports.common.machine.comeback import ComebackTimes


@frozen(kw_only=True)
class SessionConfig:
    """A network's parameters. Times are seconds.

    Attributes:
        host, port: the server.
        signon_timeout: from the beginning until the server's welcome.
        ping_after: after so long without a word of the server, a question; ping_timeout: and then the end.
        ack_timeout: for the answer to a message; without one its fate is unknown.
        queue_timeout: how long a message waits at most for its turn, where it has no deadline.
        max_waiting: how many messages may wait or be without an answer.
        sends_per_second: how many lines with messages an account writes in a second.
        comeback: when a session that was lost comes back.
    """

    host: str
    port: int
    signon_timeout: float = field(default=60.0, validator=validators.gt(0.0))
    ping_after: float = field(default=60.0, validator=validators.gt(0.0))
    ping_timeout: float = field(default=30.0, validator=validators.gt(0.0))
    ack_timeout: float = field(default=30.0, validator=validators.gt(0.0))
    queue_timeout: float = field(default=900.0, validator=validators.gt(0.0))
    max_waiting: int = field(default=1000, validator=validators.ge(1))
    sends_per_second: float = field(default=50.0, validator=validators.gt(0.0))
    comeback: ComebackTimes = field(factory=ComebackTimes)
