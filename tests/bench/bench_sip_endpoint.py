"""What the SIP endpoint costs without sockets. ``run()`` gives microseconds of CPU by name; ``python -m`` prints them.

``relay``: MESSAGE with digest in, 202 out, MESSAGE to a contact out, its 200 in. ``relay, digest computed apart``:
the same, less the check of the digest, which is measured on its own.
"""

import gc
import time

from tests.kit.sip import DOMAIN, Client, make_endpoint
from transports.sip.machine.endpoint import Endpoint
from transports.sip.machine.events import MessageReceived
from transports.sip.machine.flow import Flow
from transports.sip.wire.message import Request, parse_message
from transports.sip.wire.native import SipMessage

USERS = 1000
MESSAGES = 4000
BLOCK = 100


def _prepare() -> tuple[Endpoint, list[tuple[Flow, bytes]]]:
    endpoint = make_endpoint(users=USERS)
    clients = [Client(endpoint, f"user{number}", port=20_000 + number) for number in range(USERS)]
    for client in clients:
        client.register(0.0)
    while endpoint.next_event() is not None:
        pass
    requests = []
    for number in range(MESSAGES):
        client = clients[number % USERS]
        headers = [("Content-Type", "text/plain")]
        data = client.request("MESSAGE", "sip:friend@aim.example.test", headers, b"lunch at noon?")
        requests.append((client.flow, data))
    return endpoint, requests


def _answer(data: bytes) -> bytes:
    """The 200 of a contact, made by hand: it is the peer's work and must not be measured."""
    request = parse_message(data)
    assert isinstance(request, Request)
    lines = [f"{name}: {request.first(name)}" for name in ("Via", "From", "To", "Call-ID", "CSeq")]
    return ("SIP/2.0 200 OK\r\n" + "\r\n".join(lines) + "\r\nContent-Length: 0\r\n\r\n").encode()


def _relay() -> tuple[float, float, float, float]:
    """CPU seconds of each part. Parts run in blocks: reading the clock costs more than some of them."""
    endpoint, requests = _prepare()
    clock = time.process_time
    taken = answered = sent = finished = 0.0
    now = 1.0
    gc.collect()
    for start in range(0, MESSAGES, BLOCK):
        block = requests[start : start + BLOCK]
        now += 0.01
        begin = clock()
        for flow, data in block:
            endpoint.receive(flow, data, now)
        middle = clock()
        taken += middle - begin
        pending = []
        while (event := endpoint.next_event()) is not None:
            assert isinstance(event, MessageReceived)
            pending.append(event.tx)
        assert len(pending) == len(block)
        begin = clock()
        for tx in pending:
            endpoint.answer(tx, 202, now=now)
        endpoint.to_send(now)
        answered += clock() - begin
        natives = [
            SipMessage(
                aor=f"user{(number + 1) % USERS}@{DOMAIN}", peer="sip:friend@aim.example.test", call_id="", cseq=0,
                content_type="text/plain", body=b"lunch at noon?",
            )
            for number in range(start, start + BLOCK)
        ]  # fmt: skip
        begin = clock()
        for number, native in enumerate(natives):
            endpoint.send_message(native, f"key-{start + number}", now)
        outputs = endpoint.to_send(now)
        sent += clock() - begin
        responses = []
        for output in outputs:
            target, out = output[0], output[1]
            assert isinstance(target, Flow)
            assert isinstance(out, bytes)
            responses.append((target, _answer(out)))
        begin = clock()
        for target, response in responses:
            endpoint.receive(target, response, now)
        while endpoint.next_event() is not None:
            pass
        endpoint.handle_timer(now)
        finished += clock() - begin
    return taken, answered, sent, finished


def run() -> dict[str, float]:
    """Returns microseconds of CPU per message, the least of three rounds for each part."""
    rounds = [_relay() for _ in range(3)]
    parts = [min(column) / MESSAGES * 1e6 for column in zip(*rounds, strict=True)]
    return {
        "MESSAGE in, digest checked": parts[0],
        "202 out": parts[1],
        "MESSAGE out": parts[2],
        "200 in": parts[3],
        "relay": sum(parts),
    }


if __name__ == "__main__":
    for name, value in run().items():
        print(f"{value:8.1f} µs  {name}")
