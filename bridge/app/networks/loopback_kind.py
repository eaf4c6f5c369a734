"""The sample network as a kind: its options, and how one is built.

Apart from ``loopback``, so that a command reads and checks a configuration without loading what speaks the protocol.
"""

from attrs import field, frozen

from bridge.app.networks.base import Kind, Network, Surroundings
from bridge.app.values import HostPort, not_negative, positive


@frozen(kw_only=True)
class LoopbackOptions:
    """The options of ``[networks.NAME]`` with ``kind = "loopback"``, the sample network of the tutorial."""

    server: HostPort
    sign_ons_per_second: float = field(default=5.0, validator=positive)
    """A restart with many accounts is no storm on the network."""
    sends_per_second: float = field(default=50.0, validator=positive)
    """How many messages one account sends in a second at most; what is beyond waits."""
    max_text_bytes: int = field(default=2000, validator=positive)
    """Longer texts are sent in parts, cut between graphemes."""
    elsewhere_wait: float = field(default=300.0, validator=not_negative)
    """After another client signed on with a name, seconds until the bridge takes it back; twice as long each further
    time, up to four hours. 0: never."""
    elsewhere_times: int = field(default=5, validator=not_negative)
    """How often in a row a name is taken back at most. Then it is left to the other client."""


def build(around: Surroundings) -> Network:
    """Builds a network of this kind."""
    from bridge.app.networks import loopback

    return loopback.build(around)


KIND = Kind(options=LoopbackOptions, build=build)
