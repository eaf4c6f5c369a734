"""A network of accounts that each have a session: its transport and mapping bound together, whatever the protocol."""

from collections.abc import Callable, Hashable, Mapping
from typing import Any, Protocol

from attrs import define, field

from bridge.delivery.ports import Intake, Link, Sink
from bridge.identity.secret import Secret
from bridge.model.capabilities import Capabilities, LinkChange, LinkState, SendResult
from bridge.model.ids import IdempotencyKey
from bridge.model.presence import PersonPresence
from transports.common.wire import native as common

Own = Callable[[str, PersonPresence, float], Any]
"""Makes the native value that shows an account as its person is: the account, the presence, seconds since the epoch."""


class Inner(Protocol):
    """A transport of accounts that are signed on one by one."""

    async def start(self, sink: Any) -> None:
        """Begins."""

    async def stop(self, drain: float) -> None:
        """Signs everybody off."""

    def now(self) -> float:
        """The reactor's time, seconds."""

    def sign_on(self, account: str, credential: str, presence: Any) -> None:
        """Signs an account on, in its turn."""

    def sign_off(self, account: str) -> None:
        """Signs an account off and forgets it."""

    def send(self, native: Any, key: Hashable, deadline: float | None, on_result: Callable[[SendResult], None]) -> None:
        """Sends a value; ``deadline`` in seconds from now."""

    def counters(self) -> Mapping[str, int]:
        """Numbers for metrics."""


@define(eq=False)
class SessionWire:
    """A transport of sessions as a port of delivery: its results and states in the words of the model."""

    inner: Inner
    capabilities: Capabilities
    network: str
    sink: Sink[Any] | None = field(init=False, default=None)
    states: dict[str, LinkState] = field(init=False, factory=dict)

    def capabilities_of(self, user: str) -> Capabilities:
        """Returns what the network takes; a network that knows more of its users beforehand says it here."""
        del user
        return self.capabilities

    async def start(self, sink: Sink[Any]) -> None:
        """Begins; accounts are signed on one by one."""
        self.sink = sink
        await self.inner.start(self)

    async def stop(self, *, drain: float) -> None:
        """Signs everybody off."""
        await self.inner.stop(drain)

    def deliver(self, native: Any, on_recorded: Callable[[], None]) -> None:
        """Takes what the transport hands in; a refused event is on record all the same, so its wire is acknowledged."""
        assert self.sink is not None
        if isinstance(native, common.LinkState):
            self._changed(native)
            on_recorded()
            return

        def recorded(intake: Intake) -> None:
            refusal = intake.refusal
            if intake.accepted or (refusal is not None and refusal.code != "unavailable"):
                on_recorded()
                self.taken(native)

        self.sink.deliver(native, recorded)

    def _changed(self, native: common.LinkState) -> None:
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

    def taken(self, native: Any) -> None:
        """Told of each event that is on record, for what the protocol itself wants done about it."""

    def send(
        self,
        native: Any,
        *,
        key: IdempotencyKey,
        deadline: float,
        on_result: Callable[[SendResult], None],
    ) -> None:
        """Sends one native event."""
        self.inner.send(native, key, max(0.0, deadline - self.inner.now()), on_result)


@define(eq=False)
class SessionNetwork:
    """A network of accounts that are signed on one by one.

    Args:
        wire: its transport.
        link: the transport with its mapping.
        clock: seconds since the epoch.
        own: makes what shows an account as its person is.
    """

    wire: SessionWire
    link: Link
    clock: Callable[[], float]
    own: Own

    async def start(self, sink: Sink[Any]) -> None:
        """Begins."""
        await self.wire.start(sink)

    async def stop(self, *, drain: float) -> None:
        """Signs everybody off and ends."""
        await self.wire.stop(drain=drain)

    def sign_on(self, account: str, credential: Secret, presence: PersonPresence) -> None:
        """Signs an account on, or again with a new password."""
        self.wire.inner.sign_on(account, credential.reveal(), self.own(account, presence, self.clock()))

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
