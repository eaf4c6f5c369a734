"""TLS for the SIP listeners: certificates that can be swapped while connections live, and whom a peer's names.

A pyOpenSSL Context cannot be changed after its first use, so a reload makes a new one: connections that are up keep
theirs, new ones get the new certificate.
"""

from __future__ import annotations

from pathlib import Path

from attrs import frozen
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from OpenSSL import SSL
from OpenSSL.crypto import X509
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.internet.ssl import Certificate, CertificateOptions, TLSVersion, trustRootFromCertificates
from twisted.protocols.tls import TLSMemoryBIOProtocol
from zope.interface import implementer


class TlsError(ValueError):
    """A certificate or key cannot be used; the text says which file and why."""


@frozen(kw_only=True)
class TlsFiles:
    """PEM files: the certificate with its chain, its key, and the authorities whose clients' certificates count."""

    certificate: Path
    key: Path
    client_authorities: Path | None = None


def load_options(files: TlsFiles) -> CertificateOptions:
    """Reads the files.

    Raises:
        TlsError: a file cannot be read, or certificate and key do not belong together.
    """
    chain = _certificates(files.certificate)
    try:
        key = load_pem_private_key(files.key.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise TlsError(f"{files.key}: {error}") from error
    if key.public_key() != chain[0].public_key():
        raise TlsError(f"{files.key} is not the key of {files.certificate}")
    trust = None
    if files.client_authorities is not None:
        found = []
        for one in _certificates(files.client_authorities):
            found.append(Certificate(X509.from_cryptography(one)))  # type: ignore[no-untyped-call]  # noqa: PERF401
        trust = trustRootFromCertificates(found)  # type: ignore[no-untyped-call]
    return CertificateOptions(
        privateKey=key,  # type: ignore[arg-type]
        certificate=chain[0],  # type: ignore[arg-type]
        extraCertChain=chain[1:],  # type: ignore[arg-type]
        raiseMinimumTo=TLSVersion.TLSv1_2,
        trustRoot=trust,
    )


def _certificates(path: Path) -> list[x509.Certificate]:
    try:
        found = x509.load_pem_x509_certificates(path.read_bytes())
    except (OSError, ValueError) as error:
        raise TlsError(f"{path}: {error}") from error
    if not found:
        raise TlsError(f"{path}: no certificate in it")
    return found


def _verified(connection: SSL.Connection, certificate: X509, error: int, depth: int, good: int) -> bool:
    """What OpenSSL found counts: a certificate that does not verify ends the handshake."""
    del connection, certificate, error, depth
    return bool(good)


@implementer(IOpenSSLServerConnectionCreator)
class ServerTls:
    """Makes the TLS side of each new connection, with the certificate that was loaded last."""

    def __init__(self, files: TlsFiles) -> None:
        self._files = files
        self._context = self._load()

    def _load(self) -> SSL.Context:
        context = load_options(self._files).getContext()
        assert isinstance(context, SSL.Context)
        if self._files.client_authorities is not None:
            # Asked for, not demanded: softphones have none, trunks do.
            context.set_verify(SSL.VERIFY_PEER, _verified)
        return context

    def reload(self) -> None:
        """Reads the files again. Raises TlsError, and then goes on with what it has."""
        self._context = self._load()

    def serverConnectionForTLS(self, protocol: TLSMemoryBIOProtocol) -> SSL.Connection:  # noqa: N802 - Twisted's name
        """Returns the connection's TLS state."""
        del protocol
        return SSL.Connection(self._context, None)


def peer_domain(certificate: X509 | None) -> str | None:
    """Returns the SIP domain that a certificate proves (RFC 5922 7.1), or None.

    That is the host of a ``sip:`` URI without a user; where it has no such URI, a DNS name. Wildcards prove nothing.
    """
    if certificate is None:
        return None
    try:
        names = certificate.to_cryptography().extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return None
    uris = [uri for uri in names.get_values_for_type(x509.UniformResourceIdentifier) if uri.startswith("sip:")]
    for uri in uris:
        host = uri[4:].partition(";")[0]
        if host and "@" not in host:
            return host.lower()
    if uris:
        return None
    for name in names.get_values_for_type(x509.DNSName):
        if "*" not in name:
            return name.lower()
    return None
