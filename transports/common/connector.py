"""The sockets of a network with many accounts: one timer, sign-ons in their turn, results that come exactly once.

The reactor is handed in. Nothing here knows a protocol: sessions say where to connect and what to write.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Hashable
from typing import Any, Generic, Protocol, TypeVar

from attrs import define, field, frozen, validators
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.interfaces import IDelayedCall

from bridge.model.capabilities import SendResult
from transports.common.account import Account
from transports.common.machine.results import failed, link_down
from transports.common.machine.session import Session
from transports.common.machine.turns import Rates, Turns

OnResult = Callable[[SendResult], None]
OnRecorded = Callable[[], None]
S = TypeVar("S", bound=Session)
_DRAIN_LOOK = 0.05


class Sink(Protocol):
    """Where native values from the network go."""

    def deliver(self, native: Any, on_recorded: OnRecorded) -> None:
        """Take a value. `on_recorded` is to be called once it is safe, in the reactor's thread."""


class TlsOptions(Protocol):
    """Makes the TLS parameters of a connection to a host: Twisted's `optionsForClientTLS` is one."""

    def __call__(self, hostname: str) -> Any:
        """An `IOpenSSLClientConnectionCreator`."""


@frozen(kw_only=True)
class HostConfig:
    """What a network's connector is told.

    Attributes:
        signons: how often sign-ons begin, the first and those after a loss: neither a restart nor a server that comes
            back is a storm.
        sends: how often values are handed to sessions, of all accounts together; a session has a pace of its own.
        max_paced: how many values may wait for that.
        connect_timeout: for a connection to stand, seconds.
        tls: makes the TLS parameters of a connection by its host name; None: no TLS.
    """

    signons: Rates = field(factory=lambda: Rates(network=5.0))
    sends: Rates = field(factory=Rates)
    max_paced: int = field(default=10_000, validator=validators.ge(1))
    connect_timeout: float = field(default=30.0, validator=validators.gt(0.0))
    tls: TlsOptions | None = None


@define(eq=False)
class _Paced:
    """A value that waits until the network may take one more."""

    value: Any
    account: str
    key: Hashable
    deadline: float | None
    on_result: OnResult


