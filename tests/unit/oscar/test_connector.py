"""The connector: sockets, the timer, results and stops, over a network in memory."""

from __future__ import annotations

import functools
import random
from collections.abc import Callable
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from bridge.model.body import Stage
from bridge.model.capabilities import SendResult
from tests.unit.oscar.kit import GROUPS, STRICT, WIDE, message
from transports.oscar.connector import OscarTransport, TransportConfig
from transports.oscar.machine.config import SessionConfig
from transports.oscar.wire import bucp, feedbag, icbm, native, oservice
from transports.oscar.wire.flap import DATA, SIGNON, FlapFramer, FlapSequence, SignonFrame
from transports.oscar.wire.names import normal
from transports.oscar.wire.native import Link
from transports.oscar.wire.registry import decode_body
from transports.oscar.wire.snac import Body, SnacFrame, encode_snac
from transports.oscar.wire.tlv import Tlvs, tlv16


def _failure(error: Exception) -> Failure:
    return Failure(error)  # type: ignore[no-untyped-call]


class Peer:
    """The server's end of one connection."""

    def __init__(self, net: Network, protocol: Any, port: int) -> None:
        self.net = net
        self.protocol = protocol
        self.port = port
        self.transport = StringTransport()  # type: ignore[no-untyped-call]
        self.framer = FlapFramer(check_sequence=True)
        self.numbers = FlapSequence(1)
        self.closed = False

    def frame(self, channel: int, payload: bytes) -> None:
        self.protocol.dataReceived(self.numbers.frame(channel, payload))

    def move(self) -> bool:
        """Read what was written; close when asked to. Gives whether anything happened."""
        if self.closed:
            return False
        data = bytes(self.transport.value())  # type: ignore[no-untyped-call]
        self.transport.clear()  # type: ignore[no-untyped-call]
        for frame in self.framer.feed(data):
            if frame.channel == SIGNON and self.port == 5191:
                self.frame(DATA, encode_snac(oservice.HostOnline(GROUPS), 0x80000000))
            elif frame.channel == DATA:
                snac = SnacFrame.decode(frame.payload)
                for answer in self.net.answers(decode_body(snac)):
                    self.frame(DATA, encode_snac(answer, snac.request_id))
        if self.transport.disconnecting and not self.closed:
            self.closed = True
            self.protocol.connectionLost(_failure(ConnectionLost("closed")))
            return True
        return bool(data)


class Network:
    """A transport, its sink, and servers in memory."""

    def __init__(self, **config: Any) -> None:
        self.clock = Clock()
        self.peers: list[Peer] = []
        self.delivered: list[native.Inbound] = []
        self.recorded: list[Callable[[], None]] = []
        self.attempts: list[tuple[float, str, int]] = []
        self.pending: list[Deferred[Any]] = []
        self.refuse = False
        self.hang = False
        self.login_error = 0
        self.silent_messages = False
        self.rates: Body = config.pop("rates", WIDE)
        session = SessionConfig(host="login", port=5190, **config.pop("session", {}))
        self.transport = OscarTransport(TransportConfig(session=session, **config), self.clock, rng=random.Random(3))
        self.transport.endpoint = self.endpoint  # type: ignore[method-assign]
        Deferred.fromCoroutine(self.transport.start(self))

    def deliver(self, native: native.Inbound, on_recorded: Callable[[], None]) -> None:
        self.delivered.append(native)
        self.recorded.append(on_recorded)

    def endpoint(self, host: str, port: int, tls: bool | None = None) -> Any:
        assert tls is None
        network = self

        class Endpoint:
            def connect(self, factory: Any) -> Deferred[Any]:
                return network.connect(factory, host, port)

        return Endpoint()

    def connect(self, factory: Any, host: str, port: int) -> Deferred[Any]:
        self.attempts.append((self.clock.seconds(), host, port))
        done: Deferred[Any] = Deferred()
        if self.refuse:
            done.errback(_failure(ConnectionLost()))
        elif self.hang:
            self.pending.append(done)
        else:
            protocol = factory.buildProtocol(None)
            peer = Peer(self, protocol, port)
            protocol.makeConnection(peer.transport)
            peer.frame(SIGNON, SignonFrame().encode())
            self.peers.append(peer)
            done.callback(protocol)
        return done

    def answers(self, body: Body) -> list[Body]:
        if isinstance(body, bucp.ChallengeRequest):
            return [bucp.Challenge(b"key")]
        if isinstance(body, bucp.LoginRequest):
            if self.login_error:
                return [bucp.LoginResponse(Tlvs([tlv16(bucp.ERROR, self.login_error)]))]
            return [bucp.LoginResponse(Tlvs([(bucp.HOST, b"bos:5191"), (bucp.COOKIE, b"c")]))]
        if isinstance(body, icbm.SendMessage):
            return [] if self.silent_messages else [icbm.HostAck(cookie=body.cookie, channel=1, name=body.to)]
        table: dict[type[Body], Body] = {
            oservice.RatesQuery: self.rates,
            oservice.SelfInfoQuery: oservice.SelfInfo(),
            feedbag.RightsQuery: feedbag.RightsReply(),
            feedbag.ListQuery: feedbag.ListReply(timestamp=1),
            feedbag.ListQueryIfChanged: feedbag.ListUnchanged(timestamp=1),
            icbm.ParametersQuery: icbm.ParametersReply(),
        }
        known = table.get(type(body))
        if known is not None:
            return [known]
        group, kind = body.ids()
        return [_Rights(group)] if kind == 2 and group in {2, 3, 9} else []

    def settle(self) -> None:
        for _ in range(1000):
            if not any([peer.move() for peer in self.peers]):  # noqa: C419 - each is to move
                return
        raise AssertionError("never at rest")

    def advance(self, seconds: float) -> None:
        self.clock.pump([seconds / 20.0] * 20)
        self.settle()

    def states(self, account: str) -> list[Link]:
        return [e.state for e in self.delivered if isinstance(e, native.LinkState) and e.account == account]

    def up(self, *accounts: str) -> Network:
        for account in accounts:
            self.transport.sign_on(account, "secret")
        self.settle()
        self.advance(len(accounts))
        for account in accounts:
            assert self.states(normal(account))[-1] is Link.UP
        return self


