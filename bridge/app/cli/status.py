"""``simplebridge status``: links, queues, registrations, checkpoint age."""

import click

from bridge.app import control
from bridge.app.cli.common import Context, common_options, found, print_table
from bridge.app.control import ControlError


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
        print_table(
            ("network", "account", "link", ""),
            [(link["network"], link["account"], link["state"], link["reason"]) for link in answer["links"]],
        )

    context.show(answer, human)
