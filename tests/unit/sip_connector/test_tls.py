"""Certificates: what can be loaded, and whom they name (RFC 5922)."""

from pathlib import Path

import pytest
from cryptography import x509
from OpenSSL.crypto import X509

from tests.unit.sip_connector.pem import make_certificate, make_pair
from transports.sip.tls import ServerTls, TlsError, TlsFiles, load_options, peer_domain


@pytest.mark.parametrize(
    ("names", "domain"),
    [
        ([x509.UniformResourceIdentifier("sip:Example.test"), x509.DNSName("other.test")], "example.test"),
        ([x509.UniformResourceIdentifier("sip:alice@example.test"), x509.DNSName("example.test")], None),
        ([x509.UniformResourceIdentifier("https://example.test"), x509.DNSName("example.test")], "example.test"),
        ([x509.DNSName("*.example.test")], None),
        ([x509.DNSName("*.example.test"), x509.DNSName("B.example.test")], "b.example.test"),
        ([], None),
    ],
)
def test_whom_a_certificate_names(names: list[x509.GeneralName], domain: str | None) -> None:
    certificate, _ = make_certificate(*names)
    assert peer_domain(X509.from_cryptography(certificate)) == domain


def test_no_certificate_names_nobody() -> None:
    assert peer_domain(None) is None


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


def test_client_authorities_are_loaded(tmp_path: Path) -> None:
    files = make_pair(tmp_path)
    ServerTls(TlsFiles(certificate=files.certificate, key=files.key, client_authorities=files.certificate))
