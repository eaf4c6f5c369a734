"""XMPP: the transport and its mapping as one network, of client accounts or of a component's domain."""

import ssl
from collections.abc import Callable
from pathlib import Path

import structlog
from attrs import define

from bridge.app.networks.base import Surroundings
from bridge.app.networks.sessions import SessionNetwork, SessionWire
from bridge.app.networks.xmpp_kind import XmppOptions
from bridge.delivery.ports import Intake, Link, Refusal
from bridge.model.capabilities import Capabilities, SendResult, Support
from bridge.model.presence import PersonPresence
from mappings.xmpp import XmppMapping
from mappings.xmpp_errors import of_refusal, type_of
from mappings.xmpp_presence import to_own
from transports.common.machine.comeback import ComebackTimes
from transports.common.machine.turns import Rates
from transports.xmpp.connector import XmppTransport
from transports.xmpp.transportconfig import TransportConfig
from transports.xmpp.wire import native as wire

log = structlog.get_logger(__name__)

MAX_SECRET = 4096


@define(eq=False)
class XmppWire(SessionWire):
    """The XMPP transport as a port of delivery."""

    def deliver(self, native: wire.Inbound, on_recorded: Callable[[], None]) -> None:
        """Takes what the transport hands in. A message that is refused goes back to its sender as an error.

        On record it is in any case, with the reference that the error names.
        """
        if not isinstance(native, wire.MessageReceived):
            super().deliver(native, on_recorded)
            return
        assert self.sink is not None

        def recorded(intake: Intake) -> None:
            refusal = intake.refusal
            if intake.accepted or (refusal is not None and refusal.code != "unavailable"):
                on_recorded()
            if refusal is not None and refusal.code != "duplicate":
                self._give_back(native, refusal)

        self.sink.deliver(native, recorded)

    def _give_back(self, native: wire.MessageReceived, refusal: Refusal) -> None:
        if not native.id or native.carbon or native.stamp is not None:
            return  # an error for it would mean another message, or nothing, to who wrote it
        if refusal.code == "unavailable":
            return  # it comes again, unless its stream cannot be resumed
        condition = of_refusal(refusal.code)
        reference = f" Reference: {refusal.reference}" if refusal.reference else ""
        answer = wire.FailureSend(
            account=native.account,
            to=native.sender,
            id=native.id,
            condition=condition,
            type=type_of(condition),
            text=f"{refusal.reason}.{reference}",
        )
        self.inner.send(answer, ("refused", native.account, native.sender, native.id), None, _sent)


def _sent(result: SendResult) -> None:
    if result.failure is not None:
        log.warning("a refusal could not be told", reason=result.failure.reason)


def build(around: Surroundings) -> SessionNetwork:
    """Builds a network of this kind.

    Raises:
        ValueError: an option is out of range, or one that the mode needs is missing.
    """
    options: XmppOptions = around.options
    component = options.mode == "component"
    if component and (options.server is None or not options.component or options.secret_file is None):
        raise ValueError('mode = "component" needs server, component and secret_file')
    config = TransportConfig(
        component=options.component.lower() if component else None,
        host=None if options.server is None else options.server.host,
        port=None if options.server is None else options.server.port,
        secret=_secret(options.secret_file) if component else "",
        tls=options.tls,
        context=None if component else _context(options.ca_file),
        resource=options.resource,
        signons=Rates(network=options.sign_ons_per_second),
        comeback=ComebackTimes(elsewhere_wait=options.elsewhere_wait, elsewhere_times=options.elsewhere_times),
        resume_within=options.resume_within,
        ping_after=options.ping_after,
        ping_timeout=options.ping_timeout,
        carbons=options.carbons,
    )
    capabilities = Capabilities(
        text=Support.FULL,
        html=Support.PARTIAL,
        typing=Support.FULL,
        presence=Support.FULL if component else Support.PARTIAL,
        relayed_receipts=Support.FULL,
        delivered_receipts=Support.PARTIAL,
        displayed_receipts=Support.PARTIAL,
        offline_messages=Support.PARTIAL,
        edits=Support.FULL,
        max_text_bytes=options.max_text_bytes,
    )
    transport = XmppWire(XmppTransport(config, around.reactor), capabilities, around.network)
    mapping = XmppMapping(network=around.network, component=component)
    link: Link = Link(transport=transport, mapping=mapping)

    def own(account: str, presence: PersonPresence, now: float) -> wire.OwnPresence:
        del now
        return to_own(account, presence, always_there=not component)[0]

    return SessionNetwork(transport, link, around.clock, own)


def _secret(path: Path | None) -> str:
    try:
        secret = "" if path is None else path.read_bytes()[:MAX_SECRET].decode().strip()
    except (OSError, UnicodeDecodeError) as e:
        raise ValueError(f"secret_file: {path}: {e}") from e
    if not secret:
        raise ValueError(f"secret_file: {path} is empty")
    return secret


def _context(ca_file: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))
    except (OSError, ssl.SSLError) as e:
        raise ValueError(f"ca_file: {ca_file}: {e}") from e
