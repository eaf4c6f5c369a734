"""The sockets of an MSN network: many accounts, one timer, and the web servers that MSN signs on with.

The reactor is handed in. Nothing here knows the protocol: sessions say where to connect, what to write and whom to ask.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from attrs import field, frozen, validators

from transports.common.account import Account
from transports.common.connector import HostConfig, OnRecorded, OnResult, SessionTransport, Sink
from transports.common.machine.turns import Rates
from transports.msnp.http import WebClient
from transports.msnp.machine.actions import Fetch, Fetched
from transports.msnp.machine.config import SessionConfig
from transports.msnp.machine.session import MsnpSession
from transports.msnp.wire.text import normal

__all__ = ["MsnpTransport", "OnRecorded", "OnResult", "Sink", "TransportConfig"]


@frozen(kw_only=True)
class TransportConfig:
    """A network's parameters.

    Attributes:
        session: of each session.
        signons_per_second: at most so many sign-ons begin in a second, so that a restart is no storm.
    """

    session: SessionConfig
    signons_per_second: float = field(default=5.0, validator=validators.gt(0.0))


class MsnpTransport(SessionTransport[MsnpSession]):
    """A network with many accounts.

    Args:
        config: its parameters.
        reactor: provides `IReactorTime` and `IReactorTCP` (and what `HostnameEndpoint` wants for name resolution).
        rng: for backoff and nonces.

    All methods are to be called in the reactor's thread.
    """

    def __init__(self, config: TransportConfig, reactor: Any, *, rng: random.Random | None = None) -> None:
        randomness = rng or random.SystemRandom()

        def make(account: str, credential: str) -> MsnpSession:
            return MsnpSession(account, credential, config.session, rng=randomness)

        host = HostConfig(
            signons=Rates(network=config.signons_per_second), connect_timeout=config.session.connect_timeout
        )
        super().__init__(host, make, normal, reactor)
        self.config = config
        self._web = WebClient(reactor, config.session.http_timeout)
        self._asking: dict[tuple[str, int], Callable[[], None]] = {}

    async def stop(self, drain: float) -> None:
        """Sign everybody off, and ask nobody any more."""
        await super().stop(drain)
        self._give_up(None)

    def sign_off(self, account: str) -> None:
        """Sign an account off and forget it."""
        super().sign_off(account)
        self._give_up(normal(account))

    def reads_chunks(self, contact: str) -> bool:
        """Whether a contact's client is known to put long messages together, by what any account of ours has seen."""
        name = normal(contact)
        return any(session.boards.clients.reads_chunks(name) for session in self.sessions())

    def counters(self) -> dict[str, int]:
        """For the metrics: how much waits, was unknown, could not be read."""
        sessions = self.sessions()
        return {
            **super().counters(),
            "switchboards": sum(len(session.boards) for session in sessions),
            "calls_not_taken": sum(session.boards.dropped_rings for session in sessions),
            "unknown_commands": sum(session.unknown_commands for session in sessions),
            "syntax_errors": sum(session.syntax_errors for session in sessions),
        }

    # -- web servers

    def schedule(self, account: Account[MsnpSession]) -> None:
        """Have an account woken when its session wants, and ask the web servers that it wants asked."""
        while (fetch := account.session.next_fetch()) is not None:
            self._ask(account, fetch)
        super().schedule(account)

    def _ask(self, account: Account[MsnpSession], fetch: Fetch) -> None:
        key = (account.session.account, fetch.fetch_id)
        answers: list[Fetched] = []

        def answered(answer: Fetched) -> None:
            answers.append(answer)
            self._asking.pop(key, None)
            account.session.fetched(fetch.fetch_id, answer, self.now())
            account.pump()

        give_up = self._web.fetch(fetch, answered)
        if not answers:
            self._asking[key] = give_up

    def _give_up(self, account: str | None) -> None:
        for key in [key for key in self._asking if account is None or key[0] == account]:
            self._asking.pop(key)()
