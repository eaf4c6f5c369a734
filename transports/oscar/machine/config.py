"""What a session is told of its network, all of it data."""

from __future__ import annotations

from enum import Enum

from attrs import Attribute, field, frozen, validators

from transports.common.machine.comeback import ComebackTimes


def _positive(_: object, attribute: Attribute[float], value: float) -> None:
    if not value > 0:
        raise ValueError(f"{attribute.name}: {value} is not positive")


class SignOnMethod(Enum):
    """How the password is shown: hashed with a challenge, or merely roasted."""

    MD5 = "md5"
    ROASTED = "roasted"


@frozen(kw_only=True)
class ClientIdentity:
    """Which client we say we are; servers want it, and some choose by it what they send."""

    name: str = "simplebridge"
    id: int = 0x010A
    major: int = 5
    minor: int = 1
    lesser: int = 0
    build: int = 3036
    distribution: int = 0xEF
    country: str = "us"
    language: str = "en"


@frozen(kw_only=True)
class SessionConfig:
    """A network's parameters. Times are seconds.

    Attributes:
        host, port: the authorizer.
        method: how to sign on.
        hashed_password: for MD5, whether the digest is of MD5(password) (newer) or of the password.
        server_override: ``{"named:port": (host, port)}`` for addresses that a server names and that we cannot reach;
            the key ``"*"`` stands for all of them.
        same_host: connect to the host of the authorizer whatever address a server names, with the named port.
        connect_timeout: for a connection to stand; signon_timeout: then, until the session is up.
        keepalive: after so long without sending, a keep-alive frame; probe_after: after so long without receiving, a
            question; probe_timeout: and then the end.
        ack_timeout: for the answer to a message; without one its fate is unknown.
        queue_timeout: how long a message waits at most for its turn, where it has no deadline of its own.
        backoff_base, backoff_cap: the n-th attempt waits a random time up to min(cap, base * 2^n).
        stable_after: up for so long, the count of attempts begins anew.
        rate_limited_wait: at least so long after a server said that we connect too often.
        elsewhere_wait: after another client took the name, so long until we take it back; twice as long each further
            time, up to elsewhere_cap; at most elsewhere_times times, unless we had it for elsewhere_cap in between.
            0: never.
        rate_margin: how far (milliseconds) above a rate class's threshold we stay.
        max_message_bytes: the longest message text on the wire; None: what the server says, and at least 2,048.
        max_queue: how many SNACs may wait.
        max_in_flight: how many messages may be without an answer.
        max_frame: the longest frame that we accept.
        max_roster: items, and buddies whose presence is kept.
        fetch_away_messages: ask for the away message of a buddy who goes away.
        status_flags: the high half of our ICQ status.
    """

    host: str
    port: int = field(validator=[validators.ge(1), validators.le(65535)])
    method: SignOnMethod = SignOnMethod.MD5
    hashed_password: bool = True
    identity: ClientIdentity = ClientIdentity()
    server_override: dict[str, tuple[str, int]] = field(factory=dict)
    same_host: bool = False
    connect_timeout: float = field(default=30.0, validator=_positive)
    signon_timeout: float = field(default=60.0, validator=_positive)
    keepalive: float = field(default=60.0, validator=_positive)
    probe_after: float = field(default=300.0, validator=_positive)
    probe_timeout: float = field(default=60.0, validator=_positive)
    ack_timeout: float = field(default=30.0, validator=_positive)
    queue_timeout: float = field(default=900.0, validator=_positive)
    backoff_base: float = field(default=2.0, validator=_positive)
    backoff_cap: float = field(default=300.0, validator=_positive)
    stable_after: float = field(default=60.0, validator=_positive)
    rate_limited_wait: float = field(default=900.0, validator=_positive)
    elsewhere_wait: float = field(default=300.0, validator=validators.ge(0))
    elsewhere_cap: float = field(default=14_400.0, validator=_positive)
    elsewhere_times: int = field(default=5, validator=validators.ge(0))
    rate_margin: float = field(default=100.0, validator=validators.ge(0))
    max_message_bytes: int | None = None
    max_queue: int = field(default=1000, validator=validators.ge(1))
    max_in_flight: int = field(default=4000, validator=validators.ge(1))
    max_frame: int = field(default=0xFFFF, validator=validators.ge(1024))
    max_roster: int = field(default=5000, validator=validators.ge(1))
    fetch_away_messages: bool = True
    status_flags: int = 0

    @property
    def comeback(self) -> ComebackTimes:
        """When a session that was lost comes back."""
        return ComebackTimes(
            backoff_base=self.backoff_base,
            backoff_cap=self.backoff_cap,
            stable_after=self.stable_after,
            elsewhere_wait=self.elsewhere_wait,
            elsewhere_cap=self.elsewhere_cap,
            elsewhere_times=self.elsewhere_times,
        )
