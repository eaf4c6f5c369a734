"""What becomes of a request: checked, authenticated, and given to the part that serves its method (RFC 3261 8.2)."""

from __future__ import annotations

from collections.abc import Callable

from transports.sip.machine.abilities import accepted_by
from transports.sip.machine.auth import Authenticator, Denied
from transports.sip.machine.challenged import Challenged
from transports.sip.machine.config import ENCODINGS, EndpointConfig
from transports.sip.machine.events import MessageReceived, RequestRefused
from transports.sip.machine.gruu import is_gruu
from transports.sip.machine.guard import Guard
from transports.sip.machine.keptlists import KeptLists
from transports.sip.machine.layer import MAGIC, TransactionLayer
from transports.sip.machine.names import Names, clean_reason, warning
from transports.sip.machine.packages import ALLOW_EVENTS
from transports.sip.machine.publications import Publications
from transports.sip.machine.registrar import Registrar
from transports.sip.machine.routing import Router
from transports.sip.machine.serving import ServerTransaction
from transports.sip.machine.subscriber import Subscriber
from transports.sip.machine.subscriptions import Notifier
from transports.sip.machine.trunkconfig import Peer
from transports.sip.machine.trunking import Trunking
from transports.sip.machine.trust import ANONYMITY_DISALLOWED, NotVouched
from transports.sip.machine.typing import Heard
from transports.sip.wire.coding import inflate
from transports.sip.wire.errors import SipSyntaxError
from transports.sip.wire.iscomposing import parse_iscomposing
from transports.sip.wire.message import Request
from transports.sip.wire.names import SPELLINGS
from transports.sip.wire.native import SipMessage, SipTyping
from transports.sip.wire.resourcelists import CONTENT_TYPE as RESOURCE_LISTS
from transports.sip.wire.resourcelists import parse_resource_lists
from transports.sip.wire.uri import SipUri

ALLOW = "MESSAGE, OPTIONS, REGISTER, SUBSCRIBE, NOTIFY, PUBLISH, ACK, CANCEL"
KNOWN = frozenset({"INVITE", "BYE", "INFO", "UPDATE", "PRACK", "REFER"})
"""Methods that we know and do not serve: 405. Others are not known: 501 (RFC 3261 21.5.2)."""
ISCOMPOSING = "application/im-iscomposing+xml"
_CARRIED = frozenset(
    {
        "Subject", "Date", "Content-Language", "Content-Encoding", "Content-Disposition", "Expires", "User-Agent",
        "Priority", "Reply-To", "In-Reply-To",
    }
)  # fmt: skip
_REQUIRED = frozenset({"Require", "Proxy-Require"})
_NAMES = SPELLINGS.get
_LIST = "recipient-list"
_SUBSCRIBES_LIST = "recipient-list-subscribe"
_EVENTLIST = "eventlist"
_SUPPORTED: dict[str, frozenset[str]] = {
    "REGISTER": frozenset({"path", "outbound", "gruu"}),
    "SUBSCRIBE": frozenset({_SUBSCRIBES_LIST, _EVENTLIST}),
}
_NOTHING: frozenset[str] = frozenset()
_ENCODINGS = frozenset({"", "identity", *ENCODINGS})
_ACCEPT_ENCODING = ("Accept-Encoding", ", ".join(ENCODINGS))


class Refusal(Exception):
    """A request goes no further, and is answered with this."""

    def __init__(self, status: int, reason: str | None = None, *headers: tuple[str, str]) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.headers = headers
        self.forget = False
        """Nothing need be kept for a retransmission."""


