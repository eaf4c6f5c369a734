"""A session with a homeserver that a test plays by hand, and the transcript of a real one."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import orjson
from attrs import define, field

from transports.matrix.machine.calls import Call
from transports.matrix.machine.config import SessionConfig
from transports.matrix.machine.context import SendDone, Told
from transports.matrix.machine.pushes import Asked, Reply
from transports.matrix.machine.session import MatrixSession
from transports.matrix.wire.native import Inbound

TRANSCRIPT = Path(__file__).parents[2] / "wire" / "matrix" / "synapse.jsonl"
SERVER = "hs.example"
ALICE, BOB, CAROL = f"@_sip_alice:{SERVER}", f"@bob:{SERVER}", f"@carol:{SERVER}"
ROOM = "!room:hs.example"
CONFIG = SessionConfig(
    service="simplebridge-matrix", server_name=SERVER, prefix="_sip_", bot="simplebridge", as_token="as-secret",
    hs_token="hs-secret",
)  # fmt: skip
Answer = tuple[int, Any] | None
"""Status and JSON; None: there is none."""


def transcript(by: str = "") -> list[dict[str, Any]]:
    """The exchanges of the transcript, those of one side or all."""
    lines = TRANSCRIPT.read_text("utf-8").splitlines()
    return [one for one in map(json.loads, lines) if by in {"", one["by"]}]


@define(eq=False)
class Stage:
    """A session, and a homeserver whose answers are rules: the first whose method and path begin so."""

    config: SessionConfig = CONFIG
    now: float = 1000.0
    session: MatrixSession = field(init=False)
    events: list[Inbound] = field(init=False, factory=list)
    results: dict[Any, Any] = field(init=False, factory=dict)
    calls: list[Call] = field(init=False, factory=list)
    replies: dict[int, Reply] = field(init=False, factory=dict)
    rules: list[tuple[str, str, Callable[[Call], Answer]]] = field(init=False, factory=list)
    holding: list[int] = field(init=False, factory=list)
    """Tickets that are not given back by themselves, while ``hold`` is set."""
    hold: bool = False
    _number: int = field(init=False, default=0)

    def __attrs_post_init__(self) -> None:
        self.session = MatrixSession(self.config, rng=random.Random(1))

    def rule(self, method: str, path: str, answer: Callable[[Call], Answer] | Answer) -> None:
        """Says how a request is answered; the newest rule counts."""
        give = answer if callable(answer) else lambda _call: answer
        self.rules.insert(0, (method, path, give))

    def run(self) -> None:
        """Answers everything, and takes what is told."""
        for _ in range(500):
            self.session.settle(self.now)
            if not self._round():
                return
        raise AssertionError("it does not come to rest")

    def _round(self) -> bool:
        busy = False
        while (call := self.session.next_call()) is not None:
            busy = True
            self.calls.append(call)
            answer = self._answer(call)
            if answer is not None:
                self.session.answered(call.id, answer[0], orjson.dumps(answer[1]), None, self.now)
        while (event := self.session.next_event()) is not None:
            busy = True
            self._told(event)
        while (reply := self.session.next_reply()) is not None:
            self.replies[reply.id] = reply
        return busy

    def _told(self, event: Told | SendDone) -> None:
        if isinstance(event, SendDone):
            assert event.key not in self.results, f"two ends of {event.key}"
            self.results[event.key] = event.result
            return
        self.events.append(event.event)
        if self.hold:
            self.holding.append(event.ticket)
        else:
            self.session.recorded(event.ticket, ok=True)

    def _answer(self, call: Call) -> Answer:
        path = unquote(call.request.path).removeprefix("/_matrix/client/v3")
        for method, begin, give in self.rules:
            if call.request.method == method and path.startswith(begin):
                return give(call)
        if path == "/joined_rooms":
            return 200, {"joined_rooms": []}
        if path.endswith("/account_data/m.direct") and call.request.method == "GET":
            return 404, {"errcode": "M_NOT_FOUND"}
        if path == "/createRoom":
            return 200, {"room_id": ROOM}
        if "/send/" in path or "/redact/" in path:
            return 200, {"event_id": f"$e{call.id}"}
        return 200, {}

    def up(self, *accounts: str) -> Stage:
        """Starts, and signs accounts on."""
        self.session.start(self.now)
        for account in accounts or (ALICE,):
            self.session.sign_on(account, self.now)
        self.run()
        return self

    def push(self, *events: dict[str, Any], ephemeral: tuple[dict[str, Any], ...] = (), txn: str = "") -> int:
        """Pushes; returns the number of the request."""
        self._number += 1
        body = orjson.dumps({"events": list(events), "ephemeral": list(ephemeral)})
        self.ask("PUT", f"/_matrix/app/v1/transactions/{txn or f't{self._number}'}", body, number=self._number)
        return self._number

    def ask(
        self, method: str, path: str, body: bytes = b"", *, token: str | None = "hs-secret", number: int = 0
    ) -> int:
        """Asks something as the homeserver does."""
        if not number:
            self._number += 1
            number = self._number
        self.session.ask(Asked(id=number, method=method, path=path, token=token, body=body), self.now)
        self.run()
        return number

    def later(self, seconds: float) -> None:
        """Lets time pass, to each of its deadlines."""
        end = self.now + seconds
        for _ in range(10_000):
            at = self.session.next_deadline()
            if at is None or at > end:
                break
            self.now = max(self.now, at)
            self.session.handle_timer(self.now)
            self.run()
        self.now = end

    def send(self, native: Any, key: str, deadline: float | None = None) -> None:
        """Sends."""
        self.session.send(native, key, self.now, deadline)
        self.run()

    def asked(self, part: str) -> list[Call]:
        """The requests whose path holds a part."""
        return [call for call in self.calls if part in unquote(call.request.path)]


def event(kind: str, content: dict[str, Any], number: int, sender: str = BOB, room: str = ROOM, **more: Any) -> Any:
    """An event as it is pushed."""
    return {
        "type": kind, "content": content, "event_id": f"$ev{number}", "sender": sender, "room_id": room,
        "origin_server_ts": 1795833975311, "unsigned": {"age": number}, **more,
    }  # fmt: skip


def member(who: str, membership: str, number: int, sender: str = "", **content: Any) -> Any:
    """A membership event."""
    held = {"membership": membership, **content}
    return event("m.room.member", held, number, sender or who, state_key=who)


def text(body: str, number: int, sender: str = BOB, room: str = ROOM) -> Any:
    """A message event."""
    return event("m.room.message", {"msgtype": "m.text", "body": body}, number, sender, room)
