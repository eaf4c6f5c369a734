"""What all commands share: the configuration, output for people or for programs, and exit codes.

0: done. 1: it found something (a failed check, a broken log). 2: wrong use or configuration, with one clear line.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, ParamSpec, TypeVar

import click

if TYPE_CHECKING:  # imported when they are needed: --help needs neither a configuration nor a home
    from bridge.app.config import Config
    from bridge.app.home import Home

FOUND = 1
WRONG = 2
NOBODY_READS = 141
"""The reader of standard output has gone, as after ``| head``: 128 and the number of SIGPIPE, as other programs end."""

P = ParamSpec("P")
R = TypeVar("R")


class Wrong(click.ClickException):
    """Wrong use or configuration: one line for each thing that is wrong, exit 2."""

    exit_code = WRONG

    def __init__(self, *lines: str) -> None:
        super().__init__(lines[-1])
        self.lines = lines


class Found(Wrong):
    """The command has found something: one line, exit 1."""

    exit_code = FOUND


class Context:
    """What the options before the command said."""

    def __init__(self, path: Path | None = None, *, json: bool = False) -> None:
        self.path = path
        self.json = json
        self.answered = False
        """Whether the answer is out: an error that follows is not to be told as JSON as well."""
        self._config: Config | None = None

    def home(self) -> Home:
        """Returns the home of the configured bridge. Raises Wrong."""
        from bridge.app.home import Home

        return Home(self.config())

    def config(self) -> Config:
        """Returns the configuration.

        Raises:
            Wrong: there is none, or it cannot be used.
        """
        from bridge.app.config import ConfigError, find, load

        if self._config is None:
            try:
                self._config = load(find(self.path))
            except ConfigError as e:
                raise Wrong(str(e)) from e
        return self._config

    def show(self, answer: Mapping[str, Any] | Sequence[Mapping[str, Any]], human: Callable[[], object]) -> None:
        """Prints an answer: as JSON where it was asked for, else as ``human`` prints it."""
        self.answered = True
        if self.json:
            click.echo(_json(answer))
        else:
            human()


def tell(lines: Sequence[str], code: int, context: Context | None, *, json: bool) -> None:
    """Says why a command ends: on standard error, and as the command's one JSON value where there is none yet."""
    for line in lines:
        click.echo(f"simplebridge: {line}", err=True)
    if json and not (context is not None and context.answered):
        click.echo(_json({"ok": False, "error": lines[0], "errors": lines, "exit": code}))


def _json(answer: object) -> str:
    import orjson

    try:
        return orjson.dumps(answer, default=str, option=orjson.OPT_INDENT_2).decode()
    except TypeError:  # a text out of a damaged store that is not Unicode: JSON can write it all the same
        return json.dumps(answer, default=str, indent=2)


pass_context = click.make_pass_decorator(Context, ensure=True)


def common_options(command: Callable[P, R]) -> Callable[P, R]:
    """Gives a command ``--config`` and ``--json`` of its own, so that they may stand before or after its name."""

    @click.option("--config", "config_path", type=click.Path(path_type=Path), help="The configuration file.")
    @click.option("--json", "as_json", is_flag=True, help="Print JSON.")
    @click.pass_context
    @wraps(command)
    def wrapped(ctx: click.Context, /, config_path: Path | None, as_json: bool, *args: Any, **kwargs: Any) -> Any:
        context = ctx.ensure_object(Context)
        if config_path is not None:
            context.path = config_path
        context.json = context.json or as_json
        return ctx.invoke(command, context, *args, **kwargs)

    return wrapped  # type: ignore[return-value]  # click fills in the context


def one_line(error: Exception) -> list[str]:
    """Returns an error's text, a line for each thing that is wrong."""
    return [line for line in str(error).splitlines() if line.strip()] or [type(error).__name__]


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Prints rows for people; what came from outside is shown as it is, never read as markup."""
    from rich.table import Table
    from rich.text import Text

    from bridge.app.cli.console import console

    table = Table(*columns, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*(Text("" if cell is None else _visible(str(cell))) for cell in row))
    console().print(table)


def _visible(text: str) -> str:
    """Returns a text without control characters: a screen name must not drive the terminal."""
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)


def found(message: str) -> NoReturn:
    """Ends with exit 1 after one line: the command has found something."""
    raise Found(message)
