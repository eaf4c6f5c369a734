"""The sample network's session, driven with numbers for time, and its mapping."""

from __future__ import annotations

import random
from typing import Any

import orjson
import pytest

from bridge.model.body import Message, PresenceUpdate, Receipt, Stage
from bridge.model.capabilities import LINK_DOWN
from bridge.model.envelope import Unmappable
from bridge.model.ids import NetworkId
from mappings.loopback import LoopbackMapping
from transports.common.machine.actions import Connect, Disconnect, SendDone
from transports.common.wire.native import Link, LinkState
from transports.loopback.machine.config import SessionConfig
from transports.loopback.machine.session import LoopbackSession
from transports.loopback.wire import native
from transports.loopback.wire.lines import MAX_LINE, Framer, LineError, encode

HELLO = {"do": "sign-on", "name": "alice", "password": "secret", "show": "open", "note": ""}


class Net:
    """A session and what it says."""

    def __init__(self, **config: Any) -> None:
        self.session = LoopbackSession(
            "alice", "secret", SessionConfig(host="h", port=9, **config), rng=random.Random(1)
        )
        self.events: list[Any] = []
        self.conn = 0

    def look(self) -> list[Any]:
        """The lines that it wrote; notes its events and the newest connection."""
        while (action := self.session.next_action()) is not None:
            if isinstance(action, Connect):
                self.conn = action.conn_id
            else:
                assert isinstance(action, Disconnect)
        while (event := self.session.next_event()) is not None:
            self.events.append(event)
        return [orjson.loads(data) for _, data in self.session.to_send()]

    def say(self, now: float, *lines: Any) -> list[Any]:
        self.session.receive(self.conn, b"".join(orjson.dumps(line) + b"\n" for line in lines), now)
        return self.look()

    def up(self) -> Net:
        self.session.start(0.0)
        self.look()
        self.session.connected(self.conn, 0.0)
        assert self.look() == [HELLO]
        self.say(0.0, {"is": "welcome", "name": "alice"})
        return self

    def states(self) -> list[Link]:
        return [event.state for event in self.events if isinstance(event, LinkState)]

    def result(self) -> Any:
        return [event.result for event in self.events if isinstance(event, SendDone)][-1]


def im(name: str = "id1", text: str = "hi") -> native.MessageSend:
    return native.MessageSend(account="alice", to="bob", text=text, id=name)


def test_signing_on_and_a_message() -> None:
    net = Net().up()
    assert net.states() == [Link.CONNECTING, Link.UP]
    net.session.send(im(), "k", 1.0, None)
    assert net.look() == [{"do": "send", "id": "id1", "to": "bob", "text": "hi"}]
    net.say(1.1, {"is": "ack", "id": "id1"})
    assert net.result().stage is Stage.RELAYED
    assert net.result().remote_id == "id1"


def test_a_message_is_acknowledged_when_it_is_on_record() -> None:
    net = Net().up()
    said = {"is": "message", "number": 7, "from": "Bob", "text": "hi", "id": "x", "sent": 12}
    assert net.say(1.0, said) == []
    event = net.events[-1]
    net.session.recorded(event, 2.0)
    assert net.look() == [{"do": "got", "number": 7}]
    (draft,) = LoopbackMapping(network=NetworkId("n")).to_canonical(event)  # type: ignore[misc]
    assert (draft.sender.address.user, draft.claimed_at, draft.origin.remote_id) == ("bob", 12.0, "Bob/x")


def test_what_is_refused_and_what_cannot_be_said() -> None:
    net = Net().up()
    net.session.send(im("a"), "a", 1.0, None)
    net.say(1.0, {"is": "refused", "id": "a", "reason": "no such user"})
    assert (net.result().stage, net.result().failure.reason) == (Stage.FAILED, "no such user")
    net.session.send(im("b", "\ud800"), "b", 1.0, None)
    net.look()
    assert net.result().failure.reason.startswith("unsendable")
    net.session.send(im("c", "x" * MAX_LINE), "c", 1.0, None)
    net.look()
    assert not net.result().failure.retryable


def test_a_silent_server_is_asked_and_then_left() -> None:
    net = Net(ping_after=60.0, ping_timeout=30.0).up()
    assert net.session.next_deadline() == 60.0
    net.session.handle_timer(60.0)
    assert net.look() == [{"do": "ping"}]
    net.say(61.0, {"is": "pong"})
    assert net.session.next_deadline() == 121.0
    net.session.handle_timer(121.0)
    net.look()
    net.session.handle_timer(151.0)
    net.look()
    assert net.states()[-1] is Link.TRANSIENT
    net.session.send(im(), "k", 152.0, None)
    net.look()
    assert net.result().failure.reason == LINK_DOWN
    at = net.session.attempt_at
    assert at is not None
    net.session.handle_timer(at)
    net.look()
    assert net.states()[-1] is Link.CONNECTING
    assert net.conn == 2


