"""A scripted person with a screen name: JSON lines in, JSON lines out, on the bridge's own connector.

``python -m tests.kit.oscar_server.user --server HOST:PORT --name theboogyman --password x [--echo] [--count]``

Commands (each with an optional ``id``, which the ``result`` repeats): ``send`` (``to``, ``text``, which is plain
unless ``html``, and ``auto``, ``store``), ``typing`` (``to``, ``state``: typing, typed, none), ``away`` (``text``),
``back``, ``invisible``, ``idle`` (``seconds``), ``add`` and ``remove`` (``name``), ``ask`` (``to``, ``text``) and
``authorize`` (``to``, ``accepted``) between ICQ numbers, ``summary``, ``quit``.

Events: ``signed_on``, ``link`` (``state``), ``message`` (``from``, ``text`` in plain, ``raw`` as it came, ``auto``,
``offline``), ``presence`` (``name``, ``online``, ``away``, ``idle`` minutes, ``message``), ``typing`` (``from``,
``state``), ``roster``, ``queued``, ``result`` (``stage``: relayed, failed, unknown), ``summary``, ``error``; and what
else the connector tells, under the name of its class.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import secrets
import signal
import sys
from collections import Counter, deque
from collections.abc import Callable, Sequence
from html import escape
from html.parser import HTMLParser
from typing import Any

import attrs
from twisted.internet.defer import Deferred

from bridge.model.capabilities import SendResult
from tests.kit.oscar_server.__main__ import address
from tests.kit.oscar_server.lines import read_lines, write_line
from transports.oscar.connector import OscarTransport, TransportConfig
from transports.oscar.machine.config import SessionConfig, SignOnMethod
from transports.oscar.wire import native
from transports.oscar.wire.names import is_uin, normal

_DRAIN = 2.0
_WINDOW = 500
"""The most messages that the connector has to send at a time."""


class _Plain(HTMLParser):
    """The text of HTML: what a person reads."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag == "br":
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        self.parts.append(data)


def plain(html: str) -> str:
    """HTML as a person reads it."""
    if "<" not in html and "&" not in html:
        return html
    parser = _Plain()
    parser.feed(html)
    parser.close()
    return "".join(parser.parts)


class CommandError(ValueError):
    """A command that cannot be carried out."""


