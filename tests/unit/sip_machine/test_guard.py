"""Under attack: who asks for too much is shut out, others are served as before, and nothing is amplified."""

import random

import pytest

from tests.kit.sip import DOMAIN, SERVER, Client, counting_entropy, make_endpoint
from transports.sip.machine.config import Limits
from transports.sip.machine.endpoint import Endpoint
from transports.sip.machine.events import MessageReceived
from transports.sip.machine.flow import CloseFlow, Flow, prefix_of
from transports.sip.machine.guard import Buckets, Guard
from transports.sip.wire.message import Request, Response, parse_message, respond_bytes
from transports.sip.wire.native import SipMessage

TARGET = "sip:friend@aim.example.test"
LIMITS = Limits(
    flow_rate=10, flow_burst=50, source_rate=20, source_burst=150, unproven_rate=100, unproven_burst=500,
    person_rate=5, person_burst=20,
)  # fmt: skip


@pytest.fixture
def endpoint() -> Endpoint:
    return make_endpoint(limits=LIMITS)


def options(host: str = "192.0.2.66", port: int = 5060, number: int = 0) -> tuple[Flow, bytes]:
    """A request without credentials, from an address."""
    shown = f"[{host}]" if ":" in host else host
    lines = [
        ("Via", f"SIP/2.0/UDP {shown}:{port};rport;branch=z9hG4bK{number}"), ("Max-Forwards", "70"),
        ("From", "<sip:x@x.test>;tag=1"), ("To", f"<sip:{DOMAIN}>"), ("Call-ID", f"c{number}"), ("CSeq", "1 OPTIONS"),
    ]  # fmt: skip
    return Flow("udp", SERVER, (host, port)), Request.build("OPTIONS", f"sip:{DOMAIN}", lines).to_bytes()


def flood(endpoint: Endpoint, count: int, now: float, host: str = "192.0.2.66", port: int = 5060) -> list[int]:
    """Sends so many requests; returns the statuses of the answers."""
    statuses = []
    for number in range(count):
        endpoint.receive(*options(host, port, number), now)
        for output in endpoint.to_send(now):
            assert isinstance(output[1], bytes)
            message = parse_message(output[1])
            assert isinstance(message, Response)
            statuses.append(message.status)
    return statuses


def is_served(client: Client, now: float) -> bool:
    """Whether a message of a client that has met its challenge is taken."""
    data = client.request("MESSAGE", TARGET, [("Content-Type", "text/plain")], b"hi")
    client.endpoint.receive(client.flow, data, now)
    events = list(iter(client.endpoint.next_event, None))
    return any(isinstance(event, MessageReceived) for event in events)


def test_a_flood_is_answered_a_while_then_told_once_and_then_not_at_all(endpoint: Endpoint) -> None:
    statuses = flood(endpoint, 500, 1.0)
    assert statuses == [200] * 50 + [200, 503]  # the one that empties the bucket is served
    assert flood(endpoint, 100, 1.5) == []
    assert endpoint.counts["turned_away"] == 500 - 52 + 1 + 100


def test_it_comes_back_by_itself(endpoint: Endpoint) -> None:
    flood(endpoint, 500, 1.0)
    statuses = flood(endpoint, 100, 2.1)
    assert statuses[:11] == [200] * 11
    assert statuses[-1] == 503
    assert len(statuses) <= 13
    assert flood(endpoint, 40, 60.0) == [200] * 40


def test_who_does_not_stop_is_shut_out_for_longer_each_time(endpoint: Endpoint) -> None:
    served, begun = [], 0.0
    for tick in range(400):
        now = 1.0 + tick / 4
        if 200 in flood(endpoint, 200, now):
            served.append(now - begun)
            begun = now
    assert [round(gap) for gap in served] == [1, 1, 2, 4, 8, 16, 32, 32]
    assert 200 in flood(endpoint, 10, 300.0)