class Uas:
    """Serves requests.

    Args:
        emit: takes the endpoint's events.
        heard: takes note of who is composing.
        lists: those that are kept here.
        trunking: other servers; None where there are none.
    """

    def __init__(
        self,
        config: EndpointConfig,
        layer: TransactionLayer,
        names: Names,
        router: Router,
        auth: Authenticator,
        challenged: Challenged,
        registrar: Registrar,
        notifier: Notifier,
        publications: Publications,
        subscriber: Subscriber,
        emit: Callable[[MessageReceived | RequestRefused], None],
        guard: Guard,
        heard: Heard,
        lists: KeptLists,
        trunking: Trunking | None = None,
    ) -> None:
        self._lists = lists
        self._guard = guard
        self._config = config
        self._layer = layer
        self._names = names
        self._auth = auth
        self._challenged = challenged
        self._registrar = registrar
        self._notifier = notifier
        self._publications = publications
        self._emit = emit
        self._heard = heard
        self._trunking = trunking
        self._pending: dict[int, ServerTransaction] = {}
        self._last = 0
        self._accept = ", ".join(config.message_types)
        self._sent_by = router.names()
        self._own_names = frozenset(peer.watch_as for peer in config.trunks.peers if peer.watch_as)
        self._handlers: dict[str, Callable[[ServerTransaction, float], None]] = {
            "MESSAGE": self._message,
            "REGISTER": self._register,
            "SUBSCRIBE": self._subscribe,
            "PUBLISH": self._publish,
            "OPTIONS": self._options,
            "NOTIFY": subscriber.notify,
        }

    @property
    def pending(self) -> int:
        """How many MESSAGEs wait for their answer."""
        return len(self._pending)

    def handle(self, transaction: ServerTransaction, now: float) -> None:
        """Serves a new, valid request."""
        request = transaction.request
        try:
            handler = self._handlers.get(request.method)
            if handler is None:
                refusal = self._no_method(request)
                # An INVITE's answer would be sent again and again until an ACK comes: to whoever a forged source names.
                refusal.forget = request.method == "INVITE"
                raise refusal
            self._check_way(request)
            self._check_require(request)
            handler(transaction, now)
        except Refusal as refusal:
            self._refuse(transaction, refusal, now)
        except SipSyntaxError as error:  # a typed header that validate_request leaves to whoever needs it
            self._refuse(transaction, Refusal(error.status, error.reason), now)

    def _refuse(self, transaction: ServerTransaction, refusal: Refusal, now: float) -> None:
        reason = None if refusal.reason is None else clean_reason(refusal.reason)
        if refusal.forget:
            self._layer.answer_and_forget(transaction, refusal.status, reason, refusal.headers, now)
        else:
            self._layer.answer(transaction, refusal.status, reason, now, headers=refusal.headers)

    @staticmethod
    def _no_method(request: Request) -> Refusal:
        if request.method not in KNOWN:
            return Refusal(501, None, ("Allow", ALLOW))
        if request.to.tag is not None:
            return Refusal(481)
        return Refusal(405, None, ("Allow", ALLOW))

    def _check_way(self, request: Request) -> None:
        """RFC 3261 16.3 step 4, for what a B2BUA sends out and gets back."""
        if self._trunking is not None and self._layer.is_ours(request):
            raise Refusal(482, "Loop: this request comes from here")
        if request.one_via:
            return
        for via in request.vias[1:]:
            if via.sent_by in self._sent_by and (via.branch or "").startswith(MAGIC):
                raise Refusal(482, "Loop: this request was here before")

    @staticmethod
    def _check_require(request: Request) -> None:
        if request.has_any(_REQUIRED):
            wanted = request.require + request.proxy_require
            unknown = [tag for tag in wanted if tag not in _SUPPORTED.get(request.method, _NOTHING)]
            if unknown:
                raise Refusal(420, None, ("Unsupported", ", ".join(unknown)))

    # -- who --------------------------------------------------------------------------------------------------------

    def _authenticate(self, transaction: ServerTransaction, now: float) -> str:
        """Returns who made a request whose From is their own; raises Refusal."""
        request = transaction.request
        if self._trunking is not None:
            vouched = self._vouched(transaction, self._trunking)
            if vouched is not None:
                return self._within_limits(transaction, vouched, now)
        verdict = self._auth.check(request, transaction.flow, now)
        if isinstance(verdict, Denied):
            self._denied(transaction, verdict, now)
            refusal = Refusal(verdict.status, verdict.reason, *verdict.headers)
            refusal.forget = not verdict.guess  # a guess is counted once, however often it is repeated
            raise refusal
        aor = verdict.aor
        self._challenged.settle(request, transaction.flow)
        if self._names.aor(request.from_.uri) != aor:
            reason = "From is not the address of the authenticated user"
            self._tell(transaction, 403, reason, aor)
            raise Refusal(403, reason)
        self._guard.proved(transaction.flow)
        return self._within_limits(transaction, aor, now)

    def _within_limits(self, transaction: ServerTransaction, aor: str, now: float) -> str:
        wait = self._guard.person(aor, now)
        if wait > 0:
            self._tell(transaction, 503, "Too many requests of one person", aor)
            refusal = Refusal(503, "Too many requests of one person", ("Retry-After", str(int(wait) + 1)))
            refusal.forget = True
            raise refusal
        transaction.user = aor
        return aor

    def _vouched(self, transaction: ServerTransaction, trunking: Trunking) -> str | None:
        """Returns who has made a request by what a trusted peer says; None where it must be proved. Raises Refusal."""
        request = transaction.request
        peer = trunking.trust.peer_of(transaction.flow, request)
        if peer is None:
            return None
        try:
            aor = trunking.trust.sender(peer, request)
            if aor is None:
                return None
            if request.method == "MESSAGE":
                self._check_turn(trunking, peer, request)
                if trunking.trust.hides(request, aor):
                    # Whoever gets a message is shown who has sent it: by a screen name, if by nothing else.
                    raise NotVouched(ANONYMITY_DISALLOWED, "A message cannot be sent anonymously")
        except NotVouched as refused:
            self._tell(transaction, refused.status, refused.reason, "")
            raise Refusal(refused.status, refused.reason) from refused
        return aor

    def _check_turn(self, trunking: Trunking, peer: Peer, request: Request) -> None:
        """A person whom we would look for at the peer that is asking: it would go to and fro without an end."""
        aor = self._names.target(request.uri) if isinstance(request.uri, SipUri) else ""
        if not self._registrar.contacts(aor) and trunking.upstream.leads_to(aor, peer):
            raise NotVouched(480, "Not registered here")

    def _denied(self, transaction: ServerTransaction, denied: Denied, now: float) -> None:
        """Tells the owner of a refusal; a MESSAGE that is merely asked for credentials may still come with them."""
        request, flow = transaction.request, transaction.flow
        reason = denied.reason or "not authenticated"
        if denied.guess or (denied.status == 400 and request.method == "MESSAGE"):
            self._challenged.settle(request, flow)  # this refusal says more than that nobody answered
            self._tell(transaction, denied.status, reason, "")
        elif request.method == "MESSAGE":
            self._challenged.ask(request, flow, _refused(transaction, denied.status, reason, "", True), now)

    def _tell(self, transaction: ServerTransaction, status: int, reason: str, aor: str) -> None:
        self._emit(_refused(transaction, status, reason, aor, False))

    def _addressed(self, request: Request) -> SipUri:
        """Returns the Request-URI of a request to a person; raises Refusal where it is not ours to serve."""
        uri = request.uri
        if not isinstance(uri, SipUri):
            raise Refusal(416)
        if uri.scheme != "sip" or request.to.uri.scheme == "sips":
            # A sips target must be secured hop by hop to its end, which no other network promises (RFC 7247 6).
            raise Refusal(416, "sips is not served: the way beyond this bridge is not secured by TLS")
        if not self._names.is_served(uri):
            raise Refusal(403, "This bridge does not relay to other domains")
        if uri.user is None:
            raise Refusal(404, "Request-URI without a user")
        return uri

    def _check_hops(self, request: Request) -> None:
        if request.max_forwards == 0:
            raise Refusal(483)

    def _check_merged(self, transaction: ServerTransaction) -> None:
        if not self._layer.merge(transaction):
            raise Refusal(482, "The same request has come by another way")

    # -- methods ------------------------------------------------------------------------------------------------------

    def _register(self, transaction: ServerTransaction, now: float) -> None:
        request = transaction.request
        if not self._names.is_local(request.uri):
            raise Refusal(403, "This registrar does not serve that domain")
        user = self._authenticate(transaction, now)
        aor = self._names.aor(request.to.uri)
        if aor is None:
            raise Refusal(404, "To is not an address of this domain")
        if aor != user:
            self._tell(transaction, 403, "To is not the address of the authenticated user", user)
            raise Refusal(403, "To is not the address of the authenticated user")
        self._registrar.register(transaction, aor, now)

    def _message(self, transaction: ServerTransaction, now: float) -> None:
        request = transaction.request
        self._check_hops(request)
        uri = self._addressed(request)
        aor = self._authenticate(transaction, now)
        if request.to.tag is not None:
            raise Refusal(481)
        self._check_merged(transaction)
        peer = self._for_whom(request, uri) if uri.params else self._names.canonical(request)
        native = self._read(transaction, aor, peer)
        self._last += 1
        self._pending[self._last] = transaction
        self._heard.heard(native, now)
        self._emit(MessageReceived(self._last, native))

    def _for_whom(self, request: Request, uri: SipUri) -> str:
        """Returns the Request-URI as the bridge knows it; of a temporary GRUU, the public one of the same device."""
        aor = self._names.aor(uri) if is_gruu(uri) else None
        if aor is None:
            return self._names.canonical(request)
        owner = self._registrar.gruus.owner(uri, aor)
        if owner is None:
            raise Refusal(404, "A temporary address that is none, or no more")
        return self._registrar.gruus.public(*owner)

    def _read(self, transaction: ServerTransaction, aor: str, peer: str) -> SipMessage | SipTyping:
        request = transaction.request
        kind = request.content_type
        media = "text/plain" if kind is None else kind.media_type
        if media not in self._config.message_types:
            raise Refusal(415, None, ("Accept", self._accept))
        encoding = _encoding(request)
        body = request.body
        if len(body) > self._config.limits.max_body:
            raise Refusal(413, f"Body is larger than {self._config.limits.max_body}")
        device = self._registrar.contact_at(aor, transaction.flow.remote)
        if media != "text/plain" and device is not None:
            device.abilities.sent(media)
        if media == ISCOMPOSING:
            body = inflate(body, encoding, self._config.limits.inflated_body)
            typing = parse_iscomposing(body)
            return SipTyping(aor=aor, peer=peer, state=typing.state, refresh=typing.refresh)
        headers: tuple[tuple[str, str], ...] = ()
        if request.has_any(_CARRIED):
            headers = tuple(
                [(known, value) for name, value in request.headers if (known := _NAMES(name)) and known in _CARRIED]
            )
        return SipMessage(
            aor=aor, peer=peer, call_id=request.call_id, cseq=request.cseq.number,
            content_type=request.first("Content-Type") or "text/plain", body=body, headers=headers,
            display_name=request.from_.display_name,
            device=None if device is None else device.instance or device.contact,
        )  # fmt: skip

    def answer(
        self, tx: int, status: int, reason: str | None, headers: tuple[tuple[str, str], ...], now: float
    ) -> None:
        """Answers a MESSAGE. One that was answered or given up before is left alone."""
        transaction = self._pending.pop(tx, None)
        if transaction is None:
            return
        if status >= 300 and reason is not None:
            reason = clean_reason(reason)
            headers = (*headers, warning(self._config.domain, reason))
        self._layer.answer(transaction, status, reason, now, headers=headers)

    def _publish(self, transaction: ServerTransaction, now: float) -> None:
        request = transaction.request
        self._check_hops(request)
        uri = self._addressed(request)
        aor = self._authenticate(transaction, now)
        if self._names.aor(uri) != aor:
            raise Refusal(403, "Only a person's own presence can be published")
        self._check_merged(transaction)
        body = inflate(request.body, _encoding(request), self._config.limits.max_body)
        self._publications.publish(transaction, aor, body, now)

    def _subscribe(self, transaction: ServerTransaction, now: float) -> None:
        request = transaction.request
        self._check_hops(request)
        if request.to.tag is None:
            if _asks_for_list(request):
                self._check_list_server(request)
            else:
                self._addressed(request)
        aor = self._authenticate(transaction, now)
        if aor in self._own_names:  # by way of somebody who writes requests anew: it would be told what it has told
            raise Refusal(482, "Loop: this subscription is of the bridge itself")
        self._check_merged(transaction)
        device = self._registrar.contact_at(aor, transaction.flow.remote)
        if device is not None:
            device.abilities.listed(accepted_by(request), complete=False)
        self._notifier.subscribe(transaction, aor, self._list(request, aor), now)

    def _check_list_server(self, request: Request) -> None:
        """The server of the lists is the bridge, by whatever name of the corporate domain (RFC 5367 section 3)."""
        uri = request.uri
        if not isinstance(uri, SipUri) or uri.scheme != "sip":
            raise Refusal(416)
        if not self._names.is_local(uri):
            raise Refusal(403, "Lists are served under the corporate domain only")

    def _list(self, request: Request, aor: str) -> tuple[str, ...] | None:
        """Returns the URIs of the list that is subscribed to; None where it is to one resource. Raises Refusal.

        It is in the request (RFC 5367), or is kept here under the Request-URI (RFC 4662).
        """
        if not _asks_for_list(request):
            return None if request.to.tag is not None else self._stored_list(request, aor)
        if not request.body:
            if request.to.tag is None:
                raise Refusal(400, f"{_SUBSCRIBES_LIST} needs a list in the body")
            return None
        _check_eventlist(request)
        kind = request.content_type
        if kind is None or kind.media_type != RESOURCE_LISTS:
            raise Refusal(415, None, ("Accept", RESOURCE_LISTS))
        if _disposition(request) not in {"", _LIST}:
            raise Refusal(415, f"Content-Disposition of the body is not {_LIST}")
        limits, body = self._config.limits, request.body
        if len(body) > limits.max_body:
            raise Refusal(413, f"Body is larger than {limits.max_body}")
        body = inflate(body, _encoding(request), limits.list_document)
        return parse_resource_lists(body, limits.list_document, limits.list_entries)

    def _stored_list(self, request: Request, aor: str) -> tuple[str, ...] | None:
        address = self._names.aor(request.uri)
        kept = None if address is None else self._lists.find(address)
        if kept is None:
            return None
        if kept.watchers and aor not in kept.watchers:
            raise Refusal(403, "This list is not yours to see")
        _check_eventlist(request)
        return kept.members

    def _options(self, transaction: ServerTransaction, now: float) -> None:
        """RFC 3261 11.2. The same for every user, so that it tells nobody who exists."""
        if not self._names.is_served(transaction.request.uri):
            raise Refusal(403, "This bridge does not relay to other domains")
        headers = (
            ("Allow", ALLOW),
            ("Accept", f"{self._accept}, application/pidf+xml, {RESOURCE_LISTS}"),
            _ACCEPT_ENCODING,
            ("Supported", f"path, outbound, gruu, {_EVENTLIST}, {_SUBSCRIBES_LIST}"),
            ("Allow-Events", ALLOW_EVENTS),
        )
        self._layer.answer(transaction, 200, None, now, headers=headers)


