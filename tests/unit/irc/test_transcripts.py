"""Sessions that were recorded against real servers (ngIRCd, InspIRCd) are lived through again, line for line."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from bridge.model.body import Stage
from tests.kit.irc.recorder import CONFIG
from transports.common.machine.actions import Connect, SendDone
from transports.irc.machine.config import SessionConfig
from transports.irc.machine.session import IrcSession
from transports.irc.wire import native
from transports.irc.wire.message import Message

FOLDER = Path(__file__).parents[2] / "wire" / "irc"
RECORDED = sorted(FOLDER.glob("*.txt"))
each_recording = pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
_NAMES: dict[str, Any] = {
    name: getattr(native, name) for name in ("MessageSend", "ContactAdd", "TypingSend", "OwnPresence", "Kind", "Typing")
}


def revived(text: str) -> Any:
    """A native value from its own text: the constructors of ours, and nothing else."""
    for name, kind in (("Kind", native.Kind), ("Typing", native.Typing)):
        for member in kind:
            text = text.replace(f"<{name}.{member.name}: {member.value!r}>", f"{name}.{member.name}")
    return eval(text, {"__builtins__": {}}, _NAMES)


class Replay:
    """One recording, driven through a session."""

    def __init__(self, path: Path) -> None:
        head, *self.lines = path.read_text("utf-8").splitlines()
        _, account, password, seed = head.split()
        rng = random.Random(int(seed.removeprefix("seed=")))
        self.session = IrcSession(account, password, SessionConfig(host="irc.test", port=6667, **CONFIG), rng=rng)
        self.conn = 0
        self.keys = 0
        self.written: list[str] = []
        self.expected: list[str] = []
        self.events: list[Any] = []
        self.wanted: list[str] = []

    def run(self) -> None:
        """From the first line to the last."""
        batch: list[bytes] = []
        for line in self.lines:
            at, what, rest = [*line.split(" ", 2), ""][:3]
            now = float(at)
            if batch and (what != "S<" or now != self.now):
                self.session.receive(self.conn, b"".join(batch), self.now)
                batch = []
                self.collect()
            self.now = now
            if what == "S<":
                batch.append(rest.encode() + b"\r\n")
                continue
            self.step(what, rest, now)
            self.collect()

    now = 0.0

    def step(self, what: str, rest: str, now: float) -> None:
        """One line that is not the server's."""
        if what == "C>":
            self.expected.append(rest)
            return
        word, _, more = rest.partition(" ")
        if word == "start":
            self.session.start(now)
        elif word == "stop":
            self.session.stop(now)
        elif word == "timer":
            self.session.handle_timer(now)
        elif word == "connected":
            self.session.connected(self.conn, now)
        elif word == "lost":
            self.session.connection_lost(self.conn, now)
        elif word == "send":
            self.keys += 1
            self.session.send(revived(more), self.keys, now)
        else:
            assert word == "event"
            self.wanted.append(more)

    def collect(self) -> None:
        """Takes out what the session wants and tells."""
        for _, data in self.session.to_send():
            self.written += data.decode().split("\r\n")[:-1]
        while (action := self.session.next_action()) is not None:
            self.conn = action.conn_id if isinstance(action, Connect) else self.conn
        while (event := self.session.next_event()) is not None:
            self.events.append(event)


def test_there_are_recordings() -> None:
    assert len(RECORDED) >= 9


@each_recording
def test_every_line_decodes_and_encodes(path: Path) -> None:
    for line in path.read_text("utf-8").splitlines()[1:]:
        _, what, rest = [*line.split(" ", 2), ""][:3]
        if what in {"S<", "C>"} and rest:
            message = Message.parse(rest.encode())
            assert message.command
            if what == "C>":
                assert Message.parse(message.encode()[:-2]) == message


@each_recording
def test_the_session_is_lived_through_again(path: Path) -> None:
    replay = Replay(path)
    replay.run()
    assert replay.written == replay.expected
    assert [type(event).__name__ for event in replay.events] == replay.wanted


@pytest.mark.parametrize("path", [path for path in RECORDED if "conversation" in path.stem], ids=lambda path: path.stem)
def test_what_a_conversation_came_to(path: Path) -> None:
    replay = Replay(path)
    replay.run()
    results = {event.key: event.result for event in replay.events if isinstance(event, SendDone)}
    assert [results[key].stage for key in (2, 3, 4)] == [Stage.RELAYED, Stage.FAILED, Stage.RELAYED]
    assert [event.text for event in replay.events if isinstance(event, native.MessageReceived)] == ["hi \x02there\x02"]
    seen = [event for event in replay.events if isinstance(event, native.ContactPresence)]
    assert next((each.online, each.away) for each in seen) == (True, False)
    assert any(each.away_text == "lunch" for each in seen)
    assert not seen[-1].online


@pytest.mark.parametrize(
    ("part", "state"), [("killed", "transient"), ("refused", "auth-failed"), ("in-use", "logged-out")]
)
def test_how_others_ended(part: str, state: str) -> None:
    for path in RECORDED:
        if path.stem.endswith(part):
            replay = Replay(path)
            replay.run()
            states = [event for event in replay.events if isinstance(event, native.LinkState)]
            assert states[-1].state.value == state, path.stem
            if part == "killed":
                assert "bad day" in states[-1].reason
