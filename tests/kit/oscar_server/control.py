"""The server's own control: JSON lines in, JSON lines out.

``{"do": "stats"}``, ``{"do": "kick", "name": N}`` (signs off as if N had signed on elsewhere), ``{"do": "drop",
"name": N}`` (breaks the socket), ``{"do": "migrate", "name": N}``, ``{"do": "delay", "seconds": S}`` (acknowledgements
of messages are held back for so long), ``{"do": "account", "name": N, "password": P}``, ``{"do": "quit"}``.
Each answer repeats ``do`` and an ``id``, if one was given, and has ``ok``; failures have ``error``.
Beside the answers there are lines ``{"event": "online" | "moved" | "offline", "name": N}``.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tests.kit.oscar_server.accounts import AccountsError
from tests.kit.oscar_server.bots import Bot
from tests.kit.oscar_server.network import Network
from tests.kit.oscar_server.session import Session
from transports.oscar.wire import oservice
from transports.oscar.wire.names import normal
from transports.oscar.wire.tlv import Tlvs, tlv_text

COUNTERS = (
    "connections", "sign_on_failures", "bad_cookies", "signed_on_elsewhere", "broken_streams", "malformed_snacs",
    "unknown_snacs", "messages_received", "messages_relayed", "messages_stored", "messages_not_there", "acks_held",
    "rate_warnings", "rate_refusals", "rate_disconnects", "not_reading",
)  # fmt: skip
_LONGEST_LINE = 65_536


class ControlError(ValueError):
    """A command that cannot be carried out."""


class Control:
    """Carries out commands.

    Args:
        network: the server.
        answer: takes each answer.
        quit_: ends the server.
    """

    def __init__(self, network: Network, answer: Callable[[dict[str, Any]], None], quit_: Callable[[], None]) -> None:
        self._network = network
        self._answer = answer
        self._quit = quit_
        self._commands: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "stats": self._stats,
            "kick": self._kick,
            "drop": self._drop,
            "migrate": self._migrate,
            "delay": self._delay,
            "account": self._account,
            "quit": self._end,
        }

    def line(self, line: bytes) -> None:
        """A line has come: its answer goes out."""
        answer: dict[str, Any] = {"ok": False}
        try:
            command = _parse(line)
            answer.update({key: command[key] for key in ("do", "id") if key in command})
            name = command.get("do")
            action = self._commands.get(name) if isinstance(name, str) else None
            if action is None:
                raise ControlError(f"do: {name!r} is none of {', '.join(self._commands)}")
            answer.update(action(command), ok=True)
        except (ControlError, AccountsError) as error:
            answer["error"] = str(error)
        self._network.flush()
        self._answer(answer)

    def _session(self, command: dict[str, Any]) -> Session:
        name = _text(command, "name")
        session = self._network.sessions.get(normal(name))
        if session is None:
            raise ControlError(f"{name!r} is not signed on")
        return session

    def _stats(self, _: dict[str, Any]) -> dict[str, Any]:
        network = self._network
        sessions = {
            name: {
                "online": session.online,
                "refused": session.refused,
                "watching": len(session.watching),
                "levels": {str(number): meter.level for number, meter in session.rating.meters.items()},
                "lowest": {str(number): meter.lowest for number, meter in session.rating.meters.items()},
            }
            for name, session in network.sessions.items()
        }
        bots = {name: each.received for name, each in network.residents.items() if isinstance(each, Bot)}
        counts = {name: network.counts[name] for name in COUNTERS}
        return {"counts": counts, "sessions": sessions, "bots": bots, "rates": network.config.rates.name}

    def _kick(self, command: dict[str, Any]) -> dict[str, Any]:
        self._session(command).signed_on_elsewhere()
        return {}

    def _drop(self, command: dict[str, Any]) -> dict[str, Any]:
        session = self._session(command)
        session.connection.abort()
        session.lost()
        return {}

    def _migrate(self, command: dict[str, Any]) -> dict[str, Any]:
        session = self._session(command)
        cookie = self._network.move(session.name)
        assert cookie is not None
        where = Tlvs([tlv_text(oservice.TLV_HOST, self._network.bos_address), (oservice.TLV_COOKIE, cookie)])
        session.deliver(oservice.Migrate(tlvs=where))
        return {}

    def _delay(self, command: dict[str, Any]) -> dict[str, Any]:
        seconds = command.get("seconds")
        if not isinstance(seconds, int | float) or isinstance(seconds, bool) or not 0 <= seconds <= 86_400:
            raise ControlError(f"seconds: {seconds!r} is not a number from 0 to 86400")
        self._network.acks_held_until = self._network.now() + seconds
        return {}

    def _account(self, command: dict[str, Any]) -> dict[str, Any]:
        name = _text(command, "name")
        self._network.accounts.add(name, _text(command, "password"), where=f"account {name}")
        return {}

    def _end(self, _: dict[str, Any]) -> dict[str, Any]:
        self._quit()
        return {}


def _parse(line: bytes) -> dict[str, Any]:
    if len(line) > _LONGEST_LINE:
        raise ControlError(f"a line of {len(line)} bytes is too long")
    try:
        command = json.loads(line)
    except ValueError as error:
        raise ControlError(f"not JSON: {error}") from error
    if not isinstance(command, dict):
        raise ControlError("not an object")
    return command


def _text(command: dict[str, Any], key: str) -> str:
    value = command.get(key)
    if not isinstance(value, str) or not value:
        raise ControlError(f"{key}: {value!r} is not a text")
    return value
