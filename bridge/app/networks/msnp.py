"""MSN Messenger: the MSNP transport and its mapping as one network."""

import structlog
from attrs import define, evolve

from bridge.app.networks.base import Surroundings
from bridge.app.networks.msnp_kind import MsnpOptions
from bridge.app.networks.sessions import SessionNetwork, SessionWire
from bridge.app.values import HostPort
from bridge.delivery.ports import Link
from bridge.model.capabilities import Capabilities, Support
from bridge.model.presence import PersonPresence
from mappings.msnp import MsnpMapping
from mappings.msnp_presence import to_own
from transports.common.machine.comeback import ComebackTimes
from transports.msnp.connector import MsnpTransport, TransportConfig
from transports.msnp.machine.config import SessionConfig, Urls
from transports.msnp.wire import native as wire

log = structlog.get_logger(__name__)

MOST_TEXT = 1200
"""Bytes that fit into one MSG beside its headers."""
FIRST_WITH_NOTES = 11
_STRANGERS = {"leave": "", "allow": "AL", "block": "BL"}


@define(eq=False)
class MsnpWire(SessionWire):
    """The MSNP transport as a port of delivery."""

    long_texts: Capabilities

    def capabilities_of(self, user: str) -> Capabilities:
        """Returns what a contact takes: more at once, where their program is known to put chunks together."""
        transport: MsnpTransport = self.inner  # type: ignore[assignment]
        return self.long_texts if transport.reads_chunks(user) else self.capabilities

    def taken(self, native: wire.Inbound) -> None:
        """Logs what concerns the list; the person is told by the mapping."""
        if isinstance(native, wire.RosterEditFailed):
            log.warning("contact list", network=self.network, account=native.account, reason=native.name)


def build(around: Surroundings) -> SessionNetwork:
    """Builds a network of this kind.

    Raises:
        ValueError: an option is out of range.
    """
    options: MsnpOptions = around.options
    if options.version >= 13 and not (options.sso and options.contacts):
        raise ValueError("version 15 needs sso and contacts")
    config = TransportConfig(session=_session(options), signons_per_second=options.sign_ons_per_second)
    stores = Support.PARTIAL if options.stored_messages or options.store else Support.DROPPED
    capabilities = Capabilities(
        text=Support.FULL,
        html=Support.PARTIAL,
        typing=Support.FULL,
        presence=Support.FULL,
        relayed_receipts=Support.FULL,
        offline_messages=stores,
        max_text_bytes=min(options.max_text_bytes, MOST_TEXT),
    )
    long_texts = evolve(capabilities, max_text_bytes=max(options.max_long_text_bytes, capabilities.max_text_bytes))
    transport = MsnpWire(
        inner=MsnpTransport(config, around.reactor),
        capabilities=capabilities,
        network=around.network,
        long_texts=long_texts,
    )
    mapping = MsnpMapping(
        network=around.network,
        clock=around.clock,
        absent_as=options.absent_as,
        notes=options.version >= FIRST_WITH_NOTES,
    )
    link: Link = Link(transport=transport, mapping=mapping)

    def own(account: str, presence: PersonPresence, _now: float) -> wire.OwnPresence:
        return to_own(account, presence, absent_as=mapping.absent_as, notes=mapping.notes)[0]

    return SessionNetwork(transport, link, around.clock, own)


def _session(options: MsnpOptions) -> SessionConfig:
    override = {named: HostPort.parse(to) for named, to in options.server_override.items()}
    return SessionConfig(
        host=options.server.host,
        port=options.server.port,
        version=options.version,
        urls=Urls(
            nexus=options.nexus,
            login=options.login,
            sso=options.sso,
            contacts=options.contacts,
            stored=options.stored_messages,
            store=options.store,
        ),
        same_host=options.same_host,
        server_override={named: (to.host, to.port) for named, to in override.items()},
        strangers=_STRANGERS[options.strangers],
        messages_per_second=options.messages_per_second,
        boards_per_second=options.conversations_per_minute / 60.0,
        comeback=ComebackTimes(elsewhere_wait=options.elsewhere_wait, elsewhere_times=options.elsewhere_times),
    )