class _Rights(Body):
    """xx/03, without limits."""

    def __init__(self, group: int) -> None:
        self.group = group

    def ids(self) -> tuple[int, int]:
        return self.group, 3

    def encode(self) -> bytes:
        return b""


def im(number: int, account: str = "aima") -> native.ImSend:
    return native.ImSend(account=account, to="bob", text="x", is_html=True, cookie=number.to_bytes(8, "big"))


def test_sign_on_and_a_message() -> None:
    net = Network().up("Aim A")
    results: list[SendResult] = []
    net.transport.send(im(1), "k", None, results.append)
    net.settle()
    assert [result.stage for result in results] == [Stage.RELAYED]
    assert net.transport.accounts() == {"aima": "up"}
    assert net.attempts == [(0.0, "login", 5190), (0.0, "bos", 5191)]


def test_sign_ons_are_spread() -> None:
    net = Network(signons_per_second=2.0)
    for number in range(10):
        net.transport.sign_on(f"user{number}", "secret")
    net.settle()
    net.advance(20)
    starts = [at for at, _, port in net.attempts if port == 5190]
    assert len(starts) == 10
    assert starts[-1] >= 4.0
    assert all(net.states(f"user{number}")[-1] is Link.UP for number in range(10))


def test_one_timer_for_all_accounts() -> None:
    net = Network(signons_per_second=1000.0).up(*(f"user{number}" for number in range(30)))
    assert len(net.clock.getDelayedCalls()) == 1
    for account in net.transport.accounts():
        net.transport.sign_off(account)
    net.settle()
    assert net.transport.accounts() == {}


def test_no_connection_is_retried() -> None:
    net = Network()
    net.refuse = True
    net.transport.sign_on("aima", "secret")
    net.advance(5)
    assert Link.TRANSIENT in net.states("aima")
    net.refuse = False
    net.advance(30)
    assert net.states("aima")[-1] is Link.UP


def test_a_lost_connection_comes_back() -> None:
    net = Network().up("aima")
    net.peers[-1].closed = True
    net.peers[-1].protocol.connectionLost(_failure(ConnectionLost()))
    assert net.states("aima")[-1] is Link.TRANSIENT
    net.advance(10)
    assert net.states("aima")[-1] is Link.UP


def test_a_wrong_password_is_not_tried_again() -> None:
    net = Network()
    net.login_error = 5
    net.transport.sign_on("aima", "wrong")
    net.settle()
    net.advance(5000)
    assert net.states("aima")[-1] is Link.AUTH_FAILED
    assert len(net.attempts) == 1
    net.login_error = 0
    net.up("aima")


def test_signing_off_while_connecting_cancels() -> None:
    net = Network()
    net.hang = True
    net.transport.sign_on("aima", "secret")
    net.transport.sign_off("aima")
    assert [attempt.called for attempt in net.pending] == [True]
    assert net.states("aima")[-1] is Link.LOGGED_OUT
    assert not net.clock.getDelayedCalls()


