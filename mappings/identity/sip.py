"""SIP URIs and the addresses behind them: ``sip:theboogyman@aim.corp.example`` is ``aim/theboogyman``.

The user part is percent-encoded as the grammar of RFC 3261 section 25.1 wants (``user = unreserved / escaped /
user-unreserved``), non-ASCII as UTF-8. A name that holds ``@`` becomes ``bob%40hotmail.example``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final
from urllib.parse import unquote_to_bytes

from attrs import field, frozen

from bridge.model.address import Address
from bridge.model.cache import TwoGenerationCache
from bridge.model.ids import SIP, NetworkId, RemoteUserId
from mappings.identity.errors import AddressError
from mappings.identity.names import MAX_SIP_ADDRESS, normalise
from transports.sip.wire.errors import SipSyntaxError
from transports.sip.wire.uri import SipUri, escape_user, parse_host, parse_uri

MAX_URI: Final = 1024
MEMO_ENTRIES: Final = 16_384
MEMO_KEY: Final = 256
_HEX: Final = frozenset("0123456789abcdefABCDEF")


def encode_user(user: str) -> str:
    """Returns a user name as the user part of a SIP URI."""
    return escape_user(user)


def decode_user(user: str) -> str:
    """Returns the user name that the user part of a SIP URI means.

    Raises:
        AddressError: a ``%`` without two hexadecimal digits after it, or bytes that are not UTF-8.
    """
    if "%" not in user:
        return user
    for part in user.split("%")[1:]:
        if len(part) < 2 or not _HEX.issuperset(part[:2]):
            raise AddressError("sip", user, "% without two hexadecimal digits")
    try:
        return unquote_to_bytes(user).decode("utf-8")
    except UnicodeDecodeError as error:
        raise AddressError("sip", user, "percent-encoded bytes that are not UTF-8") from error


def sip_uri(aor: str) -> str:
    """Returns the SIP URI of an address-of-record ``user@host`` (user decoded)."""
    user, _, host = aor.rpartition("@")
    return f"sip:{encode_user(user)}@{host}"


@frozen(kw_only=True)
class NetworkDomain:
    """How SIP users address one network: by ``domain``; ``kind`` names its address rules."""

    domain: str
    network: NetworkId
    kind: str


@frozen(kw_only=True, eq=False)
class SipAddressBook:
    """The table of SIP domains: which are the company's own, which stand for a network.

    Nothing but bounded memos are kept; of a full one the older half is dropped, so that new names cost a look-up and
    never memory.
    """

    corporate: frozenset[str]
    foreign: frozenset[str] = frozenset()
    """SIP domains of other companies, which are reached as they are."""
    _by_domain: Mapping[str, NetworkDomain]
    _by_network: Mapping[NetworkId, NetworkDomain]
    _addresses: TwoGenerationCache[str, Address] = field(factory=lambda: TwoGenerationCache(MEMO_ENTRIES), init=False)
    _uris: TwoGenerationCache[Address, str] = field(factory=lambda: TwoGenerationCache(MEMO_ENTRIES), init=False)

    @classmethod
    def of(
        cls, corporate: Iterable[str], networks: Iterable[NetworkDomain] = (), foreign: Iterable[str] = ()
    ) -> SipAddressBook:
        """Makes the table.

        Raises:
            ValueError: a domain or a network appears twice, no domain is corporate, or a domain is not a host name.
        """
        own = frozenset(_host(domain) for domain in corporate)
        if not own:
            raise ValueError("no corporate SIP domain")
        by_domain: dict[str, NetworkDomain] = {}
        by_network: dict[NetworkId, NetworkDomain] = {}
        for row in networks:
            domain = _host(row.domain)
            if domain in own or domain in by_domain:
                raise ValueError(f"the SIP domain {domain} stands for two networks")
            if row.network in by_network or row.network == SIP:
                raise ValueError(f"the network {row.network} has two SIP domains")
            by_domain[domain] = by_network[row.network] = NetworkDomain(
                domain=domain, network=row.network, kind=row.kind
            )
        return cls(
            corporate=own,
            foreign=frozenset(_host(domain) for domain in foreign),
            by_domain=MappingProxyType(by_domain),
            by_network=MappingProxyType(by_network),
        )

    def from_uri(self, text: str) -> Address:
        """Returns the address that a SIP URI, or a bare ``user@host`` with an escaped user, means.

        Raises:
            AddressError: it is no SIP URI, has no user, its domain is not in the table, or the name breaks the rules
                of its network.
        """
        known = self._addresses.get(text)
        if known is not None:
            return known
        if len(text) > MAX_URI:
            raise AddressError("sip", text, f"longer than {MAX_URI} characters")
        try:
            uri = parse_uri(text if ":" in text.partition("@")[0] else f"sip:{text}")
        except SipSyntaxError as error:
            raise AddressError("sip", text, error.reason) from error
        if not isinstance(uri, SipUri):
            raise AddressError("sip", text, f"the scheme is {uri.scheme}, not sip")
        if not uri.user:
            raise AddressError("sip", text, "it names no user")
        address = self._resolve(text, decode_user(uri.user), uri.host.rstrip("."))
        self._remember(text, address)
        return address

    def from_aor(self, aor: str) -> Address:
        """Returns the address of an address-of-record ``user@host`` whose user is decoded already.

        Raises:
            AddressError: as ``from_uri``.
        """
        key = f"aor:{aor}"
        known = self._addresses.get(key)
        if known is not None:
            return known
        if len(aor) > MAX_SIP_ADDRESS:
            raise AddressError("sip", aor, f"longer than {MAX_SIP_ADDRESS} characters")
        user, at, host = aor.rpartition("@")
        if not at or not user:
            raise AddressError("sip", aor, "an address has the form user@host")
        address = self._resolve(aor, user, host.lower().rstrip("."))
        self._remember(key, address)
        return address

    def to_aor(self, address: Address) -> str:
        """Returns ``user@host`` under which SIP users know an address; the user is decoded.

        Raises:
            AddressError: its network has no SIP domain.
        """
        if address.network == SIP:
            return address.user
        row = self._by_network.get(address.network)
        if row is None:
            raise AddressError("sip", str(address), f"the network {address.network} has no SIP domain")
        return f"{address.user}@{row.domain}"

    def to_uri(self, address: Address) -> str:
        """Returns the SIP URI of an address, in the escaped form.

        Raises:
            AddressError: its network has no SIP domain.
        """
        known = self._uris.get(address)
        if known is None:
            known = sip_uri(self.to_aor(address))
            self._uris.put(address, known)
        return known

    def _resolve(self, text: str, user: str, host: str) -> Address:
        if host in self.corporate or host in self.foreign:
            return Address(network=SIP, user=RemoteUserId(normalise("sip", f"{user}@{host}")))
        row = self._by_domain.get(host)
        if row is None:
            raise AddressError("sip", text, f"no network is reached by the domain {host}")
        return Address(network=row.network, user=RemoteUserId(normalise(row.kind, user)))

    def _remember(self, key: str, address: Address) -> None:
        if len(key) <= MEMO_KEY:
            self._addresses.put(key, address)


def _host(domain: str) -> str:
    try:
        return parse_host(domain).rstrip(".")
    except SipSyntaxError as error:
        raise ValueError(f"not a domain: {domain!r}: {error.reason}") from error