def test_retry_after_is_said(endpoint: Endpoint) -> None:
    flood(endpoint, 51, 1.0)
    endpoint.receive(*options(), 1.0)
    (output,) = endpoint.to_send(1.0)
    assert isinstance(output[1], bytes)
    response = parse_message(output[1])
    assert isinstance(response, Response)
    assert (response.status, response.first("Retry-After")) == (503, "5")


def test_another_port_of_the_address_is_served_until_the_address_has_had_enough(endpoint: Endpoint) -> None:
    assert flood(endpoint, 100, 1.0, port=1)[-1] == 503
    assert flood(endpoint, 40, 1.0, port=2) == [200] * 40
    for port in range(3, 10):
        flood(endpoint, 100, 1.0, port=port)
    assert flood(endpoint, 40, 1.0, port=11) == []


def test_another_address_is_served_as_before(endpoint: Endpoint) -> None:
    alice = Client(endpoint, "alice", host="192.0.2.67")
    assert flood(endpoint, 1000, 1.0)[-1] == 503
    assert alice.register(1.0).status == 200
    assert is_served(alice, 1.0)


def test_who_was_there_before_is_served_behind_the_same_address(endpoint: Endpoint) -> None:
    alice = Client(endpoint, "alice", host="192.0.2.66", port=40_000)
    assert alice.register(0.5).status == 200
    for second in range(1, 30):
        flood(endpoint, 200, float(second))
        assert is_served(alice, float(second))


def test_one_with_a_password_who_floods_is_shut_out_alone(endpoint: Endpoint) -> None:
    mallory, alice = (Client(endpoint, user, host="192.0.2.66", port=port) for user, port in (("bob", 1), ("alice", 2)))
    assert mallory.register().status == alice.register().status == 200
    statuses = flood(endpoint, 500, 1.0, port=1)
    assert (len(statuses), statuses[-1]) == (152, 503)
    assert flood(endpoint, 10, 1.0, port=1) == []
    assert is_served(alice, 1.0)
    assert flood(endpoint, 10, 1.0, port=3) == [200] * 10


def test_who_forges_the_address_and_port_of_somebody_does_not_shut_them_out(endpoint: Endpoint) -> None:
    alice = Client(endpoint, "alice", host="192.0.2.66", port=1)
    assert alice.register().status == 200
    for second in range(1, 60):
        flood(endpoint, 300, float(second), port=1)
        assert flood(endpoint, 10, float(second), port=1) == []
        assert is_served(alice, float(second))
    # who has nonces of their own for another address is not listened to for them
    evil = Client(endpoint, "bob", host="192.0.2.99", port=1)
    assert evil.register(60.0).status == 200
    flood(endpoint, 300, 61.0, port=1)
    evil.flow = alice.flow
    assert not is_served(evil, 61.0)


def test_one_who_floods_with_nonces_of_their_own_has_no_more_than_their_rate(endpoint: Endpoint) -> None:
    mallory = Client(endpoint, "bob", host="192.0.2.66", port=1)
    assert mallory.register().status == 200
    flood(endpoint, 300, 1.0, port=1)
    answers = 0
    for _ in range(400):
        data = mallory.request("MESSAGE", TARGET, [("Content-Type", "text/plain")], b"hi")
        endpoint.receive(mallory.flow, data.replace(b'response="', b'response="0'), 1.0)
        answers += len(endpoint.to_send(1.0))
    assert 0 < answers <= 150


def test_broken_messages_and_copies_and_answers_to_nothing_are_counted(endpoint: Endpoint) -> None:
    flow, data = options()
    answer = respond_bytes(parse_message(data), 200, to_tag="x")  # type: ignore[arg-type]
    for junk in (b"junk\r\n\r\n", data, answer, b"\0\1\0\0\x21\x12\xa4\x42" + bytes(12)):
        guarded = make_endpoint(limits=LIMITS)
        out = 0
        for _ in range(500):
            guarded.receive(flow, junk, 1.0)
            out += len(guarded.to_send(1.0))
        assert out <= 53
        assert guarded.counts["turned_away"] > 400, junk


