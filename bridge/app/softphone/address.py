"""Whom people type: ``bob@corp.example``, ``the boogyman@aim.corp.example``, ``sip:bob%40hotmail.example@msn...``."""

from mappings.identity import sip_uri
from transports.sip.wire.errors import SipSyntaxError
from transports.sip.wire.uri import SipUri, parse_uri


class AddressError(ValueError):
    """It is not an address to write to; the text says why."""


def peer_uri(text: str) -> str:
    """Returns the SIP URI of what was typed; without ``sip:`` the user part is taken as it is and escaped.

    Raises:
        AddressError: it is neither a SIP URI with a user nor ``user@domain``.
    """
    text = text.strip()
    if not text:
        raise AddressError("an address has the form user@domain")
    typed = text if text.lower().startswith(("sip:", "sips:")) else _uri(text)
    try:
        uri = parse_uri(typed)
    except SipSyntaxError as e:
        raise AddressError(f"{text[:120]!r} is not an address: {e.reason}") from e
    if not isinstance(uri, SipUri) or not uri.user:
        raise AddressError(f"{text[:120]!r} names nobody: an address has the form user@domain")
    return typed


def _uri(text: str) -> str:
    user, at, host = text.rpartition("@")
    if not at or not user or not host:
        raise AddressError(f"{text[:120]!r} is not of the form user@domain")
    return sip_uri(text)
