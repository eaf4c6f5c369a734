"""Certificates: what can be loaded, and whom they name (RFC 5922)."""

from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from OpenSSL import SSL
from OpenSSL.crypto import X509

from tests.unit.sip_connector.pem import make_certificate, make_pair
from transports.sip.tls import ServerTls, TlsError, TlsFiles, load_options, peer_domains, proves


@pytest.mark.parametrize(
    ("names", "domains"),
    [
        ([x509.UniformResourceIdentifier("sip:Example.test"), x509.DNSName("other.test")], ("example.test",)),
        ([x509.UniformResourceIdentifier("sip:alice@example.test"), x509.DNSName("example.test")], ()),
        ([x509.UniformResourceIdentifier("https://example.test"), x509.DNSName("example.test")], ("example.test",)),
        ([x509.DNSName("*.example.test")], ()),
        ([x509.DNSName("*.example.test"), x509.DNSName("B.example.test")], ("b.example.test",)),
        ([], ()),
    ],
)
def test_whom_a_certificate_names(names: list[x509.GeneralName], domains: tuple[str, ...]) -> None:
    certificate, _ = make_certificate(*names)
    assert peer_domains(X509.from_cryptography(certificate)) == domains


def test_no_certificate_names_nobody() -> None:
    assert peer_domains(None) == ()


def test_files_that_cannot_be_used(tmp_path: Path) -> None:
    files = make_pair(tmp_path)
    load_options(files)
    (tmp_path / "other").mkdir()
    other = make_pair(tmp_path / "other")
    with pytest.raises(TlsError, match=r"key.pem is not the key of .*cert.pem"):
        load_options(TlsFiles(certificate=files.certificate, key=other.key))
    with pytest.raises(TlsError, match=r"none.pem"):
        load_options(TlsFiles(certificate=tmp_path / "none.pem", key=files.key))
    with pytest.raises(TlsError, match=r"cert.pem"):
        load_options(TlsFiles(certificate=files.certificate, key=files.certificate))
    files.certificate.write_text("")
    with pytest.raises(TlsError, match=r"cert.pem"):
        load_options(files)


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        ((), b""),
        ((b"h2", b"http/1.1"), b"http/1.1"),  # a browser that opens a WebSocket
        ((b"http/1.1", b"sip/2"), b"sip/2"),
        ((b"h2", b"x"), b""),
    ],
)
def test_a_client_may_name_protocols(tmp_path: Path, offered: tuple[bytes, ...], chosen: bytes) -> None:
    """RFC 7301: whatever it names, the handshake is done; what neither side speaks is not chosen."""
    server = ServerTls(make_pair(tmp_path)).serverConnectionForTLS(None)  # type: ignore[arg-type]
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    if offered:
        context.set_alpn_protos(list(offered))
    client = SSL.Connection(context, None)
    client.set_connect_state()
    server.set_accept_state()
    for _ in range(6):
        for one, other in ((client, server), (server, client)):
            with suppress(SSL.WantReadError):
                one.do_handshake()
            with suppress(SSL.WantReadError):
                other.bio_write(one.bio_read(65_536))
    client.send(b"hello")
    server.bio_write(client.bio_read(65_536))
    assert server.recv(5) == b"hello"
    assert client.get_alpn_proto_negotiated() == server.get_alpn_proto_negotiated() == chosen


def test_client_authorities_are_loaded(tmp_path: Path) -> None:
    files = make_pair(tmp_path)
    ServerTls(TlsFiles(certificate=files.certificate, key=files.key, client_authorities=files.certificate))


@pytest.mark.parametrize(
    ("names", "name", "proved"),
    [
        ([x509.DNSName("pbx.test")], "PBX.test", True),
        ([x509.DNSName("a.test"), x509.DNSName("pbx.test")], "pbx.test", True),
        ([x509.DNSName("*.test")], "pbx.test", False),  # RFC 5922 7.2
        ([x509.DNSName("pbx.test")], "sub.pbx.test", False),
        ([x509.DNSName("sub.pbx.test")], "pbx.test", False),
        (
            [x509.UniformResourceIdentifier("sip:pbx.test"), x509.UniformResourceIdentifier("sip:b.test")],
            "b.test",
            True,
        ),
        ([x509.UniformResourceIdentifier("SIP:pbx.test;x=1")], "pbx.test", True),
        ([x509.UniformResourceIdentifier("sip:*.test")], "*.test", False),
        ([x509.UniformResourceIdentifier("sip:a.test"), x509.DNSName("pbx.test")], "pbx.test", False),
        ([x509.IPAddress(ip_address("192.0.2.1"))], "192.0.2.1", True),
        ([x509.IPAddress(ip_address("2001:db8::1"))], "2001:DB8:0::1", True),
        ([x509.IPAddress(ip_address("192.0.2.1"))], "192.0.2.2", False),
        ([x509.DNSName("192.0.2.1")], "192.0.2.1", False),
        ([], "test", False),  # the common name is no proof
    ],
)
def test_what_a_server_proves(names: list[x509.GeneralName], name: str, proved: bool) -> None:
    certificate, _ = make_certificate(*names)
    assert proves(X509.from_cryptography(certificate), name) is proved
    assert not proves(None, name)