def test_a_network_of_ipv6_is_one_address(endpoint: Endpoint) -> None:
    for number in range(160):
        flood(endpoint, 1, 1.0, host=f"2001:db8::{number:x}")
    assert flood(endpoint, 1, 1.0, host="2001:db8::abc") == []
    assert flood(endpoint, 1, 1.0, host="2001:db8:0:1::abc") == [200]


@pytest.mark.parametrize(
    ("source", "prefix"),
    [
        ("192.0.2.1", "192.0.2.1"), ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"), ("::ffff:192.0.2.1", "192.0.2.1"),
        ("fe80::1%eth0", "fe80::/64"), ("::1", "::/64"), ("name", "name"),
    ],
)  # fmt: skip
def test_prefixes(source: str, prefix: str) -> None:
    assert prefix_of(source) == prefix


def test_a_flood_from_forged_addresses_leaves_those_who_are_known(endpoint: Endpoint) -> None:
    alice = Client(endpoint, "alice", host="192.0.2.200")
    assert alice.register(0.5).status == 200
    answers = 0
    for number in range(3000):
        answers += len(flood(endpoint, 1, 1.0, host=f"198.51.{number % 256}.{number // 256}"))
    assert answers <= 501
    assert is_served(alice, 1.0)


def test_what_our_own_requests_wait_for_comes_through(endpoint: Endpoint) -> None:
    alice = Client(endpoint, "alice", host="192.0.2.66", port=40_000)
    assert alice.register(0.5).status == 200
    native = SipMessage(
        aor=f"alice@{DOMAIN}", peer=TARGET, call_id="", cseq=0, content_type="text/plain", body=b"hi"
    )  # fmt: skip
    endpoint.send_message(native, "key", 1.0)
    (output,) = endpoint.to_send(1.0)
    assert isinstance(output[1], bytes)
    request = parse_message(output[1])
    assert isinstance(request, Request)
    flood(endpoint, 500, 1.0)
    # from another port of its own, which is not known
    endpoint.receive(Flow("udp", SERVER, ("192.0.2.66", 40_077)), respond_bytes(request, 200, to_tag="x"), 1.1)
    assert endpoint.counts["client"] == 0


def test_a_connection_that_floods_is_closed(endpoint: Endpoint) -> None:
    flow = Flow("tcp", SERVER, ("192.0.2.66", 1234), 7)
    assert endpoint.connection_made("192.0.2.66", 1.0)
    endpoint.flow_opened(flow, 1.0)
    data = options()[1].replace(b"/UDP", b"/TCP")
    outputs = []
    for number in range(100):
        endpoint.receive(flow, data.replace(b"z9hG4bK0", f"z9hG4bK{number}".encode()), 1.0)
        outputs += endpoint.to_send(1.0)
    assert [isinstance(output, CloseFlow) for output in outputs].count(True) == 1
    assert isinstance(outputs[-1], CloseFlow)


def test_an_address_that_has_had_enough_may_not_connect(endpoint: Endpoint) -> None:
    for port in range(1, 6):
        flood(endpoint, 60, 1.0, port=port)
    assert not endpoint.connection_made("192.0.2.66", 1.1)
    assert endpoint.connection_made("192.0.2.67", 1.1)
    assert endpoint.connection_made("192.0.2.66", 3.0)


def test_connections_without_a_word_are_counted(endpoint: Endpoint) -> None:
    taken = [endpoint.connection_made("192.0.2.66", 1.0) for _ in range(200)]
    assert taken == [True] * 150 + [False] * 50


