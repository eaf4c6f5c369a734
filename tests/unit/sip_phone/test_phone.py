"""The SIP client over real sockets on loopback, with the SIP transport as its server."""

import socket
from collections.abc import AsyncIterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any, TypeVar

import pytest
import pytest_twisted
from attrs import evolve
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.kit.sip import DOMAIN, PASSWORD, People
from tests.unit.sip_connector.pem import make_certificate
from tests.unit.sip_connector.running import Intake, Refusal, Sink, asynchronous, pause, until
from transports.sip.connector import SipTransport
from transports.sip.machine.config import EndpointConfig
from transports.sip.machine.flow import Target
from transports.sip.machine.uac import Accepted, Arrived, Refused, Registered, Seen, Sent
from transports.sip.phone import Lost, Phone, PhoneConfig, PhoneError, PhoneEvent
from transports.sip.seams import SipTransportConfig, parse_listener
from transports.sip.tls import TlsFiles
from transports.sip.wire.native import SipMessage, SipPresence, SipRegistration, SipWatch
from transports.sip.wire.pidf import Pidf, PidfTuple, build_pidf

FRIEND = "sip:friend@aim.example.test"
E = TypeVar("E")


def _reactor() -> Any:
    from twisted.internet import reactor

    return reactor


def _files(folder: Path) -> TlsFiles:
    certificate, key = make_certificate(x509.IPAddress(ip_address("127.0.0.1")))
    files = TlsFiles(certificate=folder / "cert.pem", key=folder / "key.pem")
    files.certificate.write_bytes(certificate.public_bytes(Encoding.PEM))
    files.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return files


class Server:
    """A SIP transport with its sink, on the ports that it had before, if it is started again."""

    def __init__(self, folder: Path) -> None:
        self.files = _files(folder)
        self.sink = Sink()
        self.ports = {"udp": 0, "tcp": 0, "tls": 0}
        self.transport: SipTransport

    async def start(self) -> None:
        """Starts."""
        listen = tuple(parse_listener(f"{kind}:127.0.0.1:{port}") for kind, port in self.ports.items())
        endpoint = EndpointConfig(domain=DOMAIN, listeners=listen, network_domains=frozenset({"aim.example.test"}))
        self.transport = SipTransport(
            SipTransportConfig(endpoint=endpoint, tls=self.files),
            reactor=_reactor(),
            accounts=People({"alice"}),
            secret=b"0123456789abcdef",
        )
        await self.transport.start(self.sink)
        self.ports = {listener.transport: listener.port for listener in self.transport.listeners}

    async def stop(self) -> None:
        """Stops."""
        await self.transport.stop(drain=0.0)
        await pause(0.02)


class Caller:
    """A phone and what it has told."""

    def __init__(self, at: Server, kind: str = "udp", **changes: Any) -> None:
        config = PhoneConfig(
            aor=f"alice@{DOMAIN}",
            username="alice",
            password=PASSWORD,
            server=Target(kind, "127.0.0.1", at.ports[kind]),
            authority=at.files.certificate.read_bytes() if kind == "tls" else b"",
        )
        self.events: list[PhoneEvent] = []
        self.connected = 0
        self.phone = Phone(
            evolve(config, **changes), reactor=_reactor(), on_event=self.events.append, on_connected=self._connected
        )

    def _connected(self) -> None:
        self.connected += 1

    async def see(self, kind: type[E], seconds: float = 5.0) -> E:
        """Waits for an event of a kind, and takes it."""
        await until(lambda: any(isinstance(event, kind) for event in self.events), seconds)
        found = next(event for event in self.events if isinstance(event, kind))
        self.events.remove(found)
        return found

    async def register(self) -> None:
        """Opens the way and registers."""
        await self.phone.start()
        self.phone.register()
        assert (await self.see(Registered)).expires == 3600


@pytest_twisted.async_yield_fixture  # type: ignore[untyped-decorator]
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    """A server that runs."""
    it = Server(tmp_path)
    await it.start()
    yield it
    await it.stop()