def test_sends_for_nobody_and_twice() -> None:
    net = Network().up("aima")
    results: list[SendResult] = []
    net.transport.send(im(1, "nobody"), "a", None, results.append)
    assert results[0].stage is Stage.FAILED
    net.silent_messages = True
    net.transport.send(im(2), "b", None, results.append)
    net.transport.send(im(2), "b", None, results.append)
    assert len(results) == 2
    assert results[1].failure is not None
    assert "under way" in results[1].failure.reason
    net.advance(40)
    assert results[2].stage is Stage.UNKNOWN


def test_a_deadline_counts_from_now() -> None:
    net = Network(rates=STRICT).up("aima")
    results: dict[int, SendResult] = {}
    for number in range(6):
        net.transport.send(im(number), number, 8.0, functools.partial(results.__setitem__, number))
    net.settle()
    net.advance(30)
    stages = [results[number].stage for number in range(6)]
    assert stages[0] is Stage.RELAYED
    assert stages[-1] is Stage.FAILED


def test_stop_drains_and_ends_every_send() -> None:
    net = Network().up("aima", "aimb")
    net.silent_messages = True
    results: list[SendResult] = []
    net.transport.send(im(1), "k", None, results.append)
    finished: list[None] = []
    Deferred.fromCoroutine(net.transport.stop(2.0)).addCallback(finished.append)
    net.advance(1.0)
    assert len(finished) == 0
    net.advance(3.0)
    assert len(finished) == 1
    assert [result.stage for result in results] == [Stage.UNKNOWN]
    assert not net.clock.getDelayedCalls()
    assert all(peer.transport.disconnecting for peer in net.peers)


def test_recording_reaches_the_session() -> None:
    net = Network().up("aima")
    for on_recorded in net.recorded:
        on_recorded()
    assert set(net.transport.counters()) == {"waiting", "waiting_signons", "unknown_snacs", "syntax_errors"}
    assert not any(net.transport.counters().values())


def test_thousands_of_events_recorded_at_once_are_no_deep_stack() -> None:
    net = Network().up("aima")
    told = len(net.delivered)

    def deliver(value: native.Inbound, on_recorded: Callable[[], None]) -> None:
        net.delivered.append(value)
        on_recorded()

    net.deliver = deliver  # type: ignore[method-assign,assignment]
    pushed = b"".join(
        net.peers[-1].numbers.frame(DATA, encode_snac(message(cookie=number.to_bytes(8, "big")), 0x80000000))
        for number in range(3000)
    )
    net.peers[-1].protocol.dataReceived(pushed)
    cookies = [event.cookie for event in net.delivered[told:] if isinstance(event, native.ImReceived)]
    assert cookies == [number.to_bytes(8, "big") for number in range(3000)]


def test_a_listener_that_fails_does_not_stop_the_account() -> None:
    net = Network().up("aima")

    def broken(_: SendResult) -> None:
        raise RuntimeError("listener")

    results: list[SendResult] = []
    net.transport.send(im(1), "a", None, broken)
    net.transport.send(im(2), "b", None, results.append)
    net.settle()
    assert len(results) == 1


def test_sending_from_within_a_result() -> None:
    net = Network().up("aima")
    results: list[SendResult] = []

    def next_one(result: SendResult) -> None:
        results.append(result)
        if len(results) < 500:
            net.transport.send(im(len(results) + 1), len(results), None, next_one)

    net.transport.send(im(1), 0, None, next_one)
    net.settle()
    assert [result.stage for result in results] == [Stage.RELAYED] * 500


@pytest.mark.parametrize("rate", [0.0, -1.0])
def test_configuration_is_checked(rate: float) -> None:
    with pytest.raises(ValueError, match="signons_per_second"):
        TransportConfig(session=SessionConfig(host="h", port=1), signons_per_second=rate)
    with pytest.raises(ValueError, match="ack_timeout"):
        SessionConfig(host="h", port=1, ack_timeout=rate)


def test_a_server_that_does_not_read_is_not_read_either() -> None:
    """What it would make us write would pile up."""
    net = Network()
    net.transport.sign_on("aima", "secret")
    net.settle()
    peer = net.peers[-1]
    producer: Any = peer.transport.producer
    assert producer is peer.protocol
    producer.pauseProducing()
    assert peer.transport.producerState == "paused"
    producer.resumeProducing()
    assert peer.transport.producerState == "producing"
    net.transport.sign_off("aima")
    assert peer.transport.producer is None, "a producer would keep the connection open"
    assert peer.transport.disconnecting
    net.settle()
