"""What an endpoint is told: names, limits, timers. Values only."""

from __future__ import annotations

import re
from collections.abc import Mapping

from attrs import field, frozen

from transports.sip.machine.quirks import DEFAULT, Quirks
from transports.sip.machine.transactions import Timers
from transports.sip.machine.trunkconfig import TrunkConfig

MESSAGE_TYPES = (
    "text/plain",
    "text/html",
    "message/cpim",
    "message/imdn+xml",
    "application/im-iscomposing+xml",
    "multipart/mixed",
    "multipart/alternative",
    "multipart/related",
)
"""The content types of MESSAGE that the bridge takes (RFC 3428 section 7, RFC 3994, RFC 5438, RFC 5621)."""
ENCODINGS = ("deflate", "gzip")
"""The content codings that it undoes (RFC 3261 section 20.12)."""


@frozen(kw_only=True)
class Listener:
    """One of our own addresses: what Via and Contact of our requests say.

    ``host`` and ``port`` are where the socket is bound, as a `Flow`'s ``local``; ``advertised`` is the host that peers
    are told, where it differs (a name, or the address of a NAT). One that listens on every address and advertises
    nothing tells them the domain.
    """

    transport: str
    host: str
    port: int
    advertised: str | None = None

    @property
    def everywhere(self) -> bool:
        """Whether it listens on every address, so that ``host`` is none that a peer could use."""
        return self.host in {"0.0.0.0", "::"}  # noqa: S104 - compared with, never bound

    @property
    def sent_by(self) -> str:
        """``host:port`` as Via has it, IPv6 in brackets."""
        host = self.advertised or self.host
        return f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"


@frozen(kw_only=True)
class ChallengeRule:
    """Which algorithms to challenge with, in order, where ``transport`` and ``user_agent`` match (None: always)."""

    algorithms: tuple[str, ...]
    transport: str | None = None
    user_agent: re.Pattern[str] | None = None


@frozen(kw_only=True)
class AuthConfig:
    """Digest authentication (RFC 8760) and the throttle on guesses."""

    challenges: tuple[ChallengeRule, ...] = (ChallengeRule(algorithms=("MD5",)),)
    """The first rule that matches decides. MD5 alone is what every client in use takes (baresip fails where it is
    offered two, JsSIP reads the first only); offer SHA-256 by transport or user agent where clients are known."""
    legacy: bool = True
    """Whether credentials without qop (RFC 2069, as libpurple sends them) are taken. They have no replay counter."""
    nonce_lifetime: float = 3600.0
    legacy_nonce_lifetime: float = 300.0
    """The same for credentials without a counter: the shorter it is, the less a captured request is worth."""
    max_nonces: int = 65536
    """Nonces whose counters are kept. Older ones are stale, which costs the client one round trip."""
    uri_aliases: frozenset[str] = frozenset()
    """Hosts (``host`` or ``host:port``) that the digest ``uri`` may name besides the Request-URI's (sipp: IP:PORT)."""
    free_guesses: int = 5
    """Wrong answers per (user, source) before the delay begins; four times as many for a source."""
    first_delay: float = 1.0
    longest_delay: float = 300.0
    max_guessers: int = 65536


