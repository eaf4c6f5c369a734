"""The server and its people as child processes, for tests of any kind: every call blocks, with a timeout.

    with OscarServerProcess({"alice": "a", "bob": "b"}) as server, \\
            OscarUserProcess(server.address, "alice", "a") as alice, \\
            OscarUserProcess(server.address, "bob", "b") as bob:
        alice.signed_on()
        bob.signed_on()
        assert alice.send("bob", "hi")["stage"] == "relayed"
        assert bob.message(sender="alice")["text"] == "hi"

A thread reads what a child writes; in asyncio call these methods by `asyncio.to_thread`.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from transports.oscar.wire.names import normal

Event = dict[str, Any]
ROOT = Path(__file__).resolve().parents[3]
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


class OscarServerProcess(JsonProcess):
    """The server. It listens when the constructor is done; raises `ProcessError` when it does not come to that.

    Args:
        accounts: names and passwords, or a file as `accounts.Accounts.load` reads it.
        rates: ``wide`` (never limits) or ``aol``.
        bots: names and kinds (``echo``, ``sink``).
        arguments: further arguments of the command line.
    """

    def __init__(
        self,
        accounts: Mapping[str, str] | Path,
        *,
        rates: str = "wide",
        bots: Mapping[str, str] | None = None,
        listen: str = "127.0.0.1:0",
        arguments: Sequence[str] = (),
        timeout: float = TIMEOUT,
    ) -> None:
        argv = ["--listen", listen, "--rates", rates, *arguments]
        if isinstance(accounts, Path):
            argv += ["--accounts", str(accounts)]
        else:
            for name, password in accounts.items():
                argv += ["--account", f"{name}:{password}"]
        for name, kind in (bots or {}).items():
            argv += ["--bot", f"{name}={kind}"]
        super().__init__("tests.kit.oscar_server", argv)
        try:
            ready = self.wait_for(lambda event: "listening" in event, "its address", timeout=timeout)
        except ProcessError:
            self.stop()
            raise
        self.address: str = ready["listening"]
        self.host, _, port = self.address.rpartition(":")
        self.port = int(port)

    def control(self, do: str, **arguments: Any) -> Event:
        """Carry out a command of `control`; raises `ProcessError` when it is refused."""
        answer = self.ask({"do": do, **arguments})
        if not answer["ok"]:
            raise ProcessError(f"{do}: {answer['error']}")
        return answer

    def stats(self) -> Event:
        """``counts``, ``sessions`` (with the rate levels of each) and ``bots``."""
        return self.control("stats")

    def count(self, name: str) -> int:
        """One counter, for instance ``rate_refusals``."""
        number: int = self.stats()["counts"][name]
        return number

    def kick(self, name: str) -> None:
        """Sign somebody off, as if the name had signed on elsewhere."""
        self.control("kick", name=name)

    def drop(self, name: str) -> None:
        """Break somebody's socket."""
        self.control("drop", name=name)

    def migrate(self, name: str, *, timeout: float = TIMEOUT) -> None:
        """Send somebody to another connection and wait until they have come there."""
        since = len(self.events)
        self.control("migrate", name=name)
        self.happened("moved", name, timeout=timeout, since=since)

    def happened(self, event: str, name: str, *, timeout: float = TIMEOUT, since: int = 0) -> None:
        """Wait until somebody came ``online`` or went ``offline``."""
        wanted = {"event": event, "name": normal(name)}
        self.wait_for(lambda line: line == wanted, f"{wanted}", timeout=timeout, since=since)

    def delay_acks(self, seconds: float) -> None:
        """Hold back the acknowledgements of messages for so long; 0 ends that for those to come."""
        self.control("delay", seconds=seconds)

    def add_account(self, name: str, password: str) -> None:
        """One more account."""
        self.control("account", name=name, password=password)


class OscarUserProcess(JsonProcess):
    """A person. The constructor does not wait: `signed_on` does.

    Args:
        server: ``host:port``.
        name, password: of the account.
        echo: answers each message with its own text.
        count: counts messages in place of telling each (`summary`).
        arguments: further arguments of the command line.
    """

    def __init__(
        self,
        server: str,
        name: str,
        password: str,
        *,
        echo: bool = False,
        count: bool = False,
        arguments: Sequence[str] = (),
    ) -> None:
        argv = ["--server", server, "--name", name, "--password", password, *arguments]
        argv += ["--echo"] * echo + ["--count"] * count
        super().__init__("tests.kit.oscar_server.user", argv)
        self.name = name

    def signed_on(self, *, timeout: float = TIMEOUT, since: int = 0) -> Event:
        """Wait until the name is signed on: its own view, a moment before the server's (`happened` there)."""
        return self.wait_for(lambda event: event["event"] == "signed_on", "sign-on", timeout=timeout, since=since)

    def link(self, state: str, *, timeout: float = TIMEOUT, since: int = 0) -> Event:
        """Wait for a state of the link: up, transient, auth-failed, signed-on-elsewhere .."""
        return self.event("link", timeout=timeout, since=since, state=state)

    def event(self, kind: str, *, timeout: float = TIMEOUT, since: int = 0, **fields: Any) -> Event:
        """Wait for an event of this kind whose fields are these."""
        wanted = {"event": kind, **fields}
        return self.wait_for(
            lambda event: all(event.get(key) == value for key, value in wanted.items()),
            f"{wanted}",
            timeout=timeout,
            since=since,
        )

    def message(
        self, *, sender: str | None = None, text: str | None = None, timeout: float = TIMEOUT, since: int = 0
    ) -> Event:
        """Wait for a message (from a sender, of a text)."""
        fields = {key: value for key, value in (("from", sender), ("text", text)) if value is not None}
        return self.event("message", timeout=timeout, since=since, **fields)

    def messages(self) -> list[Event]:
        """All messages so far."""
        return [event for event in list(self.events) if event.get("event") == "message"]

    def presence(self, name: str, *, timeout: float = TIMEOUT, since: int = 0, **fields: Any) -> Event:
        """Wait until somebody's presence has these fields: online, away, idle, message."""
        return self.event("presence", timeout=timeout, since=since, name=name, **fields)

    def send(self, to: str, text: str, *, timeout: float = TIMEOUT, **options: Any) -> Event:
        """Write to somebody and wait for the result: ``stage`` is relayed, failed or unknown."""
        return self.ask({"do": "send", "to": to, "text": text, **options}, timeout=timeout)

    def post(self, to: str, text: str, **options: Any) -> None:
        """Write to somebody and wait for nothing."""
        self.send_command({"do": "send", "to": to, "text": text, **options})

    def do(self, command: str, *, timeout: float = TIMEOUT, **arguments: Any) -> Event:
        """Carry out any command that has a result: away, back, idle, invisible, typing, add, remove, ask .."""
        return self.ask({"do": command, **arguments}, timeout=timeout)

    def summary(self, *, timeout: float = TIMEOUT) -> Event:
        """What was counted so far: received, sent, relayed, failed, unknown."""
        since = len(self.events)
        self.send_command({"do": "summary"})
        return self.event("summary", timeout=timeout, since=since)
