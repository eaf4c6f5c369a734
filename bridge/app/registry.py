"""The kinds of networks that can be configured: a line for each."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from bridge.app.config import Config, structure
<<<<<<< HEAD
from bridge.app.networks import matrix_kind, oscar_kind
=======
from bridge.app.networks import loopback_kind, oscar_kind
>>>>>>> conformance
from bridge.app.networks.base import Kind

KINDS: Mapping[str, Kind] = MappingProxyType(
    {
<<<<<<< HEAD
        "matrix": matrix_kind.KIND,
=======
        "loopback": loopback_kind.KIND,
>>>>>>> conformance
        "oscar": oscar_kind.KIND,
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
