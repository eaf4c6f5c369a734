"""The whole SIP endpoint: whatever comes, by datagrams and by a stream, nothing escapes and little is kept."""

import zlib

from tests.kit.lists import LIST_HEADERS, resource_list
from tests.kit.sip import DOMAIN, Client, make_endpoint
from transports.sip.machine.config import Limits
from transports.sip.machine.endpoint import Endpoint
from transports.sip.machine.events import MessageReceived
from transports.sip.wire.iscomposing import CONTENT_TYPE as TYPING

_COMPOSING = b"<isComposing><state>active</state><refresh>60</refresh></isComposing>"
_TARGET = "sip:friend@aim.example.test"
_LIMITS = Limits(server_transactions=64, server_transactions_per_source=32, finished_transactions=64, bindings=32)


_DEFLATE = ("Accept-Encoding", "deflate;q=0.5, gzip")


def _seeds() -> list[bytes]:
    endpoint = make_endpoint()
    client = Client(endpoint, "alice")
    text = [("Content-Type", "text/plain")]
    watch = [("Event", "presence"), ("Contact", f"<{client.contact}>"), ("Expires", "600")]
    found = [
        client.request("REGISTER", f"sip:{DOMAIN}", [("Contact", f"<{client.contact}>;q=0.5"), ("Expires", "0")]),
        client.request("OPTIONS", f"sip:{DOMAIN}"),
        client.request("INVITE", _TARGET),
        client.request("CANCEL", _TARGET),
        client.request("ACK", _TARGET),
    ]
    client.register()
    found += [
        client.request("REGISTER", f"sip:{DOMAIN}", [("Contact", '<sip:a@b>;+sip.instance="<urn:x>";expires=99')]),
        client.request("REGISTER", f"sip:{DOMAIN}", [("Contact", "*"), ("Expires", "0")]),
        client.request("MESSAGE", _TARGET, text, b"hello"),
        client.request("MESSAGE", _TARGET, [*text, ("Content-Encoding", "deflate")], b"\x78\x9c\x03\x00"),
        client.request("MESSAGE", _TARGET, [("Content-Type", TYPING)], _COMPOSING),
        client.request("MESSAGE", _TARGET, [("Content-Type", TYPING), ("Content-Encoding", "gzip")], b"\x1f\x8b\x08"),
        client.request("MESSAGE", _TARGET, [("Content-Type", "multipart/mixed;boundary=b")], b"--b\r\n\r\nx\r\n--b--"),
        client.request("SUBSCRIBE", _TARGET, watch),
        *(
            client.request("SUBSCRIBE", f"sip:alice@{DOMAIN}", [("Event", package), *watch[1:]])
            for package in ("presence.winfo", "reg", "message-summary", "presence;id=7")
        ),
        client.request("SUBSCRIBE", _TARGET, [*watch, ("Accept", "application/xpidf+xml;q=0.1"), _DEFLATE]),
        client.request("NOTIFY", f"sip:{DOMAIN}", [("Event", "presence"), ("Subscription-State", "active;expires=9")]),
        client.request("SUBSCRIBE", f"sip:{DOMAIN}", [*watch, *LIST_HEADERS], resource_list(_TARGET, "tel:1")),
        client.request(
            "SUBSCRIBE",
            f"sip:{DOMAIN}",
            [*watch, *LIST_HEADERS, ("Content-Encoding", "deflate")],
            zlib.compress(resource_list(_TARGET)),
        ),
        client.request(
            "REGISTER",
            f"sip:{DOMAIN}",
            [("Contact", '<sip:a@b>;+sip.instance="<urn:x>";reg-id=1'), ("Supported", "path, outbound, gruu")],
        ),
        client.request("MESSAGE", f"sip:alice@{DOMAIN};gr=urn:x", text, b"to one"),
        client.request("MESSAGE", f"sip:tgruu.aaaa@{DOMAIN};gr", text, b"to nobody"),
        bytes.fromhex("000100042112a442") + bytes(12) + b"\x80\x22\0\0",
        client.request("PUBLISH", f"sip:alice@{DOMAIN}", [("Event", "presence"), ("SIP-If-Match", "x")]),
        b"\r\n\r\n",
        b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKx\r\nCSeq: 1 MESSAGE\r\n\r\n",
    ]
    return found


SEEDS: list[bytes] = _seeds()


def _settle(endpoint: Endpoint) -> None:
    while (event := endpoint.next_event()) is not None:
        if isinstance(event, MessageReceived):
            endpoint.answer(event.tx, 202, now=1.0)
    endpoint.to_send(1.0)


def one(data: bytes) -> None:
    """Feeds ``data`` as a datagram, twice, and as a stream in two parts; lets time pass. Nothing may be raised."""
    endpoint = make_endpoint(limits=_LIMITS)
    udp = Client(endpoint, "alice")
    tcp = Client(endpoint, "alice", transport="tcp", port=2)
    udp.register()
    _settle(endpoint)
    half = len(data) // 2
    for flow, part in ((udp.flow, data), (udp.flow, data), (tcp.flow, data[:half]), (tcp.flow, data[half:])):
        endpoint.receive(flow, part, 1.0)
        _settle(endpoint)
    endpoint.flow_lost(tcp.flow, 2.0)
    for now in (2.0, 40.0, 80.0, 8000.0, 8100.0):
        endpoint.handle_timer(now)
        _settle(endpoint)
    counts = endpoint.counts
    kept = {name: counts[name] for name in ("server", "finished", "client", "flows", "sources", "merged", "pending")}
    assert not any(kept.values()), kept
    assert counts["bindings"] == counts["subscriptions"] == counts["publications"] == 0
