"""Connections of the SIP transport over real sockets: lost, ended, dialled, too many, stuck."""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import pytest
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.protocol import Factory, Protocol

from tests.kit.ports import free_port
from tests.kit.sip import DOMAIN
from tests.unit.sip_connector.running import (
    TARGET,
    Intake,
    Phone,
    Running,
    asynchronous,
    pause,
    send_out,
    start,
    the_reactor,
    until,
)
from transports.sip.machine.flow import Target
from transports.sip.machine.uac import Arrived
from transports.sip.seams import ConnectionLimits


@asynchronous
async def test_a_connection_that_is_lost_is_gone(running: Running) -> None:
    phone = Phone(running.transport, "tcp")
    await phone.register()
    assert running.transport.counts["connections"] == 1
    results = send_out(running, "k")
    await phone.see(Arrived)
    phone.close()
    await until(lambda: results)
    assert running.transport.counts["connections"] == 0
    assert running.transport.counts["flows"] == 0


async def _received(wire: socket.socket) -> bytes:
    """Returns all that comes until the other side ends."""
    got = bytearray()

    def ended() -> bool:
        with suppress(BlockingIOError):
            while data := wire.recv(65536):
                got.extend(data)
            return True
        return False

    await until(ended)
    return bytes(got)


@asynchronous
async def test_who_ends_their_side_is_answered_first(running: Running) -> None:
    phone = Phone(running.transport, "tcp")
    await phone.register()
    running.sink.intake = None
    phone.agent.send(TARGET, b"the last word", "1", time.monotonic())
    phone.turn()
    phone.raw.shutdown(socket.SHUT_WR)
    await until(lambda: running.sink.waiting)
    running.sink.waiting[0](Intake(accepted=True))
    assert (await _received(phone.raw)).startswith(b"SIP/2.0 202 ")
    await until(lambda: running.transport.counts["connections"] == 0)
    phone.close()


@asynchronous
async def test_who_ends_their_side_and_waits_for_nothing_is_gone_at_once(running: Running) -> None:
    phone = Phone(running.transport, "tcp")
    await phone.register()
    phone.raw.shutdown(socket.SHUT_WR)
    assert await _received(phone.raw) == b""
    await until(lambda: running.transport.counts["connections"] == 0)
    phone.close()


@asynchronous
async def test_a_contact_is_dialled_where_its_connection_is_gone(running: Running) -> None:
    got: list[bytes] = []

    class Far(Protocol):
        def dataReceived(self, data: bytes) -> None:  # noqa: N802
            got.append(data)

    factory = cast("Any", Factory.forProtocol(Far))
    port: Any = the_reactor().listenTCP(0, factory, interface="127.0.0.1")
    phone = Phone(running.transport, "tcp")
    await phone.register()
    assert running.transport.endpoint is not None
    (binding,) = running.transport.endpoint.registrar.contacts(f"alice@{DOMAIN}")
    binding.contact = f"sip:alice@127.0.0.1:{port.getHost().port};transport=tcp"
    phone.close()
    await until(lambda: running.transport.counts["connections"] == 0)
    send_out(running, "k1", b"first")
    send_out(running, "k2", b"second")
    await until(lambda: b"second" in b"".join(got))
    assert b"".join(got).count(b"MESSAGE sip:") == 2
    assert running.transport.counts["connections"] == 1  # both on one connection
    await port.stopListening()
    await until(lambda: True)
    for connection in list(running.transport._connections._made):
        connection.abort()
    await until(lambda: running.transport.counts["connections"] == 0)
    failed = send_out(running, "k3")
    await until(lambda: failed)
    assert failed[0].failure is not None
    assert (failed[0].failure.reason, failed[0].failure.certain) == ("unreachable", True)


@pytest.fixture
def elsewhere() -> Iterator[int]:
    """A port where somebody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def _meets_itself(running: Running, patch: pytest.MonkeyPatch, elsewhere: int) -> int:
    """A closed port of the range that the system gives to who connects: TCP's simultaneous open (RFC 9293 3.5)."""
    del running, elsewhere

    def from_the_same_port(reactor: Any, target: Target, timeout: float, _: object) -> Any:
        return TCP4ClientEndpoint(reactor, target.host, target.port, timeout, bindAddress=(target.host, target.port))

    patch.setattr("transports.sip.connections._client_endpoint", from_the_same_port)
    return free_port()


