"""The configuration: TOML text to typed values. What is wrong is told with the file, the line and the key.

Relative paths are relative to the folder of the configuration file.
"""

import math
import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import cattrs
from attrs import Factory, field, frozen
from cattrs.errors import BaseValidationError, ForbiddenExtraKeysError

from bridge.policy.positions import locate

ENVIRONMENT: Final = "SIMPLEBRIDGE_CONFIG"
PLACES: Final = (Path("simplebridge.toml"), Path("/etc/simplebridge/simplebridge.toml"))

LARGEST: Final = 1_000_000_000
MAX_LIST: Final = 500
_MAX_BYTES: Final = 4 * 1024 * 1024
_DOMAIN = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*", re.ASCII)
_ADDRESS = re.compile(r"[^\s@<>\"'/?;:]{1,128}@[a-z0-9.-]{1,253}")
_WORD = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}", re.ASCII)
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_SHOWN_CHARACTERS: Final = 80
_LISTEN_TRANSPORTS = ("udp", "tcp", "tls", "ws", "wss")
_DIGESTS = ("MD5", "SHA-256", "SHA-512-256")


@frozen
class TomlSource:
    """A TOML text, and where each of its keys stands."""

    name: str
    places: Mapping[tuple[str | int, ...], tuple[int, int]] = field(repr=False)

    def line_of(self, key: tuple[str | int, ...]) -> int:
        """Returns the line of a key, or of the nearest table around it that is there."""
        while key and key not in self.places:
            key = key[:-1]
        return self.places[key][0] if key else 1


class ConfigError(Exception):
    """The configuration cannot be used. Its text is one line: file, line, key and what is wrong."""


class _Invalid(ValueError):
    """A value is not what its key takes; `key` is the rest of the path below the value's table."""

    def __init__(self, key: str, what: str) -> None:
        super().__init__(what)
        self.key = key


