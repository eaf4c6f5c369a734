"""The client side, without I/O: registers, sends and receives MESSAGE, watches and publishes presence.

It is the ``softphone`` command's, and the other end of tests. It speaks to one server, as softphones do to their
outbound proxy, and keeps to the same manner as `Endpoint`: bytes and time in, events and bytes out.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TypeAlias

from attrs import field, frozen

from transports.sip.machine.clients import Failure, Outcome
from transports.sip.machine.config import Limits
from transports.sip.machine.flow import Flow, Output, Target
from transports.sip.machine.layer import MAGIC, TransactionLayer
from transports.sip.machine.ports import Entropy
from transports.sip.machine.serving import ServerTransaction
from transports.sip.machine.spread import refresh_after
from transports.sip.machine.timers import TimerQueue
from transports.sip.machine.transactions import Timers
from transports.sip.wire.auth import ALGORITHMS, Challenge, answer, ha1, parse_challenges
from transports.sip.wire.errors import SipBuildError, SipSyntaxError
from transports.sip.wire.message import Request, Response, validate_response

ALLOW = "MESSAGE, NOTIFY, OPTIONS"
ACCEPT = ("text/plain", "text/html", "application/im-iscomposing+xml", "message/imdn+xml")
RETRY_AFTER = 30.0
TRIES = 3


@frozen(kw_only=True)
class UserAgentConfig:
    """Who and where. ``password`` is used to answer challenges and is kept nowhere else."""

    aor: str
    username: str
    password: str
    server: Target
    local: tuple[str, int]
    """What Contact and Via say: our own address."""
    display_name: str = ""
    expires: int = 3600
    user_agent: str = "simplebridge-softphone"
    instance: str = ""
    timers: Timers = field(factory=Timers)


@frozen
class Registered:
    """We are registered for ``expires`` seconds; 0: no more."""

    expires: int


@frozen
class Refused:
    """A request of ours failed: ``status`` is 0 where no response came."""

    method: str
    key: str
    status: int
    reason: str


@frozen
class Sent:
    """A MESSAGE was taken: 200 delivered, 202 on its way."""

    key: str
    status: int


@frozen
class Arrived:
    """A MESSAGE for us."""

    sender: str
    display_name: str
    content_type: str
    body: bytes
    call_id: str


@frozen
class Seen:
    """A NOTIFY: the state of the subscription, and what it shows. ``over``: it will show no more."""

    target: str
    state: str
    pidf: bytes
    over: bool


@frozen
class Accepted:
    """A SUBSCRIBE or PUBLISH was taken for ``expires`` seconds."""

    method: str
    key: str
    expires: int


AgentEvent: TypeAlias = Registered | Refused | Sent | Arrived | Seen | Accepted
Done: TypeAlias = Callable[[Response | Failure, float], None]


class _Dialog:
    """A subscription of ours."""

    __slots__ = ("call_id", "cseq", "expires", "local_tag", "over", "remote_tag", "target")

    def __init__(self, target: str, call_id: str, local_tag: str, expires: int) -> None:
        self.target = target
        self.call_id = call_id
        self.local_tag = local_tag
        self.remote_tag = ""
        self.cseq = 0
        self.expires = expires
        self.over = False


class UserAgent:
    """One SIP user at one device.

    Args:
        config: who and where.
        entropy: random bytes.
    """

    def __init__(self, config: UserAgentConfig, *, entropy: Entropy) -> None:
        self._config = config
        self._entropy = entropy
        timers = config.timers
        self._queue = TimerQueue((timers.t1, timers.timeout))
        self._layer = TransactionLayer(timers, Limits(), self._queue, entropy(32), self._request)
        self._events: deque[AgentEvent] = deque()
        self._flow: Flow | None = None
        self._challenge: tuple[Challenge, bool] | None = None
        self._count = 0
        self._register_id = self._token()
        self._register_tag = self._token()
        self._cseq = 0
        self._dialogs: dict[str, _Dialog] = {}
        self._etag: str | None = None

    def _token(self) -> str:
        return self._entropy(10).hex()

    # -- the wire -----------------------------------------------------------------------------------------------------

    def flow_opened(self, flow: Flow, now: float, target: Target | None = None) -> None:
        """A connection is up; for UDP, call it once with the flow to the server."""
        self._flow = flow
        if flow.reliable:
            self._layer.flow_opened(flow, now, target)

    def flow_lost(self, flow: Flow, now: float) -> None:
        """A connection is gone."""
        if flow is self._flow:
            self._flow = None
        self._layer.flow_lost(flow, now)

    def connect_failed(self, target: Target, now: float) -> None:
        """No connection can be had."""
        self._layer.connect_failed(target, now)

    def receive(self, flow: Flow, data: bytes, now: float) -> None:
        """Takes a datagram, or what a connection has read."""
        self._layer.receive(flow, data, now)

    def to_send(self, now: float) -> list[Output]:
        """Returns what is to be sent, and forgets it."""
        del now
        return self._layer.take()

    def next_event(self) -> AgentEvent | None:
        """Returns the oldest event that was not taken yet, or None."""
        return self._events.popleft() if self._events else None

    def next_deadline(self) -> float | None:
        """Returns when to call `handle_timer`, or None."""
        return self._queue.next_deadline()

    def handle_timer(self, now: float) -> None:
        """Does what is due."""
        self._queue.fire(now)

    def keepalive(self) -> None:
        """Sends a ping on a connection (RFC 5626 3.5.1); call it every 30 seconds or so."""
        if self._flow is not None and self._flow.reliable:
            self._layer.outputs.append((self._flow, b"\r\n\r\n"))

    # -- what a user does ---------------------------------------------------------------------------------------------

    def register(self, now: float, expires: int | None = None) -> None:
        """Registers, and goes on to do so before it runs out; ``expires`` 0 signs off."""
        wanted = self._config.expires if expires is None else expires
        domain = self._config.aor.rpartition("@")[2]
        instance = f';+sip.instance="<{self._config.instance}>"' if self._config.instance else ""
        headers = (
            ("To", f"<sip:{self._config.aor}>"),
            ("Contact", f"<{self.contact}>{instance}"),
            ("Expires", str(wanted)),
            ("Allow", ALLOW),
        )
        done = partial(self._registered, wanted)
        self._send("REGISTER", f"sip:{domain}", self._register_id, self._register_tag, headers, b"", done, now)

    def send(self, to: str, body: bytes, key: str, now: float, content_type: str = "text/plain") -> None:
        """Sends a MESSAGE; `Sent` or `Refused` with ``key`` follows."""
        headers = (("To", f"<{to}>"), ("Content-Type", content_type))
        done = partial(self._sent, key)
        self._send("MESSAGE", to, self._token(), self._token(), headers, body, done, now)

    def subscribe(self, target: str, now: float, expires: int = 3600) -> str:
        """Watches the presence of ``target``. Returns the key of the subscription; `Seen` events follow."""
        dialog = _Dialog(target, self._token(), self._token(), expires)
        self._dialogs[dialog.local_tag] = dialog
        self._subscribe(dialog, expires, now)
        return dialog.local_tag

    def unsubscribe(self, key: str, now: float) -> None:
        """Ends a subscription; unknown keys are ignored."""
        dialog = self._dialogs.get(key)
        if dialog is not None:
            dialog.over = True
            self._subscribe(dialog, 0, now)

    def publish(self, pidf: bytes, now: float, expires: int = 3600) -> None:
        """Publishes presence, or changes what was published; ``expires`` 0 takes it back."""
        uri = f"sip:{self._config.aor}"
        headers = [("To", f"<{uri}>"), ("Event", "presence"), ("Expires", str(expires))]
        if self._etag is not None:
            headers.append(("SIP-If-Match", self._etag))
        if pidf and expires:
            headers.append(("Content-Type", "application/pidf+xml"))
        body = pidf if expires else b""
        self._send("PUBLISH", uri, self._token(), self._token(), tuple(headers), body, self._published, now)

    @property
    def contact(self) -> str:
        """The URI at which we are reached."""
        config = self._config
        host, port = config.local
        host = f"[{host}]" if ":" in host else host
        return f"sip:{config.username.partition('@')[0]}@{host}:{port};transport={config.server.transport}"

    def _subscribe(self, dialog: _Dialog, expires: int, now: float) -> None:
        tag = f";tag={dialog.remote_tag}" if dialog.remote_tag else ""
        headers = (
            ("To", f"<{dialog.target}>{tag}"),
            ("Contact", f"<{self.contact}>"),
            ("Event", "presence"),
            ("Accept", "application/pidf+xml"),
            ("Expires", str(expires)),
        )
        done = partial(self._subscribed, dialog)
        self._send("SUBSCRIBE", dialog.target, dialog.call_id, dialog.local_tag, headers, b"", done, now)

    # -- requests -----------------------------------------------------------------------------------------------------

    def _send(
        self,
        method: str,
        uri: str,
        call_id: str,
        tag: str,
        headers: tuple[tuple[str, str], ...],
        body: bytes,
        done: Done,
        now: float,
        tries: int = TRIES,
    ) -> None:
        config = self._config
        self._cseq += 1
        branch = MAGIC + self._token()
        host, port = config.local
        host = f"[{host}]" if ":" in host else host
        name = f'"{config.display_name}" ' if config.display_name else ""
        lines = [
            ("Via", f"SIP/2.0/{config.server.transport.upper()} {host}:{port};rport;branch={branch}"),
            ("Max-Forwards", "70"),
            ("From", f"{name}<sip:{config.aor}>;tag={tag}"),
            ("Call-ID", call_id),
            ("CSeq", f"{self._cseq} {method}"),
            ("User-Agent", config.user_agent),
            *headers,
        ]
        credentials = self._credentials(method, uri, body)
        if credentials is not None:
            lines.append(credentials)
        data = Request.build(method, uri, lines, body).to_bytes()
        again = partial(self._send, method, uri, call_id, tag, headers, body, done, tries=tries - 1)
        way: Flow | Target = self._flow if self._flow is not None else config.server
        self._layer.request(method, branch, data, way, now, partial(self._answered, again, done, tries))

    def _credentials(self, method: str, uri: str, body: bytes) -> tuple[str, str] | None:
        if self._challenge is None:
            return None
        challenge, proxy = self._challenge
        self._count += 1
        config = self._config
        secret = ha1(config.username, challenge.realm, config.password, challenge.algorithm)
        value = answer(
            challenge, username=config.username, ha1=secret, method=method, uri=uri, cnonce=self._token(),
            count=self._count, body=body,
        )  # fmt: skip
        return ("Proxy-Authorization" if proxy else "Authorization"), str(value)

    def _answered(self, again: Callable[..., None], done: Done, tries: int, outcome: Outcome, now: float) -> None:
        if isinstance(outcome, Response):
            try:
                validate_response(outcome)
                _ = outcome.contacts
            except SipSyntaxError:
                outcome = Failure.MALFORMED
        if isinstance(outcome, Response) and outcome.status in {401, 407} and tries > 1:
            proxy = outcome.status == 407
            try:
                challenges = parse_challenges(outcome.lines("Proxy-Authenticate" if proxy else "WWW-Authenticate"))
            except SipSyntaxError:
                challenges = []
            best = min(
                (one for one in challenges if one.algorithm in ALGORITHMS and one.answerable),
                key=lambda one: ALGORITHMS.index(one.algorithm),
                default=None,
            )
            refused = self._challenge is not None and tries < TRIES and best is not None and not best.stale
            if best is not None and not refused:
                self._challenge = (best, proxy)
                self._count = 0
                again(now=now)
                return
        done(outcome, now)

    def _failed(self, method: str, key: str, outcome: Outcome) -> bool:
        if isinstance(outcome, Failure):
            self._events.append(Refused(method, key, 0, outcome.value))
            return True
        if outcome.status >= 300:
            self._events.append(Refused(method, key, outcome.status, outcome.reason))
            return True
        return False

    def _registered(self, wanted: int, outcome: Outcome, now: float) -> None:
        if self._failed("REGISTER", "", outcome) or isinstance(outcome, Failure):
            if wanted and (isinstance(outcome, Failure) or outcome.status >= 500):
                self._queue.after(now, RETRY_AFTER, self.register)
            return
        granted = wanted
        for contact in outcome.contacts:
            if contact != "*" and str(contact.uri) == self.contact:
                text = contact.param("expires") or ""
                granted = int(text) if text.isascii() and text.isdigit() else wanted
        self._events.append(Registered(granted))
        if wanted and granted:
            self._queue.after(now, refresh_after(granted, self._entropy), self.register)

    def _sent(self, key: str, outcome: Outcome, now: float) -> None:
        del now
        if not self._failed("MESSAGE", key, outcome) and isinstance(outcome, Response):
            self._events.append(Sent(key, outcome.status))

    def _published(self, outcome: Outcome, now: float) -> None:
        del now
        if self._failed("PUBLISH", "", outcome) or isinstance(outcome, Failure):
            self._etag = None
            return
        expires = outcome.expires or 0
        self._etag = outcome.first("SIP-ETag") if expires else None
        self._events.append(Accepted("PUBLISH", "", expires))

    def _subscribed(self, dialog: _Dialog, outcome: Outcome, now: float) -> None:
        if self._failed("SUBSCRIBE", dialog.local_tag, outcome) or isinstance(outcome, Failure):
            self._dialogs.pop(dialog.local_tag, None)
            return
        dialog.remote_tag = outcome.to.tag or ""
        expires = outcome.expires or 0
        self._events.append(Accepted("SUBSCRIBE", dialog.local_tag, expires))
        if expires and not dialog.over:
            self._queue.after(now, refresh_after(expires, self._entropy), partial(self._refresh, dialog))

    def _refresh(self, dialog: _Dialog, now: float) -> None:
        if dialog.local_tag in self._dialogs and not dialog.over:
            self._subscribe(dialog, dialog.expires, now)

    # -- what comes in ------------------------------------------------------------------------------------------------

    def _request(self, transaction: ServerTransaction, now: float) -> None:
        request = transaction.request
        try:
            if request.method == "MESSAGE":
                self._message(transaction, now)
            elif request.method == "NOTIFY":
                self._notify(transaction, now)
            elif request.method == "OPTIONS":
                self._layer.answer(transaction, 200, None, now, headers=(("Allow", ALLOW),))
            else:
                self._layer.answer(transaction, 405, None, now, headers=(("Allow", ALLOW),))
        except (SipSyntaxError, SipBuildError) as error:
            self._layer.answer(transaction, 400, error.args[0], now)

    def _message(self, transaction: ServerTransaction, now: float) -> None:
        request = transaction.request
        kind = request.content_type
        if kind is not None and kind.media_type not in ACCEPT:
            self._layer.answer(transaction, 415, None, now, headers=(("Accept", ", ".join(ACCEPT)),))
            return
        sender = request.from_
        text = "text/plain" if kind is None else str(kind)
        self._events.append(Arrived(str(sender.uri), sender.display_name, text, request.body, request.call_id))
        self._layer.answer(transaction, 200, None, now)

    def _notify(self, transaction: ServerTransaction, now: float) -> None:
        request = transaction.request
        dialog = self._dialogs.get(request.to.tag or "")
        if dialog is None or dialog.call_id != request.call_id or request.subscription_state is None:
            self._layer.answer(transaction, 481, None, now)
            return
        if request.cseq.number <= dialog.cseq:
            self._layer.answer(transaction, 500, "CSeq is not greater than the last", now)
            return
        dialog.cseq = request.cseq.number
        dialog.remote_tag = dialog.remote_tag or request.from_.tag or ""
        state = request.subscription_state[0]
        over = state == "terminated"
        if over:
            self._dialogs.pop(dialog.local_tag, None)
        self._layer.answer(transaction, 200, None, now)
        self._events.append(Seen(dialog.target, state, request.body, over))
