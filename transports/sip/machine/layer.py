"""The transaction layer: runs the tables of `transactions` over flows, and matches messages to transactions.

Server transactions are matched by RFC 3261 17.2.3 (branch, sent-by, method) and besides by what clients in use make
necessary: the source address and the From header (libpurple seeds its random numbers by the second, so two clients
have the same branches, tags and Call-IDs), and the credentials (libpurple repeats a challenged request with its
branch, only with credentials added). A true retransmission is the same in all of these.
Client transactions are matched by branch and method alone (17.1.3), whatever flow the response came on: branches are
made with a secret.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection
from enum import Enum
from hashlib import blake2b
from typing import TypeAlias

from transports.sip.machine.config import Limits
from transports.sip.machine.flow import CloseFlow, ConnectTo, Flow, Output, Target
from transports.sip.machine.timers import Timer, TimerQueue
from transports.sip.machine.transactions import (
    TABLES,
    TIMER_EVENT,
    Action,
    Event,
    Machine,
    State,
    Timers,
)
from transports.sip.wire.errors import SipSyntaxError
from transports.sip.wire.framing import KEEPALIVE_PING, KEEPALIVE_PONG, StreamFramer
from transports.sip.wire.message import (
    Request,
    Response,
    add_received,
    parse_message,
    respond_bytes,
    validate_request,
)

MAGIC = "z9hG4bK"


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


class ServerTransaction:
    """A request that we have to answer. Give it to `TransactionLayer.answer` once."""

    __slots__ = (
        "flow",
        "key",
        "last",
        "machine",
        "merge",
        "reply_flow",
        "request",
        "starts",
        "state",
        "timers",
        "user",
    )

    def __init__(self, key: bytes, flow: Flow, request: Request, machine: Machine, reply_flow: Flow) -> None:
        self.key = key
        self.flow = flow
        self.request = request
        self.machine = machine
        self.state = State.INIT
        self.reply_flow = reply_flow
        self.last: bytes | None = None
        self.timers: dict[Action, Timer] | None = None
        self.starts = 0
        self.merge: tuple[str, str, str] | None = None
        self.user: str = ""
        """The address-of-record that the request proved to come from; empty before."""

    @property
    def tag(self) -> str:
        """Our To tag: the same for the same request (RFC 3261 8.2.7)."""
        return self.key[:8].hex()


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


class TransactionLayer:
    """Transactions over flows, without I/O: bytes in, requests and outcomes to callbacks, `outputs` out.

    Args:
        timers: lengths of the RFC's timers.
        limits: what peers can make us keep.
        queue: where deadlines are kept.
        secret: keys what must not be guessed; new for each process.
        on_request: called with each new request, valid, its server transaction made; ACK and CANCEL are not new.
    """

    def __init__(
        self,
        timers: Timers,
        limits: Limits,
        queue: TimerQueue,
        secret: bytes,
        on_request: Callable[[ServerTransaction, float], None],
    ) -> None:
        self.outputs: list[Output] = []
        self._timers = timers
        self._limits = limits
        self._queue = queue
        self._secret = secret[:32]
        self._on_request = on_request
        self._on_cancel: Callable[[ServerTransaction, float], None] | None = None
        self._servers: dict[bytes, ServerTransaction | bytes] = {}
        self._finished: deque[tuple[float, bytes, tuple[str, str, str] | None]] = deque()
        self._finish_timer: Timer | None = None
        self._ongoing = 0
        self._per_source: dict[str, int] = {}
        self._merged: dict[tuple[str, str, str], bytes] = {}
        self._clients: dict[tuple[str, str], ClientTransaction] = {}
        self._framers: dict[int, StreamFramer] = {}
        self._flows: dict[int, Flow] = {}
        self._targets: dict[Target, Flow] = {}
        self._connecting: dict[Target, list[ClientTransaction]] = {}
        self._flow_clients: dict[int, set[ClientTransaction]] = {}
        self.bad_messages = 0
        self.absorbed = 0

    # -- flows ----------------------------------------------------------------------------------------------------

    def flow_opened(self, flow: Flow, now: float, target: Target | None = None) -> None:
        """A connection is up. ``target`` is what it was opened for, when it was ours."""
        del now
        self._framers[flow.id] = StreamFramer()
        self._flows[flow.id] = flow
        self._flow_clients[flow.id] = set()
        if target is not None:
            self._targets[target] = flow
            for transaction in self._connecting.pop(target, ()):
                if transaction.state < State.COMPLETED:
                    transaction.flow = flow
                    self._flow_clients[flow.id].add(transaction)

    def connect_failed(self, target: Target, now: float) -> None:
        """No connection to ``target`` could be made: what was to go there has failed."""
        for transaction in self._connecting.pop(target, ()):
            self._client_step(transaction, Event.TRANSPORT_ERROR, now, None)

    def flow_lost(self, flow: Flow, now: float) -> None:
        """A connection is gone: requests that went out on it and have no answer have failed."""
        self._framers.pop(flow.id, None)
        self._flows.pop(flow.id, None)
        for target in [target for target, known in self._targets.items() if known is flow]:
            del self._targets[target]
        for transaction in self._flow_clients.pop(flow.id, ()):
            self._client_step(transaction, Event.TRANSPORT_ERROR, now, None)

    def is_open(self, flow: Flow) -> bool:
        """Whether a flow can carry something now; UDP always can."""
        return not flow.reliable or flow.id in self._flows

    def unfinished(self, flow: Flow) -> bool:
        """Whether a connection is in the middle of a message."""
        framer = self._framers.get(flow.id)
        return framer is not None and framer.pending > 0

    # -- in -------------------------------------------------------------------------------------------------------

    def receive(self, flow: Flow, data: bytes, now: float) -> None:
        """Takes a datagram, or what a connection has read."""
        if not flow.reliable:
            if data.strip(b"\r\n\0"):
                self._message(flow, data, now)
            return
        framer = self._framers.get(flow.id)
        if framer is None:
            return
        for item in framer.feed(data):
            if isinstance(item, bytes):
                self._message(flow, item, now)
            elif item is KEEPALIVE_PING:
                self.outputs.append((flow, b"\r\n"))
            else:
                assert item is KEEPALIVE_PONG
        if framer.error is not None and flow.id in self._framers:
            del self._framers[flow.id]
            self._refuse_syntax(flow, framer.error)
            self.outputs.append(CloseFlow(flow, framer.error.reason))

    def _message(self, flow: Flow, data: bytes, now: float) -> None:
        try:
            message = parse_message(data)
            if isinstance(message, Response):
                self._response(message, now)
            else:
                self._request(flow, message, now)
        except SipSyntaxError as error:
            self._refuse_syntax(flow, error)

    def _refuse_syntax(self, flow: Flow, error: SipSyntaxError) -> None:
        self.bad_messages += 1
        request = error.partial
        if request is None or request.method == "ACK":
            return
        self.refuse_stateless(flow, request, error.status, error.reason)

    def refuse_stateless(
        self, flow: Flow, request: Request, status: int, reason: str, headers: Collection[tuple[str, str]] = ()
    ) -> None:
        """Answers without keeping anything (RFC 3261 8.2.7)."""
        if not request.has("Via"):
            return
        try:
            add_received(request, flow.source, flow.remote[1])
            way = self._reply_flow(flow, request)
        except SipSyntaxError:
            way = flow  # a Via that cannot be read names nobody: back to where the packet came from
        tag = blake2b(str(request.first("From")).encode(), digest_size=8, key=self._secret).hexdigest()
        data = respond_bytes(request, status, reason, to_tag=tag, headers=headers)
        self.outputs.append((way, data))

    def _reply_flow(self, flow: Flow, request: Request) -> Flow:
        """RFC 3261 18.2.2 and RFC 3581: where answers go. maddr is not followed: it would aim us at third parties."""
        if flow.reliable:
            return flow
        via = request.top_via
        if via.rport is not None:
            return flow
        port = via.port or 5060
        if port == flow.remote[1]:
            return flow
        return Flow("udp", flow.local, (flow.remote[0], port))

    def _key(self, flow: Flow, request: Request) -> bytes:
        via = request.top_via
        method = request.method
        sender = request.first("From") or ""
        credentials = ""
        if method in {"ACK", "CANCEL"}:
            method = "INVITE" if method == "ACK" else method
        elif method != "INVITE":
            credentials = request.first("Proxy-Authorization") or request.first("Authorization") or ""
        branch = via.branch or ""
        if branch.startswith(MAGIC) and len(branch) > len(MAGIC):
            text = f"{branch}\n{via.host}:{via.port}\n{method}\n{flow.key}\n{sender}\n{credentials}"
        else:  # RFC 2543: no branch that tells transactions apart
            text = (
                f"{request.uri_text}\n{request.call_id}\n{request.cseq.number}\n{via}\n{method}\n{flow.key}\n"
                f"{sender}\n{credentials}"
            )
        return blake2b(text.encode("utf-8", "surrogateescape"), digest_size=16, key=self._secret).digest()

    def _request(self, flow: Flow, request: Request, now: float) -> None:
        try:
            key = self._key(flow, request)
        except SipSyntaxError:
            validate_request(request)  # says the same, with what is needed to answer
            raise
        known = self._servers.get(key)
        if known is not None:
            self._absorb(flow, request, known, now)
            return
        if request.method == "ACK":
            return  # of a 2xx to INVITE, which we never send, or of an answer that is forgotten
        validate_request(request)
        add_received(request, flow.source, flow.remote[1])
        if request.method == "CANCEL":
            self._cancel(flow, request)
            return
        limits = self._limits
        source = flow.source
        mine = self._per_source.get(source, 0)
        if self._ongoing >= limits.server_transactions or mine >= limits.server_transactions_per_source:
            after = (("Retry-After", str(limits.retry_after)),)
            self.refuse_stateless(flow, request, 503, "Too many requests under way", after)
            return
        machine = Machine.INVITE_SERVER if request.method == "INVITE" else Machine.SERVER
        transaction = ServerTransaction(key, flow, request, machine, self._reply_flow(flow, request))
        transaction.state = TABLES[machine][State.INIT, Event.REQUEST][0]
        self._servers[key] = transaction
        self._ongoing += 1
        self._per_source[source] = mine + 1
        if machine is Machine.SERVER:
            # RFC 4320: after 64*T1 an answer helps nobody, and none is sent.
            timer = self._queue.after(now, self._timers.timeout, lambda at: self._abandon(transaction, at))
            transaction.timers = {Action.TIMED_OUT: timer}
        self._on_request(transaction, now)

    def _absorb(self, flow: Flow, request: Request, known: ServerTransaction | bytes, now: float) -> None:
        self.absorbed += 1
        if isinstance(known, bytes):
            try:
                self.outputs.append((self._reply_flow(flow, request), known))
            except SipSyntaxError:
                return
        else:
            event = Event.ACK if request.method == "ACK" else Event.REQUEST
            self._server_step(known, event, now, None)

    def _cancel(self, flow: Flow, request: Request) -> None:
        """RFC 3261 9.2. All our INVITEs are answered at once, so there is nothing left to be cancelled."""
        text = f"{request.top_via.branch}\n{request.top_via.host}:{request.top_via.port}\nINVITE\n{flow.key}\n"
        text += f"{request.first('From') or ''}\n"
        key = blake2b(text.encode("utf-8", "surrogateescape"), digest_size=16, key=self._secret).digest()
        invite = self._servers.get(key)
        if isinstance(invite, ServerTransaction):
            data = respond_bytes(request, 200, to_tag=invite.tag)
        else:
            data = respond_bytes(request, 481, to_tag=key[:8].hex())
        self.outputs.append((self._reply_flow(flow, request), data))

    # -- server transactions --------------------------------------------------------------------------------------

    def merge(self, transaction: ServerTransaction) -> bool:
        """RFC 3261 8.2.2.2: notes a request that has been let in.

        Returns False where the same request is here already by another way: answer 482.
        """
        request = transaction.request
        if request.to.tag is not None:
            return True
        key = (request.first("From") or "", request.call_id, str(request.cseq))
        if self._merged.setdefault(key, transaction.key) != transaction.key:
            return False
        transaction.merge = key
        return True

    def answer(
        self,
        transaction: ServerTransaction,
        status: int,
        reason: str | None,
        now: float,
        *,
        headers: Collection[tuple[str, str]] = (),
        body: bytes = b"",
        to_tag: str | None = None,
    ) -> None:
        """Answers a request. A second final answer is dropped, as is one that comes after 64*T1."""
        tag = None if status == 100 else (to_tag or transaction.tag)
        data = respond_bytes(transaction.request, status, reason, to_tag=tag, headers=headers, body=body)
        event = Event.TU_1XX if status < 200 else Event.TU_2XX if status < 300 else Event.TU_FINAL
        self._server_step(transaction, event, now, data)

    def _server_step(self, transaction: ServerTransaction, event: Event, now: float, data: bytes | None) -> None:
        before = transaction.state
        state, actions = TABLES[transaction.machine].get((before, event), (before, ()))
        transaction.state = state
        for action in actions:
            if action is Action.SEND:
                assert data is not None
                transaction.last = data
                self._reply(transaction)
            elif action is Action.RESEND:
                if transaction.last is not None:
                    self._reply(transaction)
            elif action is Action.START_J:
                self._finish(transaction, now)
            elif action >= Action.START_A:
                self._start_server_timer(transaction, action, now)
        if state is not before and state is State.TERMINATED:
            self._forget(transaction)
            self._servers.pop(transaction.key, None)

    def _reply(self, transaction: ServerTransaction) -> None:
        flow = transaction.reply_flow
        if transaction.last is not None and (not flow.reliable or flow.id in self._flows):
            self.outputs.append((flow, transaction.last))

    def _start_server_timer(self, transaction: ServerTransaction, action: Action, now: float) -> None:
        length = self._timers.length(action, transaction.flow.reliable, transaction.starts)
        if transaction.timers is None:
            transaction.timers = {}
        if action is Action.START_I:  # the ACK is here: G and H have done their work
            for timer in transaction.timers.values():
                self._queue.cancel(timer)
        if length is None:
            return
        if action is Action.START_G:
            transaction.starts += 1
        event = TIMER_EVENT[action]
        if length == 0:
            self._server_step(transaction, event, now, None)
            return
        fire = self._queue.after(now, length, lambda at: self._server_step(transaction, event, at, None))
        transaction.timers[action] = fire

    def _forget(self, transaction: ServerTransaction) -> None:
        """Takes a transaction out of what is counted as under way."""
        if transaction.timers is not None:
            for timer in transaction.timers.values():
                self._queue.cancel(timer)
            transaction.timers = None
        source = transaction.flow.source
        left = self._per_source.get(source, 1) - 1
        if left > 0:
            self._per_source[source] = left
        else:
            self._per_source.pop(source, None)
        self._ongoing -= 1
        if transaction.merge is not None and transaction.state is State.TERMINATED:
            self._merged.pop(transaction.merge, None)

    def _finish(self, transaction: ServerTransaction, now: float) -> None:
        """A non-INVITE request is answered: what is kept, on UDP alone, is the answer."""
        self._forget(transaction)
        key = transaction.key
        if transaction.flow.reliable or transaction.last is None:
            self._servers.pop(key, None)
            if transaction.merge is not None:
                self._merged.pop(transaction.merge, None)
            return
        self._servers[key] = transaction.last
        finished = self._finished
        finished.append((now + self._timers.timeout, key, transaction.merge))
        if len(finished) > self._limits.finished_transactions:
            self._drop_finished()
        if self._finish_timer is None:
            self._finish_timer = self._queue.after(now, self._timers.timeout, self._sweep_finished)

    def _drop_finished(self) -> None:
        _, key, merge = self._finished.popleft()
        self._servers.pop(key, None)
        if merge is not None:
            self._merged.pop(merge, None)

    def _sweep_finished(self, now: float) -> None:
        finished = self._finished
        while finished and finished[0][0] <= now:
            self._drop_finished()
        self._finish_timer = None
        if finished:
            # In steps of a second at least: answers leave in bundles, not one timer each.
            length = max(finished[0][0] - now, 1.0)
            self._finish_timer = self._queue.after(now, length, self._sweep_finished)

    def _abandon(self, transaction: ServerTransaction, now: float) -> None:
        del now
        if transaction.state < State.COMPLETED:
            transaction.state = State.TERMINATED
            self._forget(transaction)
            self._servers.pop(transaction.key, None)

    # -- client transactions --------------------------------------------------------------------------------------

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
        if len(self._clients) >= self._limits.client_transactions:
            outcome(Failure.OVERLOAD, now)
            return transaction
        if isinstance(way, Flow):
            transaction.flow = way
            if way.reliable:
                if way.id not in self._flows:
                    outcome(Failure.UNREACHABLE, now)
                    return transaction
                self._flow_clients[way.id].add(transaction)
        else:
            transaction.target = way
        self._clients[key] = transaction
        self._client_step(transaction, Event.START, now, None)
        return transaction

    def adopt(self, method: str, branch: str, outcome: OnOutcome) -> None:
        """Has the outcome of a request that is under way told to another callback."""
        transaction = self._clients.get((branch, method))
        if transaction is not None:
            transaction.outcome = outcome

    def _response(self, response: Response, now: float) -> None:
        """RFC 3261 17.1.3. What the branch and CSeq do not vouch for is left unread until somebody needs it."""
        vias = response.lines("Via")
        if len(vias) != 1 or "," in vias[0]:
            return  # RFC 3261 8.1.3.3: meant for another element
        branch = response.top_via.branch or ""
        transaction = self._clients.get((branch, response.cseq.method))
        if transaction is None:
            return  # late, repeated or forged: nothing waits for it
        status = response.status
        event = Event.R_1XX if status < 200 else Event.R_2XX if status < 300 else Event.R_FINAL
        self._client_step(transaction, event, now, response)

    def _client_step(self, transaction: ClientTransaction, event: Event, now: float, response: Response | None) -> None:
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
                self._start_client_timer(transaction, action, now)
        if state is State.TERMINATED:
            self._clients.pop((transaction.branch, transaction.method), None)

    def _stop(self, transaction: ClientTransaction) -> None:
        """The wait is over. State COMPLETED only drops late responses, which need no entry to be dropped."""
        for timer in transaction.timers.values():
            self._queue.cancel(timer)
        transaction.timers.clear()
        flow = transaction.flow
        if flow is not None and flow.reliable:
            self._flow_clients.get(flow.id, set()).discard(transaction)
        if transaction.machine is Machine.CLIENT:
            self._clients.pop((transaction.branch, transaction.method), None)

    def _send(self, transaction: ClientTransaction) -> None:
        flow, target = transaction.flow, transaction.target
        if flow is None and target is not None:
            flow = transaction.flow = self._targets.get(target)
            if flow is not None:
                self._flow_clients[flow.id].add(transaction)
        if flow is not None:
            self.outputs.append((flow, transaction.data))
        elif target is not None:
            self._connecting.setdefault(target, []).append(transaction)
            self.outputs.append(ConnectTo(target, transaction.data))

    def _send_ack(self, transaction: ClientTransaction, response: Response) -> None:
        """RFC 3261 17.1.1.3: the ACK of a final response that is no success goes the way of its INVITE."""
        invite = parse_message(transaction.data)
        if transaction.flow is None or not isinstance(invite, Request):
            return
        headers = [("Via", str(invite.top_via)), *(("Route", line) for line in invite.lines("Route"))]
        headers += [("From", invite.first("From") or ""), ("To", response.first("To") or "")]
        headers += [("Call-ID", invite.call_id), ("CSeq", f"{invite.cseq.number} ACK"), ("Max-Forwards", "70")]
        self.outputs.append((transaction.flow, Request.build("ACK", invite.uri_text, headers).to_bytes()))

    def _start_client_timer(self, transaction: ClientTransaction, action: Action, now: float) -> None:
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
        timer = self._queue.after(now, length, lambda at: self._client_step(transaction, event, at, None))
        transaction.timers[action] = timer

    @property
    def counts(self) -> dict[str, int]:
        """How much is kept, for metrics and tests."""
        return {
            "server": self._ongoing,
            "finished": len(self._finished),
            "client": len(self._clients),
            "flows": len(self._flows),
            "sources": len(self._per_source),
            "merged": len(self._merged),
            "connecting": sum(len(waiting) for waiting in self._connecting.values()),
        }
