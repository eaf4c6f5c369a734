"""The command line: ``simplebridge``, also ``python -m bridge``."""

import sys
from importlib.metadata import version
from pathlib import Path

import click

from bridge.app.cli.audit import audit
from bridge.app.cli.check import check
from bridge.app.cli.common import WRONG, Context, one_line
from bridge.app.cli.hold import hold
from bridge.app.cli.identity import identity
from bridge.app.cli.policy import policy
from bridge.app.cli.run import run
from bridge.app.cli.softphone import softphone
from bridge.app.cli.status import status
from bridge.app.cli.user import user
from bridge.app.home import ERRORS


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--config", "config_path", type=click.Path(path_type=Path), help="The configuration file.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.version_option(version("simplebridge"))
@click.pass_context
def cli(ctx: click.Context, config_path: Path | None, as_json: bool) -> None:
    """A SIMPLE/SIP bridge to public IM networks, with one policy point and a compliance log.

    Exit status: 0 done, 1 it found something, 2 wrong use or configuration.
    """
    ctx.obj = Context(path=config_path, json=as_json)


for command in (run, check, user, identity, policy, hold, audit, status, softphone):
    cli.add_command(command)


def main() -> None:
    """Runs a command and ends the process with its status."""
    try:
        cli.main(standalone_mode=False)
    except click.exceptions.Exit as e:
        sys.exit(e.exit_code)
    except click.Abort:
        sys.exit(130)
    except click.ClickException as e:
        e.show()
        sys.exit(WRONG)
    except ERRORS as e:
        for line in one_line(e):
            click.echo(f"simplebridge: {line}", err=True)
        sys.exit(WRONG)
