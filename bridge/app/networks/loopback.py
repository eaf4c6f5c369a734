"""The sample network: its transport and its mapping as one network."""

from bridge.app.networks.base import Surroundings
from bridge.app.networks.loopback_kind import LoopbackOptions
from bridge.app.networks.sessions import SessionNetwork, SessionWire
from bridge.delivery.ports import Link
from bridge.model.capabilities import Capabilities, Support
from bridge.model.presence import PersonPresence
from mappings.loopback import LoopbackMapping, to_own
from transports.common.machine.comeback import ComebackTimes
from transports.common.machine.turns import Rates
from transports.loopback.connector import LoopbackTransport
from transports.loopback.machine.config import SessionConfig
from transports.loopback.wire.native import OwnPresence


def _own(account: str, presence: PersonPresence, _now: float) -> OwnPresence:
    return to_own(account, presence)[0]


def build(around: Surroundings) -> SessionNetwork:
    """Builds a network of this kind.

    Raises:
        ValueError: an option is out of range.
    """
    options: LoopbackOptions = around.options
    session = SessionConfig(
        host=options.server.host,
        port=options.server.port,
        sends_per_second=options.sends_per_second,
        comeback=ComebackTimes(elsewhere_wait=options.elsewhere_wait, elsewhere_times=options.elsewhere_times),
    )
    capabilities = Capabilities(
        text=Support.FULL,
        typing=Support.FULL,
        presence=Support.PARTIAL,
        relayed_receipts=Support.FULL,
        delivered_receipts=Support.FULL,
        offline_messages=Support.FULL,
        max_text_bytes=options.max_text_bytes,
    )
    inner = LoopbackTransport(session, Rates(network=options.sign_ons_per_second), around.reactor)
    wire = SessionWire(inner, capabilities, around.network)
    link: Link = Link(transport=wire, mapping=LoopbackMapping(network=around.network))
    return SessionNetwork(wire, link, around.clock, _own)
