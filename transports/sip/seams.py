"""Where the SIP transport meets the bridge: what it is told, whom it speaks to, and what a refusal is in SIP."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from attrs import field, frozen

from bridge.model.body import Failure, Stage
from bridge.model.capabilities import SendResult
from transports.sip.machine.config import EndpointConfig, Listener
from transports.sip.machine.flow import TRANSPORTS, HostPort
from transports.sip.machine.ports import Done, StoredBinding, StoredPublication
from transports.sip.tls import TlsFiles
from transports.sip.wire.native import SipNative

STATUS: Mapping[str, int] = {
    "forbidden": 403,
    "not-found": 404,
    "no-binding": 403,
    "bad-request": 400,
    "bad-extension": 420,
    "too-large": 413,
    "unsupported": 415,
    "unavailable": 503,
    "duplicate": 202,
}
"""The SIP status of each code of a refusal."""


class RefusalLike(Protocol):
    """Why the bridge refuses an event."""

    @property
    def code(self) -> str:
        """A key of `STATUS`."""

    @property
    def reason(self) -> str:
        """A text for the sender."""

    @property
    def reference(self) -> str:
        """Under what the record has it."""

    @property
    def retry_after(self) -> float | None:
        """Seconds."""


class IntakeLike(Protocol):
    """What became of a native event that was handed in."""

    @property
    def accepted(self) -> bool:
        """It is on record and goes on."""

    @property
    def held(self) -> bool:
        """It is on record and waits for a reviewer."""

    @property
    def refusal(self) -> RefusalLike | None:
        """Why not, where it was not accepted."""


def ignore(intake: IntakeLike) -> None:
    """Takes what became of presence and registrations: nobody waits for it."""


NO_WATCHER = SendResult(
    stage=Stage.FAILED,
    failure=Failure(reason="no-watcher", retryable=False, certain=True, user_text="Nobody watches this presence"),
)


class SinkLike(Protocol):
    """Where native events go."""

    def deliver(self, native: SipNative, on_recorded: Callable[[IntakeLike], None]) -> None:
        """Takes an event; ``on_recorded`` is called once, after the commit."""


class Bindings(Protocol):
    """Keeps registrations, as `machine.ports.BindingStore` without a clock."""

    def save(self, aor: str, bindings: tuple[StoredBinding, ...], done: Callable[[bool], None]) -> None:
        """Makes ``bindings`` all there is of ``aor``; ``done`` is called once, on the reactor's thread."""

    def load(self) -> tuple[StoredBinding, ...]:
        """Returns what was kept."""


class Publications(Protocol):
    """Keeps publications, as `machine.ports.PublicationStore` without a clock."""

    def put(self, publication: StoredPublication, done: Callable[[bool], None]) -> None:
        """Keeps one; ``done`` is called once, on the reactor's thread."""

    def remove(self, publication_id: str) -> None:
        """Forgets one, if it is there."""

    def load(self) -> tuple[StoredPublication, ...]:
        """Returns what was kept."""


@frozen(kw_only=True)
class ConnectionLimits:
    """Bounds on connections. Times in seconds, sizes in bytes."""

    connections: int = 20_000
    connections_per_source: int = 256
    write_buffer: int = 1024 * 1024
    """What a peer that does not read may owe before it is dropped, beyond the socket's buffer."""
    idle: float = 7200.0
    unfinished: float = 30.0
    """For a TLS handshake, and for a message that has begun."""
    connect: float = 10.0
    dials: int = 512
    """Connections of ours that are being made at once. Each takes a descriptor, and a Contact may lead nowhere."""
    origins: frozenset[str] = frozenset()
    """The web pages whose scripts may open a WebSocket, as the Origin header names them; empty: all."""


@frozen(kw_only=True)
class SipTransportConfig:
    """All that a `SipTransport` is told. ``endpoint.listeners`` says where to listen; port 0 is any."""

    endpoint: EndpointConfig
    tls: TlsFiles | None = None
    limits: ConnectionLimits = field(factory=ConnectionLimits)
    dns_servers: tuple[HostPort, ...] = ()
    """Whom to ask for other servers; none named: those of the system."""
    shared_port: bool = False
    backlog: int = 1024


class TimedBindings:
    """Gives the endpoint's clock to the answers of a store, and sends what they let go."""

    def __init__(self, inner: Bindings, now: Callable[[], float], flush: Callable[[], None]) -> None:
        self._inner = inner
        self._now = now
        self._flush = flush

    def save(self, aor: str, bindings: tuple[StoredBinding, ...], done: Done) -> None:
        """Saves, and tells the time of the end."""

        def saved(durable: bool) -> None:
            done(durable, self._now())
            self._flush()

        self._inner.save(aor, bindings, saved)

    def load(self) -> tuple[StoredBinding, ...]:
        """Returns what was kept."""
        return self._inner.load()


class TimedPublications:
    """The same for publications."""

    def __init__(self, inner: Publications, now: Callable[[], float], flush: Callable[[], None]) -> None:
        self._inner = inner
        self._now = now
        self._flush = flush

    def put(self, publication: StoredPublication, done: Done) -> None:
        """Keeps one, and tells the time of the end."""

        def kept(durable: bool) -> None:
            done(durable, self._now())
            self._flush()

        self._inner.put(publication, kept)

    def remove(self, publication_id: str) -> None:
        """Forgets one."""
        self._inner.remove(publication_id)

    def load(self) -> tuple[StoredPublication, ...]:
        """Returns what was kept."""
        return self._inner.load()


def parse_listener(text: str, advertised: str | None = None) -> Listener:
    """Reads ``transport:host:port``, such as ``udp:127.0.0.1:5060`` or ``tls:[::1]:5061``.

    Raises:
        ValueError: it is not of this form, or there is no such transport.
    """
    transport, colon, rest = text.partition(":")
    host, _, port = rest.rpartition(":")
    host = host.strip("[]")
    if not colon or not host or not port.isdigit() or int(port) > 65535:
        raise ValueError(f"not of the form transport:host:port: {text!r}")
    if transport not in TRANSPORTS:
        raise ValueError(f"transport {transport!r} of {text!r} is not one of {', '.join(TRANSPORTS)}")
    return Listener(transport=transport, host=host, port=int(port), advertised=advertised)
