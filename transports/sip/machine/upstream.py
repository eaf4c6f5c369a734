"""Requests to people who are not registered here: to the server of their domain, and to the next where one fails.

RFC 3263 section 4.3: a request that found a server dead, silent or overloaded (503) goes to the next one as it is, with
another branch. A server is whoever DNS or the configuration names; which of them are passed over is known by `Health`.
A peer that wants to know who asks (401, 407) is told with the user and password that are configured for it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from hashlib import blake2b
from typing import NamedTuple, TypeAlias

from transports.sip.machine.clientauth import Asked, ClientAuth, next_cseq
from transports.sip.machine.clients import Failure, Outcome
from transports.sip.machine.config import EndpointConfig
from transports.sip.machine.flow import Target
from transports.sip.machine.health import LONGEST_RETRY_AFTER, Health
from transports.sip.machine.layer import MAGIC, TransactionLayer
from transports.sip.machine.locate import Wanted, wanted
from transports.sip.machine.ports import Entropy
from transports.sip.machine.resolver import Resolver
from transports.sip.machine.routing import Router, same_address, uri_transport
from transports.sip.machine.trunkconfig import Peer, Route
from transports.sip.machine.trust import ASSERTED
from transports.sip.wire.message import Response, retry_after
from transports.sip.wire.uri import SipUri, escape_user

TOO_LARGE = "too-large"
"""There are servers, but by UDP alone, and the request is longer than may go there (RFC 3428 section 8)."""
_MOST_TARGETS = 16
"""That one request is tried at."""
_DEAD = frozenset({Failure.TIMEOUT, Failure.TRANSPORT, Failure.UNREACHABLE})


class Hop(NamedTuple):
    """A way to a domain."""

    want: Wanted
    route: str
    """The value of the Route header that goes with a request; empty: none."""
    peer: Peer | None


class Result(NamedTuple):
    """What became of a request. ``maybe``: a server that fell silent before the last one may have taken it."""

    outcome: Outcome | str
    maybe: bool
    peer: str
    """Who gave the outcome, for people."""
    anew: int = 0
    """How often it was sent anew with credentials, each time with the next number in CSeq."""


OnResult: TypeAlias = Callable[[Result, float], None]


class Ascent:
    """One request on its way."""

    __slots__ = ("anew", "asked", "asserted", "contact", "done", "hops", "maybe", "method", "name", "outcome", "peer",
                 "tail", "targets", "tried", "uri")  # fmt: skip

    def __init__(
        self, method: str, uri: str, name: str, asserted: str, tail: bytes, hops: list[Hop], done: OnResult
    ) -> None:
        self.method = method
        self.uri = uri
        self.name = name
        self.asserted = asserted
        self.tail = tail
        self.hops = hops
        self.done = done
        self.targets: list[Target] = []
        self.outcome: Outcome | str = Failure.UNREACHABLE
        self.maybe = False
        self.tried = 0
        self.peer = ""
        self.contact = False
        self.asked: Asked | None = None
        self.anew = 0

    @property
    def body(self) -> bytes:
        """The body, as it is sent."""
        return self.tail.partition(b"\r\n\r\n")[2]


class Upstream:
    """Sends to other servers.

    Args:
        secret: branches are derived with it, so that a retry is the same request to a server that saw the first one.
        entropy: random bytes for credentials.
    """

    def __init__(
        self,
        config: EndpointConfig,
        layer: TransactionLayer,
        router: Router,
        resolver: Resolver,
        health: Health,
        secret: bytes,
        entropy: Entropy,
    ) -> None:
        self._config = config
        self._layer = layer
        self._router = router
        self._resolver = resolver
        self._health = health
        self._secret = secret[:64]
        self._hops = _hops(config)
        self._auths = {
            peer.name: ClientAuth(peer.user, peer.password, entropy) for peer in config.trunks.peers if peer.user
        }

    def auth(self, peer: Peer | None) -> ClientAuth | None:
        """Returns what answers the challenges of a peer; None where nothing is configured that could."""
        return None if peer is None else self._auths.get(peer.name)

    def hops(self, aor: str) -> list[Hop]:
        """Returns the ways to an address, the first one to be tried first; none where nobody serves its domain."""
        return self._hops.get(aor.rpartition("@")[2], [])

    def leads_to(self, aor: str, peer: Peer) -> bool:
        """Whether a request to an address would be tried at this peer: servers of one PBX know the same people."""
        return any(hop.peer is not None and hop.peer.name == peer.name for hop in self.hops(aor))

    def by_connection(self, aor: str) -> bool:
        """Whether all ways to an address are connections, which take what is longer than a datagram may be."""
        hops = self.hops(aor)
        return bool(hops) and all(hop.want.transport in {"tcp", "tls"} or hop.want.secure for hop in hops)

    def send(
        self, method: str, aor: str, name: str, asserted: str, tail: bytes, now: float, done: OnResult
    ) -> None:  # fmt: skip
        """Sends a request to an address.

        Args:
            method: its method.
            aor: ``user@domain``, the user decoded.
            name: the same for the same request, also after a restart.
            asserted: who has sent it, as a header value; told to trusted peers alone (RFC 3325 section 5).
            tail: all of it that comes after Via, Route and P-Asserted-Identity.
            now: the time.
            done: called once.
        """
        self._next_hop(Ascent(method, uri_of(aor), name, asserted, tail, [*self.hops(aor)], done), now)

    def send_for_dialog(
        self, method: str, uri: str, hops: list[Hop], name: str, asserted: str, tail: bytes, now: float, done: OnResult
    ) -> None:  # fmt: skip
        """Sends a request that begins a dialog or is of one: to ``uri`` by ``hops``, with a Contact of ours.

        The other arguments are those of `send`.
        """
        ascent = Ascent(method, uri, name, asserted, tail, [*hops], done)
        ascent.contact = True
        self._next_hop(ascent, now)

    # -- inside -------------------------------------------------------------------------------------------------------

    def _next_hop(self, ascent: Ascent, now: float) -> None:
        if not ascent.hops or ascent.tried >= _MOST_TARGETS:
            self._end(ascent, now)
            return
        hop = ascent.hops.pop(0)
        self._resolver.locate(hop.want, now, partial(self._found, ascent, hop))

    def _found(self, ascent: Ascent, hop: Hop, targets: tuple[Target, ...], now: float) -> None:
        ascent.targets = [target for target in targets if self._health.usable(target, now)]
        self._next_target(ascent, hop, now)

    def _next_target(self, ascent: Ascent, hop: Hop, now: float) -> None:
        ascent.asked = None
        while ascent.targets and ascent.tried < _MOST_TARGETS:
            target = ascent.targets.pop(0)
            if not self.is_ourselves(target) and self._try(ascent, hop, target, now):
                return
        self._next_hop(ascent, now)

    def _try(self, ascent: Ascent, hop: Hop, target: Target, now: float) -> bool:
        """Sends to one server. False: it cannot be sent there."""
        resolved = self._router.resolve(target)
        if resolved is None:
            return False
        way, transport, sent_by = resolved
        text = f"{ascent.name}\n{target.transport}:{target.host}:{target.port}"
        if ascent.anew:
            text += f"\n{ascent.anew}"
        branch = MAGIC + blake2b(text.encode(), digest_size=16, key=self._secret).hexdigest()
        auth = self.auth(hop.peer)
        credentials = "" if auth is None else auth.headers(ascent.method, ascent.uri, ascent.body)
        data = _build(ascent, hop, transport, sent_by, branch, credentials)
        if target.transport == "udp" and len(data) > self._config.max_udp_message:
            if hop.want.transport == "udp":
                ascent.outcome = TOO_LARGE
                return False
            return self._try(ascent, hop, target._replace(transport="tcp"), now)  # RFC 3261 18.1.1
        ascent.tried += 1
        ascent.peer = hop.peer.name if hop.peer is not None else hop.want.host
        answered = partial(self._answered, ascent, hop, target)
        if self._layer.request(ascent.method, branch, data, way, now, answered) is None:
            self._layer.adopt(ascent.method, branch, answered)
        return True

    def _answered(self, ascent: Ascent, hop: Hop, target: Target, outcome: Outcome, now: float) -> None:
        ascent.outcome = outcome
        if isinstance(outcome, Response):
            if outcome.status != 503:
                self._health.answered(target, now)
                if not (self._asked(ascent, hop, outcome) and self._try(ascent, hop, target, now)):
                    self._end(ascent, now)
                return
            wait = retry_after(outcome, LONGEST_RETRY_AFTER)
            if wait is not None:
                self._health.busy(target, wait, now)
        elif outcome in _DEAD:
            self._health.failed(target, outcome.value, now)
            ascent.maybe = ascent.maybe or outcome is not Failure.UNREACHABLE
        else:
            self._end(ascent, now)
            return
        self._next_target(ascent, hop, now)

    def _asked(self, ascent: Ascent, hop: Hop, response: Response) -> bool:
        """Whether a request is to be sent anew, with credentials that its server has asked for."""
        auth = self.auth(hop.peer)
        if auth is None:
            return False
        if ascent.asked is None:
            ascent.asked = Asked()
        if not auth.challenged(response, ascent.asked):
            return False
        ascent.anew += 1
        ascent.tail = next_cseq(ascent.tail)
        ascent.tried -= 1
        return True

    @staticmethod
    def _end(ascent: Ascent, now: float) -> None:
        ascent.done(Result(ascent.outcome, ascent.maybe, ascent.peer, ascent.anew), now)

    def is_ourselves(self, target: Target) -> bool:
        """RFC 3261 16.6 step 4: a request that would come back is not sent."""
        for listener in self._config.listeners:
            if listener.transport != target.transport or listener.port != target.port:
                continue
            loopback = target.host == "::1" or target.host.startswith("127.")
            if same_address(listener.host, target.host) or (listener.everywhere and loopback):
                return True
            if listener.advertised is not None and same_address(listener.advertised, target.host):
                return True
        return False


def uri_of(aor: str) -> str:
    """Returns the SIP URI of an address whose user is decoded."""
    user, _, host = aor.rpartition("@")
    return f"sip:{escape_user(user)}@{host}"


def _build(ascent: Ascent, hop: Hop, transport: str, sent_by: str, branch: str, credentials: str) -> bytes:
    route = f"Route: {hop.route}\r\n" if hop.route else ""
    asserted = f"{ASSERTED}: {ascent.asserted}\r\n" if ascent.asserted and hop.peer is not None else ""
    via = f"SIP/2.0/{transport} {sent_by};rport;branch={branch}"
    contact = ""
    if ascent.contact:
        contact = f"Contact: <sip:{sent_by};transport={uri_transport(transport.lower())}>\r\n"
    head = f"{ascent.method} {ascent.uri} SIP/2.0\r\nVia: {via}\r\n{route}{asserted}{contact}{credentials}"
    return head.encode() + ascent.tail


def peer_hop(peer: Peer) -> Hop:
    """Returns the way to a trusted peer."""
    want = Wanted(peer.transport == "tls", peer.host.lower(), peer.port, peer.transport, peer.proves.lower())
    return Hop(want, "", peer)


def _hops(config: EndpointConfig) -> dict[str, list[Hop]]:
    trunks = config.trunks
    peers = {peer.name: peer for peer in trunks.peers}
    found: dict[str, list[Hop]] = {}
    for route in trunks.routes:
        hop = _route_hop(route, peers.get(route.peer), trunks.outbound_proxy)
        if hop is not None:
            found.setdefault(route.domain, []).append(hop)
    routed = set(found)
    for peer in trunks.peers:
        for domain in peer.domains if peer.registrar else ():
            if domain not in routed:
                found.setdefault(domain, []).append(peer_hop(peer))
    return found


def _route_hop(route: Route, peer: Peer | None, proxy: SipUri | None) -> Hop | None:
    if peer is not None and route.next_hop is None:
        return peer_hop(peer)
    if route.next_hop is not None:
        uri, loose = route.next_hop, route.next_hop.has_param("lr")
    elif proxy is not None:
        uri, loose = proxy, True
    else:
        return Hop(Wanted(False, route.domain, None, "", route.domain), "", None)
    want = wanted(uri)
    if want is None:
        return None
    with_lr = uri if uri.has_param("lr") else uri.replace(params=(*uri.params, ("lr", None)))
    return Hop(want, f"<{with_lr}>" if loose else "", peer)
