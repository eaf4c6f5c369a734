"""Ways and names of our own requests."""

import pytest

from tests.kit.sip import DOMAIN, make_config
from transports.sip.machine.config import Listener
from transports.sip.machine.flow import Flow, Target
from transports.sip.machine.names import Names, clean_reason
from transports.sip.machine.routing import Router, same_address, target_of
from transports.sip.wire.uri import parse_uri


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
