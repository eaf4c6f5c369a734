"""docs/reference/commands.md names every command and every option that there is, and none that there is not."""

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from bridge.app.cli.lazy import LazyGroup
from bridge.app.main import cli
from bridge.app.softphone.session import COMMANDS

TEXT = (Path(__file__).parents[3] / "docs" / "reference" / "commands.md").read_text("utf-8")


def _commands(group: click.Group = cli, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    for name, listed in group.commands.items():
        command = group.load(name) if isinstance(group, LazyGroup) else listed
        if isinstance(command, click.Group):
            yield from _commands(command, (*path, name))
        else:
            yield (*path, name), command


def _section(name: str) -> str:
    return TEXT.partition(f"\n## {name}\n")[2].partition("\n## ")[0]


@pytest.mark.parametrize(("path", "command"), list(_commands()), ids=str)
def test_every_command_and_option(path: tuple[str, ...], command: click.Command) -> None:
    section = _section(path[0])
    assert re.search(rf"`(simplebridge )?{' '.join(path)}\b", section), f"{' '.join(path)} is not told"
    for option in command.params:
        if isinstance(option, click.Option) and option.name not in {"config_path", "as_json"}:
            assert any(f"`{name}" in section for name in option.opts), f"{option.opts} of {path} is not told"


def test_nothing_else() -> None:
    known = {name for _, command in _commands() for option in command.params for name in option.opts}
    told = set(re.findall(r"--[a-z][a-z-]*", TEXT))
    assert told - known == {"--help", "--version"}


def test_what_is_typed_in_the_softphone() -> None:
    for line, _ in COMMANDS:
        assert f"`{line}`" in _section("softphone")
