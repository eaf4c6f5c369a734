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
from attrs import field, fields, frozen
from cattrs.errors import AttributeValidationNote, BaseValidationError, ForbiddenExtraKeysError

from bridge.app.sections import (
    BridgeSection,
    ComplianceSection,
    DeliverySection,
    ListSection,
    MetricsSection,
    NetworkSection,
    PolicySection,
    PresenceSection,
    SipSection,
    StoreSection,
)
from bridge.app.trunksections import PeerAddress, PeerSection, RouteSection, trunk_config
from bridge.app.values import HostPort, InvalidValue, Listen, shown
from bridge.policy.positions import locate

ENVIRONMENT: Final = "SIMPLEBRIDGE_CONFIG"
PLACES: Final = (Path("simplebridge.toml"), Path("/etc/simplebridge/simplebridge.toml"))

MAX_LIST: Final = 500
_MAX_BYTES: Final = 4 * 1024 * 1024
_ADDRESS = re.compile(r"[^\s@<>\"'/?;:]{1,128}@[a-z0-9.-]{1,253}")
_TABLES = (PeerSection, RouteSection)
"""What lists of tables are made of."""
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)


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
    except InvalidValue as e:
        raise _error(source, (*where, e.key), str(e)) from e
    except BaseValidationError as e:
        key, what = _first_problem(e)
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
    trunk_config(config)
    _check_lists(config)
    url = config.store.url
    if url and not url.startswith("sqlite:///"):
        raise config.error(("store", "url"), f"only sqlite:///FILE can be used, not {shown(url)}")
    metrics = config.metrics.listen
    if metrics is not None and not (metrics.host in {"::1", "localhost"} or metrics.host.startswith("127.")):
        raise config.error(("metrics", "listen"), f"metrics are served on a loopback address only, not {metrics}")


def _check_lists(config: Config) -> None:
    seen: set[str] = set()
    for number, one in enumerate(config.lists):
        where = ("lists", number)
        user, at, domain = one.address.rpartition("@")
        if not (user and at) or domain != config.bridge.domain or not _ADDRESS.fullmatch(one.address):
            raise config.error((*where, "address"), f"not an address of {config.bridge.domain}: {shown(one.address)}")
        if one.address in seen:
            raise config.error((*where, "address"), f"{one.address} is a list already")
        seen.add(one.address)
        served = {config.bridge.domain, *(network.domain for network in config.networks.values())}
        for name in one.members:
            if not _ADDRESS.fullmatch(name) or name.rpartition("@")[2] not in served:
                raise config.error((*where, "members"), f"not an address of a domain that is served: {shown(name)}")
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
            authorities=base / config.sip.authorities if config.sip.authorities else None,
            realm=config.sip.realm or config.bridge.domain,
            trusted_peers=tuple(
                evolve(peer, password_file=base / peer.password_file) if peer.password_file else peer
                for peer in config.sip.trusted_peers
            ),
        ),
        policy=evolve(config.policy, file=base / config.policy.file if config.policy.file else None),
    )


def _error(source: TomlSource, key: Sequence[str | int], what: str) -> ConfigError:
    line = source.line_of(tuple(key))
    named = ".".join(part if _BARE_KEY.fullmatch(part) else shown(part) for part in map(str, key))
    return ConfigError(f"{source.name}:{line}: {named}: {_one_line(what)}")


def _one_line(text: str) -> str:
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def _first_problem(error: BaseException) -> tuple[tuple[str | int, ...], str]:
    """Finds the innermost reason in cattrs's groups, with the path that leads to it."""
    if isinstance(error, ForbiddenExtraKeysError):
        name = min(error.extra_fields)
        known = ", ".join(a.name for a in fields(error.cl))
        return (name,), f"not a key of this table; known are {known}"
    if isinstance(error, BaseValidationError):
        inner = error.exceptions[0]
        path: tuple[str | int, ...] = ()
        for note in getattr(inner, "__notes__", ()):  # the innermost first
            if getattr(note, "name", None) is not None:
                path = (note.name, *path)
        deeper, what = _first_problem(inner)
        return path + deeper, what
    if isinstance(error, KeyError):
        return (), "is missing"
    if isinstance(error, InvalidValue):
        return (error.key,), str(error)
    return (), str(error)


def _strict(kind: type[Any], words: str) -> Any:
    def hook(value: object, _: object) -> Any:
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise ValueError(f"must be {words}, not {shown(value)}")
        return value

    return hook


def _number(value: object, _: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"must be a number, not {shown(value)}")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ValueError(f"must be a finite number, not {shown(value)}")
    return number


def _path(value: object, _: object) -> Path:
    if not isinstance(value, str) or not value or "\0" in value:
        raise ValueError(f"must be a path, not {shown(value)}")
    return Path(value)


def _from_text(parse_text: Any) -> Any:
    def hook(value: object, _: object) -> Any:
        if not isinstance(value, str):
            raise ValueError(f"must be a string, not {shown(value)}")
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
    converter.register_structure_hook(PeerAddress, _from_text(PeerAddress.parse))
    converter.register_structure_hook_func(
        lambda t: getattr(t, "__origin__", None) is tuple,
        lambda value, t: _tuple(converter, value, t),
    )
    return converter


def _tuple(converter: cattrs.Converter, value: object, kind: Any) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise ValueError(f"must be a list, not {shown(value)}")
    each = kind.__args__[0]
    if each not in _TABLES:
        return tuple(converter.structure(item, each) for item in value)
    made = []
    for number, item in enumerate(value):
        try:
            if not isinstance(item, dict):
                raise ValueError(f"must be a table, not {shown(item)}")
            made.append(converter.structure(item, each))
        except Exception as error:
            error.add_note(AttributeValidationNote("", number, each))  # type: ignore[arg-type]  # the place in the list
            raise
    return tuple(made)


_converter = _make_converter()
