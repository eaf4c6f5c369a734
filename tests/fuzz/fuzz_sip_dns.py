"""Messages of DNS servers, as twisted.names reads them, down to the targets that they lead to."""

from random import Random
from typing import Any

from twisted.names import dns as untyped

from transports.sip.dns import read
from transports.sip.machine.flow import Target
from transports.sip.machine.locate import Answer, Question, Wanted
from transports.sip.machine.resolver import Resolver
from transports.sip.machine.timers import TimerQueue

_NAME = "example.test"
dns: Any = untyped


def _message(*records: Any) -> bytes:
    message = dns.Message(answer=1)
    message.answers = list(records)
    return bytes(message.toStr())


def _header(name: str, payload: Any) -> Any:
    return dns.RRHeader(name, payload.TYPE, dns.IN, 60, payload)


SEEDS: list[bytes] = [
    _message(_header(_NAME, dns.Record_A("192.0.2.1"))),
    _message(_header(_NAME, dns.Record_AAAA("2001:db8::1"))),
    _message(
        _header(_NAME, dns.Record_NAPTR(1, 2, b"s", b"SIP+D2T", b"", "_sip._tcp.example.test")),
        _header("_sip._tcp.example.test", dns.Record_SRV(1, 2, 5060, "example.test")),
    ),
    _message(_header(_NAME, dns.Record_CNAME("a.test")), _header("a.test", dns.Record_A("192.0.2.1"))),
    _message(_header(_NAME, dns.Record_SOA("a.test", "b.test", 1, 2, 3, 4, 5))),
]


def one(data: bytes) -> None:
    """Whatever a server answers, a search ends, and leads to hosts and ports."""
    message = dns.Message()
    try:
        message.fromStr(data)
    except Exception:  # noqa: BLE001 - Twisted drops what it cannot read; here it is about what it could
        return
    queue = TimerQueue()
    resolver = Resolver(queue, Random(1), ("AAAA", "A"))
    found: list[tuple[Target, ...]] = []
    resolver.locate(Wanted(False, _NAME, None, "", _NAME), 0.0, lambda targets, _: found.append(targets))
    for _ in range(20):
        for question in resolver.take():
            answer = read(question, question.name, message.answers, message.authority)
            resolver.answer(question, answer if isinstance(answer, Answer) else Answer(), 0.0)
    assert len(found) == 1
    assert resolver.waiting == 0
    for target in found[0]:
        assert 0 < target.port < 65536
        assert target.host
    assert isinstance(read(Question(_NAME, "A"), _NAME, message.answers, message.authority), Answer | str)
