"""Other SIP servers, bound together: who is trusted, where they are, how they are, and the way to them."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from transports.sip.machine.config import EndpointConfig
from transports.sip.machine.events import PeerChanged
from transports.sip.machine.health import Health
from transports.sip.machine.layer import TransactionLayer
from transports.sip.machine.locate import Answer, Kind, Question
from transports.sip.machine.names import Names
from transports.sip.machine.peers import Peers, PeerState
from transports.sip.machine.ports import Entropy
from transports.sip.machine.replies import Replies
from transports.sip.machine.resolver import Resolver
from transports.sip.machine.routing import Router
from transports.sip.machine.timers import TimerQueue
from transports.sip.machine.trust import Trust
from transports.sip.machine.upstream import Upstream


class Trunking:
    """All that an endpoint has of other servers.

    Args:
        emit: takes events.
    """

    def __init__(
        self,
        config: EndpointConfig,
        layer: TransactionLayer,
        queue: TimerQueue,
        names: Names,
        router: Router,
        secret: bytes,
        entropy: Entropy,
        emit: Callable[[PeerChanged], None],
    ) -> None:
        trunks = config.trunks
        self.resolver = Resolver(queue, Random(int.from_bytes(entropy(16), "big")), _families(config))
        self.trust = Trust(trunks.peers, names)
        self.health = Health(trunks.hold_off)
        self.upstream = Upstream(config, layer, router, self.resolver, self.health, secret, entropy)
        self.replies = Replies(layer, self.resolver)
        self._peers = Peers(
            config, layer, queue, router, self.resolver, self.health, self.trust, self.upstream, entropy, emit
        )  # fmt: skip
        layer.on_stranded = self.replies.stranded

    def start(self, now: float) -> None:
        """Begins to look after the peers."""
        self._peers.start(now)

    def questions(self) -> list[Question]:
        """Returns what DNS is to be asked, and forgets it. Each is to be answered with `answer`."""
        return self.resolver.take()

    def answer(self, question: Question, answer: Answer, now: float) -> None:
        """Takes what DNS has answered."""
        self.resolver.answer(question, answer, now)

    def states(self, now: float) -> list[PeerState]:
        """Returns how the peers are."""
        return self._peers.states(now)


def _families(config: EndpointConfig) -> tuple[Kind, ...]:
    """Returns the kinds of addresses that we can send to: those of our own listeners."""
    hosts = [listener.host for listener in config.listeners]
    families: list[Kind] = []
    if any(":" in host for host in hosts):
        families.append("AAAA")
    if any(":" not in host for host in hosts):
        families.append("A")
    return tuple(families)