@frozen(kw_only=True)
class HostPort:
    """An address to connect or to listen to."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @classmethod
    def parse(cls, text: str) -> "HostPort":
        """Reads ``host:port`` or ``[v6]:port``.

        Raises:
            ValueError: it is neither.
        """
        host, colon, port = text.rpartition(":")
        if host.startswith("[") and host.endswith("]"):
            host = host[1:-1]
        elif ":" in host:
            raise ValueError(f"an IPv6 address is written in brackets: {_shown(text)}")
        if not (colon and host and port.isascii() and port.isdigit() and len(port) <= 5 and int(port) < 65536):
            raise ValueError(f"not of the form host:port: {_shown(text)}")
        return cls(host=host, port=int(port))


@frozen(kw_only=True)
class Listen:
    """A SIP listener: ``udp:127.0.0.1:5060``."""

    transport: str
    at: HostPort

    @classmethod
    def parse(cls, text: str) -> "Listen":
        """Reads ``transport:host:port``.

        Raises:
            ValueError: the transport is not known, or what follows is no address.
        """
        transport, _, rest = text.partition(":")
        if transport not in _LISTEN_TRANSPORTS:
            known = ", ".join(f"{name}:" for name in _LISTEN_TRANSPORTS)
            raise ValueError(f"{_shown(text)} does not begin with one of {known}")
        return cls(transport=transport, at=HostPort.parse(rest))


def _shown(value: object) -> str:
    """Returns a value as an error shows it: on one line, and not longer than a reader wants."""
    try:
        text = repr(value)
    except ValueError:  # Python writes no integer of more than 4300 digits
        return "a number of too many digits"
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"


def positive(_: object, attribute: Any, value: float) -> None:
    """Validates a number that must be greater than 0, and not so large that no clock or column holds it."""
    if value <= 0:
        raise _Invalid(attribute.name, f"must be greater than 0, not {value}")
    if value > LARGEST:
        raise _Invalid(attribute.name, f"must be {LARGEST} at most, not {_shown(value)}")


def not_negative(_: object, attribute: Any, value: float) -> None:
    """Validates a number that may be 0, and is not so large that no clock or column holds it."""
    if not 0 <= value <= LARGEST:
        raise _Invalid(attribute.name, f"must be between 0 and {LARGEST}, not {_shown(value)}")


def addresses(_: object, attribute: Any, value: Mapping[str, str]) -> None:
    """Validates a table of addresses by addresses; ``*`` may stand for all."""
    for named, to in value.items():
        for text in (to,) if named == "*" else (named, to):
            try:
                HostPort.parse(text)
            except ValueError as e:
                raise _Invalid(attribute.name, str(e)) from e


def _domain(_: object, attribute: Any, value: str) -> None:
    if not _DOMAIN.fullmatch(value) or len(value) > 253:
        raise _Invalid(attribute.name, f"not a domain name in lower case: {_shown(value)}")


def one_of(*choices: str) -> Any:
    """Returns a validator of a word that must be one of a few."""

    def check(_: object, attribute: Any, value: str) -> None:
        if value not in choices:
            raise _Invalid(attribute.name, f"{_shown(value)} is not one of {', '.join(choices)}")

    return check


def _realm(_: object, attribute: Any, value: str) -> None:
    if len(value) > 255 or not value.isprintable() or set(value) & {'"', "\\"}:
        raise _Invalid(attribute.name, f"must be 255 printable characters at most, without quotes, not {_shown(value)}")


def _word(_: object, attribute: Any, value: str) -> None:
    if not _WORD.fullmatch(value):
        raise _Invalid(attribute.name, f"must be lower-case letters, digits, '.', '_' and '-', not {_shown(value)}")


@frozen(kw_only=True)
class BridgeSection:
    """``[bridge]``: who we are, and where our files are."""

    domain: str = field(validator=_domain)
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
    realm: str = field(default="", validator=_realm)
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
    max_body: int = field(default=65_536, validator=positive)
    """The longest body of a request, bytes (413 above it)."""

    def __attrs_post_init__(self) -> None:
        if not self.listen:
            raise _Invalid("listen", "at least one listener is needed")
        for number, one in enumerate(self.listen):
            if one.at.port and one in self.listen[:number]:
                raise _Invalid("listen", f"{one.transport}:{one.at} stands there twice")
        if not self.digest_algorithms:
            raise _Invalid("digest_algorithms", f"at least one of {', '.join(_DIGESTS)} is needed")
        for name in self.digest_algorithms:
            if name not in _DIGESTS:
                raise _Invalid("digest_algorithms", f"{_shown(name)} is not one of {', '.join(_DIGESTS)}")
        if not self.expires_min <= self.expires_default <= self.expires_max:
            raise _Invalid("expires_default", "must lie between expires_min and expires_max")
        if (self.certificate is None) != (self.key is None):
            raise _Invalid("key" if self.key is None else "certificate", "certificate and key are given together")


@frozen(kw_only=True)
class NetworkSection:
    """``[networks.NAME]``: what every network has; the rest of the table belongs to its kind."""

    kind: str
    domain: str = field(validator=_domain)
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
    notices_from: str = field(default="simplebridge", validator=_word)
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
    retention_class: str = field(default="default", validator=_word)


@frozen(kw_only=True)
class MetricsSection:
    """``[metrics]``"""

    listen: HostPort | None = None
    """A loopback address for Prometheus; off by default."""


@frozen(kw_only=True)
class Config:
    """The whole configuration, paths made absolute."""

    path: Path
    bridge: BridgeSection
    store: StoreSection
    sip: SipSection
    networks: Mapping[str, NetworkSection]
    policy: PolicySection
    delivery: DeliverySection
    presence: PresenceSection
    lists: tuple[ListSection, ...]
    compliance: ComplianceSection
    metrics: MetricsSection
    source: TomlSource = field(eq=False, repr=False)

    def error(self, key: Sequence[str | int], what: str) -> ConfigError:
        """Returns the error that names a key of this configuration."""
        return _error(self.source, key, what)


def find(given: Path | None) -> Path:
    """Returns the configuration file to use: the given one, then $SIMPLEBRIDGE_CONFIG, then the usual places.

    Raises:
        ConfigError: there is none.
    """
    if given is not None:
        return given
    named = os.environ.get(ENVIRONMENT)
    if named:
        return Path(named)
    for place in PLACES:
        if place.is_file():
            return place
    raise ConfigError(
        f"no configuration: give --config FILE, set ${ENVIRONMENT}, or make one of {', '.join(map(str, PLACES))}"
    )


def load(path: Path) -> Config:
    """Reads a configuration file.

    Raises:
        ConfigError: it cannot be read, is not TOML, or a key or value is wrong; the text names where.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
        if len(data) > _MAX_BYTES:
            raise ConfigError(f"{path}: is larger than {_MAX_BYTES} bytes")
        text = data.decode("utf-8-sig")  # some editors begin a file with a byte order mark
    except OSError as e:
        raise ConfigError(f"{path}: cannot be read: {e.strerror}") from e
    except UnicodeDecodeError as e:
        raise ConfigError(f"{path}: is not UTF-8 (byte {e.start})") from e
    return parse(text, path)


