"""Every message of RFC 4475 and RFC 5118 over UDP, TCP and TLS to a running daemon whose domain is example.com.

What comes before the answer to an OPTIONS on the same socket is all that a message brought forth: so silence is seen
without waiting for it.
"""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Iterator

import pytest

from tests.integration.wire import TRANSPORTS, NoAnswer, Phone, Wire
from tests.kit.daemon import BridgeProcess, Person
from tests.unit.sip_wire.torture import CASES, DATA, TortureCase
from transports.sip.wire.message import Request, Response, parse_message

DOMAIN = "example.com"
_NETWORK = f"127.{random.randrange(1, 250)}.{random.randrange(250)}"
_hosts = itertools.count(1)
_VIA = re.compile(
    rb"^v(?:ia)?[ \t]*:[ \t\r\n]*SIP\s*/\s*[27]\.0\s*/\s*\w+\s+(?:\[[^]]*\]|[^][\s;,:]+)(?::(\d+))?",
    re.IGNORECASE | re.MULTILINE,
)

ANSWERS = {
    # What the table of sections leaves open, as a registrar and user agent without calls must say it.
    "wsinv": 481,  # To has a tag, and there is no such dialog (RFC 3261 12.2.2)
    "esc01": 405,
    "escnull": 401,
    "lwsdisp": 200,
    "longreq": 405,
    "dblreq": 401,
    "semiuri": 200,
    "transports": 200,
    "mpart01": 403,  # example.org is not served, and nothing is relayed
    "baddate": 405,
    "badbranch": 200,
    "unksm2": 401,
    "invut": 405,
    "zeromf": 200,
    "cparam01": 401,
    "cparam02": 401,
    "regescrt": 401,
    "sdp01": 405,
    "inv2543": 405,
    "ipv6-good": 403,  # of another registrar
    "port-ambiguous": 403,
    "port-unambiguous": 403,
    "via-received-param-no-delim": 403,
    "ipv6-in-sdp": 405,
    "mult-ip-in-sdp": 405,
    "ipv4-mapped-ipv6": 405,
    "ipv6-bug-abnf-3-colons": 403,
    "ipv6-correct-abnf-2-colons": 403,
}


@pytest.fixture(scope="module")
def bridge() -> Iterator[BridgeProcess]:
    with BridgeProcess(people=[Person(user="alice")], domain=DOMAIN) as daemon:
        yield daemon
        assert daemon.status()["messages"]["recorded"] == 1 + len(TRANSPORTS)
        code = daemon.terminate()
        log = daemon.log.read_text("utf-8")
        assert code == 0
        assert "Traceback" not in log, log
        assert '"level":"error"' not in log, log


def wanted(case: TortureCase, transport: str) -> list[int]:
    """The final answers that a message must bring."""
    if case.is_response or (case.status is None and not case.valid):
        return []
    if transport != "udp" and isinstance(case.stream, int):
        return [case.stream]
    if transport != "udp" and case.stream == "wait":
        return []
    status = ANSWERS.get(case.name, case.status)
    assert status is not None, case.name
    return [status, 405] if transport != "udp" and case.stream == "two" else [status]


def via_port(data: bytes) -> int:
    """Where a datagram without rport is answered to (RFC 3261 18.2.2); 0 where its Via cannot be read."""
    found = _VIA.search(data)
    return 0 if found is None else int(found[1] or 5060)


def ack(data: bytes, answer: Response) -> bytes:
    """The ACK of an answer that is no success (RFC 3261 17.1.1.3)."""
    lines = [("Via", str(parse_message(data).top_via)), ("Max-Forwards", "70"), ("From", answer.first("From") or "")]
    lines += [("To", answer.first("To") or ""), ("Call-ID", answer.call_id)]
    lines += [("CSeq", f"{(answer.first('CSeq') or '1').split()[0]} ACK")]
    return Request.build("ACK", f"sip:{DOMAIN}", lines).to_bytes()


def local(data: bytes, transport: str) -> tuple[str, int]:
    """An address of 127/8 that nothing has spoken from before: many messages are each other's repetitions else."""
    return (f"{_NETWORK}.{next(_hosts)}", via_port(data) if transport == "udp" else 0)


