"""The trusted peers as they are now: where they are, whether they answer OPTIONS (RFC 3261 section 11)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from attrs import frozen

from transports.sip.machine.clientauth import Asked
from transports.sip.machine.clients import Failure, Outcome
from transports.sip.machine.config import EndpointConfig
from transports.sip.machine.events import PeerChanged
from transports.sip.machine.flow import Target
from transports.sip.machine.health import LONGEST_RETRY_AFTER, Health, State
from transports.sip.machine.layer import MAGIC, TransactionLayer
from transports.sip.machine.locate import is_address
from transports.sip.machine.ports import Entropy
from transports.sip.machine.resolver import Resolver
from transports.sip.machine.routing import Router
from transports.sip.machine.timers import TimerQueue
from transports.sip.machine.trunkconfig import Peer
from transports.sip.machine.trust import Trust
from transports.sip.machine.upstream import Upstream, peer_hop
from transports.sip.wire.message import Response, retry_after

MOST_TARGETS = 8
"""Of one peer that are pinged."""
LOOK_AGAIN = 60.0
"""Seconds between looks for the addresses of a peer that has a name and is not pinged."""


@frozen(kw_only=True)
class PeerState:
    """How a peer is, for people. ``since`` is of the endpoint's clock."""

    name: str
    address: str
    transport: str
    state: State
    since: float
    reason: str


class Peers:
    """Looks after the peers.

    Args:
        trust: is told the addresses of those that have names.
        changed: told when one goes down, and when one is up again.
    """

    def __init__(
        self,
        config: EndpointConfig,
        layer: TransactionLayer,
        queue: TimerQueue,
        router: Router,
        resolver: Resolver,
        health: Health,
        trust: Trust,
        upstream: Upstream,
        entropy: Entropy,
        changed: Callable[[PeerChanged], None],
    ) -> None:
        self._config = config
        self._layer = layer
        self._queue = queue
        self._router = router
        self._resolver = resolver
        self._health = health
        self._trust = trust
        self._upstream = upstream
        self._entropy = entropy
        self._changed = changed
        self._targets: dict[str, tuple[Target, ...]] = {}
        self._told: dict[str, State] = {}

    def start(self, now: float) -> None:
        """Looks for all of them, now and from here on."""
        for peer in self._config.trunks.peers:
            self._look(peer, now)

    def states(self, now: float) -> list[PeerState]:
        """Returns how they are."""
        return [self._state(peer, now) for peer in self._config.trunks.peers]

    def _state(self, peer: Peer, now: float) -> PeerState:
        targets = self._targets.get(peer.name, ())
        conditions = [self._health.of(target, now) for target in targets]
        # One server of several is enough: a peer is as good as the best of them.
        best = min(conditions, key=lambda one: ("up", "unknown", "down").index(one.state), default=None)
        address = f"{peer.host}:{peer.port}" if peer.port else peer.host
        return PeerState(
            name=peer.name, address=address, transport=peer.transport or (targets[0].transport if targets else ""),
            state=best.state if best else "unknown", since=best.since if best else 0.0,
            reason=best.reason if best else "no address is known",
        )  # fmt: skip

    # -- looking ------------------------------------------------------------------------------------------------------

    def _look(self, peer: Peer, now: float) -> None:
        self._resolver.locate(peer_hop(peer).want, now, partial(self._found, peer))

    def _found(self, peer: Peer, targets: tuple[Target, ...], now: float) -> None:
        before = self._targets.get(peer.name, ())
        if targets or not before:  # DNS that is silent for a while does not make a peer a stranger
            self._targets[peer.name] = targets
            if not is_address(peer.host):
                self._trust.set_addresses(peer, frozenset(target.host for target in targets))
        if not peer.ping:
            if not is_address(peer.host):
                self._queue.after(now, LOOK_AGAIN, partial(self._look, peer))
            return
        targets = self._targets[peer.name][:MOST_TARGETS]
        self._health.ping(before[:MOST_TARGETS], targets, now)
        for target in targets:
            self._ping(peer, target, now)
        down = not targets or any(self._health.of(target, now).state == "down" for target in targets)
        pause = min(peer.ping, max(peer.ping / 3, 1.0)) if down else peer.ping
        self._queue.after(now, pause, partial(self._look, peer))

    def _ping(self, peer: Peer, target: Target, now: float) -> None:
        if self._upstream.is_ourselves(target):
            self._note(peer, target, "it is this bridge itself", now)
            return
        resolved = self._router.resolve(target)
        if resolved is None:
            self._note(peer, target, "no listener for its transport", now)
            return
        way, transport, sent_by = resolved
        name, asked, auth = self._entropy(10).hex(), Asked(), self._upstream.auth(peer)
        host = f"[{target.host}]" if ":" in target.host else target.host
        uri = f"sip:{host}:{target.port};transport={target.transport}"
        silent = self._queue.after(now, self._config.trunks.ping_answer, partial(self._silent, peer, target))

        def send(at: float) -> None:
            branch = MAGIC + self._entropy(10).hex()
            data = (
                f"OPTIONS {uri} SIP/2.0\r\nVia: SIP/2.0/{transport} {sent_by};rport;branch={branch}\r\n"
                f"Max-Forwards: 70\r\nFrom: <sip:{self._config.domain}>;tag={name[:12]}\r\nTo: <{uri}>\r\n"
                f"Call-ID: {name[12:]}\r\nCSeq: {asked.rounds + 1} OPTIONS\r\n"
                f"{auth.headers('OPTIONS', uri) if auth is not None else ''}User-Agent: {self._config.user_agent}\r\n"
                "Content-Length: 0\r\n\r\n"
            )
            self._layer.request("OPTIONS", branch, data.encode(), way, at, answered)

        def answered(outcome: Outcome, at: float) -> None:
            if auth is not None and isinstance(outcome, Response) and auth.challenged(outcome, asked):
                send(at)
                return
            self._queue.cancel(silent)
            self._answered(peer, target, outcome, at)

        send(now)

    def _silent(self, peer: Peer, target: Target, now: float) -> None:
        self._note(peer, target, Failure.TIMEOUT.value, now)

    def _answered(self, peer: Peer, target: Target, outcome: Outcome, now: float) -> None:
        """Whatever it answers, it is there. That we cannot ask now says nothing of it."""
        if isinstance(outcome, Response):
            wait = retry_after(outcome, LONGEST_RETRY_AFTER) if outcome.status == 503 else None
            if wait is not None:
                self._health.busy(target, wait, now)
            else:
                self._health.answered(target, now)
            self._tell(peer, now)
        elif outcome is not Failure.OVERLOAD:
            self._note(peer, target, outcome.value, now)

    def _note(self, peer: Peer, target: Target, reason: str, now: float) -> None:
        if target in self._targets.get(peer.name, ()):
            self._health.failed(target, reason, now)
            self._tell(peer, now)

    def _tell(self, peer: Peer, now: float) -> None:
        state = self._state(peer, now)
        before, self._told[peer.name] = self._told.get(peer.name, "unknown"), state.state
        if state.state != before:
            self._changed(PeerChanged(peer.name, state.state == "up", state.reason, peer.domains))