def parse(text: str, path: Path) -> Config:
    """Reads the text of a configuration file that stands at ``path``.

    Raises:
        ConfigError: as ``load``.
    """
    try:
        document = tomllib.loads(text)
        source = TomlSource(str(path), locate(text))
    except RecursionError as e:
        raise ConfigError(f"{path}: the tables and lists are nested too deep") from e
    except ValueError as e:  # TOMLDecodeError, and what int() says to a number of more than 4300 digits
        raise ConfigError(f"{path}: {_one_line(str(e))}") from e
    known = {a.name for a in Config.__attrs_attrs__} - {"path", "source"}
    for section, table in document.items():
        if section not in known:
            raise _error(source, (section,), f"not a section; known are {', '.join(sorted(known))}")
        if not isinstance(table, list if section == "lists" else dict):
            what = "must be an array of tables: [[lists]]" if section == "lists" else "must be a table"
            raise _error(source, (section,), what)
    if "bridge" not in document:
        raise ConfigError(f"{path}: [bridge] is missing: it names the corporate domain")
    base = path.absolute().parent
    config = Config(
        path=path,
        source=source,
        bridge=_section(source, document, "bridge", BridgeSection),
        store=_section(source, document, "store", StoreSection),
        sip=_section(source, document, "sip", SipSection),
        networks={name: _network(source, name, t) for name, t in document.get("networks", {}).items()},
        policy=_section(source, document, "policy", PolicySection),
        delivery=_section(source, document, "delivery", DeliverySection),
        presence=_section(source, document, "presence", PresenceSection),
        lists=tuple(_list(source, n, table) for n, table in enumerate(document.get("lists", ()))),
        compliance=_section(source, document, "compliance", ComplianceSection),
        metrics=_section(source, document, "metrics", MetricsSection),
    )
    _check_whole(config)
    return _absolute(config, base)


def structure(source: TomlSource, where: Sequence[str | int], table: Mapping[str, Any], cls: type[Any]) -> Any:
    """Makes an attrs value of a table, for the options of a kind of network too.

    Raises:
        ConfigError: an unknown key, a missing key, or a value of the wrong type or out of range.
    """
    try:
        return _converter.structure(table, cls)
    except _Invalid as e:
        raise _error(source, (*where, e.key), str(e)) from e
    except BaseValidationError as e:
        key, what = _first_problem(e, cls)
        raise _error(source, (*where, *key), what) from e


def _section(source: TomlSource, document: Mapping[str, Any], name: str, cls: type[Any]) -> Any:
    return structure(source, (name,), document.get(name, {}), cls)


def _list(source: TomlSource, number: int, table: object) -> ListSection:
    where = ("lists", number)
    if not isinstance(table, dict):
        raise _error(source, where, "must be a table")
    section: ListSection = structure(source, where, table, ListSection)
    return section


_COMMON_NETWORK_KEYS: Final = ("kind", "domain")


def _network(source: TomlSource, name: str, table: object) -> NetworkSection:
    where = ("networks", name)
    if not isinstance(table, dict):
        raise _error(source, where, "must be a table")
    if not re.fullmatch(r"[a-z][a-z0-9_-]{0,31}", name) or name == "sip":
        raise _error(source, where, "a network's name is lower-case letters, digits, - and _, and not 'sip'")
    common: dict[str, Any] = {k: v for k, v in table.items() if k in _COMMON_NETWORK_KEYS}
    section: NetworkSection = structure(source, where, common, NetworkSection)
    rest = {k: v for k, v in table.items() if k not in _COMMON_NETWORK_KEYS}
    return NetworkSection(kind=section.kind, domain=section.domain, options=rest)


def _check_whole(config: Config) -> None:
    domains = {config.bridge.domain: "bridge.domain"}
    for name, network in config.networks.items():
        other = domains.setdefault(network.domain, f"networks.{name}.domain")
        if other != f"networks.{name}.domain":
            raise config.error(("networks", name, "domain"), f"{network.domain!r} is {other} already")
    _check_lists(config)
    url = config.store.url
    if url and not url.startswith("sqlite:///"):
        raise config.error(("store", "url"), f"only sqlite:///FILE can be used, not {_shown(url)}")
    metrics = config.metrics.listen
    if metrics is not None and not (metrics.host in {"::1", "localhost"} or metrics.host.startswith("127.")):
        raise config.error(("metrics", "listen"), f"metrics are served on a loopback address only, not {metrics}")


