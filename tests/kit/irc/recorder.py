"""Records a session of ours with a real server, so that a test lives through it again, line for line.

    python -m tests.kit.irc.recorder tests/wire/irc

``C>`` ours, ``S<`` the server's, ``--`` what we did; the first column is seconds since the start.
"""

from __future__ import annotations

import random
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.kit.irc.servers import HOST, PASSWORD, Inspircd, IrcServer, Ngircd
from tests.kit.irc.user import IrcUser, kill
from transports.common.machine.actions import Connect, SendDone
from transports.irc.machine.config import SessionConfig
from transports.irc.machine.session import IrcSession
from transports.irc.wire import native

SEED = 7
CONFIG: dict[str, Any] = {"messages_per_second": 20.0, "burst": 20, "poll_interval": 0.5}
_LOOK = 0.02


class Recorder:
    """A session on a blocking socket, and everything that happened to it."""

    def __init__(self, server: IrcServer, account: str, password: str = PASSWORD) -> None:
        self.lines = [f"account {account} {password} seed={SEED}"]
        self.session = IrcSession(
            account, password, SessionConfig(host="irc.test", port=6667, **CONFIG), rng=random.Random(SEED)
        )
        self._server = server
        self._began = time.monotonic()
        self._socket: socket.socket | None = None
        self._conn = 0
        self._keys = 0
        self.events: list[object] = []

    def now(self) -> float:
        """Seconds since the start, as they are written down."""
        return round(time.monotonic() - self._began, 3)

    def note(self, what: str, now: float) -> None:
        """Writes a line down."""
        self.lines.append(f"{now:.3f} {what}")

    def start(self) -> None:
        """Signs on."""
        now = self.now()
        self.note("-- start", now)
        self.session.start(now)
        self.pump(now)

    def send(self, value: native.Outbound) -> None:
        """Sends a value."""
        now, self._keys = self.now(), self._keys + 1
        self.note(f"-- send {value!r}", now)
        self.session.send(value, self._keys, now)
        self.pump(now)

    def stop(self) -> None:
        """Signs off."""
        now = self.now()
        self.note("-- stop", now)
        self.session.stop(now)
        self.pump(now)

    def pump(self, now: float) -> None:
        """Carries out what the session wants."""
        for _, data in self.session.to_send():
            for line in data.decode().split("\r\n")[:-1]:
                self.note(f"C> {line}", now)
            if self._socket is not None:
                self._socket.sendall(data)
        while (action := self.session.next_action()) is not None:
            if isinstance(action, Connect):
                self._conn = action.conn_id
                self._socket = socket.create_connection((HOST, self._server.port))
                self._socket.settimeout(_LOOK)
                self.note("-- connected", now)
                self.session.connected(self._conn, now)
                self.pump(now)
        while (event := self.session.next_event()) is not None:
            self.events.append(event)
            self.note(f"-- event {type(event).__name__}", now)

    def run(self, until: Callable[[], bool], seconds: float = 15.0) -> None:
        """Lets things happen until a condition holds."""
        end = time.monotonic() + seconds
        while not until():
            if time.monotonic() > end:
                raise TimeoutError("\n".join(self.lines[-20:]))
            self._step()

    def _step(self) -> None:
        assert self._socket is not None
        try:
            data = self._socket.recv(65_536)
        except TimeoutError:
            data = None
        now = self.now()
        if data:
            while not data.endswith(b"\n"):
                data += self._socket.recv(65_536)
            for line in data.split(b"\r\n")[:-1]:
                self.note(f"S< {line.decode('utf-8', 'backslashreplace')}", now)
            self.session.receive(self._conn, data, now)
        elif data is not None:
            self.note("-- lost", now)
            self.session.connection_lost(self._conn, now)
        else:
            deadline = self.session.next_deadline()
            if deadline is None or deadline > now:
                return
            self.note("-- timer", now)
            self.session.handle_timer(now)
        self.pump(now)

    def got(self, kind: type, count: int = 1) -> Callable[[], bool]:
        """Whether so many events of a kind have come."""
        return lambda: sum(isinstance(event, kind) for event in self.events) >= count

    def up(self) -> bool:
        """Whether the session is signed on."""
        return self.session.state == "up"


def conversation(recorder: Recorder, server: IrcServer) -> None:
    """Messages both ways, nobody there, away and back, typing, a change of name, a leave."""
    with IrcUser(server.port, "Bob[x]", caps="message-tags") as bob:
        recorder.start()
        recorder.run(recorder.up)
        nick = recorder.session._work.fold("Bob[x]")
        recorder.send(native.ContactAdd(account="alice", nick=nick))
        recorder.run(recorder.got(native.ContactPresence))
        recorder.send(native.MessageSend(account="alice", to=nick, text="h\u00e9llo \U0001f600"))
        recorder.send(native.MessageSend(account="alice", to="nobody", text="are you there?"))
        recorder.send(native.MessageSend(account="alice", to=nick, text="waves", kind=native.Kind.ACTION))
        recorder.send(native.TypingSend(account="alice", to=nick, state=native.Typing.ACTIVE))
        recorder.run(recorder.got(SendDone, 5))
        bob.message("alice", "hi \x02there\x02")
        recorder.run(recorder.got(native.MessageReceived))
        bob.say("AWAY :lunch")
        recorder.run(lambda: any(getattr(event, "away_text", "") == "lunch" for event in recorder.events))
        recorder.send(native.OwnPresence(account="alice", away_text="in a meeting"))
        recorder.run(recorder.got(SendDone, 6))
        before = len(recorder.events)
        bob.say("NICK bobby")
        recorder.run(
            lambda: any(
                isinstance(event, native.ContactPresence) and not event.online for event in recorder.events[before:]
            )
        )
    recorder.stop()


def killed(recorder: Recorder, server: IrcServer) -> None:
    """An operator ends the session."""
    recorder.start()
    recorder.run(recorder.up)
    kill(server.port, "alice", "bad day")
    recorder.run(lambda: recorder.session.state == "waiting")


def refused(recorder: Recorder, server: IrcServer) -> None:
    """A wrong password."""
    del server
    recorder.start()
    recorder.run(lambda: recorder.session.state == "idle")


def in_use(recorder: Recorder, server: IrcServer) -> None:
    """Somebody else has the name."""
    with IrcUser(server.port, "alice"):
        recorder.start()
        recorder.run(recorder.up)
        recorder.stop()


SCRIPTS = {"conversation": conversation, "killed": killed, "refused": refused, "in-use": in_use}


def main(folder: Path) -> None:
    """Records each script with each server."""
    servers: dict[str, Callable[[], IrcServer]] = {
        "ngircd": Ngircd,
        "inspircd-monitor": Inspircd,
        "inspircd-watch": lambda: Inspircd("watch"),
    }
    for name, make in servers.items():
        for title, script in SCRIPTS.items():
            if "watch" in name and script is not conversation:
                continue
            with make() as server:
                recorder = Recorder(server, "alice", "wrong" if script is refused else PASSWORD)
                script(recorder, server)
                (folder / f"{name}-{title}.txt").write_text("\n".join(recorder.lines) + "\n", "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
