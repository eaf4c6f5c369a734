"""``simplebridge status``: links, queues, registrations, checkpoint age."""

from collections.abc import Mapping
from typing import Any

import click

from bridge.app import control
from bridge.app.cli.common import Context, common_options, found, print_table
from bridge.app.control import ControlError
from bridge.model.capabilities import LinkState

MANY = 50
"""So many links are shown at most, and of more only those that are not up."""


@click.command()
@common_options
def status(context: Context) -> None:
    """Show links, queues, registrations and the age of the last checkpoint."""
    try:
        answer = control.ask(context.config().bridge.data_dir, "status")
    except ControlError as e:
        found(str(e))

    def human() -> None:
        if answer["state"] == "starting":
            click.echo("starting")
            return
        click.echo(f"{answer['state']}: {answer['domain']}, pid {answer['pid']}, up {answer['uptime_seconds']:.0f} s")
        click.echo(f"listening on {', '.join(answer['listeners'])}")
        click.echo(f"policy {answer['policy']['version']} {answer['policy']['digest'][:16]}")
        checkpoint = answer.get("checkpoint") or {}
        age = checkpoint.get("age_seconds")
        click.echo(
            f"log {answer['log_id']}: {checkpoint.get('size', 0)} leaves in the last checkpoint, "
            + ("none signed yet" if age is None else f"{age:.0f} s ago")
        )
        queues, sip = answer["queues"], answer["sip"]
        click.echo(f"deliveries: {queues['waiting']} waiting, {queues['sending']} being sent")
        click.echo("sip: " + ", ".join(f"{name} {value}" for name, value in sip.items()))
        click.echo("messages: " + ", ".join(f"{name} {value}" for name, value in answer["messages"].items()))
        peers = [
            (one["name"], one["address"], one["transport"], one["state"], f"{one['seconds']:.0f} s", one["reason"])
            for one in answer.get("peers", ())
        ]
        if peers:
            print_table(("peer", "address", "transport", "state", "for", ""), peers)
        _show_links(answer)

    context.show(answer, human)


def _show_links(answer: Mapping[str, Any]) -> None:
    """Networks by their numbers, and each link; of many links those alone that are not up."""
    networks = [
        (one["network"], str(one["accounts"]), ", ".join(f"{n} {state}" for state, n in one["states"].items() if n))
        for one in answer["networks"]
    ]
    if networks:
        print_table(("network", "accounts", "links"), networks)
    links = answer["links"]
    if len(links) > MANY:
        links = [link for link in links if link["state"] != LinkState.UP.value]
    shown = links[:MANY]
    if shown:
        print_table(
            ("network", "account", "link", "for", ""),
            [(one["network"], one["account"], one["state"], f"{one['seconds']:.0f} s", one["reason"]) for one in shown],
        )
    if len(links) > len(shown):
        click.echo(f"and {len(links) - len(shown)} more that are not up: --json has them all")
