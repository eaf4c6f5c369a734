"""A child process that reads and writes JSON lines, for tests of any kind: every call blocks, with a timeout.

A thread reads what the child writes; in asyncio call these methods by `asyncio.to_thread`.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

Event = dict[str, Any]
ROOT = Path(__file__).resolve().parents[2]
TIMEOUT = 15.0
"""Seconds for which a wait lasts at most, where nothing else is said."""
_TAIL = 30


class ProcessError(Exception):
    """A child did not do what was waited for; the message has its last lines."""


class JsonProcess:
    """A child that reads and writes JSON lines. It is started by the constructor and ended by `stop`.

    Attributes:
        events: everything that it has written, in order.
    """

    def __init__(self, module: str, arguments: Sequence[str]) -> None:
        self.module = module
        self.events: list[Event] = []
        self._errors: deque[str] = deque(maxlen=_TAIL)
        self._changed = threading.Condition()
        self._ended = False
        self._ids = 0
        self.process = subprocess.Popen(
            # who is killed takes its children along
            [sys.executable, "-m", module, "--end-with-input", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=ROOT,
        )
        self._threads = [
            threading.Thread(target=self._read, name=f"{module}-out", daemon=True),
            threading.Thread(target=self._read_errors, name=f"{module}-err", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self.process.pid

    def send_command(self, command: Event) -> None:
        """Write one command; raises `ProcessError` when the child no longer reads."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps(command).encode() + b"\n")
            self.process.stdin.flush()
        except OSError as error:
            raise ProcessError(self._told(f"does not take {command}")) from error

    def ask(self, command: Event, *, timeout: float = TIMEOUT) -> Event:
        """Write a command and wait for the line that repeats its id; raises `ProcessError`."""
        self._ids += 1
        number = self._ids
        since = len(self.events)
        self.send_command({**command, "id": number})
        return self.wait_for(
            lambda event: event.get("id") == number, f"an answer to {command}", timeout=timeout, since=since
        )

    def wait_for(
        self, wanted: Callable[[Event], bool], what: str, *, timeout: float = TIMEOUT, since: int = 0
    ) -> Event:
        """The first event from number `since` on that is wanted.

        Raises:
            ProcessError: after `timeout` seconds, or when the child ends before.
        """
        at = since
        end = time.monotonic() + timeout
        with self._changed:
            while True:
                while at < len(self.events):
                    if wanted(self.events[at]):
                        return self.events[at]
                    at += 1
                if self._ended:
                    raise ProcessError(self._told(f"ended before {what}"))
                left = end - time.monotonic()
                if left <= 0:
                    raise ProcessError(self._told(f"{what} did not come in {timeout} s"))
                self._changed.wait(left)

    def stop(self, *, timeout: float = 10.0) -> int:
        """End the child by SIGTERM (SIGKILL after `timeout` seconds); gives its exit code. Again is allowed."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout)
            except subprocess.TimeoutExpired:
                self.process.kill()
        code = self.process.wait()
        for thread in self._threads:
            thread.join(timeout)
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None:
                with contextlib.suppress(OSError):  # what it had not read yet cannot be flushed to it any more
                    stream.close()
        return code

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            try:
                event = json.loads(line)
            except ValueError:
                self._errors.append(line.decode("utf-8", "replace").rstrip())
                continue
            with self._changed:
                self.events.append(event)
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _read_errors(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self._errors.append(line.decode("utf-8", "replace").rstrip())

    def _told(self, what: str) -> str:
        lines = [json.dumps(event) for event in self.events[-_TAIL:]]
        return "\n".join([f"{self.module} (pid {self.pid}) {what}; it last wrote:", *lines, *self._errors])
