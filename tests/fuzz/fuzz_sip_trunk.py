"""What a trusted peer sends, and what a server answers: nothing escapes, nobody is made up, little is kept."""

from tests.kit.sip import DOMAIN, Client, make_endpoint
from transports.sip.machine.config import Limits
from transports.sip.machine.endpoint import Endpoint
from transports.sip.machine.events import MessageReceived
from transports.sip.machine.trunkconfig import Peer, Route, TrunkConfig
from transports.sip.wire.message import Request, parse_message, respond_bytes
from transports.sip.wire.native import SipMessage

_TARGET = "sip:friend@aim.example.test"
_TEXT = ("Content-Type", "text/plain")
_HOST = "192.0.2.50"
_LIMITS = Limits(server_transactions=64, server_transactions_per_source=32, finished_transactions=64, bindings=32)
_TRUNKS = TrunkConfig(
    peers=(Peer(name="pbx", host=_HOST, port=5070, transport="udp", domains=(DOMAIN,), ping=60.0),),
    routes=(Route(domain="partner.test", peer="pbx"),),
)


def _endpoint() -> Endpoint:
    return make_endpoint(limits=_LIMITS, trunks=_TRUNKS)


def _peer(endpoint: Endpoint) -> Client:
    return Client(endpoint, "dora", host=_HOST, port=5070)


def _seeds() -> list[bytes]:
    client = _peer(_endpoint())
    asserted = [
        f'"Erin" <sip:erin@{DOMAIN}>, <tel:+1-201-555.0123>',
        f"sip:erin@{DOMAIN}",
        f"<tel:4711;phone-context={DOMAIN}>",
        "<sip:zoe@partner.test>",
    ]
    found = [client.request("MESSAGE", _TARGET, [_TEXT, ("P-Asserted-Identity", one)], b"x") for one in asserted]
    found.append(client.request("MESSAGE", _TARGET, [_TEXT, ("Privacy", "id;critical")], b"x"))
    found.append(client.request("MESSAGE", f"sip:bob@{DOMAIN}", [_TEXT], b"x", max_forwards="0"))
    watch = [("Event", "presence"), ("Contact", "<sip:a@10.0.0.1>"), ("Record-Route", "<sip:p.test;lr>, <sip:q.test>")]
    found.append(client.request("SUBSCRIBE", _TARGET, watch))
    found.append(client.request("OPTIONS", f"sip:{DOMAIN}"))
    request = parse_message(client.request("MESSAGE", "sip:zoe@partner.test", [_TEXT], b"x"))
    assert isinstance(request, Request)
    found.append(respond_bytes(request, 503, to_tag="x", headers=[("Retry-After", "30 (busy);duration=9")]))
    return found


SEEDS: list[bytes] = _seeds()


def _settle(endpoint: Endpoint, now: float) -> None:
    while (event := endpoint.next_event()) is not None:
        if isinstance(event, MessageReceived):
            assert event.native.aor.rpartition("@")[2] == DOMAIN, event.native
            endpoint.answer(event.tx, 202, now=now)
    assert endpoint.trunking is not None
    assert endpoint.trunking.questions() == []
    endpoint.to_send(now)


def one(data: bytes) -> None:
    """Feeds ``data`` as a request of the peer, and as its answer to a message; lets time pass."""
    endpoint = _endpoint()
    peer = _peer(endpoint)
    _settle(endpoint, 1.0)
    endpoint.receive(peer.flow, data, 1.0)
    _settle(endpoint, 1.0)
    message = SipMessage(
        aor="zoe@partner.test", peer=_TARGET, call_id="", cseq=0, content_type="text/plain", body=b"hello"
    )  # fmt: skip
    endpoint.send_message(message, "k", 2.0)
    for output in endpoint.to_send(2.0):
        sent = parse_message(output[1]) if isinstance(output[1], bytes) else None
        if isinstance(sent, Request) and sent.method == "MESSAGE":
            lines = data.split(b"\r\n", 1)
            rest = b"\r\n".join(line for line in lines[-1].split(b"\r\n") if not line.lower().startswith(b"via"))
            endpoint.receive(peer.flow, lines[0] + f"\r\nVia: {sent.top_via}\r\n".encode() + rest, 2.0)
    for now in (2.0, 40.0, 80.0, 8000.0, 8100.0):
        endpoint.handle_timer(now)
        _settle(endpoint, now)
    counts = endpoint.counts
    kept = {name: counts[name] for name in ("finished", "flows", "pending", "deliveries")}
    assert not any(kept.values()), kept
