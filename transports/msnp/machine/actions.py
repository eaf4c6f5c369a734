"""What a session asks its owner to do, and what it tells beside `wire.native`."""

from __future__ import annotations

from attrs import field, frozen

from transports.common.machine.actions import Connect, Disconnect, SendDone

__all__ = ["Action", "Connect", "Disconnect", "Fetch", "Fetched", "SendDone"]


@frozen(kw_only=True)
class Fetch:
    """Ask a web server, without following redirections, and say `fetched` of `fetch_id` once.

    `body` of None is a GET. The headers and the body hold passwords: they belong into no log.
    """

    fetch_id: int
    url: str
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    body: bytes | None = field(default=None, repr=False)


@frozen(kw_only=True)
class Fetched:
    """What a web server answered; headers by name in lower case. `error`: none came, and why."""

    status: int = 0
    headers: dict[str, str] = field(factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    error: str = ""


Action = Connect | Disconnect
