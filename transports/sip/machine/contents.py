"""The end of a NOTIFY, from Content-Type on: written once for all watchers who are shown the same in the same form."""

from __future__ import annotations

import zlib

from transports.sip.machine.admission import room
from transports.sip.machine.config import EndpointConfig
from transports.sip.machine.dialogs import Subscription
from transports.sip.machine.documents import Document, Documents
from transports.sip.machine.lists import Listing, Watched
from transports.sip.machine.packages import AS_XPIDF, DEFLATED
from transports.sip.machine.ports import Entropy
from transports.sip.machine.shown import Shape
from transports.sip.wire.pidf import CONTENT_TYPE as PIDF
from transports.sip.wire.pidf import parse_pidf
from transports.sip.wire.xpidf import CONTENT_TYPE as XPIDF
from transports.sip.wire.xpidf import build_xpidf

LISTS = ("Require", "eventlist")
"""In what answers a SUBSCRIBE to a list, and in its NOTIFYs (RFC 4662 section 4)."""
NOTHING = b"Content-Length: 0\r\n\r\n"
WORTH_DEFLATING = 256
_MAX_TAILS = 256


class Contents:
    """What NOTIFYs hold.

    Args:
        documents: writes those that the endpoint knows by itself.
    """

    def __init__(self, config: EndpointConfig, documents: Documents, entropy: Entropy) -> None:
        self._config = config
        self._documents = documents
        self._entropy = entropy
        self._tails: dict[tuple[Shape, str, int], bytes] = {}

    def tail(self, subscription: Subscription, transport: str, now: float) -> bytes:
        """Returns the octets of the next NOTIFY of a subscription that follow the headers of its dialog.

        Raises:
            SipBuildError, SipSyntaxError: the state cannot be written in the form that the watcher takes.
        """
        shows = subscription.shows
        form = subscription.form
        if type(shows) is Watched and shows.shape is not None:
            known = self._tails.get((shows.shape, shows.uri_text, form))
            return known if known is not None else self._written(shows.shape, shows.uri_text, form)
        if isinstance(shows, Listing):
            most = room(self._config.limits, reliable=transport != "UDP")
            kind, body = shows.compose(
                subscription.version, most, self._config.domain, self._entropy(16).hex(), bare=subscription.for_linphone
            )
            return "{}: {}\r\n".format(*LISTS).encode() + written(kind, body, form)
        if isinstance(shows, Document):
            return written(*self._documents.compose(subscription.package, shows, now), form)
        return NOTHING

    def _written(self, shape: Shape, uri: str, form: int) -> bytes:
        tail = written(*_presence(shape.octets(uri), form), form)
        if len(self._tails) >= _MAX_TAILS:
            self._tails.clear()
        self._tails[shape, uri, form] = tail
        return tail


def _presence(pidf: bytes, form: int) -> tuple[str, bytes]:
    return (XPIDF, build_xpidf(parse_pidf(pidf))) if form & AS_XPIDF and pidf else (PIDF, pidf)


def written(kind: str, body: bytes, form: int) -> bytes:
    """Returns the headers that speak of a body, and the body, deflated (RFC 1950) where that is wished and worth it."""
    if not body:
        return NOTHING
    coding = ""
    if form & DEFLATED and len(body) >= WORTH_DEFLATING:
        body = zlib.compress(body)
        coding = "Content-Encoding: deflate\r\n"
    return f"Content-Type: {kind}\r\n{coding}Content-Length: {len(body)}\r\n\r\n".encode() + body
