"""Whom we believe who has sent a request: trusted peers and P-Asserted-Identity (RFC 3324, RFC 3325, RFC 3323)."""

from __future__ import annotations

import re
from ipaddress import ip_address

from transports.sip.machine.flow import DEFAULT_PORTS, SECURED, Flow
from transports.sip.machine.names import Names
from transports.sip.machine.trunkconfig import Peer
from transports.sip.wire.headers import NameAddr, parse_name_addrs
from transports.sip.wire.message import Request
from transports.sip.wire.uri import OtherUri, SipUri, Uri

ASSERTED = "P-Asserted-Identity"
MOST_ASSERTED = 2
"""RFC 3325 section 9.1: one value, or two of which one is a sip or sips URI and the other a tel URI."""
ANONYMITY_DISALLOWED = 433
"""RFC 5079."""
_TELEPHONE = re.compile(r"\+?[0-9A-Da-d*#]{1,40}")
_SEPARATORS = str.maketrans("", "", "-.()")


class NotVouched(Exception):
    """What a peer says of the sender is not taken; it is answered with this."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class Trust:
    """The trusted peers.

    Args:
        peers: as configured, the one that is asked first at the beginning.
        names: whose an address is.
    """

    def __init__(self, peers: tuple[Peer, ...], names: Names) -> None:
        self._names = names
        self._by_certificate: dict[str, Peer] = {}
        self._by_address: dict[str, list[Peer]] = {}
        self._addresses: dict[str, frozenset[str]] = {}
        self._peers = peers
        for peer in peers:
            if peer.certificate:
                self._by_certificate.setdefault(peer.certificate.lower(), peer)
        for peer in peers:
            if _address(peer.host):
                self.set_addresses(peer, frozenset({peer.host}))

    def set_addresses(self, peer: Peer, addresses: frozenset[str]) -> None:
        """Takes the addresses that a peer has now. One that proves itself by certificate has none that count."""
        if peer.certificate:
            return
        self._addresses[peer.name] = frozenset(_address(one) or one for one in addresses)
        self._by_address = {}
        for one in self._peers:
            for address in self._addresses.get(one.name, ()):
                self._by_address.setdefault(address, []).append(one)

    def has_address(self, host: str) -> bool:
        """Whether an address is one of a peer's."""
        return host in self._by_address

    def knows(self, flow: Flow) -> bool:
        """Whether a flow is a peer's, by its address alone or by its certificate."""
        return flow.source in self._by_address or any(name in self._by_certificate for name in flow.identities)

    def peer_of(self, flow: Flow, request: Request) -> Peer | None:
        """Returns the peer that a request came from; None where it came from anybody else."""
        if self._by_certificate and flow.transport in SECURED:
            for identity in flow.identities:
                peer = self._by_certificate.get(identity)
                if peer is not None:
                    return peer
        for peer in self._by_address.get(flow.source, ()):
            if peer.transport in {"", flow.transport} and (peer.any_port or _own_port(peer, flow, request)):
                return peer
        return None

    def sender(self, peer: Peer, request: Request) -> str | None:
        """Returns the address-of-record that a peer says has sent a request.

        None: it says nothing of that, and From is not believed: the sender may prove themselves.

        Raises:
            NotVouched: it cannot be read, or the peer does not speak for that domain.
            SipSyntaxError: From cannot be read.
        """
        found = self._asserted(request, peer)
        if found is None:
            if peer.asserted_only or (request.to.tag is not None and request.method != "SUBSCRIBE"):
                return None  # proxies let pass what looks like a dialog's; only SUBSCRIBE has one here
            found = self._aor(request.from_.uri, peer)
            if found is None:
                raise NotVouched(403, "From is not an address of a person")
        domain = found.rpartition("@")[2]
        if domain not in peer.domains:
            raise NotVouched(403, f"{peer.name} does not speak for {domain}")
        return found

    def hides(self, request: Request, aor: str) -> bool:
        """Whether a sender asks that who they are is told to nobody (RFC 3323, RFC 3325 section 7).

        Who shows the same address in From has nothing to hide: then it is the header alone that is not passed on.
        """
        wanted = {word.strip().lower() for line in request.lines("Privacy") for word in line.split(";")}
        if not wanted - {"", "none"}:
            return False
        uri = request.from_.uri
        return not isinstance(uri, SipUri) or (self._names.aor(uri) or uri.aor) != aor

    def _asserted(self, request: Request, peer: Peer) -> str | None:
        if not request.has(ASSERTED):
            return None
        try:
            values = parse_name_addrs(request.values(ASSERTED))
        except ValueError as error:
            raise NotVouched(400, f"{ASSERTED} cannot be read") from error
        schemes = ["tel" if isinstance(value.uri, OtherUri) else "sip" for value in values]
        if not values or len(values) > MOST_ASSERTED or len(set(schemes)) < len(schemes):
            raise NotVouched(400, f"{ASSERTED} has not one address, or one and a telephone number")
        best: NameAddr = values[schemes.index("sip")] if "sip" in schemes else values[0]
        aor = self._aor(best.uri, peer)
        if aor is None:
            raise NotVouched(400, f"{ASSERTED} is not an address of a person")
        return aor

    def _aor(self, uri: Uri, peer: Peer) -> str | None:
        if isinstance(uri, SipUri):
            return None if uri.user is None else self._names.aor(uri) or uri.aor
        if uri.scheme != "tel":
            return None
        number, _, params = str(uri).partition(":")[2].partition(";")
        number = number.translate(_SEPARATORS)
        if _TELEPHONE.fullmatch(number) is None:
            return None
        if number.startswith("+"):
            return f"{number}@{peer.domains[0]}"
        for param in params.split(";"):  # RFC 3966 5.1.5: a local number says of which domain it is
            name, _, value = param.partition("=")
            if name.lower() == "phone-context" and not value.startswith("+"):
                return f"{number}@{value.lower()}"
        return None


def _own_port(peer: Peer, flow: Flow, request: Request) -> bool:
    """Whether a request came from the peer's own port: over a connection, whose port says nothing, Via names it."""
    if flow.transport == "udp":
        return flow.remote[1] == (peer.port or DEFAULT_PORTS["udp"])
    default = DEFAULT_PORTS.get(flow.transport, 0)
    return (request.top_via.port or default) == (peer.port or default)


def _address(host: str) -> str:
    try:
        return str(ip_address(host))
    except ValueError:
        return ""
