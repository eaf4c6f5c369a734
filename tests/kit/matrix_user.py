"""A person on a Matrix homeserver: plain calls of the client-server API over blocking sockets."""

from __future__ import annotations

import http.client
import itertools
import json
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from attrs import define, field, frozen

_SECONDS = 30.0
_SYNC_MS = 1000
_numbers = itertools.count(1)
Json = dict[str, Any]


@frozen
class MatrixRefusal(Exception):
    """The homeserver refused a request."""

    status: int
    body: Json

    def __str__(self) -> str:
        return f"{self.status} {self.body}"


def call(
    base: str,
    method: str,
    path: str,
    body: Json | None = None,
    *,
    token: str = "",
    query: Mapping[str, str] | None = None,
    seconds: float = _SECONDS,
) -> Any:
    """Makes one request; returns the answer, read.

    Raises:
        MatrixRefusal: the status is not 200.
        OSError: there is no connection.
    """
    where = urlsplit(base)
    connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=seconds)
    if query:
        path += "?" + "&".join(f"{key}={quote(value, safe='')}" for key, value in query.items())
    headers = {"Content-Type": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    try:
        content = None if body is None and method == "GET" else json.dumps(body or {})
        connection.request(method, path, content, headers)
        response = connection.getresponse()
        answer = json.loads(response.read() or b"{}")
    finally:
        connection.close()
    if response.status != 200:
        raise MatrixRefusal(response.status, answer)
    return answer


@define(eq=False)
class MatrixUser:
    """One account, signed on with `register`.

    Args:
        base: the homeserver's URL.
        localpart: the name to register.

    Attributes:
        rooms: the events of each room that it is in, oldest first.
        invites: the stripped state of each room that it is invited to.
        presence: what is known of others: user id to the content of `m.presence`.
        typing: who types: room to user ids.
        receipts: the contents of `m.receipt`, per room.
    """

    base: str
    localpart: str
    user_id: str = field(init=False, default="")
    token: str = field(init=False, default="", repr=False)
    rooms: dict[str, list[Json]] = field(init=False, factory=dict)
    invites: dict[str, list[Json]] = field(init=False, factory=dict)
    presence: dict[str, Json] = field(init=False, factory=dict)
    typing: dict[str, list[str]] = field(init=False, factory=dict)
    receipts: list[tuple[str, Json]] = field(init=False, factory=list)
    showing: str = field(init=False, default="online")
    """The presence that a sync keeps up."""
    _since: str = field(init=False, default="")

    def register(self) -> MatrixUser:
        """Makes the account and signs on."""
        body = {"username": self.localpart, "password": "secret", "auth": {"type": "m.login.dummy"}}
        answer = call(self.base, "POST", "/_matrix/client/v3/register", body)
        self.user_id, self.token = answer["user_id"], answer["access_token"]
        self.sync(0)
        return self

    def ask(self, method: str, path: str, body: Json | None = None, **query: str) -> Any:
        """Makes a request below `/_matrix/client/v3`."""
        return call(self.base, method, f"/_matrix/client/v3{path}", body, token=self.token, query=query)

    # Rooms

    def create(self, *invite: str, direct: bool = True, **more: Any) -> str:
        """Makes a room and invites; returns its id."""
        body = {"invite": list(invite), "is_direct": direct, "preset": "trusted_private_chat", **more}
        return str(self.ask("POST", "/createRoom", body)["room_id"])

    def join(self, room: str) -> None:
        """Accepts an invitation."""
        self.ask("POST", f"/rooms/{quote(room)}/join")

    def leave(self, room: str) -> None:
        """Leaves a room, or declines an invitation."""
        self.ask("POST", f"/rooms/{quote(room)}/leave")

    def members(self, room: str) -> dict[str, str]:
        """Returns user ids and memberships of a room."""
        chunk = self.ask("GET", f"/rooms/{quote(room)}/members")["chunk"]
        return {event["state_key"]: event["content"]["membership"] for event in chunk}

    # Sending

    def send(self, room: str, content: Json, kind: str = "m.room.message") -> str:
        """Sends an event; returns its id."""
        path = f"/rooms/{quote(room)}/send/{kind}/t{next(_numbers)}-{time.time_ns()}"
        return str(self.ask("PUT", path, content)["event_id"])

    def text(self, room: str, body: str) -> str:
        """Sends a text; returns its event id."""
        return self.send(room, {"msgtype": "m.text", "body": body})

    def type(self, room: str, *, on: bool) -> None:
        """Shows that this person types, or not any more."""
        body: Json = {"typing": True, "timeout": 20_000} if on else {"typing": False}
        self.ask("PUT", f"/rooms/{quote(room)}/typing/{quote(self.user_id)}", body)

    def read(self, room: str, event: str) -> None:
        """Shows that everything up to an event was read."""
        self.ask("POST", f"/rooms/{quote(room)}/receipt/m.read/{quote(event)}")

    def show(self, presence: str, status_msg: str = "") -> None:
        """Shows a presence."""
        self.showing = presence
        body = {"presence": presence, "status_msg": status_msg}
        self.ask("PUT", f"/presence/{quote(self.user_id)}/status", body)

    # Seeing

    def sync(self, wait_ms: int = _SYNC_MS, *, presence: str = "") -> None:
        """Takes what is new. ``presence``: which one this shows; else `showing`."""
        query = {"timeout": str(wait_ms), "set_presence": presence or self.showing}
        if self._since:
            query["since"] = self._since
        answer = self.ask("GET", "/sync", None, **query)
        self._since = answer["next_batch"]
        for event in answer.get("presence", {}).get("events", ()):
            self.presence[event["sender"]] = event["content"]
        rooms = answer.get("rooms", {})
        for room, held in rooms.get("invite", {}).items():
            self.invites[room] = held["invite_state"]["events"]
        for room, held in rooms.get("join", {}).items():
            self.invites.pop(room, None)
            state = [] if held["timeline"].get("limited") is False else held.get("state", {}).get("events", [])
            self.rooms.setdefault(room, []).extend([*state, *held["timeline"]["events"]])
            self._ephemeral(room, held["ephemeral"]["events"])

    def _ephemeral(self, room: str, events: list[Json]) -> None:
        for event in events:
            if event["type"] == "m.typing":
                self.typing[room] = event["content"]["user_ids"]
            elif event["type"] == "m.receipt":
                self.receipts.append((room, event["content"]))

    def until(self, condition: Callable[[], object], what: str, seconds: float = _SECONDS) -> None:
        """Syncs until a condition holds.

        Raises:
            TimeoutError: it does not in time.
        """
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() >= end:
                raise TimeoutError(f"{what} did not come within {seconds:g} s: {self.rooms}")
            self.sync(250)

    def accept(self, inviter: str, seconds: float = _SECONDS) -> str:
        """Waits for an invitation of somebody and accepts it; returns the room."""

        def from_them(room: str) -> bool:
            return any(e["type"] == "m.room.member" and e["sender"] == inviter for e in self.invites[room])

        self.until(lambda: any(map(from_them, self.invites)), f"an invitation of {inviter}", seconds)
        room = next(room for room in self.invites if from_them(room))
        self.join(room)
        self.until(lambda: room in self.rooms, "the room", seconds)
        return room

    def messages(self, room: str, sender: str = "") -> list[Json]:
        """Returns the contents of the messages of a room, those of one sender where that is given."""
        return [
            event["content"]
            for event in self.rooms.get(room, ())
            if event["type"] == "m.room.message" and sender in {"", event["sender"]}
        ]

    def texts(self, room: str, sender: str = "") -> list[str]:
        """Returns the texts of a room."""
        return [content.get("body", "") for content in self.messages(room, sender)]

    def wait_text(self, room: str, body: str, sender: str = "", seconds: float = _SECONDS) -> Json:
        """Waits for a text; returns its event."""
        self.until(lambda: body in self.texts(room, sender), f"the text {body!r}", seconds)
        return next(
            event
            for event in self.rooms[room]
            if event["type"] == "m.room.message" and event["content"].get("body") == body
        )
