"""A signal at any time of the daemon's start: a stop is a stop in order, a reload ends nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.daemon import BridgeProcess, Person, until

AFTER = [0.0, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.3, 1.6, 2.0]
"""Seconds from when the process takes the signal itself: through all of the start, on slow machines as on fast ones."""


@pytest.fixture(scope="module")
def bridge() -> Iterator[BridgeProcess]:
    with BridgeProcess(people=[Person(user="alice")]) as process:
        assert process.terminate() == 0
        yield process


def _taken(pid: int, number: signal.Signals) -> bool:
    """Whether a process has a handler of its own for a signal (proc_pid_status(5), SigCgt)."""
    lines = Path(f"/proc/{pid}/status").read_text("ascii").splitlines()
    mask = next(line.split()[1] for line in lines if line.startswith("SigCgt:"))
    return bool(int(mask, 16) >> (number - 1) & 1)


def _starting(bridge: BridgeProcess) -> subprocess.Popen[bytes]:
    """Starts the daemon, and returns as soon as it takes SIGTERM and SIGHUP."""
    with bridge.log.open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "bridge", "run", "--config", str(bridge.config)],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=bridge.folder, env=bridge._environment(),
        )  # fmt: skip
    bridge.process = process
    until(lambda: _taken(process.pid, signal.SIGTERM) and _taken(process.pid, signal.SIGHUP), 10.0, "the handlers")
    return process


@pytest.mark.parametrize("after", AFTER)
def test_a_stop_during_the_start_is_a_stop_in_order(bridge: BridgeProcess, after: float) -> None:
    process = _starting(bridge)
    time.sleep(after)  # not a wait for something: the moment is what is tried
    process.send_signal(signal.SIGTERM)
    assert process.wait(20.0) == 0
    assert '"level":"error"' not in bridge.log_tail()


def test_the_handlers_stand_before_anything_heavy_is_imported(bridge: BridgeProcess) -> None:
    process = _starting(bridge)
    maps = Path(f"/proc/{process.pid}/maps").read_text("ascii", "replace")
    process.send_signal(signal.SIGTERM)
    assert process.wait(20.0) == 0
    assert "uvloop" not in maps
    assert "re2" not in maps


@pytest.mark.parametrize("after", AFTER[:6])
def test_a_reload_during_the_start_ends_nothing(bridge: BridgeProcess, after: float) -> None:
    process = _starting(bridge)
    time.sleep(after)
    process.send_signal(signal.SIGHUP)
    until(bridge._up, 20.0, "the start")
    os.kill(process.pid, signal.SIGHUP)
    assert bridge.status()["state"] == "up"
    assert bridge.terminate() == 0


def test_a_wrong_configuration_is_told_whatever_was_asked(bridge: BridgeProcess) -> None:
    wrong = bridge.folder / "wrong.toml"
    wrong.write_text("[bridge]\n", "utf-8")
    command = [sys.executable, "-m", "bridge", "run", "--config", str(wrong)]
    done = subprocess.run(command, cwd=bridge.folder, capture_output=True, text=True, timeout=20, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)


def test_the_log_holds_after_all_that(bridge: BridgeProcess) -> None:
    assert bridge.audit("verify")["ok"]
