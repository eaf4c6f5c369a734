"""IRC: the transport and its mapping as one network."""

from typing import Any, cast

import structlog
from attrs import define, evolve
from twisted.internet.ssl import Certificate, PrivateCertificate, optionsForClientTLS, trustRootFromCertificates

from bridge.app.networks.base import Surroundings
from bridge.app.networks.irc_kind import IrcOptions
from bridge.app.networks.sessions import SessionNetwork, SessionWire
from bridge.delivery.ports import Link
from bridge.model.capabilities import Capabilities, Support
from bridge.model.presence import PersonPresence
from mappings.irc import IrcMapping, to_own
from transports.common.connector import TlsOptions
from transports.common.machine.comeback import ComebackTimes
from transports.irc.connector import IrcTransport, TransportConfig
from transports.irc.machine.config import Auth, NickInUse, SessionConfig
from transports.irc.wire import native as wire

log = structlog.get_logger(__name__)
_END_OF_CERTIFICATE = b"-----END CERTIFICATE-----"


@define(eq=False)
class IrcWire(SessionWire):
    """The IRC transport as a port of delivery."""

    def capabilities_of(self, user: str) -> Capabilities:
        """Returns what a user takes: the longer a name, the less of a line is left for the text."""
        limit = cast("IrcTransport", self.inner).text_limit(user)
        caps = self.capabilities
        return caps if limit >= caps.max_text_bytes else evolve(caps, max_text_bytes=limit)

    def taken(self, native: wire.Inbound) -> None:
        """Logs what concerns the link alone."""
        if isinstance(native, wire.Renamed):
            tell = log.info if native.wanted else log.warning
            tell("nickname", network=self.network, account=native.account, nick=native.nick)
        elif isinstance(native, wire.ChannelForced):
            log.warning("channel left", network=self.network, account=native.account, channel=native.channel)
        elif isinstance(native, wire.ServerNotice):
            log.info("server notice", network=self.network, account=native.account, source=native.source)


def build(around: Surroundings) -> SessionNetwork:
    """Builds a network of this kind.

    Raises:
        ValueError: an option is out of range, or a file of TLS cannot be used.
    """
    options: IrcOptions = around.options
    session = SessionConfig(
        host=options.server.host,
        port=options.server.port,
        auth=Auth(options.auth),
        services_account=options.services_account,
        realname=options.realname,
        nickserv=options.nickserv,
        regain=options.regain,
        nick_in_use=NickInUse(options.nick_in_use),
        regain_interval=options.regain_interval,
        messages_per_second=options.messages_per_second,
        burst=options.burst,
        poll_interval=options.poll_interval,
        verified_only=options.verified_only,
        max_text_bytes=options.max_text_bytes,
        killed_wait=options.killed_wait,
        comeback=ComebackTimes(elsewhere_wait=options.elsewhere_wait, elsewhere_times=options.elsewhere_times),
    )
    config = TransportConfig(
        session=session,
        signons_per_second=options.sign_ons_per_second,
        tls=_tls(options) if options.tls else None,
    )
    capabilities = Capabilities(
        text=Support.FULL,
        html=Support.PARTIAL,
        typing=Support.PARTIAL if options.typing else Support.DROPPED,
        presence=Support.FULL,
        relayed_receipts=Support.FULL,
        max_text_bytes=options.max_text_bytes,
    )
    transport = IrcWire(IrcTransport(config, around.reactor), capabilities, around.network)
    link: Link = Link(transport=transport, mapping=IrcMapping(network=around.network))
    return SessionNetwork(transport, link, around.clock, _own)


def _own(account: str, presence: PersonPresence, now: float) -> wire.OwnPresence:
    del now  # IRC has no idle time that a client could tell
    return to_own(account, presence)[0]


def _tls(options: IrcOptions) -> TlsOptions:
    """Makes the parameters of TLS by host name; the files are read now, so that a wrong one is told at the start."""
    more: dict[str, Any] = {}
    try:
        if options.tls_ca:
            parts = options.tls_ca.read_bytes().split(_END_OF_CERTIFICATE)[:-1]
            trusted = [Certificate.loadPEM(part + _END_OF_CERTIFICATE) for part in parts]
            more["trustRoot"] = trustRootFromCertificates(trusted)  # type: ignore[no-untyped-call]
        if options.tls_certificate:
            more["clientCertificate"] = PrivateCertificate.loadPEM(  # type: ignore[no-untyped-call]
                options.tls_certificate.read_bytes()
            )
    except Exception as error:
        raise ValueError(f"a TLS file cannot be used: {error}") from error

    def make(hostname: str) -> Any:
        return optionsForClientTLS(hostname, **more)

    return make