class Person:
    """A screen name, its connector, and what happens to it.

    Args:
        transport: the connector.
        name, password: of the account.
        echo: answer each message with its own text.
        count: tell neither messages nor results, but count them.
        tell: takes each event.
        quit_: ends the program.
    """

    def __init__(
        self,
        transport: OscarTransport,
        name: str,
        password: str,
        *,
        echo: bool,
        count: bool,
        tell: Callable[[dict[str, Any]], None],
        quit_: Callable[[], None],
    ) -> None:
        self._transport = transport
        self._name = normal(name)
        self._password = password
        self._echo = echo
        self._count = count
        self._tell = tell
        self._quit = quit_
        self._own = native.OwnPresence(account=self._name, state=native.Availability.ONLINE)
        self._sends = 0
        self._waiting: deque[tuple[native.ImSend, Callable[[SendResult], None]]] = deque()
        self._under_way = 0
        self._going_on = False
        self.counts: Counter[str] = Counter()
        self._commands: dict[str, Callable[[dict[str, Any]], None]] = {
            "send": self._send,
            "typing": self._typing,
            "away": self._away,
            "back": lambda command: self._show(command, state=native.Availability.ONLINE, away_message=None),
            "invisible": lambda command: self._show(command, state=native.Availability.INVISIBLE, away_message=None),
            "idle": lambda command: self._show(command, idle_seconds=_number(command, "seconds")),
            "add": self._add,
            "remove": self._remove,
            "ask": self._ask,
            "authorize": self._authorize,
            "summary": lambda _: self.summary(),
            "quit": lambda _: self._quit(),
        }

    def sign_on(self) -> None:
        """Begin."""
        self._transport.sign_on(self._name, self._password, self._own)

    def summary(self) -> None:
        """Tell what was counted."""
        names = ("received", "sent", "relayed", "failed", "unknown", "presence", "typing")
        self._tell({"event": "summary", **{name: self.counts[name] for name in names}})

    # -- commands

    def line(self, line: bytes) -> None:
        """A command has come."""
        try:
            try:
                command = json.loads(line)
            except ValueError as error:
                raise CommandError(f"not JSON: {error}") from error
            name = command.get("do") if isinstance(command, dict) else None
            action = self._commands.get(name) if isinstance(name, str) else None
            if action is None:
                raise CommandError(f"do: {name!r} is none of {', '.join(self._commands)}")
            action(command)
        except CommandError as error:
            self._tell({"event": "error", "error": str(error), "line": line.decode("utf-8", "replace")[:200]})

    def _hand(self, value: native.Outbound, command: dict[str, Any] | None) -> None:
        told: dict[str, Any] = {}
        if command is not None:
            told = {key: command[key] for key in ("do", "id", "to") if key in command}

        def done(result: SendResult) -> None:
            stage = result.stage.value
            if isinstance(value, native.ImSend):
                self.counts[stage] += 1
                self._under_way -= 1
                self._go_on()
            if command is None or (self._count and isinstance(value, native.ImSend)):
                return
            event = {"event": "result", **told, "stage": stage}
            if result.failure is not None:
                failure = result.failure
                event |= {"reason": failure.reason, "retryable": failure.retryable, "certain": failure.certain}
            self._tell(event)

        if isinstance(value, native.ImSend):
            self._waiting.append((value, done))
            self._go_on()
        else:
            self._pass_on(value, done)

    def _go_on(self) -> None:
        """Send what waits, as long as the connector has not too much of it already: it would refuse the rest."""
        if self._going_on:
            return
        self._going_on = True
        while self._waiting and self._under_way < _WINDOW:
            self._under_way += 1
            self._pass_on(*self._waiting.popleft())
        self._going_on = False

    def _pass_on(self, value: native.Outbound, done: Callable[[SendResult], None]) -> None:
        self._sends += 1
        self._transport.send(value, self._sends, None, done)

    def _send(self, command: dict[str, Any]) -> None:
        to, text = _text(command, "to"), _text(command, "text")
        is_html = not (is_uin(self._name) and is_uin(to))
        if is_html and not _flag(command, "html"):
            text = escape(text, quote=False).replace("\n", "<br>")
        self.counts["sent"] += 1
        message = native.ImSend(
            account=self._name,
            to=to,
            text=text,
            is_html=is_html,
            cookie=secrets.token_bytes(8),
            auto_response=_flag(command, "auto"),
            store_offline=_flag(command, "store", default=True),
        )
        self._hand(message, command)

    def _typing(self, command: dict[str, Any]) -> None:
        try:
            state = native.Typing(command.get("state", "typing"))
        except ValueError as error:
            raise CommandError(f"state: {error}") from error
        self._hand(native.TypingSend(account=self._name, to=_text(command, "to"), state=state), command)

    def _away(self, command: dict[str, Any]) -> None:
        self._show(command, state=native.Availability.AWAY, away_message=_text(command, "text"))

    def _show(self, command: dict[str, Any], **changes: Any) -> None:
        self._own = attrs.evolve(self._own, **changes)
        self._hand(self._own, command)

    def _add(self, command: dict[str, Any]) -> None:
        self._hand(native.BuddyAdd(account=self._name, screen_name=_text(command, "name")), command)

    def _remove(self, command: dict[str, Any]) -> None:
        self._hand(native.BuddyRemove(account=self._name, screen_name=_text(command, "name")), command)

    def _ask(self, command: dict[str, Any]) -> None:
        to, reason = _text(command, "to"), _text(command, "text")
        self._hand(native.AuthorizationAsk(account=self._name, to=to, reason=reason), command)

    def _authorize(self, command: dict[str, Any]) -> None:
        accepted = _flag(command, "accepted", default=True)
        answer = native.AuthorizationAnswer(account=self._name, to=_text(command, "to"), accepted=accepted)
        self._hand(answer, command)

    # -- events

    def deliver(self, value: native.Inbound, on_recorded: Callable[[], None]) -> None:
        """Something has happened: the connector's `Sink`."""
        if isinstance(value, native.ImReceived):
            self._message(value)
        elif isinstance(value, native.LinkState):
            self._link(value)
        elif isinstance(value, native.BuddyPresence):
            self._presence(value)
        elif isinstance(value, native.TypingReceived):
            self.counts["typing"] += 1
            self._tell({"event": "typing", "from": value.sender, "state": value.state.value})
        elif isinstance(value, native.Roster):
            contacts = [{"name": each.screen_name, "group": each.group} for each in value.contacts]
            self._tell({"event": "roster", "contacts": contacts})
        elif isinstance(value, native.ImQueued):
            if not self._count:
                told = {"to": value.to, "waiting": value.waiting, "expected": value.expected_seconds}
                self._tell({"event": "queued", **told})
        else:
            self._tell({"event": type(value).__name__, **attrs.asdict(value, value_serializer=_plain_value)})
        on_recorded()

    def _message(self, value: native.ImReceived) -> None:
        self.counts["received"] += 1
        if not self._count:
            text = plain(value.text) if value.is_html else value.text
            self._tell({
                "event": "message", "from": value.sender, "text": text, "raw": value.text,
                "auto": value.auto_response, "offline": value.offline,
            })  # fmt: skip
        if self._echo and not value.auto_response:
            self.counts["sent"] += 1
            answer = native.ImSend(
                account=self._name,
                to=value.sender,
                text=value.text,
                is_html=value.is_html,
                cookie=secrets.token_bytes(8),
            )
            self._hand(answer, None)

    def _link(self, value: native.LinkState) -> None:
        told = {"state": value.state.value, "reason": value.reason, "code": value.code, "retry_in": value.retry_in}
        self._tell({"event": "link", **told})
        if value.state is native.Link.UP:
            self._tell({"event": "signed_on", "name": self._name, "max_message_bytes": value.max_message_bytes})

    def _presence(self, value: native.BuddyPresence) -> None:
        self.counts["presence"] += 1
        message = value.away_message
        html = message is not None and not is_uin(value.screen_name)
        self._tell({
            "event": "presence", "name": value.screen_name, "online": value.online, "away": value.away,
            "idle": value.idle_minutes, "message": plain(message) if html and message else message,
            "status": value.status_text, "icq_status": value.icq_status,
        })  # fmt: skip


