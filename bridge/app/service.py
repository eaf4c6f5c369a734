"""The daemon as a process: its reactor, its signals, its service manager and its exit status."""

from typing import Any

import click
import structlog
from attrs import define, field
from twisted.internet.defer import ensureDeferred
from twisted.internet.error import CannotListenError
from twisted.python.failure import Failure

from bridge.app.cli.common import FOUND, WRONG, one_line
from bridge.app.control import ControlError
from bridge.app.daemon import Daemon
from bridge.app.errors import ERRORS
from bridge.app.home import Home
from bridge.runtime import logs, memory
from bridge.runtime.notify import sd_notify
from bridge.runtime.reactor import install
from bridge.runtime.signals import Signals
from transports.sip.tls import TlsError

log = structlog.get_logger(__name__)

_START_ERRORS = (*ERRORS, CannotListenError, ControlError, TlsError, OSError)


def serve(home: Home, signals: Signals, *, human: bool) -> int:
    """Runs the daemon of a home until a signal stops it.

    Args:
        home: what it keeps.
        signals: installed already; what they asked for until now is done first.
        human: log lines for a terminal.

    Returns:
        the exit status: 0 after a stop in order, 1 after a defect, 2 where something configured cannot be used.
    """
    logs.configure(home.config.bridge.log_level, human=human)
    logs.observe_twisted()
    reactor: Any = install()
    service = _Service(Daemon(home, reactor), reactor, signals)
    reactor.callWhenRunning(service.begin)
    # Twisted's own handlers would take the place of ours while it starts, and end it without order.
    reactor.run(installSignalHandlers=False)
    return service.status


@define(eq=False)
class _Service:
    daemon: Daemon
    reactor: Any
    signals: Signals
    status: int = field(init=False, default=0)
    _ready: bool = field(init=False, default=False)
    _stopping: bool = field(init=False, default=False)

    def begin(self) -> None:
        """Starts the daemon, unless a stop was asked for before there was anything to stop."""
        if self.signals.stop_asked:
            log.info("stopped before the start")
            self.reactor.stop()
            return
        self.signals.attend(lambda: self.reactor.callFromThread(self._look))
        ensureDeferred(self._start())

    async def _start(self) -> None:
        try:
            await self.daemon.start()
        except _START_ERRORS as e:
            for line in one_line(e):
                click.echo(f"simplebridge: {line}", err=True)
            self._end(WRONG)
            return
        except Exception:
            log.exception("the daemon could not start")
            self._end(FOUND)
            return
        memory.settle()
        _tell_manager("READY=1")
        self._ready = True
        self._look()

    def _end(self, status: int) -> None:
        self.status = status
        self.reactor.stop()

    def _look(self) -> None:
        """Does what signals ask for. While it starts they wait: a start is short, and half of one cannot be stopped."""
        if not self._ready or self._stopping:
            return  # a second signal must not cut the drain of the first one short
        if self.signals.stop_asked:
            self._stopping = True
            ensureDeferred(self._stop()).addErrback(self._stop_failed)
        elif self.signals.take_reload():
            _tell_manager("RELOADING=1")
            self.daemon.reload()
            _tell_manager("READY=1")

    async def _stop(self) -> None:
        _tell_manager("STOPPING=1")
        await self.daemon.stop()
        self.reactor.stop()

    def _stop_failed(self, failure: Failure) -> None:
        log.error("the stop failed", error=failure.getErrorMessage(), traceback=failure.getTraceback())
        self.reactor.stop()


def _tell_manager(state: str) -> None:
    """Tells systemd. A manager that cannot be told keeps the bridge neither from starting nor from stopping well."""
    try:
        sd_notify(state)
    except OSError as e:
        log.warning("the service manager cannot be told", state=state, error=str(e))
