"""The self-signed certificate: it names what clients look for, and is made once."""

import ipaddress
from pathlib import Path

from cryptography import x509

from bridge.app.selfsigned import self_signed
from transports.sip.tls import TlsFiles, load_options


def names(path: Path) -> x509.SubjectAlternativeName:
    certificate = x509.load_pem_x509_certificate(path.read_bytes())
    return certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value


def test_it_names_the_domain_as_rfc_5922_wants_it_and_the_hosts(tmp_path: Path) -> None:
    certificate, _ = self_signed(tmp_path, "corp.example", ["127.0.0.1", "::1", "sip.corp.example", "corp.example"])
    found = names(certificate)
    assert found.get_values_for_type(x509.UniformResourceIdentifier) == ["sip:corp.example"]
    assert found.get_values_for_type(x509.DNSName) == ["corp.example", "sip.corp.example"]
    assert set(found.get_values_for_type(x509.IPAddress)) == {
        ipaddress.ip_address("127.0.0.1"),
        ipaddress.ip_address("::1"),
    }


def test_the_key_is_its_owners_alone_and_fits(tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path, "corp.example", [])
    assert key.stat().st_mode & 0o777 == 0o600
    load_options(TlsFiles(certificate=certificate, key=key))


def test_it_is_made_once(tmp_path: Path) -> None:
    first = [path.read_bytes() for path in self_signed(tmp_path, "corp.example", [])]
    assert [path.read_bytes() for path in self_signed(tmp_path, "corp.example", [])] == first
