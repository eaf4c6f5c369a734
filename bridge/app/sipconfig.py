"""What the configuration says to the SIP side. Light: ``check`` reads it without loading the reactor or the store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bridge.app.config import Config
from bridge.app.quirksection import challenge_rules, quirks_of
from bridge.app.trunksections import trunk_config, with_passwords
from transports.sip.machine.config import (
    AuthConfig,
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
    quirks = quirks_of(sip.quirks)
    return EndpointConfig(
        domain=config.bridge.domain,
        listeners=listeners,
        network_domains=frozenset(section.domain for section in config.networks.values()),
        aliases=frozenset(hosts - {"0.0.0.0", "::"}),  # noqa: S104  (compared with, never bound)
        realm=sip.realm,
        auth=AuthConfig(
            challenges=challenge_rules(sip.digest_algorithms, quirks),
            legacy=sip.digest_legacy,
            nonce_lifetime=sip.nonce_lifetime,
            uri_aliases=frozenset(hosts | {str(at.at) for at in sip.listen}),
        ),
        limits=Limits(
            contacts_per_aor=sip.max_contacts,
            max_body=sip.max_body,
            flow_rate=sip.max_rate_per_source / 5,
            flow_burst=2 * sip.max_rate_per_source,
            source_rate=sip.max_rate_per_source,
            source_burst=20 * sip.max_rate_per_source,
            unproven_rate=4 * sip.max_rate_per_source,
            unproven_burst=80 * sip.max_rate_per_source,
            person_rate=sip.max_rate_per_person,
            person_burst=20 * sip.max_rate_per_person,
        ),
        lifetimes=Lifetimes(
            minimum=sip.expires_min,
            default=sip.expires_default,
            maximum=sip.expires_max,
            flow_timer=sip.flow_timer,
            notify_interval=config.presence.notify_interval,
        ),
        quirks=quirks,
        trunks=with_passwords(config, trunk_config(config)),
        reg_watchers=frozenset(config.presence.reg_watchers),
        lists=stored_lists(config),
    )


def stored_lists(config: Config) -> dict[str, StoredList]:
    """Returns the lists that are configured, by their addresses."""
    return {
        one.address: StoredList(members=tuple(f"sip:{name}" for name in one.members), watchers=frozenset(one.watchers))
        for one in config.lists
    }


def tls_files(config: Config) -> TlsFiles | None:
    """Returns the certificate and key of tls and wss listeners; a self-signed pair is made where none is configured."""
    if not any(at.transport in SECURED for at in config.sip.listen):
        return None
    from transports.sip.tls import TlsFiles

    if config.sip.certificate is not None and config.sip.key is not None:
        return TlsFiles(
            certificate=config.sip.certificate, key=config.sip.key, client_authorities=config.sip.authorities
        )  # fmt: skip
    import structlog

    from bridge.app.selfsigned import self_signed

    folder: Path = config.bridge.data_dir / "tls"
    certificate, key = self_signed(folder, config.bridge.domain, [str(at.at.host) for at in config.sip.listen])
    structlog.get_logger(__name__).warning(
        "self-signed certificate", certificate=str(certificate), hint="set sip.certificate and sip.key"
    )
    return TlsFiles(certificate=certificate, key=key, client_authorities=config.sip.authorities)
