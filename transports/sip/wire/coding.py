"""Content-Encoding (RFC 3261 section 20.12): what clients compress, undone under a cap."""

from __future__ import annotations

import zlib
from typing import Final

from transports.sip.wire.errors import SipSyntaxError

_WINDOWS: Final = {
    "deflate": (zlib.MAX_WBITS, -zlib.MAX_WBITS),  # zlib, as RFC 1950 and clients have it, or raw
    "gzip": (zlib.MAX_WBITS | 16,),
}


def inflate(data: bytes, coding: str, limit: int) -> bytes:
    """Returns a body as it was before it was encoded.

    Args:
        data: the octets.
        coding: identity (or empty), deflate or gzip, in lower case.
        limit: most octets that it may unfold to; one that is not encoded has its limit elsewhere.

    Raises:
        SipSyntaxError: another coding (415), too large (413), or broken (400).
    """
    if coding in {"", "identity"}:
        return data
    windows = _WINDOWS.get(coding)
    if windows is None:
        raise SipSyntaxError(f"Content-Encoding {coding[:40]!a} is not known here", 415)
    for bits in windows:
        reader = zlib.decompressobj(bits)
        try:
            out = reader.decompress(data, limit + 1)
        except zlib.error:
            continue
        if len(out) > limit:
            raise SipSyntaxError(f"Body is larger than {limit} when inflated", 413)
        if reader.eof:
            return out
    raise SipSyntaxError(f"Body is not what Content-Encoding {coding} says")
