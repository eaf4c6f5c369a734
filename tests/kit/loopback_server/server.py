"""The sample network's server: lines of JSON over TCP, people, their messages until they say that they have them.

It shares no code with the transport: what one of them gets wrong, the other does not repeat.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from attrs import define, field

MAX_LINE = 65_536
MAX_KEPT = 10_000
MAX_IDS = 10_000
Line = dict[str, Any]


@define(eq=False)
class User:
    """An account: what waits for it, what it has sent, and its connection, if it is signed on."""

    name: str
    password: str
    kept: OrderedDict[int, Line] = field(factory=OrderedDict)
    taken: OrderedDict[str, None] = field(factory=OrderedDict)
    watching: set[str] = field(factory=set)
    show: str = "gone"
    note: str = ""
    connection: Connection | None = None


class Connection:
    """One client."""

    def __init__(self, server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.server = server
        self.reader = reader
        self.writer = writer
        self.user: User | None = None
        self.commands: dict[object, Callable[[User, Line], None]] = {
            "send": self.send,
            "got": self.got,
            "typing": self.typing,
            "show": self.show,
            "watch": self.watch,
            "unwatch": self.unwatch,
            "ping": lambda _user, _line: self.say({"is": "pong"}),
            "sign-off": lambda _user, _line: self.close(),
        }

    def say(self, line: Line) -> None:
        """Writes a line."""
        self.writer.write(json.dumps(line).encode() + b"\n")

    def close(self) -> None:
        """Ends the connection once what was said is written."""
        self.writer.close()

    async def serve(self) -> None:
        """Reads lines until the end."""
        try:
            while line := await self.reader.readline():
                self.take(json.loads(line))
                await self.writer.drain()
        except (ValueError, OSError) as error:
            self.say({"is": "error", "reason": str(error)})
        finally:
            self.leave()
            self.close()

    def leave(self) -> None:
        """The client is gone."""
        user, self.user = self.user, None
        if user is not None and user.connection is self:
            user.connection = None
            self.server.shown(user, "gone", "")

    def take(self, line: Line) -> None:
        """A line has come; raises ValueError."""
        do = line.get("do")
        if do == "sign-on":
            self.sign_on(line)
        elif self.user is None:
            raise ValueError(f"{do}: sign on first")
        elif do in self.commands:
            self.commands[do](self.user, line)

    def sign_on(self, line: Line) -> None:
        """Lets somebody in, in the place of whoever had the name."""
        user = self.server.users.get(str(line.get("name")).lower())
        if user is None or user.password != line.get("password"):
            self.say({"is": "no", "reason": "the name or the password is wrong"})
            self.close()
            return
        before, user.connection, self.user = user.connection, self, user
        if before is not None:
            before.user = None
            before.say({"is": "elsewhere"})
            before.close()
        self.say({"is": "welcome", "name": user.name})
        for kept in user.kept.values():
            self.say(kept)
        self.server.shown(user, str(line.get("show", "open")), str(line.get("note", "")))
        for name in sorted(user.watching):
            self.tell_of(name)
        self.server.happened("online", user.name)

    def send(self, user: User, line: Line) -> None:
        """A message: the same id of one sender is taken once."""
        name, to = str(line["id"]), self.server.users.get(str(line["to"]).lower())
        if to is None:
            self.say({"is": "refused", "id": name, "reason": "there is no such user"})
            return
        if len(to.kept) >= MAX_KEPT:
            self.say({"is": "refused", "id": name, "reason": "too much waits for that user"})
            return
        if name not in user.taken:
            user.taken[name] = None
            if len(user.taken) > MAX_IDS:
                user.taken.popitem(last=False)
            self.server.number += 1
            kept = {"is": "message", "number": self.server.number, "from": user.name, "sent": time.time()}
            to.kept[self.server.number] = {
                **kept,
                **{key: line[key] for key in ("id", "text", "automatic") if key in line},
            }
            if to.connection is not None:
                to.connection.say(to.kept[self.server.number])
        self.say({"is": "ack", "id": name})

    def got(self, user: User, line: Line) -> None:
        """A message is safe with its recipient: it is forgotten, and its sender is told."""
        message = user.kept.pop(int(line["number"]), None)
        sender = None if message is None else self.server.users[message["from"]].connection
        if message is not None and sender is not None:
            sender.say({"is": "delivered", "by": user.name, "id": message["id"]})

    def typing(self, user: User, line: Line) -> None:
        """For who is there."""
        to = self.server.users.get(str(line["to"]).lower())
        if to is not None and to.connection is not None:
            to.connection.say({"is": "typing", "from": user.name, "state": line["state"]})

    def show(self, user: User, line: Line) -> None:
        """Shows a user otherwise."""
        self.server.shown(user, str(line["show"]), str(line.get("note", "")))

    def watch(self, user: User, line: Line) -> None:
        """Wants to see somebody."""
        name = str(line["name"]).lower()
        user.watching.add(name)
        self.tell_of(name)

    def unwatch(self, user: User, line: Line) -> None:
        """Does not any more."""
        user.watching.discard(str(line["name"]).lower())

    def tell_of(self, name: str) -> None:
        """How somebody is now."""
        other = self.server.users.get(name)
        if other is not None:
            show = "gone" if other.show == "hidden" else other.show
            self.say({"is": "presence", "name": name, "show": show, "note": other.note})


class Server:
    """All who have accounts.

    Args:
        users: names and passwords.
        happened: told of who comes and goes.
    """

    def __init__(self, users: dict[str, str], happened: Callable[[str, str], None]) -> None:
        self.users = {name.lower(): User(name.lower(), password) for name, password in users.items()}
        self.happened = happened
        self.number = 0
        self.connections: set[asyncio.Task[None]] = set()

    async def met(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A client has connected."""
        with contextlib.suppress(ConnectionError):  # it is gone
            await Connection(self, reader, writer).serve()

    def shown(self, user: User, show: str, note: str) -> None:
        """Tells everybody who watches a user how it is now."""
        was, user.show, user.note = user.show, show, note
        for other in self.users.values():
            if user.name in other.watching and other.connection is not None:
                other.connection.tell_of(user.name)
        if show == "gone" and was != "gone":
            self.happened("offline", user.name)

    def add(self, name: str, password: str) -> None:
        """One more account."""
        self.users[name.lower()] = User(name.lower(), password)
