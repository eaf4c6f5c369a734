"""What a session is told of its network, all of it data."""

from __future__ import annotations

from attrs import Attribute, field, frozen, validators

from transports.common.machine.comeback import ComebackTimes
from transports.msnp.wire.codes import OUR_CAPABILITIES, PORT, VERSIONS


def _positive(_: object, attribute: Attribute[float], value: float) -> None:
    if not value > 0:
        raise ValueError(f"{attribute.name}: {value} is not positive")


@frozen(kw_only=True)
class Urls:
    """The web servers of a network. An empty one is not used.

    Attributes:
        nexus: names the login server (MSNP8 to 12). login: the login server itself; the nexus is then not asked.
        sso: sells tickets (MSNP15). contacts: its path ends before ``abservice.asmx`` (MSNP15).
        stored: fetches stored messages. store: keeps messages for contacts who are away (MSNP15).
    """

    nexus: str = ""
    login: str = ""
    sso: str = ""
    contacts: str = ""
    stored: str = ""
    store: str = ""


@frozen(kw_only=True)
class SessionConfig:
    """A network's parameters. Times are seconds.

    Attributes:
        host, port: the notification server (a dispatch server will do: it names another).
        version: the highest version of the protocol that is offered; the server chooses.
        urls: the web servers.
        client: the name and version that CVR tells.
        capabilities: that CHG tells.
        server_override: ``{"named:port": (host, port)}`` for addresses that a server names and that we cannot reach;
            the key ``"*"`` stands for all of them.
        same_host: connect to the host of the notification server whatever address it names, with the named port.
        strangers: who is on neither list is to be allowed (``AL``), blocked (``BL``), or (empty) as the server has it.
        connect_timeout: for a connection to stand; signon_timeout: then, until the session is up.
        http_timeout: for a web server to answer.
        list_timeout: after so long without a further line the list counts as complete.
        keepalive: after so long without receiving, a PNG; ping_timeout: and then the end.
        call_timeout: from asking for a switchboard until the other is on it.
        ack_timeout: for the answer to a message; without one its fate is unknown.
        queue_timeout: how long a message waits at most for its turn, where it has no deadline of its own.
        board_idle: after so long without a word a switchboard is left.
        typing_lasts: after so long without another typing notice somebody has stopped; typing_again: ours are repeated.
        typing_most: and for no longer than this.
        rate_limited_wait: at least so long after a server said that we connect too often.
        comeback: when the account signs on again by itself.
        messages_per_second, messages_burst: on all switchboards together.
        boards_per_second, boards_burst: switchboards that are asked for.
        change_interval: seconds between two changes of our presence.
        max_queue: how many messages may wait. max_boards: switchboards at once. max_roster: contacts kept.
        max_edits: edits of the lists that may wait.
        max_redirects: how often a server may send us on in one sign-on.
    """

    host: str
    port: int = field(default=PORT, validator=[validators.ge(1), validators.le(65535)])
    version: int = field(default=12, validator=validators.in_(VERSIONS))
    urls: Urls = Urls()
    client: tuple[str, str] = ("MSNMSGR", "7.0.0777")
    capabilities: int = OUR_CAPABILITIES
    server_override: dict[str, tuple[str, int]] = field(factory=dict)
    same_host: bool = False
    strangers: str = field(default="", validator=validators.in_(("", "AL", "BL")))
    connect_timeout: float = field(default=30.0, validator=_positive)
    signon_timeout: float = field(default=90.0, validator=_positive)
    http_timeout: float = field(default=30.0, validator=_positive)
    list_timeout: float = field(default=10.0, validator=_positive)
    keepalive: float = field(default=45.0, validator=_positive)
    ping_timeout: float = field(default=30.0, validator=_positive)
    call_timeout: float = field(default=40.0, validator=_positive)
    ack_timeout: float = field(default=30.0, validator=_positive)
    queue_timeout: float = field(default=900.0, validator=_positive)
    board_idle: float = field(default=240.0, validator=_positive)
    typing_lasts: float = field(default=8.0, validator=_positive)
    typing_again: float = field(default=4.0, validator=_positive)
    typing_most: float = field(default=120.0, validator=_positive)
    rate_limited_wait: float = field(default=900.0, validator=_positive)
    comeback: ComebackTimes = field(factory=ComebackTimes)
    messages_per_second: float = field(default=5.0, validator=_positive)
    messages_burst: int = field(default=20, validator=validators.ge(1))
    boards_per_second: float = field(default=0.5, validator=_positive)
    boards_burst: int = field(default=8, validator=validators.ge(1))
    change_interval: float = field(default=1.0, validator=validators.ge(0))
    max_queue: int = field(default=1000, validator=validators.ge(1))
    max_boards: int = field(default=64, validator=validators.ge(1))
    max_roster: int = field(default=2000, validator=validators.ge(1))
    max_edits: int = field(default=200, validator=validators.ge(1))
    max_redirects: int = field(default=5, validator=validators.ge(0))
