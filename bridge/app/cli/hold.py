"""``simplebridge hold``: what policy holds for a reviewer, and the reviewer's answer."""

import datetime as dt
from typing import Any

import click

from bridge.app import control
from bridge.app.cli.audit import operator
from bridge.app.cli.common import Context, Wrong, common_options, found, print_table
from bridge.app.control import ControlError, NotRunningError
from bridge.app.holds import REFUSE, RELEASE, RELEASED, SELF_REVIEW, reviews_self
from bridge.app.home import Home
from bridge.compliance.errors import CodecError
from bridge.compliance.log import Restorer
from bridge.delivery.ports import Entry
from bridge.identity.accounts import normal_address
from bridge.model.body import Message
from bridge.store import holds
from bridge.store.holds import Held, NotHeldError
from bridge.store.journal import Damage, DirectJournal
from bridge.store.reader import SqliteLogReader


@click.group()
def hold() -> None:
    """Messages that policy holds for a reviewer."""


@hold.command("list")
@common_options
@click.option("--show", is_flag=True, help="Show the texts too. That you looked is put on record.")
def list_(context: Context, show: bool) -> None:
    """List what is held, oldest first."""
    home = context.home()
    held, rules, damaged = _read(home)
    if show and held:
        with home.direct() as journal:  # on record before it is seen
            journal.commit(Entry(records=tuple(holds.look_records(held, actor=operator()))))
    rows = [_row(one, rules.get(one.item.event, ""), show=show) for one in held]
    columns = ("event", "from", "to", "rule", "received", "expires", *(("text",) if show else ()))
    context.show(rows, lambda: print_table(columns, [tuple(row[c] for c in columns) for row in rows]))
    for damage in damaged:
        click.echo(f"simplebridge: {damage.key}: {damage.reason}", err=True)
    if damaged:
        found(f"{len(damaged)} held messages are damaged: see `simplebridge audit verify`")


def _read(home: Home) -> tuple[list[Held], dict[str, str], tuple[Damage, ...]]:
    if not home.database.exists():
        return [], {}, ()
    with SqliteLogReader(home.database) as reader:
        held, damaged = holds.read_held(reader, _restorer(home, reader))
        rules: dict[str, str] = {}
        for one in held:
            try:
                rules[one.item.event] = holds.rule_of(reader, one.item.event)
            except CodecError as error:
                damaged = (*damaged, Damage(key=one.item.key, reason=f"decision: {error}"))
    return held, rules, damaged


def _restorer(home: Home, reader: SqliteLogReader) -> Restorer:
    return Restorer(reader.state().log_id, home.keyring(create=False), reader.keks())


def _row(held: Held, rule: str, *, show: bool) -> dict[str, Any]:
    envelope = held.envelope
    row = {
        "event": held.item.event,
        "from": str(envelope.sender.address),
        "to": ", ".join(str(one.address) for one in envelope.recipients),
        "rule": rule,
        "received": _time(envelope.received_at),
        "expires": _time(held.item.expires_at),
    }
    if show:
        row["text"] = envelope.body.text if isinstance(envelope.body, Message) else f"({envelope.body.kind})"
    return row


def _time(seconds: float) -> str:
    return dt.datetime.fromtimestamp(seconds, dt.UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


_actor = click.option(
    "--actor", help="Who decides, as an address such as carol@corp.example; by default the user who runs this."
)


@hold.command()
@common_options
@click.argument("event")
@click.option("--reason", default="", help="Why, for the record.")
@_actor
def release(context: Context, event: str, reason: str, actor: str | None) -> None:
    """Let the message EVENT go to its recipient."""
    _decide(context, RELEASE, event, reason, actor)


@hold.command()
@common_options
@click.argument("event")
@click.option("--reason", default="", help="Why, for the record and for the sender.")
@_actor
def refuse(context: Context, event: str, reason: str, actor: str | None) -> None:
    """Refuse the message EVENT: it is not delivered, and its sender is told."""
    _decide(context, REFUSE, event, reason, actor)


def _decide(context: Context, do: str, event: str, reason: str, actor: str | None) -> None:
    home = context.home()
    by = {"actor": operator(), "reviewer": _reviewer(home, actor), "reason": reason}
    folder = home.config.bridge.data_dir
    try:
        answer: dict[str, Any] = control.ask(folder, "hold", do=do, event=event, **by)
    except NotRunningError:
        answer = _directly(home, do, event, by)
        if do == RELEASE:
            _tell_one_that_started_meanwhile(home, event)
    except ControlError as error:
        found(str(error))
    context.show(answer, lambda: click.echo(f"{answer['event']} is {answer['decision']}"))


def _reviewer(home: Home, actor: str | None) -> str:
    """Returns the address of who decides: as given, else what the system's user would have here."""
    if actor is None:
        return f"{operator()}@{home.config.bridge.domain}".lower()
    if "@" not in actor:
        raise Wrong(f"--actor: not an address such as carol@{home.config.bridge.domain}: {actor!r}")
    return normal_address(actor)


def _directly(home: Home, do: str, event: str, by: dict[str, str]) -> dict[str, Any]:
    """Decides in the store, where no daemon runs: the next one delivers what was released."""
    if not home.database.exists():
        raise Wrong(f"{home.database}: there is no log yet")
    try:
        with SqliteLogReader(home.database) as reader:
            held = holds.find_held(reader, _restorer(home, reader), event)
        if reviews_self(held.envelope, by["reviewer"]):
            found(SELF_REVIEW)
        if do == RELEASE and held.item.expires_at <= dt.datetime.now(dt.UTC).timestamp():
            found(f"message {event} has expired")
        with home.direct() as journal:
            _write(journal, do, held, by)
    except NotHeldError as error:
        found(str(error))
    return {"event": event, "decision": "released" if do == RELEASE else "refused"}


def _write(journal: DirectJournal, do: str, held: Held, by: dict[str, str]) -> None:
    if do == RELEASE:
        journal.submit(holds.release(held), records=lambda _: holds.release_records(held, **by))
    else:
        journal.submit(holds.drop(held), records=lambda _: holds.refuse_records(held, **by))


def _tell_one_that_started_meanwhile(home: Home, event: str) -> None:
    try:
        control.ask(home.config.bridge.data_dir, "hold", do=RELEASED, event=event)
    except NotRunningError:
        return  # the next one reads it when it starts
    except ControlError as error:
        click.echo(
            f"simplebridge: a daemon has started meanwhile, and may deliver at its next start: {error}", err=True
        )
