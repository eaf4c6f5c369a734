"""A program of others as a child process: its output lines can be waited for, and it ends by its own pid."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Self

_SGR = re.compile(r"\x1b\[[0-9;]*m")
_TAIL = 25


class PeerError(Exception):
    """A program of others did not do what the trial needs."""


class PeerMissing(PeerError):
    """The program is not installed; the message names the Debian package."""


class PeerExited(PeerError):
    """The program ended before what was waited for; the message holds its last lines."""


class PeerTimeout(PeerError):
    """What was waited for did not come in time; the message holds the last lines."""


def find_program(name: str, package: str) -> str:
    """The path of a program.

    Raises:
        PeerMissing: when it is not installed.
    """
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if path is None:
        msg = f"{name} is not installed: apt-get install {package}"
        raise PeerMissing(msg)
    return path


def port_is_bound(port: int, transport: str) -> bool:
    """Whether a socket of 127.0.0.1 is bound (UDP) or listens (TCP) on the port, as the kernel's table says."""
    wanted = f"0100007F:{port:04X}"
    anywhere = f"00000000:{port:04X}"
    for line in Path("/proc/net", transport).read_text(encoding="ascii").splitlines()[1:]:
        fields = line.split()
        if fields[1] in {wanted, anywhere} and (transport == "udp" or fields[3] == "0A"):
            return True
    return False


class Child:
    """A running program: lines in, lines out.

    Every line that it writes (standard output and error as one) is kept, stripped of colours, and handed to `on_line`
    from the reading thread. `send` writes one line to its input. With `over_socket` its input and output are one
    socket, as inetd gives it, in place of pipes.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        directory: Path,
        environment: Mapping[str, str] | None = None,
        on_line: Callable[[str], None] | None = None,
        over_socket: bool = False,
    ) -> None:
        self.name = Path(argv[0]).name
        self.lines: list[str] = []
        self._on_line = on_line
        self._changed = threading.Condition()
        self._ended = False
        settings = {**os.environ, "HOME": str(directory), "LC_ALL": "C.UTF-8", **(environment or {})}
        self._socket: socket.socket | None = None
        source: IO[bytes]
        if over_socket:
            self._socket, theirs = socket.socketpair()
            with theirs, (directory / "stderr").open("wb") as errors:
                self.process = subprocess.Popen(
                    list(argv),
                    stdin=theirs.fileno(),
                    stdout=theirs.fileno(),
                    stderr=errors,
                    cwd=directory,
                    env=settings,
                )
            source = self._socket.makefile("rb")
        else:
            self.process = subprocess.Popen(
                list(argv),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                cwd=directory,
                env=settings,
            )
            assert self.process.stdout is not None
            source = self.process.stdout
        self._reader = threading.Thread(target=self._read, args=(source,), name=f"read-{self.name}", daemon=True)
        self._reader.start()

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    def send(self, line: str) -> None:
        """Writes one line.

        Raises:
            PeerExited: when the program no longer reads.
        """
        data = line.encode() + b"\n"
        try:
            if self._socket is not None:
                self._socket.sendall(data)
                return
            assert self.process.stdin is not None
            self.process.stdin.write(data)
            self.process.stdin.flush()
        except OSError as error:
            raise PeerExited(self._told(f"does not take {line!r}")) from error

    def wait(self, done: Callable[[], bool], timeout: float, what: str) -> None:
        """Waits until `done()` holds; it is asked again at each line and each `notify`.

        Raises:
            PeerExited: when the program ends first.
            PeerTimeout: after `timeout` seconds.
        """
        end = time.monotonic() + timeout
        with self._changed:
            while not done():
                if self._ended:
                    raise PeerExited(self._told(f"ended before {what}"))
                left = end - time.monotonic()
                if left <= 0:
                    raise PeerTimeout(self._told(f"{what} did not come in {timeout} s"))
                self._changed.wait(min(left, 0.25))

    def expect(self, pattern: str, timeout: float, *, since: int = 0) -> re.Match[str]:
        """The first line from number `since` on in which the pattern is found; raises as `wait` does."""
        wanted = re.compile(pattern)
        found: list[re.Match[str]] = []
        seen = since

        def look() -> bool:
            nonlocal seen
            for line in self.lines[seen:]:
                seen += 1
                match = wanted.search(line)
                if match is not None:
                    found.append(match)
                    return True
            return False

        self.wait(look, timeout, f"a line like {pattern!r}")
        return found[0]

    def notify(self) -> None:
        """Tells those who wait that something besides a line has changed."""
        with self._changed:
            self._changed.notify_all()

    def stop(self, *, ask: Callable[[], None] | None = None, timeout: float = 5.0) -> int:
        """Ends the program and gives its exit code: `ask` first (or SIGTERM), then SIGKILL after `timeout` seconds."""
        if self.running:
            try:
                if ask is not None:
                    ask()
                else:
                    self.process.send_signal(signal.SIGTERM)
                self.process.wait(timeout)
            except (subprocess.TimeoutExpired, PeerExited):
                self.process.kill()
        code: int = self.process.wait()
        self._reader.join(timeout)
        for stream in (self.process.stdin, self.process.stdout, self._socket):
            if stream is not None:
                with contextlib.suppress(OSError):  # what it had not read yet cannot be flushed to it any more
                    stream.close()
        return code

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _read(self, source: IO[bytes]) -> None:
        with contextlib.suppress(OSError, ValueError):  # closed under the reader: the program has ended
            for raw in source:
                line = _SGR.sub("", raw.decode("utf-8", "replace")).strip("\r\n")
                if self._on_line is not None:
                    self._on_line(line)
                with self._changed:
                    self.lines.append(line)
                    self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _told(self, what: str) -> str:
        return f"{self.name} (pid {self.process.pid}) {what}; it last wrote:\n" + "\n".join(self.lines[-_TAIL:])
