"""The sockets of a loopback network."""

from __future__ import annotations

import random
from typing import Any

from transports.common.connector import HostConfig, SessionTransport
from transports.common.machine.turns import Rates
from transports.loopback.machine.config import SessionConfig
from transports.loopback.machine.session import LoopbackSession


class LoopbackTransport(SessionTransport[LoopbackSession]):
    """A network with many accounts.

    Args:
        config: of each session.
        signons: how often sign-ons begin.
        reactor: Twisted's.
    """

    def __init__(self, config: SessionConfig, signons: Rates, reactor: Any) -> None:
        rng = random.SystemRandom()

        def make(account: str, credential: str) -> LoopbackSession:
            return LoopbackSession(account.lower(), credential, config, rng=rng)

        super().__init__(HostConfig(signons=signons), make, str.lower, reactor)

    def counters(self) -> dict[str, int]:
        """For the metrics: how much waits, and could not be read."""
        errors = sum(session.syntax_errors for session in self.sessions())
        return {**super().counters(), "syntax_errors": errors}
