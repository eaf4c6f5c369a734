"""A self-signed certificate, for trying tls without an authority. Clients must be told to trust it."""

import datetime as dt
import ipaddress
from collections.abc import Iterable
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from bridge.compliance.keys import write_private_file

_DAYS = 397


def self_signed(folder: Path, domain: str, hosts: Iterable[str]) -> tuple[Path, Path]:
    """Returns certificate and key files in ``folder``, made there if they are missing.

    The certificate names the SIP domain as RFC 5922 wants it (a ``sip:`` URI and a DNS name), and the hosts' addresses.

    Raises:
        KeyFileError: the files cannot be written.
    """
    certificate_path, key_path = folder / "cert.pem", folder / "key.pem"
    if certificate_path.exists() and key_path.exists():
        return certificate_path, key_path
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, domain)])
    names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(f"sip:{domain}"), x509.DNSName(domain)]
    for host in sorted(set(hosts)):
        try:
            names.append(x509.IPAddress(ipaddress.ip_address(host)))
        except ValueError:
            if host != domain:
                names.append(x509.DNSName(host))
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=_DAYS))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, SHA256())
    )
    write_private_file(key_path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), replace=True)
    certificate_path.write_bytes(certificate.public_bytes(Encoding.PEM))
    return certificate_path, key_path
