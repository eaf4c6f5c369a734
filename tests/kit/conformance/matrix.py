"""Matrix for the conformance suite: a real Synapse, and people whose clients sync in threads of their own."""

from __future__ import annotations

import json
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Self

from bridge.model.body import TypingState
from bridge.model.presence import OFFLINE, Activity, Basic, PersonPresence
from tests.kit.conformance.rig import Ability, Heard, Login, Outsider
from tests.kit.matrix_user import MatrixRefusal, MatrixUser
from tests.kit.ports import free_port
from tests.peers.synapse import Synapse
from transports.matrix.wire.registration import Registration

_HOST = "127.0.0.1"
_SERVER = "hs.example"
_SECONDS = 30.0
_TOKENS = {"as_token": "as-of-the-suite", "hs_token": "hs-of-the-suite"}


class MatrixPerson:
    """Somebody with a client that accepts every invitation and notes what it is shown."""

    def __init__(self, rig: MatrixRig, localpart: str) -> None:
        self._rig = rig
        self.localpart = localpart
        self.name = f"@{localpart}:{_SERVER}"
        self.user: MatrixUser | None = None
        self._heard: list[Heard] = []
        self._seen: dict[str, int] = {}
        self._present = threading.Event()
        self._ended = threading.Event()
        self._last: dict[str, str] = {}
        self._thread = threading.Thread(target=self._sync, name=f"sync-{localpart}", daemon=True)

    def end(self) -> None:
        """The client ends."""
        self._ended.set()
        if self._thread.ident is not None:
            self._thread.join(5.0)

    def _mine(self) -> MatrixUser:
        assert self.user is not None
        return self.user

    def come(self) -> None:
        """Signs on."""
        if self.user is None:
            self.user = MatrixUser(self._rig.url, self.localpart).register()
            # Who shares a room sees the presence; and the invitation waits until the ghost is signed on.
            self.user.create(self._rig.accounts[0].name)
            self._thread.start()
        self._present.set()
        self._mine().show("online")

    def go(self) -> None:
        """Signs off."""
        self._present.clear()
        time.sleep(0.6)  # the long poll that is under way would make them present again
        self._mine().show("offline")

    def _sync(self) -> None:
        while not self._ended.is_set():
            if not self._present.wait(0.1):
                continue
            with suppress(OSError, MatrixRefusal, ValueError):  # the server is away: it comes back
                self._step()

    def _step(self) -> None:
        user = self._mine()
        user.sync(250, presence="offline" if not self._present.is_set() else "")
        for room in list(user.invites):
            user.join(room)
        for room, events in list(user.rooms.items()):
            since = self._seen.get(room, 0)
            self._seen[room] = len(events)
            for event in events[since:]:
                self._note(event)
        for users in user.typing.values():
            for who in users:
                if who != self.name:
                    self._heard.append(Heard(kind="typing", sender=who, state=TypingState.ACTIVE))
        user.typing.clear()

    def _note(self, event: dict[str, Any]) -> None:
        if event["type"] != "m.room.message" or event["sender"] == self.name or "body" not in event["content"]:
            return
        content = event["content"]
        relation = content.get("m.relates_to", {})
        edit = relation.get("rel_type") == "m.replace"
        shown = content["m.new_content"]["body"] if edit else content["body"]
        if content["msgtype"] == "m.emote":
            shown = f"/me {shown}"
        self._heard.append(
            Heard(
                kind="edit" if edit else "message", sender=event["sender"], text=shown,
                target=relation.get("event_id") if edit else None, remote_id=event["event_id"],
            )
        )  # fmt: skip

    def _room(self, to: str) -> str:
        """The room that is shared with a ghost; one is made where there is none."""
        user = self._mine()
        for room in reversed(list(user.rooms)):
            with suppress(MatrixRefusal):
                if user.members(room).get(to) == "join":
                    return room
        invited = [room for room in reversed(list(user.rooms)) if user.members(room).get(to) == "invite"]
        return invited[0] if invited else user.create(to)

    def send(self, to: str, text: str) -> None:
        """Writes to an account."""
        self._last[to] = self._mine().text(self._room(to), text)

    def heard(self) -> Sequence[Heard]:
        """Everything that they were told."""
        return tuple(self._heard)

    def typing(self, to: str, state: TypingState) -> None:
        """Types to an account."""
        self._rig.service_is_up()
        self._mine().type(self._room(to), on=state is TypingState.ACTIVE)

    def show(self, presence: PersonPresence) -> None:
        """Shows themselves open or away."""
        self._mine().showing = "online" if presence.activity is Activity.AVAILABLE else "unavailable"
        self._mine().show(self._mine().showing, presence.note)

    def watch(self, name: str) -> None:
        """Who shares a room sees the presence."""
        self._room(name)

    def sees(self, name: str) -> PersonPresence | None:
        """How an account was last shown."""
        held = self._mine().presence.get(name)
        if held is None:
            return None
        if held["presence"] == "offline":
            return OFFLINE
        away = held["presence"] == "unavailable"
        return PersonPresence(basic=Basic.OPEN, activity=Activity.AWAY if away else Activity.AVAILABLE)

    def displayed(self, heard: Heard) -> None:
        """Has read a message."""
        assert heard.remote_id is not None
        self._rig.service_is_up()
        user = self._mine()
        room = next(room for room, held in user.rooms.items() if any(e["event_id"] == heard.remote_id for e in held))
        user.read(room, heard.remote_id)

    def edit(self, to: str, remote_id: str | None, text: str) -> None:
        """Corrects a message of theirs."""
        target = remote_id or self._last[to]
        fresh = {"msgtype": "m.text", "body": text}
        relation = {"rel_type": "m.replace", "event_id": target}
        content = {**fresh, "body": f"* {text}", "m.new_content": fresh, "m.relates_to": relation}
        self._mine().send(self._room(to), content)


