"""Programs of others that a test needs: missing, they skip it here and fail it where all must be tried."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from tests.kit.daemon import until
from tests.peers import PeerMissing
from tests.peers.process import find_program

STRICT = "SIMPLEBRIDGE_CI"
"""With this variable set, nothing may be skipped."""


def need(*programs: tuple[str, str]) -> None:
    """Skips the test (or fails it, with $SIMPLEBRIDGE_CI set) where a program is missing; each with its package."""
    for name, package in programs:
        try:
            find_program(name, package)
        except PeerMissing as missing:
            if os.environ.get(STRICT):
                pytest.fail(str(missing))
            pytest.skip(str(missing))


class Capture:
    """What crosses the loopback interface to or from some ports, as tcpdump sees it.

    Args:
        ports: UDP and TCP ports.
    """

    def __init__(self, *ports: int) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="capture-")
        self.file = Path(self.folder.name) / "seen.pcap"
        errors = Path(self.folder.name) / "errors"
        wanted = " or ".join(f"port {port}" for port in ports)
        with errors.open("wb") as stream:
            options = ("-i", "lo", "-U", "-n", "--immediate-mode", "-s", "0", "-Z", "root", "-B", "8192")
            self.process = subprocess.Popen(
                [find_program("tcpdump", "tcpdump"), *options, "-w", str(self.file), wanted],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stream,
            )
        try:
            until(lambda: "listening on" in errors.read_text() or self.process.poll() is not None, 10, "tcpdump")
        except TimeoutError:
            self.stop()
            raise
        if self.process.poll() is not None:
            text = errors.read_text()
            self.folder.cleanup()
            if os.environ.get(STRICT):
                pytest.fail(text)
            pytest.skip(f"tcpdump may not listen here: {text}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()
        self.folder.cleanup()

    def stop(self) -> None:
        """Ends tcpdump, which writes what it still has."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def octets(self) -> bytes:
        """Everything so far, packets with their headers."""
        return self.file.read_bytes() if self.file.exists() else b""

    def wait_for(self, text: bytes, seconds: float = 10.0) -> bytes:
        """Returns everything once this text was seen: what was sent before it is there too."""
        until(lambda: text in self.octets(), seconds, f"{text!r} in the capture")
        return self.octets()
