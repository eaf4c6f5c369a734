"""Yahoo! Messenger as a kind of network: its options, and how one is built.

Apart from ``ymsg``, so that a command reads and checks a configuration without loading what speaks the protocol.
"""

from typing import Any
from urllib.parse import urlsplit

from attrs import field, frozen

from bridge.app.networks.base import Kind, Network, Surroundings
from bridge.app.values import HostPort, InvalidValue, not_negative, positive, shown

VERSIONS = (9, 10, 15, 16)
LEAST_TEXT = 64
MOST_TEXT = 32_768


def _version(_: object, attribute: Any, value: int) -> None:
    if value not in VERSIONS:
        raise InvalidValue(attribute.name, f"{value} is not one of {', '.join(map(str, VERSIONS))}")


def _text_bytes(_: object, attribute: Any, value: int) -> None:
    if not LEAST_TEXT <= value <= MOST_TEXT:
        raise InvalidValue(attribute.name, f"must be between {LEAST_TEXT} and {MOST_TEXT}, not {value}")


def _web_address(_: object, attribute: Any, value: str) -> None:
    if not value:
        return
    try:
        parts = urlsplit(value)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        usable = False
    if not usable or not value.isascii() or parts.query or parts.fragment or parts.username is not None:
        raise InvalidValue(attribute.name, f"not of the form https://host/path: {shown(value)}")


@frozen(kw_only=True)
class YmsgOptions:
    """The options of ``[networks.NAME]`` with ``kind = "ymsg"``."""

    server: HostPort
    """The messenger server, mostly port 5050."""
    version: int = field(default=10, validator=_version)
    """Of the protocol: 9 or 10, which every living server speaks; 15 or 16 sign on with a token."""
    token_server: str = field(default="", validator=_web_address)
    """Where tokens come from, such as ``https://login.example/config``: for servers that ask for one. The password is
    shown to it, so plain ``http`` is for trials alone."""
    tls: bool = False
    sign_ons_per_second: float = field(default=5.0, validator=positive)
    """A restart with many accounts is no storm on the network."""
    max_text_bytes: int = field(default=800, validator=_text_bytes)
    """Longer texts are sent in parts, cut between graphemes; Yahoo!'s own client takes 800 characters."""
    messages_per_second: float = field(default=2.0, validator=positive)
    """Of one account; what is more waits its turn."""
    burst: int = field(default=10, validator=positive)
    """So many messages of one account go at once."""
    keepalive: float = field(default=60.0, validator=positive)
    """Seconds without a packet of ours after which one is sent to keep the connection."""
    elsewhere_wait: float = field(default=300.0, validator=not_negative)
    """After another client signed on with a name, seconds until the bridge takes it back; twice as long each further
    time, up to four hours. 0: never."""
    elsewhere_times: int = field(default=5, validator=not_negative)
    """How often in a row a name is taken back at most. Then it is left to the other client."""


def build(around: Surroundings) -> Network:
    """Builds a network of this kind.

    Raises:
        ValueError: an option is out of range.
    """
    from bridge.app.networks import ymsg

    return ymsg.build(around)


KIND = Kind(options=YmsgOptions, build=build)
