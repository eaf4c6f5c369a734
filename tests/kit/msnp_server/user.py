"""A scripted person with a passport: JSON lines in, JSON lines out, on the bridge's own connector.

Commands (each with an ``id``, which the ``result`` repeats): ``send`` and ``typing`` (``to``; ``text``), ``presence``
(``status``, ``text``), ``add``, ``remove``, ``allow``, ``block`` (``name``). Events: ``signed_on``, ``link``,
``message``, ``typing``, ``presence``, ``result``; and what else the connector tells, under the name of its class.
"""

from __future__ import annotations

import argparse
import json
import secrets
from typing import Any

import attrs
from twisted.internet import asyncioreactor
from twisted.internet.defer import Deferred

from bridge.model.capabilities import SendResult
from tests.kit.oscar_server.lines import read_lines, write_line
from transports.msnp.connector import MsnpTransport, TransportConfig
from transports.msnp.machine.config import SessionConfig, Urls
from transports.msnp.wire import native


class Person:
    """One person, signed on."""

    def __init__(self, transport: MsnpTransport, name: str) -> None:
        self._transport = transport
        self._name = name

    def deliver(self, event: native.Inbound, on_recorded: Any) -> None:
        """Takes what the connector tells."""
        on_recorded()
        if isinstance(event, native.ImReceived):
            text = event.text.replace("\r\n", "\n")
            write_line({"event": "message", "from": event.sender, "text": text, "offline": event.offline})
        elif isinstance(event, native.TypingReceived):
            write_line({"event": "typing", "from": event.sender, "typing": event.typing})
        elif isinstance(event, native.ContactPresence):
            fields = {"name": event.passport, "status": event.status, "message": event.message}
            write_line({"event": "presence", **fields})
        elif isinstance(event, native.LinkState):
            write_line({"event": "link", "state": event.state.value, "reason": event.reason})
            if event.state is native.Link.UP:
                write_line({"event": "signed_on"})
        else:
            write_line({"event": type(event).__name__, **attrs.asdict(event)})

    def obey(self, line: bytes) -> None:
        """Carries a command out."""
        command = json.loads(line)
        number = command.get("id")

        def done(result: SendResult) -> None:
            reason = None if result.failure is None else result.failure.reason
            write_line({"event": "result", "id": number, "stage": result.stage.value, "reason": reason})

        self._transport.send(self._native(command), secrets.token_hex(8), 30.0, done)

    def _native(self, command: dict[str, Any]) -> native.Outbound:
        do, me = command["do"], self._name
        if do == "send":
            return native.ImSend(account=me, to=command["to"], text=command["text"], cookie=secrets.token_hex(16))
        if do == "typing":
            return native.TypingSend(account=me, to=command["to"], typing=command.get("typing", True))
        if do == "presence":
            return native.OwnPresence(account=me, status=command["status"], message=command.get("text", ""))
        if do in {"add", "remove"}:
            edit = native.ContactAdd if do == "add" else native.ContactRemove
            return edit(account=me, passport=command["name"])
        return native.Allow(account=me, passport=command["name"], allowed=do == "allow")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.kit.msnp_server.user")
    parser.add_argument("--server", required=True, metavar="HOST:PORT")
    parser.add_argument("--login", required=True, metavar="URL")
    parser.add_argument("--name", required=True)
    parser.add_argument("--password", required=True)
    parser.add_argument("--version", type=int, default=12)
    parser.add_argument("--end-with-input", action="store_true", help="it always does")
    options = parser.parse_args()
    asyncioreactor.install()  # type: ignore[no-untyped-call]
    from twisted.internet import reactor as installed

    # what is installed provides more than the module's type says
    reactor: Any = installed
    host, _, port = options.server.rpartition(":")
    urls = Urls(login=options.login)
    session = SessionConfig(host=host, port=int(port), version=options.version, urls=urls)
    transport = MsnpTransport(TransportConfig(session=session), reactor)
    person = Person(transport, options.name)
    Deferred.fromCoroutine(transport.start(person))
    transport.sign_on(options.name, options.password)

    def stop() -> None:
        Deferred.fromCoroutine(transport.stop(0.5)).addBoth(lambda _: reactor.stop())

    read_lines(person.obey, reactor, ended=stop)
    reactor.run()


if __name__ == "__main__":
    main()
