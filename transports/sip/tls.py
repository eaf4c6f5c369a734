"""TLS for the SIP listeners: certificates that can be swapped while connections live, and whom a peer's names.

A pyOpenSSL Context cannot be changed after its first use, so a reload makes a new one: connections that are up keep
theirs, new ones get the new certificate.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Any, Final

from attrs import frozen
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from OpenSSL import SSL
from OpenSSL.crypto import X509
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator, IOpenSSLServerConnectionCreator
from twisted.internet.ssl import Certificate, CertificateOptions, TLSVersion, platformTrust, trustRootFromCertificates
from twisted.protocols.tls import TLSMemoryBIOProtocol
from zope.interface import implementer


class TlsError(ValueError):
    """A certificate or key cannot be used; the text says which file and why."""


PROTOCOLS: Final = (b"sip/2", b"http/1.1")
"""What clients may name in ALPN: SIP's own, and that of a WebSocket's handshake."""


@frozen(kw_only=True)
class TlsFiles:
    """PEM files: the certificate with its chain, its key, and the authorities whose clients' certificates count."""

    certificate: Path
    key: Path
    client_authorities: Path | None = None


def load_options(files: TlsFiles, *, platform: bool = False) -> CertificateOptions:
    """Reads the files; ``platform``: where they name no authorities, the system's are to be trusted.

    Raises:
        TlsError: a file cannot be read, or certificate and key do not belong together.
    """
    chain = certificates(files.certificate)
    try:
        key = load_pem_private_key(files.key.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise TlsError(f"{files.key}: {error}") from error
    if key.public_key() != chain[0].public_key():
        raise TlsError(f"{files.key} is not the key of {files.certificate}")
    trust: Any = platformTrust() if platform else None  # type: ignore[no-untyped-call]
    if files.client_authorities is not None:
        found = []
        for one in certificates(files.client_authorities):
            found.append(Certificate(X509.from_cryptography(one)))  # type: ignore[no-untyped-call]  # noqa: PERF401
        trust = trustRootFromCertificates(found)  # type: ignore[no-untyped-call]
    return CertificateOptions(
        privateKey=key,  # type: ignore[arg-type]
        certificate=chain[0],  # type: ignore[arg-type]
        extraCertChain=chain[1:],  # type: ignore[arg-type]
        raiseMinimumTo=TLSVersion.TLSv1_2,
        trustRoot=trust,
    )


def certificates(path: Path) -> list[x509.Certificate]:
    """Returns the certificates of a PEM file, one at least.

    Raises:
        TlsError: it cannot be read, or holds none.
    """
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


def _chosen(connection: SSL.Connection, offered: list[bytes]) -> Any:
    """Returns which protocol is spoken of those that a client names (RFC 7301), or none: it is not told then.

    Browsers always name some. Twisted's own choice wants a factory that is not on our connections, and ends the
    handshake of whoever names any.
    """
    del connection
    for name in PROTOCOLS:
        if name in offered:
            return name
    return SSL.NO_OVERLAPPING_PROTOCOLS


@implementer(IOpenSSLServerConnectionCreator)
class ServerTls:
    """Makes the TLS side of each new connection, with the certificate that was loaded last."""

    def __init__(self, files: TlsFiles) -> None:
        self._files = files
        self._context = self._load()

    def _load(self) -> SSL.Context:
        context = load_options(self._files).getContext()
        assert isinstance(context, SSL.Context)
        context.set_alpn_select_callback(_chosen)
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


class ClientTls:
    """Makes the TLS side of connections that we open to other servers: with our certificate, which they may ask for.

    Args:
        files: ``client_authorities`` are those that count; without them the system's do.
    """

    def __init__(self, files: TlsFiles) -> None:
        self._files = files
        self._context = self._load()

    def _load(self) -> SSL.Context:
        context = load_options(self._files, platform=True).getContext()
        assert isinstance(context, SSL.Context)
        return context

    def reload(self) -> None:
        """Reads the files again. Raises TlsError, and then goes on with what it has."""
        self._context = self._load()

    def creator(self, name: str) -> IOpenSSLClientConnectionCreator:
        """Returns what begins a handshake with whoever is to prove a name; that it does is checked by `proves`."""
        return _Client(self._context, name)


@implementer(IOpenSSLClientConnectionCreator)
class _Client:
    def __init__(self, context: SSL.Context, name: str) -> None:
        self._context = context
        self._name = name

    def clientConnectionForTLS(self, protocol: TLSMemoryBIOProtocol) -> SSL.Connection:  # noqa: N802 - Twisted's name
        """Returns the connection's TLS state."""
        del protocol
        connection = SSL.Connection(self._context, None)
        if _address(self._name) is None:
            connection.set_tlsext_host_name(self._name.encode("ascii"))
        return connection


def _address(name: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(name)
    except ValueError:
        return None


def proves(certificate: X509 | None, name: str) -> bool:
    """Whether a certificate, which has been verified, proves a name: a domain (RFC 5922 7.2) or an address."""
    address = _address(name)
    if address is None:
        return name.lower() in peer_domains(certificate)
    names = _alternative_names(certificate)
    return names is not None and address in names.get_values_for_type(x509.IPAddress)


def _alternative_names(certificate: X509 | None) -> x509.SubjectAlternativeName | None:
    if certificate is None:
        return None
    try:
        return certificate.to_cryptography().extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return None


def peer_domains(certificate: X509 | None) -> tuple[str, ...]:
    """Returns all SIP domains that a certificate proves (RFC 5922 7.1).

    Those are the hosts of ``sip:`` URIs without a user; where it has no ``sip:`` URI, its DNS names. Wildcards prove
    nothing, and neither does the common name.
    """
    names = _alternative_names(certificate)
    if names is None:
        return ()
    uris = [uri for uri in names.get_values_for_type(x509.UniformResourceIdentifier) if uri[:4].lower() == "sip:"]
    if uris:
        hosts = [uri[4:].partition(";")[0] for uri in uris]
        return tuple(host.lower() for host in hosts if host and "@" not in host and "*" not in host)
    return tuple(name.lower() for name in names.get_values_for_type(x509.DNSName) if "*" not in name)