def _is_one_too_many(running: Running, patch: pytest.MonkeyPatch, elsewhere: int) -> int:
    """The dial succeeds and is not used: nothing may wait for it for ever."""
    patch.setattr(running.transport._connections, "_limits", ConnectionLimits(connections=0))
    return elsewhere


@pytest.mark.parametrize("hinder", [_meets_itself, _is_one_too_many])
@asynchronous
async def test_what_waits_for_a_connection_that_is_not_used_fails(
    running: Running,
    monkeypatch: pytest.MonkeyPatch,
    elsewhere: int,
    hinder: Callable[[Running, pytest.MonkeyPatch, int], int],
) -> None:
    phone = Phone(running.transport, "tcp")
    await phone.register()
    assert running.transport.endpoint is not None
    (binding,) = running.transport.endpoint.registrar.contacts(f"alice@{DOMAIN}")
    phone.close()
    await until(lambda: running.transport.counts["connections"] == 0)
    binding.contact = f"sip:alice@127.0.0.1:{hinder(running, monkeypatch, elsewhere)};transport=tcp"
    for key in ("k1", "k2"):
        results = send_out(running, key)
        await until(lambda found=results: found)  # type: ignore[misc]
        assert results[0].failure is not None
        assert (results[0].failure.reason, results[0].failure.certain) == ("unreachable", True)
    await until(lambda: running.transport.counts["connections"] == 0)
    assert not running.transport._connections._dialing


@asynchronous
async def test_too_many_connections_from_one_source(tmp_path: Path) -> None:
    running = await start(tmp_path, connections_per_source=2)
    phones = [Phone(running.transport, "tcp") for _ in range(3)]
    await phones[0].register()
    await phones[1].register()
    for _ in range(20):
        phones[2].turn()
        await pause(0.01)
    assert [phone.closed for phone in phones] == [False, False, True]
    for phone in phones:
        phone.close()
    await running.transport.stop(drain=0.0)
    await pause(0.02)


@asynchronous
async def test_a_peer_that_does_not_read_is_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transports.sip.machine.sender.BY_CONNECTION", 2000)
    running = await start(tmp_path, write_buffer=100_000)
    phone = Phone(running.transport, "tcp")
    await phone.register()
    for number in range(2000):
        send_out(running, str(number), b"x" * 10_000)
        if number % 50 == 0:
            await pause(0.001)
        if running.transport.counts["connections"] == 0:
            break
    await until(lambda: running.transport.counts["connections"] == 0)
    phone.close()
    await running.transport.stop(drain=0.0)
    await pause(0.02)


@asynchronous
async def test_a_message_that_never_ends_is_dropped(tmp_path: Path) -> None:
    running = await start(tmp_path, unfinished=0.0)
    phone = Phone(running.transport, "tcp")
    phone.raw.send(b"MESSAGE sip:x SIP/2.0\r\nVia")
    await until(lambda: running.transport.counts["connections"] == 1)
    await pause(0.02)
    for _ in range(2):
        running.transport._connections.drop_stuck()
        await pause(0.01)
    await until(lambda: running.transport.counts["connections"] == 0)
    phone.close()
    await running.transport.stop(drain=0.0)
    await pause(0.02)


@asynchronous
async def test_a_busy_connection_is_always_in_a_message_and_stays(tmp_path: Path) -> None:
    running = await start(tmp_path, unfinished=0.0)
    phone = Phone(running.transport, "tcp")
    whole = (
        b"OPTIONS sip:corp.example SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1;branch=z9hG4bKx%d\r\nFrom: <sip:a@b>;tag=1\r\n"
        b"To: <sip:corp.example>\r\nCall-ID: x\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
    )

    def counts() -> int:
        return running.transport.counts["connections"]

    phone.raw.send(whole % 0 + whole[:20])
    await until(lambda: counts() == 1)
    for number in range(1, 5):
        await pause(0.02)
        running.transport._connections.drop_stuck()
        phone.raw.send((whole % number)[20:] + whole[:20])
    await pause(0.02)
    assert counts() == 1
    for _ in range(2):
        running.transport._connections.drop_stuck()
        await pause(0.01)
    await until(lambda: counts() == 0)
    phone.close()
    await running.transport.stop(drain=0.0)
    await pause(0.02)
