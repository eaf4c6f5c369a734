"""Synapse, the reference homeserver of Matrix, on 127.0.0.1 with a database of its own.

Debian has no package of it that CI could install: it comes from PyPI, pinned, into an environment of its own
(`synapse-requirements.txt` beside this file says how).
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
import tempfile
from pathlib import Path
from typing import Self

from tests.kit.ports import free_port
from tests.peers.process import Child, PeerError, PeerMissing, port_is_bound

ROOT = Path(__file__).parents[2]
PLACE = "SIMPLEBRIDGE_SYNAPSE"
"""Names the environment that Synapse is installed in; otherwise it is looked for in `.venv-synapse`."""
HOW = (
    "python3 -m venv .venv-synapse && .venv-synapse/bin/pip install --no-deps --require-hashes "
    "-r tests/peers/synapse-requirements.txt"
)
START_SECONDS = 60.0
_WIDE = '{"per_second": 1000, "burst_count": 1000}'


def find_synapse() -> Path:
    """Returns the Python of the environment that Synapse is installed in.

    Raises:
        PeerMissing: there is none; the message says how to make one.
    """
    folder = Path(os.environ.get(PLACE) or ROOT / ".venv-synapse")
    python = folder / "bin" / "python"
    if not any(folder.glob("lib/python3*/site-packages/synapse/app/homeserver.py")):
        msg = f"Synapse is not installed in {folder}: {HOW}"
        raise PeerMissing(msg)
    return python


class Synapse:
    """One homeserver. Anybody may register an account on it.

    Args:
        name: its server name, which stands in all its ids.
        registration: the file of an application service, as Synapse reads it; None: there is none.
        limits: text of `rc_` keys; by default nobody is slowed down.
        more: further lines of its configuration.
    """

    def __init__(
        self, name: str = "hs.example", *, registration: Path | None = None, limits: str = "", more: str = ""
    ) -> None:
        self.name = name
        self.port = free_port()
        self._python = find_synapse()
        self._registration = registration
        self._limits = limits or self._wide()
        self._more = more
        self.directory = Path(tempfile.mkdtemp(prefix="peer-synapse-"))
        self._child: Child | None = None

    @property
    def url(self) -> str:
        """Its base URL."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def child(self) -> Child:
        """The process.

        Raises:
            PeerError: before `start`.
        """
        if self._child is None:
            msg = "synapse was not started"
            raise PeerError(msg)
        return self._child

    def start(self, timeout: float = START_SECONDS) -> Self:
        """Launches it, for the first time or again with what it has stored, and returns when it listens."""
        if not (self.directory / "homeserver.yaml").exists():
            self._configure()
        self._child = Child(
            [str(self._python), "-m", "synapse.app.homeserver", "-c", str(self.directory / "homeserver.yaml")],
            directory=self.directory,
        )
        self._child.wait(lambda: port_is_bound(self.port, "tcp"), timeout, "its port")
        return self

    def kill(self) -> None:
        """Kills it at once; `start` starts it again."""
        self.child.process.kill()
        self.child.stop()

    def stop(self) -> None:
        """Ends it and removes its directory."""
        try:
            if self._child is not None:
                self._child.stop()
        finally:
            shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(self, *_: object) -> None:
        self.stop()

    def service_state(self) -> str | None:
        """Returns what it takes the application service to be, ``up`` or ``down``; None: it has not tried yet."""
        database = sqlite3.connect(f"file:{self.directory}/homeserver.db?mode=ro", uri=True, timeout=10.0)
        with contextlib.closing(database):
            row = database.execute("SELECT state FROM application_services_state").fetchone()
        return None if row is None or row[0] is None else str(row[0])

    def log(self) -> str:
        """Returns the end of what it has logged."""
        return "\n".join(self.child.lines[-40:])

    def _configure(self) -> None:
        (self.directory / "log.yaml").write_text(_LOGGING, "utf-8")
        (self.directory / "homeserver.yaml").write_text(self._configuration(), "utf-8")
        made = Child(
            [str(self._python), "-m", "synapse.app.homeserver", "-c", str(self.directory / "homeserver.yaml"),
             "--generate-keys"],
            directory=self.directory,
        )  # fmt: skip
        try:
            made.process.wait(START_SECONDS)
        finally:
            made.stop()

    def _configuration(self) -> str:
        services = [] if self._registration is None else [str(self._registration)]
        return f"""server_name: {self.name}
pid_file: {self.directory}/pid
signing_key_path: {self.directory}/signing.key
log_config: {self.directory}/log.yaml
media_store_path: {self.directory}/media
database: {{"name": "sqlite3", "args": {{"database": "{self.directory}/homeserver.db"}}}}
listeners:
  - port: {self.port}
    bind_addresses: ["127.0.0.1"]
    type: http
    tls: false
    resources: [{{"names": ["client"]}}]
macaroon_secret_key: trial
form_secret: trial
report_stats: false
trusted_key_servers: []
suppress_key_server_warning: true
federation_domain_whitelist: []
enable_registration: true
enable_registration_without_verification: true
app_service_config_files: {json.dumps(services)}
bcrypt_rounds: 4
{self._limits}
{self._more}
"""

    @staticmethod
    def _wide() -> str:
        simple = ("rc_message", "rc_registration", "rc_room_creation", "rc_presence", "rc_joins_per_room")
        lines = [f"{name}: {_WIDE}" for name in simple if name != "rc_presence"]
        lines += [
            f'rc_login: {{"address": {_WIDE}, "account": {_WIDE}, "failed_attempts": {_WIDE}}}',
            f'rc_joins: {{"local": {_WIDE}, "remote": {_WIDE}}}',
            f'rc_invites: {{"per_room": {_WIDE}, "per_user": {_WIDE}, "per_issuer": {_WIDE}}}',
            f'rc_presence: {{"per_user": {_WIDE}}}',
        ]
        return "\n".join(lines)


_LOGGING = """version: 1
formatters: {plain: {format: '%(asctime)s %(levelname)s %(name)s %(message)s'}}
handlers: {console: {class: logging.StreamHandler, formatter: plain}}
root: {level: WARNING, handlers: [console]}
disable_existing_loggers: false
"""