def _check_lists(config: Config) -> None:
    seen: set[str] = set()
    for number, one in enumerate(config.lists):
        where = ("lists", number)
        user, at, domain = one.address.rpartition("@")
        if not (user and at) or domain != config.bridge.domain or not _ADDRESS.fullmatch(one.address):
            raise config.error((*where, "address"), f"not an address of {config.bridge.domain}: {_shown(one.address)}")
        if one.address in seen:
            raise config.error((*where, "address"), f"{one.address} is a list already")
        seen.add(one.address)
        served = {config.bridge.domain, *(network.domain for network in config.networks.values())}
        for name in one.members:
            if not _ADDRESS.fullmatch(name) or name.rpartition("@")[2] not in served:
                raise config.error((*where, "members"), f"not an address of a domain that is served: {_shown(name)}")
        if not 0 < len(one.members) <= MAX_LIST:
            raise config.error((*where, "members"), f"must be 1 to {MAX_LIST}, not {len(one.members)}")
    for number, one in enumerate(config.lists):
        if seen & set(one.members):
            raise config.error(("lists", number, "members"), "a list cannot hold a list")


def _absolute(config: Config, base: Path) -> Config:
    from attrs import evolve

    data_dir = base / config.bridge.data_dir
    file = config.store.url.removeprefix("sqlite:///")
    return evolve(
        config,
        bridge=evolve(config.bridge, data_dir=data_dir),
        store=evolve(config.store, url=f"sqlite:///{base / file if file else data_dir / 'bridge.db'}"),
        sip=evolve(
            config.sip,
            certificate=base / config.sip.certificate if config.sip.certificate else None,
            key=base / config.sip.key if config.sip.key else None,
            realm=config.sip.realm or config.bridge.domain,
        ),
        policy=evolve(config.policy, file=base / config.policy.file if config.policy.file else None),
    )


def _error(source: TomlSource, key: Sequence[str | int], what: str) -> ConfigError:
    line = source.line_of(tuple(key))
    shown = ".".join(part if _BARE_KEY.fullmatch(part) else _shown(part) for part in map(str, key))
    return ConfigError(f"{source.name}:{line}: {shown}: {_one_line(what)}")


def _one_line(text: str) -> str:
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def _first_problem(error: BaseException, cls: type[Any]) -> tuple[tuple[str, ...], str]:
    """Finds the innermost reason in cattrs's groups, with the path that leads to it."""
    if isinstance(error, ForbiddenExtraKeysError):
        name = min(error.extra_fields)
        known = ", ".join(a.name for a in cls.__attrs_attrs__)
        return (name,), f"not a key of this table; known are {known}"
    if isinstance(error, BaseValidationError):
        inner = error.exceptions[0]
        path: tuple[str, ...] = ()
        for note in getattr(inner, "__notes__", ()):
            if getattr(note, "name", None) is not None:
                path = (note.name,)
        deeper, what = _first_problem(inner, cls)
        return path + deeper, what
    if isinstance(error, KeyError):
        return (), "is missing"
    if isinstance(error, _Invalid):
        return (error.key,), str(error)
    return (), str(error)


def _strict(kind: type[Any], words: str) -> Any:
    def hook(value: object, _: object) -> Any:
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise ValueError(f"must be {words}, not {_shown(value)}")
        return value

    return hook


def _number(value: object, _: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"must be a number, not {_shown(value)}")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ValueError(f"must be a finite number, not {_shown(value)}")
    return number


def _path(value: object, _: object) -> Path:
    if not isinstance(value, str) or not value or "\0" in value:
        raise ValueError(f"must be a path, not {_shown(value)}")
    return Path(value)


def _from_text(parse_text: Any) -> Any:
    def hook(value: object, _: object) -> Any:
        if not isinstance(value, str):
            raise ValueError(f"must be a string, not {_shown(value)}")
        return parse_text(value)

    return hook


def _make_converter() -> cattrs.Converter:
    converter = cattrs.Converter(forbid_extra_keys=True, detailed_validation=True)
    converter.register_structure_hook(str, _strict(str, "a string"))
    converter.register_structure_hook(int, _strict(int, "a whole number"))
    converter.register_structure_hook(bool, _strict(bool, "true or false"))
    converter.register_structure_hook(float, _number)
    converter.register_structure_hook(Path, _path)
    converter.register_structure_hook(Path | None, _path)
    converter.register_structure_hook(HostPort, _from_text(HostPort.parse))
    converter.register_structure_hook(HostPort | None, _from_text(HostPort.parse))
    converter.register_structure_hook(Listen, _from_text(Listen.parse))
    converter.register_structure_hook_func(
        lambda t: getattr(t, "__origin__", None) is tuple,
        lambda value, t: _tuple(converter, value, t),
    )
    return converter


def _tuple(converter: cattrs.Converter, value: object, kind: Any) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise ValueError(f"must be a list, not {_shown(value)}")
    return tuple(converter.structure(item, kind.__args__[0]) for item in value)


_converter = _make_converter()
