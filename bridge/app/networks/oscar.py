"""AIM and ICQ: the OSCAR transport and its mapping as one network."""

import math

import structlog
from attrs import define
from twisted.internet.ssl import optionsForClientTLS

from bridge.app.networks.base import Surroundings
from bridge.app.networks.oscar_kind import OscarOptions
from bridge.app.networks.sessions import SessionNetwork, SessionWire
from bridge.app.values import HostPort
from bridge.delivery.ports import Link
from bridge.model.capabilities import Capabilities, SendResult, Support
from bridge.model.presence import PersonPresence
from mappings.oscar import OscarMapping
from mappings.oscar_presence import to_own
from transports.oscar.connector import OscarTransport, TransportConfig
from transports.oscar.machine.config import SessionConfig, SignOnMethod
from transports.oscar.wire import native as wire

log = structlog.get_logger(__name__)


@define(eq=False)
class OscarWire(SessionWire):
    """The OSCAR transport as a port of delivery."""

    def taken(self, native: wire.Inbound) -> None:
        """Asks those whom a person wants to watch. Those who want to watch a person are answered by presence."""
        if isinstance(native, wire.Warned):
            log.warning("warning level", network=self.network, account=native.account, level=native.level, by=native.by)
        elif isinstance(native, wire.RosterEditFailed):
            log.warning("contact list", network=self.network, account=native.account, reason=native.name)
            if native.needs_authorization:
                ask = wire.AuthorizationAsk(account=native.account, to=native.screen_name)
                self.inner.send(ask, ("ask", native.account, native.screen_name), None, _sent)


def _sent(result: SendResult) -> None:
    """What became of asking or answering: it is asked again when the contact is wanted again."""
    if result.failure is not None:
        log.warning("authorization", reason=result.failure.reason)


def _own(account: str, presence: PersonPresence, now: float) -> wire.OwnPresence:
    return to_own(account, presence, now)[0]


def build(around: Surroundings) -> SessionNetwork:
    """Builds a network of this kind.

    Raises:
        ValueError: an option is out of range.
    """
    options: OscarOptions = around.options
    override = {named: HostPort.parse(to) for named, to in options.server_override.items()}
    session = SessionConfig(
        host=options.server.host,
        port=options.server.port,
        method=SignOnMethod(options.auth),
        same_host=options.same_host,
        server_override={named: (to.host, to.port) for named, to in override.items()},
        rate_margin=options.rate_margin,
        max_message_bytes=options.max_text_bytes,
        elsewhere_wait=options.elsewhere_wait,
        elsewhere_times=options.elsewhere_times,
    )
    config = TransportConfig(
        session=session,
        signons_per_second=options.sign_ons_per_second,
        sends_per_second=options.sends_per_second or math.inf,
        tls=optionsForClientTLS if options.tls else None,
    )
    capabilities = Capabilities(
        text=Support.FULL,
        html=Support.PARTIAL,
        typing=Support.FULL,
        presence=Support.FULL,
        relayed_receipts=Support.FULL,
        offline_messages=Support.PARTIAL,
        max_text_bytes=options.max_text_bytes,
    )
    transport = OscarWire(OscarTransport(config, around.reactor), capabilities, around.network)
    mapping = OscarMapping(network=around.network, clock=around.clock)
    link: Link = Link(transport=transport, mapping=mapping)
    return SessionNetwork(transport, link, around.clock, _own)
