"""Matrix as a kind of network: its options, and how one is built.

Apart from ``matrix``, so that a command reads and checks a configuration without loading what speaks the protocol.
"""

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from attrs import field, frozen

from bridge.app.networks.base import Kind, Network, Surroundings
from bridge.app.values import HostPort, InvalidValue, positive, shown
from transports.matrix.wire.names import is_localpart, is_server_name


def _base_url(_: object, attribute: Any, value: str) -> None:
    try:
        parts = urlsplit(value)
        good = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        good = False
    if not good or not value.isascii() or not value.isprintable() or parts.query or parts.fragment or parts.username:
        raise InvalidValue(attribute.name, f"must be http(s)://host, with a port maybe, not {shown(value)}")


def _url_or_empty(instance: object, attribute: Any, value: str) -> None:
    if value:
        _base_url(instance, attribute, value)


def _server_name(_: object, attribute: Any, value: str) -> None:
    if not is_server_name(value):
        raise InvalidValue(attribute.name, f"not a server name such as example.org: {shown(value)}")


def _localpart(_: object, attribute: Any, value: str) -> None:
    if not is_localpart(value):
        raise InvalidValue(attribute.name, f"must be a-z, 0-9 and ._=/+- alone, not {shown(value)}")


@frozen(kw_only=True)
class MatrixOptions:
    """The options of ``[networks.NAME]`` with ``kind = "matrix"``.

    The bridge is an application service of one homeserver, which has to be told of it: ``simplebridge matrix
    registration NAME`` prints what.
    """

    homeserver: str = field(validator=_base_url)
    """The URL under which the bridge reaches the homeserver's client-server API."""
    server_name: str = field(validator=_server_name)
    """What user ids of the homeserver end in."""
    listen: HostPort = field(factory=lambda: HostPort(host="127.0.0.1", port=29330))
    """Where the homeserver reaches the bridge. Plain HTTP: keep it on a loopback address, or put a proxy before it."""
    url: str = field(default="", validator=_url_or_empty)
    """The same as the homeserver has to write it, where that is something else."""
    prefix: str = field(default="_sip_", validator=_localpart)
    """How the names of our people on Matrix begin: alice is ``@_sip_alice:SERVER_NAME``. All such names are ours."""
    bot: str = field(default="simplebridge", validator=_localpart)
    """The bridge's own user on the homeserver; it writes to nobody."""
    tokens: Path | None = None
    """A file with the two secrets that the bridge and the homeserver know each other by, as JSON: ``as_token`` and
    ``hs_token``. By default they are made by the bridge and kept with its keys."""
    sign_ons_per_second: float = field(default=20.0, validator=positive)
    """A restart with many accounts is no storm on the homeserver."""
    requests_per_second: float = field(default=50.0, validator=positive)
    max_text_bytes: int = field(default=16_000, validator=positive)
    """Longer texts are sent in parts, cut between graphemes; a whole event has 65,536 bytes."""
    presence_refresh: float = field(default=20.0, validator=positive)
    """Seconds after which a presence is told again: Synapse takes it back after 30 seconds without a word."""


def build(around: Surroundings) -> Network:
    """Builds a network of this kind.

    Raises:
        ValueError: an option is out of range.
    """
    from bridge.app.networks import matrix

    return matrix.build(around)


def _no_passwords(_: Any) -> bool:
    """The service's token is what all its ghosts are signed on with."""
    return False


KIND = Kind(options=MatrixOptions, build=build, needs_credentials=_no_passwords)
