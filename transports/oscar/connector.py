"""The sockets of an OSCAR network: many accounts, one timer.

The reactor is handed in. Nothing here knows the protocol: sessions say where to connect and what to write.
"""

from __future__ import annotations

import math
import random
from typing import Any

from attrs import field, frozen, validators
from twisted.logger import Logger

from transports.common.account import Account
from transports.common.connector import HostConfig, OnRecorded, OnResult, SessionTransport, Sink, TlsOptions
from transports.common.machine.turns import Rates
from transports.oscar.machine.actions import ServiceReady
from transports.oscar.machine.config import SessionConfig
from transports.oscar.machine.session import OscarSession
from transports.oscar.wire.names import normal

__all__ = ["OnRecorded", "OnResult", "OscarTransport", "Sink", "TlsOptions", "TransportConfig"]
_log = Logger()


@frozen(kw_only=True)
class TransportConfig:
    """A network's parameters.

    Attributes:
        session: of each session.
        signons_per_second: at most so many sign-ons begin in a second, so that a restart is no storm.
        sends_per_second: at most so many values of all accounts are sent in a second; each session keeps below the
            rates that the server grants it.
        tls: makes the TLS parameters of a connection by its host name; None: no TLS.
    """

    session: SessionConfig
    signons_per_second: float = field(default=5.0, validator=validators.gt(0.0))
    sends_per_second: float = field(default=math.inf, validator=validators.gt(0.0))
    tls: TlsOptions | None = None


class OscarTransport(SessionTransport[OscarSession]):
    """A network with many accounts.

    Args:
        config: its parameters.
        reactor: provides `IReactorTime` and `IReactorTCP` (and what `HostnameEndpoint` wants for name resolution).
        rng: for backoff, ids and sequence numbers.

    All methods are to be called in the reactor's thread.
    """

    def __init__(self, config: TransportConfig, reactor: Any, *, rng: random.Random | None = None) -> None:
        randomness = rng or random.SystemRandom()

        def make(account: str, credential: str) -> OscarSession:
            return OscarSession(account, credential, config.session, rng=randomness)

        host = HostConfig(
            signons=Rates(network=config.signons_per_second),
            sends=Rates(network=config.sends_per_second),
            connect_timeout=config.session.connect_timeout,
            tls=config.tls,
        )
        super().__init__(host, make, normal, reactor)
        self.config = config

    def counters(self) -> dict[str, int]:
        """For the metrics: how much waits, was unknown, could not be read."""
        sessions = self.sessions()
        return {
            **super().counters(),
            "unknown_snacs": sum(session.unknown_snacs for session in sessions),
            "syntax_errors": sum(session.syntax_errors for session in sessions),
        }

    def deliver(self, account: Account[OscarSession], event: Any) -> None:
        """Hand an event to the sink; whether a further service is there is for the log alone."""
        if isinstance(event, ServiceReady):
            state = event.error or "ready"
            _log.info("{account}: food group {group}: {state}", account=event.account, group=event.group, state=state)
            return
        super().deliver(account, event)
