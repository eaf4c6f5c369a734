"""Sessions that were recorded against a real server (Open OSCAR Server) are lived through again, byte for byte."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from bridge.model.capabilities import LINK_DOWN
from transports.oscar.machine.actions import SendDone
from transports.oscar.machine.config import SessionConfig, SignOnMethod
from transports.oscar.machine.session import OscarSession
from transports.oscar.wire import native
from transports.oscar.wire.flap import DATA, SIGNON, FlapFramer, SignonFrame
from transports.oscar.wire.native import Availability, Link, Typing
from transports.oscar.wire.registry import decode_body
from transports.oscar.wire.snac import SnacFrame, UnknownBody

FOLDER = Path(__file__).parents[2] / "wire" / "oscar"
RECORDED = sorted(path for path in FOLDER.glob("*.txt") if path.read_text().startswith("account "))
each_recording = pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
PROBED = [path for path in sorted(FOLDER.glob("*.txt")) if path not in RECORDED]


def revived(name: str, fields: dict[str, Any]) -> native.Outbound:
    """A native value from its JSON form."""
    enums = {"OwnPresence": Availability, "TypingSend": Typing}
    if "cookie" in fields:
        fields["cookie"] = bytes.fromhex(fields["cookie"])
    if "state" in fields:
        fields["state"] = enums[name](fields["state"])
    value: native.Outbound = getattr(native, name)(**fields)
    return value


class Replay:
    """One recording, driven through a session."""

    def __init__(self, path: Path) -> None:
        head, *self.lines = path.read_text().splitlines()
        _, account, credential, method, seed = head.split()
        config = SessionConfig(host="127.0.0.1", port=26190, method=SignOnMethod(method), max_message_bytes=4000)
        rng = random.Random(int(seed.removeprefix("seed=")))
        self.session = OscarSession(account, credential, config, rng=rng)
        self.written: dict[int, bytearray] = {}
        self.expected: dict[int, bytearray] = {}
        self.actions: list[str] = []
        self.wanted_actions: list[str] = []
        self.events: list[object] = []

    def run(self) -> None:
        for line in self.lines:
            at, what = line.split(" ", 1)
            self._line(float(at), what.split(" ", 2))
            self._collect()

    def _line(self, now: float, words: list[str]) -> None:
        session = self.session
        match words:
            case ["C>", conn, data]:
                self.expected.setdefault(int(conn), bytearray()).extend(bytes.fromhex(data))
            case ["S<", conn, data]:
                session.receive(int(conn), bytes.fromhex(data), now)
            case ["--", "action", what]:
                self.wanted_actions.append(what)
            case ["--", "start"]:
                session.start(now)
            case ["--", "stop"]:
                session.stop(now)
            case ["--", "timer"]:
                session.handle_timer(now)
            case ["--", "connected", conn]:
                session.connected(int(conn), now)
            case ["--", "lost", conn]:
                session.connection_lost(int(conn), now)
            case ["--", "send", value]:
                name, fields, key = json.loads(value)
                session.send(revived(name, fields), key, now)
            case ["--", "recorded", *_]:
                pass
            case _:
                raise AssertionError(words)

    def _collect(self) -> None:
        for conn, data in self.session.to_send():
            self.written.setdefault(conn, bytearray()).extend(data)
        while (action := self.session.next_action()) is not None:
            self.actions.append(f"{type(action).__name__} {action.conn_id}")
        while (event := self.session.next_event()) is not None:
            self.events.append(event)

    def states(self) -> list[Link]:
        return [event.state for event in self.events if isinstance(event, native.LinkState)]


def test_there_are_recordings() -> None:
    assert len(RECORDED) >= 7


@each_recording
def test_the_session_does_again_what_it_did(path: Path) -> None:
    replay = Replay(path)
    replay.run()
    assert {conn: data.hex() for conn, data in replay.written.items()} == {
        conn: data.hex() for conn, data in replay.expected.items()
    }
    assert sorted(set(replay.actions)) == sorted(set(replay.wanted_actions))
    assert replay.session.syntax_errors == 0
    assert replay.session.unknown_snacs == 0


@pytest.mark.parametrize(
    ("stem", "last"),
    [
        ("aim-conversation", Link.LOGGED_OUT),
        ("aim-stored-and-kicked", Link.SIGNED_ON_ELSEWHERE),
        ("icq-stored-and-kicked", Link.SIGNED_ON_ELSEWHERE),
        ("aim-wrong-password", Link.AUTH_FAILED),
    ],
)
def test_how_it_ended(stem: str, last: Link) -> None:
    replay = Replay(FOLDER / f"{stem}.txt")
    replay.run()
    states = replay.states()
    assert last in states


def test_what_was_heard() -> None:
    replay = Replay(FOLDER / "icq-answering.txt")
    replay.run()
    texts = [event.text for event in replay.events if isinstance(event, native.ImReceived)]
    assert "héllo <there> & 👍" in texts
    assert any(isinstance(event, native.AuthorizationRequest) for event in replay.events)
    aways = [event.away_message for event in replay.events if isinstance(event, native.BuddyPresence) and event.away]
    assert "à table" in aways


def test_a_name_that_was_taken_and_taken_back() -> None:
    replay = Replay(FOLDER / "aim-taken-and-taken-back.txt")
    replay.run()
    signed_on = [Link.CONNECTING, Link.UP]
    assert replay.states() == [*signed_on, Link.SIGNED_ON_ELSEWHERE, *signed_on, Link.LOGGED_OUT]
    (early,) = [event for event in replay.events if isinstance(event, SendDone)]
    assert early.result.failure is not None
    assert early.result.failure.reason == LINK_DOWN


def test_a_contact_that_was_asked_and_granted_it() -> None:
    """With libpurple on the other side, which reads all text as HTML and says so by its capabilities."""
    replay = Replay(FOLDER / "icq-authorization-libpurple.txt")
    replay.run()
    order = [
        type(event)
        for event in replay.events
        if isinstance(event, native.RosterEditFailed | native.AuthorizationAnswered | native.BuddyPresence)
    ]
    assert order[:3] == [native.RosterEditFailed, native.AuthorizationAnswered, native.BuddyPresence]
    aways = [event.away_message for event in replay.events if isinstance(event, native.BuddyPresence) and event.away]
    assert aways[-1] == "gone fishing"
    written = b"".join(bytes(data) for data in replay.written.values())
    assert "a &lt;b&gt; &amp; ü".encode("utf-16-be") in written


@each_recording
def test_every_frame_comes_back(path: Path) -> None:
    framers: dict[tuple[str, str], FlapFramer] = {}
    seen = 0
    for line in path.read_text().splitlines()[1:]:
        words = line.split(" ")
        if words[1] not in {"C>", "S<"}:
            continue
        framer = framers.setdefault((words[1], words[2]), FlapFramer(check_sequence=True))
        for frame in framer.feed(bytes.fromhex(words[3])):
            seen += 1
            if frame.channel == SIGNON:
                assert SignonFrame.decode(frame.payload).encode() == frame.payload
            elif frame.channel == DATA:
                snac = SnacFrame.decode(frame.payload)
                assert snac.encode() == frame.payload
                body = decode_body(snac)
                assert not isinstance(body, UnknownBody)
                if (snac.group, snac.kind) not in {(0x13, 0x1B), (0x13, 0x1C)}:  # which this server pads
                    assert body.encode() == snac.data
    assert seen > 4


@pytest.mark.parametrize("path", PROBED, ids=lambda path: path.stem)
def test_another_clients_whole_snacs_come_back(path: Path) -> None:
    seen = 0
    for line in path.read_text().splitlines():
        words = line.split()
        if "SNAC" not in words or words[-1].endswith("..."):
            continue
        group, kind = (int(part, 16) for part in words[words.index("SNAC") + 1].split("/"))
        data = b"" if words[-1].startswith("len=") else bytes.fromhex(words[-1])
        body = decode_body(SnacFrame(group=group, kind=kind, request_id=1, data=data))
        assert body.encode() == data
        seen += 1
    assert seen > 30
