"""RFC 3263 section 4 and RFC 2782: where a request goes, with answers by hand and a time by hand."""

from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transports.sip.machine.flow import Target
from transports.sip.machine.locate import Answer, Kind, Naptr, Question, Srv, Wanted, ordered, wanted
from transports.sip.machine.resolver import FAILED, Resolver
from transports.sip.machine.timers import TimerQueue
from transports.sip.machine.trunkconfig import ResolverLimits
from transports.sip.wire.uri import SipUri, parse_uri

Zone = dict[tuple[str, str], Answer]


def naptr(order: int, preference: int, service: str, replacement: str, flags: str = "s") -> Naptr:
    return Naptr(order=order, preference=preference, flags=flags, service=service, replacement=replacement)


def srv(target: str, port: int, priority: int = 0, weight: int = 0) -> Srv:
    return Srv(priority=priority, weight=weight, port=port, target=target)


def found(*records: Naptr | Srv | str, ttl: float = 300.0) -> Answer:
    return Answer(records, ttl)


class Dns:
    """A resolver, the zone that answers it, and what was asked."""

    def __init__(
        self, zone: Zone | None = None, families: tuple[Kind, ...] = ("A",), limits: ResolverLimits | None = None
    ) -> None:
        self.zone = zone or {}
        self.asked: list[str] = []
        self.queue = TimerQueue()
        self.resolver = Resolver(self.queue, Random(7), families, limits)

    def targets(self, uri: str, now: float = 0.0) -> list[Target]:
        out: list[tuple[Target, ...]] = []
        parsed = parse_uri(uri)
        assert isinstance(parsed, SipUri)
        want = wanted(parsed)
        assert want is not None
        self.resolver.locate(want, now, lambda targets, _: out.append(targets))
        while not out and (questions := self.resolver.take()):
            for question in questions:
                self.asked.append(f"{question.kind} {question.name}")
                self.resolver.answer(question, self.zone.get((question.kind, question.name), Answer()), now)
        assert len(out) == 1
        return list(out[0])


H = ("A", "h.test")
FULL: Zone = {
    ("NAPTR", "example.test"): found(
        naptr(90, 50, "SIP+D2T", "_sip._tcp.example.test"),
        naptr(50, 50, "SIPS+D2T", "_sips._tcp.example.test"),
        naptr(100, 50, "SIP+D2U", "_sip._udp.example.test"),
        naptr(10, 50, "SIP+D2S", "_sip._sctp.example.test"),
        naptr(1, 1, "E2U+sip", "x.example.test", "u"),
    ),
    ("SRV", "_sips._tcp.example.test"): found(srv("s1.example.test", 5061)),
    ("SRV", "_sip._tcp.example.test"): found(srv("t1.example.test", 5070, 2), srv("t2.example.test", 5071, 1)),
    ("SRV", "_sip._udp.example.test"): found(srv("u1.example.test", 5060)),
    ("A", "s1.example.test"): found("192.0.2.1"),
    ("A", "t1.example.test"): found("192.0.2.2"),
    ("A", "t2.example.test"): found("192.0.2.3", "192.0.2.4"),
    ("A", "u1.example.test"): found("192.0.2.5"),
}
"""The example of RFC 3263 section 4.1, with more."""
SECURED = Target("tls", "192.0.2.1", 5061, "example.test")
OVER_TCP = [Target("tcp", "192.0.2.3", 5071), Target("tcp", "192.0.2.4", 5071), Target("tcp", "192.0.2.2", 5070)]
OVER_UDP = [Target("udp", "192.0.2.5", 5060)]


