"""Records a session against a real server, for tests that live through it again.

``python -m tests.kit.msnp_server.recorder FILE VERSION HOST:PORT WEB SIDE`` lets two accounts (msna and msnb at
hotmail.test, password ``secret``) meet on a server such as escargot, and writes what the session of SIDE (``a`` or
``b``) was told and what it wanted. Each line is JSON: the time, what happened, and its content.
"""

from __future__ import annotations

import json
import random
import sys
from base64 import b64encode
from pathlib import Path
from typing import Any

from attrs import asdict
from twisted.internet import asyncioreactor
from twisted.internet.defer import Deferred

from transports.msnp.connector import MsnpTransport, TransportConfig
from transports.msnp.machine.actions import Action, Fetch, Fetched
from transports.msnp.machine.config import SessionConfig, Urls
from transports.msnp.machine.session import MsnpSession
from transports.msnp.wire import native

SEED = 1


class Recorded(MsnpSession):
    """A session that writes down what it is told and what it wants."""

    def __init__(self, account: str, credential: str, config: SessionConfig) -> None:
        super().__init__(account, credential, config, rng=random.Random(SEED))
        self.lines: list[tuple[float, str, Any]] = []

    def _note(self, what: str, value: Any) -> None:
        self.lines.append((self._now, what, value))

    def start(self, now: float) -> None:
        self._now = now
        self._note("start", None)
        super().start(now)

    def stop(self, now: float, reason: str = "signed off") -> None:
        self._now = now
        self._note("stop", None)
        super().stop(now, reason)

    def connected(self, conn_id: int, now: float) -> None:
        self._now = now
        self._note("connected", conn_id)
        super().connected(conn_id, now)

    def connection_lost(self, conn_id: int, now: float, reason: str = "connection lost") -> None:
        self._now = now
        self._note("lost", conn_id)
        super().connection_lost(conn_id, now, reason)

    def receive(self, conn_id: int, data: bytes, now: float) -> None:
        self._now = now
        self._note("received", [conn_id, b64encode(data).decode()])
        super().receive(conn_id, data, now)

    def fetched(self, fetch_id: int, answer: Fetched, now: float) -> None:
        self._now = now
        body = b64encode(answer.body).decode()
        self._note("fetched", [fetch_id, answer.status, answer.headers, body, answer.error])
        super().fetched(fetch_id, answer, now)

    def handle_timer(self, now: float) -> None:
        self._now = now
        self._note("timer", None)
        super().handle_timer(now)

    def send(self, value: native.Outbound, key: Any, now: float, deadline: float | None = None) -> None:
        self._now = now
        self._note("send", [type(value).__name__, asdict(value), key])
        super().send(value, key, now, deadline)

    def recorded(self, event: native.Inbound, now: float) -> None:
        self._now = now
        if isinstance(event, native.ImReceived) and event.offline:
            self._note("recorded", event.message_id)
        super().recorded(event, now)

    def to_send(self) -> list[tuple[int, bytes]]:
        out = super().to_send()
        for conn_id, data in out:
            self._note("sent", [conn_id, b64encode(data).decode()])
        return out

    def next_action(self) -> Action | None:
        action = super().next_action()
        if action is not None:
            self._note("action", [type(action).__name__, action.conn_id])
        return action

    def next_fetch(self) -> Fetch | None:
        fetch = super().next_fetch()
        if fetch is not None:
            self._note("fetch", [fetch.fetch_id, fetch.url, fetch.body is None])
        return fetch

    def write(self, path: Path) -> None:
        """Writes the file, with times from the beginning."""
        begin = self.lines[0][0] if self.lines else 0.0
        text = "".join(json.dumps([round(at - begin, 6), what, value]) + "\n" for at, what, value in self.lines)
        path.write_text(text, "ascii")


def config_for(version: int, host: str, port: int, web: str) -> SessionConfig:
    """The configuration of a recording, for which the web servers' URLs matter."""
    urls = Urls(
        nexus=f"{web}/rdr/pprdr.asp",
        sso=f"{web}/RST.srf",
        contacts=f"{web}/abservice",
        stored=f"{web}/rsi/rsi.asmx",
        store=f"{web}/OimWS/oim.asmx",
    )
    return SessionConfig(host=host, port=port, version=version, urls=urls)


class _Nobody:
    def deliver(self, event: Any, on_recorded: Any) -> None:
        del event
        on_recorded()


def main(argv: list[str]) -> None:
    """Records."""
    path, version, address, web, side = argv
    host, _, port = address.rpartition(":")
    asyncioreactor.install()  # type: ignore[no-untyped-call]
    from twisted.internet import reactor as installed

    reactor: Any = installed
    config = config_for(int(version), host, int(port), web)
    transport = MsnpTransport(TransportConfig(session=config), reactor)
    made: dict[str, Recorded] = {}

    def make(account: str, credential: str) -> Recorded:
        return made.setdefault(account, Recorded(account, credential, config))

    transport._make = make
    a, b = "msna@hotmail.test", "msnb@hotmail.test"
    keys = iter(range(1, 100))

    def send(value: native.Outbound) -> None:
        transport.send(value, f"key{next(keys)}", 30.0, lambda _: None)

    async def pause(seconds: float) -> None:
        waited: Deferred[None] = Deferred()
        reactor.callLater(seconds, waited.callback, None)
        await waited

    async def meet() -> None:
        await transport.start(_Nobody())
        transport.sign_on(a, "secret")
        transport.sign_on(b, "secret")
        await pause(2.0)
        for me, other in ((a, b), (b, a)):
            send(native.ContactAdd(account=me, passport=other))
            send(native.Allow(account=me, passport=other, allowed=True))
        await pause(1.5)
        send(native.OwnPresence(account=b, status="PHN", message="au téléphone"))
        send(native.ImSend(account=a, to=b, text="grüße 😀\nand more", cookie="a1" * 16))
        await pause(1.0)
        send(native.TypingSend(account=b, to=a, typing=True))
        send(native.ImSend(account=b, to=a, text="une réponse ü", cookie="b1" * 16))
        await pause(0.7)
        send(native.ImSend(account=a, to="nobody@hotmail.test", text="anybody?", cookie="c1" * 16))
        await pause(0.7)
        send(native.ContactRemove(account=a, passport=b))
        await pause(0.7)
        transport.sign_off(a)
        await pause(0.5)
        await transport.stop(0.5)
        made[a if side == "a" else b].write(Path(path))
        reactor.stop()

    Deferred.fromCoroutine(meet())
    reactor.run()


if __name__ == "__main__":
    main(sys.argv[1:])
