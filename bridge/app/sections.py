"""The sections of the configuration: each key with its type, default and meaning. The reference is made from here."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import Factory, field, frozen

from bridge.app.quirksection import QuirkSection
from bridge.app.trunksections import PeerSection, RouteSection
from bridge.app.values import (
    DIGESTS,
    HostPort,
    InvalidValue,
    Listen,
    domain_name,
    not_negative,
    one_of,
    positive,
    realm_text,
    shown,
    word,
)


@frozen(kw_only=True)
class BridgeSection:
    """``[bridge]``: who we are, and where our files are."""

    domain: str = field(validator=domain_name)
    """The corporate SIP domain."""
    data_dir: Path = Path("var")
    """The embedded store, keys, the log's tiles."""
    log_level: str = field(default="info", validator=one_of("debug", "info", "warning", "error"))
    drain: float = field(default=10.0, validator=positive)
    """Seconds that a stop gives to what is under way."""


@frozen(kw_only=True)
class StoreSection:
    """``[store]``"""

    url: str = ""
    """``sqlite:///file``; by default ``bridge.db`` in ``data_dir``."""
    max_waiting: int = field(default=20_000, validator=positive)
    """How many writes may wait for the disk before new messages are answered 503."""


@frozen(kw_only=True)
class SipSection:
    """``[sip]``: the listeners and what a SIP client may ask for."""

    listen: tuple[Listen, ...] = Factory(
        lambda: (Listen.parse("udp:127.0.0.1:5060"), Listen.parse("tcp:127.0.0.1:5060"))
    )
    certificate: Path | None = None
    """PEM chain for tls and wss; without one a self-signed certificate is made in ``data_dir``."""
    key: Path | None = None
    realm: str = field(default="", validator=realm_text)
    """The digest realm; the domain by default."""
    digest_algorithms: tuple[str, ...] = ("MD5",)
    """Challenges in this order. Some clients read only the first, and some know only MD5."""
    digest_legacy: bool = True
    """Let clients in that answer without qop (RFC 2069), as libpurple does; their nonces live shorter."""
    nonce_lifetime: float = field(default=600.0, validator=positive)
    """Seconds until a nonce is stale."""
    expires_min: int = field(default=60, validator=positive)
    """The shortest registration, seconds (423 below it)."""
    expires_max: int = field(default=3600, validator=positive)
    expires_default: int = field(default=3600, validator=positive)
    max_contacts: int = field(default=10, validator=positive)
    """Devices of one person; one more takes the place of that which was refreshed longest ago."""
    websocket_origins: tuple[str, ...] = ()
    """Web pages that may connect over ws and wss, such as ``https://im.corp.example``; none named: all may."""
    max_connections: int = field(default=10_000, validator=positive)
    max_connections_per_source: int = field(default=200, validator=positive)
    """An address, or of IPv6 the /64 that it is of."""
    max_rate_per_source: float = field(default=500.0, validator=not_negative)
    """What is done in a second for an address that proves no password: challenges, refusals, answers to OPTIONS. Twenty
    times as much at once; then 503, and silence. One port of it has a fifth, all such addresses together have four
    times as much. 0: no limit."""
    max_rate_per_person: float = field(default=500.0, validator=not_negative)
    """Requests of one person in a second, twenty times as many at once (503 above it). 0: no limit."""
    flow_timer: int = field(default=120, validator=positive)
    """Seconds within which a device that registered by SIP Outbound is to send a keep-alive."""
    max_body: int = field(default=65_536, validator=positive)
    """The longest body of a request, bytes (413 above it)."""
    quirks: tuple[QuirkSection, ...] = ()
    authorities: Path | None = None
    """PEM certificates of the authorities whose certificates count: those of peers that connect to us, and of servers
    that we connect to, for which the system's count where none are named. Whoever shows one of another is refused."""
    dns_servers: tuple[HostPort, ...] = ()
    """Whom to ask for other SIP servers; the system's by default."""
    outbound_proxy: str = ""
    """A SIP URI: where requests to the domains of ``routes`` without a next hop go."""
    trusted_peers: tuple[PeerSection, ...] = ()
    routes: tuple[RouteSection, ...] = ()

    def __attrs_post_init__(self) -> None:
        if not self.listen:
            raise InvalidValue("listen", "at least one listener is needed")
        for number, one in enumerate(self.listen):
            if one.at.port and one in self.listen[:number]:
                raise InvalidValue("listen", f"{one.transport}:{one.at} stands there twice")
        if not self.digest_algorithms:
            raise InvalidValue("digest_algorithms", f"at least one of {', '.join(DIGESTS)} is needed")
        for name in self.digest_algorithms:
            if name not in DIGESTS:
                raise InvalidValue("digest_algorithms", f"{shown(name)} is not one of {', '.join(DIGESTS)}")
        if not self.expires_min <= self.expires_default <= self.expires_max:
            raise InvalidValue("expires_default", "must lie between expires_min and expires_max")
        if (self.certificate is None) != (self.key is None):
            raise InvalidValue("key" if self.key is None else "certificate", "certificate and key are given together")


@frozen(kw_only=True)
class NetworkSection:
    """``[networks.NAME]``: what every network has; the rest of the table belongs to its kind."""

    kind: str
    domain: str = field(validator=domain_name)
    """How SIP users address the network: ``sip:name@domain``."""
    options: Mapping[str, Any] = Factory(dict)


@frozen(kw_only=True)
class PolicySection:
    """``[policy]``"""

    file: Path | None = None
    """Without a policy everything is refused."""


@frozen(kw_only=True)
class DeliverySection:
    """``[delivery]``"""

    offline_hours: float = field(default=168.0, validator=positive)
    """How long a message waits for its recipient."""
    max_waiting_per_conversation: int = field(default=10_000, validator=positive)
    max_waiting: int = field(default=200_000, validator=positive)
    tell_after: float = field(default=5.0, validator=positive)
    """Seconds after which a sender is told that their message waits."""
    notices_from: str = field(default="simplebridge", validator=word)
    """The user part of the address from which the bridge itself writes to people."""


@frozen(kw_only=True)
class PresenceSection:
    """``[presence]``"""

    notify_interval: float = field(default=5.0, validator=not_negative)
    """Seconds between two NOTIFYs of one subscription at the least; the last state is told (RFC 3856 section 6.10)."""
    reg_watchers: tuple[str, ...] = ()
    """Addresses that may watch everybody's registrations (RFC 3680); each person may watch their own."""


@frozen(kw_only=True)
class ListSection:
    """``[[lists]]``: a list of people and contacts that is watched by one subscription to its address (RFC 4662)."""

    address: str
    """Of the corporate domain, such as ``team@corp.example``; not that of a person."""
    members: tuple[str, ...]
    """Addresses: ``bob@corp.example``, or those of contacts, such as ``theboogyman@aim.corp.example``."""
    watchers: tuple[str, ...] = ()
    """Who may subscribe to it; none named: whoever may sign on. Each sees of the members what policy lets them see."""


@frozen(kw_only=True)
class ComplianceSection:
    """``[compliance]``"""

    checkpoint_interval: float = field(default=1.0, validator=positive)
    retention_class: str = field(default="default", validator=word)


@frozen(kw_only=True)
class MetricsSection:
    """``[metrics]``"""

    listen: HostPort | None = None
    """A loopback address for Prometheus; off by default."""
