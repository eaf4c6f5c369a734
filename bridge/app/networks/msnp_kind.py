"""MSN Messenger as a kind of network: its options, and how one is built.

Apart from ``msnp``, so that a command reads and checks a configuration without loading what speaks the protocol.
"""

from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from attrs import field, frozen

from bridge.app.networks.base import Kind, Network, Surroundings
from bridge.app.values import HostPort, addresses, not_negative, one_of, positive

VERSIONS = (8, 9, 10, 11, 12, 15)
STATUSES = ("AWY", "BSY", "BRB", "IDL", "NLN", "HDN")


def _url(_: object, attribute: Any, value: str) -> None:
    """Passwords go there: https, or http to this very machine for trials; empty: not used."""
    if not value:
        return
    parts = urlsplit(value)
    host = parts.hostname or ""
    if parts.scheme == "https" and host:
        return
    if parts.scheme == "http" and (host == "localhost" or _loopback(host)):
        return
    raise ValueError(f"{attribute.name}: {value!r} is no https:// URL (http:// is for this machine alone)")


def _loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _version(_: object, attribute: Any, value: int) -> None:
    if value not in VERSIONS:
        raise ValueError(f"{attribute.name}: {value} is none of {', '.join(map(str, VERSIONS))}")


@frozen(kw_only=True)
class MsnpOptions:
    """The options of ``[networks.NAME]`` with ``kind = "msnp"``."""

    server: HostPort
    """The notification server (or dispatch server), mostly on port 1863."""
    version: int = field(default=12, validator=_version)
    """The highest version of the protocol that is offered: 8 to 12, or 15; the server chooses. 15 needs ``sso`` and
    ``contacts``."""
    nexus: str = field(default="https://nexus.passport.com/rdr/pprdr.asp", validator=_url)
    """Up to version 12: the web server that names the login server."""
    login: str = field(default="", validator=_url)
    """Up to version 12: the login server itself; then ``nexus`` is not asked."""
    sso: str = field(default="", validator=_url)
    """Version 15: the web service for single sign-on (``.../RST.srf``)."""
    contacts: str = field(default="", validator=_url)
    """Version 15: the folder of the contact services (``.../abservice``)."""
    stored_messages: str = field(default="", validator=_url)
    """From version 11 on: the web service for messages that came while we were away (``.../rsi/rsi.asmx``)."""
    store: str = field(default="", validator=_url)
    """Version 15: the web service that keeps messages for contacts who are away (``.../OimWS/oim.asmx``)."""
    same_host: bool = False
    """Stay on the server's host whatever address it names: for servers behind a translation of addresses."""
    server_override: Mapping[str, str] = field(factory=dict, validator=addresses)
    """``"host:port" = "host:port"``: where to connect instead of what the server names; ``"*"`` stands for all."""
    absent_as: str = field(default="AWY", validator=one_of(*STATUSES))
    """The status of an account whose person is not there, or whose presence policy hides. ``HDN`` appears offline:
    then nobody on MSN can write to the account, and up to version 12 it can write to nobody."""
    strangers: str = field(default="leave", validator=one_of("leave", "allow", "block"))
    """Whether people who are on neither the allow nor the block list may see the account and write to it."""
    sign_ons_per_second: float = field(default=5.0, validator=positive)
    """A restart with many accounts is no storm on the network."""
    messages_per_second: float = field(default=5.0, validator=positive)
    """Of one account, after a burst of 20."""
    conversations_per_minute: float = field(default=30.0, validator=positive)
    """How many switchboards one account asks for, after a burst of 8."""
    max_text_bytes: int = field(default=1200, validator=positive)
    """Longer texts are sent in parts, cut between graphemes; at most 1,200."""
    max_long_text_bytes: int = field(default=8000, validator=positive)
    """The same for contacts whose program puts chunks together."""
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
    from bridge.app.networks import msnp

    return msnp.build(around)


KIND = Kind(options=MsnpOptions, build=build)
