"""The transaction layer: runs the tables of `transactions` over flows, and finds what is repeated (see `matching`)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection
from hashlib import blake2b

from transports.sip.machine.clients import ClientTransaction, ClientTransactions, OnOutcome
from transports.sip.machine.config import Limits
from transports.sip.machine.flow import CloseFlow, Flow, Output, Target
from transports.sip.machine.guard import Guard
from transports.sip.machine.matching import MAGIC as MAGIC  # noqa: PLC0414 - for all who make branches
from transports.sip.machine.matching import Key, alias_of, key_of, reply_flow
from transports.sip.machine.serving import ServerTransaction, tag_of
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
from transports.sip.machine.volley import OnShot, Shot, Volleys
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
from transports.sip.wire.stun import binding_response, is_stun


class TransactionLayer:
    """Transactions over flows, without I/O: bytes in, requests and outcomes to callbacks, `outputs` out.

    Args:
        timers: lengths of the RFC's timers.
        limits: what peers can make us keep.
        queue: where deadlines are kept.
        secret: keys what must not be guessed; new for each process.
        on_request: called with each new request, valid, its server transaction made; ACK and CANCEL are not new.
        guard: counts what is done for those who have proved nothing; None: nobody does.
    """

    def __init__(
        self,
        timers: Timers,
        limits: Limits,
        queue: TimerQueue,
        secret: bytes,
        on_request: Callable[[ServerTransaction, float], None],
        guard: Guard | None = None,
    ) -> None:
        self._guard = guard
        self.outputs: list[Output] = []
        self._timers = timers
        self._limits = limits
        self._queue = queue
        self._secret = secret[:32]
        self._on_request = on_request
        self._servers: dict[Key, ServerTransaction | bytes] = {}
        self._finished: deque[tuple[float, Key, int | None]] = deque()
        self._finish_timer: Timer | None = None
        self._ongoing = 0
        self._per_source: dict[str, int] = {}
        self._merged: dict[int, Key] = {}
        self._framers: dict[int, StreamFramer] = {}
        self._flows: dict[int, Flow] = {}
        self._clients = ClientTransactions(timers, limits.client_transactions, queue, self.outputs, self._flows)
        self._volleys: Volleys | None = None
        self.bad_messages = 0
        self.absorbed = 0
        self.on_stranded: Callable[[ServerTransaction], None] | None = None
        """Takes answers whose connection is gone; without it nobody does."""

    # -- flows ----------------------------------------------------------------------------------------------------

    def flow_opened(self, flow: Flow, now: float, target: Target | None = None) -> None:
        """A connection is up. ``target`` is what it was opened for, when it was ours."""
        del now
        if not flow.whole:
            self._framers[flow.id] = StreamFramer()
        self._flows[flow.id] = flow
        self._clients.flow_opened(flow, target)

    def connect_failed(self, target: Target, now: float) -> None:
        """No connection to ``target`` could be made: what was to go there has failed."""
        self._clients.connect_failed(target, now)

    def flow_lost(self, flow: Flow, now: float) -> None:
        """A connection is gone: requests that went out on it and have no answer have failed."""
        self._framers.pop(flow.id, None)
        self._flows.pop(flow.id, None)
        self._clients.flow_lost(flow, now)

    def is_open(self, flow: Flow) -> bool:
        """Whether a flow can carry something now; UDP always can."""
        return not flow.reliable or flow.id in self._flows

    def owes(self, flow: Flow) -> bool:
        """Whether a request from the source of a flow is still to be answered."""
        return flow.prefix in self._per_source

    def unfinished(self, flow: Flow) -> int | None:
        """Returns the number of the message in whose middle a connection is; None where it is between messages."""
        framer = self._framers.get(flow.id)
        return framer.messages if framer is not None and framer.pending > 0 else None

    # -- in -------------------------------------------------------------------------------------------------------

    def take(self) -> list[Output]:
        """Returns what is to be sent, in order, and forgets it."""
        outputs = self.outputs.copy()
        self.outputs.clear()
        return outputs

    def receive(self, flow: Flow, data: bytes, now: float) -> None:
        """Takes a datagram, or what a connection has read."""
        guard = self._guard
        if guard is not None and guard.shut and not guard.admits(flow, data, now) and not self._awaited(flow, data):
            self._turn_away(guard, flow, data)
            return
        if flow.whole:
            if self._volleys and self._volleys.quick(data, now):
                return
            self._receive_whole(flow, data, now)
            return
        framer = self._framers.get(flow.id)
        if framer is None:
            return
        for item in framer.feed(data):
            if isinstance(item, bytes):
                self._message(flow, item, now)
            elif item is KEEPALIVE_PING:
                self.outputs.append((flow, KEEPALIVE_PONG.value))
            else:
                assert item is KEEPALIVE_PONG
        if framer.error is not None and flow.id in self._framers:
            del self._framers[flow.id]
            self._refuse_syntax(flow, framer.error, now)
            self.outputs.append(CloseFlow(flow, framer.error.reason))

    def _receive_whole(self, flow: Flow, data: bytes, now: float) -> None:
        if data[:1] < b"\x02" and is_stun(data) and not flow.reliable:
            self._charge(flow, now)
            answer = binding_response(data, flow.remote)
            if answer is not None:
                self.outputs.append((flow, answer))
        elif data.strip(b"\r\n\0"):
            self._message(flow, data, now)
        elif flow.reliable and data == KEEPALIVE_PING.value:
            self.outputs.append((flow, KEEPALIVE_PONG.value))

    def _awaited(self, flow: Flow, data: bytes) -> bool:
        """Whether a datagram may be what a request of ours waits for."""
        waits = len(self._clients) > 0 or bool(self._volleys)
        return waits and not flow.reliable and data.startswith(b"SIP/2.0 ")

    def _message(self, flow: Flow, data: bytes, now: float) -> None:
        try:
            message = parse_message(data)
            if isinstance(message, Response):
                if self._volleys is not None and self._volleys.response(message, now):
                    return
                if not self._clients.response(message, now):
                    self._charge(flow, now)
            else:
                self._request(flow, message, now)
        except SipSyntaxError as error:
            self._refuse_syntax(flow, error, now)

    def _charge(self, flow: Flow, now: float) -> None:
        if self._guard is not None:
            self._guard.charge(flow, now)

    def _turn_away(self, guard: Guard, flow: Flow, data: bytes) -> None:
        """Keeps somebody out who asks for too much: a connection is closed; of datagrams, the first has an answer."""
        if flow.reliable:
            if self._framers.pop(flow.id, None) is not None or flow.whole:
                self.outputs.append(CloseFlow(flow, "too much is asked for from its address"))
        elif guard.tell(flow):
            try:
                request = parse_message(data)
            except SipSyntaxError:
                return
            if isinstance(request, Request) and request.method != "ACK":
                self._busy(flow, request)

    def _busy(self, flow: Flow, request: Request) -> None:
        after = (("Retry-After", str(self._limits.retry_after)),)
        self.refuse_stateless(flow, request, 503, "Too many requests", after)

    def _refuse_syntax(self, flow: Flow, error: SipSyntaxError, now: float) -> None:
        self.bad_messages += 1
        self._charge(flow, now)
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
            way = reply_flow(flow, request)
        except SipSyntaxError:
            way = flow  # a Via that cannot be read names nobody: back to where the packet came from
        tag = blake2b(str(request.first("From")).encode(), digest_size=8, key=self._secret).hexdigest()
        data = respond_bytes(request, status, reason, to_tag=tag, headers=headers)
        self.outputs.append((way, data))

    def _request(self, flow: Flow, request: Request, now: float) -> None:
        try:
            key = key_of(flow, request)
        except SipSyntaxError:
            validate_request(request)  # says the same, with what is needed to answer
            raise
        known = self._servers.get(key)
        if known is not None:
            self._absorb(flow, request, known, now)
            return
        if request.method == "ACK":
            self._charge(flow, now)
            return  # of a 2xx to INVITE, which we never send, or of an answer that is forgotten
        validate_request(request)
        way = reply_flow(flow, request)
        add_received(request, flow.source, flow.remote[1])
        if flow.identity is not None and (target := alias_of(flow, request)) is not None:
            self._clients.alias(target, flow)
        if request.method == "CANCEL":
            self._charge(flow, now)
            self._cancel(flow, request)
            return
        limits = self._limits
        source = flow.prefix
        mine = self._per_source.get(source, 0)
        if self._ongoing >= limits.server_transactions or mine >= limits.server_transactions_per_source:
            self._charge(flow, now)
            self._busy(flow, request)
            return
        machine = Machine.INVITE_SERVER if request.method == "INVITE" else Machine.SERVER
        transaction = ServerTransaction(key, flow, request, machine, way)
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
            self._charge(flow, now)
            try:
                self.outputs.append((reply_flow(flow, request), known))
            except SipSyntaxError:
                return
        else:
            event = Event.ACK if request.method == "ACK" else Event.REQUEST
            self._server_step(known, event, now, None)

    def _cancel(self, flow: Flow, request: Request) -> None:
        """RFC 3261 9.2. All our INVITEs are answered at once, so there is nothing left to be cancelled."""
        via = request.top_via
        key = (via.branch or "", hash((via.host, via.port, "INVITE", flow.key, request.first("From"), None)))
        invite = self._servers.get(key)
        if isinstance(invite, ServerTransaction):
            data = respond_bytes(request, 200, to_tag=invite.tag)
        else:
            data = respond_bytes(request, 481, to_tag=tag_of(key))
        self.outputs.append((reply_flow(flow, request), data))

    # -- server transactions --------------------------------------------------------------------------------------

    def merge(self, transaction: ServerTransaction) -> bool:
        """RFC 3261 8.2.2.2: notes a request that has been let in.

        Returns False where the same request is here already by another way: answer 482.
        """
        request = transaction.request
        if request.to.tag is not None:
            return True
        cseq = request.cseq
        key = hash((request.first("From"), request.call_id, cseq.number, cseq.method))
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
        if not transaction.user and status >= 200:
            self._charge(transaction.flow, now)
        event = Event.TU_1XX if status < 200 else Event.TU_2XX if status < 300 else Event.TU_FINAL
        self._server_step(transaction, event, now, data)

    def answer_and_forget(
        self,
        transaction: ServerTransaction,
        status: int,
        reason: str | None,
        headers: Collection[tuple[str, str]],
        now: float,
    ) -> None:
        """Answers, and keeps nothing for a retransmission: it is a new request, and gets the like (RFC 3261 8.2.7).

        For challenges: who has not proved to be anybody takes no room.
        """
        self._charge(transaction.flow, now)
        data = respond_bytes(transaction.request, status, reason, to_tag=transaction.tag, headers=headers)
        transaction.last = data
        self._reply(transaction)
        transaction.state = State.TERMINATED
        self._forget(transaction)
        self._servers.pop(transaction.key, None)

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
        elif self.on_stranded is not None:
            self.on_stranded(transaction)

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
        source = transaction.flow.prefix
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
        """Sends a request; see `ClientTransactions.request`."""
        return self._clients.request(method, branch, data, way, now, outcome)

    def flow_to(self, target: Target) -> Flow | None:
        """Returns the connection that was opened for a target, while it is up."""
        return self._clients.flow_to(target)

    def is_ours(self, request: Request) -> bool:
        """Whether a request is one that we have sent ourselves and that waits for its answer."""
        return self._clients.waits(request.method, request.top_via.branch or "")

    def on_shot(self, outcome: OnShot) -> None:
        """Has the outcomes of what `volley` sends told to a callback. Call it once."""
        self._volleys = Volleys(self._timers, self._limits.client_transactions, self._queue, self.outputs, outcome)

    def volley(self, shots: list[Shot], now: float) -> None:
        """Sends many requests of one moment over UDP; see `Volleys.send`."""
        assert self._volleys is not None
        self._volleys.send(shots, now)

    def adopt(self, method: str, branch: str, outcome: OnOutcome) -> None:
        """Has the outcome of a request that is under way told to another callback."""
        self._clients.adopt(method, branch, outcome)

    @property
    def counts(self) -> dict[str, int]:
        """How much is kept, for metrics and tests."""
        return {
            "server": self._ongoing,
            "finished": len(self._finished),
            "client": len(self._clients) + (0 if self._volleys is None else len(self._volleys)),
            "flows": len(self._flows),
            "sources": len(self._per_source),
            "merged": len(self._merged),
            "connecting": self._clients.connecting,
        }