@pytest.mark.parametrize("kind", ["udp", "tcp", "tls"])
@asynchronous
async def test_a_conversation_and_an_end(server: Server, kind: str) -> None:
    caller = Caller(server, kind)
    await caller.register()
    assert f"transport={kind}" in caller.phone.contact
    caller.phone.send(FRIEND, "größer 👋".encode(), "one")
    assert await caller.see(Sent) == Sent("one", 202)
    (message,) = server.sink.messages
    assert message.body == "größer 👋".encode()
    native = SipMessage(
        aor=f"alice@{DOMAIN}", peer=FRIEND, call_id="", cseq=0, content_type="text/plain", body=b"and back"
    )
    results: list[Any] = []
    server.transport.send(native, key="k", deadline=_reactor().seconds() + 5, on_result=results.append)
    assert (await caller.see(Arrived)).body == b"and back"
    await until(lambda: results)
    caller.phone.subscribe(FRIEND)
    await caller.see(Accepted)
    (watch,) = (native for native in server.sink.natives if isinstance(native, SipWatch))
    shown = SipPresence(target=FRIEND, watcher=None, pidf=b"<x/>", state="active", subscription=watch.id)
    server.transport.send(shown, key="p", deadline=0.0, on_result=results.append)
    await until(lambda: any(isinstance(event, Seen) and event.pidf for event in caller.events))
    caller.phone.publish(build_pidf(Pidf(entity=f"sip:alice@{DOMAIN}", tuples=(PidfTuple(id="t1", basic="open"),))))
    published = await caller.see(Accepted)
    assert published.method == "PUBLISH"

    await caller.phone.stop(seconds=5.0)
    assert not caller.phone.connected
    registrations = [native for native in server.sink.natives if isinstance(native, SipRegistration)]
    assert [one.contacts for one in registrations] == [1, 0]
    watches = [native.expires for native in server.sink.natives if isinstance(native, SipWatch)]
    assert watches[0] > 0
    assert watches[-1] == 0


@asynchronous
async def test_refusals_are_told_with_status_and_reason(server: Server) -> None:
    caller = Caller(server)
    await caller.register()
    server.sink.intake = Intake(accepted=False, refusal=Refusal("forbidden", "no way", "0199-ref"))
    caller.phone.send(FRIEND, b"x", "k")
    assert await caller.see(Refused) == Refused("MESSAGE", "k", 403, "no way (reference 0199-ref)")
    await caller.phone.stop()


@asynchronous
async def test_a_wrong_password_is_refused(server: Server) -> None:
    caller = Caller(server, password="another")
    await caller.phone.start()
    caller.phone.register()
    refused = await caller.see(Refused)
    assert (refused.method, refused.status) == ("REGISTER", 401)
    await caller.phone.stop()
    assert not any(isinstance(native, SipRegistration) for native in server.sink.natives)


@asynchronous
async def test_a_datagram_from_elsewhere_is_dropped(server: Server) -> None:
    caller = Caller(server)
    await caller.register()
    _, _, address = caller.phone.contact.partition("@")
    host, _, port = address.partition(";")[0].rpartition(":")
    forged = (
        f"MESSAGE {caller.phone.contact} SIP/2.0\r\n"
        "Via: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bKx\r\nMax-Forwards: 70\r\n"
        f"From: <{FRIEND}>;tag=1\r\nTo: <sip:alice@{DOMAIN}>\r\nCall-ID: 1\r\nCSeq: 1 MESSAGE\r\n"
        "Content-Type: text/plain\r\nContent-Length: 4\r\n\r\nfake"
    )
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.sendto(forged.encode(), (host, int(port)))
        await until(lambda: caller.phone.dropped == 1)
    assert not any(isinstance(event, Arrived) for event in caller.events)
    await caller.phone.stop()


@asynchronous
async def test_a_connection_that_breaks_is_made_again(server: Server) -> None:
    caller = Caller(server, "tcp")
    await caller.register()
    server.sink.intake = None  # so that the message is under way
    caller.phone.send(FRIEND, b"x", "k")
    await until(lambda: server.sink.waiting)
    await server.stop()
    refused = await caller.see(Refused)
    assert (refused.key, refused.status) == ("k", 0)
    lost = await caller.see(Lost)
    assert lost.retry_in == 1.0
    with pytest.raises(PhoneError, match="no connection now"):
        caller.phone.send(FRIEND, b"y", "l")
    server.sink = Sink()
    await server.start()
    await until(lambda: caller.connected == 1, 8.0)
    caller.phone.register()
    await caller.see(Registered)
    caller.phone.send(FRIEND, b"z", "m")
    assert await caller.see(Sent) == Sent("m", 202)
    await caller.phone.stop()


@pytest.mark.parametrize(
    ("kind", "changes", "what"),
    [
        ("tcp", {"server": Target("tcp", "127.0.0.1", 1)}, "tcp:127.0.0.1:1: .*refused"),
        ("tcp", {"server": Target("tcp", "no.such.host.invalid", 5060)}, "tcp:no.such.host.invalid:5060: "),
        ("tls", {"authority": b""}, "TLS failed"),
        ("tls", {"authority": b"-----BEGIN CERTIFICATE-----\nnone\n-----END CERTIFICATE-----\n"}, "tls:127.0.0.1:"),
    ],
)
@asynchronous
async def test_no_way_to_the_server(server: Server, kind: str, changes: dict[str, Any], what: str) -> None:
    caller = Caller(server, kind, **changes)
    with pytest.raises(PhoneError, match=what):
        await caller.phone.start()
    assert not caller.phone.connected
    await caller.phone.stop()


@asynchronous
async def test_a_host_name_is_resolved(server: Server) -> None:
    caller = Caller(server, server=Target("udp", "localhost", server.ports["udp"]))
    await caller.register()
    await caller.phone.stop()
