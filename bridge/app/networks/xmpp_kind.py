"""XMPP as a kind of network: its options, and how one is built (docs/adr/0011-xmpp-one-kind.md).

Apart from ``xmpp``, so that a command reads and checks a configuration without loading what speaks the protocol.
"""

from pathlib import Path
from typing import Any

from attrs import field, frozen

from bridge.app.networks.base import Kind, Network, Surroundings
from bridge.app.values import HostPort, not_negative, one_of, positive


@frozen(kw_only=True)
class XmppOptions:
    """The options of ``[networks.NAME]`` with ``kind = "xmpp"``."""

    mode: str = field(default="client", validator=one_of("client", "component"))
    """``client``: each binding is an account of some server, with its password. ``component``: the bridge is an
    external component of a server (XEP-0114), and each binding is an address of its domain, without a password."""
    server: HostPort | None = None
    """Where to connect. Clients may leave it out: then DNS says it for the domain of each account."""
    component: str = ""
    """The component's domain, as the server knows it (``mode = "component"``)."""
    secret_file: Path | None = None
    """A file that holds the component's secret (``mode = "component"``)."""
    tls: str = field(default="starttls", validator=one_of("starttls", "direct", "none"))
    """Of clients: ``starttls``, which is insisted on, ``direct``, or ``none``, for a server on the same host alone. A
    component's connection has no TLS: keep it on the host, or in a tunnel."""
    ca_file: Path | None = None
    """Certificates of authorities that vouch for servers; those of the system by default."""
    resource: str = "simplebridge"
    sign_ons_per_second: float = field(default=5.0, validator=positive)
    """A restart with many accounts is no storm on the server."""
    max_text_bytes: int = field(default=20_000, validator=positive)
    """Longer texts are sent in parts, cut between graphemes."""
    carbons: bool = True
    """Of clients: have what other clients of the account write and are sent (XEP-0280), for the record."""
    ping_after: float = field(default=60.0, validator=positive)
    """Seconds without a word of the server until it is asked whether it is there."""
    ping_timeout: float = field(default=30.0, validator=positive)
    """Seconds until a server that does not answer is given up, and what was not confirmed is unknown."""
    resume_within: float = field(default=20.0, validator=positive)
    """Of clients: seconds in which a stream that broke may be resumed (XEP-0198); until then it is open what became of
    the messages that nobody has confirmed, and from then on it is unknown."""
    elsewhere_wait: float = field(default=300.0, validator=not_negative)
    """After another client signed on with our resource, seconds until the bridge takes it back; twice as long each
    further time, up to four hours. 0: never."""
    elsewhere_times: int = field(default=5, validator=not_negative)
    """How often in a row it is taken back at most."""


def build(around: Surroundings) -> Network:
    """Builds a network of this kind.

    Raises:
        ValueError: an option is out of range, or one that the mode needs is missing.
    """
    from bridge.app.networks import xmpp

    return xmpp.build(around)


def _needs_credentials(options: Any) -> bool:
    return bool(options.mode == "client")


KIND = Kind(options=XmppOptions, build=build, needs_credentials=_needs_credentials)
