"""The control socket: its owner's alone, one question a line, and one daemon for a folder."""

import json
import socket
import threading
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import maybeDeferred
from twisted.internet.threads import deferToThread

from bridge.app import control, control_server
from bridge.app.control import NAME, ControlError, NotRunningError


def answer_status(asked: Any) -> dict[str, Any]:
    return {"state": "up", "asked": asked.get("more")}


def refuse(_: Any) -> dict[str, Any]:
    raise ControlError("not now")


def later(_: Any) -> Any:
    return deferToThread(lambda: {"done": "later"})


def refuse_later(asked: Any) -> Any:
    return deferToThread(refuse, asked)


QUESTIONS = {"status": answer_status, "refuse": refuse}


@pytest_twisted.inlineCallbacks  # type: ignore[untyped-decorator]
def test_questions_and_answers(tmp_path: Path) -> Generator[Any, Any, None]:
    port = control_server.listen(reactor, tmp_path, QUESTIONS)  # type: ignore[arg-type]  # the reactor has many faces
    try:
        assert (tmp_path / NAME).stat().st_mode & 0o777 == 0o600
        answer = yield deferToThread(control.ask, tmp_path, "status", more="é")
        assert answer == {"state": "up", "asked": "é"}
        with pytest.raises(ControlError, match="not now"):
            yield deferToThread(control.ask, tmp_path, "refuse")
        with pytest.raises(ControlError, match="known are refuse, status"):
            yield deferToThread(control.ask, tmp_path, "fly")
        lines = yield deferToThread(
            raw, tmp_path, b"{nonsense\n[1]\n" + b'{"ask": ["status"]}\n' + b'{"ask":"status"}\n'
        )
        assert [json.loads(line)["ok"] for line in lines] == [False, False, False, True]
        (nothing,) = yield deferToThread(raw, tmp_path, b"x" * 100_000 + b"\n")
        assert nothing == b""
    finally:
        yield maybeDeferred(port.stopListening)
    assert not (tmp_path / NAME).exists()
    with pytest.raises(ControlError, match="no daemon answers"):
        control.ask(tmp_path, "status")


def raw(folder: Path, data: bytes) -> list[bytes]:
    """Sends bytes and returns an answer for each line of them, or what there was at the end."""
    with socket.socket(socket.AF_UNIX) as wire:
        wire.settimeout(10)
        wire.connect(str(folder / NAME))
        wire.sendall(data)
        file = wire.makefile("rb")
        return [file.readline() for _ in range(data.count(b"\n"))]


@pytest_twisted.inlineCallbacks  # type: ignore[untyped-decorator]
def test_a_socket_that_a_killed_daemon_left_is_taken_over(tmp_path: Path) -> Generator[Any, Any, None]:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(tmp_path / NAME))
    port = control_server.listen(reactor, tmp_path, QUESTIONS)  # type: ignore[arg-type]
    answer = yield deferToThread(control.ask, tmp_path, "status")
    assert answer["state"] == "up"
    yield maybeDeferred(port.stopListening)


def test_two_daemons_do_not_share_a_folder(tmp_path: Path) -> None:
    other = socket.socket(socket.AF_UNIX)
    other.bind(str(tmp_path / NAME))
    other.listen()

    def answer() -> None:
        wire, _ = other.accept()
        with wire:
            wire.recv(1000)
            wire.sendall(b'{"ok": true}\n')

    thread = threading.Thread(target=answer)
    thread.start()
    try:
        with pytest.raises(ControlError, match="another daemon runs on"):
            control_server.listen(reactor, tmp_path, QUESTIONS)  # type: ignore[arg-type]
    finally:
        thread.join()
        other.close()


def test_a_folder_whose_name_is_too_long_is_told(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 120)
    folder.mkdir()
    with pytest.raises(ControlError, match="cannot be opened"):
        control_server.listen(reactor, folder, QUESTIONS)  # type: ignore[arg-type]


def test_a_daemon_that_hangs_up_is_told(tmp_path: Path) -> None:
    other = socket.socket(socket.AF_UNIX)
    other.bind(str(tmp_path / NAME))
    other.listen()

    def hang_up() -> None:
        wire, _ = other.accept()
        wire.close()

    thread = threading.Thread(target=hang_up)
    thread.start()
    with pytest.raises(ControlError, match=r"closed without an answer|no daemon answers"):
        control.ask(tmp_path, "status")
    thread.join()
    other.close()


@pytest_twisted.inlineCallbacks  # type: ignore[untyped-decorator]
def test_answers_that_come_later(tmp_path: Path) -> Generator[Any, Any, None]:
    questions = {"status": answer_status, "later": later, "refuse": refuse_later}
    port = control_server.listen(reactor, tmp_path, questions)  # type: ignore[arg-type]  # the reactor has many faces
    try:
        answer = yield deferToThread(control.ask, tmp_path, "later")
        assert answer == {"done": "later"}
        with pytest.raises(ControlError, match="not now"):
            yield deferToThread(control.ask, tmp_path, "refuse")
    finally:
        yield maybeDeferred(port.stopListening)
    with pytest.raises(NotRunningError):
        control.ask(tmp_path, "later")
