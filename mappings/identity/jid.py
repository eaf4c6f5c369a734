r"""XMPP addresses: XEP-0106 escaping, and how RFC 7247 section 6 writes a JID as a SIP URI and back.

RFC 7247 escapes ``&``, ``'`` and ``/`` alone, which would make ``a@b@d`` of ``sip:a%40b@d``. So all of XEP-0106 is
used: what it escapes besides these three can be in no JID otherwise, and what RFC 7247 writes comes out the same.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final
from urllib.parse import unquote

from mappings.identity.characters import fault
from mappings.identity.errors import AddressError
from transports.sip.wire.errors import SipSyntaxError
from transports.sip.wire.uri import SipUri, escape_param, escape_user, parse_uri

MAX_JID: Final = 512
MAX_LOCAL: Final = 256
_ESCAPES: Final = {
    " ": r"\20", '"': r"\22", "&": r"\26", "'": r"\27", "/": r"\2f", ":": r"\3a", "<": r"\3c", ">": r"\3e", "@": r"\40",
}  # fmt: skip
_CHARACTERS: Final = {sequence: character for character, sequence in _ESCAPES.items()} | {r"\5c": "\\"}
_SEQUENCE: Final = re.compile(r"\\(?:20|22|26|27|2f|3a|3c|3e|40|5c)", re.IGNORECASE)
_LABEL: Final = re.compile(r"[^\W_](?:[\w-]{0,61}[^\W_])?")


def escape_local(text: str) -> str:
    r"""Returns a name as the localpart of a JID (XEP-0106 section 4): ``o'malley`` is ``o\27malley``.

    A backslash becomes ``\5c`` where what follows it would be read as an escape.
    """
    out = _SEQUENCE.sub(lambda found: r"\5c" + found[0][1:], text)
    return "".join([_ESCAPES.get(character, character) for character in out])


def unescape_local(local: str) -> str:
    r"""Returns the name that a localpart means: ``o\27malley`` is ``o'malley``."""
    return _SEQUENCE.sub(lambda found: _CHARACTERS[found[0].lower()], local)


def normal_jid(name: str) -> str:
    r"""Returns the normal form of a bare JID: localpart and domain in lower case and NFC, the localpart escaped.

    A localpart that is typed unescaped (``o'malley@sip.example``) is taken too, and so is a resource, which is dropped.

    Raises:
        AddressError: it is no bare JID with a localpart, or could be taken for another.
    """
    local, at, host = _split(name)
    if not at or not local or not host:
        raise AddressError("xmpp", name, "an address has the form user@domain")
    local = unicodedata.normalize("NFC", unicodedata.normalize("NFC", local).lower())
    plain = unescape_local(local)
    if plain != plain.strip():
        raise AddressError("xmpp", name, "the part before @ begins or ends with a blank")
    wrong = fault(plain.replace(" ", ""))
    if wrong is not None:
        raise AddressError("xmpp", name, wrong)
    local = "".join([_ESCAPES.get(character, character) for character in local])
    if len(local) > MAX_LOCAL:
        raise AddressError("xmpp", name, f"the part before @ is longer than {MAX_LOCAL} characters")
    return f"{local}@{_domain(name, host)}"


def _split(name: str) -> tuple[str, str, str]:
    """RFC 7622 section 3.1: what follows the first ``/`` is the resource, if there is an address before it."""
    head, slash, _ = name.partition("/")
    if slash and "@" in head:
        return head.rpartition("@")
    return name.rpartition("@")


def _domain(name: str, host: str) -> str:
    host = unicodedata.normalize("NFC", host.lower()).removesuffix(".")
    if not all(_LABEL.fullmatch(label) for label in host.split(".")) or len(host) > 253:
        raise AddressError("xmpp", name, "the part after @ is not a domain name")
    wrong = fault(host)
    if wrong is not None:
        raise AddressError("xmpp", name, wrong)
    return host


def jid_of_sip(uri: str) -> str:
    """Returns the JID that a SIP URI of an XMPP user means (RFC 7247 section 6.1), with ``gr`` as its resource.

    Raises:
        AddressError: it is no SIP URI with a user. A SIPS URI promises what XMPP cannot keep (section 4).
    """
    try:
        parsed = parse_uri(uri)
    except SipSyntaxError as error:
        raise AddressError("sip", uri, error.reason) from error
    if not isinstance(parsed, SipUri) or parsed.scheme != "sip" or not parsed.user:
        raise AddressError("sip", uri, "not a sip: URI with a user")
    try:
        resource = unquote(parsed.param("gr") or "", errors="strict")
    except UnicodeDecodeError as error:
        raise AddressError("sip", uri, "percent-encoded bytes that are not UTF-8") from error
    user = parsed.user_decoded or ""
    return f"{escape_local(user)}@{parsed.host}" + (f"/{resource}" if resource else "")


def sip_of_jid(jid: str) -> str:
    """Returns the SIP URI of a JID (RFC 7247 section 6.2), with its resource as ``gr``."""
    head, slash, resource = jid.partition("/")
    local, _, host = head.rpartition("@")
    return f"sip:{escape_user(unescape_local(local))}@{host}" + (f";gr={escape_param(resource)}" if slash else "")
