"""Two machines joined in memory by a link that loses, repeats and reorders; and the user agent by itself."""

from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.kit.sip import DOMAIN, PASSWORD, SERVER, counting_entropy, make_endpoint
from transports.sip.machine.config import AuthConfig, ChallengeRule
from transports.sip.machine.endpoint import Endpoint
from transports.sip.machine.events import MessageReceived, SendFinished, SubscriptionOpened
from transports.sip.machine.flow import Flow, Target
from transports.sip.machine.uac import (
    Accepted,
    AgentEvent,
    Arrived,
    Refused,
    Registered,
    Seen,
    Sent,
    UserAgent,
    UserAgentConfig,
)
from transports.sip.wire.native import SipMessage, SipPresence

TARGET = "sip:friend@aim.example.test"
HERE = ("192.0.2.9", 40000)
PIDF = (
    b'<?xml version="1.0"?><presence xmlns="urn:ietf:params:xml:ns:pidf" entity="sip:alice@example.test">'
    b'<tuple id="a"><status><basic>open</basic></status></tuple></presence>'
)


class Link:
    """A user agent and an endpoint, and what is on its way between them."""

    def __init__(
        self, transport: str = "udp", loss: float = 0.0, seed: int = 0, password: str = PASSWORD, **changes: object
    ) -> None:
        self.endpoint: Endpoint = make_endpoint(**changes)  # type: ignore[arg-type]
        self.agent = UserAgent(
            UserAgentConfig(
                aor=f"alice@{DOMAIN}", username="alice", password=password, local=HERE,
                server=Target(transport, *SERVER), display_name="Alice",
            ),
            entropy=counting_entropy(10_000),
        )  # fmt: skip
        self.loss = loss
        self.random = Random(seed)
        self.now = 0.0
        self.wire: list[tuple[float, int, Callable[[float], None]]] = []
        self.number = 0
        self.events: list[AgentEvent] = []
        self.received: list[MessageReceived] = []
        self.finished: list[SendFinished] = []
        self.shows: bytes | None = b"<here/>"
        self.theirs = Flow(transport, SERVER, HERE, 1)
        self.ours = Flow(transport, HERE, SERVER, 1)
        self.agent.flow_opened(self.ours, 0.0)
        if transport != "udp":
            self.endpoint.flow_opened(self.theirs, 0.0)

    def _carry(self, deliver: Callable[[float], None]) -> None:
        copies = 0 if self.random.random() < self.loss else 1 + (self.random.random() < self.loss)
        for _ in range(copies):
            delay = 0.01 + (self.random.random() * 0.7 if self.loss else 0.0)
            self.number += 1
            self.wire.append((self.now + delay, self.number, deliver))

    def _collect(self) -> None:
        for output in self.agent.to_send(self.now):
            data = output[1]
            assert isinstance(data, bytes)
            self._carry(lambda now, data=data: self.endpoint.receive(self.theirs, data, now))  # type: ignore[misc]
        for output in self.endpoint.to_send(self.now):
            data = output[1]
            assert isinstance(data, bytes)
            self._carry(lambda now, data=data: self.agent.receive(self.ours, data, now))  # type: ignore[misc]
        while (event := self.agent.next_event()) is not None:
            self.events.append(event)
        while (happened := self.endpoint.next_event()) is not None:
            if isinstance(happened, MessageReceived):
                self.received.append(happened)
                self.endpoint.answer(happened.tx, 202, now=self.now)
            elif isinstance(happened, SendFinished):
                self.finished.append(happened)
            elif isinstance(happened, SubscriptionOpened) and happened.native.expires:
                watch = happened.native
                self.endpoint.notify(
                    SipPresence(target=watch.target, watcher=None, pidf=self.shows, subscription=watch.id), self.now
                )

    def run(self, until: float) -> None:
        """Lets time pass; everything happens at its moment."""
        while True:
            for _ in range(3):
                self._collect()
            times = [self.agent.next_deadline(), self.endpoint.next_deadline()]
            moments = [moment for moment in times if moment is not None] + [entry[0] for entry in self.wire]
            following = min(moments, default=until)
            if following >= until:
                self.now = until
                return
            self.now = max(self.now, following)
            due = sorted((entry for entry in self.wire if entry[0] <= self.now), key=lambda entry: entry[:2])
            self.wire = [entry for entry in self.wire if entry[0] > self.now]
            for _, _, deliver in due:
                deliver(self.now)
            self.agent.handle_timer(self.now)
            self.endpoint.handle_timer(self.now)


def _out(link: Link, key: str) -> None:
    native = SipMessage(
        aor=f"alice@{DOMAIN}", peer=TARGET, call_id="", cseq=0, content_type="text/plain", body=key.encode(),
        display_name="Ünïcode",
    )  # fmt: skip
    link.endpoint.send_message(native, key, link.now)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize("algorithms", [("MD5",), ("SHA-256", "MD5"), ("SHA-512-256",)])
