"""The real daemon as a child process: a home of its own, free ports of 127.0.0.1, and its log shown when a test fails.

Every wait asks for a condition again and again until a deadline; nothing waits by the clock alone.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from attrs import define, field, frozen

from bridge.app import control
from bridge.app.config import load
from bridge.app.control import ControlError
from bridge.app.home import Home
from bridge.compliance.opening import Opener
from bridge.compliance.query import Found, read_records
from bridge.identity.changes import AddUser, BindName, Change
from bridge.identity.secret import Secret
from bridge.store.reader import SqliteLogReader
from tests.kit.ports import free_port

ROOT = Path(__file__).parents[2]
START_SECONDS = 30.0
POLL = 0.02
_TRIES = 5
_TAIL = 60

INSIDE = """
[policy]
version = "test"
[[rule]]
id = "inside"
effect = "allow"
from = ["domain:{domain}"]
to = ["domain:{domain}"]
"""
"""A policy that lets the people of the domain write to each other."""


class DaemonError(Exception):
    """The daemon did not do what the test needs; the text holds the end of its log."""


@frozen(kw_only=True)
class Person:
    """A local account, and its screen names: network to (name, password)."""

    user: str
    password: str = "secret"
    names: Mapping[str, tuple[str, str]] = field(factory=dict)


def until(condition: Callable[[], object], seconds: float, what: str) -> None:
    """Waits until a condition holds.

    Raises:
        TimeoutError: it does not within ``seconds``.
    """
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= end:
            raise TimeoutError(f"{what} did not come within {seconds:g} s")
        time.sleep(POLL)


@define(eq=False)
class BridgeProcess:
    """One daemon. As a context manager it is started at the entry and killed at the exit, and its folder removed.

    Args:
        people: accounts and bindings, made before the first start.
        policy: the text of the policy, in which ``{domain}`` stands for the domain.
        networks: text of ``[networks.*]`` sections.
        sip: further lines of ``[sip]``.
        more: text of further sections.
        domain: the corporate domain.
        host: the loopback address to listen on.
        web: whether to listen for WebSockets too, plain and secure.
    """

    people: Sequence[Person] = ()
    policy: str = INSIDE
    networks: str = ""
    sip: str = ""
    more: str = ""
    domain: str = "corp.example"
    host: str = "127.0.0.1"
    web: bool = False
    folder: Path = field(init=False)
    port: int = field(init=False, default=0)
    """UDP and TCP; the same after a restart."""
    tls_port: int = field(init=False, default=0)
    ws_port: int = field(init=False, default=0)
    wss_port: int = field(init=False, default=0)
    process: "subprocess.Popen[bytes] | None" = field(init=False, default=None)

    def __enter__(self) -> Self:
        self.folder = Path(tempfile.mkdtemp(prefix="bridge-"))
        try:
            self._begin()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is not None and isinstance(error, Exception):
            error.add_note(f"the daemon's log ends with:\n{self.log_tail()}")
        self.close()

    def close(self) -> None:
        """Kills the daemon, if it runs, and removes its folder."""
        self.kill9()
        shutil.rmtree(self.folder, ignore_errors=True)

    # Files

    @property
    def config(self) -> Path:
        """The configuration file."""
        return self.folder / "simplebridge.toml"

    @property
    def data(self) -> Path:
        """The data folder."""
        return self.folder / "var"

    @property
    def log(self) -> Path:
        """The daemon's standard error and output, of all its starts."""
        return self.folder / "daemon.log"

    def home(self) -> Home:
        """Returns the daemon's home, as a command opens it."""
        return Home(load(self.config))

    def log_tail(self) -> str:
        """Returns the last lines of the log."""
        text = self.log.read_text("utf-8", "replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-_TAIL:])

    def write_policy(self, text: str) -> None:
        """Replaces the policy's file; ``reload`` puts it in force."""
        (self.folder / "policy.toml").write_text(text.replace("{domain}", self.domain), "utf-8")

    def _write_config(self) -> None:
        self.port, self.tls_port = free_port(), free_port()
        ports = [("udp", self.port), ("tcp", self.port), ("tls", self.tls_port)]
        if self.web:
            self.ws_port, self.wss_port = free_port(), free_port()
            ports += [("ws", self.ws_port), ("wss", self.wss_port)]
        host = f"[{self.host}]" if ":" in self.host else self.host
        listen = ", ".join(f'"{transport}:{host}:{port}"' for transport, port in ports)
        self.config.write_text(
            f"""[bridge]
domain = "{self.domain}"
data_dir = "var"
log_level = "debug"
[sip]
listen = [{listen}]
{self.sip}
[policy]
file = "policy.toml"
{self.networks}
{self.more}
""",
            "utf-8",
        )

    def port_of(self, transport: str) -> int:
        """Returns the port of a listener."""
        return {"tls": self.tls_port, "ws": self.ws_port, "wss": self.wss_port}.get(transport, self.port)

    # Life

    def _begin(self) -> None:
        """Starts for the first time: a port that another process has taken meanwhile is chosen anew."""
        self.write_policy(self.policy)
        self._write_config()
        if self.people:
            self.home().change_people(self._changes(), actor="test")
        for left in reversed(range(_TRIES)):
            try:
                self.start()
            except DaemonError as error:
                if not left or "in use" not in str(error).lower():
                    raise
                self._write_config()
            else:
                return

    def _changes(self) -> list[Change]:
        changes: list[Change] = []
        for person in self.people:
            address = f"{person.user}@{self.domain}"
            changes.append(AddUser(address=address, password=Secret(person.password)))
            for network, (name, password) in person.names.items():
                secret = Secret(password) if password else None
                changes.append(BindName(address=address, network=network, name=name, password=secret))
        return changes

    def start(self) -> None:
        """Starts the daemon and returns when it is up.

        Raises:
            DaemonError: it ends, or is not up in time.
        """
        assert self.process is None or self.process.poll() is not None, "it runs"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "bridge", "run", "--config", str(self.config)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env=self._environment(),
            )
        try:
            until(self._up, START_SECONDS, "the daemon's start")
        except TimeoutError as error:
            raise DaemonError(f"{error}\n{self.log_tail()}") from error

    def _up(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            raise DaemonError(f"the daemon ended with {self.process.returncode}:\n{self.log_tail()}")
        try:
            status = control.ask(self.data, "status")
        except ControlError:
            return False
        return bool(status["state"] == "up" and status["pid"] == self.process.pid)

    def kill9(self) -> None:
        """Kills the daemon at once, if it runs."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def terminate(self, seconds: float = 20.0) -> int:
        """Stops the daemon in order; returns its exit code.

        Raises:
            DaemonError: it does not end in time.
        """
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired as error:
            raise DaemonError(f"it does not stop within {seconds:g} s\n{self.log_tail()}") from error

    def restart(self, *, kill: bool = False) -> None:
        """Stops (or kills) the daemon and starts it again on the same ports."""
        if kill:
            self.kill9()
        else:
            code = self.terminate()
            if code != 0:
                raise DaemonError(f"it stopped with exit code {code}\n{self.log_tail()}")
        self.start()

    @property
    def pid(self) -> int:
        """The process id."""
        assert self.process is not None
        return self.process.pid

    def alive(self) -> bool:
        """Whether the process that was started last still runs."""
        return self.process is not None and self.process.poll() is None

    # Questions

    def ask(self, question: str) -> dict[str, Any]:
        """Asks over the control socket."""
        return control.ask(self.data, question)

    def status(self) -> dict[str, Any]:
        """Returns what ``simplebridge status --json`` shows."""
        return self.ask("status")

    def reload(self) -> None:
        """Has the daemon read its policy again.

        Raises:
            DaemonError: something was not taken.
        """
        problems = self.ask("reload")["problems"]
        if problems:
            raise DaemonError("; ".join(problems))

    def cli(self, *args: str, stdin: str = "", check: bool = True) -> str:
        """Runs ``simplebridge ARGS`` on this home; returns its standard output.

        Raises:
            DaemonError: it ends with another code than 0, unless ``check`` is false.
        """
        command = [sys.executable, "-m", "bridge", "--config", str(self.config), *args]
        done = subprocess.run(
            command, input=stdin, capture_output=True, text=True, timeout=60, check=False, env=self._environment()
        )
        if check and done.returncode != 0:
            raise DaemonError(f"{' '.join(args)} ended with {done.returncode}: {done.stderr}")
        return done.stdout

    def audit(self, *args: str) -> Any:
        """Runs ``simplebridge audit ARGS --json``; returns what it printed, read."""
        return json.loads(self.cli("audit", *args, "--json"))

    def change(self, *changes: Change) -> None:
        """Changes identities as a command does, and returns when the daemon has taken the change."""
        version = self.home().change_people(changes, actor="test").state.version
        until(lambda: self.status()["identity_version"] >= version, 10.0, "the change of identities")

    def records(self) -> list[Found]:
        """Returns the compliance log as it is on disk now, opened."""
        return list(self._records())

    def _records(self) -> Iterator[Found]:
        home = self.home()
        with SqliteLogReader(home.database) as reader:
            opener = Opener(reader.state().log_id, home.keyring(create=False), reader.keks())
            yield from read_records(reader, opener)

    def about(self, reference: str) -> list[Found]:
        """Returns the records of one message."""
        return [found for found in self.records() if found.row.msg_id == reference]

    def _environment(self) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