class MatrixRig:
    """Synapse, with the bridge as its application service."""

    kind = "matrix"
    burst = 30
    hostile: Sequence[bytes] = (
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFF\r\n{",
        b"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n" + b"[" * 200_000,
        b"HTTP/1.1 999 \r\n\r\n",
        b"HTTP/1.1 301 Moved\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
    )
    alike: Sequence[tuple[str, str, bool]] = (
        ("bob:hs.example", "@bob:hs.example", True),
        ("@bob:hs.example", "@Bob:hs.example", False),
        ("@bob:hs.example", "@bob:hs.example:8448", False),
        ("@rn:hs.example", "@m:hs.example", False),
    )
    cannot: Mapping[Ability, str] = {
        "connection": "HTTP: connections come and go, and the homeserver is away when a request says so",
        "kick": "an application service is signed on by a token of its own: there is no other client",
        "look_alikes": "localparts of new accounts are ASCII letters in lower case, digits and a few signs",
    }

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._listen = free_port()
        self._folder = Path()
        self._synapse: Synapse | None = None
        self._people = [MatrixPerson(self, name) for name in ("bob", "suzie")]
        self.accounts: Sequence[Login] = [
            Login(name=f"@_sip_{name}:{_SERVER}", password="") for name in ("alice", "carol")
        ]

    @property
    def synapse(self) -> Synapse:
        """The server."""
        assert self._synapse is not None
        return self._synapse

    @property
    def url(self) -> str:
        """Its URL, past the suite's proxy."""
        return self.synapse.url

    @property
    def server(self) -> tuple[str, int]:
        """Where it listens."""
        return (_HOST, self._port)

    @property
    def _port(self) -> int:
        return self.synapse.port

    def __enter__(self) -> Self:
        self._folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="matrix-rig-")))
        (self._folder / "tokens.json").write_text(json.dumps(_TOKENS), "utf-8")
        (self._folder / "tokens.json").chmod(0o600)
        made = Registration(
            id="simplebridge-net", url=f"http://{_HOST}:{self._listen}", sender_localpart="simplebridge",
            server_name=_SERVER, prefix="_sip_", **_TOKENS,
        )  # fmt: skip
        registration = self._folder / "registration.yaml"
        registration.write_text(made.yaml(), "utf-8")
        self._synapse = self._stack.enter_context(Synapse(_SERVER, registration=registration))
        return self

    def __exit__(self, *_: object) -> None:
        for person in self._people:
            person.end()
        self._stack.close()

    def service_is_up(self) -> None:
        """Waits until Synapse knows that the bridge is there again: what is not kept it tells to no other service."""
        _until(lambda: self.synapse.service_state() in {None, "up"}, "a service that is up")

    def section(self, host: str, port: int) -> str:
        """Options of the network for a server there."""
        lines = (
            f'homeserver = "http://{host}:{port}"', f'server_name = "{_SERVER}"', f'listen = "{_HOST}:{self._listen}"',
            f'tokens = "{self._folder}/tokens.json"', "requests_per_second = 500.0",
            "presence_refresh = 2.0",
        )  # fmt: skip
        return "\n".join(lines)

    def stop_server(self) -> None:
        """The server is gone."""
        self.synapse.kill()

    def start_server(self) -> None:
        """The server is there again, with what it had stored."""
        self.synapse.start()

    def outsider(self, number: int) -> Outsider:
        """One of two people."""
        return self._people[number]

    def kick(self, account: str) -> None:
        """There is no such thing."""
        raise NotImplementedError(f"{self.cannot['kick']}: {account}")

    def sayable(self, text: str) -> str:
        """What a client can send of a text: any text."""
        return text

    def add_accounts(self, count: int) -> Sequence[Login]:
        """A ghost is made when it is signed on."""
        return [Login(name=f"@_sip_p{number}:{_SERVER}", password="") for number in range(count)]


def _until(condition: Callable[[], object], what: str) -> None:
    end = time.monotonic() + _SECONDS
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"never: {what}")
        time.sleep(0.05)