def _refused(transaction: ServerTransaction, status: int, reason: str, aor: str, challenged: bool) -> RequestRefused:
    request = transaction.request
    return RequestRefused(
        request.method, transaction.flow.key, str(request.from_.uri), request.uri_text, request.call_id, status, reason,
        aor, challenged,
    )  # fmt: skip


def _encoding(request: Request) -> str:
    """Returns how the body is encoded; raises Refusal where that cannot be read."""
    encoding = (request.first("Content-Encoding") or "").strip().lower()
    if encoding not in _ENCODINGS:
        raise Refusal(415, f"Content-Encoding {encoding} is not read here", _ACCEPT_ENCODING)
    return encoding


def _check_eventlist(request: Request) -> None:
    """RFC 4662 section 4.1: who does not know lists could not read what is told of one."""
    if _EVENTLIST not in request.supported and _EVENTLIST not in request.require:
        raise Refusal(421, "A list is told to those only who support eventlist", ("Require", _EVENTLIST))


def _disposition(request: Request) -> str:
    return (request.first("Content-Disposition") or "").partition(";")[0].strip().lower()


def _asks_for_list(request: Request) -> bool:
    """Whether a SUBSCRIBE is to a list: it says so in Require, or its body does."""
    return _SUBSCRIBES_LIST in request.require or _disposition(request) == _LIST
