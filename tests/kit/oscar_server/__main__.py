"""``python -m tests.kit.oscar_server``: the server as a process."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.kit.oscar_server.accounts import Accounts, AccountsError
from tests.kit.oscar_server.bots import start_bot
from tests.kit.oscar_server.control import Control
from tests.kit.oscar_server.lines import read_lines, write_line
from tests.kit.oscar_server.network import Config, Network
from tests.kit.oscar_server.rating import PROFILES
from tests.kit.oscar_server.sockets import Lines

_TICK = 0.1
_BACKLOG = 1024
"""A connection that found no room would stand for its client, who waits for the server to speak first."""


def address(text: str) -> tuple[str, int]:
    """``host:port``; raises `argparse.ArgumentTypeError`."""
    host, separator, port = text.rpartition(":")
    if not separator or not host or not port.isascii() or not port.isdigit() or int(port) > 65_535:
        raise argparse.ArgumentTypeError(f"{text!r} is not host:port")
    return host, int(port)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(prog="python -m tests.kit.oscar_server", description="A small OSCAR server.")
    made.add_argument("--listen", type=address, default=("127.0.0.1", 0), metavar="HOST:PORT")
    made.add_argument("--bos", type=address, metavar="HOST:PORT", help="a second port, to which sign-on leads")
    made.add_argument("--accounts", type=Path, action="append", default=[], metavar="FILE.json")
    made.add_argument("--account", action="append", default=[], metavar="NAME:PASSWORD")
    made.add_argument("--bot", action="append", default=[], metavar="NAME=echo|sink")
    made.add_argument("--rates", choices=sorted(PROFILES), default="wide")
    made.add_argument("--silent", action="store_true", help="drop what comes too fast without an answer")
    made.add_argument("--max-message", type=int, default=8000, metavar="BYTES")
    made.add_argument("--max-buddies", type=int, default=1000, metavar="NUMBER")
    made.add_argument("--end-with-input", action="store_true", help="end when standard input does")
    return made


def run(argv: Sequence[str]) -> int:
    """Run until SIGTERM or ``quit``; gives the exit code."""
    options = parser().parse_args(argv)
    from twisted.internet import reactor as installed
    from twisted.internet.task import LoopingCall

    # what is installed provides more than the module's type says
    reactor: Any = installed
    config = Config(
        rates=PROFILES[options.rates],
        refuse_in_silence=options.silent,
        max_message=options.max_message,
        max_buddies=options.max_buddies,
    )
    accounts = Accounts(reactor.seconds())

    def tell(event: str, name: str) -> None:
        write_line({"event": event, "name": name})

    network = Network(accounts, config, now=reactor.seconds, later=reactor.callLater, tell=tell)
    try:
        for path in options.accounts:
            accounts.load(path)
        for argument in options.account:
            accounts.add_argument(argument)
        for argument in options.bot:
            start_bot(network, argument)
    except AccountsError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    factory = Lines(network)
    host, port = options.listen
    listening = f"{host}:{reactor.listenTCP(port, factory, _BACKLOG, host).getHost().port}"
    network.bos_address = listening
    if options.bos is not None:
        bos_host, bos_port = options.bos
        network.bos_address = f"{bos_host}:{reactor.listenTCP(bos_port, factory, _BACKLOG, bos_host).getHost().port}"

    def quit_() -> None:
        reactor.callLater(0, reactor.stop)

    control = Control(network, write_line, quit_)
    read_lines(control.line, reactor, ended=quit_ if options.end_with_input else None)
    LoopingCall(network.tick).start(_TICK, now=False)
    reactor.callWhenRunning(write_line, {"listening": listening})
    reactor.run()
    return 0


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
