"""AIM and ICQ for the conformance suite: the server of tests/kit as a process, people as processes of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Self

from bridge.model.body import TypingState
from bridge.model.presence import Activity, Basic, PersonPresence
from tests.kit.conformance.rig import Ability, Heard, Login, Outsider
from tests.kit.json_process import Event
from tests.kit.oscar_server.process import OscarServerProcess, OscarUserProcess
from tests.kit.ports import free_port
from transports.oscar.wire.flap import DATA, SIGNON, FlapSequence, SignonFrame
from transports.oscar.wire.names import normal
from transports.oscar.wire.native import Typing

_HOST = "127.0.0.1"
_TYPING = {
    Typing.TYPING.value: TypingState.ACTIVE,
    Typing.TYPED.value: TypingState.PAUSED,
    Typing.NONE.value: TypingState.IDLE,
    Typing.CLOSED.value: TypingState.GONE,
}
_STATES = {state: name for name, state in _TYPING.items()}
_NO_READING = "OSCAR has no word for a message that was read"
_NO_EDITS = "OSCAR cannot correct a message"


class OscarPerson:
    """A person on AIM or ICQ: a process for each time that they are signed on."""

    def __init__(self, rig: OscarRig, name: str, password: str) -> None:
        self._rig = rig
        self._typed = name
        self._password = password
        self._process: OscarUserProcess | None = None
        self._before: list[Event] = []
        self.name = normal(name)

    def come(self) -> None:
        """Signs on."""
        since = len(self._rig.process.events)
        self._process = OscarUserProcess(self._rig.address, self._typed, self._password)
        self._process.signed_on()
        self._rig.process.happened("online", self.name, since=since)

    def go(self) -> None:
        """Signs off."""
        process = self._running()
        since = len(self._rig.process.events)
        process.stop()
        self._rig.process.happened("offline", self.name, since=since)
        self._before += process.events
        self._process = None

    @property
    def present(self) -> bool:
        """Whether they are signed on, or try to be."""
        return self._process is not None

    def end(self) -> None:
        """The process ends, whether the server is there or not."""
        if self._process is not None:
            self._process.stop()

    def _running(self) -> OscarUserProcess:
        assert self._process is not None, f"{self.name} is not signed on"
        return self._process

    def events(self) -> list[Event]:
        """Everything that happened to them."""
        return self._before + ([] if self._process is None else list(self._process.events))

    def send(self, to: str, text: str) -> None:
        """Writes to an account."""
        result = self._running().send(to, text)
        assert result["stage"] == "relayed", result

    def heard(self) -> Sequence[Heard]:
        """Everything that they were told."""
        found = []
        for event in self.events():
            if event.get("event") == "message":
                found.append(Heard(kind="message", sender=normal(event["from"]), text=event["text"]))
            elif event.get("event") == "typing":
                found.append(Heard(kind="typing", sender=normal(event["from"]), state=_TYPING[event["state"]]))
        return found

    def typing(self, to: str, state: TypingState) -> None:
        """Types to an account."""
        self._running().do("typing", to=to, state=_STATES[state])

    def show(self, presence: PersonPresence) -> None:
        """Shows themselves open or away."""
        if presence.activity is Activity.AVAILABLE:
            self._running().do("back")
        else:
            self._running().do("away", text=presence.note or "away")

    def watch(self, name: str) -> None:
        """Puts an account on their list."""
        self._running().do("add", name=name)

    def sees(self, name: str) -> PersonPresence | None:
        """How an account was last shown."""
        for event in reversed(self.events()):
            if event.get("event") == "presence" and normal(event["name"]) == normal(name):
                away = event["away"] or bool((event.get("icq_status") or 0) & 1)
                return PersonPresence(
                    basic=Basic.OPEN if event["online"] else Basic.CLOSED,
                    activity=Activity.AWAY if away else Activity.AVAILABLE,
                    note=event["message"] or "",
                )
        return None

    def displayed(self, heard: Heard) -> None:
        """There is no such word."""
        raise NotImplementedError(f"{_NO_READING}: {heard}")

    def edit(self, to: str, remote_id: str | None, text: str) -> None:
        """There is no such word."""
        raise NotImplementedError(f"{_NO_EDITS}: {to}, {remote_id}, {text}")


class OscarRig:
    """A server for screen names (``aim``) or for ICQ numbers (``icq``).

    Args:
        icq: whether everybody has a number.
    """

    kind = "oscar"
    burst = 30

    def __init__(self, *, icq: bool) -> None:
        names = ("100101", "100102") if icq else ("Alice Work", "bobwork")
        people = ("200201", "200202") if icq else ("The Boogy Man", "suzie")
        self._port = free_port()
        self._stack = ExitStack()
        self._server: OscarServerProcess | None = None
        self._passwords = {**dict(zip(names, ("a", "b"), strict=True)), **dict.fromkeys(people, "p")}
        self._people = [OscarPerson(self, name, "p") for name in people]
        self.accounts: Sequence[Login] = [Login(name=name, password=self._passwords[name]) for name in names]
        self.alike: Sequence[tuple[str, str, bool]] = _UINS_ALIKE if icq else _NAMES_ALIKE
        self.cannot: Mapping[Ability, str] = {
            "receipts": _NO_READING,
            "edits": _NO_EDITS,
            "look_alikes": "names are ASCII letters and digits",
        }
        if not icq:
            self.cannot = {**self.cannot, "redelivers": "AIM's server forgets a message when it has handed it out"}

    @property
    def process(self) -> OscarServerProcess:
        """The server."""
        assert self._server is not None, "the server is stopped"
        return self._server

    @property
    def server(self) -> tuple[str, int]:
        """Where the server listens."""
        return _HOST, self._port

    @property
    def address(self) -> str:
        """Where the server listens, as text."""
        return f"{_HOST}:{self._port}"

    def __enter__(self) -> Self:
        self.start_server()
        return self

    def __exit__(self, *_: object) -> None:
        for person in self._people:
            person.end()
        self._stack.close()

    def section(self, host: str, port: int) -> str:
        """Options of the network for a server there."""
        lines = (f'server = "{host}:{port}"', f'server_override = {{ "*" = "{host}:{port}" }}')
        return "\n".join([*lines, "sign_ons_per_second = 50.0"])

    def stop_server(self) -> None:
        """The server is gone."""
        self._stack.close()
        self._server = None

    def start_server(self) -> None:
        """The server is there (again)."""
        self._server = self._stack.enter_context(OscarServerProcess(self._passwords, listen=self.address))
        for person in self._people:
            if person.present:
                self._server.happened("online", person.name, timeout=30.0)

    def outsider(self, number: int) -> Outsider:
        """One of two people."""
        return self._people[number]

    def kick(self, account: str) -> None:
        """Another client takes the name, and leaves again."""
        with OscarUserProcess(self.address, account, self._password(account)) as other:
            other.signed_on()

    def _password(self, account: str) -> str:
        return next(password for name, password in self._passwords.items() if normal(name) == normal(account))

    def sayable(self, text: str) -> str:
        """What a client can send of a text: any text."""
        return text

    def add_accounts(self, count: int) -> Sequence[Login]:
        """Makes further accounts."""
        logins = [Login(name=f"many{number:05}", password="m") for number in range(count)]
        self._passwords.update((login.name, login.password) for login in logins)
        for login in logins:
            self.process.add_account(login.name, login.password)
        return logins

    @property
    def hostile(self) -> Sequence[bytes]:
        """FLAP frames and SNACs that lie."""
        hello = FlapSequence(1).frame(SIGNON, SignonFrame().encode())
        return [
            b"\x2a\x02\x00\x01\xff\xff" + b"\x00" * 100,  # the length of a frame that never ends
            b"\x2a\x09\x00\x01\x00\x00",  # a channel that there is not
            b"\x00" * 64,  # no frame at all
            hello + FlapSequence(2).frame(DATA, b"\x00\x01"),  # half a SNAC header
            hello + FlapSequence(2).frame(DATA, b"\x00\x13\x00\x06\x00\x00\x80\x00\x00\x00\x00\xff\xff\x00"),
            hello + FlapSequence(2).frame(DATA, b"\x00\x04\x00\x07\x00\x00\x80\x00\x00\x00" + b"\xff" * 200),
            hello + FlapSequence(2).frame(DATA, b"\x00\x01\x00\x07\x00\x00\x00\x00\x00\x02\xff\xff\xff\xff"),
            hello + FlapSequence(2).frame(4, b"\x00\x05\xff\xffbos"),  # signed off, with a TLV that lies
        ]


_NAMES_ALIKE = (
    ("theboogyman", "The Boogy Man", True),
    ("theboogyman", "THEBOOGYMAN", True),
    ("theboogyman", "thebo\u043egyman", False),
    ("theboogyman", "thebo0gyman", False),
    ("theboogyman", "theboogymen", False),
    ("bob@mail.example", "Bob@Mail.Example", True),
    ("bob@mail.example", "bob%40mail.example", False),
    ("bob@mail.example", "bobmail.example", False),
    ("illinois", "iliinois", False),
)
_UINS_ALIKE = (
    ("100101", "100-101", True),
    ("100101", "100 101", True),
    ("100101", "1001010", False),
    ("100101", "0100101", False),
    ("100101", "\uff11\uff10\uff10\uff11\uff10\uff11", False),
)
