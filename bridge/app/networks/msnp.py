"""MSN Messenger: the MSNP transport and its mapping as one network."""

from collections.abc import Callable, Mapping
from typing import Any

import structlog
from attrs import define, evolve, field

from bridge.app.networks.base import Surroundings
from bridge.app.networks.msnp_kind import MsnpOptions
from bridge.app.values import HostPort
from bridge.delivery.ports import Intake, Link, Sink
from bridge.identity.secret import Secret
from bridge.model.capabilities import Capabilities, LinkChange, LinkState, SendResult, Support
from bridge.model.ids import IdempotencyKey
from bridge.model.presence import PersonPresence
from mappings.msnp import MsnpMapping
from mappings.msnp_presence import to_own
from transports.msnp.connector import MsnpTransport, TransportConfig
from transports.msnp.machine.config import SessionConfig, Urls
from transports.msnp.wire import native as wire

log = structlog.get_logger(__name__)

MOST_TEXT = 1200
"""Bytes that fit into one MSG beside its headers."""
FIRST_WITH_NOTES = 11
_STRANGERS = {"leave": "", "allow": "AL", "block": "BL"}


@define(eq=False)
class MsnpWire:
    """The MSNP transport as a port of delivery: its results and states in the words of the model."""

    inner: MsnpTransport
    capabilities: Capabilities
    long_texts: Capabilities
    network: str
    sink: Sink[wire.Inbound] | None = field(init=False, default=None)
    states: dict[str, LinkState] = field(init=False, factory=dict)

    def capabilities_of(self, user: str) -> Capabilities:
        """Returns what a contact takes: more at once, where their program is known to put chunks together."""
        return self.long_texts if self.inner.reads_chunks(user) else self.capabilities

    async def start(self, sink: Sink[wire.Inbound]) -> None:
        """Begins; accounts are signed on one by one."""
        self.sink = sink
        await self.inner.start(self)

    async def stop(self, *, drain: float) -> None:
        """Signs everybody off."""
        await self.inner.stop(drain)

    def deliver(self, native: wire.Inbound, on_recorded: Callable[[], None]) -> None:
        """Takes what the transport hands in; a refused event is on record all the same, so its wire is acknowledged."""
        assert self.sink is not None
        if isinstance(native, wire.LinkState):
            state = LinkState(native.state.value)
            self.states[native.account] = state
            change = LinkChange(
                network=self.network,
                account=native.account,
                state=state,
                reason=native.reason,
                retry_in=native.retry_in,
            )
            self.sink.link_changed(change)
            on_recorded()
            return
        if isinstance(native, wire.RosterEditFailed):
            log.warning("contact list", network=self.network, account=native.account, reason=native.name)

        def recorded(intake: Intake) -> None:
            refusal = intake.refusal
            if intake.accepted or (refusal is not None and refusal.code != "unavailable"):
                on_recorded()

        self.sink.deliver(native, recorded)

    def send(
        self,
        native: wire.Outbound,
        *,
        key: IdempotencyKey,
        deadline: float,
        on_result: Callable[[SendResult], None],
    ) -> None:
        """Sends one native event."""
        self.inner.send(native, key, max(0.0, deadline - self.inner.now()), on_result)


@define(eq=False)
class MsnpNetwork:
    """A network of accounts that speak MSNP."""

    wire: MsnpWire
    link: Link
    mapping: MsnpMapping

    async def start(self, sink: Sink[Any]) -> None:
        """Begins."""
        await self.wire.start(sink)

    async def stop(self, *, drain: float) -> None:
        """Signs everybody off and ends."""
        await self.wire.stop(drain=drain)

    def sign_on(self, account: str, credential: Secret, presence: PersonPresence) -> None:
        """Signs an account on, or again with a new password."""
        own, _ = to_own(account, presence, absent_as=self.mapping.absent_as, notes=self.mapping.notes)
        self.wire.inner.sign_on(account, credential.reveal(), own)

    def sign_off(self, account: str) -> None:
        """Signs an account off."""
        self.wire.inner.sign_off(account)
        self.wire.states.pop(account, None)

    def states(self) -> Mapping[str, LinkState]:
        """Returns the state of each account."""
        return self.wire.states

    def numbers(self) -> Mapping[str, int]:
        """Returns numbers for metrics."""
        return self.wire.inner.counters()


def build(around: Surroundings) -> MsnpNetwork:
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
    transport = MsnpWire(MsnpTransport(config, around.reactor), capabilities, long_texts, around.network)
    mapping = MsnpMapping(
        network=around.network,
        clock=around.clock,
        absent_as=options.absent_as,
        notes=options.version >= FIRST_WITH_NOTES,
    )
    link: Link = Link(transport=transport, mapping=mapping)
    return MsnpNetwork(transport, link, mapping)


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
        elsewhere_wait=options.elsewhere_wait,
        elsewhere_times=options.elsewhere_times,
    )
