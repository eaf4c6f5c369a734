"""``simplebridge presence``: who has asked to see whose presence, and the person's answer."""

import datetime as dt
from typing import Any

import click

from bridge.app import control
from bridge.app.approvals import APPROVE, LIST, REFUSE, as_dict, decided, load, put, records
from bridge.app.cli.audit import operator
from bridge.app.cli.common import Context, Wrong, common_options, found, print_table
from bridge.app.control import ControlError, NotRunningError
from bridge.app.home import Home
from bridge.identity.accounts import normal_address
from bridge.presence.approvals import Request, Verdict

_COLUMNS = ("person", "watcher", "verdict", "since", "words")


@click.group()
def presence() -> None:
    """Requests to see somebody's presence."""


@presence.command()
@common_options
@click.option("--for", "person", help="Only those to this person, an address such as alice@corp.example.")
@click.option("--all", "everything", is_flag=True, help="Those that were answered too.")
def requests(context: Context, person: str | None, everything: bool) -> None:
    """List who waits for an answer, the oldest first."""
    home = context.home()
    wanted = None if person is None else _person(home, person)
    rows = [
        _row(one)
        for one in _all(home)
        if (wanted is None or one["target"] == wanted) and (everything or one["verdict"] == Verdict.WAITS.value)
    ]
    context.show(rows, lambda: print_table(_COLUMNS, [tuple(row[column] for column in _COLUMNS) for row in rows]))


_for = click.option(
    "--for", "person", required=True, help="Whose presence it is, an address such as alice@corp.example."
)
_reason = click.option("--reason", default="", help="Why, for the record.")


@presence.command()
@common_options
@click.argument("watcher")
@_for
@_reason
def approve(context: Context, watcher: str, person: str, reason: str) -> None:
    """Let WATCHER (bob@corp.example, or aim/theboogyman) see the person's presence."""
    _decide(context, APPROVE, watcher, person, reason)


@presence.command()
@common_options
@click.argument("watcher")
@_for
@_reason
def refuse(context: Context, watcher: str, person: str, reason: str) -> None:
    """Refuse WATCHER the person's presence, now and later. What the person sees of WATCHER stays as it is."""
    _decide(context, REFUSE, watcher, person, reason)


def _decide(context: Context, do: str, watcher: str, person: str, reason: str) -> None:
    home = context.home()
    target, who = _person(home, person), _watcher(home, watcher)
    actor = operator()
    try:
        answer: dict[str, Any] = control.ask(
            home.config.bridge.data_dir, "presence", do=do, target=target, watcher=who, actor=actor, reason=reason
        )
    except NotRunningError:
        answer = _directly(home, do, target, who, actor, reason)
    except ControlError as error:
        found(str(error))
    verdict = answer["verdict"]
    context.show(answer, lambda: click.echo(f"{who} is {verdict} to see {target}"))


def _directly(home: Home, do: str, target: str, watcher: str, actor: str, reason: str) -> dict[str, Any]:
    """Decides in the store, where no daemon runs: the next one tells who asked."""
    known = [one for one in _stored(home) if (one.target, one.watcher) == (target, watcher)]
    if not known:
        found(f"{watcher} has not asked to see {target}")
    answered = decided(known[0], do, dt.datetime.now(dt.UTC).timestamp())
    with home.direct() as journal:
        journal.submit(put(answered), records=lambda _: records(answered, actor=actor, reason=reason))
    return as_dict(answered)


def _all(home: Home) -> list[dict[str, Any]]:
    try:
        answer = control.ask(home.config.bridge.data_dir, "presence", do=LIST)
    except NotRunningError:
        return [as_dict(one) for one in sorted(_stored(home), key=lambda one: one.at)]
    except ControlError as error:
        found(str(error))
    listed: list[dict[str, Any]] = answer["requests"]
    return listed


def _stored(home: Home) -> list[Request]:
    if not home.database.exists():
        return []
    with home.reading() as connection:
        return load(connection)


def _person(home: Home, text: str) -> str:
    if "@" not in text:
        raise Wrong(f"--for: not an address such as alice@{home.config.bridge.domain}: {text!r}")
    return normal_address(text)


def _watcher(home: Home, text: str) -> str:
    """Returns how a watcher is known: an address of the company, or network/name in its normal form."""
    network, slash, name = text.partition("/")
    if not slash:
        if "@" not in text:
            raise Wrong(f"neither an address such as bob@{home.config.bridge.domain} nor network/name: {text!r}")
        return normal_address(text)
    if network not in home.config.networks:
        known = ", ".join(home.config.networks) or "none"
        raise Wrong(f"no network is called {network!r}; there are: {known}")
    return f"{network}/{home.normal_name(network, name)}"


def _row(one: dict[str, Any]) -> dict[str, str]:
    since = dt.datetime.fromtimestamp(one["at"], dt.UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return {
        "person": one["target"], "watcher": one["watcher"], "verdict": one["verdict"], "since": since,
        "words": one["words"],
    }  # fmt: skip
