"""Ways and names of our own requests."""

import pytest

from tests.kit.sip import DOMAIN, Client, make_config, make_endpoint
from transports.sip.machine.config import Listener
from transports.sip.machine.flow import Flow, Target
from transports.sip.machine.names import Names, clean_reason
from transports.sip.machine.routeset import routed
from transports.sip.machine.routing import Router, same_address, target_of
from transports.sip.wire.message import Request
from transports.sip.wire.uri import SipUri, parse_uri


def _listener(transport: str, host: str, advertised: str | None = None) -> Listener:
    return Listener(transport=transport, host=host, port=5060, advertised=advertised)


@pytest.mark.parametrize(
    ("uri", "target"),
    [
        ("sip:a@h.test", Target("udp", "h.test", 5060)),
        ("sip:a@h.test;transport=TCP", Target("tcp", "h.test", 5060)),
        ("sip:a@h.test:99;transport=tls", Target("tls", "h.test", 99)),
        ("sips:a@h.test", Target("tls", "h.test", 5061)),
        ("sips:a@h.test;transport=tcp", Target("tls", "h.test", 5061)),
        ("sip:a@[2001:db8::1]", Target("udp", "2001:db8::1", 5060)),
        ("sip:a@h.test;transport=ws", None),
        ("tel:+1", None),
    ],
)
def test_targets(uri: str, target: Target | None) -> None:
    assert target_of(parse_uri(uri)) == target


def test_addresses_are_compared_by_value() -> None:
    assert same_address("2001:db8::1", "2001:0DB8:0::1")
    assert not same_address("192.0.2.1", "192.0.2.2")
    assert not same_address("h.test", "192.0.2.2")


def test_our_name_is_of_the_family_and_socket_that_sends() -> None:
    listeners = (
        _listener("udp", "192.0.2.1"),
        _listener("udp", "2001:db8::1"),
        _listener("udp", "192.0.2.5", "pub.test"),
    )
    router = Router(make_config(listeners=listeners))
    assert router.sent_by("udp", "192.0.2.9", None) == "192.0.2.1:5060"
    assert router.sent_by("udp", "2001:db8::9", None) == "[2001:db8::1]:5060"
    assert router.sent_by("udp", "192.0.2.9", ("192.0.2.5", 5060)) == "pub.test:5060"
    assert router.sent_by("tcp", "192.0.2.9", None) is None
    assert router.resolve(Target("tcp", "192.0.2.9", 5060)) is None
    resolved = router.resolve(Target("udp", "192.0.2.9", 5070))
    assert resolved is not None
    flow = resolved[0]
    assert isinstance(flow, Flow)
    assert (flow.local, flow.remote) == (("192.0.2.1", 5060), ("192.0.2.9", 5070))


def test_a_listener_on_every_address_tells_the_domain() -> None:
    config = make_config(listeners=(_listener("udp", "0.0.0.0"), _listener("tcp", "::", "pub.test")))
    router = Router(config)
    assert router.names() == {f"{DOMAIN}:5060", "pub.test:5060"}
    assert not Names(config).is_local(parse_uri("sip:a@0.0.0.0"))
    assert Names(config).is_local(parse_uri("sip:a@PUB.test"))


def test_names() -> None:
    names = Names(make_config(aliases=frozenset({"Alias.test"})))
    assert names.aor(parse_uri(f"sip:%61lice@{DOMAIN.upper()}.")) == f"alice@{DOMAIN}"
    assert names.aor(parse_uri("sip:alice@alias.test:5070")) == f"alice@{DOMAIN}"
    assert names.aor(parse_uri("sip:alice@192.0.2.1")) == f"alice@{DOMAIN}"
    assert names.aor(parse_uri("sip:alice@aim.example.test")) is None
    assert names.aor(parse_uri(f"sip:{DOMAIN}")) is None
    assert names.aor(parse_uri("tel:+1")) is None
    assert names.is_served(parse_uri("sip:bob%40hotmail.example@AIM.example.test"))
    assert not names.is_served(parse_uri("sip:x@elsewhere.test"))


def test_reasons_are_one_clean_line() -> None:
    assert clean_reason("a\r\nb\0c\u2028d\te") == "a b?c d e"
    assert len(clean_reason("x" * 1000)) == 160


TARGET = SipUri("10.0.0.7", user="dora", port=5062)


@pytest.mark.parametrize(
    ("routes", "request_uri", "headers", "next_hop"),
    [
        ([], "sip:dora@10.0.0.7:5062", (), "sip:dora@10.0.0.7:5062"),
        (
            ["<sip:p1.test;lr>", "<sip:p2.test;lr>"], "sip:dora@10.0.0.7:5062",
            ("<sip:p1.test;lr>", "<sip:p2.test;lr>"), "sip:p1.test;lr",
        ),
        # a strict router finds itself in the Request-URI (RFC 3261 12.2.1.1, 16.12.1.2)
        (
            ["<sip:p1.test:5070;method=X>", "<sip:p2.test;lr>"], "sip:p1.test:5070",
            ("<sip:p2.test;lr>", "<sip:dora@10.0.0.7:5062>"), "sip:p1.test:5070;method=X",
        ),
        (["<mailto:x@y>"], "sip:dora@10.0.0.7:5062", ("<mailto:x@y>",), "sip:dora@10.0.0.7:5062"),
    ],
)  # fmt: skip
def test_the_route_set_of_a_dialog(
    routes: list[str], request_uri: str, headers: tuple[str, ...], next_hop: str
) -> None:
    assert routed(routes, TARGET) == (request_uri, headers, parse_uri(next_hop))


@pytest.mark.parametrize("route", ["<sip:192.0.2.50:5070;lr>", "<sip:192.0.2.50:5070>"])
def test_a_notify_goes_to_the_proxy_that_recorded_its_route(route: str) -> None:
    """Not past it to the Contact, which may be where only the proxy can reach it."""
    endpoint = make_endpoint()
    proxy = Client(endpoint, "alice", host="192.0.2.50", port=5070)
    headers = [("Event", "presence"), ("Contact", "<sip:alice@192.0.2.50:40000>"), ("Record-Route", route)]
    assert proxy.ask("SUBSCRIBE", "sip:friend@aim.example.test", headers).status == 200
    endpoint.handle_timer(1.0)
    (notify,) = proxy.take(1.0)
    assert isinstance(notify, Request)
    loose = ";lr" in route
    contact = "sip:alice@192.0.2.50:40000"
    assert notify.uri_text == (contact if loose else "sip:192.0.2.50:5070")
    assert notify.lines("Route") == [route if loose else f"<{contact}>"]
