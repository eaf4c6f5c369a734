"""What an endpoint is told of other SIP servers: trusted peers, routes by domain, DNS. Values only."""

from __future__ import annotations

from attrs import field, frozen

from transports.sip.wire.uri import SipUri


@frozen(kw_only=True)
class Peer:
    """A SIP server that we trust as RFC 3325 means it: a PBX, a registrar, a proxy of the company's own.

    A request is its own that comes from its address, or (``certificate``) over TLS with a certificate that proves that
    domain. What it says of who has sent a request is believed, within ``domains``.
    """

    name: str
    """For people and ``status``."""
    host: str
    """An address, or a name that DNS knows; IPv6 without brackets."""
    port: int | None = None
    """None: as RFC 3263 finds it."""
    transport: str = ""
    """``udp``, ``tcp`` or ``tls``; empty: as RFC 3263 finds it, and requests of its may come by any."""
    certificate: str = ""
    """The domain that its certificate must prove (RFC 5922). Then an address proves nothing."""
    domains: tuple[str, ...] = ()
    """For whose people it may speak, the first one for telephone numbers too."""
    asserted_only: bool = False
    """Whether From is no proof where P-Asserted-Identity is missing."""
    any_port: bool = False
    """Whether its address is proof whatever the port. Otherwise the source port (UDP) or the port in Via is its own."""
    registrar: bool = True
    """Whether the people of its domains who are not registered here are reached there."""
    ping: float = 30.0
    """Seconds between OPTIONS; 0: none."""
    user: str = ""
    """The digest user that its challenges are answered with; empty: they are not."""
    password: str = field(default="", repr=False)
    watch_as: str = ""
    """In whose name (an address-of-record) the presence of its people is watched there; empty: it is not."""

    @property
    def proves(self) -> str:
        """The name that its certificate must prove when we connect to it."""
        return self.certificate or self.host


@frozen(kw_only=True)
class Route:
    """Where requests to the addresses of a domain go."""

    domain: str
    next_hop: SipUri | None = None
    """None: as RFC 3263 finds it for the domain itself. With ``;lr`` it gets a Route header (RFC 3261 16.12)."""
    peer: str = ""
    """The name of the trusted peer that it leads to, if it is one."""
    watch: bool = False
    """Whether presence of the domain's people is watched there, each time in the name of who watches."""


@frozen(kw_only=True)
class TrunkConfig:
    """All of it."""

    peers: tuple[Peer, ...] = ()
    routes: tuple[Route, ...] = ()
    outbound_proxy: SipUri | None = None
    """Where requests to the domains of ``routes`` without a next hop go (RFC 3261 8.1.2)."""
    hold_off: float = 30.0
    """Seconds for which a server that did not answer is passed over, where no ping finds it back sooner."""
    ping_answer: float = 8.0
    """Seconds that a server has to answer a ping."""

    @property
    def on(self) -> bool:
        """Whether there is any other server."""
        return bool(self.peers or self.routes)

    @property
    def foreign(self) -> frozenset[str]:
        """The domains of others that are reached: those of the routes, and those that peers speak for."""
        return frozenset(route.domain for route in self.routes) | {name for peer in self.peers for name in peer.domains}


@frozen(kw_only=True)
class ResolverLimits:
    """Bounds of what DNS can make us keep and do. Times in seconds."""

    entries: int = 4096
    longest_ttl: float = 86_400.0
    negative_ttl: float = 60.0
    """Where an answer that there is nothing does not say for how long."""
    longest_negative_ttl: float = 3600.0
    failure_ttl: float = 5.0
    answer_within: float = 15.0
    records: int = 16
    """Of an answer; the rest is left."""
    targets: int = 32
    waiting: int = 4096
    rounds: int = 8
    """Of questions in a row for one search."""