@pytest.mark.parametrize(
    ("uri", "zone", "expected"),
    [
        # a numeric host is asked of nobody (4.1, 4.2)
        ("sip:a@192.0.2.9", {}, [Target("udp", "192.0.2.9", 5060)]),
        ("sip:a@192.0.2.9:99;transport=tcp", {}, [Target("tcp", "192.0.2.9", 99)]),
        ("sips:a@192.0.2.9", {}, [Target("tls", "192.0.2.9", 5061, "192.0.2.9")]),
        ("sip:a@[2001:db8::1];transport=tls", {}, [Target("tls", "2001:db8::1", 5061, "2001:db8::1")]),
        ("sip:a@name.test;maddr=192.0.2.8", {}, [Target("udp", "192.0.2.8", 5060)]),
        # a port: no NAPTR, no SRV
        ("sip:a@h.test:5099", {H: found("192.0.2.7")}, [Target("udp", "192.0.2.7", 5099)]),
        ("sips:a@h.test:5099", {H: found("192.0.2.7")}, [Target("tls", "192.0.2.7", 5099, "h.test")]),
        # a transport and no port: SRV of that transport, else the addresses
        ("sip:a@example.test;transport=udp", FULL, OVER_UDP),
        ("sip:a@example.test;transport=tls", FULL, [SECURED]),
        ("sip:a@h.test;transport=tcp", {H: found("192.0.2.7")}, [Target("tcp", "192.0.2.7", 5060)]),
        # neither: NAPTR, in its order; what we do not speak is left out
        ("sip:a@example.test", FULL, [SECURED, *OVER_TCP, *OVER_UDP]),
        ("sip:a@EXAMPLE.test.", FULL, [SECURED, *OVER_TCP, *OVER_UDP]),
        ("sips:a@example.test", FULL, [SECURED]),
        ("sips:a@example.test;transport=tcp", FULL, [SECURED]),
        # no NAPTR: SRV of every transport that we have; no SRV: the addresses
        (
            "sip:a@h.test",
            {("SRV", "_sip._tcp.h.test"): found(srv("h.test", 5070)), H: found("192.0.2.7")},
            [Target("tcp", "192.0.2.7", 5070)],
        ),
        ("sip:a@h.test", {H: found("192.0.2.7")}, [Target("udp", "192.0.2.7", 5060)]),
        ("sips:a@h.test", {H: found("192.0.2.7")}, [Target("tls", "192.0.2.7", 5061, "h.test")]),
        # NAPTR without anything that we speak is no NAPTR
        (
            "sip:a@h.test",
            {("NAPTR", "h.test"): found(naptr(1, 1, "SIP+D2S", "x.test")), H: found("192.0.2.7")},
            [Target("udp", "192.0.2.7", 5060)],
        ),
        # "." says that there is no such service here (RFC 2782), and then the addresses are not asked for
        ("sip:a@h.test;transport=tcp", {("SRV", "_sip._tcp.h.test"): found(srv("", 0)), H: found("192.0.2.7")}, []),
        # SRV may name an address, against RFC 2782
        ("sip:a@h.test;transport=udp", {("SRV", "_sip._udp.h.test"): found(srv("192.0.2.6", 9))},
         [Target("udp", "192.0.2.6", 9)]),
        ("sip:a@nowhere.test", {}, []),
    ],
)  # fmt: skip
def test_where_a_request_goes(uri: str, zone: Zone, expected: list[Target]) -> None:
    assert Dns(zone).targets(uri) == expected


def test_transports_that_we_do_not_have_lead_nowhere() -> None:
    for text in ("sip:a@h.test;transport=sctp", "sips:a@h.test;transport=udp", "sip:a@h.test;transport=ws"):
        uri = parse_uri(text)
        assert isinstance(uri, SipUri)
        assert wanted(uri) is None


def test_addresses_of_the_families_that_we_listen_on_alone() -> None:
    zone = {H: found("192.0.2.7"), ("AAAA", "h.test"): found("2001:db8::7")}
    assert [target.host for target in Dns(zone, ("AAAA", "A")).targets("sip:a@h.test:5060")] == [
        "2001:db8::7",
        "192.0.2.7",
    ]
    four = Dns(zone)
    assert [target.host for target in four.targets("sip:a@h.test:5060")] == ["192.0.2.7"]
    assert four.asked == ["A h.test"]


def test_answers_are_kept_as_long_as_they_live() -> None:
    dns = Dns({H: found("192.0.2.7", ttl=20.0)})
    for now, asked in ((0.0, 1), (19.0, 1), (21.0, 2)):
        assert dns.targets("sip:a@h.test:5060", now)
        assert len(dns.asked) == asked, now


def test_that_there_is_nothing_is_kept_as_well() -> None:
    dns = Dns({H: Answer((), 30.0)})
    for now, asked in ((0.0, 1), (29.0, 1), (31.0, 2)):
        assert dns.targets("sip:a@h.test:5060", now) == []
        assert len(dns.asked) == asked, now


