"""What a session is told of its network, all of it data."""

from __future__ import annotations

from enum import Enum

from attrs import Attribute, field, frozen, validators

from transports.common.machine.comeback import ComebackTimes


def _positive(_: object, attribute: Attribute[float], value: float) -> None:
    if not value > 0:
        raise ValueError(f"{attribute.name}: {value} is not positive")


class Auth(Enum):
    """How the password is shown."""

    AUTO = "auto"
    """The best SASL mechanism that the server offers; where it offers none, `PASS`."""
    SASL = "sasl"
    """The best SASL mechanism that the server offers; without one there is no sign-on."""
    PLAIN = "plain"
    SCRAM = "scram-sha-256"
    EXTERNAL = "external"
    PASS = "pass"  # noqa: S105 - the name of a command
    NICKSERV = "nickserv"
    NONE = "none"


class NickInUse(Enum):
    """What to do when somebody else has our nickname."""

    ALTERNATIVE = "alternative"
    WAIT = "wait"


@frozen(kw_only=True)
class SessionConfig:
    """A network's parameters. Times are seconds.

    Attributes:
        host, port: the server.
        auth: how to show the password.
        user: the user name for USER; empty: the nickname.
        services_account: the account for SASL and NickServ; empty: the nickname.
        realname: for USER.
        nickserv: the nickname of the services that take IDENTIFY.
        regain: what is sent to services to free our nickname (``REGAIN {nick} {password}``); empty: nothing.
        nick_in_use: sign on under another nickname and take ours when it is free, or wait.
        regain_interval: how often we try to take it.
        messages_per_second, burst: the token bucket of what we send.
        poll_interval: how often the server is asked who is there, where it does not tell by itself.
        verified_only: hear and write to users only whose services account is their nickname.
        max_text_bytes: the longest text of one message, whatever the server allows.
        signon_timeout: for the sign-on once the connection stands; cap_timeout: for a server's first word on CAP.
        keepalive: after so long without a word from the server, PING; keepalive_timeout: and then the end.
        ack_timeout: for the server's word on a message; without one its fate is unknown.
        queue_timeout: how long a message waits at most for its turn, where it has no deadline of its own.
        connect_timeout: for a connection to stand.
        throttled_wait: at least so long after the server said that we connect too often.
        killed_wait: at least so long after an operator ended the session.
        comeback: when a session that was lost comes back.
        max_queue: how many lines may wait.
        max_contacts: how many contacts are watched, and correspondents remembered.
        max_channels: how many channels may be joined.
        max_members: how many members of one channel are known.
        version: the answer to CTCP VERSION.
    """

    host: str
    port: int = field(validator=[validators.ge(1), validators.le(65535)])
    auth: Auth = Auth.AUTO
    user: str = ""
    services_account: str = ""
    realname: str = "simplebridge"
    nickserv: str = "NickServ"
    regain: str = ""
    nick_in_use: NickInUse = NickInUse.ALTERNATIVE
    regain_interval: float = field(default=60.0, validator=_positive)
    messages_per_second: float = field(default=0.5, validator=_positive)
    burst: int = field(default=4, validator=validators.ge(1))
    poll_interval: float = field(default=60.0, validator=_positive)
    verified_only: bool = False
    max_text_bytes: int = field(default=400, validator=validators.ge(64))
    signon_timeout: float = field(default=60.0, validator=_positive)
    cap_timeout: float = field(default=5.0, validator=_positive)
    keepalive: float = field(default=90.0, validator=_positive)
    keepalive_timeout: float = field(default=60.0, validator=_positive)
    ack_timeout: float = field(default=30.0, validator=_positive)
    queue_timeout: float = field(default=900.0, validator=_positive)
    connect_timeout: float = field(default=30.0, validator=_positive)
    throttled_wait: float = field(default=60.0, validator=_positive)
    killed_wait: float = field(default=120.0, validator=_positive)
    comeback: ComebackTimes = field(factory=ComebackTimes)
    max_queue: int = field(default=1000, validator=validators.ge(1))
    max_contacts: int = field(default=5000, validator=validators.ge(1))
    max_channels: int = field(default=100, validator=validators.ge(1))
    max_members: int = field(default=10_000, validator=validators.ge(1))
    version: str = "simplebridge"
