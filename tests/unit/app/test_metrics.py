"""Metrics: every number is there, with a name that Prometheus takes."""

import socket
from collections import Counter
from types import SimpleNamespace
from typing import Any, cast

import pytest
import pytest_twisted
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from twisted.internet import reactor
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread

from bridge.app.metrics import DaemonCollector, serve
from bridge.app.values import HostPort
from bridge.delivery.pipeline import Counters
from bridge.model.capabilities import LinkState
from bridge.store.journal import JournalStats


def daemon() -> Any:
    network = SimpleNamespace(
        states=lambda: {"alicework": LinkState.UP, "bobwork": LinkState.UP, "carolwork": LinkState.AUTH_FAILED},
        numbers=lambda: {"sessions": 3, "waiting-sends": 0},
    )
    stats = JournalStats(batches=2, entries=9, failed=0, largest_batch=7, waiting=1, last_commit_seconds=0.25)
    counters = Counters()
    counters.received, counters.outcomes = 9, {"relayed": 4}
    return SimpleNamespace(
        pipeline=SimpleNamespace(lanes=SimpleNamespace(total=5, sending=2), counters=counters),
        sip=SimpleNamespace(counts={"bindings": 3}),
        journal=SimpleNamespace(stats=lambda: stats),
        networks={"aim-two": network},
        ingresses={"aim-two": SimpleNamespace(changes=Counter({LinkState.UP: 7}))},
    )


def samples(text: str) -> dict[tuple[str, ...], float]:
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_numbers_are_the_daemons() -> None:
    registry = CollectorRegistry()
    registry.register(DaemonCollector(daemon()))
    found = samples(generate_latest(registry).decode())
    assert found["simplebridge_messages_total", "received"] == 9
    assert found["simplebridge_messages_total", "outcome_relayed"] == 4
    assert found["simplebridge_queue", "waiting"] == 5
    assert found["simplebridge_sip", "bindings"] == 3
    assert found["simplebridge_links", "aim-two", "up"] == 2
    assert found["simplebridge_links", "aim-two", "auth-failed"] == 1
    assert found["simplebridge_links", "aim-two", "transient"] == 0
    assert found["simplebridge_link_changes_total", "aim-two", "up"] == 7
    assert not [name for name in found if "alicework" in name], "no label is an account: there may be thousands"
    assert found["simplebridge_network_aim_two", "sessions"] == 3
    assert found["simplebridge_journal_total", "entries"] == 9
    assert found["simplebridge_journal_commit_seconds",] == 0.25


def get(port: int) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as wire:
        wire.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        data = b""
        while piece := wire.recv(65536):
            data += piece
        return data


@pytest_twisted.ensureDeferred  # type: ignore[untyped-decorator]
async def test_they_are_served() -> None:
    port = serve(reactor, HostPort(host="127.0.0.1", port=0), daemon())
    page = await deferToThread(get, cast("IPv4Address", port.getHost()).port)
    assert page.startswith((b"HTTP/1.0 200 OK", b"HTTP/1.1 200 OK"))
    assert b'simplebridge_messages_total{event="received"} 9.0' in page
    assert b"process_cpu_seconds_total" in page
    closing = port.stopListening()
    if isinstance(closing, Deferred):
        await closing


def test_a_port_in_use_is_told_with_its_key() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(OSError, match=r"metrics\.listen: .*in use"):
            serve(reactor, HostPort(host="127.0.0.1", port=other.getsockname()[1]), daemon())
