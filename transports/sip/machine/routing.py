"""How a request of ours gets to a contact."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from ipaddress import ip_address

from transports.sip.machine.config import EndpointConfig, Listener
from transports.sip.machine.flow import DEFAULT_PORTS, Flow, Target
from transports.sip.wire.uri import SipUri


def target_of(uri: object) -> Target | None:
    """Returns where a request to a SIP URI goes (RFC 3263 without DNS records), or None where we cannot go."""
    if not isinstance(uri, SipUri):
        return None
    transport = (uri.param("transport") or ("tls" if uri.scheme == "sips" else "udp")).lower()
    if uri.scheme == "sips" and transport == "tcp":
        transport = "tls"
    if transport not in DEFAULT_PORTS:
        return None
    return Target(transport, uri.host.strip("[]"), uri.port or DEFAULT_PORTS[transport])


def uri_transport(transport: str) -> str:
    """Returns a transport as a URI's ``transport`` parameter names it: a secure WebSocket is ``ws`` (RFC 7118 5.2)."""
    return "ws" if transport == "wss" else transport


def way_to(uri: SipUri, flow: Flow, is_open: Callable[[Flow], bool]) -> Flow | Target | None:
    """Returns how to reach a contact that was told to us over ``flow``, or None where there is no way.

    That connection while it lives: a client behind a NAT, or one that listens nowhere (baresip over TLS), is reached
    in no other way. A UDP source address where Contact names another host than its packets come from (a NAT is
    between). Else what Contact says.
    """
    if flow.reliable and is_open(flow):
        return flow
    if not flow.callable_back:
        return None
    target = target_of(uri)
    if flow.reliable:
        return target
    if target is not None and target.transport != "udp":
        return target
    if target is None or not same_address(target.host, flow.remote[0]):
        return flow
    if target.port == flow.remote[1]:
        return flow
    return Flow("udp", flow.local, (flow.remote[0], target.port))


def same_address(left: str, right: str) -> bool:
    """Whether two hosts are the same address, however it is written."""
    if left == right:
        return True
    try:
        return ip_address(left) == ip_address(right)
    except ValueError:
        return False


class Router:
    """Fills in the Via and Contact of our requests, and makes UDP flows to targets."""

    __slots__ = ("_config", "_proves", "sent_by")

    def __init__(self, config: EndpointConfig) -> None:
        self._config = config
        self._proves = {
            ("tls", peer.host, peer.port or DEFAULT_PORTS["tls"]): peer.proves
            for peer in config.trunks.peers
            if peer.transport == "tls"
        }
        self.sent_by = lru_cache(256)(self._sent_by)

    def _sent_by(self, transport: str, host: str, local: tuple[str, int] | None) -> str | None:
        listener: Listener | None = None
        if local is not None:
            for known in self._config.listeners:
                if known.transport == transport and (known.host, known.port) == local:
                    listener = known
        listener = listener or self._config.listener_for(transport, host)
        if listener is None:
            return None
        if listener.everywhere and listener.advertised is None:
            return f"{self._config.domain}:{listener.port}"
        return listener.sent_by

    def names(self) -> frozenset[str]:
        """Returns every sent-by of ours."""
        found = (self.sent_by(one.transport, one.host, (one.host, one.port)) for one in self._config.listeners)
        return frozenset(name for name in found if name is not None)

    def resolve(self, way: Flow | Target) -> tuple[Flow | Target, str, str] | None:
        """Returns (way, transport in upper case, sent-by) of a request, or None where we have no such transport."""
        if isinstance(way, Flow):
            sent_by = self.sent_by(way.transport, way.remote[0], way.local)
            return None if sent_by is None else (way, way.transport.upper(), sent_by)
        sent_by = self.sent_by(way.transport, way.host, None)
        if sent_by is None:
            return None
        if self._proves and not way.proves:
            way = way._replace(proves=self._proves.get((way.transport, way.host, way.port), ""))
        if way.transport == "udp":
            listener = self._config.listener_for("udp", way.host)
            assert listener is not None
            way = Flow("udp", (listener.host, listener.port), (way.host, way.port))
        return way, way.transport.upper(), sent_by
