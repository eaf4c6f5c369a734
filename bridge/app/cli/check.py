"""``simplebridge check``: configuration and policy, without starting anything."""

from pathlib import Path

import click

from bridge.app.cli.common import Context, common_options
from bridge.app.config import Config
from bridge.app.sipconfig import endpoint_config, tls_files
from bridge.policy.linting import lint


@click.command()
@common_options
def check(context: Context) -> None:
    """Check configuration and policy without starting."""
    home = context.home()
    config = home.config
    endpoint_config(config)
    if config.sip.authorities is not None:
        _check_authorities(config, config.sip.authorities)
    if config.sip.certificate is not None:
        _check_certificate(config)
    policy = home.policy()
    if config.policy.file is None:
        warnings = ["no policy is configured: everything is refused"]
    else:
        findings = lint(policy.policy)
        warnings = [f"{config.policy.file}:{f.line or 1}: {f.code}: {f.subject}: {f.message}" for f in findings]
    answer = {"ok": True, "config": str(config.path), "policy_digest": policy.digest, "warnings": warnings}

    def human() -> None:
        for warning in warnings:
            click.echo(f"warning: {warning}", err=True)
        rules = len(policy.policy.rules)
        click.echo(f"{config.path}: good; {len(config.networks)} networks, {rules} rules, policy {policy.digest[:16]}")

    context.show(answer, human)


def _check_authorities(config: Config, path: Path) -> None:
    """Raises ConfigError where the authorities that are configured cannot be read."""
    from transports.sip.tls import TlsError, certificates

    try:
        certificates(path)
    except TlsError as e:
        raise config.error(("sip", "authorities"), str(e)) from e


def _check_certificate(config: Config) -> None:
    """Raises ConfigError where the certificate and key that are configured cannot be used."""
    from transports.sip.tls import TlsError, load_options

    files = tls_files(config)
    if files is None:
        return
    try:
        load_options(files)
    except TlsError as e:
        raise config.error(("sip", "certificate"), str(e)) from e