@frozen(kw_only=True)
class Limits:
    """What a peer can make us keep."""

    server_transactions: int = 65536
    server_transactions_per_source: int = 8192
    flow_rate: float = 100.0
    """What is done in a second for an address and port that has proved nothing: challenges, refusals, answers to copies
    and to OPTIONS. 0: no limit."""
    flow_burst: float = 1000.0
    """How much of it at once, after a quiet time."""
    source_rate: float = 500.0
    """The same for an address, and for an address and port that has proved a password."""
    source_burst: float = 10_000.0
    unproven_rate: float = 2000.0
    """The same for all addresses together, which a datagram may have forged."""
    unproven_burst: float = 40_000.0
    person_rate: float = 500.0
    """Requests of one person in a second (503 above it). 0: no limit."""
    person_burst: float = 10_000.0
    sources: int = 65536
    """Addresses, and persons, of which this is kept."""
    finished_transactions: int = 131072
    """Answers kept for retransmissions. Beyond it the oldest are forgotten before their time."""
    client_transactions: int = 65536
    contacts_per_aor: int = 10
    bindings: int = 200_000
    subscriptions: int = 400_000
    subscriptions_per_watcher: int = 1000
    """A subscription to a list counts by its entries, here and in ``subscriptions``."""
    list_entries: int = 500
    list_document: int = 131072
    """Bytes of a list of resources (RFC 4826), inflated."""
    list_notify: int = 200_000
    """Bytes of a list's NOTIFY over a connection. What does not fit follows in the next one."""
    list_notify_datagram: int = 40_000
    """The same over UDP, which must leave room for the headers in 64 KiB."""
    publications_per_aor: int = 10
    publications: int = 200_000
    stored_publication: int = 8192
    """Bytes of a presence document that outlives a restart. A longer one is published anew then (RFC 3903 4.1)."""
    challenged: int = 4096
    """MESSAGEs that were asked for credentials and wait for them. Beyond it the oldest count as refused."""
    max_body: int = 65536
    inflated_body: int = 262144
    stored_text: int = 512
    address: int = 320
    """Characters of an address that can be watched: 64 and 255, as mail has them, and the at sign. Longer: 414."""
    """Characters of a header that a peer has us keep (Contact, User-Agent, route set entries)."""
    retry_after: int = 5


@frozen(kw_only=True)
class Lifetimes:
    """Expiry in seconds of what clients register, subscribe to and publish (RFC 3261 10.3, RFC 6665, RFC 3903)."""

    minimum: int = 60
    default: int = 3600
    maximum: int = 7200
    subscription_default: int = 3600
    challenge: float = 3.0
    """What a client has to answer a challenge to its MESSAGE, before that is on record as refused. Clients answer at
    once; one that asks its user for a password is late, and its answer is a message like any other."""
    flow_timer: int = 120
    """Within which a client that registered by outbound sends a keep-alive (RFC 5626 sections 4.4.1 and 5.4)."""
    lost_flow: float = 15.0
    """What a device has to come back after its connection broke, before its Contact is asked and may be forgotten."""
    notify_interval: float = 5.0
    """RFC 3856 section 6.10: at most one NOTIFY per subscription in this time."""


@frozen(kw_only=True)
class StoredList:
    """A list that people subscribe to by its address (RFC 4662)."""

    members: tuple[str, ...]
    """URIs, in the order in which they are told."""
    watchers: frozenset[str] = frozenset()
    """Who may subscribe to it, addresses-of-record; empty: whoever may sign on. Each sees what they may of each."""


@frozen(kw_only=True)
class EndpointConfig:
    """All that a `Endpoint` is told at its start."""

    domain: str
    """The corporate SIP domain: registrations, and the realm of Digest."""
    listeners: tuple[Listener, ...]
    network_domains: frozenset[str] = frozenset()
    """Domains under which SIP users address other networks (``aim.corp.example``)."""
    aliases: frozenset[str] = frozenset()
    """Other names of ours that may stand in a Request-URI for the domain: addresses, host names."""
    realm: str | None = None
    user_agent: str = "simplebridge"
    message_types: tuple[str, ...] = MESSAGE_TYPES
    reg_watchers: frozenset[str] = frozenset()
    """Who may watch everybody's registrations (RFC 3680), besides each person their own: addresses-of-record."""
    lists: Mapping[str, StoredList] = field(factory=dict)
    """Lists that are kept here (RFC 4662), by their addresses."""
    max_udp_message: int = 1300
    """RFC 3428 section 8: a larger MESSAGE goes over a congestion-controlled transport."""
    auth: AuthConfig = field(factory=AuthConfig)
    limits: Limits = field(factory=Limits)
    lifetimes: Lifetimes = field(factory=Lifetimes)
    timers: Timers = field(factory=Timers)
    quirks: Quirks = DEFAULT
    trunks: TrunkConfig = field(factory=TrunkConfig)
    """Other SIP servers, and the domains that are reached by them."""

    @property
    def auth_realm(self) -> str:
        """The realm of our challenges."""
        return self.realm or self.domain

    def listener_for(self, transport: str, host: str) -> Listener | None:
        """Returns the listener to send from to ``host`` over ``transport``: of the same address family, if any."""
        v6 = ":" in host
        best: Listener | None = None
        for listener in self.listeners:
            if listener.transport == transport:
                if (":" in listener.host) == v6:
                    return listener
                best = best or listener
        return best
