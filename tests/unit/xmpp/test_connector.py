"""When streams stand and come back, with slixmpp's part played by the test and time by a clock."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any
from xml.etree.ElementTree import Element

from attrs import define, field
from twisted.internet.task import Clock

from bridge.model.body import Stage
from bridge.model.capabilities import LINK_DOWN, SendResult
from transports.common.wire.native import Link, LinkState
from transports.xmpp.connector import XmppTransport
from transports.xmpp.slix import Ticket
from transports.xmpp.transportconfig import TransportConfig
from transports.xmpp.wire import native as wire
from transports.xmpp.wire.xml import read

ME, ROMEO = "alice@sip.example", "romeo@x.example"


@define(eq=False)
class Stream:
    """slixmpp's part."""

    owner: Any
    resumable: bool = False
    connects: int = 0
    parted: bool = False
    settled: int = 0
    written: list[Element] = field(factory=list)

    def connect(self, host: str | None, port: int | None) -> None:
        self.connects += 1

    def write_stanza(self, element: Element) -> None:
        self.written.append(element)

    def part(self) -> None:
        self.parted = True

    def abort(self) -> None:
        self.owner.stream_lost(self, "aborted")

    def settle(self) -> None:
        self.settled += 1


@define(eq=False)
class World:
    """A transport with its clock, streams and sink."""

    component: str | None = "sip.example"
    clock: Clock = field(factory=Clock)
    streams: list[Stream] = field(factory=list)
    told: list[Any] = field(factory=list)
    held: list[Callable[[], None]] = field(factory=list)
    results: list[SendResult] = field(factory=list)
    transport: XmppTransport = field(init=False)

    def __attrs_post_init__(self) -> None:
        config = TransportConfig(component=self.component, host="h", port=1, secret="s")
        self.transport = XmppTransport(config, self.clock, rng=random.Random(1), make=self._make)
        self.transport._sink = self

    def _make(self, held: Any) -> Stream:
        self.streams.append(Stream(held))
        return self.streams[-1]

    def deliver(self, native: Any, on_recorded: Callable[[], None]) -> None:
        self.told.append(native)
        if not isinstance(native, LinkState):
            self.held.append(on_recorded)

    def sign_on(self, account: str = ME, password: str = "") -> None:
        shown = wire.OwnPresence(account=account, place=wire.Place(resource=""))
        self.transport.sign_on(account, password, shown)

    def up(self, account: str = ME) -> Stream:
        self.sign_on(account, "" if self.component else "p")
        self.stream.owner.stream_up(self.stream)
        if self.component is None:
            ask = next(one for one in self.stream.written if one.tag.endswith("iq"))
            self.hear(f'<iq xmlns="jabber:client" type="result" id="{ask.get("id")}"/>')
        return self.stream

    def hear(self, xml: str) -> Ticket:
        ticket = Ticket()
        self.stream.owner.stanza(self.stream, read(xml.encode()), ticket)
        ticket.release()
        return ticket

    @property
    def stream(self) -> Stream:
        return self.streams[-1]

    def states(self) -> list[Link]:
        return [event.state for event in self.told if isinstance(event, LinkState)]

    def send(self) -> None:
        message = wire.MessageSend(account=ME, to=ROMEO, id="m", text="hi")
        self.transport.send(message, f"k{len(self.results)}", None, self.results.append)


def test_an_account_of_a_component_comes_up_with_its_stream() -> None:
    world = World()
    world.up()
    assert world.states() == [Link.CONNECTING, Link.UP]
    world.sign_on("bob@sip.example")
    assert world.told[-1] == LinkState(account="bob@sip.example", state=Link.UP, reason="the component is connected")
    assert len(world.streams) == 1


def test_a_name_of_another_domain_is_none_of_the_component_s() -> None:
    world = World()
    world.sign_on("alice@elsewhere.example")
    assert world.states() == [Link.AUTH_FAILED]
    assert not world.streams


def test_a_lost_stream_comes_back_by_itself_and_what_was_open_is_unknown() -> None:
    world = World()
    stream = world.up()
    world.send()
    stream.owner.stream_lost(stream, "gone")
    assert [result.stage for result in world.results] == [Stage.UNKNOWN]
    assert world.states()[-1] is Link.TRANSIENT
    world.send()
    failure = world.results[-1].failure
    assert failure is not None
    assert failure.reason == LINK_DOWN
    assert stream.parted
    world.clock.advance(10.0)
    assert len(world.streams) == 2
    world.stream.owner.stream_up(world.stream)
    assert world.states()[-1] is Link.UP


