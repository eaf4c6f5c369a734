"""DNS as it is on the wire: a server process of its own answers, over UDP and, where that is too short, TCP."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from tests.kit.dns_server import DnsServer
from tests.kit.ports import free_port
from transports.sip.dns import DnsClient, system_servers
from transports.sip.machine.locate import Answer, Naptr, Question, Srv

ZONE = {
    "example.test": [["NAPTR", 90, 50, 10, "s", "SIP+D2T", "", "_sip._tcp.example.test"], ["A", 60, "192.0.2.1"]],
    "_sip._tcp.example.test": [["SRV", 30, 1, 2, 5070, "a.test"], ["SRV", 40, 2, 0, 5071, "B.test"]],
    "a.test": [["A", 20, "192.0.2.2"], ["A", 20, "192.0.2.3"], ["AAAA", 20, "2001:db8::2"]],
    "alias.test": [["CNAME", 10, "further.test"]],
    "further.test": [["CNAME", 50, "a.test"]],
    "round.test": [["CNAME", 10, "round.test"]],
    "many.test": [["A", 60, f"198.51.{n // 256}.{n % 256}"] for n in range(400)],
}


@pytest.fixture(scope="module")
def server() -> Iterator[DnsServer]:
    with DnsServer(ZONE) as running:
        yield running


def waiting(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., Deferred[None]]:
    """Runs a test on the reactor until it is done."""
    return cast("Callable[..., Deferred[None]]", pytest_twisted.ensureDeferred(test))


async def ask(server: DnsServer | int, name: str, kind: str, hosts: Path = Path("/nonexistent")) -> Answer:
    port = server if isinstance(server, int) else server.port
    client = DnsClient(reactor, [("127.0.0.1", port)], hosts)  # type: ignore[arg-type]
    done: Deferred[Answer] = Deferred()
    client.ask(Question(name, kind), lambda _, answer: done.callback(answer))  # type: ignore[arg-type]
    answer = await done
    await deferLater(reactor, 0.01, lambda: None)  # its socket is closed in the next turn
    return answer


@waiting
async def test_each_kind_of_record(server: DnsServer) -> None:
    assert await ask(server, "example.test", "NAPTR") == Answer(
        (Naptr(order=50, preference=10, flags="s", service="SIP+D2T", replacement="_sip._tcp.example.test"),), 90.0
    )
    srv = await ask(server, "_sip._tcp.example.test", "SRV")
    assert set(srv.records) == {
        Srv(priority=1, weight=2, port=5070, target="a.test"), Srv(priority=2, weight=0, port=5071, target="b.test")
    }  # fmt: skip
    assert srv.ttl == 30.0
    assert set((await ask(server, "a.test", "A")).records) == {"192.0.2.2", "192.0.2.3"}
    assert await ask(server, "a.test", "AAAA") == Answer(("2001:db8::2",), 20.0)


@waiting
async def test_aliases_are_followed_and_shorten_the_life(server: DnsServer) -> None:
    answer = await ask(server, "alias.test", "A")
    assert set(answer.records) == {"192.0.2.2", "192.0.2.3"}
    assert answer.ttl is not None
    assert answer.ttl <= 20.0
    assert (await ask(server, "round.test", "A")).records == ()


@waiting
async def test_that_there_is_nothing_is_an_answer(server: DnsServer) -> None:
    """RFC 2308: for as long as the zone's SOA says; no such name, and no such record of a name."""
    for name, kind in (("none.test", "A"), ("example.test", "AAAA")):
        answer = await ask(server, name, kind)
        assert (answer.records, answer.failed) == ((), False)
        assert answer.ttl in {7.0, None}


@waiting
async def test_what_is_too_long_for_a_datagram_comes_over_tcp(server: DnsServer) -> None:
    assert len((await ask(server, "many.test", "A")).records) == 400


@waiting
async def test_silence_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transports.sip.dns.TIMES", (0.1,))
    assert (await ask(free_port(), "example.test", "A")).failed


@waiting
async def test_the_hosts_file_is_asked_first(server: DnsServer, tmp_path: Path) -> None:
    hosts = tmp_path / "hosts"
    hosts.write_text("203.0.113.1 a.test\n2001:db8::7 a.test x\n")
    assert (await ask(server, "a.test", "A", hosts)).records == ("203.0.113.1",)
    assert (await ask(server, "a.test", "AAAA", hosts)).records == ("2001:db8::7",)
    assert (await ask(server, "example.test", "A", hosts)).records == ("192.0.2.1",)


@waiting
async def test_nothing_is_told_after_the_stop(server: DnsServer) -> None:
    client = DnsClient(reactor, [("127.0.0.1", server.port)])  # type: ignore[arg-type]
    told: list[Answer] = []
    client.ask(Question("example.test", "A"), lambda _, answer: told.append(answer))
    client.stop()
    await deferLater(reactor, 0.5, lambda: None)
    assert told == []


def test_the_servers_of_the_system(tmp_path: Path) -> None:
    path = tmp_path / "resolv.conf"
    assert system_servers(path) == (("127.0.0.1", 53),)
    path.write_text("# nameserver 192.0.2.9\nsearch corp.example\nnameserver 192.0.2.1\nnameserver\t2001:db8::1 x\n")
    assert system_servers(path) == (("192.0.2.1", 53), ("2001:db8::1", 53))


@waiting
async def test_a_change_of_the_systems_servers_is_seen(
    server: DnsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("transports.sip.dns.TIMES", (0.2,))
    named: list[tuple[str, int]] = [("127.0.0.1", free_port())]
    monkeypatch.setattr("transports.sip.dns.system_servers", lambda _: tuple(named))
    path = tmp_path / "resolv.conf"
    path.write_text("1")
    client = DnsClient(reactor, (), Path("/nonexistent"), path)  # type: ignore[arg-type]
    for text, failed in (("1", True), ("22", False)):
        path.write_text(text)
        done: Deferred[Answer] = Deferred()
        client.ask(Question("a.test", "A"), lambda _, answer, done=done: done.callback(answer))  # type: ignore[misc]
        assert (await done).failed is failed
        named[0] = ("127.0.0.1", server.port)
    await deferLater(reactor, 0.01, lambda: None)


@pytest.mark.parametrize("name", ["", "a..test", "é.test", f"{'a' * 64}.test", ".".join(["a" * 60] * 5)])
def test_names_that_cannot_be_are_asked_of_nobody(name: str) -> None:
    client = DnsClient(reactor, [("127.0.0.1", 9)])  # type: ignore[arg-type]
    told: list[Answer] = []
    client.ask(Question(name, "A"), lambda _, answer: told.append(answer))
    assert told == [Answer()]
