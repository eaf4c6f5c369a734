"""The sockets of an IRC network: a connection for each account of ours.

The reactor is handed in. Nothing here knows the protocol: sessions say where to connect and what to write.
"""

from __future__ import annotations

import random
from typing import Any, Final

from attrs import field, frozen, validators

from transports.common.connector import HostConfig, SessionTransport, TlsOptions
from transports.common.machine.turns import Rates
from transports.irc.machine.config import SessionConfig
from transports.irc.machine.session import IrcSession
from transports.irc.wire.message import MAX_LINE
from transports.irc.wire.names import normal

_PREFIX: Final = len(": PRIVMSG  :\r\n") + 1 + 10 + 1 + 63
"""What a server adds to a text on its way to somebody, without the two names: ``!user@host`` at its longest."""
_COMMON_NICK: Final = 30
_ALTERNATIVE: Final = 2
_LEAST_TEXT: Final = 64


@frozen(kw_only=True)
class TransportConfig:
    """A network's parameters.

    Attributes:
        session: of each session.
        signons_per_second: at most so many sign-ons begin in a second, so that a restart is no storm.
        tls: makes the TLS parameters of a connection by its host name; None: no TLS.
    """

    session: SessionConfig
    signons_per_second: float = field(default=2.0, validator=validators.gt(0.0))
    tls: TlsOptions | None = None


class IrcTransport(SessionTransport[IrcSession]):
    """A network with many accounts.

    Args:
        config: its parameters.
        reactor: provides `IReactorTime` and `IReactorTCP` (and what `HostnameEndpoint` wants for name resolution).
        rng: for backoff, labels, nonces and alternative nicknames.

    All methods are to be called in the reactor's thread.
    """

    def __init__(self, config: TransportConfig, reactor: Any, *, rng: random.Random | None = None) -> None:
        randomness = rng or random.SystemRandom()

        def make(account: str, credential: str) -> IrcSession:
            return IrcSession(account, credential, config.session, rng=randomness, is_ours=self.is_ours)

        host = HostConfig(
            signons=Rates(network=config.signons_per_second),
            connect_timeout=config.session.connect_timeout,
            tls=config.tls,
        )
        super().__init__(host, make, normal, reactor)
        self.config = config
        self._longest_nick = _COMMON_NICK

    def is_ours(self, name: str) -> bool:
        """Whether a name is one of an account of ours, signed on or not."""
        return normal(name) in self._accounts

    def sign_on(self, account: str, credential: str, presence: Any = None) -> None:
        """Sign an account on, in its turn; what becomes of it comes as `LinkState`."""
        self._longest_nick = max(self._longest_nick, len(account.encode()))
        super().sign_on(account, credential, presence)

    def text_limit(self, user: str) -> int:
        """The longest text, in bytes, that reaches somebody whole from any account of ours."""
        names = self._longest_nick + _ALTERNATIVE + len(user.encode())
        return max(_LEAST_TEXT, min(self.config.session.max_text_bytes, MAX_LINE - _PREFIX - names))

    def counters(self) -> dict[str, int]:
        """For the metrics: how much waits, had no use, could not be read."""
        sessions = self.sessions()
        return {
            **super().counters(),
            "strays": sum(session.strays for session in sessions),
            "syntax_errors": sum(session.syntax_errors for session in sessions),
        }
