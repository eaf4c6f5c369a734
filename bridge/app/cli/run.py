"""``simplebridge run``: the daemon in the foreground."""

import signal
from typing import Any

import click
import structlog
from twisted.internet.defer import ensureDeferred
from twisted.internet.error import CannotListenError
from twisted.python.failure import Failure

from bridge.app.cli.common import FOUND, WRONG, Context, common_options, one_line
from bridge.app.control import ControlError
from bridge.app.daemon import Daemon
from bridge.app.home import ERRORS
from bridge.runtime import logs, memory
from bridge.runtime.notify import sd_notify
from bridge.runtime.reactor import install
from transports.sip.tls import TlsError

log = structlog.get_logger(__name__)

_START_ERRORS = (*ERRORS, CannotListenError, ControlError, TlsError, OSError)


@click.command()
@common_options
@click.option("--human", is_flag=True, help="Log lines for a terminal instead of JSON.")
def run(context: Context, human: bool) -> None:
    """Run the daemon in the foreground.

    SIGTERM and SIGINT drain and stop it; SIGHUP reloads configuration, policy and certificates.
    """
    home = context.home()
    logs.configure(home.config.bridge.log_level, human=human)
    logs.observe_twisted()
    reactor = install()
    daemon = Daemon(home, reactor)
    status = [0]
    reactor.callWhenRunning(lambda: ensureDeferred(_start(daemon, reactor, status)))
    reactor.run()  # type: ignore[no-untyped-call]  # Twisted leaves it untyped
    raise SystemExit(status[0])


async def _start(daemon: Daemon, reactor: Any, status: list[int]) -> None:
    _on_signals(daemon, reactor)
    try:
        await daemon.start()
    except _START_ERRORS as e:
        for line in one_line(e):
            click.echo(f"simplebridge: {line}", err=True)
        status[0] = WRONG
        reactor.stop()
        return
    except Exception:
        log.exception("the daemon could not start")
        status[0] = FOUND
        reactor.stop()
        return
    memory.settle()
    _tell_manager("READY=1")


def _tell_manager(state: str) -> None:
    """Tells systemd. A manager that cannot be told keeps the bridge neither from starting nor from stopping well."""
    try:
        sd_notify(state)
    except OSError as e:
        log.warning("the service manager cannot be told", state=state, error=str(e))


def _on_signals(daemon: Daemon, reactor: Any) -> None:
    stopping = False

    async def stop() -> None:
        nonlocal stopping
        if stopping:
            return  # a second signal must not cut the drain of the first one short
        stopping = True
        _tell_manager("STOPPING=1")
        await daemon.stop()
        reactor.stop()

    def failed(failure: Failure) -> None:
        log.error("the stop failed", error=failure.getErrorMessage(), traceback=failure.getTraceback())
        reactor.stop()

    def on_stop(*_: object) -> None:
        reactor.callFromThread(lambda: ensureDeferred(stop()).addErrback(failed))

    def on_reload(*_: object) -> None:
        def reload() -> None:
            if not daemon.up:
                return  # what it starts with is read anyway, and a stop needs no new policy
            _tell_manager("RELOADING=1")
            daemon.reload()
            _tell_manager("READY=1")

        reactor.callFromThread(reload)

    signal.signal(signal.SIGTERM, on_stop)
    signal.signal(signal.SIGINT, on_stop)
    signal.signal(signal.SIGHUP, on_reload)
