"""Whose an address is: ours, another network's under one of our domains, or nobody's that we serve."""

from __future__ import annotations

from transports.sip.machine.config import EndpointConfig
from transports.sip.wire.errors import SipSyntaxError
from transports.sip.wire.message import Request
from transports.sip.wire.uri import SipUri, Uri, parse_uri

MAX_REASON = 160


class Names:
    """The domains that an endpoint serves."""

    __slots__ = ("_domain", "_hosts", "_networks")

    def __init__(self, config: EndpointConfig) -> None:
        self._domain = config.domain.lower()
        own = {host.lower() for host in config.aliases}
        for listener in config.listeners:
            if not listener.everywhere:
                own.add(f"[{listener.host}]" if ":" in listener.host else listener.host)
            if listener.advertised:
                own.add(listener.advertised.lower())
        self._hosts = frozenset(own) | {self._domain}
        self._networks = frozenset(name.lower() for name in config.network_domains | config.trunks.foreign)

    def is_local(self, uri: object) -> bool:
        """Whether a URI is of the corporate domain, by its name or an alias of it."""
        return isinstance(uri, SipUri) and uri.host.rstrip(".") in self._hosts

    def is_served(self, uri: object) -> bool:
        """Whether we take requests for this URI: the corporate domain and the domains of the networks."""
        if not isinstance(uri, SipUri):
            return False
        host = uri.host.rstrip(".")
        return host in self._hosts or host in self._networks

    def aor(self, uri: object) -> str | None:
        """Returns the address-of-record of a local URI with a user, with the domain's own name; None for others."""
        if not isinstance(uri, SipUri) or uri.user is None:
            return None
        host = uri.host.rstrip(".")
        if host == self._domain:
            return uri.aor
        return f"{uri.user_decoded}@{self._domain}" if host in self._hosts else None

    def target(self, uri: SipUri) -> str:
        """Returns the name under which a watched or addressed URI is known: its AOR, aliases resolved."""
        return self.aor(uri) or uri.aor

    def canonical(self, request: Request) -> str:
        """Returns the Request-URI as the bridge knows it: an alias of the domain, such as our address, is the domain.

        The request was found to be served.
        """
        return self._canonical(request.uri, request.uri_text)

    def _canonical(self, uri: Uri, text: str) -> str:
        host = uri.host.rstrip(".") if isinstance(uri, SipUri) else self._domain
        if host == self._domain or host not in self._hosts:
            return text
        assert isinstance(uri, SipUri)
        return str(uri.replace(host=self._domain, port=None))

    def watchable(self, text: str) -> tuple[str, str] | None:
        """Returns an entry of a list as the bridge knows it, and its target.

        None where a SUBSCRIBE to it alone would be refused: it is no SIP URI, a sips URI, of a domain that is not
        served, or without a user.
        """
        try:
            uri = parse_uri(text)
        except SipSyntaxError:
            return None
        if not isinstance(uri, SipUri) or uri.scheme != "sip" or uri.user is None or not self.is_served(uri):
            return None
        return self._canonical(uri, text), self.target(uri)


def clean_reason(text: str) -> str:
    """Returns a text that is fit for a Reason-Phrase or a Warning: one line, bounded, no control characters."""
    line = " ".join(text.split())
    line = "".join(char if char.isprintable() else "?" for char in line)
    return line[:MAX_REASON]


def warning(agent: str, text: str) -> tuple[str, str]:
    """Returns a Warning header 399 (RFC 3261 20.43)."""
    quoted = clean_reason(text).replace("\\", "\\\\").replace('"', '\\"')
    return "Warning", f'399 {agent} "{quoted}"'
