"""MSN for the conformance suite: the server of tests/kit as a process, people as processes of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Self

from bridge.model.body import TypingState
from bridge.model.presence import OFFLINE, PersonPresence
from mappings.msnp_presence import MSN, from_contact
from tests.kit.conformance.rig import Ability, Heard, Login, Outsider
from tests.kit.json_process import Event
from tests.kit.msnp_server.process import MsnpServerProcess, MsnpUserProcess
from tests.kit.ports import free_port
from transports.msnp.wire.native import ContactPresence
from transports.msnp.wire.text import normal

_HOST = "127.0.0.1"
_NO_READING = "MSNP has no word for a message that was read"
_NO_EDITS = "MSNP cannot correct a message"


class MsnpPerson:
    """A person on MSN: a process for each time that they are signed on."""

    def __init__(self, rig: MsnpRig, name: str, password: str) -> None:
        self._rig = rig
        self._typed = name
        self._password = password
        self._process: MsnpUserProcess | None = None
        self._before: list[Event] = []
        self.name = normal(name)

    def come(self) -> None:
        """Signs on."""
        since = len(self._rig.process.events)
        self._process = MsnpUserProcess(self._rig.process, self._typed, self._password)
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

    def come_back(self) -> None:
        """Signs on again, if they were, after their server was gone."""
        if self._process is not None:
            self._process.stop()
            self._before += self._process.events
            self.come()

    def end(self) -> None:
        """The process ends, whether the server is there or not."""
        if self._process is not None:
            self._process.stop()

    def _running(self) -> MsnpUserProcess:
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
                state = TypingState.ACTIVE if event["typing"] else TypingState.IDLE
                found.append(Heard(kind="typing", sender=normal(event["from"]), state=state))
        return found

    def typing(self, to: str, state: TypingState) -> None:
        """Types to an account: a conversation is opened with words where there is none."""
        result = self._running().do("typing", to=to, typing=state is TypingState.ACTIVE)
        if result["stage"] == "failed":
            self.send(to, "...")
            self._running().do("typing", to=to, typing=state is TypingState.ACTIVE)

    def show(self, presence: PersonPresence) -> None:
        """Shows themselves open or away."""
        self._running().do("presence", status=MSN.to[presence.activity], text=presence.note)

    def watch(self, name: str) -> None:
        """Puts an account on their list."""
        self._running().do("add", name=name)

    def sees(self, name: str) -> PersonPresence | None:
        """How an account was last shown."""
        for event in reversed(self.events()):
            if event.get("event") == "presence" and normal(event["name"]) == normal(name):
                seen = ContactPresence(
                    account=self.name, passport=name, status=event["status"], message=event["message"]
                )
                return OFFLINE if event["status"] == "FLN" else from_contact(seen, 0.0)
        return None

    def displayed(self, heard: Heard) -> None:
        """There is no such word."""
        raise NotImplementedError(f"{_NO_READING}: {heard}")

    def edit(self, to: str, remote_id: str | None, text: str) -> None:
        """There is no such word."""
        raise NotImplementedError(f"{_NO_EDITS}: {to}, {remote_id}, {text}")


class MsnpRig:
    """A server with passports."""

    kind = "msnp"
    burst = 15

    def __init__(self) -> None:
        names = ("Alice.Work@hotmail.example", "bobwork@hotmail.example")
        people = ("boogyman@hotmail.example", "suzie@hotmail.example")
        self._port, self._web = free_port(), free_port()
        self._stack = ExitStack()
        self._server: MsnpServerProcess | None = None
        self._passwords = {**dict(zip(names, ("a", "b"), strict=True)), **dict.fromkeys(people, "p")}
        self._people = [MsnpPerson(self, name, "p") for name in people]
        self.accounts: Sequence[Login] = [Login(name=name, password=self._passwords[name]) for name in names]
        self.alike: Sequence[tuple[str, str, bool]] = _ALIKE
        self.cannot: Mapping[Ability, str] = {
            "receipts": _NO_READING,
            "edits": _NO_EDITS,
            "look_alikes": "passports are ASCII",
            "redelivers": "a switchboard forgets a message when it has handed it out",
            "stores": "up to MSNP10, and without a web service, MSN keeps nothing for who is away",
        }

    @property
    def process(self) -> MsnpServerProcess:
        """The server."""
        assert self._server is not None, "the server is stopped"
        return self._server

    @property
    def server(self) -> tuple[str, int]:
        """Where the server listens."""
        return _HOST, self._port

    def __enter__(self) -> Self:
        self.start_server()
        return self

    def __exit__(self, *_: object) -> None:
        for person in self._people:
            person.end()
        self._stack.close()

    def section(self, host: str, port: int) -> str:
        """Options of the network for a server there."""
        return "\n".join(
            [
                f'server = "{host}:{port}"',
                f'server_override = {{ "*" = "{host}:{port}" }}',
                f'login = "http://{_HOST}:{self._web}/login"',
                "sign_ons_per_second = 50.0",
            ]
        )

    def stop_server(self) -> None:
        """The server is gone."""
        self._stack.close()
        self._server = None

    def start_server(self) -> None:
        """The server is there (again), and so are the people."""
        made = MsnpServerProcess(self._passwords, listen=f"{_HOST}:{self._port}", web=self._web)
        self._server = self._stack.enter_context(made)
        for person in self._people:
            person.come_back()

    def outsider(self, number: int) -> Outsider:
        """One of two people."""
        return self._people[number]

    def kick(self, account: str) -> None:
        """Another client takes the name, and leaves again."""
        with MsnpUserProcess(self.process, account, self._password(account)) as other:
            other.signed_on()

    def _password(self, account: str) -> str:
        return next(password for name, password in self._passwords.items() if normal(name) == normal(account))

    def sayable(self, text: str) -> str:
        """What a client can send of a text: any text."""
        return text

    def add_accounts(self, count: int) -> Sequence[Login]:
        """Makes further accounts."""
        logins = [Login(name=f"many{number:05}@hotmail.example", password="m") for number in range(count)]
        for login in logins:
            self.process.control("account", name=login.name, password=login.password)
            self._passwords[login.name] = login.password  # they are there after a restart, too
        return logins

    @property
    def hostile(self) -> Sequence[bytes]:
        """Commands that lie."""
        return [
            b"VER 1 MSNP12\r\nMSG Hotmail Hotmail 999999999\r\n" + b"x" * 100,
            b"VER 1 MSNP999\r\n",
            b"MSG x y 5000\r\nshort",
            b"XFR 1 NS 127.0.0.1:99999 0 0\r\n",
            b"XFR 1 NS  0 0\r\nLST\r\nILN\r\nADC 0 ZZ\r\n",
            b"CHL 0\r\nRNG\r\nRNG 1 nowhere CKI x y z\r\nUBX a@b 7\r\n<x><x><",
            b"\x00" * 64,
            b"A" * 20_000,
            b'ADL 0 60\r\n<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]><ml>&b;</ml>',
        ]


_ALIKE = (
    ("bob@hotmail.example", "Bob@Hotmail.Example", True),
    ("bob@hotmail.example", "BOB@HOTMAIL.EXAMPLE", True),
    ("bob@hotmail.example", "b\u043eb@hotmail.example", False),
    ("bob@hotmail.example", "bob%40hotmail.example", False),
    ("bob@hotmail.example", "bob@hotmai1.example", False),
    ("bob@hotmail.example", "b.ob@hotmail.example", False),
)
