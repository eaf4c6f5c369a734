"""The command line: ``simplebridge``, also ``python -m bridge``."""

import os
import sys
from pathlib import Path
from typing import Final, NoReturn

import click

from bridge.app.cli.common import NOBODY_READS, WRONG, Context, Wrong, one_line, tell
from bridge.app.cli.lazy import LazyGroup

_COMMANDS: Final = {
    "run": "Run the daemon in the foreground.",
    "check": "Check configuration and policy without starting.",
    "user": "Local SIP accounts, where no directory holds them.",
    "identity": "The map of corporate ids and screen names.",
    "policy": "The policy: what it says, and why.",
    "hold": "Messages that policy holds for a reviewer.",
    "matrix": "What a Matrix homeserver has to be told of this bridge.",
    "presence": "Requests to see somebody's presence.",
    "audit": "The compliance log.",
    "status": "Show links, queues, registrations and the age of the last checkpoint.",
    "softphone": "A small SIP IM client: try a bridge without installing a softphone.",
}
"""Each command is in the module of ``bridge.app.cli`` that has its name; here is how its help begins."""


@click.group(
    cls=LazyGroup,
    package="bridge.app.cli",
    told=_COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option("--config", "config_path", type=click.Path(path_type=Path), help="The configuration file.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.version_option(package_name="simplebridge", prog_name="simplebridge")
@click.pass_context
def cli(ctx: click.Context, config_path: Path | None, as_json: bool) -> None:
    """A SIMPLE/SIP bridge to public IM networks, with one policy point and a compliance log.

    Exit status: 0 done, 1 it found something, 2 wrong use or configuration.
    """
    ctx.obj = Context(path=config_path, json=as_json)


_OWNER_ALONE: Final = 0o077


def main() -> None:
    """Runs a command and ends the process with its status."""
    _open_streams()
    ctx: click.Context | None = None
    os.umask(_OWNER_ALONE)  # store, sockets and exports hold what people wrote: their owner's alone
    try:
        # Not cli.main: it ends with 1 where the reader has gone, which here says that something was found.
        with cli.make_context("simplebridge", sys.argv[1:]) as ctx:
            cli.invoke(ctx)
        sys.stdout.flush()  # what cannot be written is told now, not by the interpreter's last breath
    except click.exceptions.Exit as e:
        sys.exit(e.exit_code)
    except (click.Abort, KeyboardInterrupt, EOFError):
        sys.exit(130)
    except click.exceptions.NoArgsIsHelpError as e:
        e.show()
        sys.exit(WRONG)
    except click.UsageError as e:
        command = e.ctx.command_path if e.ctx is not None else "simplebridge"
        _end(ctx, f"{e.format_message().rstrip('.')} (see {command} --help)")
    except Wrong as e:
        _end(ctx, *e.lines, code=e.exit_code)
    except click.ClickException as e:
        _end(ctx, e.format_message())
    except BrokenPipeError:
        _forget_output()
        sys.exit(NOBODY_READS)
    except OSError as e:
        if e.filename is None:
            _forget_output()
        _end(ctx, f"{e.filename or 'standard output'}: {e.strerror or e}", quietly=e.filename is None)
    except _errors() as e:
        _end(ctx, *one_line(e))


def _errors() -> tuple[type[Exception], ...]:
    """Returns what a home can raise; looked up only once something has been raised."""
    from bridge.app.errors import ERRORS

    return ERRORS


def _end(ctx: click.Context | None, *lines: str, code: int = WRONG, quietly: bool = False) -> NoReturn:
    """Says why a command ends, and ends. ``quietly``: standard output takes nothing any more."""
    context = None if ctx is None else ctx.find_object(Context)
    # A command line that cannot be read has set nothing: what it says of JSON is taken as it stands.
    json = not quietly and (context.json if context is not None and context.json else "--json" in sys.argv[1:])
    tell(lines, code, context, json=json)
    sys.exit(code)


def _open_streams() -> None:
    """Makes sure that there are three standard streams: else a file of ours would be given the number of one."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDONLY if number == 0 else os.O_WRONLY)
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115


def _forget_output() -> None:
    """Leaves nothing that the interpreter would try to write once more at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
