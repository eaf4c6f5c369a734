"""The processes of the demonstration: started in order, stopped in order, each by its process id."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from attrs import define, field, frozen

from bridge.app import control
from bridge.app.config import Config, load
from bridge.app.control import ControlError
from bridge.app.home import Home
from bridge.identity.changes import AddUser, BindName, Change, SetPassword
from bridge.identity.secret import Secret
from tests.kit.json_process import ROOT
from tests.kit.oscar_server.process import OscarServerProcess, OscarUserProcess
from tests.kit.quickstart import ports
from tests.kit.quickstart.phones import PATIENCE, SoftphoneProcess
from tests.kit.quickstart.signals import SIGNALS

CONFIG: Final = ROOT / "conf" / "quickstart.toml"
POLL: Final = 0.02
_TAIL: Final = 25


class WorldError(Exception):
    """A part of the demonstration does not do its work; the text says which and shows its last lines."""


@frozen(kw_only=True)
class Colleague:
    """A SIP user of the demonstration, and their screen name."""

    user: str
    password: str
    screen_name: str
    network_password: str


ALICE: Final = Colleague(user="alice", password="alice-demo", screen_name="alicework", network_password="alice-on-aim")
BOB: Final = Colleague(user="bob", password="bob-demo", screen_name="bobwork", network_password="bob-on-aim")
BOOGYMAN: Final = "theboogyman"
ICQ: Final = "4112223"
_ON_AIM: Final = {BOOGYMAN: "boo", ALICE.screen_name: ALICE.network_password, BOB.screen_name: BOB.network_password}


def until(condition: Callable[[], Any], what: str, seconds: float = PATIENCE) -> Any:
    """Asks again and again, and returns the first answer that counts as true.

    Raises:
        WorldError: none does within ``seconds``.
    """
    end = time.monotonic() + seconds
    while not (answer := condition()):
        if time.monotonic() >= end:
            raise WorldError(f"{what} did not happen within {seconds:g} s")
        time.sleep(POLL)
    return answer


@define(eq=False)
class DaemonProcess:
    """``simplebridge run``.

    Args:
        config: its configuration.
        log: the file that takes what it logs.
    """

    config: Config
    log: Path
    process: subprocess.Popen[bytes] = field(init=False)
    _begun: int = field(init=False, default=0)

    def start(self) -> dict[str, Any]:
        """Starts it, waits until it is up, and returns its status.

        Raises:
            WorldError: it ends, or is not up in time.
        """
        with self.log.open("ab") as log, SIGNALS.held():
            self._begun = log.tell()
            self.process = subprocess.Popen(
                [sys.executable, "-m", "bridge", "run", "--config", str(self.config.path)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=ROOT,
            )
        answer: dict[str, Any] = until(self._up, f"the daemon's start (its log: {self.log})", 2 * PATIENCE)
        return answer

    def _up(self) -> dict[str, Any] | None:
        self.check()
        try:
            status = self.status()
        except ControlError:
            return None
        up = status["state"] == "up" and status["pid"] == self.process.pid
        return status if up and status["listeners"] else None  # it answers a moment before it listens

    def status(self) -> dict[str, Any]:
        """Asks for its status. Raises ControlError."""
        return control.ask(self.config.bridge.data_dir, "status")

    def check(self) -> None:
        """Raises WorldError: it has ended."""
        if self.process.poll() is not None:
            raise WorldError(f"the daemon ended with exit code {self.process.returncode}:\n{self.tail()}")

    def tail(self) -> str:
        """Returns the last lines that it has logged since its start."""
        with self.log.open("rb") as log:
            log.seek(self._begun)
            return "\n".join(log.read().decode("utf-8", "replace").splitlines()[-_TAIL:])

    def stop(self) -> int:
        """Stops it in order, and returns its exit code; again is allowed."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                return self.process.wait(2 * PATIENCE)
            except subprocess.TimeoutExpired:
                self.process.kill()
        return self.process.wait()