def test_a_conversation(transport: str, algorithms: tuple[str, ...]) -> None:
    link = Link(transport, auth=AuthConfig(challenges=(ChallengeRule(algorithms=algorithms),)))
    link.agent.register(link.now)
    link.run(1.0)
    assert link.events == [Registered(3600)]
    link.agent.send(TARGET, "hé".encode(), "one", link.now)
    link.agent.publish(PIDF, link.now, 600)
    key = link.agent.subscribe(TARGET, link.now, 600)
    _out(link, "two")
    link.run(2.0)
    assert Sent("one", 202) in link.events
    assert Accepted("PUBLISH", "", 600) in link.events
    assert Accepted("SUBSCRIBE", key, 600) in link.events
    assert Seen(TARGET, "active", b"<here/>", False) in link.events
    (native,) = [event.native for event in link.received]
    assert isinstance(native, SipMessage)
    assert (native.body, native.display_name, native.aor) == ("hé".encode(), "Alice", f"alice@{DOMAIN}")
    (arrived,) = [event for event in link.events if isinstance(event, Arrived)]
    assert (arrived.body, arrived.display_name, arrived.sender) == (b"two", "Ünïcode", TARGET)
    assert [event.key for event in link.finished] == ["two"]
    link.agent.unsubscribe(key, link.now)
    link.agent.publish(b"", link.now, 0)
    link.run(3.0)
    assert link.events[-3:].count(Seen(TARGET, "terminated", b"<here/>", True)) == 1
    link.agent.register(link.now, 0)
    link.run(4.0)
    assert link.events[-1] == Registered(0)
    assert link.endpoint.counts["bindings"] == link.endpoint.counts["publications"] == 0


def test_everything_is_refreshed_before_it_runs_out() -> None:
    link = Link("tcp")
    link.agent.register(link.now)
    link.run(1.0)
    link.agent.subscribe(TARGET, link.now, 600)
    link.run(20_000.0)
    assert link.endpoint.counts["bindings"] == link.endpoint.counts["subscriptions"] == 1
    assert not [event for event in link.events if isinstance(event, Refused)]
    assert not [event for event in link.events if isinstance(event, Seen) and event.over]


def test_a_wrong_password_is_told_and_not_tried_for_ever() -> None:
    link = Link(password="wrong")
    link.agent.register(link.now)
    link.run(100.0)
    assert [(event.method, event.status) for event in link.events if isinstance(event, Refused)] == [("REGISTER", 401)]
    assert link.endpoint.counts["server"] == 0


def test_what_a_user_agent_does_not_serve() -> None:
    link = Link()
    link.agent.register(link.now)
    link.run(1.0)
    native = SipMessage(aor=f"alice@{DOMAIN}", peer=TARGET, call_id="", cseq=0, content_type="image/png", body=b"x")
    link.endpoint.send_message(native, "png", link.now)
    link.run(2.0)
    (finished,) = link.finished
    assert finished.result.failure is not None
    assert finished.result.failure.reason == "unsupported (SIP 415)"


def test_keepalives() -> None:
    link = Link("tcp")
    link.agent.keepalive()
    ((flow, data),) = link.agent.to_send(0.0)
    assert flow is link.ours
    link.endpoint.receive(link.theirs, data, 0.0)  # type: ignore[arg-type]
    assert link.endpoint.to_send(0.0) == [(link.theirs, b"\r\n")]


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32), loss=st.sampled_from([0.1, 0.3, 0.5]), count=st.integers(1, 8))
def test_over_a_bad_link_each_message_arrives_once(seed: int, loss: float, count: int) -> None:
    link = Link("udp", 0.0, seed)
    link.agent.register(link.now)
    link.run(1.0)
    link.loss = loss
    for number in range(count):
        link.agent.send(TARGET, b"%d" % number, f"in{number}", link.now)
        _out(link, f"out{number}")
    link.run(150.0)
    bodies = [event.native.body for event in link.received if isinstance(event.native, SipMessage)]
    assert len(bodies) == len(set(bodies))  # never twice
    arrived = [event.body for event in link.events if isinstance(event, Arrived)]
    assert len(arrived) == len(set(arrived))
    told = {event.key: event.result for event in link.finished}
    assert sorted(told) == sorted(f"out{number}" for number in range(count))
    for key, result in told.items():
        if result.failure is None:
            assert key.encode() in arrived  # said to be delivered: it was
        else:
            assert not result.failure.certain  # lost: nobody says it surely did not arrive
    sent = {event.key for event in link.events if isinstance(event, Sent)}
    failed = {event.key for event in link.events if isinstance(event, Refused)}
    assert sent | failed == {f"in{number}" for number in range(count)}
    for key in sent:
        assert key[2:].encode() in bodies
    counts = link.endpoint.counts
    assert counts["server"] == counts["client"] == counts["deliveries"] == counts["pending"] == 0
    assert counts["finished"] == counts["merged"] == 0
