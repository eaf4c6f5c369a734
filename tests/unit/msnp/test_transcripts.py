"""Sessions that were recorded against a real server (escargot) are lived through again, byte for byte."""

from __future__ import annotations

import json
import random
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest

from tests.kit.msnp_server.recorder import SEED, config_for
from transports.msnp.machine.actions import Fetched, SendDone
from transports.msnp.machine.session import MsnpSession
from transports.msnp.wire import native
from transports.msnp.wire.command import CommandReader

FOLDER = Path(__file__).parents[2] / "wire" / "msnp"
RECORDED = sorted(FOLDER.glob("escargot-*.jsonl"))


class Replay:
    """A session that is told what was recorded, and must want what it wanted."""

    def __init__(self, path: Path) -> None:
        self.lines: list[list[Any]] = [json.loads(line) for line in path.read_text("ascii").splitlines()]
        version = int(path.name.split("-")[1].removeprefix("msnp"))
        config = config_for(version, "127.0.0.1", 23863, "http://127.0.0.1:23881")
        name = "msna" if path.stem.endswith("-a") else "msnb"
        self.session = MsnpSession(f"{name}@hotmail.test", "secret", config, rng=random.Random(SEED))
        self.events: list[Any] = []
        self.wanted: list[tuple[str, Any]] = []
        self.recorded: list[tuple[str, Any]] = []

    def run(self) -> None:
        for at, what, value in self.lines:
            if what in {"sent", "action", "fetch"}:
                self.recorded.append((what, value))
            else:
                self._tell(at, what, value)
                self._take(at)
        self._take(self.lines[-1][0])

    def _take(self, at: float) -> None:
        session = self.session
        while (action := session.next_action()) is not None:
            self.wanted += [("sent", [conn, data]) for conn, data in session.to_send()]
            self.wanted.append(("action", [type(action).__name__, action.conn_id]))
        while (event := session.next_event()) is not None:
            self.events.append(event)
            if isinstance(event, native.ImReceived) and not event.offline:
                session.recorded(event, at)
        self.wanted += [("sent", [conn, data]) for conn, data in session.to_send()]
        while (fetch := session.next_fetch()) is not None:
            self.wanted.append(("fetch", [fetch.fetch_id, fetch.url, fetch.body is None]))

    def _tell(self, at: float, what: str, value: Any) -> None:
        session = self.session
        if what == "start":
            session.start(at)
        elif what == "stop":
            session.stop(at)
        elif what == "connected":
            session.connected(value, at)
        elif what == "lost":
            session.connection_lost(value, at)
        elif what == "received":
            session.receive(value[0], b64decode(value[1]), at)
        elif what == "timer":
            session.handle_timer(at)
        elif what == "fetched":
            fetch_id, status, headers, body, error = value
            answer = Fetched(status=status, headers=headers, body=b64decode(body), error=error)
            session.fetched(fetch_id, answer, at)
        elif what == "send":
            kind, fields, key = value
            session.send(getattr(native, kind)(**fields), key, at, at + 30.0)

    def of(self, kind: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


def by_connection(entries: list[tuple[str, Any]]) -> dict[int, bytes]:
    """What was written on each connection, however it was cut."""
    out: dict[int, bytes] = {}
    for what, value in entries:
        if what == "sent":
            data = value[1] if isinstance(value[1], bytes) else b64decode(value[1])
            out[value[0]] = out.get(value[0], b"") + data
    return out


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_a_recorded_session_is_lived_through_again(path: Path) -> None:
    replay = Replay(path)
    replay.run()
    assert by_connection(replay.wanted) == by_connection(replay.recorded)
    for kind in ("action", "fetch"):
        wanted = [value for what, value in replay.wanted if what == kind]
        assert wanted == [value for what, value in replay.recorded if what == kind]
    assert (replay.session.syntax_errors, replay.session.unknown_commands) == (0, 0)
    states = [event.state for event in replay.of(native.LinkState)]
    assert states == [native.Link.CONNECTING, native.Link.UP, native.Link.LOGGED_OUT]
    assert replay.session.next_deadline() is None


@pytest.mark.parametrize("path", [path for path in RECORDED if path.stem.endswith("-a")], ids=lambda path: path.stem)
def test_what_happened_to_the_first_of_the_two(path: Path) -> None:
    replay = Replay(path)
    replay.run()
    (message,) = replay.of(native.ImReceived)
    assert (message.sender, message.text) == ("msnb@hotmail.test", "une réponse ü")
    assert [event.typing for event in replay.of(native.TypingReceived)] == [True]
    assert "PHN" in {event.status for event in replay.of(native.ContactPresence)}
    if "msnp8" not in path.stem and "msnp10" not in path.stem:
        assert "au téléphone" in {event.message for event in replay.of(native.ContactPresence)}
    stages = {event.key: event.result.stage.value for event in replay.of(SendDone)}
    assert list(stages.values()).count("failed") == 1, stages
    final = replay.of(native.Roster)[-1].contacts
    other = next(contact for contact in final if contact.passport == "msnb@hotmail.test")
    assert (other.forward, other.allowed, other.reverse) == (False, True, True)


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.txt")), ids=lambda path: path.stem)
def test_every_line_of_the_server_in_a_transcript_is_a_command(path: Path) -> None:
    lines = path.read_text("utf-8").splitlines()
    seen = 0
    for line in lines:
        words = line.strip().partition(" ")[2]
        if not words.startswith(("S< [NS", "S< [SB")) or " XX " in words:
            continue
        text = words.partition("] ")[2]
        reader = CommandReader()
        list(reader.feed(text.encode() + b"\r\n"))
        seen += 1
    assert seen > 3
