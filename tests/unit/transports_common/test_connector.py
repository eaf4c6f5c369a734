"""Many accounts: sign-ons and comebacks in their turn, sends under the network's budget, every send ended once."""

import functools
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from bridge.model.body import Stage
from bridge.model.capabilities import LINK_DOWN, SendResult
from transports.common.connector import HostConfig, SessionTransport
from transports.common.machine.comeback import ComebackTimes
from transports.common.machine.turns import Rates
from transports.common.wire.native import LinkState
from transports.loopback.machine.config import SessionConfig
from transports.loopback.machine.session import LoopbackSession
from transports.loopback.wire.native import MessageSend


class Random:
    def uniform(self, low: float, high: float) -> float:
        return high


class World:
    """Sessions without a network: connections neither stand nor fail unless a test says so."""

    def __init__(self, config: HostConfig) -> None:
        self.clock = Clock()
        self.told: list[Any] = []
        self.connecting: list[tuple[float, Deferred[Any]]] = []
        session = SessionConfig(host="h", port=1, comeback=ComebackTimes(backoff_base=2.0))

        def make(account: str, credential: str) -> LoopbackSession:
            return LoopbackSession(account, credential, session, rng=Random())  # type: ignore[arg-type]

        self.transport: SessionTransport[LoopbackSession] = SessionTransport(config, make, str.lower, self.clock)
        self.transport.endpoint = self.endpoint  # type: ignore[method-assign]
        Deferred.fromCoroutine(self.transport.start(self))

    def deliver(self, native: Any, on_recorded: Any) -> None:
        self.told.append(native)
        on_recorded()

    def endpoint(self, host: str, port: int, tls: bool | None = None) -> Any:
        world = self

        class Endpoint:
            def connect(self, _: Any) -> Deferred[Any]:
                attempt: Deferred[Any] = Deferred()
                world.connecting.append((world.clock.seconds(), attempt))
                return attempt

        return Endpoint()

    def up(self, name: str) -> LoopbackSession:
        session = next(each for each in self.transport.sessions() if each.account == name)
        session.receive(session._conn_id, b'{"is": "welcome"}\n', self.clock.seconds())
        return session


def test_comebacks_wait_for_their_turn_too() -> None:
    world = World(HostConfig(signons=Rates(network=2.0)))
    for number in range(20):
        world.transport.sign_on(f"user{number}", "x")
    world.clock.pump([0.1] * 150)
    assert len(world.connecting) == 20
    lost_at = world.clock.seconds()
    for _, attempt in world.connecting[:20]:
        attempt.errback(ConnectionRefusedError("down"))
    world.clock.pump([0.1] * 20)
    assert len(world.connecting) <= 25, "they all want to come back now, and may not"
    world.clock.pump([0.1] * 150)
    times = [at for at, _ in world.connecting[20:] if at >= lost_at]
    assert len(times) >= 20
    for begin in times:
        assert len([at for at in times if begin <= at < begin + 0.999]) <= 5
    Deferred.fromCoroutine(world.transport.stop(0.0))
    assert not world.clock.getDelayedCalls()


def test_a_password_for_an_account_that_waits_does_not_hurry_it() -> None:
    world = World(HostConfig(signons=Rates(network=100.0)))
    world.transport.sign_on("a", "x")
    world.connecting[0][1].errback(ConnectionRefusedError("down"))
    world.transport.sign_on("a", "y")
    world.clock.advance(1.0)
    assert len(world.connecting) == 1
    world.clock.pump([0.1] * 15)
    assert len(world.connecting) == 2
    Deferred.fromCoroutine(world.transport.stop(0.0))


def test_sends_under_the_networks_budget() -> None:
    world = World(HostConfig(signons=Rates(), sends=Rates(network=1.0), max_paced=3))
    world.clock.advance(10.0)
    world.transport.sign_on("a", "x")
    world.transport.sign_on("b", "x")
    first, second = world.up("a"), world.up("b")
    results: dict[int, SendResult] = {}
    for number in range(6):
        account = "ab"[number % 2]
        native = MessageSend(account=account, to="c", text="x", id=str(number))
        deadline = 1.5 if number == 2 else 30.0
        world.transport.send(native, number, deadline, functools.partial(results.__setitem__, number))
    assert {number: result.stage for number, result in results.items()} == {4: Stage.FAILED, 5: Stage.FAILED}
    assert results[4].failure is not None
    assert results[4].failure.retryable, "the network is busy: it is tried again"
    assert world.transport.counters()["waiting"] == 3
    world.clock.pump([0.25] * 6)
    assert len(first._outbox._flights) + len(second._outbox._flights) == 2
    world.transport.sign_off("b")
    world.clock.pump([0.25] * 20)
    assert set(results) == {1, 2, 3, 4, 5}
    assert results[2].failure is not None
    assert results[2].failure.reason == "expired in the queue"
    assert results[3].failure is not None
    assert results[3].failure.reason == LINK_DOWN
    Deferred.fromCoroutine(world.transport.stop(0.0))
    assert results[0].stage is Stage.UNKNOWN


def test_the_same_key_is_under_way_once() -> None:
    world = World(HostConfig(signons=Rates(), sends=Rates(network=1.0)))
    world.transport.sign_on("a", "x")
    world.up("a")
    results: list[SendResult] = []
    native = MessageSend(account="a", to="c", text="x", id="1")
    for _ in range(3):
        world.transport.send(native, "k", 30.0, results.append)
        world.clock.advance(0.4)
    assert len(results) == 2
    assert all(result.failure is not None and result.failure.retryable for result in results)
    Deferred.fromCoroutine(world.transport.stop(0.0))
    assert len(results) == 3


def test_states_are_told() -> None:
    world = World(HostConfig(signons=Rates()))
    world.transport.sign_on("a", "x")
    world.up("a")
    world.transport.sign_off("a")
    states = [each.state.value for each in world.told if isinstance(each, LinkState)]
    assert states == ["connecting", "up", "logged-out"]
