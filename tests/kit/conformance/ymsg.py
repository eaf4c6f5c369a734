"""Yahoo! Messenger for the conformance suite: the server of tests/kit as a process, people on sockets of their own."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Self

from bridge.model.body import TypingState
from bridge.model.presence import Activity, Basic, PersonPresence
from tests.kit.conformance.rig import Ability, Heard, Login, Outsider
from tests.kit.ports import free_port
from tests.kit.ymsg_server.process import YmsgServerProcess
from tests.kit.ymsg_server.user import YmsgUser
from transports.ymsg.wire import codes
from transports.ymsg.wire.names import normal
from transports.ymsg.wire.packet import Packet, pairs_of

_HOST = "127.0.0.1"
_CODES = re.compile("\x1b\\[[^m]*m")
_NO_LINK = "\x1b[xlm"
"""The end of a link: a client that means a ``<`` writes it behind one."""
_NO_READING = "YMSG has no word for a message that was read"
_NO_EDITS = "YMSG cannot correct a message"


class YmsgPerson:
    """A person on Yahoo!: a socket for each time that they are signed on."""

    def __init__(self, rig: YmsgRig, name: str) -> None:
        self._rig = rig
        self._typed = name
        self._user: YmsgUser | None = None
        self._before: list[Packet] = []
        self._lock = threading.Lock()
        self.name = normal(name)

    def come(self) -> None:
        """Signs on."""
        with self._lock:
            self._user = YmsgUser(self._rig.address, self._typed, "p")

    def go(self) -> None:
        """Signs off."""
        with self._lock:
            user = self._running()
            user.write(codes.LOGOFF, (0, self.name))
            user.wait_end()
            self._forget()

    def end(self) -> None:
        """The socket is closed, whether the server is there or not."""
        with self._lock:
            self._forget()

    @property
    def there(self) -> bool:
        """Whether they are signed on."""
        return self._user is not None

    def _forget(self) -> None:
        if self._user is not None:
            self._user.close()
            self._before += self._user.packets
            self._user = None

    def _running(self) -> YmsgUser:
        assert self._user is not None, f"{self.name} is not signed on"
        return self._user

    def packets(self) -> list[Packet]:
        """Everything that they were sent."""
        with self._lock:
            if self._user is None:
                return list(self._before)
            self._user.drain()
            return self._before + self._user.packets

    def send(self, to: str, text: str) -> None:
        """Writes to an account."""
        with self._lock:
            user = self._running()
            user.say(to, text.replace("<", f"<{_NO_LINK}"))
            user.taken()

    def heard(self) -> Sequence[Heard]:
        """Everything that they were told."""
        found = []
        for packet in self.packets():
            sender = normal((packet.get(4) or b"").decode())
            if packet.service == codes.MESSAGE:
                raw = [value for key, value in packet.pairs if key == 14]
                found += [Heard(kind="message", sender=sender, text=_CODES.sub("", each.decode())) for each in raw]
            elif packet.service == codes.NOTIFY and packet.get(49) == b"TYPING":
                state = TypingState.ACTIVE if packet.get(13) == b"1" else TypingState.IDLE
                found.append(Heard(kind="typing", sender=sender, state=state))
        return found

    def typing(self, to: str, state: TypingState) -> None:
        """Types to an account."""
        with self._lock:
            self._running().type(to, typing=state is TypingState.ACTIVE)

    def show(self, presence: PersonPresence) -> None:
        """Shows themselves open or away."""
        with self._lock:
            user = self._running()
            if presence.activity is Activity.AVAILABLE and not presence.note:
                user.write(codes.IS_BACK, (10, codes.AVAILABLE))
                return
            away = int(presence.activity is not Activity.AVAILABLE)
            pairs = ((10, codes.CUSTOM), (19, presence.note or "away"), (47, away))
            user.write(codes.IS_AWAY, *pairs, status=codes.CUSTOM)

    def watch(self, name: str) -> None:
        """Puts an account on their list."""
        with self._lock:
            self._running().add(name)

    def sees(self, name: str) -> PersonPresence | None:
        """How an account was last shown."""
        for packet in reversed(self.packets()):
            if normal((packet.get(7) or b"").decode()) == normal(name) and packet.get(13) is not None:
                status = packet.number(10)
                away = packet.get(47) == b"1" if status == codes.CUSTOM else status not in {0, codes.IDLE}
                return PersonPresence(
                    basic=Basic.CLOSED if packet.get(13) == b"0" else Basic.OPEN,
                    activity=Activity.AWAY if away else Activity.AVAILABLE,
                    note=(packet.get(19) or b"").decode(),
                )
        return None

    def displayed(self, heard: Heard) -> None:
        """There is no such word."""
        raise NotImplementedError(f"{_NO_READING}: {heard}")

    def edit(self, to: str, remote_id: str | None, text: str) -> None:
        """There is no such word."""
        raise NotImplementedError(f"{_NO_EDITS}: {to}, {remote_id}, {text}")


class YmsgRig:
    """A server with two accounts of ours and two people."""

    kind = "ymsg"
    burst = 30

    def __init__(self) -> None:
        self._port = free_port()
        self._stack = ExitStack()
        self._server: YmsgServerProcess | None = None
        self._people = [YmsgPerson(self, name) for name in ("Boogy_Man", "suzie")]
        self._passwords = {"alice.work": "a", "bob_work": "b", "Boogy_Man": "p", "suzie": "p"}
        self.accounts: Sequence[Login] = [
            Login(name="Alice.Work", password="a"),
            Login(name="bob_work", password="b"),
        ]
        self.alike: Sequence[tuple[str, str, bool]] = _ALIKE
        self.cannot: Mapping[Ability, str] = {
            "receipts": _NO_READING,
            "edits": _NO_EDITS,
            "redelivers": "a server forgets a message when it has handed it out",
            "look_alikes": "names are ASCII letters, digits, dots, _ and -",
        }

    @property
    def process(self) -> YmsgServerProcess:
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
        lines = (f'server = "{host}:{port}"', "sign_ons_per_second = 50.0")
        return "\n".join([*lines, "messages_per_second = 1000.0", "burst = 1000"])

    def stop_server(self) -> None:
        """The server is gone."""
        self._stack.close()
        self._server = None

    def start_server(self) -> None:
        """The server is there (again), and so are the people."""
        self._server = self._stack.enter_context(YmsgServerProcess(self._passwords, listen=self.address))
        for person in self._people:
            if person.there:
                person.end()
                person.come()

    def outsider(self, number: int) -> Outsider:
        """One of two people."""
        return self._people[number]

    def kick(self, account: str) -> None:
        """Another client takes the name, and leaves again."""
        YmsgUser(self.address, account, self._passwords[normal(account)]).close()

    def sayable(self, text: str) -> str:
        """What a client can send of a text: any text."""
        return text

    def add_accounts(self, count: int) -> Sequence[Login]:
        """Makes further accounts."""
        logins = [Login(name=f"many{number:05}", password="m") for number in range(count)]
        for login in logins:
            self.process.add_account(login.name, login.password)
            self._passwords[login.name] = login.password  # they are there after a restart, too
        return logins

    @property
    def hostile(self) -> Sequence[bytes]:
        """Packets that lie."""
        head = b"YMSG\x00\x0a\x00\x00"
        return [
            head + b"\xff\xff" + b"\x00" * 200,  # the length of a body that never ends
            b"YMSH" + b"\x00" * 60,
            b"Y" * 64,
            Packet(service=codes.AUTH, pairs=pairs_of((94, "x"))).encode(),  # a challenge that is none
            Packet(service=codes.HANDSHAKE).encode()
            + Packet(service=codes.AUTH, pairs=pairs_of((94, b"\xff" * 60_000))).encode(),
            Packet(service=codes.LIST, status=codes.MORE, pairs=pairs_of((87, "G:" + "a," * 30_000))).encode() * 30,
            Packet(service=codes.LOGON, pairs=tuple(pairs_of((7, "x")) * 5000)).encode(),
            head + b"\x00\x08\x00\x06\x00\x00\x00\x01\x00\x00\x00\x00" + b"\xc0\x80" * 4,
            Packet(service=codes.PING, pairs=pairs_of((143, "-" + "9" * 400), (144, "0"))).encode(),
            Packet(service=codes.PROTOCOL_ERROR, pairs=pairs_of((66, "9" * 4000))).encode(),
        ]


_ALIKE = (
    ("boogy_man", "Boogy_Man", True),
    ("boogy_man", "BOOGY_MAN", True),
    ("boogyman", "Boogy Man", True),
    ("boogy_man", "boogyman", False),
    ("boogy_man", "boogy-man", False),
    ("boogy.man", "boogyman", False),
    ("boogy_man", "bo\u043egy_man", False),
    ("boogy_man", "boogy\uff3fman", False),
    ("boogy_man", "bo0gy_man", False),
    ("bob@mail.example", "Bob@Mail.Example", True),
    ("bob@mail.example", "bob%40mail.example", False),
    ("bob@mail.example", "bobmail.example", False),
)
