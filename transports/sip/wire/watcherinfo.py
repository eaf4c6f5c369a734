"""Who watches whom: application/watcherinfo+xml (RFC 3858), read and written."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias, cast, get_args
from xml.etree.ElementTree import Element

import attrs

from transports.sip.wire.errors import SipBuildError, SipSyntaxError
from transports.sip.wire.xmldoc import attribute, children, local, number, read_xml
from transports.sip.wire.xmldoc import text as xml_text

CONTENT_TYPE: Final = "application/watcherinfo+xml"
MAX_SIZE: Final = 1024 * 1024

WatcherStatus: TypeAlias = Literal["pending", "active", "waiting", "terminated"]
WatcherEvent: TypeAlias = Literal[
    "subscribe", "approved", "deactivated", "probation", "rejected", "timeout", "giveup", "noresource"
]
STATUSES: Final = frozenset(get_args(WatcherStatus))
EVENTS: Final = frozenset(get_args(WatcherEvent))


@attrs.frozen(kw_only=True)
class WatcherEntry:
    """One watcher (RFC 3858 section 3.3).

    Attributes:
        id: names the watcher within the document's resource, and is the same in later documents.
        uri: who watches.
        status: of its subscription.
        event: what brought it there (RFC 3857 section 4.7.1).
        display_name: for people; empty where there is none.
        expiration: seconds until the subscription ends, where known.
    """

    id: str
    uri: str
    status: WatcherStatus
    event: WatcherEvent
    display_name: str = ""
    expiration: int | None = None


@attrs.frozen(kw_only=True)
class WatcherInfo:
    """What one NOTIFY tells of the watchers of one resource.

    Attributes:
        version: 0 in the first NOTIFY of a subscription, one more in each that follows.
        full: whether it names all watchers, or those alone that have changed.
        resource: the URI that is watched.
        package: by which event package.
    """

    version: int
    full: bool
    resource: str
    package: str
    watchers: tuple[WatcherEntry, ...] = ()


def build_watcherinfo(document: WatcherInfo) -> bytes:
    """Write the document in UTF-8. Characters that XML cannot hold are left out.

    Raises:
        SipBuildError: a version below 0, or a status or event that RFC 3858 does not know.
    """
    if document.version < 0:
        raise SipBuildError(f"watcherinfo: version {document.version}")
    state = "full" if document.full else "partial"
    out = ['<?xml version="1.0" encoding="UTF-8"?>\n<watcherinfo xmlns="urn:ietf:params:xml:ns:watcherinfo"']
    out.append(f' version="{document.version}" state="{state}">\n')
    out.append(f"<watcher-list resource={attribute(document.resource)} package={attribute(document.package)}>\n")
    out += [_write(watcher) for watcher in document.watchers]
    out.append("</watcher-list>\n</watcherinfo>\n")
    return "".join(out).encode()


def _write(watcher: WatcherEntry) -> str:
    if watcher.status not in STATUSES or watcher.event not in EVENTS:
        raise SipBuildError(f"watcherinfo: no such status or event: {watcher.status!r}, {watcher.event!r}"[:200])
    more = ""
    if watcher.display_name:
        more += f" display-name={attribute(watcher.display_name)}"
    if watcher.expiration is not None:
        more += f' expiration="{watcher.expiration}"'
    return (
        f'<watcher status="{watcher.status}" id={attribute(watcher.id)} event="{watcher.event}"{more}>'
        f"{xml_text(watcher.uri)}</watcher>\n"
    )


def parse_watcherinfo(data: bytes, limit: int = MAX_SIZE) -> WatcherInfo:
    """Read a document with one list of watchers.

    Raises:
        SipSyntaxError: too large (413); not well formed, a DTD or entities, another root, no list or several, or a
            watcher without what RFC 3858 asks for (400).
    """
    root = read_xml(data, "watcherinfo", limit)
    lists = children(root, "watcher-list")
    if local(root) != "watcherinfo" or len(lists) != 1:
        raise SipSyntaxError("watcherinfo: not a document with one list of watchers")
    state = root.get("state")
    if state not in {"full", "partial"}:
        raise SipSyntaxError(f"watcherinfo: the state is {state!r}"[:120])
    version = number(root, "version", "watcherinfo")
    if version is None:
        raise SipSyntaxError("watcherinfo: there is no version")
    return WatcherInfo(
        version=version,
        full=state == "full",
        resource=lists[0].get("resource") or "",
        package=lists[0].get("package") or "",
        watchers=tuple(_read(element) for element in children(lists[0], "watcher")),
    )


def _read(element: Element) -> WatcherEntry:
    status, event = element.get("status"), element.get("event")
    if status not in STATUSES or event not in EVENTS or not element.get("id"):
        raise SipSyntaxError("watcherinfo: a watcher without id, or with a status or event that is not known")
    return WatcherEntry(
        id=element.get("id") or "",
        uri=(element.text or "").strip(),
        status=cast(WatcherStatus, status),
        event=cast(WatcherEvent, event),
        display_name=element.get("display-name") or "",
        expiration=number(element, "expiration", "watcherinfo"),
    )
