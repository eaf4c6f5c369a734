"""Devices whose connection broke: those that do not come back, and cannot be reached otherwise, are signed off.

A client that is killed, or that closes its socket with something unread in it (libpurple at logout: what it said last
is thrown away by its own system), never takes its registration back. Its user would be shown as present for an hour,
and what is written to them would be tried in vain. RFC 5626 has such flows end with their connection; without outbound
a Contact may still be reachable by a new one, so it is asked first (OPTIONS, RFC 3261 section 11). Not every program
answers that: who answers a MESSAGE in the meantime is there.
"""

from __future__ import annotations

from collections import deque
from functools import partial

from transports.sip.machine.clients import Failure, Outcome
from transports.sip.machine.config import EndpointConfig
from transports.sip.machine.flow import Flow
from transports.sip.machine.layer import MAGIC, TransactionLayer
from transports.sip.machine.outbound import FLOW_FAILED
from transports.sip.machine.ports import Entropy
from transports.sip.machine.registrar import Binding, Registrar
from transports.sip.machine.routing import Router
from transports.sip.machine.timers import TimerQueue
from transports.sip.wire.message import Response

MOST_AT_ONCE = 32
"""Contacts that are asked at the same time: a network that breaks down loses all its connections in one moment."""
_GONE = frozenset({Failure.TIMEOUT, Failure.TRANSPORT, Failure.UNREACHABLE})


class LostFlows:
    """Ends registrations that lead nowhere any more."""

    def __init__(
        self,
        config: EndpointConfig,
        layer: TransactionLayer,
        queue: TimerQueue,
        router: Router,
        registrar: Registrar,
        entropy: Entropy,
    ) -> None:
        self._config = config
        self._layer = layer
        self._queue = queue
        self._router = router
        self._registrar = registrar
        self._entropy = entropy
        self._waiting: deque[tuple[str, Binding]] = deque()
        self._asking = 0
        self.doubted: dict[int, Binding] = {}
        """Whose connection broke, and of whom nothing was heard since; by what ``id`` gives."""

    def heard(self, binding: Binding, outcome: Outcome) -> None:
        """A contact has answered a request, or not. Call it where anybody is doubted."""
        if isinstance(outcome, Response) and outcome.status != FLOW_FAILED:
            self.doubted.pop(id(binding), None)

    def lost(self, flow: Flow, now: float) -> None:
        """A connection is gone: who registered by it has a while to come back."""
        for aor in self._registrar.forget_flow(flow):
            those = [binding for binding in self._registrar.contacts(aor) if binding.flow is flow]
            self.doubted.update((id(binding), binding) for binding in those)
            self._queue.after(now, self._config.lifetimes.lost_flow, partial(self._look, aor, flow, those))

    def _look(self, aor: str, flow: Flow, those: list[Binding], now: float) -> None:
        for binding in those:
            if binding.flow is flow:
                self._waiting.append((aor, binding))
            else:
                self.doubted.pop(id(binding), None)
        self._ask(now)

    def _ask(self, now: float) -> None:
        while self._waiting and self._asking < MOST_AT_ONCE:
            aor, binding = self._waiting.popleft()
            # If there is a path, the connection was a proxy's, and says nothing of the device behind it.
            doubted = id(binding) in self.doubted and not binding.path
            if not (doubted and binding in self._registrar.contacts(aor) and self._ask_one(aor, binding, now)):
                self.doubted.pop(id(binding), None)

    def _ask_one(self, aor: str, binding: Binding, now: float) -> bool:
        """Asks a contact, or signs it off where that cannot be; whether an answer is waited for."""
        # What registered by outbound is not reached in another way: without its connection it is over (RFC 5626 7).
        way = binding.ways(self._layer.is_open)
        resolved = None if way is None else self._router.resolve(way)
        if resolved is None:
            self._registrar.drop(aor, binding, now)
            return False
        way, transport, sent_by = resolved
        branch, name = MAGIC + self._entropy(10).hex(), self._entropy(10).hex()
        data = (
            f"OPTIONS {binding.request_uri} SIP/2.0\r\nVia: SIP/2.0/{transport} {sent_by};rport;branch={branch}\r\n"
            f"Max-Forwards: 70\r\nFrom: <sip:{self._config.domain}>;tag={name[:12]}\r\nTo: <{binding.request_uri}>\r\n"
            f"Call-ID: {name[12:]}\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
        )
        self._asking += 1
        self._layer.request("OPTIONS", branch, data.encode(), way, now, partial(self._answered, aor, binding))
        return True

    def _answered(self, aor: str, binding: Binding, outcome: Outcome, now: float) -> None:
        """Whatever a device answers, it is there; that we cannot send now says nothing of it."""
        self._asking -= 1
        gone = outcome in _GONE if isinstance(outcome, Failure) else outcome.status == FLOW_FAILED
        if self.doubted.pop(id(binding), None) is not None and gone:
            self._registrar.drop(aor, binding, now)
        elif isinstance(outcome, Response):
            binding.abilities.told_by(outcome)
        self._ask(now)
