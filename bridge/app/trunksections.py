"""Other SIP servers in the configuration: ``[[sip.trusted_peers]]`` and ``[[sip.routes]]``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from attrs import evolve, field, frozen

from bridge.app.values import HostPort, InvalidValue, domain_like, not_negative, one_of, shown
from transports.sip.machine.trunkconfig import Peer, Route, TrunkConfig
from transports.sip.wire.errors import SipSyntaxError
from transports.sip.wire.uri import SipUri, parse_uri

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bridge.app.config import Config
    from bridge.app.sections import SipSection

_HOST = re.compile(r"[A-Za-z0-9.-]{1,253}|[0-9A-Fa-f:.]{2,45}", re.ASCII)
_USER = re.compile(r"[a-z0-9._+-]{1,64}", re.ASCII)
_LONGEST_PASSWORD = 1024
_TRANSPORTS: Final = ("", "udp", "tcp", "tls")
_PLACE = tuple[str | int, ...]


@frozen(kw_only=True)
class PeerAddress:
    """``host:port``, or a host alone, which DNS then says more of (RFC 3263)."""

    host: str
    port: int | None

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port is None else f"{host}:{self.port}"

    @classmethod
    def parse(cls, text: str) -> PeerAddress:
        """Reads it.

        Raises:
            ValueError: it is neither.
        """
        bracketed = text.startswith("[") and text.endswith("]")
        if ":" in text and not bracketed:
            at = HostPort.parse(text)
            host, port = at.host, at.port
        else:
            host, port = text.strip("[]") if bracketed else text, None
        if _HOST.fullmatch(host) is None or port == 0:
            raise ValueError(f"neither host:port nor a host: {shown(text)}")
        return cls(host=host, port=port)


def _domains(_: object, attribute: Any, value: tuple[str, ...]) -> None:
    for name in value:
        if not domain_like(name):
            raise InvalidValue(attribute.name, f"not a domain name in lower case: {shown(name)}")


def _domain_or_nothing(_: object, attribute: Any, value: str) -> None:
    if value and not domain_like(value):
        raise InvalidValue(attribute.name, f"not a domain name in lower case: {shown(value)}")


def _pause(owner: object, attribute: Any, value: float) -> None:
    not_negative(owner, attribute, value)
    if 0 < value < 1:
        raise InvalidValue(attribute.name, f"must be 0, or 1 at least, not {value}")


def _user(_: object, attribute: Any, value: str) -> None:
    if len(value) > 255 or not value.isprintable() or ":" in value:
        raise InvalidValue(attribute.name, f"must be 255 printable characters at most, without ':', not {shown(value)}")


def _address(_: object, attribute: Any, value: str) -> None:
    user, at, domain = value.rpartition("@")
    if value and not (at and _USER.fullmatch(user) and domain_like(domain)):
        raise InvalidValue(attribute.name, f"not an address user@domain in lower case: {shown(value)}")


@frozen(kw_only=True)
class PeerSection:
    """``[[sip.trusted_peers]]``: a PBX or proxy of the company's own, once for each. What it says of who has sent a
    request is believed, and the people whom it has registered are reached there.
    """

    address: PeerAddress
    """``host:port``, or a name alone, which is looked up as RFC 3263 has it (NAPTR, SRV, A, AAAA)."""
    transport: str = field(default="", validator=one_of(*_TRANSPORTS))
    """``udp``, ``tcp`` or ``tls``; without it as DNS says, else ``udp``, and its requests may come by any of them."""
    name: str = ""
    """What ``status`` and the log call it; its address by default."""
    certificate: str = field(default="", validator=_domain_or_nothing)
    """With ``transport = "tls"``: the domain that its certificate must prove (RFC 5922), as a ``sip:`` URI or a DNS
    name without wildcards. Then its address proves nothing."""
    domains: tuple[str, ...] = field(default=(), validator=_domains)
    """The domains for whose people it may speak; ``bridge.domain`` by default."""
    identity: str = field(default="asserted-or-from", validator=one_of("asserted-or-from", "asserted"))
    """Who has sent a request: P-Asserted-Identity, else From; or P-Asserted-Identity alone, and whoever has none
    proves themselves with a password."""
    any_port: bool = False
    """Take its requests from any port of its address. Otherwise the source port (UDP) or the port in Via (TCP, TLS)
    must be that of ``address``, so that other programs on the same host are not taken for it."""
    registrar: bool = True
    """People of its domains who are not registered here are reached there, and need no account here."""
    ping: float = field(default=30.0, validator=_pause)
    """Seconds between OPTIONS, by which the bridge knows whether it answers; 0: none."""
    user: str = field(default="", validator=_user)
    """The user name that the bridge gives where it is asked who it is (401, 407); empty: it gives none."""
    password_file: Path | None = None
    """The password of ``user``: the first line of a file that nobody else may read."""
    watch_as: str = field(default="", validator=_address)
    """An address of one of its domains that is nobody's, such as ``bridge@corp.example``: the presence of its people is
    watched there in this name, as long as somebody watches them here or an account of theirs on a network shows it.
    Empty: their presence is what they send here."""

    @property
    def called(self) -> str:
        """Its name."""
        return self.name or str(self.address)


@frozen(kw_only=True)
class RouteSection:
    """``[[sip.routes]]``: another SIP domain that people here may write to, and that may write to them through a
    trusted peer; policy decides who.
    """

    domain: str = field(validator=_domain_or_nothing)
    next_hop: str = ""
    """The name of a trusted peer, or a SIP URI; ``;lr`` in it sends a Route header along. Without it
    ``sip.outbound_proxy``, else what DNS says of the domain (RFC 3263)."""
    watch: bool = False
    """Watch presence of its people there, in the name of each who watches them here, and show it to them alone."""


def trunk_config(config: Config) -> TrunkConfig:
    """Returns what the configuration says of other SIP servers.

    Raises:
        ConfigError: something does not fit together.
    """
    sip, own = config.sip, config.bridge.domain
    peers = tuple(_peer(config, number, section, own) for number, section in enumerate(sip.trusted_peers))
    _check_names(config, peers)
    names = {peer.name for peer in peers}
    routes = tuple(_route(config, number, section, names) for number, section in enumerate(sip.routes))
    _check_domains(config, _claimed(sip))
    proxy = None
    if sip.outbound_proxy:
        proxy = _next_hop(config, ("sip", "outbound_proxy"), sip.outbound_proxy)
    return TrunkConfig(peers=peers, routes=routes, outbound_proxy=proxy)


def with_passwords(config: Config, trunks: TrunkConfig) -> TrunkConfig:
    """Returns the trunks with the passwords that their files hold.

    Raises:
        ConfigError: a file cannot be read, others may read it, or it holds no password.
    """
    peers = [
        peer
        if section.password_file is None
        else evolve(peer, password=_password(config, number, section.password_file))
        for number, (peer, section) in enumerate(zip(trunks.peers, config.sip.trusted_peers, strict=True))
    ]
    return evolve(trunks, peers=tuple(peers))


def _password(config: Config, number: int, path: Path) -> str:
    from bridge.compliance.errors import KeyFileError
    from bridge.compliance.keys import read_private_file

    where: _PLACE = ("sip", "trusted_peers", number, "password_file")
    try:
        lines = read_private_file(path).decode().splitlines()
    except KeyFileError as e:
        raise config.error(where, str(e)) from e
    except UnicodeDecodeError as e:
        raise config.error(where, f"{path}: not UTF-8") from e
    if not lines or not 0 < len(lines[0]) <= _LONGEST_PASSWORD or not lines[0].isprintable():
        raise config.error(where, f"{path}: its first line is no password")
    return lines[0]


def people_elsewhere(sip: SipSection) -> bool:
    """Whether a trusted peer keeps people who have no account here."""
    return any(peer.registrar for peer in sip.trusted_peers)


def foreign_domains(config: Config) -> frozenset[str]:
    """Returns the SIP domains of others that are reached, or that write to people here."""
    sip = config.sip
    found = {route.domain for route in sip.routes} | {name for peer in sip.trusted_peers for name in peer.domains}
    return frozenset(found - {config.bridge.domain})


def _peer(config: Config, number: int, section: PeerSection, own: str) -> Peer:
    where: _PLACE = ("sip", "trusted_peers", number)
    have = {at.transport for at in config.sip.listen}
    if section.transport and section.transport not in have:
        raise config.error((*where, "transport"), f"sip.listen has no {section.transport}: listener to reach it from")
    if section.certificate and section.transport != "tls":
        raise config.error((*where, "certificate"), 'a certificate is shown with transport = "tls" alone')
    if section.certificate and config.sip.authorities is None:
        raise config.error((*where, "certificate"), "sip.authorities must name whose certificates count")
    if bool(section.user) != (section.password_file is not None):
        raise config.error((*where, "user"), "user and password_file are given together")
    domains = section.domains or (own,)
    if section.watch_as and section.watch_as.rpartition("@")[2] not in domains:
        raise config.error((*where, "watch_as"), f"not an address of {', '.join(domains)}: {shown(section.watch_as)}")
    if section.watch_as and not section.registrar:
        raise config.error((*where, "watch_as"), "nobody is looked for at a peer with registrar = false")
    address = section.address
    over_v6 = any(at.transport == "udp" and ":" in at.at.host for at in config.sip.listen)
    if section.transport == "udp" and ":" in address.host and not over_v6:
        raise config.error((*where, "address"), "sip.listen has no udp: listener of IPv6 to reach it from")
    return Peer(
        name=section.called, host=address.host, port=address.port, transport=section.transport,
        certificate=section.certificate, domains=domains,
        asserted_only=section.identity == "asserted", any_port=section.any_port, registrar=section.registrar,
        ping=section.ping, user=section.user, watch_as=section.watch_as,
    )  # fmt: skip


def _check_names(config: Config, peers: Iterable[Peer]) -> None:
    seen: set[str] = set()
    for number, peer in enumerate(peers):
        if peer.name in seen:
            raise config.error(("sip", "trusted_peers", number, "name"), f"{shown(peer.name)} stands there twice")
        seen.add(peer.name)


def _claimed(sip: SipSection) -> Iterator[tuple[_PLACE, str]]:
    for number, peer in enumerate(sip.trusted_peers):
        yield from ((("sip", "trusted_peers", number, "domains"), name) for name in peer.domains)
    yield from ((("sip", "routes", number, "domain"), route.domain) for number, route in enumerate(sip.routes))


def _check_domains(config: Config, claimed: Iterable[tuple[_PLACE, str]]) -> None:
    networks = {section.domain: name for name, section in config.networks.items()}
    for where, name in claimed:
        if name in networks:
            raise config.error(where, f"{name} is networks.{networks[name]}.domain")


def _route(config: Config, number: int, section: RouteSection, names: set[str]) -> Route:
    where: _PLACE = ("sip", "routes", number, "next_hop")
    if section.next_hop in names:
        return Route(domain=section.domain, peer=section.next_hop, watch=section.watch)
    if not section.next_hop:
        return Route(domain=section.domain, watch=section.watch)
    return Route(domain=section.domain, next_hop=_next_hop(config, where, section.next_hop), watch=section.watch)


def _next_hop(config: Config, where: _PLACE, text: str) -> SipUri:
    try:
        uri = parse_uri(text)
    except SipSyntaxError as e:
        raise config.error(where, f"neither a trusted peer nor a SIP URI: {shown(text)}") from e
    if not isinstance(uri, SipUri) or uri.user is not None or uri.headers:
        raise config.error(where, f"not a SIP URI of a server: {shown(text)}")
    transport = (uri.param("transport") or "").lower()
    secure: Literal["tls", ""] = "tls" if uri.scheme == "sips" else ""
    need = secure or transport
    if need not in _TRANSPORTS:
        raise config.error(where, f"nobody is reached by transport={shown(need)}: udp, tcp or tls")
    if need and need not in {at.transport for at in config.sip.listen}:
        raise config.error(where, f"sip.listen has no {shown(need)} listener to reach it from")
    return uri
