"""What real clients sent to another server, replayed against ours: each byte theirs, save the answers to challenges."""

import re

import pytest

from tests.kit.sip import DOMAIN, PASSWORD, SERVER, make_endpoint
from tests.wire.sip.transcript import FILES, Captured, read
from transports.sip.machine.endpoint import Endpoint
from transports.sip.machine.events import MessageReceived
from transports.sip.machine.flow import Flow
from transports.sip.wire.auth import Credentials, ha1
from transports.sip.wire.message import Request, Response, parse_message, respond_bytes
from transports.sip.wire.native import SipMessage

_NONCE = re.compile(r'nonce="([^"]*)"')


class Replay:
    """One transcript against one endpoint."""

    def __init__(self, captured: list[Captured]) -> None:
        self.endpoint: Endpoint = make_endpoint()
        self.flows: dict[tuple[str, int], Flow] = {}
        self.nonces: dict[str, str] = {}
        self.last_nonce: dict[tuple[str, int], str] = {}
        self.answers: list[tuple[Request, Response]] = []
        self.received: list[SipMessage] = []
        self.notified: list[Request] = []
        self.names: dict[str, str] = {}
        self.by_request: dict[tuple[str, int, str, str], Response] = {}
        self.server = captured[0].destination
        for message in captured:
            self._step(message)

    def _step(self, message: Captured) -> None:
        parsed = parse_message(message.data)
        if message.source == self.server and isinstance(parsed, Response):
            challenge = _NONCE.search(message.data.decode())
            peer = (message.transport, message.destination)
            if challenge is not None and peer in self.last_nonce:
                self.nonces[challenge.group(1)] = self.last_nonce[peer]
            ours = self.by_request.get((*peer, parsed.call_id, str(parsed.cseq)))
            if ours is not None:  # what the other server named, and how we named it
                self._rename(parsed.to.tag, ours.to.tag)
                self._rename(parsed.first("SIP-ETag"), ours.first("SIP-ETag"))
        elif message.destination == self.server and isinstance(parsed, Request):
            self._deliver(message, parsed)

    def _rename(self, theirs: str | None, ours: str | None) -> None:
        if theirs and ours:
            self.names[theirs] = ours

    def _flow(self, message: Captured) -> Flow:
        key = (message.transport, message.source)
        flow = self.flows.get(key)
        if flow is None:
            flow = Flow(message.transport.lower(), SERVER, ("127.0.0.1", message.source), len(self.flows) + 1)
            self.flows[key] = flow
            if flow.reliable:
                self.endpoint.flow_opened(flow, message.at)
        return flow

    def _deliver(self, message: Captured, request: Request) -> None:
        flow = self._flow(message)
        self.endpoint.handle_timer(message.at)
        self._take(message.at)
        self.endpoint.receive(flow, self._signed(message.data.decode("utf-8", "surrogateescape"), request), message.at)
        while (event := self.endpoint.next_event()) is not None:
            if isinstance(event, MessageReceived):
                assert isinstance(event.native, SipMessage)
                self.received.append(event.native)
                self.endpoint.answer(event.tx, 202, now=message.at)
        got = self._take(message.at)
        assert len(got) == 1, (message.at, request, got)
        assert got[0][0].key == flow.key
        nonce = _NONCE.search(got[0][1].to_bytes().decode())
        if nonce is not None:
            self.last_nonce[message.transport, message.source] = nonce.group(1)
        self.answers.append((request, got[0][1]))
        self.by_request[message.transport, message.source, request.call_id, str(request.cseq)] = got[0][1]

    def _take(self, now: float) -> list[tuple[Flow, Response]]:
        got = []
        for output in self.endpoint.to_send(now):
            if not isinstance(output[0], Flow) or output[1] == b"\r\n":
                continue
            parsed = parse_message(output[1])  # type: ignore[arg-type]
            if isinstance(parsed, Request):
                self.notified.append(parsed)
                if output[0].reliable:  # libpurple gets the next message when it has answered this one
                    self.endpoint.receive(output[0], respond_bytes(parsed, 200, to_tag="theirs"), now)
            else:
                got.append((output[0], parsed))
        return got

    def _signed(self, text: str, request: Request) -> bytes:
        for header in ("Authorization", "Proxy-Authorization"):
            line = request.first(header)
            credentials = None if line is None else Credentials.parse(line)
            if credentials is None or credentials.nonce not in self.nonces:
                continue
            ours = self.nonces[credentials.nonce]
            text = text.replace(f'nonce="{credentials.nonce}"', f'nonce="{ours}"')
            again = Credentials.parse(request.first(header).replace(credentials.nonce, ours))  # type: ignore[union-attr]
            assert again is not None
            secret = ha1(credentials.username, DOMAIN, PASSWORD)
            text = text.replace(credentials.response, again.expected(secret, request.method))
        for value in (request.to.tag, request.first("SIP-If-Match")):
            if value in self.names:
                text = text.replace(value, self.names[value])
        return text.encode("utf-8", "surrogateescape")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_client_gets_in(path: object) -> None:
    replay = Replay(read(path))  # type: ignore[arg-type]
    statuses: dict[str, list[int]] = {}
    for request, response in replay.answers:
        assert response.first("From") == request.first("From")  # never another client's answer
        assert response.call_id == request.call_id
        assert response.cseq == request.cseq
        statuses.setdefault(request.method, []).append(response.status)
    for method, found in statuses.items():
        good = 202 if method == "MESSAGE" else 200
        assert good in found, (method, found)
        allowed = {good, 401 if method == "REGISTER" else 407}
        if method == "PUBLISH" and "udp-colliding" in str(path):
            allowed.add(412)  # there the other server gave one client the other's entity tag
        assert set(found) <= allowed, (method, found)
    users = {native.aor for native in replay.received}
    assert users <= {f"alice@{DOMAIN}", f"bob@{DOMAIN}"}
    assert replay.notified


def test_libpurple_is_let_in_with_the_branch_that_was_challenged() -> None:
    path = next(path for path in FILES if path.stem == "sip-libpurple-simple-tcp")
    replay = Replay(read(path))
    pairs: dict[tuple[str, str | None, int], list[int]] = {}
    for request, response in replay.answers:
        if request.method == "PUBLISH":
            pairs.setdefault((request.call_id, request.top_via.branch, request.cseq.number), []).append(response.status)
    assert [407, 200] in pairs.values()


def test_clients_that_started_in_the_same_second_do_not_get_each_others_answers() -> None:
    path = next(path for path in FILES if path.stem == "sip-libpurple-simple-udp-colliding")
    replay = Replay(read(path))
    by_branch: dict[str | None, set[str]] = {}
    for request, response in replay.answers:
        by_branch.setdefault(request.top_via.branch, set()).add(response.to.uri.aor + request.method)
    assert any(len({name.partition("@")[0] for name in names}) == 2 for names in by_branch.values())


def test_linphones_receipts_are_told_from_texts() -> None:
    path = next(path for path in FILES if "linphone" in path.stem)
    replay = Replay(read(path))
    kinds = {(native.content_type, native.header("Content-Encoding")) for native in replay.received}
    assert ("message/imdn+xml", "deflate") in kinds
    assert ("text/plain", None) in kinds
