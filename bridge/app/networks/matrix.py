"""Matrix: the transport and its mapping as one network."""

from collections.abc import Callable
from typing import Any, Protocol, cast

import structlog
from attrs import define

from bridge.app.networks.base import Surroundings
from bridge.app.networks.matrix_kind import MatrixOptions
from bridge.app.networks.matrix_registration import registration_of
from bridge.app.networks.sessions import SessionNetwork, SessionWire
from bridge.delivery.ports import Intake, Link, Refusal
from bridge.model.capabilities import Capabilities, SendResult, Support
from bridge.model.presence import PersonPresence
from mappings.matrix import MatrixMapping, notice
from mappings.matrix_presence import to_own
from transports.common.wire.native import LinkState
from transports.matrix.connector import MatrixTransport, TransportConfig
from transports.matrix.machine.config import SessionConfig
from transports.matrix.wire import native as wire

log = structlog.get_logger(__name__)

DUPLICATE_SECONDS = 4 * 3600.0
"""Homeservers push again for as long as they were not answered, with pauses that grow."""
_POLITE = "The person you want to reach cannot be written to in this way."
_FILES = "Files are not carried by this bridge. The other side is told that there was one, and how it is called."
_NO_FILES = frozenset({"m.sticker", "m.location"})
_ROOM_EVENTS = (wire.MessageReceived, wire.ReactionReceived, wire.RedactionReceived)


class _Admitting(Protocol):
    """A sink that tells beforehand what it would refuse: the ingress."""

    def admits(self, native: Any) -> bool:
        """Whether a native event would be taken."""


@define(eq=False)
class MatrixWire(SessionWire):
    """The Matrix transport as a port of delivery.

    What policy refuses is told to its sender in the room; an invitation is accepted as far as policy lets its sender
    write at all.
    """

    def deliver(self, native: Any, on_recorded: Callable[..., None]) -> None:
        """Takes what the transport hands in; ``on_recorded`` is told whether it is on record."""
        assert self.sink is not None
        if isinstance(native, LinkState):
            self._changed(native)
            on_recorded(True)
            return
        if isinstance(native, wire.Invited) and cast("_Admitting", self.sink).admits(native):
            # Nothing was said yet: what is going to be is judged and recorded, message by message.
            log.info("invited", network=self.network, account=native.account, by=native.sender, room=native.room)
            on_recorded(True)
            self._do(wire.Join(account=native.account, room=native.room, sender=native.sender))
            return

        def recorded(intake: Intake) -> None:
            refusal = intake.refusal
            on_record = intake.accepted or (refusal is not None and refusal.code != "unavailable")
            on_recorded(on_record)
            if on_record:
                self._after(native, refusal)

        self.sink.deliver(native, recorded)

    def _after(self, native: Any, refusal: Refusal | None) -> None:
        """Does what the protocol wants done about an event that is on record."""
        if isinstance(native, wire.Invited):
            if refusal is None:
                self._do(wire.Join(account=native.account, room=native.room, sender=native.sender))
            else:
                self._do(wire.Leave(account=native.account, room=native.room, reason=_POLITE))
        elif refusal is not None and isinstance(native, _ROOM_EVENTS):
            where = f" Reference: {refusal.reference}" if refusal.reference else ""
            self._say(native, f"[Your message was not delivered: {refusal.reason.rstrip('.')}.{where}]")
        elif isinstance(native, wire.MessageReceived) and native.media is not None and native.msgtype not in _NO_FILES:
            self._say(native, f"[{_FILES}]")

    def _say(self, native: Any, text: str) -> None:
        self._do(notice(native.account, native.sender, native.room, text, key=f"{native.event_id}/answer"))

    def _do(self, native: wire.Outbound) -> None:
        room = getattr(native, "room", "")
        key = ("own", type(native).__name__, native.account, room, getattr(native, "txn_id", ""))
        self.inner.send(native, key, 60.0, _done)


def _done(result: SendResult) -> None:
    """What became of something that nobody waits for."""
    if result.failure is not None:
        log.warning("not done on matrix", reason=result.failure.reason)


def build(around: Surroundings) -> SessionNetwork:
    """Builds a network of this kind.

    Raises:
        ValueError: an option is out of range, or its tokens cannot be used.
    """
    options: MatrixOptions = around.options
    if around.keys is None:
        raise ValueError("there is no folder for its tokens")
    registration = registration_of(around.network, options, around.keys)
    session = SessionConfig(
        service=registration.id,
        server_name=options.server_name,
        prefix=options.prefix,
        bot=options.bot,
        as_token=registration.as_token,
        hs_token=registration.hs_token,
        requests_per_second=options.requests_per_second,
        sign_ons_per_second=options.sign_ons_per_second,
        presence_refresh=options.presence_refresh,
    )
    config = TransportConfig(
        session=session,
        homeserver=options.homeserver.rstrip("/"),
        host=options.listen.host,
        port=options.listen.port,
    )
    capabilities = Capabilities(
        text=Support.FULL,
        html=Support.PARTIAL,
        typing=Support.FULL,
        presence=Support.PARTIAL,
        relayed_receipts=Support.FULL,
        displayed_receipts=Support.FULL,
        offline_messages=Support.FULL,
        edits=Support.PARTIAL,
        retractions=Support.PARTIAL,
        reactions=Support.PARTIAL,
        max_text_bytes=options.max_text_bytes,
    )
    transport: Any = MatrixTransport(config, around.reactor)
    port = MatrixWire(transport, capabilities, around.network)
    mapping = MatrixMapping(network=around.network, clock=around.clock)
    link: Link = Link(transport=port, mapping=mapping, duplicate_seconds=DUPLICATE_SECONDS)
    return SessionNetwork(port, link, around.clock, _own)


def _own(account: str, presence: PersonPresence, _now: float) -> wire.OwnPresence:
    return to_own(account, presence)[0]
