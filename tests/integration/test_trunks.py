"""The daemon and other SIP servers: found by DNS, tried one after the other, and known by their certificates."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.integration.wire import Phone
from tests.kit.daemon import INSIDE, BridgeProcess, Person, until
from tests.kit.dns_server import DnsServer
from tests.kit.ports import free_port
from tests.kit.trunk_certificates import Authority, Issued, make_authority
from tests.peers import Sipp
from transports.sip.wire.framing import StreamFramer
from transports.sip.wire.message import Request, Response, parse_message, respond_bytes

DOMAIN = "corp.example"
ALICE = Person(user="alice")
SECONDS = 10.0


class Listening:
    """A SIP server on a port of 127.0.0.1 that takes one connection after the other and answers what comes."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(SECONDS)
        self._tls = tls
        self.port: int = self._listener.getsockname()[1]
        self.certificate: bytes | None = None
        """What the other side has shown last."""

    def __enter__(self) -> Listening:
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()

    def request(self, method: str, status: int = 200) -> Request:
        """Takes a connection and returns the first request of a method on it; all are answered."""
        plain, _ = self._listener.accept()
        plain.settimeout(SECONDS)
        with plain if self._tls is None else self._tls.wrap_socket(plain, server_side=True) as connection:
            if isinstance(connection, ssl.SSLSocket):
                self.certificate = connection.getpeercert(binary_form=True)
            framer = StreamFramer()
            while data := connection.recv(65536):
                for item in framer.feed(data):
                    message = parse_message(item) if isinstance(item, bytes) else None
                    if isinstance(message, Request):
                        connection.sendall(respond_bytes(message, status, to_tag="s"))
                        if message.method == method:
                            return message
        raise AssertionError(f"the connection was closed without {method}")


def peer(address: str, *lines: str) -> str:
    return "\n".join(["[[sip.trusted_peers]]", 'name = "pbx"', f'address = "{address}"', *lines, ""])


def test_a_server_is_found_by_dns_and_a_dead_one_is_passed_over() -> None:
    """NAPTR to SRV to A (RFC 3263 4.1, 4.2), and the next target where a connection is refused (4.3)."""
    dead = free_port()
    with Listening() as server:
        zone = {
            "pbx.test": [["NAPTR", 60, 1, 1, "s", "SIP+D2T", "", "_sip._tcp.pbx.test"]],
            "_sip._tcp.pbx.test": [["SRV", 60, 1, 1, dead, "one.test"], ["SRV", 60, 2, 1, server.port, "two.test"]],
            "one.test": [["A", 60, "127.0.0.1"]],
            "two.test": [["A", 60, "127.0.0.1"]],
        }
        with (
            DnsServer(zone) as dns,
            BridgeProcess(
                [ALICE], INSIDE, sip=f'dns_servers = ["127.0.0.1:{dns.port}"]', more=peer("pbx.test", "ping = 0")
            ) as bridge,
            Phone(bridge, "alice") as alice,
        ):
            assert alice.register().status == 200
            assert alice.message("dora", "by way of DNS").status == 202
            request = server.request("MESSAGE")
            assert request.uri_text == f"sip:dora@{DOMAIN}"
            assert request.body == b"by way of DNS"
            assert request.first("P-Asserted-Identity") == f"<sip:alice@{DOMAIN}>"
            until(lambda: bridge.status()["messages"].get("outcome_delivered") == 1, SECONDS, "the outcome on record")
            assert bridge.audit("verify")["ok"]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("authority"))


@contextmanager
def secured(authority: Authority, port: int) -> Iterator[BridgeProcess]:
    """A bridge whose PBX is known by its certificate."""
    ours = authority.issue("bridge.corp.example", called="bridge")
    sip = f'certificate = "{ours.certificate}"\nkey = "{ours.key}"\nauthorities = "{authority.certificate}"'
    lines = ('transport = "tls"', 'certificate = "pbx.corp.example"', "ping = 1")
    with BridgeProcess([ALICE], INSIDE, sip=sip, more=peer(f"127.0.0.1:{port}", *lines)) as bridge:
        yield bridge


def serving(issued: Issued, authority: Authority) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(issued.certificate, issued.key)
    context.load_verify_locations(authority.certificate)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def test_a_server_that_proves_another_name_is_told_nothing(authority: Authority) -> None:
    """RFC 5922 7.2: the authority is the right one, the name is not; a wildcard proves nothing."""
    impostor = authority.issue("other.corp.example", "*.corp.example", called="impostor")
    with Listening(serving(impostor, authority)) as server, secured(authority, server.port) as bridge:
        with pytest.raises((AssertionError, ConnectionError)):
            server.request("OPTIONS")
        until(lambda: bridge.status()["peers"][0]["state"] == "down", SECONDS, "the peer to be refused")
        assert "is not pbx.corp.example" in bridge.log.read_text("utf-8")


