"""The subscriber: presence that is watched elsewhere, by SUBSCRIBE in the name of one of ours (RFC 6665, RFC 3856).

One watch is one dialog usage. It is refreshed before it runs out, begun anew in a new dialog where the notifier has
lost it, and over for good where the notifier says so (RFC 8048 section 5, RFC 6665 sections 4.1.2 and 4.1.3):

- 403, 489 and 603 say that there is no authorization: `Denied`, and nothing is tried again;
- 423 is tried again with what the notifier asks for, at once; 481 to a refresh begins anew at once;
- other failures of a refresh that end the usage (RFC 5057) begin anew after a while, as others do;
- a SUBSCRIBE without any NOTIFY in 64*T1 has failed (RFC 6665 section 4.1.2.4), whatever it was answered;
- a NOTIFY that says ``terminated`` is obeyed by its reason (section 4.1.3).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from transports.sip.machine.clients import Failure, Outcome
from transports.sip.machine.config import EndpointConfig
from transports.sip.machine.flow import Target
from transports.sip.machine.layer import MAGIC, TransactionLayer
from transports.sip.machine.locate import wanted
from transports.sip.machine.ports import Entropy
from transports.sip.machine.routeset import Routed, routed
from transports.sip.machine.routing import Router, target_of, uri_transport
from transports.sip.machine.serving import ServerTransaction
from transports.sip.machine.spread import pause_for, refresh_after
from transports.sip.machine.timers import TimerQueue
from transports.sip.machine.upstream import Hop, Result, Upstream
from transports.sip.machine.watches import AGAIN_AFTER, EXPIRES, Denied, Lost, Shown, SubscriberEvent, Watch
from transports.sip.wire.errors import SipBuildError, SipSyntaxError
from transports.sip.wire.grammar import delta_seconds
from transports.sip.wire.headers import NameAddr, parse_name_addr
from transports.sip.wire.message import Request, Response, retry_after, validate_response
from transports.sip.wire.pidf import CONTENT_TYPE as PIDF
from transports.sip.wire.pidf import parse_pidf
from transports.sip.wire.uri import SipUri, parse_uri

DENIED = frozenset({403, 489, 603})
"""RFC 8048 section 5.2.2: the authorization is cancelled for good."""
OVER = frozenset({404, 405, 410, 416, 480, 481, 482, 483, 484, 485, 489, 501, 604})
"""RFC 6665 section 4.1.2.2: the usage is over when a refresh is answered so. It begins with a new Call-ID and tag."""
AGAIN_AT_MOST = 3600.0
MAX_WATCHES = 100_000
_FOR_GOOD = frozenset({"rejected", "noresource", "invariant"})
_AT_ONCE = frozenset({"deactivated", "timeout"})


class Subscriber:
    """All subscriptions of ours.

    Args:
        emit: takes the events.
        upstream: the way to other servers; None where there are none.
    """

    def __init__(
        self,
        config: EndpointConfig,
        layer: TransactionLayer,
        queue: TimerQueue,
        router: Router,
        entropy: Entropy,
        emit: Callable[[SubscriberEvent], None],
        upstream: Upstream | None = None,
    ) -> None:
        self._upstream = upstream
        self._config = config
        self._layer = layer
        self._queue = queue
        self._router = router
        self._entropy = entropy
        self._emit = emit
        self._by_key: dict[str, Watch] = {}
        self._by_tag: dict[str, Watch] = {}

    def __len__(self) -> int:
        return len(self._by_key)

    # -- the owner ----------------------------------------------------------------------------------------------------

    def watch(
        self, key: str, watcher: str, target: str, now: float, way: Target | None = None, hops: Iterable[Hop] = ()
    ) -> bool:
        """Watches the presence of ``target``, a SIP URI, in the name of ``watcher``, an address-of-record.

        Args:
            key: names it in events; one that is watched already goes on.
            way: where the SUBSCRIBE goes, if not to where the URI says.
            hops: the servers that it is tried at, one after the other (RFC 3263), instead of ``way``.

        Returns:
            Whether it could be begun: false for a URI that leads nowhere, and where there are too many.
        """
        return key in self._by_key or self._new(key, watcher, target, way, tuple(hops), now, fetch=False)

    def fetch(
        self, key: str, watcher: str, target: str, now: float, way: Target | None = None, hops: Iterable[Hop] = ()
    ) -> bool:
        """Asks for the state once (Expires 0), in a dialog of its own even where ``target`` is watched already."""
        return key not in self._by_key and self._new(key, watcher, target, way, tuple(hops), now, fetch=True)

    def unwatch(self, key: str, now: float) -> None:
        """Ends a watch; `Lost` follows when the notifier has taken it (RFC 8048 section 5.2.3), or 64*T1 later."""
        watch = self._by_key.get(key)
        if watch is None or watch.ending:
            return
        watch.ending = True
        if not watch.remote:
            if not watch.sending:
                self._over(watch, Lost(key, "ended", final=True))
            return  # there is no dialog yet: it is ended by the first that comes of it
        if not watch.sending:
            watch.expires = 0
            self._send(watch, now)

    def _new(
        self, key: str, watcher: str, target: str, way: Target | None, hops: tuple[Hop, ...], now: float, *, fetch: bool
    ) -> bool:
        try:
            uri = parse_uri(target)
        except SipSyntaxError:
            return False
        if not isinstance(uri, SipUri) or len(self._by_key) >= MAX_WATCHES:
            return False
        if not hops and self._router.resolve(way or target_of(uri) or Target("none", "", 0)) is None:
            return False
        watch = Watch(key, watcher, target, way or target_of(uri), hops, fetch=fetch)
        self._by_key[key] = watch
        self._begin(watch, now)
        return True

    # -- SUBSCRIBE ----------------------------------------------------------------------------------------------------

    def _begin(self, watch: Watch, now: float) -> None:
        """Begins a dialog: new Call-ID and tag."""
        self._by_tag.pop(watch.tag, None)
        watch.tag, watch.call_id = self._entropy(8).hex(), self._entropy(12).hex()
        watch.local = f"<sip:{watch.watcher}>;tag={watch.tag}"
        watch.remote, watch.remote_cseq, watch.uri, watch.routes = "", -1, watch.target, ()
        watch.cseq = 0
        watch.notified = False
        self._by_tag[watch.tag] = watch
        self._send(watch, now)

    def _send(self, watch: Watch, now: float) -> None:
        self._stop(watch)
        uri = parse_uri(watch.uri)
        assert isinstance(uri, SipUri)
        route = routed(watch.routes, uri)
        watch.cseq += 1
        try:
            sent = self._send_up(watch, route, now) if watch.hops else self._send_straight(watch, route, now)
        except SipBuildError:
            self._over(watch, Denied(watch.key, "its address cannot be written"))
            return
        if not sent:
            self._failed(watch, "there is no way to it", now)

    def _send_straight(self, watch: Watch, route: Routed, now: float) -> bool:
        """Sends to where the URI says. False: there is no way."""
        way = target_of(route.next_hop) if watch.routes else watch.way
        resolved = None if way is None else self._router.resolve(way)
        if resolved is None:
            return False
        reached, transport, sent_by = resolved
        branch = MAGIC + self._entropy(10).hex()
        lines = [
            ("Via", f"SIP/2.0/{transport} {sent_by};rport;branch={branch}"),
            *(("Route", one) for one in route.routes),
            ("Contact", f"<sip:{sent_by};transport={uri_transport(transport.lower())}>"),
            *self._lines(watch),
        ]
        data = Request.build("SUBSCRIBE", route.request_uri, lines).to_bytes()
        self._wait(watch, now)
        self._layer.request("SUBSCRIBE", branch, data, reached, now, partial(self._answered, watch, watch.tag))
        return True

    def _send_up(self, watch: Watch, route: Routed, now: float) -> bool:
        """Sends by way of another server, or to where the dialog that it has made leads."""
        assert self._upstream is not None
        tail = Request.build("SUBSCRIBE", route.request_uri, self._lines(watch)).to_bytes().partition(b"\r\n")[2]
        hops = list(watch.hops)
        if watch.remote:
            peer = watch.hops[0].peer
            want = wanted(route.next_hop, peer.proves if peer is not None and peer.transport == "tls" else "")
            if want is None:
                return False
            hops = [Hop(want, ", ".join(route.routes), peer)]
        self._wait(watch, now)
        self._upstream.send_for_dialog(
            "SUBSCRIBE", route.request_uri, hops, f"{watch.call_id}\n{watch.cseq}", f"<sip:{watch.watcher}>", tail, now,
            partial(self._ascended, watch, watch.tag),
        )  # fmt: skip
        return True

    def _lines(self, watch: Watch) -> list[tuple[str, str]]:
        """Returns what says the same by whatever way it goes."""
        expires = 0 if watch.fetch or watch.ending else max(EXPIRES, watch.min_expires)
        return [
            ("Max-Forwards", "70"),
            ("From", watch.local),
            ("To", watch.remote or f"<{watch.target}>"),
            ("Call-ID", watch.call_id),
            ("CSeq", f"{watch.cseq} SUBSCRIBE"),
            ("Event", "presence"),
            ("Accept", PIDF),
            ("Expires", str(expires)),
            ("User-Agent", self._config.user_agent),
        ]

    def _wait(self, watch: Watch, now: float) -> None:
        """Each SUBSCRIBE is answered with a NOTIFY (section 4.2.1.2); it starts the wait anew (timer N)."""
        watch.sending = True
        watch.wait = self._queue.after(now, self._config.timers.timeout, partial(self._silent, watch, watch.tag))

    def _ascended(self, watch: Watch, tag: str, result: Result, now: float) -> None:
        if watch.tag == tag:
            watch.cseq += result.anew
        outcome = result.outcome
        self._answered(watch, tag, Failure.UNREACHABLE if isinstance(outcome, str) else outcome, now)

    def _answered(self, watch: Watch, tag: str, outcome: Outcome, now: float) -> None:
        if self._by_key.get(watch.key) is not watch or watch.tag != tag:
            return
        watch.sending = False
        if isinstance(outcome, Response):
            try:
                validate_response(outcome)
                if outcome.status < 300:
                    self._taken(watch, outcome, now)
                    return
            except SipSyntaxError:
                outcome = Failure.MALFORMED
        if isinstance(outcome, Failure):
            self._failed(watch, outcome.value, now)
            return
        self._refused(watch, outcome, now)

    def _taken(self, watch: Watch, response: Response, now: float) -> None:
        """A 2xx. The lifetime may be shorter than asked for, and is never longer (section 4.1.2.1)."""
        if not watch.remote:
            self._dialog(watch, response.first("To") or "", response, reverse=True)
        if watch.ending:
            self._asked_to_end(watch, now)
            return
        asked = max(EXPIRES, watch.min_expires)
        granted = asked if response.expires is None else min(response.expires, asked)
        watch.expires = granted
        if watch.notified and not watch.fetch:
            self._plan_refresh(watch, refresh_after(granted, self._entropy), now)

    def _asked_to_end(self, watch: Watch, now: float) -> None:
        """Ends a watch, or one whose end was wished while it began: that is said first."""
        if watch.expires == 0:
            self._by_key.pop(watch.key, None)
            watch.done = True
            if watch.wait is None:  # a NOTIFY that came meanwhile has ended the wait, and was not the last one
                length = self._config.timers.timeout
                watch.wait = self._queue.after(now, length, partial(self._silent, watch, watch.tag))
            self._emit(Lost(watch.key, "ended", final=True))
            return
        watch.expires = 0
        self._send(watch, now)

    def _plan_refresh(self, watch: Watch, after: float, now: float) -> None:
        if watch.refresh is not None:
            self._queue.cancel(watch.refresh)
        watch.refresh = self._queue.after(now, after, partial(self._refresh, watch))

    def _refresh(self, watch: Watch, now: float) -> None:
        if self._by_key.get(watch.key) is watch and not watch.sending and not watch.ending:
            watch.refresh = None
            self._send(watch, now)

    def _refused(self, watch: Watch, response: Response, now: float) -> None:
        status, in_dialog = response.status, bool(watch.remote)
        if watch.ending or watch.fetch:
            self._over(watch, Lost(watch.key, f"answered {status}", final=True))
        elif status in DENIED:
            self._over(watch, Denied(watch.key, f"{status} {response.reason}"))
        elif status == 423 and response.min_expires and response.min_expires > max(EXPIRES, watch.min_expires):
            raised = watch.min_expires > 0
            watch.min_expires = response.min_expires
            if raised:  # one who asks for more each time must not have us ask once for each round trip
                self._failed(watch, "answered 423", now)
            else:
                self._send(watch, now)
        elif status == 481 and in_dialog:
            self._begin(watch, now)
        elif in_dialog and status not in OVER:
            # Section 4.1.2.2: the usage lives until it runs out; the next refresh comes before that.
            pause = max(retry_after(response, AGAIN_AT_MOST) or watch.again, 1.0)
            self._plan_refresh(watch, pause_for(pause, self._entropy), now)
            watch.again = min(2 * watch.again, AGAIN_AT_MOST)
        else:
            self._failed(watch, f"answered {status}", now, retry_after(response, AGAIN_AT_MOST))

    def _failed(self, watch: Watch, reason: str, now: float, after: float | None = None) -> None:
        """It is over for now, and begins anew after a while that grows."""
        if watch.fetch or watch.ending:
            self._over(watch, Lost(watch.key, reason, final=True))
            return
        self._stop(watch)
        self._by_tag.pop(watch.tag, None)
        watch.tag = watch.remote = ""  # what still comes of this dialog is late
        pause = pause_for(watch.again if after is None else after, self._entropy)
        watch.again = min(2 * watch.again, AGAIN_AT_MOST)
        watch.refresh = self._queue.after(now, pause, partial(self._anew, watch))
        self._emit(Lost(watch.key, reason))

    def _anew(self, watch: Watch, now: float) -> None:
        watch.refresh = None
        if self._by_key.get(watch.key) is watch:
            if watch.ending:
                self._over(watch, Lost(watch.key, "ended", final=True))
            else:
                self._begin(watch, now)

    def _silent(self, watch: Watch, tag: str, now: float) -> None:
        """Timer N (section 4.1.2.4): no NOTIFY in 64*T1."""
        watch.wait = None
        if watch.done:
            self._by_tag.pop(watch.tag, None)
        elif self._by_key.get(watch.key) is watch and watch.tag == tag:
            self._failed(watch, "no NOTIFY came", now)

    def _stop(self, watch: Watch) -> None:
        for timer in (watch.refresh, watch.wait):
            if timer is not None:
                self._queue.cancel(timer)
        watch.refresh = watch.wait = None

    def _over(self, watch: Watch, event: SubscriberEvent) -> None:
        self._stop(watch)
        if not watch.done:
            self._by_key.pop(watch.key, None)
        self._by_tag.pop(watch.tag, None)
        if not watch.done:
            self._emit(event)

    def _dialog(self, watch: Watch, remote: str, message: Request | Response, *, reverse: bool) -> None:
        """Takes the remote side of a dialog; what makes it may be the 2xx or a NOTIFY that came before it."""
        watch.remote = remote
        limit = self._config.limits.stored_text
        for contact in message.contacts:
            if isinstance(contact, NameAddr) and isinstance(contact.uri, SipUri) and len(str(contact.uri)) <= limit:
                watch.uri = str(contact.uri)
                if watch.way is None or target_of(contact.uri) is not None:
                    watch.way = target_of(contact.uri) or watch.way
        routes = [str(route) for route in message.record_routes[:16]]
        watch.routes = tuple(reversed(routes) if reverse else routes)

    # -- NOTIFY -------------------------------------------------------------------------------------------------------

    def notify(self, transaction: ServerTransaction, now: float) -> None:
        """Takes a NOTIFY, and answers it: 481 where it belongs to nothing here (section 4.1.3)."""
        request = transaction.request
        watch = self._by_tag.get(request.to.tag or "")
        event, state = request.event, request.subscription_state
        answer = self._layer.answer
        if (
            watch is None
            or watch.call_id != request.call_id
            or (watch.remote and _tag_of(watch.remote) != (request.from_.tag or ""))
        ):
            answer(transaction, 481, None, now)
            return
        if event is None or event[0] != "presence":
            answer(transaction, 489, None, now, headers=(("Allow-Events", "presence"),))
            return
        if state is None:
            answer(transaction, 400, "NOTIFY without Subscription-State", now)
            return
        if request.cseq.number <= watch.remote_cseq:
            answer(transaction, 500, "CSeq is not greater than the last", now)
            return
        try:
            pidf = self._body(request)
        except SipSyntaxError as error:
            headers = (("Accept", PIDF),) if error.status == 415 else ()
            answer(transaction, error.status, error.reason, now, headers=headers)
            return
        if not watch.remote:
            self._dialog(watch, request.first("From") or "", request, reverse=False)
        watch.remote_cseq = request.cseq.number
        answer(transaction, 200, None, now)
        self._told(watch, state[0], dict(state[1]), pidf, now)

    def _body(self, request: Request) -> bytes | None:
        if not request.body:
            return None
        kind = request.content_type
        if kind is None or kind.media_type != PIDF or request.has("Content-Encoding"):
            raise SipSyntaxError("Only PIDF was asked for", 415)
        if len(request.body) > self._config.limits.max_body:
            raise SipSyntaxError("NOTIFY: the body is too large", 413)
        parse_pidf(request.body)
        return request.body

    def _told(self, watch: Watch, state: str, params: dict[str, str | None], pidf: bytes | None, now: float) -> None:
        watch.notified = True
        if watch.done and state != "terminated":
            return  # the last one is still waited for
        if watch.wait is not None:
            self._queue.cancel(watch.wait)
            watch.wait = None
        if state == "terminated":
            self._terminated(watch, params, pidf, now)
            return
        watch.again = AGAIN_AFTER
        self._emit(Shown(watch.key, "pending" if state == "pending" else "active", pidf))
        if watch.ending:
            return  # its lifetime is what we have asked for: none
        left = delta_seconds(params.get("expires"))
        watch.expires = min(watch.expires if left is None else left, max(EXPIRES, watch.min_expires))
        if not (watch.fetch or watch.sending):
            self._plan_refresh(watch, refresh_after(watch.expires, self._entropy), now)

    def _terminated(self, watch: Watch, params: dict[str, str | None], pidf: bytes | None, now: float) -> None:
        """Section 4.1.3: what each reason asks for. One that is not known is as none: it may be tried again at once."""
        reason = (params.get("reason") or "").lower()
        if pidf is not None and reason not in _FOR_GOOD and not watch.done:
            self._emit(Shown(watch.key, "active", pidf))
        if watch.fetch or watch.ending:
            self._over(watch, Lost(watch.key, reason or "ended", final=True))
        elif reason in _FOR_GOOD:
            self._over(watch, Denied(watch.key, reason))
        elif reason in {"probation", "giveup"}:
            after = delta_seconds(params.get("retry-after"))
            self._failed(watch, reason, now, None if after is None else min(float(after), 86400.0))
        else:
            # A notifier that ends each subscription at once must not have us begin one for each round trip.
            self._failed(watch, reason or "terminated", now, 0.5 if reason in _AT_ONCE and watch.cseq > 1 else None)


def _tag_of(remote: str) -> str:
    return parse_name_addr(remote).tag or ""
