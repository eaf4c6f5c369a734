"""The transaction layer: runs the tables of `transactions` over flows, and matches messages to transactions.

Server transactions are matched by RFC 3261 17.2.3 (branch, sent-by, method) and besides by what clients in use make
necessary: the source address and the From header (libpurple seeds its random numbers by the second, so two clients
have the same branches, tags and Call-IDs), and the credentials (libpurple repeats a challenged request with its
branch, only with credentials added). A true retransmission is the same in all of these.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection
from hashlib import blake2b
from typing import TypeAlias

from transports.sip.machine.clients import ClientTransaction, ClientTransactions, OnOutcome
from transports.sip.machine.config import Limits
from transports.sip.machine.flow import CloseFlow, Flow, Output, Target
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

MAGIC = "z9hG4bK"


Key: TypeAlias = tuple[str, int]


def _tag(key: Key) -> str:
    return f"{key[1] & 0xFFFFFFFFFFFFFFFF:016x}"


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

    def __init__(self, key: Key, flow: Flow, request: Request, machine: Machine, reply_flow: Flow) -> None:
        self.key = key
        self.flow = flow
        self.request = request
        self.machine = machine
        self.state = State.INIT
        self.reply_flow = reply_flow
        self.last: bytes | None = None
        self.timers: dict[Action, Timer] | None = None
        self.starts = 0
        self.merge: int | None = None
        self.user: str = ""
        """The address-of-record that the request proved to come from; empty before."""

    @property
    def tag(self) -> str:
        """Our To tag: the same for the same request (RFC 3261 8.2.7)."""
        return _tag(self.key)


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
        return flow.source in self._per_source

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
        if flow.whole:
            if self._volleys is not None and self._volleys and self._volleys.quick(data, now):
                return
            if data.strip(b"\r\n\0"):
                self._message(flow, data, now)
            elif flow.reliable and data == KEEPALIVE_PING.value:
                self.outputs.append((flow, KEEPALIVE_PONG.value))
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
            self._refuse_syntax(flow, framer.error)
            self.outputs.append(CloseFlow(flow, framer.error.reason))

    def _message(self, flow: Flow, data: bytes, now: float) -> None:
        try:
            message = parse_message(data)
            if isinstance(message, Response):
                if self._volleys is None or not self._volleys.response(message, now):
                    self._clients.response(message, now)
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

    @staticmethod
    def _key(flow: Flow, request: Request) -> Key:
        """Names a transaction; what is not in the branch is in the hash, which Python keys anew for each process."""
        via = request.top_via
        method = request.method
        sender = request.first("From")
        credentials = None
        if method == "ACK":
            method = "INVITE"
        elif method not in {"INVITE", "CANCEL"}:
            credentials = request.first("Proxy-Authorization") or request.first("Authorization")
        branch = via.branch or ""
        if branch.startswith(MAGIC) and len(branch) > len(MAGIC):
            return branch, hash((via.host, via.port, method, flow.key, sender, credentials))
        # RFC 2543: no branch that tells transactions apart
        more = (request.uri_text, request.cseq.number, str(via), method, flow.key, sender, credentials)
        return request.call_id, hash(more)

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
        reply_flow = self._reply_flow(flow, request)
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
        transaction = ServerTransaction(key, flow, request, machine, reply_flow)
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
        via = request.top_via
        key = (via.branch or "", hash((via.host, via.port, "INVITE", flow.key, request.first("From"), None)))
        invite = self._servers.get(key)
        if isinstance(invite, ServerTransaction):
            data = respond_bytes(request, 200, to_tag=invite.tag)
        else:
            data = respond_bytes(request, 481, to_tag=_tag(key))
        self.outputs.append((self._reply_flow(flow, request), data))

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
        event = Event.TU_1XX if status < 200 else Event.TU_2XX if status < 300 else Event.TU_FINAL
        self._server_step(transaction, event, now, data)

    def answer_and_forget(
        self, transaction: ServerTransaction, status: int, reason: str | None, headers: Collection[tuple[str, str]]
    ) -> None:
        """Answers, and keeps nothing for a retransmission: it is a new request, and gets the like (RFC 3261 8.2.7).

        For challenges: who has not proved to be anybody takes no room.
        """
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
        """Sends a request; see `ClientTransactions.request`."""
        return self._clients.request(method, branch, data, way, now, outcome)

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
