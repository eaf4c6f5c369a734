"""AIM and ICQ as a kind of network: its options, and how one is built.

Apart from ``oscar``, so that a command reads and checks a configuration without loading what speaks the protocol.
"""

from collections.abc import Mapping

from attrs import field, frozen

from bridge.app.networks.base import Kind, Network, Surroundings
from bridge.app.values import HostPort, addresses, not_negative, one_of, positive


@frozen(kw_only=True)
class OscarOptions:
    """The options of ``[networks.NAME]`` with ``kind = "oscar"``."""

    server: HostPort
    """The authorizer: where sign-on begins."""
    auth: str = field(default="md5", validator=one_of("md5", "roasted"))
    """``md5`` (BUCP) or ``roasted`` (the older sign-on, also ICQ's)."""
    same_host: bool = False
    """Stay on the authorizer's host whatever address it names: for servers behind a translation of addresses."""
    tls: bool = False
    sign_ons_per_second: float = field(default=5.0, validator=positive)
    """A restart with many accounts is no storm on the network."""
    sends_per_second: float = field(default=0.0, validator=not_negative)
    """What all accounts together send in a second at most; what is beyond waits. 0: as the rates of each account allow,
    which the server grants and the bridge always keeps."""
    max_text_bytes: int = field(default=2048, validator=positive)
    """Longer texts are sent in parts, cut between graphemes; many clients take less than servers do."""
    rate_margin: float = field(default=100.0, validator=positive)
    """Milliseconds that are kept above the threshold of each rate class."""
    elsewhere_wait: float = field(default=300.0, validator=not_negative)
    """After another client signed on with a name, seconds until the bridge takes it back; twice as long each further
    time, up to four hours. 0: never."""
    elsewhere_times: int = field(default=5, validator=not_negative)
    """How often in a row a name is taken back at most. Then it is left to the other client."""
    server_override: Mapping[str, str] = field(factory=dict, validator=addresses)
    """``"host:port" = "host:port"``: where to connect instead of what the server names; ``"*"`` stands for all."""


def build(around: Surroundings) -> Network:
    """Builds a network of this kind.

    Raises:
        ValueError: an option is out of range.
    """
    from bridge.app.networks import oscar

    return oscar.build(around)


KIND = Kind(options=OscarOptions, build=build)
