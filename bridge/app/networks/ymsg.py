"""Yahoo! Messenger: the YMSG transport and its mapping as one network."""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import structlog
from attrs import define, field

from bridge.app.networks.base import Surroundings
from bridge.app.networks.ymsg_kind import YmsgOptions
from bridge.delivery.ports import Intake, Link, Sink
from bridge.identity.secret import Secret
from bridge.model.capabilities import Capabilities, LinkChange, LinkState, SendResult, Support
from bridge.model.ids import IdempotencyKey
from bridge.model.presence import PersonPresence
from mappings.ymsg import YmsgMapping
from mappings.ymsg_presence import to_own
from transports.common.machine.comeback import ComebackTimes
from transports.common.wire.native import LinkState as NativeLinkState
from transports.ymsg.connector import TransportConfig, YmsgTransport
from transports.ymsg.machine.config import SessionConfig, TokenServer
from transports.ymsg.wire import native as wire

log = structlog.get_logger(__name__)
_PORTS = {"https": 443, "http": 80}


@define(eq=False)
class YmsgWire:
    """The YMSG transport as a port of delivery: its results and states in the words of the model."""

    inner: YmsgTransport
    capabilities: Capabilities
    network: str
    sink: Sink[wire.Inbound] | None = field(init=False, default=None)
    states: dict[str, LinkState] = field(init=False, factory=dict)

    def capabilities_of(self, user: str) -> Capabilities:
        """Returns what the network takes: YMSG tells little of its users beforehand."""
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
        if isinstance(native, NativeLinkState):
            self._link_changed(native)
            on_recorded()
            return
        if isinstance(native, wire.SystemMessage):
            log.info("system message", network=self.network, account=native.account)

        def recorded(intake: Intake) -> None:
            refusal = intake.refusal
            if intake.accepted or (refusal is not None and refusal.code != "unavailable"):
                on_recorded()

        self.sink.deliver(native, recorded)

    def _link_changed(self, native: NativeLinkState) -> None:
        assert self.sink is not None
        self.states[native.account] = native.state
        change = LinkChange(
            network=self.network,
            account=native.account,
            state=native.state,
            reason=native.reason,
            retry_in=native.retry_in,
        )
        self.sink.link_changed(change)

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
class YmsgNetwork:
    """A network of accounts that speak YMSG."""

    wire: YmsgWire
    link: Link

    async def start(self, sink: Sink[Any]) -> None:
        """Begins."""
        await self.wire.start(sink)

    async def stop(self, *, drain: float) -> None:
        """Signs everybody off and ends."""
        await self.wire.stop(drain=drain)

    def sign_on(self, account: str, credential: Secret, presence: PersonPresence) -> None:
        """Signs an account on, or again with a new password."""
        own, _ = to_own(account, presence)
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


def build(around: Surroundings) -> YmsgNetwork:
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
    return YmsgNetwork(transport, link)


def _token_server(address: str) -> TokenServer | None:
    if not address:
        return None
    parts = urlsplit(address)
    port = parts.port or _PORTS[parts.scheme]
    return TokenServer(host=parts.hostname or "", port=port, path=parts.path, tls=parts.scheme == "https")