@define(eq=False)
class World:
    """All of it. As a context manager it is started at the entry; at the exit every child is stopped.

    Args:
        fresh: a data folder of its own that is removed at the end; else one is kept and used again.
        say: takes a line for people.
        kept: that folder; the configured one by default.
    """

    fresh: bool
    say: Callable[[str], None]
    kept: Path | None = None
    config: Config = field(init=False)
    server: OscarServerProcess = field(init=False)
    daemon: DaemonProcess = field(init=False)
    boogyman: OscarUserProcess = field(init=False)
    status: dict[str, Any] = field(init=False)
    _folder: Path = field(init=False)
    _stack: ExitStack = field(init=False, factory=ExitStack)

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._start(stack)
            with SIGNALS.held():
                self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stack.close()

    def _start(self, stack: ExitStack) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="quickstart-"))
        stack.callback(shutil.rmtree, self._folder, ignore_errors=True)
        self.config = self._configure()
        Home(self.config).prepare()
        self._make_people()
        with SIGNALS.held():
            listen = self.config.networks["aim"].options["server"]
            self.server = stack.enter_context(OscarServerProcess(_ON_AIM, bots={ICQ: "echo"}, listen=listen))
        self.daemon = DaemonProcess(self.config, self.config.bridge.data_dir / "daemon.log")
        stack.callback(self.stop_daemon)
        self.status = self.daemon.start()

    def stop_daemon(self) -> int:
        """Stops the daemon in order; returns its exit code."""
        return self.daemon.stop() if hasattr(self.daemon, "process") else 0

    def _configure(self) -> Config:
        text = CONFIG.read_text("utf-8")
        wanted = ports.ports_in(text)
        busy = ports.taken(wanted)
        if not busy and not self.fresh and self.kept is None:
            return load(CONFIG)
        other = dict(zip(wanted, ports.free_ports(len(wanted)), strict=True)) if busy else {}
        if busy:
            self.say(f"taken by others: port {', '.join(map(str, busy))}. Free ports are used instead.")
        data = self._folder / "data" if self.fresh else (self.kept or load(CONFIG).bridge.data_dir).absolute()
        path = self._folder / "quickstart.toml"
        policy = CONFIG.parent / "quickstart-policy.toml"
        path.write_text(ports.derived(text, other, {"data_dir": data, "file": policy}), "utf-8")
        return load(path)

    def _make_people(self) -> None:
        """Adds the colleagues; those who are there already get the passwords that we are about to print."""
        home = Home(self.config)
        known = {one.address for one in home.people().accounts()} if home.database.exists() else set()
        changes: list[Change] = []
        for one in (ALICE, BOB):
            address, password = self.address(one), Secret(one.password)
            change = SetPassword if address in known else AddUser
            changes.append(change(address=address, password=password))
            secret = Secret(one.network_password)
            changes.append(BindName(address=address, network="aim", name=one.screen_name, password=secret))
        home.change_people(changes, actor="quickstart")

    def address(self, colleague: Colleague) -> str:
        """Returns a colleague's SIP address."""
        return f"{colleague.user}@{self.config.bridge.domain}"

    def on_aim(self, name: str) -> str:
        """Returns how SIP users address a screen name."""
        return f"{name}@{self.config.networks['aim'].domain}"

    def phone(self, colleague: Colleague) -> SoftphoneProcess:
        """Starts a colleague's softphone."""
        with SIGNALS.held():
            phone = SoftphoneProcess(self.config.path, self.address(colleague), colleague.password)
            return self._stack.enter_context(phone)

    def sign_on_boogyman(self) -> OscarUserProcess:
        """Starts the person on AIM."""
        with SIGNALS.held():
            person = OscarUserProcess(self.server.address, BOOGYMAN, _ON_AIM[BOOGYMAN])
            self.boogyman = self._stack.enter_context(person)
        return self.boogyman

    def check(self) -> None:
        """Raises WorldError: a process that should run has ended."""
        self.daemon.check()
        for name, child in (("the OSCAR server", self.server), (BOOGYMAN, self.boogyman)):
            if child.process.poll() is not None:
                raise WorldError(f"{name} ended with exit code {child.process.returncode}")

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs ``simplebridge ARGUMENTS`` on this configuration."""
        return subprocess.run(
            self.argv(*arguments), capture_output=True, text=True, cwd=ROOT, timeout=3 * PATIENCE, check=False
        )

    def json(self, *arguments: str) -> Any:
        """Runs a command with ``--json`` and returns its answer. Raises WorldError: it fails."""
        done = self.command("--json", *arguments)
        if done.returncode != 0:
            raise WorldError(f"simplebridge {' '.join(arguments)} ended with {done.returncode}: {done.stderr.strip()}")
        return json.loads(done.stdout)

    def argv(self, *arguments: str) -> Sequence[str]:
        """Returns the command line of a command on this configuration."""
        return [sys.executable, "-m", "bridge", "--config", str(self.config.path), *arguments]


def as_typed(path: Path) -> str:
    """Returns a path as people type it here."""
    path = path.resolve()
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)
