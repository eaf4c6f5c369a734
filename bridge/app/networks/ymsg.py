"""Yahoo! Messenger: the YMSG transport and its mapping as one network."""

from collections.abc import Callable
from urllib.parse import urlsplit

import structlog

from bridge.app.networks.base import Surroundings
from bridge.app.networks.sessions import SessionNetwork, SessionWire
from bridge.app.networks.ymsg_kind import YmsgOptions
from bridge.delivery.ports import Link
from bridge.model.capabilities import Capabilities, Support
from bridge.model.presence import PersonPresence
from mappings.ymsg import YmsgMapping
from mappings.ymsg_presence import to_own
from transports.common.machine.comeback import ComebackTimes
from transports.ymsg.connector import TransportConfig, YmsgTransport
from transports.ymsg.machine.config import SessionConfig, TokenServer
from transports.ymsg.wire import native as wire

log = structlog.get_logger(__name__)
_PORTS = {"https": 443, "http": 80}


class YmsgWire(SessionWire):
    """The YMSG transport as a port of delivery."""

    def deliver(self, native: wire.Inbound, on_recorded: Callable[[], None]) -> None:
        """Takes what the transport hands in."""
        if isinstance(native, wire.SystemMessage):
            log.info("system message", network=self.network, account=native.account)
        super().deliver(native, on_recorded)


def _own(account: str, presence: PersonPresence, _: float) -> wire.OwnPresence:
    own, _losses = to_own(account, presence)
    return own


def build(around: Surroundings) -> SessionNetwork:
    """Builds a network of this kind.

    Raises:
        ValueError: an option is out of range.
    """
    options: YmsgOptions = around.options
    session = SessionConfig(
        host=options.server.host,
        port=options.server.port,
        tls=options.tls,
        version=options.version,
        token_server=_token_server(options.token_server),
        comeback=ComebackTimes(elsewhere_wait=options.elsewhere_wait, elsewhere_times=options.elsewhere_times),
        keepalive=options.keepalive,
        rate=options.messages_per_second,
        burst=options.burst,
    )
    config = TransportConfig(session=session, signons_per_second=options.sign_ons_per_second)
    capabilities = Capabilities(
        text=Support.FULL,
        html=Support.PARTIAL,
        typing=Support.PARTIAL,
        presence=Support.PARTIAL,
        relayed_receipts=Support.PARTIAL,
        offline_messages=Support.PARTIAL,
        max_text_bytes=options.max_text_bytes,
    )
    transport = YmsgWire(YmsgTransport(config, around.reactor), capabilities, around.network)
    mapping = YmsgMapping(network=around.network, clock=around.clock)
    link: Link = Link(transport=transport, mapping=mapping)
    return SessionNetwork(transport, link, around.clock, _own)


def _token_server(address: str) -> TokenServer | None:
    if not address:
        return None
    parts = urlsplit(address)
    port = parts.port or _PORTS[parts.scheme]
    return TokenServer(host=parts.hostname or "", port=port, path=parts.path, tls=parts.scheme == "https")
