"""AIM and ICQ as a network: options reach the session, authorization is asked and answered, results are the model's."""

from collections.abc import Callable, Hashable
from typing import Any

import pytest
from attrs import define, field
from twisted.internet.task import Clock

from bridge.app.networks.base import Surroundings
from bridge.app.networks.oscar import OscarWire
from bridge.app.networks.oscar_kind import KIND, OscarOptions
from bridge.app.sections import NetworkSection
from bridge.app.values import HostPort
from bridge.delivery.ports import Intake, Refusal
from bridge.model.body import Stage
from bridge.model.capabilities import LINK_DOWN, Capabilities, LinkChange, LinkState, SendResult
from bridge.model.ids import EventId, IdempotencyKey, NetworkId
from transports.common.machine.results import link_down
from transports.oscar.connector import OscarTransport
from transports.oscar.wire import native as wire

AIM = NetworkId("aim")
TAKEN = Intake(event=EventId("e"), accepted=True)
HELD = Intake(event=EventId("e"), accepted=True, held=True)
REFUSED = Intake(event=EventId("e"), accepted=False, refusal=Refusal(code="forbidden", reason="no"))
UNRECORDED = Intake(event=None, accepted=False, refusal=Refusal(code="unavailable", reason="the disk is full"))


@define(eq=False)
class Inner:
    """A transport that notes what it is to send, and answers as it is told."""

    sent: list[wire.Outbound] = field(factory=list)
    answer: SendResult = field(factory=lambda: SendResult(stage=Stage.RELAYED))

    def now(self) -> float:
        return 0.0

    def send(
        self, native: wire.Outbound, key: Hashable, deadline: float | None, on_result: Callable[[SendResult], None]
    ) -> None:
        self.sent.append(native)
        on_result(self.answer)


@define(eq=False)
class Door:
    """Takes everything in with one answer."""

    answer: Intake
    taken: list[Any] = field(factory=list)
    changes: list[LinkChange] = field(factory=list)

    def deliver(self, native: Any, on_recorded: Callable[[Intake], None]) -> None:
        self.taken.append(native)
        on_recorded(self.answer)

    def link_changed(self, change: LinkChange) -> None:
        self.changes.append(change)


@define(eq=False)
class Network:
    """The wire between the two."""

    answer: Intake
    inner: Inner = field(factory=Inner)
    recorded: int = 0
    door: Door = field(init=False)
    port: OscarWire = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.door = Door(self.answer)
        self.port = OscarWire(self.inner, Capabilities(), AIM)  # type: ignore[arg-type]
        self.port.sink = self.door

    def take(self, native: wire.Inbound) -> None:
        def on_recorded() -> None:
            self.recorded += 1

        self.port.deliver(native, on_recorded)


ASKED = wire.AuthorizationRequest(account="100101", sender="100102", reason="it is me")
NEEDED = wire.RosterEditFailed(account="100101", screen_name="100102", code=14, name="x", needs_authorization=True)


@pytest.mark.parametrize("answer", [TAKEN, REFUSED, HELD, UNRECORDED])
def test_who_asks_to_see_a_person_is_not_answered_by_the_wire(answer: Intake) -> None:
    """It is presence that answers, when policy or the person has."""
    network = Network(answer)
    network.take(ASKED)
    assert network.inner.sent == []
    assert network.recorded == (answer is not UNRECORDED)


def test_who_is_to_be_watched_is_asked() -> None:
    network = Network(TAKEN)
    network.take(NEEDED)
    assert network.inner.sent == [wire.AuthorizationAsk(account="100101", to="100102")]
    full = wire.RosterEditFailed(account="100101", screen_name="100102", code=12, name="limit exceeded")
    network.take(full)
    assert len(network.inner.sent) == 1


def test_states_are_the_models() -> None:
    network = Network(TAKEN)
    network.take(wire.LinkState(account="a", state=wire.Link.TRANSIENT, reason="lost", retry_in=4.0))
    assert network.door.changes == [
        LinkChange(network=AIM, account="a", state=LinkState.TRANSIENT, reason="lost", retry_in=4.0)
    ]
    assert network.door.changes[0].told == "lost; again in 4 s"
    assert network.port.states == {"a": LinkState.TRANSIENT}
    assert network.recorded == 1


def test_what_became_of_a_send_is_handed_on_as_it_is() -> None:
    network = Network(TAKEN)
    network.inner.answer = link_down("x")
    results: list[SendResult] = []
    message = wire.ImSend(account="a", to="b", text="x", is_html=True, cookie=bytes(8))
    network.port.send(message, key=IdempotencyKey("k"), deadline=9.0, on_result=results.append)
    assert results == [network.inner.answer]
    assert results[0].failure is not None
    assert results[0].failure.reason == LINK_DOWN


def test_an_account_that_is_not_here_is_a_link_that_is_down() -> None:
    options = OscarOptions(server=HostPort.parse("login.test:5190"))
    section = NetworkSection(kind="oscar", domain="aim.corp.example")
    built = KIND.build(Surroundings(network=AIM, section=section, options=options, reactor=Clock(), clock=lambda: 0.0))
    results: list[SendResult] = []
    message = wire.ImSend(account="a", to="b", text="x", is_html=True, cookie=bytes(8))
    built.link.transport.send(message, key=IdempotencyKey("k"), deadline=9.0, on_result=results.append)
    assert [result.failure.reason for result in results if result.failure is not None] == [LINK_DOWN]


def test_options_reach_the_session() -> None:
    options = OscarOptions(
        server=HostPort.parse("login.test:5190"),
        auth="roasted",
        same_host=True,
        max_text_bytes=777,
        rate_margin=250.0,
        sign_ons_per_second=2.5,
        server_override={"bos.test:5191": "127.0.0.1:6000"},
        elsewhere_wait=60.0,
        elsewhere_times=2,
    )
    section = NetworkSection(kind="oscar", domain="aim.corp.example")
    built = KIND.build(Surroundings(network=AIM, section=section, options=options, reactor=Clock(), clock=lambda: 0.0))
    assert built.link.transport.capabilities.max_text_bytes == 777
    inner = built.link.transport.inner  # type: ignore[attr-defined]
    assert isinstance(inner, OscarTransport)
    config = inner.config
    session = config.session
    assert (session.host, session.port, session.method.value) == ("login.test", 5190, "roasted")
    assert (session.same_host, session.max_message_bytes, session.rate_margin) == (True, 777, 250.0)
    assert session.server_override == {"bos.test:5191": ("127.0.0.1", 6000)}
    assert (session.elsewhere_wait, session.elsewhere_times) == (60.0, 2)
    assert config.signons_per_second == 2.5
