"""``simplebridge user``: local SIP accounts."""

import sys
from typing import Any

import click

from bridge.app.cli.common import Context, Wrong, common_options, print_table
from bridge.identity.changes import AddUser, Change, DisableUser, EnableUser, RemoveUser, SetPassword
from bridge.identity.secret import Secret

ACTOR = "command-line"
_MAX_LINE = 65_536


def read_password(prompt: str, *, from_stdin: bool) -> Secret:
    """Reads a password: the first line of standard input, or typed twice.

    Raises:
        Wrong: there is none.
    """
    if from_stdin:
        text = _first_line()
    else:
        if not sys.stdin.isatty():
            raise Wrong("there is no terminal to ask for a password: give it with --password-stdin")
        text = click.prompt(prompt, hide_input=True, confirmation_prompt=True)
    if not text:
        raise Wrong("the password is empty")
    return Secret(text)


def _first_line() -> str:
    """Returns the first line of standard input: UTF-8, whatever the locale says. Raises Wrong."""
    try:
        return sys.stdin.buffer.readline(_MAX_LINE).decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError as e:
        raise Wrong("the password on standard input is not UTF-8") from e


def apply(context: Context, changes: list[Change], said: str) -> None:
    """Applies changes and says what was done, or that it was so already."""
    plan = context.home().change_people(changes, actor=ACTOR)
    answer: dict[str, Any] = {
        "changed": not plan.empty,
        "version": plan.state.version,
        "notes": [note.as_dict() for note in plan.notes],
    }
    context.show(answer, lambda: click.echo(said if answer["changed"] else "nothing to do: it is so already"))


@click.group()
def user() -> None:
    """Local SIP accounts, where no directory holds them."""


@user.command()
@common_options
@click.argument("address")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@click.option("--display-name", default="", help="The name that others see.")
def add(context: Context, address: str, password_stdin: bool, display_name: str) -> None:
    """Add an account."""
    password = read_password(f"Password for {address}", from_stdin=password_stdin)
    apply(context, [AddUser(address=address, password=password, display_name=display_name)], f"added {address}")


@user.command()
@common_options
@click.argument("address")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
def password(context: Context, address: str, password_stdin: bool) -> None:
    """Set an account's password."""
    secret = read_password(f"New password for {address}", from_stdin=password_stdin)
    apply(context, [SetPassword(address=address, password=secret)], f"the password of {address} is set")


@user.command("list")
@common_options
def list_(context: Context) -> None:
    """List the accounts."""
    people = context.home().people() if context.home().database.exists() else None
    accounts = [] if people is None else sorted(people.accounts(), key=lambda account: account.address)
    rows = [
        {"address": a.address, "enabled": a.enabled, "display_name": a.display_name, "password": bool(a.ha1s)}
        for a in accounts
    ]
    context.show(
        rows,
        lambda: print_table(
            ("address", "state", "name"),
            [(r["address"], "enabled" if r["enabled"] else "disabled", r["display_name"]) for r in rows],
        ),
    )


def _simple(name: str, make: Any, done: str, text: str) -> None:
    @user.command(name, help=text)
    @common_options
    @click.argument("address")
    def command(context: Context, address: str) -> None:
        apply(context, [make(address=address)], f"{address} is {done}")


_simple("disable", DisableUser, "disabled", "Disable an account: it neither signs on, sends nor receives.")
_simple("enable", EnableUser, "enabled", "Enable an account again.")
_simple("remove", RemoveUser, "removed", "Remove an account and unbind its names; their history stays.")
