"""XMPP's streams for a network: one for a component's whole domain, or one for each account.

The reactor is handed in; slixmpp runs on its loop. What stanzas mean is the machine's part; `Comeback` says when to try
again.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Hashable
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from bridge.model.capabilities import SendResult
from transports.common.machine.actions import SendDone
from transports.common.machine.results import failed, link_down
from transports.common.machine.turns import Turns
from transports.common.wire.native import Link, LinkState
from transports.xmpp.held import Held, make_stream
from transports.xmpp.transportconfig import TransportConfig
from transports.xmpp.wire.jid import bare, domain
from transports.xmpp.wire.native import Inbound, Outbound, OwnPresence

OnResult = Callable[[SendResult], None]
OnRecorded = Callable[[], None]
_DRAIN_LOOK = 0.05
_log = Logger()


class Sink(Protocol):
    """Where native values from the network go."""

    def deliver(self, native: Inbound, on_recorded: OnRecorded) -> None:
        """Take a value. `on_recorded` is to be called once it is safe, in the reactor's thread."""


class XmppTransport:
    """A network of accounts that speak XMPP.

    Args:
        config: its parameters.
        reactor: Twisted's, on an asyncio loop.
        rng: the jitter.
        make: makes slixmpp's stream of an account; tests give another.

    All methods are to be called in the reactor's thread.
    """

    def __init__(
        self,
        config: TransportConfig,
        reactor: Any,
        *,
        rng: random.Random | None = None,
        make: Callable[[Held], Any] | None = None,
    ) -> None:
        self.config = config
        self.reactor = reactor
        self.rng = rng or random.SystemRandom()
        self.make = make or make_stream
        self.results: dict[Hashable, OnResult] = {}
        self._sink: Sink | None = None
        self._streams: dict[str, Held] = {}
        self._turns: Turns[Held] = Turns(config.signons)
        self._turn: Any = None
        self._signing: set[int] = set()

    # -- life

    async def start(self, sink: Sink) -> None:
        """Begin. Accounts are signed on by `sign_on`."""
        self._sink = sink

    async def stop(self, drain: float) -> None:
        """Sign everybody off. Waits up to `drain` seconds for answers to what is under way."""
        self._turns.clear()
        until = self.now() + drain
        while self.results and self.now() < until:
            pause: Deferred[None] = Deferred()
            self.reactor.callLater(_DRAIN_LOOK, pause.callback, None)
            await pause
        for held in list(self._streams.values()):
            held.end("signed off")
        self._streams.clear()
        if self._turn is not None and self._turn.active():
            self._turn.cancel()
        self._sink = None

    def now(self) -> float:
        """The reactor's time, seconds."""
        return float(self.reactor.seconds())

    # -- accounts

    def sign_on(self, account: str, credential: str, presence: OwnPresence) -> None:
        """Sign an account on, in its turn; what becomes of it comes as `LinkState`.

        For an account that is known: take the password, and sign on again if it is not signed on.
        """
        name = bare(account)
        component = self.config.component
        if component is not None and domain(name) != component:
            self.tell(name, Link.AUTH_FAILED, f"{name} is not an address of the component {component}")
            return
        key = name if component is None else component
        held = self._streams.get(key)
        if held is None:
            held = self._streams[key] = Held(self, key)
        held.sign_on(name, credential, presence)

    def sign_off(self, account: str) -> None:
        """Sign an account off and forget it. Its unfinished sends end as unknown."""
        name = bare(account)
        if self.config.component is not None:
            shared = self._streams.get(self.config.component)
            if shared is None or not shared.sign_off(name):
                return
            name = self.config.component
        held = self._streams.pop(name, None)
        if held is not None:
            self._turns.discard(held)
            held.end("signed off")

    def send(self, native: Outbound, key: Hashable, deadline: float | None, on_result: OnResult) -> None:
        """Send a value for its account; `on_result` is called exactly once, maybe before this returns.

        Args:
            native: the value.
            key: identifies this send; one that is under way is not sent again.
            deadline: not used: what is sent goes at once or not at all.
            on_result: takes what became of it.
        """
        del deadline
        name = bare(native.account)
        held = self._streams.get(name if self.config.component is None else self.config.component)
        if held is None:
            on_result(link_down("That account is not signed on."))
        elif key in self.results:
            on_result(failed("a send of this key is under way", retryable=True, user_text="It is being sent already."))
        else:
            self.results[key] = on_result
            held.machine.send(native, key, self.now())
            held.pump()

    def counters(self) -> dict[str, int]:
        """For the metrics: how much is not confirmed, was refused, waits to sign on."""
        machines = [held.machine for held in self._streams.values()]
        return {
            "waiting": sum(machine.waiting() for machine in machines),
            "refused_stanzas": sum(machine.refused for machine in machines),
            "waiting_signons": len(self._turns),
        }

    # -- of streams

    def tell(self, account: str, state: Link, reason: str, retry_in: float | None = None) -> None:
        """Tells the state of an account."""
        self.hand(LinkState(account=account, state=state, reason=reason, retry_in=retry_in), lambda: None)

    def hand(self, event: Inbound, on_recorded: OnRecorded) -> None:
        """Hands an event to the sink. A fault of whoever listens must not stop the stream."""
        if self._sink is None:
            return
        try:
            self._sink.deliver(event, on_recorded)
        except Exception:  # noqa: BLE001 - see above
            _log.failure("{account}: the listener failed at {kind}", account=event.account, kind=type(event).__name__)

    def done(self, event: SendDone) -> None:
        """Hands the end of a send to who waits for it."""
        on_result = self.results.pop(event.key, None)
        if on_result is not None:
            on_result(event.result)

    def wants_turn(self, held: Held) -> None:
        """A stream wants to sign on."""
        self._turns.add(f"{self.config.host or held.name}", held)
        self._go_on()

    def signing(self, held: Held, *, on: bool) -> None:
        """A stream has begun to sign on, or that is over."""
        if on:
            self._signing.add(id(held))
        elif id(held) in self._signing:
            self._signing.discard(id(held))
            self._go_on()

    def _go_on(self) -> None:
        most = self.config.signing_on
        while len(self._signing) < most and (held := self._turns.next(self.now())) is not None:
            held.begin()
        at = self._turns.next_deadline()
        if len(self._signing) < most and at is not None and (self._turn is None or not self._turn.active()):
            self._turn = self.reactor.callLater(max(0.0, at - self.now()), self._go_on)
