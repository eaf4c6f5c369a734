"""The sockets of a YMSG network: many accounts, each with a session."""

from __future__ import annotations

import math
import random
from typing import Any

from attrs import field, frozen, validators
from twisted.internet.ssl import optionsForClientTLS

from transports.common.connector import HostConfig, SessionTransport
from transports.common.machine.turns import Rates
from transports.ymsg.machine.config import SessionConfig
from transports.ymsg.machine.session import YmsgSession
from transports.ymsg.wire.names import normal


@frozen(kw_only=True)
class TransportConfig:
    """A network's parameters.

    Attributes:
        session: of each session.
        signons_per_second: at most so many sign-ons begin in a second, so that a restart is no storm.
        sends_per_second: at most so many values of all accounts are sent in a second.
    """

    session: SessionConfig
    signons_per_second: float = field(default=5.0, validator=validators.gt(0.0))
    sends_per_second: float = field(default=math.inf, validator=validators.gt(0.0))


class YmsgTransport(SessionTransport[YmsgSession]):
    """A network with many accounts.

    Args:
        config: its parameters.
        reactor: provides `IReactorTime` and `IReactorTCP` (and what `HostnameEndpoint` wants for name resolution).
        rng: for backoff.
    """

    def __init__(self, config: TransportConfig, reactor: Any, *, rng: random.Random | None = None) -> None:
        randomness = rng or random.SystemRandom()

        def make(account: str, credential: str) -> YmsgSession:
            return YmsgSession(account, credential, config.session, rng=randomness)

        host = HostConfig(
            signons=Rates(network=config.signons_per_second),
            sends=Rates(network=config.sends_per_second),
            connect_timeout=config.session.connect_timeout,
            tls=optionsForClientTLS,  # a session says of each connection whether it is to be one of TLS
        )
        super().__init__(host, make, normal, reactor)
        self.config = config

    def counters(self) -> dict[str, int]:
        """For the metrics: how much waits, was unknown, could not be read."""
        sessions = self.sessions()
        return {
            "waiting": sum(session.waiting() for session in sessions),
            "unknown_packets": sum(session.unknown_packets for session in sessions),
            "syntax_errors": sum(session.syntax_errors for session in sessions),
        }
