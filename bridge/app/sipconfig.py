"""What the configuration says to the SIP side. Light: ``check`` reads it without loading the reactor or the store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bridge.app.config import Config
from transports.sip.machine.config import (
    AuthConfig,
    ChallengeRule,
    EndpointConfig,
    Lifetimes,
    Limits,
    Listener,
    StoredList,
)
from transports.sip.machine.flow import SECURED

if TYPE_CHECKING:
    from transports.sip.tls import TlsFiles


def endpoint_config(config: Config) -> EndpointConfig:
    """Returns what the configuration says to the SIP endpoint."""
    sip = config.sip
    listeners = tuple(Listener(transport=at.transport, host=at.at.host, port=at.at.port) for at in sip.listen)
    hosts = {at.at.host for at in sip.listen}
    return EndpointConfig(
        domain=config.bridge.domain,
        listeners=listeners,
        network_domains=frozenset(section.domain for section in config.networks.values()),
        aliases=frozenset(hosts - {"0.0.0.0", "::"}),  # noqa: S104  (compared with, never bound)
        realm=sip.realm,
        auth=AuthConfig(
            challenges=(ChallengeRule(algorithms=sip.digest_algorithms),),
            legacy=sip.digest_legacy,
            nonce_lifetime=sip.nonce_lifetime,
            uri_aliases=frozenset(hosts | {str(at.at) for at in sip.listen}),
        ),
        limits=Limits(contacts_per_aor=sip.max_contacts, max_body=sip.max_body),
        lifetimes=Lifetimes(
            minimum=sip.expires_min,
            default=sip.expires_default,
            maximum=sip.expires_max,
            notify_interval=config.presence.notify_interval,
        ),
        reg_watchers=frozenset(config.presence.reg_watchers),
        lists={
            one.address: StoredList(
                members=tuple(f"sip:{name}" for name in one.members), watchers=frozenset(one.watchers)
            )
            for one in config.lists
        },
    )


def tls_files(config: Config) -> TlsFiles | None:
    """Returns the certificate and key of tls and wss listeners; a self-signed pair is made where none is configured."""
    if not any(at.transport in SECURED for at in config.sip.listen):
        return None
    from transports.sip.tls import TlsFiles

    if config.sip.certificate is not None and config.sip.key is not None:
        return TlsFiles(certificate=config.sip.certificate, key=config.sip.key)
    import structlog

    from bridge.app.selfsigned import self_signed

    folder: Path = config.bridge.data_dir / "tls"
    certificate, key = self_signed(folder, config.bridge.domain, [str(at.at.host) for at in config.sip.listen])
    structlog.get_logger(__name__).warning(
        "self-signed certificate", certificate=str(certificate), hint="set sip.certificate and sip.key"
    )
    return TlsFiles(certificate=certificate, key=key)
