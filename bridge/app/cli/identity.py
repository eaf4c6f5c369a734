"""``simplebridge identity``: the map of corporate ids and screen names."""

import datetime as dt
import sys
from pathlib import Path
from typing import Any

import click

from bridge.app.cli.common import Context, Wrong, common_options, print_table
from bridge.app.cli.user import ACTOR, apply, read_password
from bridge.identity import names_csv
from bridge.identity.bindings import NameKey
from bridge.identity.changes import BindName, ImportNames, UnbindName
from bridge.identity.errors import ImportRefused, NameRefused
from bridge.identity.keyring import KeyringFile
from bridge.store import identity as identity_store


@click.group()
def identity() -> None:
    """The map of corporate ids and screen names."""


@identity.command()
@common_options
@click.argument("address")
@click.argument("network")
@click.argument("name")
@click.option("--password-stdin", is_flag=True, help="Read the network password from standard input.")
@click.option("--primary", is_flag=True, help="Make this the name that the person sends with.")
def bind(context: Context, address: str, network: str, name: str, password_stdin: bool, primary: bool) -> None:
    """Bind a screen name to a person."""
    secret = read_password(f"Password of {name} on {network}", from_stdin=True) if password_stdin else None
    change = BindName(address=address, network=network, name=name, password=secret, primary=primary)
    apply(context, [change], f"{name} on {network} is {address}")


@identity.command()
@common_options
@click.argument("address")
@click.argument("network")
@click.argument("name")
def unbind(context: Context, address: str, network: str, name: str) -> None:
    """Take a screen name from a person; who had it when stays known."""
    apply(context, [UnbindName(network=network, name=name, address=address)], f"{name} on {network} is free")


@identity.command("list")
@common_options
def list_(context: Context) -> None:
    """List the bindings."""
    home = context.home()
    found = [] if not home.database.exists() else _bindings(home.people())
    rows = [
        {
            "address": b.person,
            "network": b.network,
            "name": b.shown,
            "primary": b.primary,
            "password": b.credential is not None,
        }
        for b in found
    ]
    context.show(
        rows,
        lambda: print_table(
            ("address", "network", "name", "", "password"),
            [
                (
                    r["address"],
                    r["network"],
                    r["name"],
                    "primary" if r["primary"] else "",
                    "kept" if r["password"] else "-",
                )
                for r in rows
            ],
        ),
    )


def _bindings(people: Any) -> list[Any]:
    return sorted(
        (b for account in people.accounts() for b in people.names_of(account.address)),
        key=lambda b: (b.person, b.network, not b.primary, b.name),
    )


@identity.command()
@common_options
@click.argument("name")
@click.option("--network", help="The network, where several have such a name.")
def history(context: Context, name: str, network: str | None) -> None:
    """Show who was behind a screen name, and when.

    NAME is a screen name (on whichever network), or network/name.
    """
    home = context.home()
    if network is None and "/" in name:
        network, _, name = name.partition("/")
    keys = []
    for candidate in [network] if network is not None else sorted(home.config.networks):
        try:
            keys.append(NameKey(candidate, home.normal_name(candidate, name)))  # type: ignore[arg-type]
        except NameRefused:
            if network is not None:
                raise
    if not keys:
        raise Wrong(f"{name!r} is not a name on any configured network")
    with home.reading() as connection:
        facts = identity_store.history(connection, *keys)
    rows = [
        {
            "network": f.network,
            "name": f.shown,
            "address": f.person,
            "from": _time(f.valid_from),
            "to": None if f.valid_to is None else _time(f.valid_to),
            "recorded_from": f.recorded_from,
            "recorded_to": f.recorded_to,
        }
        for f in facts
    ]
    context.show(
        rows,
        lambda: print_table(
            ("network", "name", "address", "from", "to", "believed since", "until"), [tuple(r.values()) for r in rows]
        ),
    )


def _time(seconds: float) -> str:
    return dt.datetime.fromtimestamp(seconds, dt.UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


@identity.command("import")
@common_options
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
def import_(context: Context, file: Path) -> None:
    """Import bindings from CSV with the header address,network,name: all of them, or none."""
    try:
        if str(file) == "-":
            data = sys.stdin.buffer.read(names_csv.MAX_BYTES + 1)
        else:
            with file.open("rb") as opened:
                data = opened.read(names_csv.MAX_BYTES + 1)
    except OSError as e:
        raise Wrong(f"{file}: {e.strerror}") from e
    try:
        apply(context, [ImportNames(data=data, source=str(file))], f"{file} is imported")
    except ImportRefused as e:
        bad = [f"{file}:{line.line}: {line.reason}" for line in e.lines]
        raise Wrong(*bad, f"{file}: nothing was imported: {len(bad)} bad lines") from e


@identity.command()
@common_options
def export(context: Context) -> None:
    """Print the bindings as CSV, as `identity import` takes it."""
    home = context.home()
    found = [] if not home.database.exists() else _bindings(home.people())
    rows = [{"address": b.person, "network": b.network, "name": b.shown} for b in found]
    context.show(rows, lambda: sys.stdout.buffer.write(names_csv.write_names(found)))


@identity.command("rotate-key")
@common_options
def rotate_key(context: Context) -> None:
    """Seal all network passwords under a new key, and drop the old one."""
    home = context.home()
    vault = home.vault()
    file = KeyringFile(home.keys / "vault.key")
    file.rotate()
    vault.refresh()
    with home.direct() as journal:
        from bridge.compliance import record

        count = journal.submit(
            lambda connection: identity_store.reseal(connection, vault),
            records=lambda n: [record.event(record.IDENTITY_CHANGE, actor=ACTOR, detail={"resealed": n})],
        ).result
    with home.reading() as connection:
        file.drop_old(identity_store.keys_in_use(connection))
    context.show({"resealed": count}, lambda: click.echo(f"{count} passwords are sealed under a new key"))
