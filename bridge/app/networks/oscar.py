"""AIM and ICQ: the OSCAR transport and its mapping as one network."""

from collections.abc import Callable, Mapping
from typing import Any

import structlog
from attrs import define, field
from twisted.internet.ssl import optionsForClientTLS

from bridge.app.networks.base import Surroundings
from bridge.app.networks.oscar_kind import OscarOptions
from bridge.app.values import HostPort
from bridge.delivery.ports import Intake, Link, Sink
from bridge.identity.secret import Secret
from bridge.model.capabilities import Capabilities, LinkChange, LinkState, SendResult, Support
from bridge.model.ids import IdempotencyKey
from bridge.model.presence import PersonPresence
from mappings.oscar import OscarMapping
from mappings.oscar_presence import to_own
from transports.oscar.connector import OscarTransport, TransportConfig
from transports.oscar.machine.config import SessionConfig, SignOnMethod
from transports.oscar.wire import native as wire

log = structlog.get_logger(__name__)


@define(eq=False)
class OscarWire:
    """The OSCAR transport as a port of delivery: its results and states in the words of the model."""

    inner: OscarTransport
    capabilities: Capabilities
    network: str
    sink: Sink[wire.Inbound] | None = field(init=False, default=None)
    states: dict[str, LinkState] = field(init=False, factory=dict)

    def capabilities_of(self, user: str) -> Capabilities:
        """Returns what the network takes: OSCAR tells little of its users beforehand."""
        del user
        return self.capabilities

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

        def recorded(intake: Intake) -> None:
            refusal = intake.refusal
            if intake.accepted or (refusal is not None and refusal.code != "unavailable"):
                on_recorded()
                self._authorize(native)

        self.sink.deliver(native, recorded)

    def _authorize(self, native: wire.Inbound) -> None:
        """Asks those whom a person wants to watch. Those who want to watch a person are answered by presence."""
        if isinstance(native, wire.Warned):
            log.warning("warning level", network=self.network, account=native.account, level=native.level, by=native.by)
        elif isinstance(native, wire.RosterEditFailed):
            log.warning("contact list", network=self.network, account=native.account, reason=native.name)
            if native.needs_authorization:
                ask = wire.AuthorizationAsk(account=native.account, to=native.screen_name)
                self.inner.send(ask, ("ask", native.account, native.screen_name), None, _sent)

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


def _sent(result: SendResult) -> None:
    """What became of asking or answering: it is asked again when the contact is wanted again."""
    if result.failure is not None:
        log.warning("authorization", reason=result.failure.reason)


@define(eq=False)
class OscarNetwork:
    """A network of accounts that speak OSCAR."""

    wire: OscarWire
    link: Link
    clock: Callable[[], float]

    async def start(self, sink: Sink[Any]) -> None:
        """Begins."""
        await self.wire.start(sink)

    async def stop(self, *, drain: float) -> None:
        """Signs everybody off and ends."""
        await self.wire.stop(drain=drain)

    def sign_on(self, account: str, credential: Secret, presence: PersonPresence) -> None:
        """Signs an account on, or again with a new password."""
        own, _ = to_own(account, presence, self.clock())
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


def build(around: Surroundings) -> OscarNetwork:
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
    return OscarNetwork(transport, link, around.clock)
