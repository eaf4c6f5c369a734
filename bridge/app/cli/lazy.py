"""A group of commands each of whose modules is imported when it is asked for, and not before.

A command for a script should cost what it needs itself: all of them together load the reactor, the store, the policy
language and every network.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click


class LazyGroup(click.Group):
    """Commands that are known by name and help until one is asked for.

    Args:
        package: where each command's module is; module and command have the command's name.
        told: name to the first sentence of the command's help.
    """

    def __init__(self, *args: Any, package: str, told: Mapping[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._package = package
        for name, text in told.items():
            self.add_command(click.Command(name, help=text))  # stands in for it in lists, as in --help

    def load(self, name: str) -> click.Command:
        """Returns a command of this group, imported."""
        found: click.Command = getattr(import_module(f"{self._package}.{name}"), name)
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Finds the command that the arguments name, and imports it."""
        name, command, rest = super().resolve_command(ctx, args)
        if name is not None and name in self.commands:
            command = self.load(name)
        return name, command, rest
