"""How much a relayed MESSAGE costs: a daemon of its own process, a load that keeps a fixed number in flight.

A relayed message is: receive, digest check, translate, identify, judge, record durably, 202, forward, 200, record the
outcome: two datagrams in and two out. The daemon's CPU time is read from the system, so the load's own cost is not in
it.
"""

import hashlib
import json
import os
import resource
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from attrs import define, field

from bridge.app.config import load
from bridge.app.control import ControlError, ask
from bridge.app.home import Home
from bridge.identity.changes import AddUser
from bridge.identity.secret import Secret

DOMAIN = "corp.example"
PASSWORD = "secret"
CONFIG = """
[bridge]
domain = "corp.example"
data_dir = "var"
log_level = "warning"
[sip]
listen = ["udp:127.0.0.1:0"]
nonce_lifetime = 3600.0
[policy]
file = "policy.toml"
"""
POLICY = """
[policy]
version = "bench"
[[rule]]
id = "inside"
effect = "allow"
from = ["domain:corp.example"]
to = ["domain:corp.example"]
"""


def md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()


@define(slots=False)
class Daemon:
    """A daemon under load."""

    folder: Path
    command: list[str]
    process: "subprocess.Popen[bytes]" = field(init=False)
    port: int = field(init=False)

    def start(self, users: int) -> None:
        (self.folder / "simplebridge.toml").write_text(CONFIG)
        (self.folder / "policy.toml").write_text(POLICY)
        home = Home(load(self.folder / "simplebridge.toml"))
        home.change_people(
            [AddUser(address=f"u{n}@{DOMAIN}", password=Secret(PASSWORD)) for n in range(users)], actor="bench"
        )
        self.process = subprocess.Popen(
            [*self.command, "--config", str(self.folder / "simplebridge.toml"), "run"], stderr=sys.stderr
        )
        deadline = time.monotonic() + 20
        while True:
            try:
                status = ask(self.folder / "var", "status")
                if status["state"] == "up":
                    break
            except ControlError:
                pass
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise RuntimeError("the daemon did not start")
            time.sleep(0.05)
        self.port = int(status["listeners"][0].rpartition(":")[2])

    def cpu(self) -> float:
        """User and system seconds of all its threads so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)


@define(slots=False)
class Load:
    """Users behind one socket each pair; keeps ``window`` messages in flight."""

    server: tuple[str, int]
    users: int
    window: int
    sock: socket.socket = field(init=False)
    me: str = field(init=False)
    nonces: dict[int, str] = field(factory=dict)
    counts: dict[int, int] = field(factory=dict)
    serial: int = 0
    delivered: int = 0
    accepted: int = 0
    refused: int = 0

    def __attrs_post_init__(self) -> None:
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        self.sock.bind(("127.0.0.1", 0))
        self.sock.connect(self.server)
        self.me = f"127.0.0.1:{self.sock.getsockname()[1]}"
        self.ha1 = [md5(f"u{n}:{DOMAIN}:{PASSWORD}") for n in range(self.users)]

    def register(self) -> None:
        for user in range(self.users):
            answer = self._ask(self._request("REGISTER", user, f"sip:{DOMAIN}", user))
            self.nonces[user] = answer.partition(b'nonce="')[2].partition(b'"')[0].decode()
            answer = self._ask(self._request("REGISTER", user, f"sip:{DOMAIN}", user))
            if not answer.startswith(b"SIP/2.0 200"):
                raise RuntimeError(answer.decode())

    def _ask(self, request: bytes) -> bytes:
        self.sock.settimeout(5)
        self.sock.send(request)
        return self.sock.recv(65536)

    def _request(self, method: str, user: int, uri: str, to: int) -> bytes:
        self.serial += 1
        auth = ""
        nonce = self.nonces.get(user)
        if nonce is not None:
            count = self.counts[user] = self.counts.get(user, 0) + 1
            nc = f"{count:08x}"
            response = md5(f"{self.ha1[user]}:{nonce}:{nc}:c:auth:{md5(f'{method}:{uri}')}")
            name = "Authorization" if method == "REGISTER" else "Proxy-Authorization"
            auth = (
                f'{name}: Digest username="u{user}", realm="{DOMAIN}", nonce="{nonce}", uri="{uri}", '
                f'response="{response}", algorithm=MD5, cnonce="c", qop=auth, nc={nc}\r\n'
            )
        body = f"message {self.serial} with the length of a usual sentence in a chat" if method == "MESSAGE" else ""
        contact = f"Contact: <sip:u{user}@{self.me}>\r\n" if method == "REGISTER" else ""
        return (
            f"{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {self.me};branch=z9hG4bK{self.serial}x\r\nMax-Forwards: 70\r\n"
            f"From: <sip:u{user}@{DOMAIN}>;tag=t{user}\r\nTo: <sip:u{to}@{DOMAIN}>\r\n"
            f"Call-ID: {self.serial}@{self.me}\r\nCSeq: {self.serial} {method}\r\n{contact}{auth}"
            f"Content-Type: text/plain\r\nContent-Length: {len(body)}\r\n\r\n{body}"
        ).encode()

    def run(self, messages: int, seconds: float = 60.0) -> float:
        """Relays ``messages``; returns the seconds that it took."""
        sock, users = self.sock, self.users
        sock.setblocking(False)
        goal, sent = self.delivered + messages, 0
        start = time.monotonic()
        poll = select.poll()
        poll.register(sock, select.POLLIN)
        in_flight = 0
        while self.delivered < goal:
            while in_flight < self.window and sent < messages:
                user = sent % users
                peer = (user + 1) % users
                sock.send(self._request("MESSAGE", user, f"sip:u{peer}@{DOMAIN}", peer))
                sent += 1
                in_flight += 1
            if not poll.poll(1000) and time.monotonic() - start > seconds:
                break
            for _ in range(64):
                try:
                    data = sock.recv(65536)
                except BlockingIOError:
                    break
                if data.startswith(b"MESSAGE"):
                    sock.send(_ok(data))
                    self.delivered += 1
                    in_flight -= 1
                elif data.startswith(b"SIP/2.0 202"):
                    self.accepted += 1
                else:
                    self.refused += 1
                    if self.refused < 3:
                        print(data[:200].decode(), file=sys.stderr)
        return time.monotonic() - start


def _ok(message: bytes) -> bytes:
    head = message.partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]
    kept = [line for line in head if line[:4] in {b"Via:", b"From", b"To: ", b"Call", b"CSeq"}]
    return b"SIP/2.0 200 OK\r\n" + b"\r\n".join(kept) + b"\r\nContent-Length: 0\r\n\r\n"


def run(
    messages: int = 20_000, users: int = 100, window: int = 64, command: list[str] | None = None
) -> dict[str, float]:
    """Measures one daemon; returns messages per second and CPU microseconds per message."""
    with tempfile.TemporaryDirectory() as folder:
        daemon = Daemon(Path(folder), command or [sys.executable, "-m", "bridge"])
        daemon.start(users)
        try:
            load_ = Load(("127.0.0.1", daemon.port), users, window)
            load_.register()
            load_.run(min(2000, messages))
            cpu, done = daemon.cpu(), load_.delivered
            own = resource.getrusage(resource.RUSAGE_SELF).ru_utime
            seconds = load_.run(messages)
            count = load_.delivered - done
            return {
                "messages": float(count),
                "per_second": count / seconds,
                "cpu_us": (daemon.cpu() - cpu) / max(count, 1) * 1e6,
                "load_cpu_us": (resource.getrusage(resource.RUSAGE_SELF).ru_utime - own) / max(count, 1) * 1e6,
                "refused": float(load_.refused),
            }
        finally:
            daemon.stop()


if __name__ == "__main__":
    print(json.dumps(run(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000), indent=1))