def test_a_wrong_secret_is_tried_again_after_a_minute() -> None:
    world = World()
    world.sign_on()
    world.stream.owner.stream_error(world.stream, "not-authorized", "")
    last = world.told[-1]
    assert last.state is Link.TRANSIENT
    assert last.retry_in >= 60.0
    assert "secret" in last.reason


def test_a_wrong_password_is_not_tried_again() -> None:
    world = World(component=None)
    world.sign_on(password="wrong")
    world.stream.owner.stream_refused(world.stream, "not-authorized")
    assert world.states()[-1] is Link.AUTH_FAILED
    world.clock.advance(3600.0)
    assert len(world.streams) == 1
    world.sign_on(password="right")
    world.clock.advance(1.0)
    assert len(world.streams) == 2


def test_who_took_our_resource_is_left_in_peace_for_a_while() -> None:
    world = World(component=None)
    world.up()
    world.stream.owner.stream_error(world.stream, "conflict", "")
    assert world.states()[-1] is Link.SIGNED_ON_ELSEWHERE
    assert world.told[-1].retry_in >= 300.0
    world.clock.advance(299.0)
    assert len(world.streams) == 1
    world.clock.pump([1.0] * 77)
    assert len(world.streams) >= 2


def test_an_interrupted_stream_is_resumed_and_its_sends_end_then() -> None:
    world = World(component=None)
    stream = world.up()
    stream.resumable = True
    world.send()
    ping = stream.written[-1].get("id")
    stream.owner.stream_lost(stream, "gone")
    assert not world.results
    world.clock.pump([0.5] * 6)
    assert stream.connects == 2
    assert not stream.parted
    stream.owner.stream_resumed(stream)
    world.hear(f'<iq xmlns="jabber:client" type="result" id="{ping}"/>')
    assert [result.stage for result in world.results] == [Stage.RELAYED]
    assert world.states()[-1] is Link.UP


def test_one_that_is_not_resumed_in_time_begins_anew() -> None:
    world = World(component=None)
    stream = world.up()
    stream.resumable = True
    world.send()
    stream.owner.stream_lost(stream, "gone")
    world.clock.pump([0.5] * 60)
    assert [result.stage for result in world.results] == [Stage.UNKNOWN]
    assert stream.parted
    world.clock.pump([1.0] * 20)
    assert len(world.streams) >= 2


def test_a_stream_that_does_not_come_up_is_given_up() -> None:
    world = World(component=None)
    world.sign_on(password="p")
    world.clock.pump([1.0] * 31)
    assert world.states()[:2] == [Link.CONNECTING, Link.TRANSIENT]


def test_a_silent_server_is_given_up() -> None:
    world = World()
    world.up()
    world.clock.pump([1.0] * 91)
    assert Link.TRANSIENT in world.states()


def test_a_stanza_counts_when_what_is_in_it_is_on_record() -> None:
    world = World(component=None)
    world.up()
    ticket = world.hear(f'<message xmlns="jabber:client" from="{ROMEO}" id="1"><body>hi</body></message>')
    before = ticket.done
    world.held[-1]()
    assert (before, ticket.done) == (False, True)
    assert world.hear(f'<presence xmlns="jabber:client" from="{ROMEO}/x"/>').done


def test_the_last_account_ends_a_component_s_stream() -> None:
    world = World()
    stream = world.up()
    world.sign_on("bob@sip.example")
    consent = wire.ConsentSend(account="bob@sip.example", to=ROMEO, granted=True)
    world.transport.send(consent, "c", None, world.results.append)
    world.transport.sign_off(ME)
    assert world.told[-1] == LinkState(account=ME, state=Link.LOGGED_OUT, reason="signed off")
    before = stream.parted
    world.transport.sign_off("bob@sip.example")
    assert (before, stream.parted) == (False, True)
    assert stream.written[-1].get("type") == "unavailable", "who may see bob is told that he leaves"
    world.clock.advance(3600.0)
    assert len(world.streams) == 1


def test_no_more_sign_on_at_once_than_a_slow_server_can_let_in() -> None:
    world = World(component=None)
    most = world.transport.config.signing_on
    for number in range(3 * most):
        world.sign_on(f"user{number}@x.example", "p")
    for _ in range(100):
        world.clock.advance(1.0)
        if world.clock.seconds() >= 20.0:
            break
    assert len(world.streams) == most
    first, second, third = world.streams[:3]
    first.owner.stream_up(first)
    second.owner.stream_lost(second, "reset")
    third.owner.stream_refused(third, "not-authorized")
    world.clock.advance(1.0)
    assert len([one for one in world.streams if not one.parted]) == most + 1
    world.transport.sign_off("user3@x.example")
    world.clock.advance(1.0)
    assert len([one for one in world.streams if not one.parted]) == most + 1