def test_a_server_that_proves_its_name_sees_our_certificate(authority: Authority) -> None:
    pbx = authority.issue("pbx.corp.example", called="pbx")
    with Listening(serving(pbx, authority)) as server, secured(authority, server.port) as bridge:
        server.request("OPTIONS")
        assert server.certificate == ssl.PEM_cert_to_DER_cert((authority.folder / "bridge.pem").read_text("ascii"))
        until(lambda: bridge.status()["peers"][0]["state"] == "up", SECONDS, "the peer's answer")


@pytest.mark.parametrize(
    ("name", "status"), [("pbx.corp.example", 202), ("other.corp.example", 407), ("*.corp.example", 407), ("", 407)]
)
def test_who_connects_is_known_by_certificate(authority: Authority, name: str, status: int) -> None:
    with secured(authority, free_port()) as bridge:
        context = ssl.create_default_context(cafile=str(authority.certificate))
        if name:
            shown = authority.issue(name, called=f"client-{status}-{len(name)}")
            context.load_cert_chain(shown.certificate, shown.key)
        answer = _ask(bridge, context)
        assert answer.status == status
        if status == 202:
            assert [one["from"] for one in bridge.audit("show") if one.get("text") == "vouched"] == [
                f"sip/erin@{DOMAIN}"
            ]


def test_a_certificate_of_another_authority_ends_the_handshake(authority: Authority, tmp_path: Path) -> None:
    shown = make_authority(tmp_path).issue("pbx.corp.example")
    with secured(authority, free_port()) as bridge:
        context = ssl.create_default_context(cafile=str(authority.certificate))
        context.load_cert_chain(shown.certificate, shown.key)
        with pytest.raises((OSError, AssertionError)):
            _ask(bridge, context)


def _ask(bridge: BridgeProcess, context: ssl.SSLContext) -> Response:
    """Sends a MESSAGE without a password that somebody else is said to have sent."""
    lines = [
        ("Via", "SIP/2.0/TLS 127.0.0.1:5061;branch=z9hG4bKvouched"),
        ("Max-Forwards", "70"),
        ("From", '"Whoever" <sip:whoever@corp.example>;tag=1'),
        ("To", f"<sip:alice@{DOMAIN}>"),
        ("Call-ID", "vouched"),
        ("CSeq", "1 MESSAGE"),
        ("P-Asserted-Identity", f"<sip:erin@{DOMAIN}>"),
        ("Content-Type", "text/plain"),
    ]
    with Phone(bridge, "alice") as alice:
        assert alice.register().status == 200
        plain = socket.create_connection(("127.0.0.1", bridge.tls_port), SECONDS)
        with closing(context.wrap_socket(plain, server_hostname="bridge.corp.example")) as connection:
            connection.sendall(Request.build("MESSAGE", f"sip:alice@{DOMAIN}", lines, b"vouched").to_bytes())
            framer = StreamFramer()
            while data := connection.recv(65536):
                for item in framer.feed(data):
                    assert isinstance(item, bytes)
                    response = parse_message(item)
                    assert isinstance(response, Response)
                    if response.status == 202:
                        message = alice.incoming(lambda request: request.method == "MESSAGE")
                        assert str(message.from_.uri) == f"sip:erin@{DOMAIN}"
                        assert not message.has("P-Asserted-Identity")
                    return response
    raise AssertionError("the connection was closed")


@pytest.mark.peer
@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_sipp_as_a_pbx(transport: str) -> None:
    """From its own port it is believed; from another one, on the same host, it is asked for a password."""
    port = free_port()
    pbx = peer(f"127.0.0.1:{port}", f'transport = "{transport}"', "ping = 0")
    with (
        BridgeProcess([ALICE], INSIDE, more=pbx) as bridge,
        Phone(bridge, "alice", "tcp") as alice,  # it does not read while sipp runs: over UDP there would be copies
    ):
        assert alice.register().status == 200
        row = (f"erin@{DOMAIN}", f"alice@{DOMAIN}", "from the PBX")
        for local, successful in ((port, 3), (free_port(), 0)):
            with Sipp(
                "message_vouched", host="127.0.0.1", port=bridge.port, rows=[row], transport=transport,
                local_port=local, calls=3, limit=1,
            ) as sipp:  # fmt: skip
                assert sipp.wait(15.0).successful == successful
        assert [alice.text() for _ in range(3)] == [(f"erin@{DOMAIN}", f"from the PBX {n}") for n in (1, 2, 3)]
