"""WebSockets over real sockets: the handshake, keep-alives, bounds, and the end from either side."""

from __future__ import annotations

import time

import pytest
from wsproto.events import CloseConnection, Ping, Pong, TextMessage

from tests.kit.sip import DOMAIN
from tests.unit.sip_connector.running import Phone, Running, asynchronous, pause, start, until
from transports.sip.machine.uac import Arrived
from transports.sip.wire.native import SipMessage


async def _turns(phone: Phone, wanted: type) -> None:
    end = time.monotonic() + 5
    while not any(isinstance(event, wanted) for event in phone.web_events):
        phone.turn()
        assert time.monotonic() < end, f"no {wanted.__name__}: {phone.web_events}"
        await pause(0.003)


@asynchronous
async def test_a_ping_is_heard_and_answered(running: Running) -> None:
    phone = Phone(running.transport, "ws")
    await phone.register()
    assert phone.web is not None
    phone.socket.send(phone.web.send(Ping(b"x")))
    await _turns(phone, Pong)
    phone.socket.send(phone.web.send(TextMessage("\r\n\r\n")))  # RFC 5626 3.5.1, in a message of its own
    phone.web_events.clear()
    await _turns(phone, TextMessage)
    assert [event.data for event in phone.web_events if isinstance(event, TextMessage)] == ["\r\n"]
    phone.close()


@asynchronous
async def test_several_messages_in_one_write_are_each_framed(running: Running) -> None:
    phone = Phone(running.transport, "wss")
    await phone.register()
    for number in range(5):
        native = SipMessage(
            aor=f"alice@{DOMAIN}", peer="sip:x@aim.example.test", call_id="", cseq=0, content_type="text/plain",
            body=b"%d" % number,
        )  # fmt: skip
        running.transport.send(native, key=str(number), deadline=time.monotonic() + 60, on_result=lambda _: None)
    bodies = []
    for _ in range(5):
        arrived = await phone.see(Arrived)
        assert isinstance(arrived, Arrived)
        bodies.append(arrived.body)
    assert sorted(bodies) == [b"0", b"1", b"2", b"3", b"4"]
    phone.close()


@pytest.mark.parametrize("kind", ["ws", "wss"])
@asynchronous
async def test_a_close_by_the_peer_ends_the_flow(running: Running, kind: str) -> None:
    phone = Phone(running.transport, kind)
    await phone.register()
    assert running.transport.counts["flows"] == 1
    assert phone.web is not None
    phone.socket.send(phone.web.send(CloseConnection(1000)))

    await _turns(phone, CloseConnection)
    phone.close()
    await until(lambda: running.transport.counts["flows"] == running.transport.counts["connections"] == 0)


@asynchronous
async def test_our_stop_says_goodbye(running: Running) -> None:
    phone = Phone(running.transport, "ws")
    await phone.register()
    await running.transport.stop(drain=0.0)
    await _turns(phone, CloseConnection)
    assert any(isinstance(event, CloseConnection) and event.code == 1001 for event in phone.web_events)
    phone.close()


@asynchronous
async def test_what_is_no_websocket_is_told_so_and_dropped(running: Running) -> None:
    phone = Phone(running.transport, "ws")
    phone.socket.send(b"REGISTER sip:example.test SIP/2.0\r\n\r\n")
    answer = b""
    end = time.monotonic() + 5
    while b"\r\n\r\n" not in answer and time.monotonic() < end:
        await pause(0.01)
        try:
            answer += phone.socket.recv(65536)
        except BlockingIOError:
            continue
    assert answer.startswith(b"HTTP/1.1 400 ")
    await until(lambda: running.transport.counts["connections"] == 0)
    assert running.transport.counts["flows"] == 0
    phone.close()


@asynchronous
async def test_who_stops_in_the_middle_is_dropped(tmp_path_factory: pytest.TempPathFactory) -> None:
    running = await start(tmp_path_factory.mktemp("stuck"), unfinished=0.05)
    slow, half = Phone(running.transport, "ws"), Phone(running.transport, "ws")
    slow.socket.send(b"GET / HTTP/1.1\r\nHost: ")
    await half.register()
    assert half.web is not None
    half.socket.send(half.web.send(TextMessage("MESS", message_finished=False)))
    await until(lambda: running.transport.counts["connections"] == 2)
    end = time.monotonic() + 5
    while running.transport.counts["connections"]:
        running.transport._connections.drop_stuck()
        await pause(0.02)
        assert time.monotonic() < end, running.transport.counts
    slow.close()
    half.close()
    await running.transport.stop(drain=0.0)
    await pause(0.02)


@asynchronous
async def test_who_never_says_goodbye_is_dropped(tmp_path_factory: pytest.TempPathFactory) -> None:
    running = await start(tmp_path_factory.mktemp("rude"), unfinished=0.05)
    rude = Phone(running.transport, "wss")  # closes the WebSocket, and never answers the goodbye of TLS
    await rude.register()
    assert rude.web is not None
    rude.socket.send(rude.web.send(CloseConnection(1000)))
    await until(lambda: any(one.closing for one in running.transport._connections._made))
    end = time.monotonic() + 5
    while running.transport.counts["connections"]:
        running.transport._connections.drop_stuck()
        await pause(0.02)
        assert time.monotonic() < end, running.transport.counts
    rude.close()
    await running.transport.stop(drain=0.0)
    await pause(0.02)
