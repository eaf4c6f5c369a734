"""IRC as a kind of network: its options, and how one is built.

Apart from ``irc``, so that a command reads and checks a configuration without loading what speaks the protocol.
"""

from pathlib import Path
from typing import Any

from attrs import field, frozen

from bridge.app.networks.base import Kind, Network, Surroundings
from bridge.app.values import HostPort, not_negative, one_of, positive

_AUTH = ("auto", "sasl", "plain", "scram-sha-256", "external", "pass", "nickserv", "none")


@frozen(kw_only=True)
class IrcOptions:
    """The options of ``[networks.NAME]`` with ``kind = "irc"``."""

    server: HostPort
    """A server of the network; 6667 is the usual port, 6697 that of TLS."""
    tls: bool = False
    """TLS from the first byte; the server's certificate has to be valid for the host of ``server``."""
    tls_ca: Path | None = None
    """A PEM file with the authorities that are trusted, instead of the system's."""
    tls_certificate: Path | None = None
    """A PEM file with a certificate of ours and its key, for ``auth = "external"``."""
    auth: str = field(default="auto", validator=one_of(*_AUTH))
    """How the password of a bound name is shown: ``auto`` (the best SASL mechanism that the server offers, else PASS),
    ``sasl`` (the best one, or no sign-on), ``plain``, ``scram-sha-256``, ``external``, ``pass``, ``nickserv`` or
    ``none``."""
    services_account: str = ""
    """The services account to log in to, where one stands for all names; else it is the name itself."""
    realname: str = "simplebridge"
    """What WHOIS shows as the real name of our accounts."""
    nickserv: str = "NickServ"
    """To whom IDENTIFY is sent with ``auth = "nickserv"``; ``NickServ@services.example`` where the network knows it."""
    regain: str = ""
    """What is sent to NickServ when somebody else wears a bound name: ``REGAIN {nick} {password}`` or as services have
    it. Empty: nothing."""
    nick_in_use: str = field(default="alternative", validator=one_of("alternative", "wait"))
    """When somebody else wears a bound name: sign on under one like it until it is free, or ``wait``."""
    regain_interval: float = field(default=60.0, validator=positive)
    """Seconds between two tries to take a bound name from under another one."""
    verified_only: bool = False
    """Hear and write to users only whose services account is their name: others are refused, on record. Wants a server
    with account-tag, and services."""
    messages_per_second: float = field(default=0.5, validator=positive)
    """How fast an account sends for long; servers punish what is faster than theirs (RFC 2813 section 5.8: 0.5)."""
    burst: int = field(default=4, validator=positive)
    """How many lines an account sends at once after a pause."""
    poll_interval: float = field(default=60.0, validator=positive)
    """Seconds between two questions who is there, where the server has neither MONITOR nor WATCH, and who is away."""
    typing: bool = True
    """Show who types, where the server carries tags."""
    sign_ons_per_second: float = field(default=2.0, validator=positive)
    """A restart with many accounts is no storm on the network."""
    max_text_bytes: int = field(default=400, validator=positive)
    """Longer lines are sent in parts, cut between graphemes. Long names leave less room in a line of 512 bytes."""
    killed_wait: float = field(default=120.0, validator=positive)
    """Seconds until a session that an operator ended is tried again, at least."""
    elsewhere_wait: float = field(default=300.0, validator=not_negative)
    """After services ended a session for another client, seconds until the bridge takes the name back; twice as long
    each further time, up to four hours. 0: never."""
    elsewhere_times: int = field(default=5, validator=not_negative)
    """How often in a row a name is taken back at most. Then it is left to the other client."""


def build(around: Surroundings) -> Network:
    """Builds a network of this kind.

    Raises:
        ValueError: an option is out of range, or a file of TLS cannot be used.
    """
    from bridge.app.networks import irc

    return irc.build(around)


def _needs_credentials(options: Any) -> bool:
    return options.auth not in {"none", "external"}


KIND = Kind(options=IrcOptions, build=build, needs_credentials=_needs_credentials)
