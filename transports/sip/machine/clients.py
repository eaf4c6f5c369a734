"""Client transactions: requests of ours, run by the tables of `transactions` until something ends them.

Responses are matched by branch and method alone (RFC 3261 17.1.3), whatever flow they came on: branches are made with
a secret, and libpurple answers on its first connection what came on another.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import TypeAlias

from transports.sip.machine.flow import ConnectTo, Flow, Output, Target
from transports.sip.machine.timers import Timer, TimerQueue
from transports.sip.machine.transactions import TABLES, TIMER_EVENT, Action, Event, Machine, State, Timers
from transports.sip.wire.message import Request, Response, parse_message


class Failure(Enum):
    """Why a client transaction ended without a final response."""

    TIMEOUT = "nobody answered"
    TRANSPORT = "the connection broke"
    """What was sent may have arrived."""
    UNREACHABLE = "no connection could be made"
    MALFORMED = "the answer cannot be read"
    OVERLOAD = "too many requests are under way"


Outcome: TypeAlias = Response | Failure
OnOutcome: TypeAlias = Callable[[Outcome, float], None]


class ClientTransaction:
    """A request of ours that waits for its final response."""

    __slots__ = ("branch", "data", "flow", "machine", "method", "outcome", "starts", "state", "target", "timers")

    def __init__(self, branch: str, method: str, data: bytes, outcome: OnOutcome, machine: Machine) -> None:
        self.branch = branch
        self.method = method
        self.data = data
        self.outcome = outcome
        self.machine = machine
        self.state = State.INIT
        self.flow: Flow | None = None
        self.target: Target | None = None
        self.timers: dict[Action, Timer] = {}
        self.starts = 0


class ClientTransactions:
    """All requests of ours that are under way.

    Args:
        timers: lengths of the RFC's timers.
        limit: how many at most.
        queue: where deadlines are kept.
        outputs: where what is to be sent is appended.
        flows: the connections that are open, by their id.
    """

    def __init__(
        self, timers: Timers, limit: int, queue: TimerQueue, outputs: list[Output], flows: dict[int, Flow]
    ) -> None:
        self._timers = timers
        self._limit = limit
        self._queue = queue
        self._outputs = outputs
        self._flows = flows
        self._clients: dict[tuple[str, str], ClientTransaction] = {}
        self._targets: dict[Target, Flow] = {}
        self._connecting: dict[Target, list[ClientTransaction]] = {}
        self._on_flow: dict[int, set[ClientTransaction]] = {}

    def __len__(self) -> int:
        return len(self._clients)

    @property
    def connecting(self) -> int:
        """How many wait for a connection."""
        return sum(len(waiting) for waiting in self._connecting.values())

    # -- flows --------------------------------------------------------------------------------------------------------

    def flow_opened(self, flow: Flow, target: Target | None) -> None:
        """A connection is up; what waited for ``target`` has gone out on it."""
        self._on_flow[flow.id] = set()
        if target is None:
            return
        self._targets[target] = flow
        for transaction in self._connecting.pop(target, ()):
            if transaction.state < State.COMPLETED:
                transaction.flow = flow
                self._on_flow[flow.id].add(transaction)

    def alias(self, target: Target, flow: Flow) -> None:
        """Has what goes to ``target`` go out on a connection that came from there (RFC 5923)."""
        if flow.id in self._flows:
            self._targets.setdefault(target, flow)

    def connect_failed(self, target: Target, now: float) -> None:
        """No connection to ``target`` could be made: what was to go there has failed."""
        for transaction in self._connecting.pop(target, ()):
            self._step(transaction, Event.TRANSPORT_ERROR, now, None)

    def flow_lost(self, flow: Flow, now: float) -> None:
        """A connection is gone: what went out on it and has no answer has failed."""
        for target in [target for target, known in self._targets.items() if known is flow]:
            del self._targets[target]
        for transaction in self._on_flow.pop(flow.id, ()):
            self._step(transaction, Event.TRANSPORT_ERROR, now, None)

    def flow_to(self, target: Target) -> Flow | None:
        """Returns the connection that was opened for a target, while it is up."""
        return self._targets.get(target)

    def waits(self, method: str, branch: str) -> bool:
        """Whether a request of this branch waits for its answer."""
        return (branch, method) in self._clients

    # -- requests -----------------------------------------------------------------------------------------------------

    def request(
        self, method: str, branch: str, data: bytes, way: Flow | Target, now: float, outcome: OnOutcome
    ) -> ClientTransaction | None:
        """Sends a request. ``outcome`` is called once with the final response, or why there is none.

        A request whose transaction is still under way is the same request: it is not sent again, and None is returned.
        """
        key = (branch, method)
        if key in self._clients:
            return None
        machine = Machine.INVITE_CLIENT if method == "INVITE" else Machine.CLIENT
        transaction = ClientTransaction(branch, method, data, outcome, machine)
        if len(self._clients) >= self._limit:
            outcome(Failure.OVERLOAD, now)
            return transaction
        if isinstance(way, Flow):
            transaction.flow = way
            if way.reliable:
                if way.id not in self._flows:
                    outcome(Failure.UNREACHABLE, now)
                    return transaction
                self._on_flow[way.id].add(transaction)
        else:
            transaction.target = way
        self._clients[key] = transaction
        self._step(transaction, Event.START, now, None)
        return transaction

    def adopt(self, method: str, branch: str, outcome: OnOutcome) -> None:
        """Has the outcome of a request that is under way told to another callback."""
        transaction = self._clients.get((branch, method))
        if transaction is not None:
            transaction.outcome = outcome

    def response(self, response: Response, now: float) -> bool:
        """Takes a response (RFC 3261 17.1.3). What those do not vouch for is left unread until it is needed.

        Returns whether something waited for it.
        """
        if not response.one_via:
            return False  # RFC 3261 8.1.3.3: meant for another element
        branch = response.top_via.branch or ""
        transaction = self._clients.get((branch, response.cseq.method))
        if transaction is None:
            return False  # late, repeated or forged: nothing waits for it
        status = response.status
        event = Event.R_1XX if status < 200 else Event.R_2XX if status < 300 else Event.R_FINAL
        self._step(transaction, event, now, response)
        return True

    def _step(self, transaction: ClientTransaction, event: Event, now: float, response: Response | None) -> None:
        before = transaction.state
        state, actions = TABLES[transaction.machine].get((before, event), (before, ()))
        transaction.state = state
        if state >= State.COMPLETED and before < State.COMPLETED:
            self._stop(transaction)
        for action in actions:
            if action is Action.SEND or action is Action.RESEND:
                self._send(transaction)
            elif action is Action.SEND_ACK:
                if response is not None:
                    self._send_ack(transaction, response)
            elif action is Action.TO_TU:
                if response is not None and response.status >= 200:
                    transaction.outcome(response, now)
            elif action is Action.TIMED_OUT:
                transaction.outcome(Failure.TIMEOUT, now)
            elif action is Action.FAILED:
                sent = transaction.flow is not None
                transaction.outcome(Failure.TRANSPORT if sent else Failure.UNREACHABLE, now)
            elif action >= Action.START_A:
                self._start_timer(transaction, action, now)
        if state is State.TERMINATED:
            self._clients.pop((transaction.branch, transaction.method), None)

    def _stop(self, transaction: ClientTransaction) -> None:
        """The wait is over. State COMPLETED only drops late responses, which need no entry to be dropped."""
        for timer in transaction.timers.values():
            self._queue.cancel(timer)
        transaction.timers.clear()
        flow = transaction.flow
        if flow is not None and flow.reliable:
            self._on_flow.get(flow.id, set()).discard(transaction)
        if transaction.machine is Machine.CLIENT:
            self._clients.pop((transaction.branch, transaction.method), None)

    def _send(self, transaction: ClientTransaction) -> None:
        flow, target = transaction.flow, transaction.target
        if flow is None and target is not None:
            flow = transaction.flow = self._targets.get(target)
            if flow is not None:
                self._on_flow[flow.id].add(transaction)
        if flow is not None:
            self._outputs.append((flow, transaction.data))
        elif target is not None:
            self._connecting.setdefault(target, []).append(transaction)
            self._outputs.append(ConnectTo(target, transaction.data))

    def _send_ack(self, transaction: ClientTransaction, response: Response) -> None:
        """RFC 3261 17.1.1.3: the ACK of a final response that is no success goes the way of its INVITE."""
        invite = parse_message(transaction.data)
        if transaction.flow is None or not isinstance(invite, Request):
            return
        headers = [("Via", str(invite.top_via)), *(("Route", line) for line in invite.lines("Route"))]
        headers += [("From", invite.first("From") or ""), ("To", response.first("To") or "")]
        headers += [("Call-ID", invite.call_id), ("CSeq", f"{invite.cseq.number} ACK"), ("Max-Forwards", "70")]
        self._outputs.append((transaction.flow, Request.build("ACK", invite.uri_text, headers).to_bytes()))

    def _start_timer(self, transaction: ClientTransaction, action: Action, now: float) -> None:
        if action is Action.START_K:
            return
        reliable = transaction.flow is None or transaction.flow.reliable
        length = self._timers.length(action, reliable, transaction.starts)
        if length is None:
            return
        if action is Action.START_A or action is Action.START_E:
            if action is Action.START_E and transaction.state is State.PROCEEDING:
                length = self._timers.t2
            transaction.starts += 1
        event = TIMER_EVENT[action]
        timer = self._queue.after(now, length, lambda at: self._step(transaction, event, at, None))
        transaction.timers[action] = timer
