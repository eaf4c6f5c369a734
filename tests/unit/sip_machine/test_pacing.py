"""Clients that read one message at a time (libpurple over TCP)."""

import pytest

from tests.kit.sip import Client, make_endpoint
from transports.sip.machine import sender
from transports.sip.machine.flow import CloseFlow, ConnectTo, Flow
from transports.sip.machine.pacing import ANSWER_SEEN, MOST, PROBES, REQUEST_SEEN
from transports.sip.wire.message import Request, parse_message, respond_bytes
from transports.sip.wire.native import SipMessage

PURPLE = ("User-Agent", "Purple/2.14.12")


class OneByOne:
    """libpurple's way of reading: of all that there is after a read, one message."""

    def __init__(self, *headers: tuple[str, str], transport: str = "tcp") -> None:
        self.client = Client(make_endpoint(), "alice", transport=transport)
        assert self.client.register(0.0, 3600, *headers).status == 200
        self.buffer = b""
        self.taken: list[bytes] = []
        self.advance(5.0)
        self.taken.clear()

    def writes(self, now: float) -> list[bytes]:
        out = self.client.endpoint.to_send(now)
        return [item[1] for item in out if not isinstance(item, ConnectTo | CloseFlow)]

    def read(self, data: bytes, now: float) -> None:
        self.buffer += data
        head, blank, rest = self.buffer.partition(b"\r\n\r\n")
        length = int(
            next((line for line in head.split(b"\r\n") if line.startswith(b"Content-Length")), b":0")[15:] or 0
        )
        if not blank or len(rest) < length:
            return
        message, self.buffer = head + blank + rest[:length], rest[length:]
        self.taken.append(message)
        request = parse_message(message)
        if isinstance(request, Request):
            answer = respond_bytes(request, 200 if request.method != "OPTIONS" else 501, to_tag="x")
            self.client.endpoint.receive(self.client.flow, answer, now)

    def advance(self, until: float) -> None:
        """Time goes on; each write is a read."""
        endpoint = self.client.endpoint
        now = until
        for data in self.writes(0.0):
            self.read(data, 0.0)
        while (deadline := endpoint.next_deadline()) is not None and deadline <= until:
            now = deadline
            endpoint.handle_timer(now)
            while writes := self.writes(now):
                for data in writes:
                    self.read(data, now)

    def text(self, number: int, now: float) -> None:
        body = f"text {number}".encode()
        message = SipMessage(
            aor="alice@example.test", peer=f"sip:user{number}@example.test", call_id="", cseq=0,
            content_type="text/plain", body=body,
        )  # fmt: skip
        self.client.endpoint.send_message(message, f"key{number}", now, now + 30)

    def texts(self) -> list[str]:
        return [data.partition(b"\r\n\r\n")[2].decode() for data in self.taken if data.startswith(b"MESSAGE")]


def test_the_next_request_goes_out_when_the_last_was_answered() -> None:
    peer = OneByOne(PURPLE)
    for number in range(3):
        peer.text(number, 10.0)
    for number in range(3):
        (data,) = peer.writes(10.0)
        assert data.endswith(f"text {number}".encode())
        assert peer.writes(10.0) == []
        peer.read(data, 10.0)
    assert peer.writes(10.0) == []
    assert peer.texts() == ["text 0", "text 1", "text 2"]


def test_what_lies_unread_is_seen_when_the_next_message_begins() -> None:
    peer = OneByOne(PURPLE)
    peer.text(0, 10.0)
    (stuck,) = peer.writes(10.0)
    peer.buffer = b"SIP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n"  # what it has not looked at yet
    peer.read(stuck, 10.0)
    assert peer.texts() == []
    peer.text(1, 10.5)
    peer.advance(10.0 + REQUEST_SEEN)
    assert peer.texts() == ["text 0"]
    peer.advance(12.0)
    assert peer.texts() == ["text 0", "text 1"]
    assert peer.buffer == b""


def test_where_there_is_no_next_message_one_is_made() -> None:
    peer = OneByOne(PURPLE)
    peer.text(0, 10.0)
    (stuck,) = peer.writes(10.0)
    peer.buffer = b"SIP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n"
    peer.read(stuck, 10.0)
    peer.advance(12.0)
    assert peer.texts() == ["text 0"]
    assert peer.taken[-1].startswith(b"OPTIONS sip:")
    assert peer.buffer == b""


def test_a_client_that_is_dead_is_not_asked_for_ever() -> None:
    peer = OneByOne(PURPLE)
    peer.text(0, 10.0)
    written = peer.writes(10.0)
    endpoint = peer.client.endpoint
    while (deadline := endpoint.next_deadline()) is not None and deadline < 100:
        endpoint.handle_timer(deadline)
        written += peer.writes(deadline)
    octets = b"".join(written)
    assert octets.count(b"OPTIONS sip:") == PROBES
    assert octets.count(b"MESSAGE sip:") == 1


def test_an_answer_waits_for_nothing_but_what_was_just_sent() -> None:
    peer = OneByOne(PURPLE)
    client, endpoint = peer.client, peer.client.endpoint
    for _ in range(2):
        client.endpoint.receive(client.flow, client.request("OPTIONS", "sip:example.test", authenticate=False), 20.0)
    (first,) = peer.writes(20.0)
    assert peer.writes(20.0) == []
    endpoint.handle_timer(20.0 + ANSWER_SEEN)
    (second,) = peer.writes(20.0 + ANSWER_SEEN)
    assert first.startswith(b"SIP/2.0 200")
    assert second.startswith(b"SIP/2.0 200")
    assert first != second


def test_others_are_not_held_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender, "BY_DATAGRAM", 3)
    for headers, transport in (((("User-Agent", "Linphone/5.1"),), "tcp"), ((PURPLE,), "udp"), ((), "tcp")):
        peer = OneByOne(*headers, transport=transport)
        for number in range(3):
            peer.text(number, 10.0)
        assert len(peer.writes(10.0)) == 3


def test_what_waits_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender, "BY_CONNECTION", 2 * MOST)
    peer = OneByOne(PURPLE)
    for number in range(MOST + 10):
        peer.text(number, 10.0)
    assert len(peer.writes(10.0)) == 10


def test_a_lost_connection_is_forgotten() -> None:
    peer = OneByOne(PURPLE)
    peer.text(0, 10.0)
    peer.text(1, 10.0)
    assert len(peer.writes(10.0)) == 1
    flow: Flow = peer.client.flow
    peer.client.endpoint.flow_lost(flow, 10.1)
    peer.client.endpoint.handle_timer(20.0)
    assert b"OPTIONS" not in b"".join(peer.writes(20.0))
