"""What a server says to a subscription of ours: nothing escapes, nobody else is shown, the password stays, no storm."""

from tests.kit.sip import DOMAIN, make_endpoint
from transports.sip.machine.elsewhere import PresenceFetched, PresenceSeen
from transports.sip.machine.endpoint import Endpoint
from transports.sip.machine.flow import CloseFlow, ConnectTo, Flow
from transports.sip.machine.trunkconfig import Peer, TrunkConfig
from transports.sip.machine.watches import Denied, Lost, Shown
from transports.sip.wire.message import Request, parse_message, respond_bytes

_HOST = "192.0.2.50"
_DORA = f"dora@{DOMAIN}"
_PASSWORD = "a password that nobody guesses"
_PEER = Peer(
    name="pbx", host=_HOST, port=5070, transport="udp", domains=(DOMAIN,), ping=0.0, user="bridge", password=_PASSWORD,
    watch_as=f"bridge@{DOMAIN}",
)  # fmt: skip
_FLOW = Flow("udp", ("192.0.2.1", 5060), (_HOST, 5070))
_PIDF = (
    b'<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="sip:dora@example.test">'
    b'<tuple id="a"><status><basic>open</basic></status></tuple></presence>'
)
_CHALLENGES = [
    'Digest realm="a", nonce="n", qop="auth,auth-int", algorithm=SHA-256, opaque="o"',
    'Digest realm="a", nonce="n", stale=true',
    'Digest realm="b\\"c", nonce="n", algorithm=MD5-sess, qop="auth"',
    'Basic realm="x"',
]


def _begin(told: list[int] | None = None) -> tuple[Endpoint, Request]:
    """A watch; a fetch where ``told`` is given, which gets a number when it is over."""
    endpoint = make_endpoint(trunks=TrunkConfig(peers=(_PEER,)))
    assert endpoint.elsewhere is not None
    if told is None:
        endpoint.elsewhere.want(_DORA, "", 1.0)
    else:
        assert endpoint.elsewhere.fetch(_DORA, "", lambda: told.append(1), 1.0)
    (request,) = _sent(endpoint, 1.0)
    return endpoint, request


def _sent(endpoint: Endpoint, now: float) -> list[Request]:
    found = []
    for output in endpoint.to_send(now):
        if isinstance(output, CloseFlow):
            continue
        data = output.data if isinstance(output, ConnectTo) else output[1]
        assert isinstance(data, bytes)
        assert _PASSWORD.encode() not in data
        if data.startswith(b"SIP/2.0 "):
            continue  # an answer repeats what was asked, however long that is
        message = parse_message(data)
        assert isinstance(message, Request)
        found.append(message)
    return found


def _notify(request: Request, state: str, *more: tuple[str, str]) -> bytes:
    headers = [
        ("Via", f"SIP/2.0/UDP {_HOST}:5070;branch=z9hG4bKn"), ("Max-Forwards", "70"),
        ("From", f"<sip:{_DORA}>;tag=x"), ("To", request.first("From") or ""), ("Call-ID", request.call_id),
        ("CSeq", "7 NOTIFY"), ("Contact", f"<sip:p@{_HOST}:5070;transport=tcp>"), ("Event", "presence"),
        ("Subscription-State", state), *more,
    ]  # fmt: skip
    body = _PIDF if more else b""
    return Request.build("NOTIFY", "sip:192.0.2.1:5060", headers, body).to_bytes()


def _seeds() -> list[bytes]:
    _, request = _begin()
    kind = ("Content-Type", "application/pidf+xml")
    found = [
        _notify(request, "active;expires=600", kind),
        _notify(request, "active", kind, ("Record-Route", "<sip:192.0.2.60;lr>, <sip:[::1]:5080>")),
        _notify(request, "pending;expires=60"),
        _notify(request, "terminated;reason=probation;retry-after=9"),
    ]
    for line in _CHALLENGES:
        found.append(respond_bytes(request, 401, to_tag="x", headers=[("WWW-Authenticate", line)]))
        found.append(respond_bytes(request, 407, to_tag="x", headers=[("Proxy-Authenticate", line)]))
    contact = ("Contact", f"<sip:p@{_HOST}:5070>")
    found.append(respond_bytes(request, 200, to_tag="x", headers=[contact, ("Expires", "600")]))
    found.append(respond_bytes(request, 423, to_tag="x", headers=[("Min-Expires", "7200")]))
    found.append(respond_bytes(request, 503, to_tag="x", headers=[("Retry-After", "30")]))
    return found


SEEDS: list[bytes] = _seeds()


def _settle(endpoint: Endpoint, now: float) -> None:
    assert endpoint.elsewhere is not None
    while (event := endpoint.next_event()) is not None:
        if isinstance(event, Shown | Denied | Lost):
            assert endpoint.elsewhere.seen(event, now)
        elif isinstance(event, PresenceSeen):
            assert (event.native.aor, event.native.watcher) == (_DORA, "")
        elif isinstance(event, PresenceFetched):
            event.then()


def one(data: bytes) -> None:
    """Feeds ``data`` as what the server says of a watch and of a fetch."""
    endpoint, _ = _begin()
    _feed(endpoint, data)
    assert endpoint.elsewhere is not None
    assert len(endpoint.elsewhere) == 1
    endpoint.elsewhere.unwant(_DORA, "", 2.0)
    _end(endpoint)
    assert len(endpoint.elsewhere) == 0
    told: list[int] = []
    endpoint, _ = _begin(told)
    _feed(endpoint, data)
    _end(endpoint)
    assert told == [1]


def _feed(endpoint: Endpoint, data: bytes) -> None:
    """Twice: a copy changes nothing."""
    for now in (1.1, 1.2):
        endpoint.receive(_FLOW, data, now)
        _settle(endpoint, now)
        assert len(_sent(endpoint, now)) <= 2


def _end(endpoint: Endpoint) -> None:
    for _ in range(64):
        due = endpoint.next_deadline()
        if due is None or due > 200.0:
            break
        endpoint.handle_timer(due)
        _settle(endpoint, due)
        _sent(endpoint, due)
    assert endpoint.counts["watching"] == 0, endpoint.counts