def test_a_person_has_a_rate_of_their_own_wherever_they_are(endpoint: Endpoint) -> None:
    clients = [Client(endpoint, "alice", host=f"192.0.2.{number}", port=40_000 + number) for number in range(70, 74)]
    for client in clients:
        assert client.register(0.0).status == 200
    served = sum(is_served(clients[number % 4], 1.0) for number in range(60))
    assert served == 20  # all of it: the four registrations are a second ago, in which five came back
    client = clients[0]
    client.take(1.0)
    (refused,) = client.deliver(client.request("MESSAGE", TARGET, [("Content-Type", "text/plain")], b"x"), 1.0)
    assert isinstance(refused, Response)
    assert (refused.status, refused.first("Retry-After")) == (503, "1")
    bob = Client(endpoint, "bob", host="192.0.2.70", port=41_000)
    assert bob.register(1.0).status == 200
    assert is_served(bob, 1.0)
    assert is_served(client, 2.0)


def test_nought_is_no_limit() -> None:
    endpoint = make_endpoint(limits=Limits(flow_rate=0, source_rate=0, unproven_rate=0, person_rate=0))
    assert flood(endpoint, 3000, 1.0) == [200] * 3000


def test_every_table_is_bounded() -> None:
    buckets = Buckets(1.0, 5.0, 10)
    for number in range(100):
        buckets.take(str(number), 0.0)
    assert len(buckets) == 10
    guard = Guard(Limits(sources=10, flow_rate=1, flow_burst=1, source_rate=1, source_burst=2), lambda *_: False)
    for number in range(1000):
        flow = Flow("udp", SERVER, (f"192.0.{number % 250}.{number // 250}", 1))
        guard.charge(flow, 1.0)
        guard.charge(flow, 1.0)
        guard.tell(flow)
        if number % 2:
            guard.proved(flow)
        guard.person(f"p{number}", 1.0)
    assert len(guard) <= 60
    assert len(guard.shut) <= 10


def test_the_tokens_of_a_bucket_are_never_more_than_it_holds() -> None:
    buckets = Buckets(10.0, 5.0, 10)
    assert [buckets.take("a", 0.0) for _ in range(6)] == [0.0] * 5 + [pytest.approx(0.1)]
    buckets.give("a", 100.0)
    assert [buckets.take("a", 0.0) > 0 for _ in range(7)] == [False] * 5 + [True] * 2
    assert [buckets.take("a", 1000.0) > 0 for _ in range(6)] == [False] * 5 + [True]
    assert buckets.take("a", 999.0) > 0  # a clock that steps back gives nothing


MANY = 4000


def test_nobody_gets_more_packets_than_they_sent_whatever_they_send() -> None:
    """RFC 3261 18 and 26.1.5: an address may be forged, and would be hit by all that goes there, at any later time."""
    rng = random.Random(5626)
    endpoint = make_endpoint(limits=Limits(flow_rate=0, source_rate=0, unproven_rate=0), entropy=counting_entropy())
    seeds = []
    for method in (
        "OPTIONS",
        "INVITE",
        "REGISTER",
        "MESSAGE",
        "SUBSCRIBE",
        "PUBLISH",
        "NOTIFY",
        "ACK",
        "CANCEL",
        "BYE",
    ):
        flow, data = options()
        seeds.append(data.replace(b"OPTIONS", method.encode()))
        seeds.append(seeds[-1].replace(b";rport", b"").replace(b"Max-Forwards: 70", b"Max-Forwards: 0"))
        seeds.append(seeds[-1].replace(b"Content", b"Contact: <sip:1.2.3.4>\r\nEvent: presence\r\nX"))
    sent, got, now = 0, 0, 1.0
    for number in range(MANY):
        changed = bytearray(rng.choice(seeds).replace(b"z9hG4bK0", f"z9hG4bK{rng.randrange(50)}".encode()))
        for _ in range(rng.choice((0, 0, 1, 3))):
            changed[rng.randrange(len(changed))] = rng.choice(b' ;:,<>"=\r\n\0aA0\xff')
        endpoint.receive(flow, bytes(changed), now)
        sent += 1
        now += rng.random() / 10
        endpoint.handle_timer(now)
        got += len(endpoint.to_send(now))
        assert got <= sent, number
    for _ in range(400):
        now += 0.5
        endpoint.handle_timer(now)
        got += len(endpoint.to_send(now))
    assert MANY / 4 < got <= sent
    counts = endpoint.counts
    assert (counts["server"], counts["client"], counts["sources"]) == (0, 0, 0)