def test_a_failure_is_kept_for_a_moment_and_no_answer_is_one() -> None:
    dns = Dns()
    out: list[tuple[Target, ...]] = []
    want = Wanted(False, "h.test", 5060, "", "h.test")
    dns.resolver.locate(want, 0.0, lambda targets, _: out.append(targets))
    (question,) = dns.resolver.take()
    dns.queue.fire(14.9)
    assert out == []
    dns.queue.fire(15.0)
    assert out == [()]
    dns.resolver.answer(question, found("192.0.2.7"), 16.0)  # too late
    assert out == [()]
    dns.zone[H] = found("192.0.2.7")
    assert dns.targets("sip:a@h.test:5060", 16.0) == []
    assert dns.targets("sip:a@h.test:5060", 20.1) == [Target("udp", "192.0.2.7", 5060)]


def test_a_record_that_lives_for_no_time_serves_the_search_that_asked() -> None:
    zone = {kind: Answer(answer.records, 0.0) for kind, answer in FULL.items()}
    dns = Dns(zone)
    assert dns.targets("sip:a@example.test")[0] == SECURED
    assert len(dns.resolver) == 0
    assert "A example.test" not in dns.asked
    assert len(dns.asked) == len(set(dns.asked))


def test_one_question_for_all_who_ask_at_the_same_time() -> None:
    dns = Dns()
    out: list[tuple[Target, ...]] = []
    for _ in range(3):
        dns.resolver.locate(Wanted(False, "h.test", 5060, "tcp", ""), 0.0, lambda targets, _: out.append(targets))
    (question,) = dns.resolver.take()
    dns.resolver.answer(question, found("192.0.2.7"), 1.0)
    assert out == [(Target("tcp", "192.0.2.7", 5060),)] * 3
    assert dns.resolver.waiting == 0


def test_what_is_kept_and_what_waits_is_bounded() -> None:
    limits = ResolverLimits(entries=10, waiting=5, records=4, targets=6)
    many = {("A", f"h{number}.test"): found("192.0.2.7") for number in range(50)}
    dns = Dns(many, limits=limits)
    for number in range(50):
        assert dns.targets(f"sip:a@h{number}.test:5060")
        assert len(dns.resolver) <= 10
    out: list[tuple[Target, ...]] = []
    for number in range(8):
        want = Wanted(False, f"slow{number}.test", 5060, "", "")
        dns.resolver.locate(want, 0.0, lambda targets, _: out.append(targets))
    assert len(out) == 3  # those beyond are told at once that there is nothing
    assert dns.resolver.waiting == 5
    big = {("SRV", "_sip._tcp.h.test"): found(*[srv(f"t{n}.test", 5060, n) for n in range(9)])}
    big |= {("A", f"t{n}.test"): found(*[f"192.0.2.{n * 9 + m}" for m in range(9)]) for n in range(9)}
    got = Dns(big, limits=limits).targets("sip:a@h.test;transport=tcp")
    assert len(got) == 6


def test_a_failing_server_ends_no_search_for_good() -> None:
    dns = Dns({("NAPTR", "h.test"): FAILED, H: found("192.0.2.7")})
    assert dns.targets("sip:a@h.test") == [Target("udp", "192.0.2.7", 5060)]


def test_weights_are_shares() -> None:
    """RFC 2782: of the same priority, the first is chosen in proportion to its weight; 0 has a small chance."""
    records = [srv("a", 1, 0, 60), srv("b", 1, 0, 30), srv("c", 1, 0, 10), srv("last", 1, 1, 65535)]
    random = Random(1)
    firsts: Counter[str] = Counter()
    for _ in range(10_000):
        order = ordered(list(records), random)
        assert order[-1].target == "last"
        assert sorted(one.target for one in order[:3]) == ["a", "b", "c"]
        firsts[order[0].target] += 1
    assert 5_700 < firsts["a"] < 6_300
    assert 2_700 < firsts["b"] < 3_300
    assert 800 < firsts["c"] < 1_200
    zeros = Counter(ordered([srv("z", 1, 0, 0), srv("y", 1, 0, 99)], random)[0].target for _ in range(10_000))
    assert 40 < zeros["z"] < 250


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 65535)), max_size=12),
    st.integers(0, 2**32),
)
def test_every_record_is_tried_once_and_priorities_in_order(pairs: list[tuple[int, int]], seed: int) -> None:
    records = [srv(f"t{number}", number, *pair) for number, pair in enumerate(pairs)]
    order = ordered(list(records), Random(seed))
    assert sorted(one.port for one in order) == list(range(len(records)))
    priorities = [one.priority for one in order]
    assert priorities == sorted(priorities)


def test_an_answer_to_what_nobody_asked_is_ignored() -> None:
    dns = Dns()
    dns.resolver.answer(Question("h.test", "A"), found("192.0.2.66"), 0.0)
    assert len(dns.resolver) == 0
