"""`make run` as a new user starts it: the demonstration in a process of its own, and its softphone as one too."""

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.kit.daemon import ROOT, until
from tests.kit.json_process import ProcessError
from tests.kit.oscar_server.process import OscarServerProcess
from tests.kit.quickstart import __main__ as quickstart
from tests.kit.quickstart import ports
from tests.kit.quickstart.conversation import STEPS, Conversation
from tests.kit.quickstart.stage import Stage
from tests.kit.quickstart.world import ALICE, CONFIG, World, WorldError

SECONDS = 60.0


def _environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "TMPDIR": str(folder), "PYTHONUNBUFFERED": "1"}


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()]


@contextmanager
def _started(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "tests.kit.quickstart", *arguments]
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=_environment(folder)
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(30)
        assert process.stdout is not None
        process.stdout.close()


def _read_until(process: subprocess.Popen[bytes], wanted: str) -> str:
    """Returns what was printed up to a text, and what came with it."""
    assert process.stdout is not None
    data, end = b"", time.monotonic() + SECONDS
    while wanted.encode() not in data:
        assert time.monotonic() < end, data.decode()
        ready, _, _ = select.select([process.stdout], [], [], 0.5)
        if ready:
            chunk = os.read(process.stdout.fileno(), 65_536)
            assert chunk, f"it ended:\n{data.decode()}"
            data += chunk
    return data.decode("utf-8", "replace")


@pytest.mark.slow
def test_once(tmp_path: Path) -> None:
    with _started(tmp_path, "--once") as process:
        out = _read_until(process, "steps were seen to happen")
        assert process.wait(20) == 0
    for text in ("Grüße aus Köln 👋", "● online", "NOTIFY: RPID away", "MESSAGE 403 project names stay inside"):
        assert text in out
    for title, _ in STEPS:
        assert f"  {title} " in out
    assert "$ simplebridge audit verify" in out
    assert "forbid: falcon" in out
    assert os.listdir(tmp_path) == [], "the data folder is still there"


@pytest.mark.slow
def test_it_stays_for_a_softphone_and_ends_by_a_signal(tmp_path: Path) -> None:
    data, temporary = tmp_path / "data", tmp_path / "tmp"
    temporary.mkdir()
    for _ in range(2):  # the second time on what the first has left
        with _started(temporary, "--data", str(data)) as process:
            out = _read_until(process, "audit show --since 10m")
            assert f"password {ALICE.password}" in out
            command = next(line for line in out.splitlines() if " softphone alice@" in line).split()
            done = subprocess.run(
                [sys.executable, "-m", "bridge", *command[1:], "--password-stdin", "--json", "--wait", "4"],
                input=f"{ALICE.password}\nhällo\n",
                capture_output=True,
                text=True,
                cwd=ROOT,
                timeout=SECONDS,
                check=False,
            )
            events = [json.loads(line) for line in done.stdout.splitlines()]
            assert done.returncode == 0, done.stderr
            assert [event["status"] for event in events if event["event"] == "sent"] == [202]
            assert [event["text"] for event in events if event["event"] == "message"] == ["Boo! 👻 You wrote: hällo"]
            children = _children(process.pid)
            assert len(children) == 3
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
            assert not [pid for pid in children if Path(f"/proc/{pid}").exists()]
    assert os.listdir(temporary) == []
    assert (data / "bridge.db").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_a_signal_at_the_start_leaves_nobody_behind(tmp_path: Path, number: int) -> None:
    with _started(tmp_path, "--once") as process:
        until(lambda: process.poll() is not None or _children(process.pid), SECONDS, "the first child")
        assert process.poll() is None
        children = _children(process.pid)
        process.send_signal(number)
        assert process.wait(30) == 1
        assert not [pid for pid in children if Path(f"/proc/{pid}").exists()]
    assert os.listdir(tmp_path) == []


# -- what is not seen fails -------------------------------------------------------------------------------------------


def _failing(error: Exception) -> None:
    raise error


@pytest.mark.parametrize("error", [WorldError("no answer"), ProcessError("it ended"), OSError("no such file")])
def test_a_step_that_was_not_seen_is_named(error: Exception, capsys: pytest.CaptureFixture[str]) -> None:
    show = quickstart.Show()
    show.stage = Stage()
    with pytest.raises(quickstart.StepFailed, match="the step"):
        show.step("the step", lambda: _failing(error), lambda _: pytest.fail("it passed"))
    out = capsys.readouterr().out
    assert "✗ 1  the step" in out
    assert str(error) in out


def test_a_record_that_lacks_something_fails() -> None:
    conversation = Conversation(World(fresh=True, say=print))
    with pytest.raises(WorldError, match="does not have"):
        conversation.on_record([{"text": "something else", "id": ""}])


def test_a_daemon_that_cannot_start_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    text = CONFIG.read_text("utf-8").replace('"udp:', '"sctp:')
    broken = tmp_path / "broken.toml"
    broken.write_text(text, "utf-8")
    monkeypatch.setattr("tests.kit.quickstart.world.CONFIG", broken)
    assert quickstart.main(["--once"]) == 1


# -- ports ------------------------------------------------------------------------------------------------------------


def test_a_taken_port_leads_to_free_ones() -> None:
    with OscarServerProcess({}) as server:
        assert ports.taken([server.port]) == [server.port]
    wanted = ports.ports_in(CONFIG.read_text("utf-8"))
    assert wanted == [5060, 5061, 5190, 9191]
    free = ports.free_ports(len(wanted))
    assert len(set(free)) == len(wanted)
    assert ports.taken(free) == []


def test_a_derived_configuration() -> None:
    text = ports.derived(
        CONFIG.read_text("utf-8"), {5060: 6060, 5190: 6190}, {"data_dir": Path('/x "y"\\z'), "file": Path("/p.toml")}
    )
    assert ports.ports_in(text) == [5061, 6060, 6190, 9191]
    assert 'data_dir = "/x \\"y\\"\\\\z"' in text
    assert 'file = "/p.toml"' in text
    with pytest.raises(ValueError, match="keys nothing"):
        ports.derived("", {}, {"nothing": Path()})