def head(octets: bytes) -> tuple[int, dict[str, str]]:
    """Status and last value of each header of an answer, read without our own parser."""
    lines = octets.split(b"\r\n\r\n")[0].decode().split("\r\n")
    version, status, _ = lines[0].split(" ", 2)
    assert version == "SIP/2.0"
    return int(status), {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_message(bridge: BridgeProcess, case: TortureCase, transport: str) -> None:
    data = case.data()
    with Wire(bridge, transport, local(data, transport)) as wire:
        wire.send(data)
        for status in wanted(case, transport):
            answer = wire.receive_bytes()
            found, headers = head(answer)
            assert (found, case.status in {None, found} or found in case.also or case.name in ANSWERS) == (status, True)
            if case.valid:
                response = parse_message(answer)
                assert isinstance(response, Response)
                assert response.to.tag
                if data.startswith(b"INVITE"):
                    wire.send(ack(data, response))
            elif found == 400:
                phrase = answer.split(b"\r\n", 1)[0].decode()
                assert case.names in phrase or "missing" in phrase, phrase
            if found == 405:
                assert "MESSAGE" in headers["allow"]
            if found == 420:
                assert "nothingSupportsThis" in headers["unsupported"]
            if found in {401, 407}:
                assert headers["www-authenticate"].startswith("Digest ")
        if transport != "udp" and case.stream is not None:
            if case.stream != "wait":
                _closed_or_usable(wire, case)
        else:
            assert wire.options(DOMAIN).status == 200
    with Wire(bridge, transport) as probe:
        assert probe.options(DOMAIN).status == 200


def _closed_or_usable(wire: Wire, case: TortureCase) -> None:
    """After a message without a readable end the stream has no meaning any more, and is closed."""
    if case.stream == "two":  # its second Content-Length is some octets short of the body: what follows is no message
        wire.send(b"\r\n\r\n")
    wire.wait_closed()


def test_every_file_has_its_expectation() -> None:
    files = {str(path.relative_to(DATA)) for folder in ("rfc4475", "rfc5118") for path in (DATA / folder).iterdir()}
    assert files == {case.file for case in CASES.values()}
    for case in CASES.values():
        for transport in TRANSPORTS:
            wanted(case, transport)


@pytest.mark.parametrize("transport", ["tcp", "tls"])
def test_a_body_that_is_not_whole_yet_is_waited_for(bridge: BridgeProcess, transport: str) -> None:
    """RFC 4475 section 3.1.2.2 over a stream: the rest may still come."""
    data = CASES["clerr"].data()
    missing = 9999 - len(data.partition(b"\r\n\r\n")[2])
    with Wire(bridge, transport) as wire:
        wire.send(data)
        with Wire(bridge, transport) as probe:
            assert probe.options(DOMAIN).status == 200
        wire.send(b"x" * (missing - 1))
        with pytest.raises(NoAnswer):
            wire.receive_bytes(0.05)
        wire.send(b"x")
        assert wire.response().status == 405
        assert wire.options(DOMAIN).status == 200


def test_an_invite_is_answered_once_for_each_copy(bridge: BridgeProcess) -> None:
    """RFC 3261 8.2.7: without Timer G, whose eleven answers would go to whoever a forged source names."""
    data = CASES["esc01"].data()
    with Wire(bridge, "udp", local(data, "udp")) as wire:
        wire.send(data)
        first = wire.receive_bytes()
        with pytest.raises(NoAnswer):
            wire.receive_bytes(1.7)  # Timer G would fire after half a second, and after one more
        wire.send(data)
        assert wire.receive_bytes() == first
        response = parse_message(first)
        assert isinstance(response, Response)
        wire.send(ack(data, response))
        assert wire.options(DOMAIN).status == 200


def test_a_datagram_from_another_port_is_answered_where_its_via_says(bridge: BridgeProcess) -> None:
    """RFC 3261 18.2.2 and RFC 3581: the address it came from; the port of Via, unless rport asks otherwise."""
    data = CASES["lwsdisp"].data()
    host, port = local(data, "udp")
    with Wire(bridge, "udp", (host, port)) as named, Wire(bridge, "udp", (host, 0)) as other:
        other.send(data)
        assert named.response().status == 200
        other.send(data.replace(b";branch=", b";rport;branch=x"))
        response = other.response()
        assert response.top_via.rport == other.local[1]
        assert response.top_via.received == host


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_multipart_body_of_a_known_sender_is_read_in_its_length(bridge: BridgeProcess, transport: str) -> None:
    """RFC 4475 section 3.1.1.11, with people of ours: the body is binary, and its text arrives."""
    message = parse_message(CASES["mpart01"].data())
    kind = message.first("Content-Type") or ""
    with Phone(bridge, "alice", transport) as alice:
        assert alice.register().status == 200
        answer = alice.ask("MESSAGE", f"sip:alice@{DOMAIN}", [("Content-Type", kind)], message.body)
        assert answer.status == 202
        assert alice.text() == (f"alice@{DOMAIN}", "Hello")
        assert alice.options(DOMAIN).status == 200
        gone = [("Contact", "*"), ("Expires", "0")]
        assert alice.ask("REGISTER", f"sip:{DOMAIN}", gone).status == 200


def test_a_text_still_passes_after_all_that(bridge: BridgeProcess) -> None:
    with Phone(bridge, "alice", "tcp") as alice:
        assert alice.register().status == 200
        assert alice.message("alice", "still here").status == 202
        assert alice.text() == (f"alice@{DOMAIN}", "still here")
