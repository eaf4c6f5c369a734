"""The switchboard's side of one participant."""

from __future__ import annotations

import secrets

from tests.kit.msnp_server.connection import Role
from tests.kit.msnp_server.network import User
from transports.msnp.wire.codes import MAX_BOARD_PAYLOAD
from transports.msnp.wire.command import Command
from transports.msnp.wire.text import escape, normal


class Switchboard(Role):
    """One participant of a conversation."""

    user: User | None = None
    session = ""

    def handle(self, line: Command) -> None:
        """A command of the client's."""
        handler = getattr(self, f"_{line.name.lower()}", None)
        if handler is None:
            self.error(200, line)
        elif line.name not in {"USR", "ANS"} and self.user is None:
            self.wire.close()
        else:
            handler(line)

    def _enter(self, line: Command) -> bool:
        passport, session = self.network.keys.pop(line.arg(2), ("", ""))
        user = self.network.user(passport)
        if user is None or user.passport != normal(line.arg(1)):
            self.error(911, line)
            self.wire.close()
            return False
        self.user = user
        self.session = session or secrets.token_hex(8)
        self.network.boards.setdefault(self.session, [])
        return True

    def _usr(self, line: Command) -> None:
        if self._enter(line):
            assert self.user is not None
            self._room().append(self)
            self.say("USR", line.trid, "OK", self.user.passport, escape(self.user.name))

    def _ans(self, line: Command) -> None:
        if not self._enter(line):
            return
        assert self.user is not None
        others = [each for each in self._room() if each.user is not None]
        for at, other in enumerate(others, 1):
            assert other.user is not None
            self.say(
                "IRO", line.trid, at, len(others), other.user.passport, escape(other.user.name), *self._caps(other)
            )
        self.say("ANS", line.trid, "OK")
        for other in others:
            other.say("JOI", self.user.passport, escape(self.user.name), *self._caps(self))
        self._room().append(self)

    def _caps(self, other: Switchboard) -> tuple[int, ...]:
        assert other.user is not None
        version = 0 if other.user.session is None else other.user.session.version
        return (other.user.capabilities,) if version >= 12 else ()

    def _room(self) -> list[Switchboard]:
        return self.network.boards.get(self.session, [])

    def _cal(self, line: Command) -> None:
        assert self.user is not None
        other = self.network.user(line.arg(1))
        if other is None or other.session is None or not other.shown_to(self.user):
            self.error(217, line)
        elif any(each.user is other for each in self._room()):
            self.error(215, line)
        else:
            self.say("CAL", line.trid, "RINGING", self.session)
            other.session.ring(self.session, self.user)

    def _msg(self, line: Command) -> None:
        assert self.user is not None
        kind, payload = line.arg(1), line.payload or b""
        fault = self.network.fault
        if kind not in {"U", "N", "A", "D"} or len(payload) > MAX_BOARD_PAYLOAD:
            self.wire.close()
            return
        if fault == "vanish" and kind != "U":
            for each in list(self._room()):
                each.wire.abort()
            return
        others = [each for each in self._room() if each is not self]
        good = bool(others) and not (fault == "nak" and kind != "U")
        if good:
            self.network.counts["messages"] += 1
            for other in others:
                other.say("MSG", self.user.passport, escape(self.user.name), payload=payload)
        if fault == "mute":
            return
        if good and kind in {"A", "D"}:
            self.say("ACK", line.trid)
        elif not good and kind != "U":
            self.say("NAK", line.trid)

    def _out(self, line: Command) -> None:
        self.wire.close()

    def lost(self) -> None:
        """They have left."""
        room = self._room()
        if self in room:
            room.remove(self)
            for other in room:
                if self.user is not None:
                    other.say("BYE", self.user.passport)
        if not room:
            self.network.boards.pop(self.session, None)