class SessionTransport(Generic[S]):
    """A network with many accounts.

    Args:
        config: its parameters.
        make: makes the session of an account: its name as it was given, and its password.
        normal: the normal form of a name.
        reactor: provides `IReactorTime` and `IReactorTCP` (and what `HostnameEndpoint` wants for name resolution).

    All methods are to be called in the reactor's thread.
    """

    def __init__(
        self, config: HostConfig, make: Callable[[str, str], S], normal: Callable[[str], str], reactor: Any
    ) -> None:
        self._host = config
        self._make = make
        self._normal = normal
        self._reactor = reactor
        self._sink: Sink | None = None
        self._accounts: dict[str, Account[S]] = {}
        self._heap: list[tuple[float, int, Account[S]]] = []
        self._entry = 0
        self._timer: IDelayedCall | None = None
        self._timer_at = 0.0
        self._signons: Turns[Account[S]] = Turns(config.signons)
        self._paced: Turns[_Paced] = Turns(config.sends)
        self._paced_keys: set[tuple[str, Hashable]] = set()

    # -- life

    async def start(self, sink: Sink) -> None:
        """Begin. Accounts are signed on by `sign_on`."""
        self._sink = sink

    async def stop(self, drain: float) -> None:
        """Sign everybody off. Waits up to `drain` seconds for answers to messages that are under way."""
        self._signons.clear()
        if drain > 0 and self._busy():
            await self._drained(self.now() + drain)
        for item in self._take_paced():
            item.on_result(link_down("The bridge has stopped before the message was sent."))
        for account in list(self._accounts.values()):
            account.session.stop(self.now())
            account.pump()
        self._accounts.clear()
        self._heap.clear()
        self._cancel_timer()
        self._sink = None

    def _busy(self) -> bool:
        return bool(self._paced) or any(account.results for account in self._accounts.values())

    async def _drained(self, until: float) -> None:
        while self.now() < until and self._busy():
            pause: Deferred[None] = Deferred()
            self._reactor.callLater(min(_DRAIN_LOOK, max(0.0, until - self.now())), pause.callback, None)
            await pause

    def now(self) -> float:
        """The reactor's time, seconds."""
        return float(self._reactor.seconds())

    # -- accounts

    def sign_on(self, account: str, credential: str, presence: Any = None) -> None:
        """Sign an account on, in its turn; what becomes of it comes as `LinkState`.

        For an account that is known: take the password, and sign on again if it is not signed on.

        Args:
            account: its name.
            credential: its password.
            presence: the native value that says how to be seen from then on, where there is one.
        """
        name = self._normal(account)
        held = self._accounts.get(name)
        if held is None:
            held = self._accounts[name] = Account(self, self._make(account, credential))
        else:
            held.session.set_credential(credential)
        if presence is not None:
            held.session.set_presence(presence)
        held.start_asked = True
        self._signons.add(held.session.server, held)
        self._go_on()

    def sign_off(self, account: str) -> None:
        """Sign an account off and forget it. Its unfinished sends end as failed or unknown."""
        name = self._normal(account)
        held = self._accounts.pop(name, None)
        if held is None:
            return
        self._signons.discard(held)
        for item in self._take_paced(name):
            item.on_result(link_down("That account is signed off."))
        held.session.stop(self.now())
        held.pump()
        held.deadline = None
        self._arm()

    def accounts(self) -> dict[str, str]:
        """Each account and where its session stands."""
        return {name: held.session.state for name, held in self._accounts.items()}

    def sessions(self) -> list[S]:
        """The sessions of all accounts."""
        return [held.session for held in self._accounts.values()]

    def counters(self) -> dict[str, int]:
        """For the metrics: how many accounts wait to sign on, how many values for their turn."""
        waiting = len(self._paced) + sum(held.session.waiting() for held in self._accounts.values())
        return {"waiting": waiting, "waiting_signons": len(self._signons)}

    # -- sending

    def send(self, native: Any, key: Hashable, deadline: float | None, on_result: OnResult) -> None:
        """Send a value for `native.account`; `on_result` is called exactly once, maybe before this returns.

        Args:
            native: the value.
            key: identifies this send; one that is under way is not sent again.
            deadline: in seconds from now, after which a value that still waits is not sent any more; None: the
                session's own limit.
            on_result: takes what became of it.
        """
        name = self._normal(native.account)
        held = self._accounts.get(name)
        if held is None:
            on_result(link_down("That account is not signed on."))
            return
        if key in held.results or (name, key) in self._paced_keys:
            on_result(failed("a send of this key is under way", retryable=True, user_text="It is being sent already."))
            return
        until = None if deadline is None else self.now() + deadline
        if self._host.sends.unlimited:
            self._hand(held, native, key, until, on_result)
            return
        if len(self._paced) >= self._host.max_paced:
            busy = f"more than {self._host.max_paced} messages wait for the network's pace"
            on_result(failed(busy, retryable=True, user_text="The network is busy. It is tried again."))
            return
        self._paced_keys.add((name, key))
        self._paced.add(held.session.server, _Paced(native, name, key, until, on_result))
        self._go_on()

    def _hand(self, held: Account[S], native: Any, key: Hashable, until: float | None, on_result: OnResult) -> None:
        held.results[key] = on_result
        held.session.send(native, key, self.now(), until)
        held.pump()

    def _hand_paced(self, item: _Paced, now: float) -> None:
        self._paced_keys.discard((item.account, item.key))
        held = self._accounts.get(item.account)
        if held is None:
            item.on_result(link_down("That account is not signed on."))
        elif item.deadline is not None and item.deadline <= now:
            text = "The message waited too long for its turn and was not sent."
            item.on_result(failed("expired in the queue", retryable=False, user_text=text))
        else:
            self._hand(held, item.value, item.key, item.deadline, item.on_result)

    def _take_paced(self, account: str | None = None) -> list[_Paced]:
        """Takes out what waits for the network's pace, of one account or of all."""
        taken = [item for item in self._paced if account is None or item.account == account]
        for item in taken:
            self._paced.discard(item)
            self._paced_keys.discard((item.account, item.key))
        return taken

    # -- of accounts

    def deliver(self, account: Account[S], event: Any) -> None:
        """Hand an event to the sink; its recording goes back to the session."""
        if self._sink is None:
            return

        def on_recorded() -> None:
            account.session.recorded(event, self.now())
            account.pump()

        self._sink.deliver(event, on_recorded)

    def endpoint(self, host: str, port: int, tls: bool | None = None) -> Any:
        """Where a session connects to."""
        plain = HostnameEndpoint(self._reactor, host, port, timeout=self._host.connect_timeout)
        if self._host.tls is None or tls is False:
            return plain
        return wrapClientTLS(self._host.tls(host), plain)

    # -- time

    def schedule(self, account: Account[S]) -> None:
        """Have an account woken when its session wants; one that is to sign on again is woken when it is its turn."""
        deadline = account.session.next_deadline()
        attempt = account.session.attempt_at
        if self._sink is None or (attempt is not None and attempt <= self.now() and account in self._signons):
            deadline = None
        if deadline == account.deadline:
            return
        account.deadline = deadline
        if deadline is not None:
            self._entry += 1
            heapq.heappush(self._heap, (deadline, self._entry, account))
            self._arm()

    def _go_on(self) -> None:
        """Begin the sign-ons and send the values whose turn it is."""
        now = self.now()
        while (held := self._signons.next(now)) is not None:
            asked, held.start_asked = held.start_asked, False
            if asked:
                held.session.start(now)
            held.session.handle_timer(now)
            held.pump()
        while (item := self._paced.next(now)) is not None:
            self._hand_paced(item, now)
        self._arm()

    def _arm(self) -> None:
        """Let the one timer go off at the earliest deadline."""
        while self._heap and self._heap[0][0] != self._heap[0][2].deadline:
            heapq.heappop(self._heap)
        times = [self._heap[0][0] if self._heap else None, self._signons.next_deadline(), self._paced.next_deadline()]
        at = min((each for each in times if each is not None), default=None)
        if at is None:
            self._cancel_timer()
            return
        if self._timer is not None and self._timer.active():
            # an early call finds nothing to do and arms anew: cheaper than moving the timer for each message
            if self._timer_at <= at:
                return
            self._timer.cancel()
        self._timer_at = at
        self._timer = self._reactor.callLater(max(0.0, at - self.now()), self._fire)

    def _cancel_timer(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None

    def _fire(self) -> None:
        self._timer = None
        now = self.now()
        while self._heap and self._heap[0][0] <= now:
            deadline, _, account = heapq.heappop(self._heap)
            if account.deadline != deadline:
                continue
            account.deadline = None
            attempt = account.session.attempt_at
            if attempt is not None and attempt <= now:
                self._signons.add(account.session.server, account)
            else:
                account.session.handle_timer(now)
                account.pump()
        self._go_on()