def test_a_greeting_that_does_not_come() -> None:
    net = Net(signon_timeout=10.0)
    net.session.start(0.0)
    net.look()
    assert net.session.next_deadline() == 10.0
    net.session.handle_timer(10.0)
    net.look()
    assert net.states() == [Link.CONNECTING, Link.TRANSIENT]


@pytest.mark.parametrize("line", [b"nonsense\n", b"[]\n", b'{"is": []}\n', b"x" * (MAX_LINE + 1), b'{"is": "ack"}\n'])
def test_a_server_that_cannot_be_understood_is_left(line: bytes) -> None:
    net = Net().up()
    net.session.receive(net.conn, line, 1.0)
    net.look()
    assert net.states()[-1] is Link.TRANSIENT


def test_a_message_that_cannot_be_read_is_for_the_record() -> None:
    net = Net().up()
    net.say(1.0, {"is": "message", "from": "bob", "text": 7, "id": "x", "number": 1}, {"is": "typing", "from": 9})
    assert isinstance(net.events[-1], native.Unreadable)
    assert isinstance(LoopbackMapping(network=NetworkId("n")).to_canonical(net.events[-1]), Unmappable)
    assert net.states()[-1] is Link.UP
    assert net.session.syntax_errors == 2


def test_nothing_before_the_welcome_is_believed() -> None:
    net = Net()
    net.session.start(0.0)
    net.look()
    net.session.connected(net.conn, 0.0)
    net.say(0.0, {"is": "message", "from": "bob", "text": "x", "id": "x", "number": 1})
    assert net.states() == [Link.CONNECTING]
    assert len(net.events) == 1


def test_old_connections_are_not_heard() -> None:
    net = Net().up()
    net.session.receive(net.conn - 1, b"nonsense\n", 1.0)
    net.session.connection_lost(net.conn - 1, 1.0, "old")
    net.session.connected(net.conn - 1, 1.0)
    assert net.look() == []
    assert net.states()[-1] is Link.UP


def test_a_refused_password_and_another_client() -> None:
    net = Net()
    net.session.start(0.0)
    net.look()
    net.session.connected(net.conn, 0.0)
    net.say(0.0, {"is": "no", "reason": "wrong"})
    assert net.states()[-1] is Link.AUTH_FAILED
    assert net.session.next_deadline() is None
    net.session.start(1.0)
    net.look()
    net.session.connected(net.conn, 1.0)
    net.say(1.0, {"is": "welcome"}, {"is": "elsewhere"}, {"is": "welcome"})
    assert net.states()[-1] is Link.SIGNED_ON_ELSEWHERE
    assert net.session.attempt_at is not None
    assert net.session.attempt_at >= 300.0


def test_receipts_and_presence_mean_something() -> None:
    net = Net().up()
    net.say(
        1.0, {"is": "delivered", "by": "bob", "id": "x"}, {"is": "presence", "name": "bob", "show": "away", "note": "n"}
    )
    mapping = LoopbackMapping(network=NetworkId("n"))
    bodies = [draft.body for event in net.events[-2:] for draft in mapping.to_canonical(event)]  # type: ignore[union-attr]
    assert isinstance(bodies[0], Receipt)
    assert isinstance(bodies[1], PresenceUpdate)
    assert bodies[1].presence.note == "n"


def test_the_framer_keeps_no_more_than_a_line() -> None:
    framer = Framer()
    assert list(framer.feed(b"a\nb")) == [b"a"]
    assert list(framer.feed(b"\n\n")) == [b"b", b""]
    with pytest.raises(LineError, match="longer"):
        list(framer.feed(b"x" * (MAX_LINE + 1)))
    with pytest.raises(LineError, match="longer"):
        encode({"text": "x" * MAX_LINE})


def test_a_name_that_is_none_is_a_dead_letter() -> None:
    event = native.MessageReceived(account="alice", sender="\u212aate", text="x", id="1", number=1)
    found = LoopbackMapping(network=NetworkId("n")).to_canonical(event)
    assert isinstance(found, Unmappable)
    assert found.feature == "address"
    plain = native.MessageReceived(account="alice", sender="kate", text="a\x00b", id="1", number=1)
    (draft,) = LoopbackMapping(network=NetworkId("n")).to_canonical(plain)  # type: ignore[misc]
    assert isinstance(draft.body, Message)
    assert (draft.body.text, len(draft.losses)) == ("ab", 1)
