"""Header names: spelling, compact forms, which are lists (RFC 3261 section 7.3 and IANA's registry)."""

from __future__ import annotations

from typing import Final

# IANA: the compact forms that are registered.
COMPACT: Final[dict[str, str]] = {
    "a": "Accept-Contact",
    "b": "Referred-By",
    "c": "Content-Type",
    "d": "Request-Disposition",
    "e": "Content-Encoding",
    "f": "From",
    "i": "Call-ID",
    "j": "Reject-Contact",
    "k": "Supported",
    "l": "Content-Length",
    "m": "Contact",
    "n": "Identity-Info",
    "o": "Event",
    "r": "Refer-To",
    "s": "Subject",
    "t": "To",
    "u": "Allow-Events",
    "v": "Via",
    "x": "Session-Expires",
    "y": "Identity",
}

# Headers whose grammar is a comma-separated list. From, To and their like are no lists, but are split as if they were
# ones, so that two addresses in one From are seen as two and refused, never as one with an odd name.
LISTS: Final = frozenset(
    {
        "Accept", "Accept-Contact", "Accept-Encoding", "Accept-Language", "Alert-Info", "Allow", "Allow-Events",
        "Call-Info", "Contact", "Content-Encoding", "Content-Language", "Error-Info", "From", "In-Reply-To",
        "P-Asserted-Identity", "P-Associated-URI", "P-Preferred-Identity", "Path", "Proxy-Require", "Reason",
        "Record-Route", "Reject-Contact", "Request-Disposition", "Require", "Route", "Security-Client",
        "Security-Server", "Security-Verify", "Service-Route", "Supported", "To", "Unsupported", "Via", "Warning",
    }
)  # fmt: skip

_OTHERS: Final = (
    "Authentication-Info", "Authorization", "CSeq", "Call-ID", "Content-Disposition", "Content-Length",
    "Content-Transfer-Encoding", "Content-Type", "Date", "Event", "Expires", "Identity", "Identity-Info",
    "Max-Forwards", "MIME-Version", "Min-Expires", "Organization", "Priority", "Privacy", "Proxy-Authenticate",
    "Proxy-Authorization", "Refer-To", "Referred-By", "Reply-To", "Retry-After", "SIP-ETag", "SIP-If-Match", "Server",
    "Session-Expires", "Subject", "Subscription-State", "Suppress-If-Match", "Timestamp", "User-Agent",
    "WWW-Authenticate",
)  # fmt: skip

#: The names that we know, in the spelling of their RFC.
KNOWN: Final = LISTS | frozenset(_OTHERS) | frozenset(COMPACT.values())

#: Every spelling that needs no thought: as in the RFC, lower case, upper case, compact in both cases.
SPELLINGS: Final[dict[str, str]] = {
    **{spelling: name for name in KNOWN for spelling in (name, name.lower(), name.upper(), name.title())},
    **{spelling: name for short, name in COMPACT.items() for spelling in (short, short.upper())},
}


def canonical(name: str) -> str:
    """The spelling under which a header is kept: the RFC's for those we know, lower case for others."""
    known = SPELLINGS.get(name)
    if known is not None:
        return known
    lower = name.lower()
    return SPELLINGS.get(lower, lower)
