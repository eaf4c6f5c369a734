"""The sample network for the conformance suite: its server as a process, people as plain sockets."""

from __future__ import annotations

import json
import secrets
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

from bridge.model.body import TypingState
from bridge.model.presence import Activity, Basic, PersonPresence
from tests.kit.conformance.rig import Ability, Heard, Login
from tests.kit.json_process import JsonProcess
from tests.kit.ports import free_port

_HOST = "127.0.0.1"
_PATIENCE = 15.0
_STATES = {state.value: state for state in (TypingState.ACTIVE, TypingState.PAUSED, TypingState.IDLE)}
Line = dict[str, Any]


class LoopbackPerson:
    """Somebody with a plain socket and a thread that reads it."""

    def __init__(self, rig: LoopbackRig, name: str) -> None:
        self._rig = rig
        self.name = name
        self._socket: socket.socket | None = None
        self._lines: list[Line] = []
        self._changed = threading.Condition()

    def come(self) -> None:
        """Signs on; the welcome says that the server has it."""
        since = len(self._lines)
        self._socket = socket.create_connection((_HOST, self._rig.port), _PATIENCE)
        threading.Thread(target=self._read, args=(self._socket,), daemon=True).start()
        self._say({"do": "sign-on", "name": self.name, "password": "p", "show": "open"})
        self._wait(lambda line: line["is"] == "welcome", since)

    def go(self) -> None:
        """Signs off."""
        since = len(self._rig.process.events)
        self._say({"do": "sign-off"})
        self._rig.happened("offline", self.name, since)
        self.end()

    @property
    def present(self) -> bool:
        """Whether they are signed on, or want to be."""
        return self._socket is not None

    def end(self) -> None:
        """The socket is closed."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _say(self, line: Line) -> None:
        assert self._socket is not None, f"{self.name} is not signed on"
        self._socket.sendall(json.dumps(line).encode() + b"\n")

    def _read(self, stream: socket.socket) -> None:
        stream.settimeout(None)
        with stream.makefile("rb") as lines:
            try:
                for raw in lines:
                    self._take(json.loads(raw))
            except OSError:
                return  # the rig ends, or the server is gone

    def _take(self, line: Line) -> None:
        with self._changed:
            self._lines.append(line)
            self._changed.notify_all()
        if line["is"] == "message":
            self._say({"do": "got", "number": line["number"]})

    def _wait(self, wanted: Callable[[Line], bool], since: int) -> Line:
        with self._changed:
            found = self._changed.wait_for(lambda: [each for each in self._lines[since:] if wanted(each)], _PATIENCE)
        assert found, f"{self.name} has waited in vain; heard {self._lines[since:]}"
        return found[0]

    def send(self, to: str, text: str) -> None:
        """Writes to an account."""
        since, name = len(self._lines), secrets.token_hex(16)
        self._say({"do": "send", "id": name, "to": to, "text": text})
        self._wait(lambda line: line["is"] == "ack" and line["id"] == name, since)

    def heard(self) -> Sequence[Heard]:
        """Everything that they were told."""
        return [heard for line in list(self._lines) if (heard := _heard(line)) is not None]

    def typing(self, to: str, state: TypingState) -> None:
        """Types to an account."""
        self._say({"do": "typing", "to": to, "state": state.value})

    def show(self, presence: PersonPresence) -> None:
        """Shows themselves open or away."""
        show = "open" if presence.activity is Activity.AVAILABLE else "away"
        self._say({"do": "show", "show": show, "note": presence.note})

    def watch(self, name: str) -> None:
        """Wants to see an account."""
        self._say({"do": "watch", "name": name})

    def sees(self, name: str) -> PersonPresence | None:
        """How an account was last shown."""
        shown = [line for line in list(self._lines) if line["is"] == "presence" and line["name"] == name]
        if not shown:
            return None
        basic = Basic.CLOSED if shown[-1]["show"] == "gone" else Basic.OPEN
        activity = Activity.AWAY if shown[-1]["show"] == "away" else Activity.AVAILABLE
        return PersonPresence(basic=basic, activity=activity, note=shown[-1]["note"])

    def displayed(self, heard: Heard) -> None:
        """Nothing more is said than that it has arrived, which was said as it came."""

    def edit(self, to: str, remote_id: str | None, text: str) -> None:
        """There is no such word."""
        raise NotImplementedError(f"{to}, {remote_id}, {text}")


def _heard(line: Line) -> Heard | None:
    if line["is"] == "message":
        return Heard(kind="message", sender=line["from"], text=line["text"], remote_id=line["id"])
    if line["is"] == "typing":
        return Heard(kind="typing", sender=line["from"], state=_STATES[line["state"]])
    if line["is"] == "delivered":
        return Heard(kind="receipt", sender=line["by"], target=line["id"])
    return None


class LoopbackRig:
    """The sample network."""

    kind = "loopback"
    burst = 40
    accounts: Sequence[Login] = (Login(name="Alice.Work", password="a"), Login(name="bob@work.example", password="b"))
    cannot: Mapping[Ability, str] = {
        "edits": "the sample network cannot correct a message",
        "look_alikes": "its names are ASCII letters and digits",
    }
    alike: Sequence[tuple[str, str, bool]] = (
        ("theboogyman", "TheBoogyMan", True),
        ("alice.work", "ALICE.WORK", True),
        ("bob@work.example", "bob-work.example", False),
        ("bob@work.example", "bob.work.example", False),
        ("theboogyman", "theboogymen", False),
        ("theb0ogyman", "theboogyman", False),
    )
    hostile: Sequence[bytes] = (
        b"\n\n\n",
        b"null\n[]\n1\n",
        b'{"is": ["welcome"]}\n',
        b'{"is": "message"}\n{"is": "message", "from": 7, "text": [], "id": null, "number": "x"}\n',
        b'{"is": "presence", "name": "x", "show": "naked"}\n{"is": "typing"}\n{"is": "ack"}\n',
        b'{"is": "message", "from": "\\ud800", "text": "\\ud800", "id": "x", "number": 1}\n',
        b"[" * 60_000 + b"\n",
        b'{"is": "message", "from": "a", "text": "' + b"x" * 70_000,
        b'{"is": "elsewhere"}\n{"is": "welcome"}\n{"is": "no"}\n',
        b'{"is": "welcome", "name": "\xff\xfe"}\n',
    )

    def __init__(self) -> None:
        self.port = free_port()
        self._server: JsonProcess | None = None
        self._people = [LoopbackPerson(self, name) for name in ("theboogyman", "suzie")]
        self._accounts = {login.name: login.password for login in self.accounts}
        self._accounts |= {person.name: "p" for person in self._people}

    @property
    def process(self) -> JsonProcess:
        """The server."""
        assert self._server is not None, "the server is stopped"
        return self._server

    @property
    def server(self) -> tuple[str, int]:
        """Where the server listens."""
        return _HOST, self.port

    def __enter__(self) -> Self:
        self.start_server()
        return self

    def __exit__(self, *_: object) -> None:
        for person in self._people:
            person.end()
        self.stop_server()

    def section(self, host: str, port: int) -> str:
        """Options of the network for a server there."""
        return f'server = "{host}:{port}"\nsign_ons_per_second = 50.0'

    def stop_server(self) -> None:
        """The server is gone."""
        if self._server is not None:
            self._server.stop()
            self._server = None

    def start_server(self) -> None:
        """The server is there (again)."""
        arguments = ["--listen", f"{_HOST}:{self.port}"]
        for name, password in self._accounts.items():
            arguments += ["--account", f"{name}:{password}"]
        self._server = JsonProcess("tests.kit.loopback_server", arguments)
        self._server.wait_for(lambda event: "listening" in event, "its address")
        for person in self._people:
            if person.present:
                person.come()

    def happened(self, event: str, name: str, since: int) -> None:
        """Waits until somebody came or went."""
        wanted = {"event": event, "name": name}
        self.process.wait_for(lambda line: line == wanted, f"{wanted}", since=since)

    def outsider(self, number: int) -> LoopbackPerson:
        """One of two people."""
        return self._people[number]

    def kick(self, account: str) -> None:
        """Another client takes the name."""
        password = next(word for name, word in self._accounts.items() if name.lower() == account)
        with socket.create_connection((_HOST, self.port), _PATIENCE) as other, other.makefile("rb") as lines:
            line = {"do": "sign-on", "name": account, "password": password, "show": "open"}
            other.sendall(json.dumps(line).encode() + b"\n")
            assert json.loads(lines.readline())["is"] == "welcome"

    def sayable(self, text: str) -> str:
        """What a client can send of a text: any text."""
        return text

    def add_accounts(self, count: int) -> Sequence[Login]:
        """Makes further accounts."""
        logins = [Login(name=f"many{number:05}", password="m") for number in range(count)]
        self._accounts.update((login.name, login.password) for login in logins)
        for login in logins:
            self.process.ask({"do": "account", "name": login.name, "password": login.password})
        return logins
