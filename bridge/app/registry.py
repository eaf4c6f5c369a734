"""The kinds of networks that can be configured: a line for each."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from attrs import asdict, evolve

from bridge.app.config import Config, structure
from bridge.app.networks import irc_kind, loopback_kind, matrix_kind, msnp_kind, oscar_kind, xmpp_kind, ymsg_kind
from bridge.app.networks.base import Kind

KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "irc": irc_kind.KIND,
        "loopback": loopback_kind.KIND,
        "matrix": matrix_kind.KIND,
        "msnp": msnp_kind.KIND,
        "oscar": oscar_kind.KIND,
        "xmpp": xmpp_kind.KIND,
        "ymsg": ymsg_kind.KIND,
    }
)


def options_of(config: Config, name: str) -> Any:
    """Returns the options of a configured network, paths made absolute.

    Raises:
        ConfigError: its kind is not known, or an option is wrong.
    """
    section = config.networks[name]
    kind = KINDS.get(section.kind)
    if kind is None:
        known = ", ".join(sorted(KINDS))
        raise config.error(("networks", name, "kind"), f"{section.kind!r} is not a kind of network; known are {known}")
    made = structure(config.source, ("networks", name), section.options, kind.options)
    base = config.path.absolute().parent
    given = asdict(made, recurse=False)
    return evolve(made, **{key: base / value for key, value in given.items() if isinstance(value, Path)})
