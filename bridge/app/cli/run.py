"""``simplebridge run``: the daemon in the foreground."""

import click

from bridge.app.cli.common import Context, common_options
from bridge.runtime.signals import Signals


@click.command()
@common_options
@click.option("--human", is_flag=True, help="Log lines for a terminal instead of JSON.")
def run(context: Context, human: bool) -> None:
    """Run the daemon in the foreground.

    SIGTERM and SIGINT drain and stop it; SIGHUP reloads configuration, policy and certificates.
    """
    signals = Signals()
    signals.install()  # before the imports, which take most of the start
    from bridge.app.service import serve

    raise SystemExit(serve(context.home(), signals, human=human))
