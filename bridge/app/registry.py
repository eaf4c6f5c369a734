"""The kinds of networks that can be configured: a line for each."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

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
    """Returns the options of a configured network.

    Raises:
        ConfigError: its kind is not known, or an option is wrong.
    """
    section = config.networks[name]
    kind = KINDS.get(section.kind)
    if kind is None:
        known = ", ".join(sorted(KINDS))
        raise config.error(("networks", name, "kind"), f"{section.kind!r} is not a kind of network; known are {known}")
    return structure(config.source, ("networks", name), section.options, kind.options)
