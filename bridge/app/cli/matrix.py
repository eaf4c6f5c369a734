"""``simplebridge matrix``: what a homeserver has to be told of this bridge."""

import os
from pathlib import Path

import click

from bridge.app.cli.common import Context, Wrong, common_options


@click.group()
def matrix() -> None:
    """What a Matrix homeserver has to be told of this bridge."""


@matrix.command()
@click.argument("network")
@click.option("--output", type=click.Path(path_type=Path), help="Write it to this file, readable by its owner alone.")
@common_options
def registration(context: Context, network: str, output: Path | None) -> None:
    """Print the registration of NETWORK as an application service, for the homeserver's configuration.

    It holds two secrets, which are made when there are none yet.
    """
    from bridge.app.networks.matrix_kind import MatrixOptions
    from bridge.app.networks.matrix_registration import registration_of
    from bridge.compliance.keys import write_private_file

    home = context.home()
    options = home.options.get(network)
    if not isinstance(options, MatrixOptions):
        known = ", ".join(name for name, held in home.options.items() if isinstance(held, MatrixOptions)) or "none"
        raise Wrong(f"{network!r} is no network of the kind matrix; configured are: {known}")
    home.prepare()
    try:
        made = registration_of(network, options, home.keys)
        if output is not None:
            write_private_file(output, made.yaml().encode(), replace=True)
    except (ValueError, OSError) as e:
        raise Wrong(str(e)) from e
    answer = {"id": made.id, "url": made.url, "users": made.user_regex, "sender_localpart": made.sender_localpart}
    if output is None:
        context.show({**answer, "registration": made.yaml()}, lambda: click.echo(made.yaml(), nl=False))
    else:
        context.show({**answer, "file": os.fspath(output)}, lambda: click.echo(f"{output}: written"))
