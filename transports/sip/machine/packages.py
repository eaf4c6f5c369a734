"""The event packages that are served, and in which form a watcher takes what they tell (RFC 6665 section 5)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from attrs import frozen

from transports.sip.wire.message import Request
from transports.sip.wire.messagesummary import CONTENT_TYPE as SUMMARY
from transports.sip.wire.pidf import CONTENT_TYPE as PIDF
from transports.sip.wire.reginfo import CONTENT_TYPE as REGINFO
from transports.sip.wire.rlmi import CONTENT_TYPE as RLMI
from transports.sip.wire.rlmi import MULTIPART
from transports.sip.wire.watcherinfo import CONTENT_TYPE as WATCHERINFO
from transports.sip.wire.xpidf import CONTENT_TYPE as XPIDF

PRESENCE: Final = "presence"
WINFO: Final = "presence.winfo"
MESSAGE_SUMMARY: Final = "message-summary"
REG: Final = "reg"


@frozen(kw_only=True)
class Package:
    """One event package.

    Attributes:
        name: as Event names it.
        types: the media types of its documents, the preferred one first.
        expires: the lifetime of a subscription that asks for none, seconds; None: the configured one.
        interval: seconds between two NOTIFYs of a subscription at the least; None: the configured one.
        own: whether it tells of a person to that person alone.
    """

    name: str
    types: tuple[str, ...]
    expires: int | None = None
    interval: float | None = None
    own: bool = True


PACKAGES: Final = {
    package.name: package
    for package in (
        Package(name=PRESENCE, types=(PIDF, XPIDF), own=False),  # RFC 3856
        Package(name=WINFO, types=(WATCHERINFO,), expires=3600),  # RFC 3857 section 4.4
        Package(name=MESSAGE_SUMMARY, types=(SUMMARY,), interval=1.0),  # RFC 3842 section 3.11
        Package(name=REG, types=(REGINFO,), expires=3761),  # RFC 3680 section 4.4
    )
}
ALLOW_EVENTS: Final = ", ".join(PACKAGES)
_PLAIN: Final = frozenset({"", "identity"})

Forms = tuple[int, tuple[str, ...]]
AS_XPIDF: Final = 1
DEFLATED: Final = 2


def ranges(types: Iterable[str]) -> frozenset[str]:
    """Returns the media ranges that take any of these types."""
    return frozenset(wanted for kind in types for wanted in (kind, f"{kind.partition('/')[0]}/*", "*/*"))


_TAKEN: Final = {name: ranges(package.types) for name, package in PACKAGES.items()}
_TAKES_PIDF: Final = ranges((PIDF,))
_TAKES_LISTS: Final = ranges((MULTIPART,))


def unacceptable(request: Request, package: Package, *, listed: bool) -> str | None:
    """Returns what Accept should have named where it leaves out all that the package can tell; else None.

    ``listed``: a list is subscribed to, which is told in PIDF inside of multipart/related (RFC 4662 section 4.3).
    """
    if not request.has("Accept"):
        return None
    kinds = _accepted(request)
    if not listed:
        return None if kinds & _TAKEN[package.name] else ", ".join(package.types)
    return None if kinds & _TAKES_PIDF and kinds & _TAKES_LISTS else f"{MULTIPART}, {RLMI}, {PIDF}"


def _accepted(request: Request) -> frozenset[str]:
    """The media ranges of Accept, without those that it rules out with q=0."""
    return frozenset(kind.media_type for kind in request.accept if not _zero(kind.param("q")))


def _zero(q: str | None) -> bool:
    return q is not None and q.strip(" 0.") == "" and "0" in q


def form_of(request: Request, package: Package, *, listed: bool) -> int:
    """Returns the form that a watcher takes: `AS_XPIDF` where it takes no PIDF, `DEFLATED` where it inflates."""
    form = 0
    if package.name == PRESENCE and not listed and request.has("Accept") and not _accepted(request) & _TAKES_PIDF:
        form |= AS_XPIDF
    for value in request.values("Accept-Encoding"):
        name, _, params = value.partition(";")
        q = params.partition("q=")[2].strip()
        if name.strip().lower() == "deflate" and not (q and _zero(q)):
            form |= DEFLATED
    return form
