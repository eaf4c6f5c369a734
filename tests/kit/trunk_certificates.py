"""An authority of certificates for trunks over TLS, new each time, and what it issues."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from attrs import field, frozen
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat


@frozen(kw_only=True)
class Issued:
    """PEM files."""

    certificate: Path
    key: Path


@frozen(kw_only=True)
class Authority:
    """An authority whose certificate stands in a file."""

    folder: Path
    certificate: Path
    _own: x509.Certificate = field(alias="own")
    _key: ec.EllipticCurvePrivateKey = field(alias="key")

    def issue(self, *names: str | x509.GeneralName, called: str = "") -> Issued:
        """Issues a certificate for DNS names, or other names, and returns its files."""
        general = [x509.DNSName(name) if isinstance(name, str) else name for name in names]
        key = ec.generate_private_key(ec.SECP256R1())
        made = (
            _builder("member", self._own.subject, key)
            .add_extension(x509.SubjectAlternativeName(general), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        name = called or str(names[0])
        return Issued(certificate=_write(self.folder / f"{name}.pem", made), key=_write_key(self.folder, name, key))


def make_authority(folder: Path) -> Authority:
    """Makes an authority; its certificate and all that it issues are written into a folder."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "authority")])
    own = (
        _builder("authority", name, key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    return Authority(folder=folder, certificate=_write(folder / "authority.pem", own), own=own, key=key)


def _builder(subject: str, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, subject)]))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
    )


def _write(path: Path, certificate: x509.Certificate) -> Path:
    path.write_bytes(certificate.public_bytes(Encoding.PEM))
    return path


def _write_key(folder: Path, name: str, key: ec.EllipticCurvePrivateKey) -> Path:
    path = folder / f"{name}.key"
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return path