def _plain_value(_: object, __: object, value: Any) -> Any:
    return value.hex() if isinstance(value, bytes) else value


def _text(command: dict[str, Any], key: str) -> str:
    value = command.get(key)
    if not isinstance(value, str) or not value:
        raise CommandError(f"{key}: {value!r} is not a text")
    return value


def _flag(command: dict[str, Any], key: str, *, default: bool = False) -> bool:
    value = command.get(key, default)
    if not isinstance(value, bool):
        raise CommandError(f"{key}: {value!r} is neither true nor false")
    return value


def _number(command: dict[str, Any], key: str) -> int:
    value = command.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise CommandError(f"{key}: {value!r} is not a number")
    return value


def run(argv: Sequence[str]) -> int:
    """Run until SIGTERM or ``quit``; gives the exit code."""
    made = argparse.ArgumentParser(prog="python -m tests.kit.oscar_server.user", description="A scripted person.")
    made.add_argument("--server", type=address, required=True, metavar="HOST:PORT")
    made.add_argument("--name", required=True)
    made.add_argument("--password", required=True)
    made.add_argument("--echo", action="store_true", help="answer each message with its own text")
    made.add_argument("--count", action="store_true", help="count messages in place of telling each")
    made.add_argument("--roasted", action="store_true", help="the older sign-on")
    made.add_argument("--old-hash", action="store_true", help="the older form of the digest")
    made.add_argument("--ack-timeout", type=float, default=30.0, metavar="SECONDS")
    made.add_argument("--max-queue", type=int, default=100_000, metavar="NUMBER")
    made.add_argument("--end-with-input", action="store_true", help="end when standard input does")
    options = made.parse_args(argv)
    from twisted.internet import reactor as installed

    # what is installed provides more than the module's type says
    reactor: Any = installed
    host, port = options.server
    session = SessionConfig(
        host=host,
        port=port,
        method=SignOnMethod.ROASTED if options.roasted else SignOnMethod.MD5,
        hashed_password=not options.old_hash,
        ack_timeout=options.ack_timeout,
        max_queue=options.max_queue,
        backoff_base=0.2,
    )
    transport = OscarTransport(TransportConfig(session=session), reactor)
    ending = False

    def quit_() -> None:
        nonlocal ending
        if ending:
            return
        ending = True
        if options.count:
            with contextlib.suppress(BrokenPipeError):  # nobody reads any more: one more reason to end
                person.summary()
        Deferred.fromCoroutine(transport.stop(_DRAIN)).addBoth(lambda _: reactor.callLater(0, reactor.stop))

    person = Person(
        transport,
        options.name,
        options.password,
        echo=options.echo,
        count=options.count,
        tell=write_line,
        quit_=quit_,
    )

    def begin() -> None:
        signal.signal(signal.SIGTERM, lambda *_: reactor.callFromThread(quit_))
        Deferred.fromCoroutine(transport.start(person)).addCallback(lambda _: person.sign_on())

    read_lines(person.line, reactor, ended=quit_ if options.end_with_input else None)
    reactor.callWhenRunning(begin)
    reactor.run()
    return 0


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
