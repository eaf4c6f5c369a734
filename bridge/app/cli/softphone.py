"""``simplebridge softphone``: a small SIP IM client in the terminal."""

import os
import signal
import sys
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from twisted.internet.defer import ensureDeferred
from twisted.python.failure import Failure

from bridge.app import control
from bridge.app.cli.common import FOUND, Context, Wrong, common_options
from bridge.app.control import ControlError
from bridge.app.softphone.address import AddressError, peer_uri
from bridge.app.softphone.session import Event, Session, SessionConfig
from bridge.app.softphone.terminal import LineEditor, Reader, first_line, keys_one_by_one
from bridge.app.softphone.views import TerminalView, write_json, write_plain
from bridge.app.values import Listen
from bridge.identity.accounts import normal_address, user_of
from bridge.runtime.reactor import install
from transports.sip.machine.flow import DEFAULT_PORTS, Target
from transports.sip.phone import Phone, PhoneConfig, PhoneError, PhoneEvent

_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  (compared with, never bound)


@click.command()
@common_options
@click.argument("address")
@click.option("--server", help="udp:HOST:PORT, tcp:HOST:PORT or tls:HOST:PORT; the configuration's by default.")
@click.option("--authority", type=click.Path(path_type=Path), help="PEM certificate to trust, for tls.")
@click.option("--password-stdin", is_flag=True, help="Read the password from the first line of standard input.")
@click.option("--to", help="Whom to write to: somebody@corp.example, name@aim.corp.example or a SIP URI.")
@click.option("--wait", type=click.FloatRange(0), default=0.0, help="Stay so many seconds after the end of the input.")
def softphone(
    context: Context,
    address: str,
    server: str | None,
    authority: Path | None,
    password_stdin: bool,
    to: str | None,
    wait: float,
) -> None:
    """A small SIP IM client: try a bridge without installing a softphone.

    Lines that are typed are sent; /help shows the commands. Where standard input is no terminal its lines are sent one
    after the other and each event is a line of output; exit 1 where the registration or something sent is refused.
    """
    me = normal_address(address)
    target = _server(context, server)
    try:
        peer = None if to is None else peer_uri(to)
    except AddressError as e:
        raise Wrong(f"--to: {e}") from e
    typing = sys.stdin.isatty() and not context.json
    config = PhoneConfig(
        aor=me,
        username=user_of(me),
        password=_password(me, from_stdin=password_stdin),
        server=target,
        authority=_authority(context, authority, target, configured=server is None),
    )
    run = _Run(config, SessionConfig(me=me, to=peer, stays=typing, wait=wait, watches=typing or wait > 0))
    raise SystemExit(run.terminal() if typing else run.pipe(as_json=context.json))


def _server(context: Context, text: str | None) -> Target:
    if text is not None:
        try:
            at = Listen.parse(text)
        except ValueError as e:
            raise Wrong(f"--server: {e}") from e
        if at.transport not in DEFAULT_PORTS:
            raise Wrong(f"--server: this phone speaks udp, tcp and tls, not {at.transport}")
        return Target(at.transport, at.at.host, at.at.port)
    config = context.config()
    dialled = [number for number, one in enumerate(config.sip.listen) if one.transport in DEFAULT_PORTS]
    if not dialled:
        raise Wrong(f"{config.path}: sip.listen has no udp, tcp or tls listener, and this phone speaks no other")
    first = config.sip.listen[dialled[0]]
    port = first.at.port
    if port == 0:
        try:
            found = control.ask(config.bridge.data_dir, "status").get("listeners") or [""]
        except ControlError as e:
            raise Wrong(f"{config.path}: sip.listen names no port, and {e}") from e
        port = int(found[min(dialled[0], len(found) - 1)].rpartition(":")[2] or 0)
        if port == 0:
            raise Wrong("the daemon is not up yet: it has no listeners")
    return Target(first.transport, _ANY.get(first.at.host, first.at.host), port)


def _authority(context: Context, given: Path | None, target: Target, *, configured: bool) -> bytes:
    """Returns the certificate to trust: the given one, else the one that a configured bridge has made for itself."""
    if target.transport != "tls":
        return b""
    if given is None and configured and context.config().sip.certificate is None:
        given = context.config().bridge.data_dir / "tls" / "cert.pem"
    if given is None:
        return b""
    try:
        return given.read_bytes()
    except OSError as e:
        raise Wrong(f"{given}: {e.strerror}") from e


def _password(me: str, *, from_stdin: bool) -> str:
    if from_stdin:
        text = first_line(sys.stdin.fileno())
    elif sys.stdin.isatty():
        text = click.prompt(f"Password for {me}", hide_input=True, err=True)
    else:
        raise Wrong("there is no terminal to ask for a password: give it with --password-stdin")
    if not text:
        raise Wrong("the password is empty")
    return text


class _Run:
    """Binds phone, session, input and view together, and runs the reactor."""

    def __init__(self, phone: PhoneConfig, session: SessionConfig) -> None:
        self._config = phone
        self._reactor: Any = install()
        self._reader = Reader(self._reactor, sys.stdin.fileno())
        self._session: Session
        self._phone = Phone(
            phone,
            reactor=self._reactor,
            on_event=self._event,
            on_connected=self._reconnected,
        )
        self._told = session
        self._code = FOUND

    def _event(self, event: PhoneEvent) -> None:
        self._session.event(event)

    def _reconnected(self) -> None:
        self._session.reconnected()

    def pipe(self, *, as_json: bool) -> int:
        """Lines in, lines out; returns the exit code."""
        sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
        write = write_json if as_json else write_plain
        self._session = self._new_session(partial(write, sys.stdout))
        self._session.taken = self._reader.taken
        self._reader.lines(self._session.line, self._session.end_of_input)
        return self._run()

    def terminal(self) -> int:
        """Keys in, a conversation out; returns the exit code."""
        view = TerminalView(Console(highlight=False, markup=False, emoji=False), self._told.me)
        self._session = self._new_session(view.show)
        if self._told.to is not None:
            view.peer(self._told.to)

        def changed(text: str) -> None:
            view.typed(text)
            self._session.typed(text)

        editor = LineEditor(self._session.line, self._session.quit, changed)
        with ExitStack() as stack:
            stack.callback(view.close)
            stack.enter_context(keys_one_by_one(sys.stdin.fileno()))
            view.show({"event": "help", "commands": ["/help shows what can be typed; Ctrl-D ends"]})
            view.typed("")
            self._reader.keys(editor.feed, self._session.quit)
            return self._run()

    def _new_session(self, show: Callable[[Event], None]) -> Session:
        return Session(self._told, self._phone, show, self._reactor)

    def _run(self) -> int:
        self._session.finished.addCallback(self._finished)
        self._reactor.callWhenRunning(lambda: ensureDeferred(self._start()).addErrback(self._failed))
        self._reactor.run()
        return self._code

    async def _start(self) -> None:
        def stop(*_: object) -> None:
            self._reactor.callFromThread(self._session.quit)

        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, stop)
        await self._phone.start()
        self._phone.register()

    def _finished(self, code: int) -> None:
        self._code = code

        async def stop() -> None:
            await self._phone.stop()
            self._reactor.stop()

        ensureDeferred(stop()).addErrback(self._failed)

    def _failed(self, failure: Failure) -> None:
        self._code = FOUND
        text = str(failure.value) if failure.check(PhoneError) else failure.getTraceback()  # type: ignore[no-untyped-call]
        os.write(2, f"simplebridge: {text}\n".encode())
        self._reactor.stop()
