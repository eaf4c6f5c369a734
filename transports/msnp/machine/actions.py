"""What a session asks its owner to do, and what it tells beside `wire.native`."""

from __future__ import annotations

from collections.abc import Hashable

from attrs import field, frozen

from bridge.model.capabilities import SendResult


@frozen(kw_only=True)
class Connect:
    """Open a connection to `host`:`port`, and say `connected` or `connection_lost` of `conn_id`."""

    conn_id: int
    host: str
    port: int


@frozen(kw_only=True)
class Disconnect:
    """Close a connection once what was to be sent is sent. `connection_lost` need not be said of it."""

    conn_id: int


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


@frozen(kw_only=True)
class SendDone:
    """What became of the send of this key."""

    key: Hashable
    result: SendResult


Action = Connect | Disconnect | Fetch
