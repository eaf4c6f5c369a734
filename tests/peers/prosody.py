"""Prosody as a server of others: accounts of a domain, and a component's door, on ports of 127.0.0.1."""

from __future__ import annotations

import datetime as dt
import shutil
import signal
import tempfile
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.kit.daemon import until
from tests.kit.ports import free_port
from tests.peers.process import Child, find_program, port_is_bound

DOMAIN = "xmpp.test"
COMPONENT = "sip.xmpp.test"
SECRET = "a component's secret"
PASSWORD = "pass word"
_START_SECONDS = 30.0
_LINES = """
run_as_root = true
daemonize = false
pidfile = "{folder}/prosody.pid"
data_path = "{folder}/data"
certificates = "{folder}"
plugin_paths = {{}}
modules_enabled = {{ "roster"; "saslauth"; "tls"; "disco"; "carbons"; "ping"; "smacks"; "blocklist"; }}
modules_disabled = {{ "s2s" }}
storage = "internal"
authentication = "internal_plain"
c2s_require_encryption = true
interfaces = {{ "127.0.0.1" }}
c2s_ports = {{ {client} }}
component_ports = {{ {component} }}
component_interface = "127.0.0.1"
log = {{ {{ levels = {{ min = "info" }}, to = "console" }} }}
VirtualHost "{domain}"
    ssl = {{ certificate = "{folder}/cert.pem"; key = "{folder}/key.pem"; }}
Component "{door}"
    component_secret = "{secret}"
"""


class Prosody:
    """A server in a folder of its own, with accounts; a context manager.

    Args:
        users: local names of the accounts, all with `PASSWORD`.
    """

    def __init__(self, *users: str) -> None:
        self.users = users
        self.client_port, self.component_port = free_port(), free_port()
        self._child: Child | None = None

    def __enter__(self) -> Self:
        find_program("prosody", "prosody")  # before anything is made that would have to be removed
        self.folder = Path(tempfile.mkdtemp(prefix="prosody-"))
        self.certificate = self.folder / "cert.pem"
        _make_certificate(self.certificate, self.folder / "key.pem")
        (self.folder / "data").mkdir()
        text = _LINES.format(
            folder=self.folder, client=self.client_port, component=self.component_port, domain=DOMAIN, door=COMPONENT,
            secret=SECRET,
        )  # fmt: skip
        (self.folder / "prosody.cfg.lua").write_text(text, "utf-8")
        for user in self.users:
            self.add(user)
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def add(self, user: str) -> str:
        """Makes an account; returns its address."""
        folder = self.folder / "data" / DOMAIN.replace(".", "%2e") / "accounts"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{user}.dat").write_text(f'return {{ ["password"] = "{PASSWORD}" }};\n', "utf-8")
        return f"{user}@{DOMAIN}"

    def start(self) -> None:
        """Starts it; returns when both doors are open."""
        program = find_program("prosody", "prosody")
        self._child = Child([program, "-F", "--config", str(self.folder / "prosody.cfg.lua")], directory=self.folder)
        ports = (self.client_port, self.component_port)
        until(lambda: all(port_is_bound(port, "tcp") for port in ports), _START_SECONDS, "prosody's start")

    def stop(self, *, crash: bool = False) -> None:
        """Ends it, in order or as at a crash."""
        if self._child is not None:
            child, self._child = self._child, None
            child.stop(ask=child.process.kill if crash else None)

    def pause(self) -> None:
        """It is silent from now on, its connections open."""
        assert self._child is not None
        self._child.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """It speaks again."""
        assert self._child is not None
        self._child.process.send_signal(signal.SIGCONT)

    @property
    def lines(self) -> list[str]:
        """What it wrote on its console."""
        return [] if self._child is None else list(self._child.lines)


def _make_certificate(certificate: Path, key_file: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, DOMAIN)])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(DOMAIN)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
