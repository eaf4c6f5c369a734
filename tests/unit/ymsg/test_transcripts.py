"""Sessions that were recorded against a real server (escargot) are lived through again, byte for byte."""

from __future__ import annotations

import ast
import json
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bridge.model.body import Stage
from mappings.richtext import to_html
from mappings.ymsg_text import from_yahoo
from transports.common.machine.actions import SendDone
from transports.common.wire.native import Link, LinkState
from transports.ymsg.machine.config import SessionConfig
from transports.ymsg.machine.session import YmsgSession
from transports.ymsg.wire import challenge, codes, native
from transports.ymsg.wire.packet import Framer, Packet

FOLDER = Path(__file__).parents[2] / "wire" / "ymsg"
RECORDED = sorted(path for path in FOLDER.glob("*.txt") if path.read_text().startswith("account "))
PROBED = sorted(FOLDER.glob("*-probe-*.txt"))
each_recording = pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)


class Replay:
    """One recording, driven through a session."""

    def __init__(self, path: Path) -> None:
        head, *self.lines = path.read_text().splitlines()
        _, account, credential, version, seed = head.split()
        config = SessionConfig(host="127.0.0.1", port=21050, version=int(version.removeprefix("version=")))
        rng = random.Random(int(seed.removeprefix("seed=")))
        self.session = YmsgSession(account, credential, config, rng=rng)
        self.written: dict[int, bytearray] = {}
        self.expected: dict[int, bytearray] = {}
        self.events: list[Any] = []

    def run(self) -> Replay:
        for line in self.lines:
            at, what = line.split(" ", 1)
            self._line(float(at), what.split(" ", 2))
            self._collect()
        return self

    def _line(self, now: float, words: list[str]) -> None:
        session = self.session
        match words:
            case ["C>", conn, data]:
                self.expected.setdefault(int(conn), bytearray()).extend(bytes.fromhex(data))
            case ["S<", conn, data]:
                session.receive(int(conn), bytes.fromhex(data), now)
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
                session.send(getattr(native, name)(**fields), key, now)
            case ["--", "recorded", name]:
                session.recorded(next(e for e in reversed(self.events) if type(e).__name__ == name), now)
            case ["--", "action" | "event", _]:
                pass
            case _:
                raise AssertionError(words)

    def _collect(self) -> None:
        for conn, data in self.session.to_send():
            self.written.setdefault(conn, bytearray()).extend(data)
        while self.session.next_action() is not None:
            continue
        while (event := self.session.next_event()) is not None:
            self.events.append(event)

    def states(self) -> list[Link]:
        return [event.state for event in self.events if isinstance(event, LinkState)]

    def of(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


def replayed(stem: str) -> Replay:
    return Replay(FOLDER / f"escargot-{stem}.txt").run()


def test_there_are_recordings() -> None:
    assert len(RECORDED) >= 10


@each_recording
def test_the_session_does_again_what_it_did(path: Path) -> None:
    replay = Replay(path).run()
    assert {conn: data.hex() for conn, data in replay.written.items()} == {
        conn: data.hex() for conn, data in replay.expected.items()
    }
    assert replay.session.syntax_errors == 0
    assert replay.session.unknown_packets == 0


@pytest.mark.parametrize(
    ("stem", "last"),
    [
        ("conversation-9-a", Link.LOGGED_OUT),
        ("conversation-10-b", Link.LOGGED_OUT),
        ("wrong-password", Link.AUTH_FAILED),
        ("no-such-name", Link.AUTH_FAILED),
    ],
)
def test_how_it_ended(stem: str, last: Link) -> None:
    assert replayed(stem).states()[-1] is last


@pytest.mark.parametrize("version", [9, 10])
def test_a_conversation(version: int) -> None:
    a, b = replayed(f"conversation-{version}-a"), replayed(f"conversation-{version}-b")
    assert [event.text for event in b.of(native.ImReceived)] == ["héllo 😀 \x1b[1mbold\x1b[x1m"]
    assert [event.text for event in a.of(native.ImReceived)] == ["and back"]
    shown = [(event.online, event.status, event.text) for event in a.of(native.BuddyPresence)][:6]
    assert shown == [
        (True, 0, ""), (True, 99, "gone òut"), (True, 6, ""), (False, 0, ""), (True, 999, ""), (True, 0, ""),
    ]  # fmt: skip
    results = {event.key: event.result for event in a.of(SendDone)}
    assert {key: result.stage for key, result in results.items()} == {
        "k1": Stage.RELAYED, "t1": Stage.RELAYED, "m1": Stage.RELAYED, "m3": Stage.RELAYED, "k2": Stage.FAILED,
        "k3": Stage.RELAYED,
    }  # fmt: skip
    assert [(event.sender, event.accepted, event.reason) for event in a.of(native.ContactAnswered)] == [
        ("yahb", False, "rather not")
    ]
    assert [event.reason for event in b.of(native.ContactRequest)] == ["hi"]


def test_stored_messages_and_another_client() -> None:
    replay = replayed("stored-and-kicked")
    assert [(event.text, event.nth, event.offline) for event in replay.of(native.ImReceived)] == [
        ("one", 0, True), ("drei €", 0, True), ("one", 1, True),
    ]  # fmt: skip
    assert Link.SIGNED_ON_ELSEWHERE in replay.states()


def test_what_a_conference_and_a_file_look_like() -> None:
    replay = replayed("conference")
    (conference,) = replay.of(native.ConferenceDeclined)
    assert (conference.sender, conference.room, conference.text) == ("yahb", "yahb-room1", "join us")
    (offer,) = replay.of(native.FileDeclined)
    assert (offer.name, offer.size) == ("plan.pdf", 1200)
    assert [event.text for event in replay.of(native.ImReceived)] == ["café"]
    assert len(replay.of(native.Buzzed)) == 1


def test_libpurple_on_the_other_side() -> None:
    """Version 2.0.0's client, the last that proved its sign-on as versions 9 and 10 do."""
    replay = replayed("libpurple")
    (message,) = replay.of(native.ImReceived)
    rich = from_yahoo(message.text)
    assert to_html(rich) == ('<span style="color:#0000ff;font-size:8pt">grün</span> <b>und</b> <i>1 &lt; 2</i> 😀')
    assert rich.losses == ()
    assert [event.typing for event in replay.of(native.TypingReceived)] == [True, False]
    shown = [(event.online, event.status, event.text) for event in replay.of(native.BuddyPresence)]
    assert shown == [(True, 0, ""), (True, 99, "gone òut"), (True, 2, ""), (True, 0, ""), (False, 0, "")]


# Transcripts of a probe that was not our session


_LINE = re.compile(r"^\s*[\d.]+ ([CS])[<>] \[(\w)\] ([0-9a-f ]+?)  0x\w+ \w+ status=\S+ session=\S+\s*(.*)$")
_PAIR = re.compile(r"(\d+)=('(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")")


def probed(path: Path) -> Iterator[tuple[str, str, Packet]]:
    """Who sent, on which connection, and the packet."""
    for line in path.read_text().splitlines():
        match = _LINE.match(line)
        if match is None:
            continue
        head = bytes.fromhex(match[3].replace(" ", ""))
        pairs = tuple((int(key), ast.literal_eval(value).encode()) for key, value in _PAIR.findall(match[4]))
        packet = Packet(
            service=int.from_bytes(head[10:12]), status=int.from_bytes(head[12:16]), session=0, pairs=pairs,
            version=int.from_bytes(head[4:6]),
        )  # fmt: skip
        if packet.service != codes.LIST:  # its cookies have another domain here
            assert packet.encode()[:20] == head, line
        yield match[1], match[2], packet


@pytest.mark.parametrize("path", PROBED, ids=lambda path: path.stem)
def test_what_a_probe_saw_is_read_and_written_alike(path: Path) -> None:
    packets = list(probed(path))
    assert len(packets) > 30
    for _, _, packet in packets:
        (again,) = Framer().feed(packet.encode())
        assert again == packet
    asked: dict[str, Packet] = {}
    answered = 0
    for who, conn, packet in packets:
        if who == "S" and packet.service == codes.AUTH:
            asked[conn] = packet
        elif who == "C" and packet.service == codes.AUTH_RESPONSE and conn != "c":  # c shows a wrong password
            name = (packet.get(0) or b"").decode()
            right = challenge.answers(name, "secret", asked[conn].get(94) or b"")
            assert (packet.get(6), packet.get(96)) == (right.plain, right.crypted)
            answered += 1
    assert answered == 2
