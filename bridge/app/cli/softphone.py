"""``simplebridge softphone``."""

import click


@click.command()
def softphone() -> None:
    """A small SIP IM client in the terminal."""
