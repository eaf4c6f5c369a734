"""``simplebridge audit``: placeholder group until its commands are bound."""

import click


@click.group()
def audit() -> None:
    """The compliance log."""