def test_a_long_attack_of_many_kinds_leaves_little_behind() -> None:
    """All that peers can make grow stays within its limit, and most of it is gone a while later."""
    limits = Limits(
        server_transactions=64, server_transactions_per_source=32, finished_transactions=128, client_transactions=64,
        bindings=16, subscriptions=32, publications=16, challenged=64, sources=100, flow_rate=1000, flow_burst=1000,
        source_rate=1000, source_burst=1000, unproven_rate=0,
    )  # fmt: skip
    endpoint = make_endpoint(limits=limits, users=50)
    rng = random.Random(4)
    clients = [Client(endpoint, f"user{number}", host=f"192.0.2.{number}") for number in range(50)]
    methods = ("REGISTER", "MESSAGE", "SUBSCRIBE", "PUBLISH", "OPTIONS", "INVITE", "NOTIFY")
    now = 0.0
    for number in range(6000):
        now += 0.01
        client = rng.choice(clients)
        if client.challenge is None:
            client.register(now)
        method = rng.choice(methods)
        uri = f"sip:{DOMAIN}" if method == "REGISTER" else f"sip:user{rng.randrange(99)}@{DOMAIN}"
        more = [
            ("Contact", f'<sip:x{number}@192.0.2.1:{rng.randrange(1, 65535)}>;+sip.instance="<urn:{number}>"'),
            ("Event", "presence"), ("Supported", "gruu, outbound"), ("Content-Type", "text/plain"),
        ]  # fmt: skip
        data = client.request(method, uri, more, b"x", authenticate=rng.random() < 0.7)
        flow = client.flow if rng.random() < 0.7 else Flow("udp", SERVER, (f"198.51.100.{number % 250}", number + 1))
        endpoint.receive(flow, data, now)
        endpoint.handle_timer(now)
        endpoint.to_send(now)
        while endpoint.next_event() is not None:
            pass
        counts = endpoint.counts
        assert counts["server"] <= 64
        assert counts["finished"] <= 128
        assert counts["client"] <= 64
        assert counts["bindings"] <= 16
        assert counts["subscriptions"] <= 32
        assert counts["publications"] <= 16
        assert counts["challenged"] <= 64
        assert counts["guarded"] <= 7 * 100
        assert counts["timers"] <= 2000
        assert len(endpoint.registrar.gruus) <= 16
    for _ in range(400):
        now += 30.0
        endpoint.handle_timer(now)
        endpoint.to_send(now)
    left = endpoint.counts
    names = (
        "server",
        "finished",
        "client",
        "bindings",
        "subscriptions",
        "publications",
        "challenged",
        "merged",
        "sources",
    )
    assert {name: left[name] for name in names} == dict.fromkeys(names, 0)
    assert left["timers"] == 0


def test_a_bucket_that_is_full_again_is_not_kept() -> None:
    buckets = Buckets(10.0, 100.0, 1000)
    for number in range(50):
        buckets.take(f"early{number}", 0.0)
    buckets.take("late", 10.5)
    buckets.take("late", 21.5)
    assert len(buckets) == 2  # one name, in both halves


def test_a_bucket_that_is_not_full_is_kept_for_as_long() -> None:
    buckets = Buckets(10.0, 100.0, 1000)
    for _ in range(100):
        assert buckets.take("who", 9.9) == 0
    buckets.take("other", 10.5)
    assert buckets.take("who", 9.95) > 0
    assert buckets.take("who", 15.0) == 0
    assert [buckets.take("who", 15.0) for _ in range(52)][-1] > 0
