"""A SIP user of the demonstration: ``simplebridge softphone --json`` as a child that types what it is told."""

import contextlib
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from tests.kit.json_process import ROOT, Event, ProcessError

PATIENCE: Final = 15.0
"""Seconds that anything of the demonstration may take."""
_TAIL: Final = 12


class SoftphoneProcess:
    """A softphone, started by the constructor and ended by `stop`. It ends by itself when we do.

    Args:
        config: the bridge's configuration file.
        address: whose phone it is.
        password: of the account.
    """

    def __init__(self, config: Path, address: str, password: str) -> None:
        self.address = address
        self.events: list[Event] = []
        self._changed = threading.Condition()
        self._ended = False
        options = ["--config", str(config), "--json", "--password-stdin"]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "bridge", "softphone", address, *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=ROOT,
        )
        self._thread = threading.Thread(target=self._read, name=address, daemon=True)
        self._thread.start()
        self.type(password)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def type(self, line: str) -> None:
        """Types a line. Raises ProcessError: it does not read any more."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(line.encode() + b"\n")
            self.process.stdin.flush()
        except OSError as error:
            raise ProcessError(self._told("does not read any more")) from error

    def seen(self, kind: str, *, since: int = 0, sender: str = "", **fields: Any) -> Event:
        """Waits for an event (from a sender) with these fields; raises ProcessError."""
        wanted = {"event": kind, **fields, **({"from": sender} if sender else {})}
        return self.wait_for(
            lambda event: all(event.get(key) == value for key, value in wanted.items()), f"{wanted}", since=since
        )

    def wait_for(self, wanted: Callable[[Event], bool], what: str, *, since: int = 0) -> Event:
        """Returns the first event from number ``since`` on that is wanted.

        Raises:
            ProcessError: it does not come in time, or the softphone ends before.
        """
        end = time.monotonic() + PATIENCE
        with self._changed:
            while True:
                for event in self.events[since:]:
                    if wanted(event):
                        return event
                left = end - time.monotonic()
                if self._ended or left <= 0:
                    raise ProcessError(self._told(f"has not shown {what}"))
                self._changed.wait(left)

    def hang_up(self) -> int:
        """Types /quit; returns the exit code when it has signed off."""
        self.type("/quit")
        return self.stop(signal=False)

    def stop(self, *, signal: bool = True) -> int:
        """Ends it, if it runs, and returns the exit code; again is allowed."""
        if signal and self.process.poll() is None:
            self.process.terminate()
        try:
            code = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        self._thread.join(PATIENCE)
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):  # what it did not read any more
                    stream.close()
        return code

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            try:
                event = json.loads(line)
            except ValueError:
                event = {"event": "said", "line": line.decode("utf-8", "replace").rstrip()}
            with self._changed:
                self.events.append(event)
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _told(self, what: str) -> str:
        lines = [json.dumps(event, ensure_ascii=False) for event in self.events[-_TAIL:]]
        return "\n".join([f"the softphone of {self.address} (pid {self.process.pid}) {what}; it last wrote:", *lines])
